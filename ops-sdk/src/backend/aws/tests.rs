//! What the tests of these backends share.

pub(in crate::backend) use crate::backend::shared::tests::context;

/// Variables under which the AWS backends open.
#[cfg(feature = "aws")]
pub(in crate::backend) const KEYS: [(&str, &str); 4] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

/// 2026-11-22T07:24:28Z.
pub(in crate::backend) const NOW_S: u64 = 1_795_332_268;
