//! Taking events out: everything that was published is copied out first, so that rings are free again before any of it
//! is worked on; then it is handed out in order of time. Memory is used again, and a burst's is given back when the
//! burst is over.

use super::arena::Arena;
use super::frame::Frame;
use super::lane::{self, Lane};
use super::sync::Ordering::Relaxed;
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
    queue: Vec<u8>,
    /// When, and where in `bytes`; only where events of several threads came.
    order: Vec<(Ticks, usize)>,
    /// Rounds in a row that took little of the memory.
    calm: u32,
}

impl Drain {
    /// Takes every event that was published, and hands each to `each` in order of time. Says how many events the
    /// writers say they published; that as many were handed out is for the books to tell.
    pub(super) fn take(&mut self, arena: Arena, mut each: impl FnMut(&'static Site, &Frame<'_>)) -> u64 {
        self.bytes.clear();
        // The queue first: a thread goes there while its ring is full, so what stands in the ring is older than what
        // goes to the queue from here on, and comes with this round.
        let begun = clock::ticks();
        let mut spilled = overflow::swap(&mut self.queue);
        self.bytes.extend_from_slice(&self.queue);
        let mut ends = vec![(None, self.bytes.len())];
        for lane in lane::all(arena) {
            if lane.ring(arena).drain(&mut self.bytes) > 0 {
                ends.push((Some(lane), self.bytes.len()));
            }
        }
        // And the queue once more for a thread that had found its ring full before, was held up on its way here, and has
        // gone on in the ring since: what it began then is older than what was taken from its ring.
        spilled += overflow::take_older(begun, &mut self.bytes);
        ends.push((None, self.bytes.len()));
        let published = match ends[..] {
            [_, _] if spilled == 0 => 0,
            [_, (Some(lane), _), _] if spilled == 0 => count(lane, hand_out(&self.bytes, &mut each)),
            _ => spilled + self.hand_out_in_order(&ends, &mut each),
        };
        self.give_back();
        published
    }

    /// The same for events of several threads. Those of one thread are in order as they are, so there are few runs to
    /// merge.
    fn hand_out_in_order(
        &mut self,
        ends: &[(Option<&Lane>, usize)],
        each: &mut impl FnMut(&'static Site, &Frame<'_>),
    ) -> u64 {
        self.order.clear();
        let (mut start, mut published) = (0, 0);
        for (lane, end) in ends {
            let mut last = None;
            while let Some((frame, rest)) = Frame::split(&self.bytes[start..*end]) {
                self.order.push((frame.ticks, start));
                last = Some(frame.seq);
                start = *end - rest.len();
            }
            start = *end;
            published += lane.map_or(0, |lane| count(lane, last));
        }
        self.order.sort_by_key(|(ticks, _)| *ticks);
        for (_, start) in &self.order {
            if let Some((frame, _)) = Frame::split(&self.bytes[*start..]) {
                show(&frame, each);
            }
        }
        published
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

/// Hands out events in the order in which they stand. Says the number of the last.
fn hand_out(mut bytes: &[u8], each: &mut impl FnMut(&'static Site, &Frame<'_>)) -> Option<u64> {
    let mut last = None;
    while let Some((frame, rest)) = Frame::split(bytes) {
        show(&frame, each);
        (bytes, last) = (rest, Some(frame.seq));
    }
    last
}

fn show(frame: &Frame<'_>, each: &mut impl FnMut(&'static Site, &Frame<'_>)) {
    if let Some(site) = registry::site(frame.site) {
        each(site, frame);
    }
}

/// How many events a lane's thread says it has published up to the last one that was taken.
fn count(lane: &Lane, last: Option<u64>) -> u64 {
    last.map_or(0, |last| last - lane.seq_taken.swap(last, Relaxed))
}
