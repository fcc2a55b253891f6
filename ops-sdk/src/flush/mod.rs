//! The thread "ops-flush": takes what other threads wrote out of the arena, makes records of it and appends them to
//! the journal, once for all backends. Events within 20 ms; metrics when their window ends, or when somebody asks.

mod held;
mod losses;
mod schedule;
mod sieve;
mod withheld;

use std::sync::Arc;
use std::time::Duration;

use self::losses::Losses;
use self::schedule::{OpenWindow, pause};
use self::sieve::Sieve;
use crate::aggregate::{self, Window};
use crate::clock::{Anchor, Now};
use crate::diag;
use crate::encode::binary;
use crate::hub::Hub;
use crate::journal::FrameHead;
use crate::model::{Body, Record, RecordId, Resolution};
use crate::record::losses::Lost;
use crate::record::{self, Reader};

/// Bytes of records that are appended at one go.
const APPEND_BYTES: usize = 1 << 20;

/// What the flush thread works with.
pub(crate) struct Flusher {
    hub: Arc<Hub>,
    reader: Reader,
    window: Window,
    open: [OpenWindow; 2],
    losses: Losses,
    outbox: Outbox,
    sieve: Sieve,
    /// The dimensions that every metric of this process has.
    dimensions: Vec<(String, String)>,
}

impl Flusher {
    pub(crate) fn new(
        hub: Arc<Hub>,
        reader: Reader,
        process: u64,
        dimensions: Vec<(String, String)>,
        held_bytes_max: usize,
    ) -> Flusher {
        let now = Now::read();
        Flusher {
            hub,
            reader,
            window: Window::default(),
            open: [Resolution::Standard, Resolution::High].map(|resolution| OpenWindow::at(resolution, now)),
            losses: Losses::default(),
            outbox: Outbox { process, seq: 0, payloads: Vec::new(), frames: Vec::new() },
            sieve: Sieve::new(held_bytes_max),
            dimensions,
        }
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        record::mute();
        let mut wait = Duration::from_millis(1);
        loop {
            let asked = self.hub.wait_to_flush(wait);
            let taken = self.take_events(asked);
            let now = Now::read();
            self.close_windows(now, asked.is_some());
            self.hub.expire(now.unix_ms());
            if let Some(trouble) = self.hub.trouble() {
                diag::warn("journal", now, &trouble);
            }
            if let Some((number, last)) = asked {
                self.hub.flushed(number);
                if last {
                    return;
                }
            }
            wait = pause(wait, taken);
        }
    }

    /// Moves events from the arena to the journal. Says how many there were.
    fn take_events(&mut self, asked: Option<(u64, bool)>) -> u64 {
        let anchor = Anchor::read();
        self.sieve.begin(anchor.now_ns());
        let (hub, outbox, sieve) = (&self.hub, &mut self.outbox, &mut self.sieve);
        let taken = self.reader.take_events(|site, frame| {
            let Some(values) = sieve.pass(site, frame.ticks, frame.value_bytes()) else { return };
            outbox.put(anchor.unix_ns(frame.ticks), Body::Log(aggregate::log(site, values)));
            if outbox.payloads.len() >= APPEND_BYTES {
                outbox.send(hub);
            }
        });
        let last = asked.is_some_and(|(_, last)| last);
        for event in sieve.released(last) {
            let log = aggregate::log(event.site, &event.values);
            outbox.put(anchor.unix_ns(event.ticks), Body::Log(log));
            if outbox.payloads.len() >= APPEND_BYTES {
                outbox.send(hub);
            }
        }
        self.outbox.send(&self.hub);
        self.note_losses();
        // Not at every flush that is asked for: a program may flush after each request.
        for log in self.sieve.say(last) {
            self.outbox.put(anchor.now_ns(), Body::Log(log));
        }
        taken
    }

    /// Takes what threads and the sieve have counted into the books.
    fn note_losses(&mut self) {
        let gone = self.sieve.take_gone().map(|(loss, count)| Lost::of_logs(loss, count));
        for lost in record::losses::take().into_iter().chain(gone).filter(|lost| lost.count > 0) {
            self.hub.lost(lost.signal, lost.loss, lost.count);
            self.losses.note(&lost);
        }
        if let Some(held) = self.sieve.held() {
            self.hub.hold(held);
        }
    }

    /// Closes the windows that have ended, or all that are open.
    fn close_windows(&mut self, now: Now, all: bool) {
        for (at, resolution) in [Resolution::Standard, Resolution::High].into_iter().enumerate() {
            let next = self.open[at].next(now);
            if next.is_none() && !all {
                continue;
            }
            let start_ms = self.open[at].start_ms;
            self.open[at] = next.unwrap_or(self.open[at]);
            self.close_window(resolution, start_ms, now);
        }
        self.outbox.send(&self.hub);
    }

    fn close_window(&mut self, resolution: Resolution, start_ms: u64, now: Now) {
        let window = &mut self.window;
        self.reader.take_metrics(resolution, |site, labels, taken| window.add(site, labels, taken));
        let window_ms = resolution.window_ms();
        for metric in self.window.close(window_ms, &self.dimensions) {
            self.outbox.put(start_ms * 1_000_000, Body::Metric(metric));
        }
        if resolution == Resolution::Standard {
            self.losses.note_books(&self.hub.books());
            for body in self.losses.say(window_ms, &self.dimensions) {
                let is_metric = matches!(body, Body::Metric(_));
                self.outbox.put(if is_metric { start_ms * 1_000_000 } else { now.unix_ns }, body);
            }
        }
    }
}

/// Records on their way to the journal.
struct Outbox {
    process: u64,
    seq: u64,
    payloads: Vec<u8>,
    /// Each frame's head, and where its payload ends.
    frames: Vec<(FrameHead, usize)>,
}

impl Outbox {
    /// Numbers a record and encodes it.
    fn put(&mut self, time_ns: u64, body: Body<'_>) {
        self.seq += 1;
        let id = RecordId { process: self.process, seq: self.seq };
        let record = Record { id, time_ns, body };
        binary::encode(&record, &mut self.payloads);
        let head = FrameHead { signal: record.signal(), time_ms: record.time_ms(), id };
        self.frames.push((head, self.payloads.len()));
    }

    /// Appends what there is.
    fn send(&mut self, hub: &Hub) {
        if self.frames.is_empty() {
            return;
        }
        let mut start = 0;
        hub.append(self.frames.iter().map(|(head, end)| {
            let payload = &self.payloads[start..*end];
            start = *end;
            (*head, payload)
        }));
        self.frames.clear();
        self.payloads.clear();
        self.payloads.shrink_to(4 * APPEND_BYTES);
    }
}
