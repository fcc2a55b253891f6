//! `#[derive(Record)]`: `#[record(counter)]`, `#[record(dimension, name = "..")]` and so on on each field, and on the
//! struct what holds for all of it: `#[record(prefix = "..", log = "..")]`.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Field, Fields, LitStr, Result, Token, Type,
    parse_quote_spanned,
};

use super::{derive, dimensions, logs};
use crate::check::suggestion;
use crate::model::{Capture, Case, Dimension, MetricKind, Role, Spread, WorkPart, WorkRecord};

/// What a field can be.
const ROLES: [(&str, Option<Role>); 10] = [
    ("counter", Some(Role::Metric(MetricKind::Counter))),
    ("gauge", Some(Role::Metric(MetricKind::Gauge))),
    ("histogram", Some(Role::Metric(MetricKind::Histogram))),
    ("dimension", Some(Role::Dimension)),
    ("dimensions", Some(Role::Dimensions)),
    ("field", Some(Role::Field(Capture::Typed))),
    ("display", Some(Role::Field(Capture::Display))),
    ("debug", Some(Role::Field(Capture::Debug))),
    ("flatten", Some(Role::Flatten)),
    ("skip", None),
];

const OF_FIELD: [&str; 4] = ["name", "unit", "resolution", "prefix"];
const OF_STRUCT: [&str; 7] = ["prefix", "rename_all", "resolution", "log", "level", "series_max", "rollup"];

/// Parses a type with `#[derive(Record)]`.
pub(crate) fn record(input: TokenStream) -> Result<WorkRecord> {
    let input: DeriveInput = syn::parse2(input)?;
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(input.ident.span(), "a record is a struct with named fields"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(input.ident.span(), "the names are those of the fields, and these have none"));
    };
    let mut record = WorkRecord::new(input.ident, input.generics);
    for attribute in ours(&input.attrs) {
        list(attribute, |input| of_struct(&mut record, input))?;
    }
    for own in &fields.named {
        field(&mut record, own)?;
    }
    Ok(record)
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("record"))
}

/// Reads each of the arguments, with commas between them.
fn list(attribute: &Attribute, mut argument: impl FnMut(ParseStream<'_>) -> Result<()>) -> Result<()> {
    let list = attribute
        .meta
        .require_list()
        .map_err(|_| Error::new_spanned(attribute, "expected arguments: `#[record(..)]`"))?;
    list.parse_args_with(|input: ParseStream<'_>| {
        while !input.is_empty() {
            argument(input)?;
            if !input.is_empty() && input.parse::<Option<Token![,]>>()?.is_none() {
                return Err(input.error("expected `,`"));
            }
        }
        Ok(())
    })
}

fn of_struct(record: &mut WorkRecord, input: ParseStream<'_>) -> Result<()> {
    let name = option(input, &OF_STRUCT)?;
    let text = name.to_string();
    if record.given.contains(&text) {
        return Err(Error::new(name.span(), format!("`{text}` is given twice")));
    }
    match text.as_str() {
        "prefix" => record.prefix = Some(literal(&name, input)?),
        "rename_all" => record.case = Some(derive::case(&literal(&name, input)?)?),
        "resolution" => record.resolution = Some(word(&name, input)?),
        "log" => record.log = Some(literal(&name, input)?),
        "level" => record.level = Some((logs::level(input)?, name.span())),
        "series_max" => record.dimensions.series_max = Some(dimensions::series_max(&name, input)?),
        _ => {
            record.dimensions.rollup = dimensions::rollup(&name, input)?;
            record.dimensions.rollup_span = Some(name.span());
        }
    }
    record.given.push(text);
    Ok(())
}

/// `name =`, which must be one of these.
fn option(input: ParseStream<'_>, known: &[&str]) -> Result<Ident> {
    let all = || known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected one of: {}", all())));
    }
    let name = input.call(Ident::parse_any)?;
    let text = name.to_string();
    if !known.contains(&text.as_str()) {
        let meant = suggestion(&text, known.iter().copied());
        let message = format!("unknown argument `{text}`{meant}; expected one of: {}", all());
        return Err(Error::new(name.span(), message));
    }
    if input.parse::<Option<Token![=]>>()?.is_none() || input.is_empty() {
        return Err(Error::new(name.span(), format!("expected a value: `{text} = ..`")));
    }
    Ok(name)
}

fn literal(name: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    if input.peek(LitStr) {
        return input.parse();
    }
    Err(Error::new(name.span(), format!("expected a string literal: `{name} = \"...\"`")))
}

fn word(name: &Ident, input: ParseStream<'_>) -> Result<Ident> {
    if input.peek(Ident::peek_any) {
        return input.call(Ident::parse_any);
    }
    Err(Error::new(name.span(), format!("expected a word: `{name} = ..`")))
}

/// What was said of one field.
#[derive(Default)]
struct Said {
    role: Option<(Ident, Option<Role>)>,
    given: Vec<Ident>,
    name: Option<LitStr>,
    unit: Option<Ident>,
    resolution: Option<Ident>,
    prefix: Option<LitStr>,
}

fn field(record: &mut WorkRecord, field: &Field) -> Result<()> {
    let Some(ident) = field.ident.clone() else { return Ok(()) };
    let mut said = Said::default();
    for attribute in ours(&field.attrs) {
        list(attribute, |input| of_field(&mut said, input))?;
    }
    let Some((word, role)) = said.role.take() else {
        let message = format!("say what `{ident}` is: `#[record(..)]` with one of {}", roles());
        return Err(Error::new(ident.span(), message));
    };
    only_what_belongs(&said, &word, role)?;
    let Some(role) = role else { return Ok(()) };
    let name = said.name.unwrap_or_else(|| renamed(&ident, record.case));
    let value = of_self(&ident, &field.ty);
    match role {
        Role::Dimension => {
            record.dimensions.own.push(Dimension { key: name, capture: Capture::Typed, value });
        }
        Role::Dimensions => record.dimensions.spreads.push(Spread { ty: field.ty.clone(), values: value }),
        Role::Metric(_) | Role::Field(_) | Role::Flatten => record.parts.push(WorkPart {
            ident,
            ty: field.ty.clone(),
            role,
            name: prefixed(record.prefix.as_ref(), &name),
            unit: said.unit,
            resolution: said.resolution,
            prefix: said.prefix,
        }),
    }
    Ok(())
}

/// `self.field`, seen as the macro's own and lying at the type of the field.
fn of_self(ident: &Ident, ty: &Type) -> Expr {
    let span = Span::mixed_site().located_at(ty.span());
    let this = Ident::new("self", span);
    parse_quote_spanned!(span=> #this.#ident)
}

fn of_field(said: &mut Said, input: ParseStream<'_>) -> Result<()> {
    if said.role.is_none() {
        said.role = Some(self::role(input)?);
        return Ok(());
    }
    let name = option(input, &OF_FIELD)?;
    if said.given.contains(&name) {
        return Err(Error::new(name.span(), format!("`{name}` is given twice")));
    }
    match name.to_string().as_str() {
        "name" => said.name = Some(literal(&name, input)?),
        "unit" => said.unit = Some(word(&name, input)?),
        "resolution" => said.resolution = Some(word(&name, input)?),
        _ => said.prefix = Some(literal(&name, input)?),
    }
    said.given.push(name);
    Ok(())
}

fn role(input: ParseStream<'_>) -> Result<(Ident, Option<Role>)> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected one of {}", roles())));
    }
    let word = input.call(Ident::parse_any)?;
    let known = ROLES.into_iter().find(|(name, _)| word == name);
    match known {
        Some((_, role)) => Ok((word, role)),
        None => {
            let text = word.to_string();
            let meant = suggestion(&text, ROLES.iter().map(|(name, _)| *name));
            let message = format!("unknown kind of field `{text}`{meant}; expected first one of {}", roles());
            Err(Error::new(word.span(), message))
        }
    }
}

fn roles() -> String {
    ROLES.map(|(name, _)| format!("`{name}`")).join(", ")
}

/// Each option belongs to some roles only.
fn only_what_belongs(said: &Said, word: &Ident, role: Option<Role>) -> Result<()> {
    let belongs = |option: &Ident| match option.to_string().as_str() {
        "name" => matches!(role, Some(Role::Metric(_) | Role::Field(_) | Role::Dimension)),
        "prefix" => role == Some(Role::Flatten),
        _ => matches!(role, Some(Role::Metric(_))),
    };
    match said.given.iter().find(|option| !belongs(option)) {
        Some(option) => Err(Error::new(option.span(), format!("`{word}` has no `{option}`"))),
        None => Ok(()),
    }
}

fn renamed(ident: &Ident, case: Option<Case>) -> LitStr {
    let name = ident.unraw().to_string();
    LitStr::new(&case.map_or(name.clone(), |case| case.of(&name)), ident.span())
}

fn prefixed(prefix: Option<&LitStr>, name: &LitStr) -> LitStr {
    let prefix = prefix.map(LitStr::value).unwrap_or_default();
    LitStr::new(&(prefix + &name.value()), name.span())
}
