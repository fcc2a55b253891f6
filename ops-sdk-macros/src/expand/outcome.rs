//! How a call ended: the question that a measured function asks of what it returned, and `#[derive(Outcome)]`, which
//! answers it.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::{hygienic, hygienic_at};
use crate::model::{Ending, How, Judge, Outcomes};

/// An expression for how the call ended that returned `__ops_result`. Where the type of that cannot be read from the
/// signature it may be open still, and to ask whether it implements a trait would close it the wrong way.
pub(super) fn ending(judge: &Judge, readable: bool) -> TokenStream {
    match judge {
        Judge::Type => {
            let asked =
                readable.then(|| quote_spanned!(hygienic()=> use ::ops_sdk::__private::AskedOutcome as _;));
            quote_spanned! {hygienic()=> {
                #[allow(unused_imports)]
                use ::ops_sdk::__private::AnyOutcome as _;
                #[allow(unused_imports)]
                #asked
                ::ops_sdk::__private::probe(&__ops_result).ending()
            }}
        }
        Judge::OkIf(condition) => {
            quote_spanned!(hygienic_at(condition)=> ::ops_sdk::__private::ok_if(&__ops_result, #condition))
        }
        Judge::ErrIf(condition) => {
            quote_spanned!(hygienic_at(condition)=> ::ops_sdk::__private::err_if(&__ops_result, #condition))
        }
        Judge::None(how, at) => {
            let how = constant(*how);
            quote_spanned!(hygienic().located_at(*at)=> ::ops_sdk::__private::none_is(&__ops_result, #how))
        }
    }
}

/// Expands `#[derive(Outcome)]`.
pub(crate) fn outcomes(outcomes: &Outcomes) -> TokenStream {
    let (ident, (generics, arguments, conditions)) = (&outcomes.ident, outcomes.generics.split_for_impl());
    let body = match (&outcomes.variants, &outcomes.whole) {
        (Some(variants), _) if variants.is_empty() => quote_spanned!(hygienic()=> match *self {}),
        (Some(variants), _) => {
            let arms = variants.iter().map(|(variant, ending)| {
                let ending = labelled(ending);
                quote_spanned!(hygienic()=> Self::#variant { .. } => #ending,)
            });
            quote_spanned!(hygienic()=> match self { #(#arms)* })
        }
        (None, whole) => whole.as_ref().map(labelled).unwrap_or_default(),
    };
    quote_spanned! {hygienic()=>
        #[automatically_derived]
        impl #generics ::ops_sdk::__private::Outcome for #ident #arguments #conditions {
            #[inline]
            fn outcome(&self) -> ::ops_sdk::__private::Ending {
                #body
            }
        }
    }
}

fn labelled(ending: &Ending) -> TokenStream {
    let how = constant(ending.how);
    let label = ending.label.as_ref().map(|label| quote!(.labelled(#label)));
    quote_spanned!(hygienic()=> #how #label)
}

fn constant(how: How) -> TokenStream {
    let constant = Ident::new(how.constant(), hygienic());
    quote_spanned!(hygienic()=> ::ops_sdk::__private::Ending::#constant)
}
