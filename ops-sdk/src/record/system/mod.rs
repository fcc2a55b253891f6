//! What is asked of the operating system by its own calls, because the standard library has none: memory that is a
//! file, and room on the disk for it. Every call here is one that the system answers at once; none is on the way of a
//! macro. Where there is no unix, memory comes from the heap and there are no files.

#[cfg(unix)]
pub(crate) mod fork;
#[cfg(not(unix))]
#[path = "fork_none.rs"]
pub(crate) mod fork;
#[cfg(all(unix, not(miri)))]
mod map;
#[cfg(not(all(unix, not(miri))))]
#[path = "map_heap.rs"]
mod map;
#[cfg(unix)]
pub(crate) mod signals;

pub(crate) use self::map::{Map, allocate, is_unsupported, populate, reserve_room};

#[cfg(test)]
mod tests;
