//! One window of metrics: the cells of all threads, merged into series.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::clock::Ticks;
use crate::model::{Distribution, Metric, Points, Resolution, Unit};
use crate::record::{Levels, OVERFLOW, Site, Taken};

/// What tells one series from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Series {
    name: &'static str,
    kind: Shape,
    unit: Unit,
    resolution: Resolution,
    /// A site's own in order of name, before those that the SDK adds.
    dimensions: Vec<(&'static str, String)>,
}

/// The same name may be a counter here and a gauge there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shape {
    Counter,
    Gauge,
    Histogram,
}

/// Merged points, and when a gauge was set last.
struct Sum {
    points: Points,
    set_at: Ticks,
}

/// The series of one window.
#[derive(Default)]
pub(crate) struct Window {
    series: BTreeMap<Series, Sum>,
}

impl Window {
    /// Adds what one cell gained: to the series of its values, and to those of the site's rollups. Each of them is
    /// whole by itself, so that no two of one set count the same thing.
    pub(crate) fn add(&mut self, site: &'static Site, labels: Vec<String>, taken: Taken) {
        if let Taken::InFlight(levels) = taken {
            return self.add_in_flight(site, levels);
        }
        let all = Cell::of(site, labels);
        if all.is_overflow() {
            self.add_overflow(site, taken.count());
        }
        for keys in site.rollups {
            self.add_cell(&all.with(keys), taken.clone());
        }
        self.add_cell(&all, taken);
    }

    fn add_cell(&mut self, cell: &Cell, taken: Taken) {
        match taken {
            Taken::Counter(sum) => self.merge(cell.series(), Points::Counter { sum }, 0),
            Taken::Gauge(gauge) => {
                let (last, min, max, sum, count) = (gauge.last, gauge.min, gauge.max, gauge.sum, gauge.count);
                let points = Points::Gauge { last, min, max, sum, count };
                self.merge(cell.series(), points, gauge.set_at);
            }
            Taken::Histogram(d) => self.merge(cell.series(), Points::Histogram(d), 0),
            Taken::Calls {
                durations,
                timed,
                untimed,
                labelled,
                errors,
                panics,
                cancelled,
                client_errors,
            } => {
                let calls = timed.saturating_add(untimed);
                self.add_outcomes(cell, calls.saturating_add(labelled));
                self.add_calls(cell, calls, [errors, panics, cancelled, client_errors]);
                self.add_durations(cell, durations);
            }
            Taken::InFlight(_) => {}
        }
    }

    /// How much went to a metric's overflow series, of which the values are known and the dimensions are not.
    fn add_overflow(&mut self, site: &'static Site, sum: u64) {
        let dimensions = vec![("Metric", site.name.to_owned())];
        let (unit, resolution) = (Unit::Count, site.resolution);
        let series =
            Series { name: "ops_sdk.series_overflow", kind: Shape::Counter, unit, resolution, dimensions };
        self.merge(series, Points::Counter { sum }, 0);
    }

    /// Calls whose ending has a label are a series of their own, beside the others.
    fn add_outcomes(&mut self, cell: &Cell, calls: u64) {
        let Some(outcome) = &cell.outcome else { return };
        let mut series = cell.of_function("outcomes");
        series.dimensions.push(("Outcome", outcome.clone()));
        self.merge(series, Points::Counter { sum: calls }, 0);
    }

    /// A function's calls are three series, and more where there is something to tell. A panic is an error too; an
    /// error of the caller is not.
    fn add_calls(&mut self, cell: &Cell, calls: u64, [errors, panics, cancelled, client_errors]: [u64; 4]) {
        let mut count = |name, sum| self.merge(cell.of_function(name), Points::Counter { sum }, 0);
        count("calls", calls);
        count("errors", errors.saturating_add(panics));
        [("panics", panics), ("cancelled", cancelled), ("client_errors", client_errors)]
            .into_iter()
            .filter(|(_, sum)| *sum > 0)
            .for_each(|(name, sum)| count(name, sum));
    }

    /// Of a function of which only some calls are timed, a window may have calls and no duration.
    fn add_durations(&mut self, cell: &Cell, durations: Distribution) {
        if durations.count > 0 {
            let series = Series { unit: cell.site.unit, ..cell.of_function("duration") };
            self.merge(series, Points::Histogram(durations), 0);
        }
    }

    /// Calls in progress are told as three samples: the fewest, the most, and those that there are now. Functions of
    /// one name add up.
    fn add_in_flight(&mut self, site: &'static Site, levels: Levels) {
        #[allow(clippy::cast_precision_loss)] // calls in progress
        let [l, n, h] = [levels.low, levels.now, levels.high].map(|level| level.max(0) as f64);
        let series = Series { kind: Shape::Gauge, ..Cell::of(site, Vec::new()).of_function("in_flight") };
        if let Some(Points::Gauge { last, min, max, sum, .. }) =
            self.series.get_mut(&series).map(|sum| &mut sum.points)
        {
            (*last, *min, *max, *sum) = (*last + n, *min + l, *max + h, *sum + l + n + h);
        } else {
            self.merge(series, Points::Gauge { last: n, min: l, max: h, sum: l + n + h, count: 3 }, 0);
        }
    }

    fn merge(&mut self, mut series: Series, points: Points, set_at: Ticks) {
        series.kind = shape(&points);
        match self.series.get_mut(&series) {
            Some(sum) => sum.merge(points, set_at),
            None => drop(self.series.insert(series, Sum { points, set_at })),
        }
    }

    /// The metrics of the window, in order of name, and empties it. `process` are the dimensions that every metric of
    /// this process has; a series' own win over them.
    pub(crate) fn close(&mut self, window_ms: u32, process: &[(String, String)]) -> Vec<Metric<'static>> {
        let all = std::mem::take(&mut self.series);
        all.into_iter().map(|(series, sum)| series.metric(sum.points, window_ms, process)).collect()
    }
}

/// What the series of one cell are made from.
struct Cell {
    site: &'static Site,
    /// In order of name.
    dimensions: Vec<(&'static str, String)>,
    /// The label of an ending: the value that stands behind those of the site's dimensions.
    outcome: Option<String>,
}

impl Cell {
    fn of(site: &'static Site, mut labels: Vec<String>) -> Cell {
        let outcome = if labels.len() > site.keys.len() { labels.pop() } else { None };
        let mut dimensions: Vec<_> = site.keys.iter().copied().zip(labels).collect();
        dimensions.sort_unstable();
        Cell { site, dimensions, outcome }
    }

    /// The same, told by these keys alone.
    fn with(&self, keys: &[&str]) -> Cell {
        let kept = self.dimensions.iter().filter(|(key, _)| keys.contains(key));
        Cell { site: self.site, dimensions: kept.cloned().collect(), outcome: self.outcome.clone() }
    }

    /// Whether it is that of the values for which there was no room.
    fn is_overflow(&self) -> bool {
        !self.dimensions.is_empty() && self.dimensions.iter().all(|(_, value)| value == OVERFLOW)
    }

    fn series(&self) -> Series {
        let Site { name, unit, resolution, .. } = *self.site;
        Series { name, kind: Shape::Counter, unit, resolution, dimensions: self.dimensions.clone() }
    }

    /// A series of a function: by its name, and by the dimensions that it was given.
    fn of_function(&self, name: &'static str) -> Series {
        let mut series = Series { name, unit: Unit::Count, ..self.series() };
        series.dimensions.push(("Function", self.site.name.to_owned()));
        series
    }
}

impl Series {
    fn metric(self, points: Points, window_ms: u32, process: &[(String, String)]) -> Metric<'static> {
        let own = self.dimensions.iter().map(|(key, _)| *key).collect::<Vec<_>>();
        let process = process.iter().filter(|(key, _)| !own.contains(&key.as_str()));
        let process = process.map(|(key, value)| (Cow::Owned(key.clone()), Cow::Owned(value.clone())));
        let mut dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)> = self
            .dimensions
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .chain(process)
            .collect();
        dimensions.sort();
        let (name, unit, resolution) = (Cow::Borrowed(self.name), self.unit, self.resolution);
        Metric { name, unit, resolution, window_ms, dimensions, points }
    }
}

impl Sum {
    fn merge(&mut self, other: Points, other_set_at: Ticks) {
        match (&mut self.points, other) {
            (Points::Counter { sum }, Points::Counter { sum: other }) => *sum = sum.saturating_add(other),
            (Points::Histogram(all), Points::Histogram(other)) => all.merge(&other),
            (
                Points::Gauge { last, min, max, sum, count },
                Points::Gauge { last: l, min: a, max: b, sum: s, count: n },
            ) => {
                if other_set_at >= self.set_at {
                    (*last, self.set_at) = (l, other_set_at);
                }
                (*min, *max, *sum, *count) = (min.min(a), max.max(b), *sum + s, *count + n);
            }
            _ => debug_assert!(false, "series are told apart by shape"),
        }
    }
}

fn shape(points: &Points) -> Shape {
    match points {
        Points::Counter { .. } => Shape::Counter,
        Points::Gauge { .. } => Shape::Gauge,
        Points::Histogram(_) => Shape::Histogram,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Source};

    const SOURCE: Source = Source { target: "test", file: "test.rs", line: 1 };

    #[test]
    fn cells_of_one_series_merge_whatever_the_site_and_the_order_of_keys() {
        static A: Site = Site::new(Kind::Counter, "orders", SOURCE).keys(&["Region", "Tier"]);
        static B: Site = Site::new(Kind::Counter, "orders", SOURCE).keys(&["Tier", "Region"]);
        let mut window = Window::default();
        window.add(&A, vec!["eu".into(), "gold".into()], Taken::Counter(2));
        window.add(&B, vec!["gold".into(), "eu".into()], Taken::Counter(3));
        let metrics =
            window.close(60_000, &[("Service".into(), "shop".into()), ("Tier".into(), "process".into())]);
        assert_eq!(metrics.len(), 1);
        assert_eq!(metrics[0].points, Points::Counter { sum: 5 });
        let dimensions: Vec<_> = metrics[0].dimensions.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(dimensions, ["Region=eu", "Service=shop", "Tier=gold"]);
        assert!(window.close(60_000, &[]).is_empty());
    }

    #[test]
    fn counts_that_are_more_than_a_word_holds_together_stay_at_its_end() {
        static SITE: Site = Site::new(Kind::Counter, "huge", SOURCE);
        let mut window = Window::default();
        [u64::MAX, 2].into_iter().for_each(|sum| window.add(&SITE, vec![], Taken::Counter(sum)));
        assert_eq!(window.close(60_000, &[])[0].points, Points::Counter { sum: u64::MAX });
    }

    #[test]
    fn a_function_is_calls_errors_and_duration() {
        static SITE: Site = Site::new(Kind::Call, "shop::charge", SOURCE);
        let mut durations = Distribution::default();
        durations.observe(2.0, 4);
        let mut window = Window::default();
        window.add(
            &SITE,
            vec![],
            Taken::Calls {
                durations,
                timed: 4,
                errors: 1,
                panics: 1,
                cancelled: 0,
                client_errors: 0,
                untimed: 2,
                labelled: 0,
            },
        );
        let metrics = window.close(60_000, &[]);
        let told: Vec<_> = metrics.iter().map(|m| (m.name.as_ref(), m.unit, m.points.sum())).collect();
        let wanted = [
            ("calls", Unit::Count, 6.0),
            ("duration", Unit::Milliseconds, 8.0),
            ("errors", Unit::Count, 2.0),
        ];
        assert_eq!(told, [wanted[0], wanted[1], wanted[2], ("panics", Unit::Count, 1.0)]);
        assert_eq!(metrics[0].dimensions, [("Function".into(), "shop::charge".into())]);
    }

    #[test]
    fn calls_that_were_not_timed_have_no_duration_and_dimensions_stand_beside_the_function() {
        static SITE: Site = Site::new(Kind::Call, "shop::charge", SOURCE).keys(&["Region"]);
        let mut window = Window::default();
        let durations = Distribution::default();
        let taken = |errors| Taken::Calls {
            durations: durations.clone(),
            timed: 0,
            untimed: 3,
            labelled: 0,
            errors,
            panics: 0,
            cancelled: 0,
            client_errors: 0,
        };
        window.add(&SITE, vec!["eu".into()], taken(0));
        window.add(&SITE, vec!["eu".into(), "declined".into()], taken(1));
        let metrics = window.close(60_000, &[]);
        let told: Vec<_> = metrics.iter().map(|m| (m.name.as_ref(), m.points.sum())).collect();
        assert_eq!(told, [("calls", 6.0), ("errors", 1.0), ("outcomes", 3.0)]);
        let keys = |at: usize| metrics[at].dimensions.iter().map(|(key, _)| key.as_ref()).collect::<Vec<_>>();
        assert_eq!(keys(0), ["Function", "Region"]);
        assert_eq!(keys(2), ["Function", "Outcome", "Region"]);
    }

    #[test]
    fn rollups_are_whole_and_no_set_counts_twice() {
        static SITE: Site =
            Site::new(Kind::Counter, "orders", SOURCE).keys(&["Region", "Tier"]).rollups(&[&[], &["Region"]]);
        static PLAIN: Site = Site::new(Kind::Counter, "orders", SOURCE).keys(&["Region"]);
        let mut window = Window::default();
        for (n, region, tier) in [(1, "eu", "gold"), (2, "eu", "free"), (4, "us", "gold"), (8, "eu", "gold")]
        {
            window.add(&SITE, vec![region.into(), tier.into()], Taken::Counter(n));
        }
        // Told by the same key elsewhere, it is the same series.
        window.add(&PLAIN, vec!["us".into()], Taken::Counter(16));
        let told = |metric: &Metric<'_>| {
            let values: Vec<_> = metric.dimensions.iter().map(|(_, value)| value.as_ref()).collect();
            (values.join("/"), metric.points.sum())
        };
        let metrics: Vec<_> = window.close(60_000, &[]).iter().map(told).collect();
        let wanted =
            [("", 15.0), ("eu", 11.0), ("eu/free", 2.0), ("eu/gold", 9.0), ("us", 20.0), ("us/gold", 4.0)];
        assert_eq!(metrics, wanted.map(|(values, sum)| (values.to_owned(), sum)));
    }

    #[test]
    fn a_function_is_rolled_up_with_its_name_and_its_outcomes() {
        static SITE: Site = Site::new(Kind::Call, "charge", SOURCE).keys(&["Region"]).rollups(&[&[]]);
        let mut window = Window::default();
        for (region, errors) in [("eu", 1), ("us", 2)] {
            let mut durations = Distribution::default();
            durations.observe(2.0, 3);
            let taken = Taken::Calls {
                durations,
                timed: 3,
                untimed: 0,
                labelled: 0,
                errors,
                panics: 0,
                cancelled: 0,
                client_errors: 0,
            };
            window.add(&SITE, vec![region.into(), "declined".into()], taken);
        }
        let metrics = window.close(60_000, &[]);
        let rolled = metrics.iter().filter(|m| m.dimensions.iter().all(|(key, _)| key != "Region"));
        let told: Vec<_> = rolled.map(|m| (m.name.as_ref(), m.dimensions.len(), m.points.sum())).collect();
        assert_eq!(
            told,
            [("calls", 1, 6.0), ("duration", 1, 12.0), ("errors", 1, 3.0), ("outcomes", 2, 6.0)]
        );
    }

    #[test]
    fn what_goes_to_the_overflow_series_is_counted() {
        static SITE: Site = Site::new(Kind::Histogram, "payload", SOURCE).keys(&["Tenant"]).rollups(&[&[]]);
        let mut window = Window::default();
        for tenant in ["a", OVERFLOW] {
            let mut values = Distribution::default();
            values.observe(1.0, 3);
            window.add(&SITE, vec![tenant.into()], Taken::Histogram(values));
        }
        let metrics = window.close(60_000, &[]);
        let overflow: Vec<_> = metrics.iter().filter(|m| m.name == "ops_sdk.series_overflow").collect();
        assert_eq!((overflow.len(), overflow[0].points.sum()), (1, 3.0));
        assert_eq!(overflow[0].dimensions, [("Metric".into(), "payload".into())]);
        let whole: Vec<_> = metrics.iter().filter(|m| m.dimensions.is_empty()).collect();
        assert_eq!((whole.len(), whole[0].points.count()), (1, 6));
    }

    #[test]
    fn calls_in_progress_of_functions_with_one_name_add_up() {
        static A: Site = Site::new(Kind::Call, "charge", SOURCE);
        static B: Site = Site::new(Kind::Call, "charge", SOURCE);
        let mut window = Window::default();
        window.add(&A, vec![], Taken::InFlight(Levels { now: 2, low: 0, high: 3 }));
        window.add(&B, vec![], Taken::InFlight(Levels { now: 1, low: 1, high: 1 }));
        let metrics = window.close(60_000, &[]);
        let wanted = Points::Gauge { last: 3.0, min: 1.0, max: 4.0, sum: 8.0, count: 3 };
        assert_eq!((metrics.len(), metrics[0].name.as_ref(), &metrics[0].points), (1, "in_flight", &wanted));
    }

    #[test]
    fn the_gauge_set_last_wins_over_all_threads() {
        static SITE: Site = Site::new(Kind::Gauge, "depth", SOURCE);
        let gauge = |last, set_at| {
            Taken::Gauge(crate::record::GaugeDelta {
                last,
                set_at,
                min: last,
                max: last,
                sum: last,
                count: 1,
            })
        };
        let mut window = Window::default();
        [gauge(1.0, 10), gauge(7.0, 30), gauge(3.0, 20)]
            .into_iter()
            .for_each(|g| window.add(&SITE, vec![], g));
        let metrics = window.close(1_000, &[]);
        assert_eq!(metrics[0].points, Points::Gauge { last: 7.0, min: 1.0, max: 7.0, sum: 11.0, count: 3 });
    }

    #[test]
    fn a_gauge_rolled_up_has_the_samples_of_all_its_series() {
        static SITE: Site = Site::new(Kind::Gauge, "depth", SOURCE).keys(&["Queue"]).rollups(&[&[]]);
        let mut window = Window::default();
        for (queue, last, set_at) in [("a", 2.0, 10), ("b", 9.0, 30), ("c", 5.0, 20)] {
            let (min, max, sum, count) = (last, last, last, 1);
            let gauge = crate::record::GaugeDelta { last, set_at, min, max, sum, count };
            window.add(&SITE, vec![queue.into()], Taken::Gauge(gauge));
        }
        let metrics = window.close(1_000, &[]);
        let whole = Points::Gauge { last: 9.0, min: 2.0, max: 9.0, sum: 16.0, count: 3 };
        assert_eq!((metrics.len(), metrics[0].dimensions.len(), &metrics[0].points), (4, 0, &whole));
    }
}
