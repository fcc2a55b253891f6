//! `fastrace`: spans and events under a root span, which is renewed every 500 calls, as for a request that makes so
//! many. Spans carry a duration; whether they failed, the caller has to add, and so it is here. Its events are
//! properties of spans, written out as text.

use std::hint::black_box;
use std::time::Duration;

use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::local::{LocalParentGuard, LocalSpan};
use fastrace::{Event, Span, trace};

use super::{MESSAGE, work};
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};
use crate::sink::Lines;

pub const CASES: &[Case] = &[
    case(Section::Function, "fastrace #[trace]", |plan| recorded(plan, |n| _ = black_box(measured(n)))),
    case(Section::Event, "fastrace event", |plan| recorded(plan, event)),
    case(Section::Off, "fastrace #[trace]", |plan| off(plan, |n| _ = black_box(measured(n)))),
    case(Section::Off, "fastrace event", |plan| off(plan, event)),
];

#[trace]
#[inline(never)]
fn measured(n: u64) -> Result<u64, u64> {
    let result = work(n);
    if result.is_err() {
        LocalSpan::add_property(|| ("error", "true"));
    }
    result
}

#[inline(always)]
fn event(n: u64) {
    LocalSpan::add_event(Event::new(MESSAGE).with_properties(|| {
        [
            ("order.id", n.to_string().into()),
            ("amount", 1.5_f64.to_string().into()),
            ("region", std::borrow::Cow::Borrowed("eu")),
            ("ok", true.to_string().into()),
        ]
    }));
}

/// Counts spans that are not roots, and events.
struct Count(Lines);

impl Reporter for Count {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        let calls = |span: &SpanRecord| span.events.len() as u64 + u64::from(span.name != "root");
        self.0.add(spans.iter().map(calls).sum());
    }
}

/// The root that calls are made under, renewed now and then.
#[derive(Default)]
struct Root(Option<(LocalParentGuard, Span)>);

impl Root {
    fn renew(&mut self) {
        self.0 = None;
        let span = Span::root("root", SpanContext::random());
        self.0 = Some((span.set_local_parent(), span));
    }
}

fn recorded(plan: &Plan, call: impl Fn(u64) + Copy + Sync) -> Outcome {
    let lines = Lines::default();
    fastrace::set_reporter(
        Count(lines.clone()),
        Config::default().report_interval(Duration::from_millis(10)),
    );
    let make = || {
        let mut root = Root::default();
        move |n: u64| {
            if n.is_multiple_of(500) {
                root.renew();
            }
            call(n);
        }
    };
    let timing = plan.measure_in_bursts(make, |_| fastrace::flush());
    fastrace::flush();
    timing.found(plan, lines.count())
}

fn off(plan: &Plan, call: impl Fn(u64) + Copy + Sync) -> Outcome {
    let lines = Lines::default();
    fastrace::set_reporter(Count(lines.clone()), Config::default());
    let timing = plan.measure(|| call);
    fastrace::flush();
    timing.off(plan, lines.count())
}
