//! The judge is judged: a round in which everything is in order passes, and each lie that is planted in it is found and
//! named as what it is.

use super::*;
use crate::chaos::plan::Ending;
use crate::chaos::plan::Means;
use crate::chaos::work::{Loudness, REGIONS};
use crate::chaos::workload::Books;

/// A round of two lives, the first killed in the middle of its last step, and everything as it should be.
fn sound() -> (Plan, Evidence) {
    let mut plan = Plan::of(3, 4, Means::default());
    plan.lives.truncate(1);
    plan.lives[0].ending = Ending::Kill { steps: 100, delay_us: 0 };
    plan.lives[0].threads = 2;
    let last = Plan::of(3, 5, Means::default()).lives.pop().expect("a life");
    plan.lives.push(Life { number: 1, ..last });
    let reached = vec![Reached { begun: 101, returned: 100 }, Reached { begun: 80, returned: 80 }];
    let books = Books { balanced: true, complete: true, logs_delivered: 1, ..Books::default() };
    let mut evidence = Evidence::default();
    evidence.lives.push(Lived { reached, books: None, wrong: None });
    evidence.lives.push(Lived { reached: vec![Reached::default()], books: Some(books), wrong: None });
    let expected = Expected::of(&plan, &evidence.lives, BTreeSet::new());
    let (lines, data) = told(&expected);
    evidence.pushes.push(Push {
        kind: Kind::Logs,
        life: 0,
        items: lines[..5].to_vec(),
        confirmed: true,
        settled: true,
    });
    evidence.pushes.push(Push {
        kind: Kind::Logs,
        life: 1,
        items: lines[5..].to_vec(),
        confirmed: true,
        settled: true,
    });
    evidence.pushes.push(Push { kind: Kind::Metrics, life: 1, items: data, confirmed: true, settled: true });
    (plan, evidence)
}

#[test]
fn who_had_no_time_left_may_not_have_noted_the_last_answer_and_who_had_has() {
    for (complete, settled, invented) in [(false, false, 0), (false, true, 1), (true, false, 1)] {
        let (mut plan, mut evidence) = sound();
        plan.lives[0].ending = Ending::Clean { deadline_ms: 0 };
        let books = Books { balanced: true, complete, logs_delivered: 5, ..Books::default() };
        evidence.lives[0].books = Some(books);
        evidence.pushes[0].settled = settled;
        let again =
            Push { life: 1, items: evidence.pushes[0].items[..1].to_vec(), ..evidence.pushes[1].clone() };
        evidence.pushes.push(again);
        assert_eq!(judge(&plan, &evidence).invented, invented, "{complete} {settled}");
    }
}

/// What an SDK without fault makes of the steps that returned: lines, and one datum each.
fn told(expected: &Expected) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut data) = (Vec::new(), Vec::new());
    for (seq, (life, thread, n, step)) in expected.steps().enumerate() {
        if !expected.is_returned(life, thread, n) {
            continue;
        }
        let datum = |name: &str, keys: &[(&str, String)], value: u64| {
            let keys: Vec<_> =
                keys.iter().map(|(k, v)| serde_json::json!({ "Name": k, "Value": v })).collect();
            // The time is the step's, so that no two are the same.
            serde_json::json!({ "MetricName": name, "Dimensions": keys, "Value": value, "Timestamp": seq })
                .to_string()
        };
        if let Step::Call(fails) | Step::Unit(fails, _) = step {
            let name = if matches!(step, Step::Call(_)) { "called" } else { "unit" };
            let function = [("Function", format!("x::{name}"))];
            data.push(datum("calls", &function, 1));
            data.push(datum("errors", &function, u64::from(*fails)));
            data.push(datum("duration", &function, 1));
        }
        match step {
            Step::Event(_, text) | Step::Unit(true, text) => {
                let level = match step {
                    Step::Event(Loudness::Info, _) => "INFO",
                    Step::Event(Loudness::Warn, _) => "WARN",
                    Step::Event(Loudness::Error, _) => "ERROR",
                    _ => "DEBUG",
                };
                let id = format!("00000000000000aa-{seq}");
                let line = serde_json::json!({
                    "level": level, "target": "x", "message": text, "text": text, "life": life, "thread": thread, "n": n, "id": id,
                });
                lines.push(line.to_string());
            }
            Step::Sum(by) => {
                data.push(datum(
                    "chaos.sum",
                    &[("Life", life.to_string()), ("Thread", thread.to_string())],
                    *by,
                ));
            }
            Step::Tick(by) => data.push(datum("chaos.ticks", &[("Life", life.to_string())], *by)),
            Step::Region(which, by) => {
                let region = REGIONS[*which as usize].to_owned();
                data.push(datum("chaos.region", &[("Life", life.to_string()), ("Region", region)], *by));
            }
            Step::Seen(value) => data.push(datum("chaos.seen", &[], *value)),
            Step::Call(_) | Step::Unit(false, _) => {}
        }
    }
    (lines, data)
}

/// Missing, invented, corrupt and unbalanced, once the round has been changed so.
fn found(change: impl FnOnce(&mut Plan, &mut Evidence)) -> [u64; 4] {
    let (mut plan, mut evidence) = sound();
    change(&mut plan, &mut evidence);
    let verdict = judge(&plan, &evidence);
    [verdict.missing, verdict.invented, verdict.corrupt, verdict.unbalanced]
}

#[test]
fn a_sound_round_passes() {
    let (plan, evidence) = sound();
    let verdict = judge(&plan, &evidence);
    assert!(verdict.holds(), "{verdict:?}");
    assert_eq!((verdict.recorded, verdict.duplicates, verdict.excused), (180, 0, 0));
}

#[test]
fn an_event_that_is_nowhere_is_missing_unless_its_life_may_lose_it() {
    assert_eq!(found(|_, evidence| drop(evidence.pushes[1].items.pop())), [1, 0, 0, 0]);
    let (mut plan, mut evidence) = sound();
    evidence.pushes[1].items.pop();
    plan.lives[0].disk = Some((DiskFault::Broken, 10));
    let excused = judge(&plan, &evidence);
    assert_eq!((excused.missing, excused.excused), (0, 1));
}

#[test]
fn a_dead_letter_is_not_missing() {
    let to_letter = |evidence: &mut Evidence| {
        let item = evidence.pushes[1].items.pop().expect("a line");
        evidence.letters[0] = serde_json::json!({ "item": item }).to_string() + "\n";
    };
    assert_eq!(found(|_, evidence| to_letter(evidence)), [0, 0, 0, 0]);
    let torn = |evidence: &mut Evidence| evidence.letters[0] = "{\"item\":".to_owned();
    assert_eq!(
        found(|_, evidence| torn(evidence)),
        [0, 0, 0, 0],
        "torn by a kill, and its record is elsewhere"
    );
    let calm = |plan: &mut Plan| plan.lives[0].ending = Ending::Clean { deadline_ms: 0 };
    let books = |evidence: &mut Evidence| evidence.lives[0].books = evidence.lives[1].books.clone();
    let found = found(|plan, evidence| (calm(plan), books(evidence), torn(evidence)).0);
    assert_eq!(found, [0, 0, 1, 0], "nobody was killed");
}

#[test]
fn what_nobody_recorded_is_invented() {
    let line = r#"{"level":"INFO","target":"x","message":"y","life":0,"thread":1,"n":80,"id":"aa-999"}"#;
    assert_eq!(found(|_, evidence| evidence.pushes[1].items.push(line.to_owned())), [0, 1, 0, 0]);
    let own = r#"{"level":"WARN","target":"ops_sdk::flush","message":"y","id":"aa-999"}"#;
    assert_eq!(found(|_, evidence| evidence.pushes[1].items.push(own.to_owned())), [0, 0, 0, 0]);
    assert_eq!(found(|_, evidence| evidence.pushes[1].items.push(own.replace("ops_sdk", "x"))), [0, 1, 0, 0]);
}

#[test]
fn one_event_under_two_ids_is_invented() {
    let twice = |evidence: &mut Evidence| {
        let again = evidence.pushes[1].items[0].replace("00000000000000aa-", "00000000000000ab-");
        evidence.pushes[1].items.push(again);
    };
    assert_eq!(found(|_, evidence| twice(evidence)), [0, 1, 0, 0]);
}

#[test]
fn a_changed_byte_is_corrupt() {
    let change = |evidence: &mut Evidence| {
        let item = &mut evidence.pushes[1].items[0];
        *item = item.replacen("\"message\":\"", "\"message\":\"!", 1);
    };
    // The event itself is then missing as well: nobody has it as it was.
    assert_eq!(found(|_, evidence| change(evidence)), [1, 0, 1, 0]);
    assert_eq!(found(|_, evidence| evidence.pushes[1].items.push("{".to_owned())), [0, 0, 1, 0]);
    assert_eq!(found(|_, evidence| evidence.violations.push("order".to_owned())), [0, 0, 1, 0]);
}

#[test]
fn a_duplicate_needs_a_reason() {
    let again = |evidence: &mut Evidence, confirmed: bool| {
        evidence.pushes[0].confirmed = confirmed;
        let first = evidence.pushes[0].clone();
        evidence.pushes.insert(1, Push { life: 1, confirmed: true, ..first });
    };
    assert_eq!(found(|_, evidence| again(evidence, false)), [0, 0, 0, 0]);
    assert_eq!(found(|_, evidence| again(evidence, true)), [0, 5, 0, 0]);
    let (plan, mut evidence) = sound();
    again(&mut evidence, false);
    assert_eq!(judge(&plan, &evidence).duplicates, 5);
}

#[test]
fn sums_are_exact() {
    let of =
        |name: &'static str| move |item: &&mut String| item.contains(&format!("\"MetricName\":\"{name}\""));
    for name in ["chaos.sum", "chaos.ticks", "chaos.region", "calls", "duration"] {
        let less = |evidence: &mut Evidence| {
            let data = &mut evidence.pushes[2].items;
            let at = data.iter_mut().position(|item| of(name)(&item)).expect("a datum");
            data.remove(at);
        };
        assert_eq!(found(|_, evidence| less(evidence)), [1, 0, 0, 0], "{name}");
        let more = |evidence: &mut Evidence| {
            let data = &mut evidence.pushes[2].items;
            let mut datum: serde_json::Value =
                serde_json::from_str(data.iter_mut().find(of(name)).expect("a datum")).expect("JSON");
            datum["Timestamp"] = 1_000_000.into();
            // More than what one step that was begun and has not returned could add.
            datum["Value"] = (1_u64 << 37).into();
            data.push(datum.to_string());
        };
        assert_eq!(found(|_, evidence| more(evidence)), [0, 1, 0, 0], "{name}");
    }
    assert_eq!(
        found(|_, e| e.pushes[2].items.push("{\"MetricName\":\"mine\",\"Value\":1}".to_owned())),
        [0, 1, 0, 0]
    );
}

#[test]
fn the_store_holds_everything_once() {
    let (plan, evidence) = sound();
    let lines: Vec<String> = evidence.pushes[..2].iter().flat_map(|push| push.items.clone()).collect();
    let expected = Expected::of(&plan, &evidence.lives, BTreeSet::new());
    let series = sums::tests::stored(&expected);
    let found = |change: fn(&mut Stored)| {
        let mut stored = Stored { lines: lines.clone(), series: series.clone() };
        change(&mut stored);
        let verdict = judge(&plan, &Evidence { store: Some(stored), ..evidence.clone() });
        (verdict.missing, verdict.invented)
    };
    assert_eq!(found(|_| {}), (0, 0));
    assert_eq!(found(|stored| drop(stored.lines.pop())), (1, 0));
    assert_eq!(found(|stored| stored.lines.push(stored.lines[0].clone())), (0, 1));
    for name in ["calls", "chaos.seen", "chaos.ticks", "duration"] {
        let change = |by: f64| {
            let mut stored = Stored { lines: lines.clone(), series: series.clone() };
            let one = stored.series.iter_mut().find(|one| one.name == name).expect("a series");
            (one.count, one.sum) = (one.count + by, one.sum + by);
            Evidence { store: Some(stored), ..evidence.clone() }
        };
        let verdict = |by| judge(&plan, &change(by));
        assert!(verdict(-1.0).missing > 0 && verdict(2f64.powi(40)).invented > 0, "{name}");
    }
}

#[test]
fn books_that_do_not_balance_or_say_too_much_are_found() {
    let books = |change: fn(&mut Books)| {
        found(|_, evidence| change(evidence.lives[1].books.as_mut().expect("the last life's books")))
    };
    assert_eq!(books(|books| books.balanced = false), [0, 0, 0, 1]);
    assert_eq!(books(|books| books.logs_delivered = 1_000), [0, 0, 0, 1]);
    assert_eq!(books(|books| books.complete = false), [1, 0, 0, 0]);
    assert_eq!(books(|books| books.lost = 1), [1, 0, 0, 0]);
    assert_eq!(books(|books| books.dropped = "1 ring_full; ".to_owned()), [1, 0, 0, 0]);
    assert_eq!(found(|_, evidence| evidence.lives[0].wrong = Some("it hangs".to_owned())), [0, 0, 0, 1]);
}

#[test]
fn a_life_on_a_broken_disk_may_lose_what_it_says_and_no_other_life_may() {
    let (mut plan, mut evidence) = sound();
    plan.lives[0].disk = Some((DiskFault::Full, 100));
    evidence.pushes[1].items.pop();
    let verdict = judge(&plan, &evidence);
    assert_eq!((verdict.missing, verdict.excused), (0, 1), "killed on a full disk");
    plan.lives[0].ending = Ending::Clean { deadline_ms: 0 };
    assert_eq!(judge(&plan, &evidence).missing, 1, "ended in order and said nothing");
    let said = Books { balanced: true, lost: 1, ..Books::default() };
    evidence.lives[0].books = Some(said);
    assert_eq!(judge(&plan, &evidence).missing, 0, "ended in order and said so");
}
