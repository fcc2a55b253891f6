//! Rounds side by side, and what they come to.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::life::Place;
use super::means::{Mounted, Tools};
use super::oracle::{Evidence, Verdict, judge};
use super::plan::Plan;
use super::server::{Cloud, Push};
use super::store;

/// Rounds of which the findings are printed.
const FAILURES_SHOWN: u64 = 5;
/// From so many rounds on, one without a single duplicate means that the path of duplicates was never taken.
const ROUNDS_WITH_DUPLICATES: u64 = 50;

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// How many rounds.
    pub rounds: u64,
    /// What they follow from.
    pub seed: u64,
    /// The first round: to play one again.
    pub first: u64,
    /// Rounds at the same time.
    pub jobs: usize,
    /// Whether the folders of rounds that fail are kept.
    pub keep: bool,
}

/// What all rounds came to.
#[derive(Debug, Default)]
struct Total {
    rounds: u64,
    failed: u64,
    verdict: Verdict,
}

/// A round that is over.
struct Played {
    plan: Plan,
    verdict: Verdict,
    folder: tempfile::TempDir,
}

impl Total {
    fn add(&mut self, verdict: &Verdict) {
        self.rounds += 1;
        self.failed += u64::from(!verdict.holds());
        let sum = &mut self.verdict;
        sum.recorded += verdict.recorded;
        sum.missing += verdict.missing;
        sum.invented += verdict.invented;
        sum.corrupt += verdict.corrupt;
        sum.duplicates += verdict.duplicates;
        sum.unbalanced += verdict.unbalanced;
        sum.excused += verdict.excused;
    }
}

impl Run {
    /// Runs all rounds and prints what they came to; whether every promise was kept.
    ///
    /// # Errors
    ///
    /// If the machine cannot run them: no folder, no process.
    pub fn run(&self) -> std::io::Result<bool> {
        let tools = Tools::find()?;
        let (next, total, failed) = (AtomicU64::new(0), Mutex::new(Total::default()), AtomicBool::new(false));
        let work = || {
            while !failed.load(Ordering::Relaxed) {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= self.rounds {
                    return;
                }
                match self.round(&tools, self.first + round) {
                    Ok(played) => self.count(played, &total),
                    Err(error) => {
                        eprintln!("chaos: round {}: {error}", self.first + round);
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            }
        };
        thread::scope(|scope| (0..self.jobs).for_each(|_| drop(scope.spawn(work))));
        let total = total.into_inner().unwrap_or_default();
        Ok(self.say(&total) && !failed.into_inner())
    }

    fn round(&self, tools: &Tools, round: u64) -> std::io::Result<Played> {
        let plan = Plan::of(self.seed, round, tools.means());
        let folder = tempfile::Builder::new().prefix(&format!("ops-chaos-round-{round}-")).tempdir()?;
        let state = folder.path().join("state");
        let disk = if plan.small_disk { Some(Mounted::new(&state)?) } else { None };
        let cloud = Cloud::start();
        let place = Place { tools, folder: folder.path(), state: &state, cloud: &cloud, disk: disk.as_ref() };
        let mut evidence = Evidence::default();
        for life in &plan.lives {
            evidence.lives.push(place.live(&plan, life)?);
        }
        (evidence.pushes, evidence.violations) = cloud.taken();
        evidence.letters = ["cloudwatch-logs", "cloudwatch"].map(|backend| letters(&state, backend));
        evidence.store = plan.local.then(|| store::read(folder.path())).transpose()?;
        let verdict = judge(&plan, &evidence);
        if self.keep && !verdict.holds() {
            std::fs::write(folder.path().join("taken"), told(&evidence))?;
        }
        Ok(Played { plan, verdict, folder })
    }

    /// Says what is wrong with a round and how to play it again.
    fn tell(&self, Played { plan, verdict, folder }: Played) {
        let seed = self.seed;
        eprintln!("chaos: round {} of seed {seed} broke a promise:", plan.round);
        verdict.notes.iter().for_each(|note| eprintln!("  {note}"));
        plan.lives.iter().for_each(|life| eprintln!("  planned: {life:?}"));
        self.keep(folder);
        eprintln!(
            "  again: cargo run -p ops-tests --bin chaos -- --rounds 1 --first {} --seed {seed} --keep",
            plan.round
        );
    }

    /// Keeps a round's folder, if that was asked for.
    fn keep(&self, folder: tempfile::TempDir) {
        if self.keep {
            eprintln!("  kept: {}", folder.keep().display());
        }
    }

    fn count(&self, played: Played, total: &Mutex<Total>) {
        let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        total.add(&played.verdict);
        if total.rounds.is_multiple_of(1_000) {
            eprintln!("chaos: {} rounds, {} broke a promise", total.rounds, total.failed);
        }
        match (played.verdict.holds(), total.failed <= FAILURES_SHOWN) {
            (true, _) => {}
            (false, true) => self.tell(played),
            (false, false) => {
                eprintln!("chaos: round {} broke a promise, too", played.plan.round);
                self.keep(played.folder);
            }
        }
    }

    fn say(&self, total: &Total) -> bool {
        let Verdict { recorded, missing, invented, corrupt, duplicates, unbalanced, excused, .. } =
            total.verdict;
        let rounds = total.rounds;
        let dull = rounds >= ROUNDS_WITH_DUPLICATES && duplicates == 0;
        if dull {
            println!("no duplicate in {rounds} rounds: the path of duplicates was never taken");
        }
        println!(
            "seed={} failed_rounds={} excused={excused} (lost on a broken disk, and said or killed)",
            self.seed, total.failed
        );
        println!(
            "rounds={rounds} recorded={recorded} missing={missing} invented={invented} corrupt={corrupt} \
             duplicates={duplicates} unbalanced={unbalanced}"
        );
        rounds == self.rounds && total.verdict.holds() && !dull
    }
}

/// What the servers took, a line an item.
fn told(evidence: &Evidence) -> String {
    let push = |(at, push): (usize, &Push)| {
        let Push { life, confirmed, items, .. } = push;
        items
            .iter()
            .map(|item| format!("push {at} life {life} confirmed {confirmed}: {item:.2000}\n"))
            .collect::<String>()
    };
    evidence.pushes.iter().enumerate().map(push).collect()
}

/// The dead letters of a backend, the older file first.
fn letters(state: &Path, backend: &str) -> String {
    let read = |name: String| {
        let bytes = std::fs::read(state.join("dead-letter").join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    [read(format!("{backend}.1.jsonl")), read(format!("{backend}.jsonl"))].concat()
}
