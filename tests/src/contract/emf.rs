//! The embedded metric format, into a log group: the road of CloudWatch Logs.

use ops_sdk::backend::{Emf, EmfTarget};

use super::{Case, Read, Talk, all_but_metrics, cloudwatch, cloudwatch_logs, same};

pub(super) fn case() -> Case {
    Case {
        name: "emf",
        vars: |url, _| {
            let mut vars = cloudwatch::keys(url);
            vars.push(("OPS_EMF_TARGET", "logs".to_owned()));
            vars
        },
        debug: |_| format!("{:?}", Emf::new().target(EmfTarget::Logs).group("/a")),
        read: Read::of_json,
        shown: same,
        ids: all_but_metrics,
        talk: Talk::Http(cloudwatch_logs::talk()),
    }
}
