//! What `#[derive(Record)]` refuses where it is written.
use std::time::Duration;

use ops_sdk::prelude::*;

#[derive(Record)]
enum NoStruct {
    A,
}

#[derive(Record)]
struct Tuple(u8);

#[derive(Record)]
struct Generic<T> {
    #[record(counter)]
    n: T,
}

#[derive(Record)]
struct Nothing {
    #[record(dimension)]
    key: bool,
}

#[derive(Record)]
struct Unsaid {
    n: u64,
}

#[derive(Record)]
struct NoList {
    #[record]
    n: u64,
}

#[derive(Record)]
struct NoRole {
    #[record(name = "n")]
    n: u64,
}

#[derive(Record)]
struct Misspelt {
    #[record(conter)]
    n: u64,
}

#[derive(Record)]
struct NoOption {
    #[record(counter, units = Bytes)]
    n: u64,
}

#[derive(Record)]
struct NoValue {
    #[record(counter, unit)]
    n: u64,
}

#[derive(Record)]
struct NoText {
    #[record(counter, name = n)]
    n: u64,
}

#[derive(Record)]
struct GivenTwice {
    #[record(counter, unit = Bytes, unit = Bits)]
    n: u64,
}

#[derive(Record)]
struct TwoRoles {
    #[record(counter, gauge)]
    n: u64,
}

#[derive(Record)]
struct BadUnit {
    #[record(counter, unit = bytes)]
    n: u64,
}

#[derive(Record)]
struct BadTime {
    #[record(histogram, unit = Bytes)]
    n: Option<Duration>,
}

#[derive(Record)]
struct BadResolution {
    #[record(histogram, resolution = low)]
    n: u8,
}

#[derive(Record)]
#[record(resolution = low)]
struct BadResolutions {
    #[record(histogram)]
    n: u8,
}

#[derive(Record)]
struct BadName {
    #[record(counter, name = ":n")]
    n: u64,
}

#[derive(Record)]
#[record(prefix = " ")]
struct BadPrefix {
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
struct BadKey {
    #[record(dimension, name = "")]
    key: u64,
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
struct SameName {
    #[record(counter)]
    n: u64,
    #[record(gauge, name = "n")]
    m: u64,
}

#[derive(Record)]
struct SameKey {
    #[record(dimension)]
    a: u64,
    #[record(dimension, name = "a")]
    b: u64,
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
#[record(log = "line")]
struct SameField {
    #[record(dimension)]
    a: u64,
    #[record(counter, name = "a")]
    n: u64,
}

#[derive(Record)]
#[record(log = "line")]
struct ReservedKey {
    #[record(dimension)]
    message: u64,
}

#[derive(Record)]
struct ReservedField {
    #[record(field)]
    id: u64,
}

#[derive(Record)]
struct NoUnit {
    #[record(field, unit = Bytes)]
    n: u64,
}

#[derive(Record)]
struct NoName {
    #[record(flatten, name = "n")]
    n: NoUnit,
}

#[derive(Record)]
struct NoPrefix {
    #[record(counter, prefix = "n")]
    n: u64,
}

#[derive(Record)]
struct OddPrefix {
    #[record(flatten, prefix = ":")]
    n: NoUnit,
}

#[derive(Record)]
#[record(log = "")]
struct NoMessage {}

#[derive(Record)]
#[record(log = "took {n}")]
struct Template {
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
#[record(level = debug)]
struct NoLine {
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
#[record(log = "line", level = loud)]
struct BadLevel {}

#[derive(Record)]
#[record(rename_all = "kebab")]
struct BadCase {}

#[derive(Record)]
#[record(log = "line", log = "line")]
struct TwoLines {}

#[derive(Record)]
#[record(logs = "line")]
struct NoSuchOption {}

#[derive(Record)]
#[record(rollup = [["Tier"]], series_max = 5)]
struct BadRollup {
    #[record(dimension)]
    tier: u64,
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
#[record(series_max = 5)]
struct NoDimensions {
    #[record(counter)]
    n: u64,
}

fn main() {}
