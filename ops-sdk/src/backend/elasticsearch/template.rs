//! The index templates: what makes data streams of the names that documents go to, and types their fields.
//!
//! Asked for once, before the first push, and put where there is none, or one of ours of an earlier version. A template
//! of the same name that is not ours is left as it is.

use ::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::shared::{judge, operator, why};
use super::road::Road;
use crate::backend::Verdict;
use crate::net::{Net, Response};

/// Of the templates as they are put here: raised when they change.
const VERSION: u64 = 1;
/// Above 100, that of the built-in `logs-*-*` and `metrics-*-*`, and in the range that Elastic advises (200 to 500).
const PRIORITY: u32 = 300;
const OURS: &str = "ops-sdk";
const REMEDY: &str =
    "let the key manage index templates, or put them yourself and set OPS_ELASTICSEARCH_TEMPLATE=no";

/// What the templates depend on.
pub(super) struct Template {
    pub(super) data_streams: bool,
    pub(super) histograms: bool,
    pub(super) lifecycle: Option<String>,
    pub(super) dataset: String,
}

/// What the server says of a template by our name.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Fit,
    Missing,
    Unclear(Verdict),
}

impl Template {
    /// Sees to it that both templates are there.
    pub(super) fn ensure(&self, road: &mut Road, net: &mut Net) -> Result<(), Verdict> {
        self.ensure_one("logs", road, net)?;
        self.ensure_one("metrics", road, net)
    }

    fn ensure_one(&self, kind: &str, road: &mut Road, net: &mut Net) -> Result<(), Verdict> {
        let path = format!("/_index_template/ops-sdk-{kind}-{}", self.dataset);
        let answer = road.exchange(net, Method::GET, &path, "application/json", false, Vec::new())?;
        let now_unix_s = |net: &Net| net.current().unix_ns / 1_000_000_000;
        match found(&answer, now_unix_s(net)) {
            Found::Fit => return Ok(()),
            Found::Unclear(verdict) => return Err(verdict),
            Found::Missing => {}
        }
        let body = self.body(kind).to_string().into_bytes();
        let answer = road.exchange(net, Method::PUT, &path, "application/json", false, body)?;
        match answer.status {
            200..=299 => Ok(()),
            _ => Err(refused(&answer, now_unix_s(net))),
        }
    }

    /// The template of this kind.
    fn body(&self, kind: &str) -> Value {
        let dataset = &self.dataset;
        let mut settings = json!({
            // A value of another type than the first of its name is stored, and not indexed; it costs no document.
            "index.mapping.ignore_malformed": true,
            "index.mapping.total_fields.limit": 2000,
        });
        if let Some(policy) = &self.lifecycle {
            settings["index.lifecycle.name"] = json!(policy);
        }
        let mut template = json!({
            "index_patterns": [format!("{kind}-{dataset}-*"), format!("{kind}-{dataset}.*-*")],
            "priority": PRIORITY,
            "version": VERSION,
            "_meta": { "managed_by": OURS, "description": "documents of ops-sdk" },
            "template": { "settings": settings, "mappings": mappings(kind, self.histograms) },
        });
        if self.data_streams {
            template["data_stream"] = json!({});
        }
        template
    }
}

/// Types of our own fields; those of programs are typed by their first value, texts as keywords.
fn mappings(kind: &str, histograms: bool) -> Value {
    let keyword = json!({ "type": "keyword", "ignore_above": 1024 });
    let dynamic = json!([
        { "labels": { "path_match": "labels.*", "mapping": keyword } },
        { "texts": { "match_mapping_type": "string", "mapping": keyword } },
        { "numbers": { "match_mapping_type": "double", "mapping": { "type": "double" } } },
    ]);
    let own = match kind {
        "metrics" => metric(histograms),
        _ => vec![
            ("message", "text"),
            ("log.level", "keyword"),
            ("log.logger", "keyword"),
            ("log.origin.file.name", "keyword"),
            ("log.origin.file.line", "long"),
            ("event.severity", "long"),
            ("event.action", "keyword"),
            ("event.category", "keyword"),
            ("event.outcome", "keyword"),
            ("event.type", "keyword"),
            ("user.name", "keyword"),
            ("span.id", "keyword"),
            ("tags", "keyword"),
            ("audit.resource", "keyword"),
            ("audit.outcome", "keyword"),
            ("check.name", "keyword"),
            ("check.status", "keyword"),
            ("config.resource_type", "keyword"),
            ("config.resource_id", "keyword"),
        ],
    };
    let common = [
        ("@timestamp", "date"),
        ("trace.id", "keyword"),
        ("event.id", "keyword"),
        ("event.sequence", "long"),
        ("event.kind", "keyword"),
        ("event.dataset", "keyword"),
        ("ecs.version", "keyword"),
        ("service.name", "keyword"),
        ("service.namespace", "keyword"),
        ("host.name", "keyword"),
    ];
    let mut properties = json!({});
    for (name, kind) in common.into_iter().chain(own) {
        properties[name] = if kind == "keyword" { keyword.clone() } else { json!({ "type": kind }) };
        if name == "@timestamp" {
            // A document without a time that can be read is no document of a data stream.
            properties[name]["ignore_malformed"] = json!(false);
        }
    }
    json!({ "date_detection": false, "dynamic_templates": dynamic, "properties": properties })
}

fn metric(histograms: bool) -> Vec<(&'static str, &'static str)> {
    let mut own = vec![
        ("metric.name", "keyword"),
        ("metric.kind", "keyword"),
        ("metric.unit", "keyword"),
        ("metric.window_ms", "long"),
        ("metric.count", "long"),
        ("metric.value", "double"),
        ("metric.sum", "double"),
        ("metric.min", "double"),
        ("metric.max", "double"),
        ("metric.p50", "double"),
        ("metric.p90", "double"),
        ("metric.p95", "double"),
        ("metric.p99", "double"),
        ("metric.p99_9", "double"),
    ];
    if histograms {
        own.push(("metric.histogram", "histogram"));
    }
    own
}

#[derive(Deserialize)]
struct Listed {
    index_templates: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index_template: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    version: Option<u64>,
    #[serde(default, rename = "_meta")]
    meta: Option<Value>,
}

fn found(answer: &Response, now_unix_s: u64) -> Found {
    match answer.status {
        200..=299 => match serde_json::from_slice::<Listed>(&answer.body) {
            Ok(listed) if listed.index_templates.iter().any(|one| !is_old(&one.index_template)) => Found::Fit,
            Ok(_) => Found::Missing,
            Err(_) => {
                Found::Unclear(operator(format!("{}: is this Elasticsearch or OpenSearch?", why(answer))))
            }
        },
        404 if is_own(answer) => Found::Missing,
        404 => Found::Unclear(operator(format!("{}: is this Elasticsearch or OpenSearch?", why(answer)))),
        _ => Found::Unclear(refused(answer, now_unix_s)),
    }
}

/// Whether this is a template that we put in an earlier version.
fn is_old(template: &Body) -> bool {
    let ours = template.meta.as_ref().is_some_and(|meta| meta["managed_by"] == OURS);
    ours && template.version.is_none_or(|version| version < VERSION)
}

/// Whether it is a server of this kind that says so.
fn is_own(answer: &Response) -> bool {
    serde_json::from_slice::<Value>(&answer.body).is_ok_and(|body| body["error"]["type"].is_string())
}

/// A template that cannot be read or put is a matter for an operator, never a reason to refuse data.
fn refused(answer: &Response, now_unix_s: u64) -> Verdict {
    let said = format!("index template: {}; {REMEDY}", why(answer));
    match judge(answer, now_unix_s, 1) {
        Verdict::Throttle { after, .. } => Verdict::Throttle { after, why: said },
        Verdict::Retry { after, .. } if answer.status >= 500 || answer.status == 408 => {
            Verdict::Retry { after, why: said }
        }
        _ if matches!(answer.status, 401 | 403) => Verdict::Reauthenticate { why: said },
        _ => operator(said),
    }
}
