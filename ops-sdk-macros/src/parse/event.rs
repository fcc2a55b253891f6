//! `info!("charged {amount}", amount, order.id = id, user = %user, err = ?e, %name, ?name)`: a template, then fields.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, LitStr, Result, Token};

use super::template::{self, Part};
use super::{next_span, wide};
use crate::model::{Capture, Event, Field, Formatted, Key, Level, Piece};

const FIELD: &str =
    "expected a field: `name`, `name = value`, `name = %value` (Display) or `name = ?value` (Debug)";

/// Parses the arguments of a log macro.
pub(crate) fn event(level: Level, input: TokenStream) -> Result<Event> {
    let (template, fields) = (|input: ParseStream<'_>| arguments(level, input)).parse2(input)?;
    let parts = template::parse(&template.value()).map_err(|message| Error::new(template.span(), message))?;
    let mut event = Event { level, template, fields, pieces: Vec::new(), formatted: Vec::new() };
    capture(&mut event, &parts)?;
    for part in parts {
        let piece = piece(&mut event, part);
        event.pieces.push(piece);
    }
    Ok(event)
}

fn arguments(level: Level, input: ParseStream<'_>) -> Result<(LitStr, Vec<Field>)> {
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
    Ok((template, fields))
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

/// Makes a field of every variable that the template names and no field has the name of. One that is only ever
/// shown by its `Debug` is captured by it; every other keeps its type.
fn capture(event: &mut Event, parts: &[Part]) -> Result<()> {
    let written = event.fields.len();
    for part in parts {
        let Part::Placeholder { name, spec } = part else { continue };
        let debug = spec.as_deref().is_some_and(|spec| spec.ends_with('?'));
        match event.fields.iter().position(|field| field.key.text == *name) {
            Some(at) if at >= written && !debug => event.fields[at].capture = Capture::Typed,
            Some(_) => {}
            None => {
                let variable = variable(name, &event.template)?;
                let key = Key { text: name.clone(), span: event.template.span() };
                let capture = if debug { Capture::Debug } else { Capture::Typed };
                event.fields.push(Field { key, capture, value: syn::parse_quote!(#variable) });
            }
        }
    }
    Ok(())
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
    let ident = syn::parse_str::<Expr>(name).ok().and_then(|_| syn::parse_str::<Ident>(name).ok());
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

fn piece(event: &mut Event, part: Part) -> Piece {
    let (name, spec) = match part {
        Part::Text(text) => return Piece::Text(text),
        Part::Placeholder { name, spec } => (name, spec),
    };
    let field = event.fields.iter().position(|field| field.key.text == name).unwrap_or_default();
    match spec {
        None => Piece::Field(field),
        // A field that is captured by its `Debug` already has the text.
        Some(spec) if spec == "?" && event.fields[field].capture == Capture::Debug => Piece::Field(field),
        Some(spec) => Piece::Formatted(formatted(event, Formatted { field, spec })),
    }
}

/// The index of a formatted value; the same one twice is formatted once.
fn formatted(event: &mut Event, value: Formatted) -> usize {
    event.formatted.iter().position(|known| *known == value).unwrap_or_else(|| {
        event.formatted.push(value);
        event.formatted.len() - 1
    })
}
