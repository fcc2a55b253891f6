//! Doors for fuzzing: whatever reads bytes that others wrote (a disk, a server, an operator, another version) takes any
//! bytes here and checks what must hold of them. Behind the feature `fuzzing`, hidden, and no part of the interface: it
//! changes without notice. `fuzz/` calls these with cargo-fuzz, `tests/tests/fuzz.rs` with bytes of its own.
//!
//! Each function panics if what it checks does not hold, and does nothing else. Beside them stand two doors for `bench/`, to
//! what only a ship thread does.

mod answers;
mod disk;
mod measure;

pub use self::answers::{fuzz_answer, fuzz_aws_files};
pub use self::disk::fuzz_journal;
pub use self::measure::{alike, answered};

use crate::chunk::parts;
use crate::encode::binary;
use crate::model::RecordId;
use crate::record::Remains;

/// A record in its binary form: any bytes are an error or exactly one record, which encodes to the same bytes.
///
/// # Panics
///
/// If they are neither.
pub fn fuzz_record(data: &[u8]) {
    let Ok(record) = binary::decode(data) else { return };
    let mut again = Vec::new();
    binary::encode(&record, &mut again);
    assert_eq!(again, data, "a record has one encoding");
    let mut line = Vec::new();
    crate::encode::json::line(&mut line, &record, &[]);
    let line: serde_json::Value = serde_json::from_slice(&line).unwrap_or_default();
    assert!(line.is_object(), "a record that was read is a line of JSON");
}

/// A block of events: reading comes to an end, and what it gave can be put into a line.
///
/// # Panics
///
/// If it does not end, or gives what is no record.
pub fn fuzz_block(data: &[u8]) {
    let mut records = binary::records(data);
    let mut failures = 0;
    // An event takes two bytes at least; reading goes on behind a failure, so those are bounded, too.
    for _ in 0..=data.len() {
        match records.advance() {
            Ok(()) => {
                let record = records.record().map(|(record, _)| record);
                let Some(record) = record else { panic!("a record that was read is shown") };
                let mut line = Vec::new();
                crate::encode::json::line(&mut line, record, &[]);
                assert!(line.starts_with(b"{") && line.ends_with(b"}"));
            }
            Err(_) => failures += 1,
        }
        if failures > 16 {
            return;
        }
    }
}

/// The arena of a dead process: reading comes to an end, whatever the bytes. They are pieces of a file that is zero
/// elsewhere: for each where it stands (4 bytes), how long it is (2 bytes), and what it is.
///
/// # Panics
///
/// Never, or there is a fault.
pub fn fuzz_arena(data: &[u8]) {
    /// No longer than a small arena, so that a run is short.
    const BYTES_MAX: usize = 24 << 20;
    let (mut arena, mut rest) = (vec![0; BYTES_MAX], data);
    while let Some((at, after)) = rest.split_first_chunk::<4>()
        && let Some((len, after)) = after.split_first_chunk::<2>()
    {
        let len = usize::from(u16::from_le_bytes(*len)).min(after.len());
        let (piece, after) = after.split_at(len);
        let at = u32::from_le_bytes(*at) as usize % BYTES_MAX;
        let room = len.min(BYTES_MAX - at);
        arena[at..at + room].copy_from_slice(&piece[..room]);
        rest = after;
    }
    for last in [None, Some(8), Some(u64::MAX - 1)] {
        let _ = Remains::probe(arena.clone(), last);
    }
}

/// Lines that may be parts: joining takes any, and what was split comes back byte for byte. The first two bytes are
/// the limit under which the rest is split.
///
/// # Panics
///
/// If it does not.
pub fn fuzz_parts(data: &[u8]) {
    let lines = data.split(|byte| *byte == b'\n');
    let gathered = parts::gather(lines.clone());
    assert!(gathered.events.len() + gathered.broken.len() <= lines.count(), "nothing comes of nothing");
    let Some((limit, text)) = data.split_first_chunk::<2>() else { return };
    let limit = usize::from(u16::from_le_bytes(*limit)) % 4_096;
    let Some(split) = parts::split(RecordId { process: 1, seq: 2 }, text, limit) else { return };
    let split: Vec<Vec<u8>> = split.collect();
    assert!(split.iter().all(|part| part.len() <= limit), "no part is longer than the limit");
    let joined = parts::join(split.iter().rev()).unwrap_or_default();
    assert!(joined.len() == 1 && joined[0].bytes == text, "what was split comes back");
}
