//! The rules for the fields of an event. They are this crate's own: what every backend can carry as a key of JSON
//! beside the keys that the record itself has.

use syn::{Error, Result};

use crate::model::{Event, Field};

/// More than any backend indexes; a bound, so that one event cannot be a table.
const FIELDS_MAX: usize = 64;
/// As the name of a metric's dimension, so that a field can become one.
const KEY_CHARS_MAX: usize = 255;
/// The keys of the record around the fields.
const RESERVED: [&str; 6] = ["time", "level", "target", "message", "id", "file"];

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

fn key(field: &Field) -> Result<()> {
    let text = &field.key.text;
    let chars = text.chars().count();
    let message = if chars == 0 || chars > KEY_CHARS_MAX {
        format!("the key of a field has 1 to {KEY_CHARS_MAX} characters, this one {chars}")
    } else if RESERVED.contains(&text.as_str()) {
        let every = RESERVED.map(|key| format!("`{key}`")).join(", ");
        format!(
            "the key `{text}` belongs to the event itself: choose another, as in `order.{text} = ..`; reserved are {every}"
        )
    } else {
        return Ok(());
    };
    Err(Error::new(field.key.span, message))
}

fn unique(earlier: &[Field], field: &Field) -> Result<()> {
    if earlier.iter().all(|other| other.key.text != field.key.text) {
        return Ok(());
    }
    Err(Error::new(field.key.span, format!("the field `{}` is already given", field.key.text)))
}
