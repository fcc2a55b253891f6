//! `{ static SITE; if on() { count(&SITE, amount) } }`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::{dimensions, hygienic, hygienic_at, site, this_line};
use crate::model::{Dimensions, Metric, MetricKind};

/// Expands one use of a metric macro.
pub(crate) fn metric(metric: &Metric) -> TokenStream {
    let (site, name, dimensions) = (metric_site(metric), &metric.name, &metric.dimensions);
    let items = dimensions::items(dimensions, &quote!(#name), false);
    let (plain, with) = verbs(metric.kind);
    let value = value(metric);
    let call = if dimensions.is_empty() {
        quote_spanned!(hygienic()=> ::ops_sdk::__private::#plain(&__OPS_SITE, #value);)
    } else {
        let (in_series, values) = (
            dimensions::in_series(dimensions, &quote_spanned!(hygienic()=> &__OPS_SITE)),
            dimensions::values(dimensions),
        );
        quote_spanned! {hygienic()=>
            ::ops_sdk::__private::#with(#in_series, #value, #values);
        }
    };
    quote_spanned! {hygienic()=>
        {
            #items
            #site
            if ::ops_sdk::__private::on() {
                #call
            }
        }
    }
}

/// What a site adds for the unit, resolution and dimensions of its metrics.
pub(super) fn more(unit: Option<&Ident>, resolution: Option<&Ident>, dimensions: &Dimensions) -> TokenStream {
    let mut more = TokenStream::new();
    if let Some(unit) = unit {
        more.extend(quote_spanned!(hygienic()=> .unit(::ops_sdk::__private::Unit::#unit)));
    }
    if resolution.is_some_and(|resolution| resolution == "high") {
        more.extend(quote_spanned!(hygienic()=> .resolution(::ops_sdk::__private::Resolution::High)));
    }
    more.extend(dimensions::of_site(dimensions));
    more
}

fn metric_site(metric: &Metric) -> TokenStream {
    let kind = match metric.kind {
        MetricKind::Counter => quote!(Counter),
        MetricKind::Gauge => quote!(Gauge),
        MetricKind::Histogram => quote!(Histogram),
    };
    let name = &metric.name;
    let more = more(metric.unit.as_ref(), metric.resolution.as_ref(), &metric.dimensions);
    site(&kind, &quote!(#name), &this_line(), &more)
}

/// The functions that record: without dimensions, and with.
fn verbs(kind: MetricKind) -> (Ident, Ident) {
    let (plain, with) = match kind {
        MetricKind::Counter => ("count", "count_in"),
        MetricKind::Gauge => ("set", "set_in"),
        MetricKind::Histogram => ("observe", "observe_in"),
    };
    (Ident::new(plain, hygienic()), Ident::new(with, hygienic()))
}

fn value(metric: &Metric) -> TokenStream {
    let value = &metric.value;
    match metric.kind {
        MetricKind::Counter => {
            quote_spanned!(hygienic_at(value)=> ::ops_sdk::__private::Amount::amount(#value))
        }
        MetricKind::Gauge | MetricKind::Histogram => {
            quote_spanned!(hygienic_at(value)=> ::ops_sdk::__private::Measure::measure(#value, __OPS_SITE.unit))
        }
    }
}
