//! OpenTelemetry's protocol, OTLP 1.x, as protobuf and as JSON (opentelemetry-proto 1.9.0, `docs/specification.md` and the
//! `.proto` files): metric records become single data points, log records become log records, and a [`Body`] puts the
//! resource and the scope around those of one push.
//!
//! Promises: a record is one item, so that what a server says of data points and log records can be counted in records;
//! counts, sums, minima and maxima are exact; an attribute never has a name twice; what cannot be expressed is an error
//! with the reason. Never builds a tree, and a counter or a log event of distinct keys allocates nothing but its bytes.
//!
//! The first byte of an item says what it is ([`Item`]); the body has something of its own in its place. So items of
//! both forms and kinds may lie in one batch, and each goes where it belongs.

mod answer;
mod attributes;
mod body;
mod exponential;
mod json;
mod log;
mod metric;
mod protobuf;

#[cfg(test)]
mod tests;

pub use self::answer::{Rejected, rejected, status_message};
pub use self::body::Body;
pub use self::exponential::{BUCKETS_MAX, Buckets, Exponential, SCALE_MAX};
pub use self::log::{log, text};
pub use self::metric::{metric, ucum};

/// One of the two encodings that OTLP over HTTP has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// Binary protobuf.
    Protobuf,
    /// The JSON mapping of protobuf, with OTLP's own rules: ids in hexadecimal, enumerators as numbers.
    Json,
}

impl Form {
    /// `Content-Type` of requests and answers.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Protobuf => "application/x-protobuf",
            Form::Json => "application/json",
        }
    }
}

/// The two kinds of request that are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// `ExportMetricsServiceRequest`.
    Metrics,
    /// `ExportLogsServiceRequest`.
    Logs,
}

/// What an item is, as its first byte says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Item {
    /// Its encoding.
    pub form: Form,
    /// The request that it belongs into.
    pub kind: Kind,
}

impl Item {
    const ALL: [(u8, Item); 4] = [
        (b'M', Item { form: Form::Protobuf, kind: Kind::Metrics }),
        (b'L', Item { form: Form::Protobuf, kind: Kind::Logs }),
        (b'm', Item { form: Form::Json, kind: Kind::Metrics }),
        (b'l', Item { form: Form::Json, kind: Kind::Logs }),
    ];

    /// What these bytes are; `None` if they are no item.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Item> {
        let first = bytes.first()?;
        Item::ALL.into_iter().find(|(mark, _)| mark == first).map(|(_, item)| item)
    }

    fn mark(self) -> u8 {
        match (self.form, self.kind) {
            (Form::Protobuf, Kind::Metrics) => b'M',
            (Form::Protobuf, Kind::Logs) => b'L',
            (Form::Json, Kind::Metrics) => b'm',
            (Form::Json, Kind::Logs) => b'l',
        }
    }
}
