//! The rules for the fields of an event. They are this crate's own: what every backend can carry as a key of JSON
//! beside the keys that the record itself has.

use proc_macro2::Span;
use syn::{Error, Result};

use crate::model::{Event, Field, Level, Options};

/// More than any backend indexes; a bound, so that one event cannot be a table.
pub(super) const FIELDS_MAX: usize = 64;
/// As the name of a metric's dimension, so that a field can become one.
const KEY_CHARS_MAX: usize = 255;
/// The keys of the record around the fields.
pub(super) const RESERVED: [&str; 6] = ["time", "level", "target", "message", "id", "file"];

/// Checks one use of a log macro.
pub(crate) fn event(event: &Event) -> Result<()> {
    for (index, field) in event.fields.iter().enumerate() {
        key(field)?;
        unique(&event.fields[..index], field)?;
    }
    if let Some(over) = event.fields.get(FIELDS_MAX) {
        let message = format!("an event has at most {FIELDS_MAX} fields, this is one more");
        return Err(Error::new(over.key.span, message));
    }
    Ok(())
}

/// Fields that a function may name: they are kept while a call is in progress.
const FIELDS_OF_FUNCTION_MAX: usize = 16;

/// Checks the arguments of a function that are about its log lines.
pub(super) fn of_function(options: &Options) -> Result<()> {
    if options.log.is_none()
        && let Some(given) = options.given("fields").or(options.given("level"))
    {
        let message =
            format!("`{given}` is for log lines: say which there are, as in `log = \"entry, error\"`");
        return Err(Error::new(given.span(), message));
    }
    if options.hold == Some(Level::Error)
        && let Some(given) = options.given("hold")
    {
        let message = "errors are never held back: `hold` is one of `trace`, `debug`, `info` and `warn`";
        return Err(Error::new(given.span(), message));
    }
    for (index, field) in options.fields.iter().enumerate() {
        key(field)?;
        unique(&options.fields[..index], field)?;
        if field.key.text == "outcome" {
            let message = "the field `outcome` says how the call ended: choose another key";
            return Err(Error::new(field.key.span, message));
        }
    }
    if let Some(over) = options.fields.get(FIELDS_OF_FUNCTION_MAX) {
        let message = format!("a function has at most {FIELDS_OF_FUNCTION_MAX} fields, this is one more");
        return Err(Error::new(over.key.span, message));
    }
    Ok(())
}

fn key(field: &Field) -> Result<()> {
    let text = &field.key.text;
    key_length(text, field.key.span)?;
    if RESERVED.contains(&text.as_str()) {
        let every = RESERVED.map(|key| format!("`{key}`")).join(", ");
        let message = format!(
            "the key `{text}` belongs to the event itself: choose another, as in `order.{text} = ..`; reserved are {every}"
        );
        return Err(Error::new(field.key.span, message));
    }
    Ok(())
}

pub(super) fn key_length(text: &str, span: Span) -> Result<()> {
    let chars = text.chars().count();
    if chars == 0 || chars > KEY_CHARS_MAX {
        let message = format!("the key of a field has 1 to {KEY_CHARS_MAX} characters, this one {chars}");
        return Err(Error::new(span, message));
    }
    Ok(())
}

fn unique(earlier: &[Field], field: &Field) -> Result<()> {
    if earlier.iter().all(|other| other.key.text != field.key.text) {
        return Ok(());
    }
    Err(Error::new(field.key.span, format!("the field `{}` is already given", field.key.text)))
}
