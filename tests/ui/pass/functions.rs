//! `#[instrumented]` changes nothing that the compiler or a caller can see.
#![deny(warnings)]

use std::fmt::{Debug, Display};
use std::pin::Pin;

use ops_sdk::prelude::*;

#[derive(Debug, Clone, Default, PartialEq)]
struct Order {
    number: u32,
    name: String,
}

/// Charges.
///
/// More than that.
#[instrumented]
#[must_use]
fn plain(order: &Order) -> u32 {
    order.number
}

#[instrumented(name = "charge an order")]
fn early(order: &Order) -> Result<u32, Box<dyn std::error::Error>> {
    if order.number == 0 {
        return Err("none".into());
    }
    let parsed: u32 = order.name.parse()?;
    Ok(parsed)
}

#[instrumented()]
fn nothing() {}

#[instrumented]
fn returns_early(n: u8) {
    if n > 3 {
        return;
    }
    counter!("few", n);
}

#[instrumented]
fn an_option(order: &Order) -> Option<char> {
    let first = order.name.chars().next()?;
    Some(first)
}

#[instrumented]
fn borrows<'a>(one: &'a mut Order, _: &Order) -> &'a mut String {
    &mut one.name
}

#[instrumented]
fn elided(order: &mut Order) -> &mut u32 {
    if order.number == 0 {
        return &mut order.number;
    }
    order.number += 1;
    &mut order.number
}

#[instrumented]
fn hidden<'a>(words: &'a [String], suffix: &str) -> impl Iterator<Item = usize> + use<'a> {
    let extra = suffix.len();
    words.iter().map(move |word| word.len() + extra)
}

#[instrumented]
fn hidden_closure(n: usize) -> impl Fn(&str) -> &str {
    if n == 0 {
        counter!("none", 1);
    }
    move |s| &s[n..]
}

#[instrumented]
fn hidden_inside(ok: bool) -> Result<impl Display + Debug, std::num::ParseIntError> {
    if ok {
        let n: u8 = "1".parse()?;
        return Ok(n);
    }
    Ok(2)
}

#[instrumented]
fn hidden_argument(value: impl Into<String>) -> String {
    value.into()
}

#[instrumented]
fn boxed(n: u8) -> Box<dyn Fn(u8) -> u8> {
    if n == 0 {
        return Box::new(|x| x);
    }
    Box::new(move |x| x + n)
}

#[instrumented]
fn dynamic<'a>(n: &'a u8, order: &'a Order) -> &'a dyn Debug {
    if *n == 0 {
        return n;
    }
    order
}

#[instrumented]
fn diverges(code: i32) -> ! {
    std::process::exit(code)
}

#[instrumented]
fn loops(mut n: u64) -> u64 {
    while n > 10 {
        n /= 2;
    }
    n
}

#[instrumented]
fn flags(mut done: bool, mut left: u8) {
    while !done {
        left -= 1;
        done = left == 0;
    }
}

#[instrumented]
#[track_caller]
fn tracked(n: u8) -> u8 {
    todo!("{n}")
}

#[instrumented]
fn patterns((a, mut b): (u8, u8), Order { number, .. }: &Order, [x, ..]: [u8; 2], _: &str) -> u32 {
    b += a;
    u32::from(b) + number + u32::from(x)
}

#[instrumented]
fn generic<'a, T, U: Clone, const N: usize>(items: &'a [T; N], other: U) -> (Option<&'a T>, U)
where
    T: PartialEq,
{
    (items.iter().find(|item| **item == items[0]), other.clone())
}

#[instrumented]
unsafe fn dangerous(pointer: *const u8) -> u8 {
    unsafe { *pointer }
}

#[instrumented]
extern "C" fn callback(n: i32) -> i32 {
    n + 1
}

#[instrumented]
#[inline]
#[allow(unused_variables)]
fn attributes(#[allow(unused_mut)] mut n: u8) -> u8 {
    #![allow(clippy::all)]
    n
}

#[instrumented]
fn moves(order: Order) -> (String, u32) {
    let number = order.number;
    (order.name, number)
}

#[instrumented]
fn unused_drop(_guard: Box<u8>) {}

#[instrumented]
fn items() -> u8 {
    const N: u8 = 1;
    fn inner() -> u8 {
        N
    }
    struct __Site;
    inner()
}

#[instrumented]
fn recursive(n: u64) -> u64 {
    if n < 2 { n } else { recursive(n - 1) + recursive(n - 2) }
}

#[instrumented]
fn r#match() -> u8 {
    1
}

macro_rules! make {
    ($name:ident, $ty:ty, $value:expr) => {
        #[instrumented]
        fn $name() -> $ty {
            $value * 2
        }
    };
}

make!(made, u8, 1 + 2);

mod inner {
    // Names of the prelude mean something else here.
    #![allow(dead_code)]
    enum Option {}
    enum Result {}
    fn drop() {}
    mod core {}

    #[ops_sdk::instrumented]
    pub fn shadowed() -> ::core::result::Result<u8, ()> {
        ::ops_sdk::counter!("x", 1, "a" => 1);
        ::ops_sdk::info!("{a:?}", a = 1);
        Ok(1)
    }
}

#[instrumented]
fn pins() -> Pin<Box<u8>> {
    Box::pin(1)
}

fn main() {
    let mut order = Order { number: 3, name: "12".to_owned() };
    assert_eq!(plain(&order), 3);
    assert_eq!(early(&order).unwrap(), 12);
    assert!(early(&Order::default()).is_err());
    nothing();
    returns_early(4);
    assert_eq!(an_option(&order), Some('1'));
    borrows(&mut order, &Order::default()).push('3');
    *elided(&mut order) += 1;
    assert_eq!(order, Order { number: 5, name: "123".to_owned() });
    assert_eq!(hidden(&["ab".to_owned()], "c").sum::<usize>(), 3);
    assert_eq!(hidden_inside(true).unwrap().to_string(), "1");
    assert_eq!(hidden_closure(1)("ab"), "b");
    assert_eq!(hidden_argument("x"), "x");
    assert_eq!(boxed(2)(3), 5);
    assert_eq!(format!("{:?}", dynamic(&0, &order)), "0");
    assert_eq!(loops(100), 6);
    flags(false, 3);
    let _ = tracked as fn(u8) -> u8;
    assert_eq!(patterns((1, 2), &order, [3, 4], ""), 11);
    assert_eq!(generic(&[1, 1], 'u'), (Some(&1), 'u'));
    assert_eq!(unsafe { dangerous(&7) }, 7);
    assert_eq!(callback(1), 2);
    assert_eq!(attributes(1), 1);
    assert_eq!(moves(order), ("123".to_owned(), 5));
    unused_drop(Box::new(1));
    assert_eq!(items(), 1);
    assert_eq!(recursive(10), 55);
    assert_eq!(r#match() + made() + inner::shadowed().unwrap(), 8);
    assert_eq!(*pins(), 1);
    if loops(1) == 2 {
        diverges(1);
    }
}
