//! `#[derive(Outcome)]`: `#[outcome(ok | error | client, label = "..")]` on each variant of an enum, or on the type
//! itself, where it stands for all that have none of their own.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Data, DataEnum, DeriveInput, Error, LitStr, Meta, Result, Token};

use crate::check::suggestion;
use crate::model::{Ending, How, Outcomes};

const USAGE: &str =
    "`#[outcome(ok)]`, `#[outcome(error)]` or `#[outcome(client)]`, each also with `label = \"...\"`";
const WORDS: [&str; 3] = ["ok", "error", "client"];

/// Parses a type with `#[derive(Outcome)]`.
pub(crate) fn outcomes(input: TokenStream) -> Result<Outcomes> {
    let input: DeriveInput = syn::parse2(input)?;
    let whole = ending(&input.attrs)?;
    let variants = match &input.data {
        Data::Enum(data) => Some(variants(data, whole.as_ref())?),
        Data::Struct(_) if whole.is_some() => None,
        Data::Struct(_) => {
            let message = format!("say how a call ends with it: {USAGE} on the struct");
            return Err(Error::new(input.ident.span(), message));
        }
        Data::Union(data) => {
            let message = "a union does not know what it holds: implement `ops_sdk::Outcome` by hand";
            return Err(Error::new(data.union_token.span, message));
        }
    };
    Ok(Outcomes { ident: input.ident, generics: input.generics, variants, whole })
}

fn variants(data: &DataEnum, whole: Option<&Ending>) -> Result<Vec<(Ident, Ending)>> {
    let variant = |variant: &syn::Variant| {
        let own = ending(&variant.attrs)?;
        let message = format!("say how a call ends with `{}`: {USAGE}, here or on the enum", variant.ident);
        let ending = own.or_else(|| whole.cloned());
        Ok((variant.ident.clone(), ending.ok_or_else(|| Error::new(variant.ident.span(), message))?))
    };
    data.variants.iter().map(variant).collect()
}

/// What `#[outcome(..)]` among these says.
fn ending(attributes: &[Attribute]) -> Result<Option<Ending>> {
    let mut ours = attributes.iter().filter(|attribute| attribute.path().is_ident("outcome"));
    let Some(attribute) = ours.next() else { return Ok(None) };
    if let Some(second) = ours.next() {
        return Err(Error::new_spanned(second, "`#[outcome]` is given twice"));
    }
    match &attribute.meta {
        Meta::List(list) => list.parse_args_with(arguments).map(Some),
        Meta::Path(_) | Meta::NameValue(_) => Err(Error::new_spanned(attribute, format!("expected {USAGE}"))),
    }
}

fn arguments(input: ParseStream<'_>) -> Result<Ending> {
    let how = how(input)?;
    if input.is_empty() {
        return Ok(Ending { how, label: None });
    }
    input.parse::<Token![,]>()?;
    if input.is_empty() {
        return Ok(Ending { how, label: None });
    }
    let label = label(input)?;
    input.parse::<Option<Token![,]>>()?;
    if !input.is_empty() {
        return Err(input.error(format!("expected {USAGE}")));
    }
    Ok(Ending { how, label: Some(label) })
}

/// `ok`, `error` or `client`.
pub(super) fn how(input: ParseStream<'_>) -> Result<How> {
    let expected = "expected `ok`, `error` or `client`";
    if !input.peek(Ident::peek_any) {
        return Err(input.error(expected));
    }
    let word = input.call(Ident::parse_any)?;
    let text = word.to_string();
    match text.as_str() {
        "ok" => Ok(How::Ok),
        "error" => Ok(How::Error),
        "client" => Ok(How::Client),
        _ => {
            let meant = suggestion(&text, WORDS.into_iter());
            Err(Error::new(word.span(), format!("unknown ending `{text}`{meant}; {expected}")))
        }
    }
}

fn label(input: ParseStream<'_>) -> Result<LitStr> {
    let expected = "expected a label: `label = \"...\"`";
    if !input.peek(Ident::peek_any) {
        return Err(input.error(expected));
    }
    let name = input.call(Ident::parse_any)?;
    let equals = input.parse::<Option<Token![=]>>()?;
    if name == "label" && equals.is_some() && input.peek(LitStr) {
        return input.parse();
    }
    Err(Error::new(name.span(), expected))
}
