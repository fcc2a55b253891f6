//! What is recorded: log events at an even pace, counters and a histogram beside them.

use std::time::{Duration, Instant};

use ops_sdk::prelude::*;

/// Between two bursts.
const BURST: Duration = Duration::from_millis(10);

/// What was recorded, and what that took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fed {
    /// Log events.
    pub events: u64,
    /// The longest that one call took.
    pub slowest: Duration,
}

/// Records this many events a second for so long; calls `tell` every ten seconds.
pub fn feed(per_second: u64, lasting: Duration, mut tell: impl FnMut(Duration)) -> Fed {
    let (began, mut fed, mut told) = (Instant::now(), Fed::default(), 0);
    while began.elapsed() < lasting {
        let passed = began.elapsed();
        #[allow(clippy::cast_possible_truncation)] // weeks of milliseconds
        let due = passed.as_millis() as u64 * per_second / 1000;
        while fed.events < due {
            fed.slowest = fed.slowest.max(record(fed.events));
            fed.events += 1;
        }
        if passed.as_secs() / 10 > told {
            told = passed.as_secs() / 10;
            tell(passed);
        }
        std::thread::sleep(BURST);
    }
    fed
}

/// One event in a hundred is a warning, and brings a counter and a value with it.
#[allow(clippy::cast_precision_loss)] // what is counted in a soak
fn record(n: u64) -> Duration {
    let called = Instant::now();
    if n.is_multiple_of(100) {
        warn!("order {n} waits for its payment", order = n, country = "DE");
        counter!("soak.orders", 1, "Region" => if n.is_multiple_of(200) { "eu" } else { "us" });
        histogram!("soak.payload", n as f64 % 1_000.0, unit = Bytes);
    } else {
        info!("order {n} was accepted and leaves the warehouse this evening", order = n, country = "DE");
    }
    called.elapsed()
}
