//! What is waited out: a server that gave no answer, and what only an operator can put right. Neither is a reason to lose
//! data.

use std::time::Duration;

use crate::backend::Verdict;
use crate::net::NetError;

/// How long to wait where only an operator can help.
pub(super) const OPERATOR_DELAY: Duration = Duration::from_secs(60);

/// What only an operator can put right: waited out, a try a minute.
pub(in crate::backend) fn operator(why: String) -> Verdict {
    Verdict::Retry { after: Some(OPERATOR_DELAY), why }
}

/// What a request without an answer means.
pub(in crate::backend) fn failed(error: NetError) -> Verdict {
    Verdict::Retry { after: None, why: error.text }
}
