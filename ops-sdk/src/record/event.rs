//! What `trace!` … `error!` run: the values go into the thread's ring as they are, behind one reading of the clock.

use std::sync::atomic::Ordering::Relaxed;

use super::arena::Arena;
use super::frame::{Sink, Writer};
use super::lane::{self, IDLE, Lane, MUTE, SPILLING, WRITING};
use super::prefix::Prefix;
use super::{Arg, Kind, Site, losses, overflow, registry};
use crate::clock;
use crate::model::{Level, Signal};

/// Records an event.
#[inline]
pub fn event(site: &'static Site, values: &[Arg<'_>]) {
    match (lane::current(), Arena::get(), site.slot()) {
        (Some(lane), Some(arena), slot) if slot != 0 => write(arena, lane, site, slot, values),
        _ => event_cold(site, values),
    }
}

#[cold]
#[inline(never)]
fn event_cold(site: &'static Site, values: &[Arg<'_>]) {
    let done = registry::number(site)
        .and_then(|slot| lane::with(|arena, lane| write(arena, lane, site, slot, values)));
    if done.is_none() && Arena::get().is_some() {
        losses::no_room(Signal::Log);
    }
}

/// Writes the frame to the ring; to the overflow queue if it is too large, if the ring is full, or if an event of
/// this thread is being written right now, whose `Display` this one comes from.
fn write(arena: Arena, lane: &Lane, site: &Site, slot: u32, values: &[Arg<'_>]) {
    let ticks = clock::ticks();
    let before = lane.busy.load(Relaxed);
    if before != IDLE {
        return write_within(lane, before, site, slot, ticks, values);
    }
    let _busy = Busy::begin(lane, WRITING);
    let seq = lane.seq.load(Relaxed) + 1;
    let ring = Sink::Ring(lane.ring(arena).fill());
    let sink = Writer::new(ring, lane.ring_share_bytes()).frame(slot, ticks, seq, Prefix::of(site), values);
    keep(lane, site, sink, seq);
}

/// Records an event that came while another of the same thread was being written.
#[cold]
fn write_within(lane: &Lane, before: u32, site: &Site, slot: u32, ticks: clock::Ticks, values: &[Arg<'_>]) {
    match before {
        MUTE => {}
        // The heap and the queue's lock are in use, by the very code that this comes from.
        SPILLING => losses::event_dropped(level(site)),
        _ => {
            let _busy = Busy::begin(lane, SPILLING);
            let sink = Writer::new(Sink::Heap(Vec::new()), 0).frame(slot, ticks, 0, Prefix::of(site), values);
            keep(lane, site, sink, 0);
        }
    }
}

#[inline]
fn keep(lane: &Lane, site: &Site, sink: Sink<'_>, seq: u64) {
    match sink {
        Sink::Ring(filling) => {
            lane.seq.store(seq, Relaxed);
            filling.publish();
        }
        Sink::Heap(mut frame) => {
            let _busy = Busy::begin(lane, SPILLING);
            frame[16..24].fill(0); // it has no place in the lane's order
            overflow::push(level(site), &frame);
            drop(frame); // which the allocator may log, too
        }
    }
}

pub(super) fn level(site: &Site) -> Level {
    if let Kind::Event(level) = site.kind { level } else { Level::Error }
}

/// Marks a lane as being written to, also through a panic of the user's `Display`, and puts back what it was before.
struct Busy<'a>(&'a Lane, u32);

impl<'a> Busy<'a> {
    #[inline]
    fn begin(lane: &'a Lane, doing: u32) -> Busy<'a> {
        let before = lane.busy.load(Relaxed);
        lane.busy.store(doing, Relaxed);
        Busy(lane, before)
    }
}

impl Drop for Busy<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.busy.store(self.1, Relaxed);
    }
}
