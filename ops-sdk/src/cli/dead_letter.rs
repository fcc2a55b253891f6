//! `ops dead-letter`: what servers refused, as it is kept in a state directory: listed, exported, and given back to be
//! sent again. Lists and exports only read; an order to send again is carried out by the program that has the directory.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use super::Failure;
use super::human;
use super::logs::rfc3339;
use super::table::Table;
use crate::clock::Now;
use crate::ship::dead_letter::replay::{self, Filter};
use crate::ship::dead_letter::{self, Letter, Reader};

/// What servers refused: list it, export it, have it sent again.
///
/// With a state directory, what a server refuses for good is kept in its folder
/// dead-letter, with the reason. The directory is that of --state-dir, else
/// OPS_STATE_DIR; the program that uses it may be running.
#[derive(Debug, clap::Args)]
#[command(
    verbatim_doc_comment,
    after_help = "\
Examples:
  ops dead-letter list --since 1d
  ops dead-letter export --backend cloudwatch --items | jq .MetricName
  ops dead-letter replay --reason refused"
)]
pub(super) struct DeadLetter {
    /// The state directory of the program
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The newest letters, and how many there are of each reason
    List(List),
    /// Letters as JSON lines, or their items as they were to be sent
    Export(Export),
    /// Has letters sent again, by the program that uses the directory
    Replay(Chosen),
}

#[derive(Debug, Default, clap::Args)]
struct Chosen {
    /// Only letters of this backend
    #[arg(long, value_name = "ID")]
    backend: Option<String>,
    /// Only letters of this reason: refused, too_old, too_new, oversize, unencodable
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Only what was refused within this time: 90s, 10m, 2h, 7d
    #[arg(long, value_name = "AGE", value_parser = human::parse_age)]
    since: Option<Duration>,
}

#[derive(Debug, Default, clap::Args)]
struct List {
    #[command(flatten)]
    chosen: Chosen,
    /// At most this many, the newest
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Default, clap::Args)]
struct Export {
    #[command(flatten)]
    chosen: Chosen,
    /// Only the items, byte for byte, with a newline behind each
    #[arg(long)]
    items: bool,
    /// The file to write; standard output when none is given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A letter, whose it is, and whether it is on its way to be sent again.
struct Found {
    backend: String,
    letter: Letter,
    waits: bool,
}

/// Runs a command on the letters of a state directory.
pub(super) fn run(args: &DeadLetter, now: Now, colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let given = args.state_dir.clone().or_else(|| std::env::var_os("OPS_STATE_DIR").map(PathBuf::from));
    let Some(dir) = given.filter(|dir| dir.is_dir()) else {
        let text = "no state directory; give --state-dir DIR, or set OPS_STATE_DIR as the program has it";
        return Err(Failure::Said(text.to_owned()));
    };
    let folder = dead_letter::folder(&dir);
    match &args.what {
        What::List(args) => list(&folder, args, now, colour, out),
        What::Export(args) => export(&folder, args, now, out),
        What::Replay(args) => replay(&folder, args, now, out),
    }
}

fn list(folder: &Path, args: &List, now: Now, colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let found = find(folder, &args.chosen, now)?;
    let shown = &found[found.len().saturating_sub(args.limit)..];
    if args.json {
        for found in shown {
            writeln!(out, "{}", as_json(found, false))?;
        }
        return Ok(());
    }
    for Found { backend, letter, .. } in shown {
        let (at, bytes) = (rfc3339(letter.at_ms * 1_000_000), human::bytes(letter.item.len() as f64));
        let (reason, why) = (&letter.reason, human::printable(&letter.why));
        writeln!(out, "{at}  {backend}  {}  {reason}  {} ({bytes}): {why}", letter.signal, letter.id)?;
    }
    if found.is_empty() {
        writeln!(out, "No letters.")?;
        return Ok(());
    }
    writeln!(out)?;
    Ok(summary(&found).write(colour, out)?)
}

fn summary(found: &[Found]) -> Table {
    let mut sums: BTreeMap<(&str, &str), (u64, u64, usize)> = BTreeMap::new();
    for Found { backend, letter, waits } in found {
        let sum = sums.entry((backend, &letter.reason)).or_default();
        *sum = (sum.0 + 1, sum.1 + u64::from(*waits), sum.2 + letter.item.len());
    }
    let mut table = Table::new(&["BACKEND", "REASON", "LETTERS", "TO BE SENT", "SIZE"]);
    for ((backend, reason), (letters, waiting, bytes)) in sums {
        let numbers = [human::count(letters), human::count(waiting), human::bytes(bytes as f64)];
        table.row([vec![backend.to_owned(), reason.to_owned()], numbers.to_vec()].concat());
    }
    table
}

fn export(folder: &Path, args: &Export, now: Now, out: &mut dyn Write) -> Result<(), Failure> {
    let found = find(folder, &args.chosen, now)?;
    let Some(path) = &args.out else { return write_out(&found, args.items, out) };
    let said = |error: std::io::Error| Failure::Said(format!("cannot write {}: {error}", path.display()));
    let mut file = BufWriter::new(File::create(path).map_err(said)?);
    match write_out(&found, args.items, &mut file) {
        Err(Failure::Output(error)) => return Err(said(error)),
        other => other?,
    }
    file.flush().map_err(said)?;
    Ok(writeln!(out, "{} letters written to {}", human::count(found.len() as u64), path.display())?)
}

fn write_out(found: &[Found], items: bool, out: &mut dyn Write) -> Result<(), Failure> {
    for found in found {
        if items {
            out.write_all(&found.letter.item)?;
            out.write_all(b"\n")?;
        } else {
            writeln!(out, "{}", as_json(found, true))?;
        }
    }
    Ok(())
}

/// Leaves an order for each backend that has letters which are chosen.
fn replay(folder: &Path, args: &Chosen, now: Now, out: &mut dyn Write) -> Result<(), Failure> {
    let mut sums: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for Found { backend, letter, waits } in find(folder, args, now)? {
        let sum = sums.entry(backend).or_default();
        match (waits, letter.can_be_sent()) {
            (true, _) => {}
            (false, true) => sum.0 += 1,
            (false, false) => sum.1 += 1,
        }
    }
    if sums.values().all(|(chosen, _)| *chosen == 0) {
        writeln!(out, "No letters to be sent again.")?;
    }
    for (backend, (chosen, cannot)) in sums {
        if chosen > 0 {
            let ordered = replay::order(folder, &backend, now.unix_ns, filter(args, now));
            let said = |error| Failure::Said(format!("cannot write in {}: {error}", folder.display()));
            ordered.map_err(said)?;
            let letters = human::count(chosen);
            writeln!(
                out,
                "{backend}: {letters} letters are sent again by the program that uses the state directory, now or when \
                 it starts"
            )?;
        }
        if cannot > 0 {
            let letters = human::count(cannot);
            writeln!(out, "{backend}: {letters} letters stay: the backend cannot express them")?;
        }
    }
    Ok(())
}

fn filter(args: &Chosen, now: Now) -> Filter {
    let ago =
        |age: Duration| now.unix_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
    Filter {
        reason: args.reason.clone(),
        since_ms: args.since.map(ago),
        // What is refused from here on was refused after whoever gave the order looked.
        until_ms: Some(now.unix_ms() + 1),
    }
}

/// The letters that are chosen, those that were refused last at the end.
fn find(folder: &Path, args: &Chosen, now: Now) -> Result<Vec<Found>, Failure> {
    let (filter, mut found) = (filter(args, now), Vec::new());
    let backends = backends(folder);
    for backend in backends.into_iter().filter(|id| args.backend.as_ref().is_none_or(|only| only == id)) {
        let (mut kept, mut waiting) = (Vec::new(), Vec::new());
        if let Ok(reader) = Reader::open(dead_letter::files(folder, &backend)) {
            for line in reader {
                let line = line.map_err(|error| {
                    Failure::Said(format!("cannot read the letters in {}: {error}", folder.display()))
                })?;
                kept.extend(line.letter);
            }
        }
        for name in replay::orders(folder, &backend) {
            waiting.extend(replay::waiting(folder, &name));
        }
        let of = |letters: Vec<Letter>, waits| {
            letters.into_iter().map(move |letter| (letter, waits)).collect::<Vec<_>>()
        };
        let all = [of(kept, false), of(waiting, true)].concat();
        let chosen = all.into_iter().filter(|(letter, _)| filter.takes(letter));
        found.extend(chosen.map(|(letter, waits)| Found { backend: backend.clone(), letter, waits }));
    }
    found.sort_by_key(|found| found.letter.at_ms);
    Ok(found)
}

/// The backends that have letters, or an order.
fn backends(folder: &Path) -> Vec<String> {
    let names = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let id = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let (id, rest) = name.split_once('.')?;
        (rest.ends_with("jsonl") || rest.ends_with("json")).then(|| id.to_owned())
    };
    let mut all: Vec<String> =
        names(folder.to_owned()).chain(names(replay::folder(folder))).filter_map(id).collect();
    all.sort();
    all.dedup();
    all
}

fn as_json(found: &Found, whole: bool) -> serde_json::Value {
    let Found { backend, letter, waits } = found;
    if whole {
        let mut line: serde_json::Value = serde_json::from_slice(&letter.to_line()).unwrap_or_default();
        line["backend"] = backend.as_str().into();
        return line;
    }
    json!({
        "backend": backend, "id": letter.id.to_string(), "signal": letter.signal.name(),
        "reason": letter.reason, "why": letter.why, "bytes": letter.item.len(),
        "time": rfc3339(letter.time_ms * 1_000_000), "refused_at": rfc3339(letter.at_ms * 1_000_000),
        "to_be_sent": waits,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::args::Args;
    use crate::clock::Now;
    use crate::ledger::Loss;
    use crate::model::{RecordId, Signal};
    use crate::ship::dead_letter::{Letter, folder, replay};

    const NOW: Now = Now { unix_ns: 1_000_000_000_000_000, mono_ns: 1 };

    fn ops(dir: &std::path::Path, line: &[&str]) -> String {
        let start = ["ops", "dead-letter", "--state-dir", dir.to_str().expect("a path")];
        let args = Args::try_parse_from([&start[..], line].concat()).expect("arguments");
        let mut out = Vec::new();
        super::super::run(args, NOW, false, &mut out).expect("done");
        String::from_utf8(out).expect("text")
    }

    fn filled() -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(folder(dir.path())).expect("a folder");
        let letter = |seq, age_ms, reason: Loss, item: &[u8]| Letter {
            id: RecordId { process: 7, seq },
            time_ms: 5,
            at_ms: NOW.unix_ms() - age_ms,
            signal: Signal::Metric,
            reason: reason.name().to_owned(),
            why: format!("why {seq}"),
            item: item.to_vec(),
            replay: None,
        };
        let lines = [
            letter(1, 3_600_000, Loss::TooOld, b"{\"a\":1}"),
            letter(2, 1_000, Loss::Refused, b"\xff\x00"),
            letter(3, 500, Loss::Unencodable, b"{\"c\":3}"),
        ];
        let text: Vec<u8> = lines.iter().flat_map(Letter::to_line).collect();
        std::fs::write(folder(dir.path()).join("cloudwatch.jsonl"), text).expect("letters");
        let text = letter(4, 100, Loss::Refused, b"x").to_line();
        std::fs::write(folder(dir.path()).join("emf.1.jsonl"), text).expect("letters");
        dir
    }

    #[test]
    fn letters_are_listed_with_their_reasons_the_newest_last() {
        let dir = filled();
        let listed = ops(dir.path(), &["list"]);
        let ids: Vec<&str> = listed.lines().take(4).filter_map(|line| line.rsplit(' ').next()).collect();
        assert_eq!(ids, ["1", "2", "3", "4"], "{listed}");
        assert!(listed.contains("cloudwatch  metric  refused  0000000000000007-2 (2 B): why 2"), "{listed}");
        let summary: Vec<&str> = listed
            .lines()
            .find(|line| line.starts_with("emf"))
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        assert_eq!(summary, ["emf", "refused", "1", "0", "1", "B"]);
        let json =
            ops(dir.path(), &["list", "--json", "--since", "10m", "--backend", "cloudwatch", "--limit", "1"]);
        let line: serde_json::Value = serde_json::from_str(&json).expect("one line");
        assert_eq!((line["id"].as_str(), line["bytes"].as_u64()), (Some("0000000000000007-3"), Some(7)));
        assert_eq!(ops(dir.path(), &["list", "--reason", "oversize"]), "No letters.\n");
        assert_eq!(ops(tempfile::tempdir().expect("a directory").path(), &["list"]), "No letters.\n");
    }

    #[test]
    fn letters_are_exported_whole_and_items_byte_for_byte() {
        let dir = filled();
        let path = dir.path().join("out");
        let out = ["export", "--items", "--reason", "refused", "--out", path.to_str().expect("a path")];
        assert!(ops(dir.path(), &out).starts_with("2 letters written to "));
        assert_eq!(std::fs::read(&path).expect("items"), b"\xff\x00\nx\n");
        let lines = ops(dir.path(), &["export", "--reason", "too_old"]);
        let line: serde_json::Value = serde_json::from_str(&lines).expect("one line");
        assert_eq!(
            (line["backend"].as_str(), line["item"].as_str()),
            (Some("cloudwatch"), Some("{\"a\":1}"))
        );
    }

    #[test]
    fn a_replay_leaves_an_order_for_each_backend_that_is_chosen() {
        let dir = filled();
        let said = ops(dir.path(), &["replay", "--since", "10m"]);
        assert!(said.contains("cloudwatch: 1 letters are sent again"), "{said}");
        assert!(said.contains("cloudwatch: 1 letters stay"), "{said}");
        assert!(said.contains("emf: 1 letters are sent again"), "{said}");
        let here = folder(dir.path());
        assert_eq!(replay::orders(&here, "cloudwatch"), [format!("cloudwatch.{}", NOW.unix_ns)]);
        let none = ops(dir.path(), &["replay", "--reason", "oversize"]);
        assert_eq!(none, "No letters to be sent again.\n");
    }

    #[test]
    fn without_a_state_directory_the_remedy_is_told() {
        let args = ["ops", "dead-letter", "list", "--state-dir", "/nonexistent"];
        let args = Args::try_parse_from(args).expect("arguments");
        let failure = super::super::run(args, NOW, false, &mut Vec::new()).expect_err("no directory");
        assert!(failure.to_string().contains("give --state-dir DIR, or set OPS_STATE_DIR"), "{failure}");
    }
}
