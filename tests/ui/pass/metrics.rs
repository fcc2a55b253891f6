//! Every form of the metric macros, without a warning.
#![deny(warnings)]
#![forbid(unsafe_code)]

use std::time::Duration;

use ops_sdk::prelude::*;

struct Tier(u8);

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tier-{}", self.0)
    }
}

macro_rules! counted {
    ($name:literal, $amount:expr, $key:literal => $value:expr) => {
        counter!($name, $amount, $key => $value)
    };
}

fn in_an_expression(n: u64) -> Result<(), std::num::TryFromIntError> {
    match n {
        0 => counter!("zero", 1),
        _ => counter!("many", usize::try_from(n)?, "N" => n),
    }
    Ok(counter!("done", n))
}

fn counters(region: &str, tier: &Tier) {
    counter!("one", 1);
    counter!("hex", 0xE);
    counter!("large", 18_446_744_073_709_551_615);
    counter!("typed", 1u8,);
    counter!("by reference", &3usize);
    counter!("bytes", 1 + 2u64, unit = Bytes);
    counter!("high", 1, resolution = high);
    counter!("standard", 1, unit = CountPerSecond, resolution = standard);
    counter!("by", 1, "Region" => region, "Tier" => %tier);
    counter!("all", 1, unit = Bits, resolution = high, "Region" => region.to_owned(), "Code" => 404, "Ok" => true,);
    counter!("operators", 1, "Sum" => 1 + 2, "Large" => 3_000_000_000, "Below" => -1, "Not" => !true, "Char" => 'c');
    counter!("nested", { counter!("inner", 1); 2u64 });
    counted!("through a macro", 1, "Key" => 2);
}

fn measures(queue: &[u8]) {
    gauge!("queue.depth", queue.len());
    gauge!("below", -1);
    gauge!("large", 3_000_000_000);
    gauge!("part", 0.5f32, unit = Percent, "Queue" => "orders");
    histogram!("payload", queue.len() as u64, unit = Bytes);
    histogram!("took", Duration::from_millis(3), unit = Milliseconds, resolution = high);
    histogram!("by", &1.5, "Queue" => %queue.len());
}

fn main() {
    counters("eu-west-1", &Tier(2));
    measures(&[1, 2, 3]);
    in_an_expression(3).unwrap();
}
