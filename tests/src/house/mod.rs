//! The checker of the house rules: who imports whom, where `unsafe` lives, how long files and functions are.
//!
//! It reads source text and returns what breaks a rule, one [`Breach`] each; it never stops at the first. What
//! stands under `#[cfg(test)]`, and whole files named `tests.rs`, are exempt from floors and sizes.

mod floors;
mod scan;
mod sizes;
mod source;

pub use self::floors::{BESIDE, FLOORS, Modules, check_backends, check_floors, floor_of};
pub use self::sizes::{
    BACKEND_LINES_MAX, FILE_LINES_MAX, FUNCTION_LINES_MAX, Function, check_opening, check_sizes,
    check_unsafe, functions,
};
pub use self::source::{Source, sources};

use std::fmt;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The file, as the source was named.
    pub file: String,
    /// The line; 1 when it is about the whole file.
    pub line: usize,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}
