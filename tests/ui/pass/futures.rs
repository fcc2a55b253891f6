//! `#[instrumented]` on what is awaited: async functions, and functions that return a future.
#![deny(warnings)]

use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ops_sdk::prelude::*;

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[instrumented]
async fn plain(n: u32) -> u32 {
    std::future::ready(n).await + 1
}

#[instrumented(name = "fails")]
async fn fallible(text: &str) -> Result<u32, Box<dyn Error + Send + Sync>> {
    if text.is_empty() {
        return Err("empty".into());
    }
    let n: u32 = text.parse()?;
    Ok(plain(n).await)
}

#[instrumented]
async fn nothing(text: &str) {
    if text.is_empty() {
        return;
    }
    info!("{text}");
}

#[instrumented]
async fn borrows<'a>(list: &'a mut Vec<u32>, more: &[u32]) -> &'a mut u32 {
    list.extend_from_slice(more);
    plain(1).await;
    &mut list[0]
}

#[instrumented]
async fn hidden(n: u8) -> impl Display {
    if n == 0 {
        return "none".to_owned();
    }
    n.to_string()
}

#[instrumented]
async fn boxed(n: u8) -> Box<dyn Fn(u8) -> u8 + Send> {
    if n == 0 {
        return Box::new(|x| x);
    }
    Box::new(move |x| x + n)
}

#[instrumented]
async fn never() -> ! {
    std::future::pending::<()>().await;
    loop {}
}

#[instrumented]
async fn not_send(n: Rc<u32>) -> u32 {
    plain(*n).await
}

#[instrumented]
async fn generic<T: Clone + Send + Sync, const N: usize>(items: &[T; N], mut n: usize) -> Option<T> {
    n += 1;
    items.get(n).cloned()
}

#[instrumented]
async unsafe fn dangerous(pointer: &u8) -> u8 {
    unsafe { *std::ptr::from_ref(pointer) }
}

#[instrumented]
fn by_hand(text: &str) -> impl Future<Output = Result<u32, Box<dyn Error>>> + use<> {
    let text = text.to_owned();
    async move {
        let n: u32 = text.parse()?;
        Ok(plain(n).await)
    }
}

#[instrumented]
fn as_async_trait(text: &str) -> Pin<Box<dyn Future<Output = Result<u32, Box<dyn Error>>> + '_>> {
    Box::pin(async move {
        let n: u32 = text.parse()?;
        Ok(n)
    })
}

#[instrumented]
fn aliased(n: u32) -> BoxFuture<'static, Result<u32, std::num::ParseIntError>> {
    std::boxed::Box::pin(async move {
        let one: u32 = "1".parse()?;
        Ok(plain(n).await + one)
    })
}

#[instrumented]
fn recursive(n: u32) -> BoxFuture<'static, u32> {
    Box::pin(async move { if n == 0 { 0 } else { recursive(n - 1).await + 1 } })
}

#[instrumented]
fn forwarded(n: u32) -> impl Future<Output = u32> {
    plain(n)
}

trait Store {
    fn get(&self, key: u32) -> impl Future<Output = Option<u32>> + Send;
    async fn put(&mut self, key: u32) -> Result<(), ()>;
}

#[instrumented]
impl Store for Vec<u32> {
    fn get(&self, key: u32) -> impl Future<Output = Option<u32>> + Send {
        async move { self.iter().find(|known| **known == key).copied() }
    }

    async fn put(&mut self, key: u32) -> Result<(), ()> {
        self.push(key);
        self.get(key).await.map(|_| ()).ok_or(())
    }
}

fn send<F: Future + Send>(future: F) -> F {
    future
}

/// Runs a future that is ready whenever it is asked.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("not ready"),
    }
}

fn main() {
    assert_eq!(run(send(plain(1))), 2);
    assert_eq!(run(send(fallible("4"))).unwrap(), 5);
    assert!(run(fallible("")).is_err() && run(fallible("x")).is_err());
    run(send(nothing("")));
    assert_eq!(*run(send(borrows(&mut vec![1], &[2]))), 1);
    assert_eq!(run(send(hidden(2))).to_string(), "2");
    assert_eq!(run(send(boxed(2)))(1), 3);
    drop(send(never()));
    assert_eq!(run(not_send(Rc::new(1))), 2);
    assert_eq!(run(send(generic(&[1, 2, 3], 0))), Some(2));
    assert_eq!(run(send(unsafe { dangerous(&3) })), 3);
    assert_eq!(run(by_hand("1")).unwrap(), 2);
    assert!(run(as_async_trait("x")).is_err());
    assert_eq!(run(send(aliased(1))), Ok(3));
    assert_eq!(run(send(recursive(3))), 3);
    assert_eq!(run(send(forwarded(3))), 4);
    let mut store = Vec::new();
    assert_eq!(run(store.put(3)), Ok(()));
    assert_eq!(run(send(store.get(3))), Some(3));
}
