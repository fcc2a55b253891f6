//! Numbers and times as a person reads them, and ages as a person writes them. Pure.

use std::time::Duration;

/// A duration given in milliseconds: `850 ns`, `120 µs`, `1.20 ms`, `3.40 s`, `2.5 min`, `1.2 h`.
pub(super) fn duration(ms: f64) -> String {
    const UNITS: [(f64, &str, usize); 6] =
        [(1e-6, "ns", 0), (1e-3, "µs", 0), (1.0, "ms", 2), (1e3, "s", 2), (6e4, "min", 1), (3.6e6, "h", 1)];
    let unit = UNITS.iter().rev().find(|(size, ..)| ms.abs() >= *size).unwrap_or(&UNITS[0]);
    let (size, name, digits) = *unit;
    if ms == 0.0 { "0".to_owned() } else { format!("{:.digits$} {name}", ms / size) }
}

/// A number of bytes: `512 B`, `1.5 KB`, `3.2 MB`.
pub(super) fn bytes(bytes: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB")];
    match UNITS.iter().find(|(size, _)| bytes.abs() >= *size) {
        Some((size, name)) => format!("{:.1} {name}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

/// A whole number with its thousands apart: `1,204`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Any number: whole ones with their thousands apart, others with three digits that matter.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 2^53, whole, and made positive
pub(super) fn number(number: f64) -> String {
    let sign = if number < 0.0 { "-" } else { "" };
    let size = number.abs();
    if size.fract() == 0.0 && size < 9e15 {
        return format!("{sign}{}", count(size as u64));
    }
    match size {
        _ if !(1e-3..1e9).contains(&size) => format!("{number:.2e}"),
        _ if size >= 100.0 => format!("{number:.0}"),
        _ if size >= 1.0 => format!("{number:.2}"),
        _ => format!("{number:.4}"),
    }
}

/// A value in a unit of CloudWatch.
pub(super) fn value(value: f64, unit: &str) -> String {
    match unit {
        "Seconds" => duration(value * 1e3),
        "Milliseconds" => duration(value),
        "Microseconds" => duration(value / 1e3),
        "Bytes" => bytes(value),
        "Percent" => format!("{} %", number(value)),
        _ => number(value),
    }
}

/// A share of a whole in percent: `1.3`; empty where there is no whole.
#[allow(clippy::cast_precision_loss)] // one digit is shown
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { String::new() } else { format!("{:.1}", part as f64 * 100.0 / whole as f64) }
}

/// An age: a whole number and `s`, `m`, `h`, `d` or `w`.
pub(super) fn parse_age(text: &str) -> Result<Duration, String> {
    const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(*unit));
    let seconds = unit.and_then(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(*unit)?.trim().parse().ok()?;
        number.checked_mul(*seconds)
    });
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "give a whole number and s, m, h, d or w, such as 10m".to_owned())
}

/// Text for a terminal: control characters, which could repaint it, are shown and not obeyed. Lines after the first
/// are indented.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\n    "),
            '\t' => out.push('\t'),
            control if control.is_control() => out.extend(control.escape_default()),
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let durations = [
            (0.0, "0"),
            (0.000_85, "850 ns"),
            (0.12, "120 µs"),
            (1.2, "1.20 ms"),
            (3_400.0, "3.40 s"),
            (150_000.0, "2.5 min"),
            (4_320_000.0, "1.2 h"),
        ];
        durations.iter().for_each(|(ms, text)| assert_eq!(duration(*ms), *text));
        let sizes =
            [(0.0, "0 B"), (999.0, "999 B"), (1_500.0, "1.5 KB"), (3.2e6, "3.2 MB"), (-2e9, "-2.0 GB")];
        sizes.iter().for_each(|(size, text)| assert_eq!(bytes(*size), *text));
        let counts = [(0, "0"), (999, "999"), (1_204, "1,204"), (u64::MAX, "18,446,744,073,709,551,615")];
        counts.iter().for_each(|(n, text)| assert_eq!(count(*n), *text));
        let numbers = [(0.0, "0"), (-1_204.0, "-1,204"), (0.25, "0.2500"), (2.5, "2.50"), (1e-9, "1.00e-9")];
        numbers.iter().for_each(|(n, text)| assert_eq!(number(*n), *text));
        assert_eq!((percent(1, 3).as_str(), percent(0, 0).as_str()), ("33.3", ""));
    }

    #[test]
    fn ages_are_a_number_and_a_unit() {
        let good = [("90s", 90), ("10m", 600), ("2h", 7_200), ("7d", 604_800), ("1w", 604_800)];
        good.iter().for_each(|(text, s)| assert_eq!(parse_age(text), Ok(Duration::from_secs(*s)), "{text}"));
        for text in ["", "10", "m", "-1m", "1.5h", "10 parsecs", "99999999999999999w"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_would_repaint_the_terminal_is_shown() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc\td"), "a\\u{1b}[2Jb\\r\n    c\td");
    }
}
