//! `metrique`: JSON through its background queue, which drops the oldest when it is full and blocks nobody; that, and
//! errors of its writer, it tells an observer, who counts them here. Its handle is shut down in the end, which waits 30 s by default.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use metrique::json::Json;
use metrique::unit_of_work::metrics;
use metrique::writer::FormatExt;
use metrique::writer::sink::{
    BackgroundQueue, BackgroundQueueBuilder, BackgroundQueueEvent, BackgroundQueueJoinHandle,
};
use metrique::{CloseValue, RootEntry};

use super::{Peer, Setup, Subject};

pub const PEER: Peer = Peer {
    name: "metrique JSON",
    tries_again: false,
    keeps: false,
    start: |setup| Box::new(Queued::start(setup)),
};

#[metrics]
struct Ordered {
    #[metrics(timestamp)]
    at: SystemTime,
    message: &'static str,
    order: String,
    amount: f64,
    region: &'static str,
    ok: bool,
}

type Queue<R> = BackgroundQueue<RootEntry<<R as CloseValue>::Closed>>;

struct Queued {
    queue: Queue<Ordered>,
    handle: BackgroundQueueJoinHandle,
    dropped: Arc<AtomicU64>,
}

impl Queued {
    fn start(setup: &Setup) -> Queued {
        let lines = setup.lines.clone();
        let stream = Json::new().output_to_makewriter(move || lines.clone());
        let dropped = Arc::new(AtomicU64::new(0));
        let count = dropped.clone();
        let builder = BackgroundQueueBuilder::new().observer(move |_: &str, event: BackgroundQueueEvent| {
            let dropped = match event {
                BackgroundQueueEvent::QueueOverflow { .. } => 1,
                BackgroundQueueEvent::IoErrors { count, .. } => count,
                _ => 0,
            };
            count.fetch_add(dropped, Ordering::Relaxed);
        });
        let (queue, handle): (Queue<Ordered>, _) = builder.build(stream);
        Queued { queue, handle, dropped }
    }
}

impl Subject for Queued {
    fn log(&self, id: &str) {
        let message = "the order was accepted and leaves the warehouse this evening";
        let at = SystemTime::now();
        let record = Ordered { at, message, order: id.to_owned(), amount: 1.5, region: "eu", ok: true };
        drop(record.append_on_drop(self.queue.clone()));
    }

    fn end(self: Box<Self>) -> u64 {
        self.handle.shut_down();
        self.dropped.load(Ordering::Relaxed)
    }
}
