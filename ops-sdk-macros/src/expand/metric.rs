//! `{ static SITE; if on() { count(&SITE, amount) } }`.

use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

use super::{hygienic, hygienic_at, reference, site, this_line};
use crate::model::{Capture, Dimension, Metric, MetricKind};

/// Expands one use of a metric macro.
pub(crate) fn metric(metric: &Metric) -> TokenStream {
    let site = metric_site(metric);
    let (plain, by) = verbs(metric.kind);
    let value = value(metric);
    let call = if metric.dimensions.is_empty() {
        quote_spanned!(hygienic()=> ::ops_sdk::__private::#plain(&__OPS_SITE, #value);)
    } else {
        let labels = metric.dimensions.iter().map(label);
        quote_spanned!(hygienic()=> ::ops_sdk::__private::#by(&__OPS_SITE, #value, &[#(#labels),*]);)
    };
    quote_spanned! {hygienic()=>
        {
            #site
            if ::ops_sdk::__private::on() {
                #call
            }
        }
    }
}

/// What a site adds for the unit, resolution and dimensions of its metrics.
pub(super) fn more(
    unit: Option<&Ident>,
    resolution: Option<&Ident>,
    dimensions: &[Dimension],
) -> TokenStream {
    let mut more = TokenStream::new();
    if let Some(unit) = unit {
        more.extend(quote_spanned!(hygienic()=> .unit(::ops_sdk::__private::Unit::#unit)));
    }
    if resolution.is_some_and(|resolution| resolution == "high") {
        more.extend(quote_spanned!(hygienic()=> .resolution(::ops_sdk::__private::Resolution::High)));
    }
    if !dimensions.is_empty() {
        let keys = dimensions.iter().map(|dimension| &dimension.key);
        more.extend(quote_spanned!(hygienic()=> .keys(&[#(#keys),*])));
    }
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
    let (plain, by) = match kind {
        MetricKind::Counter => ("count", "count_by"),
        MetricKind::Gauge => ("set", "set_by"),
        MetricKind::Histogram => ("observe", "observe_by"),
    };
    (Ident::new(plain, hygienic()), Ident::new(by, hygienic()))
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

pub(super) fn label(dimension: &Dimension) -> TokenStream {
    let value = reference(&dimension.value);
    match dimension.capture {
        Capture::Typed => {
            quote_spanned!(hygienic_at(&dimension.value)=> ::ops_sdk::__private::DimensionValue::label(#value))
        }
        Capture::Display | Capture::Debug => {
            quote_spanned!(hygienic_at(&dimension.value)=> ::ops_sdk::__private::Label::Display(#value))
        }
    }
}
