//! Routes from end to end: what goes where, by rules in code, in the environment and in a file. The counterparts are
//! [`Capture`], a fake, and the local store.

use std::time::Duration;

use ops_sdk::backend::local::Local;
use ops_sdk::ledger::Loss;
use ops_sdk::model::Signal;
use ops_sdk::prelude::*;
use ops_sdk::store::{LogQuery, Store};
use ops_sdk::{Builder, Level, Ops, Route};
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced, turn};

const EVENTS: u64 = 2_000;

fn quiet() -> Builder {
    ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5)).self_metrics(false)
}

/// Warnings and information, half of each, and a counter.
fn record(ops: &Ops) {
    for n in 0..EVENTS / 2 {
        info!("said {n}", n = n);
        warn!("warned {n}", n = n);
        counter!("said", 1);
    }
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
}

fn withheld(ops: &Ops, backend: &str, loss: Loss) -> u64 {
    let books = ops.stats().books;
    let book = books.iter().find(|book| book.backend == backend).expect("a book");
    book.rows.iter().flat_map(|row| &row.dropped).filter(|(why, _)| *why == loss).map(|(_, n)| n).sum()
}

#[test]
fn each_backend_gets_what_its_rules_take_and_one_that_no_rule_names_gets_everything() {
    let _turn = turn();
    let names = ["short", "middle", "archive", "rest"];
    let [short, middle, archive, rest] = names.map(Capture::new);
    let mut builder = quiet().level(Level::Info).dimension("Stage", "prod");
    for capture in [&short, &middle, &archive, &rest] {
        builder = builder.backend(capture.clone());
    }
    let ops = builder
        .tier("searched", ["middle", "archive"])
        .route(Route::to("short").signals(&[Signal::Metric]))
        .route(Route::to("searched").level(Level::Warn).dimension("Stage", "pr*"))
        .route(Route::to("archive").sample(0.25))
        .route(Route::to("archive").dimension("n", "7").signals(&[Signal::Log]))
        .start()
        .expect("recording starts");
    record(&ops);
    let logs = |capture: &Capture| capture.messages("").len() as u64;
    let metrics = |capture: &Capture| capture.sum("said");
    assert_eq!((logs(&short), metrics(&short)), (0, EVENTS as f64 / 2.0));
    assert_eq!((logs(&middle), metrics(&middle)), (EVENTS / 2, 0.0));
    assert_eq!((logs(&rest), metrics(&rest)), (EVENTS, EVENTS as f64 / 2.0));
    // All warnings, and of the others a quarter and the one that a rule names. What is in a sample follows from ids.
    let sampled = logs(&archive) - EVENTS / 2;
    assert!((EVENTS / 8 - 90..EVENTS / 8 + 90).contains(&sampled), "{sampled} of {}", EVENTS / 2);
    assert!(archive.messages("").iter().any(|line| line["message"] == "said 7"));
    assert_eq!(withheld(&ops, "archive", Loss::Sampled), EVENTS / 2 - sampled);
    assert_eq!(withheld(&ops, "middle", Loss::Elsewhere), EVENTS / 2);
    assert_eq!(withheld(&ops, "rest", Loss::Elsewhere), 0);
    // What can never come is not in the books at all.
    let books = ops.stats().books;
    let signals: Vec<_> = books[0].rows.iter().map(|row| row.signal).collect();
    assert_eq!(signals, [Signal::Metric]);
}

#[test]
fn two_of_a_kind_have_names_settings_and_books_of_their_own() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let vars = [
        ("OPS_BACKENDS", "local, second=local".to_owned()),
        ("OPS_LOCAL_PATH", path("first.db")),
        ("OPS_SECOND_PATH", path("second.db")),
        ("OPS_ROUTES", "log level>=warn -> second; metric -> local".to_owned()),
    ];
    let ops = quiet()
        .environment(move |name| vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
        .start()
        .expect("recording starts");
    record(&ops);
    assert_eq!(
        ops.stats().books.iter().map(|book| book.backend.as_str()).collect::<Vec<_>>(),
        ["local", "second"]
    );
    drop(ops);
    let logs = |name: &str| {
        Store::open(path(name)).expect("a store").logs(&LogQuery::default()).expect("logs").len()
    };
    assert_eq!(logs("first.db"), 0);
    assert!(logs("second.db") > 0);
}

#[test]
fn one_file_says_it_all() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let (config, first, second) =
        (dir.path().join("ops.toml"), dir.path().join("first.db"), dir.path().join("second.db"));
    let text = format!(
        "[backends.local]\npath = {first:?}\n[backends.loud]\nkind = \"local\"\npath = {second:?}\n\
         [tiers]\nseen = [\"loud\"]\n[[routes]]\ntake = \"log level>=warn\"\nto = [\"seen\"]\n"
    );
    std::fs::write(&config, text).expect("a file");
    let config = config.to_str().expect("UTF-8").to_owned();
    let ops = quiet()
        .environment(move |name| (name == "OPS_CONFIG").then(|| config.clone()))
        .start()
        .expect("recording starts");
    record(&ops);
    assert_eq!(withheld(&ops, "loud", Loss::Elsewhere), EVENTS / 2);
    assert_eq!(withheld(&ops, "local", Loss::Elsewhere), 0);
}

#[test]
fn a_name_is_one_backends() {
    let _turn = turn();
    let error = |builder: Builder| builder.start().err().expect("an error").to_string();
    let twice = error(quiet().backend(Local::new()).backend(Local::new()));
    assert!(
        twice.starts_with(".backend(..): there are two backends \"local\"; give the second a name"),
        "{twice}"
    );
    let named = error(quiet().backend_named("Größe", Local::new()));
    assert!(named.starts_with(".backend_named(..): \"Größe\" is no name of a backend; use"), "{named}");
    let sampled =
        error(quiet().backend(Capture::new("x")).route(Route::to("x").signals(&[Signal::Audit]).sample(0.5)));
    assert!(sampled.starts_with(".route(..): audit records are never sampled; give"), "{sampled}");
}
