//! Numbers of sites, by what a block says of them: a site that many blocks have is one site to whoever keeps something
//! for it, such as the text that its lines have in common.
//!
//! Promises: two sites that are told in other bytes never have the same number, nor is one given again for others. Kept for
//! each thread: 64 sites, which push each other out.

use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

const PLACES: usize = 64;

/// Numbers given so far.
static GIVEN: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// What was said of a site, and its number.
    static SITES: RefCell<Vec<(Vec<u8>, u64)>> = const { RefCell::new(Vec::new()) };
}

/// The number of a site of which this is said, which is not nothing.
pub(super) fn number(said: &[u8]) -> u64 {
    SITES.with_borrow_mut(|sites| {
        if sites.is_empty() {
            sites.resize_with(PLACES, Default::default);
        }
        let site = &mut sites[place(said)];
        if site.0 != said {
            said.clone_into(&mut site.0);
            site.1 = GIVEN.fetch_add(1, Relaxed);
        }
        site.1
    })
}

/// FNV-1a, of which the upper bits are the better ones.
#[allow(clippy::cast_possible_truncation)] // a remainder
fn place(said: &[u8]) -> usize {
    let hash = said.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ((hash >> 32) % PLACES as u64) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_same_site_has_the_same_number_and_no_other_has() {
        let sites: Vec<_> = (0..5 * PLACES).map(|n| format!("site {n}")).collect();
        let mut said: BTreeMap<u64, &str> = BTreeMap::new();
        for site in sites.iter().chain(&sites) {
            let given = number(site.as_bytes());
            assert_eq!(given, number(site.as_bytes()));
            assert_eq!(*said.entry(given).or_insert(site), site);
        }
    }
}
