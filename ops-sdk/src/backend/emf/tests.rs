//! Lines as the embedded metric format has them, and streams that break.

use proptest::prelude::*;

use super::super::aws::tests::{NOW_S, context};
use super::*;
use crate::clock::Now;
use std::io::Write;

use crate::model::{Distribution, Level, Log, Metric, Points, RecordId, Resolution, Unit, Value};

fn open() -> Box<dyn Backend> {
    Box::new(Emf::new()).open(&context(&[])).unwrap()
}

fn record(body: Body<'_>) -> Record<'_> {
    Record { id: RecordId { process: 255, seq: 1 }, time_ns: NOW_S * 1_000_000_000, body }
}

fn metric<'a>(name: &'a str, dimensions: &[(&'a str, &'a str)], points: Points) -> Record<'a> {
    record(Body::Metric(Metric {
        name: name.into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        points,
    }))
}

fn log(message: &str) -> Record<'_> {
    record(Body::Log(Log {
        level: Level::Info,
        target: "shop".into(),
        message: message.into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: Vec::new(),
    }))
}

fn observed(values: impl IntoIterator<Item = (f64, u64)>) -> Points {
    let mut distribution = Distribution::default();
    values.into_iter().for_each(|(value, n)| distribution.observe(value, n));
    Points::Histogram(distribution)
}

fn lines(records: &[Record<'_>]) -> Vec<String> {
    let (mut backend, mut items) = (open(), Items::new());
    for (place, record) in records.iter().enumerate() {
        items.begin(record.id, record.time_ms(), place as u32);
        backend.encode(record, &mut items).unwrap();
    }
    items.iter().map(|(_, bytes)| String::from_utf8(bytes.to_vec()).unwrap()).collect()
}

fn batch(lines: &[&str]) -> Batch {
    let mut batch = Batch::default();
    for (n, line) in lines.iter().enumerate() {
        batch.push(n as u64, RecordId::default(), n as u32, line.as_bytes());
    }
    batch
}

#[test]
fn the_lines_are_as_the_golden_file_has_them() {
    let gauge = |count| Points::Gauge { last: 2.5, min: -1.0, max: 4.0, sum: 5.5, count };
    let mut latency =
        metric("latency", &[("Env", "prod"), ("Op", "a \"b\"")], observed([(1.0, 3), (2.5, 1)]));
    let Body::Metric(body) = &mut latency.body else { unreachable!() };
    body.resolution = Resolution::High;
    let records = [
        metric("orders", &[], Points::Counter { sum: 7 }),
        metric("depth", &[("Queue", "größe")], gauge(3)),
        metric("depth", &[("Queue", "")], gauge(1)),
        metric("depth", &[], gauge(0)),
        latency,
        metric("never", &[], observed([])),
        log("charged 12"),
    ];
    let written = lines(&records).join("\n");
    assert_eq!(written, include_str!("../golden/emf.jsonl").trim_end());
}

#[test]
fn a_wide_histogram_takes_several_lines_that_add_up() {
    let points = observed((1..=300).map(|n| (f64::from(n) * 1.5, n as u64)));
    let Points::Histogram(distribution) = points.clone() else { unreachable!() };
    let (mut count, mut sum) = (0.0, 0.0);
    let written = lines(&[metric("latency", &[("Env", "prod")], points)]);
    assert_eq!(written.len(), distribution.buckets.len().div_ceil(100));
    for line in &written {
        let read: serde_json::Value = serde_json::from_str(line).unwrap();
        let target = &read["latency"];
        let numbers = |key: &str| -> Vec<f64> {
            target[key].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
        };
        let (values, counts) = (numbers("Values"), numbers("Counts"));
        assert!(values.len() == counts.len() && values.len() <= 100);
        assert_eq!(target["Min"].as_f64(), values.first().copied());
        assert_eq!(target["Max"].as_f64(), values.last().copied());
        assert_eq!(target["Count"].as_f64(), Some(counts.iter().sum()));
        count += counts.iter().sum::<f64>();
        sum += target["Sum"].as_f64().unwrap();
    }
    assert_eq!(count as u64, distribution.count);
    assert!((sum - distribution.sum).abs() <= distribution.sum * 0.01);
}

#[test]
fn the_exemplar_is_on_the_line_of_the_largest_value_unless_its_name_is_taken() {
    let of = |name, dimensions: &[(&'static str, &'static str)], values| {
        let Points::Histogram(distribution) = observed((1..=values).map(|n| (f64::from(n) * 1.5, 1))) else {
            unreachable!()
        };
        let exemplar = Some(0xbeef);
        metric(name, dimensions, Points::Histogram(Distribution { exemplar, ..distribution }))
    };
    let exemplars = |record| -> Vec<bool> {
        let read =
            |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap()["exemplar"].clone();
        let is = |line| read(line) == "0000000000000000000000000000beef";
        lines(&[record]).iter().map(is).collect()
    };
    assert_eq!(exemplars(of("latency", &[], 2)), [true]);
    assert_eq!(exemplars(of("latency", &[("Op", "a")], 150)), [false, true]);
    assert_eq!(exemplars(of("latency", &[("exemplar", "a")], 2)), [false]);
    assert_eq!(exemplars(of("exemplar", &[], 2)), [false]);
}

#[test]
fn a_name_that_would_be_there_twice_is_refused() {
    let long = "k".repeat(251);
    let table = [
        ("depth", vec![("depth", "x")], "\"depth\" would be there twice"),
        ("_aws", vec![], "\"_aws\" would be there twice"),
        ("depth", vec![("_aws", "x")], "would be there twice"),
        ("é", vec![("ü", "x")], "\"?\" would be there twice"),
        ("depth", vec![(long.as_str(), "x")], "dimension names of 250 characters"),
    ];
    for (name, dimensions, why) in table {
        let record = metric(name, &dimensions, Points::Counter { sum: 1 });
        let error = open().encode(&record, &mut Items::new()).unwrap_err();
        assert!(error.0.contains(why), "{error}");
    }
}

#[test]
fn a_metric_that_would_be_split_is_refused() {
    let value = "v".repeat(1_024);
    let names: Vec<String> = (0..30).map(|n| format!("dimension-{n}-{}", "k".repeat(200))).collect();
    let dimensions: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    let record = metric("depth", &dimensions, Points::Counter { sum: 1 });
    assert!(open().encode(&record, &mut Items::new()).is_ok(), "a line on stdout may be long");
    let carrier = Box::new(Lines::new(io::sink()));
    let mut narrow = Open {
        carrier,
        namespace: "Shop".into(),
        dimensions: Vec::new(),
        sets: Sets::default(),
        line_bytes_max: 32_742,
    };
    let mut items = Items::new();
    let error = narrow.encode(&record, &mut items).unwrap_err();
    assert!(error.0.contains("cannot be split") && items.is_empty(), "{error}");
    assert!(narrow.encode(&log(&value.repeat(40)), &mut items).is_ok(), "a log line can be split");
}

#[test]
fn the_target_is_stdout_unless_told_otherwise() {
    let target = |backend: Emf, value: &str| backend.chosen_target(&context(&[(TARGET, value)]));
    assert_eq!(target(Emf::new(), "").unwrap(), EmfTarget::Stdout);
    assert_eq!(target(Emf::new(), "logs").unwrap(), EmfTarget::Logs);
    assert_eq!(target(Emf::new().target(EmfTarget::Stdout), "logs").unwrap(), EmfTarget::Stdout);
    assert_eq!(target(Emf::new(), "udp://h:1").unwrap(), EmfTarget::Agent("udp://h:1".into()));
    assert_eq!(target(Emf::new(), "agent").unwrap(), EmfTarget::Agent("tcp://127.0.0.1:25888".into()));
    let vars = [(TARGET, "agent"), ("AWS_EMF_AGENT_ENDPOINT", "udp://h:2")];
    assert_eq!(Emf::new().chosen_target(&context(&vars)).unwrap(), EmfTarget::Agent("udp://h:2".into()));
    let error = target(Emf::new(), "file").unwrap_err().to_string();
    assert!(error.starts_with("OPS_EMF_TARGET: \"file\" is no target; use stdout, logs, agent"), "{error}");
    let limits = open().limits();
    assert!(!limits.push && limits.item_bytes_max == LINE_BYTES_MAX);
    assert!(open().accepts(Signal::Metric) && open().accepts(Signal::Log) && !open().accepts(Signal::Audit));
}

#[test]
fn dimension_sets_stand_in_one_directive() {
    let vars = [("OPS_EMF_DIMENSION_SETS", "Service;-")];
    let mut backend = Box::new(Emf::new()).open(&context(&vars)).unwrap();
    let record = metric("depth", &[("Queue", "q"), ("Service", "s")], Points::Counter { sum: 1 });
    let mut items = Items::new();
    backend.encode(&record, &mut items).unwrap();
    let read: serde_json::Value = serde_json::from_slice(items.get(0).unwrap().1).unwrap();
    let directive = &read["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Dimensions"], serde_json::json!([["Queue", "Service"], ["Queue"]]));
    assert_eq!((items.len(), &read["Service"], &read["Queue"]), (1, &"s".into(), &"q".into()));

    // A value that is in no set is not told.
    let vars = [("OPS_EMF_DIMENSION_SETS", "-")];
    let mut backend = Box::new(Emf::new()).open(&context(&vars)).unwrap();
    let mut items = Items::new();
    backend.encode(&record, &mut items).unwrap();
    let read: serde_json::Value = serde_json::from_slice(items.get(0).unwrap().1).unwrap();
    assert_eq!(read["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([["Queue"]]));
    assert!(read.get("Service").is_none());
    let vars = [("OPS_EMF_DIMENSION_SETS", "Colour")];
    let error = Box::new(Emf::new()).open(&context(&vars)).err().unwrap().to_string();
    assert!(error.starts_with("OPS_EMF_DIMENSION_SETS"), "{error}");
}

#[test]
fn a_field_cannot_take_the_place_of_the_metadata() {
    let mut record = log("x");
    let Body::Log(body) = &mut record.body else { unreachable!() };
    body.fields.push(("_aws".into(), Value::Str("{\"CloudWatchMetrics\":[]}".into())));
    let read: serde_json::Value = serde_json::from_str(&lines(&[record])[0]).unwrap();
    assert!(read.get("_aws").is_none() && read["fields._aws"].is_string());
}

#[cfg(not(feature = "cloudwatch-logs"))]
#[test]
fn logs_without_its_feature_is_told() {
    let opened = Box::new(Emf::new().target(EmfTarget::Logs)).open(&context(&[]));
    let error = opened.err().unwrap().to_string();
    assert!(error.contains("needs the feature cloudwatch-logs"), "{error}");
}

#[cfg(feature = "cloudwatch-logs")]
#[test]
fn lines_go_into_a_log_group_too() {
    use super::super::aws::tests::KEYS;
    let script = std::sync::Arc::new(crate::net::script::Script::default()).answer(200, "{}");
    let emf = Emf::new().target(EmfTarget::Logs).group("/emf").stream("s").region("eu-west-1");
    let mut backend = Box::new(emf).open(&context(&KEYS)).unwrap();
    assert!(backend.limits().push);
    assert_eq!(backend.send(&batch(&["{}"]), &mut script.net(NOW_S)), Verdict::Delivered);
    let body = String::from_utf8(script.asked()[0].0.body().clone()).unwrap();
    assert_eq!(
        body,
        r#"{"logGroupName":"/emf","logStreamName":"s","logEvents":[{"timestamp":0,"message":"{}"}]}"#
    );
}

#[cfg(feature = "cloudwatch-logs")]
#[test]
fn a_group_that_makes_no_metrics_is_refused() {
    use super::super::aws::tests::KEYS;
    for more in [("OPS_CLOUDWATCH_LOGS_CLASS", "infrequent-access"), ("OPS_CLOUDWATCH_LOGS_INGEST", "json")] {
        let vars = [&KEYS[..], &[more]].concat();
        let opened = Box::new(Emf::new().target(EmfTarget::Logs)).open(&context(&vars));
        let error = opened.err().unwrap().to_string();
        assert!(error.starts_with("OPS_EMF_TARGET / .target(..): \"logs\" makes no metrics"), "{error}");
    }
}

/// A stream that takes so many bytes and then breaks, until it is mended.
struct Brittle {
    taken: Vec<u8>,
    room: usize,
}

impl Write for Brittle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        let n = bytes.len().min(self.room);
        self.room -= n;
        self.taken.extend_from_slice(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_is_waited_out_and_a_torn_line_ended() {
    let mut net = Net::new(Now { unix_ns: 0, mono_ns: 0 });
    let mut lines = Lines::new(Brittle { taken: Vec::new(), room: 6 });
    let verdict = lines.send(&batch(&["one", "two"]), &mut net);
    let Verdict::Retry { after: None, why } = verdict else { panic!("{verdict:?}") };
    assert!(why.starts_with("cannot write to stdout: "), "{why}");
    lines.to.room = usize::MAX;
    assert_eq!(lines.send(&batch(&["one", "two"]), &mut net), Verdict::Delivered);
    assert_eq!(lines.send(&batch(&["three"]), &mut net), Verdict::Delivered);
    assert_eq!(String::from_utf8(lines.to.taken).unwrap(), "one\ntw\none\ntwo\nthree\n");
}

proptest! {
    /// Every line is one JSON object on one line, with each target at its root.
    #[test]
    fn any_metric_is_one_object_whose_targets_are_there(
        name in "[a-z.é\"\\\\]{0,20}",
        keys in prop::collection::btree_set("[A-Z ]{0,12}", 0..8),
        value in "\\PC{0,1200}",
        sum: u64,
    ) {
        let dimensions: Vec<_> = keys.iter().map(|key| (key.as_str(), value.as_str())).collect();
        let record = metric(&name, &dimensions, Points::Counter { sum });
        let mut items = Items::new();
        if open().encode(&record, &mut items).is_err() {
            return Ok(());
        }
        for (_, line) in items.iter() {
            prop_assert!(!line.contains(&b'\n'));
            let read: serde_json::Value = serde_json::from_slice(line).unwrap();
            let directive = &read["_aws"]["CloudWatchMetrics"][0];
            prop_assert!(read[directive["Metrics"][0]["Name"].as_str().unwrap()].is_number());
            for key in directive["Dimensions"][0].as_array().unwrap() {
                prop_assert!(read[key.as_str().unwrap()].is_string());
            }
        }
    }
}
