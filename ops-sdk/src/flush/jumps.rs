//! Jumps of the wall clock, told: where it is set, or the machine sleeps, it moves against the clock that never goes
//! back, and what was recorded around it has stamps that do not say what came first. Each jump is a log event at once,
//! and `ops_sdk.clock_jump_seconds` has their sizes by direction. A clock that is drawn slowly to the right time does
//! not jump.

use std::borrow::Cow;
use std::time::Duration;

use crate::clock::Now;
use crate::model::{Body, Level, Log, Metric, Points, Resolution, Unit, Value};

/// What is less is the clock's own business: the flush thread looks every few milliseconds, so a second is no drift.
const JUMP_MIN: Duration = Duration::from_secs(1);
/// Events of one window; the metric has them all.
const EVENTS_MAX: u64 = 10;

/// Where the wall clock stood against the other when it was last read, and what it did since it was last told.
#[derive(Debug)]
pub(super) struct Jumps {
    before: Now,
    /// Back and forward.
    untold: [Option<Points>; 2],
    events: u64,
}

impl Jumps {
    pub(super) fn new(now: Now) -> Jumps {
        Jumps { before: now, untold: [None, None], events: 0 }
    }

    /// Takes a reading of both clocks. Says by how many nanoseconds the wall clock has jumped since the one before:
    /// below 0 is back.
    pub(super) fn look(&mut self, now: Now) -> Option<i64> {
        let before = std::mem::replace(&mut self.before, now);
        let jumped = jumped(before, now)?;
        #[allow(clippy::cast_precision_loss)] // a second or more
        let seconds = jumped.unsigned_abs() as f64 / 1e9;
        add(&mut self.untold[usize::from(jumped > 0)], seconds);
        Some(jumped)
    }

    /// The event that tells of a jump, unless this window has had too many.
    pub(super) fn event(&mut self, jumped: i64) -> Option<Body<'static>> {
        self.events += 1;
        (self.events <= EVENTS_MAX).then(|| Body::Log(event(jumped)))
    }

    /// The metric of a window that ends.
    pub(super) fn say(&mut self, window_ms: u32, process: &[(String, String)]) -> Vec<Body<'static>> {
        self.events = 0;
        let untold = std::mem::take(&mut self.untold);
        let told = ["back", "forward"].into_iter().zip(untold);
        told.filter_map(|(direction, points)| Some(metric(direction, points?, window_ms, process))).collect()
    }
}

/// By how many nanoseconds the wall clock moved more than the other, if that is a jump.
fn jumped(before: Now, now: Now) -> Option<i64> {
    let moved = |from: u64, to: u64| i128::from(to) - i128::from(from);
    let by = moved(before.unix_ns, now.unix_ns) - moved(before.mono_ns, now.mono_ns);
    let is_jump = by.unsigned_abs() >= JUMP_MIN.as_nanos();
    is_jump.then(|| i64::try_from(by).unwrap_or(if by < 0 { i64::MIN } else { i64::MAX }))
}

fn add(points: &mut Option<Points>, seconds: f64) {
    let none = Points::Gauge { last: 0.0, min: f64::INFINITY, max: 0.0, sum: 0.0, count: 0 };
    if let Points::Gauge { last, min, max, sum, count } = points.get_or_insert(none) {
        (*last, *min, *max) = (seconds, min.min(seconds), max.max(seconds));
        (*sum, *count) = (*sum + seconds, *count + 1);
    }
}

fn event(jumped: i64) -> Log<'static> {
    let (how, direction) = if jumped < 0 { ("was set back", "back") } else { ("went forward", "forward") };
    #[allow(clippy::cast_precision_loss)]
    let seconds = jumped as f64 / 1e9;
    let why = if jumped < 0 { "" } else { ", or the machine slept" };
    let text =
        format!("the wall clock {how} by {:.3} s{why}: times before and after do not compare", seconds.abs());
    Log {
        level: Level::Warn,
        target: Cow::Borrowed("ops_sdk"),
        message: Cow::Owned(text),
        file: Cow::Borrowed(file!()),
        line: line!(),
        fields: vec![
            (Cow::Borrowed("jump_seconds"), Value::F64(seconds)),
            (Cow::Borrowed("direction"), Value::Str(Cow::Borrowed(direction))),
        ],
    }
}

fn metric(
    direction: &'static str,
    points: Points,
    window_ms: u32,
    process: &[(String, String)],
) -> Body<'static> {
    let others = process.iter().filter(|(key, _)| key != "Direction").cloned();
    let mut dimensions: Vec<(Cow<'static, str>, Cow<'static, str>)> =
        others.map(|(key, value)| (key.into(), value.into())).collect();
    dimensions.push(("Direction".into(), direction.into()));
    dimensions.sort();
    Body::Metric(Metric {
        name: Cow::Borrowed("ops_sdk.clock_jump_seconds"),
        unit: Unit::Seconds,
        resolution: Resolution::Standard,
        window_ms,
        dimensions,
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn at(unix_ns: u64, mono_ns: u64) -> Now {
        Now { unix_ns, mono_ns }
    }

    #[test]
    fn a_jump_is_what_one_clock_moved_more_than_the_other() {
        let before = at(1_000 * S, 5 * S);
        let table = [
            (at(1_001 * S, 6 * S), None),
            (at(1_001 * S + S - 1, 6 * S), None),
            (at(1_002 * S, 6 * S), Some(S as i64)),
            (at(1_000 * S, 6 * S), Some(-(S as i64))),
            (at(1_000 * S + 1, 6 * S), None),
            (at(4_600 * S, 5 * S), Some(3_600 * S as i64)),
            (at(0, 5 * S), Some(-1_000 * S as i64)),
            (at(1_050 * S, 55 * S), None),
            (at(u64::MAX, 5 * S), Some(i64::MAX)),
        ];
        for (now, expected) in table {
            assert_eq!(jumped(before, now), expected, "{now:?}");
        }
        assert_eq!(jumped(at(u64::MAX, 0), at(0, u64::MAX)), Some(i64::MIN));
    }

    #[test]
    fn a_clock_that_drifts_never_jumps_and_one_that_jumps_does_once() {
        let mut jumps = Jumps::new(at(1_000 * S, 0));
        // Half a second each second, looked at ten times a second.
        for look in 1..=1_000u64 {
            assert_eq!(jumps.look(at(1_000 * S + look * S / 20 * 3, look * S / 10)), None, "{look}");
        }
        let (wall, mono) = (1_000 * S + 150 * S, 100 * S);
        assert_eq!(jumps.look(at(wall - 60 * S, mono)), Some(-60 * S as i64));
        assert_eq!(jumps.look(at(wall - 59 * S, mono + S)), None);
    }

    #[test]
    fn a_window_tells_all_jumps_by_direction_and_events_are_bounded() {
        let mut jumps = Jumps::new(at(1_000 * S, 0));
        let mut events = Vec::new();
        for wall in [900, 1_000, 990, 1_000].into_iter().cycle().take(40) {
            let jumped = jumps.look(at(wall * S, 0)).unwrap_or(0);
            events.extend((jumped != 0).then(|| jumps.event(jumped)).flatten());
        }
        assert_eq!(events.len(), 10);
        let Body::Log(first) = &events[0] else { panic!("{events:?}") };
        assert_eq!(first.level, Level::Warn);
        assert!(first.message.starts_with("the wall clock was set back by 100.000 s: "), "{first:?}");
        let said = jumps.say(60_000, &[("Service".into(), "shop".into())]);
        let told: Vec<_> = said
            .iter()
            .map(|body| {
                let Body::Metric(metric) = body else { panic!("{body:?}") };
                let direction = metric.dimensions[0].1.as_ref().to_owned();
                (direction, metric.dimensions.len(), metric.points.sum(), metric.points.count())
            })
            .collect();
        assert_eq!(told, [("back".to_owned(), 2, 1_100.0, 20), ("forward".to_owned(), 2, 1_100.0, 20)]);
        assert!(jumps.say(60_000, &[]).is_empty());
        assert!(jumps.event(1).is_some(), "a new window has room for events");
    }
}
