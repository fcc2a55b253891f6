//! Which functions can be measured, and under which name.

use syn::{Error, Result, Signature};

use super::{is_printable, metric};
use crate::model::Options;

/// Checks a function that is to be measured.
pub(crate) fn function(signature: &Signature, options: &Options) -> Result<()> {
    if let Some(constness) = &signature.constness {
        let message = "a `const fn` cannot be measured: it may run in the compiler, where there is no clock and nothing \
                       to record into; in an instrumented `impl` block opt out with `#[instrumented(skip)]`";
        return Err(Error::new_spanned(constness, message));
    }
    match &options.name {
        Some(name) => metric::value(&name.value()).map_err(|message| {
            Error::new(name.span(), format!("the name becomes the dimension `Function`, and {message}"))
        }),
        None if is_printable(&signature.ident.to_string()) => Ok(()),
        None => {
            let message =
                "the name becomes the dimension `Function`, which is ASCII: give one with `name = \"...\"`";
            Err(Error::new(signature.ident.span(), message))
        }
    }
}

/// Checks the arguments of the attribute on a function that is not in an instrumented block.
pub(crate) fn function_options(options: &Options) -> Result<()> {
    match options.skip {
        Some(span) => Err(Error::new(
            span,
            "`skip` is for a method of an instrumented `impl` block; here remove the attribute",
        )),
        None => Ok(()),
    }
}

/// Checks the arguments of the attribute on a whole block.
pub(crate) fn block_options(options: &Options) -> Result<()> {
    if let Some(span) = options.skip {
        return Err(Error::new(
            span,
            "`skip` is for a method of an instrumented `impl` block; here remove the attribute",
        ));
    }
    match &options.name {
        Some(name) => Err(Error::new(
            name.span(),
            "one `name` for all methods of the block would add them up: put `#[instrumented(name = \"...\")]` on a method",
        )),
        None => Ok(()),
    }
}
