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

#[instrumented(dims("Key" => 1))]
impl Order {
    fn eight(&self) {}
}

#[instrumented(unit = Bytes)]
impl Order {
    fn nine(&self) {}
}

#[instrumented(level = debug)]
impl Order {
    fn ten(&self) {}
}

#[instrumented(err_if = Result::is_err, ok_if = Result::is_ok)]
impl Order {
    fn eleven(&self) {}
}

#[instrumented(sample = 0, log = "entry")]
impl Order {
    fn twelve(&self) {}
}

#[instrumented(in_flight = maybe)]
impl Order {
    fn thirteen(&self) {}
}

#[instrumented(in_flight)]
impl Order {
    #[instrumented(in_flight = 1)]
    fn fourteen(&self) {}
}

#[instrumented(series_max = 5)]
impl Order {
    fn fifteen(&self) {}
}

#[instrumented(fields(a = 1), log = "exit")]
impl Order {
    fn sixteen(&self) {}
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
