//! Groups and streams are made here when a push finds that they are missing.

use super::{LogEvents, is_missing, told, unix_s};
use crate::backend::aws::judge::judge;
use crate::backend::shared::operator;
use crate::backend::{Refusal, Verdict};
use crate::diag;
use crate::net::aws::Fault;
use crate::net::{Net, Response};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    New,
    Old,
    /// What it belongs to does not exist.
    Missing,
}

impl LogEvents {
    /// Creates the stream, and the group if that is missing too. Says whether the push is worth another try.
    ///
    /// # Errors
    ///
    /// What becomes of the batch if nothing can be created and that is why the push was refused.
    pub(super) fn create(&mut self, stream: &str, answer: &Response, net: &mut Net) -> Result<bool, Verdict> {
        let sounds_missing = sounds_missing(answer);
        if self.road.is_token() {
            let (group, why) = (&self.place.group, Fault::of(answer).message);
            let text =
                format!("log group {group} and stream {stream} must exist, and a token creates none: {why}");
            return if sounds_missing { Err(operator(text)) } else { Ok(false) };
        }
        match self.create_stream(stream, net) {
            Ok(is_new) => Ok(is_new || is_missing(answer)),
            // Who may not create has streams made by others, and was refused for something else.
            Err(Verdict::Retry { after: Some(_), .. }) if !sounds_missing => Ok(false),
            Err(verdict) => Err(verdict),
        }
    }

    fn create_stream(&mut self, stream: &str, net: &mut Net) -> Result<bool, Verdict> {
        let body = |events: &LogEvents| {
            let mut body = events.place.stream_name(stream);
            body.push(b'}');
            body
        };
        let made = self.make(net, "CreateLogStream", body(self))?;
        if made != Made::Missing {
            return Ok(made == Made::New);
        }
        if self.make(net, "CreateLogGroup", self.group.body(&self.place))? == Made::New {
            self.retention_due = self.group.retention_days.is_some();
            self.set_retention(net);
        }
        Ok(self.make(net, "CreateLogStream", body(self))? == Made::New)
    }

    fn make(&mut self, net: &mut Net, operation: &'static str, body: Vec<u8>) -> Result<Made, Verdict> {
        let answer = self.road.call(net, operation, body)?;
        if is_missing(&answer) {
            return Ok(Made::Missing);
        }
        if Fault::of(&answer).code == "ResourceAlreadyExistsException" {
            return Ok(Made::Old);
        }
        match judge(&answer, unix_s(net), 1) {
            Verdict::Delivered => Ok(Made::New),
            // The batch is not at fault: it waits until what it needs can be made.
            Verdict::Refuse(refusal) => {
                Err(told(Verdict::Retry { after: None, why: refusal.why }, operation))
            }
            other => Err(told(other, operation)),
        }
    }

    /// Sets the group's retention, if that is due. What fails for now is tried again with the next batch; what is denied
    /// is said.
    pub(super) fn set_retention(&mut self, net: &mut Net) {
        if !self.retention_due {
            return;
        }
        let Some(body) = self.group.retention_body(&self.place) else { return };
        let verdict = match self.road.call(net, "PutRetentionPolicy", body) {
            Ok(answer) => judge(&answer, unix_s(net), 1),
            Err(verdict) => verdict,
        };
        match verdict {
            Verdict::Delivered => self.retention_due = false,
            Verdict::Retry { after: None, .. }
            | Verdict::Throttle { .. }
            | Verdict::Reauthenticate { .. } => {}
            Verdict::Retry { why, .. } | Verdict::Refuse(Refusal { why, .. }) => {
                self.retention_due = false;
                let group = &self.place.group;
                let text = format!("cloudwatch-logs: the retention of {group} is not set: {why}");
                diag::warn("cloudwatch-logs retention", net.current(), &text);
            }
            Verdict::Halve | Verdict::Partial { .. } => self.retention_due = false,
        }
    }
}

/// Whether an answer says, in whichever words, that the group or the stream is not there.
fn sounds_missing(answer: &Response) -> bool {
    let message = Fault::of(answer).message.to_ascii_lowercase();
    is_missing(answer)
        || answer.status == 404
        || ["not exist", "not found"].iter().any(|words| message.contains(words))
}
