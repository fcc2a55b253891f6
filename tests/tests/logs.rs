//! What log events are recorded, held back and correlated with, as it runs: levels by target, limits by site, units of
//! work, correlation over threads and tasks. The counterpart is [`Capture`], a fake.

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ops_sdk::ledger::Loss;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Level, Ops};
use ops_tests::capture::Capture;
use ops_tests::{SOON, assert_balanced, early_in_a_minute, turn};
use serde_json::Value;

/// Runs `work` while a fake records, and gives back what arrived, and how many log events did not, by the reason.
fn recorded(build: impl FnOnce(Builder) -> Builder, work: impl FnOnce(&Ops)) -> (Capture, Vec<(Loss, u64)>) {
    let _turn = turn();
    let capture = Capture::new("logs");
    let builder = ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5));
    let ops = build(builder).backend(capture.clone()).start().expect("recording starts");
    early_in_a_minute();
    work(&ops);
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    let rows = ops.stats().books.remove(0).rows;
    let logs =
        rows.into_iter().find(|row| row.signal == ops_sdk::model::Signal::Log).expect("logs are taken");
    (capture, logs.dropped)
}

fn messages(capture: &Capture, start: &str) -> Vec<String> {
    let text = |line: Value| line["message"].as_str().expect("a message").to_owned();
    capture.messages(start).into_iter().map(text).collect()
}

fn ready<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// Is ready at the second poll.
#[derive(Default)]
struct Later(bool);

impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

mod shop {
    pub(crate) mod db {
        pub(crate) fn say(when: &str) {
            ops_sdk::trace!("db trace {when}");
            ops_sdk::debug!("db debug {when}");
            ops_sdk::error!("db error {when}");
        }
    }

    pub(crate) fn say(when: &str) {
        ops_sdk::debug!("shop debug {when}");
        ops_sdk::warn!("shop warn {when}");
    }
}

#[test]
fn levels_differ_by_target_and_change_while_recording_goes_on() {
    let (capture, dropped) = recorded(
        |builder| builder.levels("warn,logs::shop::db=debug"),
        |ops| {
            let say = |when| {
                shop::say(when);
                std::thread::scope(|scope| _ = scope.spawn(|| shop::db::say(when)));
            };
            say("1");
            ops.set_levels("logs::shop::db=off,logs::shop=trace,off").expect("good levels");
            say("2");
            let wrong = ops.set_levels("info,logs=loud").expect_err("not a level").to_string();
            let wanted = ".set_levels(..): unknown level \"loud\" in \"logs=loud\"; write a level or module=level, with \
                          commas between them, as in \"info,shop::db=debug\"; levels are off, error, warn, info, debug \
                          and trace";
            assert_eq!(wrong, wanted);
            say("3");
            ops.set_levels("warn,logs::shop::db=debug").expect("good levels");
            say("4");
        },
    );
    let mut found = [messages(&capture, "db"), messages(&capture, "shop")].concat();
    found.sort();
    let mut wanted: Vec<String> = ["1", "4"]
        .iter()
        .flat_map(|when| ["db debug", "db error", "shop warn"].map(|what| format!("{what} {when}")))
        .chain(
            ["2", "3"]
                .iter()
                .flat_map(|when| ["shop debug", "shop warn"].map(|what| format!("{what} {when}"))),
        )
        .collect();
    wanted.sort();
    assert_eq!((found, dropped), (wanted, vec![]));
}

#[test]
fn levels_are_read_from_the_environment_and_errors_name_the_item() {
    let start = |text: &'static str| {
        let builder = ops_sdk::init().environment(move |name| (name == "OPS_LEVEL").then(|| text.to_owned()));
        builder.backend(Capture::new("none")).start()
    };
    let _turn = turn();
    let error = start("info,shop::=debug").err().expect("no path").to_string();
    assert!(
        error.starts_with("OPS_LEVEL: \"shop::\" in \"shop::=debug\" is no path of a module;"),
        "{error}"
    );
    let error = ops_sdk::init().levels("shop").start().err().expect("no level").to_string();
    assert!(error.starts_with("OPS_LEVEL / .levels(..): unknown level \"shop\";"), "{error}");
    drop(start("off,logs=info").expect("good levels"));
}

#[test]
fn a_site_says_no_more_than_it_may_and_how_much_it_held_back() {
    let (capture, dropped) = recorded(
        |builder| builder,
        |ops| {
            let mut evaluated = 0;
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        (0..250).for_each(|n| warn!(once_every = "1h", "seldom {n}"));
                    });
                }
            });
            for n in 0..100 {
                let mut value = || {
                    evaluated += 1;
                    n
                };
                info!(once_every = "1h", "evaluated {n}", n = value());
            }
            assert_eq!(evaluated, 1);
            // No more than ten a second, however long this takes.
            let began = std::time::Instant::now();
            (0..1000).for_each(|n| info!(rate = 10, "often {n}"));
            let seconds = began.elapsed().as_secs() + 1;
            assert!(ops.flush(SOON).complete);
            let often = 1000 - held_back(ops);
            assert!((10..=10 * (seconds + 1)).contains(&often), "{often} in {seconds} s");
        },
    );
    let said = capture.messages("");
    let held: Vec<_> = said.iter().filter(|line| !line["held_back"].is_null()).collect();
    let of = |start: &str| {
        let is = |line: &&&Value| line["message"].as_str().is_some_and(|message| message.contains(start));
        held.iter().filter(is).map(|line| line["held_back"].as_u64().expect("a number")).sum::<u64>()
    };
    assert_eq!((messages(&capture, "seldom").len(), of("seldom {n}")), (1, 999));
    assert_eq!((messages(&capture, "evaluated"), of("evaluated {n}")), (vec!["evaluated 0".to_owned()], 99));
    assert_eq!(messages(&capture, "often").len() as u64 + of("often {n}"), 1000);
    let line = held.iter().find(|line| line["held_back"] == 999).expect("it is said");
    assert_eq!((&line["level"], &line["reason"]), (&"WARN".into(), &"rate_limited".into()));
    assert_eq!(line["target"], "logs");
    let total: u64 = held.iter().filter_map(|line| line["held_back"].as_u64()).sum();
    assert_eq!(dropped, [(Loss::RateLimited, total)]);
    assert_eq!(capture.sum("ops_sdk.withheld"), total as f64);
    assert!(capture.metrics("ops_sdk.dropped").is_empty());
}

/// How many events of the site that logs often are counted as held back.
fn held_back(ops: &Ops) -> u64 {
    let rows = ops.stats().books.remove(0).rows;
    let all: u64 = rows.iter().map(ops_sdk::ledger::Row::withheld_total).sum();
    all - 999 - 99
}

#[test]
fn the_same_again_is_said_once_and_counted() {
    let (capture, dropped) = recorded(
        |builder| builder,
        |_| {
            for n in [1, 1, 1, 2, 2, 1] {
                Correlation::new().run(|| info!(repeat = "1h", "state {n}", n, text = %n));
            }
        },
    );
    assert_eq!(messages(&capture, "state"), ["state 1", "state 2", "state 1"]);
    assert_eq!(messages(&capture, "3 repeated events of this site held back in the last").len(), 1);
    assert_eq!(dropped, [(Loss::Repeated, 3)]);
}

#[instrumented(name = "held", hold = debug, log = "exit", level = trace)]
fn held(n: u32) -> Result<u32, String> {
    trace!("detail {n}");
    debug!("step {n}");
    info!("told {n}");
    match n {
        0 => Err("failed".to_owned()),
        1 => std::panic::resume_unwind(Box::new("on purpose")),
        _ => Ok(n),
    }
}

#[instrumented(hold = debug, correlate)]
async fn held_later(n: u32) -> Result<(), u32> {
    debug!("before {n}");
    Later::default().await;
    let current = Correlation::current().expect("it was asked for");
    std::thread::spawn(move || current.run(|| debug!("elsewhere {n}"))).join().expect("a thread ends");
    debug!("after {n}");
    if n == 0 { Err(n) } else { Ok(()) }
}

#[test]
fn what_a_unit_of_work_holds_back_is_shipped_if_it_fails() {
    let (capture, dropped) = recorded(
        |builder| builder,
        |_| {
            for n in 0..4 {
                assert_eq!(std::panic::catch_unwind(|| held(n)).is_err(), n == 1);
            }
            debug!("step outside");
        },
    );
    // Trace events are off, inside too: only up to debug are they recorded to be held back.
    assert_eq!(messages(&capture, "detail"), [""; 0]);
    assert_eq!(messages(&capture, "step"), ["step 0", "step 1"]);
    assert_eq!(messages(&capture, "told"), ["told 0", "told 1", "told 2", "told 3"]);
    assert_eq!(messages(&capture, "held ended"), [""; 0]);
    assert_eq!(dropped, [(Loss::LetGo, 2)]);
}

#[test]
fn events_that_are_on_are_held_back_as_well() {
    let (capture, dropped) = recorded(
        |builder| builder.level(Level::Trace),
        |_| {
            assert_eq!(held(2), Ok(2));
            assert_eq!(held(0), Err("failed".to_owned()));
            debug!("step outside");
        },
    );
    assert_eq!(messages(&capture, "detail"), ["detail 0"]);
    assert_eq!(messages(&capture, "held ended"), ["held ended"]);
    let mut steps = messages(&capture, "step");
    steps.sort();
    assert_eq!(steps, ["step 0", "step outside"]);
    assert_eq!(dropped, [(Loss::LetGo, 3)]);
}

#[test]
fn a_future_holds_back_wherever_its_work_goes_on() {
    let (capture, dropped) = recorded(
        |builder| builder,
        |_| {
            assert_eq!(ready(held_later(0)), Err(0));
            assert_eq!(ready(held_later(1)), Ok(()));
            let mut cancelled = Box::pin(held_later(2));
            assert!(cancelled.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        },
    );
    let mut lines = capture.messages("");
    lines.retain(|line| line["level"] == "DEBUG");
    let texts: Vec<_> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(texts, ["before 0", "elsewhere 0", "after 0"]);
    assert!(lines.iter().all(|line| line["correlation_id"] == lines[0]["correlation_id"]), "{lines:?}");
    assert_eq!(lines[0]["correlation_id"].as_str().map(str::len), Some(32));
    assert_eq!(dropped, [(Loss::LetGo, 4)]);
}

#[test]
fn under_load_every_event_of_every_unit_is_shipped_or_counted() {
    const UNITS: u64 = 400;
    const EVENTS: u64 = 20;
    #[instrumented(name = "loaded", hold = debug)]
    fn loaded(thread: u64, n: u64) -> Result<(), u64> {
        (0..EVENTS).for_each(|event| debug!("loaded", thread, n, event));
        if n.is_multiple_of(3) { Err(n) } else { Ok(()) }
    }
    let (capture, dropped) = recorded(
        |builder| builder,
        |ops| {
            std::thread::scope(|scope| {
                for thread in 0..4 {
                    scope.spawn(move || (0..UNITS).for_each(|n| _ = loaded(thread, n)));
                }
                (0..20).for_each(|_| assert_balanced(&ops.stats()));
            });
        },
    );
    let failed = UNITS.div_ceil(3);
    let lines = capture.messages("loaded");
    let mut found: Vec<[u64; 3]> = lines
        .iter()
        .map(|line| ["thread", "n", "event"].map(|key| line[key].as_u64().expect("a number")))
        .collect();
    found.sort_unstable();
    let wanted: Vec<[u64; 3]> = (0..4)
        .flat_map(|thread| (0..UNITS).step_by(3).map(move |n| (thread, n)))
        .flat_map(|(thread, n)| (0..EVENTS).map(move |event| [thread, n, event]))
        .collect();
    assert_eq!(found, wanted);
    assert_eq!(dropped, [(Loss::LetGo, 4 * (UNITS - failed) * EVENTS)]);
}

#[test]
fn a_guard_holds_back_and_a_part_of_it_leaves_the_decision_to_the_whole() {
    let (capture, dropped) = recorded(
        |builder| builder,
        |_| {
            for fails in [true, false] {
                let mut unit = ops_sdk::hold(Level::Debug);
                debug!("outer {fails}");
                assert_eq!(held(7), Ok(7));
                if fails {
                    unit.failed();
                }
            }
            let panicked = std::panic::catch_unwind(|| {
                let _unit = ops_sdk::hold(Level::Info);
                info!("outer panics");
                std::panic::resume_unwind(Box::new(()));
            });
            assert!(panicked.is_err());
        },
    );
    assert_eq!(messages(&capture, "outer"), ["outer true", "outer panics"]);
    assert_eq!(messages(&capture, "step"), ["step 7"]);
    assert_eq!(dropped, [(Loss::LetGo, 2)]);
}

#[test]
fn what_is_held_back_is_bounded_pending_and_shipped_at_the_end() {
    let _turn = turn();
    let capture = Capture::new("bounded");
    let builder =
        ops_sdk::init().environment(|_| None).linger(Duration::from_millis(5)).held_bytes_max(10_000);
    let ops = builder.backend(capture.clone()).start().expect("recording starts");
    let unit = ops_sdk::hold(Level::Debug);
    (0..1000).for_each(|n| debug!("step {n}", n));
    assert!(ops.flush(SOON).complete);
    let row = |ops: &Ops| {
        let rows = ops.stats().books.remove(0).rows;
        rows.into_iter().find(|row| row.signal == ops_sdk::model::Signal::Log).expect("logs are taken")
    };
    let held = row(&ops);
    assert!(held.balanced(), "{held:?}");
    let [(Loss::HoldFull, gone)] = held.dropped[..] else { panic!("{held:?}") };
    assert!(held.pending > 10 && held.pending + gone == 1000, "{held:?}");
    assert_eq!(messages(&capture, "step"), [""; 0]);
    // Nobody will say how the unit ended any more.
    let report = ops.shutdown(SOON);
    assert!(report.complete, "{report:?}");
    let steps: Vec<u64> = capture.messages("step").iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!(steps, (gone..1000).collect::<Vec<_>>());
    drop(unit);
}

#[instrumented(name = "front", correlate = Correlation::from_traceparent(header), log = "entry, exit", fields(n))]
async fn front(header: &str, n: u32) -> String {
    Later::default().await;
    inside(n);
    Correlation::current().map(|current| current.traceparent().to_string()).unwrap_or_default()
}

#[instrumented(correlate, log = "entry")]
fn inside(n: u32) {
    info!("inside {n}");
}

#[test]
fn a_correlation_goes_where_it_is_carried_and_nowhere_else() {
    let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let own = Correlation::new();
    let (capture, _) = recorded(
        |builder| builder,
        |_| {
            info!("plain before");
            own.run(|| {
                info!("carried here");
                std::thread::scope(|scope| {
                    scope.spawn(|| info!("plain there"));
                    scope.spawn(|| own.run(|| info!("carried there")));
                });
            });
            let scoped = own.scope(async {
                info!("carried now");
                Later::default().await;
                info!("carried later");
            });
            std::thread::scope(|scope| _ = scope.spawn(|| ready(scoped)));
            let sent = ready(front(caller, 1));
            assert!(sent.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{sent}");
            assert!(!sent.contains("00f067aa0ba902b7") && sent.ends_with("-01"), "{sent}");
            assert_eq!(ready(front("no header", 2)).len(), caller.len());
            info!("plain after");
            own.run(|| info!("named", correlation_id = "mine"));
        },
    );
    let ids = |start: &str| {
        let ids = capture
            .messages(start)
            .into_iter()
            .map(|line| (line["correlation_id"].clone(), line["span_id"].clone()));
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("plain"), vec![(Value::Null, Value::Null); 3]);
    let (id, span) = (own.id().to_string(), format!("{:016x}", own.span_id()));
    assert_eq!(ids("carried"), vec![(id.into(), span.into()); 4]);
    assert_eq!(ids("named"), [("mine".into(), format!("{:016x}", own.span_id()).into())]);
    let theirs = Value::from("4bf92f3577b34da6a3ce929d0e0e4736");
    let (front, inside) = (ids("front"), ids("inside 1"));
    let first: Vec<_> = front.iter().filter(|(id, _)| *id == theirs).collect();
    assert_eq!((front.len(), first.len(), inside.len()), (4, 2, 1));
    assert_eq!(first[0], first[1], "entry and exit are the same part of the work");
    assert_eq!(inside[0].0, theirs);
    assert_ne!(inside[0].1, first[0].1, "a call within is a part of its own");
    let second =
        front.iter().find(|(id, _)| *id != theirs).expect("a header that cannot be read begins anew");
    assert_eq!(second.0.as_str().map(str::len), Some(32));
}

#[test]
fn events_of_one_site_keep_their_own_correlation_or_none() {
    let correlations: Vec<_> = (0..3).map(|_| Correlation::new()).collect();
    let (capture, _) = recorded(
        |builder| builder,
        |_| {
            let say = |n: usize| info!("mixed {n}", n, text = %n);
            for n in 0..60 {
                match correlations.get(n % 4) {
                    Some(correlation) => correlation.run(|| say(n)),
                    None => say(n),
                }
            }
        },
    );
    let lines = capture.messages("mixed");
    assert_eq!(lines.len(), 60);
    for line in lines {
        let n = usize::try_from(line["n"].as_u64().expect("a number")).expect("a small one");
        assert_eq!((&line["message"], &line["text"]), (&format!("mixed {n}").into(), &n.to_string().into()));
        let id = correlations.get(n % 4).map(|correlation| correlation.id().to_string());
        assert_eq!(line["correlation_id"], id.map_or(Value::Null, Value::from), "{n}");
        let keys = line.as_object().expect("an object").len();
        assert_eq!(keys, if n % 4 == 3 { 8 } else { 10 }, "{line}");
    }
}

#[instrumented(name = "busy", busy, unit = Microseconds)]
async fn works(polls: u32) -> u32 {
    for _ in 0..polls {
        std::thread::sleep(Duration::from_millis(3));
        Later::default().await;
    }
    polls
}

#[test]
fn busy_time_is_what_polls_take() {
    let (capture, _) = recorded(
        |builder| builder,
        |_| {
            let mut future = Box::pin(works(2));
            let mut context = Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(&mut context).is_pending());
            std::thread::sleep(Duration::from_millis(200));
            assert!(future.as_mut().poll(&mut context).is_pending());
            assert!(future.as_mut().poll(&mut context).is_ready());
            let mut cancelled = Box::pin(works(9));
            assert!(cancelled.as_mut().poll(&mut context).is_pending());
        },
    );
    let line = |name: &str| {
        let lines = capture.metrics(name);
        assert_eq!((lines.len(), &lines[0]["dimensions"]["Function"]), (1, &"busy".into()), "{name}");
        assert_eq!((&lines[0]["unit"], &lines[0]["count"]), (&"Microseconds".into(), &2.into()));
        (lines[0]["sum"].as_f64().expect("a sum"), lines[0]["max"].as_f64().expect("a maximum"))
    };
    let (busy, duration) = (line("busy"), line("duration"));
    // It slept that long at least, in polls and between them; nobody can say how long at most.
    assert!(busy.0 >= 8_500.0 && busy.1 >= 5_500.0, "{busy:?}");
    assert!(duration.1 - busy.1 >= 190_000.0, "{busy:?} {duration:?}");
}

struct Login {
    user: String,
    password: Secret<String>,
}

#[instrumented(log = "exit", fields(login.user = login.user, password = login.password, card = redact(card), login = ?login.password))]
fn log_in(login: &Login, card: &str) -> usize {
    login.password.expose().len() + card.len()
}

#[test]
fn secrets_are_not_in_what_arrives() {
    let (capture, _) = recorded(
        |builder| builder,
        |_| {
            let login = Login { user: "ada".to_owned(), password: Secret::new("hunter2".to_owned()) };
            assert_eq!(log_in(&login, "4111"), 11);
            info!(
                "login {password} {password:?} {password:>12}",
                password = login.password,
                card = redact("4111")
            );
        },
    );
    let all = format!("{:?}", capture.taken());
    assert!(!all.contains("hunter2") && !all.contains("4111"), "{all}");
    let line = &capture.messages("log_in ended")[0];
    assert_eq!(
        (&line["password"], &line["card"], &line["login.user"]),
        (&"[redacted]".into(), &"[redacted]".into(), &"ada".into())
    );
    assert_eq!(messages(&capture, "login"), ["login [redacted] [redacted] [redacted]"]);
}

#[instrumented(name = "slow", correlate = correlation)]
fn slow(correlation: Option<Correlation>, ms: u64) {
    histogram!("pieces", ms);
    std::thread::sleep(Duration::from_millis(ms));
}

#[test]
fn the_slowest_call_of_a_window_is_known_by_its_correlation() {
    let (slowest, other) = (Correlation::new(), Correlation::new());
    let (capture, _) = recorded(
        |builder| builder,
        |ops| {
            std::thread::scope(|scope| {
                scope.spawn(|| slow(Some(other), 1));
                scope.spawn(|| {
                    slow(Some(slowest), 60);
                    slow(Some(other), 2);
                });
            });
            histogram!("alone", 1);
            slowest.run(|| histogram!("by name", 3, "Kind" => "a"));
            other.run(|| histogram!("by name", 2, "Kind" => "a"));
            assert!(ops.flush(SOON).complete);
            // In another window nothing is left of it.
            histogram!("pieces", 1);
            histogram!("by name", 1, "Kind" => "a");
        },
    );
    let exemplars = |name: &str| {
        let of = |line: Value| line["exemplar"].as_str().map(str::to_owned);
        capture.metrics(name).into_iter().map(of).collect::<Vec<_>>()
    };
    let id = Some(slowest.id().to_string());
    assert_eq!(exemplars("alone"), [None]);
    assert_eq!(exemplars("pieces"), [id.clone(), None]);
    assert_eq!(exemplars("by name"), [id.clone(), None]);
    assert_eq!(exemplars("duration"), [id]);
}
