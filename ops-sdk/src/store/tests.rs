//! The read side over stores that the backend wrote.

use proptest::prelude::*;

use super::seed::{Seed, T0_MS, observed};
use super::*;
use crate::ledger::{Book, Loss, Row};
use crate::model::{Distribution, Level, Points, Value};

#[test]
fn a_function_is_its_three_metrics_over_all_windows() {
    let mut seed = Seed::new();
    for minute in 0..3 {
        seed.metric(minute, "calls", ("Function", "shop::charge"), Points::Counter { sum: 100 });
        let few: Vec<f64> = (1..=100).map(|n| f64::from(n) + 100.0 * minute as f64).collect();
        seed.metric(minute, "duration", ("Function", "shop::charge"), Points::Histogram(observed(&few)));
    }
    seed.metric(2, "errors", ("Function", "shop::charge"), Points::Counter { sum: 7 });
    seed.metric(2, "calls", ("Function", "shop::refund"), Points::Counter { sum: 1 });
    seed.metric(2, "calls", ("Region", "eu"), Points::Counter { sum: 9 });
    let functions = seed.open().functions().unwrap();
    let names: Vec<_> = functions.iter().map(|f| (f.function.as_str(), f.calls, f.errors)).collect();
    assert_eq!(names, [("shop::charge", 300, 7), ("shop::refund", 1, 0)]);
    let charge = &functions[0];
    assert!((charge.p50_ms - 150.0).abs() <= 1.5, "{}", charge.p50_ms);
    assert!((charge.p99_ms - 297.0).abs() <= 2.97, "{}", charge.p99_ms);
    assert!((charge.total_ms - 45_150.0).abs() < 1e-6, "{}", charge.total_ms);
    let late = seed.open().functions_since(T0_MS + 120_000).unwrap();
    assert_eq!((late[0].calls, late[0].errors), (100, 7));
}

#[test]
fn a_series_is_folded_over_its_windows() {
    let mut seed = Seed::new();
    let gauge = |last, min, max| Points::Gauge { last, min, max, sum: min + max, count: 2 };
    seed.metric(1, "depth", ("Queue", "q"), gauge(3.0, 1.0, 3.0));
    seed.metric(0, "depth", ("Queue", "q"), gauge(9.0, -2.0, 9.0));
    let metrics = seed.open().metrics().unwrap();
    let expected = SeriesStats {
        name: "depth".into(),
        unit: "Count".into(),
        kind: SeriesKind::Gauge,
        dimensions: vec![("Queue".into(), "q".into()), ("Service".into(), "s".into())],
        count: 4,
        sum: 11.0,
        min: -2.0,
        max: 9.0,
        last: Some(3.0),
        p50: None,
        p99: None,
        exemplar: None,
        last_window_ms: T0_MS + 60_000,
    };
    assert_eq!(metrics, [expected]);
}

#[test]
fn the_exemplar_is_that_of_the_largest_of_all_windows() {
    let mut seed = Seed::new();
    for (window, value, exemplar) in [(0, 2.0, Some(7)), (1, 9.0, Some(8)), (2, 3.0, None)] {
        let of = |name| (name, Points::Histogram(Distribution { exemplar, ..observed(&[1.0, value]) }));
        for (name, points) in [of("size"), of("duration")] {
            seed.metric(window, name, ("Function", "f"), points);
        }
    }
    let (functions, metrics) = (seed.open().functions().unwrap(), seed.open().metrics().unwrap());
    assert_eq!((functions[0].exemplar, functions[0].max_ms), (Some(8), 9.0));
    assert_eq!(metrics.iter().map(|series| series.exemplar).collect::<Vec<_>>(), [Some(8), Some(8)]);
    let late = seed.open().functions_since(T0_MS + 120_000).unwrap();
    assert_eq!(late[0].exemplar, None);
}

#[test]
fn logs_are_found_by_level_target_time_and_words() {
    let mut seed = Seed::new();
    seed.log(T0_MS + 30, Level::Info, "shop::cart", "charged 12 euros");
    seed.log(T0_MS + 10, Level::Error, "shop::cart", "Payment refused: no reply");
    seed.log(T0_MS + 20, Level::Debug, "http", "reply after 3 tries");
    let store = seed.open();
    let find = |query: LogQuery| -> Vec<String> {
        store.logs(&query).unwrap().into_iter().map(|row| row.message.chars().take(7).collect()).collect()
    };
    let all = LogQuery::default();
    assert_eq!(find(all.clone()), ["Payment", "reply a", "charged"]);
    assert_eq!(find(LogQuery { limit: 2, ..all.clone() }), ["reply a", "charged"]);
    assert_eq!(find(LogQuery { level_at_most: Some(Level::Info), ..all.clone() }), ["Payment", "charged"]);
    assert_eq!(find(LogQuery { target_prefix: Some("shop".into()), ..all.clone() }), ["Payment", "charged"]);
    let at = |ms: u64| Some((T0_MS + ms) * 1_000_000);
    assert_eq!(find(LogQuery { since_ns: at(20), ..all.clone() }), ["reply a", "charged"]);
    assert_eq!(find(LogQuery { until_ns: at(20), ..all.clone() }), ["Payment"]);
    assert_eq!(find(LogQuery { after_rowid: Some(0), ..all.clone() }), ["charged", "Payment", "reply a"]);
    assert_eq!(find(LogQuery { after_rowid: Some(1), limit: 1, ..all.clone() }), ["Payment"]);
    let words = |text: &str| find(LogQuery { search: Some(text.into()), ..all.clone() });
    assert_eq!(words("reply"), ["Payment", "reply a"]);
    assert_eq!(words("REFUSED reply"), ["Payment"]);
    assert_eq!(words("\"no reply\""), ["Payment"]);
    assert_eq!(words("zoe charg*"), ["charged"]);
    assert_eq!(words("\"); DROP TABLE logs; --"), [""; 0]);
    assert_eq!(words("--"), [""; 0]);
    assert_eq!(store.log_levels().unwrap(), [(Level::Error, 1), (Level::Info, 1), (Level::Debug, 1)]);
    assert_eq!(store.log_levels_since((T0_MS + 30) * 1_000_000).unwrap(), [(Level::Info, 1)]);
}

#[test]
fn fields_come_back_typed_and_in_order() {
    let mut seed = Seed::new();
    seed.log(T0_MS, Level::Info, "shop", "charged");
    let row = seed.open().logs(&LogQuery::default()).unwrap().remove(0);
    let fields: Vec<_> = row.fields.iter().map(|(name, value)| (name.as_ref(), value.clone())).collect();
    let expected = [
        ("ms", Value::F64(1.5)),
        ("attempt", Value::U64(3)),
        ("delta", Value::I64(-3)),
        ("ok", Value::Bool(false)),
        ("none", Value::Null),
        ("path", Value::Str("src/zoë.rs".into())),
    ];
    assert_eq!(fields, expected);
    assert_eq!((row.number("ms"), row.number("delta"), row.number("path")), (Some(1.5), Some(-3.0), None));
    assert_eq!((row.file.as_str(), row.line, row.record_id.as_str()), ("a.rs", 7, "0000000000c0ffee-1"));
}

#[test]
fn the_ledger_is_read_back() {
    let mut seed = Seed::new();
    let row = Row {
        signal: Signal::Log,
        recorded: 10,
        delivered: 6,
        pending: 1,
        dead_lettered: 1,
        dropped: vec![(Loss::RingFull, 2), (Loss::RateLimited, 5)],
    };
    seed.backend.books(&[Book { backend: "emf".into(), rows: vec![row] }]);
    let rows = seed.open().ledger().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].backend.as_str(), rows[0].signal, rows[0].recorded), ("emf", Signal::Log, 10));
    assert_eq!(rows[0].dropped, [("rate_limited".to_owned(), 5), ("ring_full".to_owned(), 2)]);
    assert_eq!((rows[0].dropped_total(), rows[0].withheld_total()), (2, 5));
    assert!(rows[0].updated_ms > 1_700_000_000_000);
}

#[test]
fn the_last_process_can_be_told_from_those_before() {
    let mut seed = Seed::new();
    for (process, sum) in [(7, 100), (8, 1)] {
        seed.process = process;
        seed.metric(0, "calls", ("Function", "shop::charge"), Points::Counter { sum });
        seed.log(T0_MS, if process == 7 { Level::Warn } else { Level::Info }, "shop", "charged");
    }
    let (all, last) = (seed.open(), seed.open().last_process().unwrap());
    assert_eq!((all.functions().unwrap()[0].calls, last.functions().unwrap()[0].calls), (101, 1));
    assert_eq!((all.metrics().unwrap()[0].sum, last.metrics().unwrap()[0].sum), (101.0, 1.0));
    let ids = |store: &Store| store.logs(&LogQuery::default()).unwrap().len();
    assert_eq!((ids(&all), ids(&last)), (2, 1));
    assert_eq!(all.log_levels().unwrap(), [(Level::Warn, 1), (Level::Info, 1)]);
    assert_eq!(last.log_levels().unwrap(), [(Level::Info, 1)]);
    assert!(Seed::new().open().last_process().unwrap().functions().unwrap().is_empty());
}

#[test]
fn what_is_not_a_store_is_said_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let text = |name: &str| Store::open(dir.path().join(name)).unwrap_err().to_string();
    let absent = text("absent.db");
    assert!(absent.contains("cannot open the store") && absent.contains("OPS_STATE_DIR"), "{absent}");
    std::fs::write(dir.path().join("short.db"), "x").unwrap();
    assert!(text("short.db").contains("file of something else"), "{}", text("short.db"));
    std::fs::write(dir.path().join("long.db"), "x".repeat(5_000)).unwrap();
    assert!(text("long.db").contains("give the path of a store"), "{}", text("long.db"));
    assert!(!dir.path().join("absent.db").exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn percentiles_over_windows_are_those_of_all_values(
        windows in prop::collection::vec(prop::collection::vec(1e-3..1e5_f64, 1..40), 1..6),
    ) {
        let mut seed = Seed::new();
        for (minute, values) in (0..).zip(&windows) {
            seed.metric(minute, "size", ("Kind", "k"), Points::Histogram(observed(values)));
        }
        let mut all = windows.concat();
        all.sort_by(f64::total_cmp);
        let exact = |p: f64| all[((p * all.len() as f64).ceil() as usize).clamp(1, all.len()) - 1];
        let told = seed.open().metrics().unwrap().remove(0);
        for (p, told) in [(0.5, told.p50.unwrap()), (0.99, told.p99.unwrap())] {
            prop_assert!((told - exact(p)).abs() <= exact(p) * 0.01, "p{p}: told {told}, exact {}", exact(p));
        }
        prop_assert_eq!(told.count as usize, all.len());
    }
}
