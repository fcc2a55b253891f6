//! The backend that Firehose and Kinesis are: each record of ours one JSON line, many lines one record of theirs.
//!
//! Promises: where order is kept, one request follows the answer to the last. What differs between the two is in their
//! [`Form`].

use super::{Form, Records};
use crate::backend::{Backend, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::error::Error;
use crate::limits::Limits;
use crate::model::{Record, Signal};
use crate::net::Net;
use crate::net::aws::{Client, Service, Settings};

/// A backend that sends JSON lines to one stream.
struct Lines {
    id: &'static str,
    records: Records,
    /// Those of the process, which every line carries.
    dimensions: Vec<(String, String)>,
}

/// Opens the backend of this name.
///
/// # Errors
///
/// If the client's settings are no good.
pub(in crate::backend) fn lines(
    id: &'static str,
    service: Service,
    settings: &Settings,
    form: Form,
    context: &Context,
) -> Result<Box<dyn Backend>, Error> {
    let client = Client::open(service, settings, &context.var)?;
    let dimensions = context.dimensions.clone();
    Ok(Box::new(Lines { id, records: Records::new(client, form), dimensions }))
}

impl Backend for Lines {
    fn id(&self) -> &str {
        self.id
    }

    fn limits(&self) -> Limits {
        self.records.form().limits()
    }

    fn accepts(&self, _signal: Signal) -> bool {
        true
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        out.push(|bytes| {
            json::line(bytes, record, &self.dimensions);
            Ok(())
        })
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.records.send(batch, net)
    }

    /// None where order is kept: one request follows the answer to the last.
    fn another(&self) -> Option<Box<dyn Backend>> {
        if self.records.form().keeps_order() {
            return None;
        }
        let (records, dimensions) = (self.records.another(), self.dimensions.clone());
        Some(Box::new(Lines { id: self.id, records, dimensions }))
    }
}
