//! `#[derive(Dimensions)]`: enums of variants without values, and structs of named fields, with
//! `#[dimension(rename = "..")]` on a variant, a field or an enum, and `#[dimension(rename_all = "..")]` on the type.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Attribute, Data, DataEnum, DataStruct, DeriveInput, Error, Fields, LitStr, Result, Token};

use crate::check::suggestion;
use crate::model::{Case, DimensionSet, Keyed, Known};

const CASES: [(&str, Case); 6] = [
    ("lowercase", Case::Lower),
    ("snake_case", Case::Snake),
    ("SCREAMING_SNAKE_CASE", Case::ScreamingSnake),
    ("kebab-case", Case::Kebab),
    ("camelCase", Case::Camel),
    ("PascalCase", Case::Pascal),
];

/// What `#[dimension(..)]` says.
#[derive(Default)]
struct Naming {
    rename: Option<LitStr>,
    rename_all: Option<Case>,
}

/// Parses a type with `#[derive(Dimensions)]`.
pub(crate) fn dimension_set(input: TokenStream) -> Result<DimensionSet> {
    let input: DeriveInput = syn::parse2(input)?;
    let of_type = naming(&input.attrs, Place::Type)?;
    let known = match &input.data {
        Data::Enum(data) => {
            let key = of_type
                .rename
                .unwrap_or_else(|| LitStr::new(&input.ident.unraw().to_string(), input.ident.span()));
            Known::Enum { key, variants: variants(&input.ident, data, of_type.rename_all)? }
        }
        Data::Struct(data) => {
            if let Some(rename) = of_type.rename {
                let message =
                    "a struct has a key for each field: put `#[dimension(rename = \"...\")]` on a field";
                return Err(Error::new(rename.span(), message));
            }
            Known::Struct(fields(&input.ident, data, of_type.rename_all)?)
        }
        Data::Union(data) => {
            return Err(Error::new(data.union_token.span, "a union does not know what it holds"));
        }
    };
    Ok(DimensionSet { ident: input.ident, generics: input.generics, known })
}

fn variants(ident: &Ident, data: &DataEnum, case: Option<Case>) -> Result<Vec<Keyed<()>>> {
    if data.variants.is_empty() {
        return Err(Error::new(ident.span(), "an enum without variants has no value to give"));
    }
    let variant = |variant: &syn::Variant| {
        if !matches!(variant.fields, Fields::Unit) {
            let message = "the compiler cannot count what is in a variant: keep variants without values, or write \
                           `\"Key\" => %value`";
            return Err(Error::new_spanned(&variant.fields, message));
        }
        let text = named(&variant.attrs, &variant.ident, case)?;
        Ok(Keyed { ident: variant.ident.clone(), text, ty: () })
    };
    data.variants.iter().map(variant).collect()
}

fn fields(ident: &Ident, data: &DataStruct, case: Option<Case>) -> Result<Vec<Keyed<syn::Type>>> {
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(ident.span(), "the keys are the names of the fields, and these have none"));
    };
    if fields.named.is_empty() {
        return Err(Error::new(ident.span(), "a struct without fields has no dimensions"));
    }
    let field = |field: &syn::Field| {
        let Some(ident) = field.ident.clone() else {
            return Err(Error::new_spanned(field, "expected a name"));
        };
        let text = named(&field.attrs, &ident, case)?;
        Ok(Keyed { ident, text, ty: field.ty.clone() })
    };
    fields.named.iter().map(field).collect()
}

fn named(attributes: &[Attribute], ident: &Ident, case: Option<Case>) -> Result<LitStr> {
    let own = naming(attributes, Place::Part)?;
    let text = || {
        let name = ident.unraw().to_string();
        LitStr::new(&case.map_or(name.clone(), |case| case.of(&name)), ident.span())
    };
    Ok(own.rename.unwrap_or_else(text))
}

/// Where an attribute stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Type,
    Part,
}

fn naming(attributes: &[Attribute], place: Place) -> Result<Naming> {
    let mut naming = Naming::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("dimension")) {
        let list = attribute
            .meta
            .require_list()
            .map_err(|_| Error::new_spanned(attribute, format!("expected {}", usage(place))))?;
        list.parse_args_with(|input: ParseStream<'_>| arguments(&mut naming, place, input))?;
    }
    Ok(naming)
}

fn usage(place: Place) -> &'static str {
    match place {
        Place::Type => "`#[dimension(rename_all = \"snake_case\")]` or `#[dimension(rename = \"...\")]`",
        Place::Part => "`#[dimension(rename = \"...\")]`",
    }
}

fn arguments(naming: &mut Naming, place: Place, input: ParseStream<'_>) -> Result<()> {
    loop {
        argument(naming, place, input)?;
        if input.parse::<Option<Token![,]>>()?.is_none() || input.is_empty() {
            break;
        }
    }
    if input.is_empty() { Ok(()) } else { Err(input.error("expected `,`")) }
}

fn argument(naming: &mut Naming, place: Place, input: ParseStream<'_>) -> Result<()> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected {}", usage(place))));
    }
    let word = input.call(Ident::parse_any)?;
    let text = word.to_string();
    let known = text == "rename" || (text == "rename_all" && place == Place::Type);
    if !known {
        if text == "rename_all" {
            let message = "`rename_all` names all of a type: put it on the type";
            return Err(Error::new(word.span(), message));
        }
        let meant = suggestion(&text, ["rename", "rename_all"].into_iter());
        return Err(Error::new(
            word.span(),
            format!("unknown argument `{text}`{meant}; expected {}", usage(place)),
        ));
    }
    if input.parse::<Option<Token![=]>>()?.is_none() || !input.peek(LitStr) {
        return Err(Error::new(word.span(), format!("expected a string literal: `{text} = \"...\"`")));
    }
    let value: LitStr = input.parse()?;
    let given = if text == "rename" {
        naming.rename.replace(value).is_some()
    } else {
        naming.rename_all.replace(case(&value)?).is_some()
    };
    if given { Err(Error::new(word.span(), format!("`{text}` is given twice"))) } else { Ok(()) }
}

/// The words of `rename_all`.
pub(super) fn case(value: &LitStr) -> Result<Case> {
    let text = value.value();
    CASES.into_iter().find(|(name, _)| *name == text).map(|(_, case)| case).ok_or_else(|| {
        let names = CASES.map(|(name, _)| format!("\"{name}\"")).join(", ");
        let meant = suggestion(&text, CASES.iter().map(|(name, _)| *name));
        Error::new(value.span(), format!("unknown case \"{text}\"{meant}; expected one of: {names}"))
    })
}
