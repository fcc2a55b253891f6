//! The arguments of `#[instrumented(..)]` that are about its log lines: `log = "entry, error"`, `level = debug`.

use proc_macro2::Ident;
use syn::ext::IdentExt as _;
use syn::parse::ParseStream;
use syn::{Error, LitStr, Result};

use crate::check::suggestion;
use crate::model::{Level, LogOn};

const MOMENTS: [&str; 3] = ["entry", "exit", "error"];
const LEVELS: [Level; 5] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];

/// `"entry"`, `"exit"`, `"error"`, or more of them with commas; or `"off"`.
pub(super) fn moments(input: ParseStream<'_>) -> Result<LogOn> {
    let expected = "`\"entry\"`, `\"exit\"`, `\"error\"`, or more of them with commas: `log = \"entry, error\"`; or `\"off\"`";
    if !input.peek(LitStr) {
        return Err(input.error(format!("expected {expected}")));
    }
    let text: LitStr = input.parse()?;
    let mut on = LogOn::default();
    if text.value() == "off" {
        return Ok(on);
    }
    for moment in text.value().split(',').map(str::trim) {
        let place = match moment {
            "entry" => &mut on.entry,
            "exit" => &mut on.exit,
            "error" => &mut on.error,
            _ => {
                let meant = suggestion(moment, MOMENTS.into_iter());
                let message = format!("unknown moment `{moment}`{meant}; expected {expected}");
                return Err(Error::new(text.span(), message));
            }
        };
        if std::mem::replace(place, true) {
            return Err(Error::new(text.span(), format!("`{moment}` is given twice")));
        }
    }
    Ok(on)
}

/// `trace`, `debug`, `info`, `warn` or `error`.
pub(super) fn level(input: ParseStream<'_>) -> Result<Level> {
    let expected = "expected `trace`, `debug`, `info`, `warn` or `error`";
    if !input.peek(Ident::peek_any) {
        return Err(input.error(expected));
    }
    let word = input.call(Ident::parse_any)?;
    let is = |level: &Level| word == level.variant().to_lowercase();
    LEVELS.into_iter().find(is).ok_or_else(|| {
        let names = LEVELS.map(|level| level.variant().to_lowercase());
        let meant = suggestion(&word.to_string(), names.iter().map(String::as_str));
        Error::new(word.span(), format!("unknown level `{word}`{meant}; {expected}"))
    })
}
