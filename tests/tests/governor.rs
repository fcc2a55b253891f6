//! The overhead governor in a running program: a function that is called all the time is timed less often, its calls
//! and errors are counted exactly all the same, and what its durations add up to stays right.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced};
use serde_json::Value;

/// Every tenth call takes some forty times as long as the others: were the choice not fair, the sum would tell.
#[instrumented(err_if = |n| *n % 1000 == 0)]
fn hot(n: u64) -> u64 {
    let rounds = if n.is_multiple_of(10) { 2_000 } else { 50 };
    (0..rounds).for_each(|round| _ = black_box(round));
    n
}

#[instrumented]
fn cold(n: u64) -> u64 {
    n
}

/// The lines of a metric of one function.
fn of(capture: &Capture, name: &str, function: &str) -> Vec<Value> {
    let is_it = |line: &Value| line["dimensions"]["Function"].as_str().is_some_and(|f| f.ends_with(function));
    capture.metrics(name).into_iter().filter(is_it).collect()
}

/// The sum of one of their numbers.
fn sum(capture: &Capture, name: &str, function: &str, number: &str) -> f64 {
    of(capture, name, function).iter().filter_map(|line| line[number].as_f64()).sum()
}

#[test]
fn the_hottest_function_is_timed_less_often_without_bias_and_counted_exactly() {
    let capture = Capture::new("governor");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    let ops = builder.backend(capture.clone()).overhead_budget(0.01).start().expect("recording starts");
    let (start, mut calls) = (Instant::now(), 0u64);
    // Three looks of the governor, after the first of which it is thinned.
    while start.elapsed() < Duration::from_millis(3_500) {
        (0..1000).for_each(|_| {
            calls += 1;
            hot(black_box(calls));
        });
        cold(calls);
    }
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    let counted = |name, function| sum(&capture, name, function, "sum");
    assert_eq!((counted("calls", "hot"), counted("errors", "hot")), (calls as f64, (calls / 1000) as f64));
    assert_eq!(counted("calls", "cold"), (calls / 1000) as f64);

    let told = of(&capture, "ops_sdk.timed_every", "hot");
    let every = told.last().and_then(|line| line["last"].as_f64()).expect("the governor tells of it");
    assert!(every >= 2.0, "1 in {every}");
    // Thousands were timed, and each stands for many: what they stand for together has a spread of a few percent.
    let stood_for = sum(&capture, "duration", "hot", "count");
    assert!((stood_for / calls as f64 - 1.0).abs() < 0.25, "{stood_for} for {calls}");
}
