//! What the tests of these backends share.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::Context;

/// The context of a process on host `h1` with these variables and no others.
pub(in crate::backend) fn context(vars: &[(&str, &str)]) -> Context {
    let vars: HashMap<String, String> = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    Context {
        namespace: "Shop".into(),
        dimensions: vec![("Service".into(), "checkout".into())],
        process: 255,
        host: "h1".into(),
        name: None,
        state_dir: None,
        push_limit: crate::limits::PushLimit::Contract,
        var: Arc::new(move |name| vars.get(name).cloned()),
    }
}

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
