//! `ops ship`: what a state directory holds, brought to where its program would have brought it.

use std::io::Write;

use super::Failure;
use super::args::Ship;
use crate::setup::{Builder, FlushReport};

pub(super) fn run(builder: Builder, args: &Ship, err: &mut dyn Write) -> Result<(), Failure> {
    let report = builder.ship(&args.dir, args.deadline)?;
    // Not on stdout, which may be where a backend writes to.
    say(&report, err)?;
    if report.complete {
        return Ok(());
    }
    let left = report.spooled + report.pending;
    let why =
        format!("{left} records are left in {}; ship it again when the backends answer", args.dir.display());
    Err(Failure::Said(why))
}

fn say(report: &FlushReport, err: &mut dyn Write) -> std::io::Result<()> {
    for backend in &report.backends {
        let (id, delivered, dropped) = (&backend.backend, backend.delivered, backend.dropped);
        writeln!(
            err,
            "{id}: delivered={delivered} kept={} dropped={dropped}",
            backend.spooled + backend.pending
        )?;
    }
    let (delivered, dropped) = (report.delivered, report.dropped);
    writeln!(err, "delivered={delivered} kept={} dropped={dropped}", report.spooled + report.pending)
}
