//! What goes in is there, once.

use super::*;
use crate::ledger::Account;
use crate::model::{Audit, Check, CheckStatus, Config};
use std::fs;

#[test]
fn a_log_event_is_a_row_with_its_text_indexed() {
    let (_dir, path) = directory();
    assert_eq!(send(&mut store(&path), &[log(7, "charged 12"), log(8, "refused")]), Verdict::Delivered);
    let row: String = read(
        &path,
        "SELECT time_ns || '|' || level || level_name || '|' || target || '|' || message || '|' || fields || '|' || \
         file || ':' || line || '|' || process || '-' || seq \
         FROM logs JOIN processes ON processes.id = process_id WHERE message = 'charged 12'",
    );
    let fields = r#"{"amount":12,"user":"zoë \"z\""}"#;
    assert_eq!(
        row,
        format!("1795332268000000007|2WARN|shop::cart|charged 12|{fields}|src/cart.rs:10|0000000000c0ffee-7")
    );
    for (words, rows) in [("charged", 1), ("zoe", 2), ("shop", 2), ("charge*", 1), ("absent", 0)] {
        let sql = format!("SELECT count(*) FROM logs_fts WHERE logs_fts MATCH '{words}'");
        assert_eq!(read::<i64>(&path, &sql), rows, "{words}");
    }
    assert_eq!(read::<String>(&path, "SELECT time FROM v_logs LIMIT 1"), "2026-11-22T07:24:28.000Z");
}

#[test]
fn the_three_kinds_of_metric_are_points_of_their_series() {
    let (_dir, path) = directory();
    let gauge = Points::Gauge { last: 2.5, min: -1.0, max: 9.0, sum: 10.5, count: 3 };
    let values = (1..=100).map(f64::from);
    let records = [
        metric(1, "orders", Points::Counter { sum: (1 << 60) + 1 }),
        metric(2, "orders", Points::Counter { sum: 5 }),
        metric(3, "depth", gauge),
        metric(4, "size", histogram(values)),
    ];
    assert_eq!(send(&mut store(&path), &records), Verdict::Delivered);
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM series"), 3);
    let counter = "SELECT sum(sum) || '|' || sum(count) FROM v_points WHERE name = 'orders'";
    assert_eq!(read::<String>(&path, counter), format!("{}|2", (1_u64 << 60) + 6));
    let row = |name: &str| {
        let sql = format!(
            "SELECT concat_ws('|', kind, time, dimensions, window_ms, count, sum, min, max, last, p50, p90, p99, p999) \
             FROM v_points WHERE name = '{name}'"
        );
        read::<String>(&path, &sql)
    };
    let head = r#"2026-11-22T07:24:28.000Z|{"Function":"shop::charge","Service":"checkout"}|60000"#;
    assert_eq!(row("depth"), format!("gauge|{head}|3|10.5|-1|9|2.5"));
    assert_eq!(row("size"), format!("histogram|{head}|100|5050|1|100|50|90|99|100"));
    let blob: Vec<u8> = read(&path, "SELECT buckets FROM points WHERE buckets IS NOT NULL");
    assert_eq!(decode_buckets(&blob).unwrap().iter().map(|(_, n)| n).sum::<u64>(), 100);
}

#[test]
fn a_count_past_sqlites_integers_is_kept_as_a_double() {
    let (_dir, path) = directory();
    send(&mut store(&path), &[metric(1, "orders", Points::Counter { sum: u64::MAX })]);
    assert!((read::<f64>(&path, "SELECT sum FROM points") - 1.844_674_407_370_955e19).abs() < 1e6);
}

#[test]
fn the_other_signals_are_json() {
    let (_dir, path) = directory();
    let audit = Audit {
        actor: "eve".into(),
        action: "order.cancel".into(),
        resource: "order/1".into(),
        outcome: "denied".into(),
        fields: vec![("why".into(), Value::Null), ("nan".into(), Value::F64(f64::NAN))],
    };
    let config = Config {
        resource_type: "queue".into(),
        resource_id: "q1".into(),
        fields: vec![("max".into(), Value::I64(-1))],
    };
    let check = Check {
        name: "db".into(),
        status: CheckStatus::Critical,
        output: "down\n".into(),
        fields: vec![("primary".into(), Value::Bool(true))],
    };
    let bodies = [Body::Audit(audit), Body::Config(config), Body::Check(check)];
    let records: Vec<_> =
        (1..).zip(bodies).map(|(seq, body)| Record { id: id(seq), time_ns: T0_NS, body }).collect();
    assert_eq!(send(&mut store(&path), &records), Verdict::Delivered);
    let body =
        |signal: &str| read::<String>(&path, &format!("SELECT body FROM records WHERE signal = '{signal}'"));
    assert_eq!(
        body("audit"),
        r#"{"actor":"eve","action":"order.cancel","resource":"order/1","outcome":"denied","fields":{"why":null,"nan":"NaN"}}"#
    );
    assert_eq!(body("config"), r#"{"resource_type":"queue","resource_id":"q1","fields":{"max":-1}}"#);
    assert_eq!(
        body("check"),
        r#"{"name":"db","status":"CRITICAL","status_code":2,"output":"down\n","fields":{"primary":true}}"#
    );
}

#[test]
fn sending_again_changes_nothing() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    let first = [log(1, "one"), metric(2, "orders", Points::Counter { sum: 5 })];
    let more = [log(1, "one"), metric(2, "orders", Points::Counter { sum: 5 }), log(3, "three")];
    for records in [&first[..], &first[..], &more[..]] {
        assert_eq!(send(&mut store, records), Verdict::Delivered);
    }
    let counts = "SELECT (SELECT count(*) FROM logs) || '|' || (SELECT count(*) FROM logs_fts('one')) \
                  || '|' || (SELECT count(*) FROM points) || '|' || (SELECT count(*) FROM series)";
    assert_eq!(read::<String>(&path, counts), "2|1|1|1");
}

#[test]
fn the_same_sequence_of_another_process_is_another_record() {
    let (_dir, path) = directory();
    let other = Record { id: RecordId { process: u64::MAX, seq: 1 }, ..log(1, "one") };
    assert_eq!(send(&mut store(&path), &[log(1, "one"), other]), Verdict::Delivered);
    assert_eq!(read::<i64>(&path, "SELECT count(*) FROM logs"), 2);
}

#[test]
fn what_is_not_a_record_is_refused_alone() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    let good = batch(&mut store, &[log(1, "one"), log(2, "two")]);
    let mut mixed = Batch::default();
    for (index, (item, bytes)) in good.iter().enumerate() {
        mixed.push(item.time_ms, item.record, item.place, if index == 0 { b"\xff\xff" } else { bytes });
    }
    let Verdict::Partial { failed, refused } = store.send(&mixed, &mut net(T0_NS, 1)) else { panic!() };
    assert!(failed.is_empty());
    assert_eq!((refused.len(), refused[0].0, refused[0].1.loss), (1, 0, Loss::Refused));
    assert!(refused[0].1.why.contains("not a record"), "{}", refused[0].1.why);
    assert_eq!(read::<String>(&path, "SELECT group_concat(message) FROM logs"), "two");
}

#[test]
fn the_books_are_written_over() {
    let (_dir, path) = directory();
    let mut store = store(&path);
    let account = Account::new("cloudwatch", |signal| signal == Signal::Metric);
    for pending in [4, 1] {
        account.recorded(Signal::Metric, 5);
        account.delivered(Signal::Metric, 6 - pending);
        account.dropped(Signal::Metric, Loss::NotFinite, 1);
        store.books(&[Book { backend: "cloudwatch".into(), rows: account.rows(|_| pending) }]);
    }
    let row = "SELECT concat_ws('|', process, backend, signal, recorded, delivered, pending, dead_lettered, dropped) \
               FROM v_ledger WHERE updated > '2026'";
    assert_eq!(read::<String>(&path, row), r#"0000000000c0ffee|cloudwatch|metric|10|7|1|0|{"not_finite":2}"#);
}

#[test]
fn functions_have_a_view() {
    let (_dir, path) = directory();
    let records = [
        metric(1, "calls", Points::Counter { sum: 10 }),
        metric(2, "calls", Points::Counter { sum: 5 }),
        metric(3, "errors", Points::Counter { sum: 2 }),
        metric(4, "duration", histogram([1.5, 8.25])),
    ];
    send(&mut store(&path), &records);
    let row = "SELECT concat_ws('|', function, calls, errors, total_ms, max_ms) FROM v_functions";
    assert_eq!(read::<String>(&path, row), "shop::charge|15|2|9.75|8.25");
}

#[test]
fn a_store_of_the_first_version_gains_what_it_lacks_and_keeps_what_it_has() {
    let (_dir, path) = directory();
    let exemplar = Some(0xbeef);
    let of = |seq, value| {
        let mut distribution = Distribution { exemplar, ..Distribution::default() };
        distribution.observe(value, 1);
        metric(seq, "duration", Points::Histogram(Distribution { exemplar, ..distribution }))
    };
    send(&mut store(&path), &[of(1, 1.0)]);
    // As the first version had laid it.
    let first = "DROP VIEW v_points; ALTER TABLE points DROP COLUMN exemplar; PRAGMA user_version = 1; \
                 UPDATE meta SET value = '1' WHERE key = 'schema_version'; \
                 CREATE VIEW v_points AS SELECT p.id FROM points p;";
    Connection::open(&path).unwrap().execute_batch(first).unwrap();
    let old = crate::store::Store::open(&path).unwrap();
    assert_eq!(old.metrics().unwrap()[0].exemplar, None);
    assert_eq!(send(&mut store(&path), &[of(2, 2.0)]), Verdict::Delivered);
    let rows = "SELECT group_concat(max || ' ' || coalesce(exemplar, 'none'), ', ') FROM v_points";
    assert_eq!(read::<String>(&path, rows), "1 none, 2 0000000000000000000000000000beef");
    assert_eq!(read::<i64>(&path, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_eq!(read::<String>(&path, "SELECT value FROM meta WHERE key = 'schema_version'"), "2");
    let new = crate::store::Store::open(&path).unwrap();
    assert_eq!(new.metrics().unwrap()[0].exemplar, Some(0xbeef));
}

#[test]
fn the_schema_is_the_one_of_its_version() {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/backend/local/schema.sql")).unwrap();
    let pinned = (SCHEMA_VERSION, crate::crc::crc32(text.as_bytes()));
    assert_eq!(
        pinned,
        (2, 4_042_862_752),
        "schema.sql changed: raise SCHEMA_VERSION and write the step from the version before"
    );
}

#[test]
fn the_file_holds_the_schema_and_tells_whose_it_is() {
    let (_dir, path) = directory();
    send(&mut store(&path), &[log(1, "one")]);
    let laid: String = read(
        &path,
        "SELECT group_concat(sql, ';' || char(10)) FROM sqlite_schema WHERE name NOT LIKE 'logs_fts_%'",
    );
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let schema = words(include_str!("../schema.sql"));
    for statement in laid.split(";\n").filter(|statement| !statement.contains("sqlite_sequence")) {
        assert!(schema.contains(&words(statement)), "{statement}");
    }
    assert_eq!(
        read::<i64>(
            &path,
            "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE '%\\_fts\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'"
        ),
        17
    );
    assert_eq!(read::<String>(&path, "PRAGMA journal_mode"), "wal");
    assert_eq!(read::<i64>(&path, "PRAGMA user_version"), SCHEMA_VERSION);
    assert_eq!(read::<String>(&path, "SELECT value FROM meta WHERE key = 'schema_version'"), "2");
    assert_eq!(read::<String>(&path, "PRAGMA integrity_check"), "ok");
}
