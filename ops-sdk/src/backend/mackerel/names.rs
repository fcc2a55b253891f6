//! Names as Mackerel takes them: `[a-zA-Z0-9._-]+` (mackerel.io/api-docs/entry/host-metrics), parts divided by dots.
//!
//! A series is named by its metric and then by each of its own dimensions as `key_value`; the process's dimensions, the same
//! in every series, are left out. A last part says what the value is: `orders.Region_eu.sum`. Where something had to be
//! changed to fit, a checksum of what it was follows, so that two series stay two.

use std::fmt::Write as _;

use crate::crc::crc32;
use crate::error::Error;
use crate::model::Metric;

/// Makes names.
pub(super) struct Names {
    prefix: String,
    /// Dimensions that are left out.
    process: Vec<(String, String)>,
}

impl Names {
    pub(super) fn new(custom: bool, prefix: Option<&str>, process: &[(String, String)]) -> Names {
        let mut fitted = String::new();
        if custom {
            fitted.push_str("custom.");
        }
        for part in prefix.iter().flat_map(|prefix| prefix.split('.')).filter(|part| !part.is_empty()) {
            fit(&mut fitted, part);
            fitted.push('.');
        }
        Names { prefix: fitted, process: process.to_vec() }
    }

    /// The name of a series, without what the value is.
    pub(super) fn of(&self, metric: &Metric<'_>) -> String {
        let mut name = self.prefix.clone();
        let mut changed = false;
        for (index, part) in metric.name.split('.').enumerate() {
            if index > 0 {
                name.push('.');
            }
            changed |= fit(&mut name, part);
        }
        let mut whole = metric.name.to_string();
        for (key, value) in &metric.dimensions {
            if self.process.iter().any(|(own, its)| own == key && its == value) {
                continue;
            }
            // Writing into a String cannot fail.
            let _ = write!(whole, "\0{key}\0{value}");
            name.push('.');
            changed |= fit(&mut name, key) | key.contains('_');
            name.push('_');
            changed |= fit(&mut name, value);
        }
        if changed {
            let _ = write!(name, "-{:08x}", crc32(whole.as_bytes()));
        }
        name
    }
}

/// Appends a part of a name; says whether it had to be changed.
fn fit(name: &mut String, part: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.extend(part.chars().map(|c| if plain(c) { c } else { '_' }));
    if part.is_empty() {
        name.push('_');
    }
    part.is_empty() || !part.chars().all(plain)
}

/// The name of a service or the id of a host as a setting: it stands in a path.
///
/// # Errors
///
/// If it is none.
pub(super) fn service_name(name: String, setting: &str) -> Result<String, Error> {
    let fits = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if fits && (1..=63).contains(&name.len()) {
        return Ok(name);
    }
    let problem = format!("\"{}\" is none of Mackerel's names", name.escape_debug());
    Err(Error::setting(setting, problem, "use letters, digits, - and _, at most 63"))
}
