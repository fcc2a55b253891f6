//! Objects as a bucket gets them, and settings.

use std::sync::Arc;

use super::super::shared::tests::context;
use super::*;
use crate::chunk::chunk;
use crate::limits::PushLimit;
use crate::model::{Audit, Body, Level, Log, Metric, Points, Resolution, Unit};
use crate::net::script::{Script, response};

mod once;

const KEYS: [(&str, &str); 5] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("OPS_S3_BUCKET", "logs-of-ours"),
];
/// 2026-11-22T07:24:28Z.
const NOW_S: u64 = 1_795_332_268;

fn open(settings: S3, more: &[(&str, &str)]) -> Box<dyn Backend> {
    Box::new(settings).open(&context(&[&KEYS[..], more].concat())).unwrap()
}

fn record(seq: u64, body: Body<'_>) -> Record<'_> {
    Record { id: RecordId { process: 255, seq }, time_ns: NOW_S * 1_000_000_000 + seq * 1_000_000, body }
}

fn log(message: &str) -> Body<'_> {
    Body::Log(Log {
        level: Level::Warn,
        target: "shop".into(),
        message: message.into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: vec![("amount".into(), crate::model::Value::U64(12))],
    })
}

fn metric(name: &str) -> Body<'_> {
    Body::Metric(Metric {
        name: name.into(),
        unit: Unit::Milliseconds,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: vec![("Env".into(), "prod".into())],
        points: Points::Counter { sum: 7 },
    })
}

fn audit() -> Body<'static> {
    let (actor, action, resource, outcome) = ("anna", "order.cancel", "order/7", "ok");
    Body::Audit(Audit {
        actor: actor.into(),
        action: action.into(),
        resource: resource.into(),
        outcome: outcome.into(),
        fields: Vec::new(),
    })
}

fn batch(backend: &mut dyn Backend, records: &[Record<'_>]) -> Batch {
    let mut items = Items::new();
    for (place, record) in (0..).zip(records) {
        items.begin(record.id, record.time_ms(), place);
        backend.encode(record, &mut items).unwrap();
    }
    let mut chunked = chunk(&items, &backend.limits().under(PushLimit::Contract), NOW_S * 1_000);
    assert_eq!((chunked.batches.len(), chunked.refused.len()), (1, 0));
    chunked.batches.remove(0)
}

fn stored() -> crate::net::Response {
    response(200, &[("etag", "\"x\"")], "")
}

#[test]
fn the_objects_are_as_the_golden_file_has_them() {
    let mut backend = open(S3::new().compression(Compression::None), &[]);
    let records = [
        record(1, log("a \"quoted\"\r\nthing")),
        record(2, metric("orders")),
        record(3, log("plain")),
        record(4, audit()),
    ];
    let batch = batch(backend.as_mut(), &records);
    let script = Arc::new(Script::default()).then(Ok(stored())).then(Ok(stored())).then(Ok(stored()));
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let mut told = String::new();
    for (request, _) in script.asked() {
        told.push_str(&format!("{} {}\n", request.method(), request.uri()));
        for name in ["content-type", "if-none-match", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm"]
        {
            told.push_str(&format!("{name}: {}\n", request.headers()[name].to_str().unwrap()));
        }
        told.push_str(&String::from_utf8(request.body().clone()).unwrap());
    }
    assert_eq!(told, include_str!("../golden/s3.txt"));
}

#[test]
fn the_same_batch_has_the_same_keys_and_bytes() {
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let push = || {
            let mut backend = open(S3::new().compression(compression), &[]);
            let batch = batch(backend.as_mut(), &[record(1, log("x")), record(2, log("y"))]);
            let script = Arc::new(Script::default()).then(Ok(stored()));
            backend.send(&batch, &mut script.net(NOW_S));
            let (request, _) = script.asked().remove(0);
            (request.uri().clone(), request.body().clone())
        };
        assert_eq!(push(), push());
    }
}

#[test]
fn what_did_not_arrive_is_sent_again_and_what_did_is_not() {
    let mut backend = open(S3::new(), &[]);
    let batch = batch(backend.as_mut(), &[record(1, log("x")), record(2, metric("y")), record(3, audit())]);
    let slow = "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
    let script = Arc::new(Script::default()).then(Ok(stored())).answer(503, slow);
    let verdict = backend.send(&batch, &mut script.net(NOW_S));
    assert_eq!(verdict, Verdict::Partial { failed: vec![1, 2], refused: vec![] });
    assert_eq!(script.asked().len(), 2, "a store that asks to be sent less is not asked once more");
    let rest = batch.select(|index| index > 0);
    script.answer(503, slow);
    let why = "SlowDown: Reduce your request rate.".to_owned();
    assert_eq!(backend.send(&rest, &mut script.net(NOW_S)), Verdict::Throttle { after: None, why });
    script.answer(412, "").then(Ok(stored()));
    assert_eq!(backend.send(&rest, &mut script.net(NOW_S)), Verdict::Delivered, "412: it was there already");
    script.asked();
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    assert!(script.asked().is_empty(), "nothing that was delivered is sent again");
}

#[test]
fn an_object_that_is_too_large_is_halved_and_at_last_refused_alone() {
    let mut backend = open(S3::new(), &[]);
    let both = batch(backend.as_mut(), &[record(1, log("x")), record(2, log("y"))]);
    let script = Arc::new(Script::default()).answer(413, "");
    assert_eq!(backend.send(&both, &mut script.net(NOW_S)), Verdict::Halve);
    // Now the key has been tried with two, so it is looked for before it is tried with one.
    script.answer(404, "").answer(413, "");
    let verdict = backend.send(&both.halves().0, &mut script.net(NOW_S));
    let Verdict::Partial { failed, refused } = verdict else { panic!("{verdict:?}") };
    assert_eq!((failed, refused[0].0, refused[0].1.loss), (vec![], 0, crate::ledger::Loss::Oversize));
}

#[test]
fn a_bucket_is_followed_into_its_region() {
    let mut backend = open(S3::new(), &[]);
    let batch = batch(backend.as_mut(), &[record(1, log("x"))]);
    let moved = || Ok(response(301, &[("x-amz-bucket-region", "eu-west-1")], ""));
    let script = Arc::new(Script::default()).then(moved()).then(Ok(stored()));
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked = script.asked();
    let hosts: Vec<_> = asked.iter().map(|(request, _)| request.uri().host().unwrap()).collect();
    assert_eq!(hosts, ["logs-of-ours.s3.us-east-1.amazonaws.com", "logs-of-ours.s3.eu-west-1.amazonaws.com"]);
    let signed = asked[1].0.headers()["authorization"].to_str().unwrap();
    assert!(signed.contains("/eu-west-1/s3/aws4_request"), "{signed}");
    let mut lost = open(S3::new(), &[]);
    let script = Arc::new(Script::default()).then(moved()).then(moved());
    let Verdict::Retry { after, why } = lost.send(&batch, &mut script.net(NOW_S)) else { panic!() };
    assert_eq!(after, Some(Duration::from_secs(60)));
    assert!(why.contains("set AWS_REGION to it"), "{why}");
}

#[test]
fn a_large_object_goes_in_parts_and_its_upload_is_ended_if_it_fails() {
    let mut backend = open(S3::new().compression(Compression::None), &[]);
    let long = "x".repeat(5 << 20);
    let records: Vec<_> = (0..4).map(|seq| record(seq, log(&long))).collect();
    let batch = batch(backend.as_mut(), &records);
    let begun =
        "<InitiateMultipartUploadResult><UploadId>a/b+c=&amp;</UploadId></InitiateMultipartUploadResult>";
    let done = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
    let script = Arc::new(Script::default()).answer(200, begun);
    script.then(Ok(stored())).then(Ok(stored())).then(Ok(stored())).answer(200, done);
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let asked: Vec<_> = script.asked().into_iter().map(|(request, _)| request).collect();
    let queries: Vec<_> = asked.iter().map(|request| request.uri().query().unwrap()).collect();
    let id = "uploadId=a%2Fb%2Bc%3D%26";
    let parts = [1, 2, 3].map(|n| format!("partNumber={n}&{id}"));
    assert_eq!(queries, ["uploads=", &parts[0], &parts[1], &parts[2], id]);
    let sizes: Vec<_> = asked[1..4].iter().map(|request| request.body().len()).collect();
    assert_eq!((sizes[0], sizes[1], sizes[2] < 8 << 20), (8 << 20, 8 << 20, true));
    assert!(
        asked[0].headers().contains_key("x-amz-meta-ops-ids")
            && asked[1].headers().contains_key("x-amz-checksum-crc32")
    );
    assert_eq!(asked[4].headers()["if-none-match"], "*");
    let list = String::from_utf8(asked[4].body().clone()).unwrap();
    assert!(
        list.contains("<Part><PartNumber>3</PartNumber><ETag>&quot;x&quot;</ETag><ChecksumCRC32>"),
        "{list}"
    );

    let mut backend = open(S3::new().compression(Compression::None), &[]);
    let script =
        Arc::new(Script::default()).answer(200, begun).then(Ok(stored())).answer(500, "").answer(204, "");
    assert!(matches!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Retry { after: None, .. }));
    let (last, _) = script.asked().pop().unwrap();
    assert_eq!((last.method().as_str(), last.uri().query()), ("DELETE", Some(id)));
}

#[test]
fn an_object_that_others_may_hold_is_looked_for_first() {
    let dir = tempfile::tempdir().unwrap();
    let in_dir = || {
        let mut context = context(&KEYS);
        context.state_dir = Some(dir.path().to_owned());
        Box::new(S3::new()).open(&context).unwrap()
    };
    let mut backend = in_dir();
    let all = batch(backend.as_mut(), &[record(1, log("x")), record(2, log("y")), record(3, log("z"))]);
    let script = Arc::new(Script::default());
    assert!(matches!(backend.send(&all, &mut script.net(NOW_S)), Verdict::Retry { .. }));
    let mark = script.asked()[0].0.headers()["x-amz-meta-ops-ids"].to_str().unwrap().to_owned();
    // The next process sends less of it.
    let mut next = in_dir();
    script.then(Ok(response(200, &[("x-amz-meta-ops-ids", &mark)], "")));
    let tail = all.select(|index| index == 2);
    assert_eq!(next.send(&tail, &mut script.net(NOW_S)), Verdict::Delivered);
    let methods: Vec<_> = script.asked().iter().map(|(request, _)| request.method().to_string()).collect();
    assert_eq!(methods, ["HEAD"], "it had arrived");
    assert_eq!(next.send(&all, &mut script.net(NOW_S)), Verdict::Delivered, "and so had the others");
    // Where nobody may look, the store tells by refusing to overwrite.
    let mut third = in_dir();
    script.answer(403, "").answer(412, "").answer(403, "");
    let Verdict::Retry { after, why } = third.send(&tail, &mut script.net(NOW_S)) else { panic!() };
    assert!(after == Some(Duration::from_secs(60)) && why.contains("s3:GetObject"), "{why}");
}

#[test]
fn wishes_are_headers_and_what_a_store_cannot_do_is_left_out() {
    let settings = S3::new()
        .storage_class("GLACIER_IR")
        .encryption("aws:kms")
        .kms_key("arn:aws:kms:x")
        .endpoint("http://h:9000");
    let mut backend =
        open(settings.conditional(false), &[("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")]);
    let batch = batch(backend.as_mut(), &[record(1, log("x"))]);
    let script = Arc::new(Script::default()).then(Ok(stored()));
    assert_eq!(backend.send(&batch, &mut script.net(NOW_S)), Verdict::Delivered);
    let (request, _) = script.asked().remove(0);
    let headers = request.headers();
    assert_eq!(headers["x-amz-storage-class"], "GLACIER_IR");
    assert_eq!(headers["x-amz-server-side-encryption"], "aws:kms");
    assert_eq!(headers["x-amz-server-side-encryption-aws-kms-key-id"], "arn:aws:kms:x");
    assert!(!headers.contains_key("if-none-match") && !headers.contains_key("x-amz-checksum-crc32"));
    assert!(
        request
            .uri()
            .to_string()
            .starts_with("http://h:9000/logs-of-ours/ops/signal%3Dlogs/service%3Dcheckout/")
    );
}

#[test]
fn the_bucket_stands_before_the_host_or_in_the_path() {
    let uri = |settings: S3, vars: &[(&str, &str)]| {
        let mut backend = open(settings, vars);
        let batch = batch(backend.as_mut(), &[record(1, log("x"))]);
        let script = Arc::new(Script::default()).then(Ok(stored()));
        backend.send(&batch, &mut script.net(NOW_S));
        let uri = script.asked().remove(0).0.uri().to_string();
        uri.split("/ops").next().unwrap().to_owned()
    };
    let table = [
        (S3::new(), vec![], "https://logs-of-ours.s3.us-east-1.amazonaws.com"),
        (S3::new().bucket("a.b"), vec![], "https://s3.us-east-1.amazonaws.com/a.b"),
        (S3::new(), vec![("OPS_S3_PATH_STYLE", "1")], "https://s3.us-east-1.amazonaws.com/logs-of-ours"),
        (
            S3::new(),
            vec![("AWS_ENDPOINT_URL_S3", "https://store.example")],
            "https://store.example/logs-of-ours",
        ),
        (
            S3::new().endpoint("https://store.example").path_style(false),
            vec![],
            "https://logs-of-ours.store.example",
        ),
    ];
    for (settings, vars, expected) in table {
        assert_eq!(uri(settings, &vars), expected);
    }
}

#[test]
fn settings_are_checked_at_open() {
    let told = |settings: S3, vars: &[(&str, &str)]| {
        let vars = [&KEYS[..], vars].concat();
        Box::new(settings).open(&context(&vars)).map(|_| ()).unwrap_err().to_string()
    };
    let table: [(S3, &[(&str, &str)], &str); 14] = [
        (S3::new().bucket("a b"), &[], "OPS_S3_BUCKET"),
        (S3::new().bucket(".."), &[], "OPS_S3_BUCKET"),
        (S3::new().bucket("arn:aws:s3:::x"), &[], "OPS_S3_BUCKET"),
        (S3::new().prefix("a/../b"), &[], "OPS_S3_PREFIX"),
        (S3::new().prefix("a\r\nb"), &[], "OPS_S3_PREFIX"),
        (S3::new().object_bytes_max(1), &[], "OPS_S3_OBJECT_BYTES_MAX"),
        (S3::new(), &[("OPS_S3_OBJECT_BYTES_MAX", "much")], "OPS_S3_OBJECT_BYTES_MAX"),
        (S3::new(), &[("OPS_S3_LINGER_S", "-1")], "OPS_S3_LINGER_S"),
        (S3::new(), &[("OPS_S3_COMPRESSION", "zip")], "OPS_S3_COMPRESSION"),
        (S3::new(), &[("OPS_S3_CONDITIONAL", "maybe")], "OPS_S3_CONDITIONAL"),
        (S3::new().storage_class("A\r\nB: c"), &[], "OPS_S3_STORAGE_CLASS"),
        (S3::new().kms_key("a b"), &[], "OPS_S3_KMS_KEY"),
        (S3::new().endpoint("nowhere"), &[], ".endpoint(..)"),
        (S3::new().region("no where"), &[], ".region(..)"),
    ];
    for (settings, vars, setting) in table {
        let error = told(settings, vars);
        assert!(error.starts_with(setting) && !error.contains("hidden"), "{error}");
    }
    let none = Box::new(S3::new()).open(&context(&KEYS[..4])).map(|_| ()).unwrap_err().to_string();
    assert!(none.starts_with("OPS_S3_BUCKET: no bucket is set; set it"), "{none}");
    let backend = open(S3::new().prefix("/").linger(Duration::from_secs(5)), &[]);
    assert_eq!(backend.pacing().linger, Duration::from_secs(5));
    assert!(Signal::ALL.into_iter().all(|signal| backend.accepts(signal)));
}
