//! The backends and their cases, in the order of `known()`.

use super::*;

/// Every case, a line each.
#[must_use]
#[rustfmt::skip]
pub fn all() -> Vec<Case> {
    vec![
        local::case(),
        cloudsearch::case(),
        cloudwatch::case(),
        cloudwatch_logs::case(),
        datadog::case(),
        dogstatsd::case(),
        elasticsearch::case(),
        emf::case(),
        file::case(),
        firehose::case(),
        kafka::case(),
        kinesis::case(),
        mackerel::case(),
        otlp::case(),
        prometheus::case(),
        s3::case(),
        sensu::case(),
        splunk::case(),
        syslog::case(),
        webhook::case(),
    ]
}
