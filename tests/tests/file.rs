//! Lines in files, end to end: as a program writes them, under the real logrotate, and on a disk that is full.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Stats};
use ops_tests::{SOON, assert_balanced, turn, wait_until};
use serde_json::Value;

fn init(vars: &[(&'static str, String)]) -> Builder {
    let vars = vars.to_vec();
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    ops_sdk::init().environment(var).linger(Duration::from_millis(1))
}

fn vars(path: &Path) -> Vec<(&'static str, String)> {
    vec![("OPS_BACKENDS", "file".to_owned()), ("OPS_FILE_PATH", path.display().to_string())]
}

/// The files of a folder, decompressed, by name.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().expect("a name");
        let (bytes, mut text) = (fs::read(entry.path()).expect("a file"), String::new());
        let read = match name.rsplit_once('.') {
            Some((_, "gz")) => MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).map(|_| ()),
            Some((_, "zst")) => {
                zstd::Decoder::new(&bytes[..]).and_then(|mut file| file.read_to_string(&mut text)).map(|_| ())
            }
            _ => (&bytes[..]).read_to_string(&mut text).map(|_| ()),
        };
        read.unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, text)
    };
    fs::read_dir(folder).expect("a folder").map(|entry| read(entry.expect("an entry"))).collect()
}

/// Every line of a folder as JSON.
fn lines(folder: &Path) -> Vec<Value> {
    let json = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
    files(folder).values().flat_map(|text| text.lines().map(json).collect::<Vec<Value>>()).collect()
}

/// The numbers of the events in a folder, in order.
fn numbers(folder: &Path) -> Vec<u64> {
    let mut numbers: Vec<u64> = lines(folder).iter().filter_map(|line| line["n"].as_u64()).collect();
    numbers.sort_unstable();
    numbers
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("log").join("ops.jsonl");
    (dir, path)
}

#[test]
fn what_is_recorded_is_in_the_file_and_in_those_that_it_was_rotated_to() {
    let _turn = turn();
    for compression in ["gzip", "zstd", "none"] {
        let (_dir, path) = place();
        let mut vars = vars(&path);
        vars.extend([
            ("OPS_FILE_BYTES_MAX", "20000".to_owned()),
            ("OPS_FILE_COMPRESSION", compression.to_owned()),
            ("OPS_FILE_SYNC", "1".to_owned()),
            ("OPS_FILE_KEEP_FILES", "0".to_owned()),
        ]);
        let ops = init(&vars).start().expect("recording starts");
        for n in 0..1_000u64 {
            info!("event \"{n}\"\n", n);
            counter!("orders", 2, "Region" => "eu");
            if n % 100 == 99 {
                assert!(ops.flush(SOON).complete);
            }
        }
        assert!(ops.flush(SOON).complete);
        assert_balanced(&ops.stats());
        drop(ops);
        let folder = path.parent().expect("a folder");
        assert_eq!(numbers(folder), (0..1_000).collect::<Vec<_>>());
        let metrics: f64 = lines(folder).iter().filter_map(|line| line["sum"].as_f64()).sum();
        assert_eq!(metrics, 2_000.0);
        let names: Vec<_> = files(folder).into_keys().collect();
        assert!(names.len() > 5, "it was rotated: {names:?}");
        let plain = names.iter().filter(|name| !name.ends_with(".gz") && !name.ends_with(".zst")).count();
        assert_eq!(plain, if compression == "none" { names.len() } else { 2 }, "{names:?}");
    }
}

/// Has the real logrotate rotate now, with these lines in its configuration.
fn logrotate(dir: &Path, path: &Path, how: &str) {
    let config = dir.join("logrotate.conf");
    let text = format!("\"{}\" {{\n rotate 50\n missingok\n{how}\n}}\n", path.display());
    fs::write(&config, text).expect("written");
    let mut command = Command::new("logrotate");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")); // where it is, for whoever is not root
    command.arg("--force").arg("--state").arg(dir.join("state")).arg(&config);
    let output = command.output().expect("logrotate runs: install it, or set OPS_WITHOUT_LOGROTATE");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn rotated_by_logrotate(how: &str) {
    let _turn = turn();
    let (dir, path) = place();
    let ops = init(&[vars(&path), vec![("OPS_FILE_BYTES_MAX", "0".to_owned())]].concat())
        .start()
        .expect("it starts");
    for n in 0..500u64 {
        info!("event", n);
        if n % 100 == 99 {
            assert!(ops.flush(SOON).complete);
            logrotate(dir.path(), &path, how);
        }
    }
    info!("last", n = 500);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    let folder = path.parent().expect("a folder");
    assert_eq!(numbers(folder), (0..=500).collect::<Vec<_>>(), "{:?}", files(folder).keys());
    assert_eq!(files(folder).len(), 6);
}

/// Whether this machine is without logrotate, as `tests/run` says.
fn is_without() -> bool {
    let is_without = std::env::var_os("OPS_WITHOUT_LOGROTATE").is_some();
    if is_without {
        println!("not tried: there is no logrotate here");
    }
    is_without
}

#[test]
fn logrotate_may_rename_and_create() {
    if !is_without() {
        rotated_by_logrotate(" create 0640\n compress\n delaycompress");
    }
}

#[test]
fn logrotate_may_rename_alone() {
    if !is_without() {
        rotated_by_logrotate(" nocreate");
    }
}

#[test]
fn logrotate_may_copy_and_truncate() {
    if !is_without() {
        rotated_by_logrotate(" copytruncate");
    }
}

#[test]
fn a_line_that_a_killed_process_tore_joins_no_other() {
    let (dir, path) = place();
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    program.args(["work", "0"]).env("OPS_STATE_DIR", dir.path().join("state")).envs(vars(&path));
    let mut child = program.stdout(Stdio::null()).spawn().expect("it starts");
    wait_until("it writes", || fs::metadata(&path).map_or(0, |file| file.len()) >= 10_000);
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    // A kill ends no write in the middle; a machine that goes down does.
    let whole = fs::read(&path).expect("a file");
    fs::write(&path, &whole[..whole.len() - 20]).expect("torn");
    let mut next = Command::new(env!("CARGO_BIN_EXE_program"));
    next.args(["command", "900000", "3"]).env("OPS_STATE_DIR", dir.path().join("state")).envs(vars(&path));
    next.env("OPS_SHUTDOWN_DEADLINE_MS", SOON.as_millis().to_string());
    assert!(next.status().expect("it runs").success());
    let text = fs::read_to_string(&path).expect("a file");
    let torn: Vec<_> = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).collect();
    assert_eq!(torn.len(), 1, "{torn:?}");
    let after: Vec<_> = text.lines().filter(|line| line.contains("\"event 90000")).collect();
    assert_eq!(after.len(), 3);
    assert!(after.iter().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

#[test]
fn a_full_disk_is_waited_out() {
    let _turn = turn();
    let (dir, path) = place();
    let Ok(disk) = small_disk(&path) else {
        println!("not tried: a disk of its own needs root");
        return;
    };
    let filler = path.with_file_name("filler");
    fs::write(&filler, vec![b'x'; 600 << 10]).expect("there is room for that");
    let ops = init(&vars(&path)).state_dir(dir.path().join("state")).start().expect("recording starts");
    let text = "x".repeat(400); // a line has it twice: in its message and as a field
    for n in 0..600u64 {
        info!("event {text}", n);
    }
    let ends_torn = || fs::read(&path).is_ok_and(|text| text.last().is_some_and(|byte| *byte != b'\n'));
    wait_until("there is no room for a whole line", || {
        let _ = ops.flush(Duration::from_millis(100));
        ends_torn()
    });
    let report = ops.flush(Duration::from_millis(100));
    assert!(!report.complete, "there is no room for all of it: {report:?}");
    assert!(pending(&ops.stats()) > 0);
    fs::remove_file(&filler).expect("removed");
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    let text = fs::read_to_string(&path).expect("a file");
    let good = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut found: Vec<u64> = good.filter_map(|line| line["n"].as_u64()).collect();
    let torn = text.lines().filter(|line| serde_json::from_str::<Value>(line).is_err()).count();
    found.sort_unstable();
    assert_eq!(found, (0..600).collect::<Vec<_>>(), "each line once, those that were whole before, too");
    assert!(torn >= 1, "a line was torn, and ended");
    drop(disk);
}

fn pending(stats: &Stats) -> u64 {
    stats.books[0].rows.iter().map(|row| row.pending).sum()
}

/// A file system of 1 MiB, gone when dropped.
struct Disk(PathBuf);

fn small_disk(path: &Path) -> rustix::io::Result<Disk> {
    let folder = path.parent().expect("a folder");
    fs::create_dir_all(folder).expect("a folder");
    let flags = rustix::mount::MountFlags::empty();
    let options = std::ffi::CString::new("size=1m").expect("no NUL");
    rustix::mount::mount("tmpfs", folder, "tmpfs", flags, Some(options.as_c_str()))?;
    Ok(Disk(folder.to_owned()))
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
