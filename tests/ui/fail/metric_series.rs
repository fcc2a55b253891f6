//! `series_max`, `rollup` and `..values`.
use ops_sdk::prelude::*;

fn main() {
    let (region, dims) = ("eu", 1);
    counter!("orders", 1, series_max = 0, "Region" => region);
    counter!("orders", 1, series_max = 1_000_001, "Region" => region);
    counter!("orders", 1, series_max = 5u8, "Region" => region);
    counter!("orders", 1, series_max = many, "Region" => region);
    counter!("orders", 1, series_max = , "Region" => region);
    counter!("orders", 1, series_max = 5);
    counter!("orders", 1, serie_max = 5, "Region" => region);
    counter!("orders", 1, series_max = 5, series_max = 5, "Region" => region);
    counter!("orders", 1, "Region" => region, series_max = 5);
    counter!("orders", 1, series_max = 5, unit = Bytes, "Region" => region);
    counter!("orders", 1, rollup = [[]], series_max = 5, "Region" => region);
    counter!("orders", 1, rollup = [[]]);
    counter!("orders", 1, rollup = [], "Region" => region);
    counter!("orders", 1, rollup = [], rollup = [], "Region" => region);
    counter!("orders", 1, rollup = "Region", "Region" => region);
    counter!("orders", 1, rollup = ["Region"], "Region" => region);
    counter!("orders", 1, rollup = [[region]], "Region" => region);
    counter!("orders", 1, rollup = [["Regoin"]], "Region" => region, "Tier" => 1);
    counter!("orders", 1, rollup = [["Tier", "Tier"]], "Region" => region, "Tier" => 1);
    counter!("orders", 1, rollup = [["Tier"], [], ["Tier"]], "Region" => region, "Tier" => 1);
    counter!("orders", 1, rollup = [["Tier", "Region"]], "Region" => region, "Tier" => 1);
    counter!("orders", 1, rollup = [["a"], ["b"], ["c"], ["d"], ["a", "b"], ["a", "c"], ["a", "d"], ["b", "c"], []],
        "a" => 1, "b" => 2, "c" => 3, "d" => 4);
    counter!("orders", ..dims);
    counter!("orders", 1, ..dims);
    counter!("orders", 1, ..);
    counter!("orders", 1, ..dims as Dims, "Region" => region);
}

#[instrumented(series_max = 5)]
fn one() {}

#[instrumented(dims("Key" => 1), series_max)]
fn two() {}

#[instrumented(dims("Key" => 1), rollup)]
fn three() {}

#[instrumented(rollup = [[]])]
fn four() {}

#[instrumented(dims("Key" => 1), rollup = [["Function"]])]
fn five() {}

#[instrumented(dims("Key" => 1, "Other" => 2), rollup = [["Key"] ["Other"]])]
fn six() {}

#[instrumented(dims(..dims))]
fn seven(dims: u8) {}
