//! What a call is measured by: `dims`, `in_flight`, `unit`, `resolution`, `sample`.
#![deny(warnings)]

use std::net::Ipv4Addr;

use ops_sdk::prelude::*;

struct Order {
    region: String,
    tier: u8,
}

#[instrumented(dims("Region" => order.region, "Tier" => order.tier))]
fn moved(order: Order) -> String {
    order.region
}

#[instrumented(dims("Region" => region, "Ip" => %ip, "Known" => tier.is_some(), "Fixed" => "yes", "Two" => 1 + 1,))]
fn expressions(region: &str, ip: Ipv4Addr, tier: Option<u8>) -> (usize, Option<u8>) {
    let _ = ip;
    (region.len(), tier)
}

#[instrumented(dims("Name" => name))]
async fn later(name: String) -> Result<usize, std::num::ParseIntError> {
    let name = std::future::ready(name).await;
    name.parse()
}

#[instrumented(dims("Name" => %name.trim()), in_flight)]
fn in_a_box(name: String) -> std::pin::Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move { name.len() })
}

#[instrumented(dims("Kind" => kind), in_flight, unit = Seconds, resolution = high, sample = 16)]
fn hidden<'a>(words: &'a [String], kind: &str) -> impl Iterator<Item = usize> + use<'a> {
    let _ = kind;
    words.iter().map(String::len)
}

#[instrumented(in_flight, dims("Code" => code))]
fn diverges(code: i32) -> ! {
    std::process::exit(code)
}

#[instrumented(sample = 1, unit = Microseconds)]
fn all<T: Copy, const N: usize>(items: &[T; N]) -> Option<T> {
    items.first().copied()
}

#[instrumented(unit = Milliseconds, resolution = standard)]
unsafe fn plain() {}

#[instrumented(in_flight)]
fn recursive(n: u64) -> u64 {
    if n < 2 { n } else { recursive(n - 1) + recursive(n - 2) }
}

#[instrumented]
impl Order {
    #[instrumented(dims("Region" => self.region, "Tier" => self.tier), none = error)]
    fn method(self) -> Option<String> {
        Some(self.region)
    }

    #[instrumented(in_flight, sample = 100)]
    async fn asynchronous(&mut self) -> &mut u8 {
        &mut self.tier
    }
}

fn send<T: Send>(value: T) -> T {
    value
}

fn order() -> Order {
    Order { region: "eu".to_owned(), tier: 1 }
}

fn main() {
    assert_eq!(moved(order()), "eu");
    assert_eq!(expressions("eu", Ipv4Addr::LOCALHOST, None), (2, None));
    let _ = (send(later(String::new())), send(in_a_box(String::new())));
    assert_eq!(hidden(&["ab".to_owned()], "x").sum::<usize>(), 2);
    assert_eq!(all(&[1, 2]), Some(1));
    unsafe { plain() };
    assert_eq!(recursive(10), 55);
    assert_eq!(order().method().as_deref(), Some("eu"));
    let _ = send(order().asynchronous());
    if recursive(1) == 2 {
        diverges(1);
    }
}
