//! Dimensions as the compiler sees them: the list of values of a call, whose types say what there can be, and the keys
//! in the site.

use proc_macro2::{Literal, TokenStream};
use quote::{quote, quote_spanned};
use syn::Expr;

use super::{hygienic, hygienic_at, reference};
use crate::model::{Capture, Dimension, Dimensions, Spread};

/// A type for the budget, and what the compiler is to check of keys that types bring: items beside the site.
pub(super) fn items(dimensions: &Dimensions, name: &TokenStream, of_function: bool) -> TokenStream {
    if dimensions.is_empty() {
        return TokenStream::new();
    }
    let series_max = match &dimensions.series_max {
        Some(series_max) => quote!(#series_max),
        None => quote_spanned!(hygienic()=> ::ops_sdk::__private::SERIES_MAX),
    };
    let parts = parts(dimensions);
    let fits = dimensions.spreads.iter().enumerate().map(|(index, Spread { ty, .. })| {
        let before = &parts[..=index];
        quote_spanned! {hygienic_at(ty)=>
            const _: () = ::ops_sdk::__private::fits(
                &[#(#before),*],
                <#ty as ::ops_sdk::__private::Dimensions>::KEYS,
                #of_function,
            );
        }
    });
    let kept = dimensions.rollup.iter().flat_map(|set| &set.keys).filter(|_| !dimensions.spreads.is_empty());
    let kept = kept.map(|key| {
        quote_spanned!(hygienic_at(key)=> const _: () = ::ops_sdk::__private::known(#key, &[#(#parts),*]);)
    });
    quote_spanned! {hygienic()=>
        #(#fits)*
        #(#kept)*
        enum __OpsBudget {}
        impl ::ops_sdk::__private::Budget for __OpsBudget {
            const METRIC: &'static str = #name;
            const SERIES_MAX: u32 = #series_max;
        }
    }
}

/// What a site adds for its dimensions.
pub(super) fn of_site(dimensions: &Dimensions) -> TokenStream {
    if dimensions.is_empty() {
        return TokenStream::new();
    }
    let (keys, cardinality) = (keys(dimensions), cardinality(dimensions));
    let series_max = dimensions.series_max.as_ref().map(|max| quote!(.series_max(#max)));
    let rollup = (!dimensions.rollup.is_empty()).then(|| {
        let sets = dimensions.rollup.iter().map(|set| {
            let keys = &set.keys;
            quote!(&[#(#keys),*])
        });
        quote_spanned!(hygienic()=> .rollups(&[#(#sets),*]))
    });
    quote_spanned!(hygienic()=> .keys(#keys).cardinality(#cardinality) #series_max #rollup)
}

/// The keys, as a constant expression.
pub(super) fn keys(dimensions: &Dimensions) -> TokenStream {
    if dimensions.spreads.is_empty() {
        return own_keys(&dimensions.own);
    }
    let (len, parts) = (len(dimensions), parts(dimensions));
    quote_spanned! {hygienic()=> {
        const KEYS: &[&::core::primitive::str] = &::ops_sdk::__private::joined::<_, { #len }>("", &[#(#parts),*]);
        KEYS
    }}
}

fn cardinality(dimensions: &Dimensions) -> TokenStream {
    let own = dimensions.own.iter().map(|Dimension { capture, value, .. }| {
        let is_one = matches!(value, Expr::Lit(_)) && *capture == Capture::Typed;
        Literal::u32_unsuffixed(is_one.into())
    });
    let own = quote!(&[#(#own),*]);
    if dimensions.spreads.is_empty() {
        return own;
    }
    let (len, types) = (len(dimensions), dimensions.spreads.iter().map(|spread| &spread.ty));
    quote_spanned! {hygienic()=> {
        const CARDINALITY: &[::core::primitive::u32] = &::ops_sdk::__private::joined::<_, { #len }>(
            0,
            &[#own #(, <#types as ::ops_sdk::__private::Dimensions>::CARDINALITY)*],
        );
        CARDINALITY
    }}
}

fn own_keys(own: &[Dimension]) -> TokenStream {
    let keys = own.iter().map(|dimension| &dimension.key);
    quote!(&[#(#keys),*])
}

/// The lists of keys: those that are written, and those of each type.
fn parts(dimensions: &Dimensions) -> Vec<TokenStream> {
    let of_type = |Spread { ty, .. }: &Spread| quote_spanned!(hygienic_at(ty)=> <#ty as ::ops_sdk::__private::Dimensions>::KEYS);
    std::iter::once(own_keys(&dimensions.own)).chain(dimensions.spreads.iter().map(of_type)).collect()
}

/// The series of a site: its budget, and how many values tell them apart. Types, so that those of the values are
/// left to be inferred: where one of them is wrong, the compiler then points at the value.
pub(super) fn in_series(dimensions: &Dimensions, site: &TokenStream) -> TokenStream {
    let len = len(dimensions);
    quote_spanned!(hygienic()=> ::ops_sdk::__private::in_series::<__OpsBudget, { #len }>(#site))
}

/// How many values there are.
pub(super) fn len(dimensions: &Dimensions) -> TokenStream {
    let own = Literal::usize_unsuffixed(dimensions.own.len());
    let types = dimensions.spreads.iter().map(|spread| &spread.ty);
    quote_spanned!(hygienic()=> #own #(+ <#types as ::ops_sdk::__private::Dimensions>::KEYS.len())*)
}

/// The values of a call, one within the other.
pub(super) fn values(dimensions: &Dimensions) -> TokenStream {
    let own = dimensions.own.iter().map(value);
    let spreads = dimensions.spreads.iter().map(|Spread { ty, values }| {
        let values = reference(values);
        quote_spanned!(hygienic_at(ty)=> ::ops_sdk::__private::spread::<#ty>(#values))
    });
    let all: Vec<TokenStream> = own.chain(spreads).collect();
    let end = quote_spanned!(hygienic()=> ::ops_sdk::__private::End);
    all.into_iter()
        .rev()
        .fold(end, |behind, value| quote_spanned!(hygienic()=> ::ops_sdk::__private::With(#value, #behind)))
}

/// A value in the list. It goes through a function that does nothing, for the compiler to blame where the value is
/// wrong: the value itself it does not find, as that comes from outside the macro.
fn value(Dimension { value, capture, .. }: &Dimension) -> TokenStream {
    let (span, is_literal) = (hygienic_at(value), matches!(value, Expr::Lit(_)));
    let value = reference(value);
    match capture {
        Capture::Typed if is_literal => {
            quote_spanned!(span=> ::ops_sdk::__private::Fixed(::core::convert::identity(#value)))
        }
        Capture::Typed => quote_spanned!(span=> ::ops_sdk::__private::One(::core::convert::identity(#value))),
        Capture::Display | Capture::Debug => quote_spanned!(span=> ::ops_sdk::__private::shown(#value)),
    }
}
