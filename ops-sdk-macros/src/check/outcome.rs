//! The label of an outcome becomes the value of the dimension `Outcome`.

use syn::{Error, Result};

use super::dimensions;
use crate::model::Outcomes;

/// Checks a type with `#[derive(Outcome)]`.
pub(crate) fn outcomes(outcomes: &Outcomes) -> Result<()> {
    let endings = outcomes.variants.iter().flatten().map(|(_, ending)| ending).chain(&outcomes.whole);
    for label in endings.filter_map(|ending| ending.label.as_ref()) {
        dimensions::value(&label.value()).map_err(|message| {
            Error::new(label.span(), format!("the label becomes the dimension `Outcome`, and {message}"))
        })?;
    }
    Ok(())
}
