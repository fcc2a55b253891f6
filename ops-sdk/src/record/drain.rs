//! Taking events out: everything that was published is copied out first, so that rings are free again before any of it
//! is worked on; then it is handed out in order of time. Memory is used again, and a burst's is given back when the
//! burst is over.

use std::sync::atomic::Ordering::Relaxed;

use super::arena::Arena;
use super::frame::Frame;
use super::lane;
use super::{Site, overflow, registry};
use crate::clock::Ticks;

/// Bytes that are kept for the next round whatever this one took.
const KEPT_BYTES: usize = 1 << 20;

/// What was copied out, and the order to hand it out in.
#[derive(Default)]
pub(super) struct Drain {
    bytes: Vec<u8>,
    queue: Vec<u8>,
    /// When, and where in `bytes`; only where events of several threads came.
    order: Vec<(Ticks, usize)>,
}

impl Drain {
    /// Takes every event that was published, and hands each to `each` in order of time. Says how many events the
    /// writers say they published; that as many were handed out is for the books to tell.
    pub(super) fn take(&mut self, arena: Arena, mut each: impl FnMut(&'static Site, &Frame<'_>)) -> u64 {
        self.bytes.clear();
        // The queue first: a thread goes there while its ring is full, so what stands in the ring is older than what
        // goes to the queue from here on, and comes with this round.
        let (mut published, mut sorted) = (overflow::swap(&mut self.queue), self.queue.is_empty());
        self.bytes.extend_from_slice(&self.queue);
        for lane in lane::all(arena) {
            let start = self.bytes.len();
            lane.ring(arena).drain(&mut self.bytes);
            if let Some(last) = frames(&self.bytes[start..]).last() {
                published += last.seq - lane.seq_taken.swap(last.seq, Relaxed);
                sorted &= start == 0;
            }
        }
        if !sorted {
            self.sort();
        }
        let in_order = self.order.iter().filter_map(|(_, start)| Some(Frame::split(self.bytes.get(*start..)?)?.0));
        if sorted {
            frames(&self.bytes).for_each(|frame| hand_out(&frame, &mut each));
        } else {
            in_order.for_each(|frame| hand_out(&frame, &mut each));
        }
        self.give_back();
        published
    }

    /// Finds the order of time. Events of one thread are in order as they are, so there are few runs to merge.
    fn sort(&mut self) {
        self.order.clear();
        let mut start = 0;
        while let Some((frame, rest)) = Frame::split(&self.bytes[start..]) {
            self.order.push((frame.ticks, start));
            start = self.bytes.len() - rest.len();
        }
        self.order.sort_by_key(|(ticks, _)| *ticks);
    }

    /// Gives back a burst's memory, a half at a time, once rounds take much less.
    fn give_back(&mut self) {
        let kept = self.bytes.capacity();
        if kept > KEPT_BYTES && self.bytes.len() < kept / 16 {
            self.bytes.clear();
            self.bytes.shrink_to(kept / 2);
            (self.queue, self.order) = (Vec::new(), Vec::new());
        }
    }
}

fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (frame, rest) = Frame::split(bytes)?;
        bytes = rest;
        Some(frame)
    })
}

fn hand_out(frame: &Frame<'_>, each: &mut impl FnMut(&'static Site, &Frame<'_>)) {
    if let Some(site) = registry::site(frame.site) {
        each(site, frame);
    }
}
