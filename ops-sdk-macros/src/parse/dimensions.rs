//! What a metric is told apart by: `"Key" => value, ..order as Order`, and the options that go with it,
//! `series_max = 50` and `rollup = [[], ["Region"]]`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens as _;
use syn::parse::ParseStream;
use syn::{Error, Expr, Lit, LitInt, LitStr, Result, Token, Type, TypePath, bracketed, token};

use super::{comma, display_or_typed};
use crate::model::{Dimension, Dimensions, Set, Spread};

const ROLLUP: &str = "lists of keys: `rollup = [[], [\"Region\"]]`";

/// `"Key" => value, .., ..values as Type`: dimensions alone.
pub(super) fn dimensions(input: ParseStream<'_>) -> Result<Dimensions> {
    let mut dimensions = Dimensions::default();
    while !input.is_empty() {
        if is_spread(input) {
            dimensions.spreads.push(spread(input)?);
        } else {
            let key: Expr = input.parse()?;
            if !input.peek(Token![=>]) {
                return Err(Error::new_spanned(key, "expected `\"Key\" => value` or `..values as Type`"));
            }
            dimensions.push(dimension(key, input)?)?;
        }
        comma(input)?;
    }
    Ok(dimensions)
}

impl Dimensions {
    /// The same thing is written in one order only.
    pub(super) fn push(&mut self, dimension: Dimension) -> Result<()> {
        if !self.spreads.is_empty() {
            let message = "a dimension with a key of its own goes before `..values`";
            return Err(Error::new(dimension.key.span(), message));
        }
        self.own.push(dimension);
        Ok(())
    }
}

/// `"Key" => value`, of which the key was read.
pub(super) fn dimension(key: Expr, input: ParseStream<'_>) -> Result<Dimension> {
    let key = literal_key(key)?;
    input.parse::<Token![=>]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(key.span(), "a value is missing after `=>`"));
    }
    let (capture, value) = display_or_typed(input)?;
    Ok(Dimension { key, capture, value })
}

fn literal_key(key: Expr) -> Result<LitStr> {
    match key {
        Expr::Lit(lit) if matches!(lit.lit, Lit::Str(_)) => syn::parse2(lit.into_token_stream()),
        Expr::Group(group) => literal_key(*group.expr),
        other => Err(Error::new_spanned(
            other,
            "the key of a dimension must be a string literal: `\"Key\" => value`",
        )),
    }
}

/// Whether `..values` follows.
pub(super) fn is_spread(input: ParseStream<'_>) -> bool {
    input.peek(Token![..])
}

/// `..values as Type`, or `..Type { field: value }`, which says its type itself.
pub(super) fn spread(input: ParseStream<'_>) -> Result<Spread> {
    let dots: Token![..] = input.parse()?;
    if input.is_empty() || input.peek(Token![,]) {
        let message = "values are missing after `..`: `..values as Type`";
        return Err(Error::new_spanned(dots, message));
    }
    typed(input.parse()?)
}

fn typed(values: Expr) -> Result<Spread> {
    match values {
        Expr::Cast(cast) => Ok(Spread { ty: *cast.ty, values: *cast.expr }),
        Expr::Group(group) => typed(*group.expr),
        Expr::Struct(literal) => {
            let ty = Type::Path(TypePath {
                attrs: Vec::new(),
                qself: literal.qself.clone(),
                path: literal.path.clone(),
            });
            Ok(Spread { ty, values: Expr::Struct(literal) })
        }
        other => Err(Error::new_spanned(
            other,
            "the keys are those of the type, so say which it is: `..values as Type`, or `..Type { .. }`",
        )),
    }
}

/// What follows `series_max =`.
pub(super) fn series_max(name: &Ident, input: ParseStream<'_>) -> Result<LitInt> {
    if input.peek(LitInt) {
        return input.parse();
    }
    let at = if input.is_empty() { name.span() } else { input.span() };
    Err(Error::new(at, "`series_max` is a whole number, written out: `series_max = 50`"))
}

/// What follows `rollup =`.
pub(super) fn rollup(name: &Ident, input: ParseStream<'_>) -> Result<Vec<Set>> {
    if !input.peek(token::Bracket) {
        let at = if input.is_empty() { name.span() } else { input.span() };
        return Err(Error::new(at, format!("expected {ROLLUP}")));
    }
    let sets;
    let list = bracketed!(sets in input);
    if sets.is_empty() {
        return Err(Error::new(list.span.join(), format!("expected {ROLLUP}")));
    }
    let mut all = Vec::new();
    while !sets.is_empty() {
        all.push(set(&sets)?);
        comma(&sets)?;
    }
    Ok(all)
}

fn set(input: ParseStream<'_>) -> Result<Set> {
    if !input.peek(token::Bracket) {
        return Err(input.error(format!("expected {ROLLUP}")));
    }
    let inside;
    let list = bracketed!(inside in input);
    let mut keys = Vec::new();
    while !inside.is_empty() {
        keys.push(literal_key(inside.parse()?)?);
        comma(&inside)?;
    }
    Ok(Set { span: list.span.join(), keys })
}

/// Reads dimensions from what stands between parentheses.
pub(super) fn within(tokens: TokenStream) -> Result<Dimensions> {
    syn::parse::Parser::parse2(dimensions, tokens)
}
