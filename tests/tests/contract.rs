//! Every backend through the same checks: what it writes reads back, limits hold, every answer has its verdict, nothing
//! delivered is sent again, secrets are kept, and no text makes another record of one.

use std::path::Path;

use ops_tests::contract::{self, Case};

/// Asserts that a check finds nothing wrong with any backend. Most of its time is waiting, so all take it at a time.
fn holds(check: impl Fn(&Case) -> Vec<String> + Sync) {
    let all = contract::all();
    let named = |case: &Case| -> Vec<String> {
        check(case).into_iter().map(|what| format!("{}: {what}", case.name)).collect()
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = all.iter().map(|case| (case.name, scope.spawn(|| named(case)))).collect();
        let ended = runs.into_iter().map(|(name, run)| match run.join() {
            Ok(wrong) => wrong,
            Err(_) => vec![format!("{name}: the check panicked: see above")],
        });
        ended.collect::<Vec<_>>().concat()
    });
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_backend_has_a_case() {
    assert_eq!(
        contract::missing(),
        Vec::<&str>::new(),
        "add a file to tests/src/contract and a line to cases.rs"
    );
}

#[test]
fn what_is_written_reads_back() {
    holds(contract::reads_back);
}

#[test]
fn records_of_any_content_are_written_or_refused() {
    holds(contract::takes_any);
}

#[test]
fn batches_and_bodies_are_within_limits() {
    holds(contract::within_limits);
}

#[test]
fn every_answer_has_its_verdict() {
    holds(contract::judged);
}

#[test]
fn nothing_delivered_is_sent_again() {
    holds(contract::nothing_twice);
}

#[test]
fn no_text_makes_another_record() {
    holds(contract::one_push_for_each);
}

#[test]
fn secrets_are_kept_by_settings() {
    holds(contract::kept_by_settings);
}

#[test]
fn secrets_are_kept_by_programs() {
    holds(|case| contract::kept_by_a_program(case, Path::new(env!("CARGO_BIN_EXE_program"))));
}
