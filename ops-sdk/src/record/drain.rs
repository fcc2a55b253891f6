//! Taking events out: everything that was published is copied out first, so that rings are free again before any of it
//! is worked on; then it is handed out in order of time. Memory is used again, and a burst's is given back when the
//! burst is over.
//!
//! In an arena that is kept, a ring is free again only when the journal has what was in it.

use super::arena::Arena;
use super::frame::Frame;
use super::lane::{self, Lane};
use super::sync::Ordering::Relaxed;
use super::taking::Taking;
use super::{Site, overflow, registry};
use crate::clock::{self, Ticks};

/// Bytes that are kept for the next round whatever this one took.
const KEPT_BYTES: usize = 1 << 20;
/// Rounds after which a burst is over: some seconds.
const CALM_ROUNDS: u32 = 500;

/// What was copied out, and the order to hand it out in.
#[derive(Default)]
pub(super) struct Drain {
    bytes: Vec<u8>,
    /// When, where in `bytes`, and on which of the lanes; only where events of several threads came.
    order: Vec<(Ticks, usize, Option<&'static Lane>)>,
    /// Rounds in a row that took little of the memory.
    calm: u32,
}

impl Drain {
    /// Takes every event that was published, and hands each to `each` in order of time, noting first that it is being
    /// taken. Says how many events there were.
    pub(super) fn take(&mut self, arena: Arena, mut each: impl FnMut(&'static Site, &Frame<'_>)) -> u64 {
        self.bytes.clear();
        // The queue first: a thread goes there while its ring is full, so what stands in the ring is older than what
        // goes to the queue from here on, and comes with this round.
        let begun = clock::ticks();
        let mut spilled = overflow::swap(arena, &mut self.bytes);
        let mut ends = vec![(None, self.bytes.len())];
        for lane in lane::all(arena) {
            if lane.ring().drain(&mut self.bytes) > 0 {
                lane.ring().populate_ahead();
                ends.push((Some(lane), self.bytes.len()));
            }
        }
        // And the queue once more for a thread that had found its ring full before, was held up on its way here, and has
        // gone on in the ring since: what it began then is older than what was taken from its ring.
        spilled += overflow::take_older(arena, begun, &mut self.bytes);
        ends.push((None, self.bytes.len()));
        if !Taking::of(arena).is_kept() {
            release(arena);
        }
        let taken = match ends[..] {
            [_, _] if spilled == 0 => 0,
            [_, (Some(lane), _), _] if spilled == 0 => hand_out(lane, &self.bytes, &mut each),
            _ => self.hand_out_in_order(arena, &ends, &mut each),
        };
        self.give_back();
        taken
    }

    /// The same for events of several threads. Those of one thread are in order as they are, so there are few runs to
    /// merge.
    fn hand_out_in_order(
        &mut self,
        arena: Arena,
        ends: &[(Option<&'static Lane>, usize)],
        each: &mut impl FnMut(&'static Site, &Frame<'_>),
    ) -> u64 {
        self.order.clear();
        let mut start = 0;
        for (lane, end) in ends {
            while let Some((frame, rest)) = Frame::split(&self.bytes[start..*end]) {
                self.order.push((frame.ticks, start, *lane));
                start = *end - rest.len();
            }
            start = *end;
        }
        self.order.sort_by_key(|(ticks, ..)| *ticks);
        for (_, start, lane) in &self.order {
            let Some((frame, _)) = Frame::split(&self.bytes[*start..]) else { continue };
            match lane {
                Some(lane) => lane.seq_taking.store(frame.seq, Relaxed),
                None => overflow::hand_out(arena, &frame),
            }
            show(&frame, each);
        }
        self.order.len() as u64
    }

    /// Gives back a burst's memory once rounds have taken much less for a while: while they come and go, memory that is
    /// given back and asked for again costs more than all the rest.
    fn give_back(&mut self) {
        let kept = self.bytes.capacity();
        let is_calm = kept > KEPT_BYTES && self.bytes.len() < kept / 16;
        self.calm = if is_calm { self.calm + 1 } else { 0 };
        if self.calm > CALM_ROUNDS {
            *self = Drain::default();
        }
    }
}

/// Gives back the room of everything that was copied out.
pub(super) fn release(arena: Arena) {
    lane::all(arena).for_each(|lane| lane.ring().release());
    arena.head().queue.release();
}

/// Hands out the events of one lane in the order in which they stand. Says how many there were.
fn hand_out(lane: &Lane, mut bytes: &[u8], each: &mut impl FnMut(&'static Site, &Frame<'_>)) -> u64 {
    let mut count = 0;
    while let Some((frame, rest)) = Frame::split(bytes) {
        lane.seq_taking.store(frame.seq, Relaxed);
        show(&frame, each);
        (bytes, count) = (rest, count + 1);
    }
    count
}

fn show(frame: &Frame<'_>, each: &mut impl FnMut(&'static Site, &Frame<'_>)) {
    if let Some(site) = registry::site(frame.site) {
        each(site, frame);
    }
}
