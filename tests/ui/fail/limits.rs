//! What may not stand before the message of a log macro.
use ops_sdk::{info, warn};

fn main() {
    let n = 10;
    warn!(rate = n, "said");
    warn!(rate = 0, "said");
    warn!(rate = 1000001, "said");
    warn!(rate = 10u8, "said");
    warn!(rate = "10", "said");
    warn!(rate = 10 "said");
    warn!(rate = 10);
    warn!(rate = 10,);
    warn!(rate =);
    warn!(rate = 10, once_every = "1s", "said");
    warn!(once_every = 10, "said");
    warn!(once_every = "10", "said");
    warn!(once_every = "25h", "said");
    info!(repeat = "0s", "said");
    info!(repeat = "1s", repeat = "1s", "said");
    info!(rates = 10, "said");
    info!(user = n, "said");
    info!("said", rate = 10, "10s");
}
