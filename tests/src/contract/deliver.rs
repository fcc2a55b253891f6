//! Delivery through trouble: what a server has taken is never sent again, what it has not taken is sent until it has,
//! and no text in a record makes another record, header or request of it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ops_sdk::backend::Verdict;
use ops_sdk::chunk::{Batch, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Record, Signal};

use super::open::{Opened, http};
use super::{Case, HttpCase, records};
use crate::rig::{Recorded, Reply, Server};

const RECORDS: u64 = 7;
/// Pushes after which a batch that has found no end is given up.
const PUSHES_MAX: usize = 60;

/// How a push is met.
#[derive(Clone, Copy)]
enum Step {
    Throttled,
    Status(u16),
    Cut,
    Partly(usize),
}

const STEPS: [Step; 8] = [
    Step::Partly(1),
    Step::Throttled,
    Step::Status(503),
    Step::Partly(0),
    Step::Cut,
    Step::Status(413),
    Step::Status(429),
    Step::Partly(0),
];

/// What a server has of pushes.
#[derive(Default)]
struct Shelf {
    steps: VecDeque<Step>,
    taken: Vec<String>,
    refused: Vec<String>,
}

impl Shelf {
    fn take(&mut self, http: &HttpCase, request: &Recorded) -> Reply {
        let ids = (http.ids)(request);
        let step = self.steps.pop_front();
        match (step, http.partial) {
            (Some(Step::Throttled), _) => return (http.throttled)(request),
            // One item alone that is too large would be refused for good.
            (Some(Step::Status(413)), _) if ids.len() < 2 => {}
            (Some(Step::Status(status)), _) => return Reply::answer(status, ""),
            (Some(Step::Cut), _) => return Reply::Cut,
            (Some(Step::Partly(at)), Some(partial)) => {
                let partly = partial(request, at.min(ids.len() - 1));
                self.taken.extend(partly.taken.iter().map(|index| ids[*index].clone()));
                self.refused.extend(partly.refused.iter().map(|index| ids[*index].clone()));
                return partly.reply;
            }
            (Some(Step::Partly(_)) | None, _) => {}
        }
        self.taken.extend(ids);
        (http.good)(request)
    }
}

/// Each record arrives once through every kind of trouble, but for what the server refused, which is not sent again.
#[must_use]
pub fn nothing_twice(case: &Case) -> Vec<String> {
    if http(case).is_none() {
        return Vec::new();
    }
    let signals = Opened::new(case, "http://127.0.0.1:9", PushLimit::default()).signals();
    signals.into_iter().filter_map(|signal| once(case, signal).err()).collect()
}

fn once(case: &Case, signal: Signal) -> Result<(), String> {
    let records = records::several(signal, RECORDS);
    let plain = shipped(case, &records, &[]).map_err(|why| format!("{signal}: {why}"))?;
    let distinct: BTreeSet<_> = plain.taken.iter().collect();
    if distinct.len() != plain.taken.len() || plain.taken.len() as u64 != RECORDS {
        return Err(format!("{signal}: {RECORDS} records arrive as {:?}", plain.taken));
    }
    let mut shelf = shipped(case, &records, &STEPS).map_err(|why| format!("{signal}: {why}"))?;
    let (taken, refused) = (shelf.taken.clone(), shelf.refused.clone());
    shelf.taken.extend(shelf.refused);
    shelf.taken.sort();
    let mut expected = plain.taken;
    expected.sort();
    if shelf.taken != expected {
        return Err(format!("{signal}: of {expected:?} the server took {taken:?} and refused {refused:?}"));
    }
    Ok(())
}

/// Ships records to a server that meets the pushes with these steps; what it has in the end.
fn shipped(case: &Case, records: &[Record<'_>], steps: &[Step]) -> Result<Shelf, String> {
    let shelf = Arc::new(Mutex::new(Shelf { steps: steps.iter().copied().collect(), ..Shelf::default() }));
    let name = case.name;
    let server = Server::start({
        let shelf = Arc::clone(&shelf);
        move |request| {
            let all = super::all();
            let http = all.iter().find(|case| case.name == name).and_then(http).expect("an HTTP case");
            match (http.push)(request) {
                true => shelf.lock().unwrap_or_else(PoisonError::into_inner).take(http, request),
                false => (http.good)(request),
            }
        }
    });
    let mut opened = Opened::new(case, &server.url(), PushLimit::default());
    let batches = opened.batches(records);
    let refused = ship(&mut opened, batches.into())?;
    let shelf = std::mem::take(&mut *shelf.lock().unwrap_or_else(PoisonError::into_inner));
    if refused != shelf.refused.len() {
        return Err(format!("{refused} refused here, and {:?} there", shelf.refused));
    }
    Ok(shelf)
}

/// Does as a ship thread does, without its pauses; how many items were refused.
fn ship(opened: &mut Opened, mut queue: VecDeque<Batch>) -> Result<usize, String> {
    let (mut refused_count, mut pushes) = (0, 0);
    while let Some(batch) = queue.pop_front() {
        pushes += 1;
        if pushes > PUSHES_MAX {
            return Err(format!("{} batches left after {PUSHES_MAX} pushes", queue.len() + 1));
        }
        match opened.send(&batch) {
            Verdict::Delivered => {}
            Verdict::Partial { failed, refused } => {
                refused_count += refused.len();
                let is_refused = |index| refused.iter().any(|(at, _)| *at == index);
                let left = batch.select(|index| failed.contains(&index) && !is_refused(index));
                if !left.is_empty() {
                    queue.push_front(left);
                }
            }
            Verdict::Retry { .. } | Verdict::Throttle { .. } | Verdict::Reauthenticate { .. } => {
                queue.push_front(batch);
            }
            Verdict::Halve => {
                let (first, second) = batch.halves();
                queue.push_front(second);
                queue.push_front(first);
            }
            Verdict::Refuse(_) => refused_count += batch.len(),
        }
    }
    Ok(refused_count)
}

/// Records whose texts mean harm arrive as exactly as many, under the headers that plain ones have.
#[must_use]
pub fn one_push_for_each(case: &Case) -> Vec<String> {
    if http(case).is_none() {
        return Vec::new();
    }
    let signals = Opened::new(case, "http://127.0.0.1:9", PushLimit::default()).signals();
    signals.into_iter().filter_map(|signal| unharmed(case, signal).err()).collect()
}

fn unharmed(case: &Case, signal: Signal) -> Result<(), String> {
    let (plain, _) = pushed(case, &records::several(signal, 3))?;
    let (hostile, encoded) = pushed(case, &records::hostile(signal))?;
    let told: Vec<String> = hostile.iter().flat_map(|request| ids(case, request)).collect();
    if told.len() != encoded {
        return Err(format!("{signal}: {encoded} records arrive as {}: {told:?}", told.len()));
    }
    let known: BTreeSet<String> = plain.iter().flat_map(header_names).collect();
    match hostile.iter().flat_map(header_names).find(|name| !known.contains(name)) {
        Some(name) => Err(format!("{signal}: a header {name} that plain records have not")),
        None => Ok(()),
    }
}

fn ids(case: &Case, request: &Recorded) -> Vec<String> {
    http(case).map_or_else(Vec::new, |http| (http.ids)(request))
}

/// The names of headers; the coding of a body goes by its size.
fn header_names(request: &Recorded) -> Vec<String> {
    let names = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase());
    names.filter(|name| name != "content-encoding").collect()
}

/// Pushes records to a server that takes all; the pushes that it saw, and how many records were encoded.
fn pushed(case: &Case, records: &[Record<'_>]) -> Result<(Vec<Recorded>, usize), String> {
    let told = http(case).map(|http| (http.push, http.good)).ok_or("not an HTTP case")?;
    let server = Server::start(move |request| (told.1)(request));
    let mut opened = Opened::new(case, &server.url(), PushLimit::default());
    let (items, encoded) = opened.items(records);
    let batches = chunk(&items, &opened.limits, Now::read().unix_ms()).batches;
    for batch in &batches {
        let verdict = opened.send(batch);
        if verdict != Verdict::Delivered {
            return Err(format!("a good push is {verdict:?}"));
        }
    }
    Ok((server.requests().into_iter().filter(|request| (told.0)(request)).collect(), encoded))
}
