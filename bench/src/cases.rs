//! Every case by section: who is measured, and the one function that sets it up, measures and verifies it.

use crate::peers;
use crate::plan::{Outcome, Plan, process_cpu_ns};

/// The calls that are compared, each in a section.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Counter,
    Labels,
    Histogram,
    Function,
    Sampled,
    Event,
    Off,
    Flood,
}

/// One way to make the call of a section.
pub struct Case {
    pub section: Section,
    pub name: &'static str,
    pub run: fn(&Plan) -> Outcome,
    /// Whether more than one thread may call.
    pub threads: bool,
}

impl Section {
    /// Its title in the table and in the file.
    pub fn title(self) -> &'static str {
        match self {
            Section::Counter => "counter, static",
            Section::Labels => "counter, 2 runtime labels",
            Section::Histogram => "histogram",
            Section::Function => "function, returns Result",
            Section::Sampled => "function, 1 call in 16 timed",
            Section::Event => "log event, 4 typed fields",
            Section::Off => "off",
            Section::Flood => "flood",
        }
    }

    /// Calls of a thread in a burst, and bursts. What goes through a queue is called in bursts that common queues
    /// hold; more would measure the queue's overflow.
    pub fn plan(self, threads: u64) -> Plan {
        let (burst, bursts) = match self {
            Section::Counter => (1_000_000, 1),
            Section::Labels | Section::Histogram => (300_000, 1),
            Section::Function => (5_000, 10),
            Section::Sampled => (300_000, 1),
            Section::Event => (1_000, 20),
            Section::Off => (2_000_000, 1),
            Section::Flood => (3_000_000 / threads, 1),
        };
        Plan { threads, burst, bursts }
    }
}

/// A case for any number of threads.
pub const fn case(section: Section, name: &'static str, run: fn(&Plan) -> Outcome) -> Case {
    Case { section, name, run, threads: true }
}

/// A case of a library that only one thread may use.
pub const fn one_thread(section: Section, name: &'static str, run: fn(&Plan) -> Outcome) -> Case {
    Case { section, name, run, threads: false }
}

/// Every case, by section; within one, the limit first and ops-sdk last.
pub fn all() -> Vec<&'static Case> {
    let mut cases: Vec<&'static Case> = peers::ALL.iter().flat_map(|cases| cases.iter()).collect();
    cases.sort_by_key(|case| case.section);
    cases
}

/// Runs a case and prints nanoseconds of CPU and of the wall clock, and allocations, of a call; calls, how many were
/// recorded and dropped; whether every one is accounted for; and nanoseconds of CPU of the whole process, without what came
/// before `main`: a library that is linked measures its clock there, whatever the case is.
pub fn run(section: &str, name: &str, threads: u64) {
    let found = all().into_iter().find(|case| case.section.title() == section && case.name == name);
    let Some(case) = found else {
        eprintln!("no case \"{name}\" in \"{section}\"");
        std::process::exit(2);
    };
    let before = process_cpu_ns();
    let outcome = (case.run)(&case.section.plan(threads));
    let Outcome { timing, calls, recorded, dropped, .. } = &outcome;
    let (cpu, wall, allocations) = (timing.cpu_ns, timing.wall_ns, timing.allocations);
    let (verified, process_ns) = (outcome.verified(), process_cpu_ns() - before);
    println!("bench: {cpu} {wall} {allocations} {calls} {recorded} {dropped} {verified} {process_ns}");
}
