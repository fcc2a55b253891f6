//! The attribute and the macros of ops-sdk.
use proc_macro::TokenStream;
/// x
#[proc_macro] pub fn counter(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn gauge(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn histogram(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn trace(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn debug(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn info(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn warn(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro] pub fn error(_: TokenStream) -> TokenStream { TokenStream::new() }
/// x
#[proc_macro_attribute] pub fn instrumented(_: TokenStream, i: TokenStream) -> TokenStream { i }
