//! The threads `ops-ship-ID`, one per backend: read the journal from the backend's cursor, encode, cut into pushes,
//! send, judge, and move the cursor when the server has answered. What fails is tried again without end, as long as
//! the journal keeps it; what the server refuses for good goes to the dead-letter file. Nothing that was delivered is
//! sent again, unless the process ends between the server's answer and the cursor.
//!
//! Where a backend allows it, several pushes are under way at a time (`workers`), as many as `pace` lets go. Their
//! answers come back here, in any order; the cursor moves over what is settled, in order.

mod circuit;
pub(crate) mod dead_letter;
mod pace;
mod push;
mod reading;
mod replay;
mod tally;
mod window;
mod workers;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::dead_letter::Letters;
use self::pace::Pace;
use self::push::Source;
use self::reading::{Reading, reading};
use self::replay::Replaying;
use self::tally::Tally;
use self::workers::{Pusher, Workers};
use crate::backend::{Backend, Context, Refusal};
use crate::chunk::{Batch, Item, Items, chunk, is_one_push};
use crate::clock::Now;
use crate::diag;
use crate::encode::json;
use crate::hub::{Fate, Hub, Meter, Turn};
use crate::journal::{Run, RunFrame};
use crate::ledger::Loss;
use crate::limits::Limits;
use crate::model::Record;
use crate::record;

/// Pushes that are cut from records encoded together; the last of them is seldom full.
const PUSHES_AT_ONCE: usize = 16;
/// Bytes that are encoded together, and of one reading of the journal, whatever the limits.
const BYTES_AT_ONCE: std::ops::Range<usize> = 256 << 10..4 << 20;
/// The same for files and objects, which are written whole and so are as large as their limits say.
const FILE_BYTES_AT_ONCE_MAX: usize = 64 << 20;
/// Records of one reading, or more where a file takes more.
const RUN_RECORDS_MAX: usize = 10_000;
/// Records of one reading for a backend that is pushed to seldom: ten seconds of 100,000 a second.
const SLOW_RECORDS_MAX: usize = 1_000_000;
/// Between two tries to read what the disk does not give.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// What the user may set of a ship thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// How long a record may wait for others to share its push.
    pub(crate) linger: Duration,
    /// Pushes under way at a time, at most.
    pub(crate) pushes_max: u32,
    /// Bytes of one backend's dead-letter files.
    pub(crate) dead_letter_bytes_max: u64,
}

/// What a ship thread works with.
pub(crate) struct Shipper {
    hub: Arc<Hub>,
    desk: usize,
    meter: Arc<Meter>,
    pusher: Pusher,
    workers: Workers,
    pace: Pace,
    limits: Limits,
    letters: Letters,
    replaying: Replaying,
    settings: Settings,
    items: Items,
    /// When the backend has to do what is due by the clock; `None` if there is nothing.
    tick_at_ns: Option<u64>,
}

impl Shipper {
    pub(crate) fn new(
        hub: Arc<Hub>,
        desk: usize,
        backend: Box<dyn Backend>,
        context: &Context,
        settings: Settings,
    ) -> Shipper {
        let folder: Option<PathBuf> = context.state_dir.as_deref().map(dead_letter::folder);
        let pacing = backend.pacing();
        let settings = Settings { linger: settings.linger.max(pacing.linger), ..settings };
        Shipper {
            limits: backend.limits().under(context.push_limit),
            letters: Letters::new(context.state_dir.as_deref(), backend.id(), settings.dead_letter_bytes_max),
            replaying: Replaying::new(folder),
            workers: Workers::new(Arc::clone(&hub), backend.id()),
            meter: Arc::clone(&hub.meters()[desk]),
            pace: Pace::new(settings.pushes_max, pacing.every),
            tick_at_ns: backend.tick_every().map(|_| 0),
            pusher: Pusher::new(backend),
            items: Items::new(),
            hub,
            desk,
            settings,
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        record::mute();
        let mut run = Run::new();
        let enough = self.limits.push_items_max as u64;
        // Letters that an order had begun to move are moved before there are others.
        self.replay();
        loop {
            self.tick();
            let idle = self.replaying.idle().min(self.untick());
            match self.hub.wait_to_ship(self.desk, self.settings.linger, enough, idle) {
                Turn::End => return,
                Turn::Idle => {}
                Turn::Ship => self.ship_next(&mut run),
            }
            self.replay();
        }
    }

    /// Has the backend do what is due by the clock.
    fn tick(&mut self) {
        let now = Now::read();
        if self.tick_at_ns.is_none_or(|at| now.mono_ns < at) || self.is_ending() {
            return;
        }
        self.tick_at_ns = self.pusher.backend.tick_every().map(|every| after_ns(now, every));
        if let Err(why) = self.pusher.tick(self.hub.time_left()) {
            let id = self.pusher.backend.id();
            diag::warn(&format!("{id}/tick"), now, &format!("{id}: {why}"));
        }
    }

    /// How long it is until the next of them is due.
    fn untick(&self) -> Duration {
        let left = |at: u64| Duration::from_nanos(at.saturating_sub(Now::read().mono_ns));
        self.tick_at_ns.map_or(Duration::MAX, left)
    }

    /// Ships what comes next in the journal.
    fn ship_next(&mut self, run: &mut Run) {
        self.read(run);
        if run.is_empty() && self.hub.waits(self.desk) {
            // The disk does not give what the journal holds. It is tried again, but not in a hurry.
            self.hub.wait_to_retry(DISK_PAUSE);
            return;
        }
        if !self.ship(run) {
            self.hub.rewind(self.desk);
        } else if self.workers.busy() == 0 && !self.hub.waits(self.desk) {
            self.workers.dismiss();
        }
        self.tell_books();
    }

    /// Reads what comes next in the journal. Where pushes are seldom, that is as much as there is, wherever it stands: what
    /// is left waits for the next push, and if there were more than could ever be pushed, for good.
    fn read(&self, run: &mut Run) {
        let (bytes_max, records_max) = reading_max(&self.limits, self.pace.is_slow());
        self.hub.read(self.desk, bytes_max, records_max, run);
        while self.pace.is_slow() && self.hub.read_on(self.desk, bytes_max, records_max, run) {}
    }

    fn tell_books(&mut self) {
        let books = self.hub.books();
        // A backend that panics over the books has still shipped.
        let _ = catch_unwind(AssertUnwindSafe(|| self.pusher.backend.books(&books)));
    }

    /// Ships a run, some pushes at a time. Says false if there was no time for all of it.
    fn ship(&mut self, run: &Run) -> bool {
        let (mut tally, mut left) = (Tally::new(run.len()), reading(run));
        let (mut queue, mut encoded) = (VecDeque::new(), 0);
        loop {
            if queue.is_empty() && encoded < run.len() {
                encoded = self.encode(&mut left, run, &mut tally);
                self.cut(run, &mut tally, &mut queue);
                self.settle(run, &mut tally);
            } else if queue.is_empty() && self.workers.busy() == 0 {
                return true;
            } else {
                let more = encoded < run.len();
                let goes_on = self.step(&mut queue, more, &Source::Run(run), &mut tally);
                self.settle(run, &mut tally); // also when there is no more time: some may have been taken
                if !goes_on {
                    return false;
                }
            }
        }
    }

    /// Cuts what is encoded into pushes. What may not be sent is settled here.
    fn cut(&mut self, run: &Run, tally: &mut Tally, queue: &mut VecDeque<Batch>) {
        let (items, now_ms) = (std::mem::take(&mut self.items), Now::read().unix_ms());
        if is_one_push(&items, &self.limits, now_ms) {
            items.iter().for_each(|(item, _)| tally.expect(item.place));
            queue.push_back(items.into_batch());
            return;
        }
        let limits = self.limits.clone();
        self.cut_to(&items, &limits, now_ms, &Source::Run(run), tally, queue);
        self.items = items;
    }

    /// Cuts items into pushes within these limits.
    fn cut_to(
        &mut self,
        items: &Items,
        limits: &Limits,
        now_ms: u64,
        source: &Source<'_>,
        tally: &mut Tally,
        queue: &mut VecDeque<Batch>,
    ) {
        let chunked = chunk(items, limits, now_ms);
        for (item, _) in chunked.batches.iter().flat_map(Batch::iter) {
            tally.expect(item.place);
        }
        for (index, loss) in chunked.refused {
            let Some((item, bytes)) = items.get(index) else { continue };
            let refusal = Refusal { loss, why: loss.said().to_owned() };
            let fate = self.bury(source, item, &refusal, bytes);
            tally.mark(item.place, fate);
        }
        queue.extend(chunked.batches);
    }

    /// Encodes the next records of a run into `self.items`, as many as some pushes hold, and says how many of the run
    /// are encoded then. Those that this backend cannot express are settled here.
    fn encode<'a>(
        &mut self,
        left: &mut Reading<'a, impl Iterator<Item = (&'a RunFrame, &'a [u8])>>,
        run: &Run,
        tally: &mut Tally,
    ) -> usize {
        self.items.clear();
        let (enough, mut encoded) = (enough_bytes(&self.limits), 0);
        while self.items.bytes() < enough && left.advance() {
            encoded = left.place + 1;
            let before = self.items.len();
            #[allow(clippy::cast_possible_truncation)] // a run has at most some ten thousand records
            let (place, id, time_ms) = (left.place as u32, left.id, left.time_ms());
            let declined = left.record().ok().and_then(|(record, _)| self.pusher.backend.declines(record));
            if let Some(loss) = declined {
                tally.mark(place, Fate::Dropped(loss));
                continue;
            }
            self.items.begin(id, time_ms, place);
            let outcome = match left.record() {
                Ok((record, alike)) => {
                    let (backend, items) = (self.pusher.backend.as_mut(), &mut self.items);
                    json::alike(record, alike, || encode_one(backend, record, items))
                }
                Err(error) => Err(error.to_string()),
            };
            if let Err(why) = outcome {
                self.items.truncate(before);
                let refusal = Refusal { loss: Loss::Unencodable, why };
                let line =
                    left.record().map_or_else(|_| left.payload().to_vec(), |(record, _)| line_of(record));
                let item = Item { bytes: 0..line.len(), time_ms, record: id, place };
                let fate = self.bury(&Source::Run(run), &item, &refusal, &line);
                tally.mark(place, fate);
            }
        }
        tally.encoded(encoded);
        encoded
    }

    /// Moves the cursor over everything that is settled.
    fn settle(&mut self, run: &Run, tally: &mut Tally) {
        let (start, fates) = tally.advance();
        let settled = || run.within(start..start + fates.len());
        let Some((last, places)) = settled().last() else { return };
        self.sync_letters();
        let counted = settled().flat_map(|(frame, places)| {
            let alike = fates[places.start - start..places.end - start].chunk_by(PartialEq::eq);
            alike.map(|alike| (frame.head.signal, alike[0], alike.len() as u64))
        });
        self.hub.settle(self.desk, last.behind(places.end - 1), counted);
    }
}

/// Bytes of items that are chunked together. Of a file as many as are sure to fit in one, so that no small one follows
/// each that is full.
fn enough_bytes(limits: &Limits) -> usize {
    let overheads = limits.push_items_max.saturating_mul(limits.item_overhead_bytes);
    let around = limits.envelope_bytes.saturating_add(limits.item_bytes_max).saturating_add(overheads);
    match limits.push_bytes_max.saturating_sub(around) {
        room @ 1.. if !limits.push => room.min(FILE_BYTES_AT_ONCE_MAX),
        _ => {
            limits.push_bytes_max.saturating_mul(PUSHES_AT_ONCE).clamp(BYTES_AT_ONCE.start, BYTES_AT_ONCE.end)
        }
    }
}

/// Bytes and records of one reading. Where there has to be some time between two pushes, a push is made of as much as
/// there is: a route may let little of it through.
fn reading_max(limits: &Limits, is_slow: bool) -> (usize, usize) {
    match (is_slow, limits.push) {
        (true, _) => (FILE_BYTES_AT_ONCE_MAX, SLOW_RECORDS_MAX),
        (false, true) => (enough_bytes(limits), RUN_RECORDS_MAX),
        (false, false) => (enough_bytes(limits), RUN_RECORDS_MAX.max(limits.push_items_max)),
    }
}

/// So much later, on the clock that never jumps.
fn after_ns(now: Now, later: Duration) -> u64 {
    now.mono_ns.saturating_add(u64::try_from(later.as_nanos()).unwrap_or(u64::MAX))
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
    use crate::limits::{Oversize, PushLimit};

    #[test]
    fn a_file_is_filled_by_what_is_encoded_at_once_and_a_push_is_one_of_some() {
        let file = Limits {
            push_bytes_max: 48 << 20,
            envelope_bytes: 0,
            push_items_max: 50_000,
            item_bytes_max: 32 << 20,
            item_overhead_bytes: 1,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse,
        };
        assert_eq!(reading_max(&file, false), ((16 << 20) - 50_000, 50_000));
        assert_eq!(reading_max(&file, true), (64 << 20, 1_000_000));
        let small = Limits { push_bytes_max: usize::MAX, push_items_max: 10, ..file.clone() };
        assert_eq!(reading_max(&small, false), (64 << 20, 10_000));
        let one_transaction = Limits { item_bytes_max: 48 << 20, ..file.clone() };
        assert_eq!(enough_bytes(&one_transaction), 4 << 20);
        let push = Limits { push: true, push_bytes_max: 1 << 20, ..file }.under(PushLimit::Contract);
        assert_eq!(reading_max(&push, false), (512 << 10, 10_000));
    }
}
