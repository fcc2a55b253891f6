//! What classic Sensu and Sensu Go have in common: names, the fields of a check that they know, and the numbers of a
//! metric.

use crate::backend::EncodeError;
use crate::encode::json;
use crate::model::{Check, Points, Value};

/// The percentiles of a histogram that are told.
const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// A name as both take it, `/\A[\w.-]+\z/`: `_` for whatever else there is, and for nothing at all.
pub(super) fn name(out: &mut String, text: &str) {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    out.extend(text.chars().map(|c| if fits(c) { c } else { '_' }));
    if text.is_empty() {
        out.push('_');
    }
}

/// [`name`] as a text of its own.
pub(super) fn named(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    name(&mut out, text);
    out
}

/// What the fields of a check record say that Sensu has a meaning for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Known {
    /// Whom it is about, if it is not this process.
    pub(super) source: Option<String>,
    /// Seconds after which its silence is an alarm.
    pub(super) ttl: Option<u64>,
    /// Seconds between two of its results.
    pub(super) interval: Option<u64>,
    /// Seconds that it took.
    pub(super) duration: Option<f64>,
    /// Who is to be told, in place of those of the settings.
    pub(super) handlers: Option<Vec<String>>,
}

impl Known {
    /// Reads them; `ttl` is what the settings say where the record says nothing.
    pub(super) fn of(check: &Check<'_>, ttl: Option<u64>) -> Known {
        let mut known = Known { ttl, ..Known::default() };
        for (key, value) in &check.fields {
            match (key.as_ref(), value, whole(value)) {
                ("source", Value::Str(text), _) => known.source = Some(named(text)),
                ("ttl", _, Some(seconds)) => known.ttl = Some(seconds),
                ("interval", _, Some(seconds)) => known.interval = Some(seconds),
                ("duration", Value::F64(seconds), _) if seconds.is_finite() => {
                    known.duration = Some(*seconds)
                }
                #[allow(clippy::cast_precision_loss)] // seconds
                ("duration", _, Some(seconds)) => known.duration = Some(seconds as f64),
                ("handlers", Value::Str(text), _) => known.handlers = Some(list(text)),
                _ => {}
            }
        }
        known
    }

    /// Whether [`Known::of`] has taken this field.
    pub(super) fn has(key: &str, value: &Value<'_>) -> bool {
        match key {
            "source" | "handlers" => matches!(value, Value::Str(_)),
            "ttl" | "interval" => whole(value).is_some(),
            "duration" => {
                matches!(value, Value::F64(seconds) if seconds.is_finite()) || whole(value).is_some()
            }
            _ => false,
        }
    }
}

fn whole(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::U64(number) => Some(*number),
        Value::I64(number) => u64::try_from(*number).ok(),
        _ => None,
    }
}

/// The names of a list with commas between them.
pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

/// Appends a JSON array of texts.
pub(super) fn texts(out: &mut Vec<u8>, texts: &[String]) {
    out.push(b'[');
    for (index, text) in texts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(out, text);
    }
    out.push(b']');
}

/// A number of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl Number {
    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Number::Whole(number) => json::number_u64(out, number),
            Number::Real(number) => json::number_f64(out, number),
        }
    }
}

/// The numbers of a metric, each with the name of what it is.
///
/// # Errors
///
/// If one of them is no number; neither JSON nor Graphite has a word for it.
pub(super) fn numbers(points: &Points) -> Result<Vec<(&'static str, Number)>, EncodeError> {
    use Number::{Real, Whole};
    let samples = |count, sum, min, max| {
        vec![("count", Whole(count)), ("sum", Real(sum)), ("min", Real(min)), ("max", Real(max))]
    };
    let told = match points {
        Points::Counter { sum } => vec![("sum", Whole(*sum))],
        Points::Gauge { count: 0, .. } => Vec::new(),
        Points::Gauge { last, min, max, sum, count } => {
            let mut told = samples(*count, *sum, *min, *max);
            told.push(("last", Real(*last)));
            told
        }
        Points::Histogram(d) if d.count == 0 => Vec::new(),
        Points::Histogram(d) => {
            let mut told = samples(d.count, d.sum, d.min, d.max);
            told.extend(PERCENTILES.map(|(name, share)| (name, Real(d.percentile(share)))));
            told
        }
    };
    match told.iter().any(|(_, number)| matches!(number, Real(number) if !number.is_finite())) {
        true => Err(EncodeError("a number of it is not finite".to_owned())),
        false => Ok(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CheckStatus;

    #[test]
    fn a_name_is_one_for_sensu() {
        for (text, wanted) in [("app.check-1_x", "app.check-1_x"), ("a b\n\"é", "a_b___"), ("", "_")] {
            assert_eq!(named(text), wanted);
        }
    }

    #[test]
    fn fields_that_sensu_knows_are_read_by_their_type() {
        let check = |fields: Vec<(&'static str, Value<'static>)>| Check {
            name: "c".into(),
            status: CheckStatus::Ok,
            output: "".into(),
            fields: fields.into_iter().map(|(key, value)| (key.into(), value)).collect(),
        };
        let fields = vec![
            ("source", Value::Str("proxy 1".into())),
            ("ttl", Value::I64(180)),
            ("interval", Value::U64(60)),
            ("duration", Value::F64(0.5)),
            ("handlers", Value::Str("mail, ,pager".into())),
        ];
        assert!(fields.iter().all(|(key, value)| Known::has(key, value)));
        let known = Known {
            source: Some("proxy_1".into()),
            ttl: Some(180),
            interval: Some(60),
            duration: Some(0.5),
            handlers: Some(vec!["mail".into(), "pager".into()]),
        };
        assert_eq!(Known::of(&check(fields), Some(5)), known);
        let odd =
            vec![("ttl", Value::Str("9".into())), ("interval", Value::I64(-1)), ("source", Value::U64(1))];
        assert!(odd.iter().all(|(key, value)| !Known::has(key, value)));
        assert_eq!(Known::of(&check(odd), Some(5)), Known { ttl: Some(5), ..Known::default() });
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let gauge = |last| Points::Gauge { last, min: 1.0, max: 1.0, sum: 1.0, count: 1 };
        assert!(numbers(&gauge(f64::NAN)).is_err());
        assert_eq!(numbers(&gauge(2.0)).unwrap().last(), Some(&("last", Number::Real(2.0))));
        assert_eq!(numbers(&Points::Counter { sum: 3 }).unwrap(), [("sum", Number::Whole(3))]);
    }
}
