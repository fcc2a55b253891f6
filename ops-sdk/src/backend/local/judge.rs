//! What an answer of SQLite means for a batch. The journal keeps what the store cannot take, so almost everything is
//! worth another try; the operator is told the path and the remedy.

use std::path::Path;

use rusqlite::{Error, ErrorCode};

use crate::backend::Verdict;

/// Whether the item itself cannot be stored, today or ever.
pub(super) fn is_of_the_item(error: &Error) -> bool {
    use ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(error.sqlite_error_code(), Some(ConstraintViolation | TooBig | TypeMismatch))
}

/// Whether the file behind the connection may be gone or broken, so that it is better opened again.
pub(super) fn is_of_the_file(error: &Error) -> bool {
    use ErrorCode::{CannotOpen, DatabaseCorrupt, NotADatabase, PermissionDenied, ReadOnly, SystemIoFailure};
    let code = error.sqlite_error_code();
    matches!(
        code,
        Some(CannotOpen | DatabaseCorrupt | NotADatabase | PermissionDenied | ReadOnly | SystemIoFailure)
    )
}

/// The verdict on a batch whose transaction failed with this error.
pub(super) fn judge(error: &Error, path: &Path) -> Verdict {
    let remedy = remedy(error.sqlite_error_code());
    Verdict::Retry { after: None, why: format!("{}: {error}; {remedy}", path.display()) }
}

/// What an operator can do.
pub(super) fn remedy(code: Option<ErrorCode>) -> &'static str {
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            "another process is writing; end what holds it if this lasts"
        }
        Some(ErrorCode::DiskFull) => "free space on its disk, or set OPS_LOCAL_PATH to another",
        Some(ErrorCode::SystemIoFailure) => "check its disk, or set OPS_LOCAL_PATH to another",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "make the file and its directory writable, or set OPS_LOCAL_PATH to another"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "move the file away, and its -wal and -shm; a new store is then begun"
        }
        _ => "move the file away if this lasts; a new store is then begun",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn error(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn every_answer_has_its_verdict() {
        let table = [
            (ffi::SQLITE_BUSY, "another process", false, false),
            (ffi::SQLITE_LOCKED, "another process", false, false),
            (ffi::SQLITE_FULL, "free space", false, false),
            (ffi::SQLITE_IOERR, "check its disk", true, false),
            (ffi::SQLITE_READONLY, "writable", true, false),
            (ffi::SQLITE_CANTOPEN, "writable", true, false),
            (ffi::SQLITE_CORRUPT, "move the file away", true, false),
            (ffi::SQLITE_NOTADB, "move the file away", true, false),
            (ffi::SQLITE_NOMEM, "if this lasts", false, false),
            (ffi::SQLITE_CONSTRAINT, "if this lasts", false, true),
            (ffi::SQLITE_TOOBIG, "if this lasts", false, true),
        ];
        for (code, remedy, of_the_file, of_the_item) in table {
            let error = error(code);
            let Verdict::Retry { after: None, why } = judge(&error, Path::new("/x/store.db")) else {
                panic!("{error}: not a retry")
            };
            assert!(why.starts_with("/x/store.db: ") && why.contains(remedy), "{why}");
            assert_eq!(
                (is_of_the_file(&error), is_of_the_item(&error)),
                (of_the_file, of_the_item),
                "{error}"
            );
        }
    }
}
