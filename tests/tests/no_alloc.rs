//! A warm call allocates nothing: a global allocator counts, and each macro is called a thousand times.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::capture::Capture;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(place, layout) }
    }
}

#[instrumented]
fn checked(n: u64) -> Result<u64, u64> {
    if n.is_multiple_of(3) { Err(n) } else { Ok(n) }
}

#[instrumented]
fn plain(n: u64) -> u64 {
    n + 1
}

#[derive(Outcome)]
enum Refused {
    #[outcome(client, label = "declined")]
    Declined,
    #[outcome(error)]
    Bank,
}

#[instrumented(in_flight, dims("Region" => region, "Code" => n % 4, "Even" => n.is_multiple_of(2)))]
fn tracked(region: &str, n: u64) -> Result<usize, Refused> {
    match n % 3 {
        0 => Err(Refused::Declined),
        1 => Err(Refused::Bank),
        _ => Ok(region.len()),
    }
}

#[instrumented(sample = 4, unit = Seconds, none = error)]
fn sampled(n: u64) -> Option<u64> {
    n.checked_sub(3)
}

#[instrumented(log = "entry, exit, error", fields(n, region, code = %n), err_if = |n| n.is_multiple_of(2))]
fn logged(n: u64, region: String) -> usize {
    region.len() + usize::try_from(n).unwrap_or(0)
}

#[instrumented(log = "entry, exit", level = debug, fields(region = region.to_owned()))]
fn logged_off(region: &str) -> usize {
    region.len()
}

#[derive(Clone, Copy, Dimensions)]
enum Third {
    One,
    Two,
    Three,
}

#[derive(Clone, Copy, Dimensions)]
struct Kind {
    third: Third,
    even: bool,
}

fn kind(n: u64) -> Kind {
    let third = [Third::One, Third::Two, Third::Three][(n % 3) as usize];
    Kind { third, even: n.is_multiple_of(2) }
}

#[instrumented(dims("Fixed" => "yes", ..kind as Kind))]
fn numbered(kind: Kind) -> Option<bool> {
    Some(kind.even)
}

#[derive(ops_sdk::Record)]
struct Inner {
    #[record(histogram)]
    took: Option<Duration>,
}

#[derive(ops_sdk::Record)]
#[record(prefix = "work.", log = "worked", rollup = [[]])]
struct Work<'a> {
    #[record(dimensions)]
    kind: Kind,
    #[record(dimension)]
    region: &'a str,
    #[record(counter)]
    n: u64,
    #[record(flatten)]
    inner: Inner,
}

fn work(n: u64, region: &str) -> Work<'_> {
    let inner = Inner { took: n.is_multiple_of(2).then(|| Duration::from_millis(n % 4)) };
    Work { kind: kind(n), region, n, inner }
}

#[instrumented(correlate, hold = debug, log = "exit", fields(n))]
fn unit(n: u64) -> Result<u64, u64> {
    debug!("held back {n}", n);
    if n.is_multiple_of(2) { Err(n) } else { Ok(n) }
}

#[instrumented(busy, correlate = correlation)]
async fn busy(correlation: Correlation) -> u128 {
    std::future::ready(correlation.id().get()).await
}

fn polled(future: impl Future) {
    let future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.poll(&mut context).is_ready());
}

/// How often this thread allocates in a thousand calls, after one call and one value of each kind.
fn allocations(mut call: impl FnMut(u64)) -> u64 {
    (0..16).for_each(&mut call);
    let before = ALLOCATED.get();
    (0..1000).for_each(call);
    ALLOCATED.get() - before
}

#[test]
fn a_warm_call_allocates_nothing() {
    let ops = ops_sdk::init()
        .environment(|_| None)
        .shutdown_deadline(Duration::from_secs(5))
        .backend(Capture::new("none"))
        .start()
        .expect("recording starts");
    let (region, some, correlation) = (String::from("eu-west-1"), Some(7u32), Correlation::new());
    let of = [
        ("counter!", allocations(|n| counter!("a.counter", n))),
        (
            "counter! by",
            allocations(|n| counter!("by", n, "Region" => region, "Code" => n % 4, "Ok" => true)),
        ),
        ("counter! by number", allocations(|n| counter!("by.number", n, ..kind(n) as Kind))),
        (
            "counter! by number and text",
            allocations(
                |n| counter!("by.both", n, rollup = [[]], "Region" => region, "Even" => kind(n).even),
            ),
        ),
        (
            "histogram! by number",
            allocations(|n| histogram!("a.histogram.by.number", n % 4, ..kind(n) as Kind)),
        ),
        ("#[instrumented] dims by number", allocations(|n| _ = numbered(kind(n)))),
        ("Record", allocations(|n| work(n, &region).record())),
        ("Record on_drop", allocations(|n| drop(work(n, &region).on_drop()))),
        ("gauge!", allocations(|n| gauge!("a.gauge", n))),
        ("gauge! by", allocations(|n| gauge!("a.gauge.by", n, "Region" => region))),
        ("histogram!", allocations(|n| histogram!("a.histogram", n % 4))),
        ("histogram! by", allocations(|n| histogram!("a.histogram.by", n % 4, "Region" => region))),
        ("#[instrumented]", allocations(|n| assert!(plain(n) > n))),
        ("#[instrumented] Result", allocations(|n| assert_eq!(checked(n).is_err(), n.is_multiple_of(3)))),
        ("#[instrumented] dims, in_flight, labels", allocations(|n| _ = tracked(&region, n))),
        ("#[instrumented] sample", allocations(|n| _ = sampled(n))),
        ("#[instrumented] log", allocations(|n| _ = logged(n % 8, String::new()))),
        ("#[instrumented] log, off", allocations(|_| _ = logged_off(&region))),
        ("info!", allocations(|n| info!("typed {n}", n, region = region, some, ok = true, share = 0.5))),
        ("info! shown", allocations(|n| info!("shown {n}", n = %n, debug = ?some))),
        ("rate", allocations(|n| info!(rate = 500, "limited {n}", n))),
        ("once_every", allocations(|n| info!(once_every = "1h", repeat = "1h", "limited {n}", n))),
        ("correlated", allocations(|n| correlation.run(|| info!("correlated {n}", n, share = 0.5)))),
        ("Correlation::new", allocations(|_| Correlation::new().run(|| counter!("correlated", 1)))),
        ("exemplar", allocations(|n| correlation.run(|| histogram!("exemplified", n % 4)))),
        ("secret", allocations(|n| info!("secret", n, card = redact(&region)))),
        ("#[instrumented] correlate, hold, log", allocations(|n| _ = unit(n))),
        ("#[instrumented] busy, correlate", allocations(|_| polled(busy(correlation)))),
        (
            "a unit by hand",
            allocations(|n| drop((ops_sdk::hold(ops_sdk::Level::Info), info!("held {n}", n)))),
        ),
        ("debug! off", allocations(|n| debug!("off {n}", n = %format!("{n}")))),
    ];
    for form in ops_forms::ALL {
        assert_eq!(allocations(form.call), 0, "{}", form.name);
    }
    for (what, allocated) in of {
        assert_eq!(allocated, 0, "{what}");
    }
    // The count is not blind.
    assert!(allocations(|n| drop(std::hint::black_box(vec![n]))) >= 1000);
    drop(ops);
}
