//! Arguments on whole `impl` blocks, and methods that want something else.
#![deny(warnings)]

use ops_sdk::prelude::*;

struct Till(u64);

#[instrumented(in_flight, unit = Seconds, resolution = high, sample = 2, log = "exit, error", level = debug)]
impl Till {
    fn new() -> Self {
        Till(1)
    }

    #[instrumented(unit = Microseconds, sample = 1, in_flight = false, resolution = standard)]
    fn add(&mut self, n: u64) -> Result<(), String> {
        self.0 = self.0.checked_add(n).ok_or("full")?;
        Ok(())
    }

    #[instrumented(log = "off", in_flight = true)]
    async fn quiet(&self) -> u64 {
        self.0
    }

    #[instrumented(log = "entry", fields(n), dims("N" => n % 2))]
    fn named(&self, n: u64) -> u64 {
        self.0 + n
    }

    #[instrumented(skip)]
    const fn get(&self) -> u64 {
        self.0
    }
}

#[instrumented(err_if = Result::is_err)]
impl Till {
    fn looked_at(&self) -> Result<u8, String> {
        Ok(1)
    }

    fn nothing(&self) {}

    fn unit(&self) -> () {}

    fn hidden(&self) -> impl Iterator<Item = u64> + use<> {
        std::iter::once(self.0)
    }

    fn future(&self) -> impl Future<Output = Result<u64, u64>> {
        let n = self.0;
        async move { Ok(n) }
    }

    #[instrumented(ok_if = |n| *n > 0)]
    fn own(&self) -> u64 {
        self.0
    }

    fn never(&self) -> ! {
        std::process::exit(0)
    }
}

#[instrumented(none = client)]
impl Iterator for Till {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.0.checked_sub(1)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

fn main() {
    let mut till = Till::new();
    till.add(1).unwrap();
    drop(till.quiet());
    assert_eq!((till.named(1), till.get(), till.own()), (3, 2, 2));
    till.looked_at().unwrap();
    till.nothing();
    till.unit();
    assert_eq!(till.hidden().count(), 1);
    drop(till.future());
    assert_eq!((till.next(), till.size_hint()), (Some(1), (0, None)));
    till.never();
}
