//! The arguments of `#[instrumented(..)]`: one table of names, each with what reads its value.

use proc_macro2::{Group, Ident, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Error, Expr, LitBool, LitInt, LitStr, Meta, Result, Token, token};

use super::outcome::how;
use super::{dimensions, event, logs};
use crate::check::suggestion;
use crate::model::{Correlate, Judge, Options};

/// One argument of the attribute.
struct Argument {
    name: &'static str,
    /// How it is written, for the errors.
    usage: &'static str,
    /// Reads what follows the name.
    read: fn(&mut Options, &Ident, ParseStream<'_>) -> Result<()>,
}

const UNITS: &str = "`unit = Seconds`, `unit = Milliseconds` or `unit = Microseconds`";
const RESOLUTIONS: &str = "`resolution = high` or `resolution = standard`";

const ARGUMENTS: &[Argument] = &[
    Argument {
        name: "name",
        usage: "name = \"...\"",
        read: |options, name, input| {
            options.name = Some(text(name, input)?);
            Ok(())
        },
    },
    Argument {
        name: "skip",
        usage: "skip",
        read: |options, _, _| {
            options.skip = true;
            Ok(())
        },
    },
    Argument {
        name: "ok_if",
        usage: "ok_if = condition",
        read: |options, name, input| {
            let condition = expression(name, input, "a closure or function over what is returned")?;
            judge(options, name, Judge::OkIf(condition))
        },
    },
    Argument {
        name: "err_if",
        usage: "err_if = condition",
        read: |options, name, input| {
            let condition = expression(name, input, "a closure or function over what is returned")?;
            judge(options, name, Judge::ErrIf(condition))
        },
    },
    Argument {
        name: "none",
        usage: "none = ok | error | client",
        read: |options, name, input| {
            equals(name, input, "`none = ok`, `none = error` or `none = client`")?;
            let how = how(input)?;
            judge(options, name, Judge::None(how, name.span()))
        },
    },
    Argument {
        name: "dims",
        usage: "dims(\"Key\" => value, ..)",
        read: |options, name, input| {
            let inside = parenthesized(name, input, "dims(\"Key\" => value, ..)")?;
            let given = dimensions::within(inside)?;
            (options.dimensions.own, options.dimensions.spreads) = (given.own, given.spreads);
            Ok(())
        },
    },
    Argument {
        name: "series_max",
        usage: "series_max = N",
        read: |options, name, input| {
            equals(name, input, "how many series there may be: `series_max = 50`")?;
            options.dimensions.series_max = Some(dimensions::series_max(name, input)?);
            Ok(())
        },
    },
    Argument {
        name: "rollup",
        usage: "rollup = [[\"Key\"], ..]",
        read: |options, name, input| {
            equals(name, input, "lists of keys: `rollup = [[], [\"Region\"]]`")?;
            options.dimensions.rollup = dimensions::rollup(name, input)?;
            options.dimensions.rollup_span = Some(name.span());
            Ok(())
        },
    },
    Argument {
        name: "in_flight",
        usage: "in_flight",
        read: |options, name, input| {
            options.in_flight = Some(switch(name, input)?);
            Ok(())
        },
    },
    Argument {
        name: "unit",
        usage: "unit = Unit",
        read: |options, name, input| {
            equals(name, input, UNITS)?;
            options.unit = Some(word(input, UNITS)?);
            Ok(())
        },
    },
    Argument {
        name: "resolution",
        usage: "resolution = high",
        read: |options, name, input| {
            equals(name, input, RESOLUTIONS)?;
            options.resolution = Some(word(input, RESOLUTIONS)?);
            Ok(())
        },
    },
    Argument {
        name: "sample",
        usage: "sample = N",
        read: |options, name, input| {
            equals(name, input, "how many calls there are to one that is timed: `sample = 16`")?;
            options.sample = Some(number(name, input)?);
            Ok(())
        },
    },
    Argument {
        name: "log",
        usage: "log = \"entry, exit, error\"",
        read: |options, name, input| {
            equals(name, input, "`log = \"entry\"`, `log = \"exit\"`, `log = \"error\"`, or more of them")?;
            options.log = Some(logs::moments(input)?);
            Ok(())
        },
    },
    Argument {
        name: "level",
        usage: "level = info",
        read: |options, name, input| {
            equals(name, input, "a level: `level = debug`")?;
            options.level = Some(logs::level(input)?);
            Ok(())
        },
    },
    Argument {
        name: "fields",
        usage: "fields(name = value, ..)",
        read: |options, name, input| {
            let inside = parenthesized(name, input, "fields(name = value, ..)")?;
            options.fields = event::fields.parse2(inside)?;
            Ok(())
        },
    },
    Argument {
        name: "correlate",
        usage: "correlate",
        read: |options, name, input| {
            let is_given = input.peek(Token![=]);
            let with = is_given.then(|| expression(name, input, "a `Correlation`")).transpose()?;
            options.correlate = Some(Correlate { with });
            Ok(())
        },
    },
    Argument {
        name: "hold",
        usage: "hold = debug",
        read: |options, name, input| {
            equals(name, input, "the level of the events to hold back: `hold = debug`")?;
            options.hold = Some(logs::level(input)?);
            Ok(())
        },
    },
    Argument {
        name: "busy",
        usage: "busy",
        read: |options, _, _| {
            options.busy = true;
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
    if options.given(&text).is_some() {
        return Err(Error::new(name.span(), format!("`{text}` is given twice")));
    }
    (argument.read)(options, &name, input)?;
    options.given.push(name);
    Ok(())
}

/// One alone says how a call ended.
fn judge(options: &mut Options, name: &Ident, judge: Judge) -> Result<()> {
    let other = ["ok_if", "err_if", "none"].into_iter().find_map(|other| options.given(other));
    if let Some(other) = other {
        let message = format!("`{other}` already says how a call ended: keep one of them");
        return Err(Error::new(name.span(), message));
    }
    options.judge = judge;
    Ok(())
}

/// `(..)` and something in it.
fn parenthesized(name: &Ident, input: ParseStream<'_>, usage: &str) -> Result<TokenStream> {
    let group = if input.peek(token::Paren) { Some(input.parse::<Group>()?) } else { None };
    match group.filter(|group| !group.stream().is_empty()) {
        Some(group) => Ok(group.stream()),
        None => Err(Error::new(name.span(), format!("expected `{usage}`"))),
    }
}

/// Nothing, `= true` or `= false`.
fn switch(name: &Ident, input: ParseStream<'_>) -> Result<bool> {
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Ok(true);
    }
    if input.peek(LitBool) {
        return Ok(input.parse::<LitBool>()?.value);
    }
    Err(Error::new(name.span(), format!("expected `{name}`, `{name} = true` or `{name} = false`")))
}

/// One word, and nothing behind it.
fn word(input: ParseStream<'_>, expected: &str) -> Result<Ident> {
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected {expected}")));
    }
    input.call(Ident::parse_any)
}

fn number(name: &Ident, input: ParseStream<'_>) -> Result<LitInt> {
    if input.peek(LitInt) {
        return input.parse();
    }
    Err(input.error(format!("`{name}` is a whole number, written out: `{name} = 16`")))
}

/// `= expression`.
fn expression(name: &Ident, input: ParseStream<'_>, what: &str) -> Result<Expr> {
    equals(name, input, &format!("{what}: `{name} = ..`"))?;
    input.parse()
}

/// `=`, and something behind it.
fn equals(name: &Ident, input: ParseStream<'_>, what: &str) -> Result<()> {
    let equals = input.parse::<Option<Token![=]>>()?;
    if equals.is_none() || input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(name.span(), format!("expected {what}")));
    }
    Ok(())
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
