//! Records as bytes: the binary form that the journal keeps, and the JSON and OTLP that several backends share.

pub mod binary;
pub mod json;
pub mod otlp;
pub mod proto;

#[cfg(test)]
pub(crate) mod arbitrary;
