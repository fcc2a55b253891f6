//! Calls every form so many times and then twice as many, each on a warm thread: what `tests/instructions.rs` runs
//! under callgrind. What a call takes is the difference between the two.

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use ops_forms::{ALL, Discard, Form};

/// Calls of each form in the first of the two.
const CALLS: u64 = 1000;

fn main() -> ExitCode {
    let started = ops_sdk::init()
        .environment(|_| None)
        .shutdown_deadline(Duration::from_secs(5))
        .level(Some(ops_sdk::Level::Debug))
        .backend(Discard::default())
        .start();
    let Ok(ops) = started else { return ExitCode::FAILURE };
    for form in ALL {
        warm_up(form);
        once(form);
        twice(form);
        // Room in the ring for the next one, which is not to meet a full one.
        if !ops.flush(Duration::from_secs(30)).complete {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

// Three functions, because callgrind tells calls apart by who makes them.

#[inline(never)]
fn warm_up(form: &Form) {
    (0..64).for_each(|n| black_box(form.call)(black_box(n)));
}

#[inline(never)]
fn once(form: &Form) {
    for n in 0..CALLS {
        black_box(form.call)(black_box(n));
    }
}

#[inline(never)]
fn twice(form: &Form) {
    for n in 0..2 * CALLS {
        black_box(form.call)(black_box(n));
    }
}
