//! Reads, hashes and counts the words of every file of a directory tree, on several threads, and shows what an
//! operator wants to know of it afterwards.
//!
//! ```text
//! cargo run --release --example quickstart -- DIR      this repository when no DIR is given
//! ```
//!
//! Recording is one attribute and a few macros; the rest of this file is an ordinary program and its report. With
//! `OPS_BACKENDS=cloudwatch,cloudwatch-logs` (and those features) it ships to CloudWatch instead of the local store.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use ops_sdk::ledger::Book;
use ops_sdk::prelude::*;

#[cfg(feature = "local")]
#[path = "quickstart/report.rs"]
mod report;

const THREADS: usize = 4;
/// Directories that hold what machines wrote.
const SKIPPED: [&str; 3] = [".git", "target", ".ops"];
const LONG: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    let root = std::env::args_os().nth(1).map_or_else(repository, PathBuf::from);
    match run(&root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path) -> Result<(), Box<dyn Error>> {
    let ops = ops_sdk::init().namespace("Quickstart").dimension("Service", "quickstart").start()?;

    let files = walk(root).map_err(|error| format!("cannot list {}: {error}", root.display()))?;
    let totals = read_all(files, root);
    info!("read {files} files", files = totals.files, words = totals.words, bytes = totals.bytes, root = %root.display());

    let flushed = ops.flush(Duration::from_secs(30));
    println!("{}: {totals}\n", root.display());
    #[cfg(feature = "local")]
    report::print()?;
    if !flushed.complete {
        eprintln!("not everything was delivered within 30 s: {flushed}");
    }
    println!("{}", books(ops.stats().books));
    Ok(())
}

/// Every file below a directory. One that cannot be listed is skipped, except the first.
#[instrumented]
fn walk(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if directory == root => return Err(error),
            Err(error) => {
                warn!("cannot list {directory}", directory = %directory.display(), %error);
                continue;
            }
        };
        for entry in entries.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !SKIPPED.iter().any(|name| entry.file_name() == *name) => {
                    pending.push(entry.path());
                }
                Ok(kind) if kind.is_file() => files.push(entry.path()),
                _ => {} // links are not followed
            }
        }
    }
    Ok(files)
}

/// Reads the files on several threads.
fn read_all(files: Vec<PathBuf>, root: &Path) -> Totals {
    let queue = Mutex::new(files);
    let totals = Mutex::new(Totals::default());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(path) = take(&queue) {
                    let outcome = read_one(&path, root);
                    totals.lock().expect("no thread panics with the lock").add(outcome);
                }
            });
        }
    });
    totals.into_inner().expect("no thread panics with the lock")
}

fn take(queue: &Mutex<Vec<PathBuf>>) -> Option<PathBuf> {
    let mut queue = queue.lock().expect("no thread panics with the lock");
    gauge!("queue.length", queue.len());
    queue.pop()
}

/// Reads one file and says how it went.
fn read_one(path: &Path, root: &Path) -> Result<Summary, Box<dyn Error + Send + Sync>> {
    let name = path.strip_prefix(root).unwrap_or(path).display();
    let kind = kind(path);
    let start = Instant::now();
    let outcome = summarise(path);
    let took = start.elapsed();
    counter!("files", 1, "Kind" => kind);
    match &outcome {
        Ok(summary) => {
            histogram!("file.size", summary.bytes, unit = Bytes, "Kind" => kind);
            let ms = took.as_secs_f64() * 1e3;
            info!("read {path}", path = %name, kind, bytes = summary.bytes, words = summary.words, ms);
            debug!("hash of {path}", path = %name, crc32 = %format_args!("{:08x}", summary.hash));
            if took > LONG {
                warn!("{path} took long", path = %name, ms);
            }
        }
        Err(error) => error!("cannot read {path}", path = %name, kind, %error),
    }
    outcome
}

#[instrumented]
fn summarise(path: &Path) -> Result<Summary, Box<dyn Error + Send + Sync>> {
    let bytes = read(path)?;
    let (hash, words) = (hash(&bytes), count_words(&bytes)?);
    Ok(Summary { bytes: bytes.len() as u64, words, hash })
}

#[instrumented]
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    fs::read(path)
}

#[instrumented]
fn hash(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Fails for what is not text.
#[instrumented]
fn count_words(bytes: &[u8]) -> Result<u64, std::str::Utf8Error> {
    Ok(std::str::from_utf8(bytes)?.split_whitespace().count() as u64)
}

/// A few kinds, not one for every extension: each value of a dimension is a series, and costs what a metric costs.
fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or("") {
        "rs" => "rust",
        "c" | "h" | "cpp" | "py" | "js" | "ts" | "go" | "java" | "sh" => "code",
        "md" | "txt" | "html" | "rst" => "text",
        "toml" | "json" | "yml" | "yaml" | "xml" | "lock" => "data",
        _ => "other",
    }
}

struct Summary {
    bytes: u64,
    words: u64,
    hash: u32,
}

/// What the program counts itself, to be held against what was recorded.
#[derive(Default)]
struct Totals {
    files: u64,
    failed: u64,
    bytes: u64,
    words: u64,
}

impl Totals {
    fn add(&mut self, outcome: Result<Summary, Box<dyn Error + Send + Sync>>) {
        self.files += 1;
        match outcome {
            Ok(summary) => {
                self.bytes += summary.bytes;
                self.words += summary.words;
            }
            Err(_) => self.failed += 1,
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Totals { files, failed, bytes, words } = self;
        write!(f, "{files} files, {failed} of them unreadable; {bytes} bytes, {words} words")
    }
}

/// This repository, wherever cargo built it.
fn repository() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().filter(|root| root.is_dir()).map_or_else(|| ".".into(), Path::to_owned)
}

/// The books of all backends as one line.
fn books(books: Vec<Book>) -> String {
    let all = Book { backend: "all".into(), rows: books.into_iter().flat_map(|book| book.rows).collect() };
    format!("books: {all}")
}
