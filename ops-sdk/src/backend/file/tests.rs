//! Lines in files, and what others do to files meanwhile.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::shared::Compression;
use super::super::shared::tests::context;
use super::*;
use crate::clock::Now;
use crate::model::{Body, Level, Log, Metric, Points, RecordId, Resolution, Unit};

/// 2026-11-22T07:24:28Z.
const NOW_S: u64 = 1_795_332_268;

fn net_at(unix_s: u64) -> Net {
    Net::new(Now { unix_ns: unix_s * 1_000_000_000, mono_ns: 1 })
}

fn open(settings: File) -> Box<dyn Backend> {
    Box::new(settings).open(&context(&[])).unwrap()
}

fn batch(lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (place, line) in (0..).zip(lines) {
        batch.push(1, RecordId::default(), place, line.as_bytes());
    }
    batch
}

fn send(backend: &mut dyn Backend, lines: &[&str]) -> Verdict {
    backend.send(&batch(lines), &mut net_at(NOW_S))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// The names of a folder's files.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log").join("ops.jsonl");
    (dir, path)
}

#[test]
fn the_lines_are_as_the_golden_file_has_them() {
    let (_dir, path) = place();
    let mut backend = open(File::new().path(&path));
    let record =
        |seq, body| Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000, body };
    let log = Log {
        level: Level::Warn,
        target: "shop".into(),
        message: "a \"quoted\"\r\nthing\u{0}".into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: vec![("a\nb".into(), crate::model::Value::F64(1.5))],
    };
    let metric = Metric {
        name: "orders".into(),
        unit: Unit::None,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![("Env".into(), "prod\n".into())],
        points: Points::Counter { sum: 7 },
    };
    let mut items = Items::new();
    for (place, record) in (0..).zip([record(1, Body::Log(log)), record(2, Body::Metric(metric))]) {
        items.begin(record.id, record.time_ms(), place);
        backend.encode(&record, &mut items).unwrap();
    }
    assert_eq!(backend.send(&items.into_batch(), &mut net_at(NOW_S)), Verdict::Delivered);
    assert_eq!(text(&path), include_str!("../golden/file.jsonl"));
    assert!(crate::model::Signal::ALL.into_iter().all(|signal| backend.accepts(signal)));
}

#[test]
fn lines_are_appended_and_a_torn_one_is_ended() {
    let (_dir, path) = place();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "others\n{\"torn").unwrap();
    let mut backend = open(File::new().path(&path).sync(true));
    assert_eq!(send(backend.as_mut(), &["a", "b"]), Verdict::Delivered);
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"half").unwrap();
    assert_eq!(send(backend.as_mut(), &["c"]), Verdict::Delivered);
    assert_eq!(text(&path), "others\n{\"torn\na\nb\nhalf\nc\n");
}

#[test]
fn whoever_renames_truncates_or_removes_the_file_is_followed() {
    let (dir, path) = place();
    let mut backend = open(File::new().path(&path));
    let moved = dir.path().join("log").join("ops.jsonl.1");
    send(backend.as_mut(), &["a"]);
    fs::rename(&path, &moved).unwrap();
    send(backend.as_mut(), &["b"]);
    assert_eq!((text(&moved).as_str(), text(&path).as_str()), ("a\n", "b\n"));
    // Created by somebody else meanwhile, as logrotate's `create` does.
    fs::rename(&path, &moved).unwrap();
    fs::write(&path, "").unwrap();
    send(backend.as_mut(), &["c"]);
    assert_eq!((text(&moved).as_str(), text(&path).as_str()), ("b\n", "c\n"));
    // Copied and truncated.
    fs::OpenOptions::new().write(true).truncate(true).open(&path).unwrap();
    send(backend.as_mut(), &["d"]);
    assert_eq!(text(&path), "d\n");
    fs::remove_dir_all(dir.path().join("log")).unwrap();
    send(backend.as_mut(), &["e"]);
    assert_eq!(text(&path), "e\n");
}

#[test]
fn files_are_rotated_compressed_and_kept_as_told() {
    let (dir, path) = place();
    let folder = dir.path().join("log");
    let settings = File::new().path(&path).bytes_max(10).keep_files(3).compression(Compression::Zstd);
    let mut backend = open(settings.rotate(Rotate::Hourly));
    let mut send_at = |unix_s, line: &str| {
        assert_eq!(backend.send(&batch(&[line]), &mut net_at(unix_s)), Verdict::Delivered);
        names(&folder)
    };
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("ops.jsonl.1"), "somebody else's").unwrap();
    assert_eq!(send_at(NOW_S, "1234"), ["ops.jsonl", "ops.jsonl.1"]);
    assert_eq!(send_at(NOW_S, "5678"), ["ops.jsonl", "ops.jsonl.1"]);
    let first = "ops.jsonl.20261122T072428Z";
    assert_eq!(send_at(NOW_S, "90"), ["ops.jsonl", "ops.jsonl.1", first]);
    let (second, packed) = (format!("{first}-1"), format!("{first}.zst"));
    assert_eq!(send_at(NOW_S, "a long one"), ["ops.jsonl", "ops.jsonl.1", &second, &packed]);
    let unpacked = zstd::decode_all(&fs::read(folder.join(&packed)).unwrap()[..]).unwrap();
    assert_eq!(unpacked, b"1234\n5678\n");
    // The next hour; and what a process left behind that was killed while it compressed.
    fs::write(folder.join(format!("{first}-7.zst.part")), "half").unwrap();
    let third = "ops.jsonl.20261122T080000Z";
    assert_eq!(
        send_at(NOW_S - NOW_S % 3600 + 3600, "b"),
        ["ops.jsonl", "ops.jsonl.1", &format!("{second}.zst"), &packed, third]
    );
    assert_eq!(text(&folder.join(third)), "a long one\n");
    let left = send_at(NOW_S + 9_000, "c");
    assert_eq!(left.len(), 5, "three are kept besides the file and somebody else's: {left:?}");
    assert!(!left.contains(&packed));
    assert_eq!(text(&folder.join("ops.jsonl.1")), "somebody else's");
}

#[test]
fn a_rotated_file_is_gzip_that_others_read() {
    let (_dir, path) = place();
    let mut backend = open(File::new().path(&path).bytes_max(1));
    for line in ["a", "b", "c"] {
        send(backend.as_mut(), &[line]);
    }
    let packed = path.with_file_name("ops.jsonl.20261122T072428Z.gz");
    let mut unpacked = String::new();
    let mut reader = flate2::read::GzDecoder::new(fs::File::open(packed).unwrap());
    std::io::Read::read_to_string(&mut reader, &mut unpacked).unwrap();
    assert_eq!(unpacked, "a\n");
}

#[cfg(unix)]
#[test]
fn files_have_their_permissions() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = place();
    let mut backend = open(File::new().path(&path).mode(0o600).bytes_max(1));
    for line in ["a", "b", "c"] {
        send(backend.as_mut(), &[line]);
    }
    for name in names(path.parent().unwrap()) {
        let mode = fs::metadata(path.with_file_name(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_cannot_be_written_waits() {
    let (dir, path) = place();
    let mut backend = open(File::new().path(&path));
    // A folder where the file should be is for an operator; the folder above may come back by itself.
    fs::create_dir_all(&path).unwrap();
    let Verdict::Retry { after, why } = send(backend.as_mut(), &["a"]) else { panic!() };
    assert!(after == Some(Duration::from_secs(60)) && why.contains("ops.jsonl"), "{why}");
    fs::remove_dir(&path).unwrap();
    assert_eq!(send(backend.as_mut(), &["a"]), Verdict::Delivered);
    drop(dir);
}

#[test]
fn what_was_written_of_a_batch_is_delivered() {
    let full = || append::tests::failure(std::io::ErrorKind::StorageFull);
    let lengths = [3_usize, 5, 4];
    for (written, expected) in [
        (0, None),
        (2, None),
        (3, Some(vec![1, 2])),
        (7, Some(vec![1, 2])),
        (8, Some(vec![2])),
        (11, Some(vec![2])),
    ] {
        match (judge(&full(), written, lengths.into_iter()), expected) {
            (Verdict::Retry { after: None, why }, None) => assert!(why.starts_with("cannot open"), "{why}"),
            (Verdict::Partial { failed, .. }, Some(expected)) => assert_eq!(failed, expected),
            (verdict, _) => panic!("{written}: {verdict:?}"),
        }
    }
}

#[test]
fn settings_are_checked_at_open() {
    let told = |settings: File, vars: &[(&str, &str)]| {
        Box::new(settings).open(&context(vars)).map(|_| ()).unwrap_err().to_string()
    };
    let at = || File::new().path("/nowhere/x.jsonl");
    let table: [(File, &[(&str, &str)], &str); 10] = [
        (File::new(), &[], "OPS_FILE_PATH: no file is named"),
        (File::new().path("/"), &[], "OPS_FILE_PATH"),
        (File::new().path("/tmp"), &[], "OPS_FILE_PATH: /tmp is there and is no file"),
        (at(), &[("OPS_FILE_BYTES_MAX", "much")], "OPS_FILE_BYTES_MAX"),
        (at(), &[("OPS_FILE_ROTATE", "weekly")], "OPS_FILE_ROTATE"),
        (at(), &[("OPS_FILE_KEEP_FILES", "-1")], "OPS_FILE_KEEP_FILES"),
        (at(), &[("OPS_FILE_COMPRESSION", "zip")], "OPS_FILE_COMPRESSION"),
        (at(), &[("OPS_FILE_SYNC", "maybe")], "OPS_FILE_SYNC"),
        (at(), &[("OPS_FILE_MODE", "0999")], "OPS_FILE_MODE"),
        (at().mode(0o040), &[], "OPS_FILE_MODE: \"40\""),
    ];
    for (settings, vars, start) in table {
        let error = told(settings, vars);
        assert!(error.starts_with(start), "{error}");
    }
    let vars = [("OPS_FILE_PATH", "/nowhere/x"), ("OPS_FILE_MODE", "0600"), ("OPS_FILE_ROTATE", "daily")];
    assert!(Box::new(File::new()).open(&context(&vars)).is_ok());
}

proptest! {
    #[test]
    fn no_line_is_lost_or_joined_to_another(
        steps in prop::collection::vec((prop::collection::vec("[a-z]{1,12}", 1..5), 0..6_u8, 0..2_000_u64), 1..20),
        bytes_max in 0..60_u64,
    ) {
        let (_dir, path) = place();
        let folder = path.parent().unwrap().to_owned();
        let compression = if bytes_max % 2 == 0 { Compression::Gzip } else { Compression::None };
        let settings = File::new().path(&path).bytes_max(bytes_max).keep_files(0).compression(compression);
        let mut backend = open(settings.rotate(Rotate::Hourly));
        let (mut wanted, mut now_s) = (Vec::new(), NOW_S);
        for (step, (lines, what, later_s)) in steps.iter().enumerate() {
            now_s += later_s;
            let lines: Vec<_> = lines.iter().enumerate().map(|(n, line)| format!("{step}.{n}.{line}")).collect();
            let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
            prop_assert_eq!(backend.send(&batch(&borrowed), &mut net_at(now_s)), Verdict::Delivered);
            wanted.extend(lines);
            match what {
                0 => fs::rename(&path, folder.join(format!("ops.jsonl.{step}"))).unwrap(),
                1 => backend = open(File::new().path(&path).bytes_max(bytes_max).keep_files(0)),
                2 => fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"torn").unwrap(),
                _ => {}
            }
        }
        let mut found = Vec::new();
        for name in names(&folder) {
            let bytes = fs::read(folder.join(&name)).unwrap();
            let mut text = String::new();
            match name.ends_with(".gz") {
                true => { std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut text).unwrap(); }
                false => text = String::from_utf8(bytes).unwrap(),
            }
            found.extend(text.lines().filter(|line| *line != "torn").map(str::to_owned));
        }
        found.sort();
        wanted.sort();
        prop_assert_eq!(found, wanted);
    }
}
