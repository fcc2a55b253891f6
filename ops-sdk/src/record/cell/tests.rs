//! Cells whose writer never pauses, or stands still half way, and sums that one value would swallow.

use super::super::arena::Arena;
use super::*;

fn arena() -> Arena {
    crate::record::stamp::warm();
    Arena::get_or_reserve(256 << 20).expect("256 MiB of address space")
}

fn taking() -> Taking {
    Taking::of(arena())
}

fn histogram() -> &'static HistogramCell {
    let arena = arena();
    arena.at(arena.reserve(size_of::<HistogramCell>()).expect("room")).expect("a cell")
}

fn gauge() -> &'static GaugeCell {
    let arena = arena();
    arena.at(arena.reserve(size_of::<GaugeCell>()).expect("room")).expect("a cell")
}

#[test]
fn what_a_writer_has_finished_is_taken_while_it_stands_still_within_another_write() {
    let (sizes, level) = (histogram(), gauge());
    for n in 1..=5 {
        assert_eq!(sizes.observe(arena(), f64::from(n), 1), Observed::Yes);
        level.set(f64::from(n), 7);
    }
    sizes.stand_still(true);
    level.tally.stand_still(true);
    let (told, values) = sizes.take(arena(), taking()).expect("five values");
    assert_eq!(values, 5);
    assert_eq!((told.count, told.sum, told.min, told.max), (5, 15.0, 1.0, 5.0));
    let told = level.take(taking()).expect("five values");
    assert_eq!((told.count, told.sum, told.last), (5, 15.0, 5.0));
    sizes.stand_still(false);
    level.tally.stand_still(false);
    assert_eq!((sizes.take(arena(), taking()), level.take(taking())), (None, None));
}

#[test]
fn a_thread_that_never_pauses_is_read_all_the_same_and_exactly() {
    let sizes = histogram();
    let rounds = 400_000u32;
    let writer = std::thread::spawn(move || {
        (0..rounds).for_each(|n| assert_eq!(sizes.observe(arena(), f64::from(n % 7), 1), Observed::Yes));
    });
    let (mut count, mut sum) = (0, 0.0);
    let mut take = |last: bool| {
        if let Some((told, _)) = sizes.take(arena(), taking()) {
            assert_eq!(told.buckets.iter().map(|(_, n)| n).sum::<u64>(), told.count);
            count += told.count;
            sum += told.sum;
        }
        if last { (count, sum) } else { (0, 0.0) }
    };
    while !writer.is_finished() {
        take(false);
    }
    writer.join().expect("the writer ends");
    let exact: f64 = (0..rounds).map(|n| f64::from(n % 7)).sum();
    assert_eq!(take(true), (u64::from(rounds), exact));
}

#[test]
fn one_huge_value_does_not_swallow_those_that_come_after_it() {
    let (sizes, level) = (histogram(), gauge());
    for (value, wanted) in [(1e100, 1e100), (1.0, 1000.0), (-1e100, -1e100), (0.5, 500.0)] {
        let times = if f64::abs(value) > 1.0 { 1 } else { 1000 };
        for _ in 0..times {
            assert_eq!(sizes.observe(arena(), value, 1), Observed::Yes);
            level.set(value, 1);
        }
        assert_eq!(sizes.take(arena(), taking()).map(|(told, _)| told.sum), Some(wanted));
        assert_eq!(level.take(taking()).map(|told| told.sum), Some(wanted));
    }
}

#[test]
fn a_sum_beyond_two_to_the_53_still_counts_every_byte() {
    let sizes = histogram();
    assert_eq!(sizes.observe(arena(), 2f64.powi(60), 1), Observed::Yes);
    let _ = sizes.take(arena(), taking());
    (0..1001).for_each(|_| assert_eq!(sizes.observe(arena(), 3.0, 1), Observed::Yes));
    assert_eq!(sizes.take(arena(), taking()).map(|(told, _)| told.sum), Some(3003.0));
}

#[test]
fn a_counter_that_passes_the_end_of_its_word_counts_on() {
    let arena = arena();
    let offset = arena.reserve(size_of::<CounterCell>()).expect("room");
    let cell: &CounterCell = arena.at(offset).expect("a cell");
    cell.add(u64::MAX - 1);
    assert_eq!(cell.take(taking()), u64::MAX - 1);
    cell.add(5);
    assert_eq!(cell.take(taking()), 5);
}
