//! Stands in for signed requests where the feature that signs them is off: there are none.

use ::http::Uri;

use super::{AWS, Access, not_a_service};
use crate::backend::{Context, Verdict};
use crate::error::Error;
use crate::net::{Net, Request, Response};

/// Never there.
pub(in super::super) struct Signed {
    pub(super) is_serverless: bool,
    never: std::convert::Infallible,
}

impl Signed {
    pub(super) fn open(
        service: &str,
        _access: &Access,
        _url: &str,
        _context: &Context,
    ) -> Result<Signed, Error> {
        if !matches!(service, "es" | "aoss") {
            return Err(not_a_service(service));
        }
        let setting = format!("{AWS} / .aws(..)");
        Err(Error::setting(setting, "signing needs the feature elasticsearch-sigv4", "enable it"))
    }

    pub(super) fn another(&self) -> Signed {
        match self.never {}
    }

    pub(super) fn send(&mut self, _: &mut Net, _: Uri, _: Request) -> Result<Response, Verdict> {
        match self.never {}
    }

    pub(super) fn refresh(&mut self) {
        match self.never {}
    }
}
