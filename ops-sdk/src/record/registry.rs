//! The sites that were used at least once, numbered from 1 in the order of their first use. Numbers stand for sites
//! in lanes and frames, because an address means nothing to another process.
//!
//! A fixed table without a lock: whoever comes here may be an allocator or a signal handler, and must be able to come
//! back to it from within.

use std::ptr::{self, NonNull};

use super::arena::Arena;
use super::sync::{AtomicPtr, AtomicU32, Ordering};
use super::{Site, catalog};

/// Places for sites: 512 KiB of address space, occupied as it is used. A program of a million lines has some thousand.
const SITES_MAX: u32 = 1 << 16;

static SITES: [AtomicPtr<Site>; SITES_MAX as usize] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SITES_MAX as usize];
static NUMBERED: AtomicU32 = AtomicU32::new(0);

/// The number of a site; gives it one if it has none. `None` when there are no numbers left.
///
/// Two threads that come at once take a number each, and one of them is the site's from then on; the other stays a
/// second name of the same site, which harms nothing.
#[cold]
pub(super) fn number(site: &'static Site) -> Option<u32> {
    let known = site.slot();
    if known != 0 {
        return Some(known);
    }
    let next = |taken: u32| (taken < SITES_MAX).then_some(taken + 1);
    let entered = match Arena::get() {
        Some(arena) => Some((arena, catalog::prepare(arena, site)?)),
        None => None,
    };
    let at = NUMBERED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
    if let Some((arena, entry)) = entered {
        catalog::enter(arena, entry, at + 1);
    }
    SITES[at as usize].store(ptr::from_ref(site).cast_mut(), Ordering::Release);
    Some(site.set_slot(at + 1))
}

/// Every site that has a number, once.
pub(super) fn all() -> impl Iterator<Item = &'static Site> {
    let numbered = 1..=NUMBERED.load(Ordering::Relaxed);
    numbered.filter_map(|number| site(number).filter(|site| site.slot() == number))
}

/// Every number that was given, with its site.
pub(super) fn numbered() -> impl Iterator<Item = (u32, &'static Site)> {
    (1..=NUMBERED.load(Ordering::Relaxed)).filter_map(|number| Some((number, site(number)?)))
}

/// The site of this number.
pub(super) fn site(number: u32) -> Option<&'static Site> {
    let place = SITES.get((number as usize).checked_sub(1)?)?;
    // SAFETY: what is stored is null or came from a `&'static Site`.
    NonNull::new(place.load(Ordering::Acquire)).map(|site| unsafe { site.as_ref() })
}
