//! Keys of an object, each told apart from the others.
//!
//! A key that a line keeps for itself gets a prefix; a key that is there already gets a number: `amount`, `amount.2`.
//! Nothing is left out, so nothing is lost, and the first to come keeps its name.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// Up to this many keys are compared each with each; beyond, a set is faster.
const FEW: usize = 24;

/// Whether no key is there twice and none is reserved: the common case, told without allocating. Most keys are told
/// apart by a bit each; where two have the same, the keys themselves are compared.
pub(super) fn are_distinct<'k>(
    reserved: &[&str],
    keys: impl ExactSizeIterator<Item = &'k str> + Clone,
) -> bool {
    let (mut bits, mut clear) = (reserved.iter().fold(0, |bits, key| bits | bit(key)), true);
    for key in keys.clone() {
        clear &= bits & bit(key) == 0;
        bits |= bit(key);
    }
    clear || are_different(reserved, keys)
}

/// A bit for a key, by its length and its ends.
#[inline]
fn bit(key: &str) -> u64 {
    let ends = key.as_bytes().first().zip(key.as_bytes().last()).map_or(0, |(a, b)| a.wrapping_mul(5) ^ b.wrapping_mul(11));
    1 << ((key.len() * 7) as u64 + u64::from(ends)) % 64
}

#[cold]
fn are_different<'k>(reserved: &[&str], keys: impl ExactSizeIterator<Item = &'k str> + Clone) -> bool {
    if keys.clone().any(|key| reserved.contains(&key)) {
        return false;
    }
    if keys.len() > FEW {
        let mut seen = HashSet::with_capacity(keys.len());
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
            let distinct =
                |keys: &[String], reserved: &[&str]| are_distinct(reserved, keys.iter().map(String::as_str));
            assert!(distinct(&keys, &["id"]));
            keys.push("id".into());
            assert!(!distinct(&keys, &["id"]));
            assert!(distinct(&keys, &["time"]));
            keys.push("id".into());
            assert!(!distinct(&keys, &["time"]));
        }
    }
}
