//! What is allowed. Pure functions over the model; each error stands at the user's token and says what to write
//! instead. The rules are CloudWatch's for metrics, and this crate's own for fields.

mod dimensions;
mod event;
mod function;
mod metric;
mod outcome;
mod record;
mod suggest;

pub(crate) use self::dimensions::dimension_set;
pub(crate) use self::event::event;
pub(crate) use self::function::{block_options, ends, function, function_options, looks_at_value, polls};
pub(crate) use self::metric::metric;
pub(crate) use self::outcome::outcomes;
pub(crate) use self::record::{is_time, record};
pub(crate) use self::suggest::suggestion;

/// Whether all of it is ASCII that can be printed: no control characters.
fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}
