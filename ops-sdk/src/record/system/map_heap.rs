//! Memory where there is no unix to ask: a piece of the heap, never given back, of which the system gives a page when it
//! is first written. There are no maps of files, and whoever asks for one is told.
#![allow(dead_code)] // the arena is moved onto it next

use std::alloc::{Layout, alloc_zeroed};
use std::fs::File;
use std::io;
use std::ptr::NonNull;

/// What a map is aligned to.
const LINE: usize = 64;

/// Memory that was taken. It is never given back; a copy is the same memory.
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

/// Pages ahead of their first use: there is nobody to ask for them.
pub(crate) fn populate(_: NonNull<u8>, _: usize) {}

impl Map {
    /// `bytes` zero bytes, aligned to a cache line. Asked for an alignment, the allocator would write the zeros itself
    /// and so occupy them all; the room that aligning takes is asked for instead.
    ///
    /// # Errors
    ///
    /// If the system has not that much, or `bytes` is 0.
    pub(crate) fn anonymous(bytes: usize) -> io::Result<Map> {
        let layout = bytes.checked_add(LINE).filter(|_| bytes > 0);
        let layout = layout.and_then(|bytes| Layout::from_size_align(bytes, 1).ok());
        let layout = layout.ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: fewer than `LINE` bytes on, which were asked for beyond the region.
        Ok(Map { start: unsafe { start.add(start.align_offset(LINE)) }, bytes })
    }

    /// Memory that is a file's.
    ///
    /// # Errors
    ///
    /// Always: this system has none.
    #[cfg(test)]
    pub(crate) fn file(_: &File, _: usize) -> io::Result<Map> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// A file in the place of this memory.
    ///
    /// # Errors
    ///
    /// Always: this system has none.
    pub(crate) fn replace_by(&self, _: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
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

    /// New memory in the place of this.
    ///
    /// # Errors
    ///
    /// Always: where there is no `fork`, nobody needs it.
    pub(crate) fn renew_private(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Room on the disk for a file, ahead.
///
/// # Errors
///
/// Always: a file that cannot be mapped needs none.
pub(crate) fn allocate(_: &File, _: u64, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The same.
///
/// # Errors
///
/// Always.
pub(crate) fn reserve_room(file: &File, from: u64, to: u64) -> io::Result<()> {
    allocate(file, from, to)
}

/// Whether there is no such call.
pub(crate) fn is_unsupported(_: &io::Error) -> bool {
    false
}
