//! `counter!("name", amount, unit = Bytes, resolution = high, "Key" => value, ...)`. One grammar for the three macros,
//! in one order: name, value, options, dimensions.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprUnary, Lit, LitInt, LitStr, Result, Token, UnOp};

use super::{display_or_typed, map_integer, wide};
use crate::model::{Dimension, Metric, MetricKind};

/// Parses the arguments of a metric macro.
pub(crate) fn metric(kind: MetricKind, input: TokenStream) -> Result<Metric> {
    (|input: ParseStream<'_>| parse(kind, input)).parse2(input)
}

fn parse(kind: MetricKind, input: ParseStream<'_>) -> Result<Metric> {
    let name = name(kind, input)?;
    let value = value(kind, &name, input)?;
    let mut metric = Metric { kind, name, value, unit: None, resolution: None, dimensions: Vec::new() };
    while comma(input)? {
        argument(&mut metric, input)?;
    }
    Ok(metric)
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

fn name(kind: MetricKind, input: ParseStream<'_>) -> Result<LitStr> {
    if input.is_empty() {
        let message = format!("a {} needs a name and a value: `{}`", noun(kind), example(kind));
        return Err(Error::new(Span::call_site(), message));
    }
    let message = "the name of a metric must be a string literal, for it is checked at compile time";
    match input.parse()? {
        Expr::Lit(lit) => match lit.lit {
            Lit::Str(name) => Ok(name),
            other => Err(Error::new(other.span(), message)),
        },
        Expr::Group(group) => syn::parse2(quote::ToTokens::into_token_stream(group.expr)),
        other => Err(Error::new_spanned(other, message)),
    }
}

fn value(kind: MetricKind, name: &LitStr, input: ParseStream<'_>) -> Result<Expr> {
    if !comma(input)? || is_option(input) || input.peek2(Token![=>]) {
        let message = format!("a {} needs a value after its name: `{}`", noun(kind), example(kind));
        return Err(Error::new(name.span(), message));
    }
    let value = input.parse()?;
    match kind {
        MetricKind::Counter => amount(value),
        MetricKind::Gauge | MetricKind::Histogram => Ok(wide(value)),
    }
}

/// A bare integer becomes an `u64`; what can be seen not to be an amount is refused.
fn amount(value: Expr) -> Result<Expr> {
    if let Some(problem) = not_an_amount(&value) {
        let message = format!(
            "a counter {problem}; use `gauge!` for a level that moves both ways, `histogram!` for sizes and durations"
        );
        return Err(Error::new_spanned(value, message));
    }
    Ok(map_integer(value, &|int| LitInt::new(&format!("{int}u64"), int.span())))
}

fn not_an_amount(value: &Expr) -> Option<&'static str> {
    match value {
        Expr::Lit(lit) if matches!(lit.lit, Lit::Float(_)) => Some("counts in whole numbers"),
        Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) if matches!(**expr, Expr::Lit(_)) => {
            Some("only goes up")
        }
        Expr::Paren(paren) => not_an_amount(&paren.expr),
        Expr::Group(group) => not_an_amount(&group.expr),
        _ => None,
    }
}

fn argument(metric: &mut Metric, input: ParseStream<'_>) -> Result<()> {
    if is_option(input) {
        return option(metric, input);
    }
    let key: Expr = input.parse()?;
    if !input.peek(Token![=>]) {
        return Err(Error::new_spanned(
            key,
            "expected `unit = Unit`, `resolution = high` or `\"Key\" => value`",
        ));
    }
    metric.dimensions.push(dimension(key, input)?);
    Ok(())
}

/// `"Key" => value`, of which the key was read.
fn dimension(key: Expr, input: ParseStream<'_>) -> Result<Dimension> {
    let key = literal_key(key)?;
    input.parse::<Token![=>]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(key.span(), "a value is missing after `=>`"));
    }
    let (capture, value) = display_or_typed(input)?;
    Ok(Dimension { key, capture, value })
}

/// `"Key" => value, ..`: dimensions alone.
pub(super) fn dimensions(input: ParseStream<'_>) -> Result<Vec<Dimension>> {
    let mut dimensions = Vec::new();
    while !input.is_empty() {
        let key: Expr = input.parse()?;
        if !input.peek(Token![=>]) {
            return Err(Error::new_spanned(key, "expected `\"Key\" => value`"));
        }
        dimensions.push(dimension(key, input)?);
        comma(input)?;
    }
    Ok(dimensions)
}

fn literal_key(key: Expr) -> Result<LitStr> {
    match key {
        Expr::Lit(lit) if matches!(lit.lit, Lit::Str(_)) => {
            syn::parse2(quote::ToTokens::into_token_stream(lit))
        }
        Expr::Group(group) => literal_key(*group.expr),
        other => Err(Error::new_spanned(
            other,
            "the key of a dimension must be a string literal: `\"Key\" => value`",
        )),
    }
}

/// `word =`, which no value of a metric begins with.
fn is_option(input: ParseStream<'_>) -> bool {
    input.peek(Ident::peek_any)
        && input.peek2(Token![=])
        && !input.peek2(Token![==])
        && !input.peek2(Token![=>])
}

fn option(metric: &mut Metric, input: ParseStream<'_>) -> Result<()> {
    let word = input.call(Ident::parse_any)?;
    input.parse::<Token![=]>()?;
    let text = word.to_string();
    if text != "unit" && text != "resolution" {
        let message = format!(
            "unknown option `{text}`: expected `unit` or `resolution`; a dimension is written `\"Key\" => value`"
        );
        return Err(Error::new(word.span(), message));
    }
    order(metric, &word, &text)?;
    let value = option_value(input, &word)?;
    if text == "unit" {
        metric.unit = Some(value);
    } else {
        metric.resolution = Some(value);
    }
    Ok(())
}

/// The same thing is written in one order only.
fn order(metric: &Metric, word: &Ident, text: &str) -> Result<()> {
    let given = if text == "unit" { metric.unit.is_some() } else { metric.resolution.is_some() };
    let message = if given {
        format!("`{text}` is given twice")
    } else if !metric.dimensions.is_empty() {
        format!("`{text}` goes before the dimensions")
    } else if text == "unit" && metric.resolution.is_some() {
        "`unit` goes before `resolution`".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::new(word.span(), message))
}

fn option_value(input: ParseStream<'_>, option: &Ident) -> Result<Ident> {
    let expected = if option == "unit" {
        "expected the name of a unit as in `ops_sdk::Unit`, for example `unit = BytesPerSecond`"
    } else {
        "expected `resolution = high` or `resolution = standard`"
    };
    if !input.peek(Ident::peek_any) {
        return Err(Error::new(if input.is_empty() { option.span() } else { input.span() }, expected));
    }
    let value = input.call(Ident::parse_any)?;
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(value);
    }
    Err(input.error(expected))
}

fn noun(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

fn example(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter!(\"orders.accepted\", 1)",
        MetricKind::Gauge => "gauge!(\"queue.depth\", queue.len())",
        MetricKind::Histogram => "histogram!(\"payload\", bytes, unit = Bytes)",
    }
}
