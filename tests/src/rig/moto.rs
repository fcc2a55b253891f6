//! A moto server of one's own, and what it holds as boto3 reads it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use serde::Deserialize;

use super::python::{command, python_lines};

/// A running moto server on 127.0.0.1. Ends when dropped.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    child: Child,
}

/// One event as GetLogEvents returns it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogEvent {
    /// The stream that holds it.
    pub stream: String,
    /// Milliseconds since the Unix epoch.
    #[serde(rename = "timestamp")]
    pub time_ms: u64,
    /// The message.
    pub message: String,
}

/// One log group as DescribeLogGroups returns it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LogGroup {
    /// Its name.
    pub group: String,
    /// Its retention in days; `None` keeps events for ever.
    pub retention_days: Option<u32>,
}

/// The statistics of one metric over all its points. moto keeps one series for a name and its dimensions, whatever
/// the units; CloudWatch keeps one for each unit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct MetricTotal {
    /// The metric's name.
    pub name: String,
    /// Names and values of its dimensions.
    pub dimensions: BTreeMap<String, String>,
    /// Its unit.
    pub unit: String,
    /// `Sum`.
    pub sum: f64,
    /// `SampleCount`.
    pub count: f64,
    /// `Minimum`.
    pub min: f64,
    /// `Maximum`.
    pub max: f64,
}

impl Moto {
    /// Starts a server with nothing in it and waits until it listens.
    ///
    /// # Panics
    ///
    /// If the environment cannot be set up or the server does not start.
    #[must_use]
    pub fn start() -> Moto {
        Moto::start_with(&[])
    }

    /// Starts a server with these variables in its environment: moto's own settings, such as
    /// `INITIAL_NO_AUTH_ACTION_COUNT`, after which many actions it verifies signatures and policies.
    ///
    /// # Panics
    ///
    /// As [`Moto::start`] does.
    #[must_use]
    pub fn start_with(vars: &[(&str, &str)]) -> Moto {
        let mut command = command("serve_moto.py");
        command.envs(vars.iter().copied()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start moto: {error}"));
        let mut moto = Moto { port: 0, child };
        moto.port = moto.read_port();
        moto
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Forgets everything that it was sent.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    pub fn reset(&self) {
        let answer = ureq::post(format!("{}/moto-api/reset", self.url())).send_empty();
        answer.unwrap_or_else(|error| panic!("moto did not reset: {error}"));
    }

    /// Every event of a log group, streams by name, events in the server's order; none if there is no such group.
    ///
    /// # Panics
    ///
    /// If boto3 cannot read them.
    #[must_use]
    pub fn log_events(&self, group: &str) -> Vec<LogEvent> {
        python_lines("logs.py", &[&self.url(), group])
    }

    /// Every log group.
    ///
    /// # Panics
    ///
    /// If boto3 cannot read them.
    #[must_use]
    pub fn log_groups(&self) -> Vec<LogGroup> {
        python_lines("groups.py", &[&self.url()])
    }

    /// Every metric of a namespace with points in the last 14 days, in order of name.
    ///
    /// # Panics
    ///
    /// If boto3 cannot read them.
    #[must_use]
    pub fn metrics(&self, namespace: &str) -> Vec<MetricTotal> {
        python_lines("metrics.py", &[&self.url(), namespace])
    }

    /// The port, which the server prints once it listens.
    fn read_port(&mut self) -> u16 {
        let stdout = self.child.stdout.take().expect("stdout was piped above");
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        line.trim().parse().unwrap_or_else(|_| panic!("moto did not start: {read:?}, it printed {line:?}"))
    }
}

impl Drop for Moto {
    /// Ends this server and no other: the process is this value's own child, not yet waited for.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_apart_and_end_with_their_value() {
        let (one, two) = (Moto::start(), Moto::start());
        assert_ne!((one.port(), one.pid()), (two.port(), two.pid()));
        let (url, process) = (one.url(), format!("/proc/{}", one.pid()));
        drop(one);
        assert!(ureq::get(&url).call().is_err());
        assert!(!std::path::Path::new(&process).exists());
        two.reset();
    }

    #[test]
    fn a_test_that_panics_leaves_no_server() {
        let panicked = std::thread::spawn(|| {
            let moto = Moto::start();
            std::panic::panic_any(moto.pid());
        });
        let pid = panicked.join().expect_err("it panics").downcast::<u32>().expect("with the pid");
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_test_process_that_is_killed_leaves_no_server() {
        // What is left of a killed process is the end of the pipes that it held.
        let mut moto = Moto::start();
        drop(moto.child.stdin.take());
        assert!(moto.child.wait().expect("it is a child").success());
    }

    #[test]
    fn nothing_is_there_before_it_is_sent() {
        let moto = Moto::start();
        assert_eq!(moto.log_events("/nowhere"), []);
        assert_eq!(moto.log_groups(), []);
        assert_eq!(moto.metrics("Nothing"), []);
    }
}
