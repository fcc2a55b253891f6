//! What backends share whatever their service: how a setting is read, an address is checked, a secret is kept out of
//! texts, and what an HTTP answer means where the service has nothing of its own to say. No backend itself.

#[cfg(feature = "http")]
mod address;
mod cut;
#[cfg(feature = "http")]
mod judge;
mod number;
#[cfg(any(feature = "s3", feature = "file"))]
mod pack;
mod partition;
mod secret;
mod setting;
#[cfg(any(feature = "http", feature = "socket"))]
mod settle;
#[cfg(any(feature = "datadog", feature = "dogstatsd"))]
mod tagging;
#[cfg(any(feature = "http", feature = "socket"))]
mod wait;

#[cfg(feature = "http")]
pub(super) use self::address::{Address, post};
pub(super) use self::cut::cut;
#[cfg(feature = "http")]
pub(super) use self::judge::{judge, retry_after, why};
pub(super) use self::number::whole;
#[cfg(any(feature = "s3", feature = "file"))]
pub use self::pack::Compression;
#[cfg(any(feature = "s3", feature = "file"))]
pub(super) use self::pack::{Packer, compression};
#[allow(unreachable_pub)] // public where a backend with keys is compiled in
pub use self::partition::PartitionKey;
pub(super) use self::secret::Secret;
pub(super) use self::setting::{setting, yes_or_no};
#[cfg(any(feature = "http", feature = "socket"))]
pub(super) use self::settle::{Outcome, settle};
#[cfg(any(feature = "datadog", feature = "dogstatsd"))]
pub(super) use self::tagging::{Tags, Unified, host_name, metric_name, tag};
#[cfg(any(feature = "http", feature = "socket"))]
pub(super) use self::wait::{failed, operator};

#[cfg(test)]
#[allow(dead_code)] // which of it is used depends on the backends that are compiled in
pub(super) mod samples;
#[cfg(test)]
pub(super) mod tests;
