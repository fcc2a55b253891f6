//! What happens in a round: its lives one after the other, what each records, how each ends, and what its servers, its
//! disk and its clock do meanwhile. All of it follows from the seed and the round; what does not is the moment at which
//! two things meet, so a replay has the same plan and not always the same course.

use serde::{Deserialize, Serialize};

use super::rng::Rng;
use super::server::{Fault, Weather};

/// How a life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// SIGKILL so many microseconds after this many steps were taken over all threads.
    Kill {
        /// Over all threads.
        steps: u64,
        /// And then so long.
        delay_us: u64,
    },
    /// SIGKILL so many microseconds after the process was made: while it starts, or recovers what another left.
    KillEarly {
        /// After it was made.
        delay_us: u64,
    },
    /// A thread calls `abort` before this step.
    Abort {
        /// Of each thread.
        step: u64,
    },
    /// A thread panics before this step, and the panic aborts the process, as it does with `panic = "abort"`.
    Panic {
        /// Of each thread.
        step: u64,
    },
    /// `exit` while the guard lives: nothing is dropped.
    Exit,
    /// SIGTERM after this many steps.
    Term {
        /// Over all threads.
        steps: u64,
    },
    /// Shut down, with so many milliseconds to deliver what is left.
    Clean {
        /// For the shutdown.
        deadline_ms: u64,
    },
    /// Flushed until all is delivered, then shut down: the last life of a round.
    Drain,
}

impl Ending {
    /// Whether the process had no chance to put anything in order.
    #[must_use]
    pub fn is_crash(self) -> bool {
        !matches!(self, Ending::Clean { .. } | Ending::Drain)
    }
}

/// What the disk does to a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskFault {
    /// Writes fail with ENOSPC.
    Full,
    /// Writes and syncs fail with EIO.
    Broken,
    /// A write takes half of what it was given.
    Short,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Which of its round, from 0.
    pub number: u64,
    /// Threads that record.
    pub threads: u64,
    /// Steps of each.
    pub steps: u64,
    /// Steps between two words on how far a thread has come.
    pub batch: u64,
    /// Steps after which a thread ends and another goes on in its place.
    pub leg: u64,
    /// Microseconds that a thread rests after a batch.
    pub rest_us: u64,
    /// Milliseconds between two flushes that nobody waits for; 0 for none.
    pub flush_ms: u64,
    /// Milliseconds that a record waits for others.
    pub linger_ms: u64,
    /// Bytes of a thread's ring.
    pub ring_bytes: u64,
    /// How it ends.
    pub ending: Ending,
    /// What the servers do.
    pub weather: Weather,
    /// What the disk does, and in how many of a hundred writes.
    pub disk: Option<(DiskFault, u64)>,
    /// Seconds that the wall clock jumps in the middle of the life, and back before its end.
    pub jump_s: Option<i64>,
    /// Milliseconds that the process is stopped (SIGSTOP) in its middle.
    pub stop_ms: Option<u64>,
}

/// A round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The seed of the whole run.
    pub seed: u64,
    /// Its number.
    pub round: u64,
    /// Its processes; the last meets no fault and drains all.
    pub lives: Vec<Life>,
    /// Whether the state directory is a small file system of its own, which is full for one life.
    pub small_disk: bool,
    /// Whether everything is shipped to a local store as well.
    pub local: bool,
}

/// Which faults a run may use: some need what a machine may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Means {
    /// The library that makes writes fail was compiled.
    pub shim: bool,
    /// libfaketime is there.
    pub faketime: bool,
    /// A tmpfs can be mounted.
    pub tmpfs: bool,
}

impl Plan {
    /// The plan of a round.
    #[must_use]
    pub fn of(seed: u64, round: u64, means: Means) -> Plan {
        let mut rng = Rng::of(&[seed, round, 0xC4A0]);
        let small_disk = means.tmpfs && rng.percent(4);
        let faulty = rng.between(1, 3);
        let mut lives: Vec<Life> =
            (0..faulty).map(|number| life(&mut rng, number, means, small_disk)).collect();
        lives.push(Life::last(&mut rng, faulty));
        Plan { seed, round, lives, small_disk, local: rng.percent(25) }
    }
}

impl Life {
    /// A life that meets no fault and leaves nothing behind. It records a little itself.
    fn last(rng: &mut Rng, number: u64) -> Life {
        Life {
            steps: rng.between(0, 30),
            threads: 1,
            ending: Ending::Drain,
            weather: Weather::default(),
            disk: None,
            jump_s: None,
            stop_ms: None,
            flush_ms: 0,
            ..quiet(rng, number)
        }
    }

    /// Steps over all threads.
    #[must_use]
    pub fn steps_total(&self) -> u64 {
        self.threads * self.steps
    }
}

/// A life as the seed has it, with nothing against it.
fn quiet(rng: &mut Rng, number: u64) -> Life {
    let (threads, steps) = (rng.between(1, 4), rng.between(20, 220));
    Life {
        number,
        threads,
        steps,
        batch: *rng.pick(&[1, 1, 4, 16]),
        leg: *rng.pick(&[25, 100, 1_000]),
        rest_us: *rng.pick(&[0, 50, 300]),
        flush_ms: *rng.pick(&[0, 0, 5, 30]),
        linger_ms: *rng.pick(&[0, 1, 5, 20]),
        ring_bytes: *rng.pick(&[64 << 10, 256 << 10, 1 << 20]),
        ending: Ending::Drain,
        weather: Weather::default(),
        disk: None,
        jump_s: None,
        stop_ms: None,
    }
}

fn life(rng: &mut Rng, number: u64, means: Means, small_disk: bool) -> Life {
    let mut life = quiet(rng, number);
    life.ending = ending(rng, &life);
    life.weather = weather(rng);
    if means.shim && rng.percent(8) {
        let fault = *rng.pick(&[DiskFault::Full, DiskFault::Broken, DiskFault::Short]);
        life.disk = Some((fault, *rng.pick(&[10, 50, 100])));
    }
    if small_disk && number == 0 {
        life.disk = Some((DiskFault::Full, 0)); // the disk itself is full; the library does nothing
    }
    if life.disk.is_some() {
        // Nothing of an earlier life may depend on a letter that this disk does not take.
        life.weather.faults.retain(|fault| !matches!(fault, Fault::Refused | Fault::Rejected));
    } else if means.faketime && rng.percent(6) {
        let far = *rng.pick(&[2, 240, 3_600, 7_190, 8_000, 86_400]);
        life.jump_s = Some(if rng.percent(50) { far } else { -far });
    }
    if rng.percent(8) {
        life.stop_ms = Some(rng.between(5, 60));
    }
    life
}

fn ending(rng: &mut Rng, life: &Life) -> Ending {
    let all = life.steps_total();
    match rng.below(100) {
        0..45 => Ending::Kill { steps: rng.between(0, all), delay_us: rng.below(4_000) },
        // After the last step: what is under way is being shipped.
        45..55 => Ending::Kill { steps: all, delay_us: rng.below(60_000) },
        55..63 => Ending::KillEarly { delay_us: rng.below(40_000) },
        63..69 => Ending::Abort { step: rng.below(life.steps) },
        69..75 => Ending::Panic { step: rng.below(life.steps) },
        75..80 => Ending::Exit,
        80..86 => Ending::Term { steps: rng.between(0, all) },
        _ => Ending::Clean { deadline_ms: *rng.pick(&[0, 20, 100, 400]) },
    }
}

fn weather(rng: &mut Rng) -> Weather {
    const ALL: [Fault; 17] = Fault::ALL;
    if rng.percent(30) {
        return Weather::default();
    }
    let kinds = rng.between(1, 4);
    let faults = (0..kinds).map(|_| *rng.pick(&ALL)).collect();
    Weather { faults, percent: *rng.pick(&[10, 30, 60]), in_a_row_max: 3, seed: rng.word() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Means = Means { shim: true, faketime: true, tmpfs: true };

    #[test]
    fn a_plan_follows_from_seed_and_round() {
        assert_eq!(Plan::of(1, 2, ALL), Plan::of(1, 2, ALL));
        assert_ne!(Plan::of(1, 2, ALL).lives, Plan::of(1, 3, ALL).lives);
    }

    #[test]
    fn every_round_ends_with_a_life_that_meets_no_fault() {
        for round in 0..300 {
            let plan = Plan::of(5, round, ALL);
            let last = plan.lives.last().expect("a life");
            assert_eq!((last.ending, &last.weather, last.disk), (Ending::Drain, &Weather::default(), None));
            assert!(
                plan.lives.len() > 1
                    && plan.lives.iter().rev().skip(1).all(|life| life.ending != Ending::Drain)
            );
            let numbers: Vec<u64> = plan.lives.iter().map(|life| life.number).collect();
            assert_eq!(numbers, (0..plan.lives.len() as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn three_hundred_rounds_have_every_ending_and_every_fault() {
        let plans: Vec<Plan> = (0..300).map(|round| Plan::of(1, round, ALL)).collect();
        let lives = || plans.iter().flat_map(|plan| &plan.lives);
        let endings: std::collections::BTreeSet<_> =
            lives().map(|life| format!("{:?}", life.ending).split(' ').next().map(str::to_owned)).collect();
        assert_eq!(endings.len(), 8, "{endings:?}");
        for fault in Fault::ALL {
            assert!(lives().any(|life| life.weather.faults.contains(&fault)), "{fault:?}");
        }
        assert!(plans.iter().any(|plan| plan.small_disk) && plans.iter().any(|plan| plan.local));
        assert!(lives().any(|life| life.disk.is_some()) && lives().any(|life| life.jump_s.is_some()));
        assert!(lives().any(|life| life.stop_ms.is_some()));
    }

    #[test]
    fn what_a_machine_has_not_is_not_planned() {
        for round in 0..300 {
            let plan = Plan::of(1, round, Means::default());
            assert!(!plan.small_disk);
            assert!(plan.lives.iter().all(|life| life.disk.is_none() && life.jump_s.is_none()));
        }
    }
}
