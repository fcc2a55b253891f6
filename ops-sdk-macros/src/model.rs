//! What the macros were told, in their own terms: the input of the checks and of the expansion. Nothing here knows how
//! it was written nor what it becomes; every part keeps the span of the token it came from, for the errors.

use proc_macro2::{Ident, Span};
use syn::{Expr, Generics, LitInt, LitStr, Type};

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
    pub(crate) dimensions: Dimensions,
}

/// `"Key" => value` or `"Key" => %value`.
pub(crate) struct Dimension {
    pub(crate) key: LitStr,
    pub(crate) capture: Capture,
    pub(crate) value: Expr,
}

/// `..values as Type`: the dimensions of a type that has them all.
pub(crate) struct Spread {
    pub(crate) ty: Type,
    pub(crate) values: Expr,
}

/// The dimensions of a metric, and what is asked of them.
#[derive(Default)]
pub(crate) struct Dimensions {
    pub(crate) own: Vec<Dimension>,
    pub(crate) spreads: Vec<Spread>,
    pub(crate) series_max: Option<LitInt>,
    /// The sets of keys that the series are also told by.
    pub(crate) rollup: Vec<Set>,
    /// Where `rollup` was written.
    pub(crate) rollup_span: Option<Span>,
}

impl Dimensions {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.spreads.is_empty()
    }
}

/// `["Region", "Tier"]` of `rollup`, and where that was written.
pub(crate) struct Set {
    pub(crate) span: Span,
    pub(crate) keys: Vec<LitStr>,
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
    pub(crate) limits: Limits,
    pub(crate) template: LitStr,
    /// Those written after the template, then the variables that the template captured.
    pub(crate) fields: Vec<Field>,
    pub(crate) pieces: Vec<Piece>,
    /// Values that the template formats its own way.
    pub(crate) formatted: Vec<Formatted>,
}

/// How often a log macro may log.
#[derive(Clone, Copy, Default)]
pub(crate) struct Limits {
    /// `rate = 10`, `once_every = "10s"`.
    pub(crate) limit: Option<Limit>,
    /// `repeat = "10s"`.
    pub(crate) repeat_ms: Option<u32>,
}

/// At most so many events in so many milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) events_max: u32,
    pub(crate) period_ms: u32,
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
    pub(crate) dimensions: Dimensions,
    pub(crate) in_flight: Option<bool>,
    pub(crate) unit: Option<Ident>,
    pub(crate) resolution: Option<Ident>,
    /// One call in so many is timed.
    pub(crate) sample: Option<LitInt>,
    pub(crate) log: Option<LogOn>,
    pub(crate) level: Option<Level>,
    pub(crate) fields: Vec<Field>,
    pub(crate) correlate: Option<Correlate>,
    /// Events of this level and lesser ones are held back.
    pub(crate) hold: Option<Level>,
    /// The time inside the polls of a future is measured.
    pub(crate) busy: bool,
}

/// `correlate`, or `correlate = value`.
pub(crate) struct Correlate {
    pub(crate) with: Option<Expr>,
}

impl Options {
    /// Whether a call is a unit of work, which events are recorded within.
    pub(crate) fn is_unit(&self) -> bool {
        self.correlate.is_some() || self.hold.is_some()
    }

    /// Whether a call needs more than its number and its duration.
    pub(crate) fn is_tracked(&self) -> bool {
        self.counts_in_flight() || !self.dimensions.is_empty()
    }

    /// Whether nothing is to be known of a call before its body runs but the time.
    pub(crate) fn takes_no_value(&self) -> bool {
        !self.is_tracked() && !self.is_unit()
    }

    /// Whether calls in progress are counted.
    pub(crate) fn counts_in_flight(&self) -> bool {
        self.in_flight == Some(true)
    }

    /// Takes what the block around says and the method itself does not. A condition on what is returned is for methods
    /// that return something which can be looked at, and `none` for those that return an `Option`.
    pub(crate) fn inherit(&mut self, block: &Options, returned: Returned) {
        self.in_flight = self.in_flight.or(block.in_flight);
        self.unit = self.unit.take().or_else(|| block.unit.clone());
        self.resolution = self.resolution.take().or_else(|| block.resolution.clone());
        self.sample = self.sample.take().or_else(|| block.sample.clone());
        self.log = self.log.or(block.log);
        if self.log.is_some_and(|log| log != LogOn::default()) {
            self.level = self.level.or(block.level);
        }
        let allowed = match block.judge {
            Judge::Type => false,
            Judge::OkIf(_) | Judge::ErrIf(_) => returned != Returned::Nothing,
            Judge::None(..) => returned == Returned::Option,
        };
        if allowed && matches!(self.judge, Judge::Type) {
            self.judge = block.judge.clone();
        }
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

/// What a method is seen to return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Returned {
    /// Nothing, or something that nobody can look at.
    Nothing,
    Value,
    Option,
}

/// Who says how a call ended.
#[derive(Clone, Default)]
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

/// A type with `#[derive(Dimensions)]`.
pub(crate) struct DimensionSet {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) known: Known,
}

/// What the compiler knows all values of.
pub(crate) enum Known {
    /// One dimension, and its values.
    Enum { key: LitStr, variants: Vec<Keyed<()>> },
    /// A dimension for each field.
    Struct(Vec<Keyed<Type>>),
}

/// A variant or a field, and the text that it is known by.
pub(crate) struct Keyed<T> {
    pub(crate) ident: Ident,
    pub(crate) text: LitStr,
    pub(crate) ty: T,
}

/// A type with `#[derive(Record)]`.
pub(crate) struct WorkRecord {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// The names of the arguments of the struct.
    pub(crate) given: Vec<String>,
    pub(crate) prefix: Option<LitStr>,
    pub(crate) case: Option<Case>,
    pub(crate) resolution: Option<Ident>,
    /// The message of its log line.
    pub(crate) log: Option<LitStr>,
    pub(crate) level: Option<(Level, Span)>,
    pub(crate) dimensions: Dimensions,
    pub(crate) parts: Vec<WorkPart>,
}

impl WorkRecord {
    /// Nothing yet.
    pub(crate) fn new(ident: Ident, generics: Generics) -> WorkRecord {
        let (given, parts, dimensions) = (Vec::new(), Vec::new(), Dimensions::default());
        let (prefix, case, resolution, log, level) = (None, None, None, None, None);
        WorkRecord { ident, generics, given, prefix, case, resolution, log, level, dimensions, parts }
    }
}

/// A field of a record that is no dimension.
pub(crate) struct WorkPart {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    pub(crate) role: Role,
    /// With the prefix of the struct.
    pub(crate) name: LitStr,
    pub(crate) unit: Option<Ident>,
    pub(crate) resolution: Option<Ident>,
    /// Of what is flattened.
    pub(crate) prefix: Option<LitStr>,
}

/// What a field of a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Metric(MetricKind),
    Dimension,
    Dimensions,
    Field(Capture),
    Flatten,
}

/// How words are written together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Case {
    Lower,
    Snake,
    ScreamingSnake,
    Kebab,
    Camel,
    Pascal,
}

impl Case {
    /// A name of Rust, of either style, written this way.
    pub(crate) fn of(self, name: &str) -> String {
        let words = words(name);
        let capital = |word: &String| {
            let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
            first.to_uppercase() + rest
        };
        match self {
            Case::Lower => words.concat(),
            Case::Snake => words.join("_"),
            Case::ScreamingSnake => words.join("_").to_uppercase(),
            Case::Kebab => words.join("-"),
            Case::Pascal => words.iter().map(capital).collect(),
            Case::Camel => words
                .iter()
                .enumerate()
                .map(|(at, word)| if at == 0 { word.clone() } else { capital(word) })
                .collect(),
        }
    }
}

/// The words of a name in small letters: `HttpError`, `http_error` and `HTTPError` have the same two.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || chars.get(at + 1).is_some_and(|after| after.is_lowercase())
            });
        if *c == '_' || begins {
            words.push(String::new());
        }
        if *c != '_'
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_either_style_are_written_in_every_case() {
        let table = [
            (Case::Lower, "httperror2"),
            (Case::Snake, "http_error2"),
            (Case::ScreamingSnake, "HTTP_ERROR2"),
            (Case::Kebab, "http-error2"),
            (Case::Camel, "httpError2"),
            (Case::Pascal, "HttpError2"),
        ];
        for (case, expected) in table {
            for name in ["HttpError2", "http_error2", "HTTPError2", "HTTP_ERROR2", "_http__error2_"] {
                assert_eq!(case.of(name), expected, "{case:?} of {name}");
            }
        }
        assert_eq!(Case::Snake.of("EuWest1"), "eu_west1");
        assert_eq!(Case::Snake.of("A"), "a");
    }
}
