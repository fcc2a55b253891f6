//! One metric as lines of the embedded metric format, an item each: metadata, the dimensions' values, the metric's. Each
//! line stands alone; [`super::combine`] makes one of those that differ in their metric alone.

use crate::backend::EncodeError;
use crate::backend::aws::{check_dimensions, dimension, metric_name};
use crate::chunk::Items;
use crate::encode::json;
use crate::model::{Metric, Points, Resolution};

/// Numbers in the target of a metric (EMF specification).
const VALUES_MAX: usize = 100;
/// Characters of a dimension's name (EMF schema); CloudWatch itself takes 255.
const KEY_MAX: usize = 250;
/// Room for what most lines begin with: growing costs more than all that is written.
const HEAD_BYTES: usize = 512;
/// The member that names the correlation of the largest value.
pub(super) const EXEMPLAR: &str = "exemplar";

/// What the lines of a metric begin with: everything up to the target's value.
pub(super) struct Line {
    head: Vec<u8>,
    bytes_max: usize,
    /// Of the largest value, unless its name is taken.
    exemplar: Option<u128>,
}

impl Line {
    /// The beginning, with the dimensions of each set by their index; `None` is one set of all.
    ///
    /// # Errors
    ///
    /// If the metric cannot be expressed: a name would be there twice, a dimension's is too long, or there are too many.
    pub(super) fn of(
        namespace: &str,
        metric: &Metric<'_>,
        time_ms: u64,
        bytes_max: usize,
        sets: Option<&[Vec<usize>]>,
    ) -> Result<Line, EncodeError> {
        check_dimensions(&metric.dimensions)?;
        let name = metric_name(&metric.name);
        let fitted: Vec<_> = metric.dimensions.iter().map(dimension).collect();
        let taken = |key: &str| key == "_aws" || fitted.iter().any(|(dimension, _)| dimension == key);
        if taken(&name) || fitted.iter().any(|(dimension, _)| dimension == "_aws") {
            return Err(EncodeError(format!(
                "EMF keeps names in one object, and \"{name}\" would be there twice"
            )));
        }
        if let Some((long, _)) = fitted.iter().find(|(dimension, _)| dimension.len() > KEY_MAX) {
            return Err(EncodeError(format!(
                "EMF takes dimension names of {KEY_MAX} characters, not \"{long}\""
            )));
        }
        let mut head = Vec::with_capacity(HEAD_BYTES);
        head.extend_from_slice(b"{\"_aws\":{\"Timestamp\":");
        json::number_u64(&mut head, time_ms);
        head.extend_from_slice(b",\"CloudWatchMetrics\":[{\"Namespace\":");
        json::string(&mut head, namespace);
        head.extend_from_slice(b",\"Dimensions\":[");
        match sets {
            None => names(&mut head, fitted.iter().map(|(dimension, _)| dimension.as_ref())),
            Some(sets) => sets.iter().enumerate().for_each(|(at, set)| {
                head.extend_from_slice(if at > 0 { b"," } else { b"" });
                names(&mut head, set.iter().map(|at| fitted[*at].0.as_ref()));
            }),
        }
        definition(&mut head, &name, metric);
        for (_, (dimension, value)) in fitted.iter().enumerate().filter(|(at, _)| is_told(sets, *at)) {
            json::string(&mut head, dimension);
            head.push(b':');
            json::string(&mut head, value);
            head.push(b',');
        }
        json::string(&mut head, &name);
        head.push(b':');
        let exemplar = match &metric.points {
            Points::Histogram(distribution) if name != EXEMPLAR && !taken(EXEMPLAR) => distribution.exemplar,
            _ => None,
        };
        Ok(Line { head, bytes_max, exemplar })
    }

    /// Adds a metric's lines.
    ///
    /// # Errors
    ///
    /// If a line is longer than it may be.
    pub(super) fn points(&self, out: &mut Items, points: &Points) -> Result<(), EncodeError> {
        match points {
            Points::Counter { sum } => self.write(out, |bytes| json::number_u64(bytes, *sum)),
            Points::Gauge { count: 0, .. } => Ok(()),
            Points::Gauge { last, count: 1, .. } => self.write(out, |bytes| json::number_f64(bytes, *last)),
            Points::Gauge { min, max, sum, count, .. } => self.write(out, |bytes| {
                bytes.push(b'{');
                statistics(bytes, *min, *max, *sum, *count);
            }),
            Points::Histogram(distribution) => {
                let told = distribution.values();
                let mut parts = told.chunks(VALUES_MAX).peekable();
                while let Some(part) = parts.next() {
                    // The largest value is in the last part.
                    let exemplar = self.exemplar.filter(|_| parts.peek().is_none());
                    self.write(out, |bytes| {
                        values(bytes, part);
                        self::exemplar(bytes, exemplar);
                    })?;
                }
                Ok(())
            }
        }
    }

    fn write(&self, out: &mut Items, target: impl FnOnce(&mut Vec<u8>)) -> Result<(), EncodeError> {
        out.push(|bytes| {
            let start = bytes.len();
            bytes.extend_from_slice(&self.head);
            target(bytes);
            bytes.push(b'}');
            match bytes.len() - start {
                long if long > self.bytes_max => {
                    Err(EncodeError(format!("a line of {long} bytes cannot be split")))
                }
                _ => Ok(()),
            }
        })
    }
}

/// Whether a dimension is in any set: its value is a member then.
fn is_told(sets: Option<&[Vec<usize>]>, at: usize) -> bool {
    sets.is_none_or(|sets| sets.iter().any(|set| set.contains(&at)))
}

/// One dimension set.
fn names<'n>(out: &mut Vec<u8>, names: impl Iterator<Item = &'n str>) {
    out.push(b'[');
    for (index, name) in names.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, name);
    }
    out.push(b']');
}

/// The rest of the directive, and the end of `_aws`.
fn definition(out: &mut Vec<u8>, name: &str, metric: &Metric<'_>) {
    out.extend_from_slice(b"],\"Metrics\":[{\"Name\":");
    json::string(out, name);
    out.extend_from_slice(b",\"Unit\":");
    json::string(out, metric.unit.name());
    if metric.resolution == Resolution::High {
        out.extend_from_slice(b",\"StorageResolution\":1");
    }
    out.extend_from_slice(b"}]}]},");
}

/// Values in rising order, how often each was observed, and the statistics of them alone: a distribution over several
/// lines adds up in CloudWatch.
fn values(out: &mut Vec<u8>, part: &[(f64, u64)]) {
    let count = part.iter().fold(0_u64, |all, (_, count)| all.saturating_add(*count));
    let sum = part.iter().map(|(value, count)| value * *count as f64).sum();
    let (min, max) = (part.first().map_or(0.0, |first| first.0), part.last().map_or(0.0, |last| last.0));
    for (index, (value, _)) in part.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"{\"Values\":[" } else { b"," });
        json::number_f64(out, *value);
    }
    for (index, (_, count)) in part.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"],\"Counts\":[" } else { b"," });
        json::number_u64(out, *count);
    }
    out.extend_from_slice(b"],");
    statistics(out, min, max, sum, count);
}

/// A member that is neither metric nor dimension: it is in the log group, to be searched for, and nowhere else.
fn exemplar(out: &mut Vec<u8>, exemplar: Option<u128>) {
    if let Some(exemplar) = exemplar {
        out.push(b',');
        json::string(out, EXEMPLAR);
        out.push(b':');
        json::string(out, &format!("{exemplar:032x}"));
    }
}

/// The members of a statistic set, and the end of its object.
fn statistics(out: &mut Vec<u8>, min: f64, max: f64, sum: f64, count: u64) {
    out.extend_from_slice(b"\"Max\":");
    json::number_f64(out, max);
    out.extend_from_slice(b",\"Min\":");
    json::number_f64(out, min);
    out.extend_from_slice(b",\"Count\":");
    json::number_u64(out, count);
    out.extend_from_slice(b",\"Sum\":");
    json::number_f64(out, sum);
    out.push(b'}');
}
