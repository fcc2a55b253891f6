//! Members of documents: a key as it stands in JSON, its comma and colon included, and a value.

use crate::encode::json;

pub(super) fn text(out: &mut Vec<u8>, key: &str, text: &str) {
    out.extend_from_slice(key.as_bytes());
    json::string(out, text);
}

pub(super) fn whole(out: &mut Vec<u8>, key: &str, number: u64) {
    out.extend_from_slice(key.as_bytes());
    json::number_u64(out, number);
}

pub(super) fn number(out: &mut Vec<u8>, key: &str, number: f64) {
    out.extend_from_slice(key.as_bytes());
    json::number_f64(out, number);
}
