//! Every form of `#[instrumented]`, as it runs: what each argument makes of the numbers and lines that arrive.
//! The counterpart is [`Capture`], a fake; what the compiler says of each form is held by the ui tests.

use std::time::Duration;

use ops_sdk::Ops;
use ops_sdk::prelude::*;
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::Value;

fn start(capture: &Capture) -> Ops {
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    builder.level(ops_sdk::Level::Debug).backend(capture.clone()).start().expect("recording starts")
}

/// Runs `work` while a fake records, and gives back what arrived.
fn recorded(work: impl FnOnce()) -> Capture {
    let _turn = turn();
    let capture = Capture::new("forms");
    let ops = start(&capture);
    early_in_a_minute();
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

/// What a mutable state of the test stands at, as other threads see it.
static GATE: std::sync::Barrier = std::sync::Barrier::new(4);

#[instrumented(name = "in flight", in_flight, none = client)]
fn together(fails: bool) -> Option<()> {
    GATE.wait();
    GATE.wait();
    if fails { std::panic::resume_unwind(Box::new("on purpose")) } else { Some(()) }
}

#[instrumented(name = "pending", in_flight)]
async fn pending(done: bool) {
    if !done {
        std::future::pending::<()>().await;
    }
}

/// The last value, the smallest and the largest of the gauge's lines that came after the first `known`.
fn levels(capture: &Capture, function: &str, known: usize) -> Option<(f64, f64, f64)> {
    let lines = with(capture, "in_flight", &[("Function", function)]);
    let number = |line: &Value, key: &str| line[key].as_f64().expect("a number");
    let line = lines.get(known)?;
    Some((number(line, "last"), number(line, "min"), number(line, "max")))
}

#[test]
fn calls_in_progress_are_exact_over_threads_panics_and_dropped_futures() {
    let _turn = turn();
    let capture = Capture::new("in-flight");
    let ops = start(&capture);
    early_in_a_minute();
    let threads: Vec<_> = (0..3).map(|n| std::thread::spawn(move || together(n == 0))).collect();
    GATE.wait();
    assert!(ops.flush(SOON).complete);
    assert_eq!(levels(&capture, "in flight", 0), Some((3.0, 0.0, 3.0)));
    // What goes on without a change is told again.
    assert!(ops.flush(SOON).complete);
    assert_eq!(levels(&capture, "in flight", 1), Some((3.0, 3.0, 3.0)));
    GATE.wait();
    let ended = threads.into_iter().map(|thread| thread.join().is_ok()).filter(|ok| *ok).count();
    assert_eq!(ended, 2, "one of them panics");
    assert!(ops.flush(SOON).complete);
    assert_eq!(levels(&capture, "in flight", 2), Some((0.0, 0.0, 3.0)));
    assert!(ops.flush(SOON).complete);
    assert_eq!(levels(&capture, "in flight", 3), None, "and nothing is told of nothing");

    let mut futures: Vec<_> = [false, false, true].map(|done| Box::pin(pending(done))).into();
    assert_eq!(polled(&mut futures), 1);
    assert!(ops.flush(SOON).complete);
    assert_eq!(levels(&capture, "pending", 0), Some((2.0, 0.0, 3.0)));
    // Dropped on a thread that never began one.
    std::thread::spawn(move || drop(futures)).join().expect("a thread that ends");
    assert!(ops.flush(SOON).complete);
    assert_eq!(levels(&capture, "pending", 1), Some((0.0, 0.0, 2.0)));
    assert_eq!(sum(&capture, "cancelled", &[("Function", "pending")]), 2.0);
    assert_eq!(sum(&capture, "panics", &[("Function", "in flight")]), 1.0);
}

struct Order {
    region: String,
    lines: Vec<u8>,
}

#[instrumented(name = "by region", dims("Region" => order.region, "Big" => order.lines.len() > 2, "Ip" => %ip))]
fn by_region(order: Order, ip: std::net::Ipv4Addr) -> Result<Vec<u8>, Refused> {
    let Order { region, lines } = order;
    drop(region);
    match lines.len() {
        0 => Err(Refused::Declined),
        1 => Err(Refused::Bank),
        _ => Ok(lines),
    }
}

#[instrumented(name = "wandering", dims("Shard" => shard, "Tenant" => tenant))]
async fn wandering(shard: u8, tenant: String) -> Result<usize, Refused> {
    let mut first = true;
    std::future::poll_fn(|_| {
        if std::mem::take(&mut first) { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    if shard == 9 { Err(Refused::Declined) } else { Ok(tenant.len()) }
}

#[test]
fn dimensions_are_taken_before_the_arguments_move() {
    let capture = recorded(|| {
        for lines in 0..5u8 {
            let order = Order { region: "eu".to_owned(), lines: (0..lines).collect() };
            let _ = by_region(order, std::net::Ipv4Addr::LOCALHOST);
        }
    });
    let of = |name, big, more: &[(&str, &str)]| {
        let own = [("Function", "by region"), ("Region", "eu"), ("Big", big), ("Ip", "127.0.0.1")];
        sum(&capture, name, &[&own[..], more].concat())
    };
    assert_eq!((of("calls", "false", &[]), of("calls", "true", &[])), (3.0, 2.0));
    assert_eq!((of("errors", "false", &[]), of("client_errors", "false", &[])), (1.0, 1.0));
    assert_eq!(of("outcomes", "false", &[("Outcome", "declined")]), 1.0);
    assert_eq!(sum(&capture, "calls", &[]), 5.0, "there is no series without the dimensions");
    let durations = with(&capture, "duration", &[("Region", "eu")]);
    assert_eq!(durations.iter().filter_map(|line| line["count"].as_u64()).sum::<u64>(), 5);
}

/// Polls each once; how many are done.
fn polled<F: Future>(futures: &mut [std::pin::Pin<Box<F>>]) -> usize {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    futures.iter_mut().map(|future| future.as_mut().poll(&mut context)).filter(|poll| poll.is_ready()).count()
}

#[test]
fn a_future_that_ends_on_another_thread_counts_in_the_same_series() {
    const FUTURES: usize = 300;
    let capture = recorded(|| {
        let future = |n: usize| Box::pin(wandering([1, 2, 9][n % 3], format!("t{}", n % 2)));
        let mut futures: Vec<_> = (0..FUTURES).map(future).collect();
        assert_eq!(polled(&mut futures), 0);
        let ready = std::thread::spawn(move || polled(&mut futures)).join().expect("a thread that ends");
        assert_eq!(ready, FUTURES);
    });
    for (shard, client_errors) in [("1", 0.0), ("2", 0.0), ("9", 50.0)] {
        for tenant in ["t0", "t1"] {
            let of = |name| sum(&capture, name, &[("Shard", shard), ("Tenant", tenant)]);
            assert_eq!((of("calls"), of("client_errors")), (50.0, client_errors), "{shard} {tenant}");
            assert_eq!(of("outcomes"), client_errors);
        }
    }
}

#[instrumented(name = "seconds", unit = Seconds, resolution = high)]
fn seconds() {
    std::thread::sleep(Duration::from_millis(20));
}

#[instrumented(name = "microseconds", unit = Microseconds)]
fn microseconds() {
    std::thread::sleep(Duration::from_millis(20));
}

#[instrumented(name = "milliseconds", unit = Milliseconds, resolution = standard, in_flight)]
fn milliseconds() {
    std::thread::sleep(Duration::from_millis(20));
}

#[test]
fn durations_are_in_the_unit_and_windows_that_were_asked_for() {
    let capture = recorded(|| {
        seconds();
        microseconds();
        milliseconds();
    });
    let table = [
        ("seconds", "Seconds", 1e-3, 1_000),
        ("microseconds", "Microseconds", 1e3, 60_000),
        ("milliseconds", "Milliseconds", 1.0, 60_000),
    ];
    for (function, unit, per_millisecond, window_ms) in table {
        let lines = with(&capture, "duration", &[("Function", function)]);
        assert_eq!(
            (lines.len(), &lines[0]["unit"], &lines[0]["window_ms"]),
            (1, &unit.into(), &window_ms.into())
        );
        // It slept 20 ms at least by another clock; nobody can say how long at most.
        let milliseconds = lines[0]["sum"].as_f64().expect("a number") / per_millisecond;
        assert!((19.0..60_000.0).contains(&milliseconds), "{function}: {milliseconds} ms");
        assert_eq!(sum(&capture, "calls", &[("Function", function)]), 1.0);
    }
}

#[instrumented(name = "sampled", sample = 16, err_if = |odd| *odd)]
fn sampled(n: u64) -> bool {
    n % 2 == 1
}

#[instrumented(name = "seldom", sample = 100_000_000, dims("Parity" => n % 2))]
fn seldom(n: u64) -> u64 {
    n
}

#[test]
fn of_sampled_calls_all_are_counted_and_some_are_timed() {
    const CALLS: u64 = 40_000;
    let capture = recorded(|| {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..CALLS / 4).for_each(|n| _ = (sampled(n), seldom(n % 4))));
            }
        });
    });
    let of = |name| sum(&capture, name, &[("Function", "sampled")]);
    assert_eq!((of("calls"), of("errors")), (40_000.0, 20_000.0));
    let stood_for: u64 = with(&capture, "duration", &[("Function", "sampled")])
        .iter()
        .filter_map(|line| line["count"].as_u64())
        .sum();
    // 2,500 by chance, and ten standard deviations (48) to either side; each stands for 16.
    let timed = stood_for / 16;
    assert!(
        stood_for.is_multiple_of(16) && (2_020..=2_980).contains(&timed),
        "{timed} of {CALLS} were timed"
    );
    assert_eq!(sum(&capture, "calls", &[("Function", "seldom"), ("Parity", "1")]), 20_000.0);
}

#[instrumented(name = "logged", log = "entry, exit, error", level = debug, fields(n, order.name = name, %ip))]
fn logged(n: u8, name: String, ip: std::net::Ipv4Addr) -> Result<usize, Refused> {
    let _ = ip;
    match n {
        0 => Err(Refused::Bank),
        1 => Err(Refused::Declined),
        2 => std::panic::resume_unwind(Box::new("on purpose")),
        _ => Ok(name.len()),
    }
}

#[instrumented(name = "failures", log = "error", fields(secret = n % 2))]
async fn failures(n: u8, _secret: &str) -> Result<(), String> {
    if n == 9 {
        std::future::pending::<()>().await;
    }
    if n > 1 { Err("too large".to_owned()) } else { Ok(()) }
}

#[instrumented(name = "hidden", log = "exit", fields(text))]
fn hidden(text: &str) -> impl Iterator<Item = char> {
    text.chars()
}

#[test]
fn a_function_logs_what_was_named_and_nothing_else_when_it_was_asked_to() {
    let long = "a name that is too long to be kept in place, and so goes to the heap";
    let capture = recorded(|| {
        for (n, name) in [(0, "zero"), (1, long), (2, "two"), (3, "three")] {
            let call = || logged(n, name.to_owned(), std::net::Ipv4Addr::LOCALHOST);
            assert_eq!(std::panic::catch_unwind(call).is_err(), n == 2);
        }
        let mut futures: Vec<_> = [1, 2, 9].map(|n| Box::pin(failures(n, "never logged"))).into();
        assert_eq!(polled(&mut futures), 2);
        drop(futures);
        assert_eq!(hidden("ab").count(), 2);
    });
    let told = |start| {
        let lines = capture.messages(start);
        let text = |line: &Value| {
            let (level, message) = (line["level"].as_str(), line["message"].as_str());
            let own = ["signal", "time", "level", "target", "message", "id", "file"];
            let fields = line.as_object().expect("an object").iter();
            let fields: serde_json::Map<_, _> = fields
                .filter(|(key, _)| !own.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            let fields = Value::from(fields);
            format!("{} {}: {fields}", level.expect("a level"), message.expect("a message"))
        };
        lines.iter().map(text).collect::<Vec<_>>()
    };
    let line = |level: &str, what: &str, n: u8, name: &str, outcome: &str| {
        let outcome = if outcome.is_empty() { String::new() } else { format!(r#","outcome":"{outcome}""#) };
        format!(r#"{level} logged {what}: {{"ip":"127.0.0.1","n":{n},"order.name":"{name}"{outcome}}}"#)
    };
    let mut wanted = vec![
        line("DEBUG", "began", 0, "zero", ""),
        line("ERROR", "failed", 0, "zero", "bank"),
        line("DEBUG", "began", 1, long, ""),
        line("DEBUG", "ended", 1, long, "declined"),
        line("DEBUG", "began", 2, "two", ""),
        line("ERROR", "failed", 2, "two", "panic"),
        line("DEBUG", "began", 3, "three", ""),
        line("DEBUG", "ended", 3, "three", "ok"),
    ];
    let mut found = told("logged");
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!(told("failures"), [r#"ERROR failures failed: {"outcome":"error","secret":0}"#]);
    assert_eq!(told("hidden"), [r#"INFO hidden ended: {"outcome":"ok","text":"ab"}"#]);
    assert_eq!(sum(&capture, "calls", &[("Function", "logged")]), 4.0);
}

struct Till(u8);

#[instrumented(in_flight, resolution = high, log = "exit", err_if = |taken| *taken == 0)]
impl Till {
    fn take(&self) -> u8 {
        self.0
    }

    #[instrumented(ok_if = |taken| *taken == 0, in_flight = false, resolution = standard, log = "off")]
    fn take_otherwise(&self) -> u8 {
        self.0
    }

    fn close(&self) {}
}

#[test]
fn what_a_block_says_holds_for_its_methods_unless_they_say_otherwise() {
    let capture = recorded(|| {
        for till in [Till(0), Till(1), Till(2)] {
            let _ = (till.take(), till.take_otherwise());
            till.close();
        }
    });
    for (method, errors, window_ms, lines) in
        [("take", 1.0, 1_000, 3), ("take_otherwise", 2.0, 60_000, 0), ("close", 0.0, 1_000, 3)]
    {
        let function = format!("forms::Till::{method}");
        let of = |name| sum(&capture, name, &[("Function", &function)]);
        assert_eq!((of("calls"), of("errors")), (3.0, errors), "{method}");
        let calls = with(&capture, "calls", &[("Function", &function)]);
        assert!(calls.iter().all(|line| line["window_ms"] == window_ms), "{method}");
        let logged = capture.messages(&format!("Till::{method} ended"));
        assert_eq!(logged.len(), lines, "{method}");
        let is_counted = levels(&capture, &function, 0).is_some();
        assert_eq!(is_counted, method != "take_otherwise", "{method}");
    }
}
