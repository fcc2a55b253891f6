//! Options of metrics: unit and resolution.
use ops_sdk::prelude::*;

fn main() {
    histogram!("payload", 1, unit = bytes);
    histogram!("payload", 1, unit = Byte);
    histogram!("payload", 1, unit = Furlongs);
    histogram!("payload", 1, unit = "Bytes/Second");
    histogram!("payload", 1, unit = Unit::Bytes);
    histogram!("payload", 1, unit =);
    histogram!("payload", 1, resolution = hihg);
    histogram!("payload", 1, resolution = 1);
    histogram!("payload", 1, units = Bytes);
    histogram!("payload", 1, unit = Bytes, unit = Bits);
    histogram!("payload", 1, resolution = high, resolution = high);
    histogram!("payload", 1, resolution = high, unit = Bytes);
    histogram!("payload", 1, "Region" => "eu", unit = Bytes);
    histogram!("payload", 1, "Region" => "eu", resolution = high);
}
