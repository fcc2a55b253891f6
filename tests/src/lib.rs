//! What the tests of the whole house share: real servers and a recording proxy ([`rig`]), and the checker of the
//! house rules ([`house`]).
//!
//! Everything here serves tests alone, so it panics with a clear message where a program would return an error.

pub mod house;
pub mod rig;
