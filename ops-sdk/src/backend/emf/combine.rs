//! One line of many: lines that agree in time, namespace, dimensions and their values become one with up to 100 metrics,
//! which is what CloudWatch Logs bills and keeps one event for. The items stay what they are, one line a metric; only
//! what a push carries is made of them, and the answer is told item by item. Pure.
//!
//! A line with an exemplar stays alone, or nobody could tell whose it is.

use std::collections::HashMap;

use crate::backend::Verdict;
use crate::chunk::Batch;

/// Metrics in one directive (EMF specification).
const METRICS_MAX: usize = 100;
/// What begins the definitions of metrics and what ends them. Neither can be within a string, where a quote follows a
/// backslash.
const BEGIN: &[u8] = b"],\"Metrics\":[{\"Name\":";
const END: &[u8] = b"}]}]},";

/// Lines to send, and the items that each is made of, by their index.
pub(super) struct Combined {
    pub(super) batch: Batch,
    of: Vec<Vec<usize>>,
}

/// A line of one metric in its parts: `head [ {definition} ]}]}, members target }`.
struct Parts<'a> {
    /// Up to the first definition.
    head: &'a [u8],
    /// Without its braces.
    definition: &'a [u8],
    /// The dimensions' values, each with its comma.
    members: &'a [u8],
    /// The metric's name in quotes.
    name: &'a [u8],
    /// The name and the value.
    target: &'a [u8],
}

/// A line to be.
struct Group<'a> {
    metrics: Vec<Parts<'a>>,
    bytes: usize,
    indexes: Vec<usize>,
}

impl<'a> Parts<'a> {
    /// `None` if it is no line of one metric as [`super::line`] writes it, or has an exemplar.
    fn read(line: &'a [u8]) -> Option<Parts<'a>> {
        if !line.starts_with(b"{\"_aws\":{") {
            return None;
        }
        let begin = find(line, BEGIN)? + b"],\"Metrics\":[".len();
        let name_end = string_end(line, begin + b"{\"Name\":".len())?;
        let name = &line[begin + b"{\"Name\":".len()..name_end];
        let end = name_end + find(&line[name_end..], END)?;
        let after = end + END.len();
        let mut at = after;
        // Over the dimensions' values to the member that is named as the metric: `"name":"value",`.
        let is_at = |at: usize| Some(line.get(at..)?.strip_prefix(name)?.first() == Some(&b':'));
        while line.len() > at && is_at(at) != Some(true) {
            at = string_end(line, string_end(line, at)? + 1)? + 1;
        }
        let target = line.get(at..)?.strip_suffix(b"}")?;
        // No value ends as text does, but that of an exemplar.
        let has_exemplar = target.ends_with(b"\"");
        let parts = Parts {
            head: &line[..begin],
            definition: &line[begin + 1..end],
            members: &line[after..at],
            name,
            target,
        };
        (!has_exemplar).then_some(parts)
    }

    /// Bytes that it adds to a line: braces and commas included.
    fn bytes(&self) -> usize {
        self.definition.len() + self.target.len() + 4
    }
}

/// Combines a batch's lines into lines of at most so many bytes.
pub(super) fn combine(batch: &Batch, line_bytes_max: usize) -> Combined {
    let mut open: HashMap<(&[u8], &[u8]), usize> = HashMap::new();
    let mut groups: Vec<Result<Group<'_>, usize>> = Vec::new();
    for (index, (_, line)) in batch.iter().enumerate() {
        let Some(parts) = Parts::read(line) else {
            groups.push(Err(index));
            continue;
        };
        let key = (parts.head, parts.members);
        if let Some(Ok(group)) = open.get(&key).and_then(|at| groups.get_mut(*at))
            && group.metrics.len() < METRICS_MAX
            && group.bytes + parts.bytes() <= line_bytes_max
            && group.metrics.iter().all(|other| other.name != parts.name)
        {
            group.bytes += parts.bytes();
            group.indexes.push(index);
            group.metrics.push(parts);
            continue;
        }
        open.insert(key, groups.len());
        groups.push(Ok(Group { bytes: line.len(), indexes: vec![index], metrics: vec![parts] }));
    }
    written(batch, groups)
}

fn written(batch: &Batch, groups: Vec<Result<Group<'_>, usize>>) -> Combined {
    let items: Vec<_> = batch.iter().collect();
    let (mut lines, mut of, mut line) = (Batch::with_capacity(batch.bytes()), Vec::new(), Vec::new());
    for group in groups {
        let indexes = match &group {
            Ok(group) => group.indexes.clone(),
            Err(index) => vec![*index],
        };
        let (item, bytes) = items[indexes[0]];
        match group {
            Ok(group) if group.metrics.len() > 1 => {
                line.clear();
                group.write(&mut line);
                lines.push(item.time_ms, item.record, item.place, &line);
            }
            _ => lines.push(item.time_ms, item.record, item.place, bytes),
        }
        of.push(indexes);
    }
    Combined { batch: lines, of }
}

impl Group<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let Some(first) = self.metrics.first() else { return };
        out.extend_from_slice(first.head);
        for (at, metric) in self.metrics.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"{" } else { b",{" });
            out.extend_from_slice(metric.definition);
            out.push(b'}');
        }
        out.extend_from_slice(&END[1..]);
        out.extend_from_slice(first.members);
        for (at, metric) in self.metrics.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"" } else { b"," });
            out.extend_from_slice(metric.target);
        }
        out.push(b'}');
    }
}

impl Combined {
    /// The verdict on the lines as one on the items. A line that is refused is sent again as its items, in halves, so
    /// that what is wrong with one costs that one alone.
    pub(super) fn told(&self, verdict: Verdict) -> Verdict {
        let is_of_many = |line: &usize| self.of.get(*line).is_some_and(|items| items.len() > 1);
        let items = |line: usize| self.of.get(line).into_iter().flatten().copied();
        match verdict {
            Verdict::Refuse(_) if self.of.len() == 1 && is_of_many(&0) => Verdict::Halve,
            Verdict::Partial { failed, refused } => {
                let mut failed: Vec<usize> = failed.into_iter().flat_map(items).collect();
                failed.sort_unstable();
                let each = |(line, refusal)| items(line).map(move |item| (item, Clone::clone(&refusal)));
                Verdict::Partial { failed, refused: refused.into_iter().flat_map(each).collect() }
            }
            other => other,
        }
    }
}

/// Where `text` begins in `line`.
fn find(line: &[u8], text: &[u8]) -> Option<usize> {
    line.windows(text.len()).position(|window| window == text)
}

/// Where the string that begins at `at` ends, its quotes included.
fn string_end(line: &[u8], at: usize) -> Option<usize> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    let mut escaped = false;
    for (offset, byte) in line[at + 1..].iter().enumerate() {
        match byte {
            b'"' if !escaped => return Some(at + offset + 2),
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

#[cfg(test)]
mod tests;
