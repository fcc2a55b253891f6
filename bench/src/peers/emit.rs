//! `emit`: it has no queue of its own; its emitter is called by the calling thread, and here writes the event as text
//! with all its properties. Spans carry a duration and, on request, whether the function failed.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use super::work;
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};
use crate::sink::Lines;

pub const CASES: &[Case] = &[
    case(Section::Function, "emit #[span]", |plan| recorded(plan, |n| _ = black_box(measured(n)))),
    case(Section::Event, "emit, text", |plan| recorded(plan, event)),
    case(Section::Flood, "emit, text", |plan| recorded(plan, event)),
    case(Section::Off, "emit #[span]", |plan| off(plan, |n| _ = black_box(measured(n)))),
    case(Section::Off, "emit event", |plan| off(plan, event)),
];

#[emit::span(ok_lvl: emit::Level::Info, err_lvl: emit::Level::Error, err: as_text, "measured")]
#[inline(never)]
fn measured(n: u64) -> Result<u64, u64> {
    work(n)
}

fn as_text(_: &u64) -> &str {
    "failed"
}

#[inline(always)]
fn event(n: u64) {
    emit::info!(
        "the order was accepted and leaves the warehouse this evening",
        order_id: n,
        amount: 1.5,
        region: "eu",
        ok: true,
    );
}

/// Text that is written nowhere.
struct Nowhere(u64);

impl std::fmt::Write for Nowhere {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0 += text.len() as u64;
        Ok(())
    }
}

/// Writes an event with all it has, and counts it if something was written.
fn write(event: &emit::Event<&dyn emit::props::ErasedProps>, lines: &Lines) {
    let mut out = Nowhere(0);
    let written = write!(out, "{} {}", event.msg(), emit::Props::as_map(event.props()));
    lines.add(u64::from(written.is_ok() && black_box(out.0) > 0));
}

fn recorded(plan: &Plan, call: impl Fn(u64) + Copy + Sync) -> Outcome {
    let lines = Lines::default();
    let counted = lines.clone();
    let setup = emit::setup().emit_to(emit::emitter::from_fn(move |event| write(&event, &counted)));
    let runtime = setup.init();
    let timing = plan.measure(|| call);
    runtime.blocking_flush(Duration::from_secs(5));
    timing.found(plan, lines.count())
}

fn off(plan: &Plan, call: impl Fn(u64) + Copy + Sync) -> Outcome {
    let lines = Lines::default();
    let counted = lines.clone();
    let setup = emit::setup()
        .emit_when(emit::filter::from_fn(|_| false))
        .emit_to(emit::emitter::from_fn(move |event| write(&event, &counted)));
    let _runtime = setup.init();
    plan.measure(|| call).off(plan, lines.count())
}
