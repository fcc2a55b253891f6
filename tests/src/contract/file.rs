//! Lines in a file.

use ops_sdk::backend::File;

use super::{Case, Read, Talk, same};

pub(super) fn case() -> Case {
    Case {
        name: "file",
        vars: |_, dir| vec![("OPS_FILE_PATH", dir.join("ops.jsonl").display().to_string())],
        debug: |_| format!("{:?}", File::new().path("/var/log/app/ops.jsonl")),
        read: Read::of_json,
        shown: same,
        ids: |_| true,
        talk: Talk::Other,
    }
}
