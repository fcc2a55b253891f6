//! Names of metrics.
use ops_sdk::prelude::*;

const NAME: &str = "computed";

fn main() {
    counter!();
    counter!("", 1);
    counter!(NAME, 1);
    counter!(7, 1);
    counter!(":colon", 1);
    counter!(" space before", 1);
    gauge!("space after ", 1);
    histogram!("größe", 1);
    counter!("tab\t", 1);
    counter!("1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456", 1);
}
