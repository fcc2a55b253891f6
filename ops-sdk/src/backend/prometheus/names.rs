//! Names as Prometheus takes them (prometheus.io, "Data model": metric names are `[a-zA-Z_:][a-zA-Z0-9_:]*`, label names
//! `[a-zA-Z_][a-zA-Z0-9_]*`), and how others are made to fit: what may not be there becomes `_`. Colons are for the rules of
//! those who query, and label names that begin with two underscores are Prometheus's own, so neither is made here.

use std::borrow::Cow;

use crate::model::Unit;

/// Labels in the order of their names.
pub(super) type Labels = Vec<(String, String)>;

/// A name's beginning, or a label's name.
fn fit(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let mut fitted: String = name.chars().map(fits).collect();
    if fitted.is_empty() || fitted.starts_with(|c: char| c.is_ascii_digit()) {
        fitted.insert(0, '_');
    }
    fitted
}

/// The name of a family: the metric's name and its unit, which OpenMetrics asks for at its end.
pub(super) fn family(name: &str, unit: Unit) -> String {
    let mut family = fit(name);
    // Samples of counters have the ending, families do not.
    if let Some(stem) = family.strip_suffix("_total").filter(|stem| !stem.is_empty()) {
        family = stem.to_owned();
    }
    let suffix = unit_suffix(unit);
    if !suffix.is_empty() && !family.ends_with(&format!("_{suffix}")) {
        family = format!("{family}_{suffix}");
    }
    family
}

/// The unit that a metric has here, and what its values are divided by: times are in seconds, Prometheus's base unit. Sizes
/// stay as they are, because nobody says whether a kilobyte is 1,000 bytes or 1,024.
pub(super) fn base(unit: Unit) -> (Unit, f64) {
    match unit {
        Unit::Milliseconds => (Unit::Seconds, 1e3),
        Unit::Microseconds => (Unit::Seconds, 1e6),
        unit => (unit, 1.0),
    }
}

/// Labels of a metric: fitted, sorted, none twice, and none without a value, which says the same as none. `reserved` is the
/// label that the kind of metric has for itself.
pub(super) fn labels(dimensions: &[(Cow<'_, str>, Cow<'_, str>)], reserved: &str) -> Labels {
    let mut labels = Labels::with_capacity(dimensions.len());
    for (name, value) in dimensions.iter().filter(|(_, value)| !value.is_empty()) {
        let name = fit(name);
        let name = match name.trim_start_matches('_') {
            "" => "label".to_owned(),
            rest if rest.len() < name.len() => format!("_{rest}"),
            name => name.to_owned(),
        };
        let is_taken = |name: &str| name == reserved || labels.iter().any(|(other, _)| other == name);
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| !is_taken(name));
        labels.extend(name.map(|name| (name, value.clone().into_owned())));
    }
    labels.sort_unstable();
    labels
}

/// The unit as the end of a name; empty where a name has none.
pub(super) fn unit_suffix(unit: Unit) -> &'static str {
    match unit {
        Unit::None | Unit::Count => "",
        Unit::Percent => "percent",
        Unit::Seconds => "seconds",
        Unit::Milliseconds => "milliseconds",
        Unit::Microseconds => "microseconds",
        Unit::Bytes => "bytes",
        Unit::Kilobytes => "kilobytes",
        Unit::Megabytes => "megabytes",
        Unit::Gigabytes => "gigabytes",
        Unit::Terabytes => "terabytes",
        Unit::Bits => "bits",
        Unit::Kilobits => "kilobits",
        Unit::Megabits => "megabits",
        Unit::Gigabits => "gigabits",
        Unit::Terabits => "terabits",
        Unit::BytesPerSecond => "bytes_per_second",
        Unit::KilobytesPerSecond => "kilobytes_per_second",
        Unit::MegabytesPerSecond => "megabytes_per_second",
        Unit::GigabytesPerSecond => "gigabytes_per_second",
        Unit::TerabytesPerSecond => "terabytes_per_second",
        Unit::BitsPerSecond => "bits_per_second",
        Unit::KilobitsPerSecond => "kilobits_per_second",
        Unit::MegabitsPerSecond => "megabits_per_second",
        Unit::GigabitsPerSecond => "gigabits_per_second",
        Unit::TerabitsPerSecond => "terabits_per_second",
        Unit::CountPerSecond => "per_second",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode::arbitrary;

    #[test]
    fn names_have_their_unit_and_no_ending_of_samples() {
        let table = [
            ("orders.accepted", Unit::Count, "orders_accepted"),
            ("orders_total", Unit::None, "orders"),
            ("latency", Unit::Kilobytes, "latency_kilobytes"),
            ("latency_seconds", Unit::Seconds, "latency_seconds"),
            ("9 lives", Unit::None, "_9_lives"),
            ("größe:x\n", Unit::Bytes, "gr__e_x__bytes"),
            ("", Unit::None, "_"),
            ("_total", Unit::None, "_total"),
        ];
        for (name, unit, expected) in table {
            assert_eq!(family(name, unit), expected, "{name:?}");
        }
    }

    #[test]
    fn labels_are_sorted_and_none_is_there_twice() {
        let given = [
            ("b.c", "1"),
            ("a", "2"),
            ("b_c", "3"),
            ("empty", ""),
            ("__name__", "x"),
            ("le", "y"),
            ("", "z"),
        ];
        let given = given.map(|(name, value)| (name.into(), value.into()));
        let names: Vec<_> =
            labels(&given, "le").into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(names, ["_name__=x", "a=2", "b_c=1", "b_c_2=3", "label=z", "le_2=y"]);
    }

    proptest! {
        #[test]
        fn any_name_fits(name in arbitrary::text(), other in arbitrary::text()) {
            let is_name = |name: &str| {
                name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            };
            prop_assert!(is_name(&family(&name, Unit::Bytes)));
            let given = [(name.clone(), "v".into()), (other, "w".into()), (name, "x".into())];
            let labels = labels(&given, "le");
            prop_assert_eq!(labels.len(), 3);
            prop_assert!(labels.is_sorted() && labels.iter().all(|(name, _)| is_name(name) && !name.starts_with("__")));
            prop_assert!(labels.windows(2).all(|pair| pair[0].0 != pair[1].0));
        }
    }
}
