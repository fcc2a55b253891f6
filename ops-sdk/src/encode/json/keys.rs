//! Keys of an object, each told apart from the others.
//!
//! A key that a line keeps for itself gets a prefix; a key that is there already gets a number: `amount`, `amount.2`.
//! Nothing is left out, so nothing is lost, and the first to come keeps its name.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Up to this many keys are compared each with each; beyond, a set is faster.
const FEW: usize = 24;

/// Keys that a line keeps for itself.
pub(super) struct Reserved {
    pub(super) keys: &'static [&'static str],
    bits: u64,
}

impl Reserved {
    pub(super) const fn new(keys: &'static [&'static str]) -> Reserved {
        let (mut bits, mut index) = (0, 0);
        while index < keys.len() {
            bits |= bit(keys[index]);
            index += 1;
        }
        Reserved { keys, bits }
    }
}

/// A bit for a key, by its length and its ends. Keys that are alike have the same; others seldom do.
#[allow(clippy::cast_possible_truncation)] // a wrapped length is as good
const fn bit(key: &str) -> u64 {
    let (first, last) = match key.as_bytes() {
        [] => (0, 0),
        [only] => (*only, *only),
        [first, .., last] => (*first, *last),
    };
    let mixed = (key.len() as u8).wrapping_mul(7) ^ first.wrapping_mul(5) ^ last.wrapping_mul(11);
    1 << (mixed % 64)
}

/// Whether no key is there twice and none is reserved: the common case, told without allocating.
#[inline]
pub(super) fn are_distinct<'k>(reserved: &Reserved, keys: impl Iterator<Item = &'k str> + Clone) -> bool {
    let (mut bits, mut clear) = (0, true);
    for key in keys.clone() {
        let bit = bit(key);
        if reserved.bits & bit != 0 && reserved.keys.contains(&key) {
            return false;
        }
        clear &= bits & bit == 0;
        bits |= bit;
    }
    clear || are_different(keys)
}

fn are_different<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> bool {
    let count = keys.clone().count();
    if count > FEW {
        let mut seen = HashSet::with_capacity(count);
        return keys.clone().all(|key| seen.insert(key));
    }
    keys.clone().enumerate().all(|(index, key)| keys.clone().take(index).all(|before| before != key))
}

/// The names under which keys are written.
pub(super) struct Names<'k> {
    reserved: &'k [&'k str],
    /// Names given, and the number that the next key of this name gets.
    given: HashMap<Cow<'k, str>, u64>,
}

impl<'k> Names<'k> {
    /// Nothing is given yet but what is reserved.
    pub(super) fn new(reserved: &'k [&'k str]) -> Names<'k> {
        let given = reserved.iter().map(|key| (Cow::Borrowed(*key), 2)).collect();
        Names { reserved, given }
    }

    /// A name for `key` that none was given before.
    pub(super) fn give(&mut self, key: &'k str, prefix: &str) -> Cow<'k, str> {
        let name = match self.reserved.contains(&key) {
            true => Cow::Owned(format!("{prefix}{key}")),
            false => Cow::Borrowed(key),
        };
        let Some(next) = self.given.get(&name).copied() else {
            self.given.insert(name.clone(), 2);
            return name;
        };
        let numbered = |number: &u64| format!("{name}.{number}");
        let free =
            (next..).find(|number| !self.given.contains_key(numbered(number).as_str())).unwrap_or(next);
        let unique: Cow<'k, str> = Cow::Owned(numbered(&free));
        self.given.insert(name, free + 1);
        self.given.insert(unique.clone(), 2);
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_collides_gets_a_prefix_or_a_number() {
        let table: &[(&[&str], &[&str])] = &[
            (&["amount", "order.id"], &["amount", "order.id"]),
            (&["time", "amount"], &["fields.time", "amount"]),
            (&["a", "a", "a"], &["a", "a.2", "a.3"]),
            (&["a", "a.2", "a"], &["a", "a.2", "a.3"]),
            (&["a", "a", "a.2"], &["a", "a.2", "a.2.2"]),
            (&["time", "time"], &["fields.time", "fields.time.2"]),
            (&["fields.time", "time"], &["fields.time", "fields.time.2"]),
            (&["time", "fields.time"], &["fields.time", "fields.time.2"]),
            (&["", ""], &["", ".2"]),
        ];
        for (keys, expected) in table {
            let mut names = Names::new(&["time", "id"]);
            let given: Vec<_> = keys.iter().map(|key| names.give(key, "fields.")).collect();
            assert_eq!(given, *expected);
        }
    }

    #[test]
    fn few_and_many_keys_are_judged_alike() {
        for count in [0, 1, FEW, FEW + 1, 1000] {
            let mut keys: Vec<String> = (0..count).map(|n| format!("key{n}")).collect();
            const ID: &Reserved = &Reserved::new(&["id"]);
            const TIME: &Reserved = &Reserved::new(&["time"]);
            let distinct =
                |keys: &[String], reserved| are_distinct(reserved, keys.iter().map(String::as_str));
            assert!(distinct(&keys, ID));
            keys.push("id".into());
            assert!(!distinct(&keys, ID));
            assert!(distinct(&keys, TIME));
            keys.push("id".into());
            assert!(!distinct(&keys, TIME));
        }
    }
}
