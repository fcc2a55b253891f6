//! A signal handler that uses every macro, again and again while the interrupted thread is in the middle of recording
//! or of an allocation: nothing is corrupted, nothing hangs, and every event either arrives or is counted as dropped.
//! In a process of its own, whose timer interrupts it.
#![cfg(unix)]

use std::fmt;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use ops_forms::Discard;
use ops_sdk::ledger::Loss;
use ops_sdk::prelude::*;
use ops_tests::{SOON, assert_balanced};

const CHILD: &str = "OPS_TEST_SIGNALS";
/// Rounds of all forms by the interrupted thread, at least; and interruptions, at least.
const ROUNDS: u64 = 300;
const SIGNALS_MIN: u64 = 5_000;
const ROUNDS_MAX: u64 = 100_000;
/// After this a child that has not ended is taken to hang.
const HANGS: Duration = Duration::from_secs(600);
const SIGNAL_EVERY_MICROSECONDS: i64 = 200;

static SIGNALS: AtomicU64 = AtomicU64::new(0);
static EVENTS: AtomicU64 = AtomicU64::new(0);
static READY: AtomicBool = AtomicBool::new(false);
static WORKER: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread is the one that is to be interrupted: a handler runs on any.
    static MINE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Calls every form, on whichever thread it is that was interrupted in whatever it does.
#[allow(unsafe_code)]
extern "C" fn handler(signal: libc::c_int) {
    if MINE.get() {
        all_forms(SIGNALS.fetch_add(1, Relaxed));
    } else if READY.load(Relaxed) {
        // SAFETY: the thread lives for as long as it says that it is ready. A handler may send signals.
        unsafe { libc::pthread_kill(WORKER.load(Relaxed), signal) };
    }
}

fn all_forms(n: u64) {
    for form in ops_forms::ALL {
        (form.call)(n);
        EVENTS.fetch_add(form.events, Relaxed);
    }
}

/// Allocates and logs while it is shown, and takes a while over it.
struct Slow(u64);

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for n in 0..20 {
            f.write_str(&format!("{:>width$}", self.0, width = usize::try_from(n * 7).unwrap_or(0)))?;
        }
        counter!("shown", 1);
        debug!("from within");
        EVENTS.fetch_add(1, Relaxed);
        Ok(())
    }
}

/// What the thread does that is interrupted.
fn work(n: u64) {
    all_forms(n);
    info!("shown slowly {value}", value = %Slow(n));
    EVENTS.fetch_add(1, Relaxed);
    counter!("work", 1);
    histogram!("work.size", n % 100);
    let kept: Vec<String> = (0..20).map(|n| "x".repeat(n * 31)).collect();
    std::hint::black_box(kept);
}

#[allow(unsafe_code)]
fn interrupt(every_microseconds: i64) {
    let every = libc::timeval { tv_sec: 0, tv_usec: every_microseconds };
    let timer = libc::itimerval { it_interval: every, it_value: every };
    // SAFETY: the structures are valid for as long as the calls take, and the handler is a function of the right type.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut()), 0);
        assert_eq!(libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()), 0);
    }
}

/// Keeps the signal to those threads that are made to take it.
#[allow(unsafe_code)]
fn take_signals(take: bool) {
    let how = if take { libc::SIG_UNBLOCK } else { libc::SIG_BLOCK };
    // SAFETY: the set is made before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGALRM);
        assert_eq!(libc::pthread_sigmask(how, &raw const set, std::ptr::null_mut()), 0);
    }
}

/// Not a test by itself: the process that is interrupted.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    take_signals(false); // and so none of the threads that are made from here on
    let discard = Discard::default();
    let ops = ops_sdk::init()
        .environment(|_| None)
        .shutdown_deadline(SOON)
        .level(ops_sdk::Level::Debug)
        .ring_bytes_max(1 << 16)
        .journal_bytes_max(1 << 30)
        .backend(discard.clone())
        .start()
        .expect("recording starts");
    let worker = std::thread::spawn(|| {
        MINE.set(true);
        // A thread's first use of anything may allocate; a handler is not to be the first.
        (0..4).for_each(work);
        // SAFETY: it takes nothing and always succeeds.
        #[allow(unsafe_code)]
        WORKER.store(unsafe { libc::pthread_self() }, Relaxed);
        READY.store(true, Relaxed);
        take_signals(true);
        interrupt(SIGNAL_EVERY_MICROSECONDS);
        let mut n = 4;
        while n < ROUNDS || (SIGNALS.load(Relaxed) < SIGNALS_MIN && n < ROUNDS_MAX) {
            work(n);
            n += 1;
        }
        interrupt(0);
        READY.store(false, Relaxed);
        take_signals(false);
        n
    });
    let rounds = worker.join().expect("the worker ends");
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    let stats = ops.stats();
    assert_balanced(&stats);
    let dropped: u64 = stats.books[0]
        .rows
        .iter()
        .flat_map(|row| &row.dropped)
        .map(|(loss, n)| {
            assert_eq!(*loss, Loss::RingFull, "nothing else is lost");
            *n
        })
        .sum();
    assert!(SIGNALS.load(Relaxed) >= SIGNALS_MIN, "it was interrupted");
    let (recorded, arrived) = (EVENTS.load(Relaxed), discard.events());
    println!(
        "{rounds} rounds, {} signals, {recorded} events, {arrived} arrived, {dropped} dropped",
        SIGNALS.load(Relaxed)
    );
    assert_eq!(arrived + dropped, recorded, "{arrived} arrived and {dropped} dropped");
}

#[test]
fn a_handler_that_uses_every_macro_harms_nothing() {
    let exe = std::env::current_exe().expect("this test");
    let mut child = Command::new(exe);
    let child = child.args(["--exact", "child", "--nocapture"]).env(CHILD, "1").stdout(Stdio::piped());
    let mut child = child.spawn().expect("it runs");
    let (id, done) = (child.id(), std::sync::mpsc::channel::<()>());
    let watch = std::thread::spawn(move || {
        // A handler that hangs would hang for ever.
        if done.1.recv_timeout(HANGS).is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    let mut said = String::new();
    child.stdout.take().expect("its words").read_to_string(&mut said).expect("text");
    let status = child.wait().expect("it ends");
    drop(done.0);
    watch.join().expect("the watch ends");
    assert!(status.success(), "{status:?}\n{said}");
    assert!(said.contains(" signals, "), "it came to its end: {said}");
    print!("{said}");
}
