//! Totals as pushes: records are added to the registry, what their series have come to is sent, and what the server did not
//! take is taken back. One push at a time, since the samples of a series have to arrive in order.
//!
//! A request whose answer was lost may have been taken. Sent again, the server finds its older samples out of order and
//! refuses all of it. So such a request that is refused goes once more with the last sample of each series alone: the server
//! takes that whether it has it already or not, and it tells the totals.

use ::http::{HeaderMap, Uri};

use super::registry::{Folded, Registry};
use super::with_metric;
use super::write::{Target, block, last, series};
use crate::backend::shared::{failed, judge, post};
use crate::backend::{Refusal, Verdict};
use crate::chunk::Batch;
use crate::ledger::Loss;
use crate::lock::Mutex;
use crate::net::Net;

/// How totals are pushed.
pub(super) struct Push {
    uri: Uri,
    headers: HeaderMap,
    target: Target,
    /// Bytes of a request before it is compressed.
    pub(super) bytes_max: usize,
    /// How many of the items to come were in a request that did not come to an end.
    doubtful: usize,
}

/// A request that is made but not yet sent.
struct Made {
    body: Vec<u8>,
    /// The items of the batch that are in it: from where it began up to here.
    end: usize,
    /// Those of them that cannot be in any request.
    refused: Vec<(usize, Refusal)>,
    folded: Vec<Folded>,
}

impl Push {
    pub(super) fn new(uri: Uri, headers: HeaderMap, target: Target) -> Push {
        Push { uri, headers, target, bytes_max: 0, doubtful: 0 }
    }

    /// Sends a batch, in as many requests as the push limit makes of it. What comes after the first that was not taken is
    /// not tried, since it would be out of order.
    pub(super) fn send(&mut self, batch: &Batch, registry: &Mutex<Registry>, net: &mut Net) -> Verdict {
        // Held while the server answers: nobody else folds, and nobody scrapes.
        let mut registry = registry.lock();
        registry.expire(net.now.unix_ms());
        let (mut begin, mut refused) = (0, Vec::new());
        while begin < batch.len() {
            let mut made = self.make(batch, begin, &mut registry, net.now.unix_ms());
            let items = made.end - begin - made.refused.len();
            let verdict = self.requests(&made, items, &registry, net);
            if matches!(verdict, Verdict::Retry { .. }) {
                self.doubtful = self.doubtful.max(batch.len() - begin);
            } else if matches!(verdict, Verdict::Delivered | Verdict::Refuse(_)) {
                self.doubtful = self.doubtful.saturating_sub(made.end - begin);
            }
            if verdict == Verdict::Delivered {
                refused.append(&mut made.refused);
                begin = made.end;
                continue;
            }
            made.folded.into_iter().rev().for_each(|folded| registry.unfold(folded));
            return self::verdict(verdict, begin, made.end, batch.len(), refused);
        }
        if refused.is_empty() { Verdict::Delivered } else { Verdict::Partial { failed: Vec::new(), refused } }
    }

    /// As much of a batch as one request holds, added to the registry; one item at least.
    fn make(&self, batch: &Batch, begin: usize, registry: &mut Registry, now_ms: u64) -> Made {
        let mut made = Made { body: Vec::new(), end: begin, refused: Vec::new(), folded: Vec::new() };
        for (place, (_, item)) in batch.iter().enumerate().skip(begin) {
            let before = made.body.len();
            match with_metric(item, |metric, start_ms| registry.fold(metric, start_ms, now_ms)) {
                Err(why) => made.refused.push((place, Refusal { loss: Loss::Refused, why })),
                Ok(folded) => {
                    series(&mut made.body, registry, &folded, &self.target);
                    if before > 0 && made.body.len() > self.bytes_max {
                        made.body.truncate(before);
                        registry.unfold(folded);
                        return made;
                    }
                    made.folded.push(folded);
                }
            }
            made.end = place + 1;
        }
        made
    }

    /// Sends a request, and where it may have been taken before and is refused now, what remains of it.
    fn requests(&self, made: &Made, items: usize, registry: &Registry, net: &mut Net) -> Verdict {
        if items == 0 {
            return Verdict::Delivered;
        }
        match self.request(&made.body, items, net) {
            Verdict::Refuse(_) if self.doubtful > 0 => {
                let mut body = Vec::new();
                last(&mut body, registry, &made.folded, &self.target);
                bisect(self.request(&body, items, net), items)
            }
            verdict => bisect(verdict, items),
        }
    }

    fn request(&self, body: &[u8], items: usize, net: &mut Net) -> Verdict {
        let body = match block(body) {
            Ok(body) => body,
            Err(why) => return Verdict::Refuse(Refusal { loss: Loss::Oversize, why }),
        };
        match net.send(post(self.uri.clone(), "application/x-protobuf", &self.headers, body)) {
            Ok(answer) => judge(&answer, net.current().unix_ns / 1_000_000_000, items),
            Err(error) => failed(error),
        }
    }
}

/// One bad sample fails a request: one that is refused is halved down to it. Each half is another request, so that none is
/// sent again that was refused.
fn bisect(verdict: Verdict, items: usize) -> Verdict {
    match verdict {
        Verdict::Refuse(_) if items > 1 => Verdict::Halve,
        other => other,
    }
}

/// What the verdict on one request, of the items from `begin` up to `end`, means for a batch of so many.
fn verdict(
    verdict: Verdict,
    begin: usize,
    end: usize,
    items: usize,
    mut refused: Vec<(usize, Refusal)>,
) -> Verdict {
    match verdict {
        Verdict::Refuse(refusal) => {
            refused.extend((begin..end).map(|place| (place, refusal.clone())));
            Verdict::Partial { failed: (end..items).collect(), refused }
        }
        // Nothing of the batch is settled yet: it is the batch's own verdict. Halved, its halves are requests of their own.
        other if begin == 0 && refused.is_empty() => other,
        _ => Verdict::Partial { failed: (begin..items).collect(), refused },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_comes_to_is_settled_and_the_rest_waits() {
        let refusal = || Refusal { loss: Loss::Refused, why: "no".into() };
        let later = || Verdict::Retry { after: None, why: "later".into() };
        let partial = |failed: &[usize], refused: &[usize]| Verdict::Partial {
            failed: failed.to_vec(),
            refused: refused.iter().map(|place| (*place, refusal())).collect(),
        };
        assert_eq!(verdict(later(), 0, 2, 4, vec![]), later());
        assert_eq!(verdict(Verdict::Halve, 0, 2, 4, vec![]), Verdict::Halve);
        assert_eq!(verdict(Verdict::Halve, 2, 4, 4, vec![]), partial(&[2, 3], &[]));
        assert_eq!(verdict(later(), 2, 3, 4, vec![(1, refusal())]), partial(&[2, 3], &[1]));
        assert_eq!(verdict(Verdict::Refuse(refusal()), 0, 1, 3, vec![]), partial(&[1, 2], &[0]));
        assert_eq!(bisect(Verdict::Refuse(refusal()), 2), Verdict::Halve);
        assert_eq!(bisect(Verdict::Refuse(refusal()), 1), Verdict::Refuse(refusal()));
        assert_eq!(bisect(later(), 2), later());
    }
}
