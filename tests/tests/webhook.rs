//! Webhooks to a receiver that verifies them with Python's own `hmac`: signed, in order, told apart by their keys, and
//! kept through every kind of trouble.

use std::sync::Arc;
use std::time::Duration;

use ops_sdk::backend::{Backend, Context, Verdict, by_name};
use ops_sdk::chunk::{Batch, Items, chunk};
use ops_sdk::clock::Now;
use ops_sdk::limits::PushLimit;
use ops_sdk::model::{Body, Check, CheckStatus, Record, RecordId, Signal, Value as Field};
use ops_sdk::net::Net;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::cloud::init;
use ops_tests::rig::{Ca, Fault, Proxy, Received, Receiver};
use ops_tests::{SOON, assert_balanced, turn};

const SECRET: &str = "hush-hush-key";

fn vars(url: &str, more: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    let vars = [
        ("OPS_BACKENDS", "webhook"),
        ("OPS_NAMESPACE", "Shop"),
        ("OPS_WEBHOOK_URL", url),
        ("OPS_WEBHOOK_SECRET", SECRET),
    ];
    vars.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn builder(url: &str) -> Builder {
    init(vars(url, &[("OPS_WEBHOOK_ERRORS", "1")])).dimension("Service", "checkout").linger(SOON)
}

fn assert_delivered(ops: &Ops) {
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    let stats = ops.stats();
    assert_balanced(&stats);
    let rows: Vec<_> = stats.books.iter().flat_map(|book| &book.rows).collect();
    assert!(rows.iter().all(|row| row.dead_lettered == 0 && row.pending == 0), "{rows:?}");
}

fn outputs(received: &[Received]) -> Vec<&str> {
    received.iter().filter_map(|one| one.body["output"].as_str()).collect()
}

#[test]
fn over_https_a_private_authority_is_trusted_and_the_client_shows_who_it_is() {
    let _turn = turn();
    let (ca, stranger) = (Ca::new(), Ca::new());
    ca.sign("client");
    let receiver = Receiver::start_tls(SECRET, &ca);
    let file = |ca: &Ca, name: &str| ca.path(name).display().to_string();
    let (cert, key) = (file(&ca, "client.pem"), file(&ca, "client.key"));
    let (own, wrong) = (file(&ca, "ca.pem"), file(&stranger, "ca.pem"));
    let start = |text: &str, more: &[(&'static str, &str)], told: fn(Builder, &Ca) -> Builder| {
        let url = receiver.tls_url();
        let vars = vars(&url, &[&[("OPS_WEBHOOK_ERRORS", "1")], more].concat());
        let ops = told(init(vars).linger(SOON), &ca).shutdown_deadline(Duration::ZERO);
        let ops = ops.start().expect("recording starts");
        error!("{text}", text = text.to_owned());
        ops
    };
    let as_it_is: fn(Builder, &Ca) -> Builder = |builder, _| builder;
    let own_vars =
        [("OPS_WEBHOOK_HTTPS_CA", &*own), ("OPS_WEBHOOK_HTTPS_CERT", &cert), ("OPS_WEBHOOK_HTTPS_KEY", &key)];
    assert_delivered(&start("the backend's variables", &own_vars, as_it_is));
    let vars = [("OPS_HTTPS_CA", &*own), ("OPS_HTTPS_CERT", &cert), ("OPS_HTTPS_KEY", &key)];
    assert_delivered(&start("the process's variables", &vars, as_it_is));
    let told: fn(Builder, &Ca) -> Builder = |builder, ca| {
        builder.https_ca(ca.path("ca.pem")).https_client(ca.path("client.pem"), ca.path("client.key"))
    };
    assert_delivered(&start("the program, over the process's variables", &[("OPS_HTTPS_CA", &wrong)], told));
    let told: fn(Builder, &Ca) -> Builder = |builder, ca| builder.https_ca(ca.path("ca.pem"));
    let client = [("OPS_HTTPS_CA", &*wrong), ("OPS_HTTPS_CERT", &cert), ("OPS_HTTPS_KEY", &key)];
    assert_delivered(&start("the program's authority, the process's certificate", &client, told));
    for (text, vars) in [("nobody is trusted", &[][..]), ("shows nothing", &[("OPS_HTTPS_CA", &*own)])] {
        let ops = start(text, vars, as_it_is);
        assert!(!ops.flush(Duration::from_secs(2)).complete, "{text}");
    }
    let received = receiver.received();
    let texts: Vec<_> = received.iter().filter_map(|one| one.body["output"].as_str()).collect();
    let wanted = [
        "the backend's variables",
        "the process's variables",
        "the program, over the process's variables",
        "the program's authority, the process's certificate",
    ];
    assert_eq!(texts, wanted);
}

#[test]
fn errors_arrive_signed_and_the_rest_is_withheld() {
    let _turn = turn();
    let receiver = Receiver::start(SECRET);
    let ops = builder(&receiver.url()).start().expect("recording starts");
    info!("all is well");
    error!("it \"broke\"\nin two", order = 17, name = "ünï");
    error!("and again");
    assert_delivered(&ops);
    let stats = ops.stats();
    let row = stats.books[0].rows.iter().find(|row| row.signal == Signal::Log).expect("a row");
    assert_eq!(
        (row.recorded, row.delivered, row.withheld_total(), row.dropped_total()),
        (3, 2, 1, 0),
        "{row:?}"
    );
    drop(ops);
    let received = receiver.received();
    assert_eq!(outputs(&received), ["it \"broke\"\nin two", "and again"]);
    let body = &received[0].body;
    assert_eq!((&body["status"], &body["namespace"]), (&"CRITICAL".into(), &"Shop".into()));
    assert_eq!(body["fields"], serde_json::json!({ "order": 17, "name": "ünï" }));
    assert_eq!(body["dimensions"], serde_json::json!({ "Service": "checkout" }));
    assert_eq!(body["id"].as_str(), Some(received[0].key.as_str()));
    assert!(received.iter().all(|one| !one.repeated && one.method == "POST"));
}

#[test]
fn trouble_is_waited_out_and_order_is_kept() {
    let _turn = turn();
    let receiver = Receiver::start(SECRET);
    let proxy = Proxy::start(&receiver.url());
    let ops = builder(&proxy.url()).start().expect("recording starts");
    proxy.script([
        Fault::answer(500, "oops"),
        Fault::CutUnsent,
        Fault::Pass,
        Fault::answer(429, "rate_limited").with("Retry-After", "1"),
        Fault::CutUnread,
        Fault::answer(503, ""),
    ]);
    (0..5).for_each(|n| error!("event {n}"));
    assert_delivered(&ops);
    drop(ops);
    assert_eq!(proxy.steps_left(), 0, "every fault was met");
    assert_eq!(outputs(&receiver.received()), ["event 0", "event 1", "event 2", "event 3", "event 4"]);
}

#[test]
fn an_answer_that_is_lost_leads_to_a_repetition_that_its_key_tells() {
    let _turn = turn();
    let receiver = Receiver::start(SECRET);
    let proxy = Proxy::start(&receiver.url());
    let ops = builder(&proxy.url()).start().expect("recording starts");
    proxy.script([Fault::CutAnswer]);
    error!("once");
    assert_delivered(&ops);
    drop(ops);
    let received = receiver.received();
    let repeated: Vec<bool> = received.iter().map(|one| one.repeated).collect();
    assert_eq!((repeated, received[0].key == received[1].key), (vec![false, true], true));
}

#[test]
fn another_key_waits_for_the_operator() {
    let _turn = turn();
    let receiver = Receiver::start("another");
    let proxy = Proxy::start(&receiver.url());
    let dir = tempfile::tempdir().expect("a directory");
    let ops = builder(&proxy.url()).state_dir(dir.path()).start().expect("recording starts");
    error!("waits");
    assert!(!ops.flush(Duration::from_millis(300)).complete);
    assert!(proxy.wait_until(SOON, |requests| requests.iter().any(|request| request.status.is_some())));
    let stats = ops.stats();
    assert_balanced(&stats);
    let row = stats.books[0].rows.iter().find(|row| row.signal == Signal::Log).expect("a row");
    assert_eq!((row.pending, row.dead_lettered, row.dropped_total()), (1, 0, 0), "{row:?}");
    drop(ops);
    assert_eq!(receiver.received(), []);
}

fn open(url: &str, more: &[(&'static str, &str)]) -> Box<dyn Backend> {
    let vars = vars(url, more);
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    let context = Context {
        namespace: "Shop".to_owned(),
        dimensions: vec![("Service".to_owned(), "checkout".to_owned())],
        process: 1,
        host: "h1".to_owned(),
        name: None,
        state_dir: None,
        push_limit: PushLimit::default(),
        var: Arc::new(var),
    };
    by_name("webhook").expect("it is compiled in").open(&context).expect("it opens")
}

/// Check records have no macro yet: straight through the seam.
fn batches(backend: &mut dyn Backend, now: Now) -> Vec<Batch> {
    let mut items = Items::new();
    let statuses = [CheckStatus::Critical, CheckStatus::Ok];
    for (status, seq) in statuses.into_iter().zip(1..) {
        let fields = vec![("used".into(), Field::F64(0.8))];
        let output = "80 % of \"C\"\r\n<!channel>".into();
        let body = Body::Check(Check { name: "disk".into(), status, output, fields });
        let id = RecordId { process: 1, seq };
        items.begin(id, now.unix_ms(), 0);
        backend.encode(&Record { id, time_ns: now.unix_ns, body }, &mut items).expect("a check");
    }
    chunk(&items, &backend.limits().under(PushLimit::default()), now.unix_ms()).batches
}

#[test]
fn checks_arrive_one_by_one_or_together_by_whichever_template() {
    let receiver = Receiver::start(SECRET);
    let template = r#"{"on":"{host}","what":[{name},{code},{fields}],"said":"{output|slack}"}"#;
    let settings: [&[(&'static str, &str)]; 3] = [
        &[("OPS_WEBHOOK_TEMPLATE", "slack"), ("OPS_WEBHOOK_METHOD", "PUT")],
        &[("OPS_WEBHOOK_TEMPLATE", template)],
        &[("OPS_WEBHOOK_ITEMS", "10"), ("OPS_WEBHOOK_TEMPLATE", r#""{status} {name}""#)],
    ];
    let now = Now::read();
    for more in settings {
        let mut backend = open(&receiver.url(), more);
        for batch in batches(&mut *backend, now) {
            assert_eq!(backend.send(&batch, &mut Net::new(now)), Verdict::Delivered);
        }
    }
    let received = receiver.received();
    let methods: Vec<&str> = received.iter().map(|one| one.method.as_str()).collect();
    assert_eq!(methods, ["PUT", "PUT", "POST", "POST", "POST"]);
    let said = "80 % of \"C\"\r\n&lt;!channel&gt;";
    assert_eq!(received[0].body["text"], format!("*CRITICAL* disk on h1 (Shop): {said}"));
    assert_eq!(received[1].body["text"], format!("*OK* disk on h1 (Shop): {said}"));
    let what = serde_json::json!(["disk", 2, { "used": 0.8 }]);
    assert_eq!(received[2].body, serde_json::json!({ "on": "h1", "what": what, "said": said }));
    assert_eq!(received[4].body, serde_json::json!(["CRITICAL disk", "OK disk"]));
    assert_eq!(received[4].key, "0000000000000001-1+1");
}
