//! The seam between the places that EMF lines go to: a stream that somebody reads, or a log group.

use super::destination::Destination;
use crate::backend::{Context, Verdict};
use crate::chunk::Batch;
use crate::error::Error;
use crate::limits::Limits;
use crate::net::Net;

/// Carries lines.
pub(in crate::backend) trait Carry: Send {
    fn limits(&self) -> Limits;
    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict;

    /// A second one for pushes beside this one's; `None` where one has to follow the other.
    fn another(&self) -> Option<Box<dyn Carry>> {
        None
    }
}

/// Into the group and stream that log lines go to.
///
/// # Errors
///
/// If a setting is missing or means nothing.
#[cfg(feature = "cloudwatch-logs")]
pub(in crate::backend) fn carry_to_logs(
    told: &Destination,
    context: &Context,
) -> Result<Box<dyn Carry>, Error> {
    let (events, _) = super::log_events::LogEvents::open(told, context)?;
    if !events.takes_embedded_metrics() {
        let remedy = "leave OPS_CLOUDWATCH_LOGS_CLASS at standard and _INGEST at put, or use another target";
        return Err(Error::setting(
            "OPS_EMF_TARGET / .target(..)",
            "\"logs\" makes no metrics in a group of another class than standard, or by another way than put",
            remedy,
        ));
    }
    Ok(Box::new(events))
}

/// Without the feature there is no road into a log group.
///
/// # Errors
///
/// Always: the message names the feature.
#[cfg(not(feature = "cloudwatch-logs"))]
pub(in crate::backend) fn carry_to_logs(
    _told: &Destination,
    _context: &Context,
) -> Result<Box<dyn Carry>, Error> {
    let (setting, problem) = ("OPS_EMF_TARGET / .target(..)", "\"logs\" needs the feature cloudwatch-logs");
    Err(Error::setting(setting, problem, "enable the feature, or use stdout"))
}

#[cfg(feature = "cloudwatch-logs")]
impl Carry for super::log_events::LogEvents {
    fn limits(&self) -> Limits {
        Self::limits(self)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.send(batch, net)
    }

    fn another(&self) -> Option<Box<dyn Carry>> {
        Some(Box::new(Self::another(self)))
    }
}
