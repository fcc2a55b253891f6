//! Every form of `#[instrumented]`, as it runs: what each argument makes of the numbers and lines that arrive.
//! The counterpart is [`Capture`], a fake; what the compiler says of each form is held by the ui tests.

use std::time::Duration;

use ops_sdk::Ops;
use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{assert_balanced, turn};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(20);

fn start(capture: &Capture) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    builder.backend(capture.clone()).start().expect("recording starts")
}

/// Runs `work` while a fake records, and gives back what arrived.
fn recorded(work: impl FnOnce()) -> Capture {
    let _turn = turn();
    let capture = Capture::new("forms");
    let ops = start(&capture);
    work();
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    capture
}

/// The metric's lines that have all these dimensions.
fn with(capture: &Capture, name: &str, dimensions: &[(&str, &str)]) -> Vec<Value> {
    let has = |line: &Value| dimensions.iter().all(|(key, value)| line["dimensions"][key] == *value);
    capture.metrics(name).into_iter().filter(has).collect()
}

/// The sum of those lines.
fn sum(capture: &Capture, name: &str, dimensions: &[(&str, &str)]) -> f64 {
    with(capture, name, dimensions).iter().filter_map(|line| line["sum"].as_f64()).sum()
}

#[derive(Outcome)]
enum Refused {
    #[outcome(client, label = "declined")]
    Declined,
    #[outcome(client)]
    Malformed,
    #[outcome(error, label = "bank")]
    Bank,
    #[outcome(ok)]
    Already,
}

#[instrumented(name = "charge")]
fn charge(n: u32) -> Result<u32, Refused> {
    match n % 5 {
        0 => Err(Refused::Declined),
        1 => Err(Refused::Malformed),
        2 => Err(Refused::Bank),
        3 => Err(Refused::Already),
        _ => Ok(n),
    }
}

#[instrumented(name = "settle")]
async fn settle(n: u32) -> Result<(), Box<Refused>> {
    charge(n).map(drop).map_err(Box::new)
}

#[test]
fn a_type_tells_how_its_calls_ended_and_a_callers_error_is_not_ours() {
    let capture = recorded(|| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..50 {
                        let mut settling = std::pin::pin!(settle(n));
                        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                        assert!(settling.as_mut().poll(&mut context).is_ready());
                    }
                });
            }
        });
    });
    for function in ["charge", "settle"] {
        let of = |name, more: &[(&'static str, &'static str)]| {
            sum(&capture, name, &[&[("Function", function)], more].concat())
        };
        assert_eq!(of("calls", &[]), 200.0, "{function}");
        assert_eq!((of("errors", &[]), of("client_errors", &[])), (40.0, 80.0), "{function}");
        assert_eq!(of("outcomes", &[("Outcome", "declined")]), 40.0, "{function}");
        assert_eq!(of("outcomes", &[("Outcome", "bank")]), 40.0, "{function}");
        assert_eq!(of("outcomes", &[]), 80.0, "{function}");
        let durations = with(&capture, "duration", &[("Function", function)]);
        assert_eq!(durations.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>(), 200);
    }
    let labelled = capture.metrics("calls").iter().any(|line| !line["dimensions"]["Outcome"].is_null());
    assert!(!labelled, "a label is no dimension of the other metrics");
}

#[derive(Outcome)]
#[outcome(error)]
struct Down;

#[instrumented(name = "by hand")]
fn by_hand(up: bool) -> Option<Down> {
    if up { None } else { Some(Down) }
}

#[instrumented(name = "the type itself")]
fn itself() -> Down {
    Down
}

#[instrumented(name = "ok_if", ok_if = |status| *status < 500)]
fn status(n: u16) -> u16 {
    n
}

#[instrumented(name = "err_if", err_if = Vec::is_empty)]
async fn rows(n: usize) -> Vec<usize> {
    (0..n).collect()
}

#[instrumented(name = "ok_if wins", ok_if = Result::is_err)]
fn upside_down(n: u8) -> Result<u8, Refused> {
    if n == 0 { Err(Refused::Bank) } else { Ok(n) }
}

#[instrumented(name = "none", none = error)]
fn first(list: &[u8]) -> Option<&u8> {
    list.first()
}

#[instrumented(name = "none of theirs", none = client)]
fn theirs(list: &[u8]) -> Option<&u8> {
    list.first()
}

#[test]
fn conditions_and_options_decide_where_they_are_asked_to() {
    let capture = recorded(|| {
        let _ = (by_hand(true).is_some(), by_hand(false).is_some(), itself());
        let _ = [200, 404, 500, 503].map(status);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for n in 0..3 {
            assert!(std::pin::pin!(rows(n)).as_mut().poll(&mut context).is_ready());
        }
        let _ = ([0, 1, 2].map(upside_down), first(&[]), first(&[1]), theirs(&[]), theirs(&[1]));
    });
    let table = [
        ("by hand", 2.0, 0.0, 0.0),
        ("the type itself", 1.0, 1.0, 0.0),
        ("ok_if", 4.0, 2.0, 0.0),
        ("err_if", 3.0, 1.0, 0.0),
        ("ok_if wins", 3.0, 2.0, 0.0),
        ("none", 2.0, 1.0, 0.0),
        ("none of theirs", 2.0, 0.0, 1.0),
    ];
    for (function, calls, errors, client_errors) in table {
        let of = |name| sum(&capture, name, &[("Function", function)]);
        let found = (of("calls"), of("errors"), of("client_errors"));
        assert_eq!(found, (calls, errors, client_errors), "{function}");
    }
}
