//! What a success of PutLogEvents says besides.

use serde::Deserialize;
use serde_json::Value;

use crate::backend::{Refusal, Verdict};
use crate::diag;
use crate::ledger::Loss;
use crate::net::Net;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Reply {
    rejected_log_events_info: Option<RejectedInfo>,
    rejected_entity_info: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RejectedInfo {
    too_new_log_event_start_index: Option<i64>,
    too_old_log_event_end_index: Option<i64>,
    expired_log_event_end_index: Option<i64>,
}

/// A success that rejects some events: the start of the too new ones is inclusive, the ends of the too old and expired
/// ones are exclusive. The rest is delivered, and what is rejected is never to be sent again. An entity that is rejected
/// costs no event, and is said.
pub(super) fn rejected(body: &[u8], len: usize, group: &str, net: &Net) -> Verdict {
    let reply: Reply = serde_json::from_slice(body).unwrap_or_default();
    if let Some(error) = reply.rejected_entity_info["errorType"].as_str() {
        let error: String = error.chars().filter(|c| c.is_ascii_alphanumeric()).take(60).collect();
        let text = format!("cloudwatch-logs: events are kept in {group} without their entity: {error}");
        diag::warn("cloudwatch-logs entity", net.current(), &text);
    }
    let info = reply.rejected_log_events_info.unwrap_or_default();
    let index =
        |value: Option<i64>, default| value.map_or(default, |at| usize::try_from(at).unwrap_or(0)).min(len);
    let old = index(info.too_old_log_event_end_index, 0);
    let expired = index(info.expired_log_event_end_index, 0);
    let new = index(info.too_new_log_event_start_index, len);
    let refusal = |at: usize| {
        let (loss, why) = if at < old {
            (Loss::TooOld, "older than 14 days")
        } else if at < expired {
            (Loss::TooOld, "older than the log group's retention")
        } else if at >= new {
            (Loss::TooNew, "more than 2 hours ahead")
        } else {
            return None;
        };
        Some((at, Refusal { loss, why: why.to_owned() }))
    };
    let refused: Vec<_> = (0..len).filter_map(refusal).collect();
    if refused.is_empty() { Verdict::Delivered } else { Verdict::Partial { failed: Vec::new(), refused } }
}
