//! The values of an event whose size is known before they are written: a list of them, each with its own type, so that
//! what a macro was given is turned into bytes where it stands, without a loop or a look at what kind it is.

use std::ptr;

use super::Arg;
use super::frame::{F64, FALSE, I64, NULL, TEXT, U64};

/// A list of values: `(first, rest)`, or `()`.
pub trait Fields<'a>: Copy {
    /// How many bytes they take in a frame; more than any ring holds if that is not known before they are formatted.
    fn bytes(&self) -> usize;

    /// Writes them at `at`, and says where the next byte goes.
    ///
    /// # Safety
    ///
    /// There must be room for [`Fields::bytes`] bytes, and it must be known how many these are.
    unsafe fn write(self, at: *mut u8) -> *mut u8;

    /// Puts them into a slice that has room for them; says how many they are.
    fn fill(self, values: &mut [Arg<'a>]) -> usize;
}

impl<'a> Fields<'a> for () {
    #[inline(always)]
    fn bytes(&self) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn write(self, at: *mut u8) -> *mut u8 {
        at
    }

    fn fill(self, _: &mut [Arg<'a>]) -> usize {
        0
    }
}

impl<'a, T: Fields<'a>> Fields<'a> for (Arg<'a>, T) {
    #[inline(always)]
    fn bytes(&self) -> usize {
        bytes(&self.0) + self.1.bytes()
    }

    #[inline(always)]
    unsafe fn write(self, at: *mut u8) -> *mut u8 {
        // SAFETY: the caller has room for both, one behind the other.
        unsafe { self.1.write(write(self.0, at)) }
    }

    fn fill(self, values: &mut [Arg<'a>]) -> usize {
        let Some((place, rest)) = values.split_first_mut() else { return 0 };
        *place = self.0;
        1 + self.1.fill(rest)
    }
}

/// More than any ring holds; a thousand of them still fit into a word.
const UNKNOWN: usize = usize::MAX >> 10;

#[inline(always)]
fn bytes(value: &Arg<'_>) -> usize {
    match value {
        Arg::Null | Arg::Bool(_) => 1,
        Arg::I64(_) | Arg::U64(_) | Arg::F64(_) => 9,
        Arg::Str(text) => 5 + text.len().min(UNKNOWN),
        Arg::Display(_) | Arg::Debug(_) => UNKNOWN,
    }
}

/// Writes one value as a frame holds it.
///
/// # Safety
///
/// As for [`Fields::write`].
#[inline(always)]
unsafe fn write(value: Arg<'_>, at: *mut u8) -> *mut u8 {
    // SAFETY: there is room for what `bytes` says; what is written is at most that.
    unsafe {
        match value {
            Arg::Null | Arg::Display(_) | Arg::Debug(_) => tagged(NULL, [], at),
            Arg::Bool(b) => tagged(FALSE + u8::from(b), [], at),
            Arg::I64(n) => tagged(I64, n.to_le_bytes(), at),
            Arg::U64(n) => tagged(U64, n.to_le_bytes(), at),
            Arg::F64(n) => tagged(F64, n.to_le_bytes(), at),
            Arg::Str(text) => {
                #[allow(clippy::cast_possible_truncation)] // there was room for it in a ring of at most 1 GiB
                let start = tagged(TEXT, (text.len() as u32).to_le_bytes(), at);
                ptr::copy_nonoverlapping(text.as_ptr(), start, text.len());
                start.add(text.len())
            }
        }
    }
}

/// A tag and the bytes behind it.
#[inline(always)]
unsafe fn tagged<const N: usize>(tag: u8, bytes: [u8; N], at: *mut u8) -> *mut u8 {
    // SAFETY: the caller has room for one byte and these.
    unsafe {
        at.write(tag);
        at.add(1).cast::<[u8; N]>().write(bytes);
        at.add(1 + N)
    }
}
