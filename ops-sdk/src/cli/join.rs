//! `ops join`: over-long events from their parts.

use std::fs;
use std::io::{self, Read, Write};

use super::Failure;
use super::args::Join;
use crate::parts::{Gathered, gather};

/// Reads a file or standard input, and writes every event that is whole.
pub(super) fn run(args: &Join, out: &mut dyn Write) -> Result<(), Failure> {
    let input = match &args.file {
        Some(path) => fs::read(path)
            .map_err(|error| Failure::Said(format!("cannot read {}: {error}", path.display())))?,
        None => {
            let mut input = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut input);
            read.map_err(|error| Failure::Said(format!("cannot read standard input: {error}")))?;
            input
        }
    };
    join(&input, out)
}

/// Writes every event that is whole; fails if one is not, after the others are written.
pub(super) fn join(input: &[u8], out: &mut dyn Write) -> Result<(), Failure> {
    let Gathered { events, broken } = match serde_json::from_slice::<Vec<String>>(input) {
        Ok(texts) => gather(texts),
        Err(_) => gather(lines(input)),
    };
    for event in events {
        out.write_all(&event.bytes)?;
        out.write_all(b"\n")?;
    }
    if broken.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = broken.iter().map(ToString::to_string).collect();
    Err(Failure::Said(said.join("\nops: ")))
}

fn lines(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    let none = input.is_empty();
    input.split(|byte| *byte == b'\n').filter(move |_| !none)
}
