//! How a case is measured: threads that call in bursts, timed by the CPU time of each thread and by the wall clock,
//! with a pause in between in which what was recorded may be carried away.
//!
//! A thread's own CPU time is what a call costs its caller: on a machine with fewer cores than threads it does not
//! grow because others have their turn, and it does grow where threads take cache lines or locks from each other.

use std::hint::black_box;
use std::ops::Range;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Calls that each thread makes first and that are not timed.
pub const WARM: u64 = 500;

/// What is measured: how many threads make how many calls.
pub struct Plan {
    pub threads: u64,
    /// Calls of a thread in a burst.
    pub burst: u64,
    /// Bursts that are timed.
    pub bursts: u64,
}

/// What the threads needed for their calls, on average over them.
#[derive(Clone, Copy, Default)]
pub struct Timing {
    pub cpu_ns: f64,
    pub wall_ns: f64,
    pub allocations: f64,
}

/// What a case came to.
pub struct Outcome {
    pub timing: Timing,
    /// All calls, the warm ones too.
    pub calls: u64,
    /// How many of them were found again where they were recorded.
    pub recorded: u64,
    /// How many the peer itself says it has dropped.
    pub dropped: u64,
    /// How many should have been recorded or dropped: all, or none where recording is off.
    pub expected: u64,
}

impl Plan {
    /// All calls of all threads.
    pub fn calls(&self) -> u64 {
        self.threads * (WARM + self.burst * self.bursts)
    }

    /// Measures calls that nothing has to be carried away of.
    pub fn measure<C: FnMut(u64)>(&self, make: impl Fn() -> C + Sync) -> Timing {
        self.measure_in_bursts(make, |_| ())
    }

    /// Makes a call for each thread and measures it. While no thread calls, `settle` is run with how many calls have
    /// been made so far.
    pub fn measure_in_bursts<C: FnMut(u64)>(
        &self,
        make: impl Fn() -> C + Sync,
        settle: impl Fn(u64),
    ) -> Timing {
        let turns = Barrier::new(usize::try_from(self.threads).unwrap_or(1) + 1);
        thread::scope(|scope| {
            let callers: Vec<_> =
                (0..self.threads).map(|_| scope.spawn(|| self.caller(&make, &turns))).collect();
            for burst in 0..=self.bursts {
                turns.wait(); // the burst begins
                turns.wait(); // and has ended
                settle(self.threads * (WARM + self.burst * burst));
            }
            turns.wait();
            let timings = callers.into_iter().map(|caller| caller.join().unwrap_or(LOST));
            mean(&timings.collect::<Vec<_>>())
        })
    }

    fn caller<C: FnMut(u64)>(&self, make: &impl Fn() -> C, turns: &Barrier) -> Timing {
        let mut call = make();
        let mut sum = Timing::default();
        for burst in 0..=self.bursts {
            turns.wait();
            let warm = burst == 0;
            let from = if warm { 0 } else { WARM + (burst - 1) * self.burst };
            let calls = if warm { WARM } else { self.burst };
            let took = timed(from..from + calls, &mut call);
            sum = if warm { sum } else { sum.plus(took) };
            turns.wait();
        }
        turns.wait();
        sum.each(self.burst * self.bursts)
    }
}

const LOST: Timing = Timing { cpu_ns: f64::NAN, wall_ns: f64::NAN, allocations: f64::NAN };

impl Timing {
    fn plus(self, other: Timing) -> Timing {
        Timing {
            cpu_ns: self.cpu_ns + other.cpu_ns,
            wall_ns: self.wall_ns + other.wall_ns,
            allocations: self.allocations + other.allocations,
        }
    }

    #[allow(clippy::cast_precision_loss)] // a few million calls
    fn each(self, calls: u64) -> Timing {
        let n = calls as f64;
        Timing { cpu_ns: self.cpu_ns / n, wall_ns: self.wall_ns / n, allocations: self.allocations / n }
    }

    /// The outcome if so many calls were found again.
    pub fn found(self, plan: &Plan, recorded: u64) -> Outcome {
        Outcome { timing: self, calls: plan.calls(), recorded, dropped: 0, expected: plan.calls() }
    }

    /// The outcome of calls that record nothing.
    pub fn off(self, plan: &Plan, recorded: u64) -> Outcome {
        Outcome { expected: 0, ..self.found(plan, recorded) }
    }
}

impl Outcome {
    /// With what the peer says it has dropped.
    pub fn dropped(self, dropped: u64) -> Outcome {
        Outcome { dropped, ..self }
    }

    /// Whether every call is accounted for.
    pub fn verified(&self) -> bool {
        self.recorded + self.dropped == self.expected
    }
}

fn mean(timings: &[Timing]) -> Timing {
    let sum = timings.iter().fold(Timing::default(), |sum, timing| sum.plus(*timing));
    sum.each(timings.len() as u64)
}

#[allow(clippy::cast_precision_loss)] // less than a minute
fn timed(calls: Range<u64>, call: &mut impl FnMut(u64)) -> Timing {
    let (allocations, cpu, wall) = (crate::alloc::count(), thread_cpu_ns(), Instant::now());
    for n in calls {
        call(black_box(n));
    }
    let (cpu_ns, wall_ns) = ((thread_cpu_ns() - cpu) as f64, wall.elapsed().as_nanos() as f64);
    Timing { cpu_ns, wall_ns, allocations: (crate::alloc::count() - allocations) as f64 }
}

/// CPU time of the calling thread.
pub fn thread_cpu_ns() -> u64 {
    cpu_ns(rustix::time::ClockId::ThreadCPUTime)
}

/// CPU time of all threads of the process.
pub fn process_cpu_ns() -> u64 {
    cpu_ns(rustix::time::ClockId::ProcessCPUTime)
}

fn cpu_ns(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}
