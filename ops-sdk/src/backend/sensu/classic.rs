//! Classic Sensu: results and keepalives over RabbitMQ, as its own client publishes them (sensu 1.9, `sensu-transport`
//! 8): a direct exchange of the pipe's name, and no routing key.
//!
//! Promises: a result counts as delivered when the broker has confirmed it and a queue has it. Where no queue is bound,
//! as while the Sensu server is not running, it waits here; the reference client loses it then.

use std::time::Duration;

use super::amqp::{Connection, Login, Trouble};
use super::shape::{Known, Number, name, named, numbers, texts};
use crate::backend::shared::{Secret, failed, operator};
use crate::backend::{EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::model::{Body, Check, Metric, Record};
use crate::net::{Address, Net, NetErrorKind, Tls};

const RESULTS: &str = "results";
const KEEPALIVES: &str = "keepalives";
/// How often a client says that it is alive (sensu 1.9, `client/process.rb`).
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(20);
/// The version of Sensu whose client this does as.
const VERSION: &str = "1.9.0";
/// Members of a check that the result has for itself.
const OWN: [&str; 9] =
    ["name", "type", "output", "status", "executed", "issued", "handlers", "ops_id", "client"];

/// What was checked of the settings.
pub(super) struct Classic {
    pub(super) address: Address,
    pub(super) tls: Option<Tls>,
    pub(super) user: Option<String>,
    pub(super) password: Secret,
    pub(super) vhost: String,
    pub(super) client: String,
    /// The client's address, for those who read the registry.
    pub(super) client_address: String,
    pub(super) subscriptions: Vec<String>,
    pub(super) handlers: Vec<String>,
    pub(super) metric_handlers: Vec<String>,
    pub(super) ttl: Option<u64>,
    pub(super) keepalive: bool,
    /// What Graphite paths begin with.
    pub(super) scheme: String,
    /// Of the process, for those that carry none of their own.
    pub(super) dimensions: Vec<(String, String)>,
    pub(super) open: Option<Connection>,
}

impl Classic {
    /// Writes a record as one result.
    pub(super) fn encode(&self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match &record.body {
            Body::Check(check) => out.push(|bytes| {
                self.check(bytes, record, check);
                Ok(())
            }),
            Body::Metric(metric) => {
                let numbers = numbers(&metric.points)?;
                if numbers.is_empty() {
                    return Ok(());
                }
                out.push(|bytes| {
                    self.metric(bytes, record, metric, &numbers);
                    Ok(())
                })
            }
            _ => Err(EncodeError("Sensu carries checks and metrics alone".to_owned())),
        }
    }

    fn head(&self, out: &mut Vec<u8>, record: &Record<'_>, check: &str, kind: &str) {
        out.extend_from_slice(b"{\"client\":");
        json::string(out, &self.client);
        out.extend_from_slice(b",\"check\":{\"name\":");
        json::string(out, &named(check));
        out.extend_from_slice(b",\"type\":");
        json::string(out, kind);
        let seconds = record.time_ns / 1_000_000_000;
        for key in [&b",\"issued\":"[..], b",\"executed\":"] {
            out.extend_from_slice(key);
            json::number_u64(out, seconds);
        }
        out.extend_from_slice(b",\"ops_id\":");
        json::string(out, &record.id.to_string());
    }

    fn check(&self, out: &mut Vec<u8>, record: &Record<'_>, check: &Check<'_>) {
        let known = Known::of(check, self.ttl);
        self.head(out, record, &check.name, "standard");
        out.extend_from_slice(b",\"status\":");
        json::number_u64(out, check.status as u64);
        out.extend_from_slice(b",\"output\":");
        json::string(out, &check.output);
        if let Some(source) = &known.source {
            out.extend_from_slice(b",\"source\":");
            json::string(out, source);
        }
        for (key, seconds) in [(&b",\"ttl\":"[..], known.ttl), (b",\"interval\":", known.interval)] {
            if let Some(seconds) = seconds {
                out.extend_from_slice(key);
                json::number_u64(out, seconds);
            }
        }
        if let Some(seconds) = known.duration {
            out.extend_from_slice(b",\"duration\":");
            json::number_f64(out, seconds);
        }
        handlers(out, known.handlers.as_ref().unwrap_or(&self.handlers));
        self.custom(out, check);
        out.extend_from_slice(b"}}");
    }

    /// The record's other fields and the dimensions of the process, as attributes of the check. One whose name has a
    /// meaning of its own here becomes `fields.name`, and one that is there already gets a number: `name.2`.
    fn custom(&self, out: &mut Vec<u8>, check: &Check<'_>) {
        let mut keys: Vec<String> = Vec::new();
        let mut begin = |out: &mut Vec<u8>, key: &str| {
            let known = ["source", "ttl", "interval", "duration"].contains(&key) || OWN.contains(&key);
            let base = if known { format!("fields.{key}") } else { key.to_owned() };
            let mut numbered = (2..).map(|number| format!("{base}.{number}"));
            let mut key = base.clone();
            while keys.contains(&key) {
                key = numbered.next().unwrap_or_default();
            }
            out.push(b',');
            json::string(out, &key);
            out.push(b':');
            keys.push(key);
        };
        for (key, value) in check.fields.iter().filter(|(key, value)| !Known::has(key, value)) {
            begin(out, key);
            json::value(out, value);
        }
        for (key, value) in &self.dimensions {
            begin(out, key);
            json::string(out, value);
        }
    }

    fn metric(
        &self,
        out: &mut Vec<u8>,
        record: &Record<'_>,
        metric: &Metric<'_>,
        numbers: &[(&str, Number)],
    ) {
        self.head(out, record, &metric.name, "metric");
        out.extend_from_slice(b",\"status\":0,\"output\":\"");
        let mut path = String::new();
        name(&mut path, &self.scheme);
        path.push('.');
        name(&mut path, &metric.name);
        for (key, value) in &metric.dimensions {
            path.push('.');
            name(&mut path, &key.replace('.', "_"));
            path.push('.');
            name(&mut path, &value.replace('.', "_"));
        }
        for (what, number) in numbers {
            // Nothing in a path or a number has to be escaped in JSON.
            out.extend_from_slice(path.as_bytes());
            out.push(b'.');
            out.extend_from_slice(what.as_bytes());
            out.push(b' ');
            number.write(out);
            out.push(b' ');
            json::number_u64(out, record.time_ns / 1_000_000_000);
            out.extend_from_slice(b"\\n");
        }
        out.push(b'"');
        handlers(out, &self.metric_handlers);
        out.extend_from_slice(b"}}");
    }

    /// Publishes a batch.
    pub(super) fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        let bodies = batch.iter().map(|(item, bytes)| (item.record.to_string(), bytes));
        let bodies: Vec<_> = bodies.collect();
        match self.publish(net, RESULTS, bodies.into_iter()) {
            Ok(failed) => judge_confirms(batch.len(), failed),
            Err(trouble) => judge(trouble),
        }
    }

    /// Says that this client is alive, or only that the connection is wanted still.
    pub(super) fn tick(&mut self, net: &mut Net) -> Result<(), String> {
        let ticked = if self.keepalive {
            let keepalive = self.keepalive(net.now.unix_ns / 1_000_000_000);
            let id = format!("keepalive-{}", net.now.unix_ns / 1_000_000_000);
            let failed = self.publish(net, KEEPALIVES, std::iter::once((id, &keepalive[..])));
            failed.map(|failed| (!failed.is_empty()).then(no_queue))
        } else {
            let beaten = self.open.as_mut().map_or(Ok(()), |open| open.heartbeat(net));
            if beaten.is_err() {
                self.open = None;
            }
            beaten.map(|()| None)
        };
        match ticked {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(format!("no keepalive: {why}")),
            Err(trouble) => match judge(trouble) {
                Verdict::Retry { why, .. } | Verdict::Throttle { why, .. } => {
                    Err(format!("no keepalive: {why}"))
                }
                other => Err(format!("no keepalive: {other:?}")),
            },
        }
    }

    fn publish<'b>(
        &mut self,
        net: &mut Net,
        exchange: &'static str,
        bodies: impl Iterator<Item = (String, &'b [u8])>,
    ) -> Result<Vec<usize>, Trouble> {
        let mut connection = match self.open.take().and_then(Connection::standing) {
            Some(connection) => connection,
            None => {
                let login = match &self.user {
                    Some(user) => Login::Plain { user, password: self.password.reveal() },
                    None => Login::External,
                };
                Connection::open(net, &self.address, self.tls.as_ref(), &login, &self.vhost)?
            }
        };
        let failed = connection.publish(net, exchange, bodies)?;
        self.open = Some(connection);
        Ok(failed)
    }

    fn keepalive(&self, now_s: u64) -> Vec<u8> {
        let mut out = b"{\"name\":".to_vec();
        json::string(&mut out, &self.client);
        out.extend_from_slice(b",\"address\":");
        json::string(&mut out, &self.client_address);
        out.extend_from_slice(b",\"subscriptions\":");
        texts(&mut out, &self.subscriptions);
        out.extend_from_slice(b",\"version\":");
        json::string(&mut out, VERSION);
        out.extend_from_slice(b",\"timestamp\":");
        json::number_u64(&mut out, now_s);
        out.push(b'}');
        out
    }
}

fn handlers(out: &mut Vec<u8>, handlers: &[String]) {
    if !handlers.is_empty() {
        out.extend_from_slice(b",\"handlers\":");
        texts(out, handlers);
    }
}

fn no_queue() -> String {
    "no queue takes what is published: does the Sensu server run, on this vhost?".to_owned()
}

/// What the broker's confirmations mean.
fn judge_confirms(items: usize, failed: Vec<usize>) -> Verdict {
    match failed.len() {
        0 => Verdict::Delivered,
        all if all == items => Verdict::Retry { after: None, why: no_queue() },
        _ => Verdict::Partial { failed, refused: Vec::new() },
    }
}

/// What it means that there were none. What an operator has to put right: who may, where, and in what way.
fn judge(trouble: Trouble) -> Verdict {
    match trouble {
        Trouble::Net(error) if error.kind == NetErrorKind::Tls => operator(error.text),
        Trouble::Net(error) => failed(error),
        Trouble::Blocked(why) => {
            Verdict::Throttle { after: None, why: format!("the broker takes nothing for now: {why}") }
        }
        // access refused, not found, locked, precondition failed, not allowed (AMQP 0-9-1, 1.2)
        Trouble::Closed { code: code @ (403..=406 | 530), text } => {
            operator(format!("the broker refuses: {code} {text}"))
        }
        Trouble::Closed { code, text } => {
            Verdict::Retry { after: None, why: format!("the broker closed the connection: {code} {text}") }
        }
        Trouble::Garbage(why) => Verdict::Retry { after: None, why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetError;

    #[test]
    fn each_end_has_its_verdict() {
        let net = |kind| Trouble::Net(NetError { kind, text: "why".to_owned() });
        let closed = |code| Trouble::Closed { code, text: "why".to_owned() };
        let table = [
            (net(NetErrorKind::Connect), "retry None"),
            (net(NetErrorKind::Tls), "retry Some(60)"),
            (net(NetErrorKind::Timeout { sent: Some(true) }), "retry None"),
            (closed(403), "retry Some(60)"),
            (closed(530), "retry Some(60)"),
            (closed(406), "retry Some(60)"),
            (closed(320), "retry None"),
            (closed(501), "retry None"),
            (Trouble::Blocked("memory".to_owned()), "throttle None"),
            (Trouble::Garbage("HTTP".to_owned()), "retry None"),
        ];
        for (trouble, wanted) in table {
            let told = match judge(trouble) {
                Verdict::Retry { after, .. } => format!("retry {:?}", after.map(|after| after.as_secs())),
                Verdict::Throttle { after, .. } => format!("throttle {after:?}"),
                other => panic!("{other:?}"),
            };
            assert_eq!(told, wanted);
        }
        assert_eq!(judge_confirms(2, Vec::new()), Verdict::Delivered);
        assert_eq!(judge_confirms(2, vec![1]), Verdict::Partial { failed: vec![1], refused: Vec::new() });
        assert!(matches!(judge_confirms(2, vec![0, 1]), Verdict::Retry { .. }));
    }
}
