//! The backends and their cases, in the order of `known()`.

use super::*;

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    vec![
        local::case(),
        cloudsearch::case(),
        cloudwatch::case(),
        cloudwatch_logs::case(),
        elasticsearch::case(),
        emf::case(),
    ]
}
