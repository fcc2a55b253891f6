//! One window of metrics: the cells of all threads, merged into series.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::clock::Ticks;
use crate::model::{Distribution, Metric, Points, Resolution, Unit};
use crate::record::{Levels, Site, Taken};

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
    /// Adds what one cell gained.
    pub(crate) fn add(&mut self, site: &'static Site, labels: Vec<String>, taken: Taken) {
        match taken {
            Taken::Counter(sum) => self.merge(series(site, site.name, labels), Points::Counter { sum }, 0),
            Taken::Gauge(gauge) => {
                let (last, min, max, sum, count) = (gauge.last, gauge.min, gauge.max, gauge.sum, gauge.count);
                let points = Points::Gauge { last, min, max, sum, count };
                self.merge(series(site, site.name, labels), points, gauge.set_at);
            }
            Taken::Histogram(d) => self.merge(series(site, site.name, labels), Points::Histogram(d), 0),
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
                self.add_outcomes(site, &labels, calls.saturating_add(labelled));
                self.add_calls(site, &labels, calls, [errors, panics, cancelled, client_errors]);
                self.add_durations(site, &labels, durations);
            }
            Taken::InFlight(levels) => self.add_in_flight(site, levels),
        }
    }

    /// Calls whose ending has a label are a series of their own, beside the others: the label is the value that stands
    /// behind those of the site's dimensions.
    fn add_outcomes(&mut self, site: &'static Site, labels: &[String], calls: u64) {
        let Some(label) = labels.get(site.keys.len()) else { return };
        let mut series = of_function(site, "outcomes", labels);
        series.dimensions.push(("Outcome", label.clone()));
        self.merge(series, Points::Counter { sum: calls }, 0);
    }

    /// A function's calls are three series, and more where there is something to tell. A panic is an error too; an
    /// error of the caller is not.
    fn add_calls(
        &mut self,
        site: &'static Site,
        labels: &[String],
        calls: u64,
        [errors, panics, cancelled, client_errors]: [u64; 4],
    ) {
        let mut count = |name, sum| self.merge(of_function(site, name, labels), Points::Counter { sum }, 0);
        count("calls", calls);
        count("errors", errors.saturating_add(panics));
        [("panics", panics), ("cancelled", cancelled), ("client_errors", client_errors)]
            .into_iter()
            .filter(|(_, sum)| *sum > 0)
            .for_each(|(name, sum)| count(name, sum));
    }

    /// Of a function of which only some calls are timed, a window may have calls and no duration.
    fn add_durations(&mut self, site: &'static Site, labels: &[String], durations: Distribution) {
        if durations.count > 0 {
            let series = Series { unit: site.unit, ..of_function(site, "duration", labels) };
            self.merge(series, Points::Histogram(durations), 0);
        }
    }

    /// Calls in progress are told as three samples: the fewest, the most, and those that there are now. Functions of
    /// one name add up.
    fn add_in_flight(&mut self, site: &'static Site, levels: Levels) {
        #[allow(clippy::cast_precision_loss)] // calls in progress
        let [l, n, h] = [levels.low, levels.now, levels.high].map(|level| level.max(0) as f64);
        let series = Series { kind: Shape::Gauge, ..of_function(site, "in_flight", &[]) };
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

fn series(site: &'static Site, name: &'static str, labels: Vec<String>) -> Series {
    let mut dimensions: Vec<_> = site.keys.iter().copied().zip(labels).collect();
    dimensions.sort_unstable();
    Series { name, kind: Shape::Counter, unit: site.unit, resolution: site.resolution, dimensions }
}

/// A series of a function: by its name, and by the dimensions that it was given.
fn of_function(site: &'static Site, name: &'static str, labels: &[String]) -> Series {
    let mut series = series(site, name, labels.to_vec());
    series.unit = Unit::Count;
    series.dimensions.push(("Function", site.name.to_owned()));
    series
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
}
