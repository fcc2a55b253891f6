//! What a person types into a search, as a query of FTS5. Pure, and every text is a valid query: all words must
//! occur, in the message, the fields or the target; `"words in quotes"` must follow one another; `word*` stands for
//! every word that begins so.

/// The query; `None` if there is not a single letter or digit to look for.
pub(super) fn query(text: &str) -> Option<String> {
    let mut phrases = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            phrases.extend(phrase(part));
        } else {
            phrases.extend(part.split_whitespace().filter_map(phrase));
        }
    }
    (!phrases.is_empty()).then(|| phrases.join(" "))
}

/// One phrase in FTS5's quotes. Text within them is words and nothing else to it.
fn phrase(text: &str) -> Option<String> {
    let (words, star) = match text.strip_suffix('*') {
        Some(words) => (words, "*"),
        None => (text, ""),
    };
    words.contains(char::is_alphanumeric).then(|| format!("\"{words}\"{star}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_a_query_or_none() {
        let table = [
            ("timeout", Some(r#""timeout""#)),
            ("charged 12", Some(r#""charged" "12""#)),
            (r#"a "b c" d"#, Some(r#""a" "b c" "d""#)),
            (r#"an open "quote"#, Some(r#""an" "open" "quote""#)),
            ("char*", Some(r#""char"*"#)),
            ("src/main.rs:10 AND NOT (", Some(r#""src/main.rs:10" "AND" "NOT""#)),
            ("  ", None),
            ("-- * \"\" \"", None),
        ];
        for (text, expected) in table {
            assert_eq!(query(text).as_deref(), expected, "{text}");
        }
    }
}
