//! `#[derive(Dimensions)]`: numbers for the values, and texts for the numbers.

use proc_macro2::{Literal, TokenStream};
use quote::quote_spanned;
use syn::{LitStr, Type};

use super::{hygienic, hygienic_at};
use crate::model::{DimensionSet, Keyed, Known};

/// Expands `#[derive(Dimensions)]`.
pub(crate) fn dimension_set(set: &DimensionSet) -> TokenStream {
    match &set.known {
        Known::Enum { key, variants } => of_enum(set, key, variants),
        Known::Struct(fields) => of_struct(set, fields),
    }
}

fn of_enum(set: &DimensionSet, key: &LitStr, variants: &[Keyed<()>]) -> TokenStream {
    let (ident, (generics, arguments, conditions)) = (&set.ident, set.generics.split_for_impl());
    let count = Literal::usize_unsuffixed(variants.len());
    let texts = variants.iter().map(|variant| &variant.text);
    let arms = variants.iter().enumerate().map(|(at, Keyed { ident, .. })| {
        let at = Literal::usize_unsuffixed(at);
        quote_spanned!(hygienic()=> Self::#ident => #at,)
    });
    quote_spanned! {hygienic()=>
        #[automatically_derived]
        impl #generics ::ops_sdk::__private::Dimensions for #ident #arguments #conditions {
            const KEYS: &'static [&'static ::core::primitive::str] = &[#key];
            const CARDINALITY: &'static [::core::primitive::u32] = &[#count];
            const IDS: &'static [::core::option::Option<&'static ::ops_sdk::__private::Id>] =
                &[<Self as ::ops_sdk::__private::DimensionValue>::ID];

            #[inline]
            fn index(&self) -> ::core::primitive::u32 {
                match self { #(#arms)* }
            }

            #[inline]
            fn label(&self, _: ::core::primitive::usize) -> ::ops_sdk::__private::Label<'_> {
                ::ops_sdk::__private::DimensionValue::label(self)
            }
        }
        #[automatically_derived]
        impl #generics ::ops_sdk::__private::KnownValue for #ident #arguments #conditions {}
        #[automatically_derived]
        impl #generics ::ops_sdk::__private::DimensionValue for #ident #arguments #conditions {
            const CARDINALITY: ::core::primitive::u32 = #count;
            const ID: ::core::option::Option<&'static ::ops_sdk::__private::Id> = {
                static ID: ::ops_sdk::__private::Id = ::ops_sdk::__private::Id::new();
                ::core::option::Option::Some(&ID)
            };

            #[inline]
            fn index(&self) -> ::core::primitive::u32 {
                ::ops_sdk::__private::Dimensions::index(self)
            }

            #[inline]
            fn label(&self) -> ::ops_sdk::__private::Label<'_> {
                const TEXTS: [&::core::primitive::str; #count] = [#(#texts),*];
                let at = ::ops_sdk::__private::Dimensions::index(self) as ::core::primitive::usize;
                ::ops_sdk::__private::Label::Str(TEXTS[at])
            }
        }
    }
}

fn of_struct(set: &DimensionSet, fields: &[Keyed<Type>]) -> TokenStream {
    let (ident, (generics, arguments, conditions)) = (&set.ident, set.generics.split_for_impl());
    let keys = fields.iter().map(|field| &field.text);
    let types = fields.iter().map(|field| &field.ty);
    let cardinalities = fields.iter().map(|field| cardinality(&field.ty));
    let steps = fields.iter().map(|Keyed { ident, ty, .. }| {
        let cardinality = cardinality(ty);
        quote_spanned! {hygienic()=>
            let index = index.wrapping_mul(#cardinality)
                .wrapping_add(::ops_sdk::__private::DimensionValue::index(&self.#ident));
        }
    });
    let labels = fields.iter().enumerate().map(|(at, Keyed { ident, .. })| {
        let at = Literal::usize_unsuffixed(at);
        quote_spanned!(hygienic()=> #at => ::ops_sdk::__private::DimensionValue::label(&self.#ident),)
    });
    let count = Literal::usize_unsuffixed(fields.len());
    quote_spanned! {hygienic()=>
        #[automatically_derived]
        impl #generics ::ops_sdk::__private::Dimensions for #ident #arguments #conditions {
            const KEYS: &'static [&'static ::core::primitive::str] = &[#(#keys),*];
            const CARDINALITY: &'static [::core::primitive::u32] = &[#(#cardinalities),*];
            const IDS: &'static [::core::option::Option<&'static ::ops_sdk::__private::Id>] =
                &[#(<#types as ::ops_sdk::__private::DimensionValue>::ID),*];

            #[inline]
            fn index(&self) -> ::core::primitive::u32 {
                let index: ::core::primitive::u32 = 0;
                #(#steps)*
                index
            }

            #[inline]
            fn label(&self, key: ::core::primitive::usize) -> ::ops_sdk::__private::Label<'_> {
                match key {
                    #(#labels)*
                    _ => ::core::panic!("there are {} keys", #count),
                }
            }
        }
    }
}

/// How many values a field has; says so at its type if nobody knows.
fn cardinality(ty: &Type) -> TokenStream {
    quote_spanned!(hygienic_at(ty)=> ::ops_sdk::__private::known_values::<#ty>())
}
