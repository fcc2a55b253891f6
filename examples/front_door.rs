//! The front door: an attribute, a builder, a few macros. Everything else is the default.
//!
//! ```text
//! cargo run --example front_door && cargo run -p ops-sdk --features cli -- stats
//! ```

use ops_sdk::prelude::*;

struct Order {
    id: u64,
    amount: u32,
    region: &'static str,
}

#[derive(Debug)]
struct Declined;

#[instrumented] // calls, errors, duration by Function = "front_door::charge"
fn charge(order: &Order) -> Result<u32, Declined> {
    if order.amount > 100 { Err(Declined) } else { Ok(order.amount) }
}

fn main() -> Result<(), ops_sdk::Error> {
    let _ops = ops_sdk::init() // OPS_* environment first, builder calls win
        .namespace("Shop")
        .dimension("Service", "checkout")
        .start()?; // no backend named: the embedded local store
    let queue = [
        Order { id: 1, amount: 40, region: "eu-west-1" },
        Order { id: 2, amount: 400, region: "us-east-1" },
        Order { id: 3, amount: 99, region: "eu-west-1" },
    ];
    gauge!("queue.depth", queue.len());
    for order in &queue {
        histogram!("order.amount", order.amount);
        match charge(order) {
            Ok(amount) => {
                counter!("orders.accepted", 1, "Region" => order.region);
                info!("charged {amount}", amount, order.id = order.id);
            }
            Err(error) => warn!("declined order {order.id}", order.id = order.id, ?error),
        }
    }
    Ok(())
} // the guard flushes within its deadline and says what is left
