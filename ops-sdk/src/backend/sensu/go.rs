//! Sensu Go: events over HTTP, to the agent beside this process or to the backend.
//!
//! A check is an event of its own. The metrics of a push go together, as the points of one event, since the agent passes
//! on ten events a second (`events-rate-limit`) and keeps the rest on its disk. What is refused among them is looked for by
//! halves, so that one bad point costs only itself.

use ::http::HeaderMap;

use super::shape::{Known, named, numbers, texts};
use crate::backend::shared::{Address, failed, judge, post};
use crate::backend::{EncodeError, Refusal, Verdict};
use crate::chunk::{Batch, Items};
use crate::encode::json;
use crate::ledger::Loss;
use crate::model::{Body, Check, Metric, Record, Value};
use crate::net::Net;

/// What the agent passes on in a second (`events-rate-limit`, agent reference of Sensu Go 6): the metrics of a push are
/// one event, its checks as many as are left. The backend knows no such limit.
const AGENT_CHECKS_MAX: usize = 9;
/// The shortest silence that Sensu Go takes for an alarm (sensu-go `api/core/v2/check.go`, `Validate`).
const TTL_MIN: u64 = 5;
/// How an item that is points begins.
const POINTS: &[u8] = b"{\"name\"";

/// What was checked of the settings.
pub(super) struct Go {
    pub(super) address: Address,
    /// Of the agent `/events`, else the path of the namespace's events.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) is_agent: bool,
    pub(super) namespace: String,
    /// Whose checks and metrics they are; the agent's own if none was named.
    pub(super) entity: Option<String>,
    pub(super) handlers: Vec<String>,
    pub(super) metric_handlers: Vec<String>,
    pub(super) ttl: Option<u64>,
    pub(super) dimensions: Vec<(String, String)>,
}

impl Go {
    /// Writes a check as one event, a metric as points.
    pub(super) fn encode(&self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        match &record.body {
            Body::Check(check) => out.push(|bytes| self.check(bytes, record, check)),
            Body::Metric(metric) => out.push(|bytes| points(bytes, record, metric)),
            _ => Err(EncodeError("Sensu carries checks and metrics alone".to_owned())),
        }
    }

    fn check(&self, out: &mut Vec<u8>, record: &Record<'_>, check: &Check<'_>) -> Result<(), EncodeError> {
        let known = Known::of(check, self.ttl);
        let interval = known.interval;
        match known.ttl {
            Some(ttl) if ttl < TTL_MIN || interval.is_some_and(|interval| ttl <= interval) => {
                return Err(EncodeError(format!(
                    "Sensu Go takes a ttl of {TTL_MIN} s or more that is longer than the interval, not {ttl}"
                )));
            }
            _ => {}
        }
        let seconds = record.time_ns / 1_000_000_000;
        out.push(b'{');
        let entity = if self.is_agent { None } else { known.source.as_ref() };
        self.entity(out, entity.or(self.entity.as_ref()));
        out.extend_from_slice(b"\"check\":{\"metadata\":{\"name\":");
        json::string(out, &named(&check.name));
        out.extend_from_slice(b",\"namespace\":");
        json::string(out, &self.namespace);
        out.extend_from_slice(b",\"annotations\":");
        self.annotations(out, record, check);
        out.extend_from_slice(b"},\"status\":");
        json::number_u64(out, check.status as u64);
        out.extend_from_slice(b",\"output\":");
        json::string(out, &check.output);
        let times = [
            (&b",\"issued\":"[..], Some(seconds)),
            (b",\"executed\":", Some(seconds)),
            (b",\"ttl\":", known.ttl),
            (b",\"interval\":", interval),
        ];
        for (key, number) in times {
            if let Some(number) = number {
                out.extend_from_slice(key);
                json::number_u64(out, number);
            }
        }
        if let Some(seconds) = known.duration {
            out.extend_from_slice(b",\"duration\":");
            json::number_f64(out, seconds);
        }
        if let Some(source) = known.source.as_ref().filter(|_| self.is_agent) {
            out.extend_from_slice(b",\"proxy_entity_name\":");
            json::string(out, source);
        }
        out.extend_from_slice(b",\"handlers\":");
        texts(out, known.handlers.as_ref().unwrap_or(&self.handlers));
        out.extend_from_slice(b"},\"timestamp\":");
        json::number_u64(out, seconds);
        out.push(b'}');
        Ok(())
    }

    fn entity(&self, out: &mut Vec<u8>, name: Option<&String>) {
        if let Some(name) = name {
            out.extend_from_slice(b"\"entity\":{\"entity_class\":\"proxy\",\"metadata\":{\"name\":");
            json::string(out, name);
            out.extend_from_slice(b",\"namespace\":");
            json::string(out, &self.namespace);
            out.extend_from_slice(b"}},");
        }
    }

    /// The id, the other fields and the dimensions of the process. Annotations are texts; one whose name is there already
    /// gets a number.
    fn annotations(&self, out: &mut Vec<u8>, record: &Record<'_>, check: &Check<'_>) {
        out.extend_from_slice(b"{\"ops_id\":");
        json::string(out, &record.id.to_string());
        let mut keys = vec!["ops_id".to_owned()];
        let mut add = |out: &mut Vec<u8>, key: &str, text: &str| {
            let mut numbered = (2..).map(|number| format!("{key}.{number}"));
            let mut key = key.to_owned();
            while keys.contains(&key) {
                key = numbered.next().unwrap_or_default();
            }
            out.push(b',');
            json::string(out, &key);
            out.push(b':');
            json::string(out, text);
            keys.push(key);
        };
        for (key, value) in check.fields.iter().filter(|(key, value)| !Known::has(key, value)) {
            match value {
                Value::Str(text) => add(out, key, text),
                other => {
                    let mut text = Vec::new();
                    json::value(&mut text, other);
                    add(out, key, String::from_utf8_lossy(&text).trim_matches('"'));
                }
            }
        }
        self.dimensions.iter().for_each(|(key, value)| add(out, key, value));
        out.push(b'}');
    }

    /// Bytes around the points of an event.
    pub(super) fn envelope_bytes(&self) -> usize {
        self.event(std::iter::empty()).len()
    }

    /// The event of some points.
    fn event<'b>(&self, points: impl Iterator<Item = &'b [u8]>) -> Vec<u8> {
        let mut out = b"{".to_vec();
        self.entity(&mut out, self.entity.as_ref());
        out.extend_from_slice(b"\"metrics\":{\"handlers\":");
        texts(&mut out, &self.metric_handlers);
        out.extend_from_slice(b",\"points\":[");
        for (index, points) in points.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(points);
        }
        out.extend_from_slice(b"]}}");
        out
    }

    /// Sends a batch: its metrics together, each check alone.
    pub(super) fn send(&self, batch: &Batch, net: &mut Net) -> Verdict {
        let items: Vec<_> = batch.iter().map(|(_, bytes)| bytes).collect();
        let (points, checks): (Vec<_>, Vec<_>) =
            (0..items.len()).partition(|index| items[*index].starts_with(POINTS));
        let (now, later) = match self.is_agent {
            true => checks.split_at(checks.len().min(AGENT_CHECKS_MAX)),
            false => (&checks[..], &[][..]),
        };
        let mut fates = Fates::default();
        self.send_points(&items, &points, &mut fates, net);
        for check in now {
            self.send_one(items[*check].to_vec(), &[*check], &mut fates, net);
        }
        fates.failed.extend(later);
        fates.verdict(items.len())
    }

    /// Sends points as one event, and by halves if some of them are refused.
    fn send_points(&self, items: &[&[u8]], points: &[usize], fates: &mut Fates, net: &mut Net) {
        if points.is_empty() {
            return;
        }
        let event = self.event(points.iter().map(|index| items[*index]));
        if self.send_one(event, points, fates, net) {
            let (first, second) = points.split_at(points.len() / 2);
            self.send_points(items, first, fates, net);
            self.send_points(items, second, fates, net);
        }
    }

    /// Sends one event, and notes what became of the items that are in it. Says whether they are to be tried by halves.
    fn send_one(&self, event: Vec<u8>, places: &[usize], fates: &mut Fates, net: &mut Net) -> bool {
        if fates.stopped.is_some() {
            fates.failed.extend(places);
            return false;
        }
        let verdict = match self.address.under(&self.path) {
            Err(why) => Verdict::Retry { after: None, why },
            Ok(uri) => match net.send(post(uri, "application/json", &self.headers, event)) {
                Ok(answer) => judge(&answer, net.current().unix_ns / 1_000_000_000, places.len()),
                Err(error) => failed(error),
            },
        };
        fates.note(verdict, places)
    }
}

/// Puts a metric's points beside each other; nothing, if it has none.
fn points(out: &mut Vec<u8>, record: &Record<'_>, metric: &Metric<'_>) -> Result<(), EncodeError> {
    let base = named(&metric.name);
    for (index, (what, number)) in numbers(&metric.points)?.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(POINTS);
        out.extend_from_slice(b":\"");
        out.extend_from_slice(base.as_bytes());
        out.push(b'.');
        out.extend_from_slice(what.as_bytes());
        out.extend_from_slice(b"\",\"value\":");
        number.write(out);
        out.extend_from_slice(b",\"timestamp\":");
        json::number_u64(out, record.time_ns);
        out.extend_from_slice(b",\"tags\":[");
        for (index, (key, value)) in metric.dimensions.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"{\"name\":" } else { b",{\"name\":" });
            json::string(out, key);
            out.extend_from_slice(b",\"value\":");
            json::string(out, value);
            out.push(b'}');
        }
        out.extend_from_slice(b"]}");
    }
    Ok(())
}

/// What became of the items of a push.
#[derive(Debug, Default)]
struct Fates {
    failed: Vec<usize>,
    refused: Vec<(usize, Refusal)>,
    /// Why nothing more is sent in this push.
    stopped: Option<Verdict>,
}

impl Fates {
    /// Notes what an answer means for these items. Says whether they are to be tried by halves.
    fn note(&mut self, verdict: Verdict, places: &[usize]) -> bool {
        match verdict {
            Verdict::Delivered => {}
            Verdict::Halve => return true,
            Verdict::Refuse(refusal) if refusal.loss == Loss::Refused && places.len() > 1 => return true,
            Verdict::Refuse(refusal) => {
                self.refused.extend(places.iter().map(|place| (*place, refusal.clone())))
            }
            stopped => {
                self.failed.extend(places);
                self.stopped = Some(stopped);
            }
        }
        false
    }

    /// Of a push of so many items.
    fn verdict(mut self, items: usize) -> Verdict {
        self.failed.sort_unstable();
        match self.stopped {
            Some(stopped) if self.failed.len() == items => stopped,
            _ if self.failed.is_empty() && self.refused.is_empty() => Verdict::Delivered,
            _ => Verdict::Partial { failed: self.failed, refused: self.refused },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mix_of_answers_has_its_verdict() {
        let refuse = |loss| Verdict::Refuse(Refusal { loss, why: "no".to_owned() });
        let retry = || Verdict::Retry { after: None, why: "later".to_owned() };
        let mut fates = Fates::default();
        assert!(!fates.note(Verdict::Delivered, &[0, 1]));
        assert!(fates.note(refuse(Loss::Refused), &[2, 3]) && fates.note(Verdict::Halve, &[2, 3]));
        assert!(!fates.note(refuse(Loss::Refused), &[2]) && !fates.note(refuse(Loss::Oversize), &[3]));
        assert!(!fates.note(retry(), &[5, 4]));
        let Verdict::Partial { failed, refused } = fates.verdict(6) else { panic!("some of it") };
        assert_eq!(failed, [4, 5]);
        assert_eq!(
            refused.iter().map(|(index, refusal)| (*index, refusal.loss)).collect::<Vec<_>>(),
            [(2, Loss::Refused), (3, Loss::Oversize)]
        );
        let mut fates = Fates::default();
        fates.note(retry(), &[0]);
        fates.failed.push(1);
        assert_eq!(fates.verdict(2), retry());
        assert_eq!(Fates::default().verdict(2), Verdict::Delivered);
    }
}
