//! An arena of this very process, read as whoever finds it would; and bytes that are none.

use std::fs;

use super::*;
use crate::model::Level;
use crate::record::tests::turn;
use crate::record::{Arg, Label, Reader, Source, count, count_by, event, observe, set};

macro_rules! site {
    ($kind:expr, $name:literal $(, $method:ident($($arg:expr),*))*) => {{
        static SITE: Site = Site::new($kind, $name, Source { target: "remains", file: "remains.rs", line: 1 })
            $(.$method($($arg),*))*;
        &SITE
    }};
}

/// Records something of every kind: events in the ring and in the queue, cells with and without dimensions.
fn record() {
    let said = site!(Kind::Event(Level::Info), "said", keys(&["n"]));
    (0..40u64).for_each(|n| event(said, &[Arg::U64(n)]));
    let long = "long ".repeat(1 << 13);
    (40..43u64).for_each(|n| event(said, &[Arg::U64(n), Arg::Str(&long)]));
    (0..5).for_each(|_| count(site!(Kind::Counter, "plain"), 2));
    for n in 0..6u64 {
        let label = if n % 2 == 0 { Label::Str("a text of more than sixteen bytes") } else { Label::U64(n) };
        count_by(site!(Kind::Counter, "by", keys(&["A", "B"])), n, &[label, Label::Bool(true)]);
    }
    (1..=10u32).for_each(|n| observe(site!(Kind::Histogram, "sizes"), f64::from(n) - 3.0));
    set(site!(Kind::Gauge, "level"), 7.5);
}

/// What is in an arena of what [`record`] records.
#[derive(Debug, PartialEq)]
struct Told {
    numbers: Vec<u64>,
    plain: u64,
    by: Vec<(Vec<String>, u64)>,
    sizes: Option<(u64, f64, f64, f64)>,
    level: Option<f64>,
    damaged: u64,
}

impl Told {
    fn all() -> Told {
        let long = "a text of more than sixteen bytes".to_owned();
        let by = |label: String, n| (vec![label, "true".to_owned()], n);
        Told {
            numbers: (0..43).collect(),
            plain: 10,
            by: vec![by("1".to_owned(), 1), by("3".to_owned(), 3), by("5".to_owned(), 5), by(long, 6)],
            sizes: Some((10, 25.0, -2.0, 7.0)),
            level: Some(7.5),
            damaged: 0,
        }
    }

    fn nothing() -> Told {
        Told { numbers: vec![], plain: 0, by: vec![], sizes: None, level: None, damaged: 0 }
    }

    fn by(remains: &Remains) -> Told {
        let (events, damaged) = remains.events();
        let number = |event: &Event<'_>| match crate::record::read_value(&mut { event.values }) {
            Some(crate::model::Value::U64(n)) if event.site.source.target == "remains" => Some(n),
            _ => None,
        };
        let mut told =
            Told { numbers: events.iter().filter_map(number).collect(), damaged, ..Told::nothing() };
        told.numbers.sort_unstable();
        for (site, labels, taken) in remains.metrics(Resolution::Standard) {
            match (site.name, taken) {
                ("plain", Taken::Counter(n)) => told.plain += n,
                ("by", Taken::Counter(n)) => told.by.push((labels, n)),
                ("sizes", Taken::Histogram(d)) => told.sizes = Some((d.count, d.sum, d.min, d.max)),
                ("level", Taken::Gauge(gauge)) => told.level = Some(gauge.last),
                _ => {}
            }
        }
        told.by.sort();
        told
    }
}

/// Runs a test in a process where nothing else is recorded: an arena is moved to its file only while nobody records.
pub(in crate::record) fn alone(name: &str, test: impl FnOnce()) {
    const ALONE: &str = "OPS_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return test();
    }
    let mut this = std::process::Command::new(std::env::current_exe().expect("this test"));
    let output = this.args(["--exact", &format!("record::{name}")]).env(ALONE, "1").output();
    let output = output.expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// An arena that is kept in a file while `f` runs.
fn kept<R>(f: impl FnOnce(&mut Reader, &dyn Fn() -> Remains) -> R) -> R {
    let (_turn, mut reader) = turn();
    reader.release();
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("arena");
    reader.keep_in(&path).expect("it is kept");
    reader.begin(7, &[("Service".to_owned(), "shop".to_owned())]);
    let found = || match Remains::read(&mut fs::File::open(&path).expect("the file")).expect("it is read") {
        Found::Arena(remains) => *remains,
        _ => panic!("no arena"),
    };
    let result = f(&mut reader, &found);
    reader.take_events(|_, _| {});
    reader.metrics(Resolution::Standard, crate::clock::Now::read()).for_each(drop);
    reader.taking().done();
    reader.release();
    reader.keep_nowhere();
    result
}

#[test]
fn what_nobody_took_is_all_there_with_its_sites_and_dimensions() {
    alone("remains::tests::what_nobody_took_is_all_there_with_its_sites_and_dimensions", all_there);
}

fn all_there() {
    kept(|_, found| {
        record();
        let mut remains = found();
        assert_eq!((remains.told().process, remains.told().dimensions.len()), (7, 1));
        assert_eq!((remains.decide(None), Told::by(&remains)), (1, Told::all()));
    });
}

#[test]
fn a_taking_is_whole_or_undone_whatever_the_moment() {
    alone("remains::tests::a_taking_is_whole_or_undone_whatever_the_moment", whole_or_undone);
}

fn whole_or_undone() {
    kept(|reader, found| {
        record();
        reader.take_events(|_, _| {});
        assert_eq!(
            {
                let mut r = found();
                r.decide(None);
                Told::by(&r)
            },
            Told::all(),
            "taken, and not noted as whole"
        );
        reader.metrics(Resolution::Standard, crate::clock::Now::read()).for_each(drop);
        record(); // meanwhile
        reader.taking().closes(11);
        let twice = {
            let mut remains = found();
            assert_eq!(remains.decide(Some(9)), 1, "the journal has a part of it, which is cut back");
            Told::by(&remains)
        };
        assert_eq!((twice.numbers.len(), twice.plain, twice.level), (86, 20, Some(7.5)));
        assert_eq!(twice.sizes, Some((20, 50.0, -2.0, 7.0)), "extremes of both");
        let mut remains = found();
        assert_eq!(
            (remains.decide(Some(10)), Told::by(&remains)),
            (11, Told::all()),
            "the journal has all of it"
        );
        reader.taking().done();
        let mut remains = found();
        assert_eq!((remains.decide(None), Told::by(&remains)), (11, Told::all()), "and that was noted");
        reader.take_events(|_, _| {});
        reader.metrics(Resolution::Standard, crate::clock::Now::read()).for_each(drop);
        reader.taking().closes(20);
        reader.taking().done();
        reader.release();
        let mut remains = found();
        assert_eq!((remains.decide(None), Told::by(&remains)), (20, Told::nothing()));
    });
}

#[test]
fn bytes_that_are_damaged_end_the_reading_and_nothing_else() {
    alone("remains::tests::bytes_that_are_damaged_end_the_reading_and_nothing_else", damaged);
}

fn damaged() {
    let bytes = kept(|_, found| {
        record();
        found().bytes.0
    });
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random).unwrap_or(0) % below
    };
    for round in 0..150 {
        let mut damaged = bytes.clone();
        for _ in 0..=round % 8 {
            // The head, what is behind it, or anywhere: what lies there is found again by what the head says.
            let below = [size_of::<Head>(), 1 << 20, damaged.len()][next(3)].min(damaged.len());
            let at = next(below);
            damaged[at] = [0, 0xFF, 0x80, damaged[at] ^ 1, next(256) as u8][next(5)];
        }
        if round % 5 == 0 {
            damaged.truncate(next(damaged.len()));
        }
        Remains::probe(damaged, Some(next(40) as u64));
    }
}

/// The seed of the fuzz target `arena` is one of this form. `OPS_WRITE_ARENA_SEED=1` writes it anew.
#[test]
fn the_seed_for_fuzzing_is_an_arena_of_this_form() {
    alone("remains::tests::the_seed_for_fuzzing_is_an_arena_of_this_form", seed);
}

fn seed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/seeds/arena/one");
    if std::env::var_os("OPS_WRITE_ARENA_SEED").is_some() {
        let bytes = kept(|reader, found| {
            let said = site!(Kind::Event(Level::Info), "seed {n}", keys(&["n"]));
            (0..3u64).for_each(|n| event(said, &[Arg::U64(n)]));
            event(said, &[Arg::Str(&"x".repeat(1 << 15))]);
            count_by(site!(Kind::Counter, "seeds", keys(&["A"])), 5, &[Label::Str("b")]);
            observe(site!(Kind::Histogram, "sown"), 3.0);
            reader.take_events(|_, _| {});
            reader.metrics(Resolution::Standard, crate::clock::Now::read()).for_each(drop);
            reader.taking().closes(9);
            found().bytes.0
        });
        fs::write(path, sparse(&bytes)).expect("written");
    }
    let seed = fs::read(path).expect("the seed");
    let (mut bytes, mut rest) = (vec![0; 24 << 20], &seed[..]);
    while let Some((at, after)) = rest.split_first_chunk::<4>() {
        let (len, after) = after.split_first_chunk::<2>().expect("a length");
        let (piece, after) = after.split_at(u16::from_le_bytes(*len).into());
        bytes[u32::from_le_bytes(*at) as usize..][..piece.len()].copy_from_slice(piece);
        rest = after;
    }
    assert_eq!(
        Remains::probe(bytes, None),
        [4, 2, 0],
        "set OPS_WRITE_ARENA_SEED=1 where the form has changed"
    );
}

/// The pieces of bytes that are not zero: for each where it stands, how long it is, and what it is.
fn sparse(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (line, piece) in bytes.chunks(64).enumerate().filter(|(_, piece)| piece.iter().any(|byte| *byte != 0))
    {
        out.extend_from_slice(&u32::try_from(64 * line).expect("it is small").to_le_bytes());
        out.extend_from_slice(&u16::try_from(piece.len()).expect("a line").to_le_bytes());
        out.extend_from_slice(piece);
    }
    out
}
