//! `ops recover`: what a killed process left in its arena, brought to its journal.

use std::io::Write;

use super::Failure;
use super::args::Recover;
use crate::flush::recovery;
use crate::journal::{self, Journal, Settings};

/// Units of work that had not ended held back no more than fits a killed process's memory.
const HELD_BYTES_MAX: usize = usize::MAX;

/// Recovers, and says what was found.
pub(super) fn run(args: &Recover, out: &mut dyn Write) -> Result<(), Failure> {
    if !args.dir.join("journal").is_dir() {
        let dir = args.dir.display();
        return Err(Failure::Said(format!("{dir} is no state directory; give what OPS_STATE_DIR names")));
    }
    let _lock = journal::lock(&args.dir)?;
    // Nothing is thrown away here: bounds are those of the process that ships it.
    let settings = Settings { bytes_max: u64::MAX, ..Settings::new(Some(args.dir.clone())) };
    let (mut journal, opened) = Journal::open(settings)?;
    let recovered = recovery::recover(&args.dir, &mut journal, HELD_BYTES_MAX)?;
    journal.sync()?;
    match recovered {
        Some(recovered) => writeln!(out, "{recovered}")?,
        None => writeln!(out, "no process left anything in its arena")?,
    }
    let before = opened.records;
    writeln!(out, "the journal had {before} records; the next process with this directory ships them")?;
    Ok(())
}
