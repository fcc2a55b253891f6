//! Records as bytes: the binary form that the journal keeps, and the JSON that several backends share.

pub mod binary;
pub mod json;

#[cfg(test)]
pub(crate) mod arbitrary;
