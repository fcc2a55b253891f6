//! The local store: items in the binary form of the journal, into a file.

use ops_sdk::backend::local::Local;
use ops_sdk::encode::{binary, json};

use super::{Case, Read, Talk, same};

pub(super) fn case() -> Case {
    Case {
        name: "local",
        vars: |_, dir| vec![("OPS_LOCAL_PATH", dir.join("store.db").display().to_string())],
        debug: |_| format!("{:?}", Local::new().path("/var/lib/store.db")),
        read,
        shown: same,
        ids: |_| true,
        talk: Talk::Other,
    }
}

/// The record, by way of the JSON that the command prints of it.
fn read(item: &[u8]) -> Result<Read, String> {
    let record = binary::decode(item).map_err(|error| error.to_string())?;
    let mut line = Vec::new();
    json::line(&mut line, &record, &[]);
    Read::of_json(&line)
}
