//! Did you mean.

/// Up to this many edits apart, one word is taken for a misspelling of another.
const EDITS_MAX: usize = 2;

/// ` (did you mean `x`?)`, or nothing if no candidate is near.
pub(crate) fn suggestion<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let word = word.to_ascii_lowercase();
    let near = candidates
        .map(|candidate| (edits(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(edits, candidate)| *edits <= EDITS_MAX && *edits < candidate.len())
        .min_by_key(|(edits, _)| *edits);
    near.map_or_else(String::new, |(_, candidate)| format!(" (did you mean `{candidate}`?)"))
}

/// Levenshtein's distance, by bytes.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        let table = [
            ("", "", 0),
            ("", "ab", 2),
            ("bytes", "bytes", 0),
            ("byte", "bytes", 1),
            ("kitten", "sitting", 3),
        ];
        for (from, to, expected) in table {
            assert_eq!(edits(from, to), expected, "{from} {to}");
            assert_eq!(edits(to, from), expected, "{to} {from}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let units = ["Bytes", "Bits", "Seconds"];
        assert_eq!(suggestion("bytes", units.into_iter()), " (did you mean `Bytes`?)");
        assert_eq!(suggestion("Second", units.into_iter()), " (did you mean `Seconds`?)");
        assert_eq!(suggestion("Furlongs", units.into_iter()), "");
    }
}
