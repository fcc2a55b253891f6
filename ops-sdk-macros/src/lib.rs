//! The attribute and the macros of `ops-sdk`. Use them through it.
//!
//! Each goes the same way: `parse` turns tokens into a `model`, `check` says what is allowed, `expand` writes the code;
//! if any of them fails, `fallback` keeps the user's item and shows one error at the token that is to blame.

mod check;
mod expand;
mod fallback;
mod model;
mod parse;

use proc_macro::TokenStream;

use crate::model::{Level, MetricKind};

/// Counts.
#[proc_macro]
pub fn counter(input: TokenStream) -> TokenStream {
    metric(MetricKind::Counter, input)
}

/// Sets a gauge.
#[proc_macro]
pub fn gauge(input: TokenStream) -> TokenStream {
    metric(MetricKind::Gauge, input)
}

/// Observes a value.
#[proc_macro]
pub fn histogram(input: TokenStream) -> TokenStream {
    metric(MetricKind::Histogram, input)
}

/// Logs every step.
#[proc_macro]
pub fn trace(input: TokenStream) -> TokenStream {
    event(Level::Trace, input)
}

/// Logs for those who look for a fault.
#[proc_macro]
pub fn debug(input: TokenStream) -> TokenStream {
    event(Level::Debug, input)
}

/// Logs the normal course of things.
#[proc_macro]
pub fn info(input: TokenStream) -> TokenStream {
    event(Level::Info, input)
}

/// Logs what someone should look at.
#[proc_macro]
pub fn warn(input: TokenStream) -> TokenStream {
    event(Level::Warn, input)
}

/// Logs what someone must look at.
#[proc_macro]
pub fn error(input: TokenStream) -> TokenStream {
    event(Level::Error, input)
}

/// Measures calls.
#[proc_macro_attribute]
pub fn instrumented(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse::visible(item.into());
    let expanded = parse::options(arguments.into())
        .and_then(|options| expand::item(&options, syn::parse2(item.clone())?));
    expanded.unwrap_or_else(|error| fallback::item(item, &error)).into()
}

fn metric(kind: MetricKind, input: TokenStream) -> TokenStream {
    let metric = parse::metric(kind, parse::visible(input.into()));
    let expanded = metric.and_then(|metric| check::metric(&metric).map(|()| expand::metric(&metric)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}

fn event(level: Level, input: TokenStream) -> TokenStream {
    let event = parse::event(level, parse::visible(input.into()));
    let expanded = event.and_then(|event| check::event(&event).map(|()| expand::event(&event)));
    expanded.unwrap_or_else(|error| fallback::expression(&error)).into()
}
