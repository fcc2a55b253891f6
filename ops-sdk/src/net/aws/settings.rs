//! What names a service, what the user may set, and the part of AWS's shared files that decides a region. Files are
//! read once, at open; a file that is missing or unreadable is an empty one, as in AWS's own tools.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::Var;

/// What AWS calls a service in its various places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// In signatures: `monitoring`, `logs`.
    pub signing_name: &'static str,
    /// In host names: `monitoring`, `logs`.
    pub host_prefix: &'static str,
    /// In `AWS_ENDPOINT_URL_<NAME>`: `CLOUDWATCH`, `CLOUDWATCH_LOGS`.
    pub variable: &'static str,
    /// Whether the dual-stack host in the GovCloud regions is the FIPS one.
    pub gov_dualstack_is_fips: bool,
}

/// What the builder was told; what it was not told comes from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// `.region(..)`.
    pub region: Option<String>,
    /// `.endpoint(..)`.
    pub endpoint: Option<String>,
}

/// The values of the profile in use, from `~/.aws/config` and `~/.aws/credentials`.
#[derive(Clone, Default)]
pub(super) struct Profile {
    pub(super) name: String,
    values: BTreeMap<String, String>,
}

impl Profile {
    pub(super) fn read(var: &Var) -> Profile {
        let name = set(var, "AWS_PROFILE").unwrap_or_else(|| "default".to_owned());
        let config = text_of(var, "AWS_CONFIG_FILE", "config");
        let credentials = text_of(var, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
        let mut values = section(&config, &[&format!("profile {name}")]);
        if name == "default" {
            values.extend(section(&config, &["default"]));
        }
        values.extend(section(&credentials, &[&name]));
        Profile { name, values }
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// A variable that is set to more than nothing.
pub(super) fn set(var: &Var, name: &str) -> Option<String> {
    var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// Whether a switch is on: `true` in any case, as AWS's tools read it.
pub(super) fn on(var: &Var, name: &str) -> bool {
    set(var, name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

pub(super) fn home(var: &Var) -> Option<PathBuf> {
    set(var, "HOME").or_else(|| set(var, "USERPROFILE")).map(PathBuf::from)
}

fn text_of(var: &Var, variable: &str, file: &str) -> String {
    let path = match (set(var, variable), home(var)) {
        (Some(path), Some(home)) => home.join(path.strip_prefix("~/").unwrap_or(&path)),
        (Some(path), None) => PathBuf::from(path),
        (None, Some(home)) => home.join(".aws").join(file),
        (None, None) => return String::new(),
    };
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// The keys and values under the headings of these names. Nested values (indented lines) are left out.
fn section(text: &str, names: &[&str]) -> BTreeMap<String, String> {
    let mut inside = false;
    let mut values = BTreeMap::new();
    for line in text.lines() {
        let bare = line.trim();
        if let Some(heading) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            inside = names.contains(&heading.split_whitespace().collect::<Vec<_>>().join(" ").as_str());
        } else if inside
            && !line.starts_with([' ', '\t', '#', ';'])
            && let Some((key, value)) = bare.split_once('=')
        {
            values.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_read_and_no_other() {
        let text = "[default]\nregion = eu-west-1\n# region = x\ns3 =\n  region = nested\n\
                    [ profile  ops ]\nRegion=us-east-2\nrole_arn = a=b\n[profile opsx]\nregion = no\n";
        assert_eq!(section(text, &["default"])["region"], "eu-west-1");
        let ops = section(text, &["profile ops"]);
        assert_eq!(
            ops.into_iter().collect::<Vec<_>>(),
            [("region".to_owned(), "us-east-2".to_owned()), ("role_arn".to_owned(), "a=b".to_owned())]
        );
        assert!(section(text, &["nobody"]).is_empty());
        assert!(section("\u{0}[[[\n=\n]", &["default"]).is_empty());
    }
}
