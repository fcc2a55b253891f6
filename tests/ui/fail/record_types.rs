//! What the compiler finds in a record where it knows the types.
use ops_sdk::prelude::*;

#[derive(Record)]
struct Types {
    #[record(counter)]
    count: f64,
    #[record(counter)]
    below: Option<i32>,
    #[record(gauge)]
    text: String,
    #[record(field)]
    list: Vec<u8>,
    #[record(display)]
    shown: Vec<u8>,
}

#[derive(Record)]
struct Inner {
    #[record(counter)]
    n: u64,
    #[record(field)]
    outcome: u8,
}

#[derive(Record)]
struct Dimensioned {
    #[record(dimension)]
    key: bool,
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
struct Twice {
    #[record(flatten)]
    a: Inner,
    #[record(flatten, prefix = "b.")]
    b: Inner,
    #[record(flatten)]
    c: Inner,
}

#[derive(Record)]
struct Clash {
    #[record(gauge)]
    n: u8,
    #[record(flatten)]
    inner: Inner,
}

#[derive(Record)]
struct Flattens {
    #[record(flatten)]
    inner: Dimensioned,
}

#[derive(Record)]
struct NoRecord {
    #[record(flatten)]
    inner: u8,
}

#[derive(Record)]
#[record(log = "line")]
struct Reserved {
    #[record(flatten)]
    inner: Metrics,
    #[record(dimension)]
    outcome: bool,
    #[record(flatten)]
    second: Inner,
}

#[derive(Record)]
struct Metrics {
    #[record(counter)]
    file: u64,
}

fn main() {
    5u8.record();
}
