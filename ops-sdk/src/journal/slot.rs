//! A cursor's file: two slots, written in turn, each with its checksum, so that a write that is cut short leaves the
//! one before. Written in place, so it also works on a disk that has become full.
//!
//! It also holds where the journal ended then, so that frames which have gone from the end since are known to be lost.
//!
//! A slot is `OPSC · generation u64 · position 5×u64 · end 5×u64 · CRC-32C`, little-endian; the second stands at
//! byte 4096, so that no medium writes both at once.

use std::io::{self, ErrorKind};

use super::disk::{DiskFile, How, Store};
use super::position::{POSITION_BYTES, Position};
use crate::crc::crc32c;

const MAGIC: [u8; 4] = *b"OPSC";
const SLOT_BYTES: usize = 4 + 8 + 2 * POSITION_BYTES + 4;
const SLOT_STRIDE: usize = 4096;

/// What a cursor's file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Saved {
    /// There was none.
    New,
    /// The cursor is here.
    At(Position),
    /// There is a file, and neither slot is whole.
    Unreadable,
}

/// A cursor's file, open.
#[derive(Debug)]
pub(super) struct Slot {
    file: Box<dyn DiskFile>,
    store: Store,
    generation: u64,
}

impl Slot {
    /// Opens the file, or creates it.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn open(store: Store) -> io::Result<(Slot, Saved)> {
        let (file, existed) = match store.open(How::Edit) {
            Err(error) if error.kind() == ErrorKind::NotFound => (store.open(How::New)?, false),
            file => (file?, true),
        };
        let (generation, saved) = match latest(file.as_ref())? {
            Some(slot) => (slot.generation, Saved::At(slot.position)),
            None => (0, if existed { Saved::Unreadable } else { Saved::New }),
        };
        Ok((Slot { file, store, generation }, saved))
    }

    /// Saves a position and the end of the journal over the older of the two.
    ///
    /// # Errors
    ///
    /// What the system says. The position saved before is then still there.
    pub(super) fn save(&mut self, position: Position, end: Position) -> io::Result<()> {
        let generation = self.generation + 1;
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&generation.to_le_bytes());
        bytes.extend_from_slice(&position.to_bytes());
        bytes.extend_from_slice(&end.to_bytes());
        bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
        self.file.write_at(generation % 2 * SLOT_STRIDE as u64, &bytes)?;
        self.generation = generation;
        Ok(())
    }

    /// Asks the system to put the file on its medium.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    /// How often it was saved.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the file is.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

/// How far the journal reached when the cursor was last saved, if the file says so.
pub(super) fn peek_end(store: &Store) -> Option<Position> {
    let file = store.open(How::Read).ok()?;
    latest(file.as_ref()).ok()?.map(|slot| slot.end.max(slot.position))
}

struct Written {
    generation: u64,
    position: Position,
    end: Position,
}

fn latest(file: &dyn DiskFile) -> io::Result<Option<Written>> {
    let mut bytes = [0; 2 * SLOT_STRIDE];
    let read = file.read_at(0, &mut bytes)?;
    let slots = bytes[..read].chunks(SLOT_STRIDE).filter_map(parse);
    Ok(slots.max_by_key(|slot| slot.generation))
}

fn parse(bytes: &[u8]) -> Option<Written> {
    let bytes = bytes.first_chunk::<SLOT_BYTES>()?;
    let (covered, crc) = bytes.split_last_chunk::<4>()?;
    let (generation, rest) = covered.strip_prefix(&MAGIC)?.split_first_chunk::<8>()?;
    let (position, rest) = rest.split_first_chunk()?;
    let intact = crc32c(covered) == u32::from_le_bytes(*crc);
    intact.then_some(Written {
        generation: u64::from_le_bytes(*generation),
        position: Position::from_bytes(position),
        end: Position::from_bytes(rest.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::disk::Files;
    use super::*;
    use crate::signal::Signal;

    fn store(path: &Path) -> Store {
        Store { disk: Arc::new(Files), path: path.to_owned() }
    }

    fn at(path: &Path) -> Saved {
        Slot::open(store(path)).unwrap().1
    }

    #[test]
    fn a_cursor_file_survives_any_bad_byte_and_any_cut_with_the_position_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one");
        let (mut slot, saved) = Slot::open(store(&path)).unwrap();
        assert_eq!(saved, Saved::New);
        let places: Vec<_> = (1..=3).map(|n| Position::default().guess(n * 10, Signal::Log)).collect();
        for place in &places {
            slot.save(*place, places[2]).unwrap();
            assert_eq!((at(&path), peek_end(&store(&path))), (Saved::At(*place), Some(places[2])));
        }
        let whole = std::fs::read(&path).unwrap();
        let slots = (0..SLOT_BYTES).chain(SLOT_STRIDE..SLOT_STRIDE + SLOT_BYTES);
        assert_eq!(whole.len(), SLOT_STRIDE + SLOT_BYTES);
        for i in slots {
            let mut bad = whole.clone();
            bad[i] ^= 4;
            std::fs::write(&path, &bad).unwrap();
            assert!([Saved::At(places[2]), Saved::At(places[1])].contains(&at(&path)), "byte {i}");
            std::fs::write(&path, &whole[..i]).unwrap();
            assert!([Saved::Unreadable, Saved::At(places[1])].contains(&at(&path)), "length {i}");
        }
    }
}
