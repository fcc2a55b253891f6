//! Batches of any records under any push limit stay within the backend's limits, and so do the bodies that it sends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use ops_sdk::chunk::{Batch, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::{Limits, PushLimit};
use ops_sdk::model::Record;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use super::encode::reason;
use super::open::{Opened, http};
use super::{Case, records};
use crate::rig::{Reply, Server};

/// The least push limit that is tried: a few items of any backend.
const LEAST: usize = 4_096;
const RECORDS_MAX: usize = 60;
const ROUNDS: u32 = 16;

/// Any records, any push limit: no batch, no item and no body over it, and nothing lost on the way.
#[must_use]
pub fn within_limits(case: &Case) -> Vec<String> {
    let bodies: Arc<Mutex<Vec<usize>>> = Arc::default();
    let server = server(case, Arc::clone(&bodies));
    let choice = prop_oneof![
        Just(PushLimit::Contract),
        Just(PushLimit::Vendor),
        (LEAST..200_000_usize).prop_map(PushLimit::Bytes)
    ];
    let config = Config { cases: ROUNDS, failure_persistence: None, ..Config::default() };
    let tried =
        TestRunner::new(config).run(&(choice, records::arbitrary(RECORDS_MAX)), |(choice, records)| {
            bodies.lock().unwrap_or_else(PoisonError::into_inner).clear();
            let mut opened = Opened::new(case, &server.url(), choice);
            round(case, &mut opened, &records).map_err(TestCaseError::fail)?;
            let largest = bodies.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().max();
            let counted = http(case).is_some_and(|http| http.is_counted);
            match largest {
                Some(largest) if counted && largest > opened.limits.push_bytes_max => {
                    let why = format!("a body of {largest} bytes under {:?}", opened.limits);
                    Err(TestCaseError::fail(why))
                }
                _ => Ok(()),
            }
        });
    tried.err().map(reason).into_iter().collect()
}

/// A server that takes everything and notes how large it was.
fn server(case: &Case, bodies: Arc<Mutex<Vec<usize>>>) -> Server {
    let told = http(case).map(|http| (http.push, http.good));
    Server::start(move |request| {
        let Some((push, good)) = told else { return Reply::Cut };
        if push(request) {
            let bytes = request.decoded.as_ref().map_or(0, Vec::len);
            bodies.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        }
        good(request)
    })
}

fn round(case: &Case, opened: &mut Opened, records: &[Record<'_>]) -> Result<(), String> {
    let (signals, mut mine) = (opened.signals(), records.to_vec());
    mine.retain(|record| signals.contains(&record.signal()));
    let (items, _) = opened.items(&mine);
    let limits = opened.limits.clone();
    let chunked = chunk(&items, &limits, Now::read().unix_ms());
    chunked.batches.iter().try_for_each(|batch| fits(batch, &limits))?;
    let told: BTreeSet<_> =
        chunked.batches.iter().flat_map(Batch::iter).map(|(item, _)| item.place).collect();
    let refused =
        chunked.refused.iter().filter_map(|(index, _)| items.get(*index)).map(|(item, _)| item.place);
    let all: BTreeSet<_> = items.iter().map(|(item, _)| item.place).collect();
    if told.union(&refused.collect()).copied().collect::<BTreeSet<_>>() != all {
        return Err("a record is neither in a batch nor refused".to_owned());
    }
    if http(case).is_some_and(|http| http.is_counted) {
        chunked.batches.iter().for_each(|batch| drop(opened.send(batch)));
    }
    Ok(())
}

/// Whether a batch is within limits, as `Limits::cost` counts.
fn fits(batch: &Batch, limits: &Limits) -> Result<(), String> {
    let cost: usize = batch.iter().map(|(_, bytes)| limits.cost(bytes.len())).sum();
    let largest = batch.iter().map(|(_, bytes)| bytes.len()).max().unwrap_or(0);
    let bytes = cost + limits.envelope_bytes;
    if bytes > limits.push_bytes_max || batch.len() > limits.push_items_max || largest > limits.item_bytes_max
    {
        return Err(format!("{bytes} bytes, {} items, the largest of {largest}: {limits:?}", batch.len()));
    }
    Ok(())
}
