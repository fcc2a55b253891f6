//! What a request says once of all that is in it: the attributes of its resource, by OpenTelemetry's semantic conventions.

use super::headers::list;
use crate::backend::Context;
use crate::backend::shared::setting;
use crate::encode::otlp::Body;
use crate::error::Error;

const SERVICE_NAME: &str = "service.name";
/// Dimensions that name the service, as they are commonly written.
const SERVICE_DIMENSIONS: [&str; 4] = [SERVICE_NAME, "Service", "service", "service_name"];

/// The attributes, those first that win over others of the same name: what the program said, the variables, the service,
/// the host, this SDK, and the dimensions of the process.
pub(super) fn body(told: &[(String, String)], context: &Context) -> Result<Body, Error> {
    let mut attributes = told.to_vec();
    if let Some(name) = setting(None, "OTEL_SERVICE_NAME", context) {
        attributes.push((SERVICE_NAME.to_owned(), name));
    }
    for variable in ["OPS_OTLP_ATTRIBUTES", "OTEL_RESOURCE_ATTRIBUTES"] {
        if let Some(text) = setting(None, variable, context) {
            attributes.extend(list(&text, variable)?);
        }
    }
    let own = [
        (SERVICE_NAME, service(context)),
        ("host.name", context.host.clone()),
        ("telemetry.sdk.name", "ops-sdk".to_owned()),
        ("telemetry.sdk.language", "rust".to_owned()),
        ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    attributes.extend(own.map(|(name, value)| (name.to_owned(), value)));
    attributes.extend(context.dimensions.iter().cloned());
    Ok(Body::new(attributes))
}

/// The service: the dimension that names it, else the namespace.
fn service(context: &Context) -> String {
    let named = |name: &&str| context.dimensions.iter().find(|(other, _)| other == name);
    SERVICE_DIMENSIONS
        .iter()
        .find_map(named)
        .map_or_else(|| context.namespace.clone(), |(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::super::super::shared::tests::context;
    use super::*;
    use crate::encode::otlp::{Form, Kind};

    fn attributes(
        told: &[(&str, &str)],
        vars: &[(&str, &str)],
        dimensions: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>()
        };
        let context = Context { dimensions: owned(dimensions), ..context(vars) };
        let body = body(&owned(told), &context).unwrap().of(Form::Json, Kind::Logs, 255, std::iter::empty());
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let all = body["resourceLogs"][0]["resource"]["attributes"].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        all.iter().map(|one| (text(&one["key"]), text(&one["value"]["stringValue"]))).collect()
    }

    #[test]
    fn what_is_closer_to_the_program_wins() {
        let of = |all: &[(String, String)], name: &str| {
            let found: Vec<_> =
                all.iter().filter(|(n, _)| n == name).map(|(_, value)| value.clone()).collect();
            assert!(found.len() <= 1, "{found:?}");
            found.into_iter().next().unwrap_or_default()
        };
        let plain = attributes(&[], &[], &[]);
        assert_eq!((of(&plain, "service.name"), of(&plain, "host.name")), ("Shop".into(), "h1".into()));
        assert_eq!(of(&plain, "service.instance.id"), "00000000000000ff");
        let dims = [("Service", "checkout"), ("Stage", "prod")];
        let named = attributes(&[], &[], &dims);
        assert_eq!((of(&named, "service.name"), of(&named, "Stage")), ("checkout".into(), "prod".into()));
        let vars = [
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=from-otel,host.name=h2,service.instance.id=i1,a=1"),
            ("OPS_OTLP_ATTRIBUTES", "a=2"),
        ];
        let of_vars = attributes(&[], &vars, &dims);
        assert_eq!((of(&of_vars, "service.name"), of(&of_vars, "a")), ("from-otel".into(), "2".into()));
        assert_eq!(
            (of(&of_vars, "host.name"), of(&of_vars, "service.instance.id")),
            ("h2".into(), "i1".into())
        );
        let all = [vars[0], vars[1], ("OTEL_SERVICE_NAME", "otel")];
        assert_eq!(of(&attributes(&[], &all, &dims), "service.name"), "otel");
        assert_eq!(of(&attributes(&[("service.name", "told")], &all, &dims), "service.name"), "told");
        let error = body(&[], &context(&[("OTEL_RESOURCE_ATTRIBUTES", "x")])).unwrap_err().to_string();
        assert!(error.starts_with("OTEL_RESOURCE_ATTRIBUTES: "), "{error}");
    }
}
