//! Processes that end before they could ship, or are killed, and those that ship it for them: short commands with one
//! state directory, a fleet with a common parent, and `ops ship`. Real processes, and a server that is down half of the
//! time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use ops_sdk::prelude::*;
use ops_tests::capture::{Answer, Capture};
use ops_tests::rig::Port;
use ops_tests::{SOON, assert_balanced, built, turn, wait_until, wait_until_recorded};
use serde_json::Value;

/// The deadline of a process that is to come to its end, in milliseconds.
const DEADLINE_MS: &str = "180000";

/// As much of CloudWatch Logs as takes events, at an address that stays while it goes down and comes up.
struct Server {
    port: Port,
    taken: Arc<Mutex<BTreeMap<u64, u64>>>,
    running: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
}

impl Server {
    fn start() -> Server {
        let mut server = Server { port: Port::keep(), taken: Arc::default(), running: None };
        server.up();
        server
    }

    fn up(&mut self) {
        if self.running.is_some() {
            return;
        }
        let listener = self.port.listen();
        let (ends, taken) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.taken));
        let told = Arc::clone(&ends);
        let accept = move || {
            for stream in listener.incoming().map_while(Result::ok).take_while(|_| !told.load(SeqCst)) {
                let taken = Arc::clone(&taken);
                std::thread::spawn(move || serve(stream, &taken));
            }
        };
        self.running = Some((ends, std::thread::spawn(accept)));
    }

    /// From here on nobody can connect.
    fn down(&mut self) {
        let Some((ends, thread)) = self.running.take() else { return };
        ends.store(true, SeqCst);
        let _ = TcpStream::connect(self.port.address());
        thread.join().expect("the server ends");
    }

    /// How often each event came, by its number.
    fn taken(&self) -> BTreeMap<u64, u64> {
        self.taken.lock().expect("the events").clone()
    }

    fn program(&self, arguments: &[&str], place: (&str, &Path), deadline: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
        program
            .args(arguments)
            .env(place.0, place.1)
            .envs(self.vars())
            .env("OPS_SHUTDOWN_DEADLINE_MS", deadline);
        program
    }

    fn vars(&self) -> [(&'static str, String); 5] {
        [
            ("OPS_BACKENDS", "cloudwatch-logs".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}", self.port.address())),
        ]
    }
}

/// Answers every request on a connection, and notes the events of those that bring some.
fn serve(mut stream: TcpStream, taken: &Mutex<BTreeMap<u64, u64>>) {
    let mut from = BufReader::new(stream.try_clone().expect("a second handle"));
    loop {
        let (mut length, mut is_put, mut line) = (0, false, String::new());
        while from.read_line(&mut line).is_ok_and(|bytes| bytes > 2) {
            let lower = line.to_ascii_lowercase();
            is_put |= lower.contains("putlogevents");
            length = lower.strip_prefix("content-length:").map_or(length, |n| n.trim().parse().unwrap_or(0));
            line.clear();
        }
        let mut body = vec![0; length];
        if line.is_empty() || from.read_exact(&mut body).is_err() {
            return;
        }
        if is_put {
            note(&body, &mut taken.lock().expect("the events"));
        }
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\n\r\n{}";
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn note(body: &[u8], taken: &mut BTreeMap<u64, u64>) {
    let body: Value = serde_json::from_slice(body).expect("JSON");
    for event in body["logEvents"].as_array().into_iter().flatten() {
        let line: Value =
            serde_json::from_str(event["message"].as_str().expect("text")).expect("a line of JSON");
        if let Some(n) = line["n"].as_u64() {
            *taken.entry(n).or_default() += 1;
        }
    }
}

fn run(mut command: Command) -> Output {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn what_a_short_command_cannot_send_is_sent_by_the_next() {
    const RUNS: u64 = 100;
    const EVENTS: u64 = 10;
    let (dir, mut server) = (tempfile::tempdir().expect("a directory"), Server::start());
    for number in 0..RUNS {
        let is_up = number % 10 < 5;
        if is_up {
            server.up()
        } else {
            server.down()
        }
        // Enough where there is an answer; where there is none, it is waited for no longer than this.
        let deadline = if is_up { DEADLINE_MS } else { "50" };
        let (from, events) = ((number * EVENTS).to_string(), EVENTS.to_string());
        let program = server.program(&["command", &from, &events], ("OPS_STATE_DIR", dir.path()), deadline);
        let said = String::from_utf8_lossy(&run(program).stderr).into_owned();
        assert_eq!(said.contains("kept in the state directory"), !is_up, "run {number}: {said}");
        let all = u64::try_from(server.taken().len()).expect("a number");
        assert!(!is_up || all == (number + 1) * EVENTS, "run {number}: {all} events arrived");
    }
    server.up();
    run(server.program(&["command", "0", "0"], ("OPS_STATE_DIR", dir.path()), DEADLINE_MS));
    let taken = server.taken();
    assert_eq!(taken.len() as u64, RUNS * EVENTS, "nothing is missing");
    assert!(taken.values().all(|times| *times == 1), "nothing came twice: {taken:?}");
}

/// A process that records until it is killed; how far its journal came.
struct Worker {
    child: Child,
    reached: Box<dyn Iterator<Item = u64>>,
}

impl Worker {
    fn start(server: &Server, parent: &Path, from: u64) -> Worker {
        let mut program =
            server.program(&["work", &from.to_string()], ("OPS_STATE_PARENT", parent), DEADLINE_MS);
        let program = program.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = program.spawn().expect("it runs");
        let lines = BufReader::new(child.stdout.take().expect("its words")).lines().map_while(Result::ok);
        let reached = lines.filter_map(|line| line.strip_prefix("reached ")?.parse().ok());
        Worker { child, reached: Box::new(reached) }
    }

    fn kill(mut self, after: usize) -> u64 {
        let known = self.reached.nth(after).expect("it comes so far");
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("it is gone");
        self.reached.last().unwrap_or(known)
    }
}

#[test]
fn a_fleet_finds_what_killed_processes_left_behind() {
    const WAVES: u64 = 4;
    const WORKERS: u64 = 4;
    const APART: u64 = 1_000_000;
    let (parent, mut server) = (tempfile::tempdir().expect("a directory"), Server::start());
    let mut reached = Vec::new();
    for wave in 0..WAVES {
        if wave % 2 == 0 {
            server.down()
        } else {
            server.up()
        }
        // Fewer and fewer, so that directories are left that nobody takes.
        let first = |worker| (wave * WORKERS + worker) * APART;
        let workers: Vec<_> = (0..WORKERS - wave).map(first).collect();
        let workers: Vec<_> =
            workers.into_iter().map(|from| (from, Worker::start(&server, parent.path(), from))).collect();
        let killed = workers.into_iter().map(|(from, worker)| (from, worker.kill(20)));
        reached.extend(killed.collect::<Vec<_>>());
    }
    let dirs = std::fs::read_dir(parent.path()).expect("the parent").count() as u64;
    assert!((WORKERS..WORKERS + WAVES).contains(&dirs), "directories are taken again: {dirs}");
    server.up();
    let mut last = server.program(&["hold"], ("OPS_STATE_PARENT", parent.path()), DEADLINE_MS);
    let mut last = last.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    let missing = |taken: &BTreeMap<u64, u64>| {
        let all = reached.iter().flat_map(|(from, reached)| *from..*reached);
        all.filter(|n| !taken.contains_key(n)).count()
    };
    wait_until("what killed processes left behind arrives", || missing(&server.taken()) == 0);
    drop(last.stdin.take());
    assert!(last.wait().expect("it ends").success());
    // A process that is killed between the server's answer and its cursor leaves one push to be sent twice.
    let twice: u64 = server.taken().values().map(|times| times - 1).sum();
    let (kills, push_items_max) = (reached.len() as u64, 1_000);
    assert!(twice <= kills * push_items_max, "{twice} events came twice");
    let all: u64 = reached.iter().map(|(from, reached)| reached - from).sum();
    println!("{all} events of {kills} killed processes arrived, {twice} of them twice");
}

fn spool(builder: ops_sdk::Builder, id: &str, events: std::ops::Range<u64>) {
    let stuck = Capture::new(id).answering(vec![Answer::Hang; 100]);
    let ops = builder.environment(|_| None).backend(stuck.clone()).start().expect("recording starts");
    let count = events.end - events.start;
    events.for_each(|n| info!("event {n}"));
    wait_until_recorded(&ops, count);
    let report = ops.shutdown(Duration::from_millis(100));
    assert_eq!((report.spooled, report.dropped), (count, 0), "{report}");
    stuck.release();
}

fn numbers(capture: &Capture) -> Vec<u64> {
    capture.messages("event ").iter().filter_map(|line| line["n"].as_u64()).collect()
}

#[test]
fn free_directories_are_shipped_to_the_same_backends_and_taken_ones_left_alone() {
    let _turn = turn();
    let parent = tempfile::tempdir().expect("a directory");
    let dir = |number: &str| parent.path().join(number);
    let begin = || ops_sdk::init().environment(|_| None);
    spool(begin().state_dir(dir("1")), "one", 0..100);
    spool(begin().state_dir(dir("2")), "other", 100..200);
    spool(begin().state_dir(dir("3")), "one", 200..300);
    spool(begin().state_dir(dir("not-a-number")), "one", 300..400);
    let held = ops_sdk::journal::lock(&dir("3")).expect("nobody has it");
    let capture = Capture::new("one");
    let ops = begin().state_parent(parent.path()).backend(capture.clone()).start().expect("recording starts");
    info!("own");
    wait_until("what the first directory holds is shipped", || numbers(&capture).len() >= 100);
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    assert!(dir("0").join("lock").is_file(), "the first number that was free");
    drop(ops);
    drop(held);
    assert_eq!(
        numbers(&capture),
        (0..100).collect::<Vec<_>>(),
        "of free directories, for this backend, once"
    );
    assert_eq!(capture.messages("own").len(), 1);

    // The others are where they were.
    for (number, id, events) in [("2", "other", 100..200), ("3", "one", 200..300)] {
        let late = Capture::new(id);
        let report = begin().backend(late.clone()).ship(dir(number), SOON).expect("a state directory");
        assert!(report.complete && report.delivered == 100, "{report}");
        assert_eq!(numbers(&late), events.collect::<Vec<_>>());
    }
}

#[test]
fn shipping_a_directory_leaves_what_waits_for_others() {
    let _turn = turn();
    let dir = tempfile::tempdir().expect("a directory");
    let stuck = [Capture::new("one"), Capture::new("two")].map(|it| it.answering(vec![Answer::Hang; 100]));
    let [one, two] = stuck.clone();
    let builder = ops_sdk::init().environment(|_| None).state_dir(dir.path()).backend(one).backend(two);
    let ops = builder.start().expect("recording starts");
    (0..5_000u64).for_each(|n| info!("event {n}"));
    wait_until_recorded(&ops, 5_000);
    assert_eq!(ops.shutdown(Duration::from_millis(100)).spooled, 10_000);
    stuck.iter().for_each(Capture::release);
    for (id, spooled) in [("one", 5_000), ("two", 0)] {
        let capture = Capture::new(id);
        let builder = ops_sdk::init().environment(|_| None).backend(capture.clone());
        let report = builder.ship(dir.path(), SOON).expect("a state directory");
        assert!(report.complete, "{report}");
        assert_eq!((report.delivered, report.spooled, report.dropped), (5_000, spooled, 0));
        assert_eq!(numbers(&capture), (0..5_000).collect::<Vec<_>>());
    }
}

#[test]
fn the_command_ships_within_its_deadline_and_says_what_it_did() {
    let (dir, mut server) = (tempfile::tempdir().expect("a directory"), Server::start());
    server.down();
    run(server.program(&["command", "0", "300"], ("OPS_STATE_DIR", dir.path()), "50"));
    let vars = server.vars();
    let ship = |deadline: &str, place: &Path| {
        let mut ship = Command::new(built::executable("ops"));
        ship.args(["ship", "--deadline", deadline]).arg(place).envs(vars.clone());
        let output = ship.output().expect("ops runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = ship("1s", dir.path());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cloudwatch-logs: delivered=0 kept=300 dropped=0"), "{said}");
    assert!(said.contains("300 records are left"), "{said}");
    let (code, said) = ship("1s", &dir.path().join("journal"));
    assert!(code == Some(1) && said.contains("is no state directory"), "{said}");
    {
        let _held = ops_sdk::journal::lock(dir.path()).expect("nobody has it");
        let (code, said) = ship("1s", dir.path());
        assert!(code == Some(1) && said.contains("in use by the live process"), "{said}");
    }
    server.up();
    let mut ship = Command::new(built::executable("ops"));
    let output = ship.arg("ship").arg(dir.path()).envs(server.vars()).output().expect("ops runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("delivered=300 kept=0 dropped=0"), "{said}");
    assert_eq!(server.taken().into_iter().collect::<Vec<_>>(), (0..300).map(|n| (n, 1)).collect::<Vec<_>>());
}
