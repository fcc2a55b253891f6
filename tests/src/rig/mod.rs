//! Real counterparts for the tests: a moto server of one's own, a proxy in front of it that records every request
//! and injects faults, and boto3 as an independent reader of what arrived.
//!
//! ```no_run
//! use ops_tests::rig::{Fault, Moto, Proxy, contract_bytes};
//!
//! let moto = Moto::start();
//! let proxy = Proxy::start(&moto.url());
//! proxy.script_for("PutLogEvents", [Fault::throttled(), Fault::CutAnswer]);
//! // … point `AWS_ENDPOINT_URL` at proxy.url(), record, flush …
//! for request in proxy.requests() {
//!     let push = contract_bytes(&request);
//!     assert!(push.is_none_or(|push| push.bytes <= 32_768 && push.items <= 1_000));
//! }
//! assert_eq!(moto.log_events("/ops/app").len(), 3);
//! ```
//!
//! Promises: everything is bound to 127.0.0.1, on a port that the system picks; a server ends with the value that
//! stands for it, when a test panics too, and with the process if that is killed. The first use sets up a virtual
//! environment of pinned packages under `target/rig`, safe between test processes. Never ends a process that it
//! did not start, and never reads the user's AWS settings.

mod ca;
mod contract;
mod door;
mod exchange;
mod fault;
mod http;
mod moto;
mod opensearch;
mod port;
mod proxy;
mod python;
mod queues;
mod rabbit;
mod recorded;
mod relay;
mod rsyslog;
mod script;
mod server;
mod splunk;
mod store;
mod tools;
mod webhook;

pub use self::ca::Ca;
pub use self::contract::{Push, contract_bytes};
pub use self::fault::{Answer, Fault};
pub use self::moto::{LogEvent, LogGroup, MetricTotal, Moto};
pub use self::opensearch::OpenSearch;
pub use self::port::Port;
pub use self::proxy::Proxy;
pub use self::python::{interpreter, python, python_lines, python_lines_with};
pub use self::queues::{Broker, KafkaMessage, queue_lines};
pub use self::rabbit::{Published, Rabbit};
pub use self::recorded::Recorded;
pub use self::relay::Relay;
pub use self::rsyslog::{Message, Rsyslog};
pub use self::server::{Reply, Server};
pub use self::splunk::{Hec, HecSettings, Indexed};
pub use self::store::{Object, S3S_KEYS, S3s};
pub use self::tools::{Statsd, go_lines};
pub use self::webhook::{Received, Receiver};
