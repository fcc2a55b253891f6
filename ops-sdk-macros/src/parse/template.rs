//! The template of a log macro, by the rules of `format!` where they are the same: `{name}`, `{name:spec}`, `{{`, `}}`.
//! A name is looked up by the caller.

use super::spec;

/// A piece of a template.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Text, its braces unescaped.
    Text(String),
    /// `{name}` or `{name:spec}`.
    Placeholder { name: String, spec: Option<String> },
}

/// Splits a template into its parts.
///
/// # Errors
///
/// What is wrong with it, as a sentence for the user.
pub(super) fn parse(template: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let brace = &rest[at..=at];
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if brace == "}" {
            return Err("a `}` stands alone: write `}}` for the character".to_owned());
        } else {
            let (inside, after) =
                rest.split_once('}').ok_or("a `{` is never closed: write `{{` for the character")?;
            push_text(&mut parts, &mut text);
            parts.push(placeholder(inside)?);
            rest = after;
        }
    }
    text.push_str(rest);
    push_text(&mut parts, &mut text);
    Ok(parts)
}

fn push_text(parts: &mut Vec<Part>, text: &mut String) {
    if !text.is_empty() {
        parts.push(Part::Text(std::mem::take(text)));
    }
}

fn placeholder(inside: &str) -> Result<Part, String> {
    let (name, spec) = match inside.split_once(':') {
        Some((name, spec)) => (name.trim(), Some(spec.trim_end().to_owned())),
        None => (inside.trim(), None),
    };
    if name.is_empty() {
        let spec = spec.map(|spec| format!(":{spec}")).unwrap_or_default();
        return Err(format!(
            "`{{{inside}}}` has no name: name a variable or a field, as in `{{amount{spec}}}`"
        ));
    }
    if name.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "`{{{inside}}}` goes by position: name a variable or a field instead, as in `{{amount}}`"
        ));
    }
    let spec = spec.filter(|spec| !spec.is_empty());
    spec.as_deref().map_or(Ok(()), spec::check)?;
    Ok(Part::Placeholder { name: name.to_owned(), spec })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    fn hole(name: &str, spec: Option<&str>) -> Part {
        Part::Placeholder { name: name.to_owned(), spec: spec.map(str::to_owned) }
    }

    #[test]
    fn templates_split_into_text_and_placeholders() {
        let table = [
            ("", vec![]),
            ("plain", vec![text("plain")]),
            ("{a}", vec![hole("a", None)]),
            ("a {b} c", vec![text("a "), hole("b", None), text(" c")]),
            ("{a}{b}", vec![hole("a", None), hole("b", None)]),
            ("{order.id}", vec![hole("order.id", None)]),
            ("{any key}", vec![hole("any key", None)]),
            ("{a:.2}", vec![hole("a", Some(".2"))]),
            ("{ a : }", vec![hole("a", None)]),
            ("{a:?}", vec![hole("a", Some("?"))]),
            ("{a:*>10}", vec![hole("a", Some("*>10"))]),
            ("{{}}", vec![text("{}")]),
            ("{{{a}}}", vec![text("{"), hole("a", None), text("}")]),
            ("größe {a} µs", vec![text("größe "), hole("a", None), text(" µs")]),
        ];
        for (template, expected) in table {
            assert_eq!(parse(template), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_format_would_refuse_or_take_by_position_is_refused() {
        for template in ["{", "a {b", "}", "a } b", "{}", "{:?}", "{0}", "{ }", "{{{}}}", "{a:zz}", "{a:.*}"]
        {
            assert!(parse(template).is_err(), "{template}");
        }
    }
}
