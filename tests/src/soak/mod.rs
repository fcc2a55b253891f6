//! A soak: one process that records at an even pace and ships to every backend there is, each with its counterpart, for as
//! long as is asked for; then the books of each are held against what its counterpart took.
//!
//! Counterparts are real where one starts here and keeps the pace (moto for metrics, s3s-fs, OpenSearch, a Kafka broker,
//! RabbitMQ, rsyslog, StatsD's own server, SQLite, the file system); elsewhere they are servers that answer in the words
//! that each backend's contract case knows, throttle one push in fifty and fail one in ninety-seven. Every backend is
//! routed a share of the events, so that two cores hold twenty backends and twenty counterparts; what a route keeps back
//! is in the books.

mod feed;
mod place;
mod real;
mod sinks;

pub use self::feed::{Fed, feed};
pub use self::place::{Place, config, places};
pub use self::real::{Real, names, real};
