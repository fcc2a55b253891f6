//! Prometheus: metrics to be scraped, as text or OpenMetrics, or pushed by remote write 1.0. Counters and histograms are
//! totals since their series began, as Prometheus has them; a record tells a window and is added to its series here.
//!
//! Scraped, a record is delivered when it is in the registry: what a scrape reads is in memory alone, and a process that
//! ends between two scrapes takes along what the last one has not read. Pushed, a record is in the registry for good only
//! when the server has taken it, so what is refused or still waits is in no total.
//!
//! Remote write 2.0 is experimental (2.0-rc.4) and not spoken here; nor are native histograms.

mod exposition;
mod names;
mod push;
mod registry;
mod settings;
mod write;

use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use self::exposition::{Format, exposition};
use self::push::Push;
use self::registry::Registry;
pub use self::settings::Prometheus;
use self::settings::{Chosen, Mode};
use super::{Backend, Configure, Context, EncodeError, Refusal, Verdict};
use crate::chunk::{Batch, Items};
use crate::clock::Now;
use crate::encode::binary;
use crate::error::Error;
use crate::ledger::Loss;
use crate::limits::{Limits, Oversize};
use crate::lock::Mutex;
use crate::model::{Body, Metric, Points, Record, Signal};
use crate::net::Net;
use crate::net::listen::{Asked, Listener, Told, plain};

/// Where a scrape looks by default.
const PATH: &str = "/metrics";
/// Bytes of the records that are added to the registry at once. No push: bounded so that a scrape gets its turn.
const FOLDED_BYTES_MAX: usize = 1 << 20;

/// The registry, and the port where it is scraped: one for all that are opened of the same settings, because what siblings
/// have left behind counts in the same series.
struct Core {
    registry: Arc<Mutex<Registry>>,
    /// Kept for as long as somebody folds.
    _listener: Option<Listener>,
    at: Option<SocketAddr>,
}

/// What settings of one origin share once one of them is open.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Weak<Core>>>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl Shared {
    fn open(&self, chosen: &Chosen) -> Result<Arc<Core>, Error> {
        let mut shared = self.0.lock();
        if let Some(core) = shared.upgrade() {
            return Ok(core);
        }
        let registry = Registry::new(chosen.bounds.clone(), chosen.series_max, chosen.idle_ms);
        let registry = Arc::new(Mutex::new(registry));
        let listener = match &chosen.mode {
            Mode::Scraped(address) => Some(listen(*address, &registry)?),
            Mode::Pushed(_) => None,
        };
        let at = listener.as_ref().map(Listener::address);
        let core = Arc::new(Core { registry, _listener: listener, at });
        *shared = Arc::downgrade(&core);
        Ok(core)
    }

    #[cfg(test)]
    fn core(&self) -> Arc<Core> {
        self.0.lock().upgrade().expect("it is open")
    }

    /// The address that is listened at.
    fn at(&self) -> Option<SocketAddr> {
        self.0.lock().upgrade()?.at
    }
}

fn listen(address: SocketAddr, registry: &Arc<Mutex<Registry>>) -> Result<Listener, Error> {
    let registry = Arc::clone(registry);
    // A scrape comes when nothing is shipped, too: what is idle by then is not shown.
    let answer = move |asked: &Asked| scraped(asked, &mut registry.lock(), Now::read().unix_ms());
    Listener::start(address, Arc::new(answer)).map_err(|error| {
        let problem = format!("cannot listen at {address}: {error}");
        let remedy = "choose another port; each process on a host needs one of its own, and 0 takes any";
        Error::setting("OPS_PROMETHEUS_LISTEN / .listen(..)", problem, remedy)
    })
}

/// The answer to a scrape.
fn scraped(asked: &Asked, registry: &mut Registry, now_ms: u64) -> Told {
    if asked.path != PATH {
        return plain(404, "metrics are at /metrics\n");
    }
    registry.expire(now_ms);
    let format = Format::asked(&asked.accept);
    Told { status: 200, content_type: format.content_type(), body: exposition(registry, format) }
}

impl Configure for Prometheus {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let chosen = self.chosen(context)?;
        let core = self.shared.open(&chosen)?;
        let push = match chosen.mode {
            Mode::Scraped(_) => None,
            Mode::Pushed(push) => Some(*push),
        };
        let mut open = Open { core, push };
        let bytes_max = open.limits().under(context.push_limit).push_bytes_max;
        open.push.iter_mut().for_each(|push| push.bytes_max = bytes_max);
        Ok(Box::new(open))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    core: Arc<Core>,
    /// How totals are pushed; `None` if they are scraped.
    push: Option<Push>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "prometheus"
    }

    /// Remote write 1.0 bounds nothing: what a receiver takes it says with 413. An item is a record in the journal's binary
    /// form, which says less than its samples; requests are cut to the push limit when they are made.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: FOLDED_BYTES_MAX,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: FOLDED_BYTES_MAX,
            item_overhead_bytes: 0,
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: true,
            push: self.push.is_some(),
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        signal == Signal::Metric
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let Body::Metric(metric) = &record.body else {
            return Err(EncodeError(format!("Prometheus cannot express a {} record", record.signal())));
        };
        if is_empty(&metric.points)? {
            return Ok(());
        }
        out.push(|bytes| {
            binary::encode(record, bytes);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let now_ms = net.now.unix_ms();
        match &mut self.push {
            Some(push) => push.send(batch, &self.core.registry, net),
            None => fold(batch, &mut self.core.registry.lock(), now_ms),
        }
    }
}

/// Whether nothing was measured.
fn is_empty(points: &Points) -> Result<bool, EncodeError> {
    let (numbers, count) = match points {
        Points::Counter { .. } => return Ok(false),
        Points::Gauge { last, count, .. } => ([*last; 3], *count),
        Points::Histogram(d) => ([d.min, d.max, d.sum], d.count),
    };
    match numbers.into_iter().find(|number| !number.is_finite()) {
        Some(number) if count > 0 => Err(EncodeError(format!("{number} is not a number that was measured"))),
        _ => Ok(count == 0),
    }
}

/// Adds a batch to the registry.
fn fold(batch: &Batch, registry: &mut Registry, now_ms: u64) -> Verdict {
    let mut refused = Vec::new();
    registry.expire(now_ms);
    for (place, (_, bytes)) in batch.iter().enumerate() {
        let folded =
            with_metric(bytes, |metric, start_ms| registry.fold(metric, start_ms, now_ms).map(|_| ()));
        if let Err(why) = folded {
            refused.push((place, Refusal { loss: Loss::Refused, why }));
        }
    }
    if refused.is_empty() { Verdict::Delivered } else { Verdict::Partial { failed: Vec::new(), refused } }
}

/// The metric of an item, and the start of its window.
fn with_metric<T>(
    bytes: &[u8],
    then: impl FnOnce(&Metric<'_>, u64) -> Result<T, String>,
) -> Result<T, String> {
    let record = binary::decode(bytes).map_err(|error| format!("no item of this backend: {error}"))?;
    match &record.body {
        Body::Metric(metric) => then(metric, record.time_ms()),
        _ => Err("no item of this backend".to_owned()),
    }
}

#[cfg(test)]
mod tests;
