//! What an operator reads, from a store with known contents.

use clap::{CommandFactory, Parser};

use super::args::Args;
use super::*;
use crate::ledger::{Book, Loss, Row};
use crate::model::{Distribution, Level, Points, RecordId};
use crate::parts;
use crate::signal::Signal;
use crate::store::seed::{Seed, T0_MS, observed};

/// Five minutes after the seed's first record.
const NOW: Now = Now { unix_ns: (T0_MS + 300_000) * 1_000_000, mono_ns: 1 };

fn seeded() -> Seed {
    let mut seed = Seed::new();
    let charge = ("Function", "shop::checkout::charge");
    let long =
        ("Function", "a_crate_of_a_long_name::with::modules::within::modules::and::a_long_function_name");
    for minute in 0..2 {
        seed.metric(minute, "calls", charge, Points::Counter { sum: 1_000 });
        seed.metric(minute, "errors", charge, Points::Counter { sum: minute * 25 });
        let durations: Vec<f64> = (1..=100).map(|n| f64::from(n) * 0.5).collect();
        seed.metric(minute, "duration", charge, Points::Histogram(observed(&durations)));
    }
    seed.metric(0, "calls", long, Points::Counter { sum: 3 });
    seed.metric(0, "duration", long, Points::Histogram(observed(&[0.000_8, 0.12, 61_000.0])));
    seed.metric(0, "orders", ("Region", "eu"), Points::Counter { sum: 12_345 });
    seed.metric(0, "orders", ("Region", "us"), Points::Counter { sum: 7 });
    seed.metric(
        0,
        "depth",
        ("Queue", "mail"),
        Points::Gauge { last: 2.5, min: -1.0, max: 9.0, sum: 10.5, count: 3 },
    );
    seed.metric(0, "size", ("Kind", "rust"), Points::Histogram(observed(&[100.0, 2_000.0, 3e6])));
    seed.log(T0_MS + 1_000, Level::Info, "shop::cart", "charged 12 euros");
    seed.log(T0_MS + 200_000, Level::Error, "shop::cart", "payment refused:\nno reply\u{1b}[2J");
    seed.log(T0_MS + 100_000, Level::Debug, "http", "reply after 3 tries");
    let row = |signal, recorded, dropped| Row {
        signal,
        recorded,
        delivered: recorded - dropped,
        pending: 0,
        dead_lettered: 0,
        dropped: if dropped > 0 { vec![(Loss::RingFull, dropped)] } else { Vec::new() },
    };
    let rows = vec![row(Signal::Metric, 14, 0), row(Signal::Log, 1_207, 1_204)];
    seed.backend.books(&[Book { backend: "local".into(), rows }]);
    seed
}

/// What a command line writes, or why it fails.
fn ops(seed: &Seed, line: &[&str]) -> Result<String, Failure> {
    let store = ["ops", "--store", seed.path.to_str().unwrap()];
    let args = Args::try_parse_from([&store[..], line].concat()).unwrap();
    let mut out = Vec::new();
    run(args, NOW, false, &mut out)?;
    Ok(String::from_utf8(out).unwrap().replace(seed.path.to_str().unwrap(), "STORE"))
}

#[track_caller]
fn is_golden(actual: &str, golden: &str) {
    assert!(actual == golden, "{actual}\n--- is not the golden\n{golden}");
}

#[test]
fn stats_are_tables() {
    is_golden(&ops(&seeded(), &["stats"]).unwrap(), include_str!("golden/stats.txt"));
    is_golden(&ops(&seeded(), &["stats", "--since", "4m"]).unwrap(), include_str!("golden/stats-since.txt"));
}

#[test]
fn what_the_governor_tells_of_a_function_stands_beside_its_numbers() {
    let mut seed = seeded();
    let charge = ("Function", "shop::checkout::charge");
    for (minute, name, told) in [(0, "timed_every", 2.0), (1, "timed_every", 64.0), (1, "overhead", 0.75)] {
        let points = Points::Gauge { last: told, min: told, max: told, sum: told, count: 1 };
        let name = if name == "overhead" { "ops_sdk.overhead" } else { "ops_sdk.timed_every" };
        seed.metric(minute, name, charge, points);
    }
    let text = ops(&seed, &["stats"]).unwrap();
    let charge = text.lines().find(|line| line.contains("::charge ")).unwrap_or_default();
    assert!(charge.contains("1 in 64") && charge.ends_with("0.75 %"), "{text}");
    assert_eq!(text.matches("ops_sdk.").count(), 0, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= table::WIDTH), "{text}");
}

#[test]
fn every_line_of_the_tables_fits_eighty_columns() {
    let text = ops(&seeded(), &["stats"]).unwrap();
    assert!(text.lines().all(|line| line.chars().count() <= table::WIDTH), "{text}");
}

#[test]
fn stats_tell_the_correlation_of_the_largest() {
    let mut seed = seeded();
    let exemplar = Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
    let largest = |value| {
        let mut distribution = Distribution::default();
        distribution.observe(value, 1);
        Points::Histogram(Distribution { exemplar, ..distribution })
    };
    seed.metric(0, "duration", ("Function", "shop::checkout::charge"), largest(90_000.0));
    seed.metric(0, "payload", ("Region", "eu"), largest(2_000.0));
    let text = ops(&seed, &["stats"]).unwrap();
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let told: Vec<_> = text.lines().filter(|line| line.ends_with(id)).collect();
    assert!(text.contains("LARGEST OF") && told.len() == 2, "{text}");
    assert!(told[0].starts_with("shop::checkout::charge"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= table::WIDTH), "{text}");
    let json: serde_json::Value = serde_json::from_str(&ops(&seed, &["stats", "--json"]).unwrap()).unwrap();
    assert_eq!(json["functions"].as_array().unwrap().iter().filter(|f| f["exemplar"] == id).count(), 1);
}

#[test]
fn stats_are_one_json_object() {
    let text = ops(&seeded(), &["stats", "--json"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["functions"][1]["function"], "shop::checkout::charge");
    assert_eq!(json["functions"][1]["calls"], 2_000);
    assert_eq!(json["functions"][1]["errors"], 25);
    let orders =
        json["metrics"].as_array().unwrap().iter().find(|series| series["name"] == "orders").unwrap();
    assert_eq!((&orders["sum"], &orders["dimensions"]["Region"]), (&12_345.0.into(), &"eu".into()));
    assert_eq!(json["log_lines"], serde_json::json!({ "ERROR": 1, "INFO": 1, "DEBUG": 1 }));
    assert_eq!(json["books"][0]["dropped"], serde_json::json!({ "ring_full": 1_204 }));
}

#[test]
fn an_empty_store_says_so() {
    let text = ops(&Seed::new(), &["stats"]).unwrap();
    assert_eq!(text, "store: STORE\n\nNothing was recorded yet.\n");
    assert_eq!(ops(&Seed::new(), &["logs"]).unwrap(), "");
}

#[test]
fn logs_are_lines_the_newest_last() {
    is_golden(&ops(&seeded(), &["logs"]).unwrap(), include_str!("golden/logs.txt"));
    is_golden(&ops(&seeded(), &["logs", "--json"]).unwrap(), include_str!("golden/logs.jsonl"));
}

#[test]
fn each_filter_of_logs_filters() {
    let seed = seeded();
    let messages = |line: &[&str]| -> Vec<String> {
        let text = ops(&seed, &[&["logs", "--json"], line].concat()).unwrap();
        let json = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        text.lines().map(|line| json(line)["message"].as_str().unwrap()[..7].to_owned()).collect()
    };
    assert_eq!(messages(&[]), ["charged", "reply a", "payment"]);
    assert_eq!(messages(&["--level", "warn"]), ["payment"]);
    assert_eq!(messages(&["--target", "shop"]), ["charged", "payment"]);
    assert_eq!(messages(&["--search", "reply tries"]), ["reply a"]);
    assert_eq!(messages(&["--since", "210s"]), ["reply a", "payment"]);
    assert_eq!(messages(&["--until", "2m"]), ["charged", "reply a"]);
    assert_eq!(messages(&["--limit", "1"]), ["payment"]);
}

#[test]
fn tail_begins_with_the_newest_and_follows_in_order_of_arrival() {
    let mut seed = seeded();
    let store = seed.open();
    let filter = args::Filter { target: Some("shop".into()), ..args::Filter::default() };
    let args = args::Tail { filter, lines: 1, follow: false };
    let mut looks = 0;
    let mut out = Vec::new();
    let wait = || {
        looks += 1;
        match looks {
            1 => seed.log(T0_MS, Level::Info, "shop", "late"),
            2 => seed.log(T0_MS + 250_000, Level::Info, "http", "not of the shop"),
            3 => seed.log(T0_MS + 250_000, Level::Info, "shop", "last"),
            _ => {}
        }
        looks < 6
    };
    logs::tail(&store, &args, false, &mut out, wait).unwrap();
    let text = String::from_utf8(out).unwrap();
    let starts =
        text.lines().filter(|line| line.starts_with("2026")).map(|line| line.split(": ").nth(1).unwrap());
    let words: Vec<&str> = starts.map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(words, ["payment", "late", "last"], "{text}");
}

#[test]
fn colour_is_asked_for() {
    let seed = seeded();
    let mut out = Vec::new();
    let args = Args::try_parse_from(["ops", "--store", seed.path.to_str().unwrap(), "logs"]).unwrap();
    run(args, NOW, true, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("\u{1b}[31mERROR\u{1b}[0m"));
    assert!(!ops(&seed, &["logs"]).unwrap().contains('\u{1b}'));
}

#[test]
fn join_puts_parts_together_and_names_what_is_missing() {
    let long = "zoë said \"no\" ".repeat(50);
    let of = |seq| RecordId { process: 0xc0ffee, seq };
    let cut = |seq| parts::split(of(seq), long.as_bytes(), 200).unwrap().collect::<Vec<_>>();
    let (whole, mut broken) = (cut(1), cut(2));
    broken.remove(1);
    let lines = [&whole[1..], &[b"a plain line".to_vec()], &broken[..], &whole[..1]].concat();
    let mut out = Vec::new();
    let failure = join::join(&lines.join(&b'\n'), &mut out).unwrap_err().to_string();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{long}\na plain line\n"));
    assert!(failure.contains("0000000000c0ffee-2") && failure.contains("missing"), "{failure}");
    let texts: Vec<String> = whole.iter().map(|part| String::from_utf8(part.clone()).unwrap()).collect();
    let mut out = Vec::new();
    join::join(serde_json::to_string(&texts).unwrap().as_bytes(), &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), format!("{long}\n"));
    let mut out = Vec::new();
    join::join(b"", &mut out).unwrap();
    assert!(out.is_empty());
}

#[test]
fn no_store_names_every_way_to_give_one() {
    let args = Args::try_parse_from(["ops", "stats", "--store", "/nowhere/store.db"]).unwrap();
    let text = run(args, NOW, false, &mut Vec::new()).unwrap_err().to_string();
    for name in ["/nowhere/store.db", "--store", "OPS_LOCAL_PATH", "OPS_STATE_DIR", ".ops/store.db"] {
        assert!(text.contains(name), "{text}");
    }
}

#[test]
fn arguments_that_mean_nothing_are_refused() {
    for line in [&["ops"][..], &["ops", "logs", "--since", "soon"], &["ops", "logs", "--level", "loud"]] {
        assert_eq!(Args::try_parse_from(line).unwrap_err().exit_code(), 2, "{line:?}");
    }
    Args::command().debug_assert();
}

#[test]
fn the_help_is_what_a_stranger_reads_first() {
    let help = Args::command().render_help().to_string();
    is_golden(&help, include_str!("golden/help.txt"));
    let mut command = Args::command();
    for sub in ["stats", "logs", "tail", "join", "ship", "recover", "dead-letter"] {
        let help = command.find_subcommand_mut(sub).unwrap().render_long_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= table::WIDTH), "{help}");
    }
}

/// A pipe whose reader went away after some bytes.
struct Gone(usize);

impl Write for Gone {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.checked_sub(bytes.len()) {
            Some(left) => self.0 = left,
            None => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command() {
    let seed = seeded();
    let args = Args::try_parse_from(["ops", "--store", seed.path.to_str().unwrap(), "logs"]).unwrap();
    let failure = run(args, NOW, false, &mut Gone(50)).unwrap_err();
    assert!(matches!(failure, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe));
}
