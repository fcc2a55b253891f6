//! CloudWatch's OTLP endpoint: the backend that speaks this protocol, by settings that lead it there, under this one's name.
//! Nothing is known of it here but its settings.

use std::sync::Arc;
use std::time::Duration;

use crate::backend::{Backend, Context, EncodeError, Pacing, Verdict, by_name};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::ledger::Loss;
use crate::limits::Limits;
use crate::model::{Record, Signal};
use crate::net::aws::Settings;
use crate::net::{Net, Trust};

const OTHER: &str = "otlp";

/// Opens it. It speaks to the metrics endpoint, with signatures, and reads of its own variables none.
pub(super) fn open(settings: &Settings, context: &Context) -> Result<Box<dyn Backend>, Error> {
    let Some(otlp) = by_name(OTHER) else {
        let problem = "this program cannot speak OTLP";
        return Err(Error::setting(
            super::OTLP,
            problem,
            "build ops-sdk with the feature `otlp`, or leave it out",
        ));
    };
    let (var, Settings { region, endpoint }) = (context.var.clone(), settings.clone());
    let var = move |name: &str| match name {
        "OPS_OTLP_AWS" => Some("1".to_owned()),
        "OPS_OTLP_LOGS" => Some("0".to_owned()),
        "OPS_OTLP_ENDPOINT" => endpoint.clone(),
        "AWS_REGION" => region.clone().or_else(|| var(name)),
        own if own.starts_with("OPS_OTLP_") || own.starts_with("OTEL_EXPORTER_") => None,
        other => var(other),
    };
    let inner = otlp.open(&Context { var: Arc::new(var), ..context.clone() })?;
    Ok(Box::new(OverOtlp(inner)))
}

/// The other backend under the name of this one.
struct OverOtlp(Box<dyn Backend>);

impl Backend for OverOtlp {
    fn id(&self) -> &str {
        super::ID
    }

    fn limits(&self) -> Limits {
        self.0.limits()
    }

    fn accepts(&self, signal: Signal) -> bool {
        self.0.accepts(signal)
    }

    fn declines(&self, record: &Record<'_>) -> Option<Loss> {
        self.0.declines(record)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        self.0.encode(record, out)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.0.send(batch, net)
    }

    fn trust(&self) -> Trust {
        self.0.trust()
    }

    fn pacing(&self) -> Pacing {
        self.0.pacing()
    }

    fn another(&self) -> Option<Box<dyn Backend>> {
        let other = self.0.another()?;
        Some(Box::new(OverOtlp(other)))
    }

    fn tick_every(&self) -> Option<Duration> {
        self.0.tick_every()
    }

    fn tick(&mut self, net: &mut Net) -> Result<(), String> {
        self.0.tick(net)
    }
}
