//! What the hardware needs for the same effect: a thread's own memory, plain arithmetic and the time stamp counter,
//! with no way for anyone else to read it. No library can be faster; the distance to it is what a library costs.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{code, region, work};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};

pub const CASES: &[Case] = &[
    case(Section::Counter, "limit: the empty loop", empty),
    case(Section::Counter, "limit: a thread's cell", counter),
    case(Section::Labels, "limit: a thread's table", labels),
    case(Section::Histogram, "limit: a thread's buckets", histogram),
    case(Section::Function, "limit: two clock reads", clock),
    case(Section::Function, "limit: two clock reads, two cells, buckets", function),
    case(Section::Sampled, "limit: the bare function", bare),
    case(Section::Sampled, "limit: a cell, two clock reads and buckets of 1 call in 16", sampled),
    case(Section::Sampled, "limit: the same, each call chosen with the same chance", sampled_by_chance),
    case(Section::Event, "limit: a thread's ring", event),
    case(Section::Flood, "limit: a thread's ring, and JSON by hand", flood),
    case(Section::Off, "limit: load and branch", off),
    case(Section::Off, "limit: the bare function", bare),
];

thread_local! {
    static CELL: Own = const { Own::new() };
    static ERRORS: Own = const { Own::new() };
    static TABLE: RefCell<Table> = const { RefCell::new([const { None }; 64]) };
    static BUCKETS: Buckets = const { Buckets { count: Own::new(), sum: Own::new(), of: [const { Own::new() }; 512] } };
    static RING: RefCell<Ring> = const { RefCell::new(Ring { at: 0, events: None }) };
}

/// A number that only its thread writes. An atomic, so that the compiler leaves each addition where it is; what it
/// compiles to is one addition in memory.
struct Own(AtomicU64);

impl Own {
    const fn new() -> Own {
        Own(AtomicU64::new(0))
    }

    fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

static TOTAL: AtomicU64 = AtomicU64::new(0);
static CLOCK: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

/// Adds what the thread has counted to the total when the thread's call is dropped.
struct Tell(fn() -> u64);

impl Drop for Tell {
    fn drop(&mut self) {
        TOTAL.fetch_add((self.0)(), Ordering::Relaxed);
    }
}

fn found(plan: &Plan, call: impl Fn(u64) + Copy + Sync, told: fn() -> u64) -> Outcome {
    LazyLock::force(&CLOCK);
    let timing = plan.measure(|| {
        let tell = Tell(told);
        move |n| {
            let _ = &tell;
            call(n);
        }
    });
    timing.found(plan, TOTAL.load(Ordering::Relaxed))
}

fn empty(plan: &Plan) -> Outcome {
    plan.measure(|| |_| ()).off(plan, 0)
}

fn counter(plan: &Plan) -> Outcome {
    found(plan, |_| CELL.with(|cell| cell.add(1)), || CELL.with(Own::get))
}

/// Open addressing by what the values say: they may come from anywhere, so where they lie says nothing.
type Table = [Option<(&'static str, &'static str, u64)>; 64];

fn labels(plan: &Plan) -> Outcome {
    #[inline(always)]
    fn call(n: u64) {
        TABLE.with_borrow_mut(|table| add(table, (region(n), code(n))));
    }
    found(plan, call, labelled)
}

/// The first eight bytes of a text, or all of them.
#[inline(always)]
fn word(text: &str) -> u64 {
    match text.as_bytes().first_chunk() {
        Some(first) => u64::from_le_bytes(*first),
        None => text.bytes().fold(0, |word, byte| word << 8 | u64::from(byte)),
    }
}

fn labelled() -> u64 {
    TABLE.with_borrow(|table| table.iter().flatten().map(|(_, _, count)| count).sum())
}

#[inline(always)]
fn add(table: &mut Table, key: (&'static str, &'static str)) {
    let hash = word(key.0).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23) ^ word(key.1);
    for step in 0..table.len() {
        let place = &mut table[(hash as usize).wrapping_add(step) % 64];
        match place {
            Some((region, code, count)) if *region == key.0 && *code == key.1 => {
                *count += 1;
                return;
            }
            Some(_) => {}
            None => {
                *place = Some((key.0, key.1, 1));
                return;
            }
        }
    }
}

/// Eight buckets to every power of two.
struct Buckets {
    count: Own,
    sum: Own,
    of: [Own; 512],
}

impl Buckets {
    fn observe(&self, value: u64) {
        let power = (value | 7).ilog2();
        let place = (power as usize * 8 + ((value >> (power - 2)) & 7) as usize) % 512;
        self.of[place].add(1);
        self.count.add(1);
        self.sum.add(value);
    }
}

fn observed() -> u64 {
    BUCKETS.with(|buckets| buckets.of.iter().map(Own::get).sum::<u64>().min(buckets.count.get()))
}

fn histogram(plan: &Plan) -> Outcome {
    found(plan, |n| BUCKETS.with(|buckets| buckets.observe(n % 1000)), observed)
}

fn clock(plan: &Plan) -> Outcome {
    #[inline(always)]
    fn call(_: u64) {
        black_box(CLOCK.delta_as_nanos(CLOCK.raw(), CLOCK.raw()));
    }
    LazyLock::force(&CLOCK);
    plan.measure(|| call).off(plan, 0)
}

fn function(plan: &Plan) -> Outcome {
    #[inline(never)]
    fn measured(n: u64) -> Result<u64, u64> {
        let start = CLOCK.raw();
        let result = work(n);
        let ns = CLOCK.delta_as_nanos(start, CLOCK.raw());
        CELL.with(|cell| cell.add(1));
        if result.is_err() {
            ERRORS.with(|cell| cell.add(1));
        }
        BUCKETS.with(|buckets| buckets.observe(ns));
        result
    }
    found(
        plan,
        |n| _ = black_box(measured(n)),
        || observed().min(CELL.with(Own::get) - ERRORS.with(Own::get)),
    )
}

/// Every sixteenth call is timed, which is the cheapest choice there is, and no fair one.
fn sampled(plan: &Plan) -> Outcome {
    #[inline(never)]
    fn measured(n: u64) -> Result<u64, u64> {
        counted(n, || CELL.with(Own::get).is_multiple_of(16))
    }
    found(plan, |n| _ = black_box(measured(n)), || CELL.with(Own::get))
}

/// The same, but no pattern in the calls can fall in with that of the choice: after each call that is timed it is drawn how
/// many pass until the next one. That the processor cannot know it ahead is what this costs.
fn sampled_by_chance(plan: &Plan) -> Outcome {
    #[inline(never)]
    fn measured(n: u64) -> Result<u64, u64> {
        counted(n, || {
            TO_PASS.with(|left| {
                let now = left.get();
                left.0.store(if now == 0 { drawn() } else { now - 1 }, Ordering::Relaxed);
                now == 0
            })
        })
    }
    found(plan, |n| _ = black_box(measured(n)), || CELL.with(Own::get))
}

/// Counts a call, and times it if it is one of those that are.
#[inline(always)]
fn counted(n: u64, is_timed: impl FnOnce() -> bool) -> Result<u64, u64> {
    CELL.with(|cell| cell.add(1));
    let start = is_timed().then(|| CLOCK.raw());
    let result = work(n);
    if let Some(start) = start {
        BUCKETS.with(|buckets| buckets.observe(CLOCK.delta_as_nanos(start, CLOCK.raw())));
    }
    if result.is_err() {
        ERRORS.with(|cell| cell.add(1));
    }
    result
}

thread_local! {
    static TO_PASS: Own = const { Own::new() };
    static DICE: Own = const { Own::new() };
}

/// How many calls pass until one of which four random bits are 0 (SplitMix64, Sebastiano Vigna).
fn drawn() -> u64 {
    DICE.with(|dice| {
        let mut passed = 0;
        loop {
            dice.add(0x9E37_79B9_7F4A_7C15);
            let mut bits = dice.get();
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            bits ^= bits >> 31;
            let chosen = !(bits | bits >> 1 | bits >> 2 | bits >> 3) & 0x1111_1111_1111_1111;
            if chosen != 0 {
                return passed + u64::from(chosen.trailing_zeros() / 4);
            }
            passed += 16;
        }
    })
}

/// What an event is before anyone has read it: the address of its site, when it was, and its fields.
struct Event {
    message: &'static str,
    at: u64,
    id: u64,
    amount: f64,
    region: &'static str,
    ok: bool,
}

const EMPTY: Event = Event { message: "", at: 0, id: 0, amount: 0.0, region: "", ok: false };

struct Ring {
    at: usize,
    /// Not in the thread itself: each thread of every peer would have them too.
    events: Option<Box<[Event; EVENTS]>>,
}

const EVENTS: usize = 4096;

impl Ring {
    #[inline(always)]
    fn put(&mut self, event: Event) {
        let events = self.events.get_or_insert_with(|| Box::new([EMPTY; EVENTS]));
        events[self.at % EVENTS] = event;
        self.at += 1;
    }

    /// The event that was put there as number `at`.
    fn event(&self, at: usize) -> &Event {
        self.events.as_ref().map_or(&EMPTY, |events| &events[at % EVENTS])
    }
}

fn event(plan: &Plan) -> Outcome {
    #[inline(always)]
    fn call(n: u64) {
        let at = CLOCK.raw();
        RING.with_borrow_mut(|ring| {
            let message = super::MESSAGE;
            ring.put(Event { message, at, id: n, amount: 1.5, region: black_box("eu"), ok: black_box(true) });
            black_box(&ring.events);
        });
    }
    found(plan, call, written)
}

/// Events written, if the last one is all there.
fn written() -> u64 {
    RING.with_borrow(|ring| {
        let last = ring.event(ring.at - 1);
        let whole = last.message == super::MESSAGE && last.region == "eu" && last.ok && last.amount > 1.0;
        if whole && last.at > 0 && last.id + 1 == ring.at as u64 { ring.at as u64 } else { 0 }
    })
}

thread_local! {
    /// Lines of this thread, and those of them that ended.
    static LINES: RefCell<(Vec<u8>, u64)> = const { RefCell::new((Vec::new(), 0)) };
}

/// The same, and JSON of every event before its place is taken by another: on the thread that wrote it, from its own
/// cache, with the pieces and numbers of this one event known to the compiler.
fn flood(plan: &Plan) -> Outcome {
    const AT_ONCE: usize = 3_000;
    #[inline(always)]
    fn call(n: u64) {
        let at = CLOCK.raw();
        let full = RING.with_borrow_mut(|ring| {
            let message = super::MESSAGE;
            ring.put(Event { message, at, id: n, amount: 1.5, region: black_box("eu"), ok: black_box(true) });
            ring.at.is_multiple_of(AT_ONCE)
        });
        if full {
            drain(AT_ONCE);
        }
    }
    let told = || {
        drain(RING.with_borrow(|ring| ring.at % AT_ONCE));
        LINES.with_borrow(|lines| lines.1)
    };
    found(plan, call, told)
}

/// Makes lines of the last so many events.
fn drain(count: usize) {
    RING.with_borrow(|ring| {
        LINES.with_borrow_mut(|(out, ended)| {
            out.clear();
            (ring.at - count..ring.at).for_each(|at| line(out, ring.event(at)));
            *ended += black_box(&*out).iter().filter(|byte| **byte == b'\n').count() as u64;
        });
    });
}

fn line(out: &mut Vec<u8>, event: &Event) {
    out.extend_from_slice(b"{\"time\":");
    digits(out, event.at);
    out.extend_from_slice(b",\"level\":\"INFO\",\"target\":\"ops_bench\",\"message\":\"");
    out.extend_from_slice(event.message.as_bytes());
    out.extend_from_slice(b"\",\"order.id\":");
    digits(out, event.id);
    out.extend_from_slice(b",\"amount\":");
    digits(out, event.amount as u64);
    out.extend_from_slice(&[b'.', b'0' + (event.amount * 10.0 % 10.0) as u8]);
    out.extend_from_slice(b",\"region\":\"");
    out.extend_from_slice(event.region.as_bytes());
    out.extend_from_slice(if event.ok { &b"\",\"ok\":true"[..] } else { b"\",\"ok\":false" });
    out.extend_from_slice(b",\"file\":\"src/peers/limit.rs\"}\n");
}

fn digits(out: &mut Vec<u8>, mut number: u64) {
    let (mut text, mut at) = ([b'0'; 20], 20);
    while number > 0 || at == 20 {
        at -= 1;
        text[at] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.extend_from_slice(&text[at..]);
}

fn bare(plan: &Plan) -> Outcome {
    #[inline(never)]
    fn measured(n: u64) -> Result<u64, u64> {
        work(n)
    }
    plan.measure(|| |n| _ = black_box(measured(n))).off(plan, 0)
}

fn off(plan: &Plan) -> Outcome {
    static ON: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    #[inline(always)]
    fn call(_: u64) {
        if ON.load(Ordering::Relaxed) {
            TOTAL.fetch_add(1, Ordering::Relaxed);
        }
    }
    let timing = plan.measure(|| call);
    timing.off(plan, TOTAL.load(Ordering::Relaxed))
}
