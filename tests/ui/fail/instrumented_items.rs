//! What the attribute goes on.
use ops_sdk::instrumented;

#[instrumented]
struct Order;

#[instrumented]
const fn constant() -> u8 {
    1
}

#[instrumented]
trait Whole {}

trait Declares {
    #[instrumented]
    fn declared(&self);
}

#[instrumented]
mod inner {}

fn statement() {
    #[instrumented]
    let _x = 1;
}

fn main() {
    let _ = Order;
    const _: u8 = constant();
    statement();
}
