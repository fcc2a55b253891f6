//! `info!("charged {amount}", amount, order.id = id, user = %user, err = ?e, %name, ?name)`: limits if there are
//! any (`rate = 10`), a template, then fields.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, LitStr, Result, Token};

use super::template::{self, Part};
use super::{limit, next_span, wide};
use crate::model::{Capture, Event, Field, Formatted, Key, Level, Limits, Piece};

const FIELD: &str =
    "expected a field: `name`, `name = value`, `name = %value` (Display) or `name = ?value` (Debug)";

/// Parses the arguments of a log macro.
pub(crate) fn event(level: Level, input: TokenStream) -> Result<Event> {
    let (limits, template, fields) = (|input: ParseStream<'_>| arguments(level, input)).parse2(input)?;
    let parts = template::parse(&template.value()).map_err(|message| Error::new(template.span(), message))?;
    let written = fields.len();
    let mut event = Event { level, limits, template, fields, pieces: Vec::new(), formatted: Vec::new() };
    let resolved =
        parts.into_iter().map(|part| resolve(&mut event, written, part)).collect::<Result<Vec<_>>>()?;
    for part in resolved {
        let piece = piece(&mut event, part);
        event.pieces.push(piece);
    }
    Ok(event)
}

/// A part of the template that knows its field.
enum Resolved {
    Text(String),
    Field { index: usize, spec: Option<String> },
}

fn arguments(level: Level, input: ParseStream<'_>) -> Result<(Limits, LitStr, Vec<Field>)> {
    let limits = limit::limits(input)?;
    if !input.peek(LitStr) {
        let name = level.variant().to_lowercase();
        let message = format!(
            "the message must be a string literal; for a text made at run time write `{name}!(\"{{text}}\")`"
        );
        return Err(Error::new(next_span(input), message));
    }
    let template = input.parse()?;
    let mut fields = Vec::new();
    while !input.is_empty() {
        if !input.peek(Token![,]) {
            return Err(input.error("expected `,`"));
        }
        input.parse::<Token![,]>()?;
        if !input.is_empty() {
            fields.push(field(input)?);
        }
    }
    Ok((limits, template, fields))
}

/// `name = value, ..`: fields alone.
pub(super) fn fields(input: ParseStream<'_>) -> Result<Vec<Field>> {
    let mut fields = Vec::new();
    while !input.is_empty() {
        fields.push(field(input)?);
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(fields)
}

fn field(input: ParseStream<'_>) -> Result<Field> {
    let shorthand = sigil(input)?;
    let (key, variable) = key(input)?;
    let assigned = input.peek(Token![=]) && !input.peek(Token![==]) && !input.peek(Token![=>]);
    if assigned && shorthand != Capture::Typed {
        return Err(Error::new(key.span, format!("the sign goes before the value: `{0} = %{0}`", key.text)));
    }
    if assigned {
        input.parse::<Token![=]>()?;
        let capture = sigil(input)?;
        if input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new(key.span, "a value is missing after `=`"));
        }
        let value = wide(input.parse()?);
        return Ok(Field { key, capture, value });
    }
    if !input.is_empty() && !input.peek(Token![,]) {
        return Err(input.error(FIELD));
    }
    let Some(variable) = variable else {
        let message = format!("only a plain variable can stand alone: write `{} = value`", shown(&key.text));
        return Err(Error::new(key.span, message));
    };
    Ok(Field { key, capture: shorthand, value: syn::parse_quote!(#variable) })
}

/// A key as it would have to be written.
fn shown(key: &str) -> String {
    let plain = key.split('.').all(|part| syn::parse_str::<Ident>(part).is_ok());
    if plain { key.to_owned() } else { format!("{key:?}") }
}

fn sigil(input: ParseStream<'_>) -> Result<Capture> {
    if input.parse::<Option<Token![%]>>()?.is_some() {
        return Ok(Capture::Display);
    }
    let debug = input.parse::<Option<Token![?]>>()?.is_some();
    Ok(if debug { Capture::Debug } else { Capture::Typed })
}

/// `"any text"`, or a dotted name; a name without dots is also a variable.
fn key(input: ParseStream<'_>) -> Result<(Key, Option<Ident>)> {
    if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        return Ok((Key { text: text.value(), span: text.span() }, None));
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error(FIELD));
    }
    let first = input.call(Ident::parse_any)?;
    let mut key = Key { text: first.unraw().to_string(), span: first.span() };
    let mut dotted = false;
    while input.parse::<Option<Token![.]>>()?.is_some() {
        let next = input.call(Ident::parse_any).map_err(|error| Error::new(error.span(), FIELD))?;
        key.span = key.span.join(next.span()).unwrap_or(key.span);
        key.text = format!("{}.{}", key.text, next.unraw());
        dotted = true;
    }
    let variable = (!dotted && (first == "self" || syn::parse_str::<Ident>(&first.to_string()).is_ok()))
        .then_some(first);
    Ok((key, variable))
}

/// Finds the field that a part names. A variable that no field has the name of becomes one: captured by its `Debug` if
/// the template never shows it otherwise, else as what it is.
fn resolve(event: &mut Event, written: usize, part: Part) -> Result<Resolved> {
    let (name, spec) = match part {
        Part::Text(text) => return Ok(Resolved::Text(text)),
        Part::Placeholder { name, spec } => (name, spec),
    };
    let debug = spec.as_deref().is_some_and(|spec| spec.ends_with('?'));
    if let Some(index) = event.fields.iter().position(|field| field.key.text == name) {
        if index >= written && !debug {
            event.fields[index].capture = Capture::Typed;
        }
        return Ok(Resolved::Field { index, spec });
    }
    let variable = variable(&name, &event.template)?;
    let key = Key { text: name, span: event.template.span() };
    let capture = if debug { Capture::Debug } else { Capture::Typed };
    event.fields.push(Field { key, capture, value: syn::parse_quote!(#variable) });
    Ok(Resolved::Field { index: event.fields.len() - 1, spec })
}

/// The variable of this name, seen from where the template is written.
fn variable(name: &str, template: &LitStr) -> Result<Ident> {
    let error = || {
        let message = format!(
            "`{{{name}}}` is neither a field of this event nor the name of a variable; add a field: `{} = value`",
            shown(name)
        );
        Error::new(template.span(), message)
    };
    let ident = syn::parse_str::<Ident>(name).ok();
    let ident = ident.or_else(|| (name == "self").then(|| Ident::new("self", template.span())));
    let ident = ident.or_else(|| Ident::parse_any.parse_str(name).ok().and_then(|ident| raw(&ident)));
    let mut ident = ident.ok_or_else(error)?;
    ident.set_span(template.span());
    Ok(ident)
}

/// A keyword as the name of a variable.
fn raw(keyword: &Ident) -> Option<Ident> {
    let name = keyword.to_string();
    let cannot = matches!(name.as_str(), "self" | "Self" | "super" | "crate" | "_") || name.starts_with("r#");
    (!cannot).then(|| Ident::new_raw(&name, keyword.span()))
}

fn piece(event: &mut Event, part: Resolved) -> Piece {
    match part {
        Resolved::Text(text) => Piece::Text(text),
        Resolved::Field { index, spec: None } => Piece::Field(index),
        // A field that is captured by its `Debug` already has the text.
        Resolved::Field { index, spec: Some(spec) } if spec == "?" && is_debug(event, index) => {
            Piece::Field(index)
        }
        Resolved::Field { index, spec: Some(spec) } => {
            Piece::Formatted(formatted(event, Formatted { field: index, spec }))
        }
    }
}

fn is_debug(event: &Event, index: usize) -> bool {
    event.fields[index].capture == Capture::Debug
}

/// The index of a formatted value; the same one twice is formatted once.
fn formatted(event: &mut Event, value: Formatted) -> usize {
    event.formatted.iter().position(|known| *known == value).unwrap_or_else(|| {
        event.formatted.push(value);
        event.formatted.len() - 1
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys with the sign of their capture, the pieces, and the formatted values.
    fn parsed(tokens: &str) -> (Vec<String>, Vec<Piece>, Vec<Formatted>) {
        let event = event(Level::Info, tokens.parse().expect("a test's tokens")).expect(tokens);
        let sign = |capture| match capture {
            Capture::Typed => "",
            Capture::Display => "%",
            Capture::Debug => "?",
        };
        let keys = event.fields.iter().map(|field| format!("{}{}", sign(field.capture), field.key.text));
        (keys.collect(), event.pieces, event.formatted)
    }

    #[test]
    fn fields_keep_their_order_and_their_signs() {
        let (keys, ..) = parsed(r#""", a, %b, ?c, d = 1, e.f = %x, "g h" = ?x, r#type, type.x = 2,"#);
        assert_eq!(keys, ["a", "%b", "?c", "d", "%e.f", "?g h", "type", "type.x"]);
    }

    #[test]
    fn placeholders_name_fields_or_become_fields() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let (keys, pieces, formatted) = parsed(r#""a {x} b {y.z}", y.z = 1"#);
        assert_eq!(keys, ["y.z", "x"]);
        assert_eq!(pieces, [text("a "), Piece::Field(1), text(" b "), Piece::Field(0)]);
        assert_eq!(formatted, []);
    }

    #[test]
    fn a_variable_is_captured_by_debug_only_if_nothing_else_is_asked_of_it() {
        for (template, keys, pieces) in [
            ("{x:?}", "?x", vec![Piece::Field(0)]),
            ("{x:#?}", "?x", vec![Piece::Formatted(0)]),
            ("{x:?}{x:#?}", "?x", vec![Piece::Field(0), Piece::Formatted(0)]),
            ("{x:?}{x}", "x", vec![Piece::Formatted(0), Piece::Field(0)]),
            ("{x}{x:?}", "x", vec![Piece::Field(0), Piece::Formatted(0)]),
            ("{x:.2}{x:.2}{x:.3}", "x", vec![Piece::Formatted(0), Piece::Formatted(0), Piece::Formatted(1)]),
        ] {
            let (found, found_pieces, _) = parsed(&format!("{template:?}"));
            assert_eq!(
                (found.as_slice(), found_pieces),
                ([keys.to_owned()].as_slice(), pieces),
                "{template}"
            );
        }
    }

    #[test]
    fn a_field_keeps_its_sign_whatever_the_template_asks() {
        let (keys, pieces, _) = parsed(r#""{x:?}{y:?}{z:?}", x, %y, ?z"#);
        assert_eq!(keys, ["x", "%y", "?z"]);
        assert_eq!(pieces, [Piece::Formatted(0), Piece::Formatted(1), Piece::Field(2)]);
    }
}
