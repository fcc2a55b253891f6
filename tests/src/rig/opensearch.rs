//! An OpenSearch node of one's own, from its jars, and what it holds as opensearch-py reads it.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use super::python::{scripts, target};

/// A running node on 127.0.0.1. Ends when dropped, or with the process.
#[derive(Debug)]
pub struct OpenSearch {
    port: u16,
    child: Child,
    /// What it stores, gone with it.
    _home: tempfile::TempDir,
}

impl OpenSearch {
    /// Starts a node with nothing in it and waits until it answers: some ten seconds.
    ///
    /// # Panics
    ///
    /// If its jars cannot be set up or it does not start.
    #[must_use]
    pub fn start() -> OpenSearch {
        let home = tempfile::tempdir().expect("a folder");
        let place = jars();
        let mut command = Command::new("java");
        command
            .args([
                "-Xms512m",
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                &format!("{place}/*:{place}"),
                "Serve",
            ])
            .arg(home.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start java: {error}"));
        let mut node = OpenSearch { port: 0, child, _home: home };
        node.port = node.read_port();
        node
    }

    /// Whether this machine was found to lack what it takes (`tests/run` then sets `OPS_WITHOUT_MAVEN`).
    #[must_use]
    pub fn is_lacking() -> bool {
        std::env::var_os("OPS_WITHOUT_MAVEN").is_some()
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Every document of these streams or indices that a query of the search bar finds, in order of time and id.
    ///
    /// # Panics
    ///
    /// If they cannot be read.
    #[must_use]
    pub fn documents(&self, target: &str, query: &str) -> Vec<Value> {
        self.read(&["documents", target, query])
    }

    /// What else `tests/rig/opensearch.py` reads.
    ///
    /// # Panics
    ///
    /// If it cannot be read.
    #[must_use]
    pub fn read(&self, args: &[&str]) -> Vec<Value> {
        let mut command = Command::new(interpreter());
        command.arg(scripts().join("opensearch.py")).arg(self.url()).args(args);
        let text = text("opensearch.py", command.env_remove("PYTHONPATH").output());
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The port, which the node prints once it listens, perhaps behind what its libraries print.
    fn read_port(&mut self) -> u16 {
        let stdout = self.child.stdout.take().expect("stdout was piped above");
        let mut said = String::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Ok(port) = line.trim().parse() {
                return port;
            }
            said.push_str(&line);
        }
        panic!("OpenSearch did not start; it printed {said:?}")
    }
}

impl Drop for OpenSearch {
    /// Ends this node and no other: the process is this value's own child, not yet waited for.
    fn drop(&mut self) {
        drop(self.child.stdin.take().map(|mut pipe| pipe.flush()));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the node's jars are; set up on first use.
fn jars() -> &'static str {
    static PLACE: OnceLock<String> = OnceLock::new();
    PLACE.get_or_init(|| {
        let mut command = Command::new("python3");
        command
            .arg(scripts().join("jars.py"))
            .arg(target().join("rig/opensearch"))
            .arg(scripts().join("opensearch"));
        text("jars.py", command.output()).trim().to_owned()
    })
}

/// A Python with opensearch-py; set up on first use.
fn interpreter() -> &'static PathBuf {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let mut command = Command::new("python3");
        command.arg(scripts().join("venv.py")).arg(target().join("rig/venv-opensearch"));
        command.arg(scripts().join("requirements-opensearch.txt"));
        PathBuf::from(text("venv.py", command.output()).trim())
    })
}

/// Standard output of a process that succeeded.
fn text(script: &str, output: std::io::Result<Output>) -> String {
    let output = output.unwrap_or_else(|error| panic!("cannot run {script}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed ({}):\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
