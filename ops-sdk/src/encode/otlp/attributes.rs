//! The names of attributes: never empty, never twice. OTLP leaves what becomes of a name that is there twice to whoever
//! receives it, and the servers differ.

use std::borrow::Cow;

use crate::model::Fields;

/// What log records say besides their fields.
pub(super) const TARGET: &str = "log.target";
pub(super) const UID: &str = "log.record.uid";
pub(super) const FILE: &str = "code.file.path";
pub(super) const LINE: &str = "code.line.number";

const OWN: [&str; 4] = [TARGET, UID, FILE, LINE];

/// Whether these names can be attributes as they are.
pub(super) fn fit(fields: &Fields<'_>) -> bool {
    let names = || fields.iter().map(|(name, _)| name.as_ref());
    names().enumerate().all(|(place, name)| {
        !name.is_empty() && !OWN.contains(&name) && names().take(place).all(|earlier| earlier != name)
    })
}

/// Names for fields that do not fit: one that a log record has for itself becomes `fields.name`, an empty one `_`, and one
/// that is repeated gets a number: `name.2`.
pub(super) fn fitted<'a>(fields: &'a Fields<'_>) -> Vec<Cow<'a, str>> {
    let mut given: Vec<Cow<'a, str>> = Vec::with_capacity(fields.len());
    for (name, _) in fields {
        let name = match name.as_ref() {
            "" => Cow::Borrowed("_"),
            name if OWN.contains(&name) => Cow::Owned(format!("fields.{name}")),
            name => Cow::Borrowed(name),
        };
        let numbered = |number: usize| match number {
            1 => name.clone(),
            number => Cow::Owned(format!("{name}.{number}")),
        };
        // One number more than there are names is free.
        let free = (1..=given.len() + 1).map(numbered).find(|name| !given.contains(name));
        given.push(free.unwrap_or(name));
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Value;

    #[test]
    fn a_name_is_never_empty_and_never_there_twice() {
        let fields = |names: &[&'static str]| -> Fields<'static> {
            names.iter().map(|name| ((*name).into(), Value::Null)).collect()
        };
        assert!(fit(&fields(&["a", "b"])) && !fit(&fields(&["a", "b", "a"])));
        assert!(!fit(&fields(&[""])) && !fit(&fields(&["log.target"])));
        let given = fields(&["a", "a.2", "a", "a", "", "_", "log.target", "fields.log.target"]);
        let expected = ["a", "a.2", "a.3", "a.4", "_", "_.2", "fields.log.target", "fields.log.target.2"];
        assert_eq!(fitted(&given), expected);
    }
}
