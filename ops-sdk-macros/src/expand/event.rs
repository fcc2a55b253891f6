//! `{ static SITE; if enabled(&SITE, level) { event(&SITE, &[values]) } }`. Where the message formats a value its own way,
//! the values are bound first, so that each expression runs once.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::LitStr;

use super::{hygienic, hygienic_at, reference, site, this_line, variant};
use crate::model::{Capture, Event, Field, Formatted, Piece};

/// Expands one use of a log macro.
pub(crate) fn event(event: &Event) -> TokenStream {
    let level = Ident::new(event.level.variant(), hygienic());
    let site = event_site(event, &level);
    let passes =
        event.limits.limit.map(|_| quote_spanned!(hygienic()=> && ::ops_sdk::__private::passes(&__OPS_SITE)));
    let call = if event.formatted.is_empty() { direct(event) } else { bound(event) };
    quote_spanned! {hygienic()=>
        {
            #site
            if ::ops_sdk::__private::enabled(&__OPS_SITE, ::ops_sdk::__private::Level::#level) #passes {
                #call
            }
        }
    }
}

pub(super) fn event_site(event: &Event, level: &Ident) -> TokenStream {
    let kind = quote_spanned!(hygienic()=> Event(::ops_sdk::__private::Level::#level));
    let template = &event.template;
    let mut more = TokenStream::new();
    if !event.fields.is_empty() {
        let keys = event.fields.iter().map(|field| &field.key.text);
        more.extend(quote_spanned!(hygienic()=> .keys(&[#(#keys),*])));
    }
    if !event.pieces.is_empty() {
        let pieces = event.pieces.iter().map(|piece| self::piece(event, piece));
        more.extend(quote_spanned!(hygienic()=> .pieces(&[#(#pieces),*])));
    }
    let limiter = event.limits.limit.map(|limit| {
        let (events_max, period_ms) = (limit.events_max, limit.period_ms);
        more.extend(quote_spanned!(hygienic()=> .limiter(&__OPS_LIMITER)));
        quote_spanned! {hygienic()=>
            static __OPS_LIMITER: ::ops_sdk::__private::Limiter =
                ::ops_sdk::__private::Limiter::new(#events_max, #period_ms);
        }
    });
    if let Some(repeat_ms) = event.limits.repeat_ms {
        more.extend(quote_spanned!(hygienic()=> .repeat_ms(#repeat_ms)));
    }
    let site = site(&kind, &quote!(#template), &this_line(), &more);
    quote!(#limiter #site)
}

/// Formatted values come after those of the fields.
fn piece(event: &Event, piece: &Piece) -> TokenStream {
    let index = match piece {
        Piece::Text(text) => return quote_spanned!(hygienic()=> ::ops_sdk::__private::Piece::Text(#text)),
        Piece::Field(index) => *index,
        Piece::Formatted(index) => event.fields.len() + index,
    };
    let index = Literal::usize_unsuffixed(index);
    quote_spanned!(hygienic()=> ::ops_sdk::__private::Piece::Value(#index))
}

/// Values that are written as they are make a list of pairs: the compiler knows the kind and so the size of each. What
/// must be formatted, or is more than a screen can show, makes a slice.
fn direct(event: &Event) -> TokenStream {
    let values = event.fields.iter().map(|field| {
        let value = reference(&field.value);
        argument(field, &quote!(#value))
    });
    if event.fields.len() > LISTED_MAX || event.fields.iter().any(|field| field.capture != Capture::Typed) {
        return quote_spanned!(hygienic()=> ::ops_sdk::__private::event(&__OPS_SITE, &[#(#values),*]););
    }
    let list = values.rfold(quote!(()), |rest, value| quote_spanned!(hygienic()=> (#value, #rest)));
    quote_spanned!(hygienic()=> ::ops_sdk::__private::event_of(&__OPS_SITE, #list);)
}

/// Values that are written one by one where they stand.
const LISTED_MAX: usize = 16;

/// `match`, because temporaries in the values live until its end.
fn bound(event: &Event) -> TokenStream {
    let names = (0..event.fields.len()).map(|index| bound_name(index, hygienic()));
    let references = event.fields.iter().map(|field| reference(&field.value));
    let values = event.fields.iter().enumerate().map(|(index, field)| {
        let name = bound_name(index, hygienic_at(&field.value));
        argument(field, &quote!(#name))
    });
    let formatted = event.formatted.iter().map(|value| formatted(event, value));
    quote_spanned! {hygienic()=>
        match (#(#references,)*) {
            (#(#names,)*) => ::ops_sdk::__private::event(&__OPS_SITE, &[#(#values,)* #(#formatted),*]),
        }
    }
}

/// The format string is seen as if it stood where the template does, so that a width as in `{x:>width$}` finds its
/// variable; but it lies at the whole macro, for the compiler would underline the wrong characters of the template.
fn formatted(event: &Event, value: &Formatted) -> TokenStream {
    let span = event.template.span();
    let format = LitStr::new(&format!("{{:{}}}", value.spec), span.located_at(Span::call_site()));
    let name = bound_name(value.field, hygienic_at(&event.template));
    quote_spanned! {hygienic_at(&event.template)=>
        ::ops_sdk::__private::Arg::Display(&::core::format_args!(#format, #name))
    }
}

fn bound_name(index: usize, span: Span) -> Ident {
    format_ident!("__ops_{index}", span = span)
}

/// A field's value, given a reference to it.
pub(super) fn argument(field: &Field, reference: &TokenStream) -> TokenStream {
    let span = hygienic_at(&field.value);
    match field.capture {
        Capture::Typed => quote_spanned!(span=> ::ops_sdk::__private::FieldValue::field(#reference)),
        capture => {
            let variant = Ident::new(variant(capture), span);
            quote_spanned!(span=> ::ops_sdk::__private::Arg::#variant(#reference))
        }
    }
}
