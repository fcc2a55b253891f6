//! Children of `fork`. What a process shares with the child that it must not: descriptors whose lock or pipe the parent
//! relies on, and whatever else somebody has registered. Told at once, in the child, before `fork` returns there; so
//! everything here is what may be done between the two: no heap, no lock, nothing that another thread could hold.

use std::cell::Cell;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Once;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32};
use std::thread;
use std::time::{Duration, Instant};

/// How many forks lie between the process that was started and this one.
static GENERATION: AtomicU32 = AtomicU32::new(0);
/// Descriptors that are the parent's alone; -1 is none. A process has one or two state directories open.
static OWN: [AtomicI32; 64] = [const { AtomicI32::new(NONE) }; 64];
/// What is to be done in the child.
static IN_CHILD: AtomicPtr<()> = AtomicPtr::new(std::ptr::null_mut());
const NONE: RawFd = -1;
/// Whether somebody holds forks off, or a fork somebody.
static HELD_OFF: AtomicBool = AtomicBool::new(false);
/// How long a fork waits at most.
const FORK_WAITS: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_micros(50);

thread_local! {
    /// Whether this thread's fork holds others off.
    static FORKS: Cell<bool> = const { Cell::new(false) };
}

/// A number that a child has not in common with its parent.
pub(crate) fn generation() -> u32 {
    GENERATION.load(SeqCst)
}

/// Has `in_child` called in every child from here on, after the descriptors were let go of.
pub(crate) fn on_fork(in_child: fn()) {
    static REGISTERED: Once = Once::new();
    IN_CHILD.store(in_child as *mut (), SeqCst);
    REGISTERED.call_once(|| {
        // SAFETY: the function is one that may be called in a child, and lives as long as the program. A refusal for want
        // of memory leaves children as they would be without it.
        unsafe { libc::pthread_atfork(Some(before), Some(after), Some(begin_child)) };
    });
}

/// Held by who works with a library that has locks of its own, which a child would find locked for ever: forks wait for
/// it, a second at most. One at a time.
#[derive(Debug)]
#[cfg_attr(not(feature = "local"), allow(dead_code))]
pub(crate) struct HoldOff(());

/// Holds forks off until what is returned is dropped.
#[cfg_attr(not(feature = "local"), allow(dead_code))]
pub(crate) fn hold_off() -> HoldOff {
    while HELD_OFF.swap(true, SeqCst) {
        thread::sleep(LOOK_EVERY);
    }
    HoldOff(())
}

impl Drop for HoldOff {
    fn drop(&mut self) {
        HELD_OFF.store(false, SeqCst);
    }
}

extern "C" fn before() {
    let began = Instant::now();
    while HELD_OFF.swap(true, SeqCst) {
        if began.elapsed() > FORK_WAITS {
            return;
        }
        thread::sleep(LOOK_EVERY);
    }
    FORKS.set(true);
}

extern "C" fn after() {
    if FORKS.take() {
        HELD_OFF.store(false, SeqCst);
    }
}

extern "C" fn begin_child() {
    GENERATION.fetch_add(1, SeqCst);
    FORKS.set(false);
    HELD_OFF.store(false, SeqCst); // whoever held forks off is not there
    for own in &OWN {
        let_go(own.swap(NONE, SeqCst));
    }
    let in_child = IN_CHILD.load(SeqCst);
    if !in_child.is_null() {
        // SAFETY: what is stored is null or came from a `fn()`.
        let in_child: fn() = unsafe { std::mem::transmute(in_child) };
        in_child();
    }
}

/// Puts nothing in the place of a descriptor: its number stays taken, because somebody will close it.
pub(super) fn let_go(file: RawFd) {
    if file == NONE {
        return;
    }
    // SAFETY: the path ends with a zero; the descriptors are open and ours.
    unsafe {
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if nothing >= 0 {
            libc::dup2(nothing, file);
            libc::close(nothing);
            libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// A file that is this process's alone: a child does not have it. More than 64 at a time are shared after all.
#[derive(Debug)]
pub(crate) struct Unshared {
    place: Option<usize>,
    generation: u32,
}

impl Unshared {
    /// Until what is returned is dropped, which has to be before the file is closed.
    pub(crate) fn new(file: &impl AsRawFd) -> Unshared {
        let number = file.as_raw_fd();
        let take = |own: &AtomicI32| own.compare_exchange(NONE, number, SeqCst, SeqCst).is_ok();
        Unshared { place: OWN.iter().position(take), generation: generation() }
    }
}

impl Drop for Unshared {
    fn drop(&mut self) {
        if let Some(place) = self.place.filter(|_| self.generation == generation()) {
            OWN[place].store(NONE, SeqCst);
        }
    }
}
