//! The arena as a whole: what threads write is what the reader takes, once. The arena is one for the process, so the
//! tests take turns.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::lock::{Mutex, MutexGuard};

use super::*;
use crate::clock::Now;
use crate::ledger::Loss;
use crate::model::{Level, Resolution, Value};

static TURN: Mutex<()> = Mutex::new(());

/// A turn with an empty arena.
pub(super) fn turn() -> (MutexGuard<'static, ()>, Reader) {
    let turn = TURN.lock();
    crate::record::stamp::warm();
    let arena = Arena::get_or_reserve(256 << 20).expect("256 MiB of address space");
    set_ring_bytes(1 << 16);
    turn_on(&Rules::all(Some(Level::Trace))).expect("few rules");
    let mut reader = Reader::new(arena).expect("the reader of the turn before is gone");
    reader.take_events(|_, _| {});
    reader.take_metrics(Resolution::Standard, Now::read(), |_, _, _| {});
    reader.taking().done();
    losses::take();
    (turn, reader)
}

macro_rules! site {
    ($kind:expr, $name:literal $(, $method:ident($($arg:expr),*))*) => {{
        static SITE: Site = Site::new($kind, $name, Source { target: "test", file: "test.rs", line: 1 })
            $(.$method($($arg),*))*;
        &SITE
    }};
}

fn taken(reader: &mut Reader) -> BTreeMap<(String, Vec<String>), Vec<Taken>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    reader.take_metrics(Resolution::Standard, Now::read(), |site, labels, taken| {
        all.entry((site.name.to_owned(), labels)).or_default().push(taken);
    });
    all
}

fn counted(all: &BTreeMap<(String, Vec<String>), Vec<Taken>>, name: &str, labels: &[&str]) -> u64 {
    let key = (name.to_owned(), labels.iter().map(|l| (*l).to_owned()).collect::<Vec<_>>());
    let amount = |taken: &Taken| if let Taken::Counter(n) = taken { *n } else { 0 };
    all.get(&key).map_or(0, |cells| cells.iter().map(amount).sum())
}

fn events(reader: &mut Reader) -> (u64, Vec<(String, Vec<String>)>) {
    let mut all = Vec::new();
    let published = reader.take_events(|site, frame| {
        let values = frame.values().iter().map(|value| format!("{value:?}")).collect();
        all.push((site.name.to_owned(), values));
    });
    reader.taking().done();
    (published, all)
}

#[test]
fn counts_of_many_threads_that_end_are_all_there_and_taken_once() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Counter, "threads");
    for _ in 0..3 {
        let threads: Vec<_> =
            (0..8).map(|_| std::thread::spawn(move || (0..1000).for_each(|_| count(site, 2)))).collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread that counts"));
    }
    assert_eq!(counted(&taken(&mut reader), "threads", &[]), 3 * 8 * 1000 * 2);
    assert_eq!(counted(&taken(&mut reader), "threads", &[]), 0);
}

#[test]
fn a_lane_is_used_again_by_the_next_thread() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Counter, "again");
    let once = move || std::thread::spawn(move || count(site, 1)).join().expect("a thread that counts");
    once();
    let used = || Arena::get().map_or(0, |arena| arena.used_bytes());
    let before = used();
    (0..100).for_each(|_| once());
    // Threads of other tests may begin and end meanwhile, and take some; a hundred new lanes would be 8 MiB.
    assert!(used() - before < 4 << 20, "{} bytes for 100 threads, one after the other", used() - before);
    assert_eq!(counted(&taken(&mut reader), "again", &[]), 101);
}

#[test]
fn values_of_dimensions_tell_series_apart() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Counter, "labelled", keys(&["Region", "Code"]));
    for code in 0..200u64 {
        count_by(site, code, &[Label::Str("eu"), Label::U64(code)]);
        count_by(site, 1, &[Label::Display(&"eu"), Label::U64(code)]);
        count_by(site, 1, &[Label::Str("eu\0"), Label::I64(-1)]);
    }
    let all = taken(&mut reader);
    assert_eq!(counted(&all, "labelled", &["eu", "7"]), 8);
    assert_eq!(counted(&all, "labelled", &["eu", "199"]), 200);
    assert_eq!(counted(&all, "labelled", &["eu\0", "-1"]), 200);
}

#[test]
fn series_past_the_bound_share_one_and_nothing_is_lost() {
    let (_turn, mut reader) = turn();
    set_series_max(10);
    let site = site!(Kind::Counter, "bounded", keys(&["Id"]));
    (0..100u64).for_each(|id| count_by(site, 1, &[Label::U64(id)]));
    set_series_max(1000);
    let all = taken(&mut reader);
    assert_eq!(counted(&all, "bounded", &[OVERFLOW]), 90);
    assert_eq!(counted(&all, "bounded", &["9"]), 1);
    assert_eq!(counted(&all, "bounded", &["10"]), 0);
}

#[test]
fn histograms_keep_count_sum_extremes_and_buckets_within_a_window() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Histogram, "sizes");
    for window in 1..4u32 {
        let values = [-3.5, 0.0, 1e-40, 1.0, 2.0, 1000.0 * f64::from(window), 1e100];
        values.iter().for_each(|value| observe(site, *value));
        let all = taken(&mut reader);
        let [Taken::Histogram(d)] = &all[&("sizes".to_owned(), vec![])][..] else { panic!("{all:?}") };
        assert_eq!((d.count, d.min, d.max), (7, -3.5, 1e100));
        assert_eq!(d.buckets.iter().map(|(_, n)| n).sum::<u64>(), 7);
        assert!(d.buckets.is_sorted());
    }
    assert!(taken(&mut reader).is_empty());
}

#[test]
fn the_extremes_of_one_window_do_not_reach_into_the_next() {
    let (_turn, mut reader) = turn();
    let (sizes, level) = (site!(Kind::Histogram, "waves"), site!(Kind::Gauge, "level"));
    for window in [1000.0, 1.0, 50.0] {
        observe(sizes, window);
        set(level, window + 1.0);
        set(level, window);
        let all = taken(&mut reader);
        let [Taken::Histogram(d)] = &all[&("waves".to_owned(), vec![])][..] else { panic!("{all:?}") };
        assert_eq!((d.min, d.max), (window, window));
        let [Taken::Gauge(g)] = &all[&("level".to_owned(), vec![])][..] else { panic!("{all:?}") };
        assert_eq!((g.last, g.min, g.max, g.count), (window, window, window + 1.0, 2));
    }
}

#[test]
fn a_value_that_is_no_number_is_refused_and_counted() {
    let (_turn, mut reader) = turn();
    let (sizes, level) = (site!(Kind::Histogram, "refused"), site!(Kind::Gauge, "refused.gauge"));
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 2f64.powi(361), -(2f64.powi(361))] {
        observe(sizes, value);
        set(level, value);
    }
    observe(sizes, 2f64.powi(360));
    let lost = losses::take();
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].loss, lost[0].count), (Loss::NotFinite, 10));
    assert_eq!(taken(&mut reader).len(), 1);
}

#[test]
fn calls_count_errors_panics_and_cancellations_apart() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Call, "call");
    enter(site).done(Ending::OK);
    enter(site).done(Ending::ERROR);
    enter(site).done(Ending::CLIENT_ERROR);
    enter(site).done(Ending::ERROR.labelled("bank"));
    drop(enter(site));
    let panicked = std::panic::catch_unwind(|| {
        let _call = enter(site);
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(panicked.is_err());
    let all = taken(&mut reader);
    let [Taken::Calls { durations, errors, panics, cancelled, client_errors, .. }] =
        &all[&("call".to_owned(), vec![])][..]
    else {
        panic!("{all:?}")
    };
    assert_eq!((durations.count, *errors, *panics, *cancelled, *client_errors), (5, 1, 1, 1, 1));
    // Behind the values of the site's dimensions, of which there are none.
    let labelled = &all[&("call".to_owned(), vec!["bank".to_owned()])][..];
    assert!(matches!(labelled, [Taken::Calls { errors: 1, .. }]), "{labelled:?}");
    assert!(durations.min >= 0.0 && durations.max < 60_000.0);
}

#[test]
fn while_recording_is_off_a_call_reads_no_clock_and_is_not_counted() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Call, "off");
    turn_off();
    assert!(!on() && !enabled(site, Level::Error));
    enter(site).done(Ending::ERROR);
    turn_on(&Rules::all(None)).expect("few rules");
    assert!(on() && !enabled(site, Level::Error));
    assert!(taken(&mut reader).is_empty());
}

#[test]
fn events_come_back_with_every_kind_of_value_in_order() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Event(Level::Info), "kinds");
    let values = [
        Arg::Null,
        Arg::Bool(true),
        Arg::I64(-5),
        Arg::U64(u64::MAX),
        Arg::F64(0.1),
        Arg::Str("text é"),
        Arg::Display(&1.5),
        Arg::Debug(&Some("x")),
    ];
    event(site, &values);
    event(site, &[]);
    let (published, all) = events(&mut reader);
    assert_eq!(published, 2);
    let first = ["Null", "Bool(true)", "I64(-5)", "U64(18446744073709551615)", "F64(0.1)", "Str(\"text é\")"];
    assert_eq!(all[0].1[..6], first);
    assert_eq!(all[0].1[6..], ["Str(\"1.5\")", "Str(\"Some(\\\"x\\\")\")"]);
    assert!(all[1].1.is_empty());
}

#[test]
fn a_ring_that_wraps_gives_back_every_event() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Event(Level::Info), "wrap");
    let mut next = 0u64;
    for round in 0..500 {
        let text = "x".repeat(round % 97);
        (0..50).for_each(|i| event(site, &[Arg::U64(next + i), Arg::Str(&text)]));
        let (published, all) = events(&mut reader);
        assert_eq!((published, all.len()), (50, 50));
        for (i, (_, values)) in all.iter().enumerate() {
            assert_eq!(values[..], [format!("U64({})", next + i as u64), format!("Str({text:?})")]);
        }
        next += 50;
    }
}

#[test]
fn a_full_ring_spills_and_a_full_queue_counts_the_lesser_levels_first() {
    let (_turn, mut reader) = turn();
    set_overflow_bytes_max(1 << 20);
    let (debug, error) =
        (site!(Kind::Event(Level::Debug), "debug"), site!(Kind::Event(Level::Error), "error"));
    let text = "x".repeat(1000);
    (0..2000).for_each(|_| event(debug, &[Arg::Str(&text)]));
    (0..100).for_each(|_| event(error, &[Arg::Str(&text)]));
    let dropped: u64 = losses::take()
        .iter()
        .map(|lost| {
            assert_eq!((lost.loss, lost.level), (Loss::RingFull, Some(Level::Debug)));
            lost.count
        })
        .sum();
    assert_eq!(pending_events(), 2100 - dropped);
    let (published, all) = events(&mut reader);
    assert_eq!(all.iter().filter(|(name, _)| name == "error").count(), 100);
    assert_eq!((published, all.len() as u64), (2100 - dropped, 2100 - dropped));
    assert!(dropped > 1000);
    set_overflow_bytes_max(8 << 20);
}

#[test]
fn an_event_larger_than_the_ring_comes_back_whole() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Event(Level::Info), "large");
    let text = "é".repeat(1 << 20);
    event(site, &[Arg::U64(1), Arg::Display(&text), Arg::U64(2)]);
    let (published, all) = events(&mut reader);
    assert_eq!(published, 1);
    assert_eq!(all[0].1[0], "U64(1)");
    assert_eq!(all[0].1[1].len(), text.len() + "Str(\"\")".len());
    assert_eq!(all[0].1[2], "U64(2)");
}

/// A value whose `Display` records an event of its own.
struct Chatty;

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        event(site!(Kind::Event(Level::Info), "inner"), &[Arg::Str("from within")]);
        f.write_str("chatty")
    }
}

/// A value whose `Display` panics.
struct Bomb;

impl fmt::Display for Bomb {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

#[test]
fn a_display_that_logs_or_panics_harms_no_other_event() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Event(Level::Info), "outer");
    event(site, &[Arg::U64(1), Arg::Display(&Chatty)]);
    assert!(std::panic::catch_unwind(|| event(site, &[Arg::Display(&Bomb)])).is_err());
    event(site, &[Arg::U64(2)]);
    let (published, mut all) = events(&mut reader);
    all.sort();
    assert_eq!(published, 3);
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["inner", "outer", "outer"]);
    assert_eq!(all[1].1, ["U64(1)", "Str(\"chatty\")"]);
}

#[test]
fn a_reader_that_races_with_writers_takes_every_sample_once() {
    let (_turn, mut reader) = turn();
    let (sizes, said) = (site!(Kind::Histogram, "race"), site!(Kind::Event(Level::Warn), "race"));
    set_overflow_bytes_max(64 << 20);
    let writer = move || {
        for i in 0..20_000u32 {
            observe(sizes, f64::from(i % 1000));
            event(said, &[Arg::U64(u64::from(i))]);
        }
    };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(writer)).collect();
    let (mut count, mut sum, mut seen, mut published) = (0, 0.0, 0, 0);
    let mut ended = false;
    while !ended {
        ended = threads.iter().all(std::thread::JoinHandle::is_finished);
        reader.take_metrics(Resolution::Standard, Now::read(), |_, _, taken| {
            let Taken::Histogram(d) = taken else { panic!("{taken:?}") };
            assert_eq!(d.buckets.iter().map(|(_, n)| n).sum::<u64>(), d.count);
            assert!((0.0..=999.0).contains(&d.min) && (0.0..=999.0).contains(&d.max) && d.min <= d.max);
            count += d.count;
            sum += d.sum;
        });
        published += reader.take_events(|_, _| seen += 1);
    }
    assert_eq!((count, seen, published), (80_000, 80_000, 80_000));
    assert!((sum - 80_000.0 * 499.5).abs() < 1e-6);
    set_overflow_bytes_max(8 << 20);
    assert!(losses::take().is_empty());
    let values = |frame: &Frame<'_>| frame.values() == [Value::Null];
    assert_eq!(reader.take_events(|_, frame| assert!(values(frame))), 0);
}

#[test]
fn a_thread_that_fills_its_ring_while_the_reader_reads_keeps_its_order() {
    let (_turn, mut reader) = turn();
    let site = site!(Kind::Event(Level::Error), "order");
    let text = "x".repeat(1000);
    let writer =
        std::thread::spawn(move || (0..4_000).for_each(|n| event(site, &[Arg::U64(n), Arg::Str(&text)])));
    let (mut numbers, mut ended) = (Vec::new(), false);
    while !ended {
        ended = writer.is_finished();
        let number = |value: &Value<'_>| if let Value::U64(n) = value { Some(*n) } else { None };
        reader.take_events(|_, frame| numbers.extend(frame.values().first().and_then(number)));
    }
    assert!(losses::take().is_empty());
    assert!(numbers.is_sorted() && numbers.len() == 4_000, "{} of 4,000, or in disorder", numbers.len());
}

/// Expires series at once while it lives.
struct AtOnce;

impl AtOnce {
    fn begin() -> AtOnce {
        set_series_idle_max(std::time::Duration::ZERO);
        AtOnce
    }
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        set_series_idle_max(std::time::Duration::from_secs(3600));
    }
}

#[test]
fn idle_series_give_their_places_to_new_ones() {
    let (_turn, mut reader) = turn();
    let _at_once = AtOnce::begin();
    let site = site!(Kind::Counter, "expiring", keys(&["Tenant"]), series_max(3));
    let write = |tenants: &[u64]| tenants.iter().for_each(|n| count_by(site, 1, &[Label::U64(*n)]));
    let told = |all: &BTreeMap<(String, Vec<String>), Vec<Taken>>| {
        let mine = all.keys().filter(|(name, _)| name == "expiring");
        mine.map(|(_, labels)| labels.join("")).collect::<Vec<_>>()
    };
    let used = || Arena::get().map_or(0, |arena| arena.used_bytes());
    let (mut used_before, mut grown) = (0, 0);
    for round in 0..50u64 {
        let first = round * 4;
        write(&[first, first + 1, first + 2, first + 3, first]);
        let all = taken(&mut reader);
        assert_eq!(told(&all).len(), 4, "three, and what overflowed: {:?}", told(&all));
        assert_eq!(counted(&all, "expiring", &[&first.to_string()]), 2);
        assert_eq!(
            counted(&all, "expiring", &[OVERFLOW]),
            1,
            "of the one beyond the bound, in round {round}"
        );
        assert!(taken(&mut reader).is_empty(), "from here on they are idle");
        grown += u32::from(used() > used_before);
        used_before = used();
    }
    // The first takes its memory, and other tests' threads begin in the same arena at any time.
    assert!(grown < 10, "{grown} of 50 rounds took new memory");
    // What was offered and not needed is what it was.
    write(&[196, 197]);
    let all = taken(&mut reader);
    assert_eq!((counted(&all, "expiring", &["196"]), counted(&all, "expiring", &["197"])), (1, 1));
}

#[test]
fn a_call_in_progress_keeps_its_series() {
    let (_turn, mut reader) = turn();
    let _at_once = AtOnce::begin();
    let site = site!(Kind::Call, "waiting", keys(&["Tenant"]), series_max(2));
    let call = |tenant: &str| track(site, &[Label::Str(tenant)]);
    let (here, elsewhere) = (call("a tenant with a long name"), call("elsewhere"));
    for _ in 0..3 {
        assert!(taken(&mut reader).is_empty());
        call("another").done(Ending::OK); // asks for a place, and gets none
        let all = taken(&mut reader);
        assert_eq!(all.keys().map(|(_, labels)| labels.join("")).collect::<Vec<_>>(), [OVERFLOW]);
    }
    here.done(Ending::OK);
    std::thread::spawn(move || elsewhere.done(Ending::ERROR)).join().expect("a thread that ends");
    let all = taken(&mut reader);
    let calls =
        |tenant: &str| match all.get(&("waiting".to_owned(), vec![tenant.to_owned()])).map(Vec::as_slice) {
            Some([Taken::Calls { durations, errors, .. }]) => (durations.count, *errors),
            other => panic!("{tenant}: {other:?}"),
        };
    assert_eq!((calls("a tenant with a long name"), calls("elsewhere")), ((1, 0), (1, 1)));
    // Now that they have ended, their places can be had.
    assert!(taken(&mut reader).is_empty());
    call("another").done(Ending::OK);
    assert!(taken(&mut reader).contains_key(&("waiting".to_owned(), vec!["another".to_owned()])));
}

#[test]
fn what_is_written_to_an_idle_series_stays_its_own() {
    let (_turn, mut reader) = turn();
    let _at_once = AtOnce::begin();
    let counter = site!(Kind::Counter, "woken", keys(&["N"]));
    let calls = site!(Kind::Call, "woken c", keys(&["N"]), sample(1_000_000));
    let write = |n: u64| {
        count_by(counter, 1, &[Label::U64(n)]);
        track(calls, &[Label::U64(n)]).done(Ending::ERROR);
    };
    write(1);
    taken(&mut reader);
    assert!(taken(&mut reader).is_empty(), "now it is offered");
    write(1);
    write(2); // and here a place is asked for
    let all = taken(&mut reader);
    let labels = |n: u64| vec![n.to_string()];
    for n in [1, 2] {
        assert_eq!(counted(&all, "woken", &[&n.to_string()]), 1, "{n}");
        let calls = all.get(&("woken c".to_owned(), labels(n)));
        let errors = |taken: &Taken| if let Taken::Calls { errors, .. } = taken { *errors } else { 0 };
        assert_eq!(calls.map(|all| all.iter().map(errors).sum::<u64>()), Some(1), "{n}");
    }
}

const TAKES: u64 = 600;

/// What one thread wrote, or the reader told: how much by the values of the dimensions.
type Books = BTreeMap<(String, String), u64>;

/// Writes series that come and go with the windows, until there were `TAKES` of these; says what it wrote.
fn come_and_go(thread: u64, windows: &AtomicU64, rounds: &AtomicU64) -> Books {
    let counter = site!(Kind::Counter, "churn", keys(&["Thread", "N"]));
    let histogram = site!(Kind::Histogram, "churn h", keys(&["N"]));
    let calls = site!(Kind::Call, "churn c", keys(&["N"]));
    let mut books = Books::new();
    for round in 0u64.. {
        // Each for a window or three and then for long not again; some of them always.
        let window = windows.load(Relaxed);
        let n = if round % 4 == 0 { 40 + round % 3 } else { (window + round % 4) % 40 };
        let text = "x".repeat((n % 40) as usize) + &n.to_string();
        count_by(counter, n + 1, &[Label::U64(thread), Label::Str(&text)]);
        observe_by(histogram, n as f64, &[Label::U64(n)]);
        track(calls, &[Label::U64(n)]).done(Ending::OK);
        *books.entry(("churn".to_owned(), format!("{thread}/{text}"))).or_default() += n + 1;
        *books.entry(("churn h".to_owned(), n.to_string())).or_default() += 1;
        *books.entry(("sums".to_owned(), n.to_string())).or_default() += n;
        *books.entry(("churn c".to_owned(), n.to_string())).or_default() += 1;
        rounds.fetch_add(1, Relaxed);
        if window == TAKES {
            return books;
        }
    }
    books
}

/// Ends the writing when it is dropped, also by a failure.
struct Stop<'a>(&'a AtomicU64);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(TAKES, Relaxed);
    }
}

fn add(books: &mut Books, more: impl IntoIterator<Item = ((String, String), u64)>) {
    more.into_iter().for_each(|(key, n)| *books.entry(key).or_default() += n);
}

#[test]
fn nothing_is_lost_or_told_under_another_name_while_series_come_and_go() {
    let (_turn, mut reader) = turn();
    let _at_once = AtOnce::begin();
    let (mut told, mut written) = (Books::new(), Books::new());
    let mut take = |reader: &mut Reader| {
        for ((name, labels), all) in taken(reader) {
            let labels = labels.join("/");
            for taken in all {
                let n = match taken {
                    Taken::Counter(n) => n,
                    Taken::Histogram(d) => {
                        // A window's sum may be ahead of its count; in the end they agree.
                        add(&mut told, [(("sums".to_owned(), labels.clone()), d.sum as u64)]);
                        d.count
                    }
                    Taken::Calls { timed, .. } => timed,
                    other => panic!("{other:?}"),
                };
                add(&mut told, [((name.clone(), labels.clone()), n)]);
            }
        }
    };
    let (windows, rounds) = (&AtomicU64::new(0), &AtomicU64::new(0));
    std::thread::scope(|scope| {
        let spawn = |thread| scope.spawn(move || come_and_go(thread, windows, rounds));
        let threads: Vec<_> = (0..3).map(spawn).collect();
        let stop = Stop(windows);
        for window in 1..TAKES {
            take(&mut reader);
            windows.store(window, Relaxed);
            while rounds.load(Relaxed) < window * 30 {
                std::thread::yield_now(); // so that each window has something in it
            }
        }
        drop(stop);
        threads
            .into_iter()
            .for_each(|thread| add(&mut written, thread.join().expect("a thread that writes")));
    });
    take(&mut reader);
    let differ: Vec<_> = written.iter().filter(|(key, n)| told.get(*key) != Some(*n)).take(5).collect();
    assert!(differ.is_empty(), "{differ:?}");
    assert_eq!(told.len(), written.len());
}
