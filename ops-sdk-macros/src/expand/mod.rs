//! Model in, tokens out. What is expanded is small, for it stands in the user's code at every use: one `static` that
//! says everything known to the compiler, one look at the switch, one call. Names are hidden from the user's code by
//! hygiene; the user's tokens keep their spans, so that an error about a value points at the value.

mod derive;
mod dimensions;
mod event;
mod function;
mod future;
mod logs;
mod metric;
mod outcome;
mod record;
mod returns;
mod unit;

pub(crate) use self::derive::dimension_set;
pub(crate) use self::event::event;
pub(crate) use self::function::item;
pub(crate) use self::metric::metric;
pub(crate) use self::outcome::outcomes;
pub(crate) use self::record::record;

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, ExprReference, Token};

use crate::model::Capture;

/// Where our tokens are resolved: local names of ours are invisible to the user's code, and the other way round.
fn hygienic() -> Span {
    Span::mixed_site()
}

/// The same, but errors about the tokens point at what the user wrote.
fn hygienic_at(tokens: &impl Spanned) -> Span {
    Span::mixed_site().located_at(tokens.span())
}

/// `static __OPS_SITE`, with what its kind adds. The name is a user's to see only within an argument of the same
/// macro, where another use of a macro brings its own.
fn site(kind: &TokenStream, name: &TokenStream, line: &TokenStream, more: &TokenStream) -> TokenStream {
    let value = site_value(kind, name, line, more);
    quote_spanned!(hygienic()=> static __OPS_SITE: ::ops_sdk::__private::Site = #value;)
}

/// A site as an expression.
fn site_value(kind: &TokenStream, name: &TokenStream, line: &TokenStream, more: &TokenStream) -> TokenStream {
    quote_spanned! {hygienic()=>
        ::ops_sdk::__private::Site::new(
            ::ops_sdk::__private::Kind::#kind,
            #name,
            ::ops_sdk::__private::Source { target: ::core::module_path!(), file: ::core::file!(), line: #line },
        ) #more
    }
}

/// The line of the macro that is being expanded.
fn this_line() -> TokenStream {
    quote_spanned!(hygienic()=> ::core::line!())
}

/// `&expr`, with parentheses where they are needed.
fn reference(expr: &Expr) -> Expr {
    let and_token = Token![&](hygienic_at(expr));
    Expr::Reference(ExprReference {
        attrs: Vec::new(),
        and_token,
        mutability: None,
        expr: Box::new(expr.clone()),
    })
}

/// The variant of `Label` or `Arg` that takes a value by a trait of the standard library.
fn variant(capture: Capture) -> &'static str {
    match capture {
        Capture::Debug => "Debug",
        Capture::Display | Capture::Typed => "Display",
    }
}
