//! Every form of recording, once: the macros and the attribute with each kind of argument, as functions that are called
//! with a number. One list, so that what holds for warm calls (no allocation, no system call, so many instructions,
//! safe in a signal handler) is asked of all of them, and a new form is asked by being written here.
//!
//! Left out are values of dimensions captured with `%`: they are text before they can be looked up, and that is made on
//! the heap.

mod discard;

use ops_sdk::prelude::*;

pub use self::discard::Discard;

/// One form.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Its name, which is that of its function.
    pub name: &'static str,
    /// Calls it, with a number that differs from call to call.
    pub call: fn(u64),
    /// How many events a call records.
    pub events: u64,
}

macro_rules! forms {
    ($($name:ident, $events:literal: |$n:ident| $body:expr;)*) => {
        $(#[inline(never)]
        fn $name($n: u64) {
            let _ = $body;
        })*

        /// Every form.
        pub const ALL: &[Form] = &[$(Form { name: stringify!($name), call: $name, events: $events }),*];
    };
}

const REGION: &str = "eu-west-1";
const LONG: &str = "a text of more than sixteen bytes";
const SIXTY: &str = "sixty bytes of text, as many as a line of a log may well have";

forms! {
    nothing, 0: |n| std::hint::black_box(n);
    counter, 0: |n| counter!("a.counter", n);
    counter_by_text, 0: |_n| counter!("by.text", 1, "Region" => REGION);
    counter_by_long_text, 0: |_n| counter!("by.long", 1, "Path" => LONG);
    counter_by_number, 0: |n| counter!("by.number", 1, "Code" => n % 4);
    counter_by_negative, 0: |n| counter!("by.negative", 1, "Code" => (n % 4) as i32 - 2);
    counter_by_three, 0: |n| counter!("by.three", n, "Region" => REGION, "Code" => n % 4, "Ok" => n.is_multiple_of(2));
    gauge, 0: |n| gauge!("a.gauge", n);
    gauge_by, 0: |n| gauge!("a.gauge.by", n, "Region" => REGION);
    histogram, 0: |n| histogram!("a.histogram", n % 4);
    histogram_by, 0: |n| histogram!("a.histogram.by", n % 4, "Region" => REGION);
    high_resolution, 0: |n| histogram!("fine", n % 4, unit = Bytes, resolution = high);
    instrumented, 0: |n| plain(n);
    instrumented_result, 0: |n| checked(n).is_ok();
    instrumented_labelled, 0: |n| labelled(n).is_ok();
    instrumented_dims, 0: |n| by_region(REGION, n);
    instrumented_in_flight, 0: |n| in_flight(n);
    instrumented_sampled, 0: |n| sampled(n);
    instrumented_tracked, 0: |n| tracked(REGION, n).is_ok();
    instrumented_logged, 2: |n| logged(n);
    instrumented_logged_off, 0: |_n| logged_off(REGION);
    event, 1: |_n| info!("plain");
    event_typed, 1: |n| info!("typed {n}", n, region = REGION, ok = true, share = 0.5, some = Some(7u32));
    event_sixty, 1: |n| info!("a line", line = SIXTY, a = n, b = 2u8, c = -3i64, d = 0.25);
    event_shown, 1: |n| warn!("shown {n}", n = %n, debug = ?Some(7u32));
    event_off, 0: |n| trace!("off {n}", n = %format!("{n}"));
}

#[instrumented]
fn plain(n: u64) -> u64 {
    n + 1
}

#[instrumented]
fn checked(n: u64) -> Result<u64, u64> {
    if n.is_multiple_of(3) { Err(n) } else { Ok(n) }
}

#[derive(Outcome)]
enum Refused {
    #[outcome(client, label = "declined")]
    Declined,
    #[outcome(error)]
    Bank,
}

#[instrumented]
fn labelled(n: u64) -> Result<u64, Refused> {
    if n.is_multiple_of(3) { Err(Refused::Declined) } else { Ok(n) }
}

#[instrumented(dims("Region" => region, "Code" => n % 4))]
fn by_region(region: &str, n: u64) -> usize {
    region.len() + usize::from(n == 0)
}

#[instrumented(in_flight)]
fn in_flight(n: u64) -> u64 {
    n + 1
}

#[instrumented(sample = 16, unit = Seconds, none = error)]
fn sampled(n: u64) -> Option<u64> {
    n.checked_sub(3)
}

#[instrumented(in_flight, sample = 4, dims("Region" => region, "Code" => n % 4, "Even" => n.is_multiple_of(2)))]
fn tracked(region: &str, n: u64) -> Result<usize, Refused> {
    match n % 3 {
        0 => Err(Refused::Declined),
        1 => Err(Refused::Bank),
        _ => Ok(region.len()),
    }
}

#[instrumented(log = "entry, exit, error", fields(n, region = REGION, code = %n), err_if = |n| n.is_multiple_of(2))]
fn logged(n: u64) -> u64 {
    n % 8
}

#[instrumented(log = "entry, exit", level = trace, fields(region = region.to_owned()))]
fn logged_off(region: &str) -> usize {
    region.len()
}
