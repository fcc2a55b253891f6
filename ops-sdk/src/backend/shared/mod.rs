//! What backends share whatever their service: how a setting is read, an address is checked, a secret is kept out of
//! texts, and what an HTTP answer means where the service has nothing of its own to say. No backend itself.

#[cfg(feature = "http")]
mod address;
#[cfg(feature = "http")]
mod judge;
mod number;
mod partition;
mod secret;
mod setting;
#[cfg(any(feature = "http", feature = "socket"))]
mod wait;

#[cfg(feature = "http")]
pub(super) use self::address::{Address, post};
#[cfg(feature = "http")]
pub(super) use self::judge::{judge, retry_after, why};
pub(super) use self::number::whole;
#[allow(unreachable_pub)] // public where a backend with keys is compiled in
pub use self::partition::PartitionKey;
pub(super) use self::secret::Secret;
pub(super) use self::setting::{setting, yes_or_no};
#[cfg(any(feature = "http", feature = "socket"))]
pub(super) use self::wait::{failed, operator};

#[cfg(test)]
pub(super) mod tests;
