//! Data as CloudWatch takes them, and its answers, against a scripted service.

use std::io::Read;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::aws::tests::{KEYS, NOW_S, context};
use super::*;
use crate::backend::Refusal;
use crate::chunk::chunk;
use crate::ledger::Loss;
use crate::limits::PushLimit;
use crate::model::{Distribution, Metric, Points, RecordId, Resolution, Unit};
use crate::net::script::{Script, refused, response};

fn open() -> Box<dyn Backend> {
    Box::new(CloudWatch::new()).open(&context(&KEYS)).unwrap()
}

fn body_of(batch: &Batch) -> Vec<u8> {
    Envelope::of("Shop", None).around(batch)
}

fn metric<'a>(name: &'a str, dimensions: &[(&'a str, &'a str)], points: Points) -> Record<'a> {
    let body = Body::Metric(Metric {
        name: name.into(),
        unit: Unit::None,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: dimensions.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        points,
    });
    Record { id: RecordId { process: 255, seq: 1 }, time_ns: NOW_S * 1_000_000_000 + 5, body }
}

fn observed(values: impl IntoIterator<Item = (f64, u64)>) -> Points {
    let mut distribution = Distribution::default();
    values.into_iter().for_each(|(value, n)| distribution.observe(value, n));
    Points::Histogram(distribution)
}

fn encode(records: &[Record<'_>]) -> Items {
    let (mut backend, mut items) = (open(), Items::new());
    for (place, record) in records.iter().enumerate() {
        items.begin(record.id, record.time_ms(), place as u32);
        backend.encode(record, &mut items).unwrap();
    }
    items
}

fn batch(items: &Items) -> Batch {
    let limits = open().limits().under(PushLimit::Vendor);
    let mut chunked = chunk(items, &limits, NOW_S * 1_000);
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    chunked.batches.remove(0)
}

fn counters(n: usize) -> Batch {
    let names: Vec<String> = (0..n).map(|n| format!("orders.accepted.{n}")).collect();
    let sum = Points::Counter { sum: 1 };
    let records: Vec<_> = names.iter().map(|name| metric(name, &[("Region", "eu")], sum.clone())).collect();
    batch(&encode(&records))
}

#[test]
fn the_body_is_as_the_golden_file_has_it() {
    let gauge = |count| Points::Gauge { last: 2.5, min: -1.0, max: 4.0, sum: 5.5, count };
    let mut latency =
        metric("latency", &[("Env", "prod"), ("Op", "a \"b\"")], observed([(1.0, 3), (2.5, 1)]));
    let Body::Metric(body) = &mut latency.body else { unreachable!() };
    (body.unit, body.resolution) = (Unit::Milliseconds, Resolution::High);
    let records = [
        metric("orders", &[], Points::Counter { sum: 7 }),
        metric("depth", &[("Queue", "größe")], gauge(3)),
        metric("depth", &[("Queue", "")], gauge(1)),
        metric("depth", &[("Queue", "never set")], gauge(0)),
        latency,
        metric("once", &[], observed([(3.0, 1), (4.0, 1)])),
        metric("never", &[], observed([])),
    ];
    let body = body_of(&batch(&encode(&records)));
    assert_eq!(String::from_utf8(body).unwrap(), include_str!("../golden/put_metric_data.json").trim_end());
}

#[test]
fn a_wide_histogram_is_split_and_keeps_count_and_sum() {
    let points = observed((1..=400).map(|n| (f64::from(n) * 1.5, n as u64)));
    let Points::Histogram(distribution) = points.clone() else { unreachable!() };
    let items = encode(&[metric("latency", &[], points)]);
    let (mut count, mut sum, mut distinct) = (0.0, 0.0, 0);
    for (_, bytes) in items.iter() {
        let datum: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        let numbers = |key: &str| -> Vec<f64> {
            datum[key].as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect()
        };
        let (values, counts) = (numbers("Values"), numbers("Counts"));
        assert!(values.len() == counts.len() && values.len() <= 150);
        distinct += values.len();
        count += counts.iter().sum::<f64>();
        sum += values.iter().zip(&counts).map(|(value, n)| value * n).sum::<f64>();
    }
    assert_eq!((count as u64, distinct), (distribution.count, distribution.buckets.len()));
    assert_eq!(items.len(), distribution.buckets.len().div_ceil(150));
    assert!((sum - distribution.sum).abs() <= distribution.sum * 0.01);
}

#[test]
fn what_is_no_metric_or_cannot_be_expressed_is_told() {
    let names: Vec<String> = (0..31).map(|n| format!("d{n}")).collect();
    let many: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    let record = metric("x", &many, Points::Counter { sum: 1 });
    assert!(open().encode(&record, &mut Items::new()).unwrap_err().0.contains("31 dimensions"));
    assert!(!open().accepts(Signal::Log) && open().accepts(Signal::Metric));
}

#[test]
fn a_large_body_is_compressed_before_it_is_signed() {
    let script = Arc::new(Script::default()).answer(200, "").answer(200, "");
    let (mut backend, mut net) = (open(), script.net(NOW_S));
    let (small, large) = (counters(2), counters(200));
    assert_eq!(backend.send(&small, &mut net), Verdict::Delivered);
    assert_eq!(backend.send(&large, &mut net), Verdict::Delivered);
    let asked = script.asked();
    let (plain, zipped) = (&asked[0].0, &asked[1].0);
    assert!(plain.headers().get("content-encoding").is_none());
    assert_eq!(plain.body(), &body_of(&small));
    assert_eq!(plain.headers()["x-amz-target"], "GraniteServiceVersion20100801.PutMetricData");
    assert_eq!(plain.headers()["content-type"], "application/x-amz-json-1.0");
    assert_eq!(plain.headers()["x-amzn-query-mode"], "true");
    assert_eq!(plain.uri(), "https://monitoring.us-east-1.amazonaws.com/");
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let authorization = zipped.headers()["authorization"].to_str().unwrap();
    assert!(authorization.contains("SignedHeaders=content-encoding;content-type;host;"), "{authorization}");
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(zipped.body().as_slice()).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, body_of(&large));
    assert!(zipped.body().len() < unzipped.len() / 4);
}

#[test]
fn an_entity_stands_around_the_data() {
    let backend = CloudWatch::new()
        .entity_key("Type", "Service")
        .entity_key("Name", "check\"out")
        .entity_attribute("Team", "payments");
    let mut backend = Box::new(backend).open(&context(&KEYS)).unwrap();
    let batch = counters(2);
    let one = Arc::new(Script::default()).answer(200, "{}");
    assert_eq!(backend.send(&batch, &mut one.net(NOW_S)), Verdict::Delivered);
    let asked = one.asked();
    let body = asked[0].0.body();
    assert_eq!(body.len(), backend.limits().envelope_bytes + batch.bytes() + batch.len() - 1);
    let read: serde_json::Value = serde_json::from_slice(body).unwrap();
    assert_eq!((read["StrictEntityValidation"].as_bool(), &read["Namespace"]), (Some(false), &"Shop".into()));
    let told = &read["EntityMetricData"][0];
    assert_eq!(
        told["Entity"],
        serde_json::json!({
            "KeyAttributes": { "Type": "Service", "Name": "check\"out" },
            "Attributes": { "Team": "payments" },
        })
    );
    assert_eq!(told["MetricData"].as_array().map(Vec::len), Some(2));
    assert!(read.get("MetricData").is_none());
}

#[test]
fn a_metric_is_told_once_for_each_dimension_set() {
    let mut backend = CloudWatch::new().dimension_set(["Service"]).dimension_set([] as [&str; 0]);
    let vars = [&KEYS[..], &[("OPS_CLOUDWATCH_DIMENSION_SETS", "no;such;sets")]].concat();
    let mut open = Box::new(backend.clone()).open(&context(&vars)).unwrap();
    let record = metric("orders", &[("Region", "eu"), ("Service", "checkout")], Points::Counter { sum: 3 });
    let mut items = Items::new();
    open.encode(&record, &mut items).unwrap();
    let data: Vec<serde_json::Value> =
        items.iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect();
    let region = serde_json::json!({ "Name": "Region", "Value": "eu" });
    let service = serde_json::json!({ "Name": "Service", "Value": "checkout" });
    assert_eq!(data.len(), 2);
    assert_eq!(data[0]["Dimensions"], serde_json::json!([region, service]));
    assert_eq!((&data[1]["Dimensions"], &data[1]["Value"]), (&serde_json::json!([region]), &3.into()));

    let alone = metric("orders", &[("Service", "checkout")], Points::Counter { sum: 3 });
    let mut items = Items::new();
    open.encode(&alone, &mut items).unwrap();
    assert!(!String::from_utf8_lossy(items.get(1).unwrap().1).contains("Dimensions"));
    backend = backend.dimension_set(["Colour"]);
    let error = Box::new(backend).open(&context(&KEYS)).err().unwrap().to_string();
    assert!(error.starts_with("OPS_CLOUDWATCH_DIMENSION_SETS / .dimension_set(..): \"Colour\""), "{error}");
}

#[test]
fn compression_has_the_switches_of_the_sdks() {
    let table: [(&[(&str, &str)], Option<usize>); 4] = [
        (&[], Some(10_240)),
        (&[("AWS_DISABLE_REQUEST_COMPRESSION", "TRUE")], None),
        (&[("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "1")], Some(1)),
        (&[("AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES", "few")], Some(10_240)),
    ];
    for (vars, expected) in table {
        assert_eq!(gzip_bytes_min(&context(vars)), expected, "{vars:?}");
    }
}

#[test]
fn one_bad_datum_costs_itself_alone() {
    let bad = response(
        400,
        &[("x-amzn-query-error", "InvalidParameterValue;Sender")],
        r#"{"__type":"InvalidParameterValueException","message":"bad value"}"#,
    );
    let script = Arc::new(Script::default()).then(Ok(bad.clone())).then(Ok(bad));
    let (mut backend, mut net) = (open(), script.net(NOW_S));
    assert_eq!(backend.send(&counters(2), &mut net), Verdict::Halve);
    let verdict = backend.send(&counters(1), &mut net);
    let why = "InvalidParameterValue: bad value".to_owned();
    assert_eq!(verdict, Verdict::Refuse(Refusal { loss: Loss::Refused, why }));
}

const NO_ERROR: &str = "status N without an AWS error: is the endpoint the service's own?";

#[test]
fn answers_have_their_verdicts() {
    let throttled = r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#;
    let denied = r#"{"__type":"AccessDeniedException","message":"no"}"#;
    let expired = r#"{"__type":"ExpiredTokenException","message":"old"}"#;
    let retry = |after: Option<u64>, why: &str| Verdict::Retry {
        after: after.map(std::time::Duration::from_secs),
        why: why.into(),
    };
    let note = [("x-amzn-failure-message", "InvalidEntity")];
    let table = [
        (Ok(response(200, &[], "{}")), Verdict::Delivered),
        (Ok(response(200, &note, "{}")), Verdict::Delivered),
        (
            Ok(response(400, &[("retry-after", "4")], throttled)),
            Verdict::Throttle {
                after: Some(std::time::Duration::from_secs(4)),
                why: "ThrottlingException: Rate exceeded".into(),
            },
        ),
        (Ok(response(500, &[], "")), retry(None, NO_ERROR.replace("N", "500").as_str())),
        (Ok(response(400, &[], denied)), retry(Some(60), "AccessDeniedException: no")),
        (
            Ok(response(400, &[], expired)),
            Verdict::Reauthenticate { why: "ExpiredTokenException: old".into() },
        ),
        (Ok(response(413, &[], "")), Verdict::Halve),
        (Err(refused()), retry(None, &refused().text)),
    ];
    for (outcome, expected) in table {
        let script = Arc::new(Script::default()).then(outcome);
        assert_eq!(open().send(&counters(2), &mut script.net(NOW_S)), expected);
    }
}

#[cfg(feature = "otlp")]
#[test]
fn over_otlp_it_is_the_same_backend_and_takes_what_has_a_place_there() {
    let with = |more: &[(&str, &str)]| context(&[&KEYS[..], more].concat());
    let on = with(&[("OPS_CLOUDWATCH_OTLP", "1"), ("OPS_OTLP_ENDPOINT", "http://elsewhere")]);
    let mut backend = Box::new(CloudWatch::new()).open(&on).unwrap();
    let accepted = Signal::ALL.map(|signal| backend.accepts(signal));
    assert_eq!(
        (backend.id(), accepted.iter().filter(|yes| **yes).count()),
        ("cloudwatch", 1),
        "metrics alone"
    );
    let mut items = Items::new();
    let record = metric("orders", &[], Points::Counter { sum: 3 });
    items.begin(record.id, record.time_ms(), 0);
    backend.encode(&record, &mut items).unwrap();
    let limits = backend.limits().under(PushLimit::Vendor);
    let batch = chunk(&items, &limits, NOW_S * 1_000).batches.remove(0);
    let script = Arc::new(Script::default()).answer(200, "");
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let uri = script.asked()[0].0.uri().to_string();
    assert!(uri.starts_with("https://monitoring.") && uri.ends_with("/v1/metrics"), "{uri}");
    for (told, more) in [
        (CloudWatch::new().otlp(true).namespace("Shop"), &[][..]),
        (CloudWatch::new().otlp(true), &[(SETS, "Service")]),
        (CloudWatch::new().otlp(true), &[("OPS_CLOUDWATCH_ENTITY", "Type=Service,Name=a")]),
    ] {
        let refused = Box::new(told).open(&with(more)).err().expect("no place for it").to_string();
        assert!(refused.contains("OTLP endpoint has no place"), "{refused}");
    }
}

#[test]
fn settings_are_checked_at_open() {
    let open =
        |backend: CloudWatch, vars: &[(&str, &str)]| Box::new(backend).open(&context(vars)).map(|_| ());
    assert!(
        open(CloudWatch::new().namespace("Other").region("eu-west-1").endpoint("http://[::1]:5"), &KEYS)
            .is_ok()
    );
    let table = [
        (CloudWatch::new().namespace(":x"), &KEYS[..], "OPS_NAMESPACE"),
        (CloudWatch::new(), &KEYS[1..], "AWS_REGION: no region is set"),
        (CloudWatch::new(), &[KEYS[0], KEYS[3]], "AWS_ACCESS_KEY_ID: no credentials"),
        (CloudWatch::new().endpoint("ftp://x"), &KEYS, ".endpoint(..)"),
        (CloudWatch::new().entity_key("Type", "Service"), &KEYS, "OPS_CLOUDWATCH_ENTITY / .entity_key(..)"),
        (CloudWatch::new().entity_attribute("A", "\n"), &KEYS, "OPS_CLOUDWATCH_ENTITY_ATTRIBUTES"),
    ];
    for (backend, vars, expected) in table {
        let error = open(backend, vars).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

proptest! {
    /// Whatever names and values there are, a datum is JSON that CloudWatch takes, and a body is within the contract.
    #[test]
    fn any_metric_is_encoded_within_the_rules(
        name in "\\PC{0,300}",
        keys in prop::collection::btree_set("[a-zA-Z:é ]{0,12}", 0..8),
        value in "\\PC{0,1200}",
        observations in prop::collection::vec((-1e12..1e12f64, 1..1_000u64), 0..400),
    ) {
        let dimensions: Vec<_> = keys.iter().map(|key| (key.as_str(), value.as_str())).collect();
        let record = metric(&name, &dimensions, observed(observations));
        let (mut backend, mut items) = (open(), Items::new());
        items.begin(record.id, record.time_ms(), 0);
        if let Err(error) = backend.encode(&record, &mut items) {
            prop_assert!(error.0.contains("two dimensions are named"), "{}", error);
            return Ok(());
        }
        let limits = backend.limits().under(PushLimit::Contract);
        let chunked = chunk(&items, &limits, NOW_S * 1_000);
        prop_assert!(chunked.refused.is_empty());
        for batch in &chunked.batches {
            let body = body_of(batch);
            prop_assert!(body.len() <= 32_768, "{} bytes", body.len());
            let read: serde_json::Value = serde_json::from_slice(&body).unwrap();
            for datum in read["MetricData"].as_array().unwrap() {
                let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
                let mut names = vec![text(&datum["MetricName"])];
                for dimension in datum["Dimensions"].as_array().into_iter().flatten() {
                    names.push(text(&dimension["Name"]));
                    prop_assert!((1..=1_024).contains(&text(&dimension["Value"]).len()));
                }
                for name in names {
                    prop_assert!((1..=255).contains(&name.len()) && !name.starts_with(':') && !name.trim().is_empty());
                    prop_assert!(name.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                }
                prop_assert!(datum["Values"].as_array().unwrap().len() <= 150);
            }
        }
    }
}
