//! Operations for Rust services.
#![deny(unsafe_code)]

pub mod chunk;
pub mod clock;
mod diag;
pub mod error;
pub mod ledger;
pub mod limits;
pub mod model;
pub mod net;
mod signal;

pub mod backend;
pub mod encode;
pub mod journal;

pub use crate::chunk::parts;
