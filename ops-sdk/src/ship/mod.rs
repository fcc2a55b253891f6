//! The threads `ops-ship-ID`, one per backend: read the journal from the backend's cursor, encode, cut into pushes,
//! send, judge, and move the cursor when the server has answered. What fails is tried again without end, as long as
//! the journal keeps it; what the server refuses for good goes to the dead-letter file. Nothing that was delivered is
//! sent again, unless the process dies between the server's answer and the cursor.

mod backoff;
mod dead_letter;
mod reading;
mod tally;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use self::backoff::Backoff;
use self::dead_letter::DeadLetters;
use self::reading::{Reading, reading};
use self::tally::Tally;
use crate::backend::{Backend, Context, Refusal, Verdict};
use crate::chunk::{Batch, Items, chunk, is_one_push};
use crate::clock::Now;
use crate::diag;
use crate::encode::json;
use crate::hub::{Fate, Hub, Turn};
use crate::journal::{Run, RunFrame};
use crate::ledger::Loss;
use crate::limits::Limits;
use crate::model::Record;
use crate::net::Net;
use crate::record;

/// Pushes that are cut from records encoded together; the last of them is seldom full.
const PUSHES_AT_ONCE: usize = 16;
/// Bytes that are encoded together, and of one reading of the journal, whatever the limits.
const BYTES_AT_ONCE: std::ops::Range<usize> = 256 << 10..4 << 20;
/// Records of one reading.
const RUN_RECORDS_MAX: usize = 10_000;

/// What a ship thread works with.
pub(crate) struct Shipper {
    hub: Arc<Hub>,
    desk: usize,
    backend: Box<dyn Backend>,
    limits: Limits,
    net: Net,
    letters: DeadLetters,
    backoff: Backoff,
    linger: Duration,
    items: Items,
}

/// One try of one batch, and what is left of it to try again.
enum Next {
    /// All of it has come to its end.
    Done,
    /// These are to be sent, the last first.
    Again(Vec<Batch>),
    /// There is no time left.
    Stop,
}

impl Shipper {
    pub(crate) fn new(
        hub: Arc<Hub>,
        desk: usize,
        backend: Box<dyn Backend>,
        context: &Context,
        linger: Duration,
    ) -> Shipper {
        Shipper {
            limits: backend.limits().under(context.push_limit),
            letters: DeadLetters::new(context.state_dir.as_deref(), backend.id()),
            net: Net::new(Now::read()),
            backoff: Backoff::new(),
            items: Items::new(),
            hub,
            desk,
            backend,
            linger,
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        record::mute();
        let mut run = Run::new();
        let enough = self.limits.push_items_max as u64;
        while self.hub.wait_to_ship(self.desk, self.linger, enough) == Turn::Ship {
            self.hub.read(self.desk, self.enough_bytes(), RUN_RECORDS_MAX, &mut run);
            if run.is_empty() && self.hub.waits(self.desk) {
                // The disk does not give what the journal holds. It is tried again, but not in a hurry.
                let _ = self.hub.wait_to_retry(self.backoff.next(None));
                continue;
            }
            if !self.ship(&run) {
                self.hub.rewind(self.desk);
            }
            let books = self.hub.books();
            // A backend that panics over the books has still shipped.
            let _ = catch_unwind(AssertUnwindSafe(|| self.backend.books(&books)));
        }
    }

    /// Ships a run, some pushes at a time. Says false if there was no time for all of it.
    fn ship(&mut self, run: &Run) -> bool {
        let (mut tally, mut left) = (Tally::new(run.len()), reading(run));
        let mut encoded = 0;
        while encoded < run.len() {
            encoded = self.encode(&mut left, &mut tally);
            if !self.ship_items(run, &mut tally) {
                return false;
            }
        }
        true
    }

    /// Ships what is encoded. Says false if there was no time for all of it.
    fn ship_items(&mut self, run: &Run, tally: &mut Tally) -> bool {
        let (items, now_ms) = (std::mem::take(&mut self.items), Now::read().unix_ms());
        if is_one_push(&items, &self.limits, now_ms) {
            items.iter().for_each(|(item, _)| tally.expect(item.place));
            self.settle(run, tally);
            return self.deliver(items.into_batch(), run, tally);
        }
        let chunked = chunk(&items, &self.limits, now_ms);
        for (item, _) in chunked.batches.iter().flat_map(Batch::iter) {
            tally.expect(item.place);
        }
        for (index, loss) in chunked.refused {
            let Some((item, bytes)) = items.get(index) else { continue };
            let refusal = Refusal { loss, why: loss.said().to_owned() };
            let fate = self.bury(item.record, item.time_ms, &refusal, bytes);
            tally.mark(item.place, fate);
        }
        self.items = items;
        self.settle(run, tally);
        chunked.batches.into_iter().all(|batch| self.deliver(batch, run, tally))
    }

    /// Encodes the next records of a run into `self.items`, as many as some pushes hold, and says how many of the run
    /// are encoded then. Those that this backend cannot express are settled here.
    fn encode<'a>(
        &mut self,
        left: &mut Reading<'a, impl Iterator<Item = (&'a RunFrame, &'a [u8])>>,
        tally: &mut Tally,
    ) -> usize {
        self.items.clear();
        let (enough, mut encoded) = (self.enough_bytes(), 0);
        while self.items.bytes() < enough && left.advance() {
            encoded = left.place + 1;
            let before = self.items.len();
            #[allow(clippy::cast_possible_truncation)] // a run has at most some ten thousand records
            let (place, id, time_ms) = (left.place as u32, left.id, left.time_ms());
            self.items.begin(id, time_ms, place);
            let outcome = match left.record() {
                Ok((record, alike)) => {
                    let (backend, items) = (self.backend.as_mut(), &mut self.items);
                    json::alike(record, alike, || encode_one(backend, record, items))
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = outcome {
                self.items.truncate(before);
                let refusal = Refusal { loss: Loss::Unencodable, why };
                let line =
                    left.record().map_or_else(|_| left.payload().to_vec(), |(record, _)| line_of(record));
                let fate = self.bury(id, time_ms, &refusal, &line);
                tally.mark(place, fate);
            }
        }
        tally.encoded(encoded);
        encoded
    }

    /// Bytes of items that are chunked together.
    fn enough_bytes(&self) -> usize {
        self.limits
            .push_bytes_max
            .saturating_mul(PUSHES_AT_ONCE)
            .clamp(BYTES_AT_ONCE.start, BYTES_AT_ONCE.end)
    }

    /// Sends one batch until all of it has come to its end. Says false if there was no time for that.
    fn deliver(&mut self, batch: Batch, run: &Run, tally: &mut Tally) -> bool {
        let mut left = vec![batch];
        while let Some(batch) = left.pop() {
            let next = self.push(batch, tally);
            self.settle(run, tally); // also when there is no more time: a part of the push may have been taken
            match next {
                Next::Done => {}
                Next::Again(batches) => left.extend(batches),
                Next::Stop => return false,
            }
        }
        true
    }

    /// Sends one batch once, and acts on the verdict.
    fn push(&mut self, batch: Batch, tally: &mut Tally) -> Next {
        let budget = self.hub.time_left();
        if budget.is_zero() {
            return Next::Stop;
        }
        self.net.begin(Now::read(), budget);
        let (backend, net) = (&mut self.backend, &mut self.net);
        let sent = catch_unwind(AssertUnwindSafe(|| backend.send(&batch, net)));
        match sent.unwrap_or_else(|_| Verdict::Retry { after: None, why: "the backend panicked".to_owned() })
        {
            Verdict::Delivered => self.delivered(batch, tally),
            Verdict::Partial { failed, refused } => self.partly(&batch, &failed, &refused, tally),
            Verdict::Halve if batch.len() > 1 => {
                let (first, second) = batch.halves();
                Next::Again(vec![second, first])
            }
            Verdict::Halve => {
                let why = "one item alone is more than the server takes".to_owned();
                self.refused(&batch, &Refusal { loss: Loss::Oversize, why }, tally)
            }
            Verdict::Refuse(refusal) => self.refused(&batch, &refusal, tally),
            Verdict::Retry { after, why } => self.again(batch, after, &why),
            Verdict::Reauthenticate { why } => self.again(batch, None, &why),
        }
    }

    fn delivered(&mut self, batch: Batch, tally: &mut Tally) -> Next {
        self.backoff.reset();
        batch.iter().for_each(|(item, _)| tally.done(item.place, Fate::Delivered));
        if self.items.bytes() == 0 {
            self.items = Items::reuse(batch); // so that a large one is not allocated over and over
        }
        Next::Done
    }

    fn refused(&mut self, batch: &Batch, refusal: &Refusal, tally: &mut Tally) -> Next {
        for (item, bytes) in batch.iter() {
            let fate = self.bury(item.record, item.time_ms, refusal, bytes);
            tally.done(item.place, fate);
        }
        Next::Done
    }

    fn partly(
        &mut self,
        batch: &Batch,
        failed: &[usize],
        refused: &[(usize, Refusal)],
        tally: &mut Tally,
    ) -> Next {
        let answers = answers(batch.len(), failed, refused);
        for ((item, bytes), answer) in batch.iter().zip(&answers) {
            match answer {
                Answer::Refused(refusal) => {
                    let fate = self.bury(item.record, item.time_ms, refusal, bytes);
                    tally.done(item.place, fate);
                }
                Answer::Taken => tally.done(item.place, Fate::Delivered),
                Answer::Failed => {}
            }
        }
        let left = batch.select(|index| matches!(answers[index], Answer::Failed));
        if left.is_empty() {
            self.backoff.reset();
            return Next::Done;
        }
        self.again(left, None, "the server took a part of the push")
    }

    /// Waits, and has the batch sent again.
    fn again(&mut self, batch: Batch, after: Option<Duration>, why: &str) -> Next {
        let id = self.backend.id();
        diag::warn(id, Now::read(), &format!("{id}: not delivered, will be tried again: {why}"));
        if self.hub.wait_to_retry(self.backoff.next(after)) { Next::Again(vec![batch]) } else { Next::Stop }
    }

    /// Keeps what will never be delivered, if there is a place to keep it.
    fn bury(&mut self, id: crate::model::RecordId, time_ms: u64, refusal: &Refusal, item: &[u8]) -> Fate {
        let backend = self.backend.id();
        match self.letters.keep(id, time_ms, refusal, item) {
            Ok(true) => Fate::DeadLettered,
            kept => {
                let lost =
                    kept.err().map_or_else(String::new, |error| format!(" (dead-letter file: {error})"));
                let text = format!("{backend}: record {id} is refused and dropped: {}{lost}", refusal.why);
                diag::warn(&format!("{backend}/refused"), Now::read(), &text);
                Fate::Dropped(refusal.loss)
            }
        }
    }

    /// Moves the cursor over everything that is settled.
    fn settle(&self, run: &Run, tally: &mut Tally) {
        let (start, fates) = tally.advance();
        let settled = || run.within(start..start + fates.len());
        let Some((last, places)) = settled().last() else { return };
        let counted = settled().flat_map(|(frame, places)| {
            let alike = fates[places.start - start..places.end - start].chunk_by(PartialEq::eq);
            alike.map(|alike| (frame.head.signal, alike[0], alike.len() as u64))
        });
        self.hub.settle(self.desk, last.behind(places.end - 1), counted);
    }
}

/// What a partial answer says of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer<'a> {
    Taken,
    Failed,
    Refused(&'a Refusal),
}

/// A partial answer, item by item. An index outside the push says nothing, and of one that is named twice the refusal
/// counts, the first if there are two: sending again what was refused never ends.
fn answers<'a>(items: usize, failed: &[usize], refused: &'a [(usize, Refusal)]) -> Vec<Answer<'a>> {
    let mut answers = vec![Answer::Taken; items];
    let failed = failed.iter().map(|index| (*index, Answer::Failed));
    let refused = refused.iter().rev().map(|(index, refusal)| (*index, Answer::Refused(refusal)));
    for (index, answer) in failed.chain(refused) {
        if let Some(place) = answers.get_mut(index) {
            *place = answer;
        }
    }
    answers
}

/// Encodes a record; a backend that panics cannot express it.
fn encode_one(backend: &mut dyn Backend, record: &Record<'_>, items: &mut Items) -> Result<(), String> {
    let encoded = catch_unwind(AssertUnwindSafe(|| backend.encode(record, items)));
    encoded.map_or_else(
        |_| Err("the backend panicked over it".to_owned()),
        |encoded| encoded.map_err(|error| error.to_string()),
    )
}

fn line_of(record: &Record<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    json::line(&mut line, record, &[]);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_answer_is_read_item_by_item_whatever_its_indexes() {
        let refusal = |why: &str| Refusal { loss: Loss::Refused, why: why.to_owned() };
        let refused = [(2, refusal("first")), (2, refusal("second")), (usize::MAX, refusal("nowhere"))];
        let said = answers(4, &[3, 3, 2, 4, usize::MAX], &refused);
        let wanted = [Answer::Taken, Answer::Taken, Answer::Refused(&refused[0].1), Answer::Failed];
        assert_eq!(said, wanted);
        assert!(answers(0, &[0], &refused).is_empty());
    }
}
