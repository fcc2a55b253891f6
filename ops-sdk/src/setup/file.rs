//! `OPS_CONFIG`: one TOML file of backends, tiers and routes.
//!
//! ```toml
//! [backends.cloudwatch]
//!
//! [backends.archive]
//! kind = "s3"
//! bucket = "ops-archive"              # OPS_S3_BUCKET for this one
//! env = { AWS_REGION = "eu-west-1" }  # variables that are not of OPS_S3_
//!
//! [tiers]
//! long = ["archive"]
//!
//! [[routes]]
//! take = "metric, log level>=warn"
//! to = ["short"]
//!
//! [[routes]]
//! take = "log sample=0.1"
//! to = ["long"]
//! ```
//!
//! Read strictly: a key that means nothing is an error. Needs the feature `config-file`; without it the variable is an
//! error that says so. Secrets are better left in the environment.

use std::collections::BTreeMap;

use super::env::Var;
use crate::error::Error;
use crate::route::Route;

pub(super) const SETTING: &str = "OPS_CONFIG";

/// What a file says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct File {
    pub(super) backends: BTreeMap<String, Section>,
    pub(super) tiers: BTreeMap<String, Vec<String>>,
    pub(super) routes: Vec<Route>,
}

/// What it says of one backend.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Section {
    pub(super) kind: String,
    /// By the variables that they stand for.
    pub(super) values: BTreeMap<String, String>,
}

/// Reads the file that `OPS_CONFIG` names; an empty one if it names none.
pub(super) fn read(var: &Var) -> Result<File, Error> {
    let Some(path) = var(SETTING) else { return Ok(File::default()) };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::setting(
            SETTING,
            format!("{path} cannot be read: {error}"),
            "name a TOML file that can be read",
        )
    })?;
    parse(&text).map_err(|problem| {
        let remedy = "see the documentation of ops_sdk for the form of the file";
        Error::setting(SETTING, format!("{path}: {problem}"), remedy)
    })
}

#[cfg(not(feature = "config-file"))]
fn parse(_text: &str) -> Result<File, String> {
    Err("a file is read only with the feature `config-file` of ops-sdk: enable it".to_owned())
}

#[cfg(feature = "config-file")]
use self::form::parse;

#[cfg(feature = "config-file")]
mod form {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::super::placed::{check_name, prefix};
    use super::{File, SETTING, Section};
    use crate::route::Route;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        #[serde(default)]
        backends: BTreeMap<String, toml::Table>,
        #[serde(default)]
        tiers: BTreeMap<String, Vec<String>>,
        #[serde(default)]
        routes: Vec<Rule>,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Rule {
        /// As in `OPS_ROUTES`, before the arrow.
        take: String,
        to: Vec<String>,
    }

    pub(super) fn parse(text: &str) -> Result<File, String> {
        let form: Form = toml::from_str(text).map_err(|error| error.to_string())?;
        let backends =
            form.backends.into_iter().map(|(name, table)| Ok((name.clone(), section(&name, table)?)));
        let route = |rule: Rule| format!("{} -> {}", rule.take, rule.to.join(", ")).parse::<Route>();
        Ok(File {
            backends: backends.collect::<Result<_, String>>()?,
            tiers: form.tiers,
            routes: form.routes.into_iter().map(route).collect::<Result<_, _>>()?,
        })
    }

    fn section(name: &str, table: toml::Table) -> Result<Section, String> {
        check_name(name, SETTING).map_err(|error| error.to_string())?;
        let kind =
            table.get("kind").map_or(Ok(name), |kind| kind.as_str().ok_or("kind is no text"))?.to_owned();
        let mut values = BTreeMap::new();
        for (key, value) in table {
            match (key.as_str(), value) {
                ("kind", _) => {}
                ("env", toml::Value::Table(variables)) => {
                    for (variable, value) in variables {
                        values.insert(variable, said(name, "env", &value)?);
                    }
                }
                (key, value) => {
                    let variable = format!("{}{}", prefix(&kind), key.to_ascii_uppercase().replace('-', "_"));
                    values.insert(variable, said(name, key, &value)?);
                }
            }
        }
        Ok(Section { kind, values })
    }

    /// A value as a variable would hold it.
    fn said(name: &str, key: &str, value: &toml::Value) -> Result<String, String> {
        let plain = |value: &toml::Value| match value {
            toml::Value::String(text) => Some(text.clone()),
            toml::Value::Integer(number) => Some(number.to_string()),
            toml::Value::Float(number) => Some(number.to_string()),
            toml::Value::Boolean(value) => Some(value.to_string()),
            _ => None,
        };
        let list = |values: &Vec<toml::Value>| values.iter().map(plain).collect::<Option<Vec<_>>>();
        let text = match value {
            toml::Value::Array(values) => list(values).map(|values| values.join(",")),
            other => plain(other),
        };
        text.ok_or_else(|| {
            format!("{key} of {name} is neither text, a number, yes or no, nor a list of them")
        })
    }
}

#[cfg(all(test, feature = "config-file"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_as_it_is_documented() {
        let text = r#"
            [backends.cloudwatch]
            [backends.archive]
            kind = "s3"
            bucket = "ops-archive"
            part-bytes = 5
            names = ["a", "b"]
            env = { AWS_REGION = "eu-west-1" }
            [tiers]
            long = ["archive"]
            [[routes]]
            take = "metric"
            to = ["short", "archive"]
        "#;
        let file = parse(text).unwrap();
        assert_eq!(file.backends["cloudwatch"].kind, "cloudwatch");
        let archive = &file.backends["archive"];
        let wanted = [
            ("AWS_REGION", "eu-west-1"),
            ("OPS_S3_BUCKET", "ops-archive"),
            ("OPS_S3_NAMES", "a,b"),
            ("OPS_S3_PART_BYTES", "5"),
        ];
        let values: Vec<_> =
            archive.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!((archive.kind.as_str(), &values[..]), ("s3", &wanted[..]));
        assert_eq!(file.tiers["long"], ["archive"]);
        assert_eq!(file.routes, ["metric -> short, archive".parse().unwrap()]);
    }

    #[test]
    fn what_means_nothing_is_an_error() {
        let table = [
            ("[backend.x]", "backend"),
            ("[backends.X]", "no name"),
            ("[backends.x]\nkind = 3", "kind is no text"),
            ("[backends.x]\na = 1979-05-27", "a of x is neither"),
            ("[[routes]]\ntake = \"metric\"", "to"),
            ("[[routes]]\ntake = \"metrics\"\nto = [\"a\"]", "neither a kind"),
            ("[tiers]\nlong = \"s3\"", "long"),
            ("?", "TOML"),
        ];
        for (text, said) in table {
            let problem = parse(text).expect_err(text);
            assert!(problem.contains(said), "{text}: {problem}");
        }
    }
}
