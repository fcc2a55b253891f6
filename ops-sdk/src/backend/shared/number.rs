//! Settings that are whole numbers within bounds.

use std::ops::RangeInclusive;

use super::setting;
use crate::backend::Context;
use crate::error::Error;

/// A whole number: what the program said, else the variable, else `default`.
///
/// # Errors
///
/// If it is none, or out of bounds; the message names the bounds.
pub(in crate::backend) fn whole(
    told: Option<usize>,
    variable: &str,
    bounds: RangeInclusive<usize>,
    default: usize,
    context: &Context,
) -> Result<usize, Error> {
    let Some(text) = setting(told.map(|told| told.to_string()).as_deref(), variable, context) else {
        return Ok(default);
    };
    let number = text.parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        let remedy = format!("use a whole number from {} to {}", bounds.start(), bounds.end());
        Error::setting(variable, format!("\"{}\" is out of bounds", text.escape_debug()), remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[test]
    fn a_number_is_held_to_its_bounds() {
        let context = context(&[("A", " 7 "), ("B", "seven"), ("C", "11")]);
        let read = |told, name| whole(told, name, 1..=10, 5, &context).map_err(|error| error.to_string());
        assert_eq!((read(None, "A"), read(Some(3), "A"), read(None, "Z")), (Ok(7), Ok(3), Ok(5)));
        for (told, name) in [(None, "B"), (None, "C"), (Some(0), "A")] {
            let error = read(told, name).unwrap_err();
            assert!(error.starts_with(name) && error.contains("from 1 to 10"), "{error}");
        }
    }
}
