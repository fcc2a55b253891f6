//! Secrets stay where they are sent: no setting's `Debug`, no error and nothing that a program says holds one.

use std::path::Path;
use std::process::Command;

use ops_sdk::limits::PushLimit;
use ops_sdk::model::Signal;

use super::open::{self, Opened};
use super::{Case, SECRET};
use crate::rig::{Reply, Server};

/// `Debug` of the settings, and every error that a setting can lead to: each one left out, blank, or with characters
/// that belong nowhere.
#[must_use]
pub fn kept_by_settings(case: &Case) -> Vec<String> {
    let shown = (case.debug)(SECRET);
    let mut wrong: Vec<String> =
        shown.contains(SECRET).then(|| format!("Debug shows a secret: {shown}")).into_iter().collect();
    let dir = tempfile::tempdir().expect("a directory");
    let vars = (case.vars)("http://127.0.0.1:9", dir.path());
    for at in 0..vars.len() {
        let with = |value: Option<String>| {
            let mut vars = vars.clone();
            match value {
                Some(value) => vars[at].1 = value,
                None => drop(vars.remove(at)),
            }
            open::open(case.name, vars, PushLimit::default(), dir.path()).err().map(|error| error.to_string())
        };
        let own = &vars[at].1;
        let values =
            [None, Some(String::new()), Some(format!("{own}\r\nX-Injected: yes")), Some(format!("\0{own}é"))];
        let errors = values.into_iter().filter_map(with);
        let bad = errors.filter(|error| error.contains(SECRET));
        wrong.extend(bad.map(|error| format!("{}: {error}", vars[at].0)));
    }
    wrong
}

/// A program whose server refuses it says so, and never with a secret. `program` is the one that records for tests.
#[must_use]
pub fn kept_by_a_program(case: &Case, program: &Path) -> Vec<String> {
    let answers: [fn() -> Reply; 3] =
        [|| Reply::answer(401, "who?"), || Reply::answer(400, "{\"text\":\"no\",\"code\":6}"), || Reply::Cut];
    std::thread::scope(|scope| {
        let runs = answers.map(|answer| scope.spawn(move || run(case, program, answer)));
        runs.into_iter()
            .filter_map(|run| run.join().unwrap_or_else(|_| Some("it panicked".to_owned())))
            .collect()
    })
}

fn run(case: &Case, program: &Path, answer: fn() -> Reply) -> Option<String> {
    let server = Server::start(move |_| answer());
    let signals = Opened::new(case, &server.url(), PushLimit::default()).signals();
    if !signals.iter().any(|signal| matches!(signal, Signal::Log | Signal::Metric)) {
        return None; // the program makes no others
    }
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = Command::new(program);
    command.args(["fill", "20"]).env_clear().envs((case.vars)(&server.url(), dir.path()));
    command.env("OPS_BACKENDS", case.name).env("OPS_SHUTDOWN_DEADLINE_MS", "200").current_dir(dir.path());
    let output = command.output().expect("the program runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !output.status.success() {
        return Some(format!("the program failed: {said}"));
    }
    said.contains(SECRET).then(|| format!("the program says {said}"))
}
