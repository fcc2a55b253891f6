//! Panics, with `OPS_PANIC_HOOK=1`: each is an error event with its message, place, thread and correlation, the hook of
//! the program's own runs as ever, and a panic that aborts is recorded before the process is gone. In processes of their
//! own, built for both ways to panic.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ops_sdk::store::{LogQuery, LogRow, Store};
use serde_json::Value;

/// The program, built for panics that abort. Nothing else is built anew for it.
fn aborting(folder: &Path) -> PathBuf {
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let selection = ["-p", "ops-tests", "--bin", "aborts", "--quiet", "--message-format=json"];
    build.arg("rustc").args(selection).args(["--", "-C", "panic=abort"]);
    build.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = build.output().expect("cargo runs");
    assert!(output.status.success(), "the program does not build: see above");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().map(|line| serde_json::from_str(line).expect("cargo's messages are JSON"));
    let executable = |message: Value| message["executable"].as_str().map(PathBuf::from);
    let built = messages.filter_map(executable).next_back().expect("the program");
    // The next build of the tests puts the other one in its place.
    let own = folder.join("aborts");
    std::fs::copy(built, &own).expect("a copy");
    own
}

fn run(program: &Path, mode: &str, folder: &Path, hook: &str) -> Output {
    let mut child = Command::new(program);
    child.arg(mode).env("OPS_LOCAL_PATH", folder.join("store.db")).env("OPS_PANIC_HOOK", hook);
    child.output().expect("the program runs")
}

/// The same with a state directory.
fn run_kept(program: &Path, mode: &str, folder: &Path) -> Output {
    let mut child = Command::new(program);
    child.arg(mode).env("OPS_LOCAL_PATH", folder.join("store.db")).env("OPS_PANIC_HOOK", "1");
    child.env("OPS_STATE_DIR", folder.join("state")).output().expect("the program runs")
}

fn panics(folder: &Path) -> Vec<LogRow> {
    let store = Store::open(folder.join("store.db")).expect("a store");
    let mut rows = store.logs(&LogQuery { limit: 100, ..LogQuery::default() }).expect("its events");
    rows.retain(|row| row.message.contains(" panicked at "));
    rows
}

#[test]
fn a_panic_that_unwinds_is_an_error_event_with_its_correlation() {
    let program = Path::new(env!("CARGO_BIN_EXE_panics"));
    let folder = tempfile::tempdir().expect("a folder");
    let ended = run(program, "thread", folder.path(), "1");
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success() && out.ends_with("survived\n"), "{out} {err}");
    assert_eq!(err.matches("own hook:").count(), 1, "{err}");
    let rows = panics(folder.path());
    assert_eq!(rows.len(), 1, "{rows:?}");
    let row = &rows[0];
    assert!(
        row.message.starts_with("thread worker panicked at ") && row.message.ends_with(": number 7"),
        "{row:?}"
    );
    let text = |name: &str| match row.field(name) {
        Some(ops_sdk::model::Value::Str(text)) => text.to_string(),
        other => panic!("{name} is {other:?} in {row:?}"),
    };
    assert_eq!((text("thread"), text("panic")), ("worker".to_owned(), "number 7".to_owned()));
    assert!(text("panic_file").ends_with("panics.rs"), "{row:?}");
    assert_eq!(Some(text("correlation_id").as_str()), out.lines().next(), "{row:?}");
}

#[test]
fn panics_are_not_recorded_unless_asked() {
    let program = Path::new(env!("CARGO_BIN_EXE_panics"));
    let folder = tempfile::tempdir().expect("a folder");
    assert!(run(program, "thread", folder.path(), "0").status.success());
    assert!(panics(folder.path()).is_empty());
}

#[test]
fn a_panic_that_aborts_is_recorded_before_other_hooks_run() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().expect("a folder");
    let program = aborting(folder.path());
    let ended = run(&program, "flush", folder.path(), "1");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.signal(), Some(6), "it aborts: {:?} {err}", ended.status);
    assert!(err.contains("own hook: Some(\"no way on\")"), "{err}");
    let rows = panics(folder.path());
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].message.starts_with("thread main panicked at "), "{rows:?}");

    // Where nobody flushes, the arena has it, and the next process ships it.
    let ended = run_kept(&program, "bare", folder.path());
    assert_eq!(ended.status.signal(), Some(6), "it aborts: {:?}", ended.status);
    let next = run_kept(&program, "thread", folder.path());
    assert_eq!(next.status.signal(), Some(6), "the next one panics, too: {:?}", next.status);
    let ship = ops_sdk::init().environment({
        let store = folder.path().join("store.db").into_os_string().into_string().expect("text");
        move |name| (name == "OPS_LOCAL_PATH").then(|| store.clone())
    });
    let report = ship.ship(folder.path().join("state"), ops_tests::SOON).expect("a state directory");
    assert!(report.complete, "{report}");
    assert_eq!(panics(folder.path()).len(), 3, "{report}");
}
