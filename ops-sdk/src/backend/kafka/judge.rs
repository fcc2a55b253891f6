//! What the answers to messages mean for a batch. Pure: results in, a verdict out.
//!
//! The rule behind the table is that of the other backends: what an operator can put right (a topic that is not there, a
//! permission) is waited out, and only a broker that has read a message can refuse it for good.

use std::time::Duration;

use rdkafka::types::RDKafkaErrorCode as Code;

use crate::backend::{Refusal, Verdict};
use crate::ledger::Loss;

/// How long to wait where only an operator can help.
const OPERATOR_DELAY: Duration = Duration::from_secs(60);

/// What became of one message.
pub(super) type Answer = Result<(), Code>;

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    /// It may go another time. What is not known to be there is among these.
    Later,
    /// It was too much at a time.
    Slower,
    /// Somebody has to put something right first.
    Operator,
    /// The message, or the batch that librdkafka put it into, is too large for the topic.
    Large,
    /// The broker has read it and does not take it.
    Refused,
    /// The broker does not take its time.
    Time,
}

fn class(code: Code) -> Class {
    match code {
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => Class::Large,
        Code::InvalidRecord => Class::Refused,
        Code::InvalidTimestamp => Class::Time,
        Code::ThrottlingQuotaExceeded | Code::QueueFull => Class::Slower,
        _ if is_operators(code) => Class::Operator,
        // Among them: no leader, too few replicas, a broker that went away, timeouts, what was taken back from
        // librdkafka, a record of a batch in which another one is bad, and codes that are not known here.
        _ => Class::Later,
    }
}

/// Whether only an operator can help: with the cluster, a topic or the connection, not with the message.
pub(super) fn is_operators(code: Code) -> bool {
    is_of_connection(code)
        || matches!(
            code,
            Code::UnknownTopic
                | Code::UnknownPartition
                | Code::UnknownTopicOrPartition
                | Code::InvalidTopic
                | Code::TopicAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::TransactionalIdAuthorizationFailed
                | Code::PolicyViolation
                | Code::UnsupportedVersion
                | Code::UnsupportedForMessageFormat
                | Code::UnsupportedCompressionType
        )
}

/// Whether a broker refuses us, or we it, before any message is spoken of.
pub(super) fn is_of_connection(code: Code) -> bool {
    matches!(
        code,
        Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::IllegalSASLState
            | Code::SSL
            | Code::SecurityDisabled
    )
}

/// The verdict on a batch, each message with its answer and whether its time is before now. `said` is what librdkafka
/// said last about the connection, for the operator.
pub(super) fn verdict(answers: &[(Answer, bool)], said: &str) -> Verdict {
    let bad: Vec<(usize, Code, bool)> = answers
        .iter()
        .enumerate()
        .filter_map(|(index, (answer, is_past))| answer.err().map(|code| (index, code, *is_past)))
        .collect();
    if bad.is_empty() {
        return Verdict::Delivered;
    }
    let alone = answers.len() == 1;
    let (mut failed, mut refused) = (Vec::new(), Vec::new());
    for (index, code, is_past) in &bad {
        match refusal(*code, *is_past, alone) {
            Some(refusal) => refused.push((*index, refusal)),
            None => failed.push(*index),
        }
    }
    if failed.len() < answers.len() {
        return Verdict::Partial { failed, refused };
    }
    nothing(&bad, said)
}

/// Why the message is never to be sent again, if it is not. One that is too large may have been so for what it was sent
/// with, unless it was alone.
fn refusal(code: Code, is_past: bool, alone: bool) -> Option<Refusal> {
    let loss = match class(code) {
        Class::Refused => Loss::Refused,
        Class::Time if is_past => Loss::TooOld,
        Class::Time => Loss::TooNew,
        Class::Large if alone => Loss::Oversize,
        _ => return None,
    };
    Some(Refusal { loss, why: code.to_string() })
}

/// The verdict where nothing was taken and nothing refused.
fn nothing(bad: &[(usize, Code, bool)], said: &str) -> Verdict {
    let first = |wanted: Class| bad.iter().map(|(_, code, _)| *code).find(|code| class(*code) == wanted);
    let why = |code: Code| if said.is_empty() { code.to_string() } else { format!("{code}: {said}") };
    if let Some(code) = first(Class::Operator) {
        return Verdict::Retry { after: Some(OPERATOR_DELAY), why: why(code) };
    }
    if bad.iter().all(|(_, code, _)| class(*code) == Class::Large) {
        return Verdict::Halve;
    }
    match first(Class::Slower) {
        Some(code) => Verdict::Throttle { after: None, why: why(code) },
        None => Verdict::Retry { after: None, why: why(bad[0].1) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(answers: &[Answer]) -> (&'static str, Option<u64>) {
        let answers: Vec<_> = answers.iter().map(|answer| (*answer, true)).collect();
        match verdict(&answers, "") {
            Verdict::Delivered => ("delivered", None),
            Verdict::Halve => ("halve", None),
            Verdict::Retry { after, .. } => ("retry", after.map(|after| after.as_secs())),
            Verdict::Throttle { .. } => ("throttle", None),
            Verdict::Partial { failed, refused } if failed.is_empty() => (refused[0].1.loss.name(), None),
            Verdict::Partial { refused, .. } if refused.is_empty() => ("partial", None),
            Verdict::Partial { .. } => ("both", None),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_error_has_its_verdict() {
        let operator = ("retry", Some(60));
        let table = [
            (Code::NotLeaderForPartition, ("retry", None)),
            (Code::LeaderNotAvailable, ("retry", None)),
            (Code::RequestTimedOut, ("retry", None)),
            (Code::NotEnoughReplicas, ("retry", None)),
            (Code::NotEnoughReplicasAfterAppend, ("retry", None)),
            (Code::NetworkException, ("retry", None)),
            (Code::InvalidMessage, ("retry", None)), // its sum was wrong: damaged on the way
            (Code::OutOfOrderSequenceNumber, ("retry", None)),
            (Code::MessageTimedOut, ("retry", None)),
            (Code::PurgeQueue, ("retry", None)),
            (Code::PurgeInflight, ("retry", None)),
            (Code::BrokerTransportFailure, ("retry", None)),
            (Code::AllBrokersDown, ("retry", None)),
            (Code::Fatal, ("retry", None)),
            (Code::Unknown, ("retry", None)),
            (Code::InvalidDifferentRecord, ("retry", None)),
            (Code::QueueFull, ("throttle", None)),
            (Code::ThrottlingQuotaExceeded, ("throttle", None)),
            (Code::UnknownTopicOrPartition, operator),
            (Code::UnknownTopic, operator),
            (Code::TopicAuthorizationFailed, operator),
            (Code::ClusterAuthorizationFailed, operator),
            (Code::SaslAuthenticationFailed, operator),
            (Code::Authentication, operator),
            (Code::SSL, operator),
            (Code::InvalidTopic, operator),
            (Code::PolicyViolation, operator),
            (Code::MessageSizeTooLarge, ("halve", None)),
            (Code::MessageBatchTooLarge, ("halve", None)),
            (Code::InvalidRecord, ("refused", None)),
            (Code::InvalidTimestamp, ("too_old", None)),
        ];
        for (code, expected) in table {
            assert_eq!(kind(&[Err(code), Err(code)]), expected, "{code}");
        }
    }

    #[test]
    fn messages_are_judged_one_by_one() {
        let (late, large) = (Err(Code::PurgeQueue), Err(Code::MessageSizeTooLarge));
        assert_eq!(kind(&[Ok(()), Ok(())]), ("delivered", None));
        assert_eq!(kind(&[Ok(()), late]), ("partial", None));
        assert_eq!(kind(&[Ok(()), large]), ("partial", None));
        assert_eq!(kind(&[late, large]), ("retry", None));
        assert_eq!(kind(&[large]), ("oversize", None));
        assert_eq!(kind(&[Err(Code::InvalidRecord), Err(Code::InvalidDifferentRecord)]), ("both", None));
        assert_eq!(kind(&[late, Err(Code::TopicAuthorizationFailed)]), ("retry", Some(60)));
        let new = verdict(&[(Err(Code::InvalidTimestamp), false)], "");
        assert!(matches!(new, Verdict::Partial { refused, .. } if refused[0].1.loss == Loss::TooNew));
        let Verdict::Retry { why, .. } = verdict(&[(late, true)], "connection refused") else { panic!() };
        assert!(why.contains("PurgeQueue") && why.ends_with(": connection refused"), "{why}");
    }
}
