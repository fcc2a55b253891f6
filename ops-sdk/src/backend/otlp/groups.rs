//! Which items of a batch make one request, and what the answers to several requests mean for the batch. Pure.

use crate::backend::{Refusal, Verdict};
use crate::chunk::Batch;
use crate::diag;
use crate::encode::otlp::Item;
use crate::ledger::Loss;
use crate::net::Net;

/// Items that go in one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group<'b> {
    pub(super) item: Item,
    pub(super) process: u64,
    /// Their places in the batch.
    pub(super) places: Vec<usize>,
    pub(super) items: Vec<&'b [u8]>,
    times_ms: Vec<u64>,
}

/// The requests of a batch in the order of their first items, and the places of what is no item of this backend.
pub(super) fn groups(batch: &Batch) -> (Vec<Group<'_>>, Vec<usize>) {
    let (mut groups, mut strangers) = (Vec::<Group<'_>>::new(), Vec::new());
    for (place, (entry, bytes)) in batch.iter().enumerate() {
        let Some(item) = Item::of(bytes) else {
            strangers.push(place);
            continue;
        };
        let process = entry.record.process;
        let at = groups.iter().position(|group| (group.item, group.process) == (item, process));
        let group = at.unwrap_or_else(|| {
            let (places, items, times_ms) = (Vec::new(), Vec::new(), Vec::new());
            groups.push(Group { item, process, places, items, times_ms });
            groups.len() - 1
        });
        groups[group].places.push(place);
        groups[group].items.push(bytes);
        groups[group].times_ms.push(entry.time_ms);
    }
    (groups, strangers)
}

impl Group<'_> {
    /// What it means that a server rejected so many of these items for good and does not say which. The count is the
    /// server's, so the books are right. The oldest are taken for the rejected ones, since age is what servers reject
    /// single items for most often; the letters say that this is a guess.
    pub(super) fn rejected(&self, items: u64, message: &str, net: &Net) -> Verdict {
        let (all, count) = (self.places.len(), usize::try_from(items).unwrap_or(usize::MAX));
        let shown = if message.is_empty() { "it does not say why" } else { message };
        if count >= all {
            return Verdict::Refuse(Refusal { loss: Loss::Refused, why: shown.to_owned() });
        }
        let text =
            format!("otlp: the server rejected {count} of {all} items and does not say which: {shown}");
        diag::warn("otlp rejected", net.current(), &text);
        let why = format!(
            "one of the {count} oldest of {all} items, of which the server rejected {count} without saying which: {shown}"
        );
        let mut oldest: Vec<(u64, usize)> = self.times_ms.iter().copied().zip(0..).collect();
        oldest.sort_unstable();
        let refused = oldest
            .into_iter()
            .take(count)
            .map(|(_, at)| (at, Refusal { loss: Loss::Refused, why: why.clone() }));
        Verdict::Partial { failed: Vec::new(), refused: refused.collect() }
    }
}

/// The verdict on a batch from the verdicts on its requests, whose places are within their groups. One request's verdict is
/// the batch's, so that nothing of it is lost: a delay, a request to send less, a reason to halve. Of several, what was not
/// taken is tried again, by itself then.
pub(super) fn combined(
    groups: &[Group<'_>],
    verdicts: Vec<Verdict>,
    strangers: Vec<usize>,
    items: usize,
) -> Verdict {
    let is_one = strangers.is_empty() && groups.len() == 1;
    let none_taken = strangers.is_empty() && verdicts.iter().all(is_later);
    let mut verdicts = verdicts.into_iter();
    if is_one || none_taken {
        // Whichever came first speaks for all: its delay, and its words.
        return verdicts.next().unwrap_or(Verdict::Delivered);
    }
    let why = "no item of this backend: its first byte is none of M, L, m and l".to_owned();
    let strange = Refusal { loss: Loss::Refused, why };
    let (mut failed, mut refused) =
        (Vec::new(), strangers.iter().map(|place| (*place, strange.clone())).collect::<Vec<_>>());
    for (group, verdict) in groups.iter().zip(verdicts) {
        match verdict {
            Verdict::Delivered => {}
            Verdict::Refuse(refusal) => {
                refused.extend(group.places.iter().map(|place| (*place, refusal.clone())))
            }
            Verdict::Partial { failed: f, refused: r } => {
                let place = |at: usize| group.places.get(at).copied();
                failed.extend(f.into_iter().filter_map(place));
                refused.extend(r.into_iter().filter_map(|(at, refusal)| Some((place(at)?, refusal))));
            }
            _ => failed.extend_from_slice(&group.places),
        }
    }
    if failed.is_empty() && refused.is_empty() {
        return Verdict::Delivered;
    }
    debug_assert!(failed.len() + refused.len() <= items, "an item has one fate");
    failed.sort_unstable();
    refused.sort_unstable_by_key(|(place, _)| *place);
    Verdict::Partial { failed, refused }
}

/// Whether nothing of the request was taken, and all of it may be later.
fn is_later(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Retry { .. } | Verdict::Throttle { .. } | Verdict::Reauthenticate { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RecordId;

    fn batch(items: &[(u64, u8, u64)]) -> Batch {
        let mut batch = Batch::default();
        for (process, mark, time_ms) in items {
            batch.push(*time_ms, RecordId { process: *process, seq: 1 }, 0, &[*mark]);
        }
        batch
    }

    #[test]
    fn items_of_one_form_kind_and_process_are_one_request() {
        let batch =
            batch(&[(1, b'M', 0), (1, b'L', 0), (2, b'M', 0), (1, b'M', 0), (1, b'?', 0), (1, b'm', 0)]);
        let (groups, strangers) = groups(&batch);
        let told: Vec<_> = groups.iter().map(|group| (group.process, group.places.as_slice())).collect();
        assert_eq!(told, [(1, &[0, 3][..]), (1, &[1]), (2, &[2]), (1, &[5])]);
        assert_eq!(strangers, [4]);
    }

    #[test]
    fn the_oldest_stand_for_what_was_rejected_and_the_count_is_the_servers() {
        let batch = batch(&[(1, b'L', 9), (1, b'M', 9), (1, b'L', 7), (1, b'L', 8)]);
        let (groups, _) = groups(&batch);
        let net = Net::new(crate::clock::Now { unix_ns: 0, mono_ns: 0 });
        let refused = |items| match groups[0].rejected(items, "too old", &net) {
            Verdict::Partial { failed, refused } => {
                assert!(
                    failed.is_empty() && refused.iter().all(|(_, refusal)| refusal.why.contains("too old"))
                );
                refused.into_iter().map(|(at, _)| at).collect::<Vec<_>>()
            }
            Verdict::Refuse(refusal) => {
                assert_eq!((refusal.loss, refusal.why.as_str()), (Loss::Refused, "too old"));
                vec![9]
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (refused(1), refused(2), refused(3), refused(u64::MAX)),
            (vec![1], vec![1, 2], vec![9], vec![9])
        );
    }

    #[test]
    fn what_several_answers_mean() {
        let two = batch(&[(1, b'M', 0), (1, b'L', 0), (1, b'M', 0)]);
        let (groups, _) = groups(&two);
        let later =
            |s| Verdict::Retry { after: Some(std::time::Duration::from_secs(s)), why: "later".into() };
        let refusal = Refusal { loss: Loss::Refused, why: "no".into() };
        let partial = |failed: &[usize], refused: &[usize]| Verdict::Partial {
            failed: failed.to_vec(),
            refused: refused.iter().map(|place| (*place, refusal.clone())).collect(),
        };
        let told = |first, second| combined(&groups, vec![first, second], Vec::new(), 3);
        use Verdict::{Delivered, Halve, Refuse};
        assert_eq!(told(Delivered, Delivered), Delivered);
        assert_eq!(told(Delivered, later(7)), partial(&[1], &[]));
        assert_eq!(told(later(7), Delivered), partial(&[0, 2], &[]));
        assert_eq!(told(later(7), later(8)), later(7));
        assert_eq!(told(Halve, Refuse(refusal.clone())), partial(&[0, 2], &[1]));
        assert_eq!(told(partial(&[], &[1]), later(1)), partial(&[1], &[2]));
        let strange = combined(&[], Vec::new(), vec![0], 1);
        assert!(
            matches!(strange, Verdict::Partial { failed, refused } if failed.is_empty() && refused.len() == 1)
        );
        let alone = |verdict: Verdict| combined(&groups[..1], vec![verdict], Vec::new(), 2);
        assert_eq!(alone(Halve), Halve);
        assert_eq!(alone(Refuse(refusal.clone())), Refuse(refusal.clone()));
        // Places within a group that is all of the batch are those of the batch.
        assert_eq!(alone(partial(&[], &[1])), partial(&[], &[1]));
    }
}
