//! Chaos: real processes that record and ship, and are killed, stopped, starved of disk and lied to by their servers,
//! against a judge that knows every macro that returned. The binary `chaos` runs it; `docs/reliability.md` has what it
//! proves.
//!
//! A round is a state directory and a few lives, one after the other, each a process of its own ([`workload`]). What
//! happens to them follows from a seed ([`plan`]). The servers keep to their protocols as we read the documentation
//! ([`server`]). The last life of a round meets no fault and delivers what is left; then the judge ([`oracle`]) holds
//! what arrived against what was recorded ([`work`], [`progress`]).

pub mod life;
pub mod means;
pub mod oracle;
pub mod plan;
pub mod progress;
pub mod rng;
pub mod run;
pub mod server;
pub mod store;
pub mod work;
pub mod workload;
