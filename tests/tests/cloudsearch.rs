//! CloudSearch's backend against a fake that answers as the documentation says (nobody emulates the service), and its
//! requests against those that botocore makes of its own model of the service.

use std::collections::BTreeMap;

use ops_sdk::ledger::Row;
use ops_sdk::model::Signal;
use ops_sdk::prelude::*;
use ops_sdk::{Builder, Ops};
use ops_tests::cloud::{init, keys};
use ops_tests::rig::{Fault, Proxy, Recorded, python, python_lines};
use ops_tests::{SOON, assert_balanced, turn};
use serde_json::{Value, json};

/// A fake that takes everything that it is not scripted to refuse.
fn fake() -> Proxy {
    let proxy = Proxy::start("http://127.0.0.1:1");
    proxy.otherwise(Fault::answer(200, r#"{"status":"success","adds":1,"deletes":0}"#));
    proxy
}

fn program(proxy: &Proxy) -> Builder {
    let mut vars = keys();
    vars.push(("OPS_BACKENDS", "cloudsearch".to_owned()));
    vars.push(("OPS_CLOUDSEARCH_ENDPOINT", proxy.url()));
    init(vars).dimension("Service", "checkout")
}

fn logs(ops: &Ops) -> Row {
    let rows = ops.stats().books.remove(0).rows;
    rows.into_iter().find(|row| row.signal == Signal::Log).expect("logs are taken")
}

/// What a domain holds after these requests: documents by id, the last one of each.
fn domain(requests: &[Recorded]) -> BTreeMap<String, Value> {
    let taken = requests.iter().filter(|request| request.status == Some(200));
    let operations = taken.flat_map(|request| request.json().as_array().cloned().expect("a batch"));
    let add = |mut operation: Value| {
        assert_eq!(operation["type"], "add");
        (operation["id"].as_str().expect("an id").to_owned(), operation["fields"].take())
    };
    operations.map(add).collect()
}

#[test]
fn events_are_documents_of_the_domain_in_one_batch_signed_as_botocore_does() {
    let _turn = turn();
    let proxy = fake();
    let ops = program(&proxy).start().expect("recording starts");
    (0..300_u32).for_each(|n| info!("event {n}", n, order.id = n, ratio = 0.5));
    counter!("not.its.business", 1);
    let full = r#"{"__type":"DocumentServiceException","status":"error","message":"full"}"#;
    proxy.script([Fault::answer(507, full)]);
    let report = ops.flush(SOON);
    assert!(report.complete, "{report:?}");
    assert_balanced(&ops.stats());
    assert_eq!((logs(&ops).delivered, logs(&ops).dropped_total()), (300, 0));
    drop(ops);
    let requests = proxy.requests();
    let statuses: Vec<_> = requests.iter().filter_map(|request| request.status).collect();
    assert_eq!(statuses, [507, 200], "one batch, however many events, and once more");
    let documents = domain(&requests);
    assert_eq!(documents.len(), 300);
    let mut numbers: Vec<_> = documents.values().filter_map(|fields| fields["n_i"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..300).collect::<Vec<_>>());
    let first = documents.values().find(|fields| fields["n_i"] == 0).expect("the first");
    assert_eq!(
        (&first["message"], &first["order_id_i"], &first["ratio_d"]),
        (&json!("event 0"), &json!(0), &json!(0.5))
    );
    assert_eq!((&first["service_s"], &first["level"]), (&json!("checkout"), &json!("INFO")));
    is_as_botocore_has_it(&requests[1]);
}

/// Method, path, content type and body as botocore sends them, and the signature as it computes it.
fn is_as_botocore_has_it(ours: &Recorded) {
    let proxy = fake();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &ours.raw_body).expect("written");
    let path = file.path().to_str().expect("UTF-8");
    assert_eq!(python("upload.py", &[&proxy.url(), path]).trim(), "success");
    let theirs = proxy.requests().remove(0);
    assert_eq!((&ours.method, &ours.path), (&theirs.method, &theirs.path));
    assert_eq!(ours.header("content-type"), theirs.header("content-type"));
    assert_eq!(ours.raw_body, theirs.raw_body);
    let body: String = ours.raw_body.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = json!({ "method": ours.method, "path": ours.path, "headers": ours.headers, "body": body });
    std::fs::write(file.path(), format!("{line}\n")).expect("written");
    let judged: Vec<Value> = python_lines("signatures.py", &[path]);
    assert_eq!((&judged[0]["service"], &judged[0]["signed"]), (&json!("cloudsearch"), &json!(true)));
}
