//! The store keeps within its age and its bytes, and deletes the oldest.

use super::*;

fn bounded(path: &Path, retain: Duration, bytes_max: u64) -> Store {
    Store { sweeper: Sweeper::new(Bounds { retain, bytes_max }), ..store(path) }
}

#[test]
fn rows_past_their_age_go_once_a_minute_with_what_hangs_on_them() {
    let (_dir, path) = directory();
    let hour = Duration::from_secs(3600);
    let mut store = bounded(&path, hour, BYTES_MAX_DEFAULT);
    let old = [log(1, "old"), metric(2, "orders", Points::Counter { sum: 1 })];
    assert_eq!(send(&mut store, &old), Verdict::Delivered);
    let later = |after_ns| Record { time_ns: T0_NS + 61 * MINUTE_NS, ..log(3 + after_ns, "new") };
    let left = "SELECT (SELECT count(*) FROM logs) || '|' || (SELECT count(*) FROM points) || '|' \
                || (SELECT count(*) FROM series) || '|' || (SELECT count(*) FROM logs_fts('old'))";
    for (mono_ns, expected) in [(2, "2|1|1|1"), (2 + MINUTE_NS, "2|0|0|0")] {
        let batch = batch(&mut store, &[later(mono_ns)]);
        store.send(&batch, &mut net(T0_NS + 61 * MINUTE_NS, mono_ns));
        assert_eq!(read::<String>(&path, left), expected);
    }
}

#[test]
fn over_the_bound_the_oldest_go() {
    let (_dir, path) = directory();
    let bytes_max = 4 << 20;
    let mut store = bounded(&path, RETAIN_DEFAULT, bytes_max);
    let text = "the quick brown fox jumps over the lazy dog ".repeat(5);
    let batches = 30;
    for number in 0..batches {
        let records: Vec<_> = (0..1_000).map(|n| log(1 + number * 1_000 + n, &text)).collect();
        let batch = batch(&mut store, &records);
        let verdict = store.send(&batch, &mut net(T0_NS, number * 2 * MINUTE_NS));
        assert_eq!(verdict, Verdict::Delivered);
    }
    let connection = store.connection().ok().unwrap();
    let used = retain::used_bytes(connection).unwrap();
    let number = |sql: &str| read::<i64>(&path, sql).unsigned_abs();
    let kept = number("SELECT count(*) FROM logs");
    let newest = number("SELECT max(seq) FROM logs");
    let oldest = number("SELECT min(seq) FROM logs");
    assert!(used < bytes_max * 2, "{used} bytes in use");
    assert!(
        kept >= 1_000 && newest == batches * 1_000 && oldest == newest - kept + 1,
        "{oldest}..{newest}: {kept}"
    );
    assert_eq!(number("SELECT count(*) FROM logs_fts('fox')"), kept);
    connection.execute_batch("INSERT INTO logs_fts (logs_fts, rank) VALUES ('integrity-check', 1)").unwrap();
}

#[test]
fn ids_never_come_again() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    send(&mut store, &[log(1, "one"), log(2, "two")]);
    store.connection().ok().unwrap().execute("DELETE FROM logs", ()).unwrap();
    send(&mut store, &[log(3, "three")]);
    assert_eq!(read::<i64>(&path, "SELECT id FROM logs"), 3);
}
