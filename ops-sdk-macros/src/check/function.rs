//! Which functions can be measured, and under which name.

use syn::{Error, Result, Signature};

use super::{dimensions, event, is_printable, metric};
use crate::model::Options;

/// Checks a function that is to be measured.
pub(crate) fn function(signature: &Signature, options: &Options) -> Result<()> {
    if let Some(constness) = &signature.constness {
        let message = "a `const fn` cannot be measured: it may run in the compiler, where there is no clock and nothing \
                       to record into; in an instrumented `impl` block opt out with `#[instrumented(skip)]`";
        return Err(Error::new_spanned(constness, message));
    }
    metric::of_function(options)?;
    event::of_function(options)?;
    match &options.name {
        Some(name) => dimensions::value(&name.value()).map_err(|message| {
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
    match options.given("skip") {
        Some(skip) => Err(Error::new(
            skip.span(),
            "`skip` is for a method of an instrumented `impl` block; here remove the attribute",
        )),
        None => Ok(()),
    }
}

/// What a block says for all its methods.
const FOR_ALL: [&str; 9] =
    ["ok_if", "err_if", "none", "in_flight", "unit", "resolution", "sample", "log", "level"];

/// Checks the arguments of the attribute on a whole block.
pub(crate) fn block_options(options: &Options) -> Result<()> {
    function_options(options)?;
    if let Some(name) = &options.name {
        return Err(Error::new(
            name.span(),
            "one `name` for all methods of the block would add them up: put `#[instrumented(name = \"...\")]` on a method",
        ));
    }
    metric::of_function(options)?;
    event::of_function(options)?;
    match options.given.iter().find(|given| !FOR_ALL.contains(&given.to_string().as_str())) {
        Some(given) => Err(Error::new(
            given.span(),
            format!(
                "`{given}` belongs to one function: put `#[instrumented({given} ..)]` on a method; for all of them there \
                 are: {}",
                FOR_ALL.map(|name| format!("`{name}`")).join(", ")
            ),
        )),
        None => Ok(()),
    }
}

/// Checks what needs a value that can be looked at. `why` says of a function without one what is the matter with it.
pub(crate) fn looks_at_value(options: &Options, why: Option<&str>) -> Result<()> {
    let Some(why) = why else { return Ok(()) };
    let given = ["ok_if", "err_if", "none"].into_iter().find_map(|name| options.given(name));
    given.map_or(Ok(()), |given| {
        Err(Error::new(given.span(), format!("`{given}` looks at what the function returns, and {why}")))
    })
}

/// Checks what needs the polls of a future: `is_future` says whether there is one.
pub(crate) fn polls(options: &Options, is_future: bool) -> Result<()> {
    match options.given("busy").filter(|_| !is_future) {
        Some(given) => Err(Error::new(
            given.span(),
            "`busy` is the time inside the polls of a future; this is none, and is busy for its whole `duration`",
        )),
        None => Ok(()),
    }
}

/// Checks what goes around a future, which has to have an end for that.
pub(crate) fn ends(options: &Options) -> Result<()> {
    let given = ["busy", "hold", "correlate"].into_iter().find_map(|name| options.given(name));
    given.map_or(Ok(()), |given| {
        Err(Error::new(
            given.span(),
            format!("`{given}` goes around the whole future, and this one never ends"),
        ))
    })
}
