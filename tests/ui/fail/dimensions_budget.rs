//! More series than the budget: found when the program is built, for only then all types are known.
use ops_sdk::prelude::*;

#[derive(Clone, Copy, Dimensions)]
enum Digit {
    D0,
    D1,
    D2,
    D3,
    D4,
    D5,
    D6,
    D7,
    D8,
    D9,
}

#[instrumented(name = "pay", dims("a" => a, "tenant" => tenant), series_max = 9)]
fn pay(a: Digit, tenant: &str) {
    let _ = (a, tenant);
}

fn by_default(d: Digit) {
    counter!("orders", 1, "a" => d, "b" => d, "c" => d, "d" => matches!(d, Digit::D0));
}

fn by_its_own(d: Digit) {
    gauge!("depth", 1, series_max = 50, "a" => d, "b" => d);
}

fn within(d: Digit) {
    counter!("orders", 1, "a" => d, "b" => d, "c" => d, "always" => true);
    histogram!("took", 1, series_max = 2000, "a" => d, "b" => d, "c" => d, "d" => matches!(d, Digit::D0));
}

fn main() {
    by_default(Digit::D0);
    by_its_own(Digit::D0);
    within(Digit::D0);
    pay(Digit::D0, "x");
    let _ = [Digit::D1, Digit::D2, Digit::D3, Digit::D4, Digit::D5, Digit::D6, Digit::D7, Digit::D8, Digit::D9];
}
