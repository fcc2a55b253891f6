//! What a call is done within: `correlate`, `hold`, `busy`; correlation and units of work by hand; secrets.
#![deny(warnings)]

use std::pin::Pin;

use ops_sdk::prelude::*;
use ops_sdk::{Hold, Level, TraceparentError};

#[instrumented(correlate)]
fn correlated() -> Option<String> {
    Correlation::current().map(|current| current.traceparent().to_string())
}

#[instrumented(correlate = Correlation::from_traceparent(header))]
fn from_header(header: &str) -> bool {
    !header.is_empty()
}

#[instrumented(correlate = correlation)]
async fn passed_on(correlation: Correlation) -> u64 {
    std::future::ready(()).await;
    correlation.span_id()
}

#[instrumented(correlate = request.correlation)]
async fn optional(request: Request) -> String {
    request.text
}

struct Request {
    correlation: Option<Correlation>,
    text: String,
}

#[instrumented(hold = debug)]
fn held(n: u8) -> Result<u8, std::num::TryFromIntError> {
    debug!("held {n}");
    i8::try_from(n).map(|_| n)
}

#[instrumented(hold = trace, correlate, busy, log = "entry, exit, error", level = trace, fields(n), in_flight, dims("N" => n))]
async fn all(n: u8) -> Result<String, std::num::ParseIntError> {
    let n: u8 = n.to_string().parse()?;
    std::future::ready(()).await;
    Ok(n.to_string())
}

#[instrumented(hold = warn, correlate)]
fn opaque<'a>(text: &'a str) -> impl Iterator<Item = char> + use<'a> {
    text.chars()
}

#[instrumented(hold = info, correlate)]
fn diverges(code: i32) -> ! {
    std::process::exit(code)
}

#[instrumented(busy, hold = debug)]
fn boxed<'a>(text: &'a str) -> Pin<Box<dyn Future<Output = usize> + Send + 'a>> {
    Box::pin(async move { text.len() })
}

struct Service(u8);

#[instrumented]
impl Service {
    #[instrumented(busy, correlate, unit = Seconds, resolution = high)]
    async fn call(&mut self, by: &u8) -> &u8 {
        self.0 += *by;
        &self.0
    }

    #[instrumented(hold = debug)]
    fn generic<T: AsRef<str>>(&self, text: T) -> Result<T, T> {
        if text.as_ref().is_empty() { Err(text) } else { Ok(text) }
    }
}

fn send<T: Send>(value: T) -> T {
    value
}

fn by_hand() -> Result<(), TraceparentError> {
    let mut unit: Hold = ops_sdk::hold(Level::Debug);
    let correlation = Correlation::from_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")?;
    let _entered = correlation.child().enter();
    assert_eq!(correlation.run(|| Correlation::current().map(|current| current.id())), Some(correlation.id()));
    drop(send(correlation.scope(async {})));
    unit.failed();
    Ok(())
}

fn main() {
    let password = Secret::new(String::from("hunter2"));
    info!("{password} {password:?}", password, card = redact([4, 1]), again = %password);
    assert!(correlated().is_some_and(|header| header.starts_with("00-")));
    assert!(from_header("x"));
    drop(send(passed_on(Correlation::new())));
    drop(send(optional(Request { correlation: None, text: String::new() })));
    assert_eq!(held(1), Ok(1));
    drop(send(all(1)));
    assert_eq!(opaque("ab").count(), 2);
    drop(send(boxed("a")));
    let mut service = Service(1);
    drop(send(service.call(&1)));
    assert_eq!(service.generic("a"), Ok("a"));
    assert!(by_hand().is_ok());
    if held(200).is_ok() {
        diverges(1);
    }
}
