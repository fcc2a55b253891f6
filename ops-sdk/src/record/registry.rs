//! The sites that were used at least once, numbered from 1 in the order of their first use. Numbers stand for sites
//! in lanes and frames, because an address means nothing to another process.

use std::sync::atomic::Ordering;

use parking_lot::RwLock;

use super::Site;

static SITES: RwLock<Vec<&'static Site>> = RwLock::new(Vec::new());

/// The number of a site; gives it one if it has none.
#[cold]
pub(super) fn number(site: &'static Site) -> u32 {
    let mut sites = SITES.write();
    let known = site.slot();
    if known != 0 {
        return known;
    }
    sites.push(site);
    let slot = u32::try_from(sites.len()).unwrap_or(u32::MAX);
    site.slot.store(slot, Ordering::Relaxed);
    slot
}

/// Every site that was used at least once.
pub(crate) fn sites() -> Vec<&'static Site> {
    SITES.read().clone()
}
