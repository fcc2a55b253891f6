//! The chaos binary from outside: what it takes, what it prints, and that its exit code says the same. `tests/run` plays
//! three hundred rounds of it.

use std::collections::BTreeMap;
use std::process::{Command, Output};

fn chaos(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chaos")).args(arguments).output().expect("it runs")
}

/// The numbers of the last line.
fn numbers(output: &Output) -> BTreeMap<String, u64> {
    let said = String::from_utf8_lossy(&output.stdout);
    let last = said.lines().last().unwrap_or_default();
    let number = |word: &str| {
        let (name, number) = word.split_once('=')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    last.split(' ').filter_map(number).collect()
}

#[test]
fn a_few_rounds_are_played_and_told() {
    let output = chaos(&["--rounds", "4", "--seed", "7", "--jobs", "2"]);
    let numbers = numbers(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    let names: Vec<&str> = numbers.keys().map(String::as_str).collect();
    let wanted = ["corrupt", "duplicates", "invented", "missing", "recorded", "rounds", "unbalanced"];
    assert_eq!(names, wanted, "{said}");
    assert_eq!(numbers["rounds"], 4, "{said}");
    assert!(numbers["recorded"] > 4, "every round records something: {said}");
    let broken: u64 =
        ["corrupt", "invented", "missing", "unbalanced"].iter().map(|name| numbers[*name]).sum();
    assert_eq!((broken, output.status.code()), (0, Some(0)), "{said}");
}

#[test]
fn nothing_is_left_behind() {
    let place = tempfile::tempdir().expect("a folder");
    let mut run = Command::new(env!("CARGO_BIN_EXE_chaos"));
    run.args(["--rounds", "2", "--seed", "8"]).env("TMPDIR", place.path());
    let output = run.output().expect("it runs");
    assert_eq!(numbers(&output)["rounds"], 2);
    let left: Vec<_> = std::fs::read_dir(place.path()).expect("the folder").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_means_nothing_is_refused_with_the_usage() {
    for arguments in [&["--rounds"][..], &["--rounds", "many"], &["--jobs", "0"], &["--quickly"]] {
        let output = chaos(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("chaos [--rounds N]"), "{arguments:?}");
    }
    let output = chaos(&["--live", "no orders"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("chaos: no orders"));
}
