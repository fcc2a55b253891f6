//! One peer meets one trouble: starts the process that records, does to it what the case says, and counts what arrives.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::case::{Case, End, GRACE, Load, Mode, PATIENCE, QUIET};
use super::collector::{Collector, Counts};
use super::peers::Peer;

/// What came of it.
pub struct Found {
    /// Events, or bytes of the long line.
    pub recorded: u64,
    /// Shares of that: what arrived from the first process, and from it and the next one.
    pub delivered: f64,
    pub delivered_later: f64,
    /// What arrived, or was dropped by the peer's own account.
    pub accounted: f64,
    /// Events that arrived once more.
    pub twice: u64,
    /// Nothing of a process that was killed while it recorded.
    pub p999_ns: Option<u64>,
    /// The same without the first call after each sleep.
    pub in_a_row_p999_ns: Option<u64>,
    pub longest_ns: Option<u64>,
    pub rss_bytes: Option<u64>,
    /// Whether the first process had to be killed.
    pub killed: bool,
}

/// What one process did.
#[derive(Default)]
struct Told {
    recorded: u64,
    p999_ns: Option<u64>,
    in_a_row_p999_ns: Option<u64>,
    longest_ns: Option<u64>,
    dropped: u64,
    rss_bytes: Option<u64>,
    killed: bool,
}

/// Longer than any peer needs to be given everything, or to be told that it is not taken.
const RECORDING_MAX: Duration = Duration::from_secs(180);
/// So long after a process what it wrote may be on its way: longer than a slow sink needs for one push.
const STILL: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// Everything that one run of a peer needs.
struct Trial<'a> {
    case: &'a Case,
    peer: &'a Peer,
    outage: Duration,
    dir: PathBuf,
    collector: Collector,
}

/// Runs the case.
pub fn run(case: &Case, peer: &Peer, outage: Duration) -> Found {
    eprintln!("{}: {}", case.name, peer.name);
    let dir = PathBuf::from(format!("target/bench/loss-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir); // of the run before
    let collector = Collector::start().unwrap_or_else(|error| panic!("a port of 127.0.0.1: {error}"));
    let trial = Trial { case, peer, outage, dir, collector };
    let found = trial.run().unwrap_or_else(|error| panic!("{}: {error}", peer.name));
    let _ = fs::remove_dir_all(&trial.dir);
    found
}

impl Trial<'_> {
    fn run(&self) -> io::Result<Found> {
        fs::create_dir_all(&self.dir)?;
        self.collector.set(self.case.mode);
        let first = self.process(0, false)?;
        let delivered = self.still();
        self.collector.set(Mode::Takes);
        let goes_on = self.case.again > 0 || self.peer.keeps;
        let next = if goes_on { self.process(first.recorded, true)? } else { Told::default() };
        let delivered_later = self.still();
        let recorded = first.recorded + next.recorded;
        let share = |count: u64| (count as f64 / recorded.max(1) as f64).min(1.0);
        let dropped = first.dropped + next.dropped;
        // A line that was dropped is one event, and all of its bytes.
        let gone = if self.is_long() && dropped > 0 { recorded } else { dropped };
        Ok(Found {
            recorded,
            delivered: share(self.arrived(delivered)),
            delivered_later: share(self.arrived(delivered_later)),
            accounted: share(self.arrived(delivered_later) + gone),
            twice: delivered_later.twice,
            p999_ns: first.p999_ns,
            in_a_row_p999_ns: first.in_a_row_p999_ns,
            longest_ns: first.longest_ns,
            rss_bytes: first.rss_bytes,
            killed: first.killed,
        })
    }

    fn is_long(&self) -> bool {
        matches!(self.case.load, Load::Long(_))
    }

    /// How much arrived, in what the case counts.
    fn arrived(&self, counts: Counts) -> u64 {
        if self.is_long() { counts.fill_bytes } else { counts.once }
    }

    /// What has arrived once nothing is on its way any more.
    fn still(&self) -> Counts {
        let mut before = None;
        while before != Some(self.collector.seen()) {
            before = Some(self.collector.seen());
            thread::sleep(STILL);
        }
        before.unwrap_or_default()
    }

    /// Runs one process to its end.
    fn process(&self, first: u64, is_next: bool) -> io::Result<Told> {
        let mut child = self.spawn(first, is_next)?;
        let lines = lines_of(&mut child);
        let mut told = Told::default();
        let mut deadline = Instant::now() + self.outage + RECORDING_MAX;
        let mut settling = None;
        loop {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    if told.take(&line) {
                        deadline = self.recorded(&child, is_next, &mut settling);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            told.rss_bytes = rss_bytes(child.id()).max(told.rss_bytes);
            if settling.as_mut().is_some_and(|settling| self.is_settled(settling, first + told.recorded)) {
                settling = None;
                deadline = Instant::now() + PATIENCE;
                if let Some(mut stdin) = child.stdin.take() {
                    stdin.write_all(b"end\n")?;
                }
            }
            if settling.is_none() && Instant::now() > deadline {
                told.killed = true;
                child.kill()?;
            }
        }
        child.wait()?;
        Ok(told)
    }

    fn spawn(&self, first: u64, is_next: bool) -> io::Result<Child> {
        let log = OpenOptions::new().create(true).append(true).open("target/bench/loss.log")?;
        let mut said: &File = &log;
        writeln!(said, "--- {}: {}", self.case.name, self.peer.name)?;
        let start = if is_next { "next" } else { "first" };
        Command::new(std::env::current_exe()?)
            .args(["lose", self.case.name, self.peer.name, &self.collector.port.to_string()])
            .arg(Path::new(&self.dir))
            .args([&self.outage.as_millis().to_string(), &first.to_string(), start])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
    }

    /// Everything is recorded: the trouble ends, or the process is told to. Says when it must have ended.
    fn recorded(&self, child: &Child, is_next: bool, settling: &mut Option<Settling>) -> Instant {
        if matches!(self.case.mode, Mode::Refuses | Mode::Hangs) {
            self.collector.set(Mode::Takes);
        }
        match self.case.end {
            End::Terminated if !is_next => {
                if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                    let _ = kill_process(pid, Signal::TERM); // it may have ended
                }
                Instant::now() + GRACE
            }
            End::Done if !is_next => Instant::now() + PATIENCE,
            _ => {
                *settling = Some(Settling { seen: self.collector.seen(), since: Instant::now() });
                Instant::now() + PATIENCE
            }
        }
    }

    /// Whether everything has arrived, or nothing new for so long that nothing more is expected.
    fn is_settled(&self, settling: &mut Settling, recorded: u64) -> bool {
        let seen = self.collector.seen();
        if seen != settling.seen {
            *settling = Settling { seen, since: Instant::now() };
        }
        let quiet = if self.peer.tries_again { QUIET } else { 2 * STILL };
        self.arrived(seen) >= recorded || settling.since.elapsed() > quiet
    }
}

/// A sink that is watched.
struct Settling {
    seen: Counts,
    since: Instant,
}

impl Told {
    /// Takes what the process says; says whether that is that it has recorded everything.
    fn take(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse().unwrap_or(0);
        match words[..] {
            ["loss:", "recorded", recorded, p999, in_a_row, longest] => {
                self.recorded = number(recorded);
                (self.p999_ns, self.in_a_row_p999_ns) = (Some(number(p999)), Some(number(in_a_row)));
                self.longest_ns = Some(number(longest));
                true
            }
            ["loss:", "dropped", dropped] => {
                self.dropped = number(dropped);
                false
            }
            _ => false,
        }
    }
}

/// What the process prints, line by line, until it ends.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = send.send(line); // nobody listens any more
            }
        });
    }
    receive
}

/// The most memory that a process has occupied.
fn rss_bytes(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}
