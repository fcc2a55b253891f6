//! The rules for records: those of metrics, of dimensions and of the fields of log lines, for all that is seen here. What
//! is flattened into a record is seen by the compiler alone.

use proc_macro2::Span;
use syn::{Error, GenericParam, LitStr, PathArguments, Result, Type};

use super::event::{FIELDS_MAX, RESERVED, key_length};
use super::metric::{DIMENSIONS_MAX, RESOLUTIONS, UNITS, UNITS_OF_TIME, at, name, one_of};
use super::{dimensions, is_printable};
use crate::model::{Role, WorkPart, WorkRecord};

/// Checks a type with `#[derive(Record)]`.
pub(crate) fn record(record: &WorkRecord) -> Result<()> {
    if let Some(parameter) = record.generics.params.iter().find(|p| !matches!(p, GenericParam::Lifetime(_))) {
        let message = "the compiler makes a place for each metric of the record, so its type has no parameters but \
                       lifetimes";
        return Err(Error::new_spanned(parameter, message));
    }
    if record.parts.is_empty() && record.log.is_none() {
        return Err(Error::new(
            record.ident.span(),
            "there is nothing to record: no metric, and no log line",
        ));
    }
    if let Some(resolution) = &record.resolution {
        one_of("resolution", resolution, &RESOLUTIONS)?;
    }
    log(record)?;
    dimensions::check(&record.dimensions, DIMENSIONS_MAX)?;
    for (index, part) in record.parts.iter().enumerate() {
        self::part(part)?;
        unique(record, index)?;
    }
    match record.parts.iter().filter(|part| part.role != Role::Flatten).nth(FIELDS_MAX) {
        Some(part) if record.log.is_some() => {
            let message = format!("a log line has at most {FIELDS_MAX} fields, this is one more");
            Err(Error::new(part.ident.span(), message))
        }
        _ => Ok(()),
    }
}

fn log(record: &WorkRecord) -> Result<()> {
    let Some(message) = &record.log else {
        return match record.level {
            Some((_, span)) => Err(Error::new(span, "`level` is for the log line: `log = \"...\"`")),
            None => Ok(()),
        };
    };
    if message.value().is_empty() {
        return Err(Error::new(message.span(), "the message of the log line is empty"));
    }
    if message.value().contains(['{', '}']) {
        let text = "the message stands as it is: what the record holds is beside it, as fields";
        return Err(Error::new(message.span(), text));
    }
    record.dimensions.own.iter().try_for_each(|dimension| not_reserved(&dimension.key))
}

fn not_reserved(key: &LitStr) -> Result<()> {
    let text = key.value();
    if !RESERVED.contains(&text.as_str()) {
        return Ok(());
    }
    let message =
        format!("the key `{text}` belongs to the log line itself: choose another with `name = \"...\"`");
    Err(Error::new(key.span(), message))
}

fn part(part: &WorkPart) -> Result<()> {
    match part.role {
        Role::Metric(_) => {
            at(&part.name, name(&part.name.value()))?;
            unit(part)?;
            part.resolution.as_ref().map_or(Ok(()), |word| one_of("resolution", word, &RESOLUTIONS))
        }
        Role::Field(_) => {
            key_length(&part.name.value(), part.name.span())?;
            not_reserved(&part.name)
        }
        Role::Flatten => part.prefix.as_ref().map_or(Ok(()), prefix),
        Role::Dimension | Role::Dimensions => Ok(()),
    }
}

fn unit(part: &WorkPart) -> Result<()> {
    match &part.unit {
        Some(unit) if is_time(&part.ty) => one_of("unit of time", unit, &UNITS_OF_TIME),
        Some(unit) => one_of("unit", unit, &UNITS),
        None => Ok(()),
    }
}

/// Names begin with it, so that it follows the same rules.
fn prefix(prefix: &LitStr) -> Result<()> {
    let text = prefix.value();
    if text.is_empty() || !is_printable(&text) || text.starts_with([':', ' ']) {
        let message =
            "a prefix is made of printable ASCII characters and begins with neither a colon nor a space";
        return Err(Error::new(prefix.span(), message));
    }
    Ok(())
}

/// Whether a field of this type is measured in time, as far as its name tells.
pub(crate) fn is_time(ty: &Type) -> bool {
    let Type::Path(ty) = ty else { return false };
    let Some(last) = ty.path.segments.last() else { return false };
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if last.ident == "Option" => {
            arguments.args.iter().any(|argument| match argument {
                syn::GenericArgument::Type(ty) => is_time(ty),
                _ => false,
            })
        }
        _ => last.ident == "Duration" || last.ident == "Timer",
    }
}

fn unique(record: &WorkRecord, index: usize) -> Result<()> {
    let part = &record.parts[index];
    if part.role == Role::Flatten {
        return Ok(());
    }
    let text = part.name.value();
    let mut earlier = record.parts[..index].iter().filter(|other| other.role != Role::Flatten);
    if let Some(other) = earlier.find(|other| other.name.value() == text) {
        return Err(taken(&text, &format!("`{}`", other.ident), part.name.span()));
    }
    let mut dimensions = record.dimensions.own.iter();
    match dimensions.find(|own| record.log.is_some() && own.key.value() == text) {
        Some(_) => Err(taken(&text, "a dimension", part.name.span())),
        None => Ok(()),
    }
}

fn taken(text: &str, of: &str, span: Span) -> Error {
    Error::new(span, format!("the name \"{text}\" is already that of {of}"))
}
