//! What a workload records, step by step: it follows from the seed, the round, the life and the thread alone, so that
//! the oracle can say of a process that is dead what each of its macros was given. Amounts are drawn from so many that
//! two windows hardly ever have the same sum: a datum that comes twice is then known by its bytes.

use super::rng::Rng;

/// Where a thread's work is told apart from every other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thread {
    /// The seed of the whole run.
    pub seed: u64,
    /// The round, from 0.
    pub round: u64,
    /// Which process of the round, from 0.
    pub life: u64,
    /// Which thread of the process, from 0.
    pub thread: u64,
}

/// How loud an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    /// `info!`
    Info,
    /// `warn!`
    Warn,
    /// `error!`
    Error,
}

/// One call of a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// An event with this text.
    Event(Loudness, String),
    /// A counter by life and thread.
    Sum(u64),
    /// A counter by life.
    Tick(u64),
    /// A counter by life, in one of four series.
    Region(u64, u64),
    /// A histogram's value.
    Seen(u64),
    /// A call of an instrumented function, and whether it returns an error.
    Call(bool),
    /// A unit of work that holds back an event with this text, and whether it fails: only then the event is shipped.
    Unit(bool, String),
}

/// Region names by the number of a [`Step::Region`].
pub const REGIONS: [&str; 4] = ["eu-west-1", "eu-central-1", "us-east-1", "ap-south-1"];
/// Amounts lie below this, so that sums of a round stay exact as doubles.
const AMOUNT_MAX: u64 = 1 << 36;
/// What texts are made of: letters, what JSON escapes, and characters of two, three and four bytes.
const LETTERS: [&str; 24] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "0",
    "1",
    " ",
    " ",
    "\"",
    "\\",
    "\n",
    "\t",
    "\u{1}",
    "/",
    "é",
    "ß",
    "€",
    "語",
    "😀",
    "{",
    "}",
    "|",
    "@ops.part v1 ",
];

/// The steps of a thread, without end.
#[derive(Debug, Clone)]
pub struct Steps(Rng);

impl Steps {
    /// From the first.
    #[must_use]
    pub fn of(thread: Thread) -> Steps {
        Steps(Rng::of(&[thread.seed, thread.round, thread.life, thread.thread, 0x57E9]))
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let rng = &mut self.0;
        Some(match rng.below(100) {
            0..60 => event(rng),
            60..70 => Step::Sum(rng.between(1, AMOUNT_MAX)),
            70..78 => Step::Tick(rng.between(1, AMOUNT_MAX)),
            78..86 => Step::Region(rng.below(REGIONS.len() as u64), rng.between(1, AMOUNT_MAX)),
            86..92 => Step::Seen(rng.between(1, 255)),
            92..96 => Step::Call(rng.percent(25)),
            _ => {
                let bytes = rng.between(0, 300);
                Step::Unit(rng.percent(50), text(rng, bytes))
            }
        })
    }
}

fn event(rng: &mut Rng) -> Step {
    let loudness = *rng.pick(&[Loudness::Info, Loudness::Info, Loudness::Warn, Loudness::Error]);
    let bytes = match rng.below(1_000) {
        0..550 => rng.between(0, 40),
        550..900 => 250,
        900..980 => rng.between(1_000, 6_000),
        // More than a ring of 64 KiB takes of one event.
        980..994 => rng.between(17_000, 24_000),
        // More than a push of the contract takes.
        _ => rng.between(40_000, 90_000),
    };
    Step::Event(loudness, text(rng, bytes))
}

/// A text of at least so many bytes. Long ones repeat a piece, because drawing every letter costs more than recording.
fn text(rng: &mut Rng, bytes: u64) -> String {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    let mut text = format!("{:x} ", rng.below(1 << 20));
    while text.len() < bytes.min(300) {
        text.push_str(rng.pick::<&str>(&LETTERS));
    }
    while text.len() < bytes {
        let piece: String = text.chars().take(bytes - text.len()).collect();
        text.push_str(&format!("{} {piece}", text.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREAD: Thread = Thread { seed: 1, round: 2, life: 3, thread: 4 };

    #[test]
    fn the_same_thread_has_the_same_steps_and_another_has_others() {
        let steps = |thread| Steps::of(thread).take(200).collect::<Vec<_>>();
        assert_eq!(steps(THREAD), steps(THREAD));
        assert_ne!(steps(THREAD), steps(Thread { life: 4, ..THREAD }));
    }

    #[test]
    fn every_kind_and_every_size_comes_up() {
        let steps: Vec<_> = Steps::of(THREAD).take(5_000).collect();
        let sizes = steps.iter().filter_map(|step| match step {
            Step::Event(_, text) => Some(text.len()),
            _ => None,
        });
        let sizes: Vec<usize> = sizes.collect();
        let some = |from, to| sizes.iter().any(|bytes| (from..to).contains(bytes));
        assert!(some(0, 60) && some(250, 300) && some(17_000, 25_000) && some(40_000, 100_000), "{sizes:?}");
        let is = |kind: fn(&Step) -> bool| steps.iter().any(kind);
        assert!(is(|step| matches!(step, Step::Sum(_))) && is(|step| matches!(step, Step::Tick(_))));
        assert!(is(|step| matches!(step, Step::Region(..))) && is(|step| matches!(step, Step::Seen(_))));
        assert!(is(|step| *step == Step::Call(true)) && is(|step| *step == Step::Call(false)));
        assert!(
            is(|step| matches!(step, Step::Unit(true, _))) && is(|step| matches!(step, Step::Unit(false, _)))
        );
    }
}
