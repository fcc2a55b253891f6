//! What an arena says of the process whose it is, for whoever finds it: the process's number in record ids, what every
//! metric of it has as dimensions, when its ticks were, and when its windows began.

use std::mem::offset_of;

use super::arena::Arena;
use super::catalog::{Blob, Reading};
use super::remains::Bytes;
use super::sync::Ordering::{Relaxed, SeqCst};
use super::sync::{AtomicU32, AtomicU64, compiler_fence};
use crate::clock::{self, Anchor, Ticks};
use crate::model::Resolution;

/// Lies in the arena's head.
#[repr(C)]
pub(super) struct Told {
    process: AtomicU64,
    /// Where the dimensions are, as names and values.
    dimensions: AtomicU32,
    /// Which of the two readings of the clocks is the newer one, so that one is always whole.
    reading: AtomicU32,
    readings: [[AtomicU64; 2]; 2],
    /// When the windows that are open began, in milliseconds since the Unix epoch: those of a minute, those of a second.
    windows: [AtomicU64; 2],
    /// The length of a tick in nanoseconds, a double.
    tick_ns: AtomicU64,
}

/// Says whose the arena is.
pub(super) fn begin(arena: Arena, process: u64, dimensions: &[(String, String)]) {
    let told = &arena.head().told;
    told.process.store(process, Relaxed);
    let blob = Blob::new(|put| {
        put.number(dimensions.len() as u32);
        dimensions.iter().for_each(|(name, value)| {
            put.text(name);
            put.text(value);
        });
    });
    told.dimensions.store(blob.write(arena).unwrap_or(0), Relaxed);
    #[allow(clippy::cast_precision_loss)] // some milliseconds
    let tick_ns = clock::nanos(0, MANY) as f64 / MANY as f64;
    told.tick_ns.store(tick_ns.to_bits(), Relaxed);
    read_clocks(arena, Anchor::read());
}

const MANY: Ticks = 1 << 40;

/// Says what time it is. A tick is told from the reading that is nearest.
pub(super) fn read_clocks(arena: Arena, now: Anchor) {
    let told = &arena.head().told;
    let next = (told.reading.load(Relaxed) + 1) & 1;
    let [ticks, unix_ns] = &told.readings[next as usize];
    ticks.store(now.ticks(), Relaxed);
    unix_ns.store(now.now_ns(), Relaxed);
    compiler_fence(SeqCst);
    told.reading.store(next, Relaxed);
}

/// Says when the window that is open now began.
pub(super) fn window_began(arena: Arena, resolution: Resolution, start_ms: u64) {
    arena.head().told.windows[(resolution == Resolution::High) as usize].store(start_ms, Relaxed);
}

/// The same of a process that is dead.
#[derive(Debug, Clone)]
pub(crate) struct Dead {
    pub(crate) process: u64,
    pub(crate) dimensions: Vec<(String, String)>,
    ticks: Ticks,
    unix_ns: u64,
    tick_ns: f64,
    windows: [u64; 2],
}

impl Dead {
    pub(super) fn read(bytes: &Bytes, at: usize) -> Dead {
        let long = |offset| bytes.long(at + offset);
        let reading =
            offset_of!(Told, readings) + 16 * (bytes.short(at + offset_of!(Told, reading)) as usize & 1);
        let mut blob = Reading::of(bytes, bytes.short(at + offset_of!(Told, dimensions)));
        let count = blob.number().unwrap_or(0).min(64);
        let dimensions = (0..count).map_while(|_| Some((blob.text()?.to_owned(), blob.text()?.to_owned())));
        Dead {
            process: long(offset_of!(Told, process)),
            dimensions: dimensions.collect(),
            ticks: long(reading),
            unix_ns: long(reading + 8),
            tick_ns: f64::from_bits(long(offset_of!(Told, tick_ns))),
            windows: [0, 1].map(|which| long(offset_of!(Told, windows) + 8 * which)),
        }
    }

    /// When a tick was, in nanoseconds since the Unix epoch.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    pub(crate) fn unix_ns(&self, at: Ticks) -> u64 {
        let ns = |ticks: u64| (ticks as f64 * self.tick_ns) as u64; // too far is the end of time
        if at >= self.ticks {
            self.unix_ns.saturating_add(ns(at - self.ticks))
        } else {
            self.unix_ns.saturating_sub(ns(self.ticks - at))
        }
    }

    /// When it said last what time it was.
    pub(crate) fn died_ns(&self) -> u64 {
        self.unix_ns
    }

    /// When the window began that was open, in milliseconds since the Unix epoch; when it died if it never said.
    pub(crate) fn window_ms(&self, resolution: Resolution) -> u64 {
        let start = self.windows[(resolution == Resolution::High) as usize];
        if start == 0 { self.unix_ns / 1_000_000 } else { start }
    }
}
