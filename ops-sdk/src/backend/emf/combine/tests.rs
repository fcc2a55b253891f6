//! Lines as they are combined, and what answers mean for their items.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::backend::Refusal;
use crate::chunk::Items;
use crate::ledger::Loss;
use crate::model::{Distribution, Metric, Points, RecordId, Resolution, Unit};

const LINE_MAX: usize = 10_000;

fn lines(out: &mut Items, name: &str, dimensions: &[(&str, &str)], time_ms: u64, points: &Points) {
    let metric = Metric {
        name: name.into(),
        unit: Unit::Count,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        points: points.clone(),
    };
    out.begin(RecordId::default(), time_ms, 0);
    let line = super::super::line::Line::of("Shop", &metric, time_ms, LINE_MAX, None);
    if let Ok(line) = line {
        line.points(out, points).unwrap();
    }
}

fn counters(names: &[String]) -> Batch {
    let mut items = Items::new();
    let sum = Points::Counter { sum: 7 };
    names.iter().for_each(|name| lines(&mut items, name, &[("Op", "get")], 5, &sum));
    items.into_batch()
}

fn read(batch: &Batch) -> Vec<Value> {
    batch.iter().map(|(_, line)| serde_json::from_slice(line).unwrap()).collect()
}

#[test]
fn a_line_holds_a_hundred_metrics_of_the_same_dimensions_and_time() {
    let names: Vec<String> = (0..250).map(|n| format!("m{n}")).collect();
    let combined = combine(&counters(&names), 1_000_000);
    let sizes: Vec<usize> = combined.of.iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
    for (line, of) in read(&combined.batch).iter().zip(&combined.of) {
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        assert_eq!(metrics.len(), of.len());
        for (metric, item) in metrics.iter().zip(of) {
            assert_eq!(
                (&metric["Name"], &metric["Unit"]),
                (&Value::from(format!("m{item}")), &"Count".into())
            );
            assert_eq!(line[metric["Name"].as_str().unwrap()], 7);
        }
        assert_eq!(line["Op"], "get");
    }
    assert_eq!(include_str!("../../golden/emf_combined.json").trim_end(), {
        let two = combine(&counters(&names[..2]), 1_000_000);
        String::from_utf8(two.batch.iter().next().unwrap().1.to_vec()).unwrap()
    });
}

#[test]
fn what_differs_stays_apart() {
    let mut items = Items::new();
    let sum = Points::Counter { sum: 1 };
    lines(&mut items, "a", &[("Op", "get")], 5, &sum);
    lines(&mut items, "b", &[("Op", "put")], 5, &sum);
    lines(&mut items, "c", &[("Op", "get")], 6, &sum);
    lines(&mut items, "a", &[("Op", "get")], 5, &sum);
    lines(&mut items, "d", &[], 5, &sum);
    let mut wide = Distribution::default();
    wide.observe(1.0, 1);
    wide.exemplar = Some(7);
    lines(&mut items, "e", &[("Op", "get")], 5, &Points::Histogram(wide.clone()));
    wide.exemplar = None;
    lines(&mut items, "f", &[("Op", "get")], 5, &Points::Histogram(wide));
    items
        .push(|out| {
            out.extend_from_slice(b"{\"message\":\"x\"}");
            Ok::<_, ()>(())
        })
        .unwrap();
    items
        .push(|out| {
            out.extend_from_slice(b"@ops.part v1");
            Ok::<_, ()>(())
        })
        .unwrap();
    let combined = combine(&items.into_batch(), 1_000_000);
    let wanted: [&[usize]; 8] = [&[0], &[1], &[2], &[3, 6], &[4], &[5], &[7], &[8]];
    assert_eq!(combined.of, wanted, "one name has one value a line, and an exemplar is one metric's");
}

#[test]
fn the_answer_is_told_item_by_item() {
    let names: Vec<String> = (0..3).map(|n| format!("m{n}")).collect();
    let one = combine(&counters(&names), 1_000_000);
    let refusal = || Refusal { loss: Loss::Refused, why: "no".into() };
    let partial = |failed: &[usize], refused: &[usize]| Verdict::Partial {
        failed: failed.to_vec(),
        refused: refused.iter().map(|at| (*at, refusal())).collect(),
    };
    assert_eq!(one.told(Verdict::Delivered), Verdict::Delivered);
    assert_eq!(one.told(Verdict::Refuse(refusal())), Verdict::Halve);
    assert_eq!(one.told(partial(&[0], &[])), partial(&[0, 1, 2], &[]));
    assert_eq!(one.told(partial(&[], &[0, 9])), partial(&[], &[0, 1, 2]));
    let alone = combine(&counters(&names[..1]), 1_000_000);
    assert_eq!(alone.told(Verdict::Refuse(refusal())), Verdict::Refuse(refusal()));
}

proptest! {
    /// What was a line once, among the dead letters perhaps, is passed on or combined, and never the end of a thread.
    #[test]
    fn a_damaged_line_harms_nobody(at in 0..300_usize, byte: u8, end in 0..300_usize) {
        let names: Vec<String> = (0..3).map(|n| format!("m{n}")).collect();
        let mut batch = Batch::default();
        for (_, line) in counters(&names).iter() {
            let mut damaged = line.to_vec();
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            damaged.truncate(end.max(1));
            batch.push(0, RecordId::default(), 0, &damaged);
        }
        prop_assert_eq!(combine(&batch, LINE_MAX).of.concat().len(), 3);
    }

    /// Whatever names, values and lines there are: each item is in one line, no line is too long, and every metric is
    /// told with its dimensions and its value.
    #[test]
    fn nothing_is_lost_or_told_twice(
        given in prop::collection::vec(
            ("[a-z\"\\\\M][a-z\"\\\\\\],:{}M]{0,5}", prop::collection::btree_map("[A-Z\"\\\\\\],]{1,3}", "[a-z\"\\\\\\],{}]{1,8}", 0..3), 0..3_u64, 0..9_u64),
            0..40,
        ),
        max in 300..2_000_usize,
    ) {
        let (mut items, mut wanted) = (Items::new(), BTreeMap::<(u64, String, Vec<(String, String)>), Vec<u64>>::new());
        for (name, dimensions, time_ms, sum) in &given {
            let told: Vec<_> = dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            let before = items.len();
            lines(&mut items, name, &told, *time_ms, &Points::Counter { sum: *sum });
            if items.len() > before {
                let dimensions = dimensions.clone().into_iter().collect();
                wanted.entry((*time_ms, name.clone(), dimensions)).or_default().push(*sum);
            }
        }
        let batch = items.into_batch();
        let longest = batch.iter().map(|(_, line)| line.len()).max().unwrap_or(0);
        let combined = combine(&batch, max);
        let mut all: Vec<usize> = combined.of.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..batch.len()).collect::<Vec<_>>());
        let mut found = BTreeMap::<(u64, String, Vec<(String, String)>), Vec<u64>>::new();
        for (_, bytes) in combined.batch.iter() {
            prop_assert!(bytes.len() <= max.max(longest));
            let line: Value = serde_json::from_slice(bytes).unwrap();
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let dimensions: Vec<_> = directive["Dimensions"][0].as_array().unwrap().iter()
                .map(|name| (text(name), text(&line[text(name)]))).collect();
            let metrics = directive["Metrics"].as_array().unwrap();
            prop_assert_eq!(line.as_object().unwrap().len(), 1 + dimensions.len() + metrics.len());
            for metric in metrics {
                let name = text(&metric["Name"]);
                let key = (line["_aws"]["Timestamp"].as_u64().unwrap(), name.clone(), dimensions.clone());
                found.entry(key).or_default().push(line[&name].as_u64().unwrap());
            }
        }
        found.values_mut().chain(wanted.values_mut()).for_each(|sums| sums.sort_unstable());
        prop_assert_eq!(found, wanted);
    }
}
