//! Sets of record ids, kept as runs of numbers: what an object holds. As text, `00c0ffee00c0ffee:1-7,9;…`, they are the
//! body of an intent. Any text is read without complaint, or is no set at all.

use std::fmt::{self, Write};

use crate::crc::{crc32, crc32c};
use crate::model::RecordId;

/// Ids of one process in a row, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    process: u64,
    first: u64,
    last: u64,
}

/// A set of record ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ids {
    /// In order, apart from each other.
    runs: Vec<Run>,
}

impl Ids {
    /// The set of these.
    pub(super) fn of(ids: impl Iterator<Item = RecordId>) -> Ids {
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        let mut runs: Vec<Run> = Vec::new();
        for RecordId { process, seq } in ids {
            match runs.last_mut() {
                Some(run) if run.process == process && run.last.saturating_add(1) >= seq => run.last = seq,
                _ => runs.push(Run { process, first: seq, last: seq }),
            }
        }
        Ids { runs }
    }

    /// Whether this one is among them.
    pub(super) fn contains(&self, id: RecordId) -> bool {
        let after = self.runs.partition_point(|run| (run.process, run.first) <= (id.process, id.seq));
        let run = after.checked_sub(1).map(|index| self.runs[index]);
        run.is_some_and(|run| run.process == id.process && id.seq <= run.last)
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.runs.iter().map(|run| (run.last - run.first).saturating_add(1)).fold(0, u64::saturating_add)
    }

    /// The least of them.
    pub(super) fn first(&self) -> RecordId {
        self.runs.first().map_or(RecordId::default(), |run| RecordId { process: run.process, seq: run.first })
    }

    /// What tells this set from others, in sixteen hexadecimal digits.
    pub(super) fn mark(&self) -> String {
        let text = self.to_string();
        format!("{:08x}{:08x}", crc32(text.as_bytes()), crc32c(text.as_bytes()))
    }

    /// The set that a text is of; `None` if it is of none.
    pub(super) fn parse(text: &str) -> Option<Ids> {
        let mut runs = Vec::new();
        for of_process in text.split(';') {
            let (process, ranges) = of_process.split_once(':')?;
            let process = u64::from_str_radix(process, 16).ok()?;
            for range in ranges.split(',') {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                runs.push(Run { process, first: first.parse().ok()?, last: last.parse().ok()? });
            }
        }
        let apart = runs.windows(2).all(|two| (two[0].process, two[0].last) < (two[1].process, two[1].first));
        (apart && runs.iter().all(|run| run.first <= run.last)).then_some(Ids { runs })
    }
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.runs.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| self.runs[before].process);
            match before {
                Some(process) if process == run.process => f.write_char(',')?,
                Some(_) => write!(f, ";{:016x}:", run.process)?,
                None => write!(f, "{:016x}:", run.process)?,
            }
            match run.first == run.last {
                true => write!(f, "{}", run.first)?,
                false => write!(f, "{}-{}", run.first, run.last)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(process: u64, seq: u64) -> RecordId {
        RecordId { process, seq }
    }

    #[test]
    fn a_set_is_its_runs() {
        let ids = Ids::of([id(7, 3), id(255, 1), id(7, 1), id(7, 2), id(7, 9)].into_iter());
        assert_eq!(ids.to_string(), "0000000000000007:1-3,9;00000000000000ff:1");
        assert_eq!(Ids::parse(&ids.to_string()).unwrap(), ids);
        assert_eq!((ids.first(), ids.mark().len(), ids.len()), (id(7, 1), 16, 5));
        for (process, seq, expected) in
            [(7, 0, false), (7, 1, true), (7, 4, false), (7, 9, true), (255, 1, true), (8, 1, false)]
        {
            assert_eq!(ids.contains(id(process, seq)), expected, "{process} {seq}");
        }
    }

    #[test]
    fn what_is_no_set_is_none() {
        for text in
            ["", "x", "7", "7:", "7:x", "7:3-1", "7:1-3,2", "8:1;7:1", "7:1;", "7:1-99999999999999999999"]
        {
            assert_eq!(Ids::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in_and_nothing_else(list in prop::collection::vec((0..3_u64, 0..40_u64), 1..60)) {
            let ids = Ids::of(list.iter().map(|(process, seq)| id(*process, *seq)));
            let set: BTreeSet<_> = list.iter().copied().collect();
            for process in 0..4 {
                for seq in 0..42 {
                    prop_assert_eq!(ids.contains(id(process, seq)), set.contains(&(process, seq)));
                }
            }
            prop_assert_eq!(Ids::parse(&ids.to_string()), Some(ids));
        }

        #[test]
        fn any_text_is_read(text in "[0-9a-f:;,-]{0,40}") {
            if let Some(ids) = Ids::parse(&text) {
                prop_assert_eq!(Ids::parse(&ids.to_string()).map(|ids| ids.mark()), Some(ids.mark()));
            }
        }
    }
}
