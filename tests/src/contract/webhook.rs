//! A webhook: the template that says everything, one record a request; any 2xx is a success.

use ops_sdk::backend::Webhook;

use super::{Case, HttpCase, Read, SECRET, Success, Talk, same};
use crate::rig::Reply;

pub(super) fn case() -> Case {
    Case {
        name: "webhook",
        vars: |url, _| {
            vec![
                ("OPS_WEBHOOK_URL", format!("{url}/{SECRET}")),
                ("OPS_WEBHOOK_SECRET", SECRET.to_owned()),
                ("OPS_WEBHOOK_HEADERS", format!("Authorization: Bearer {SECRET}")),
                ("OPS_WEBHOOK_ERRORS", "1".to_owned()),
            ]
        },
        debug: |secret| {
            let url = format!("https://hooks.example.com/{secret}");
            format!("{:?}", Webhook::new().url(url).secret(secret).header("Authorization", secret))
        },
        read: Read::of_json,
        shown: same,
        ids: |_| true,
        talk: Talk::Http(HttpCase {
            push: |_| true,
            good: |_| Reply::answer(200, "ok"),
            throttled: |_| Reply::answer(429, "rate_limited").with("Retry-After", "1"),
            partial: None,
            ids: |request| request.json()["id"].as_str().map(str::to_owned).into_iter().collect(),
            success: Success::Status,
            is_counted: true,
        }),
    }
}
