//! Rules against records, and rules as text.

use super::*;
use crate::model::{Audit, Metric, Points, RecordId, Resolution, Unit};

fn log(level: Level, target: &'static str, fields: Fields<'static>) -> Record<'static> {
    let body = Log { level, target: target.into(), message: "m".into(), file: "f".into(), line: 1, fields };
    Record { id: RecordId { process: 1, seq: 2 }, time_ns: 3, body: Body::Log(body) }
}

fn metric(dimensions: Vec<(&'static str, &'static str)>) -> Record<'static> {
    let dimensions = dimensions.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    let body = Metric {
        name: "n".into(),
        unit: Unit::Count,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions,
        points: Points::Counter { sum: 1 },
    };
    Record { id: RecordId::default(), time_ns: 3, body: Body::Metric(body) }
}

fn audit() -> Record<'static> {
    let body = Audit {
        actor: "a".into(),
        action: "b".into(),
        resource: "c".into(),
        outcome: "d".into(),
        fields: vec![("Stage".into(), Value::Str("test".into()))],
    };
    Record { id: RecordId::default(), time_ns: 3, body: Body::Audit(body) }
}

fn routing(rules: &[&str]) -> Routing {
    let rules = rules.iter().map(|rule| rule.parse().expect(rule)).collect();
    Routing::new(rules, vec![("Stage".to_owned(), "prod".to_owned())])
}

fn takes(rule: &str, record: &Record<'_>) -> bool {
    routing(&[rule]).declines(record).is_none()
}

#[test]
fn each_condition_is_held_against_the_record() {
    let warn = log(Level::Warn, "shop::db", vec![("code".into(), Value::U64(42))]);
    let table = [
        ("all -> a", true),
        ("metric -> a", false),
        ("log, metric -> a", true),
        ("log level>=warn -> a", true),
        ("log level=error -> a", false),
        ("level>=debug -> a", true),
        ("target=shop -> a", true),
        ("target=shop::db -> a", true),
        ("target=sho -> a", false),
        ("Stage=prod -> a", true),
        ("Stage=pr* -> a", true),
        ("Stage=*od -> a", true),
        ("Stage=*ro* -> a", true),
        ("Stage=* -> a", true),
        ("Stage!=prod -> a", false),
        ("Stage!=test -> a", true),
        ("code=42 -> a", true),
        ("code=4* -> a", true),
        ("code=43 -> a", false),
        ("Other=x -> a", false),
        ("Other!=x -> a", true),
        ("log sample=0 -> a", false),
    ];
    for (rule, taken) in table {
        assert_eq!(takes(rule, &warn), taken, "{rule}");
    }
    assert!(takes("metric Region=eu -> a", &metric(vec![("Region", "eu")])));
    assert!(!takes("metric Region=eu -> a", &metric(vec![("Region", "us")])));
    assert!(takes("Stage=test -> a", &audit()), "a field hides the process's dimension");
}

#[test]
fn a_backend_gets_what_at_least_one_of_its_rules_takes() {
    let rules = routing(&["log level>=error -> a", "log sample=0 -> a", "metric -> a"]);
    assert_eq!(rules.declines(&log(Level::Error, "t", vec![])), None);
    assert_eq!(rules.declines(&log(Level::Info, "t", vec![])), Some(Loss::Sampled));
    assert_eq!(rules.declines(&audit()), Some(Loss::Elsewhere));
    let may: Vec<_> = Signal::ALL.into_iter().filter(|signal| rules.may_take(*signal)).collect();
    assert_eq!(may, [Signal::Metric, Signal::Log]);
}

#[test]
fn the_text_and_the_methods_are_the_same_rules() {
    let table = [
        ("-> s3", Route::to("s3")),
        ("log,audit->a , b", Route::to("a").and("b").signals(&[Signal::Log, Signal::Audit])),
        (
            "level>=warn target=x::y sample=0.5 -> a",
            Route::to("a").level(Level::Warn).target("x::y").sample(0.5),
        ),
        (
            "Stage=prod Cell!=\"b*\" -> a",
            Route::to("a").dimension("Stage", "prod").dimension_is_not("Cell", "b*"),
        ),
    ];
    for (text, route) in table {
        assert_eq!(text.parse::<Route>(), Ok(route), "{text}");
    }
    assert_eq!(rules(" metric -> a; ;\nlog -> b;").map(|rules| rules.len()), Ok(2));
}

#[test]
fn what_means_nothing_is_an_error_that_says_so() {
    let table = [
        ("metric", "has no ->"),
        ("metric ->", "is no name"),
        ("metric -> a b", "is no name"),
        ("metrics -> a", "neither a kind of record"),
        ("log log -> a", "twice"),
        ("all log -> a", "name no other"),
        ("level>=loud -> a", "unknown level"),
        ("sample=2 -> a", "0.0 to 1.0"),
        ("sample=x -> a", "0.0 to 1.0"),
        ("audit sample=0.1 -> a", "never sampled"),
        ("metric sample=0.1 -> a", "wrong number"),
        ("check level>=warn -> a", "of log events"),
        ("=x -> a", "neither a kind"),
    ];
    for (text, said) in table {
        let problem = text.parse::<Route>().expect_err(text);
        assert!(problem.contains(said), "{text}: {problem}");
    }
    assert!(rules("log -> a; x -> b").expect_err("x").starts_with("in \"x -> b\": "));
}

#[test]
fn no_text_makes_it_panic() {
    proptest::proptest!(|(text in ".{0,60}")| { let _ = rules(&text); });
}
