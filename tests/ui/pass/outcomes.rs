//! How a call ended: `#[derive(Outcome)]`, `ok_if`, `err_if`, `none`.
#![deny(warnings)]

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use ops_sdk::prelude::*;
use ops_sdk::{Ending, Outcome as Told};

#[derive(Debug, Outcome)]
enum Refused {
    #[outcome(client, label = "declined")]
    Declined { why: String },
    #[outcome(error)]
    Bank(u8, u8),
    #[outcome(ok,)]
    r#Final,
}

#[derive(Outcome)]
#[outcome(error, label = "storage",)]
#[allow(dead_code)]
enum Storage<'a, T: Debug, const N: usize>
where
    T: Clone,
{
    Full(&'a [T; N]),
    #[outcome(client)]
    TooLarge,
}

#[derive(Outcome)]
#[outcome(client, label = "not found")]
struct NotFound;

#[derive(Outcome)]
enum Never {}

mod shadowed {
    // Names of the prelude mean something else here.
    #![allow(dead_code)]
    mod core {}
    struct Ending;
    trait Outcome {}

    #[derive(ops_sdk::Outcome)]
    #[outcome(ok)]
    pub struct Fine;
}

#[instrumented]
fn result(n: u8) -> Result<u8, Refused> {
    match n {
        0 => Err(Refused::Declined { why: String::new() }),
        1 => Err(Refused::Bank(1, 2)),
        2 => return Err(Refused::Final),
        n => Ok(n),
    }
}

#[instrumented]
fn generic<E: Told>(error: E) -> Result<(), E> {
    Err(error)
}

#[instrumented]
fn unknown<E>(error: E) -> Result<(), E> {
    Err(error)
}

#[instrumented]
fn hidden(fails: bool) -> Result<u8, impl Told> {
    if fails { Err(NotFound) } else { Ok(1) }
}

#[instrumented]
fn in_a_box(n: u8) -> Pin<Box<dyn Future<Output = Result<u8, NotFound>>>> {
    Box::pin(async move { if n == 0 { Err(NotFound) } else { Ok(n) } })
}

type Answer = Pin<Box<dyn Future<Output = Result<u8, String>>>>;

#[instrumented]
fn by_alias(n: u8) -> Answer {
    Box::pin(async move { if n == 0 { Err("none".into()) } else { Ok(n) } })
}

#[instrumented]
fn never() -> Result<(), Never> {
    Ok(())
}

fn is_fine(status: &u16) -> bool {
    *status < 400
}

#[instrumented(ok_if = is_fine)]
fn by_path(status: u16) -> u16 {
    status
}

#[instrumented(err_if = |list| list.is_empty(), name = "list")]
async fn by_closure(n: usize) -> Vec<usize> {
    (0..n).collect()
}

#[instrumented(ok_if = |text: &String| text.starts_with('a'))]
fn typed(text: &str) -> String {
    text.to_owned()
}

#[instrumented(ok_if = std::option::Option::is_none)]
fn by_long_path<T>(item: T) -> Option<T> {
    Some(item)
}

#[instrumented(ok_if = |text| text.is_empty())]
fn borrowed<'a>(text: &'a str, _: &str) -> &'a str {
    text
}

#[instrumented(none = error)]
fn option<'a>(list: &'a mut [u8]) -> Option<&'a mut u8> {
    let last = list.last_mut()?;
    Some(last)
}

struct Shop(u8);

#[instrumented]
impl Shop {
    #[instrumented(none = ok)]
    fn one(&self) -> Option<u8> {
        Some(self.0)
    }

    #[instrumented(none = client, name = "two")]
    async fn two(&self) -> Option<u8> {
        None
    }
}

fn main() {
    assert_eq!(result(0).unwrap_err().outcome(), Ending::CLIENT_ERROR.labelled("declined"));
    assert_eq!(result(1).outcome(), Ending::ERROR);
    assert_eq!(result(2).outcome(), Ending::OK);
    assert_eq!(Storage::Full(&[1u8]).outcome(), Ending::ERROR.labelled("storage"));
    assert_eq!(Storage::<u8, 1>::TooLarge.outcome(), Ending::CLIENT_ERROR);
    assert_eq!(NotFound.outcome().label(), Some("not found"));
    assert!(shadowed::Fine.outcome() == Ending::OK && never().is_ok());
    assert!(generic(NotFound).is_err() && unknown(NotFound).is_err() && hidden(true).is_err());
    let _ = (in_a_box(1), by_alias(0), by_closure(1));
    assert_eq!((by_path(500), typed("b").len(), borrowed("", "x"), by_long_path(1)), (500, 1, "", Some(1)));
    assert_eq!(option(&mut [1]), Some(&mut 1));
    assert_eq!(Shop(3).one(), Some(3));
    let _ = Shop(3).two();
}
