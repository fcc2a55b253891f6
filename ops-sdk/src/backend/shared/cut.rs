//! Texts where a service keeps no more than so many characters of them, and the rest is lost whoever cuts it: what is cut
//! here says so, and how much there was.

/// The text, or as much of it as there is room for and how much there was.
pub(in crate::backend) fn cut(text: &str, chars_max: usize) -> String {
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let end = format!("… ({chars} characters)");
    let kept = text.chars().take(chars_max.saturating_sub(end.chars().count()));
    kept.collect::<String>() + &end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_says_so() {
        assert_eq!(cut("short", 10), "short");
        let long = cut(&"é".repeat(1_204), 500);
        assert_eq!(long.chars().count(), 500);
        assert!(long.ends_with("é… (1204 characters)"), "{long}");
    }
}
