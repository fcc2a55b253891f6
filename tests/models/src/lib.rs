//! Models of what threads share in ops-sdk: rings, cells, lanes, the registry and their reader, tried in every order
//! that the memory model allows ([loom](https://docs.rs/loom)). What is modelled is the real code: `record/` is built
//! here a second time, from the same files, with `sync.rs` in place of the standard library's atomics.
//!
//! Loom and not shuttle: what can go wrong here is a value that is seen too early or too late, which needs the memory
//! model, and loom alone has it. Each model is kept small enough for it by beginning where something happens: a ring
//! that is nearly full is filled before the model begins.
#![cfg(not(test))] // what is built in here has tests of its own elsewhere
#![allow(dead_code, unused_imports)] // a model uses a part of what is built in
#![allow(missing_docs, unreachable_pub)] // nobody else builds on this

#[path = "../../../ops-sdk/src/clock.rs"]
mod clock;
#[path = "../../../ops-sdk/src/ledger.rs"]
mod ledger;
#[path = "../../../ops-sdk/src/lock.rs"]
mod lock;
#[path = "../../../ops-sdk/src/model/mod.rs"]
mod model;
#[path = "../../../ops-sdk/src/record/mod.rs"]
mod record;
#[path = "../../../ops-sdk/src/signal.rs"]
mod signal;

pub mod scenarios;
pub mod world;
