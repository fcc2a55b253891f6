//! `quicklog`: text, put together when it is flushed. Only one thread may log, as its documentation says, and it is
//! measured with one. The program has to flush it; here that is done between bursts.

use quicklog::{info, init, try_flush, with_flush};
use quicklog_flush::Flush;

use crate::cases::{Case, Section, one_thread};
use crate::plan::{Outcome, Plan};
use crate::sink::Lines;

pub const CASES: &[Case] = &[one_thread(Section::Event, "quicklog, text", event)];

struct Count(Lines);

impl Flush for Count {
    fn flush_one(&mut self, text: String) {
        self.0.add(u64::from(text.contains("the order was accepted")));
    }
}

#[inline(always)]
fn call(n: u64) {
    info!(
        "the order was accepted and leaves the warehouse this evening order.id={} amount={} region={} ok={}",
        n, 1.5_f64, "eu", true
    );
}

fn event(plan: &Plan) -> Outcome {
    let lines = Lines::default();
    init!();
    with_flush!(Count(lines.clone()));
    let settle = |_| while try_flush!().is_ok() {};
    let timing = plan.measure_in_bursts(|| call, settle);
    timing.found(plan, lines.count())
}
