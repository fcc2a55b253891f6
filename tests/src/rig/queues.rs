//! Readers of Firehose, Kinesis and Kafka in an environment of their own, and a Kafka broker of one's own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Runs `script` (a file of `tests/rig`) with these arguments and reads each line of its output as JSON.
///
/// # Panics
///
/// If the environment cannot be set up, the script fails, or a line is not what `T` expects.
#[must_use]
pub fn queue_lines<T: DeserializeOwned>(script: &str, args: &[&str]) -> Vec<T> {
    let mut command = Command::new(interpreter());
    command.arg(scripts().join(script)).args(args);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("AWS_") || name.starts_with("PYTHON") || name.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {script}: {error}"));
    let read = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{script} printed {line:?}: {error}"))
    };
    text(script, &output).lines().map(read).collect()
}

/// The environment's Python, set up by the first call.
fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let mut command = Command::new("python3");
        command.arg(scripts().join("venv.py")).arg(target().join("rig").join("venv-queues"));
        let output = command.arg(scripts().join("requirements-queues.txt")).output();
        let output = output.unwrap_or_else(|error| panic!("the rig needs python3 on the PATH: {error}"));
        PathBuf::from(text("venv.py", &output).trim())
    })
}

fn text(script: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed ({}):\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rig")
}

fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
}

/// A Kafka broker on 127.0.0.1 with nothing in it. Ends when dropped.
#[derive(Debug)]
pub struct Broker {
    told: Told,
    child: Child,
}

#[derive(Debug, Deserialize)]
struct Told {
    plain: u16,
    sasl: u16,
    ca: String,
    pid: i32,
}

/// One message as a consumer reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)] // Kafka's own words
pub struct KafkaMessage {
    pub topic: String,
    pub partition: i32,
    pub offset: u64,
    /// Milliseconds since the Unix epoch.
    pub timestamp: u64,
    pub key: String,
    pub value: String,
    pub headers: Vec<(String, String)>,
}

impl KafkaMessage {
    /// The value of a header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
    }
}

impl Broker {
    /// The password of the user `ops`.
    pub const PASSWORD: &'static str = "hush-hush";

    /// Starts a broker and waits until it listens. The first use on a machine fetches its jars.
    ///
    /// # Panics
    ///
    /// If it does not start.
    #[must_use]
    pub fn start() -> Broker {
        let mut command = Command::new("python3");
        command.arg(scripts().join("kafka_broker.py")).arg(target().join("rig").join("kafka"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start a broker: {error}"));
        let mut line = String::new();
        let stdout = child.stdout.take().expect("stdout was piped above");
        let read = BufReader::new(stdout).read_line(&mut line);
        let told = serde_json::from_str(&line);
        let told = told.unwrap_or_else(|_| panic!("the broker did not start: {read:?}, it printed {line:?}"));
        Broker { told, child }
    }

    /// Where it listens without TLS.
    #[must_use]
    pub fn plain(&self) -> String {
        format!("127.0.0.1:{}", self.told.plain)
    }

    /// Where it listens with TLS, and asks who it is: SCRAM-SHA-512 and PLAIN, user `ops`.
    #[must_use]
    pub fn sasl(&self) -> String {
        format!("127.0.0.1:{}", self.told.sasl)
    }

    /// The file of the authority that its certificate is from.
    #[must_use]
    pub fn ca(&self) -> &str {
        &self.told.ca
    }

    /// The id of the broker's process.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.told.pid
    }

    /// Every message of these topics, partition by partition.
    ///
    /// # Panics
    ///
    /// If they cannot be read.
    #[must_use]
    pub fn messages(&self, topics: &[&str]) -> Vec<KafkaMessage> {
        queue_lines("kafka_topics.py", &[&["read", &self.plain()], topics].concat())
    }

    /// Makes a topic with these partitions that takes no more than so many bytes in a batch.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn create(&self, topic: &str, partitions: usize, bytes_max: usize) {
        let numbers = [partitions.to_string(), bytes_max.to_string()];
        let args = ["create", &self.plain(), topic, &numbers[0], &numbers[1]];
        let _: Vec<KafkaMessage> = queue_lines("kafka_topics.py", &args);
    }
}

impl Drop for Broker {
    /// The end of its input ends it, and with it the broker; a script that was killed would leave its files.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
