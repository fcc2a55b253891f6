//! What may stand before the message of a log macro.
#![deny(warnings)]

use ops_sdk::prelude::*;

fn main() {
    let (n, rate, repeat) = (1, 2, "3");
    trace!(rate = 10, "said");
    debug!(once_every = "500ms", "said {n}");
    info!(repeat = "10s", "said {n}", n);
    warn!(rate = 1_000_000, repeat = "1h", "said {n:>4}", n, rate, repeat);
    error!(repeat = "5 m", once_every = "24h", "said", rate = 1, once_every = 2, repeat = 3,);
    for _ in 0..2 {
        info!(rate = 1, "said");
    }
}
