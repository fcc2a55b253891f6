//! Arguments of the attribute.
use ops_sdk::instrumented;

#[instrumented(nane = "x")]
fn misspelt() {}

#[instrumented(colour = "red")]
fn unknown() {}

#[instrumented("name")]
fn positional() {}

#[instrumented(name)]
fn nothing() {}

#[instrumented(name = 7)]
fn number() {}

#[instrumented(name = "")]
fn empty() {}

#[instrumented(name = "größe")]
fn not_ascii() {}

#[instrumented(name = "a", name = "b")]
fn twice() {}

#[instrumented(name = "a" name = "b")]
fn no_comma() {}

#[instrumented(skip)]
fn skipped() {}

#[instrumented]
fn größe() {}

fn main() {
    // Each function is still there.
    misspelt();
    unknown();
    positional();
    nothing();
    number();
    empty();
    not_ascii();
    twice();
    no_comma();
    skipped();
    größe();
}
