//! What the compiler finds where it knows the types.
use ops_sdk::prelude::*;

#[derive(Clone, Copy, Dimensions)]
enum Region {
    Ireland,
    Virginia,
}

#[derive(Clone, Copy, Dimensions)]
struct Order {
    region: Region,
    paid: bool,
}

#[derive(Dimensions)]
struct Text {
    region: Region,
    name: String,
}

#[derive(Dimensions)]
#[dimension(rename = "Function")]
enum Function {
    A,
}

#[instrumented(dims(..function as Function))]
fn named(function: Function) {}

#[instrumented(dims(..order as Order), rollup = [["Region"]])]
fn kept(order: Order) {}

fn main() {
    let order = Order { region: Region::Ireland, paid: true };
    counter!("orders", 1, "paid" => true, ..order as Order);
    counter!("orders", 1, ..order as Order, ..order as Order);
    counter!("orders", 1, rollup = [["region"], ["payed"]], ..order as Order);
    counter!("orders", 1, ..order as Region);
    counter!("orders", 1, ..5 as u8);
    counter!("orders", 1, "Region" => order);
    named(Function::A);
    kept(order);
    let _ = Region::Virginia;
}
