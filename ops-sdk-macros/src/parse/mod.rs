//! Tokens in, model out. A parser knows the grammar and the place of an error in it; whether a name or a number is
//! allowed is for `check` to say.

mod derive;
mod dimensions;
mod event;
mod groups;
mod instrumented;
mod limit;
mod logs;
mod metric;
mod outcome;
mod record;
mod spec;
mod template;

pub(crate) use self::derive::dimension_set;
pub(crate) use self::event::event;
pub(crate) use self::groups::visible;
pub(crate) use self::instrumented::{is_instrumented, options, own_options};
pub(crate) use self::metric::metric;
pub(crate) use self::outcome::outcomes;
pub(crate) use self::record::record;

use proc_macro2::Span;
use syn::parse::ParseStream;
use syn::{Expr, ExprUnary, Lit, LitInt, Result, Token, UnOp};

use crate::model::Capture;

/// Where the parser stands: at the next token, or at the whole macro if there is none.
fn next_span(input: ParseStream<'_>) -> Span {
    if input.is_empty() { Span::call_site() } else { input.span() }
}

/// Whether another argument follows. A comma may end the list.
fn comma(input: ParseStream<'_>) -> Result<bool> {
    if input.is_empty() {
        return Ok(false);
    }
    if !input.peek(Token![,]) {
        return Err(input.error("expected `,`"));
    }
    input.parse::<Token![,]>()?;
    Ok(!input.is_empty())
}

/// `%value` or `value`.
fn display_or_typed(input: ParseStream<'_>) -> Result<(Capture, Expr)> {
    if input.peek(Token![?]) {
        let message = "`Debug` makes no good value of a dimension: use `%value` for its `Display`";
        return Err(input.error(message));
    }
    if input.parse::<Option<Token![%]>>()?.is_some() {
        return Ok((Capture::Display, input.parse()?));
    }
    Ok((Capture::Typed, wide(input.parse()?)))
}

/// Gives a bare integer literal a type that holds it. Left to itself it would be an `i32`, and `3_000_000_000` an
/// error.
fn wide(expr: Expr) -> Expr {
    map_integer(expr, &|int| {
        let suffix = if int.base10_parse::<i64>().is_ok() { "i64" } else { "u64" };
        LitInt::new(&format!("{int}{suffix}"), int.span())
    })
}

/// Replaces a bare integer literal, also under a minus sign or in parentheses.
fn map_integer(mut expr: Expr, with: &dyn Fn(&LitInt) -> LitInt) -> Expr {
    match &mut expr {
        Expr::Lit(lit) => {
            if let Lit::Int(int) = &mut lit.lit
                && int.suffix().is_empty()
            {
                *int = with(int);
            }
        }
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr: inner, .. }) => replace(inner, with),
        Expr::Paren(paren) => replace(&mut paren.expr, with),
        Expr::Group(group) => replace(&mut group.expr, with),
        _ => {}
    }
    expr
}

fn replace(inner: &mut Expr, with: &dyn Fn(&LitInt) -> LitInt) {
    let taken = std::mem::replace(inner, Expr::PLACEHOLDER);
    *inner = map_integer(taken, with);
}
