//! An order to send dead letters again, and how it is carried out.
//!
//! `ops dead-letter replay` leaves a file in `dead-letter/replay`; the ship thread of the backend, when it runs next,
//! moves the letters there and sends those that are chosen. What is settled is a number of lines, written behind each
//! push, and a letter that is written back carries the order's name and its line, so a process that is killed half way
//! leaves nothing out, and no letter is there twice. What was delivered right before the end may be sent once more, as
//! in all delivery; docs/delivery.md has that.
//!
//! The files of an order: `<backend>.<number>.json` (what is chosen, whether the letters are moved, how many lines are
//! settled), `<backend>.<number>.old.jsonl` and `<backend>.<number>.jsonl`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Letter, Letters, Read1, Reader, files};

/// Which letters are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Filter {
    /// The name of the reason.
    pub(crate) reason: Option<String>,
    /// Letters that were written at this time or later, in milliseconds since the Unix epoch.
    pub(crate) since_ms: Option<u64>,
    /// Letters that were written before.
    pub(crate) until_ms: Option<u64>,
}

impl Filter {
    pub(crate) fn takes(&self, letter: &Letter) -> bool {
        self.reason.as_ref().is_none_or(|reason| *reason == letter.reason)
            && self.since_ms.is_none_or(|since| letter.at_ms >= since)
            && self.until_ms.is_none_or(|until| letter.at_ms < until)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    filter: Filter,
    /// Whether the letters are moved here.
    taken: bool,
    /// Lines that are settled, in order.
    done: u64,
}

/// The folder of orders.
pub(crate) fn folder(letters: &Path) -> PathBuf {
    letters.join("replay")
}

/// Leaves an order. `number` tells it from others of the backend; later ones are larger.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn order(letters: &Path, backend: &str, number: u64, filter: Filter) -> io::Result<()> {
    let folder = folder(letters);
    fs::create_dir_all(&folder)?;
    save(&folder.join(format!("{backend}.{number}.json")), &State { filter, ..State::default() })
}

/// The names of a backend's orders, the oldest first.
pub(crate) fn orders(letters: &Path, backend: &str) -> Vec<String> {
    let names = fs::read_dir(folder(letters)).into_iter().flatten().filter_map(Result::ok);
    let number =
        |name: &str| name.strip_prefix(backend)?.strip_prefix('.')?.strip_suffix(".json")?.parse().ok();
    let mut numbers: Vec<u64> = names.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
    numbers.sort_unstable();
    numbers.into_iter().map(|number| format!("{backend}.{number}")).collect()
}

/// The letters of an order that are not settled: those that are chosen.
#[cfg(any(test, feature = "cli"))]
pub(crate) fn waiting(letters: &Path, name: &str) -> Vec<Letter> {
    let folder = folder(letters);
    let state = load(&folder.join(format!("{name}.json"))).unwrap_or_default();
    let Ok(reader) = Reader::open(data(&folder, name)) else { return Vec::new() };
    let rest = reader.filter_map(Result::ok).filter(|line| line.number >= state.done);
    rest.filter_map(|line| line.letter).collect()
}

/// An order that is being carried out.
pub(in crate::ship) struct Replay {
    folder: PathBuf,
    name: String,
    state: State,
    lines: Option<Reader>,
    /// Lines that were written back before the process ended.
    back: HashSet<u64>,
}

/// One line of an order.
#[derive(Debug)]
pub(in crate::ship) struct Entry {
    pub(in crate::ship) line: Read1,
    /// Its letter, if it is to be sent.
    pub(in crate::ship) chosen: Option<Letter>,
}

impl Replay {
    /// The oldest order of a backend, its letters moved.
    ///
    /// # Errors
    ///
    /// What the system says; the order is there still, and may be taken up again.
    pub(in crate::ship) fn next(
        folder: &Path,
        backend: &str,
        letters: &mut Letters,
    ) -> io::Result<Option<Replay>> {
        let Some(name) = orders(folder, backend).into_iter().next() else { return Ok(None) };
        let (here, from) = (self::folder(folder), files(folder, backend));
        let path = here.join(format!("{name}.json"));
        let mut state = load(&path)?;
        let to = data(&here, &name);
        let mut back = HashSet::new();
        if state.taken {
            back = written_back(&from, &name);
        } else {
            letters.close();
            for (from, to) in from.iter().zip(&to) {
                if from.exists() && !to.exists() {
                    fs::rename(from, to)?;
                }
            }
            state.taken = true;
            save(&path, &state)?;
        }
        // Missing files are those of an order that came to its end.
        let lines = Reader::open(to).ok();
        Ok(Some(Replay { folder: here, name, state, lines, back }))
    }

    /// The next lines, at most so many with so many bytes; none at the end.
    pub(in crate::ship) fn read(&mut self, bytes_max: usize, lines_max: usize) -> io::Result<Vec<Entry>> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < lines_max && bytes < bytes_max {
            let Some(line) = self.lines.as_mut().and_then(Iterator::next).transpose()? else { break };
            if line.number < self.state.done || self.back.contains(&line.number) {
                continue;
            }
            bytes += line.bytes.len();
            let chosen =
                line.letter.clone().filter(|letter| letter.can_be_sent() && self.state.filter.takes(letter));
            entries.push(Entry { line, chosen });
        }
        Ok(entries)
    }

    /// What a letter that is written back says of where it was.
    pub(in crate::ship) fn tag(&self, line: u64) -> String {
        format!("{}:{line}", self.name)
    }

    /// All lines up to this one are settled.
    pub(in crate::ship) fn settle(&mut self, line: u64) -> io::Result<()> {
        self.state.done = line + 1;
        save(&self.folder.join(format!("{}.json", self.name)), &self.state)
    }

    /// Nothing of the order is left.
    pub(in crate::ship) fn finish(self) -> io::Result<()> {
        for path in data(&self.folder, &self.name) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::remove_file(self.folder.join(format!("{}.json", self.name)))
    }
}

fn data(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(format!("{name}.old.jsonl")), folder.join(format!("{name}.jsonl"))]
}

/// The lines of an order that are letters again already.
fn written_back(files: &[PathBuf; 2], name: &str) -> HashSet<u64> {
    let Ok(reader) = Reader::open(files.clone()) else { return HashSet::new() };
    let line = |letter: Letter| letter.replay?.strip_prefix(name)?.strip_prefix(':')?.parse().ok();
    reader.filter_map(Result::ok).filter_map(|read| line(read.letter?)).collect()
}

fn load(path: &Path) -> io::Result<State> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Writes the whole file or none of it.
fn save(path: &Path, state: &State) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_data()?;
    fs::rename(new, path)
}
