//! Where the flush thread, the ship threads and whoever asks for a flush meet: the journal and the books behind one
//! lock, so that a count and the frame it stands for change together. No caller of a macro ever comes here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::lock::{Condvar, Mutex};

use crate::error::Error;
use crate::journal::{self, CursorKey, FrameHead, Journal, Position, Run};
use crate::ledger::{Account, Book, Loss};
use crate::record;
use crate::signal::Signal;

mod meter;
pub(crate) use self::meter::{Meter, Metered, PushError};

/// How a record ended for one backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Delivered,
    DeadLettered,
    Dropped(Loss),
}

/// What a ship thread should do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There are records to read.
    Ship,
    /// Nothing was due for as long as was asked.
    Idle,
    /// Recording has stopped and there is nothing left, or no time left.
    End,
}

/// How long a medium that failed is left alone.
const SYNC_AGAIN: Duration = Duration::from_secs(10);

/// The meeting place.
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Something was appended, settled or flushed.
    changed: Condvar,
    /// A flush was asked for.
    asked: Condvar,
    /// Everything is to end.
    ended: Condvar,
}

struct State {
    journal: Journal,
    desks: Vec<Desk>,
    /// Events that the flush thread holds back until it is known how their unit of work ends.
    held: u64,
    flush_asked: u64,
    flush_done: u64,
    /// Where the journal ended when the last flush was done.
    flush_end: Position,
    /// How many callers wait for a flush; ship threads do not wait for more to send at once then.
    flushing: usize,
    /// When everything has to have ended.
    stop_at: Option<Instant>,
    /// What the journal last complained of.
    trouble: Option<String>,
    /// Whether the journal is another one's by now.
    closed: bool,
}

/// One backend's cursor and books.
struct Desk {
    key: CursorKey,
    account: Arc<Account>,
    meter: Arc<Meter>,
    /// When the oldest record came that has not been read.
    waiting_since: Option<Instant>,
}

impl Hub {
    pub(crate) fn new(journal: Journal) -> Hub {
        let state = State {
            journal,
            desks: Vec::new(),
            held: 0,
            flush_asked: 0,
            flush_done: 0,
            flush_end: Position::default(),
            flushing: 0,
            stop_at: None,
            trouble: None,
            closed: false,
        };
        Hub {
            state: Mutex::new(state),
            changed: Condvar::new(),
            asked: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    /// Gives a backend its cursor and opens its books with what earlier processes left for it. Says which desk it is.
    pub(crate) fn attach(&self, account: Arc<Account>) -> Result<usize, Error> {
        let mut state = self.state.lock();
        let accepts = Signal::ALL.map(|signal| account.accepts(signal));
        let attached = state.journal.attach(account.id(), accepts)?;
        for signal in Signal::ALL {
            account.recorded(signal, attached.carried[signal as usize]);
        }
        let waiting_since = attached.carried.iter().any(|n| *n > 0).then(Instant::now);
        let meter = Arc::default();
        state.desks.push(Desk { key: attached.key, account, meter, waiting_since });
        state.note_evicted();
        Ok(state.desks.len() - 1)
    }

    /// Appends frames, and counts each as recorded in the same breath. Runs `appended` when the journal has them, before
    /// anyone can read them there.
    pub(crate) fn append<'a>(
        &self,
        frames: impl Iterator<Item = (FrameHead, &'a [u8])>,
        appended: impl FnOnce(),
    ) {
        let mut state = self.state.lock();
        let mut count = [0; Signal::COUNT];
        for (head, payload) in frames {
            state.journal.append(head, payload);
            count[head.signal as usize] += u64::from(head.records);
        }
        state.journal.commit();
        appended();
        state.count_recorded(&count);
        state.note_evicted();
        drop(state);
        self.changed.notify_all();
    }

    /// Counts records that were lost before they came to the journal.
    pub(crate) fn lost(&self, signal: Signal, loss: Loss, count: u64) {
        for desk in &self.state.lock().desks {
            desk.account.recorded(signal, count);
            desk.account.dropped(signal, loss, count);
        }
    }

    /// So many events are held back by now, neither in the arena nor in the journal.
    pub(crate) fn hold(&self, events: u64) {
        self.state.lock().held = events;
    }

    /// The newest stamp of all that the journal holds, in milliseconds since the Unix epoch.
    pub(crate) fn newest_ms(&self) -> Option<u64> {
        self.state.lock().journal.newest_ms()
    }

    /// Lets go of what is too old to be kept.
    pub(crate) fn expire(&self, now_ms: u64) {
        let mut state = self.state.lock();
        state.journal.expire(now_ms);
        state.note_evicted();
    }

    /// What the journal complains of, since this was asked last.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.state.lock().trouble.take()
    }

    /// Has the journal put on the medium. Nobody waits for the medium meanwhile but the one who asks.
    pub(crate) fn sync(&self) -> std::io::Result<()> {
        let plan = self.state.lock().journal.plan_sync();
        let result = plan.run();
        let mut state = self.state.lock();
        match result {
            _ if state.closed => {}
            Ok(()) => state.journal.synced(plan),
            Err(_) => state.journal.not_synced(plan),
        }
        result
    }

    /// Has the journal put on the medium this often, until everything has ended: the work of the thread "ops-sync".
    pub(crate) fn sync_every(&self, every: Duration) {
        let mut pause = every;
        while self.wait_to_sync(pause) {
            pause = every;
            if let Err(error) = self.sync() {
                self.state.lock().trouble = Some(not_synced(&error));
                // Each failure ends a segment: not many times a second.
                pause = every.max(SYNC_AGAIN);
            }
        }
    }

    /// Waits until the next sync is due. Says false if everything is to end: whoever ends it syncs once more.
    fn wait_to_sync(&self, every: Duration) -> bool {
        let due = after(Instant::now(), every);
        let mut state = self.state.lock();
        while state.stop_at.is_none() {
            if self.ended.wait_until(&mut state, due).timed_out() {
                return true;
            }
        }
        false
    }

    /// The books of every backend; `arena` records are on their way to each.
    pub(crate) fn books(&self) -> Vec<Book> {
        let state = self.state.lock();
        let waiting = record::pending_events() + state.held;
        state.desks.iter().map(|desk| state.book(desk, waiting)).collect()
    }

    /// What the ship threads of each backend count of their pushes.
    pub(crate) fn meters(&self) -> Vec<Arc<Meter>> {
        self.state.lock().desks.iter().map(|desk| Arc::clone(&desk.meter)).collect()
    }

    /// The bytes that the journal takes.
    pub(crate) fn journal_bytes(&self) -> u64 {
        self.state.lock().journal.bytes()
    }

    /// How many records of each backend would go with the process.
    pub(crate) fn unkept(&self) -> Vec<u64> {
        let state = self.state.lock();
        let waiting = |desk: &Desk| {
            if desk.account.accepts(Signal::Log) { record::pending_events() + state.held } else { 0 }
        };
        state.desks.iter().map(|desk| state.journal.unkept(desk.key) + waiting(desk)).collect()
    }

    // --- the ship threads' side

    /// Waits until there is something to ship: `enough` records, or any that has waited for `linger`, or any at all
    /// while somebody waits for a flush. Nothing else wakes it before `idle` has passed.
    pub(crate) fn wait_to_ship(&self, desk: usize, linger: Duration, enough: u64, idle: Duration) -> Turn {
        let idle_at = after(Instant::now(), idle);
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            let pending = state.pending(desk);
            if state.stop_at.is_some_and(|at| now >= at || (pending == 0 && state.flushed())) {
                return Turn::End;
            }
            let Some(since) = state.desks[desk].waiting_since.filter(|_| pending > 0) else {
                state.desks[desk].waiting_since = None;
                if now >= idle_at {
                    return Turn::Idle;
                }
                let wake = state.stop_at.map_or(idle_at, |at| at.min(idle_at));
                self.changed.wait_until(&mut state, wake);
                continue;
            };
            let due = after(since, linger);
            // Not before the flush thread is done: what it brings can share the push.
            let hurry = state.flushed() && (state.stop_at.is_some() || state.flushing > 0);
            if hurry || pending >= enough || now >= due {
                return Turn::Ship;
            }
            if now >= idle_at {
                return Turn::Idle;
            }
            let wake = state.stop_at.map_or(due, |at| at.min(due)).min(idle_at);
            self.changed.wait_until(&mut state, wake);
        }
    }

    /// Waits until `ready` says so; ends, and says false, `grace` after the time when everything has to have ended.
    /// [`Hub::nudge`] has it look again.
    pub(crate) fn wait_for(&self, ready: impl Fn() -> bool, grace: Duration) -> bool {
        let mut state = self.state.lock();
        loop {
            if ready() {
                return true;
            }
            match state.stop_at.map(|at| after(at, grace)) {
                Some(end) if Instant::now() >= end => return false,
                Some(end) => _ = self.changed.wait_until(&mut state, end),
                None => self.changed.wait(&mut state),
            }
        }
    }

    /// Has everybody who waits look again.
    pub(crate) fn nudge(&self) {
        drop(self.state.lock()); // whoever looked just now is waiting by then
        self.changed.notify_all();
    }

    /// Counts records that came back from the dead letters, as recorded once more, and how they ended.
    pub(crate) fn replayed(&self, desk: usize, fates: impl Iterator<Item = (Signal, Fate, u64)>) {
        let state = self.state.lock();
        let account = &state.desks[desk].account;
        for (signal, fate, count) in fates {
            account.recorded(signal, count);
            book(account, signal, fate, count);
        }
    }

    /// Whether records wait for a backend.
    pub(crate) fn waits(&self, desk: usize) -> bool {
        self.state.lock().pending(desk) > 0
    }

    /// Reads the next records of a backend.
    pub(crate) fn read(&self, desk: usize, bytes_max: usize, records_max: usize, run: &mut Run) {
        let mut state = self.state.lock();
        let key = state.desks[desk].key;
        state.journal.read(key, bytes_max, records_max, run);
        state.desks[desk].waiting_since = Some(Instant::now());
        state.note_evicted();
    }

    /// Adds to a run what comes next behind it; says whether there was something, and room for it.
    pub(crate) fn read_on(&self, desk: usize, bytes_max: usize, records_max: usize, run: &mut Run) -> bool {
        let mut state = self.state.lock();
        let key = state.desks[desk].key;
        let more = state.journal.read_on(key, bytes_max, records_max, run);
        state.note_evicted();
        more
    }

    /// Settles records: their fates, each with its number of records, go into the books and the cursor moves, together.
    pub(crate) fn settle(
        &self,
        desk: usize,
        upto: Position,
        fates: impl Iterator<Item = (Signal, Fate, u64)>,
    ) {
        let mut state = self.state.lock();
        if state.closed {
            return;
        }
        let account = Arc::clone(&state.desks[desk].account);
        fates.for_each(|(signal, fate, count)| book(&account, signal, fate, count));
        let key = state.desks[desk].key;
        state.journal.ack(key, upto);
        state.note_evicted();
        drop(state);
        self.changed.notify_all();
    }

    /// Hands out again, at the next read, what a backend has read and not settled.
    pub(crate) fn rewind(&self, desk: usize) {
        let mut state = self.state.lock();
        let key = state.desks[desk].key;
        state.journal.rewind(key);
    }

    /// Waits before another try; ends early, and says false, when there is no time left at all.
    pub(crate) fn wait_to_retry(&self, delay: Duration) -> bool {
        let until = after(Instant::now(), delay);
        let mut state = self.state.lock();
        loop {
            let now = Instant::now();
            if state.stop_at.is_some_and(|at| now >= at) {
                return false;
            }
            if now >= until {
                return true;
            }
            let wake = state.stop_at.map_or(until, |at| at.min(until));
            self.changed.wait_until(&mut state, wake);
        }
    }

    /// How long a push may take: what is left until everything has to have ended.
    pub(crate) fn time_left(&self) -> Duration {
        let stop_at = self.state.lock().stop_at;
        stop_at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }

    // --- the flush thread's side

    /// Waits until a flush is asked for, `pause` at most. Says the number of the flush to do, and whether it is the
    /// last one.
    pub(crate) fn wait_to_flush(&self, pause: Duration) -> Option<(u64, bool)> {
        let mut state = self.state.lock();
        if state.flushed() && !pause.is_zero() {
            self.asked.wait_for(&mut state, pause);
        }
        (!state.flushed()).then(|| (state.flush_asked, state.stop_at.is_some()))
    }

    /// Everything recorded before this flush was asked for is in the journal.
    pub(crate) fn flushed(&self, number: u64) {
        let mut state = self.state.lock();
        (state.flush_done, state.flush_end) = (state.flush_done.max(number), state.journal.end());
        drop(state);
        self.changed.notify_all();
    }

    // --- the side of whoever holds the guard

    /// Asks for a flush and waits until every backend has settled what was recorded before, `deadline` at most. Says
    /// whether all of it was.
    pub(crate) fn flush(&self, deadline: Duration) -> bool {
        let until = after(Instant::now(), deadline);
        let mut state = self.state.lock();
        state.flush_asked += 1;
        state.flushing += 1;
        let number = state.flush_asked;
        self.asked.notify_all();
        self.changed.notify_all();
        let mut goal: Option<Position> = None;
        let complete = loop {
            if state.flush_done >= number {
                // By its place, not by counting: what is lost meanwhile ends too, and was not there before.
                let goal = *goal.get_or_insert(state.flush_end);
                if state.desks.iter().all(|desk| state.journal.is_settled(desk.key, &goal)) {
                    break true;
                }
            }
            // Whoever closes it has flushed it.
            if state.closed || self.changed.wait_until(&mut state, until).timed_out() {
                break false;
            }
        };
        state.flushing -= 1;
        complete
    }

    /// Tells every thread to end: after a last flush, when all is settled, or at `deadline`.
    pub(crate) fn stop(&self, deadline: Duration) {
        let mut state = self.state.lock();
        state.stop_at = Some(after(Instant::now(), deadline));
        state.flush_asked += 1;
        drop(state);
        self.asked.notify_all();
        self.changed.notify_all();
        self.ended.notify_all();
    }

    /// Lets go of the journal, when the threads have ended or are left behind: what one of those settles from here on
    /// counts for nothing, because the next start has the state directory. Call [`Hub::books`] before.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        if let Ok((nothing, _)) = Journal::open(journal::Settings::new(None)) {
            (state.journal, state.closed) = (nothing, true);
        }
        self.changed.notify_all();
    }
}

/// Counts how records ended.
fn book(account: &Account, signal: Signal, fate: Fate, count: u64) {
    match fate {
        Fate::Delivered => account.delivered(signal, count),
        Fate::DeadLettered => account.dead_lettered(signal, count),
        Fate::Dropped(loss) => account.dropped(signal, loss, count),
    }
}

fn not_synced(error: &std::io::Error) -> String {
    let remedy = "repair the disk; until then what is recorded may not survive a loss of power";
    format!("OPS_STATE_DIR / .state_dir(..): cannot put the journal on the medium: {error}; {remedy}")
}

/// A moment that far away; one that never comes where the clock does not reach that far.
fn after(start: Instant, delay: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    start + delay.min(FAR)
}

impl State {
    fn flushed(&self) -> bool {
        self.flush_done >= self.flush_asked
    }

    fn pending(&self, desk: usize) -> u64 {
        let key = self.desks[desk].key;
        Signal::ALL.into_iter().map(|signal| self.journal.pending(key, signal)).sum()
    }

    fn count_recorded(&mut self, count: &[u64; Signal::COUNT]) {
        for desk in &mut self.desks {
            let mine = |signal: &Signal| desk.account.accepts(*signal) && count[*signal as usize] > 0;
            if Signal::ALL.iter().any(mine) {
                desk.waiting_since.get_or_insert_with(Instant::now);
            }
            Signal::ALL.into_iter().for_each(|signal| desk.account.recorded(signal, count[signal as usize]));
        }
    }

    fn note_evicted(&mut self) {
        for evicted in self.journal.evicted() {
            let desk = self.desks.iter().find(|desk| desk.key == evicted.cursor);
            if let Some(desk) = desk {
                desk.account.dropped(evicted.signal, evicted.loss, evicted.count);
            }
        }
        if let Some(trouble) = self.journal.trouble() {
            self.trouble = Some(trouble);
        }
    }

    fn book(&self, desk: &Desk, waiting: u64) -> Book {
        let held = |signal| self.journal.pending(desk.key, signal);
        let mut rows = desk.account.rows(held);
        // What the flush thread has not taken yet is recorded and pending, by the arena's own count.
        if let Some(row) = rows.iter_mut().find(|row| row.signal == Signal::Log) {
            row.recorded += waiting;
            row.pending += waiting;
        }
        Book { backend: desk.account.id().to_owned(), rows }
    }
}

#[cfg(test)]
mod tests;
