//! The log lines of a function: one when it begins, as a log macro would write it, and a guard that writes one when it
//! ends.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};
use syn::LitStr;

use super::{event, hygienic, reference};
use crate::model::{Capture, Event, Field, Key, Level, Limits, LogOn, Options, Piece};

/// The statements that log: at the beginning, and `let __ops_log` for the end where it is logged.
pub(super) struct Logs {
    pub(super) entry: TokenStream,
    /// An expression that makes the guard.
    pub(super) guard: Option<TokenStream>,
}

/// What to log of a function that is shown under this name.
pub(super) fn logs(options: &Options, shown: &Ident, prefix: &str) -> Logs {
    let Some(on) = options.log.filter(|on| *on != LogOn::default()) else {
        return Logs { entry: TokenStream::new(), guard: None };
    };
    let name = match &options.name {
        Some(name) => name.value(),
        None => format!("{prefix}{}", syn::ext::IdentExt::unraw(shown)),
    };
    let level = options.level.unwrap_or(Level::Info);
    let line = |level, what: &str| line(options, level, LitStr::new(&format!("{name} {what}"), shown.span()));
    let entry = if on.entry {
        let event = event::event(&line(level, "began"));
        quote_spanned!(hygienic()=> #event;)
    } else {
        TokenStream::new()
    };
    let exit = on.exit.then(|| ended(line(level, "ended")));
    let error = on.error.then(|| ended(line(Level::Error, "failed")));
    let guard = (on.exit || on.error).then(|| guard(options, &optional(exit), &optional(error)));
    Logs { entry, guard }
}

fn line(options: &Options, level: Level, template: LitStr) -> Event {
    let pieces = vec![Piece::Text(template.value())];
    Event {
        level,
        limits: Limits::default(),
        template,
        fields: options.fields.clone(),
        pieces,
        formatted: Vec::new(),
    }
}

/// The site of a line that is written at the end: the fields, and behind them how it ended.
fn ended(mut event: Event) -> TokenStream {
    let key = Key { text: "outcome".to_owned(), span: event.template.span() };
    event.fields.push(Field { key, capture: Capture::Typed, value: syn::parse_quote!(()) });
    let level = Ident::new(event.level.variant(), hygienic());
    let site = event::event_site(&event, &level);
    quote_spanned!(hygienic()=> { #site &__OPS_SITE })
}

fn optional(value: Option<TokenStream>) -> TokenStream {
    match value {
        Some(value) => quote_spanned!(hygienic()=> ::core::option::Option::Some(#value)),
        None => quote_spanned!(hygienic()=> ::core::option::Option::None),
    }
}

fn guard(options: &Options, exit: &TokenStream, error: &TokenStream) -> TokenStream {
    let fields = options.fields.iter().map(|field| {
        let value = reference(&field.value);
        let value = event::argument(field, &quote!(#value));
        quote_spanned!(hygienic()=> ::ops_sdk::__private::hold(#value))
    });
    quote_spanned!(hygienic()=> ::ops_sdk::__private::logged(#exit, #error, || [#(#fields),*]))
}
