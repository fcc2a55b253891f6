//! Requests that are signed, for the services of AWS.

use ::http::Uri;

use super::{Access, not_a_service};
use crate::backend::shared::failed;
use crate::backend::{Context, Verdict};
use crate::error::Error;
use crate::net::aws::{CallError, Client, Service, Settings};
use crate::net::{Net, Request, Response};

const MANAGED: Service = Service {
    signing_name: "es",
    host_prefix: "es",
    variable: "ELASTICSEARCH_SERVICE",
    gov_dualstack_is_fips: false,
};
const SERVERLESS: Service = Service {
    signing_name: "aoss",
    host_prefix: "aoss",
    variable: "OPENSEARCHSERVERLESS",
    gov_dualstack_is_fips: false,
};

pub(in super::super) struct Signed {
    client: Client,
    pub(super) is_serverless: bool,
}

impl Signed {
    pub(super) fn open(
        service: &str,
        access: &Access,
        url: &str,
        context: &Context,
    ) -> Result<Signed, Error> {
        let service = match service {
            "es" => MANAGED,
            "aoss" => SERVERLESS,
            _ => return Err(not_a_service(service)),
        };
        let settings = Settings { region: access.region.clone(), endpoint: Some(url.trim().to_owned()) };
        let client = Client::open(service, &settings, &context.var)?;
        Ok(Signed { client, is_serverless: service == SERVERLESS })
    }

    pub(super) fn another(&self) -> Signed {
        Signed { client: self.client.another(), is_serverless: self.is_serverless }
    }

    pub(super) fn send(
        &mut self,
        net: &mut Net,
        path: Uri,
        mut request: Request,
    ) -> Result<Response, Verdict> {
        *request.uri_mut() = path;
        self.client.exchange(net, request).map_err(|error| match error {
            CallError::Credentials(why) => Verdict::Reauthenticate { why },
            CallError::Clock(why) => Verdict::Retry { after: None, why },
            CallError::Net(error) => failed(error),
        })
    }

    /// Has other credentials loaded before the next request.
    pub(super) fn refresh(&mut self) {
        self.client.refresh();
    }
}
