//! `ok_if`, `err_if`, `none`.
use ops_sdk::instrumented;

#[instrumented(ok_if)]
fn no_condition() -> u8 {
    1
}

#[instrumented(err_if = )]
fn nothing() -> u8 {
    1
}

#[instrumented(ok_if = |n| *n > 1, err_if = |n| *n > 2)]
fn both() -> u8 {
    1
}

#[instrumented(none = fail)]
fn unknown() -> Option<u8> {
    None
}

#[instrumented(none = eror)]
fn misspelt() -> Option<u8> {
    None
}

#[instrumented(none = error)]
fn no_option() -> u8 {
    1
}

#[instrumented(ok_if = |n| n + 1)]
fn no_bool() -> u8 {
    1
}

#[instrumented(ok_if = str::is_empty)]
fn wrong_type() -> u8 {
    1
}

#[instrumented(ok_if = |_| true)]
fn hidden() -> impl Iterator<Item = u8> {
    [1].into_iter()
}

#[instrumented(err_if = |_| true)]
fn diverges() -> ! {
    loop {}
}

fn main() {}
