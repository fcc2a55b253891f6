//! What the macros were told, in their own terms: the input of the checks and of the expansion. Nothing here knows how
//! it was written nor what it becomes; every part keeps the span of the token it came from, for the errors.

use proc_macro2::{Ident, Span};
use syn::{Expr, Generics, LitInt, LitStr};

/// Which of the three metric macros.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// One use of `counter!`, `gauge!` or `histogram!`.
pub(crate) struct Metric {
    pub(crate) kind: MetricKind,
    pub(crate) name: LitStr,
    pub(crate) value: Expr,
    pub(crate) unit: Option<Ident>,
    pub(crate) resolution: Option<Ident>,
    pub(crate) dimensions: Vec<Dimension>,
}

/// `"Key" => value` or `"Key" => %value`.
pub(crate) struct Dimension {
    pub(crate) key: LitStr,
    pub(crate) capture: Capture,
    pub(crate) value: Expr,
}

/// How a value is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Capture {
    /// As what it is: numbers stay numbers.
    Typed,
    /// `%`: its `Display`.
    Display,
    /// `?`: its `Debug`.
    Debug,
}

/// The level of a log macro; the names are those of the variants of `ops_sdk::Level`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

impl Level {
    /// The variant of `ops_sdk::Level`.
    pub(crate) fn variant(self) -> &'static str {
        match self {
            Level::Trace => "Trace",
            Level::Debug => "Debug",
            Level::Info => "Info",
            Level::Warn => "Warn",
            Level::Error => "Error",
        }
    }
}

/// One use of a log macro.
pub(crate) struct Event {
    pub(crate) level: Level,
    pub(crate) template: LitStr,
    /// Those written after the template, then the variables that the template captured.
    pub(crate) fields: Vec<Field>,
    pub(crate) pieces: Vec<Piece>,
    /// Values that the template formats its own way.
    pub(crate) formatted: Vec<Formatted>,
}

/// A key and its value.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) key: Key,
    pub(crate) capture: Capture,
    pub(crate) value: Expr,
}

/// The key of a field: `order.id`, `"any text"`, or the name of a variable.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A piece of the message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Piece {
    /// Text as it stands.
    Text(String),
    /// The text of the field with this index.
    Field(usize),
    /// The formatted value with this index.
    Formatted(usize),
}

/// `{amount:.2}`: a field's value, formatted by the rules of `format!`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Formatted {
    pub(crate) field: usize,
    pub(crate) spec: String,
}

/// The arguments of `#[instrumented]`.
#[derive(Default)]
pub(crate) struct Options {
    /// The names of the arguments, as they were written.
    pub(crate) given: Vec<Ident>,
    pub(crate) name: Option<LitStr>,
    pub(crate) skip: bool,
    pub(crate) judge: Judge,
    pub(crate) dimensions: Vec<Dimension>,
    pub(crate) in_flight: bool,
    pub(crate) unit: Option<Ident>,
    pub(crate) resolution: Option<Ident>,
    /// One call in so many is timed.
    pub(crate) sample: Option<LitInt>,
    pub(crate) log: Option<LogOn>,
    pub(crate) level: Option<Level>,
    pub(crate) fields: Vec<Field>,
}

impl Options {
    /// Whether a call needs more than its number and its duration.
    pub(crate) fn is_tracked(&self) -> bool {
        self.in_flight || !self.dimensions.is_empty()
    }

    /// Where this argument was written, if it was.
    pub(crate) fn given(&self, name: &str) -> Option<&Ident> {
        self.given.iter().find(|given| *given == name)
    }
}

/// When a function is logged.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct LogOn {
    pub(crate) entry: bool,
    pub(crate) exit: bool,
    pub(crate) error: bool,
}

/// Who says how a call ended.
#[derive(Default)]
pub(crate) enum Judge {
    /// The type of what it returned.
    #[default]
    Type,
    /// `ok_if = ..`: a condition on what it returned.
    OkIf(Expr),
    /// `err_if = ..`: the same, the other way round.
    ErrIf(Expr),
    /// `none = ..`: an `Option`, of which `None` is this; and where that was written.
    None(How, Span),
}

/// What a call can end as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Ok,
    Error,
    Client,
}

impl How {
    /// The constant of `ops_sdk::Ending`.
    pub(crate) fn constant(self) -> &'static str {
        match self {
            How::Ok => "OK",
            How::Error => "ERROR",
            How::Client => "CLIENT_ERROR",
        }
    }
}

/// A type with `#[derive(Outcome)]`.
pub(crate) struct Outcomes {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// `None` for a struct, which has but one.
    pub(crate) variants: Option<Vec<(Ident, Ending)>>,
    /// How a call ends with the struct.
    pub(crate) whole: Option<Ending>,
}

/// `#[outcome(client, label = "declined")]`.
#[derive(Clone)]
pub(crate) struct Ending {
    pub(crate) how: How,
    pub(crate) label: Option<LitStr>,
}
