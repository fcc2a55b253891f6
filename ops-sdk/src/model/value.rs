//! Typed values of fields.

use std::borrow::Cow;

/// Keys and values in the order they were written.
pub type Fields<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

/// The value of a field. Numbers stay numbers all the way to the backend.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing, as `None` says it.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A floating point number; backends that cannot express NaN and infinities write their names as text.
    F64(f64),
    /// Text, also that of a value captured with `%` or `?`.
    Str(Cow<'a, str>),
}
