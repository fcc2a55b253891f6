//! Signals that end a program, heard and passed on. A handler that was there before runs as it would without this one; a
//! program that had none is ended by the same signal, but a little later: first a thread is told, by a byte in a pipe,
//! and ends it with [`end`] when it is done. The second signal ends it at once.
//!
//! What a handler does here is what one may do: it reads atomics, writes a byte, and asks the system for the process's
//! number and for the handler of a signal. A child of `fork` is not the process that watches, and its signals do what
//! they did before.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize};

use libc::{c_int, c_void, siginfo_t};

/// The signals that ask a program to end.
const ENDING: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// A signal came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) signal: c_int,
    /// Whether nobody else has a handler for it: it is for [`end`] to end the process.
    pub(crate) alone: bool,
}

/// Signals are heard while this lives. There is one at a time. It is the process's that made it.
#[derive(Debug)]
pub(crate) struct Watch(c_int);

/// Where they are heard.
#[derive(Debug)]
pub(crate) struct Ears(File);

/// The process that watches; 0 is none. A child of `fork` has another number.
static WATCHER: AtomicI32 = AtomicI32::new(0);
/// Where handlers write to. The number stays the same for the life of the process, since a handler may be about to
/// write to it at any time; what is behind it changes.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// Whether a signal has come that nobody else handles.
static ENDS: AtomicBool = AtomicBool::new(false);
/// By the place in [`ENDING`]: the handler that was there before, and its flags.
static BEFORE: [(AtomicUsize, AtomicI32); 2] = [const { (AtomicUsize::new(0), AtomicI32::new(0)) }; 2];
/// All of what was there before, as the system gave it, while there is a handler of ours. Not for handlers.
static SAVED: [AtomicPtr<libc::sigaction>; 2] = [const { AtomicPtr::new(ptr::null_mut()) }; 2];

/// What a handler does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Act {
    /// Tell the thread.
    tell: bool,
    /// Call the handler that was there before.
    call: bool,
    /// End the process at once, as the signal would without a handler.
    end: bool,
}

/// What to do when a signal comes: whether this process watches, whether there was a handler before, whether somebody
/// has put a handler of their own before this one since, and whether it is the first such signal.
fn decide(watches: bool, had_handler: bool, is_covered: bool, is_first: bool) -> Act {
    let alone = !had_handler && !is_covered;
    Act { tell: watches, call: had_handler, end: alone && !(watches && is_first) }
}

/// Begins to hear SIGTERM and SIGINT, except where the program ignores them.
///
/// # Errors
///
/// If the system gives no pipe.
pub(crate) fn watch() -> io::Result<(Watch, Ears)> {
    let (read, write) = pipe()?;
    put_behind(write)?;
    ENDS.store(false, SeqCst);
    WATCHER.store(process(), SeqCst);
    let watch = Watch(process()); // which undoes the rest if there is an error
    for (index, signal) in ENDING.into_iter().enumerate() {
        let before = action(signal)?;
        // Where somebody has put a handler over ours, that one calls ours.
        if before.sa_sigaction == libc::SIG_IGN || !SAVED[index].load(SeqCst).is_null() {
            continue;
        }
        let had_handler = before.sa_sigaction != libc::SIG_DFL;
        BEFORE[index].0.store(if had_handler { before.sa_sigaction } else { 0 }, SeqCst);
        BEFORE[index].1.store(before.sa_flags, SeqCst);
        SAVED[index].store(Box::into_raw(Box::new(before)), SeqCst);
        let mut ours = before;
        ours.sa_sigaction = address();
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        set_action(signal, &ours)?;
    }
    Ok((watch, Ears(File::from(read))))
}

impl Drop for Watch {
    /// Puts back the handlers that were there before. One that somebody has put over ours since stays, and ours stays
    /// behind it without doing anything.
    fn drop(&mut self) {
        if self.0 != process() {
            return;
        }
        WATCHER.store(0, SeqCst);
        for (signal, saved) in ENDING.into_iter().zip(&SAVED) {
            let is_outermost = action(signal).is_ok_and(|action| action.sa_sigaction == address());
            let before = if is_outermost { saved.swap(ptr::null_mut(), SeqCst) } else { ptr::null_mut() };
            if !before.is_null() {
                // SAFETY: what is stored came from a box, and was taken out by this swap alone.
                let before = unsafe { Box::from_raw(before) };
                let _ = set_action(signal, &before); // it was valid when it was read
            }
        }
        // Nobody writes to the pipe any more: who listens hears its end.
        let _ = File::open("/dev/null").map_err(drop).and_then(|null| put_behind(null.into()).map_err(drop));
    }
}

impl Ears {
    /// Waits for a signal; `None` when nobody watches any more.
    pub(crate) fn wait(&mut self) -> Option<Heard> {
        let mut byte = [0];
        self.0.read_exact(&mut byte).ok()?;
        Some(Heard { signal: c_int::from(byte[0] & 0x7f), alone: byte[0] & 0x80 != 0 })
    }
}

/// In a child of `fork`: lets go of the pipe, whose end the parent waits for. Async-signal-safe.
pub(crate) fn forget_in_child() {
    WATCHER.store(0, SeqCst);
    let pipe = PIPE.swap(-1, SeqCst);
    if pipe >= 0 {
        // SAFETY: the descriptor is ours, and nobody uses it: a child has one thread.
        unsafe { libc::close(pipe) };
    }
}

/// Ends the process by this signal, as it would have without a handler. The first process of a container, which the
/// system does not end by a signal that has no handler, exits with 128 and the signal's number, as shells say it.
pub(crate) fn end(signal: c_int) -> ! {
    end_by(signal);
    // SAFETY: the sets are made before they are used; the signal is sent to this thread.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        libc::raise(signal);
        libc::_exit(128 + signal)
    }
}

/// Runs on whichever thread the signal comes to.
extern "C" fn handler(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(index) = ENDING.iter().position(|one| *one == signal) else { return };
    let watches = WATCHER.load(SeqCst) == process();
    let (before, flags) = (BEFORE[index].0.load(SeqCst), BEFORE[index].1.load(SeqCst));
    let is_covered = action(signal).is_ok_and(|action| action.sa_sigaction != address());
    let alone = before == 0 && !is_covered;
    let is_first = !(alone && ENDS.swap(watches, SeqCst));
    let act = decide(watches, before != 0, is_covered, is_first);
    if act.tell {
        tell(signal, alone);
    }
    if act.end {
        // Delivered when this returns: meanwhile it is blocked.
        end_by(signal);
        // SAFETY: no memory of ours is touched.
        unsafe { libc::raise(signal) };
    }
    if act.call {
        // SAFETY: the address and its flags are those that the system had for this signal.
        unsafe { call(before, flags, signal, info, context) };
    }
}

/// # Safety
///
/// `handler` must be a function of the kind that `flags` says.
unsafe fn call(handler: usize, flags: c_int, signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    if flags & libc::SA_SIGINFO != 0 {
        // SAFETY: as the caller says.
        let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
            unsafe { std::mem::transmute(ptr::with_exposed_provenance::<()>(handler)) };
        handler(signal, info, context);
    } else {
        // SAFETY: as the caller says.
        let handler: extern "C" fn(c_int) =
            unsafe { std::mem::transmute(ptr::with_exposed_provenance::<()>(handler)) };
        handler(signal);
    }
}

/// Puts a byte into the pipe; if that is full, the thread has been told often enough.
fn tell(signal: c_int, alone: bool) {
    let byte = u8::try_from(signal).unwrap_or(0) | if alone { 0x80 } else { 0 };
    let error = errno();
    // SAFETY: one byte is written out of one byte; the place of the error number is this thread's, and what interrupted
    // code finds there is what it left.
    unsafe {
        let kept = *error;
        libc::write(PIPE.load(SeqCst), (&raw const byte).cast(), 1);
        *error = kept;
    }
}

/// From here on the signal does what it does without a handler.
fn end_by(signal: c_int) {
    // SAFETY: all zeros is a valid action: no flags, an empty set.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = libc::SIG_DFL;
    let _ = set_action(signal, &action);
}

/// A pipe that other programs do not inherit, and whose writer never waits.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: two numbers are written to two places; what was made is ours.
    let (read, write) = unsafe {
        if libc::pipe(ends.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1]))
    };
    close_on_exec(ends[0])?;
    // SAFETY: the descriptor is open.
    succeeded(unsafe { libc::fcntl(ends[1], libc::F_SETFL, libc::O_NONBLOCK) })?;
    Ok((read, write))
}

/// Puts an open file behind the number that handlers write to.
fn put_behind(file: OwnedFd) -> io::Result<()> {
    let number = PIPE.load(SeqCst);
    if number < 0 {
        close_on_exec(file.as_raw_fd())?;
        PIPE.store(file.into_raw_fd(), SeqCst);
        return Ok(());
    }
    // SAFETY: both descriptors are open and ours; the change is one step for whoever writes meanwhile.
    succeeded(unsafe { libc::dup2(file.as_raw_fd(), number) })?;
    close_on_exec(number)
}

fn close_on_exec(file: c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    succeeded(unsafe { libc::fcntl(file, libc::F_SETFD, libc::FD_CLOEXEC) })
}

fn succeeded(result: c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn process() -> c_int {
    // SAFETY: the call has no precondition.
    unsafe { libc::getpid() }
}

fn address() -> usize {
    (handler as extern "C" fn(c_int, *mut siginfo_t, *mut c_void)) as usize
}

fn action(signal: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: all zeros is a valid action, which the system then fills.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        succeeded(libc::sigaction(signal, ptr::null(), &raw mut action)).map(|()| action)
    }
}

fn set_action(signal: c_int, action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: the action is valid for the call; its handler is ours, one that was set before, or none.
    succeeded(unsafe { libc::sigaction(signal, action, ptr::null_mut()) })
}

/// Where this thread's error number is.
fn errno() -> *mut c_int {
    #[cfg(any(target_os = "linux", target_os = "dragonfly", target_os = "emscripten", target_os = "hurd"))]
    // SAFETY: the call has no precondition.
    return unsafe { libc::__errno_location() };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    // SAFETY: the call has no precondition.
    return unsafe { libc::__error() };
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    // SAFETY: the call has no precondition.
    return unsafe { libc::__errno() };
    #[cfg(any(target_os = "solaris", target_os = "illumos"))]
    // SAFETY: the call has no precondition.
    return unsafe { libc::___errno() };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_told_passed_on_and_ends_what_it_ended_before() {
        // Watches, had a handler, is covered by another, is the first: tell, call, end.
        let table = [
            ((true, false, false, true), (true, false, false)),
            ((true, false, false, false), (true, false, true)),
            ((true, true, false, true), (true, true, false)),
            ((true, true, false, false), (true, true, false)),
            ((true, false, true, true), (true, false, false)),
            ((true, false, true, false), (true, false, false)),
            ((false, false, false, true), (false, false, true)),
            ((false, true, false, true), (false, true, false)),
            ((false, false, true, true), (false, false, false)),
        ];
        for ((watches, had_handler, is_covered, is_first), (tell, call, end)) in table {
            let act = decide(watches, had_handler, is_covered, is_first);
            assert_eq!(act, Act { tell, call, end }, "{watches} {had_handler} {is_covered} {is_first}");
        }
    }
}
