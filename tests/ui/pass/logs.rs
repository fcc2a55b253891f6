//! The log lines of a function: `log`, `level`, `fields`.
#![deny(warnings)]

use std::net::Ipv4Addr;

use ops_sdk::prelude::*;

struct Order {
    id: u64,
    region: String,
}

#[instrumented(log = "entry, exit, error", fields(order.id = order.id, region = order.region, %ip, ?ip2, "any key" = 1))]
fn all(order: Order, ip: Ipv4Addr, ip2: Option<Ipv4Addr>) -> Result<String, std::num::ParseIntError> {
    let _: u8 = "1".parse()?;
    let _ = (ip, ip2);
    Ok(order.region)
}

#[instrumented(log = "error", fields(name))]
async fn later(name: String) -> Option<usize> {
    let name = std::future::ready(name).await;
    Some(name.len())
}

#[instrumented(log = "entry", level = debug)]
fn no_fields() {}

#[instrumented(log = "exit", level = trace, fields(n,), in_flight, dims("N" => n), none = error)]
fn together(n: u8) -> Option<u8> {
    n.checked_sub(1)
}

#[instrumented(log = "exit,error", fields(text))]
fn hidden<'a>(text: &'a str) -> impl Iterator<Item = char> + use<'a> {
    text.chars()
}

#[instrumented(log = "exit", name = "a {name}")]
fn diverges(code: i32) -> ! {
    std::process::exit(code)
}

#[instrumented]
impl Order {
    #[instrumented(log = "entry, exit", fields(order.id = self.id))]
    fn method(&mut self) -> &mut String {
        &mut self.region
    }

    #[instrumented(log = "exit", fields(region = self.region))]
    async fn asynchronous(self) -> u64 {
        self.id
    }
}

fn send<T: Send>(value: T) -> T {
    value
}

fn order() -> Order {
    Order { id: 1, region: "eu".to_owned() }
}

fn main() {
    assert_eq!(all(order(), Ipv4Addr::LOCALHOST, None).as_deref(), Ok("eu"));
    let _ = send(later(String::new()));
    no_fields();
    assert_eq!(together(1), Some(0));
    assert_eq!(hidden("ab").count(), 2);
    order().method().push('!');
    let _ = send(order().asynchronous());
    if together(0).is_some() {
        diverges(1);
    }
}
