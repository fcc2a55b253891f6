//! SIGTERM and SIGINT, with `.on_signals(true)`: what was recorded arrives, the process ends by the signal as it would
//! have, handlers of the program's own go on as ever, and nothing waits for a backend that hangs. In processes of their
//! own, which are sent the signals.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use ops_sdk::prelude::*;
use ops_sdk::store::Store;
use ops_tests::capture::{Answer, Capture};
use ops_tests::{SOON, wait_until, wait_until_recorded};

const MODE: &str = "OPS_TEST_SIGNAL_MODE";
const PLACE: &str = "OPS_TEST_SIGNAL_PLACE";
const EVENTS: usize = 1_000;

static HANDLED: AtomicU64 = AtomicU64::new(0);
static BEFORE: AtomicUsize = AtomicUsize::new(0);

extern "C" fn own(_: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
}

/// As libraries do that share signals: calls the handler that was there before.
#[allow(unsafe_code)]
extern "C" fn over(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    HANDLED.fetch_add(1, SeqCst);
    // SAFETY: what was there before is the handler of the SDK, which is of this kind.
    let before: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
        unsafe { std::mem::transmute(BEFORE.load(SeqCst)) };
    before(signal, info, context);
}

/// Sets a handler, and keeps the one before.
#[allow(unsafe_code)]
fn handle(handler: usize, flags: libc::c_int) {
    // SAFETY: the structures are valid for the call; the handler is of the kind that the flags say.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        let mut before: libc::sigaction = std::mem::zeroed();
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        assert_eq!(libc::sigaction(libc::SIGTERM, &raw const action, &raw mut before), 0);
        BEFORE.store(before.sa_sigaction, SeqCst);
    }
}

#[allow(unsafe_code)]
fn send(child: &Child, signal: libc::c_int) {
    let process = i32::try_from(child.id()).expect("a process");
    // SAFETY: the process is a child that was not waited for.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

/// Not a test by itself: the process that is sent signals. Says "ready", and "handled" when its own handler has run.
#[test]
fn child() {
    let Ok(mode) = std::env::var(MODE) else { return };
    let place = std::env::var_os(PLACE).expect("a place");
    let place = Path::new(&place);
    if mode == "own" {
        handle(own as extern "C" fn(libc::c_int) as usize, libc::SA_RESTART);
    }
    if mode == "ignored" {
        handle(libc::SIG_IGN, 0);
    }
    let hangs = mode.starts_with("hang");
    let store = place.join("store.db").into_os_string().into_string().expect("text");
    // What is left is told of all backends: where one hangs it is alone.
    let var = move |name: &str| (name == "OPS_LOCAL_PATH" && !hangs).then(|| store.clone());
    let mut builder = ops_sdk::init().environment(var).on_signals(mode != "off").shutdown_deadline(SOON);
    let stuck = Capture::new("stuck").answering(vec![Answer::Hang; 100]);
    if hangs {
        let deadline = Duration::from_millis(if mode == "hang" { 300 } else { 3_600_000 });
        builder = builder.state_dir(place).shutdown_deadline(deadline).backend(stuck.clone());
    }
    let ops = builder.linger(SOON * 2).start().expect("recording starts");
    if mode == "over" {
        let over = over as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
        handle(over as usize, libc::SA_SIGINFO | libc::SA_RESTART);
    }
    (0..EVENTS).for_each(|n| info!("event {n}"));
    let kept = if mode == "dropped" {
        ops.flush(SOON);
        drop(ops);
        None
    } else {
        Some(ops)
    };
    if let Some(ops) = kept.as_ref().filter(|_| hangs) {
        wait_until_recorded(ops, EVENTS as u64);
    }
    println!("\nready");
    std::thread::spawn(move || {
        for said in 0.. {
            while HANDLED.load(SeqCst) <= said && !stuck.hangs() {
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("\nhandled");
            if stuck.hangs() {
                return;
            }
        }
    });
    let _ = std::io::stdin().read_to_end(&mut Vec::new()); // until the test has seen enough
    std::process::exit(7); // without the guard, so that what is there was flushed by the signal
}

struct Running {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Running {
    fn start(mode: &str, place: &Path) -> Running {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child", "--nocapture"])
            .envs([(MODE, mode.as_ref()), (PLACE, place.as_os_str())])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the child starts");
        let lines = BufReader::new(child.stdout.take().expect("its words")).lines().map_while(Result::ok);
        let mut running = Running { child, lines: Box::new(lines) };
        running.hears("ready");
        running
    }

    fn hears(&mut self, word: &str) {
        assert!(self.lines.any(|line| line == word), "the child says {word}");
    }

    /// How it ended, and what it said on stderr.
    fn end(mut self) -> (ExitStatus, String) {
        let began = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None if began.elapsed() > SOON => {
                    let _ = self.child.kill();
                    panic!("it hangs");
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let mut said = String::new();
        self.child.stderr.take().expect("its stderr").read_to_string(&mut said).expect("text");
        (status, said)
    }
}

/// The events that arrived.
fn arrived(place: &Path) -> usize {
    let path = place.join("store.db");
    let Ok(store) = Store::open(path) else { return 0 };
    let query = ops_sdk::store::LogQuery { limit: 10 * EVENTS, ..Default::default() };
    store.logs(&query).expect("a store").iter().filter(|log| log.message.starts_with("event ")).count()
}

#[test]
fn a_signal_flushes_and_ends_the_process_as_it_would_have() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        for (mode, expected) in [("on", EVENTS), ("off", 0)] {
            let dir = tempfile::tempdir().expect("a directory");
            let running = Running::start(mode, dir.path());
            send(&running.child, signal);
            let (status, said) = running.end();
            assert_eq!(status.signal(), Some(signal), "{mode}: {status:?} {said}");
            assert_eq!(arrived(dir.path()), expected, "{mode}: {said}");
        }
    }
}

#[test]
fn a_backend_that_hangs_is_not_waited_for_past_the_deadline_and_nothing_is_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let running = Running::start("hang", dir.path());
    send(&running.child, libc::SIGTERM);
    let (status, said) = running.end();
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{status:?} {said}");
    assert!(said.contains("1000 records are kept in the state directory"), "{said}");
    let next = Capture::new("stuck");
    let builder = ops_sdk::init().environment(|_| None).state_dir(dir.path()).backend(next.clone());
    let ops = builder.start().expect("recording starts");
    assert!(ops.flush(SOON).complete);
    assert_eq!(next.messages("event ").len(), EVENTS);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut running = Running::start("hang-long", dir.path());
    send(&running.child, libc::SIGTERM);
    running.hears("handled"); // the first flushes, which hangs
    send(&running.child, libc::SIGINT);
    let (status, said) = running.end();
    // The deadline is an hour.
    assert_eq!(status.signal(), Some(libc::SIGINT), "{status:?} {said}");
}

#[test]
fn handlers_of_the_programs_own_run_and_decide() {
    for mode in ["own", "over"] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut running = Running::start(mode, dir.path());
        for _ in 0..3 {
            send(&running.child, libc::SIGTERM);
            running.hears("handled");
        }
        wait_until("what was recorded arrives meanwhile", || arrived(dir.path()) >= EVENTS);
        drop(running.child.stdin.take());
        let (status, said) = running.end();
        assert_eq!(status.code(), Some(7), "{mode}: {status:?} {said}");
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut running = Running::start("ignored", dir.path());
    send(&running.child, libc::SIGTERM);
    drop(running.child.stdin.take());
    let (status, said) = running.end();
    assert_eq!((status.code(), arrived(dir.path())), (Some(7), 0), "{status:?} {said}");
}

#[test]
fn without_a_guard_signals_do_what_they_did_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let running = Running::start("dropped", dir.path());
    send(&running.child, libc::SIGTERM);
    let (status, said) = running.end();
    assert_eq!(status.signal(), Some(libc::SIGTERM), "{status:?} {said}");
    assert_eq!(arrived(dir.path()), EVENTS);
}
