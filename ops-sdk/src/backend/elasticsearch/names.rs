//! Names that the servers take: of data streams, of labels, of fields.
//!
//! A dot in a field's name makes an object of what stands before it, so `a` and `a.b` cannot stand side by side, and
//! an empty part of a name, or a name twice, costs the whole document. What breaks these rules is made to fit, and told
//! apart by a number; what keeps them, nearly everything, is written as it is and without allocating.

use std::collections::BTreeSet;

use super::super::shared::setting;
use crate::backend::Context;
use crate::encode::json;
use crate::error::Error;

/// Bytes of each part of a data stream's name (Elastic, "Data stream naming scheme": 100 characters of dataset and of
/// namespace).
const PART_MAX: usize = 100;
/// Parts of a field's name; Elasticsearch takes 20 objects within each other (`index.mapping.depth.limit`).
const DEPTH_MAX: usize = 10;
/// Up to this many names are compared each with each.
const FEW: usize = 32;

/// The middle or the end of the data streams' names: what was told, else the variable, else `default`.
pub(super) fn part(
    told: Option<&str>,
    variable: &'static str,
    default: &str,
    context: &Context,
) -> Result<String, Error> {
    let part = setting(told, variable, context).unwrap_or_else(|| default.to_owned());
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    if part.len() > PART_MAX || part.starts_with(['.', '_']) || !part.chars().all(fits) {
        let problem = format!("\"{}\" cannot be part of a data stream's name", part.escape_debug());
        let remedy = "use 1 to 100 of the characters a-z 0-9 _ . and begin with a letter or digit";
        return Err(Error::setting(variable, problem, remedy));
    }
    Ok(part)
}

/// Writes an object of these labels: names without dots, values as texts.
pub(super) fn labels<'l>(out: &mut Vec<u8>, labels: impl Iterator<Item = (&'l str, &'l str)> + Clone) {
    object(
        out,
        labels.map(|(name, text)| (name, move |out: &mut Vec<u8>| json::string(out, text))),
        is_label,
        label,
    );
}

/// Writes an object of these fields: name and whatever writes the value.
pub(super) fn fields<'f, W: Fn(&mut Vec<u8>)>(
    out: &mut Vec<u8>,
    fields: impl Iterator<Item = (&'f str, W)> + Clone,
) {
    object(out, fields, is_field, field);
}

fn object<'f, W: Fn(&mut Vec<u8>)>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (&'f str, W)> + Clone,
    fits: fn(&str) -> bool,
    fit: fn(&str) -> String,
) {
    let good = are_good(members.clone().map(|(name, _)| name), fits);
    let (mut taken, mut before) = (Taken::default(), b'{');
    for (name, value) in members {
        out.push(before);
        before = b',';
        if good {
            json::string(out, name);
        } else {
            json::string(out, &taken.give(if fits(name) { name.to_owned() } else { fit(name) }));
        }
        out.push(b':');
        value(out);
    }
    if before == b'{' {
        out.push(b'{');
    }
    out.push(b'}');
}

/// Whether these names can be written as they are.
fn are_good<'n>(names: impl Iterator<Item = &'n str> + Clone, fits: fn(&str) -> bool) -> bool {
    names.clone().enumerate().all(|(index, name)| {
        index < FEW && fits(name) && names.clone().take(index).all(|before| !clash(before, name))
    })
}

/// Whether one is the other, or an object around it.
fn clash(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    long.as_bytes().starts_with(short.as_bytes())
        && long.as_bytes().get(short.len()).is_none_or(|next| *next == b'.')
}

fn is_label(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'.' | b'*' | b'"' | b'\\'))
}

/// Dots and what patterns and shells would trip over become `_`, as Elastic's agents have it for labels.
fn label(name: &str) -> String {
    let bad = |c: char| c.is_control() || matches!(c, '.' | '*' | '"' | '\\');
    not_blank(name.chars().map(|c| if bad(c) { '_' } else { c }).collect())
}

fn is_field(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'.';
    match name.bytes().position(|byte| !plain(byte)) {
        None => !name.is_empty(),
        Some(_) => {
            !name.contains(char::is_control)
                && name.split('.').take(DEPTH_MAX + 1).all(|part| !part.trim().is_empty())
                && name.bytes().filter(|byte| *byte == b'.').count() < DEPTH_MAX
        }
    }
}

/// A name that is no name as an object's path has none.
fn field(name: &str) -> String {
    not_blank(name.chars().map(|c| if c == '.' || c.is_control() { '_' } else { c }).collect())
}

fn not_blank(name: String) -> String {
    if name.trim().is_empty() { "_".to_owned() } else { name }
}

/// Names given, and the objects around them.
#[derive(Default)]
struct Taken {
    names: BTreeSet<String>,
    objects: BTreeSet<String>,
}

impl Taken {
    /// This name, or one like it that can stand beside those given before.
    fn give(&mut self, name: String) -> String {
        let flat = || name.replace('.', "_");
        let numbered = (2_u64..).map(|number| format!("{}_{number}", flat()));
        let mut tries = [name.clone(), flat()].into_iter().chain(numbered);
        let free = tries.find(|name| self.is_free(name)).unwrap_or_default();
        self.objects.extend(around(&free).map(str::to_owned));
        self.names.insert(free.clone());
        free
    }

    fn is_free(&self, name: &str) -> bool {
        !self.names.contains(name)
            && !self.objects.contains(name)
            && around(name).all(|object| !self.names.contains(object))
    }
}

/// The objects around a name: `a` and `a.b` around `a.b.c`.
fn around(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[..at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(names: &[&str], as_labels: bool) -> String {
        let mut out = Vec::new();
        if as_labels {
            labels(&mut out, names.iter().map(|name| (*name, "v")));
        } else {
            fields(&mut out, names.iter().map(|name| (*name, |out: &mut Vec<u8>| out.push(b'1'))));
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_fits_is_left_alone_and_the_rest_is_told_apart() {
        let table: &[(&[&str], &str)] = &[
            (&[], "{}"),
            (&["amount", "order.id"], r#"{"amount":1,"order.id":1}"#),
            (&["a", "a"], r#"{"a":1,"a_2":1}"#),
            (&["a", "a_2", "a"], r#"{"a":1,"a_2":1,"a_3":1}"#),
            (&["order", "order.id"], r#"{"order":1,"order_id":1}"#),
            (&["order.id", "order"], r#"{"order.id":1,"order_2":1}"#),
            (&["", " ", "."], r#"{"_":1,"__2":1,"__3":1}"#),
            (&["a..b", ".a", "a."], r#"{"a__b":1,"_a":1,"a_":1}"#),
            (&["a\nb", "größe", "a b"], r#"{"a_b":1,"größe":1,"a b":1}"#),
            (&["a.b.c.d.e.f.g.h.i.j.k"], r#"{"a_b_c_d_e_f_g_h_i_j_k":1}"#),
        ];
        for (names, expected) in table {
            assert_eq!(written(names, false), *expected, "{names:?}");
        }
        let expected = r#"{"a_b":"v","a_b_2":"v","q_q":"v","_":"v","Größe":"v"}"#;
        assert_eq!(written(&["a.b", "a*b", "q\"q", "", "Größe"], true), expected);
    }

    #[test]
    fn parts_of_a_streams_name_are_checked() {
        let context = super::super::super::shared::tests::context(&[("NAME", "A-b")]);
        assert_eq!(part(None, "OTHER", "ops", &context).unwrap(), "ops");
        assert_eq!(part(Some("shop.eu_1"), "NAME", "ops", &context).unwrap(), "shop.eu_1");
        for told in [None, Some("a-b"), Some("a/b"), Some("_a"), Some("ä"), Some(&*"x".repeat(101))] {
            let error = part(told, "NAME", "ops", &context).unwrap_err().to_string();
            assert!(error.starts_with("NAME: "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_names_make_an_object_in_which_none_clash(names in prop::collection::vec("[a-c.\\*\" \n\u{0}é]{0,5}", 0..40), as_labels: bool) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let json = written(&names, as_labels);
            prop_assert!(!json.contains('\n'));
            let read: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read.len(), names.len());
            let keys: Vec<_> = read.keys().collect();
            for (index, key) in keys.iter().enumerate() {
                prop_assert!(key.split('.').all(|part| !part.trim().is_empty()), "{}", json);
                prop_assert!(keys[..index].iter().all(|other| !clash(other, key)), "{}", json);
            }
        }
    }
}
