//! Where log lines go: region, endpoint, group, stream and retention, as the builder was told them. Plain data, so that
//! a builder compiles without the client; checked when the backend is opened.

/// What the builder was told; what it was not told comes from the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(not(feature = "cloudwatch-logs"), allow(dead_code))] // EMF alone writes to stdout only
pub(in crate::backend) struct Destination {
    pub(in crate::backend) region: Option<String>,
    pub(in crate::backend) endpoint: Option<String>,
    pub(in crate::backend) group: Option<String>,
    pub(in crate::backend) stream: Option<String>,
    /// `Some(None)` is "never expire", said.
    pub(in crate::backend) retention_days: Option<Option<u32>>,
}
