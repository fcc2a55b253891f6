//! The road into a log group: PutLogEvents or one of the HTTP endpoints, and what must exist before it. Group and stream
//! are created on first need, never asked for beforehand, so an account whose groups are made by others needs no
//! permission but to put.
//!
//! Retention is set right after this process created the group and at no other time: a group that exists is its
//! owner's. Bodies are never compressed: no operation of this service has the trait for it.

mod create;
mod reply;

use std::borrow::Cow;

use self::reply::rejected;
use super::destination::{Destination, Ingest};
use super::entity::{EntityForm, EntityTold, entity};
use super::group::Group;
use super::ingest::put;
use super::judge::{bisect, judge};
use super::place::{Place, STREAM, STREAM_BY};
use super::road::Road;
use super::routes::{Route, ends_push, merge, routes};
use super::stream_by::StreamBy;
use crate::backend::shared::setting;
use crate::backend::{Context, Verdict};
use crate::chunk::Batch;
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::net::aws::Fault;
use crate::net::{Net, Response};

const DAY_MS: u64 = 24 * 3_600_000;
/// Of an entity: `EntityKeyAttributes` and `EntityAttributes` in `logs/2014-03-28`, botocore 1.44.5.
const ENTITY: EntityForm = EntityForm {
    variable: "OPS_CLOUDWATCH_LOGS_ENTITY",
    attributes_variable: "OPS_CLOUDWATCH_LOGS_ENTITY_ATTRIBUTES",
    members: ["keyAttributes", "attributes"],
    value_max: 512,
};

/// Sends batches of messages to one stream, or to those that the messages are for.
pub(in crate::backend) struct LogEvents {
    road: Road,
    place: Place,
    group: Group,
    ingest: Ingest,
    /// The entity, as PutLogEvents takes it.
    entity: Option<Vec<u8>>,
    /// The group was created here and its retention is not set yet.
    retention_due: bool,
}

impl LogEvents {
    /// Checks the settings without speaking to the network. The pattern is what makes streams of records, if it makes
    /// more than one.
    ///
    /// # Errors
    ///
    /// If a setting is missing or means nothing.
    pub(in crate::backend) fn open(
        told: &Destination,
        context: &Context,
    ) -> Result<(LogEvents, Option<StreamBy>), Error> {
        let mut place = Place::find(told, context)?;
        let by = stream_by(told, context)?;
        let is_named = place.is_chosen || by.is_some();
        let fixed = by.as_ref().and_then(StreamBy::fixed);
        let by = by.filter(|_| fixed.is_none());
        let is_made_up = fixed.is_some() || !place.is_chosen;
        place.stream = fixed.unwrap_or(place.stream);
        let ingest = Ingest::find(told, context)?;
        if ingest != Ingest::Put {
            place.stream = in_header(&place.stream, is_made_up)?;
        }
        let (keys, attributes) = (told.entity_keys.clone(), told.entity_attributes.clone());
        let entity = entity(&EntityTold { keys, attributes }, &ENTITY, context)?;
        let (group, road) = (Group::find(told, context)?, Road::open(told, ingest, context)?);
        if road.is_token() && !is_named {
            let remedy = "name one that exists with OPS_CLOUDWATCH_LOGS_STREAM or _STREAM_BY";
            return Err(Error::setting(
                format!("{STREAM} / .stream(..)"),
                "no stream is named, and with a token none can be created",
                remedy,
            ));
        }
        Ok((LogEvents { road, place, group, ingest, entity, retention_due: false }, by))
    }

    /// Whether a group that is made here, and the way into it, make metrics of embedded ones.
    #[cfg(feature = "emf")]
    pub(in crate::backend) fn takes_embedded_metrics(&self) -> bool {
        self.group.class == super::LogClass::Standard && self.ingest == Ingest::Put
    }

    pub(in crate::backend) fn ingest(&self) -> Ingest {
        self.ingest
    }

    /// A second one for pushes beside this one's: since 2023 no sequence token orders the puts of a stream. Groups made
    /// by the first have their retention set by the first.
    pub(in crate::backend) fn another(&self) -> LogEvents {
        LogEvents {
            road: self.road.another(),
            place: self.place.clone(),
            group: self.group.clone(),
            entity: self.entity.clone(),
            ingest: self.ingest,
            retention_due: false,
        }
    }

    /// What PutLogEvents takes (`logs/2014-03-28`, botocore 1.44.5): 1,048,576 bytes counted as UTF-8 bytes and 26 an
    /// event, escapes and envelope not counted; 10,000 events in order, all within less than 24 hours, from 14 days
    /// back to 2 hours ahead. For the HTTP endpoints no limits are published; they are held to the same, and to every
    /// byte that goes over the wire.
    pub(in crate::backend) fn limits(&self) -> Limits {
        let item_overhead_bytes = self.ingest.overhead_bytes();
        Limits {
            push_bytes_max: 1_048_576,
            envelope_bytes: 0,
            push_items_max: 10_000,
            item_bytes_max: 1_048_576 - item_overhead_bytes,
            item_overhead_bytes,
            span_ms_max: Some(DAY_MS),
            age_ms_max: Some(14 * DAY_MS),
            ahead_ms_max: Some(2 * 3_600_000),
            ordered: true,
            push: true,
            oversize: Oversize::Split,
        }
    }

    /// Puts a batch, stream after stream, and creates what is missing for it.
    pub(in crate::backend) fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.set_retention(net);
        let own = self.place.stream.clone();
        let name = |stream| if self.ingest == Ingest::Put { Cow::Borrowed(stream) } else { visible(stream) };
        let (mut verdicts, mut ends) = (Vec::new(), false);
        for route in routes(batch, &own, name) {
            let verdict = match ends {
                false => self.push(&route, net).unwrap_or_else(|verdict| verdict),
                true => Verdict::Retry { after: None, why: "not sent: the push had ended".to_owned() },
            };
            let verdict = self.road.settle(verdict);
            ends |= ends_push(&verdict, net.is_unanswered());
            verdicts.push((route.indexes, verdict));
        }
        merge(verdicts)
    }

    fn push(&mut self, route: &Route<'_>, net: &mut Net) -> Result<Verdict, Verdict> {
        let mut answer = self.put(route, net)?;
        if self.may_be_missing(&answer, net) && self.create(&route.stream, &answer, net)? {
            answer = self.put(route, net)?;
        }
        if is_missing(&answer) {
            // What was created a moment ago may take another to be seen.
            let why = format!("log group {} not there yet", self.place.group);
            return Err(Verdict::Retry { after: None, why });
        }
        let (code, items) = (Fault::of(&answer).code, route.events.len());
        let verdict = judge(&answer, unix_s(net), items);
        Ok(match (self.ingest, verdict) {
            (Ingest::Put, Verdict::Delivered) => rejected(&answer.body, items, &self.place.group, net),
            // The service stopped saying so in 2023; what stands in for it may still, and means that it has the push.
            (Ingest::Put, _) if code == "DataAlreadyAcceptedException" => Verdict::Delivered,
            (Ingest::Put, other) => told(bisect(other, &code, items), "PutLogEvents"),
            // What the endpoints call an event that they do not take is not published.
            (_, Verdict::Refuse(_)) if items > 1 => Verdict::Halve,
            (ingest, other) => told(other, ingest.address().0),
        })
    }

    fn put(&mut self, route: &Route<'_>, net: &mut Net) -> Result<Response, Verdict> {
        match self.ingest {
            Ingest::Put => {
                let mut body = self.place.stream_name(&route.stream);
                put(&mut body, &route.events, self.entity.as_deref());
                self.road.call(net, "PutLogEvents", body)
            }
            ingest => {
                let body = ingest.body(&route.events);
                self.road.post(net, ingest, &self.place, &route.stream, body)
            }
        }
    }

    /// Whether the group or the stream may be what an answer misses. The endpoints do not say what they answer then, so
    /// there it is every refusal.
    fn may_be_missing(&self, answer: &Response, net: &Net) -> bool {
        let is_refused =
            || matches!(judge(answer, unix_s(net), 1), Verdict::Refuse(_)) || answer.status == 404;
        is_missing(answer) || (self.ingest != Ingest::Put && answer.status >= 400 && is_refused())
    }
}

/// What names streams by their records: from the program or, if that names no stream, from the environment.
fn stream_by(told: &Destination, context: &Context) -> Result<Option<StreamBy>, Error> {
    let is_told = told.stream.is_some() || told.stream_by.is_some();
    let variable = |name| if is_told { None } else { setting(None, name, context) };
    let pattern = told.stream_by.clone().or_else(|| variable(STREAM_BY));
    match (pattern, told.stream.clone().or_else(|| variable(STREAM))) {
        (Some(_), Some(_)) => {
            let settings = format!("{STREAM} / .stream(..) and {STREAM_BY} / .stream_by(..)");
            Err(Error::setting(settings, "both are set", "set one of them"))
        }
        (Some(pattern), None) => StreamBy::parse(&pattern, context).map(Some),
        (None, _) => Ok(None),
    }
}

/// A stream's name as a header can hold it.
fn in_header(stream: &str, is_made_up: bool) -> Result<String, Error> {
    match visible(stream) {
        Cow::Owned(_) if !is_made_up => Err(Error::setting(
            format!("{STREAM} / .stream(..)"),
            format!("\"{}\" cannot stand in a header, as the HTTP endpoints want it", stream.escape_debug()),
            "use ASCII characters without spaces, or OPS_CLOUDWATCH_LOGS_INGEST=put",
        )),
        fitted => Ok(fitted.into_owned()),
    }
}

fn visible(stream: &str) -> Cow<'_, str> {
    if stream.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Cow::Borrowed(stream);
    }
    Cow::Owned(stream.chars().map(|c| if c.is_ascii_graphic() { c } else { '-' }).collect())
}

fn is_missing(answer: &Response) -> bool {
    answer.status >= 400 && Fault::of(answer).code == "ResourceNotFoundException"
}

fn unix_s(net: &Net) -> i64 {
    i64::try_from(net.current().unix_ns / 1_000_000_000).unwrap_or(i64::MAX)
}

/// The verdict with the operation's name before its reason.
fn told(verdict: Verdict, operation: &str) -> Verdict {
    match verdict {
        Verdict::Retry { after, why } => Verdict::Retry { after, why: format!("{operation}: {why}") },
        Verdict::Throttle { after, why } => Verdict::Throttle { after, why: format!("{operation}: {why}") },
        Verdict::Reauthenticate { why } => Verdict::Reauthenticate { why: format!("{operation}: {why}") },
        other => other,
    }
}

#[cfg(test)]
mod tests;
