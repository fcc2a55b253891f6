//! The attribute on whole `impl` blocks.
use ops_sdk::instrumented;

struct Order;

#[instrumented(name = "order")]
impl Order {
    fn one(&self) {}
}

#[instrumented(skip)]
impl Order {
    fn two(&self) {}
}

#[instrumented]
impl Order {
    #[instrumented(skip)]
    fn three(&self) {}

    const fn four(&self) {}
}

#[instrumented]
impl Order {
    #[instrumented(skipp)]
    fn five(&self) {}
}

#[instrumented]
impl Order {
    #[instrumented(skip)]
    #[instrumented(name = "six")]
    fn six(&self) {}
}

#[instrumented]
impl Order {
    #[instrumented = "seven"]
    fn seven(&self) {}
}

fn main() {
    Order.one();
    Order.two();
    Order.three();
    Order.four();
    Order.five();
    Order.six();
    Order.seven();
}
