//! `dims`, `in_flight`, `unit`, `resolution`, `sample`.
use ops_sdk::instrumented;

#[instrumented(dims)]
fn no_list() {}

#[instrumented(dims())]
fn empty() {}

#[instrumented(dims(region))]
fn no_key(region: &str) -> usize {
    region.len()
}

#[instrumented(dims("Region" => ))]
fn no_value(region: &str) -> usize {
    region.len()
}

#[instrumented(dims("Region" => region, "Region" => region))]
fn twice(region: &str) -> usize {
    region.len()
}

#[instrumented(dims("Function" => "x"))]
fn taken() {}

#[instrumented(dims(":Region" => "x"))]
fn colon() {}

#[instrumented(dims("Region" => ?region))]
fn debug(region: &str) -> usize {
    region.len()
}

#[instrumented(dims("Order" => order))]
fn no_dimension(order: Vec<u8>) -> usize {
    order.len()
}

#[instrumented(dims("Order" => order))]
fn fine(order: u8) -> u8 {
    order
}

#[instrumented(dims(
    "1" => 1, "2" => 1, "3" => 1, "4" => 1, "5" => 1, "6" => 1, "7" => 1, "8" => 1, "9" => 1, "10" => 1,
    "11" => 1, "12" => 1, "13" => 1, "14" => 1, "15" => 1, "16" => 1, "17" => 1, "18" => 1, "19" => 1,
    "20" => 1, "21" => 1, "22" => 1, "23" => 1, "24" => 1, "25" => 1, "26" => 1, "27" => 1, "28" => 1,
    "29" => 1
))]
fn too_many() {}

#[instrumented(in_flight = yes)]
fn no_switch() {}

#[instrumented(in_flight, in_flight)]
fn flying_twice() {}

#[instrumented(unit = Bytes)]
fn no_time() {}

#[instrumented(unit = second)]
fn misspelt() {}

#[instrumented(unit = "Seconds")]
fn text() {}

#[instrumented(resolution = higher)]
fn unknown_resolution() {}

#[instrumented(sample)]
fn no_number() {}

#[instrumented(sample = 0)]
fn none() {}

#[instrumented(sample = 0.5)]
fn share() {}

#[instrumented(sample = 16u8)]
fn suffix() {}

fn main() {}
