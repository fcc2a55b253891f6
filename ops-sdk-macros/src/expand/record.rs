//! `#[derive(Record)]`: constants that tell what there is, for the compiler to check and to make sites of, and one
//! function that hands over what a record holds.

use proc_macro2::{Ident, Literal, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};

use super::{dimensions, hygienic, hygienic_at, site_value, this_line, variant};
use crate::check::is_time;
use crate::model::{Capture, Level, MetricKind, Role, WorkPart, WorkRecord};

/// Expands `#[derive(Record)]`.
pub(crate) fn record(record: &WorkRecord) -> TokenStream {
    let (ident, (generics, arguments, conditions)) = (&record.ident, record.generics.split_for_impl());
    let has_dimensions = !record.dimensions.is_empty();
    let (parts, visit, write, flattens) = (parts(record), visit(record), write(record), flattens(record));
    quote_spanned! {hygienic()=>
        #[automatically_derived]
        impl #generics ::ops_sdk::__private::Record for #ident #arguments #conditions {
            const PARTS: &'static [::ops_sdk::__private::Part] = #parts;
            const HAS_DIMENSIONS: ::core::primitive::bool = #has_dimensions;

            #[inline]
            fn visit<'__ops>(
                &'__ops self,
                first: ::core::primitive::usize,
                sink: &mut impl ::core::ops::FnMut(::core::primitive::usize, ::ops_sdk::__private::Sample<'__ops>),
            ) {
                #visit
            }

            fn write(&self) {
                #write
            }
        }
        #flattens
    }
}

/// Parts that stand together: first those of the record itself, then those of each thing that is flattened.
struct Group<'a> {
    flattened: Option<&'a WorkPart>,
    own: Vec<&'a WorkPart>,
}

fn groups(record: &WorkRecord) -> Vec<Group<'_>> {
    let (flattened, own): (Vec<_>, Vec<_>) = record.parts.iter().partition(|part| part.role == Role::Flatten);
    let flattened = flattened.into_iter().map(|part| Group { flattened: Some(part), own: Vec::new() });
    std::iter::once(Group { flattened: None, own }).chain(flattened).collect()
}

impl Group<'_> {
    fn len(&self) -> TokenStream {
        match self.flattened {
            Some(part) => {
                let parts = parts_of(part);
                quote_spanned!(hygienic()=> #parts.len())
            }
            None => Literal::usize_unsuffixed(self.own.len()).into_token_stream(),
        }
    }
}

/// How many parts these groups have.
fn sum(groups: &[Group<'_>]) -> TokenStream {
    let lens = groups.iter().map(Group::len);
    quote_spanned!(hygienic()=> 0 #(+ #lens)*)
}

/// The parts of what is flattened.
fn parts_of(part: &WorkPart) -> TokenStream {
    let ty = for_ever(part.ty.to_token_stream());
    quote_spanned!(hygienic_at(&part.ty)=> <#ty as ::ops_sdk::__private::Record>::PARTS)
}

fn parts(record: &WorkRecord) -> TokenStream {
    let groups = groups(record);
    let len = sum(&groups);
    let of_group = groups.iter().map(|group| match group.flattened {
        Some(part) => {
            let prefixes = [record.prefix.as_ref(), part.prefix.as_ref()];
            let prefix: String = prefixes.into_iter().flatten().map(syn::LitStr::value).collect();
            let parts = parts_of(part);
            quote!((#prefix, #parts))
        }
        None => {
            let own = group.own.iter().map(|part| own_part(record, part));
            quote!(("", &[#(#own),*]))
        }
    });
    quote_spanned!(hygienic()=> &::ops_sdk::__private::parts::<{ #len }>(&[#(#of_group),*]))
}

fn own_part(record: &WorkRecord, part: &WorkPart) -> TokenStream {
    let name = &part.name;
    let kind = match part.role {
        Role::Metric(MetricKind::Counter) => quote!(Counter),
        Role::Metric(MetricKind::Gauge) => quote!(Gauge),
        Role::Metric(MetricKind::Histogram) => quote!(Histogram),
        _ => return quote_spanned!(hygienic()=> ::ops_sdk::__private::Part::field(#name)),
    };
    let unit = unit(part);
    let resolution = part.resolution.as_ref().or(record.resolution.as_ref());
    let resolution = match resolution {
        Some(word) if word == "high" => quote!(High),
        _ => quote!(Standard),
    };
    quote_spanned! {hygienic()=>
        ::ops_sdk::__private::Part::metric(
            #name,
            ::ops_sdk::__private::Kind::#kind,
            #unit,
            ::ops_sdk::__private::Resolution::#resolution,
        )
    }
}

/// The unit that was given; else what counters and durations have.
fn unit(part: &WorkPart) -> TokenStream {
    let unit = match &part.unit {
        Some(unit) => unit.clone(),
        None if part.role == Role::Metric(MetricKind::Counter) => Ident::new("Count", hygienic()),
        None if is_time(&part.ty) => Ident::new("Milliseconds", hygienic()),
        None => Ident::new("None", hygienic()),
    };
    quote_spanned!(hygienic()=> ::ops_sdk::__private::Unit::#unit)
}

fn visit(record: &WorkRecord) -> TokenStream {
    let groups = groups(record);
    let visits = groups.iter().enumerate().map(|(index, group)| {
        let before = sum(&groups[..index]);
        match group.flattened {
            Some(part) => {
                let (ident, ty) = (&part.ident, &part.ty);
                quote_spanned! {hygienic_at(ty)=>
                    ::ops_sdk::__private::Record::visit(&self.#ident, first + const { #before }, sink);
                }
            }
            None => {
                let own = group.own.iter().enumerate().map(|(at, part)| visit_own(&before, at, part));
                quote!(#(#own)*)
            }
        }
    });
    quote_spanned!(hygienic()=> let _ = (first, &sink); #(#visits)*)
}

fn visit_own(before: &TokenStream, at: usize, part: &WorkPart) -> TokenStream {
    let (ident, at, span) = (&part.ident, Literal::usize_unsuffixed(at), hygienic_at(&part.ty));
    let number = quote_spanned!(span=> first + const { #before + #at });
    match part.role {
        Role::Field(capture) => {
            let arg = match capture {
                Capture::Typed => {
                    quote_spanned!(span=> ::ops_sdk::__private::FieldValue::field(&self.#ident))
                }
                capture => {
                    let variant = Ident::new(variant(capture), span);
                    quote_spanned!(span=> ::ops_sdk::__private::Arg::#variant(&self.#ident))
                }
            };
            quote_spanned!(span=> sink(#number, ::ops_sdk::__private::Sample::Field(#arg));)
        }
        Role::Metric(MetricKind::Counter) => quote_spanned! {span=>
            if let ::core::option::Option::Some(n) = ::ops_sdk::__private::Counted::counted(&self.#ident) {
                sink(#number, ::ops_sdk::__private::Sample::Count(n));
            }
        },
        _ => {
            let unit = unit(part);
            quote_spanned! {span=>
                if let ::core::option::Option::Some(value) =
                    ::ops_sdk::__private::Valued::valued(&self.#ident, #unit)
                {
                    sink(#number, ::ops_sdk::__private::Sample::Value(value));
                }
            }
        }
    }
}

fn write(record: &WorkRecord) -> TokenStream {
    let of_metrics = (!record.parts.is_empty()).then(|| metrics(record));
    let of_log = record.log.as_ref().map(|message| log(record, message));
    quote!(#of_metrics #of_log)
}

/// The type as the statics know it, whatever it borrows.
fn whole(record: &WorkRecord) -> TokenStream {
    let (ident, (_, arguments, _)) = (&record.ident, record.generics.split_for_impl());
    let ty = for_ever(quote!(#ident #arguments));
    quote_spanned!(hygienic()=> <#ty as ::ops_sdk::__private::Record>::PARTS)
}

fn metrics(record: &WorkRecord) -> TokenStream {
    let (parts, name) = (whole(record), record.ident.to_string());
    let of_site = dimensions::of_site(&record.dimensions);
    let like = site_value(&quote!(Counter), &quote!(""), &this_line(), &of_site);
    let items = dimensions::items(&record.dimensions, &quote!(#name), false);
    let one = if record.dimensions.is_empty() {
        quote_spanned!(hygienic()=> sample.record(site))
    } else {
        let in_series = dimensions::in_series(&record.dimensions, &quote_spanned!(hygienic()=> site));
        let values = dimensions::values(&record.dimensions);
        quote_spanned!(hygienic()=> sample.record_in(#in_series, #values))
    };
    quote_spanned! {hygienic()=>
        #items
        static __OPS_SITES: [::ops_sdk::__private::Site; #parts.len()] =
            ::ops_sdk::__private::sites::<{ #parts.len() }>(#parts, &#like);
        if ::ops_sdk::__private::on() {
            ::ops_sdk::__private::Record::visit(self, 0, &mut |at, sample| {
                let site = &__OPS_SITES[at];
                #one
            });
        }
    }
}

fn log(record: &WorkRecord, message: &syn::LitStr) -> TokenStream {
    let parts = whole(record);
    let (keys, count) = (dimensions::keys(&record.dimensions), dimensions::len(&record.dimensions));
    let level = record.level.map_or(Level::Info, |(level, _)| level);
    let level = Ident::new(level.variant(), hygienic());
    let kind = quote_spanned!(hygienic()=> Event(::ops_sdk::__private::Level::#level));
    let more = quote_spanned! {hygienic()=>
        .keys(&__OPS_KEYS).pieces(&[::ops_sdk::__private::Piece::Text(#message)])
    };
    let site = super::site(&kind, &quote!(#message), &this_line(), &more);
    let values = dimensions::values(&record.dimensions);
    quote_spanned! {hygienic()=>
        const __OPS_FIELDS: ::core::primitive::usize = #count + #parts.len();
        static __OPS_KEYS: [&::core::primitive::str; __OPS_FIELDS] =
            ::ops_sdk::__private::log_keys::<__OPS_FIELDS>(#keys, #parts);
        #site
        if ::ops_sdk::__private::enabled(&__OPS_SITE, ::ops_sdk::__private::Level::#level) {
            let values = #values;
            let mut args = [::ops_sdk::__private::Arg::Null; __OPS_FIELDS];
            ::ops_sdk::__private::log_dimensions::<{ #count }, _>(&values, &mut args);
            ::ops_sdk::__private::Record::visit(self, #count, &mut |at, sample| args[at] = sample.arg());
            ::ops_sdk::__private::event(&__OPS_SITE, &args);
        }
    }
}

/// What the compiler is to check of each thing that is flattened: that it fits behind what stands before it.
fn flattens(record: &WorkRecord) -> TokenStream {
    let (all, is_logged) = (whole(record), record.log.is_some());
    let dimensions = dimensions::keys(&record.dimensions);
    let groups = groups(record);
    let checks = groups.iter().enumerate().filter_map(|(index, group)| {
        let (ty, before) = (&group.flattened?.ty, sum(&groups[..index]));
        let flattened = for_ever(ty.to_token_stream());
        Some(quote_spanned! {hygienic_at(ty)=>
            const _: () = ::ops_sdk::__private::flattens::<#flattened>(#all, #before, #dimensions, #is_logged);
        })
    });
    quote!(#(#checks)*)
}

/// Types with every lifetime as `'static`: constants know no other, and the parts of a type do not depend on them.
fn for_ever(tokens: TokenStream) -> TokenStream {
    let mut after_tick = false;
    let tree = |tree: TokenTree| {
        let is_name =
            std::mem::replace(&mut after_tick, matches!(&tree, TokenTree::Punct(p) if p.as_char() == '\''));
        match tree {
            TokenTree::Ident(name) if is_name => Ident::new("static", name.span()).into(),
            TokenTree::Group(group) => {
                proc_macro2::Group::new(group.delimiter(), for_ever(group.stream())).into()
            }
            other => other,
        }
    };
    tokens.into_iter().map(tree).collect()
}
