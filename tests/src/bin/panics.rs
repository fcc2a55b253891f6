//! A program that panics, for the tests of the panic hook. It has a hook of its own, which says so on stderr, and is
//! built a second time with panics that abort.
//!
//! ```text
//! panics thread     a thread panics within a correlation; then says "survived" and ends well
//! panics flush      the main thread panics, and the program's own hook flushes
//! panics bare       the main thread panics
//! ```
//!
//! Its settings are the `OPS_*` variables alone.

use std::sync::OnceLock;
use std::time::Duration;

use ops_sdk::Ops;
use ops_sdk::prelude::*;

static OPS: OnceLock<Ops> = OnceLock::new();

pub(crate) fn main() -> Result<(), ops_sdk::Error> {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let flushes = mode == "flush";
    std::panic::set_hook(Box::new(move |info| {
        eprintln!("own hook: {:?}", info.payload().downcast_ref::<&str>());
        if let Some(ops) = OPS.get().filter(|_| flushes) {
            ops.flush(Duration::from_secs(10));
        }
    }));
    let ops = ops_sdk::init().start()?;
    if mode == "thread" {
        let request = Correlation::new();
        println!("{}", request.id());
        let work = std::thread::Builder::new().name("worker".to_owned());
        let worker = work.spawn(move || request.run(|| panic!("number {}", 7))).map(|worker| worker.join());
        println!("{}", if matches!(worker, Ok(Err(_))) { "survived" } else { "no panic" });
        return Ok(());
    }
    let _ = OPS.set(ops);
    panic!("no way on")
}
