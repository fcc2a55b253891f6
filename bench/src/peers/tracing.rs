//! `tracing`: events as JSON by tracing-subscriber, through the non-blocking writer of tracing-appender; functions by
//! `#[instrument]` and a layer that times spans, as it has no durations of its own. The JSON is written by the
//! calling thread. A level that is off is off in the subscriber, at run time.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use prometheus::{Histogram, HistogramOpts};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber, info, instrument};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::work;
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};
use crate::sink::Lines;

pub const CASES: &[Case] = &[
    case(Section::Function, "tracing #[instrument] + durations", function),
    case(Section::Event, "tracing JSON, non_blocking", |plan| events(plan, LevelFilter::INFO)),
    case(Section::Flood, "tracing JSON, non_blocking", |plan| events(plan, LevelFilter::INFO)),
    case(Section::Off, "tracing #[instrument]", |plan| off(plan, |n| _ = black_box(measured(n)))),
    case(Section::Off, "tracing event", |plan| off(plan, event)),
];

#[instrument(skip_all, err)]
#[inline(never)]
fn measured(n: u64) -> Result<u64, u64> {
    work(n)
}

#[inline(always)]
fn event(n: u64) {
    info!(
        order.id = n,
        amount = 1.5,
        region = "eu",
        ok = true,
        "the order was accepted and leaves the warehouse this evening"
    );
}

fn events(plan: &Plan, level: LevelFilter) -> Outcome {
    let lines = Lines::default();
    let (writer, guard) = tracing_appender::non_blocking(lines.clone());
    let errors = writer.error_counter();
    tracing_subscriber::fmt().json().with_max_level(level).with_writer(writer).init();
    let timing = plan.measure_in_bursts(|| event, |calls| lines.settle(|seen| seen == calls));
    drop(guard);
    timing.found(plan, lines.count()).dropped(errors.dropped_lines() as u64)
}

fn off(plan: &Plan, call: impl Fn(u64) + Copy + Sync) -> Outcome {
    let lines = Lines::default();
    let (writer, guard) = tracing_appender::non_blocking(lines.clone());
    tracing_subscriber::fmt().json().with_max_level(LevelFilter::WARN).with_writer(writer).init();
    let timing = plan.measure(|| call);
    drop(guard);
    timing.off(plan, lines.count())
}

/// Counts spans and errors, and observes how long spans were open.
struct Durations {
    calls: Arc<AtomicU64>,
    errors: AtomicU64,
    duration: Histogram,
}

struct Opened(Instant);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Durations {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Opened(Instant::now()));
        }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if *event.metadata().level() == Level::ERROR {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let opened = context.span(&id).and_then(|span| span.extensions().get().map(|Opened(at)| *at));
        if let Some(opened) = opened {
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.duration.observe(opened.elapsed().as_secs_f64());
        }
    }
}

fn function(plan: &Plan) -> Outcome {
    let duration =
        Histogram::with_opts(HistogramOpts::new("d", "d")).unwrap_or_else(|error| panic!("{error}"));
    let calls = Arc::new(AtomicU64::new(0));
    let layer = Durations { calls: calls.clone(), errors: AtomicU64::new(0), duration: duration.clone() };
    tracing_subscriber::registry().with(layer.with_filter(LevelFilter::INFO)).init();
    let timing = plan.measure(|| |n| _ = black_box(measured(n)));
    timing.found(plan, calls.load(Ordering::Relaxed).min(duration.get_sample_count()))
}
