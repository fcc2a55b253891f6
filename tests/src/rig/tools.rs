//! Counterparts in other languages: a judge written in Go, and the reference server of StatsD on Node. Both are set up on
//! first use from pinned sources under `target/rig`.

use std::io::{BufRead, BufReader, Lines};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::python::{scripts, target};

/// Runs the program of a folder of `tests/rig` that is written in Go, and reads each line of its output as JSON.
///
/// # Panics
///
/// If it does not build or fails: with what was said.
#[must_use]
pub fn go_lines<T: DeserializeOwned>(folder: &str, args: &[&str]) -> Vec<T> {
    // One for each call: tests of one process build it side by side.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    let built = target().join("rig").join(format!("{folder}-judge-{}-{number}", std::process::id()));
    std::fs::create_dir_all(target().join("rig")).expect("a folder");
    let built = std::path::absolute(built).expect("a path");
    run(Command::new("go").current_dir(scripts().join(folder)).args(["build", "-o"]).arg(&built).arg("."));
    let said = run(Command::new(&built).args(args));
    std::fs::remove_file(&built).expect("it was built");
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
    said.lines().map(read).collect()
}

/// The output of a command that succeeds.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed ({}):\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The reference server of StatsD on 127.0.0.1. Ends when dropped.
#[derive(Debug)]
pub struct Statsd {
    port: u16,
    child: Child,
    flushes: Lines<BufReader<ChildStdout>>,
    _config: tempfile::NamedTempFile,
}

impl Statsd {
    /// Starts a server and waits until it has flushed, and so listens.
    ///
    /// # Panics
    ///
    /// If it cannot be installed or does not start.
    #[must_use]
    pub fn start() -> Statsd {
        let modules = modules();
        let port = port();
        let config = tempfile::Builder::new().suffix(".js").tempfile().expect("a file");
        let print = std::path::absolute(scripts().join("statsd").join("print.js")).expect("a path");
        let settings = serde_json::json!({
            "address": "127.0.0.1", "port": port, "mgmt_address": "127.0.0.1", "mgmt_port": 0,
            "flushInterval": 200, "deleteIdleStats": true, "deleteGauges": false, "backends": [print],
        });
        std::fs::write(config.path(), settings.to_string()).expect("written");
        let mut command = Command::new("node");
        command.arg(scripts().join("statsd").join("serve.js")).arg(&modules).arg(config.path());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot run node: {error}"));
        let stdout = child.stdout.take().expect("stdout was piped above");
        let flushes = BufReader::new(stdout).lines();
        let mut server = Statsd { port, child, flushes, _config: config };
        let _ = server.flush();
        server
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the next flush holds: counters, gauges, timers and what it computed of them.
    ///
    /// # Panics
    ///
    /// If the server has ended.
    pub fn flush(&mut self) -> Value {
        loop {
            let line = self.flushes.next().and_then(Result::ok).expect("the server prints its flushes");
            // It says how it starts, too.
            if let Ok(flush @ Value::Object(_)) = serde_json::from_str(&line) {
                return flush;
            }
        }
    }
}

impl Drop for Statsd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port for datagrams that is free and stays so: one of those that the system picks for nobody. The server takes none
/// of the system's choice, nor one that is kept for it.
fn port() -> u16 {
    let own = 10_000 + (std::process::id() % 20_000) as u16;
    let is_free = |port: &u16| UdpSocket::bind(("127.0.0.1", *port)).is_ok();
    (own..32_000).chain(10_000..own).find(is_free).expect("a free port")
}

/// The folder that the server is installed in.
fn modules() -> PathBuf {
    let (from, rig) = (scripts().join("statsd"), std::path::absolute(target().join("rig")).expect("a path"));
    let there = rig.join("statsd-0.9.0");
    if !there.join("node_modules").exists() {
        std::fs::create_dir_all(&rig).expect("a folder");
        let new = tempfile::tempdir_in(&rig).expect("a folder");
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(from.join(file), new.path().join(file)).expect("copied");
        }
        run(Command::new("npm").current_dir(new.path()).args([
            "ci",
            "--omit=optional",
            "--no-audit",
            "--no-fund",
        ]));
        // Another test process may have been faster: then its folder is there, and this one goes.
        let _ = std::fs::rename(new.path(), &there);
    }
    assert!(Path::new(&there).join("node_modules").exists(), "{}", there.display());
    there
}
