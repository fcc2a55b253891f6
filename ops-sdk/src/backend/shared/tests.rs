//! What the tests of all backends share.

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
