//! The backends and their cases, in the order of `known()`.

use super::*;

/// Every case.
#[must_use]
pub fn all() -> Vec<Case> {
    vec![
        local::case(),
        cloudwatch::case(),
        cloudwatch_logs::case(),
        emf::case(),
        otlp::case(),
        prometheus::case(),
    ]
}
