//! S3, end to end: what is recorded lies in a bucket as boto3 and s3s-fs have it, once, whatever is done to the requests
//! and to the process that sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ops_sdk::backend::{self, Backend, Compression, Context, S3, Verdict};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Audit, Body, Check, CheckStatus, Config, Level, Log, Record, RecordId};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_tests::rig::{Fault, Moto, Object, Proxy, S3S_KEYS, S3s};
use ops_tests::{SOON, assert_balanced, cloud, turn};
use serde_json::Value;

/// 2026-11-22T07:24:28Z.
const NOW_S: u64 = 1_795_332_268;

/// A bucket of moto's that no other test has, made.
fn bucket(name: &str) -> String {
    cloud::moto().make_bucket(name);
    name.to_owned()
}

fn vars(endpoint: &str, bucket: &str) -> Vec<(&'static str, String)> {
    let mut vars = cloud::keys();
    vars.extend([
        ("AWS_ENDPOINT_URL_S3", endpoint.to_owned()),
        ("OPS_BACKENDS", "s3".to_owned()),
        ("OPS_S3_BUCKET", bucket.to_owned()),
        ("OPS_S3_LINGER_S", "0".to_owned()),
    ]);
    vars
}

/// The value of a partition's key in an object's key.
fn part<'k>(key: &'k str, name: &str) -> &'k str {
    let found = key.split('/').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {key}"))
}

fn record_some() {
    for n in 0..500u64 {
        counter!("orders", 2, "Region" => if n.is_multiple_of(2) { "eu" } else { "us" });
        histogram!("payload", (n % 100) as f64, unit = Bytes);
        info!("event {n}", n = n, text = "quotes \" and\nlines");
    }
    gauge!("depth", 7.5);
}

#[test]
fn what_is_recorded_lies_in_the_bucket_by_kind_service_and_hour() {
    for (name, compression) in [("gzip", "gzip"), ("zstd", "zstd"), ("plain", "none")] {
        let _turn = turn();
        let bucket = bucket(&format!("kinds-{name}"));
        let mut vars = vars(&cloud::moto().url(), &bucket);
        vars.extend([
            ("OPS_S3_COMPRESSION", compression.to_owned()),
            ("OPS_S3_STORAGE_CLASS", "STANDARD_IA".to_owned()),
        ]);
        let ops = cloud::init(vars).dimension("Service", "check/out").start().expect("recording starts");
        record_some();
        assert!(ops.flush(SOON).complete);
        assert_balanced(&ops.stats());
        drop(ops);
        let objects = cloud::moto().objects(&bucket);
        judge_objects(&objects);
        assert!(objects.iter().all(|object| object.storage_class == "STANDARD_IA"));
    }
}

fn judge_objects(objects: &[Object]) {
    let mut lines: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for object in objects {
        assert_eq!(object.content_type, "application/x-ndjson");
        assert_eq!(object.metadata["ops-ids"].len(), 16);
        assert_eq!(part(&object.key, "service"), "check%2Fout");
        let hour = format!("{}T{}", part(&object.key, "dt"), part(&object.key, "hour"));
        for line in object.lines() {
            assert!(line["time"].as_str().expect("a time").starts_with(&hour), "{line} in {}", object.key);
            lines.entry(part(&object.key, "signal")).or_default().push(line);
        }
    }
    assert_eq!(lines.keys().copied().collect::<Vec<_>>(), ["logs", "metrics"]);
    let events: BTreeSet<u64> = lines["logs"].iter().filter_map(|line| line["n"].as_u64()).collect();
    assert_eq!((events.len(), lines["logs"].len()), (500, 500), "each event once");
    let texts = lines["logs"].iter().filter(|line| line["text"] == "quotes \" and\nlines").count();
    assert_eq!(texts, 500);
    let of = |name: &str| lines["metrics"].iter().filter(|line| line["name"] == name).collect::<Vec<_>>();
    let sum =
        |name: &str, member: &str| of(name).iter().filter_map(|line| line[member].as_f64()).sum::<f64>();
    assert_eq!((sum("orders", "sum"), sum("payload", "count")), (1000.0, 500.0));
    assert_eq!(sum("payload", "sum"), (0..500).map(|n| f64::from(n % 100)).sum::<f64>());
    assert_eq!(of("depth")[0]["last"], 7.5);
    assert!(of("orders").iter().all(|line| line["dimensions"]["Region"].is_string()));
}

#[test]
fn faults_lose_nothing_and_double_nothing() {
    let _turn = turn();
    let bucket = bucket("faults");
    let proxy = Proxy::start(&cloud::moto().url());
    let xml = |code: &str| format!("<Error><Code>{code}</Code><Message>scripted</Message></Error>");
    let ops = cloud::init(vars(&proxy.url(), &bucket)).start().expect("recording starts");
    let faults = [
        Fault::answer(503, &xml("SlowDown")),
        Fault::CutUnsent,
        Fault::CutAnswer,
        Fault::HalfAnswer,
        Fault::answer(500, &xml("InternalError")),
        Fault::answer(409, &xml("ConditionalRequestConflict")),
        Fault::answer(429, ""),
        Fault::answer(400, &xml("RequestTimeout")),
        Fault::CutUnread,
    ];
    for (n, fault) in (0u64..).zip(faults) {
        proxy.script([fault]);
        (0..20).for_each(|m| info!("event", n = n * 20 + m));
        counter!("events", 20);
        assert!(ops.flush(SOON).complete);
    }
    assert_eq!(proxy.steps_left(), 0);
    assert_balanced(&ops.stats());
    drop(ops);
    assert_eq!(numbers(&bucket), (0..180).collect::<Vec<_>>());
    let told = proxy.requests().iter().filter(|request| request.status == Some(412)).count();
    assert!(told >= 2, "what was taken and not answered is refused the second time: {told}");
}

#[test]
fn what_waits_together_is_one_object() {
    const EVENTS: u64 = 30_000;
    let _turn = turn();
    let bucket = bucket("large");
    let mut vars = vars(&cloud::moto().url(), &bucket);
    vars.retain(|(name, _)| *name != "OPS_S3_LINGER_S");
    let ops = cloud::init(vars).start().expect("recording starts");
    for n in 0..EVENTS {
        info!("event", n = n, text = "some text that is as long as texts are");
        if n % 1_000 == 999 {
            std::thread::sleep(Duration::from_millis(5)); // as fast as rings and queue hold it
        }
    }
    assert!(ops.flush(SOON).complete);
    assert_balanced(&ops.stats());
    drop(ops);
    let objects = cloud::moto().objects(&bucket);
    let logs: Vec<_> = objects.iter().filter(|object| part(&object.key, "signal") == "logs").collect();
    let lines: Vec<usize> = logs.iter().map(|object| object.lines().len()).collect();
    assert_eq!(lines.iter().sum::<usize>() as u64, EVENTS);
    assert!(lines.len() <= 2, "one, or two where an hour begins: {lines:?}");
}

/// The numbers of the events in a bucket, in order.
fn numbers(bucket: &str) -> Vec<u64> {
    let objects = cloud::moto().objects(bucket);
    let lines = objects.iter().flat_map(Object::lines);
    let mut numbers: Vec<u64> = lines.filter_map(|line| line["n"].as_u64()).collect();
    numbers.sort_unstable();
    numbers
}

/// Opened by hand, with keys and a region.
fn opened(settings: Box<dyn backend::Configure>, vars: Vec<(&'static str, String)>) -> Box<dyn Backend> {
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    let context = Context {
        name: None,
        namespace: "Shop".into(),
        dimensions: vec![("Service".into(), "checkout".into())],
        process: 7,
        host: "h1".into(),
        state_dir: None,
        push_limit: PushLimit::default(),
        var: std::sync::Arc::new(var),
    };
    settings.open(&context).expect("good settings")
}

fn send(backend: &mut dyn Backend, records: &[Record<'_>]) -> Vec<Verdict> {
    let mut items = Items::new();
    for (place, record) in (0..).zip(records) {
        items.begin(record.id, record.time_ms(), place);
        backend.encode(record, &mut items).expect("encoded");
    }
    let chunked = chunk(&items, &backend.limits().under(PushLimit::default()), NOW_S * 1_000);
    assert!(chunked.refused.is_empty());
    let mut net = Net::new(Now::read());
    let mut sent = |batch| {
        net.begin(Now::read(), Duration::from_secs(30));
        backend.send(batch, &mut net)
    };
    chunked.batches.iter().map(&mut sent).collect()
}

fn record(seq: u64, body: Body<'_>) -> Record<'_> {
    Record { id: RecordId { process: 7, seq }, time_ns: NOW_S * 1_000_000_000 + seq, body }
}

fn log(message: String) -> Body<'static> {
    Body::Log(Log {
        level: Level::Info,
        target: "shop".into(),
        message: message.into(),
        file: "src/x.rs".into(),
        line: 7,
        fields: Vec::new(),
    })
}

fn others() -> [Body<'static>; 3] {
    let audit = Audit {
        actor: "anna".into(),
        action: "order.cancel".into(),
        resource: "order/7".into(),
        outcome: "ok".into(),
        fields: Vec::new(),
    };
    let config =
        Config { resource_type: "Shop::Api".into(), resource_id: "api-1".into(), fields: Vec::new() };
    let check = Check {
        name: "disk".into(),
        status: CheckStatus::Critical,
        output: "full".into(),
        fields: Vec::new(),
    };
    [Body::Audit(audit), Body::Config(config), Body::Check(check)]
}

#[test]
fn audit_configuration_and_checks_have_folders_of_their_own() {
    let bucket = bucket("others");
    let settings = backend::by_name("s3").expect("it is compiled in");
    let mut backend = opened(settings, vars(&cloud::moto().url(), &bucket));
    let records: Vec<_> = (1..).zip(others()).map(|(seq, body)| record(seq, body)).collect();
    assert_eq!(send(backend.as_mut(), &records), [Verdict::Delivered]);
    let objects = cloud::moto().objects(&bucket);
    let found: Vec<_> =
        objects.iter().map(|object| (part(&object.key, "signal"), object.lines().remove(0))).collect();
    let of = |signal: &str| &found.iter().find(|(own, _)| *own == signal).expect("an object").1;
    assert_eq!(of("audit")["actor"], "anna");
    assert_eq!(of("config")["resource_id"], "api-1");
    assert_eq!((&of("checks")["status"], &of("checks")["output"]), (&"critical".into(), &"full".into()));
    assert!(objects.iter().all(|object| object.key.starts_with("ops/signal=")));
    assert!(objects.iter().all(|object| object.key.contains("/service=checkout/dt=2026-11-22/hour=07/h1-")));
}

#[test]
fn a_strict_store_takes_signatures_checksums_conditions_and_parts() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = S3s::start(dir.path(), "strict");
    let mut vars = vars(&store.url(), "strict");
    vars.extend([
        ("AWS_ACCESS_KEY_ID", S3S_KEYS.0.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", S3S_KEYS.1.to_owned()),
    ]);
    vars.reverse(); // the last said counts
    // Keys with everything that has to be escaped.
    let settings = || Box::new(S3::new().prefix("a b/é=+").service("x/y:z%").compression(Compression::Zstd));
    let records: Vec<_> = (1..4).map(|seq| record(seq, log(format!("line {seq}")))).collect();
    let mut backend = opened(settings(), vars.clone());
    assert_eq!(send(backend.as_mut(), &records), [Verdict::Delivered]);
    let objects = store.objects("strict");
    assert_eq!((objects.len(), objects[0].1.len()), (1, 3));
    assert!(objects[0].0.starts_with("a b/é=+/signal=logs/service=x%2Fy%3Az%25/"), "{}", objects[0].0);
    // The same again, by a process that knows nothing of the first: the store has it already.
    let mut again = opened(settings(), vars.clone());
    assert_eq!(send(again.as_mut(), &records), [Verdict::Delivered]);
    assert_eq!(store.objects("strict"), objects);

    let long: Vec<_> = (10..30).map(|seq| record(seq, log(noise(seq, 1 << 20)))).collect();
    let mut large = opened(Box::new(S3::new().compression(Compression::None).prefix("large")), vars.clone());
    assert_eq!(send(large.as_mut(), &long), [Verdict::Delivered], "20 MiB go in parts");
    let found = store.objects("strict");
    let (_, lines) = found.iter().find(|(key, _)| key.starts_with("large/")).expect("an object");
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().zip(10..).all(|(line, seq)| line["message"] == noise(seq, 1 << 20)));

    // Keys that are wrong are waited out.
    vars.insert(0, ("AWS_SECRET_ACCESS_KEY", "another".to_owned()));
    let mut wrong = opened(Box::new(S3::new()), vars);
    let verdicts = send(wrong.as_mut(), &records[..1]);
    assert!(
        matches!(&verdicts[..], [Verdict::Reauthenticate { why }] if !why.contains("another")),
        "{verdicts:?}"
    );
}

/// Letters that hardly anything compresses.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + (state >> 32) as u8 % 90)
    };
    std::iter::repeat_with(letter).take(bytes).collect()
}

#[test]
fn moto_takes_parts_and_puts_them_together() {
    let bucket = bucket("parts");
    let settings = Box::new(S3::new().compression(Compression::None));
    let mut backend = opened(settings, vars(&cloud::moto().url(), &bucket));
    let long: Vec<_> = (1..12).map(|seq| record(seq, log(noise(seq, 1 << 20)))).collect();
    assert_eq!(send(backend.as_mut(), &long), [Verdict::Delivered]);
    let objects = cloud::moto().objects(&bucket);
    assert_eq!(objects.len(), 1);
    let texts: Vec<_> = objects[0].lines().iter().map(|line| line["message"].clone()).collect();
    assert!(texts.iter().zip(1..).all(|(text, seq)| *text == noise(seq, 1 << 20)) && texts.len() == 11);
}

/// Starts a program that records events from this number on until it is killed.
fn program(dir: &Path, endpoint: &str, bucket: &str, words: &[String]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    program.args(words).env("OPS_STATE_DIR", dir).env("OPS_SHUTDOWN_DEADLINE_MS", "60000");
    program.env("OPS_SELF_METRICS", "off").envs(vars(endpoint, bucket));
    program.stdout(Stdio::piped()).stderr(Stdio::null());
    program
}

/// What a killed program had said that it had come to.
fn reached(child: Child) -> u64 {
    let said = child.wait_with_output().expect("it is gone").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let told = said.lines().filter_map(|line| line.strip_prefix("reached ")?.parse().ok());
    told.max().unwrap_or(0)
}

#[test]
fn a_process_that_is_killed_before_the_answer_doubles_nothing() {
    const ROUNDS: u64 = 30;
    const APART: u64 = 1_000_000;
    let (dir, bucket) = (tempfile::tempdir().expect("a directory"), bucket("killed"));
    let proxy = Proxy::start(&cloud::moto().url());
    let mut wanted = BTreeSet::new();
    for round in 0..ROUNDS {
        let from = round * APART;
        let seen = proxy.requests().len();
        proxy.script(Fault::Pass.times((round % 4) as usize));
        // Taken and not answered, or taken when its process is gone.
        proxy.script([if round % 3 == 2 {
            Fault::Delay(Duration::from_millis(150))
        } else {
            Fault::CutAnswer
        }]);
        let words = ["work".to_owned(), from.to_string()];
        let mut child = program(dir.path(), &proxy.url(), &bucket, &words).spawn().expect("it starts");
        let met = |requests: &[ops_tests::rig::Recorded]| {
            let own = requests.get(seen + (round % 4) as usize);
            own.is_some_and(|request| round % 3 == 2 || request.upstream_status.is_some())
        };
        assert!(proxy.wait_until(SOON, met), "round {round}");
        std::thread::sleep(Duration::from_millis(round * 7 % 40));
        child.kill().expect("SIGKILL");
        wanted.extend(from..reached(child));
    }
    // What was delayed is with the store before the last process asks.
    let began = Instant::now();
    while proxy.requests().iter().any(|request| request.status.is_none() && request.upstream_status.is_none())
    {
        assert!(began.elapsed() < SOON, "the proxy has passed everything on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let words = ["command", "999000000", "1"].map(String::from);
    let ended = program(dir.path(), &proxy.url(), &bucket, &words).status().expect("it runs");
    assert!(ended.success());
    wanted.insert(999_000_000);
    let found = numbers(&bucket);
    let distinct: BTreeSet<u64> = found.iter().copied().collect();
    assert_eq!(distinct.len(), found.len(), "nothing is there twice");
    assert!(wanted.is_subset(&distinct), "nothing is missing");
    let again = proxy.requests().iter().filter(|request| request.upstream_status == Some(412)).count();
    println!(
        "{ROUNDS} rounds, {} events, {} requests, {again} of them again",
        found.len(),
        proxy.requests().len()
    );
    assert!(again > 0, "some object was sent twice and refused once");
    let notes = std::fs::read_dir(dir.path().join("s3")).expect("a folder").next().expect("of the bucket");
    let left = std::fs::read_dir(notes.expect("an entry").path()).expect("notes").count();
    assert_eq!(left, 0, "notes go when nothing waits");
}

#[test]
fn a_key_may_have_anything_in_it() {
    let moto = Moto::start();
    moto.make_bucket("plain");
    let mut backend = opened(Box::new(S3::new().prefix("a b/(c)'!*~")), vars(&moto.url(), "plain"));
    assert_eq!(send(backend.as_mut(), &[record(1, log("x".to_owned()))]), [Verdict::Delivered]);
    assert!(moto.objects("plain")[0].key.starts_with("a b/(c)'!*~/signal=logs/"));
}
