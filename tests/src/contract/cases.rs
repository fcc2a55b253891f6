//! The backends and their cases, in the order of `known()`.

use super::*;

/// Every case, a line each.
#[must_use]
#[rustfmt::skip]
pub fn all() -> Vec<Case> {
    vec![
        local::case(),
        cloudwatch::case(),
        cloudwatch_logs::case(),
        emf::case(),
        syslog::case(),
        splunk::case(),
        datadog::case(),
        dogstatsd::case(),
        mackerel::case(),
        s3::case(),
        file::case(),
        webhook::case(),
        firehose::case(),
        kafka::case(),
        kinesis::case(),
        cloudsearch::case(),
        cloudwatch::case(),
        cloudwatch_logs::case(),
        elasticsearch::case(),
        emf::case(),
        sensu::case(),
        syslog::case(),
        otlp::case(),
        prometheus::case(),
    ]
}
