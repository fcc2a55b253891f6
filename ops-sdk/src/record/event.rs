//! What `trace!` … `error!` run: the values go into the thread's ring as they are, behind one reading of the clock.

use std::sync::atomic::Ordering::Relaxed;

use super::arena::Arena;
use super::frame::{Sink, Writer};
use super::lane::{self, Lane};
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
    let slot = registry::number(site);
    if lane::with(|arena, lane| write(arena, lane, site, slot, values)).is_none() && Arena::get().is_some() {
        losses::no_room(Signal::Log);
    }
}

/// Writes the frame to the ring; to the overflow queue if it is too large, if the ring is full, or if an event of
/// this thread is being written right now, whose `Display` this one comes from.
fn write(arena: Arena, lane: &Lane, site: &Site, slot: u32, values: &[Arg<'_>]) {
    let ticks = clock::ticks();
    if lane.busy.load(Relaxed) != 0 {
        let sink = Writer::new(Sink::Heap(Vec::new()), 0).frame(slot, ticks, 0, values);
        return keep(lane, site, sink, 0);
    }
    let _busy = Busy::begin(lane);
    let seq = lane.seq.load(Relaxed) + 1;
    let ring = Sink::Ring(lane.ring(arena).fill());
    let sink = Writer::new(ring, lane.ring_share_bytes()).frame(slot, ticks, seq, values);
    keep(lane, site, sink, seq);
}

#[inline]
fn keep(lane: &Lane, site: &Site, sink: Sink<'_>, seq: u64) {
    match sink {
        Sink::Ring(filling) => {
            lane.seq.store(seq, Relaxed);
            filling.publish();
        }
        Sink::Heap(mut frame) => {
            frame[16..24].fill(0); // it has no place in the lane's order
            overflow::push(level(site), &frame);
        }
    }
}

fn level(site: &Site) -> Level {
    if let Kind::Event(level) = site.kind { level } else { Level::Error }
}

/// Marks a lane as being written to, also through a panic of the user's `Display`.
struct Busy<'a>(&'a Lane);

impl<'a> Busy<'a> {
    #[inline]
    fn begin(lane: &'a Lane) -> Busy<'a> {
        lane.busy.store(1, Relaxed);
        Busy(lane)
    }
}

impl Drop for Busy<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.busy.store(0, Relaxed);
    }
}
