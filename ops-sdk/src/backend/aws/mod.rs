//! What the backends that speak to CloudWatch share: its rules for names, its protocol's answers as verdicts, and the
//! road into a log group. No backend itself.

#[cfg(feature = "emf")]
mod carry;
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
mod destination;
#[cfg(feature = "aws")]
mod judge;
#[cfg(feature = "cloudwatch-logs")]
mod log_events;
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
mod names;
#[cfg(feature = "cloudwatch-logs")]
mod place;
#[cfg(any(feature = "firehose", feature = "kinesis"))]
mod records;

#[cfg(feature = "emf")]
pub(super) use self::carry::{Carry, carry_to_logs};
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
pub(super) use self::destination::Destination;
#[cfg(feature = "cloudwatch")]
pub(super) use self::judge::{bisect, failed, judge, settle};
#[cfg(feature = "cloudwatch-logs")]
pub(super) use self::log_events::LogEvents;
#[cfg(feature = "emf")]
pub(super) use self::names::Dimensions;
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
pub(super) use self::names::{dimensions, metric_name, namespace, points};
#[cfg(feature = "kinesis")]
pub(super) use self::records::Pack;
#[cfg(any(feature = "firehose", feature = "kinesis"))]
pub(super) use self::records::{Form, Records, join_lines, stream_name, under};

#[cfg(test)]
pub(super) mod tests;
