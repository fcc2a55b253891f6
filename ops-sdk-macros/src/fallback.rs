//! What a macro becomes when its input is wrong: one error at the user's token, and the user's own code beside it, so
//! that the compiler and rust-analyzer do not also complain about what is missing.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, quote};
use syn::{Error, ImplItem, Item};

use crate::parse;

/// For a macro in the place of an expression.
pub(crate) fn expression(error: &Error) -> TokenStream {
    error.to_compile_error()
}

/// For the attribute: the item as it was, with an error beside it.
pub(crate) fn item(input: TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    let item = match syn::parse2::<Item>(input.clone()) {
        Ok(item) => without_inner_attributes(item).into_token_stream(),
        Err(_) => input,
    };
    quote! { #item #error }
}

/// The methods' own `#[instrumented(..)]` belong to the block's: left alone they would raise errors of their own.
fn without_inner_attributes(mut item: Item) -> Item {
    if let Item::Impl(block) = &mut item {
        for item in &mut block.items {
            if let ImplItem::Fn(method) = item {
                method.attrs.retain(|attribute| !parse::is_instrumented(attribute));
            }
        }
    }
    item
}
