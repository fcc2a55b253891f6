//! Memory that the system gives page by page: nobody's but ours, or a file's. A map stays where it is as long as the
//! process lives, so that what lies in it may be reached without asking whether it is still there.
//!
//! Never checks what a file holds, and never makes one longer: a map that is longer than its file is fine as long as
//! nothing behind the file's end is touched, where the system would answer with SIGBUS. [`allocate`] first.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::ptr::{self, NonNull};

/// What is written where a file system has no way to give room ahead.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Memory that was mapped. It is never unmapped; a copy is the same memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Map {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a map is an address that stays valid for the life of the process. Whoever reads or writes there says for
// itself why it may.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// `bytes` zero bytes, aligned to a page. The system gives a page when it is first written.
    ///
    /// # Errors
    ///
    /// If the system has not that much address space, or `bytes` is 0.
    pub(crate) fn anonymous(bytes: usize) -> io::Result<Map> {
        map(ptr::null_mut(), bytes, PRIVATE, NO_FILE)
    }

    /// The first `bytes` bytes of a file, shared with it: what is written here is the file's, whatever becomes of the
    /// process. The file has to be open for reading and writing, and may be closed afterwards.
    ///
    /// # Errors
    ///
    /// If the file cannot be mapped: it is not open for both, its file system has no maps, or `bytes` is 0.
    #[cfg(test)]
    pub(crate) fn file(file: &File, bytes: usize) -> io::Result<Map> {
        map(ptr::null_mut(), bytes, libc::MAP_SHARED, file.as_raw_fd())
    }

    /// Puts a file in the place of what this process sees here: what is written here is the file's from then on, whatever
    /// becomes of the process. The file has to be open for reading and writing. What other threads write meanwhile
    /// goes to either.
    ///
    /// # Errors
    ///
    /// If the file cannot be mapped; what was here is here still, then.
    pub(crate) fn replace_by(&self, file: &File) -> io::Result<()> {
        map(self.start.as_ptr().cast(), self.bytes, libc::MAP_SHARED | libc::MAP_FIXED, file.as_raw_fd())
            .map(drop)
    }

    /// Where it starts.
    #[inline]
    pub(crate) fn address(&self) -> NonNull<u8> {
        self.start
    }

    /// How long it is.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts new memory, all zeros and nobody else's, in the place of what this process sees here; the file and every
    /// other process keep what they have. May be called where only async-signal-safe calls may, as in a child between
    /// `fork` and the return from it. What other threads write meanwhile goes to either.
    ///
    /// # Errors
    ///
    /// If the system refuses; what was here is here still, then.
    pub(crate) fn renew_private(&self) -> io::Result<()> {
        map(self.start.as_ptr().cast(), self.bytes, PRIVATE | libc::MAP_FIXED, NO_FILE).map(drop)
    }
}

/// Has the system give, now and not when they are first written, the pages of so many bytes from `start` on, which lie
/// in a [`Map`]. What they hold stays, whoever writes there meanwhile. Where the system has no call for it, or no page to
/// give, nothing happens.
#[cfg(target_os = "linux")]
pub(crate) fn populate(start: NonNull<u8>, bytes: usize) {
    // SAFETY: the call reads a number of the system's.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(1 << 16);
    let into_page = start.addr().get() % page;
    // SAFETY: a map begins with a page, so the start of the page lies in it as well.
    let first = unsafe { start.sub(into_page) };
    // SAFETY: the pages lie in a map of ours, and the call changes nothing of what they hold.
    let _ = unsafe { libc::madvise(first.as_ptr().cast(), into_page + bytes, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_: NonNull<u8>, _: usize) {}

const NO_FILE: i32 = -1;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANON | NO_RESERVE;

/// Takes nothing of what the system is willing to promise, where it counts that.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "netbsd"))]
const NO_RESERVE: i32 = libc::MAP_NORESERVE;
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", target_os = "netbsd")))]
const NO_RESERVE: i32 = 0;

fn map(at: *mut libc::c_void, bytes: usize, flags: i32, file: i32) -> io::Result<Map> {
    // SAFETY: without `MAP_FIXED` the system chooses a place where nothing is. With it, `at` and `bytes` are those of a
    // map that this module made and that is never unmapped, so what is replaced is ours.
    let start = unsafe { libc::mmap(at, bytes, libc::PROT_READ | libc::PROT_WRITE, flags, file, 0) };
    if start == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(start.cast()).map(|start| Map { start, bytes }).ok_or_else(|| io::ErrorKind::Other.into())
}

/// Gives a file room on the disk from byte `from` up to byte `to`, and that length at least, so that writing there
/// through a [`Map`] does not fail for want of room. `from` is where the file ends: where the file system has no call
/// for it, zeros are written. On Linux it may be called where only async-signal-safe calls may, if it has.
///
/// # Errors
///
/// If the disk is full, or the file is not open for writing. The file may have become longer then.
pub(crate) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    if to <= from {
        return Ok(());
    }
    match reserve_room(file, from, to) {
        Err(error) if is_unsupported(&error) => write_zeros(file, from, to),
        done => done,
    }
}

/// The same where the system has a call for it, and an error that [`is_unsupported`] knows where not. What is written
/// there already stays, so threads need not wait for each other.
///
/// # Errors
///
/// As for [`allocate`].
pub(crate) fn reserve_room(file: &File, from: u64, to: u64) -> io::Result<()> {
    if to <= from { Ok(()) } else { preallocate(file, from, to - from) }
}

#[cfg(target_os = "linux")]
fn preallocate(file: &File, from: u64, bytes: u64) -> io::Result<()> {
    let place = |number: u64| libc::off_t::try_from(number).map_err(|_| io::ErrorKind::FileTooLarge);
    let (from, bytes) = (place(from)?, place(bytes)?);
    loop {
        // SAFETY: the descriptor is an open file's; the call touches no memory of ours.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, from, bytes) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn preallocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

/// Whether the file system, or the kernel, has no such call.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS))
}

pub(super) fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let left = usize::try_from(to - at).unwrap_or(usize::MAX);
        let some = &ZEROS[..left.min(ZEROS.len())];
        file.write_all_at(some, at)?;
        at += some.len() as u64;
    }
    Ok(())
}
