//! The thread "ops-flush": takes what other threads wrote out of the arena, makes records of it and appends them to
//! the journal, once for all backends. Events within 10 ms; metrics when their window ends, or when somebody asks.

mod believed;
mod governor;
mod held;
mod jumps;
mod losses;
mod outbox;
pub(crate) mod recovery;
mod schedule;
mod sieve;
mod telling;
mod withheld;

use std::sync::Arc;
use std::time::Duration;

use self::believed::Believed;
use self::governor::Governor;
use self::jumps::Jumps;
use self::losses::Losses;
use self::outbox::Outbox;
use self::schedule::{OpenWindow, pause};
use self::sieve::Sieve;
use self::telling::Telling;
use crate::aggregate::Window;
use crate::clock::{Anchor, Dates, Now};
use crate::diag;
use crate::hub::Hub;
use crate::model::{Body, Resolution};
use crate::record::losses::Lost;
use crate::record::{self, Reader};

/// How often it is looked whether the arena's file should have more room.
const ROOM_EVERY: Duration = Duration::from_millis(100);

/// What the flush thread works with.
pub(crate) struct Flusher {
    hub: Arc<Hub>,
    reader: Reader,
    window: Window,
    open: [OpenWindow; 2],
    losses: Losses,
    governor: Option<Governor>,
    jumps: Jumps,
    dates: Dates,
    believed: Believed,
    telling: Option<Telling>,
    outbox: Outbox,
    sieve: Sieve,
    /// The dimensions that every metric of this process has.
    dimensions: Vec<(String, String)>,
    /// When room was made ahead last.
    room_at: Now,
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
        let believed = Believed::new(now, hub.newest_ms());
        reader.begin(process, &dimensions);
        let open = [Resolution::Standard, Resolution::High].map(|resolution| {
            let open = OpenWindow::at(resolution, now);
            reader.tell_window(resolution, open.start_ms);
            open
        });
        Flusher {
            hub,
            sieve: Sieve::new(held_bytes_max, reader.shelf()),
            reader,
            window: Window::default(),
            open,
            losses: Losses::default(),
            governor: None,
            jumps: Jumps::new(now),
            dates: Dates::read(),
            believed,
            telling: None,
            outbox: Outbox::new(process, 1),
            room_at: now,
            dimensions,
        }
    }

    /// Holds what measuring costs to this share of the CPU time that the process uses.
    pub(crate) fn governed(mut self, budget: Option<f64>) -> Flusher {
        self.governor = Governor::new(budget, Now::read());
        self
    }

    /// Tells of the SDK's own work this often.
    pub(crate) fn telling(mut self, every: Option<Duration>) -> Flusher {
        self.telling = every.map(|every| Telling::new(&self.hub, every, Now::read()));
        self
    }

    /// Works until it is told to stop.
    pub(crate) fn run(mut self) {
        record::mute();
        self.reader.make_room_ahead();
        let mut wait = Duration::from_millis(1);
        loop {
            let asked = self.hub.wait_to_flush(wait);
            let taken = self.take_events(asked);
            let now = Now::read();
            self.govern(now);
            let jumped = self.note_jump(now);
            self.close_windows(now, asked.is_some(), jumped);
            self.tell(now);
            self.hub.expire(self.believed.unix_ms(now));
            if now.since(self.room_at) >= ROOM_EVERY {
                self.reader.make_room_ahead();
                self.room_at = now;
            }
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
        self.dates.go_on(anchor);
        self.reader.tell_time(anchor);
        self.sieve.begin(anchor.mono_ns());
        let (hub, outbox, sieve, dates, taking) =
            (&self.hub, &mut self.outbox, &mut self.sieve, &mut self.dates, self.reader.taking());
        let taken = self.reader.take_events(|site, frame| {
            let passed = sieve.pass(site, frame.ticks, frame.value_bytes());
            if let Some(values) = passed {
                outbox.event(site, dates.unix_ns(frame.ticks), values);
            }
            // With what says that they go on: what is sent brings the taking to its end.
            if sieve.has_released() {
                for event in sieve.released(false) {
                    outbox.event(event.site, dates.unix_ns(event.ticks), &event.values);
                }
            }
            if outbox.is_full() {
                outbox.send(hub, taking);
            }
        });
        let last = asked.is_some_and(|(_, last)| last);
        for event in sieve.released(last) {
            outbox.event(event.site, dates.unix_ns(event.ticks), &event.values);
            if outbox.is_full() {
                outbox.send(hub, taking);
            }
        }
        self.send();
        self.reader.release();
        self.note_losses(asked.is_some());
        // Not at every flush that is asked for: a program may flush after each request.
        for log in self.sieve.say(last) {
            self.outbox.put(anchor.now_ns(), Body::Log(log));
        }
        taken
    }

    fn send(&mut self) {
        self.outbox.send(&self.hub, self.reader.taking());
    }

    /// Takes what threads and the sieve have counted into the books.
    fn note_losses(&mut self, all: bool) {
        let gone = self.sieve.take_gone(all).map(|(loss, count)| Lost::of_logs(loss, count));
        for lost in record::losses::take().into_iter().chain(gone).filter(|lost| lost.count > 0) {
            self.hub.lost(lost.signal, lost.loss, lost.count);
            self.losses.note(&lost);
        }
        if let Some(held) = self.sieve.held() {
            self.hub.hold(held);
        }
    }

    fn govern(&mut self, now: Now) {
        if let Some(governor) = self.governor.as_mut().filter(|governor| governor.is_due(now)) {
            governor.govern(now, self.reader.calls());
        }
    }

    /// Tells of the wall clock's jump, if it made one. Says whether it did.
    fn note_jump(&mut self, now: Now) -> bool {
        let Some(jumped) = self.jumps.look(now) else { return false };
        if let Some(event) = self.jumps.event(jumped) {
            self.outbox.put(now.unix_ns, event);
        }
        true
    }

    fn tell(&mut self, now: Now) {
        let said = self.telling.as_mut().map(|telling| telling.say(now, &self.hub, &self.dimensions));
        said.into_iter().flatten().for_each(|body| self.outbox.put(now.unix_ns, body));
        self.send();
    }

    /// Closes the windows that have ended, or all that are open.
    fn close_windows(&mut self, now: Now, all: bool, jumped: bool) {
        for (at, resolution) in [Resolution::Standard, Resolution::High].into_iter().enumerate() {
            let next = self.open[at].next(now, jumped);
            if next.is_none() && !all {
                continue;
            }
            let start_ms = self.open[at].start_ms;
            self.open[at] = next.unwrap_or(self.open[at]);
            self.close_window(resolution, start_ms, now);
            self.reader.tell_window(resolution, self.open[at].start_ms);
        }
        self.send();
    }

    fn close_window(&mut self, resolution: Resolution, start_ms: u64, now: Now) {
        let window_ms = resolution.window_ms();
        for (site, labels, taken) in self.reader.metrics(resolution, now) {
            self.window.add(site, labels, taken);
            // What was read so far goes by itself, then: a series may have two records of a window.
            if self.reader.taking().is_full() {
                self.put_window(window_ms, start_ms);
                self.send();
            }
        }
        self.put_window(window_ms, start_ms);
        if resolution == Resolution::Standard {
            let said = self.governor.as_ref().map(|governor| governor.say(window_ms, &self.dimensions));
            let said = said.into_iter().flatten().chain(self.jumps.say(window_ms, &self.dimensions));
            said.for_each(|body| self.outbox.put(start_ms * 1_000_000, body));
            self.losses.note_books(&self.hub.books());
            for body in self.losses.say(window_ms, &self.dimensions) {
                let is_metric = matches!(body, Body::Metric(_));
                self.outbox.put(if is_metric { start_ms * 1_000_000 } else { now.unix_ns }, body);
            }
            record::losses::said(self.reader.taking());
        }
    }

    fn put_window(&mut self, window_ms: u32, start_ms: u64) {
        for metric in self.window.close(window_ms, &self.dimensions) {
            self.outbox.put(start_ms * 1_000_000, Body::Metric(metric));
        }
    }
}
