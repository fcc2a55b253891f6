//! What goes where: rules that a record is held against, and what they mean for one backend.
//!
//! A rule names kinds of records, perhaps conditions, and where what meets them goes. A backend that no rule names gets
//! everything, as without rules; one that is named gets what at least one of its rules takes. Pure: the same record has
//! the same answer, in every process and for every backend, so that a sample of a tenth is the same tenth everywhere.
//! Never looks at the clock, the environment or a backend.

mod sample;
mod text;

pub(crate) use self::text::rules;

use crate::ledger::Loss;
use crate::model::{Body, Fields, Level, Log, Record, Signal, Value};

use self::sample::is_in;

/// One rule: which records, and where they go.
///
/// Written as text, in `OPS_ROUTES` or with [`str::parse`]: kinds of records with commas between them, conditions with
/// spaces between them, an arrow, and backends or tiers with commas between them.
///
/// ```
/// use ops_sdk::Route;
///
/// let short: Route = "metric -> short".parse()?;
/// let middle: Route = "log level>=warn target=shop::db Stage=prod -> middle".parse()?;
/// let long: Route = "log sample=0.1 -> long, archive".parse()?;
/// let kept: Route = "audit, config -> long".parse()?;
/// # let _ = (short, middle, long, kept);
/// # Ok::<(), String>(())
/// ```
///
/// `level`, `target` and `sample` are conditions of log events: a rule with one of them is of log events alone. Audit
/// records are never sampled, and neither is a metric, of which a sample would be a wrong number.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    signals: Vec<Signal>,
    level: Option<Level>,
    target: Option<String>,
    dimensions: Vec<Condition>,
    share: f64,
    to: Vec<String>,
}

/// What the value of a dimension or a field has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    key: String,
    /// With `*` at its beginning or its end, or at both, for any text.
    pattern: String,
    /// Whether it has to be another.
    differs: bool,
}

impl Route {
    /// Everything, to this backend or tier.
    #[must_use]
    pub fn to(to: impl Into<String>) -> Route {
        Route {
            signals: Signal::ALL.to_vec(),
            level: None,
            target: None,
            dimensions: Vec::new(),
            share: 1.0,
            to: vec![to.into()],
        }
    }

    /// To this backend or tier as well.
    #[must_use]
    pub fn and(mut self, to: impl Into<String>) -> Route {
        self.to.push(to.into());
        self
    }

    /// Records of these kinds only.
    #[must_use]
    pub fn signals(mut self, signals: &[Signal]) -> Route {
        self.signals = signals.to_vec();
        self
    }

    /// Log events only, of this level and weightier ones.
    #[must_use]
    pub fn level(mut self, least: Level) -> Route {
        self.level = Some(least);
        self.of_logs()
    }

    /// Log events only, of this module and what lies within it.
    #[must_use]
    pub fn target(mut self, module: impl Into<String>) -> Route {
        self.target = Some(module.into());
        self.of_logs()
    }

    /// Only what has a dimension, or a field, of this name and value; `*` at the value's beginning or end stands for any
    /// text.
    #[must_use]
    pub fn dimension(mut self, name: impl Into<String>, value: impl Into<String>) -> Route {
        self.dimensions.push(Condition { key: name.into(), pattern: value.into(), differs: false });
        self
    }

    /// Only what has no dimension, and no field, of this name and value.
    #[must_use]
    pub fn dimension_is_not(mut self, name: impl Into<String>, value: impl Into<String>) -> Route {
        self.dimensions.push(Condition { key: name.into(), pattern: value.into(), differs: true });
        self
    }

    /// Log events only, and this share of them, 0.0 … 1.0. Which ones follows from their ids.
    #[must_use]
    pub fn sample(mut self, share: f64) -> Route {
        self.share = share;
        self.of_logs()
    }

    fn of_logs(mut self) -> Route {
        if self.signals.len() == Signal::COUNT {
            self.signals = vec![Signal::Log];
        }
        self
    }

    /// Where what it takes goes: names of backends and tiers.
    #[must_use]
    pub fn destinations(&self) -> &[String] {
        &self.to
    }

    /// What is wrong with it, if something is.
    pub(crate) fn problem(&self) -> Option<String> {
        let of_logs = self.level.is_some() || self.target.is_some() || self.share < 1.0;
        let other = self.signals.iter().find(|signal| **signal != Signal::Log);
        if !(0.0..=1.0).contains(&self.share) {
            return Some(format!("a sample of {} is no share: it is 0.0 to 1.0", self.share));
        }
        if self.to.is_empty() || self.signals.is_empty() {
            return Some("it names no kind of record, or nowhere to go".to_owned());
        }
        let other = other.filter(|_| of_logs)?;
        Some(match other {
            Signal::Audit if self.share < 1.0 => "audit records are never sampled".to_owned(),
            Signal::Metric if self.share < 1.0 => "a sample of a metric is a wrong number".to_owned(),
            other => format!("level, target and sample are of log events, and it names {other} as well"),
        })
    }

    /// Whether the record meets every condition but the sample.
    fn meets(&self, record: &Record<'_>, context: &[(String, String)]) -> bool {
        let of_log = |log: &Log<'_>| {
            self.level.is_none_or(|least| log.level <= least)
                && self.target.as_deref().is_none_or(|target| lies_within(&log.target, target))
        };
        self.signals.contains(&record.signal())
            && if let Body::Log(log) = &record.body { of_log(log) } else { true }
            && self.dimensions.iter().all(|condition| condition.meets(record, context))
    }
}

/// Whether a module is this one, or lies within it.
fn lies_within(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl Condition {
    fn meets(&self, record: &Record<'_>, context: &[(String, String)]) -> bool {
        let equal = match &record.body {
            Body::Metric(metric) => {
                metric.dimensions.iter().any(|(key, value)| key == &self.key && fits(&self.pattern, value))
            }
            Body::Log(body) => self.is_among(&body.fields, context),
            Body::Audit(body) => self.is_among(&body.fields, context),
            Body::Config(body) => self.is_among(&body.fields, context),
            Body::Check(body) => self.is_among(&body.fields, context),
        };
        equal != self.differs
    }

    /// Whether a field, or a dimension of the process, has the key and the value. A field hides a dimension.
    fn is_among(&self, fields: &Fields<'_>, context: &[(String, String)]) -> bool {
        match fields.iter().find(|(key, _)| key == &self.key) {
            Some((_, Value::Str(text))) => fits(&self.pattern, text),
            Some((_, other)) => fits(&self.pattern, &said(other)),
            None => context.iter().any(|(key, value)| key == &self.key && fits(&self.pattern, value)),
        }
    }
}

/// A value that is no text, as it is written in a condition.
fn said(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::Str(text) => text.to_string(),
    }
}

fn fits(pattern: &str, text: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        _ if pattern == "*" => true,
        (Some(_), Some(_)) => text.contains(&pattern[1..pattern.len() - 1]),
        (Some(end), None) => text.ends_with(end),
        (None, Some(start)) => text.starts_with(start),
        (None, None) => text == pattern,
    }
}

/// The rules that name one backend.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Routing {
    rules: Vec<Route>,
    /// The dimensions of the process, which every record has.
    context: Vec<(String, String)>,
}

impl Routing {
    /// These rules, which all name it, for a process of these dimensions.
    pub(crate) fn new(rules: Vec<Route>, context: Vec<(String, String)>) -> Routing {
        Routing { rules, context }
    }

    /// Whether records of this kind can come here at all.
    pub(crate) fn may_take(&self, signal: Signal) -> bool {
        self.rules.iter().any(|rule| rule.signals.contains(&signal))
    }

    /// Why a record does not go here, if it does not.
    pub(crate) fn declines(&self, record: &Record<'_>) -> Option<Loss> {
        let mut share: Option<f64> = None;
        for rule in self.rules.iter().filter(|rule| rule.meets(record, &self.context)) {
            share = Some(share.unwrap_or(0.0).max(rule.share));
        }
        match share {
            None => Some(Loss::Elsewhere),
            Some(share) if is_in(record.id, share) => None,
            Some(_) => Some(Loss::Sampled),
        }
    }
}

#[cfg(test)]
mod tests;
