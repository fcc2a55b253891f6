//! A batch by the streams that its items are for, and the answers for each of them as one verdict. Pure.

use std::borrow::Cow;
use std::collections::HashMap;

use super::ingest::Event;
use super::stream_by::addressed;
use crate::backend::Verdict;
use crate::chunk::Batch;

/// The events of a batch for one stream, in the batch's order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Route<'a> {
    pub(super) stream: Cow<'a, str>,
    pub(super) events: Vec<Event<'a>>,
    /// Where each event stands in the batch.
    pub(super) indexes: Vec<usize>,
}

/// The routes of a batch, in the order of their first events. `name` makes of a stream's name one that can be sent.
pub(super) fn routes<'a>(
    batch: &'a Batch,
    own: &'a str,
    name: impl Fn(&'a str) -> Cow<'a, str>,
) -> Vec<Route<'a>> {
    let mut routes: Vec<Route<'a>> = Vec::new();
    let mut places: HashMap<&'a str, usize> = HashMap::new();
    let mut last: Option<(&'a str, usize)> = None;
    for (index, (item, bytes)) in batch.iter().enumerate() {
        let (stream, message) = addressed(bytes);
        let stream = stream.unwrap_or(own);
        let place = match last {
            Some((same, place)) if same == stream => place,
            _ => *places.entry(stream).or_insert_with(|| {
                let left = batch.len() - index;
                let (events, indexes) = (Vec::with_capacity(left), Vec::with_capacity(left));
                routes.push(Route { stream: name(stream), events, indexes });
                routes.len() - 1
            }),
        };
        last = Some((stream, place));
        routes[place].events.push((item.time_ms, message));
        routes[place].indexes.push(index);
    }
    routes
}

/// What the verdicts on some of the batch's items mean for the batch; each comes with the indexes of its items.
pub(super) fn merge(mut verdicts: Vec<(Vec<usize>, Verdict)>) -> Verdict {
    if verdicts.len() == 1 {
        return verdicts.remove(0).1;
    }
    let is_settled = |verdict: &Verdict| {
        matches!(verdict, Verdict::Delivered | Verdict::Partial { .. } | Verdict::Refuse(_))
    };
    if !verdicts.iter().any(|(_, verdict)| is_settled(verdict)) {
        // Nothing of it is done. What is to be halved is told first, or it would wait for what may wait for long.
        let halve = verdicts.iter().position(|(_, verdict)| *verdict == Verdict::Halve);
        return if verdicts.is_empty() { Verdict::Delivered } else { verdicts.remove(halve.unwrap_or(0)).1 };
    }
    let (mut left, mut gone) = (Vec::new(), Vec::new());
    for (indexes, verdict) in verdicts {
        match verdict {
            Verdict::Delivered => {}
            Verdict::Partial { failed, refused } => {
                left.extend(failed.into_iter().filter_map(|at| indexes.get(at).copied()));
                gone.extend(refused.into_iter().filter_map(|(at, why)| Some((*indexes.get(at)?, why))));
            }
            Verdict::Refuse(refusal) => gone.extend(indexes.iter().map(|index| (*index, refusal.clone()))),
            Verdict::Retry { .. }
            | Verdict::Throttle { .. }
            | Verdict::Halve
            | Verdict::Reauthenticate { .. } => left.extend(indexes),
        }
    }
    if left.is_empty() && gone.is_empty() {
        return Verdict::Delivered;
    }
    left.sort_unstable();
    gone.sort_unstable_by_key(|(index, _)| *index);
    Verdict::Partial { failed: left, refused: gone }
}

/// Whether the other streams of a batch would fare no better.
pub(super) fn ends_push(verdict: &Verdict, is_unanswered: bool) -> bool {
    matches!(verdict, Verdict::Throttle { .. } | Verdict::Reauthenticate { .. }) || is_unanswered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Refusal;
    use crate::ledger::Loss;
    use crate::model::RecordId;

    fn retry(why: &str) -> Verdict {
        Verdict::Retry { after: None, why: why.into() }
    }

    fn refusal() -> Refusal {
        Refusal { loss: Loss::TooOld, why: "old".into() }
    }

    #[test]
    fn a_batch_is_cut_by_stream_and_keeps_its_order_within_each() {
        let mut batch = Batch::default();
        for (n, item) in
            ["@ops.stream a\n1", "2", "@ops.stream a\n3", "@ops.stream b*\n4", "5"].iter().enumerate()
        {
            batch.push(n as u64, RecordId::default(), 0, item.as_bytes());
        }
        let routes = routes(&batch, "own", |name| name.replace('*', "-").into());
        let told: Vec<_> = routes
            .iter()
            .map(|route| (route.stream.as_ref(), route.indexes.as_slice(), route.events[0]))
            .collect();
        let wanted: [(&str, &[usize], Event<'_>); 3] =
            [("a", &[0, 2], (0, b"1")), ("own", &[1, 4], (1, b"2")), ("b-", &[3], (3, b"4"))];
        assert_eq!(told, wanted);
    }

    #[test]
    fn the_verdicts_on_streams_are_one_on_the_batch() {
        let partial = |failed: &[usize], refused: &[usize]| Verdict::Partial {
            failed: failed.to_vec(),
            refused: refused.iter().map(|index| (*index, refusal())).collect(),
        };
        let throttle = || Verdict::Throttle { after: None, why: "slow".into() };
        let table: [(Vec<Verdict>, Verdict); 9] = [
            (vec![retry("x")], retry("x")),
            (vec![Verdict::Delivered, Verdict::Delivered], Verdict::Delivered),
            (vec![retry("x"), throttle()], retry("x")),
            (vec![retry("x"), Verdict::Halve], Verdict::Halve),
            (vec![Verdict::Delivered, retry("x")], partial(&[1, 3], &[])),
            (vec![Verdict::Halve, Verdict::Delivered], partial(&[0, 2], &[])),
            (vec![Verdict::Refuse(refusal()), throttle()], partial(&[1, 3], &[0, 2])),
            (vec![partial(&[1], &[0]), partial(&[], &[1])], partial(&[2], &[0, 3])),
            (vec![partial(&[9], &[9]), Verdict::Delivered], Verdict::Delivered),
        ];
        for (verdicts, expected) in table {
            let each: Vec<_> = [vec![0, 2], vec![1, 3]].into_iter().zip(verdicts.clone()).collect();
            assert_eq!(merge(each), expected, "{verdicts:?}");
        }
    }
}
