//! What arrived, and how often: the pushes that the servers took and the dead letters, each item once, with what its
//! repetitions were due to. The same bytes are the same item: a line carries its record's id, and data carry sums that
//! hardly ever come twice.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::chaos::server::{Kind, Push};

/// Where an item was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// Taken by a server, and whether it may have been sent again.
    Push { again: bool },
    /// In the dead-letter file.
    Letter,
}

/// The items of one service.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    items: BTreeMap<String, Vec<Source>>,
    /// Lines of the dead-letter file that are none.
    pub(super) unreadable: Vec<String>,
}

/// Which lives may repeat what they were confirmed, and which may leave a letter twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promise<'a> {
    /// By life: its cursor may not have reached the disk.
    pub(super) may_repeat: &'a [bool],
    /// Whether a life of the round died in the middle of what it did.
    pub(super) any_crash: bool,
}

impl Arrivals {
    /// The items of these pushes and letters.
    pub(super) fn of(kind: Kind, pushes: &[Push], letters: &str, promise: Promise<'_>) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for push in pushes.iter().filter(|push| push.kind == kind) {
            let life = usize::try_from(push.life).unwrap_or(usize::MAX);
            let again = !push.confirmed || promise.may_repeat.get(life).copied().unwrap_or(false);
            for item in &push.items {
                arrivals.items.entry(item.clone()).or_default().push(Source::Push { again });
            }
        }
        for letter in letters.lines() {
            match read_letter(letter, kind) {
                Some(item) => arrivals.items.entry(item).or_default().push(Source::Letter),
                None => arrivals.unreadable.push(letter.chars().take(200).collect()),
            }
        }
        arrivals
    }

    /// Every item once, with how often it arrived.
    pub(super) fn items(&self) -> impl Iterator<Item = (&str, usize)> {
        self.items.iter().map(|(item, sources)| (item.as_str(), sources.len()))
    }

    /// How many arrivals were repetitions.
    pub(super) fn duplicates(&self) -> u64 {
        self.items.values().map(|sources| sources.len() as u64 - 1).sum()
    }

    /// Items that came again though the sender knew that they had arrived.
    pub(super) fn unexplained(&self, promise: Promise<'_>) -> Vec<&str> {
        let unexplained = |sources: &[Source]| {
            let letters = sources.iter().filter(|source| **source == Source::Letter).count();
            let pushes: Vec<bool> = sources
                .iter()
                .filter_map(|source| match source {
                    Source::Push { again } => Some(*again),
                    Source::Letter => None,
                })
                .collect();
            // A letter stands behind every push, or before the last one of a process that died over it.
            let sure = pushes.iter().filter(|again| !**again).count();
            let last_is_sure = pushes.last().is_some_and(|again| !again);
            let sure_before = sure - usize::from(last_is_sure && (letters == 0 || promise.any_crash));
            sure_before > 0 || (letters > 1 && !promise.any_crash)
        };
        let all = self.items.iter().filter(|(_, sources)| sources.len() > 1);
        all.filter(|(_, sources)| unexplained(sources)).map(|(item, _)| item.as_str()).collect()
    }
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

    const NONE: Promise<'static> = Promise { may_repeat: &[false, true], any_crash: false };

    fn push(life: u64, confirmed: bool) -> Push {
        Push { kind: Kind::Logs, life, items: vec!["x".to_owned()], confirmed }
    }

    fn unexplained(pushes: &[Push], letters: &str, promise: Promise<'_>) -> usize {
        Arrivals::of(Kind::Logs, pushes, letters, promise).unexplained(promise).len()
    }

    #[test]
    fn an_item_may_come_again_after_an_answer_that_was_lost_and_no_other() {
        let table = [
            (vec![push(0, true)], 0),
            (vec![push(0, false), push(0, true)], 0),
            (vec![push(0, false), push(0, false), push(2, true)], 0),
            (vec![push(0, true), push(0, true)], 1),
            (vec![push(0, true), push(2, false)], 1),
            (vec![push(1, true), push(2, true)], 0),
        ];
        for (pushes, wanted) in table {
            assert_eq!(unexplained(&pushes, "", NONE), wanted, "{pushes:?}");
        }
    }

    #[test]
    fn a_letter_is_written_once_unless_its_writer_died() {
        let (one, two) = ("{\"item\":\"x\"}\n", "{\"item\":\"x\"}\n{\"item\":\"x\"}\n");
        let died = Promise { any_crash: true, ..NONE };
        assert_eq!((unexplained(&[], one, NONE), unexplained(&[], two, NONE)), (0, 1));
        assert_eq!((unexplained(&[], two, died), unexplained(&[push(0, true)], one, died)), (0, 0));
        assert_eq!(unexplained(&[push(0, true)], one, NONE), 1, "what was delivered is not refused");
        assert_eq!(unexplained(&[push(0, false)], one, NONE), 0);
        assert_eq!(Arrivals::of(Kind::Logs, &[], "{\"item\":\"x\n", NONE).unreadable.len(), 1);
    }
}
