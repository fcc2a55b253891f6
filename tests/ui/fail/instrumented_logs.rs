//! `log`, `level`, `fields`.
use ops_sdk::instrumented;

#[instrumented(log)]
fn no_moment() {}

#[instrumented(log = entry)]
fn no_text() {}

#[instrumented(log = "enter")]
fn unknown() {}

#[instrumented(log = "exits")]
fn misspelt() {}

#[instrumented(log = "")]
fn empty() {}

#[instrumented(log = "exit, exit")]
fn twice() {}

#[instrumented(level = debug)]
fn level_alone() {}

#[instrumented(fields(n))]
fn fields_alone(n: u8) -> u8 {
    n
}

#[instrumented(log = "exit", level = "debug")]
fn level_in_quotes() {}

#[instrumented(log = "exit", level = wran)]
fn level_misspelt() {}

#[instrumented(log = "exit", fields)]
fn no_fields() {}

#[instrumented(log = "exit", fields(n, n = 1))]
fn field_twice(n: u8) -> u8 {
    n
}

#[instrumented(log = "exit", fields(level = 1))]
fn reserved() {}

#[instrumented(log = "exit", fields(outcome = 1))]
fn ours() {}

#[instrumented(log = "exit", fields(order))]
fn no_field(order: Vec<u8>) -> usize {
    order.len()
}

#[instrumented(log = "exit", fields(
    a = 1, b = 1, c = 1, d = 1, e = 1, f = 1, g = 1, h = 1, i = 1, j = 1, k = 1, l = 1, m = 1, n = 1, o = 1, p = 1, q = 1
))]
fn too_many() {}

fn main() {}
