//! The judge of a round: nothing that a macro returned from is missing, nothing is there that was never recorded, every
//! byte is what it was, what came twice came twice for a reason that was promised, sums are exact, books balance. Knows
//! what was recorded from the seed and from how far each thread says it came, and what arrived from the servers and the
//! dead-letter files; nothing that the SDK says of itself is believed except where it is held against these.

mod arrivals;
mod events;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use self::arrivals::{Arrivals, Promise};
use super::life::Lived;
use super::plan::{DiskFault, Life, Plan};
use super::progress::Reached;
use super::server::{Kind, Push};
use super::store::Stored;
use super::work::{Step, Steps, Thread};

/// How many findings of a round are put into words.
const NOTES_MAX: usize = 12;

/// What came of a round.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Each life, in order.
    pub lives: Vec<Lived>,
    /// What the servers took.
    pub pushes: Vec<Push>,
    /// Calls that no SDK should make.
    pub violations: Vec<String>,
    /// The dead-letter files of `cloudwatch-logs` and `cloudwatch`.
    pub letters: [String; 2],
    /// What the local store has, in rounds that ship there as well.
    pub store: Option<Stored>,
}

/// What the judge says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Macro calls that returned.
    pub recorded: u64,
    /// Records, and sums, of which something that returned is nowhere.
    pub missing: u64,
    /// What is there and was never recorded, or came again without a reason.
    pub invented: u64,
    /// What is not, byte for byte, what was recorded.
    pub corrupt: u64,
    /// Arrivals that were repetitions.
    pub duplicates: u64,
    /// Books that do not balance, or say more than the servers.
    pub unbalanced: u64,
    /// Records that a life on a broken disk lost, and said so or was killed.
    pub excused: u64,
    /// The first findings, in words.
    pub notes: Vec<String>,
    /// Lives that may lose what they recorded.
    may_lose: BTreeSet<u64>,
}

/// What was recorded: at least and at most.
#[derive(Debug)]
struct Expected {
    /// By life and thread: the steps that were begun, and how many of them returned.
    threads: BTreeMap<(u64, u64), (Vec<Step>, u64)>,
    may_lose: BTreeSet<u64>,
}

/// Judges a round.
#[must_use]
pub fn judge(plan: &Plan, evidence: &Evidence) -> Verdict {
    let lives = || plan.lives.iter().zip(&evidence.lives);
    let may_lose: BTreeSet<u64> =
        lives().filter(|(life, lived)| may_lose(life, lived)).map(|(life, _)| life.number).collect();
    let expected = Expected::of(plan, &evidence.lives, may_lose.clone());
    let mut verdict = Verdict { recorded: expected.returned(), may_lose, ..Verdict::default() };
    let may_repeat: Vec<bool> = plan.lives.iter().map(is_on_bad_disk).collect();
    let any_crash = plan.lives.iter().any(|life| life.ending.is_crash());
    let crashed: Vec<bool> = lives().map(|(life, lived)| ends_in_the_middle(life, lived)).collect();
    let promise = Promise { may_repeat: &may_repeat, crashed: &crashed, any_crash };
    let [logs, metrics] = [(Kind::Logs, &evidence.letters[0]), (Kind::Metrics, &evidence.letters[1])]
        .map(|(kind, letters)| Arrivals::of(kind, &evidence.pushes, letters, promise));
    events::judge(logs.items(), &expected, &mut verdict);
    sums::judge(metrics.items(), &expected, &mut verdict);
    for arrivals in [&logs, &metrics] {
        verdict.repeated(arrivals, promise);
    }
    if let Some(stored) = &evidence.store {
        events::judge(stored.lines.iter().map(|line| (line.as_str(), 1)), &expected, &mut verdict);
        sums::judge_stored(&stored.series, &expected, &mut verdict);
        verdict.kept_twice(&stored.lines);
    }
    evidence
        .violations
        .iter()
        .for_each(|why| verdict.corrupt(format!("a call that is refused for its form: {why}")));
    for (at, (life, lived)) in lives().enumerate() {
        // What a disk took half of, a later life finds damaged.
        let bad_disk = plan.lives[..=at].iter().any(is_on_bad_disk);
        verdict.books(life, lived, &evidence.pushes, bad_disk);
    }
    verdict
}

/// A life that was killed, and one whose time was over before all was answered, may have read an answer and not have come
/// to note it.
fn ends_in_the_middle(life: &Life, lived: &Lived) -> bool {
    life.ending.is_crash() || lived.books.as_ref().is_none_or(|books| !books.complete)
}

/// A disk that takes nothing keeps nothing: a life on it may lose what it recorded, if it says so or was killed.
fn may_lose(life: &Life, lived: &Lived) -> bool {
    let said = lived.books.as_ref().is_some_and(|books| books.lost > 0 || !books.dropped.is_empty());
    let crash = life.ending.is_crash();
    is_on_bad_disk(life) && (crash || said)
}

fn is_on_bad_disk(life: &Life) -> bool {
    matches!(life.disk, Some((DiskFault::Full | DiskFault::Broken, _)))
}

impl Expected {
    fn of(plan: &Plan, lives: &[Lived], may_lose: BTreeSet<u64>) -> Expected {
        let mut threads = BTreeMap::new();
        for (life, lived) in plan.lives.iter().zip(lives) {
            for (thread, Reached { begun, returned }) in (0..).zip(&lived.reached) {
                let key = Thread { seed: plan.seed, round: plan.round, life: life.number, thread };
                let steps = Steps::of(key).take(usize::try_from(*begun).unwrap_or(0)).collect();
                threads.insert((life.number, thread), (steps, *returned));
            }
        }
        Expected { threads, may_lose }
    }

    fn returned(&self) -> u64 {
        self.threads.values().map(|(_, returned)| returned).sum()
    }

    /// Every step that was begun.
    fn steps(&self) -> impl Iterator<Item = (u64, u64, u64, &Step)> {
        self.threads.iter().flat_map(|((life, thread), (steps, _))| {
            (0..).zip(steps).map(move |(n, step)| (*life, *thread, n, step))
        })
    }

    fn step(&self, life: u64, thread: u64, n: u64) -> Option<&Step> {
        self.threads.get(&(life, thread))?.0.get(usize::try_from(n).ok()?)
    }

    fn is_returned(&self, life: u64, thread: u64, n: u64) -> bool {
        self.threads.get(&(life, thread)).is_some_and(|(_, returned)| n < *returned)
    }

    fn may_lose(&self, life: u64) -> bool {
        self.may_lose.contains(&life)
    }

    fn events_returned(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let events = self.steps().filter(|(.., step)| matches!(step, Step::Event(..) | Step::Unit(true, _)));
        events.map(|(life, thread, n, _)| (life, thread, n)).filter(|(l, t, n)| self.is_returned(*l, *t, *n))
    }
}

impl Verdict {
    /// Whether every promise was kept.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.missing + self.invented + self.corrupt + self.unbalanced == 0
    }

    fn note(&mut self, what: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push(what);
        }
    }

    fn missing(&mut self, life: u64, what: String) {
        if self.may_lose.contains(&life) {
            self.excused += 1;
        } else {
            self.missing_sum(what);
        }
    }

    fn missing_sum(&mut self, what: String) {
        self.missing += 1;
        self.note(format!("missing: {what}"));
    }

    fn invented(&mut self, what: String) {
        self.invented += 1;
        self.note(format!("invented: {what}"));
    }

    fn corrupt(&mut self, what: String) {
        self.corrupt += 1;
        self.note(format!("corrupt: {what}"));
    }

    fn unbalanced(&mut self, what: String) {
        self.unbalanced += 1;
        self.note(format!("unbalanced: {what}"));
    }

    fn repeated(&mut self, arrivals: &Arrivals, promise: Promise<'_>) {
        self.duplicates += arrivals.duplicates();
        for item in arrivals.unexplained(promise) {
            self.invented(format!("came again though its sender knew that it had arrived: {item:.300}"));
        }
        // A letter that was torn by a death is written again, or its record is found missing.
        let torn = arrivals.unreadable.iter().filter(|_| !promise.any_crash);
        torn.for_each(|line| self.corrupt(format!("no dead letter: {line}")));
    }

    /// The store recognises what it has already: nothing is there twice.
    fn kept_twice(&mut self, lines: &[String]) {
        let mut once = BTreeSet::new();
        lines
            .iter()
            .filter(|line| !once.insert(*line))
            .for_each(|line| self.invented(format!("twice in the store: {line}")));
    }

    /// The books of a life that ended in order, and how it ended.
    fn books(&mut self, life: &Life, lived: &Lived, pushes: &[Push], bad_disk: bool) {
        if let Some(wrong) = &lived.wrong {
            self.unbalanced(wrong.clone());
        }
        let Some(books) = &lived.books else { return };
        let number = life.number;
        if !books.balanced {
            self.unbalanced(format!("the books of life {number}: {}", books.rows));
        }
        let mine = pushes.iter().filter(|push| push.kind == Kind::Logs && push.life == number);
        let ids: BTreeSet<String> =
            mine.flat_map(|push| &push.items).filter_map(|item| events::id(item)).collect();
        if books.logs_delivered > ids.len() as u64 {
            let (said, has) = (books.logs_delivered, ids.len());
            self.unbalanced(format!(
                "life {number} says {said} delivered, the server has {has}: {}",
                books.rows
            ));
        }
        if !bad_disk && (books.lost > 0 || !books.dropped.is_empty()) {
            self.missing_sum(format!(
                "life {number} lost {} and dropped {}: {}",
                books.lost, books.dropped, books.rows
            ));
        }
        if life.ending == super::plan::Ending::Drain && !books.complete {
            self.missing_sum(format!("the last life could not deliver everything: {}", books.rows));
        }
    }
}
