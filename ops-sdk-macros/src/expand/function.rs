//! `#[instrumented]` on a function: its body moves into a closure or an async block, so that `return` and `?` end the
//! body and not the measuring. Signature, attributes and everything outside the braces stay as they were.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{
    Attribute, Block, Error, Expr, Ident, ImplItem, Item, ItemImpl, Lit, Meta, Result, Signature, Stmt, Type,
};

use super::logs::{self, Logs};
use super::{dimensions, future, hygienic, hygienic_at, metric, outcome, returns, site, unit};
use crate::model::Options;
use crate::{check, parse};

/// Expands the attribute on a function, a method or an `impl` block.
pub(crate) fn item(options: &Options, item: Item) -> Result<TokenStream> {
    match item {
        Item::Fn(mut item) => {
            check::function_options(options)?;
            instrument(&item.attrs, &item.sig, &mut item.block, options, "")?;
            Ok(item.into_token_stream())
        }
        Item::Impl(item) => block(options, item),
        other => Err(refusal(&other)),
    }
}

fn refusal(item: &Item) -> Error {
    let message = match item {
        Item::Trait(_) => "a trait declares and does not run: put `#[instrumented]` on its `impl` blocks",
        Item::Verbatim(tokens) if syn::parse2::<syn::TraitItemFn>(tokens.clone()).is_ok() => {
            "a function without a body has nothing to measure: put `#[instrumented]` on the implementations"
        }
        _ => "`#[instrumented]` goes on functions, methods and `impl` blocks",
    };
    Error::new_spanned(item, message)
}

fn block(of_block: &Options, mut block: ItemImpl) -> Result<TokenStream> {
    check::block_options(of_block)?;
    let prefix = format!("{}::", type_name(&block.self_ty));
    for item in &mut block.items {
        if let ImplItem::Fn(method) = item {
            let mut options = parse::own_options(&mut method.attrs)?;
            if !options.skip {
                options.inherit(of_block, returns::seen(&method.sig.output));
                instrument(&method.attrs, &method.sig, &mut method.block, &options, &prefix)?;
            }
        }
    }
    Ok(block.into_token_stream())
}

/// A type as the names of its methods carry it: the last part of its path, without generics.
fn type_name(ty: &Type) -> String {
    match ty {
        Type::Path(ty) => {
            ty.path.segments.last().map_or_else(String::new, |segment| segment.ident.to_string())
        }
        Type::Reference(ty) => type_name(&ty.elem),
        Type::Paren(ty) => type_name(&ty.elem),
        Type::Group(ty) => type_name(&ty.elem),
        other => other.to_token_stream().to_string().replace(' ', ""),
    }
}

fn instrument(
    attributes: &[Attribute],
    signature: &Signature,
    body: &mut Block,
    options: &Options,
    prefix: &str,
) -> Result<()> {
    check::function(signature, options)?;
    let site = call_site(attributes, &signature.ident, options, prefix);
    let logs = logs::logs(options, &signature.ident, prefix);
    let mut around = Around { options, site, logs, future: Some(quote!(move)) };
    if signature.asyncness.is_some() {
        let inner = in_async_block(body, &around, returns::of_body(&signature.output));
        return replace(body, &around, &inner);
    }
    if let Some(block) = future::last_async_block(body) {
        around.future = Some(block.capture.to_token_stream());
        let output = returns::of_future(&signature.output).unwrap_or_else(|| syn::parse_quote!(_));
        let inner = in_async_block(&block.block, &around, Some(output));
        return replace(&mut block.block, &around, &inner);
    }
    around.future = None;
    let inner = if returns::is_opaque(&signature.output) {
        Inner::Opaque(body.to_token_stream())
    } else {
        in_closure(body, returns::of_body(&signature.output))
    };
    replace(body, &around, &inner)
}

/// What stands around a body.
struct Around<'a> {
    options: &'a Options,
    site: TokenStream,
    logs: Logs,
    /// How the async block captures, if the body is one.
    future: Option<TokenStream>,
}

fn replace(body: &mut Block, around: &Around<'_>, inner: &Inner) -> Result<()> {
    check::looks_at_value(around.options, inner.why_hidden())?;
    check::polls(around.options, around.future.is_some())?;
    if around.future.is_some() && matches!(inner, Inner::Diverges(_)) {
        check::ends(around.options)?;
    }
    body.stmts = vec![Stmt::Expr(Expr::Verbatim(measured(around, inner)), None)];
    Ok(())
}

fn call_site(attributes: &[Attribute], ident: &Ident, options: &Options, prefix: &str) -> TokenStream {
    let name = match &options.name {
        Some(name) => quote!(#name),
        None => {
            let path = format!("::{prefix}{}", syn::ext::IdentExt::unraw(ident));
            quote_spanned!(hygienic()=> ::core::concat!(::core::module_path!(), #path))
        }
    };
    let busy = unit::busy_site(options, &line_of(ident.span()));
    let doc = first_paragraph(attributes);
    let mut more = metric::more(options.unit.as_ref(), options.resolution.as_ref(), &options.dimensions);
    if let Some(sample) = &options.sample {
        more.extend(quote_spanned!(hygienic()=> .sample(#sample)));
    }
    if !doc.is_empty() {
        more.extend(quote_spanned!(hygienic()=> .doc(#doc)));
    }
    if options.counts_in_flight() {
        more.extend(quote_spanned!(hygienic()=> .in_flight(&__OPS_IN_FLIGHT)));
    }
    let in_flight = options.counts_in_flight().then(|| {
        quote_spanned! {hygienic()=>
            static __OPS_IN_FLIGHT: ::ops_sdk::__private::InFlight = ::ops_sdk::__private::InFlight::new();
        }
    });
    let site = site(&quote!(Call), &name, &line_of(ident.span()), &more);
    let items = dimensions::items(&options.dimensions, &name, true);
    quote!(#in_flight #busy #items #site)
}

/// The line of the function's name: `line!()` would say that of the attribute, which for an `impl` block is the same
/// for all.
fn line_of(span: Span) -> TokenStream {
    if proc_macro::is_available() {
        let line = u32::try_from(span.unwrap().line()).unwrap_or(0);
        return quote!(#line);
    }
    super::this_line()
}

/// The first paragraph of a doc comment, on one line.
fn first_paragraph(attributes: &[Attribute]) -> String {
    let lines: Vec<String> = attributes.iter().filter_map(doc_line).collect();
    let text = lines.join("\n");
    let lines =
        text.lines().map(str::trim).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    let Expr::Lit(literal) = &pair.value else { return None };
    match &literal.lit {
        Lit::Str(text) if pair.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}

/// A body that runs inside the measuring.
enum Inner {
    /// A closure that is the body. What it returns can be read.
    Runs(TokenStream),
    /// A future's body: an expression of the type that it comes to, and whether that type can be read.
    Awaits(TokenStream, bool),
    /// The body itself, where the function returns `impl Trait`: moved elsewhere, a closure in it would no longer know
    /// its signature.
    Opaque(TokenStream),
    /// The body itself, where it never returns: there is nothing to ask afterwards.
    Diverges(TokenStream),
}

impl Inner {
    /// Why nobody can look at what is returned, if so.
    fn why_hidden(&self) -> Option<&'static str> {
        match self {
            Inner::Runs(_) | Inner::Awaits(..) => None,
            Inner::Opaque(_) => Some("`impl Trait` cannot be looked at: name the type, or box it"),
            Inner::Diverges(_) => Some("this one never returns"),
        }
    }
}

/// `body` as a closure that runs once. Given a type, its last expression and every `return` are coerced as in the
/// function itself.
fn in_closure(body: &Block, output: Option<Type>) -> Inner {
    match output {
        Some(output) => {
            Inner::Runs(quote_spanned!(hygienic()=> ::ops_sdk::__private::once(move || -> #output #body)))
        }
        None => Inner::Diverges(body.to_token_stream()),
    }
}

/// `body` as an async block that is awaited. An async block has no place to write its type, so a `return` that is
/// never reached tells it.
fn in_async_block(body: &Block, around: &Around<'_>, output: Option<Type>) -> Inner {
    let Some(output) = output else { return Inner::Diverges(body.to_token_stream()) };
    let stmts = &body.stmts;
    let never = quote_spanned! {hygienic_at(&output)=>
        if let ::core::option::Option::Some(__ops_never) = ::core::option::Option::None::<#output> {
            return __ops_never;
        }
    };
    let capture = &around.future;
    let block = quote_spanned! {hygienic()=>
        async #capture {
            #never
            #(#stmts)*
        }
    };
    let block = unit::timed(around.options, block);
    Inner::Awaits(quote_spanned!(hygienic()=> #block.await), !matches!(output, Type::Infer(_)))
}

/// An expression that begins the call. Values of dimensions are taken here, before the body can move the arguments,
/// and only while something records.
fn begun(options: &Options) -> TokenStream {
    if !options.is_tracked() {
        return quote_spanned!(hygienic()=> ::ops_sdk::__private::enter(&__OPS_SITE));
    }
    let track = if options.dimensions.is_empty() {
        quote_spanned!(hygienic()=> ::ops_sdk::__private::track(&__OPS_SITE, &[]))
    } else {
        let dimensions = &options.dimensions;
        let (in_series, values) = (
            dimensions::in_series(dimensions, &quote_spanned!(hygienic()=> &__OPS_SITE)),
            dimensions::values(dimensions),
        );
        quote_spanned!(hygienic()=> ::ops_sdk::__private::track_in(#in_series, #values))
    };
    quote_spanned! {hygienic()=>
        if ::ops_sdk::__private::on() {
            #track
        } else {
            ::ops_sdk::__private::untracked(&__OPS_SITE)
        }
    }
}

fn measured(around: &Around<'_>, inner: &Inner) -> TokenStream {
    let Around { options, site, logs: Logs { entry, guard }, future } = around;
    let log = |returning: bool| {
        guard.as_ref().map(|guard| match returning {
            true => quote_spanned!(hygienic()=> let __ops_log = ::ops_sdk::__private::returning(#guard);),
            false => quote_spanned!(hygienic()=> let __ops_log = #guard;),
        })
    };
    match inner {
        Inner::Opaque(body) => {
            let (unit, log, begun) = (unit::around_opaque(options), log(true), begun(options));
            quote_spanned! {hygienic()=>
                #site #unit #entry #log
                let __ops_call = ::ops_sdk::__private::returning(#begun);
                #body
            }
        }
        Inner::Diverges(body) => {
            let (unit, log, begun) = (unit::around_closure(options), log(false), begun(options));
            quote_spanned! {hygienic()=>
                #site #unit #entry #log
                let __ops_call = #begun;
                #body
            }
        }
        Inner::Runs(body) if entry.is_empty() && guard.is_none() && options.takes_no_value() => {
            at_once(around, body)
        }
        Inner::Runs(body) => {
            let measured = in_between(around, log(false).as_ref(), &quote!(#body()), true);
            let unit = unit::around_closure(options);
            quote_spanned!(hygienic()=> #site #unit #measured)
        }
        Inner::Awaits(body, readable) => {
            let measured = in_between(around, log(false).as_ref(), body, *readable);
            let measured = unit::around_future(options, future.as_ref(), measured);
            quote_spanned!(hygienic()=> #site #measured)
        }
    }
}

/// A body before which nothing of the arguments is looked at: while recording is off it is called at once, with nothing
/// around it.
fn at_once(around: &Around<'_>, body: &TokenStream) -> TokenStream {
    let (site, ending) = (&around.site, outcome::ending(&around.options.judge, true));
    let end = ended(&ending, false, false);
    quote_spanned! {hygienic()=>
        #site
        let __ops_body = #body;
        if !::ops_sdk::__private::on() {
            return __ops_body();
        }
        let __ops_call = ::ops_sdk::__private::enter_on(&__OPS_SITE);
        let __ops_result = __ops_body();
        #end
        __ops_result
    }
}

/// A body between the beginning of its call and its end.
fn in_between(
    around: &Around<'_>,
    log: Option<&TokenStream>,
    body: &TokenStream,
    readable: bool,
) -> TokenStream {
    let Around { options, logs: Logs { entry, guard }, .. } = around;
    let (begun, ending) = (begun(options), outcome::ending(&options.judge, readable));
    let end = ended(&ending, guard.is_some(), options.is_unit());
    quote_spanned! {hygienic()=>
        #entry #log
        let __ops_call = #begun;
        let __ops_result = #body;
        #end
        __ops_result
    }
}

/// The statements that end a call, its log and its unit of work, in this order.
fn ended(ending: &TokenStream, logs: bool, unit: bool) -> TokenStream {
    if !logs && !unit {
        return quote_spanned!(hygienic()=> __ops_call.done(#ending););
    }
    let log = logs.then(|| quote_spanned!(hygienic()=> __ops_log.done(__ops_ending);));
    let unit = unit.then(|| quote_spanned!(hygienic()=> __ops_unit.done(__ops_ending);));
    quote_spanned! {hygienic()=>
        let __ops_ending = #ending;
        __ops_call.done(__ops_ending);
        #log
        #unit
    }
}
