//! What `record/` gets in place of the standard library's atomics, spin loops and thread-locals. Within a model each
//! goes to loom, by way of [`world`]; outside of one it is plain memory, so that a model can begin where it likes.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

pub(crate) use std::sync::atomic::Ordering;

pub(crate) use crate::thread_local_of_model as thread_local;
use crate::world::{self, Local, Place};

/// What fits into an atomic.
pub trait Word: Copy + 'static {
    fn bits(self) -> u64;
    fn of(bits: u64) -> Self;
}

macro_rules! words {
    ($($t:ty)*) => {$(
        impl Word for $t {
            fn bits(self) -> u64 { self as u64 }
            fn of(bits: u64) -> $t { bits as $t }
        }
    )*};
}

words!(u32 u64 usize i64);

impl Word for bool {
    fn bits(self) -> u64 {
        u64::from(self)
    }

    fn of(bits: u64) -> bool {
        bits != 0
    }
}

impl<T: 'static> Word for *mut T {
    fn bits(self) -> u64 {
        self.expose_provenance() as u64
    }

    fn of(bits: u64) -> *mut T {
        std::ptr::with_exposed_provenance_mut(bits as usize)
    }
}

/// An atomic as it lies in memory: as large as the value, and valid when zero, as those of the arena have to be. What
/// it holds within a model is kept by [`world`], under its address.
#[repr(transparent)]
pub struct Atomic<W>(UnsafeCell<W>);

pub type AtomicBool = Atomic<bool>;
pub type AtomicI64 = Atomic<i64>;
pub type AtomicPtr<T> = Atomic<*mut T>;
pub type AtomicU32 = Atomic<u32>;
pub type AtomicU64 = Atomic<u64>;
pub type AtomicUsize = Atomic<usize>;

// SAFETY: within a model one thread runs at a time, and outside of models there is one.
#[allow(unsafe_code)]
unsafe impl<W> Sync for Atomic<W> {}

impl<W> Atomic<W> {
    pub const fn new(value: W) -> Atomic<W> {
        Atomic(UnsafeCell::new(value))
    }
}

impl<W: Word> Atomic<W> {
    #[track_caller]
    pub fn load(&self, order: Ordering) -> W {
        W::of(match self.place(false) {
            Place::Model(atomic) => atomic.load(world::ordering(order, "load")),
            Place::Plain => self.plain(),
        })
    }

    #[track_caller]
    pub fn store(&self, value: W, order: Ordering) {
        match self.place(true) {
            Place::Model(atomic) => atomic.store(value.bits(), world::ordering(order, "store")),
            Place::Plain => self.set_plain(value.bits()),
        }
    }

    #[track_caller]
    pub fn swap(&self, value: W, order: Ordering) -> W {
        W::of(match self.place(true) {
            Place::Model(atomic) => atomic.swap(value.bits(), world::ordering(order, "swap")),
            Place::Plain => {
                let before = self.plain();
                self.set_plain(value.bits());
                before
            }
        })
    }

    #[track_caller]
    pub fn compare_exchange(&self, from: W, to: W, done: Ordering, not: Ordering) -> Result<W, W> {
        let (from, to) = (from.bits(), to.bits());
        let result = match self.place(true) {
            Place::Model(atomic) => {
                let (done, not) =
                    (world::ordering(done, "exchange"), world::ordering(not, "failed exchange"));
                atomic.compare_exchange(from, to, done, not)
            }
            Place::Plain if self.plain() == from => {
                self.set_plain(to);
                Ok(from)
            }
            Place::Plain => Err(self.plain()),
        };
        result.map(W::of).map_err(W::of)
    }

    #[track_caller]
    pub fn fetch_update(
        &self,
        set: Ordering,
        fetch: Ordering,
        mut f: impl FnMut(W) -> Option<W>,
    ) -> Result<W, W> {
        let mut before = self.load(fetch);
        while let Some(next) = f(before) {
            match self.compare_exchange(before, next, set, fetch) {
                Ok(before) => return Ok(before),
                Err(now) => before = now,
            }
        }
        Err(before)
    }
}

impl Atomic<u64> {
    #[track_caller]
    pub fn fetch_add(&self, n: u64, order: Ordering) -> u64 {
        match self.place(true) {
            Place::Model(atomic) => atomic.fetch_add(n, world::ordering(order, "addition")),
            Place::Plain => {
                let before = self.plain();
                self.set_plain(before.wrapping_add(n));
                before
            }
        }
    }
}

impl Atomic<i64> {
    #[track_caller]
    pub fn fetch_add(&self, n: i64, order: Ordering) -> i64 {
        match self.place(true) {
            Place::Model(atomic) => i64::of(atomic.fetch_add(n.bits(), world::ordering(order, "addition"))),
            Place::Plain => {
                let before = i64::of(self.plain());
                self.set_plain(before.wrapping_add(n).bits());
                before
            }
        }
    }

    #[track_caller]
    pub fn fetch_sub(&self, n: i64, order: Ordering) -> i64 {
        self.fetch_add(-n, order)
    }

    #[track_caller]
    pub fn fetch_max(&self, n: i64, order: Ordering) -> i64 {
        self.fetch_update(order, Ordering::Relaxed, |now| Some(now.max(n))).unwrap_or_else(|before| before)
    }

    #[track_caller]
    pub fn fetch_min(&self, n: i64, order: Ordering) -> i64 {
        self.fetch_update(order, Ordering::Relaxed, |now| Some(now.min(n))).unwrap_or_else(|before| before)
    }
}

impl<W: Word> Atomic<W> {
    fn place(&self, writes: bool) -> Place {
        world::place(self.address(), Self::in_memory, writes)
    }

    fn address(&self) -> usize {
        self.0.get().expose_provenance()
    }

    fn plain(&self) -> u64 {
        world::kept(self.address()).unwrap_or_else(|| Self::in_memory(self.address()))
    }

    fn set_plain(&self, bits: u64) {
        if !world::keep(self.address(), bits) {
            // SAFETY: as for `Sync`.
            #[allow(unsafe_code)]
            unsafe {
                *self.0.get() = W::of(bits);
            }
        }
    }

    /// What lies in the memory of the atomic at this address: what it held before the model began.
    fn in_memory(address: usize) -> u64 {
        let place: *const W = std::ptr::with_exposed_provenance(address);
        // SAFETY: atomics of a model lie in statics or in the arena, which stay; and as for `Sync`.
        #[allow(unsafe_code)]
        unsafe {
            (*place).bits()
        }
    }
}

impl<W> fmt::Debug for Atomic<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Atomic")
    }
}

/// A fence between this thread and others.
#[track_caller]
pub fn fence(order: Ordering) {
    let order = world::ordering(order, "fence");
    if world::is_inside() && order != Ordering::Relaxed {
        loom::sync::atomic::fence(order);
    }
}

/// Orders what a thread does for its own signal handlers, of which there are none in a model.
pub fn compiler_fence(_: Ordering) {}

/// A lock as a model sees it: who takes it sees what was done under it before.
pub struct Mutex<T> {
    value: UnsafeCell<T>,
}

// SAFETY: one at a time has the value.
#[allow(unsafe_code)]
unsafe impl<T: Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Mutex<T> {
        Mutex { value: UnsafeCell::new(value) }
    }

    pub fn lock(&self) -> Locked<'_, T> {
        Locked(self, world::lock(self.value.get().expose_provenance()))
    }
}

pub fn lock_without_heap<T>(lock: &Mutex<T>) -> Locked<'_, T> {
    lock.lock()
}

/// The value of a lock, while it is held.
pub struct Locked<'a, T>(&'a Mutex<T>, Option<world::Held>);

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        #[allow(unsafe_code)]
        unsafe {
            &*self.0.value.get()
        }
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held.
        #[allow(unsafe_code)]
        unsafe {
            &mut *self.0.value.get()
        }
    }
}

/// Not a pause here: the loop gives up soon, which is to be seen, too.
pub fn spin_loop() {
    world::pause();
}

/// Once less one: a loop that gives up is to be seen giving up.
pub fn tries(wanted: u32) -> u32 {
    wanted.min(2)
}

pub fn reads(start: NonNull<u8>, bytes: usize) {
    world::touch(start.as_ptr().expose_provenance(), bytes, false);
}

pub fn writes(start: NonNull<u8>, bytes: usize) {
    world::touch(start.as_ptr().expose_provenance(), bytes, true);
}

/// Thread-locals of a model's threads, dropped when they end.
#[macro_export]
macro_rules! thread_local_of_model {
    ($($(#[$meta:meta])* static $name:ident: $t:ty = $init:expr;)*) => {
        $($(#[$meta])* static $name: $crate::world::Local<$t> = $crate::world::Local::new(|| $init);)*
    };
}

impl<T: Copy + Default + 'static> Local<Cell<T>> {
    pub fn get(&'static self) -> T {
        self.with(Cell::get)
    }

    pub fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    pub fn take(&'static self) -> T {
        self.with(Cell::take)
    }
}
