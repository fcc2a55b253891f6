//! The overhead governor: keeps what measuring costs below a share of the CPU time that the process uses, by timing
//! fewer calls of the sites that time most. Every call is still counted, and every call that is timed stands for as
//! many as it was chosen among, so that durations stay unbiased. Once a second it looks at what was called and plans
//! the next second; a load that comes within a second is paid for until then.

mod cpu;
mod plan;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use self::plan::{Load, plan};
use crate::clock::Now;
use crate::model::{Body, Metric, Points, Resolution, Unit};
use crate::record::{self, Calls, Cost, Site};

const EVERY: Duration = Duration::from_secs(1);

/// What it remembers from one look to the next.
pub(super) struct Governor {
    /// The share of CPU time that measuring may cost, 0 … 1.
    budget: f64,
    cost: Cost,
    at: Now,
    cpu: Duration,
    sites: BTreeMap<u32, Governed>,
    /// The share of CPU time that measuring cost when it looked last.
    share: f64,
}

/// One site.
struct Governed {
    site: &'static Site,
    /// The calls that were counted when it was looked at last, timed and untimed.
    seen: (u64, u64),
    /// Calls in a second, smoothed.
    rate: f64,
    /// The share of the CPU time that measuring it cost when it was looked at last.
    share: f64,
}

impl Governor {
    /// `None` if there is nothing to govern: no budget, or no arena.
    pub(super) fn new(budget: Option<f64>, now: Now) -> Option<Governor> {
        let (budget, cost) = (budget?, record::cost()?);
        Some(Governor { budget, cost, at: now, cpu: cpu::used(now), sites: BTreeMap::new(), share: 0.0 })
    }

    /// Whether a second has passed since it looked last.
    pub(super) fn is_due(&self, now: Now) -> bool {
        now.since(self.at) >= EVERY
    }

    /// Looks at the calls so far, and plans how many are timed from here on.
    pub(super) fn govern(&mut self, now: Now, calls: BTreeMap<u32, Calls>) {
        self.plan(now, cpu::used(now), calls);
    }

    fn plan(&mut self, now: Now, cpu: Duration, calls: BTreeMap<u32, Calls>) {
        let seconds = now.since(self.at).as_secs_f64();
        // A process that sleeps uses no CPU time, and calls nothing that would have to be thinned.
        let used_ns = cpu.saturating_sub(self.cpu).max(Duration::from_millis(1)).as_secs_f64() * 1e9;
        let cost = self.cost;
        for (number, calls) in calls {
            let governed = self.sites.entry(number).or_insert_with(|| Governed::new(calls.site));
            governed.look(calls, seconds, used_ns, cost);
        }
        self.share = self.sites.values().map(|site| site.share).sum();
        let loads: Vec<Load> = self.sites.values().map(Governed::load).collect();
        let thinned = plan(&loads, cost, self.budget * used_ns / seconds);
        self.sites.values().zip(thinned).for_each(|(governed, thinned)| governed.site.thin(thinned));
        (self.at, self.cpu) = (now, cpu);
    }

    /// How each site that was called is timed and what that costs, and what all of it costs.
    pub(super) fn say(&self, window_ms: u32, process: &[(String, String)]) -> Vec<Body<'static>> {
        let called = self.sites.values().filter(|governed| governed.rate > 0.0);
        let of_sites = called.flat_map(|governed| {
            let every = f64::from(governed.site.timed_every());
            [
                gauge("ops_sdk.timed_every", Unit::None, every, Some(governed.site), window_ms, process),
                gauge(
                    "ops_sdk.overhead",
                    Unit::Percent,
                    100.0 * governed.share,
                    Some(governed.site),
                    window_ms,
                    process,
                ),
            ]
        });
        let all = gauge("ops_sdk.overhead", Unit::Percent, 100.0 * self.share, None, window_ms, process);
        of_sites.chain([all]).collect()
    }
}

impl Drop for Governor {
    /// Who comes after it is not governed.
    fn drop(&mut self) {
        self.sites.values().for_each(|governed| governed.site.thin(0));
    }
}

impl Governed {
    fn new(site: &'static Site) -> Governed {
        Governed { site, seen: (0, 0), rate: 0.0, share: 0.0 }
    }

    fn look(&mut self, calls: Calls, seconds: f64, used_ns: f64, cost: Cost) {
        let (timed, untimed) = calls.since(self.seen);
        self.seen = (calls.timed, calls.untimed);
        #[allow(clippy::cast_precision_loss)] // calls of a second
        let (timed, untimed) = (timed as f64, untimed as f64);
        let rate = (timed + untimed) / seconds;
        // Up at once, for a load that has come costs now; down by halves, for one that has gone may come again.
        self.rate = if rate > self.rate { rate } else { (self.rate + rate) / 2.0 };
        self.rate = if self.rate < 1e-3 { 0.0 } else { self.rate };
        let choosing = if self.site.timed_every() > 1 { (timed + untimed) * cost.counted_ns } else { 0.0 };
        self.share = (timed * cost.timed_ns + choosing) / used_ns;
    }

    fn load(&self) -> Load {
        Load { calls: self.rate, sample: self.site.sample }
    }
}

fn gauge(
    name: &'static str,
    unit: Unit,
    value: f64,
    site: Option<&Site>,
    window_ms: u32,
    process: &[(String, String)],
) -> Body<'static> {
    let of_process = process.iter().filter(|(key, _)| key != "Function" || site.is_none());
    let mut dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)> =
        of_process.map(|(key, value)| (key.clone().into(), value.clone().into())).collect();
    dimensions.extend(site.map(|site| (Cow::Borrowed("Function"), Cow::Borrowed(site.name))));
    dimensions.sort();
    Body::Metric(Metric {
        name: Cow::Borrowed(name),
        unit,
        resolution: Resolution::Standard,
        window_ms,
        dimensions,
        points: Points::Gauge { last: value, min: value, max: value, sum: value, count: 1 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Source};

    static HOT: Site = Site::new(Kind::Call, "hot", Source { target: "t", file: "f", line: 1 });
    static COLD: Site = Site::new(Kind::Call, "cold", Source { target: "t", file: "f", line: 2 });

    #[test]
    fn a_hot_site_is_thinned_and_let_go_again_and_a_cold_one_never() {
        let at = |seconds: u64| Now { unix_ns: 0, mono_ns: seconds * 1_000_000_000 };
        let cost = Cost { timed_ns: 30.0, counted_ns: 1.0 };
        let mut governor = Governor {
            budget: 0.01,
            cost,
            at: at(0),
            cpu: Duration::ZERO,
            sites: BTreeMap::new(),
            share: 0.0,
        };
        let calls = |hot: u64| {
            let of = |site, timed| Calls { site, timed, untimed: 0 };
            BTreeMap::from([(1, of(&HOT, hot)), (2, of(&COLD, 100))])
        };
        assert!(!governor.is_due(at(0)) && governor.is_due(at(1)));
        let mut govern =
            |second: u64, hot| governor.plan(at(second), Duration::from_secs(second), calls(hot));
        govern(1, 1_000_000);
        assert!(HOT.timed_every() == 4 && COLD.timed_every() == 1, "{}", HOT.timed_every());
        let said = governor.say(60_000, &[("Service".into(), "shop".into())]);
        let names: Vec<_> = said
            .iter()
            .filter_map(|body| if let Body::Metric(metric) = body { Some(metric) } else { None })
            .map(|metric| (metric.name.as_ref(), metric.dimensions.len()))
            .collect();
        let of_site = [("ops_sdk.timed_every", 2), ("ops_sdk.overhead", 2)];
        assert_eq!(names, [of_site[0], of_site[1], of_site[0], of_site[1], ("ops_sdk.overhead", 1)]);
        // Nothing is called any more.
        (2..60).for_each(|second| governor.govern(at(second), calls(100_000_000)));
        assert_eq!((HOT.timed_every(), governor.say(60_000, &[]).len()), (1, 1));
        governor.govern(at(61), calls(900_000_000));
        assert!(HOT.timed_every() > 1);
        drop(governor);
        assert_eq!(HOT.timed_every(), 1);
    }
}
