//! What `trace!` … `error!` run: the values go into the thread's ring as they are, behind one reading of the clock.

use std::ptr::NonNull;

use super::arena::Arena;
use super::fields::Fields;
use super::frame::{HEAD_BYTES, Sink, Writer, head};
use super::lane::{self, IDLE, Lane, MUTE, SPILLING, STAMPING, WRITING};
use super::prefix::Prefix;
use super::ring::ALIGN;
use super::room::Room;
use super::sync::Ordering::{Relaxed, SeqCst};
use super::sync::compiler_fence;
use super::{Arg, Kind, Site, context, losses, overflow, registry, stamp};
use crate::clock::Ticks;
use crate::model::{Level, Signal};

/// Records an event whose values are known one by one. Where their size is known too, they are written straight into
/// the ring.
#[inline(always)]
pub fn event_of<'a>(site: &'static Site, fields: impl Fields<'a>) {
    match reserve(site, HEAD_BYTES + fields.bytes()) {
        Some(place) => {
            // SAFETY: room for the head and for these fields was reserved, so their size is known.
            unsafe { fields.write(place.values.as_ptr()) };
            place.lane.publish();
        }
        None => event_of_any(site, fields),
    }
}

/// The same, by the long road: the first of its site or thread, with a value that must be formatted, or when the ring
/// is full.
#[cold]
#[inline(never)]
fn event_of_any<'a>(site: &'static Site, fields: impl Fields<'a>) {
    let mut values = [Arg::Null; VALUES_MAX];
    let len = fields.fill(&mut values);
    event(site, &values[..len]);
}

/// More than macros ever put into one list.
const VALUES_MAX: usize = 64;

/// A place in the ring for the values of one event, whose head is written.
struct Place {
    values: NonNull<u8>,
    lane: &'static Lane,
}

/// A place for a frame of exactly so many bytes; `None` if this event is one for the long road. As little code as can be:
/// a thread that slept has to fetch all of it.
#[inline(never)]
fn reserve(site: &'static Site, bytes: usize) -> Option<Place> {
    if context::is_nothing() { place(site, bytes) } else { reserve_in_context(site, bytes) }
}

/// The same with a prefix in front of the values.
#[inline(never)]
fn reserve_in_context(site: &'static Site, bytes: usize) -> Option<Place> {
    let prefix = Prefix::of(site);
    let prefix = prefix.as_ref().map_or(&[][..], Prefix::bytes);
    let Place { values, lane } = place(site, bytes + prefix.len())?;
    // SAFETY: room for the prefix was reserved, too, between the head and the values.
    let values = unsafe {
        values.copy_from_nonoverlapping(NonNull::from(prefix).cast(), prefix.len());
        values.add(prefix.len())
    };
    Some(Place { values, lane })
}

#[inline(always)]
fn place(site: &'static Site, bytes: usize) -> Option<Place> {
    let (lane, slot) = (lane::current()?, site.slot());
    if slot == 0 || lane.busy.load(Relaxed) != IDLE || bytes > lane.ring_share_bytes() {
        return None;
    }
    // From here to the end nothing runs on this thread but signal handlers.
    lane.busy.store(STAMPING, Relaxed);
    compiler_fence(SeqCst);
    let Some(frame) = lane.reserve(bytes) else {
        lane.busy.store(IDLE, Relaxed);
        return None;
    };
    #[allow(clippy::cast_possible_truncation)] // at most a ring's share
    let head = head(bytes as u32, slot, stamp::ticks(), lane.seq.load(Relaxed) + 1);
    // SAFETY: at least a head was reserved here, and values behind it.
    let values = unsafe {
        frame.cast::<[u8; HEAD_BYTES]>().write(head);
        frame.add(HEAD_BYTES)
    };
    Some(Place { values, lane })
}

/// Records an event.
#[inline]
pub fn event(site: &'static Site, values: &[Arg<'_>]) {
    match (lane::current(), site.slot()) {
        (Some(lane), slot) if slot != 0 => write(lane, site, slot, values),
        _ => event_cold(site, values),
    }
}

#[cold]
#[inline(never)]
fn event_cold(site: &'static Site, values: &[Arg<'_>]) {
    let done = registry::number(site).and_then(|slot| lane::with(|_, lane| write(lane, site, slot, values)));
    if done.is_none() && Arena::get().is_some() {
        losses::no_room(Signal::Log);
    }
}

/// Writes the frame to the ring; to the overflow queue if it is too large, if the ring is full, or if an event of
/// this thread is being written right now, whose `Display` this one comes from.
fn write(lane: &Lane, site: &Site, slot: u32, values: &[Arg<'_>]) {
    let ticks = stamp::ticks();
    let before = lane.busy.load(Relaxed);
    if before != IDLE {
        return write_within(lane, before, site, slot, ticks, values);
    }
    let _busy = Busy::begin(lane, WRITING);
    let seq = lane.seq.load(Relaxed) + 1;
    let (ring, mut room) = (lane.ring().fill(), Room::new());
    let sink = Writer::new(ring, lane.ring_share_bytes(), &mut room).frame(
        slot,
        ticks,
        seq,
        Prefix::of(site),
        values,
    );
    keep(lane, site, sink, seq);
}

/// Records an event that came while another of the same thread was being written.
#[cold]
fn write_within(lane: &Lane, before: u32, site: &Site, slot: u32, ticks: Ticks, values: &[Arg<'_>]) {
    match before {
        MUTE => {}
        // The queue's lock is in use, by the very code that this comes from; or this is a signal handler in the middle of
        // a write that runs no code of anyone else.
        SPILLING | STAMPING => losses::event_dropped(level(site)),
        _ => {
            // From a `Display`, or from a signal handler that interrupted one, perhaps in the allocator: without the heap.
            let _busy = Busy::begin(lane, SPILLING);
            let mut room = Room::new();
            let sink = Writer::aside(&mut room).frame(slot, ticks, 0, Prefix::of(site), values);
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
        Sink::Short(mut frame) => {
            let _busy = Busy::begin(lane, SPILLING);
            frame.written_mut()[16..24].fill(0); // it has no place in the lane's order
            if frame.pad(ALIGN) {
                overflow::push_without_heap(level(site), frame.written());
            } else {
                losses::event_dropped(level(site));
            }
        }
        Sink::Heap(mut frame) => {
            let _busy = Busy::begin(lane, SPILLING);
            frame[16..24].fill(0);
            frame.resize(frame.len().next_multiple_of(ALIGN), 0);
            overflow::push(level(site), &frame);
            drop(frame); // which the allocator may log, too
        }
        Sink::Nowhere => losses::event_dropped(level(site)),
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
