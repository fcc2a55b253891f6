//! The models: what happens before each of them begins, what its threads do, and what must hold in every order.

use std::fmt;

use crate::clock::Now;
use crate::model::{Level, Resolution, Value};
use crate::record::{
    Arena, Arg, Kind, Label, Reader, Rules, Site, Source, Taken, count, count_by, event, event_of, losses,
    observe, pending_events, read_value, set, set_overflow_bytes_max, set_ring_bytes, stamp, turn_on,
};
use crate::world::{aside, end_thread, pauses, spawn};

/// One model.
pub struct Scenario {
    pub name: &'static str,
    /// So many times a thread may be interrupted where it could go on. Nearly all faults need two.
    pub preemptions: usize,
    /// Runs before the model begins, in plain memory.
    pub before: fn(),
    pub model: fn(),
}

/// Every model.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "a thread counts in the lane of one that ends",
        preemptions: 2,
        before: one_lane,
        model: counts,
    },
    Scenario {
        name: "a thread logs in the lane of one that ends",
        preemptions: 2,
        before: one_lane,
        model: says,
    },
    Scenario {
        name: "two threads make their lanes at once",
        preemptions: 2,
        before: no_free_lane,
        model: lanes,
    },
    Scenario { name: "a series is new while it is read", preemptions: 2, before: one_lane, model: series },
    Scenario {
        name: "a ring begins again while it is read",
        preemptions: 3,
        before: near_the_end,
        model: ring,
    },
    Scenario {
        name: "a thread goes back to the start of an empty ring while it is read",
        preemptions: 3,
        before: far_from_the_start,
        model: back,
    },
    Scenario { name: "a ring is full while it is read", preemptions: 3, before: nearly_full, model: full },
    Scenario {
        name: "a Display logs, in an event that moves",
        preemptions: 3,
        before: near_the_end,
        model: within,
    },
    Scenario {
        name: "a window of a gauge closes while it is set",
        preemptions: 2,
        before: gauge_set,
        model: || gauge((1, 4.0)),
    },
    Scenario {
        name: "a window of a gauge begins while it is read",
        preemptions: 1,
        before: gauge_taken,
        model: || gauge((0, 0.0)),
    },
    Scenario {
        name: "a window of a histogram closes while it observes",
        preemptions: 2,
        before: observed,
        model: || histogram((1, 1.75)),
    },
    Scenario {
        name: "a window of a histogram begins while it is read",
        preemptions: 1,
        before: observed_and_taken,
        model: || histogram((0, 0.0)),
    },
    Scenario { name: "one reader follows another", preemptions: 2, before: one_lane, model: readers },
    // The one with the most orders comes last: what others notice need not be tried with it.
    Scenario {
        name: "two threads use a site for the first time at once",
        preemptions: 1,
        before: two_lanes,
        model: first,
    },
];

/// What holds for all of them before they begin.
pub fn prepare() {
    stamp::warm();
    Arena::get_or_reserve(4 << 20).expect("4 MiB of address space");
    set_ring_bytes(RING_BYTES);
    set_overflow_bytes_max(1 << 20);
    turn_on(&Rules::all(Some(Level::Trace))).expect("few rules");
}

const RING_BYTES: usize = 4096;
/// Time stands still in a model: nothing expires.
const NOW: Now = Now { unix_ns: 0, mono_ns: 0 };
/// Bytes of an event with one number: a head, a tag and eight bytes, rounded up.
const EVENT_BYTES: usize = 40;

macro_rules! site {
    ($kind:expr, $name:literal $(, $method:ident($($arg:expr),*))*) => {{
        static SITE: Site = Site::new($kind, $name, Source { target: "model", file: "model.rs", line: 1 })
            $(.$method($($arg),*))*;
        &SITE
    }};
}

fn counter() -> &'static Site {
    site!(Kind::Counter, "counter")
}

fn level() -> &'static Site {
    site!(Kind::Gauge, "gauge")
}

fn sizes() -> &'static Site {
    site!(Kind::Histogram, "histogram")
}

fn said() -> &'static Site {
    site!(Kind::Event(Level::Info), "said")
}

fn say(n: u64) {
    event_of(said(), (Arg::U64(n), ()));
}

/// An event's values.
fn values(mut rest: &[u8]) -> Vec<Value<'_>> {
    std::iter::from_fn(|| read_value(&mut rest)).collect()
}

/// The flush thread, and what it was told.
struct Flush {
    reader: Reader,
    numbers: Vec<u64>,
    taken: Vec<(Vec<String>, Taken)>,
    /// Whether a reading of a cell took what was there, in the middle of a write.
    gave_up: bool,
}

impl Flush {
    fn new() -> Option<Flush> {
        let reader = Reader::new(Arena::get()?)?;
        Some(Flush { reader, numbers: Vec::new(), taken: Vec::new(), gave_up: false })
    }

    fn events(&mut self) {
        let numbers = &mut self.numbers;
        self.reader.take_events(|_, frame| match values(frame.value_bytes())[..] {
            [Value::U64(n)] => numbers.push(n),
            ref other => panic!("an event of one number came back as {other:?}"),
        });
    }

    fn metrics(&mut self) {
        let taken = &mut self.taken;
        self.reader.take_metrics(Resolution::Standard, NOW, |_, labels, new| taken.push((labels, new)));
        self.gave_up = pauses() > 0;
    }

    /// What is left when all other threads have ended.
    fn rest(mut self) -> Flush {
        self.events();
        self.metrics();
        assert!(losses::take().is_empty());
        self.reader.taking().done();
        assert_eq!(pending_events(), 0, "what was published is what came");
        self
    }

    fn counted(&self) -> u64 {
        self.taken.iter().map(|(_, taken)| if let Taken::Counter(n) = taken { *n } else { 0 }).sum()
    }
}

/// A flush thread that takes so often while others record.
fn flush(take: impl Fn(&mut Flush) + Send + 'static, times: usize) -> loom::thread::JoinHandle<Flush> {
    spawn(move || {
        let mut flush = Flush::new().expect("there is no other");
        (0..times).for_each(|_| take(&mut flush));
        flush
    })
}

/// Takes what was recorded before the model begins, and forgets it.
fn forget() {
    end_thread();
    drop(Flush::new().expect("there is no other").rest());
}

/// The site has its number, and the only lane is that of a thread that lives.
fn no_free_lane() {
    count(counter(), 1);
    drop(Flush::new().expect("there is no other").rest());
}

fn one_lane() {
    count(counter(), 1);
    say(0);
    forget();
}

/// Has two threads record at once, so that there is a lane for each.
fn two_lanes() {
    one_lane();
    aside(|| {
        count(counter(), 1);
        aside(|| count(counter(), 1));
    });
    forget();
}

fn counts() {
    let threads = [(); 2].map(|()| spawn(|| count(counter(), 1)));
    let flush = flush(Flush::metrics, 1);
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    assert_eq!(flush.join().expect("it ends").rest().counted(), 2);
}

fn lanes() {
    let threads = [(); 2].map(|()| spawn(|| count(counter(), 1)));
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    assert_eq!(Flush::new().expect("there is no other").rest().counted(), 2);
}

fn says() {
    let threads = [1, 2].map(|n| spawn(move || say(n)));
    let flush = flush(Flush::events, 1);
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    let mut told = flush.join().expect("it ends").rest();
    told.numbers.sort_unstable();
    assert_eq!(told.numbers, [1, 2]);
}

fn first() {
    let threads =
        [1, 2].map(|n| spawn(move || event_of(site!(Kind::Event(Level::Info), "first"), (Arg::U64(n), ()))));
    let flush = flush(Flush::events, 1);
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    let mut told = flush.join().expect("it ends").rest();
    told.numbers.sort_unstable();
    assert_eq!(told.numbers, [1, 2]);
}

fn series() {
    const LONG: &str = "a text of more than sixteen bytes";
    let writer = spawn(|| {
        let site = site!(Kind::Counter, "series", keys(&["Text", "Number"]));
        (0..2).for_each(|_| count_by(site, 1, &[Label::Str(LONG), Label::U64(7)]));
    });
    let flush = flush(Flush::metrics, 2);
    writer.join().expect("it ends");
    let told = flush.join().expect("it ends").rest();
    assert!(told.taken.iter().all(|(labels, _)| *labels == [LONG, "7"]), "{:?}", told.taken);
    assert_eq!(told.counted(), 2);
}

/// The ring has room for one event and a bit before it begins again, and for some more there: so many were taken before
/// the thread had come far, so that it does not go back.
fn near_the_end() {
    (0..TAKEN_SOON).for_each(|_| say(0));
    forget();
    (0..UP_TO_THE_END).for_each(|_| say(0));
    end_thread();
}

const TAKEN_SOON: usize = 6;
const UP_TO_THE_END: usize = RING_BYTES / EVENT_BYTES - 1 - TAKEN_SOON;

fn ring() {
    let writer = spawn(|| (1..=3).for_each(say));
    let flush = flush(Flush::events, 2);
    writer.join().expect("it ends");
    let numbers = flush.join().expect("it ends").rest().numbers;
    assert!(numbers[..UP_TO_THE_END].iter().all(|n| *n == 0));
    assert_eq!(numbers[UP_TO_THE_END..], [1, 2, 3]);
}

/// The ring was full of other events before. Some are in it, far enough from its start that the thread goes back there
/// once they are taken.
fn far_from_the_start() {
    (0..RING_BYTES / EVENT_BYTES - 1).for_each(|_| say(9));
    forget();
    (0..SOME).for_each(|_| say(0));
    end_thread();
}

const SOME: usize = 10;

fn back() {
    let writer = spawn(|| (1..=2).for_each(say));
    let flush = flush(Flush::events, 3);
    writer.join().expect("it ends");
    let numbers = flush.join().expect("it ends").rest().numbers;
    assert!(numbers[..SOME].iter().all(|n| *n == 0));
    assert_eq!(numbers[SOME..], [1, 2]);
}

/// The ring has room for one event; all others are there to be read.
fn nearly_full() {
    (0..RING_BYTES / EVENT_BYTES - 1).for_each(|_| say(0));
    end_thread();
}

fn full() {
    let writer = spawn(|| (1..=3).for_each(say));
    let flush = flush(Flush::events, 2);
    writer.join().expect("it ends");
    let mut told = flush.join().expect("it ends").rest();
    let mut news = told.numbers.split_off(RING_BYTES / EVENT_BYTES - 1);
    assert!(told.numbers.iter().all(|n| *n == 0));
    // Each once. Of their order nothing is said: the reader tells by the clock what is older, and a thread may see the
    // other's clock before its writes.
    news.sort_unstable();
    assert_eq!(news, [1, 2, 3], "also by way of the overflow queue");
}

/// Logs while it is shown.
struct Chatty;

impl fmt::Display for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        say(1);
        f.write_str("more text than there is room for before the end of the ring")
    }
}

fn within() {
    let writer = spawn(|| {
        event(site!(Kind::Event(Level::Info), "within"), &[Arg::Display(&Chatty)]);
        say(2);
    });
    let flush = spawn(|| {
        let mut reader = Reader::new(Arena::get()?)?;
        let mut texts = Vec::new();
        let mut take = |reader: &mut Reader| {
            reader.take_events(|_, frame| {
                texts.extend(values(frame.value_bytes()).iter().map(|value| format!("{value:?}")))
            })
        };
        let published = take(&mut reader) + take(&mut reader);
        Some((reader, texts, published))
    });
    writer.join().expect("it ends");
    let (mut reader, mut texts, mut published) = flush.join().expect("it ends").expect("there is no other");
    published += reader.take_events(|_, frame| {
        texts.extend(values(frame.value_bytes()).iter().map(|value| format!("{value:?}")))
    });
    texts.retain(|text| text != "U64(0)");
    texts.sort_unstable();
    let text = format!("Str({:?})", Chatty.to_string());
    assert_eq!(
        (published, &texts[..]),
        (3 + UP_TO_THE_END as u64, &[text, "U64(1)".to_owned(), "U64(2)".to_owned()][..])
    );
}

/// The gauge has a window with a value.
fn gauge_set() {
    set(level(), 4.0);
    end_thread();
}

/// The gauge has a window behind it.
fn gauge_taken() {
    set(level(), 8.0);
    forget();
}

/// `before` are the number and the sum of the values that were not told when the model began.
fn gauge(before: (u64, f64)) {
    let writer = spawn(|| set(level(), 2.0));
    let flush = flush(Flush::metrics, 1);
    writer.join().expect("it ends");
    let told = flush.join().expect("it ends");
    let whole = !told.gave_up;
    let (mut count, mut sum, mut last) = (0, 0.0, 0.0);
    for (_, taken) in told.rest().taken {
        let Taken::Gauge(window) = taken else { panic!("{taken:?}") };
        assert!(window.min <= window.last && window.last <= window.max, "{window:?}");
        (count, sum, last) = (count + window.count, sum + window.sum, window.last);
        let so_far = if count == before.0 { before.1 } else { before.1 + 2.0 };
        assert!(
            sum == so_far || !whole,
            "a sum and a number that were read together belong together: {window:?}"
        );
    }
    assert_eq!(
        (count, sum, last),
        (before.0 + 1, before.1 + 2.0, 2.0),
        "each value once, whatever the windows"
    );
}

/// The histogram has a window with a value.
fn observed() {
    observe(sizes(), 1.75);
    end_thread();
}

/// The histogram has a window behind it, and will need new buckets.
fn observed_and_taken() {
    observe(sizes(), 16.0);
    forget();
}

/// As for the gauge.
fn histogram(before: (u64, f64)) {
    let writer = spawn(|| observe(sizes(), 1.5));
    let flush = flush(Flush::metrics, 1);
    writer.join().expect("it ends");
    let told = flush.join().expect("it ends").rest();
    let (mut count, mut sum) = (0, 0.0);
    for (_, taken) in told.taken {
        let Taken::Histogram(window) = taken else { panic!("{taken:?}") };
        assert_eq!(window.buckets.iter().map(|(_, n)| n).sum::<u64>(), window.count);
        assert!(1.0 <= window.min && window.min <= window.max && window.max < 2.0, "{window:?}");
        (count, sum) = (count + window.count, sum + window.sum);
    }
    assert_eq!((count, sum), (before.0 + 1, before.1 + 1.5), "each value once, whatever the windows");
}

fn readers() {
    let writer = spawn(|| {
        count(counter(), 1);
        say(1);
    });
    let read = || {
        let mut flush = Flush::new()?;
        flush.events();
        flush.metrics();
        Some((flush.counted(), flush.numbers))
    };
    let other = spawn(read);
    let mine = spawn(read);
    writer.join().expect("it ends");
    let all = [other, mine].map(|thread| thread.join().expect("it ends"));
    let told = all.into_iter().flatten();
    let (counted, numbers) =
        told.fold((0, 0), |sum, (counted, numbers)| (sum.0 + counted, sum.1 + numbers.len()));
    assert!(counted <= 1 && numbers <= 1, "each once, whoever reads: {counted} {numbers}");
}
