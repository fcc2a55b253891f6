//! What a call is done within: its correlation, and the unit of work that holds events back. Around a closure that is
//! a guard; around a future it has to be entered at each poll. And the busy time of a future, which is measured there.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::{hygienic, hygienic_at};
use crate::model::Options;

/// The statements that begin the unit and enter it, for a body that runs to its end at once.
pub(super) fn around_closure(options: &Options) -> TokenStream {
    if !options.is_unit() {
        return TokenStream::new();
    }
    let unit = unit(options);
    quote_spanned! {hygienic()=>
        let __ops_unit = #unit;
        let __ops_entered = __ops_unit.enter();
    }
}

/// The same, for a body whose end is only known by the values being dropped.
pub(super) fn around_opaque(options: &Options) -> TokenStream {
    let around = around_closure(options);
    let ends = options
        .is_unit()
        .then(|| quote_spanned!(hygienic()=> let __ops_unit = ::ops_sdk::__private::returning(__ops_unit);));
    quote_spanned!(hygienic()=> #around #ends)
}

/// The statements of a future, polled within the unit.
pub(super) fn around_future(
    options: &Options,
    capture: Option<&TokenStream>,
    measured: TokenStream,
) -> TokenStream {
    if !options.is_unit() {
        return measured;
    }
    let unit = unit(options);
    quote_spanned! {hygienic()=>
        let __ops_unit = #unit;
        ::ops_sdk::__private::within(__ops_unit.context(), async #capture { #measured }).await
    }
}

fn unit(options: &Options) -> TokenStream {
    let correlate = options.correlate.as_ref().map(|correlate| match &correlate.with {
        Some(with) => {
            quote_spanned!(hygienic_at(with)=> ::ops_sdk::__private::Correlate::correlation(#with))
        }
        None => quote_spanned!(hygienic()=> ::core::option::Option::None),
    });
    let hold = options.hold.map(|level| {
        let level = Ident::new(level.variant(), hygienic());
        quote_spanned!(hygienic()=> ::ops_sdk::__private::Level::#level)
    });
    let [correlate, hold] = [correlate, hold].map(|value| match value {
        Some(value) => quote_spanned!(hygienic()=> ::core::option::Option::Some(#value)),
        None => quote_spanned!(hygienic()=> ::core::option::Option::None),
    });
    quote_spanned!(hygienic()=> ::ops_sdk::__private::unit(#correlate, #hold))
}

/// `static __OPS_BUSY`, where the busy time is observed.
pub(super) fn busy_site(options: &Options, line: &TokenStream) -> TokenStream {
    if !options.busy {
        return TokenStream::new();
    }
    let unit = options.unit.clone().unwrap_or_else(|| Ident::new("Milliseconds", hygienic()));
    let high = options.resolution.as_ref().is_some_and(|resolution| resolution == "high");
    let resolution = if high { quote!(High) } else { quote!(Standard) };
    quote_spanned! {hygienic()=>
        static __OPS_BUSY: ::ops_sdk::__private::Site = ::ops_sdk::__private::Site::new(
            ::ops_sdk::__private::Kind::Histogram,
            "busy",
            ::ops_sdk::__private::Source { target: ::core::module_path!(), file: ::core::file!(), line: #line },
        )
        .unit(::ops_sdk::__private::Unit::#unit)
        .resolution(::ops_sdk::__private::Resolution::#resolution)
        .keys(&["Function"]);
    }
}

/// A future whose polls are timed, if that was asked for.
pub(super) fn timed(options: &Options, future: TokenStream) -> TokenStream {
    if !options.busy {
        return future;
    }
    quote_spanned!(hygienic()=> ::ops_sdk::__private::busy(&__OPS_BUSY, __OPS_SITE.name, #future))
}
