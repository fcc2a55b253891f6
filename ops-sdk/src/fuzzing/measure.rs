//! What a ship thread does around a backend, for `bench/`.

use std::sync::Arc;

use super::answers::Always;
use crate::clock::Now;
use crate::encode::json::{self, Alike};
use crate::model::Record;
use crate::net::{Net, Response};

/// Runs `encode` as a ship thread does for a record that is one of many of its site, each with a message of its own.
/// Records with the same number have to have the same level, target, file, line and keys. The numbers are those that the
/// process gives to sites it reads from a journal, so a process that does that has no use for this.
pub fn alike<R>(record: &Record<'_>, site: u64, encode: impl FnOnce() -> R) -> R {
    json::alike(record, Some(Alike { site, same_message: false }), encode)
}

/// A way out where every request is answered at once, with the status 200 and nothing else.
#[must_use]
pub fn answered() -> Net {
    Net::over(Now::read(), Arc::new(Always(Response { status: 200, ..Response::default() })))
}
