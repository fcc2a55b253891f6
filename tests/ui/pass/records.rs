//! Records of a unit of work.
#![deny(warnings)]

use std::net::Ipv4Addr;
use std::time::Duration;

use ops_sdk::Timer;
use ops_sdk::prelude::*;

#[derive(Clone, Copy, Dimensions)]
enum Operation {
    Get,
    Put,
}

#[derive(Clone, Copy, Dimensions)]
struct Place {
    operation: Operation,
    cached: bool,
}

#[derive(Default, Record)]
struct Database {
    #[record(counter)]
    queries: u32,
    #[record(histogram, unit = Seconds)]
    waited: Option<Duration>,
    #[record(debug)]
    tables: Vec<String>,
}

#[derive(Record)]
#[record(
    prefix = "request.", rename_all = "kebab-case", resolution = high, log = "request handled", level = warn,
    series_max = 2000, rollup = [[], ["operation", "shop-name"]],
)]
struct Request<'a, 'b: 'a> {
    #[record(dimensions)]
    place: Place,
    #[record(dimension)]
    shop_name: &'a str,
    #[record(dimension, name = "Code")]
    code: u16,
    #[record(counter, unit = Bytes, resolution = standard)]
    bytes_read: usize,
    #[record(gauge)]
    queue: Option<f32>,
    #[record(histogram)]
    took: Timer,
    #[record(flatten, prefix = "db.")]
    database: Database,
    #[record(flatten, prefix = "second.")]
    second: Option<Inner<'b>>,
    #[record(field)]
    user_id: Option<u64>,
    #[record(display, name = "peer.ip")]
    ip: Ipv4Addr,
    #[record(debug,)]
    error: Option<String>,
    #[record(skip)]
    _scratch: Vec<u8>,
    #[record(counter)]
    r#loop: u8,
}

#[derive(Record)]
#[record(prefix = "inner.")]
struct Inner<'a> {
    #[record(field)]
    text: &'a str,
    #[record(flatten)]
    more: Database,
    #[record(gauge)]
    level: i32,
}

#[derive(Record)]
struct Plain {
    #[record(counter)]
    n: u64,
}

#[derive(Record)]
#[record(log = "only a line")]
struct Line {
    #[record(field)]
    n: u64,
}

#[derive(Record)]
#[record(log = "nothing beside")]
struct Bare {}

#[derive(Record)]
struct Tagged {
    #[record(dimension)]
    message: &'static str,
    #[record(counter)]
    n: u64,
}

mod elsewhere {
    #[derive(ops_sdk::Record)]
    pub struct Outer {
        #[record(flatten)]
        pub plain: super::Plain,
    }
}

fn request<'a>(name: &'a str, text: &'static str) -> Request<'a, 'static> {
    let inner = Inner { text, more: Database::default(), level: -1 };
    Request {
        place: Place { operation: Operation::Put, cached: true },
        shop_name: name,
        code: 200,
        bytes_read: 3,
        queue: None,
        took: Timer::start(),
        database: Database::default(),
        second: Some(inner),
        user_id: None,
        ip: Ipv4Addr::LOCALHOST,
        error: None,
        _scratch: Vec::new(),
        r#loop: 1,
    }
}

fn main() {
    request("a", "b").record();
    let mut open = request("c", "d").on_drop();
    open.database.queries += 1;
    open.took.stop();
    open.place.operation = Operation::Get;
    drop(open);
    request("e", "f").on_drop().discard();
    Plain { n: 1 }.record();
    Some(Plain { n: 1 }).record();
    None::<Plain>.record();
    elsewhere::Outer { plain: Plain { n: 2 } }.record();
    Line { n: 1 }.record();
    Bare {}.record();
    Tagged { message: "m", n: 1 }.record();
    let _: Box<dyn FnOnce() + Send> = Box::new(|| request("g", "h").record());
}
