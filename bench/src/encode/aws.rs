//! The AWS SDK for Rust over the same data: building its types, and sending them to a client that answers at once, so that
//! what is measured is its serialiser, its signature and, for metrics, its gzip.

use aws_sdk_cloudwatch as cloudwatch;
use aws_sdk_cloudwatchlogs as logs;
use aws_smithy_http_client::test_util::infallible_client_fn;
use aws_smithy_types::body::SdkBody;
use ops_sdk::encode::json;
use ops_sdk::model::{Body, Record};
use tokio::runtime::Runtime;

use super::{BURST, Case, records};

pub fn cases() -> Vec<Case> {
    vec![build_events(), send_events(), send_data()]
}

fn runtime() -> Runtime {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.unwrap_or_else(|error| panic!("a runtime: {error}"))
}

/// The message of an event is the line that ops-sdk sends, so that both carry the same.
fn lines() -> Vec<(i64, String)> {
    let context = [("Service".to_owned(), "checkout".to_owned())];
    let line = |record: &Record<'_>| {
        let mut line = Vec::new();
        json::line(&mut line, record, &context);
        (i64::try_from(record.time_ms()).unwrap_or(0), String::from_utf8_lossy(&line).into_owned())
    };
    records::events(BURST).iter().map(line).collect()
}

fn event((time_ms, line): &(i64, String)) -> logs::types::InputLogEvent {
    let built = logs::types::InputLogEvent::builder().timestamp(*time_ms).message(line).build();
    built.unwrap_or_else(|error| panic!("an event: {error}"))
}

fn build_events() -> Case {
    let lines = lines();
    let burst = move || {
        let events: Vec<_> = lines.iter().map(event).collect();
        let bytes = events.iter().map(|event| event.message().len()).sum();
        (bytes, events.len() == BURST)
    };
    Case { what: "event", name: "aws-sdk, its types built of the line".to_owned(), burst: Box::new(burst) }
}

fn send_events() -> Case {
    let (lines, runtime) = (lines(), runtime());
    let client = infallible_client_fn(|_| ::http::Response::new(SdkBody::from("{}")));
    let config = logs::Config::builder()
        .behavior_version(logs::config::BehaviorVersion::latest())
        .region(logs::config::Region::new("eu-central-1"))
        .credentials_provider(logs::config::Credentials::new("AKID", "none", None, None, "bench"))
        .http_client(client)
        .build();
    let client = logs::Client::from_conf(config);
    let burst = move || {
        let events = lines.iter().map(event).collect();
        let put =
            client.put_log_events().log_group_name("g").log_stream_name("s").set_log_events(Some(events));
        let sent = runtime.block_on(put.send()).is_ok();
        (lines.iter().map(|(_, line)| line.len()).sum(), sent)
    };
    Case { what: "event", name: "aws-sdk, built and sent".to_owned(), burst: Box::new(burst) }
}

fn datum(record: &Record<'_>) -> cloudwatch::types::MetricDatum {
    use cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
    let Body::Metric(metric) = &record.body else { panic!("a metric") };
    let dimension = |(name, value): &(_, _)| {
        let (name, value): (&std::borrow::Cow<'_, str>, &std::borrow::Cow<'_, str>) = (name, value);
        Dimension::builder().name(name.as_ref()).value(value.as_ref()).build()
    };
    let seconds = i64::try_from(record.time_ns / 1_000_000_000).unwrap_or(0);
    MetricDatum::builder()
        .metric_name(metric.name.as_ref())
        .set_dimensions(Some(metric.dimensions.iter().map(dimension).collect()))
        .timestamp(aws_smithy_types::DateTime::from_secs(seconds))
        .value(metric.points.sum())
        .unit(StandardUnit::Milliseconds)
        .storage_resolution(60)
        .build()
}

fn send_data() -> Case {
    let (records, runtime) = (records::metrics(BURST, records::gauge), runtime());
    let client = infallible_client_fn(|_| ::http::Response::new(SdkBody::from("{}")));
    let config = cloudwatch::Config::builder()
        .behavior_version(cloudwatch::config::BehaviorVersion::latest())
        .region(cloudwatch::config::Region::new("eu-central-1"))
        .credentials_provider(cloudwatch::config::Credentials::new("AKID", "none", None, None, "bench"))
        .http_client(client)
        .build();
    let client = cloudwatch::Client::from_conf(config);
    let burst = move || {
        let data = records.iter().map(datum).collect();
        let put = client.put_metric_data().namespace("Shop").set_metric_data(Some(data));
        (BURST, runtime.block_on(put.send()).is_ok())
    };
    Case { what: "gauge", name: "aws-sdk, built and sent, gzip included".to_owned(), burst: Box::new(burst) }
}
