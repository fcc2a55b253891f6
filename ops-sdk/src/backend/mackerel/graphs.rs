//! What custom metrics' graphs are called and measured in, said once for each (`/api/v0/graph-defs/create`).

use std::collections::{BTreeMap, HashSet};

use super::array;
use super::series::lines;
use crate::encode::json;
use crate::model::{Metric, Unit};

/// Graphs that something is said of; what comes after them has Mackerel's own names and no unit.
const GRAPHS_MAX: usize = 10_000;

/// What is known to be said, and what is not yet.
#[derive(Default)]
pub(super) struct Graphs {
    known: HashSet<String>,
    wanted: BTreeMap<String, Vec<u8>>,
}

impl Graphs {
    /// Takes note of a series' graph.
    pub(super) fn need(&mut self, name: &str, metric: &Metric<'_>) {
        let is_new = !self.known.contains(name) && !self.wanted.contains_key(name);
        if is_new && self.known.len() + self.wanted.len() < GRAPHS_MAX {
            self.wanted.insert(name.to_owned(), definition(name, metric));
        }
    }

    /// The body that says what is not said yet, and the graphs in it.
    pub(super) fn definitions(&mut self) -> Option<(Vec<u8>, Vec<String>)> {
        if self.wanted.is_empty() {
            return None;
        }
        let body = array(b"[", self.wanted.values().map(Vec::as_slice), b"]");
        Some((body, self.wanted.keys().cloned().collect()))
    }

    /// It was said of these.
    pub(super) fn defined(&mut self, graphs: &[String]) {
        for graph in graphs {
            self.wanted.remove(graph);
            self.known.insert(graph.clone());
        }
    }
}

fn definition(name: &str, metric: &Metric<'_>) -> Vec<u8> {
    let mut out = b"{\"name\":".to_vec();
    json::string(&mut out, name);
    out.extend_from_slice(b",\"displayName\":");
    json::string(&mut out, name.strip_prefix("custom.").unwrap_or(name));
    out.extend_from_slice(b",\"unit\":");
    json::string(&mut out, unit_name(metric.unit));
    let line = |last: &&str| {
        let mut line = b"{\"name\":".to_vec();
        json::string(&mut line, &format!("{name}.{last}"));
        line.extend_from_slice(b",\"displayName\":");
        json::string(&mut line, last);
        line.extend_from_slice(b",\"isStacked\":false}");
        line
    };
    let lines: Vec<Vec<u8>> = lines(&metric.points).iter().map(line).collect();
    out.extend(array(b",\"metrics\":[", lines.iter().map(Vec::as_slice), b"]}"));
    out
}

/// Mackerel's name of a unit; it scales bytes, seconds and milliseconds by itself, and has no others of their kind.
fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Count => "integer",
        Unit::Percent => "percentage",
        Unit::Seconds => "seconds",
        Unit::Milliseconds => "milliseconds",
        Unit::Bytes => "bytes",
        Unit::BytesPerSecond => "bytes/sec",
        Unit::BitsPerSecond => "bits/sec",
        _ => "float",
    }
}
