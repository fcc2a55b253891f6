//! Sends dead letters again, between the runs of the journal and by the same steps, a few pushes at a time.
//!
//! What comes back from the letters is counted as recorded once more when it is settled, and as delivered, a letter or
//! lost then, so that the books balance at any time. Letters that were not chosen are written back and not counted.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::dead_letter::replay::{Entry, Replay};
use super::push::Source;
use super::tally::Tally;
use super::{RUN_RECORDS_MAX, Shipper, enough_bytes};
use crate::chunk::Items;
use crate::clock::Now;
use crate::diag;
use crate::hub::Fate;
use crate::limits::{Limits, Oversize};
use crate::model::Signal;

/// How often an order is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Without a state directory there are no orders.
const NEVER: Duration = Duration::from_secs(3600);

/// The order that is being carried out, and when the next is looked for.
pub(super) struct Replaying {
    folder: Option<PathBuf>,
    replay: Option<Replay>,
    looked: Option<Now>,
}

impl Replaying {
    pub(super) fn new(folder: Option<PathBuf>) -> Replaying {
        Replaying { folder, replay: None, looked: None }
    }

    /// How long the ship thread may wait for something else.
    pub(super) fn idle(&self) -> Duration {
        match (&self.folder, &self.replay) {
            (None, _) => NEVER,
            (_, Some(_)) => Duration::ZERO,
            (_, None) => LOOK_EVERY,
        }
    }

    fn is_time(&self, now: Now) -> bool {
        self.looked.is_none_or(|looked| now.since(looked) >= LOOK_EVERY)
    }
}

/// Lines of an order that are settled together.
pub(super) struct Chunk {
    entries: Vec<Entry>,
    tags: Vec<String>,
}

impl Chunk {
    pub(super) fn signal(&self, place: usize) -> Signal {
        let letter = self.entries.get(place).and_then(|entry| entry.line.letter.as_ref());
        letter.map_or(Signal::Log, |letter| letter.signal)
    }

    pub(super) fn tag(&self, place: usize) -> Option<String> {
        self.tags.get(place).cloned()
    }
}

impl Shipper {
    /// Carries out a part of the order that is there, if one is.
    pub(super) fn replay(&mut self) {
        let now = Now::read();
        let Some(folder) = self.replaying.folder.clone().filter(|_| !self.is_ending()) else { return };
        let found = match self.replaying.replay.take() {
            Some(replay) => Ok(Some(replay)),
            None if self.replaying.is_time(now) => {
                self.replaying.looked = Some(now);
                Replay::next(&folder, self.pusher.backend.id(), &mut self.letters)
            }
            None => return,
        };
        let went = found.and_then(|found| found.map_or(Ok(None), |replay| self.replay_some(replay)));
        match went {
            Ok(left) => self.replaying.replay = left,
            // It is taken up again, from the files, when orders are looked for next.
            Err(error) => {
                let id = self.pusher.backend.id();
                let text = format!("{id}: dead letters wait to be sent again: {error}");
                diag::warn(&format!("{id}/replay"), now, &text);
            }
        }
    }

    pub(super) fn is_ending(&self) -> bool {
        self.hub.time_left() < Duration::MAX
    }

    /// Gives the order back if something of it is left.
    fn replay_some(&mut self, mut replay: Replay) -> io::Result<Option<Replay>> {
        let entries = replay.read(enough_bytes(&self.limits), RUN_RECORDS_MAX)?;
        if entries.is_empty() {
            replay.finish()?;
            return Ok(None);
        }
        let tags = entries.iter().map(|entry| replay.tag(entry.line.number)).collect();
        let chunk = Chunk { entries, tags };
        self.write_back(&chunk)?;
        let goes_on = self.send_again(&chunk, &mut replay);
        Ok(goes_on.then_some(replay))
    }

    /// Letters that were not chosen are letters still.
    fn write_back(&mut self, chunk: &Chunk) -> io::Result<()> {
        for (entry, tag) in chunk.entries.iter().zip(&chunk.tags).filter(|(entry, _)| entry.chosen.is_none())
        {
            let kept = match entry.line.letter.clone() {
                Some(letter) => {
                    self.letters.keep(&super::dead_letter::Letter { replay: Some(tag.clone()), ..letter })
                }
                None => self.letters.write(entry.line.bytes.trim_ascii_end()),
            };
            self.count_gone();
            kept?;
        }
        self.letters.sync()
    }

    /// Sends the letters that were chosen. Says false if there was no time for all of them.
    fn send_again(&mut self, chunk: &Chunk, replay: &mut Replay) -> bool {
        let (mut tally, mut items) = (Tally::new(chunk.entries.len()), Items::new());
        for (place, entry) in (0u32..).zip(&chunk.entries) {
            let Some(letter) = &entry.chosen else { continue };
            items.begin(letter.id, letter.time_ms, place);
            let pushed = items.push(|bytes| {
                bytes.extend_from_slice(&letter.item);
                Ok::<_, std::convert::Infallible>(())
            });
            pushed.unwrap_or_else(|never| match never {});
        }
        tally.encoded(chunk.entries.len());
        // Parts that were over-long are parts already.
        let limits = Limits { oversize: Oversize::Refuse, ..self.limits.clone() };
        let (mut queue, source) = (VecDeque::new(), Source::Letters(chunk));
        self.cut_to(&items, &limits, Now::read().unix_ms(), &source, &mut tally, &mut queue);
        self.settle_letters(chunk, replay, &mut tally);
        while !queue.is_empty() || self.workers.busy() > 0 {
            // The end is for what was recorded. What waits here is on the medium.
            if self.is_ending() {
                queue.clear();
            }
            let is_left = self.is_ending() && self.workers.busy() == 0;
            let goes_on = !is_left && self.step(&mut queue, false, &source, &mut tally);
            self.settle_letters(chunk, replay, &mut tally);
            if !goes_on {
                return false;
            }
        }
        self.workers.dismiss();
        true
    }

    /// Counts what has come to its end, and notes how far the order is.
    fn settle_letters(&mut self, chunk: &Chunk, replay: &mut Replay, tally: &mut Tally) {
        let (start, fates) = tally.advance();
        let Some(last) = (start + fates.len()).checked_sub(1).filter(|_| !fates.is_empty()) else { return };
        let sent = chunk.entries[start..].iter().zip(fates).filter(|(entry, _)| entry.chosen.is_some());
        let fates: Vec<(Signal, Fate, u64)> =
            sent.filter_map(|(entry, fate)| Some((entry.chosen.as_ref()?.signal, *fate, 1))).collect();
        self.sync_letters();
        self.hub.replayed(self.desk, fates.into_iter());
        if let Err(error) = replay.settle(chunk.entries[last].line.number) {
            let id = self.pusher.backend.id();
            let text = format!("{id}: how far a replay is cannot be written: {error}");
            diag::warn(&format!("{id}/replay"), Now::read(), &text);
        }
    }
}
