//! What arrived, and how often: the pushes that the servers took and the dead letters, each item once, with what its
//! repetitions were due to. The same bytes are the same item: a line carries its record's id, and data carry sums that
//! hardly ever come twice.
//!
//! The window of duplicates: a life goes on where the cursor of the one before stood, and the cursor stands before the
//! first record that was not known to have arrived. So an item may come again after an answer that its sender never
//! read, and behind a record of which that is true; behind, because one push may hold what another is still waiting for.

use std::collections::BTreeMap;

use serde_json::Value;

use super::events;
use super::sums::{self, is_told_by_bytes};
use crate::chaos::server::{Kind, Push};

/// Where an item was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Taken by a server from this life, and whether that life knew.
    Push { life: u64, sure: bool },
    /// In the dead-letter file.
    Letter,
}

/// The order of records in the journal: the life that recorded it, and its number there.
type Order = (u64, u64);

/// The items of one service.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    items: BTreeMap<String, Vec<Source>>,
    /// By item, where it is known.
    orders: BTreeMap<String, Order>,
    /// Lines of the dead-letter file that are none, as a process leaves them that dies over one.
    pub(super) unreadable: Vec<String>,
}

/// Which lives may repeat what they were confirmed, and which may leave a letter twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise<'a> {
    /// By life: its cursor may not have reached the disk.
    pub(super) may_repeat: &'a [bool],
    /// By life: it ended in the middle of what it did, and may not have come to note an answer that it had read.
    pub(super) crashed: &'a [bool],
    /// Whether a life of the round died in the middle of what it did.
    pub(super) any_crash: bool,
}

impl Arrivals {
    /// The items of these pushes and letters.
    pub(super) fn of(kind: Kind, pushes: &[Push], letters: &str, promise: Promise<'_>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for push in pushes.iter().filter(|push| push.kind == kind) {
            let at = usize::try_from(push.life).unwrap_or(usize::MAX);
            let is = |lives: &[bool]| lives.get(at).copied().unwrap_or(false);
            let is_noted = push.settled || !is(promise.crashed);
            let sure = push.confirmed && is_noted && !is(promise.may_repeat);
            for item in &push.items {
                arrivals.items.entry(item.clone()).or_default().push(Source::Push { life: push.life, sure });
            }
        }
        for letter in letters.lines() {
            match read_letter(letter, kind) {
                Some(item) => arrivals.items.entry(item).or_default().push(Source::Letter),
                None => arrivals.unreadable.push(letter.chars().take(200).collect()),
            }
        }
        arrivals.orders = match kind {
            Kind::Logs => orders(arrivals.items.keys()),
            // Data tell which life they are of, and no number there.
            Kind::Metrics => {
                let order = |item: &String| Some((item.clone(), (sums::life(item)?, 0)));
                arrivals.items.keys().filter_map(order).collect()
            }
        };
        arrivals
    }

    /// Every item once, with how often it arrived.
    pub(super) fn items(&self) -> impl Iterator<Item = (&str, usize)> {
        self.items.iter().map(|(item, sources)| (item.as_str(), sources.len()))
    }

    /// How many arrivals were repetitions, of what its bytes tell.
    pub(super) fn duplicates(&self) -> u64 {
        self.told().map(|(_, sources)| sources.len() as u64 - 1).sum()
    }

    /// Items that came again though the sender knew that they had arrived.
    pub(super) fn unexplained(&self, promise: Promise<'_>) -> Vec<&str> {
        let lives = promise.may_repeat.len() as u64;
        let open: Vec<Option<Order>> = (0..lives).map(|life| self.first_open(life)).collect();
        let told = self.told().filter(|(_, sources)| sources.len() > 1);
        let unexplained = told.filter(|(item, sources)| {
            let order = self.orders.get(item.as_str());
            // A record behind one that was still open at the end of the life that sent it was not settled.
            let settled = |life: u64| {
                let open = usize::try_from(life).ok().and_then(|life| *open.get(life)?);
                open.zip(order).is_none_or(|(open, order)| *order < open)
            };
            // A letter says nothing of when it was written: it may stand before what a later life sent again.
            let reopened = promise.any_crash || (0..lives).any(|life| !settled(life));
            is_unexplained(sources, settled, reopened)
        });
        unexplained.map(|(item, _)| item.as_str()).collect()
    }

    /// The first record, of this life or one before, that no life up to this one knew to have arrived.
    fn first_open(&self, life: u64) -> Option<Order> {
        let is_open = |sources: &[Source]| {
            sources
                .iter()
                .all(|source| matches!(source, Source::Push { life: by, sure } if *by > life || !sure))
        };
        let known = self.items.iter().filter_map(|(item, sources)| Some((*self.orders.get(item)?, sources)));
        known.filter(|(order, sources)| order.0 <= life && is_open(sources)).map(|(order, _)| order).min()
    }

    /// Items that are known by their bytes.
    fn told(&self) -> impl Iterator<Item = (&String, &Vec<Source>)> {
        self.items.iter().filter(|(item, _)| is_told_by_bytes(item))
    }
}

/// Whether one of these, but for the last, was settled: what comes after it should not have come. A letter is the last,
/// and there is one, unless its record was reopened.
fn is_unexplained(sources: &[Source], settled: impl Fn(u64) -> bool, reopened: bool) -> bool {
    let letters = sources.iter().filter(|source| **source == Source::Letter).count();
    let pushes: Vec<bool> = sources
        .iter()
        .filter_map(|source| match source {
            Source::Push { life, sure } => Some(*sure && settled(*life)),
            Source::Letter => None,
        })
        .collect();
    let last_is_end = letters == 0 || reopened;
    let before_the_end = if last_is_end { pushes.len().saturating_sub(1) } else { pushes.len() };
    pushes[..before_the_end].contains(&true) || (letters > 1 && !reopened)
}

/// Where the records of these items stand, by their ids: which life a process was is told by its lines.
fn orders<'a>(items: impl Iterator<Item = &'a String>) -> BTreeMap<String, Order> {
    let ids: Vec<_> = items.filter_map(|item| Some((item, events::id(item)?, events::life(item)))).collect();
    let place =
        |id: &str| id.rsplit_once('-').map(|(process, seq)| (process.to_owned(), seq.parse().unwrap_or(0)));
    let lives: BTreeMap<String, u64> =
        ids.iter().filter_map(|(_, id, life)| Some((place(id)?.0, (*life)?))).collect();
    let order = |id: &str| {
        let (process, seq) = place(id)?;
        Some((*lives.get(&process)?, seq))
    };
    ids.iter().filter_map(|(item, id, _)| Some(((*item).clone(), order(id)?))).collect()
}

/// The item of a dead letter: data in the form that the server keeps them in.
fn read_letter(letter: &str, kind: Kind) -> Option<String> {
    let letter: Value = serde_json::from_str(letter).ok()?;
    let item = letter["item"].as_str()?;
    match kind {
        Kind::Logs => Some(item.to_owned()),
        Kind::Metrics => serde_json::from_str::<Value>(item).ok().map(|datum| datum.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Promise<'static> =
        Promise { may_repeat: &[false, true, false], crashed: &[false; 3], any_crash: false };

    fn line(seq: u64) -> String {
        format!(r#"{{"id":"0a-{seq}","life":0,"message":"x"}}"#)
    }

    fn push(life: u64, confirmed: bool, seqs: &[u64]) -> Push {
        let items = seqs.iter().map(|seq| line(*seq)).collect();
        Push { kind: Kind::Logs, life, items, confirmed, settled: false }
    }

    fn unexplained(pushes: &[Push], letters: &str, promise: Promise<'_>) -> usize {
        Arrivals::of(Kind::Logs, pushes, letters, promise).unexplained(promise).len()
    }

    #[test]
    fn an_item_may_come_again_after_an_answer_that_was_lost_and_no_other() {
        let table = [
            (vec![push(0, true, &[5])], 0),
            (vec![push(0, false, &[5]), push(0, true, &[5])], 0),
            (vec![push(0, false, &[5]), push(0, false, &[5]), push(2, true, &[5])], 0),
            (vec![push(0, true, &[5]), push(0, true, &[5])], 1),
            (vec![push(0, true, &[5]), push(2, false, &[5])], 1),
            (vec![push(1, true, &[5]), push(2, true, &[5])], 0),
        ];
        for (pushes, wanted) in table {
            assert_eq!(unexplained(&pushes, "", NONE), wanted, "{pushes:?}");
        }
    }

    #[test]
    fn of_a_life_that_died_an_answer_is_noted_when_a_second_push_followed_it() {
        let died = Promise { crashed: &[true, false, false], any_crash: true, ..NONE };
        let again = push(2, true, &[5]);
        let first = push(0, true, &[5]);
        let noted = Push { settled: true, ..first.clone() };
        assert_eq!(unexplained(&[first.clone(), again.clone()], "", died), 0);
        assert_eq!(unexplained(&[noted, again.clone()], "", died), 1);
        assert_eq!(unexplained(&[first, again], "", NONE), 1, "it had the time to note it");
    }

    #[test]
    fn an_item_may_come_again_behind_one_that_was_open_and_not_before_it() {
        let again = push(2, true, &[4, 5, 6]);
        let table = [
            // 4 was never known to have arrived: what stands behind it comes again with it.
            (vec![push(0, true, &[5, 6]), push(0, false, &[4]), again.clone()], 0),
            (vec![push(0, true, &[5, 6]), again.clone()], 0),
            // 6 was open: 4 and 5 were not to come again.
            (vec![push(0, true, &[4, 5]), push(0, false, &[6]), again.clone()], 2),
            (vec![push(0, true, &[4, 5, 6]), again], 3),
        ];
        for (pushes, wanted) in table {
            assert_eq!(unexplained(&pushes, "", NONE), wanted, "{pushes:?}");
        }
    }

    #[test]
    fn a_letter_is_written_once_unless_its_writer_died() {
        let letter = serde_json::json!({ "item": line(5) }).to_string() + "\n";
        let (one, two) = (letter.as_str(), letter.repeat(2));
        let died = Promise { any_crash: true, ..NONE };
        assert_eq!((unexplained(&[], one, NONE), unexplained(&[], &two, NONE)), (0, 1));
        assert_eq!((unexplained(&[], &two, died), unexplained(&[push(0, true, &[5])], one, died)), (0, 0));
        assert_eq!(unexplained(&[push(0, true, &[5])], one, NONE), 1, "what was delivered is not refused");
        assert_eq!(unexplained(&[push(0, false, &[5])], one, NONE), 0);
        let behind_an_open_one = [push(0, true, &[3]), push(2, true, &[4, 5])];
        assert_eq!(unexplained(&behind_an_open_one, one, NONE), 0, "a letter, and then sent again behind 4");
        assert_eq!(Arrivals::of(Kind::Logs, &[], "{\"item\":\"x\n", NONE).unreadable.len(), 1);
    }
}
