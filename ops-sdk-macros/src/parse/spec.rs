//! What stands behind the colon in `{name:spec}`: the grammar of `std::fmt`, without what goes by position. It is
//! looked at here although `format_args!` does so too, for the compiler would point at the wrong characters: what it
//! is given is not the template, but one placeholder of it.

/// The traits that can be named, `Display` by nothing.
const TYPES: [&str; 11] = ["", "?", "x?", "X?", "x", "X", "o", "p", "b", "e", "E"];

/// Whether this is a format spec.
///
/// # Errors
///
/// What is wrong with it, as a sentence for the user.
pub(super) fn check(spec: &str) -> Result<(), String> {
    let rest = without_fill(spec);
    let rest = rest.strip_prefix(['+', '-']).unwrap_or(rest);
    let rest = rest.strip_prefix('#').unwrap_or(rest);
    let rest = without_zero(rest);
    let rest = without_count(rest)?;
    let rest = match rest.strip_prefix('.') {
        Some(precision) => without_precision(precision)?,
        None => rest,
    };
    if TYPES.contains(&rest) {
        return Ok(());
    }
    Err(format!("`:{spec}` is no format: `{rest}` is none of `?`, `x`, `X`, `o`, `p`, `b`, `e`, `E`"))
}

fn without_fill(spec: &str) -> &str {
    let is_align = |c: char| matches!(c, '<' | '^' | '>');
    let mut chars = spec.chars();
    let (first, second) = (chars.next(), chars.next());
    if second.is_some_and(is_align) {
        return chars.as_str();
    }
    if first.is_some_and(is_align) { &spec[1..] } else { spec }
}

/// `0` asks for leading zeros, except in `0$`, which is the width by position.
fn without_zero(spec: &str) -> &str {
    match spec.strip_prefix('0') {
        Some(rest) if !rest.starts_with('$') => rest,
        _ => spec,
    }
}

fn without_precision(spec: &str) -> Result<&str, String> {
    if spec.starts_with('*') {
        return Err(
            "`.*` takes the precision by position: write `.2` or, with a variable, `.digits$`".to_owned()
        );
    }
    let rest = without_count(spec)?;
    if rest.len() == spec.len() {
        return Err("a precision is missing after `.`: write `.2` or, with a variable, `.digits$`".to_owned());
    }
    Ok(rest)
}

/// A number, or a variable and a `$`.
fn without_count(spec: &str) -> Result<&str, String> {
    let end = spec.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(spec.len());
    let (word, rest) = spec.split_at(end);
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match rest.strip_prefix('$') {
        Some(_) if word.is_empty() || digits > 0 => {
            Err(format!("`{word}$` goes by position: name a variable, as in `width$`"))
        }
        Some(rest) => Ok(rest),
        None => Ok(&spec[digits..]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_of_std_fmt_are_taken() {
        for spec in [
            "?", "#?", "x", "#x", "#010x", "#010b", "x?", "#X?", "e", "E", "p", "5", "05", "<5", "^5", ">5",
            "*^5", "é>5", "<<5", "+", "-", "+.2", ".2", "5.2", "05.2", ".0", ".3e", "08.3e", "width$",
            ">width$", ".digits$", "w$.d$", "w$.d$e", "0width$", "#?", "02x", "10?",
        ] {
            assert_eq!(check(spec), Ok(()), "{spec}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for spec in
            ["z", "zz", "??", "5 ", ".", ".x", ".*", "1$", "0$", "$", ".1$", "5.2.1", "d", "s", "x5", "%Y"]
        {
            assert!(check(spec).is_err(), "{spec}");
        }
    }
}
