//! What servers answer, and what stands in AWS's files.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::{self, Backend, Context, Verdict};
use crate::chunk::{Batch, Items};
use crate::clock::Now;
use crate::limits::PushLimit;
use crate::model::{Body, Level, Log, Metric, Points, Record, RecordId, Resolution, Unit};
use crate::net::aws::{Client, Service, Settings};
use crate::net::{Bounds, Exchange, Net, Request, Response, Transport, Var, parse_http_date};

const NOW: Now = Now { unix_ns: 1_795_332_268_000_000_000, mono_ns: 1 };

/// Any answer of a server to each backend: the verdict names only items that were sent, and a push of one item is never
/// to be halved for good. The first two bytes are the status; the first lines are headers, up to an empty one.
///
/// # Panics
///
/// If a verdict is none.
pub fn fuzz_answer(data: &[u8]) {
    let Some((status, rest)) = data.split_first_chunk::<2>() else { return };
    let status = 200 + u16::from_le_bytes(*status) % 400;
    let (headers, body) = match rest.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&rest[..at], &rest[at + 2..]),
        None => (&rest[..0], rest),
    };
    let mut answer = Response { status, body: body.to_vec(), ..Response::default() };
    for line in String::from_utf8_lossy(headers).lines() {
        let Some((name, value)) = line.split_once(':') else { continue };
        let name = http::HeaderName::from_bytes(name.trim().as_bytes());
        let value = http::HeaderValue::from_str(value.trim());
        if let (Ok(name), Ok(value)) = (name, value) {
            let _ = parse_http_date(value.to_str().unwrap_or_default());
            answer.headers.insert(name, value);
        }
    }
    for name in ["cloudwatch", "cloudwatch-logs", "emf"] {
        for items in [1, 3] {
            judge(name, items, answer.clone());
        }
    }
}

fn judge(name: &str, items: usize, answer: Response) {
    let var = |asked: &str| {
        let vars = [
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("OPS_EMF_TARGET", "logs"),
        ];
        vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
    };
    let context = Context {
        namespace: "Fuzz".to_owned(),
        dimensions: Vec::new(),
        process: 1,
        host: "host".to_owned(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::default(),
        var: Arc::new(var),
    };
    let Some(configured) = backend::by_name(name) else { return };
    let Ok(mut open) = configured.open(&context) else { panic!("{name} opens") };
    let batch = batch(open.as_mut(), items);
    let verdict = open.send(&batch, &mut Net::over(NOW, Arc::new(Always(answer))));
    if let Verdict::Partial { failed, refused } = verdict {
        let named = failed.iter().chain(refused.iter().map(|(index, _)| index));
        assert!(named.copied().all(|index| index < batch.len()), "{name}: only what was sent is named");
    }
}

fn batch(backend: &mut dyn Backend, records: usize) -> Batch {
    let mut items = Items::new();
    for (seq, place) in (1..).zip(0..u32::try_from(records).unwrap_or(1)) {
        let id = RecordId { process: 1, seq };
        items.begin(id, NOW.unix_ns / 1_000_000, place);
        let body = [log(), metric()]
            .into_iter()
            .find(|body| backend.accepts(Record { id, time_ns: NOW.unix_ns, body: body.clone() }.signal()));
        let record = Record { id, time_ns: NOW.unix_ns, body: body.unwrap_or_else(log) };
        let encoded = backend.encode(&record, &mut items);
        assert!(encoded.is_ok(), "plain records are expressible: {encoded:?}");
    }
    items.into_batch()
}

fn log() -> Body<'static> {
    Body::Log(Log {
        level: Level::Info,
        target: "fuzz".into(),
        message: "message".into(),
        file: "fuzz.rs".into(),
        line: 1,
        fields: Vec::new(),
    })
}

fn metric() -> Body<'static> {
    Body::Metric(Metric {
        name: "fuzz".into(),
        unit: Unit::Count,
        resolution: Resolution::Standard,
        window_ms: 60_000,
        dimensions: Vec::new(),
        points: Points::Counter { sum: 1 },
    })
}

/// Gives the same answer to whatever is asked.
pub(super) struct Always(pub(super) Response);

impl Transport for Always {
    fn exchange(&self, _: Request, _: Bounds) -> Exchange {
        Exchange { outcome: Ok(self.0.clone()), elapsed: Duration::from_millis(1) }
    }

    fn hang_up(&self) {}
}

/// AWS's shared files, the config and the credentials with a zero byte between them: any bytes open a client or are an
/// error that can be said.
///
/// # Panics
///
/// If they are neither.
pub fn fuzz_aws_files(data: &[u8]) {
    const SERVICE: Service = Service {
        signing_name: "logs",
        host_prefix: "logs",
        variable: "CLOUDWATCH_LOGS",
        gov_dualstack_is_fips: false,
    };
    let mut files = data.splitn(2, |byte| *byte == 0);
    let folder = super::disk::folder();
    let write = |name: &str, bytes: &[u8]| -> PathBuf {
        let path = folder.path().join(name);
        let _ = std::fs::write(&path, bytes); // a file that is not there is an empty one
        path
    };
    let config = write("config", files.next().unwrap_or_default());
    let credentials = write("credentials", files.next().unwrap_or_default());
    let var: Var = Arc::new(move |asked| match asked {
        "AWS_CONFIG_FILE" => Some(config.display().to_string()),
        "AWS_SHARED_CREDENTIALS_FILE" => Some(credentials.display().to_string()),
        "AWS_EC2_METADATA_DISABLED" => Some("true".to_owned()),
        _ => None,
    });
    match Client::open(SERVICE, &Settings::default(), &var) {
        Ok(client) => assert!(!client.region().is_empty(), "a client signs for a region"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
