//! Where there is no `fork`, a process has no children that share its memory.

/// A number that a child has not in common with its parent.
pub(crate) fn generation() -> u32 {
    0
}

/// Has `in_child` called in every child, of which there are none.
pub(crate) fn on_fork(_in_child: fn()) {}

/// A file that is this process's alone, as all are.
#[derive(Debug)]
pub(crate) struct Unshared;

impl Unshared {
    /// Until what is returned is dropped.
    pub(crate) fn new<T>(_: &T) -> Unshared {
        Unshared
    }
}

/// Held by who works with a library that has locks of its own.
#[derive(Debug)]
pub(crate) struct HoldOff(());

/// Holds forks off, of which there are none.
pub(crate) fn hold_off() -> HoldOff {
    HoldOff(())
}
