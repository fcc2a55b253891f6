//! A receiver of webhooks in Python, which verifies signatures with Python's own `hmac`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use super::Ca;

/// A running receiver on 127.0.0.1. Ends when dropped.
#[derive(Debug)]
pub struct Receiver {
    /// Without TLS, and with it if it has that.
    ports: Vec<u16>,
    child: Child,
}

/// One request whose signature was right.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Received {
    /// Its idempotency key.
    pub key: String,
    /// Whether there was one of this key before.
    pub repeated: bool,
    /// Its method.
    pub method: String,
    /// Its body.
    pub body: Value,
}

impl Receiver {
    /// Starts a receiver that knows this secret.
    ///
    /// # Panics
    ///
    /// If there is no `python3`, or it does not start.
    #[must_use]
    pub fn start(secret: &str) -> Receiver {
        Receiver::start_with(secret, &[])
    }

    /// Starts one that also speaks TLS, with the certificate of 127.0.0.1 and to clients of the authority.
    ///
    /// # Panics
    ///
    /// If there is no `python3`, or it does not start.
    #[must_use]
    pub fn start_tls(secret: &str, ca: &Ca) -> Receiver {
        ca.sign("127.0.0.1");
        Receiver::start_with(secret, &["ca.pem", "127.0.0.1.pem", "127.0.0.1.key"].map(|file| ca.path(file)))
    }

    fn start_with(secret: &str, files: &[PathBuf]) -> Receiver {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rig/serve_webhook.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(secret).args(files).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start python3: {error}"));
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it says its ports");
        let port = |word: &str| word.parse().unwrap_or_else(|_| panic!("no ports: {line:?}"));
        Receiver { ports: line.split_whitespace().map(port).collect(), child }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Its address with TLS.
    ///
    /// # Panics
    ///
    /// If it was started without.
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[1])
    }

    /// What it received, in order.
    ///
    /// # Panics
    ///
    /// If it does not answer.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        let mut answer = ureq::get(format!("{}/received", self.url())).call().expect("it answers");
        let text = answer.body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.child.stdin.take()); // it ends when its input does
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
