//! The backends of ops-sdk, through their seam: a record in, items out, as the ship thread has it, which tells records of one
//! site from others. Where the AWS SDK stands beside them, the way on to a signed request as well, to a client that answers
//! at once.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use ops_sdk::backend::{Backend, Context, Verdict, by_name, known};
use ops_sdk::chunk::{Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::encode::json;
use ops_sdk::fuzzing::{alike, answered};
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Points, Record, Signal};
use ops_sdk::net::PUSH_TIMEOUT;

use super::{BURST, Case, records};

/// The number of the site that all events are of.
const SITE: u64 = 1;

/// Settings under which every backend opens without a network; nothing is sent.
const VARS: &[(&str, &str)] = &[
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "none"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("OPS_CLOUDSEARCH_ENDPOINT", "https://doc-shop-x.eu-central-1.cloudsearch.amazonaws.com"),
    ("OPS_ELASTICSEARCH_URL", "http://127.0.0.1:9200"),
    ("DD_API_KEY", "none"),
    ("OPS_FILE_PATH", "target/bench/encode.jsonl"),
    ("OPS_FIREHOSE_STREAM", "ops"),
    ("OPS_KINESIS_STREAM", "ops"),
    ("MACKEREL_APIKEY", "none"),
    ("OPS_MACKEREL_HOST_ID", "2u4PP3TJqbu"),
    ("OPS_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
    ("OPS_PROMETHEUS_REMOTE_WRITE", "http://127.0.0.1:9090/api/v1/write"),
    ("OPS_S3_BUCKET", "ops"),
    ("OPS_SENSU_API", "agent"),
    ("OPS_SPLUNK_URL", "http://127.0.0.1:8088"),
    ("OPS_SPLUNK_TOKEN", "none"),
    ("OPS_SYSLOG_ADDRESS", "udp://127.0.0.1:514"),
    ("OPS_WEBHOOK_URL", "http://127.0.0.1:9"),
    ("OPS_WEBHOOK_ERRORS", "1"),
];

pub fn cases() -> Vec<Case> {
    let compiled = known().iter().filter(|(_, compiled)| *compiled).map(|(name, _)| *name);
    let mut cases: Vec<Case> = compiled.flat_map(of_backend).collect();
    cases.push(alone());
    cases.extend(pushed("event", "cloudwatch-logs", records::events(BURST)));
    cases.extend(pushed("gauge", "cloudwatch", records::metrics(BURST, records::gauge)));
    cases
}

fn of_backend(name: &'static str) -> Vec<Case> {
    let kinds: [(&'static str, Signal, Option<fn(u64) -> Points>); 3] = [
        ("event", Signal::Log, None),
        ("gauge", Signal::Metric, Some(records::gauge)),
        ("histogram of 10", Signal::Metric, Some(records::histogram)),
    ];
    let mut cases = Vec::new();
    for (what, signal, points) in kinds {
        match open(name) {
            Ok(backend) if backend.accepts(signal) => cases.push(case(what, name, backend, points)),
            Ok(_) => {}
            Err(why) => {
                eprintln!("{name} is not measured: {why}");
                break;
            }
        }
    }
    cases
}

fn case(
    what: &'static str,
    name: &str,
    mut backend: Box<dyn Backend>,
    points: Option<fn(u64) -> Points>,
) -> Case {
    let records = points.map_or_else(|| records::events(BURST), |points| records::metrics(BURST, points));
    let mut items = Items::new();
    let burst = move || {
        let well = encode_all(&mut *backend, &records, &mut items);
        (items.bytes(), well && items.len() >= BURST && items.iter().all(|(_, bytes)| !bytes.is_empty()))
    };
    Case { what, name: format!("ops-sdk {name}"), burst: Box::new(burst) }
}

fn encode_all(backend: &mut dyn Backend, records: &[Record<'_>], items: &mut Items) -> bool {
    items.clear();
    let mut each = |(at, record): (usize, &Record<'_>)| {
        items.begin(record.id, record.time_ms(), u32::try_from(at).unwrap_or(0));
        alike(record, SITE, || backend.encode(black_box(record), items)).is_ok()
    };
    records.iter().enumerate().all(&mut each)
}

/// The line that most JSON backends send, of an event that is the only one of its site.
fn alone() -> Case {
    let (records, context) = (records::events(BURST), [("Service".to_owned(), "checkout".to_owned())]);
    let mut out = Vec::new();
    let burst = move || {
        out.clear();
        records.iter().for_each(|record| json::line(&mut out, black_box(record), &context));
        (out.len(), out.starts_with(b"{\"time\""))
    };
    Case { what: "event", name: "ops-sdk, each the only one of its site".to_owned(), burst: Box::new(burst) }
}

/// Encoded, cut into pushes of the vendor's size, made a body, compressed where that is due, and signed.
fn pushed(what: &'static str, name: &str, records: Vec<Record<'static>>) -> Option<Case> {
    let mut backend = open(name).ok()?;
    let (limits, mut items, mut net) = (backend.limits(), Items::new(), answered());
    let burst = move || {
        let encoded = encode_all(&mut *backend, &records, &mut items);
        let chunked = chunk(&items, &limits, records::now_ns() / 1_000_000);
        net.begin(Now::read(), PUSH_TIMEOUT);
        let is_sent = |batch| backend.send(batch, &mut net) == Verdict::Delivered;
        let sent = chunked.batches.iter().all(is_sent) && chunked.refused.is_empty();
        (usize::try_from(net.wire_bytes()).unwrap_or(0), encoded && sent)
    };
    Some(Case { what, name: format!("ops-sdk {name}, built and sent"), burst: Box::new(burst) })
}

fn open(name: &str) -> Result<Box<dyn Backend>, String> {
    let settings = by_name(name).ok_or("it is not compiled in")?;
    let dir = format!("target/bench/encode-{}", std::process::id());
    std::fs::create_dir_all(&dir).map_err(|error| error.to_string())?;
    let path = Path::new(&dir).to_owned();
    let store = path.join("store.db").display().to_string();
    let var = move |name: &str| match name {
        "OPS_LOCAL_PATH" => Some(store.clone()),
        _ => VARS.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
    };
    let context = Context {
        namespace: "Shop".into(),
        dimensions: vec![("Service".into(), "checkout".into())],
        process: 1,
        host: "host-1".into(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::Vendor,
        var: Arc::new(var),
    };
    settings.open(&context).map_err(|error| error.to_string())
}
