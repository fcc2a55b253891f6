//! `counter!("name", amount, unit = Bytes, resolution = high, "Key" => value, ...)`. One grammar for the three macros,
//! in one order: name, value, options, dimensions.

use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, Expr, ExprUnary, Lit, LitInt, LitStr, Result, Token, UnOp};

use super::{comma, dimensions, map_integer, wide};
use crate::check::suggestion;
use crate::model::{Dimensions, Metric, MetricKind};

/// Parses the arguments of a metric macro.
pub(crate) fn metric(kind: MetricKind, input: TokenStream) -> Result<Metric> {
    (|input: ParseStream<'_>| parse(kind, input)).parse2(input)
}

fn parse(kind: MetricKind, input: ParseStream<'_>) -> Result<Metric> {
    let name = name(kind, input)?;
    let value = value(kind, &name, input)?;
    let mut metric =
        Metric { kind, name, value, unit: None, resolution: None, dimensions: Dimensions::default() };
    while comma(input)? {
        argument(&mut metric, input)?;
    }
    Ok(metric)
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
    if !comma(input)? || is_option(input) || dimensions::is_spread(input) || input.peek2(Token![=>]) {
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
    if dimensions::is_spread(input) {
        metric.dimensions.spreads.push(dimensions::spread(input)?);
        return Ok(());
    }
    let key: Expr = input.parse()?;
    if !input.peek(Token![=>]) {
        let message =
            "expected an option as `unit = Unit`, a dimension as `\"Key\" => value`, or `..values as Type`";
        return Err(Error::new_spanned(key, message));
    }
    metric.dimensions.push(dimensions::dimension(key, input)?)
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
    if !OPTIONS.contains(&text.as_str()) {
        let meant = suggestion(&text, OPTIONS.into_iter());
        let message = format!(
            "unknown option `{text}`{meant}: expected `unit`, `resolution`, `series_max` or `rollup`; a dimension is \
             written `\"Key\" => value`"
        );
        return Err(Error::new(word.span(), message));
    }
    order(metric, &word, &text)?;
    match text.as_str() {
        "unit" => metric.unit = Some(option_value(input, &word)?),
        "resolution" => metric.resolution = Some(option_value(input, &word)?),
        "series_max" => metric.dimensions.series_max = Some(dimensions::series_max(&word, input)?),
        _ => {
            (metric.dimensions.rollup_span, metric.dimensions.rollup) =
                (Some(word.span()), dimensions::rollup(&word, input)?)
        }
    }
    Ok(())
}

/// The options, in the order in which they are written.
const OPTIONS: [&str; 4] = ["unit", "resolution", "series_max", "rollup"];

/// The same thing is written in one order only.
fn order(metric: &Metric, word: &Ident, text: &str) -> Result<()> {
    let dimensions = &metric.dimensions;
    let given = [
        metric.unit.is_some(),
        metric.resolution.is_some(),
        dimensions.series_max.is_some(),
        !dimensions.rollup.is_empty(),
    ];
    let given = || OPTIONS.into_iter().zip(given).filter(|(_, given)| *given).map(|(option, _)| option);
    let after = OPTIONS.into_iter().skip_while(|option| *option != text).skip(1);
    let message = if given().any(|option| option == text) {
        format!("`{text}` is given twice")
    } else if !dimensions.is_empty() {
        format!("`{text}` goes before the dimensions")
    } else if let Some(later) = after.into_iter().find(|later| given().any(|option| option == *later)) {
        format!("`{text}` goes before `{later}`")
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
