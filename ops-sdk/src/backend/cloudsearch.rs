//! Amazon CloudSearch: each log and audit record becomes one document of a search domain, through `documents/batch`.
//!
//! **Legacy.** The service has been closed to new customers since 25 July 2024. This is for those who have a domain;
//! everybody else takes `elasticsearch`.
//!
//! Documents are added under the record's id, and adding one again replaces it, so a record that is sent again is there
//! once. One batch in ten seconds, as the service asks for, each as full as can be.

mod document;
mod judge;

use ::http::{HeaderValue, Method, header};

use self::document::Documents;
use super::shared::{failed, operator, setting};
use super::{Backend, Configure, Context, EncodeError, Pacing, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::aws::{CallError, Client, Service, Settings};
use crate::net::{Net, Request, Response};

const SERVICE: Service = Service {
    signing_name: "cloudsearch",
    host_prefix: "cloudsearchdomain",
    variable: "CLOUDSEARCH_DOMAIN",
    gov_dualstack_is_fips: false,
};
const ENDPOINT: &str = "OPS_CLOUDSEARCH_ENDPOINT";
const BATCH_BYTES: &str = "OPS_CLOUDSEARCH_BATCH_BYTES";
/// `UploadDocuments` in the service model `cloudsearchdomain/2013-01-01` (botocore 1.44.5).
const PATH: &str = "/2013-01-01/documents/batch?format=sdk";
/// A batch is 5 MB at most and a document 1 MB ("Amazon CloudSearch Limits"); taken as the smaller million.
const BATCH_BYTES_MAX: usize = 5_000_000;
const DOCUMENT_BYTES_MAX: usize = 1_000_000;
/// "One document batch every 10 seconds" ("Amazon CloudSearch Limits": 10,000 batches a day).
const PACE: std::time::Duration = std::time::Duration::from_secs(10);

/// Settings of the backend `cloudsearch`, which is for domains that exist: the service takes no new customers. What is
/// not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct CloudSearch {
    endpoint: Option<String>,
    region: Option<String>,
    batch_bytes: Option<usize>,
}

impl CloudSearch {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> CloudSearch {
        CloudSearch::default()
    }

    /// The domain's document endpoint, as `https://doc-NAME-ID.REGION.cloudsearch.amazonaws.com`; else
    /// `OPS_CLOUDSEARCH_ENDPOINT`, or `AWS_ENDPOINT_URL_CLOUDSEARCH_DOMAIN`.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> CloudSearch {
        self.endpoint = Some(url.into());
        self
    }

    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> CloudSearch {
        self.region = Some(region.into());
        self
    }

    /// Bytes of a batch at most, 10,000 to 5,000,000; else `OPS_CLOUDSEARCH_BATCH_BYTES`, or 5,000,000. With one batch
    /// in ten seconds, a tenth of this is what a second can bring.
    #[must_use]
    pub fn batch_bytes(mut self, bytes: usize) -> CloudSearch {
        self.batch_bytes = Some(bytes);
        self
    }
}

impl Configure for CloudSearch {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let url = setting(self.endpoint.as_deref(), ENDPOINT, context);
        let url = url.or_else(|| setting(None, "AWS_ENDPOINT_URL_CLOUDSEARCH_DOMAIN", context));
        let url = url.ok_or_else(|| {
            Error::setting(
                format!("{ENDPOINT} / .endpoint(..)"),
                "no endpoint is set, and each domain has its own",
                "give the domain's document endpoint, as in https://doc-NAME-ID.REGION.cloudsearch.amazonaws.com",
            )
        })?;
        let url = if url.contains("://") { url } else { format!("https://{url}") };
        let settings = Settings { region: self.region.clone(), endpoint: Some(url) };
        let client = Client::open(SERVICE, &settings, &context.var)?;
        let batch_bytes = batch_bytes(self.batch_bytes, context)?;
        Ok(Box::new(Open { client, documents: Documents::new(context), batch_bytes }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

fn batch_bytes(told: Option<usize>, context: &Context) -> Result<usize, Error> {
    let told = told.map(|bytes| bytes.to_string());
    let Some(text) = setting(told.as_deref(), BATCH_BYTES, context) else {
        return Ok(BATCH_BYTES_MAX);
    };
    let bytes = text.parse().ok().filter(|bytes| (10_000..=BATCH_BYTES_MAX).contains(bytes));
    bytes.ok_or_else(|| {
        let setting = format!("{BATCH_BYTES} / .batch_bytes(..)");
        Error::setting(
            setting,
            format!("\"{text}\" is no size of a batch"),
            "use a number from 10000 to 5000000",
        )
    })
}

struct Open {
    client: Client,
    documents: Documents,
    batch_bytes: usize,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "cloudsearch"
    }

    /// Not held to the push contract: at one batch in ten seconds, 32 KiB would be three a second.
    fn limits(&self) -> Limits {
        Limits {
            push_bytes_max: self.batch_bytes,
            envelope_bytes: 2, // the brackets
            push_items_max: 100_000,
            item_bytes_max: DOCUMENT_BYTES_MAX.min(self.batch_bytes - 3),
            item_overhead_bytes: 1, // the comma
            span_ms_max: None,
            age_ms_max: None,
            ahead_ms_max: None,
            ordered: false,
            push: false,
            oversize: Oversize::Refuse,
        }
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Log | Signal::Audit)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| self.documents.write(bytes, record))
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let verdict = match self.upload(batch, net) {
            Ok(answer) => judge::judge(&answer, net.current().unix_ns / 1_000_000_000, batch),
            Err(verdict) => verdict,
        };
        if matches!(verdict, Verdict::Reauthenticate { .. }) {
            self.client.refresh();
        }
        verdict
    }

    fn pacing(&self) -> Pacing {
        Pacing { linger: PACE, every: PACE }
    }
}

impl Open {
    fn upload(&mut self, batch: &Batch, net: &mut Net) -> Result<Response, Verdict> {
        let mut request = Request::new(body(batch));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = PATH.parse().map_err(|_| operator(format!("\"{PATH}\" is no path")))?;
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.client.exchange(net, request).map_err(|error| match error {
            CallError::Credentials(why) => Verdict::Reauthenticate { why },
            CallError::Clock(why) => Verdict::Retry { after: None, why },
            CallError::Net(error) => failed(error),
        })
    }
}

fn body(batch: &Batch) -> Vec<u8> {
    let mut body = Vec::with_capacity(batch.bytes() + batch.len() + 2);
    for (index, (_, document)) in batch.iter().enumerate() {
        body.push(if index == 0 { b'[' } else { b',' });
        body.extend_from_slice(document);
    }
    body.push(b']');
    body
}

#[cfg(test)]
mod tests;
