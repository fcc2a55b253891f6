//! A backend of one's own: four decisions behind one trait. This one writes lines to stderr; the thread, the queue, the
//! limits, the retries and the books come with the house.
//!
//! ```text
//! cargo run --example own_backend
//! ```

use std::io::Write;
use std::time::Duration;

use ops_sdk::backend::{Backend, Configure, Context, EncodeError, Verdict};
use ops_sdk::chunk::{Batch, Items};
use ops_sdk::encode::json;
use ops_sdk::limits::{Limits, Oversize};
use ops_sdk::model::{Record, Signal};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;

struct Stderr;

impl Configure for Stderr {
    fn open(self: Box<Self>, _: &Context) -> Result<Box<dyn Backend>, ops_sdk::Error> {
        Ok(self)
    }
}

impl Backend for Stderr {
    fn id(&self) -> &str {
        "stderr"
    }

    /// Not a push API: batches of up to 64 KiB, and no line is split.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: 64 << 10,
            envelope_bytes: 0,
            push_items_max: 1_000,
            item_bytes_max: 64 << 10,
            item_overhead_bytes: 1,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: true,
            push: false,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Log | Signal::Metric)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &[]);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, _: &mut Net) -> Verdict {
        let mut out = std::io::stderr().lock();
        let written =
            batch.iter().try_for_each(|(_, line)| out.write_all(line).and_then(|()| out.write_all(b"\n")));
        match written {
            Ok(()) => Verdict::Delivered,
            Err(error) => Verdict::Retry { after: None, why: error.to_string() },
        }
    }
}

#[instrumented]
fn work(n: u32) -> u32 {
    n.pow(2)
}

fn main() -> Result<(), ops_sdk::Error> {
    let ops = ops_sdk::init().namespace("Own").backend(Stderr).start()?;
    for n in 1..=3 {
        info!("{n} squared is {square}", n, square = work(n));
    }
    println!("{}", ops.flush(Duration::from_secs(5)));
    for book in ops.stats().books {
        println!("{}: {book}", book.backend);
    }
    Ok(())
}
