//! Requests to Mackerel, and what its answers mean.

use ::http::{HeaderMap, HeaderName};

use super::super::shared::{Address, Secret, failed, judge, operator, post, setting, why};
use super::Mackerel;
use crate::backend::{Context, Verdict};
use crate::error::Error;
use crate::ledger::Loss;
use crate::net::{Net, Response};

const KEY: &str = "OPS_MACKEREL_API_KEY";
const ENDPOINT: &str = "OPS_MACKEREL_ENDPOINT";

/// Makes requests and judges the answers.
pub(super) struct Sender {
    pub(super) headers: HeaderMap,
    pub(super) address: Address,
}

impl Sender {
    pub(super) fn open(told: &Mackerel, context: &Context) -> Result<Sender, Error> {
        let key = Secret::find(told.api_key.as_ref(), KEY, context)
            .or_else(|| Secret::find(None, "MACKEREL_APIKEY", context))
            .ok_or_else(|| Error::setting(KEY, "is not set", "set it, or MACKEREL_APIKEY, to an API key"))?;
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static("x-api-key"), key.header("", KEY)?);
        let url = setting(told.endpoint.as_deref(), ENDPOINT, context)
            .or_else(|| setting(None, "MACKEREL_APIBASE", context))
            .unwrap_or_else(|| "https://api.mackerelio.com".into());
        Ok(Sender { headers, address: Address::parse(&url, ENDPOINT)? })
    }

    pub(super) fn exchange(&self, path: &str, body: Vec<u8>, net: &mut Net) -> Result<Response, Verdict> {
        let uri = self.address.under(path).map_err(operator)?;
        net.send(post(uri, "application/json", &self.headers, body)).map_err(failed)
    }

    pub(super) fn post(&self, path: &str, body: Vec<u8>, items: usize, net: &mut Net) -> Verdict {
        match self.exchange(path, body, net) {
            Ok(answer) => told(&answer, net.current().unix_ns / 1_000_000_000, items),
            Err(verdict) => verdict,
        }
    }
}

/// What an answer means. Only an answer that is Mackerel's own, a JSON object, takes or refuses data; what has no such body
/// comes from something else on the way, and is waited out.
pub(super) fn told(answer: &Response, now_unix_s: u64, items: usize) -> Verdict {
    let is_own = answer.body.trim_ascii().first() == Some(&b'{');
    match (answer.status, judge(answer, now_unix_s, items)) {
        (_, Verdict::Delivered) if !is_own => operator(format!("not Mackerel's answer: {}", why(answer))),
        (_, Verdict::Refuse(refusal)) if !is_own && refusal.loss == Loss::Refused => operator(why(answer)),
        (400 | 422, Verdict::Refuse(_)) if items > 1 => Verdict::Halve, // one bad item fails a request
        (_, verdict) => verdict,
    }
}
