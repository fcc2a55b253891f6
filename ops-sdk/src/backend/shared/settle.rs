//! A batch that becomes several requests: what became of each of them, and so of the batch. Pure.
//!
//! What one request took is never sent again because another failed, and nothing is lost of those that did.

use crate::backend::{Refusal, Verdict};

/// The indexes of a request's items in the batch, and what came of it: no [`Verdict::Partial`].
pub(in crate::backend) type Outcome = (Vec<usize>, Verdict);

/// What the outcomes of a batch's requests, and what was too old for one, mean for the batch.
pub(in crate::backend) fn settle(outcomes: Vec<Outcome>, old: Vec<(usize, Refusal)>) -> Verdict {
    if let ([(_, verdict)], true) = (&outcomes[..], old.is_empty()) {
        return verdict.clone();
    }
    let (mut failed, mut refused, mut hindered, mut delivered) = (Vec::new(), old, None, false);
    for (indexes, verdict) in outcomes {
        match verdict {
            Verdict::Delivered => delivered = true,
            Verdict::Refuse(refusal) => {
                refused.extend(indexes.into_iter().map(|index| (index, refusal.clone())));
            }
            other => {
                failed.extend(indexes);
                // A pause that the server asks for tells more than a failure does.
                if hindered.is_none() || matches!(other, Verdict::Throttle { .. }) {
                    hindered = Some(other);
                }
            }
        }
    }
    failed.sort_unstable();
    refused.sort_unstable_by_key(|(index, _)| *index);
    match hindered {
        None if refused.is_empty() => Verdict::Delivered,
        Some(verdict) if !delivered && refused.is_empty() => verdict,
        _ => Verdict::Partial { failed, refused },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Loss;

    #[test]
    fn what_one_request_took_is_settled_whatever_became_of_the_others() {
        let refusal = Refusal { loss: Loss::Refused, why: "no".into() };
        let retry = Verdict::Retry { after: None, why: "later".into() };
        let throttle = Verdict::Throttle { after: None, why: "slower".into() };
        let partial = |failed: &[usize], refused: &[usize]| Verdict::Partial {
            failed: failed.to_vec(),
            refused: refused.iter().map(|index| (*index, refusal.clone())).collect(),
        };
        let no = Verdict::Refuse(refusal.clone());
        let two =
            |first: &Verdict, second: &Verdict| vec![(vec![0, 2], first.clone()), (vec![1], second.clone())];
        let table = [
            (two(&Verdict::Delivered, &Verdict::Delivered), Verdict::Delivered),
            (two(&Verdict::Delivered, &retry), partial(&[1], &[])),
            (two(&Verdict::Halve, &Verdict::Delivered), partial(&[0, 2], &[])),
            (two(&no, &Verdict::Delivered), partial(&[], &[0, 2])),
            (two(&retry, &no), partial(&[0, 2], &[1])),
            (two(&retry, &throttle), throttle.clone()),
            (two(&Verdict::Halve, &Verdict::Halve), Verdict::Halve),
            (vec![(vec![0], retry.clone())], retry.clone()),
        ];
        for (outcomes, expected) in table {
            assert_eq!(settle(outcomes, Vec::new()), expected);
        }
        let old = vec![(1, refusal.clone())];
        assert_eq!(settle(vec![(vec![0], retry)], old.clone()), partial(&[0], &[1]));
        assert_eq!(settle(Vec::new(), old), partial(&[], &[1]));
    }
}
