//! What requests for CloudWatch Logs travel with: a signature, or the bearer token of the HTTP endpoints. A token puts
//! events and does nothing else: with it groups and streams are made by others.

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::destination::{Destination, Ingest};
use super::judge::{failed, settle};
use super::place::Place;
use crate::backend::shared::{self, Address, Secret, operator};
use crate::backend::{Context, Verdict};
use crate::error::Error;
use crate::net::aws::{self, Call, Client, Service, Settings};
use crate::net::{Net, Response};

const SERVICE: Service = Service {
    signing_name: "logs",
    host_prefix: "logs",
    variable: "CLOUDWATCH_LOGS",
    gov_dualstack_is_fips: false,
};
const TOKEN: &str = "OPS_CLOUDWATCH_LOGS_TOKEN";

pub(super) enum Road {
    Signed(Box<Client>),
    Token { address: Address, bearer: HeaderValue },
}

impl Road {
    /// # Errors
    ///
    /// If a setting is missing or means nothing, or a token would travel in the clear.
    pub(super) fn open(told: &Destination, ingest: Ingest, context: &Context) -> Result<Road, Error> {
        let settings = Settings { region: told.region.clone(), endpoint: told.endpoint.clone() };
        let Some(token) = Secret::find(told.token.as_ref(), TOKEN, context) else {
            return Ok(Road::Signed(Box::new(Client::open(SERVICE, &settings, &context.var)?)));
        };
        let setting = format!("{TOKEN} / .token(..)");
        if ingest == Ingest::Put {
            let remedy = "set OPS_CLOUDWATCH_LOGS_INGEST to ndjson, json or hlc, or leave the token out";
            return Err(Error::setting(setting, "PutLogEvents takes no token", remedy));
        }
        let url = aws::endpoint(&SERVICE, &settings, &context.var)?;
        let address = Address::parse(&url.to_string(), "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS / .endpoint(..)")?;
        if !address.is_https() && !matches!(address.host(), "localhost" | "127.0.0.1" | "[::1]") {
            let remedy = "use an https endpoint, or leave the token out and sign";
            return Err(Error::setting(setting, "a token would be sent unencrypted", remedy));
        }
        let bearer = token.header("Bearer ", &setting)?;
        Ok(Road::Token { address, bearer })
    }

    /// A second one for requests beside this one's.
    pub(super) fn another(&self) -> Road {
        match self {
            Road::Signed(client) => Road::Signed(Box::new(client.another())),
            Road::Token { address, bearer } => {
                Road::Token { address: address.clone(), bearer: bearer.clone() }
            }
        }
    }

    pub(super) fn is_token(&self) -> bool {
        matches!(self, Road::Token { .. })
    }

    /// An operation of the signed protocol.
    pub(super) fn call(
        &mut self,
        net: &mut Net,
        operation: &str,
        body: Vec<u8>,
    ) -> Result<Response, Verdict> {
        let Road::Signed(client) = self else {
            return Err(operator(format!("{operation} cannot be had with a token")));
        };
        let target = format!("Logs_20140328.{operation}");
        let call = Call { target: &target, content_type: "application/x-amz-json-1.1", headers: &[], body };
        client.call(net, call).map_err(failed)
    }

    /// A push to one of the HTTP endpoints.
    pub(super) fn post(
        &mut self,
        net: &mut Net,
        ingest: Ingest,
        place: &Place,
        stream: &str,
        body: Vec<u8>,
    ) -> Result<Response, Verdict> {
        let (path, content_type) = ingest.address();
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-aws-log-group", place.group.as_str()), ("x-aws-log-stream", stream)] {
            let value =
                HeaderValue::from_str(value).map_err(|_| operator(format!("{name} cannot be sent")))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        match self {
            Road::Signed(client) => {
                let request = shared::post(::http::Uri::from_static(path), content_type, &headers, body);
                client.exchange(net, request).map_err(failed)
            }
            Road::Token { address, bearer } => {
                headers.insert(::http::header::AUTHORIZATION, bearer.clone());
                let uri = address.under(path).map_err(operator)?;
                net.send(shared::post(uri, content_type, &headers, body)).map_err(shared::failed)
            }
        }
    }

    /// As [`settle`]; a token that was refused is waited for.
    pub(super) fn settle(&mut self, verdict: Verdict) -> Verdict {
        match (self, verdict) {
            (Road::Signed(client), verdict) => settle(verdict, client),
            (Road::Token { .. }, Verdict::Reauthenticate { why }) => {
                operator(format!("{TOKEN} is refused: {why}"))
            }
            (Road::Token { .. }, verdict) => verdict,
        }
    }
}
