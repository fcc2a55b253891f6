//! The entity that data are of: the service or the resource under which the console relates metrics and logs to each
//! other. CloudWatch takes it beside the data of PutMetricData and of PutLogEvents; an entity that it does not like is
//! dropped and told of, and the data are kept.

use super::pairs::{self, Bounds, Pairs};
use crate::backend::Context;
use crate::encode::json;
use crate::error::Error;

/// Names of key attributes (`Entity.KeyAttributes` in `cloudwatch/2010-08-01` and `logs/2014-03-28`, botocore 1.44.5).
const KEYS: [&str; 5] = ["Type", "ResourceType", "Identifier", "Name", "Environment"];

/// Half of a push of the contract. Our own number: an entity is told with every push.
const ENTITY_BYTES_MAX: usize = 16_384;

/// What the builder was told; what it was not told comes from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::backend) struct EntityTold {
    pub(in crate::backend) keys: Pairs,
    pub(in crate::backend) attributes: Pairs,
}

/// How one service takes entities.
pub(in crate::backend) struct EntityForm {
    /// The variable of the key attributes.
    pub(in crate::backend) variable: &'static str,
    /// The variable of the other attributes.
    pub(in crate::backend) attributes_variable: &'static str,
    /// The two members' names.
    pub(in crate::backend) members: [&'static str; 2],
    /// Characters of a value.
    pub(in crate::backend) value_max: usize,
}

/// The entity as a JSON object; `None` if none is set.
///
/// # Errors
///
/// If the service would drop it for its form: fewer than 2 or more than 4 key attributes, a name that none has, no
/// `Type`, more than 10 attributes, or a text that is too long.
pub(in crate::backend) fn entity(
    told: &EntityTold,
    form: &EntityForm,
    context: &Context,
) -> Result<Option<Vec<u8>>, Error> {
    let variable = form.variable;
    let bounds = Bounds { pairs_max: 4, name_max: 32, value_max: form.value_max };
    let keys = pairs::find(&told.keys, variable, bounds, context)?;
    let bounds = Bounds { pairs_max: 10, name_max: 256, value_max: form.value_max };
    let attributes = pairs::find(&told.attributes, form.attributes_variable, bounds, context)?;
    if keys.is_empty() && attributes.is_empty() {
        return Ok(None);
    }
    let refused = |problem: String| {
        let remedy = "name two to four of Type, ResourceType, Identifier, Name and Environment, as in \
                      Type=Service,Name=checkout,Environment=prod";
        Error::setting(format!("{variable} / .entity_key(..)"), problem, remedy)
    };
    if let Some((name, _)) =
        keys.iter().find(|(name, value)| !KEYS.contains(&name.as_str()) || value.is_empty())
    {
        return Err(refused(format!("\"{}\" is no key attribute, or has no value", name.escape_debug())));
    }
    if keys.len() < 2 || keys.iter().all(|(name, _)| name != "Type") {
        return Err(refused("an entity has a Type and one key attribute more".to_owned()));
    }
    let mut out = b"{".to_vec();
    for (member, pairs) in
        form.members.iter().zip([&keys, &attributes]).filter(|(_, pairs)| !pairs.is_empty())
    {
        if out.len() > 1 {
            out.push(b',');
        }
        json::string(&mut out, member);
        out.push(b':');
        object(&mut out, pairs);
    }
    out.push(b'}');
    if out.len() > ENTITY_BYTES_MAX {
        return Err(refused(format!("{} bytes leave no room for data in a push", out.len())));
    }
    Ok(Some(out))
}

/// Appends names and values as a JSON object.
pub(super) fn object(out: &mut Vec<u8>, pairs: &Pairs) {
    out.push(b'{');
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json::string(out, name);
        out.push(b':');
        json::string(out, value);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    const FORM: EntityForm = EntityForm {
        variable: "E",
        attributes_variable: "A",
        members: ["KeyAttributes", "Attributes"],
        value_max: 8,
    };

    #[test]
    fn an_entity_is_an_object_or_a_setting_is_named() {
        let of = |keys: &str, attributes: &str| {
            entity(&EntityTold::default(), &FORM, &context(&[("E", keys), ("A", attributes)]))
                .map(|found| found.map(|bytes| String::from_utf8(bytes).unwrap()))
        };
        assert_eq!(of("", "").unwrap(), None);
        assert_eq!(
            of("Type=Service,Name=a\"b", "").unwrap().unwrap(),
            r#"{"KeyAttributes":{"Type":"Service","Name":"a\"b"}}"#
        );
        assert_eq!(
            of("Type=Service,Name=a", "Team=x").unwrap().unwrap(),
            r#"{"KeyAttributes":{"Type":"Service","Name":"a"},"Attributes":{"Team":"x"}}"#
        );
        for (keys, attributes) in [
            ("Type=Service", ""),
            ("Name=a,Environment=b", ""),
            ("Type=Service,Colour=red", ""),
            ("Type=Service,Name=", ""),
            ("Type=Service,Name=123456789", ""),
            ("", "Team=x"),
        ] {
            let error = of(keys, attributes).unwrap_err().to_string();
            assert!(error.starts_with("E: ") || error.starts_with("E / .entity_key(..): "), "{error}");
        }
        let eleven: Vec<String> = (0..11).map(|n| format!("a{n}=1")).collect();
        assert!(of("Type=S,Name=a", &eleven.join(",")).unwrap_err().to_string().starts_with("A: "));
    }

    #[test]
    fn the_program_wins() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let told = EntityTold { keys: vec![pair("Type", "R"), pair("Name", "n")], attributes: Vec::new() };
        let found = entity(&told, &FORM, &context(&[("E", "Type=S,Name=m")])).unwrap().unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), r#"{"KeyAttributes":{"Type":"R","Name":"n"}}"#);
    }
}
