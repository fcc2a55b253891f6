//! Where there are no signals: asking for them is an error that says so.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::hub::Hub;

/// There is none.
#[derive(Debug)]
pub(super) enum Watch {}

/// Says that there are no signals.
pub(super) fn watch(_: &Arc<Hub>, _: Duration, _: bool) -> Result<Watch, Error> {
    let problem = "this system has no signals";
    Err(Error::setting(
        "OPS_ON_SIGNALS / .on_signals(..)",
        problem,
        "leave it off here, and keep the guard in main",
    ))
}
