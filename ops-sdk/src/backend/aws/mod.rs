//! What the backends that speak to CloudWatch share: its rules for names, its protocol's answers as verdicts, and the
//! road into a log group. No backend itself.

#[cfg(feature = "emf")]
mod carry;
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
mod destination;
#[cfg(feature = "aws")]
mod entity;
#[cfg(feature = "cloudwatch-logs")]
mod group;
#[cfg(feature = "cloudwatch-logs")]
mod ingest;
#[cfg(feature = "aws")]
mod judge;
#[cfg(any(feature = "firehose", feature = "kinesis"))]
mod lines;
#[cfg(feature = "cloudwatch-logs")]
mod log_events;
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
mod names;
#[cfg(feature = "aws")]
mod pairs;
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
mod place;
#[cfg(any(feature = "firehose", feature = "kinesis"))]
mod records;
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
mod rename;
#[cfg(feature = "cloudwatch-logs")]
mod road;
#[cfg(feature = "cloudwatch-logs")]
mod routes;
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
mod sets;
#[cfg(feature = "cloudwatch-logs")]
mod stream_by;

#[cfg(feature = "emf")]
pub(super) use self::carry::{Carry, carry_to_logs};
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
pub(super) use self::destination::Destination;
#[cfg(feature = "cloudwatch-logs")]
pub use self::destination::{Ingest, LogClass};
#[cfg(feature = "cloudwatch")]
pub(super) use self::entity::{EntityForm, EntityTold, entity};
#[cfg(feature = "cloudwatch")]
pub(super) use self::judge::{bisect, failed, judge, settle};
#[cfg(any(feature = "firehose", feature = "kinesis"))]
pub(super) use self::lines::lines;
#[cfg(feature = "cloudwatch-logs")]
pub(super) use self::log_events::LogEvents;
#[cfg(feature = "cloudwatch")]
pub(super) use self::names::{are_rising, put_name, put_value};
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
pub(super) use self::names::{check_dimensions, namespace, points};
#[cfg(feature = "emf")]
pub(super) use self::names::{dimension, metric_name};
#[cfg(feature = "emf")]
pub(super) use self::place::Place;
#[cfg(feature = "kinesis")]
pub(super) use self::records::Pack;
#[cfg(any(feature = "firehose", feature = "kinesis"))]
pub(super) use self::records::{Form, Records, join_lines, stream_name, under};
#[cfg(any(feature = "cloudwatch-logs", feature = "emf"))]
pub(super) use self::rename::{context_without_key, without_key};
#[cfg(any(feature = "cloudwatch", feature = "emf"))]
pub(super) use self::sets::Sets;
#[cfg(feature = "cloudwatch-logs")]
pub(super) use self::stream_by::StreamBy;

#[cfg(test)]
pub(super) mod tests;
