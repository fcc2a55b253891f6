//! The five kinds of record. On the ground floor because limits and books are kept by kind.

use std::fmt;

/// A kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Signal {
    /// One series over one window.
    Metric = 0,
    /// A structured log event.
    Log = 1,
    /// Who changed what, when.
    Audit = 2,
    /// What something is configured to be.
    Config = 3,
    /// Whether something is well.
    Check = 4,
}

impl Signal {
    /// How many kinds there are.
    pub const COUNT: usize = 5;
    /// Every kind, in the order of its number.
    pub const ALL: [Signal; Signal::COUNT] =
        [Signal::Metric, Signal::Log, Signal::Audit, Signal::Config, Signal::Check];

    /// The kind as a dimension and a column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Signal::Metric => "metric",
            Signal::Log => "log",
            Signal::Audit => "audit",
            Signal::Config => "config",
            Signal::Check => "check",
        }
    }

    /// The kind with this number, as frames store it.
    #[must_use]
    pub fn from_u8(number: u8) -> Option<Signal> {
        Signal::ALL.get(usize::from(number)).copied()
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
