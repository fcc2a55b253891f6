//! How requests go: to which address, with which headers, and signed or not. Metrics and logs each have a way of their own.

use ::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::headers::list;
use super::variable;
use crate::backend::shared::{Address, Secret, failed, operator, post, setting};
use crate::backend::{Context, Verdict};
use crate::encode::otlp::{Form, Kind};
use crate::error::Error;
use crate::net::{Net, Response};

/// Where an exporter sends to by default (OpenTelemetry's specification of OTLP exporters).
const ENDPOINT_DEFAULT: &str = "http://localhost:4318";

/// What the program said.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) endpoint: Option<String>,
    pub(super) metrics_endpoint: Option<String>,
    pub(super) logs_endpoint: Option<String>,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) token: Option<Secret>,
    pub(super) log_group: Option<String>,
    pub(super) log_stream: Option<String>,
    #[cfg(feature = "aws")]
    pub(super) aws: Option<bool>,
}

/// The ways of both kinds.
pub(super) struct Ways {
    metrics: Way,
    logs: Way,
}

/// The way of one kind.
pub(super) struct Way {
    uri: Uri,
    headers: HeaderMap,
    #[cfg(feature = "aws")]
    client: Option<crate::net::aws::Client>,
}

/// What differs between the kinds, beside what the program said.
struct Names {
    kind: Kind,
    path: &'static str,
    endpoint: [&'static str; 2],
    headers: [&'static str; 2],
    token: &'static str,
}

const METRICS: Names = Names {
    kind: Kind::Metrics,
    path: "/v1/metrics",
    endpoint: ["OPS_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"],
    headers: ["OPS_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"],
    token: "OPS_OTLP_METRICS_TOKEN",
};
const LOGS: Names = Names {
    kind: Kind::Logs,
    path: "/v1/logs",
    endpoint: ["OPS_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"],
    headers: ["OPS_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_LOGS_HEADERS"],
    token: "OPS_OTLP_LOGS_TOKEN",
};

impl Ways {
    /// Checks every setting of both ways, without speaking to the network.
    pub(super) fn open(told: &Told, logs: bool, context: &Context) -> Result<Ways, Error> {
        let ways =
            Ways { metrics: Way::open(&METRICS, told, context)?, logs: Way::open(&LOGS, told, context)? };
        #[cfg(feature = "aws")]
        if logs && ways.logs.client.is_some() && !ways.logs.headers.contains_key("x-aws-log-group") {
            let problem = "no log group is named, and CloudWatch does not make one up";
            let remedy = "name a group and a stream that exist, or turn logs off with OPS_OTLP_LOGS=0";
            return Err(Error::setting("OPS_OTLP_LOG_GROUP / .log_group(..)", problem, remedy));
        }
        let _ = logs;
        Ok(ways)
    }

    pub(super) fn of(&mut self, kind: Kind) -> &mut Way {
        match kind {
            Kind::Metrics => &mut self.metrics,
            Kind::Logs => &mut self.logs,
        }
    }

    pub(super) fn another(&self) -> Ways {
        Ways { metrics: self.metrics.another(), logs: self.logs.another() }
    }
}

impl Way {
    fn open(names: &Names, told: &Told, context: &Context) -> Result<Way, Error> {
        let headers = headers(names, told, context)?;
        #[cfg(feature = "aws")]
        if crate::backend::shared::yes_or_no(told.aws, "OPS_OTLP_AWS", false, context)? {
            return signed(names, told, headers, context);
        }
        Ok(Way {
            uri: uri(names, told, context)?,
            headers,
            #[cfg(feature = "aws")]
            client: None,
        })
    }

    fn another(&self) -> Way {
        Way {
            uri: self.uri.clone(),
            headers: self.headers.clone(),
            #[cfg(feature = "aws")]
            client: self.client.as_ref().map(crate::net::aws::Client::another),
        }
    }

    /// Sends a request. What comes to no answer is a verdict already.
    pub(super) fn send(
        &mut self,
        form: Form,
        zipped: bool,
        body: Vec<u8>,
        net: &mut Net,
    ) -> Result<Response, Verdict> {
        let mut request = post(self.uri.clone(), form.content_type(), &self.headers, body);
        if zipped {
            request.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        #[cfg(feature = "aws")]
        if let Some(client) = &mut self.client {
            return client.exchange(net, request).map_err(no_answer);
        }
        net.send(request).map_err(failed)
    }

    /// Whoever sends is refused: with AWS other credentials are loaded, and else an operator has to see to it.
    pub(super) fn unauthorized(&mut self, why: String) -> Verdict {
        #[cfg(feature = "aws")]
        if let Some(client) = &mut self.client {
            client.refresh();
            return Verdict::Reauthenticate { why };
        }
        operator(why)
    }
}

#[cfg(feature = "aws")]
fn no_answer(error: crate::net::aws::CallError) -> Verdict {
    use crate::net::aws::CallError;
    match error {
        CallError::Credentials(why) => Verdict::Reauthenticate { why },
        CallError::Clock(why) => Verdict::Retry { after: None, why },
        CallError::Net(error) => failed(error),
    }
}

/// The way to CloudWatch's own endpoint, or to the base URL in its place, with signatures.
#[cfg(feature = "aws")]
fn signed(names: &Names, told: &Told, headers: HeaderMap, context: &Context) -> Result<Way, Error> {
    use crate::net::aws::{Client, Service, Settings};
    let service = match names.kind {
        Kind::Metrics => Service {
            signing_name: "monitoring",
            host_prefix: "monitoring",
            variable: "CLOUDWATCH",
            gov_dualstack_is_fips: true,
        },
        Kind::Logs => Service {
            signing_name: "logs",
            host_prefix: "logs",
            variable: "CLOUDWATCH_LOGS",
            gov_dualstack_is_fips: false,
        },
    };
    if headers.contains_key(header::AUTHORIZATION) {
        let problem = "a token is set, and requests are to be signed as well";
        return Err(Error::setting("OPS_OTLP_AWS / .aws(..)", problem, "choose one of them"));
    }
    let endpoint = setting(told.endpoint.as_deref(), "OPS_OTLP_ENDPOINT", context);
    let client = Client::open(service, &Settings { region: None, endpoint }, &context.var)?;
    Ok(Way { uri: Uri::from_static(names.path), headers, client: Some(client) })
}

/// The URL: one of the kind's own as it is, or the base with the kind's path.
fn uri(names: &Names, told: &Told, context: &Context) -> Result<Uri, Error> {
    let own = match names.kind {
        Kind::Metrics => {
            told.metrics_endpoint.as_deref().map(|url| (".metrics_endpoint(..)", url.to_owned()))
        }
        Kind::Logs => told.logs_endpoint.as_deref().map(|url| (".logs_endpoint(..)", url.to_owned())),
    };
    // What the program said of all kinds wins over what the environment says of one.
    let own = match (&own, &told.endpoint) {
        (None, Some(_)) => None,
        _ => own.or_else(|| variable(&names.endpoint, context)),
    };
    if let Some((name, url)) = own {
        Address::parse(&url, name)?;
        return url.trim().parse().map_err(|_| Error::setting(name, "is not a URL", "give one"));
    }
    let base = ["OPS_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let told = told.endpoint.as_deref().map(|url| (".endpoint(..)", url.to_owned()));
    let (name, url) = told
        .or_else(|| variable(&base, context))
        .unwrap_or(("OPS_OTLP_ENDPOINT", ENDPOINT_DEFAULT.to_owned()));
    let under = Address::parse(&url, name)?.under(names.path);
    under.map_err(|problem| Error::setting(name, problem, "give a URL of scheme, host and port"))
}

/// The headers of every request: the list for all kinds, then that for this kind, then what the program said; then the
/// token, and for logs the group and the stream.
fn headers(names: &Names, told: &Told, context: &Context) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let lists = [["OPS_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"], names.headers];
    for (name, text) in lists.iter().filter_map(|variables| variable(variables, context)) {
        for (key, value) in list(&text, name)? {
            put(&mut headers, &key, &Secret::new(value), name)?;
        }
    }
    for (key, value) in &told.headers {
        put(&mut headers, key, value, ".header(..)")?;
    }
    let token = told.token.clone().or_else(|| Secret::find(None, names.token, context));
    if let Some(token) = token.or_else(|| Secret::find(None, "OPS_OTLP_TOKEN", context)) {
        headers.insert(header::AUTHORIZATION, token.header("Bearer ", "OPS_OTLP_TOKEN / .token(..)")?);
    }
    let place = [
        ("x-aws-log-group", &told.log_group, "OPS_OTLP_LOG_GROUP"),
        ("x-aws-log-stream", &told.log_stream, "OPS_OTLP_LOG_STREAM"),
    ];
    for (key, told, variable) in place.into_iter().filter(|_| names.kind == Kind::Logs) {
        if let Some(text) = setting(told.as_deref(), variable, context) {
            put(&mut headers, key, &Secret::new(text), variable)?;
        }
    }
    if headers.contains_key("x-aws-log-group") != headers.contains_key("x-aws-log-stream") {
        let problem = "only one of group and stream is named";
        return Err(Error::setting("OPS_OTLP_LOG_GROUP, OPS_OTLP_LOG_STREAM", problem, "name both"));
    }
    Ok(headers)
}

/// Adds a header, in the place of another of its name.
fn put(headers: &mut HeaderMap, key: &str, value: &Secret, setting: &str) -> Result<(), Error> {
    const OURS: [&str; 5] =
        ["content-type", "content-encoding", "content-length", "host", "transfer-encoding"];
    let refused = |problem: &str| {
        let remedy = "a header's name is of letters, digits and hyphens";
        Error::setting(setting, format!("\"{}\" {problem}", key.escape_debug()), remedy)
    };
    let name: HeaderName = key.parse().map_err(|_| refused("is no name of a header"))?;
    if OURS.contains(&name.as_str()) {
        return Err(refused("is a header that requests have by themselves"));
    }
    headers.insert(name, value.header("", setting)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::shared::tests::context;
    use super::*;

    fn ways(told: &Told, vars: &[(&str, &str)]) -> Result<Ways, Error> {
        Ways::open(told, true, &context(vars))
    }

    fn uris(told: &Told, vars: &[(&str, &str)]) -> (String, String) {
        let ways = ways(told, vars).unwrap();
        (ways.metrics.uri.to_string(), ways.logs.uri.to_string())
    }

    #[test]
    fn endpoints_are_found_as_the_specification_says() {
        let pair = |metrics: &str, logs: &str| (metrics.to_owned(), logs.to_owned());
        let none = Told::default();
        assert_eq!(
            uris(&none, &[]),
            pair("http://localhost:4318/v1/metrics", "http://localhost:4318/v1/logs")
        );
        let base = [("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:9/x/")];
        assert_eq!(uris(&none, &base), pair("https://c:9/x/v1/metrics", "https://c:9/x/v1/logs"));
        let both = [base[0], ("OPS_OTLP_ENDPOINT", "https://ops")];
        assert_eq!(uris(&none, &both), pair("https://ops/v1/metrics", "https://ops/v1/logs"));
        let own = [base[0], ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://l/as/it/is")];
        assert_eq!(uris(&none, &own), pair("https://c:9/x/v1/metrics", "https://l/as/it/is"));
        let own = [own[1], ("OPS_OTLP_LOGS_ENDPOINT", "https://l2")];
        assert_eq!(uris(&none, &own), pair("http://localhost:4318/v1/metrics", "https://l2/"));
        let told = Told { endpoint: Some("http://told".into()), ..Told::default() };
        assert_eq!(uris(&told, &own), pair("http://told/v1/metrics", "http://told/v1/logs"));
        let told = Told { logs_endpoint: Some("http://logs/in".into()), ..told };
        assert_eq!(uris(&told, &own), pair("http://told/v1/metrics", "http://logs/in"));
    }

    #[test]
    fn headers_of_both_kinds_and_of_one() {
        let vars = [
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-other=never"),
            ("OPS_OTLP_HEADERS", "x-key=k%31,x-told=v"),
            ("OPS_OTLP_METRICS_HEADERS", "x-key=m"),
            ("OPS_OTLP_TOKEN", "both"),
            ("OPS_OTLP_LOGS_TOKEN", "logs"),
            ("OPS_OTLP_LOG_GROUP", "/g"),
            ("OPS_OTLP_LOG_STREAM", "s"),
        ];
        let told = Told { headers: vec![("X-Told".into(), Secret::new("t"))], ..Told::default() };
        let ways = ways(&told, &vars).unwrap();
        let of =
            |way: &Way, name: &str| way.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let told = |way| {
            ["x-key", "x-told", "authorization", "x-aws-log-group", "x-other"].map(|name| of(way, name))
        };
        let texts = |all: [Option<&str>; 5]| all.map(|text| text.map(str::to_owned));
        assert_eq!(told(&ways.metrics), texts([Some("m"), Some("t"), Some("Bearer both"), None, None]));
        assert_eq!(told(&ways.logs), texts([Some("k1"), Some("t"), Some("Bearer logs"), Some("/g"), None]));
        assert!(!format!("{:?}", ways.logs.headers).contains("Bearer"));
    }

    #[test]
    fn settings_that_mean_nothing_are_told_without_secrets() {
        let table = [
            ("OPS_OTLP_ENDPOINT", "collector:4318"),
            ("OPS_OTLP_METRICS_ENDPOINT", "ftp://hush"),
            ("OPS_OTLP_LOGS_ENDPOINT", "http://u:hush@c"),
            ("OPS_OTLP_HEADERS", "hush"),
            ("OPS_OTLP_HEADERS", "a b=hush"),
            ("OPS_OTLP_HEADERS", "host=hush"),
            ("OPS_OTLP_HEADERS", "x-key=hush%0d%0aX: y"),
            ("OPS_OTLP_TOKEN", "hush\nhush"),
            ("OPS_OTLP_LOG_GROUP", "/g"),
        ];
        for (variable, value) in table {
            let error = ways(&Told::default(), &[(variable, value)]).err().unwrap().to_string();
            assert!(
                error.starts_with(variable) && (!error.contains("hush") || error.contains("ftp")),
                "{error}"
            );
        }
    }

    #[cfg(feature = "aws")]
    #[test]
    fn with_signatures_the_endpoints_are_those_of_the_region() {
        let keys = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "hidden"),
            ("OPS_OTLP_AWS", "1"),
            ("OPS_OTLP_LOG_GROUP", "/g"),
            ("OPS_OTLP_LOG_STREAM", "s"),
        ];
        let open = ways(&Told::default(), &keys).unwrap();
        let shown = format!("{:?} {:?}", open.metrics.client, open.logs.client);
        assert!(shown.contains("monitoring.eu-west-1") && shown.contains("logs.eu-west-1"), "{shown}");
        let error = ways(&Told::default(), &keys[..4]).err().unwrap().to_string();
        assert!(error.starts_with("OPS_OTLP_LOG_GROUP"), "{error}");
        assert!(Ways::open(&Told::default(), false, &context(&keys[..4])).is_ok());
        let token = [keys.to_vec(), vec![("OPS_OTLP_TOKEN", "hush")]].concat();
        let error = ways(&Told::default(), &token).err().unwrap().to_string();
        assert!(error.starts_with("OPS_OTLP_AWS") && !error.contains("hush"), "{error}");
        let error = ways(&Told::default(), &keys[3..]).err().unwrap().to_string();
        assert!(error.starts_with("AWS_REGION"), "{error}");
    }
}
