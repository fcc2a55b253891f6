//! What fails is said, with the path and the remedy, and what was sent is not lost by it.

use std::fs;
use std::sync::Barrier;
use std::thread;

use super::*;

fn why(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Retry { why, .. } => why,
        other => panic!("not a retry: {other:?}"),
    }
}

#[test]
fn a_full_disk_is_worth_another_try_and_nothing_of_the_batch_stays() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    assert_eq!(send(&mut store, &[log(1, "one")]), Verdict::Delivered);
    let limit = |store: &mut Store, pages: i64| {
        let connection = store.connection().ok().unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&mut store, 1); // SQLite takes the present size where the limit is less
    let long = "word ".repeat(100_000);
    let verdict = send(&mut store, &[log(2, "two"), log(3, &long)]);
    assert!(why(&verdict).contains("free space") && why(&verdict).contains("store.db"), "{}", why(&verdict));
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM logs"), 1);
    limit(&mut store, 1 << 30);
    assert_eq!(send(&mut store, &[log(2, "two"), log(3, &long)]), Verdict::Delivered);
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM logs"), 3);
}

#[test]
fn a_store_that_another_holds_is_worth_another_try() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    send(&mut store, &[log(1, "one")]);
    store.connection().ok().unwrap().busy_timeout(Duration::ZERO).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let verdict = send(&mut store, &[log(2, "two")]);
    assert!(why(&verdict).contains("another process is writing"), "{}", why(&verdict));
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(send(&mut store, &[log(2, "two")]), Verdict::Delivered);
}

#[test]
fn a_store_that_was_moved_away_is_begun_anew() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    send(&mut store, &[log(1, "one")]);
    fs::rename(path.parent().unwrap(), path.parent().unwrap().with_extension("old")).unwrap();
    assert_eq!(send(&mut store, &[log(2, "two")]), Verdict::Delivered);
    assert_eq!(read::<String>(&path, "SELECT group_concat(message) FROM logs"), "two");
}

#[test]
fn a_store_that_breaks_is_worth_another_try_once_it_was_moved_away() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    send(&mut store, &[log(1, "one")]);
    drop(store.connection.take());
    fs::write(&path, "not a database, but long enough to be looked at as one".repeat(40)).unwrap();
    let verdict = send(&mut store, &[log(2, "two")]);
    assert!(why(&verdict).contains("move the file away"), "{}", why(&verdict));
    fs::rename(&path, path.with_extension("broken")).unwrap();
    assert_eq!(send(&mut store, &[log(2, "two")]), Verdict::Delivered);
}

/// The message of an error on open.
fn refused(path: &Path) -> String {
    let opened = Box::new(Local::new().path(path)).open(&context(&[]));
    opened.err().map(|error| error.to_string()).expect("opened")
}

#[test]
fn a_newer_store_is_refused_and_left_alone() {
    let (_dir, path) = directory();
    send(&mut store(&path), &[log(1, "one")]);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    let text = refused(&path);
    assert!(text.starts_with("Local::path: ") && text.contains("schema version 3"), "{text}");
    assert!(text.contains("newer version of ops-sdk"), "{text}");
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM logs"), 1);
}

#[test]
fn the_database_of_something_else_is_refused_and_left_alone() {
    let (_dir, path) = directory();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    let text = refused(&path);
    assert!(text.contains("a file of something else"), "{text}");
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM sqlite_schema"), 1);
    assert_eq!(read::<String>(&path, "PRAGMA journal_mode"), "delete");
}

#[test]
fn a_path_that_cannot_be_is_an_error_with_the_setting() {
    let (dir, _) = directory();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    let below = file.join("store.db").display().to_string();
    let table = [
        (below.as_str(), "OPS_LOCAL_PATH: cannot create"),
        (dir.path().to_str().unwrap(), "OPS_LOCAL_PATH: cannot open the store"),
        (file.to_str().unwrap(), "OPS_LOCAL_PATH: "),
    ];
    for (path, start) in table {
        let opened = Box::new(Local::new()).open(&context(&[("OPS_LOCAL_PATH", path)]));
        let text = opened.err().map(|error| error.to_string()).expect(path);
        assert!(text.starts_with(start) && text.contains(path.trim_end_matches("/store.db")), "{text}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "x");
}

#[test]
fn settings_that_mean_nothing_are_refused_with_the_remedy() {
    let table = [
        (
            "OPS_LOCAL_RETAIN_DAYS",
            "a month",
            "OPS_LOCAL_RETAIN_DAYS: \"a month\" is not a whole number; give a number of days",
        ),
        ("OPS_LOCAL_RETAIN_DAYS", "0", "OPS_LOCAL_RETAIN_DAYS: 0 days keep nothing; give at least 1"),
        (
            "OPS_LOCAL_BYTES_MAX",
            "1GB",
            "OPS_LOCAL_BYTES_MAX: \"1GB\" is not a whole number; give a number of bytes",
        ),
        (
            "OPS_LOCAL_BYTES_MAX",
            "9",
            "OPS_LOCAL_BYTES_MAX: 9 bytes do not hold one batch; give at least 1048576 (1 MiB)",
        ),
    ];
    for (name, value, text) in table {
        let opened = Box::new(Local::new()).open(&context(&[(name, value)]));
        assert_eq!(opened.err().map(|error| error.to_string()).as_deref(), Some(text));
    }
}

#[test]
fn the_builder_wins_over_the_environment_and_both_over_the_state_directory() {
    let var = |name: &str| (name == "OPS_LOCAL_PATH").then(|| "env.db".to_owned());
    let none = |_: &str| None;
    let (given, state) = (Some(Path::new("given.db")), Some(Path::new("/state")));
    assert_eq!(locate(given, state, &var).0, Path::new("given.db"));
    assert_eq!(locate(None, state, &var).0, Path::new("env.db"));
    assert_eq!(locate(None, state, &none).0, Path::new("/state/store.db"));
    assert_eq!(locate(None, None, &none).0, Path::new(".ops/store.db"));
    let bounds = |local: Local| {
        local.bounds(&context(&[("OPS_LOCAL_RETAIN_DAYS", "2"), ("OPS_LOCAL_BYTES_MAX", "2000000")])).unwrap()
    };
    let env = bounds(Local::new());
    assert_eq!((env.retain, env.bytes_max), (Duration::from_secs(2 * 86_400), 2_000_000));
    let built = bounds(Local::new().retain(Duration::from_secs(60)).bytes_max(3_000_000));
    assert_eq!((built.retain, built.bytes_max), (Duration::from_secs(60), 3_000_000));
}

#[test]
fn processes_share_a_store_from_its_first_moment_while_others_read() {
    let (_dir, path) = directory();
    let (writers, batches, each) = (4_u64, 20_u64, 25_u64);
    let start = Barrier::new(writers as usize + 1);
    thread::scope(|scope| {
        for writer in 0..writers {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let mut store = store(path);
                for batch in 0..batches {
                    let of = |n| RecordId { process: writer, seq: 1 + batch * each + n };
                    let records: Vec<_> =
                        (0..each).map(|n| Record { id: of(n), ..log(1, "shared") }).collect();
                    while send(&mut store, &records) != Verdict::Delivered {}
                }
            });
        }
        start.wait();
        let mut seen = 0;
        while seen < writers * batches * each {
            let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let Ok(reader) = Connection::open_with_flags(&path, open) else { continue };
            let count = reader.query_row("SELECT count(*) FROM logs", (), |row| row.get::<_, i64>(0));
            let now = count.map_or(seen, i64::unsigned_abs);
            assert!(now >= seen && now.is_multiple_of(each), "a reader saw half a batch: {now} after {seen}");
            seen = now;
        }
    });
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM logs_fts('shared')"), 2_000);
}
