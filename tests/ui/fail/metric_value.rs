//! Values of metrics.
use ops_sdk::prelude::*;

fn main() {
    let region = "eu";
    counter!("no amount");
    counter!("no amount",);
    gauge!("no value", unit = Bytes);
    histogram!("no value", "Region" => region);
    counter!("downwards", -1);
    counter!("downwards", (-1));
    counter!("in parts", 1.5);
    gauge!("two", 1 2);
}
