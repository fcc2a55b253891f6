//! `autometrics` with `prometheus` as its metrics library.

use std::hint::black_box;

use autometrics::autometrics;
use autometrics::settings::AutometricsSettings;

use super::work;
use crate::cases::{Case, Section, case};
use crate::plan::{Outcome, Plan};

pub const CASES: &[Case] = &[case(Section::Function, "autometrics", function)];

#[autometrics]
#[inline(never)]
fn measured(n: u64) -> Result<u64, u64> {
    work(n)
}

fn function(plan: &Plan) -> Outcome {
    let registry = prometheus::Registry::new();
    AutometricsSettings::builder().prometheus_registry(registry.clone()).init();
    let timing = plan.measure(|| |n| _ = black_box(measured(n)));
    let (mut counted, mut observed) = (0, 0);
    for family in registry.gather() {
        for metric in family.get_metric() {
            match family.name() {
                "function_calls" | "function_calls_total" => {
                    counted += metric.get_counter().get_value() as u64
                }
                "function_calls_duration_seconds" => observed += metric.get_histogram().get_sample_count(),
                _ => {}
            }
        }
    }
    timing.found(plan, counted.min(observed))
}
