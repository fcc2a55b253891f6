//! The world that a model lives in: which atomics threads share and what they hold, which bytes are touched by whom,
//! and the threads' own variables.
//!
//! Atomics and bytes are known by their address, so that the arena can hold them as it does in a program. Loom has to
//! know of those that threads share before the threads begin, and is slow with all others; so an execution starts with
//! those that were seen to be shared, and where one more shows, the model is begun again. What no two threads touch
//! while one of them writes is plain memory, and nothing is lost by that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{self, AssertUnwindSafe, Location};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::AtomicU64;
use loom::sync::{Mutex, MutexGuard};
use loom::thread::{self, ThreadId};

/// Where the value of an atomic is right now.
pub enum Place {
    /// With loom.
    Model(Rc<AtomicU64>),
    /// Where no other thread looks.
    Plain,
}

/// Tells what lay in the memory of an atomic before the model began.
type InMemory = fn(usize) -> u64;
type Dropping = Box<dyn FnOnce()>;

#[derive(Default)]
struct World {
    inside: bool,
    threads: HashMap<ThreadId, u8>,
    /// Atomics and words of bytes that threads are known to share.
    shared: BTreeMap<usize, InMemory>,
    shared_bytes: BTreeSet<usize>,
    /// Whether more were seen to be.
    is_stale: bool,
    /// Who has touched what in this execution, and whether anyone wrote.
    touched: HashMap<usize, (u64, bool)>,
    touched_bytes: HashMap<usize, (u64, bool)>,
    kept: HashMap<usize, u64>,
    atomics: HashMap<usize, Rc<AtomicU64>>,
    cells: HashMap<usize, Rc<UnsafeCell<()>>>,
    /// Locks that are known, and those of this execution.
    known_locks: BTreeSet<usize>,
    locks: HashMap<usize, &'static Mutex<()>>,
    /// Bytes as they were before the model began.
    undo: HashMap<usize, u8>,
    locals: HashMap<(u8, usize), Slot>,
    /// Orderings that are more than relaxed, by their place in the source, as far as they came up.
    orderings: BTreeSet<String>,
    /// The one that is to be relaxed, to see whether the model notices.
    weakened: Option<String>,
    /// How often a loop has tried in vain in this execution.
    pauses: u64,
    executions: u64,
}

/// A thread's own variable.
enum Slot {
    There(*const (), Option<Dropping>),
    Gone,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn world<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(f)
}

/// The number of the thread that runs outside of models.
const OUTSIDE: u8 = u8::MAX;

fn me() -> u8 {
    if !is_inside() {
        return OUTSIDE;
    }
    let id = thread::current().id();
    world(|world| {
        let next = u8::try_from(world.threads.len()).unwrap_or(OUTSIDE);
        *world.threads.entry(id).or_insert(next)
    })
}

/// Whether this runs within a model. A thread that panics has left it.
pub fn is_inside() -> bool {
    world(|world| world.inside) && !std::thread::panicking()
}

/// Whether this execution shows nothing, because not all was known that its threads share: what passes from one to the
/// other by plain memory orders nothing. The model begins again.
pub fn begins_again() -> bool {
    world(|world| world.is_stale)
}

/// What trying every order has shown.
pub struct Tried {
    pub executions: u64,
    /// Orderings that are more than relaxed and came up, by their place in the source.
    pub orderings: BTreeSet<String>,
}

/// Tries `model` in every order, with at most so many preemptions, with one ordering weakened if one is named. Panics
/// where an order breaks what the model asserts, or where a thread touches bytes that another one writes.
pub fn try_all(preemptions: usize, weakened: Option<String>, model: fn()) -> Tried {
    world(|world| world.weakened = weakened);
    let mut builder = Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 100_000;
    let execution = move || {
        begin();
        model();
        end();
    };
    loop {
        world(|world| world.executions = 0);
        match panic::catch_unwind(AssertUnwindSafe(|| builder.check(execution))) {
            Ok(()) => break,
            Err(_) if begins_again() => world(|world| world.inside = false),
            Err(panic) => panic::resume_unwind(panic),
        }
    }
    world(|world| Tried { executions: world.executions, orderings: std::mem::take(&mut world.orderings) })
}

/// Begins an execution.
fn begin() {
    let known = world(|world| {
        for (address, byte) in std::mem::take(&mut world.undo) {
            let place: *mut u8 = std::ptr::with_exposed_provenance_mut(address);
            // SAFETY: it was there when its byte was kept, and what a model writes to stays.
            #[allow(unsafe_code)]
            unsafe {
                *place = byte;
            }
        }
        world.threads.clear();
        world.touched.clear();
        world.touched_bytes.clear();
        world.kept.clear();
        world.locals.retain(|(thread, _), _| *thread == OUTSIDE);
        (world.is_stale, world.pauses) = (false, 0);
        world.executions += 1;
        (world.shared.clone(), world.shared_bytes.clone(), world.known_locks.clone())
    });
    let atomics = known.0.iter().map(|(at, in_memory)| (*at, Rc::new(AtomicU64::new(in_memory(*at)))));
    let atomics = atomics.collect();
    let cells = known.1.iter().map(|at| (*at, Rc::new(UnsafeCell::new(())))).collect();
    // Some bytes an execution that are not given back, so that what is locked may be held anywhere.
    let locks = known.2.iter().map(|at| (*at, &*Box::leak(Box::new(Mutex::new(()))))).collect();
    world(|world| {
        (world.atomics, world.cells, world.locks, world.inside) = (atomics, cells, locks, true);
    });
}

/// Ends an execution; begins the model again if it was not known what threads share.
fn end() {
    end_thread();
    world(|world| world.inside = false);
    if begins_again() {
        panic::resume_unwind(Box::new("not all was known that its threads share"));
    }
}

/// Where the value of the atomic at this address is.
pub fn place(address: usize, in_memory: InMemory, writes: bool) -> Place {
    let me = me();
    world(|world| {
        if me == OUTSIDE {
            return Place::Plain;
        }
        if let Some(atomic) = world.atomics.get(&address) {
            return Place::Model(Rc::clone(atomic));
        }
        if is_shared(&mut world.touched, address, me, writes) {
            world.shared.insert(address, in_memory);
            world.is_stale = true;
        }
        Place::Plain
    })
}

/// Notes that this thread touches something, and says whether threads share it.
fn is_shared(touched: &mut HashMap<usize, (u64, bool)>, address: usize, me: u8, writes: bool) -> bool {
    let (threads, written) = touched.entry(address).or_default();
    *threads |= 1 << me;
    *written |= writes;
    *written && threads.count_ones() > 1
}

/// What an atomic holds that no other thread looks at.
pub fn kept(address: usize) -> Option<u64> {
    if is_inside() { world(|world| world.kept.get(&address).copied()) } else { None }
}

/// Keeps what an atomic holds for this execution; says false outside of one.
pub fn keep(address: usize, bits: u64) -> bool {
    let inside = is_inside();
    if inside {
        world(|world| world.kept.insert(address, bits));
    }
    inside
}

/// Notes that bytes are touched. Loom panics if another thread may touch them at the same time, one of both writing.
pub fn touch(start: usize, bytes: usize, writes: bool) {
    let me = me();
    if me == OUTSIDE || bytes == 0 {
        return;
    }
    if writes {
        keep_bytes(start, bytes);
    }
    for word in start / 8..=(start + bytes - 1) / 8 {
        let cell = world(|world| {
            let cell = world.cells.get(&word).cloned();
            if cell.is_none() && is_shared(&mut world.touched_bytes, word, me, writes) {
                world.shared_bytes.insert(word);
                world.is_stale = true;
            }
            cell
        });
        match cell {
            Some(cell) if writes => cell.with_mut(|_| ()),
            Some(cell) => cell.with(|_| ()),
            None => {}
        }
    }
}

fn keep_bytes(start: usize, bytes: usize) {
    world(|world| {
        for address in start..start + bytes {
            let place: *const u8 = std::ptr::with_exposed_provenance(address);
            // SAFETY: whoever says that it writes there may read there, too.
            #[allow(unsafe_code)]
            world.undo.entry(address).or_insert_with(|| unsafe { *place });
        }
    });
}

/// Notes that a loop has tried in vain.
pub fn pause() {
    world(|world| world.pauses += 1);
}

/// How often a loop has tried in vain in this execution.
pub fn pauses() -> u64 {
    world(|world| world.pauses)
}

/// A lock that is held.
pub type Held = MutexGuard<'static, ()>;

/// Takes the lock at this address, where there can be another thread that has it.
pub fn lock(address: usize) -> Option<Held> {
    if !is_inside() {
        return None;
    }
    let lock = world(|world| {
        let lock = world.locks.get(&address).copied();
        world.is_stale |= lock.is_none() && world.known_locks.insert(address);
        lock
    });
    lock.and_then(|lock| lock.lock().ok())
}

/// The ordering that an operation asked for, or a relaxed one where that is to be tried.
#[track_caller]
pub fn ordering(order: Ordering, what: &str) -> Ordering {
    if order == Ordering::Relaxed || !is_inside() {
        return order;
    }
    let at = Location::caller();
    let file = at.file().rsplit_once("record/").map_or(at.file(), |(_, file)| file);
    let name = format!("{file}:{}:{} {what} {order:?}", at.line(), at.column());
    world(|world| {
        let is_weakened = world.weakened.as_ref() == Some(&name);
        world.orderings.insert(name);
        if is_weakened { Ordering::Relaxed } else { order }
    })
}

/// A variable of each thread's own.
pub struct Local<T: 'static> {
    init: fn() -> T,
}

/// It was dropped already.
#[derive(Debug)]
pub struct Dropped;

impl<T: 'static> Local<T> {
    pub const fn new(init: fn() -> T) -> Local<T> {
        Local { init }
    }

    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        self.try_with(f).expect("the variable is there")
    }

    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, Dropped> {
        let key = (me(), std::ptr::from_ref(self).addr());
        let init = self.init;
        let place = world(|world| match world.locals.entry(key).or_insert_with(|| Slot::of(init)) {
            Slot::There(place, _) => Some(*place),
            Slot::Gone => None,
        });
        let place = place.ok_or(Dropped)?;
        // SAFETY: it was made for a `T`, and stays until it is taken out at the end of the thread.
        #[allow(unsafe_code)]
        Ok(f(unsafe { &*place.cast::<T>() }))
    }
}

impl Slot {
    fn of<T: 'static>(init: fn() -> T) -> Slot {
        let value: &'static T = Box::leak(Box::new(init()));
        let place = std::ptr::from_ref(value);
        // SAFETY: it came from a box, and is dropped once.
        #[allow(unsafe_code)]
        let dropping = move || drop(unsafe { Box::from_raw(place.cast_mut()) });
        let dropping = std::mem::needs_drop::<T>().then(|| Box::new(dropping) as Dropping);
        Slot::There(place.cast(), dropping)
    }
}

/// Drops this thread's own variables, as the end of a thread does.
pub fn end_thread() {
    let me = me();
    let dropping: Vec<Dropping> = world(|world| {
        let mine = world.locals.iter_mut().filter(|((thread, _), _)| *thread == me);
        mine.filter_map(|(_, slot)| match slot {
            Slot::There(_, dropping) if dropping.is_some() => {
                let dropping = dropping.take();
                *slot = Slot::Gone;
                dropping
            }
            _ => None,
        })
        .collect()
    });
    dropping.into_iter().for_each(|drop| drop());
    if me == OUTSIDE {
        world(|world| world.locals.clear()); // the next one that runs outside is another thread
    }
}

/// Runs what another thread would do, and ends it, before a model begins. Whoever calls stays what it was.
pub fn aside(f: impl FnOnce()) {
    let mine = world(|world| std::mem::take(&mut world.locals));
    f();
    end_thread();
    world(|world| world.locals = mine);
}

/// A thread of a model.
pub fn spawn<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> thread::JoinHandle<R> {
    let body = move || {
        let result = f();
        end_thread();
        result
    };
    // Words, not bytes: loom's threads are small by themselves.
    thread::Builder::new().stack_size(1 << 15).spawn(body).expect("loom has room for the thread")
}
