//! ops-sdk itself: its backend for CloudWatch Logs, with a state directory, and rings of 4 MiB. It blocks nobody: what
//! comes faster than rings hold is dropped and counted. The guard is shut down in the end with 5 s, its default.

use std::path::Path;
use std::time::Duration;

use ops_sdk::Ops;
use ops_sdk::backend::CloudWatchLogs;
use ops_sdk::prelude::*;

use super::{Peer, Subject};

pub const PEER: Peer = Peer {
    name: "ops-sdk",
    tries_again: true,
    keeps: true,
    start: |setup| Box::new(Guarded(guarded(setup.port, &setup.dir))),
};

struct Guarded(Ops);

/// ops-sdk, pushing to this port, with its state in this folder.
pub fn guarded(port: u16, dir: &Path) -> Ops {
    let logs = CloudWatchLogs::new()
        .endpoint(format!("http://127.0.0.1:{port}"))
        .region("eu-west-1")
        .group("/bench")
        .stream("bench");
    let keys = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIDEXAMPLE".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("secret".to_owned()),
        _ => None,
    };
    let ops = ops_sdk::init()
        .environment(keys)
        .namespace("Bench")
        .state_dir(dir)
        .ring_bytes_max(4 << 20)
        .backend(logs)
        .start();
    ops.unwrap_or_else(|error| panic!("{error}"))
}

impl Subject for Guarded {
    fn log(&self, id: &str) {
        info!(
            "the order was accepted and leaves the warehouse this evening",
            order = id,
            amount = 1.5,
            region = "eu",
            ok = true
        );
    }

    fn end(self: Box<Self>) -> u64 {
        self.0.shutdown(Duration::from_secs(5)).dropped
    }
}
