//! Values of types that the macros do not take: the error is at the value, and says how to capture it.
use ops_sdk::prelude::*;

struct Opaque;

fn main() {
    let opaque = Opaque;
    counter!("opaque", opaque);
    counter!("signed", 1i32);
    gauge!("opaque", opaque);
    counter!("orders", 1, "Region" => opaque);
    counter!("orders", 1, "Region" => 1.5);
    counter!("orders", 1, "Region" => %opaque);
    info!("fields", opaque);
    info!("fields", %opaque);
    info!("fields", ?opaque);
    info!("{opaque}");
    info!("{opaque:?}");
}
