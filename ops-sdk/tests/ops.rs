//! The `ops` command as a process: exit codes, streams, pipes whose readers go away, and a tail that follows.
#![cfg(feature = "cli")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use ops_sdk::backend::local::Local;
use ops_sdk::backend::{Backend, Configure, Context, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Body, Level, Log, Record, RecordId};
use ops_sdk::net::Net;

fn backend(path: &Path) -> Box<dyn Backend> {
    let context = Context {
        namespace: "App".into(),
        dimensions: Vec::new(),
        process: 1,
        host: "h".into(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::default(),
        var: Arc::new(|_| None),
    };
    Box::new(Local::new().path(path)).open(&context).unwrap()
}

fn log(backend: &mut dyn Backend, sequence: std::ops::Range<u64>, message: &str) {
    let mut items = Items::new();
    let now = Now::read();
    for seq in sequence {
        let log = Log {
            level: Level::Info,
            target: "shop".into(),
            message: message.into(),
            file: "a.rs".into(),
            line: 1,
            fields: Vec::new(),
        };
        let record = Record { id: RecordId { process: 1, seq }, time_ns: now.unix_ns, body: Body::Log(log) };
        items.begin(record.id, record.time_ms(), 0);
        backend.encode(&record, &mut items).unwrap();
    }
    let mut batch = Batch::default();
    items.iter().for_each(|(item, bytes)| batch.push(item.time_ms, item.record, item.place, bytes));
    assert_eq!(backend.send(&batch, &mut Net::new(now)), Verdict::Delivered);
}

fn ops(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ops"));
    command.args(arguments).env_remove("OPS_LOCAL_PATH").env_remove("OPS_STATE_DIR").stdin(Stdio::null());
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn exit_codes_are_those_of_the_help() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| ops(arguments).current_dir(dir.path()).output().unwrap();
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(texts(&help).0.contains("Exit codes:"), "{help:?}");
    let absent = run(&["stats"]);
    assert_eq!(absent.status.code(), Some(1));
    let (out, err) = texts(&absent);
    assert!(out.is_empty() && err.starts_with("ops: no store at .ops/store.db; "), "{err}");
    let wrong = run(&["logs", "--since", "soon"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(texts(&wrong).1.contains("such as 10m"), "{wrong:?}");
}

#[test]
fn the_store_is_found_where_the_program_that_records_puts_it() {
    let dir = tempfile::tempdir().unwrap();
    let places =
        [dir.path().join(".ops/store.db"), dir.path().join("state/store.db"), dir.path().join("other.db")];
    for (place, message) in places.iter().zip(["in the directory", "in the state", "at the path"]) {
        log(&mut *backend(place), 1..2, message);
    }
    let run = |variables: &[(&str, &Path)]| {
        let output = ops(&["logs"]).current_dir(dir.path()).envs(variables.iter().copied()).output().unwrap();
        texts(&output).0
    };
    let (state, path) = (dir.path().join("state"), dir.path().join("other.db"));
    assert!(run(&[]).contains("in the directory"));
    assert!(run(&[("OPS_STATE_DIR", &state)]).contains("in the state"));
    assert!(run(&[("OPS_STATE_DIR", &state), ("OPS_LOCAL_PATH", &path)]).contains("at the path"));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    log(&mut *backend(&path), 1..5_000, &"a long message ".repeat(10)); // far more than a pipe holds
    let mut command = ops(&["logs", "--limit", "100000", "--store", path.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap(); // and closes the pipe
    assert!(first.contains("INFO  shop: a long message"), "{first}");
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn tail_follows_what_another_process_writes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.db");
    let mut backend = backend(&path);
    log(&mut *backend, 1..4, "before");
    let mut command = ops(&["tail", "--lines", "1", "--store", path.to_str().unwrap()]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("shop: before"));
    log(&mut *backend, 4..6, "after");
    for _ in 0..2 {
        assert!(lines.next().unwrap().unwrap().ends_with("shop: after"));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
