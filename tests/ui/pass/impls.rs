//! `#[instrumented]` on blocks of methods: of a type, of a trait, and on single methods.
#![deny(warnings)]

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use ops_sdk::instrumented;

#[derive(Debug, Clone, PartialEq)]
struct Order<T> {
    items: Vec<T>,
    number: u32,
}

#[instrumented]
impl<T: Clone + PartialEq> Order<T>
where
    T: fmt::Debug,
{
    const LIMIT: usize = 3;

    /// Makes one.
    fn new(items: Vec<T>) -> Self {
        Self { items, number: 0 }
    }

    #[instrumented(skip)]
    const fn number(&self) -> u32 {
        self.number
    }

    #[instrumented(name = "take")]
    fn first(&self) -> Option<&T> {
        let first = self.items.first()?;
        Some(first)
    }

    #[instrumented]
    fn first_mut(&mut self) -> Result<&mut T, fmt::Error> {
        if self.items.len() > Self::LIMIT {
            return Err(fmt::Error);
        }
        self.items.first_mut().ok_or(fmt::Error)
    }

    fn set(&mut self, number: u32) -> &mut Self {
        self.number = number;
        self
    }

    fn with(mut self, number: u32) -> Self {
        self.number = number;
        self
    }

    fn into_items(self) -> Vec<T> {
        self.items
    }

    fn iter<'a>(&'a self) -> impl Iterator<Item = &'a T> + 'a {
        self.items.iter()
    }

    fn boxed(self: Box<Self>) -> u32 {
        self.number
    }

    fn counted(self: Rc<Self>) -> usize {
        Rc::strong_count(&self)
    }

    fn shared(self: &Arc<Self>) -> Arc<Self> {
        Arc::clone(self)
    }

    fn pinned(self: Pin<&mut Self>) -> u32 {
        self.number
    }

    async fn later(&self) -> &[T] {
        &self.items
    }
}

#[instrumented]
impl<T> fmt::Display for Order<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {}", self.number)?;
        Ok(())
    }
}

#[instrumented]
impl<T> Iterator for Order<T> {
    type Item = T;

    fn next(&mut self) -> Option<Self::Item> {
        self.items.pop()
    }
}

trait Price {
    fn price(&self) -> u32;

    #[instrumented]
    fn double(&self) -> u32 {
        self.price() * 2
    }

    unsafe fn raw(&self) -> u32;
}

impl Price for &[u32] {
    #[instrumented]
    fn price(&self) -> u32 {
        self.iter().sum()
    }

    #[instrumented]
    unsafe fn raw(&self) -> u32 {
        unsafe { *self.as_ptr() }
    }
}

#[instrumented]
impl Price for (u32, [u8; 2]) {
    fn price(&self) -> u32 {
        self.0
    }

    unsafe fn raw(&self) -> u32 {
        0
    }
}

struct Guard(Vec<u8>);

#[instrumented]
impl Drop for Guard {
    fn drop(&mut self) {
        self.0.clear();
    }
}

fn main() {
    let mut order = Order::new(vec![1, 2]);
    assert_eq!(order.number(), 0);
    assert_eq!(order.first(), Some(&1));
    *order.first_mut().unwrap() = 5;
    order.set(1).set(2);
    assert_eq!(order.iter().sum::<i32>(), 7);
    assert_eq!(order.to_string(), "order 2");
    assert_eq!(Box::new(order.clone()).boxed(), 2);
    assert_eq!(Rc::new(order.clone()).counted(), 1);
    assert_eq!(Arc::new(order.clone()).shared().number, 2);
    assert_eq!(Pin::new(&mut order).pinned(), 2);
    drop(order.later());
    assert_eq!(order.next(), Some(2));
    assert_eq!(order.with(9).into_items(), [5]);
    assert_eq!([1u32, 2].as_slice().double(), 6);
    assert_eq!((1, [0, 0]).price(), 1);
    assert_eq!(unsafe { [3u32].as_slice().raw() + (1, [0, 0]).raw() }, 3);
    drop(Guard(vec![1]));
}
