//! S3, and every store that speaks its protocol: records of all kinds as JSON lines, compressed, in objects that lie where
//! Athena looks for them: by kind, service, day and hour.
//!
//! A record arrives once where there is a state directory and the store takes conditional writes, also when the process
//! is killed between the store's answer and the cursor: `intents` says how. Without a state directory it arrives once as
//! long as the process lives. Nothing is ever overwritten, and nothing is refused but what is too large for the store.

mod bucket;
mod ids;
mod intents;
mod judge;
mod layout;
mod settings;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use self::bucket::{Bucket, Object};
use self::ids::Ids;
use self::intents::{Intents, Known};
use self::judge::Outcome;
use self::layout::{Layout, groups};
pub use self::settings::S3;
use super::shared::{Compression, Packer, operator};
use super::{Backend, Configure, Context, EncodeError, Pacing, Refusal, Verdict};
use crate::chunk::{Batch, Items};
use crate::crc::{crc32, crc32c};
use crate::diag;
use crate::encode::json;
use crate::error::Error;
use crate::ledger::Book;
use crate::limits::{Limits, Oversize};
use crate::lock::Mutex;
use crate::model::{Record, RecordId, Signal};
use crate::net::Net;

/// Bytes of one line, far more than a record can have: what Athena takes as a row (Amazon Athena User Guide,
/// "Considerations and limitations for SQL queries": 32 MB a row, 200 MB a line).
const LINE_BYTES_MAX: usize = 32_000_000;
/// Lines of one push, which is an object for each kind and hour in it. Our own number: at 300 bytes a line, 15 MB.
const LINES_MAX: usize = 50_000;

impl Configure for S3 {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let chosen = self.choose(context)?;
        let place = format!("{}\n{}", chosen.place, context.name.as_deref().unwrap_or_default()).into_bytes();
        let name = format!("{:08x}{:08x}", crc32(&place), crc32c(&place));
        let folder = context.state_dir.as_ref().map(|dir| dir.join("s3").join(name));
        Ok(Box::new(Open {
            layout: Layout::new(&chosen.prefix, &chosen.service, &context.host, chosen.compression),
            bucket: Bucket::new(chosen.client, chosen.base, chosen.wishes),
            intents: Arc::new(Mutex::new(Intents::open(folder))),
            dimensions: context.dimensions.clone(),
            compression: chosen.compression,
            object_bytes_max: chosen.object_bytes_max,
            linger: chosen.linger,
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

struct Open {
    layout: Layout,
    bucket: Bucket,
    /// One for all that push side by side.
    intents: Arc<Mutex<Intents>>,
    /// Those of the process, which every line carries.
    dimensions: Vec<(String, String)>,
    compression: Compression,
    object_bytes_max: usize,
    linger: Duration,
}

/// Records that are to be put under one key.
struct Parcel {
    key: String,
    members: Vec<usize>,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "s3"
    }

    /// Of the batch that objects are made of: as many lines as fill one, and the one that reaches beyond.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: self.object_bytes_max + LINE_BYTES_MAX + LINES_MAX,
            envelope_bytes: 0,
            push_items_max: LINES_MAX,
            item_bytes_max: LINE_BYTES_MAX,
            item_overhead_bytes: 1, // the newline
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse, // a part of a line is no JSON, and a record must be one item to arrive once
        }
    }

    fn accepts(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &self.dimensions);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let records: Vec<RecordId> = batch.iter().map(|(item, _)| item.record).collect();
        let (mut arrived, parcels) = self.plan(batch, &records);
        let (mut refused, mut trouble) = (Vec::new(), None);
        for parcel in parcels {
            match self.deliver(batch, &records, &parcel, net) {
                Ok(held) => parcel.members.iter().zip(held).for_each(|(index, held)| arrived[*index] |= held),
                Err(Verdict::Refuse(refusal)) => {
                    refused.extend(parcel.members.iter().map(|index| (*index, refusal.clone())));
                }
                Err(verdict) => {
                    trouble = Some(verdict);
                    break;
                }
            }
        }
        verdict(&arrived, refused, trouble)
    }

    fn pacing(&self) -> Pacing {
        Pacing { linger: self.linger, ..Pacing::default() }
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        Some(Box::new(Open {
            layout: self.layout.clone(),
            bucket: self.bucket.another(),
            intents: Arc::clone(&self.intents),
            dimensions: self.dimensions.clone(),
            ..*self
        }))
    }

    fn books(&mut self, books: &[Book]) {
        // Which of the books is this one's is not known here; where nothing waits for any, nothing waits for this one.
        let nothing_waits = books.iter().flat_map(|book| &book.rows).all(|row| row.pending == 0);
        self.intents.lock().run_ended(nothing_waits);
    }
}

impl Open {
    /// Which records have arrived already, and what is to be put of the others: first under the keys that were tried.
    fn plan(&self, batch: &Batch, records: &[RecordId]) -> (Vec<bool>, Vec<Parcel>) {
        let mut intents = self.intents.lock();
        let known: Vec<Known> = if intents.is_empty() {
            vec![Known::New; records.len()]
        } else {
            records.iter().map(|id| intents.known(*id)).collect()
        };
        let mut parcels: Vec<(usize, Parcel)> = Vec::new();
        for (index, known) in known.iter().enumerate() {
            let Known::Sent(number) = *known else { continue };
            match parcels.iter_mut().find(|(other, _)| *other == number) {
                Some((_, parcel)) => parcel.members.push(index),
                None => parcels.push((number, Parcel { key: intents.key(number), members: vec![index] })),
            }
        }
        let mut parcels: Vec<Parcel> = parcels.into_iter().map(|(_, parcel)| parcel).collect();
        parcels.extend(groups(batch, |index| known[index] == Known::New).into_iter().map(|group| {
            let ids = ids_of(records, &group.members);
            Parcel { key: self.layout.key(&group, &ids), members: group.members }
        }));
        let arrived =
            |index: usize| matches!(known[index], Known::Arrived(_)) && intents.tell(records[index]);
        ((0..known.len()).map(arrived).collect(), parcels)
    }

    /// Puts one object, and says which of its records are in the bucket then.
    fn deliver(
        &mut self,
        batch: &Batch,
        records: &[RecordId],
        parcel: &Parcel,
        net: &mut Net,
    ) -> Result<Vec<bool>, Verdict> {
        let (key, ids) = (parcel.key.as_str(), ids_of(records, &parcel.members));
        let mark = ids.mark();
        let noted = self.intents.lock().note(key, &ids);
        if let Err(error) = noted {
            let text = format!(
                "s3: records may arrive twice if this process is killed now: no note of them: {error}"
            );
            diag::warn("s3/intents", net.now, &text);
        }
        // Where an object may be that holds others, too, it is looked for first: not every store keeps what it has.
        let is_only = self.intents.lock().is_only(key, &ids);
        let there = if is_only { None } else { self.bucket.mark(net, key).ok().flatten() };
        let held = match there {
            Some(held) => held,
            None => {
                let body = self.pack(batch, &parcel.members).map_err(|error| Verdict::Retry {
                    after: None,
                    why: format!("cannot compress: {error}"),
                })?;
                let object = Object { key, mark: &mark, body, items: parcel.members.len() };
                match self.bucket.put(net, &object) {
                    Outcome::Stored => mark,
                    Outcome::Exists if is_only => mark,
                    Outcome::Exists => self.bucket.mark(net, key)?.unwrap_or_default(),
                    Outcome::Elsewhere(region) => return Err(operator(format!("the bucket is in {region}"))),
                    Outcome::Not(verdict) => return Err(verdict),
                }
            }
        };
        let mut intents = self.intents.lock();
        intents.holds(key, &held);
        Ok(parcel.members.iter().map(|index| intents.tell(records[*index])).collect())
    }

    fn pack(&self, batch: &Batch, members: &[usize]) -> io::Result<Vec<u8>> {
        let mut packer = Packer::new(self.compression, Vec::new())?;
        let mut members = members.iter().copied().peekable();
        for (index, (_, line)) in batch.iter().enumerate() {
            if members.next_if_eq(&index).is_some() {
                packer.write_all(line)?;
                packer.write_all(b"\n")?;
            }
        }
        packer.finish()
    }
}

fn ids_of(records: &[RecordId], members: &[usize]) -> Ids {
    Ids::of(members.iter().map(|index| records[*index]))
}

/// What the objects of a batch come to.
fn verdict(arrived: &[bool], refused: Vec<(usize, Refusal)>, trouble: Option<Verdict>) -> Verdict {
    let is_refused = |index: usize| refused.iter().any(|(other, _)| *other == index);
    let failed: Vec<usize> =
        (0..arrived.len()).filter(|index| !arrived[*index] && !is_refused(*index)).collect();
    match trouble {
        _ if failed.is_empty() && refused.is_empty() => Verdict::Delivered,
        Some(trouble) if failed.len() == arrived.len() => trouble,
        _ => Verdict::Partial { failed, refused },
    }
}

#[cfg(test)]
mod tests;
