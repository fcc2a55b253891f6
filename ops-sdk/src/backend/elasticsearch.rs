//! Elasticsearch (8, 9) and OpenSearch, self-hosted or as services: every record becomes one document in a data stream,
//! created through `_bulk` under its own id.
//!
//! Promises: a record that is sent again is recognised by its id and not stored twice, as long as the data stream has
//! not rolled over in between; one document that the server refuses costs no other; names and texts can add neither a
//! line nor a member. Never deletes, never updates, never changes an index template that is not its own.

mod document;
mod judge;
mod names;
mod road;
mod template;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use ::http::Method;
use flate2::Compression;
use flate2::write::GzEncoder;

use self::document::Documents;
use self::road::{Access, Road};
use self::template::Template;
use super::shared::{Secret, setting, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::Net;

const URL: &str = "OPS_ELASTICSEARCH_URL";
/// Bodies from this size on are compressed: below it a packet or two are saved at most.
const GZIP_BYTES_MIN: usize = 1_024;

/// Settings of the backend `elasticsearch`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Elasticsearch {
    url: Option<String>,
    access: Access,
    dataset: Option<String>,
    namespace: Option<String>,
    lifecycle: Option<String>,
    template: Option<bool>,
    data_streams: Option<bool>,
    require_data_stream: Option<bool>,
    ids: Option<bool>,
    histograms: Option<bool>,
    gzip: Option<bool>,
}

impl Elasticsearch {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Elasticsearch {
        Elasticsearch::default()
    }

    /// The server's URL, as `https://es.example.com:9200`; else `OPS_ELASTICSEARCH_URL`, `ELASTICSEARCH_URL` or
    /// `OPENSEARCH_URL`.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Elasticsearch {
        self.url = Some(url.into());
        self
    }

    /// An API key of Elasticsearch: as it is shown when it is made ("encoded"), or as `id:key`; else
    /// `OPS_ELASTICSEARCH_API_KEY`.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Elasticsearch {
        self.access.api_key = Some(Secret::new(key));
        self
    }

    /// A user's name and password; else `OPS_ELASTICSEARCH_USERNAME` and `OPS_ELASTICSEARCH_PASSWORD`.
    #[must_use]
    pub fn basic(mut self, username: impl Into<String>, password: impl Into<String>) -> Elasticsearch {
        self.access.username = Some(username.into());
        self.access.password = Some(Secret::new(password));
        self
    }

    /// Signs requests (SigV4) with the credentials that AWS's tools would use, for `es` (Amazon OpenSearch Service) or
    /// `aoss` (OpenSearch Serverless); else `OPS_ELASTICSEARCH_AWS`. Needs the feature `elasticsearch-sigv4`.
    #[must_use]
    pub fn aws(mut self, service: impl Into<String>) -> Elasticsearch {
        self.access.aws = Some(service.into());
        self
    }

    /// The region that requests are signed for; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Elasticsearch {
        self.access.region = Some(region.into());
        self
    }

    /// The middle of the data streams' names, `logs-DATASET-NAMESPACE`; else `OPS_ELASTICSEARCH_DATASET`, or `ops`.
    #[must_use]
    pub fn dataset(mut self, dataset: impl Into<String>) -> Elasticsearch {
        self.dataset = Some(dataset.into());
        self
    }

    /// The end of the data streams' names, an environment by custom; else `OPS_ELASTICSEARCH_NAMESPACE`, or `default`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Elasticsearch {
        self.namespace = Some(namespace.into());
        self
    }

    /// The lifecycle policy (ILM, Elasticsearch only) that the index templates name; else
    /// `OPS_ELASTICSEARCH_LIFECYCLE`, or none.
    #[must_use]
    pub fn lifecycle(mut self, policy: impl Into<String>) -> Elasticsearch {
        self.lifecycle = Some(policy.into());
        self
    }

    /// Whether index templates are put before the first push, where there are none or older ones of ours; else
    /// `OPS_ELASTICSEARCH_TEMPLATE`, or yes (no for `aoss`).
    #[must_use]
    pub fn template(mut self, put: bool) -> Elasticsearch {
        self.template = Some(put);
        self
    }

    /// Whether the templates make data streams, rather than plain indices; else `OPS_ELASTICSEARCH_DATA_STREAMS`, or
    /// yes (no for `aoss`, which has none).
    #[must_use]
    pub fn data_streams(mut self, make: bool) -> Elasticsearch {
        self.data_streams = Some(make);
        self
    }

    /// Whether the server is told to refuse what would go into anything but a data stream (`require_data_stream`,
    /// Elasticsearch 8.13 or newer; OpenSearch does not know it); else `OPS_ELASTICSEARCH_REQUIRE_DATA_STREAM`, or no.
    #[must_use]
    pub fn require_data_stream(mut self, require: bool) -> Elasticsearch {
        self.require_data_stream = Some(require);
        self
    }

    /// Whether documents have the record's id as theirs, so that none is stored twice; else `OPS_ELASTICSEARCH_IDS`, or
    /// yes (no for `aoss`, whose time series collections refuse ids).
    #[must_use]
    pub fn ids(mut self, ids: bool) -> Elasticsearch {
        self.ids = Some(ids);
        self
    }

    /// Whether histograms are told in full too, as a field of type `histogram` (Elasticsearch only); else
    /// `OPS_ELASTICSEARCH_HISTOGRAMS`, or no.
    #[must_use]
    pub fn histograms(mut self, histograms: bool) -> Elasticsearch {
        self.histograms = Some(histograms);
        self
    }

    /// Whether bodies are compressed; else `OPS_ELASTICSEARCH_GZIP`, or yes.
    #[must_use]
    pub fn gzip(mut self, gzip: bool) -> Elasticsearch {
        self.gzip = Some(gzip);
        self
    }
}

impl Configure for Elasticsearch {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let switch = |told, name: &str, default| {
            yes_or_no(told, &format!("OPS_ELASTICSEARCH_{name}"), default, context)
        };
        let url = setting(self.url.as_deref(), URL, context);
        let url = url.or_else(|| setting(None, "ELASTICSEARCH_URL", context));
        let url = url.or_else(|| setting(None, "OPENSEARCH_URL", context)).ok_or_else(|| {
            Error::setting(
                format!("{URL} / .url(..)"),
                "no URL is set",
                "give one, as in https://es.example.com:9200",
            )
        })?;
        let road = Road::open(&self.access, &url, context)?;
        let full = !road.is_serverless();
        let part =
            |told: &Option<String>, name, default| names::part(told.as_deref(), name, default, context);
        let dataset = part(&self.dataset, "OPS_ELASTICSEARCH_DATASET", "ops")?;
        let namespace = part(&self.namespace, "OPS_ELASTICSEARCH_NAMESPACE", "default")?;
        let histograms = switch(self.histograms, "HISTOGRAMS", false)?;
        let template = Template {
            data_streams: switch(self.data_streams, "DATA_STREAMS", full)?,
            histograms,
            lifecycle: setting(self.lifecycle.as_deref(), "OPS_ELASTICSEARCH_LIFECYCLE", context),
            dataset: dataset.clone(),
        };
        let ids = switch(self.ids, "IDS", full)?;
        let item_bytes_max = limits().under(context.push_limit).item_bytes_max;
        Ok(Box::new(Open {
            documents: Documents::new(context, &dataset, &namespace, ids, histograms, item_bytes_max),
            template: switch(self.template, "TEMPLATE", full)?.then(|| Arc::new(template)),
            is_ready: Arc::new(AtomicBool::new(false)),
            path: path(switch(self.require_data_stream, "REQUIRE_DATA_STREAM", false)?),
            gzip: switch(self.gzip, "GZIP", true)?,
            road,
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

/// What a push is: the answer is asked to say no more than is read of it. Escaped as signatures have it.
fn path(require_data_stream: bool) -> String {
    let answer =
        "filter_path=errors%2Citems.%2A.status%2Citems.%2A.error.type%2Citems.%2A.error.reason%2Cerror";
    let require = if require_data_stream { "&require_data_stream=true" } else { "" };
    format!("/_bulk?{answer}{require}")
}

/// Amazon OpenSearch Service takes 10 MiB over HTTP on its smaller instances (its "Network quotas"; 100 MiB on larger
/// ones), which is a tenth of what the servers take unless told (`http.max_content_length`, 100 MB), and within the 5
/// to 15 MB that Elastic advises. The number of documents is ours: so many statuses fit in the part of an answer that
/// is read.
fn limits() -> Limits {
    const PUSH_BYTES: usize = 10 << 20;
    Limits {
        push_bytes_max: PUSH_BYTES,
        envelope_bytes: 0,
        push_items_max: 5_000,
        item_bytes_max: PUSH_BYTES,
        item_overhead_bytes: 0,
        span_ms_max: None,
        age_ms_max: None,
        ahead_ms_max: None,
        ordered: false,
        push: true,
        // Documents that can be split are, by whoever writes them.
        oversize: Oversize::Refuse,
    }
}

struct Open {
    road: Road,
    documents: Documents,
    /// `None` where templates are somebody else's business.
    template: Option<Arc<Template>>,
    /// Whether the templates are there; one for all that push side by side.
    is_ready: Arc<AtomicBool>,
    path: String,
    gzip: bool,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "elasticsearch"
    }

    fn limits(&self) -> Limits {
        limits()
    }

    fn accepts(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        self.documents.write(record, out)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let verdict = self.push(batch, net).unwrap_or_else(|verdict| verdict);
        self.road.settle(verdict)
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        Some(Box::new(Open {
            road: self.road.another(),
            documents: self.documents.clone(),
            template: self.template.clone(),
            is_ready: Arc::clone(&self.is_ready),
            path: self.path.clone(),
            gzip: self.gzip,
        }))
    }
}

impl Open {
    fn push(&mut self, batch: &Batch, net: &mut Net) -> Result<Verdict, Verdict> {
        if let Some(template) = self.template.as_deref().filter(|_| !self.is_ready.load(Relaxed)) {
            template.ensure(&mut self.road, net)?;
            self.is_ready.store(true, Relaxed);
        }
        let mut body = Vec::with_capacity(batch.bytes());
        batch.iter().for_each(|(_, document)| body.extend_from_slice(document));
        let zip = self.gzip && body.len() >= GZIP_BYTES_MIN;
        let body = if zip { gzip(&body) } else { body };
        let answer = self.road.exchange(net, Method::POST, &self.path, "application/x-ndjson", zip, body)?;
        let judged = judge::judge(&answer, net.current().unix_ns / 1_000_000_000, batch.len());
        if judged.is_missing {
            // The stream is gone, and perhaps its template.
            self.is_ready.store(false, Relaxed);
        }
        Ok(judged.verdict)
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests;
