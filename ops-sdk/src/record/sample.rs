//! Which calls of a function are timed, where not all of them are. Each call is chosen with the same chance, whatever
//! was chosen before, so that no pattern in the calls can fall in with one in the choice. What is drawn is how many
//! calls pass until the next one, and that only once for each that is timed: all others just count down, and are
//! counted by that.

use std::cell::Cell;
use std::ptr;

use super::cell::{Draw, HistogramCell};
use super::{Site, stamp};

/// Whether this call of a site, which is counted in `cell`, is one to be timed, and how far timing was thinned when it
/// was chosen. If not, it is counted.
#[inline(always)]
pub(super) fn is_timed(site: &Site, cell: &HistogramCell) -> Option<u32> {
    cell.is_timed(|| draw(site))
}

#[cold]
fn draw(site: &Site) -> Draw {
    let (of, own) = (site.timed_every().max(1), site.sample.max(1));
    // What a governor adds to the site's own sampling is a power of two: so many zeros fewer in front of the number.
    Draw { gap: gap(of), thinned: own.leading_zeros().saturating_sub(of.leading_zeros()) }
}

/// How many calls pass until the next one in `n`: as often 0 as such a call follows at once, and so on. The usual choice
/// stands by itself, with no more code around it than it needs.
fn gap(n: u32) -> u32 {
    if n == 16 { gap_in_lanes::<4>() } else { gap_of_any(n) }
}

#[inline(never)]
fn gap_of_any(n: u32) -> u32 {
    match n {
        0 | 1 => 0,
        2 => gap_in_lanes::<1>(),
        4 => gap_in_lanes::<2>(),
        256 => gap_in_lanes::<8>(),
        _ => gap_by_logarithm(n),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
// 32 bits are exact, the rest is bounded, and the logarithm is at most 0
fn gap_by_logarithm(n: u32) -> u32 {
    let (chance, of) = (((thrown() >> 32) as f64 + 1.0) / 4_294_967_296.0, f64::from(n));
    // The mean is -1 / ln(1 - 1/n); of its series, four terms are a part in 20,000 off from n = 8 on.
    let share = 1.0 / of;
    let mean = if n < 8 { -1.0 / (-share).ln_1p() } else { of - 0.5 - share / 12.0 - share * share / 24.0 };
    (-chance.ln() * mean) as u32
}

/// The same where `n` is 2 to the `BITS`: a call is chosen where so many random bits are all 0, and 64 of them are looked at
/// together, without a logarithm. No gap is longer than half of what fits, so that it comes to an end with any dice.
#[inline(always)]
fn gap_in_lanes<const BITS: u32>() -> u32 {
    let lowest = u64::MAX / ((1 << BITS) - 1);
    let mut passed = 0;
    loop {
        let bits = thrown();
        let any = (1..BITS).fold(bits, |any, shift| any | bits >> shift);
        let chosen = !any & lowest;
        if chosen != 0 || passed >= u32::MAX / 2 {
            return passed + chosen.trailing_zeros() / BITS;
        }
        passed += u64::BITS / BITS;
    }
}

thread_local! {
    /// The state of this thread's dice; 0 until it is first thrown.
    static DICE: Cell<u64> = const { Cell::new(0) };
}

/// 64 random bits (wyrand: a counter, multiplied and folded).
#[allow(clippy::cast_possible_truncation)] // halves
fn thrown() -> u64 {
    DICE.with(|dice| {
        let state = if dice.get() == 0 { seed(dice) } else { dice.get() };
        let state = state.wrapping_add(0xA076_1D64_78BD_642F);
        dice.set(state);
        let wide = u128::from(state) * u128::from(state ^ 0xE703_7ED1_A0B4_28DB);
        (wide >> 64) as u64 ^ wide as u64
    })
}

/// In a child of `fork`: it does not choose the calls that its parent chooses. Async-signal-safe.
pub(super) fn forget_in_child() {
    DICE.set(0);
}

/// Another beginning for each thread.
#[cold]
#[inline(never)]
fn seed(dice: &Cell<u64>) -> u64 {
    (ptr::from_ref(dice).addr() as u64).rotate_left(32) ^ stamp::ticks()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Arena;

    fn is_timed(cell: &HistogramCell, n: u32) -> bool {
        cell.is_timed(|| Draw { gap: gap(n), thinned: 0 }).is_some()
    }

    fn cell() -> &'static HistogramCell {
        stamp::warm();
        let arena = Arena::get_or_reserve(256 << 20).expect("256 MiB of address space");
        arena.at(arena.reserve(size_of::<HistogramCell>()).expect("room")).expect("a cell")
    }

    #[test]
    fn one_in_n_is_chosen_without_a_pattern() {
        assert!((0..100).all(|_| is_timed(cell(), 1) && is_timed(cell(), 0)));
        const CALLS: usize = 1 << 20;
        for n in [2u32, 3, 4, 16, 256, 1000] {
            let cell = cell();
            let chosen: Vec<bool> = (0..CALLS).map(|_| is_timed(cell, n)).collect();
            // Ten standard deviations of a fair choice; of each residue of the calls' numbers, too.
            for of in [1usize, 2, 16] {
                for rest in 0..of {
                    let hits = chosen.iter().skip(rest).step_by(of).filter(|hit| **hit).count();
                    let (share, calls) = (1.0 / f64::from(n), CALLS as f64 / of as f64);
                    let spread = 10.0 * (calls * share * (1.0 - share)).sqrt();
                    let off = (hits as f64 - calls * share).abs();
                    assert!(off < spread, "1 in {n}, {rest} of {of}: {hits}");
                }
            }
        }
    }

    #[test]
    fn the_first_calls_are_chosen_as_often_as_later_ones() {
        let first = (0..20_000).filter(|_| is_timed(cell_again(), 16)).count();
        // 1,250 of them, within ten standard deviations.
        assert!((900..1_600).contains(&first), "{first}");
    }

    /// A cell of which no call was chosen yet.
    fn cell_again() -> &'static HistogramCell {
        thread_local!(static ONE: &'static HistogramCell = cell());
        ONE.with(|cell| {
            cell.forget_gap();
            *cell
        })
    }
}
