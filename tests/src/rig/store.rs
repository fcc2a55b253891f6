//! S3 as the tests have it: moto, which forgives much, and s3s-fs, which checks signatures, digests and conditions; and
//! what is in a bucket, as boto3 or the file system reads it.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::Value;

use super::Moto;
use super::python::{scripts, target, text};
use super::{Port, python, python_lines};
use crate::wait_until;

/// The keys that s3s-fs knows.
pub const S3S_KEYS: (&str, &str) = ("AKIDS3S", "a-secret-of-s3s");

/// One object of a bucket.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// `Content-Type`.
    pub content_type: String,
    /// The storage class; empty for the standard one.
    pub storage_class: String,
    /// Its own metadata.
    pub metadata: BTreeMap<String, String>,
    /// In base64, as it is stored.
    body: String,
}

impl Object {
    /// Its lines as JSON, decompressed as its name says.
    ///
    /// # Panics
    ///
    /// If it is not what its name says, or a line is not JSON.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        lines(&self.key, &base64(&self.body))
    }
}

impl Moto {
    /// Makes a bucket.
    ///
    /// # Panics
    ///
    /// If boto3 cannot make it.
    pub fn make_bucket(&self, bucket: &str) {
        let _ = python("objects.py", &[&self.url(), bucket, "create"]);
    }

    /// Every object of a bucket, in order of key.
    ///
    /// # Panics
    ///
    /// If boto3 cannot read them.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<Object> {
        python_lines("objects.py", &[&self.url(), bucket])
    }
}

/// A running s3s-fs on 127.0.0.1. Ends when dropped.
#[derive(Debug)]
pub struct S3s {
    child: Child,
    port: Port,
    root: PathBuf,
}

impl S3s {
    /// Starts one that keeps its buckets, of which there is this one, in a folder.
    ///
    /// # Panics
    ///
    /// If it cannot be built or does not start.
    #[must_use]
    pub fn start(root: &Path, bucket: &str) -> S3s {
        std::fs::create_dir_all(root.join(bucket)).expect("a folder");
        let kept = Port::keep();
        let mut command = Command::new(program());
        command.args(["--host", "127.0.0.1", "--port", &kept.number().to_string()]);
        command.args(["--access-key", S3S_KEYS.0, "--secret-key", S3S_KEYS.1]).arg(root);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start s3s-fs: {error}"));
        let server = S3s { child, port: kept, root: root.to_owned() };
        wait_until("s3s-fs listens", || TcpStream::connect(server.port.address()).is_ok());
        server
    }

    /// Its address: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// The keys of a bucket and the lines of their objects, as they lie in its folder.
    ///
    /// # Panics
    ///
    /// As [`Object::lines`] does.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<(String, Vec<Value>)> {
        let (root, mut found) = (self.root.join(bucket), Vec::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in
                std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path())
            {
                if entry.is_dir() {
                    folders.push(entry);
                } else {
                    let key = entry.strip_prefix(&root).expect("within").to_string_lossy().into_owned();
                    let lines = lines(&key, &std::fs::read(&entry).expect("a file"));
                    found.push((key, lines));
                }
            }
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }
}

impl Drop for S3s {
    /// Ends this server and no other: the process is this value's own child, not yet waited for.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program, built on first use.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = target().join("rig").join("s3s");
        let output = Command::new("python3").arg(scripts().join("s3s.py")).arg(folder).output();
        let output = output.unwrap_or_else(|error| panic!("the rig needs python3 on the PATH: {error}"));
        PathBuf::from(text("s3s.py", &output).trim())
    })
}

fn lines(key: &str, body: &[u8]) -> Vec<Value> {
    let mut plain = Vec::new();
    let read = if key.ends_with(".gz") {
        MultiGzDecoder::new(body).read_to_end(&mut plain).map(|_| ())
    } else if key.ends_with(".zst") {
        zstd::Decoder::new(body).and_then(|mut decoder| decoder.read_to_end(&mut plain)).map(|_| ())
    } else {
        plain.extend_from_slice(body);
        Ok(())
    };
    read.unwrap_or_else(|error| panic!("{key}: {error}"));
    let json = |line: &[u8]| serde_json::from_slice(line).unwrap_or_else(|error| panic!("{key}: {error}"));
    plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(json).collect()
}

/// The bytes that a text in base64 stands for.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut values = [0; 256];
    (0u8..).zip(ALPHABET).for_each(|(value, digit)| values[usize::from(*digit)] = value);
    let digits = text.trim_end_matches('=').as_bytes();
    let four = |digits: &[u8]| {
        let bits =
            digits.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(values[usize::from(*digit)]));
        let missing = 4 - digits.len();
        let [_, bytes @ ..] = (bits << (6 * missing)).to_be_bytes();
        bytes.into_iter().take(3 - missing).collect::<Vec<_>>()
    };
    digits.chunks(4).flat_map(four).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read() {
        for (text, bytes) in [("", ""), ("YQ==", "a"), ("YWI=", "ab"), ("YWJj", "abc"), ("YWJjZA==", "abcd")]
        {
            assert_eq!(base64(text), bytes.as_bytes());
        }
    }
}
