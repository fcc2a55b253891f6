//! The arguments of `#[instrumented(..)]`: one table of names, each with what reads its value.

use proc_macro2::{Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Error, LitStr, Meta, Result, Token};

use crate::check::suggestion;
use crate::model::Options;

/// One argument of the attribute.
struct Argument {
    name: &'static str,
    /// How it is written, for the errors.
    usage: &'static str,
    is_given: fn(&Options) -> bool,
    /// Reads what follows the name.
    read: fn(&mut Options, &Ident, ParseStream<'_>) -> Result<()>,
}

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "name",
        usage: "name = \"...\"",
        is_given: |options| options.name.is_some(),
        read: |options, name, input| {
            options.name = Some(text(name, input)?);
            Ok(())
        },
    },
    Argument {
        name: "skip",
        usage: "skip",
        is_given: |options| options.skip.is_some(),
        read: |options, name, _| {
            options.skip = Some(name.span());
            Ok(())
        },
    },
];

/// Parses what stands between the parentheses.
pub(crate) fn options(input: TokenStream) -> Result<Options> {
    parse.parse2(input)
}

/// Takes the method's own `#[instrumented(..)]` from it, and parses it.
pub(crate) fn own_options(attributes: &mut Vec<Attribute>) -> Result<Options> {
    let Some(at) = attributes.iter().position(is_instrumented) else {
        return Ok(Options::default());
    };
    let own = attributes.remove(at);
    if let Some(second) = attributes.iter().find(|attribute| is_instrumented(attribute)) {
        return Err(Error::new_spanned(second, "`#[instrumented]` is given twice"));
    }
    match own.meta {
        Meta::Path(_) => Ok(Options::default()),
        Meta::List(list) => options(list.tokens),
        Meta::NameValue(_) => {
            Err(Error::new_spanned(own, "expected `#[instrumented]` or `#[instrumented(..)]`"))
        }
    }
}

/// Whether this is ours, by whatever path.
pub(crate) fn is_instrumented(attribute: &Attribute) -> bool {
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "instrumented")
}

fn parse(input: ParseStream<'_>) -> Result<Options> {
    let mut options = Options::default();
    while !input.is_empty() {
        argument(&mut options, input)?;
        if input.is_empty() {
            break;
        }
        if !input.peek(Token![,]) {
            return Err(input.error("expected `,`"));
        }
        input.parse::<Token![,]>()?;
    }
    Ok(options)
}

fn argument(options: &mut Options, input: ParseStream<'_>) -> Result<()> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected one of: {}", usages())));
    }
    let name = input.call(Ident::parse_any)?;
    let text = name.to_string();
    let Some(argument) = ARGUMENTS.iter().find(|argument| argument.name == text) else {
        let meant = suggestion(&text, ARGUMENTS.iter().map(|argument| argument.name));
        let message = format!("unknown argument `{text}`{meant}; expected one of: {}", usages());
        return Err(Error::new(name.span(), message));
    };
    if (argument.is_given)(options) {
        return Err(Error::new(name.span(), format!("`{text}` is given twice")));
    }
    (argument.read)(options, &name, input)
}

fn usages() -> String {
    let usages: Vec<String> = ARGUMENTS.iter().map(|argument| format!("`{}`", argument.usage)).collect();
    usages.join(", ")
}

fn text(name: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let equals = input.parse::<Option<Token![=]>>()?;
    if equals.is_some() && input.peek(LitStr) {
        return input.parse();
    }
    Err(Error::new(name.span(), format!("expected a string literal: `{name} = \"...\"`")))
}
