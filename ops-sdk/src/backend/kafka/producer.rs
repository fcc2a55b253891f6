//! librdkafka's producer for the length of a push: messages in, an answer for each of them out.
//!
//! Promises: when a push ends, nothing of it is left in librdkafka. What has no answer by then is taken back from its
//! queues and from what is under way, and the producer that had messages under way is given up for a new one, so that
//! no late answer and no gap in its sequence comes into the next push.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::judge::{Answer, is_of_connection, is_operators};
use crate::lock::Mutex;

/// How long a push goes on while no broker can be reached, or one refuses us: it may be back by then, or be one of many.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to wait for the answers that taking messages back gives; they are made at once.
const PURGE_PATIENCE: Duration = Duration::from_secs(1);
/// How long one look at what came takes, and at most.
const POLL: Duration = Duration::from_millis(1);
const POLL_MAX: Duration = Duration::from_millis(50);
/// Characters of librdkafka's words that an operator is shown.
const SAID_MAX: usize = 300;

/// A message of a push.
pub(super) type Message<'a> = BaseRecord<'a, str, [u8], usize>;

/// What came from librdkafka.
#[derive(Default)]
struct State {
    /// One for each message of the push, by its number.
    answers: Vec<Option<Answer>>,
    waiting: usize,
    /// The last error of connections, in words.
    said: String,
    /// A broker refused us, or we it.
    refused: Option<Code>,
    /// No broker could be reached, and none has answered since.
    is_down: bool,
}

#[derive(Default)]
struct Reports(Mutex<State>);

impl ClientContext for Reports {
    /// What matters comes as an error too.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let clean = reason.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut state = self.0.lock();
        match error.rdkafka_error_code() {
            Some(Code::AllBrokersDown) => state.is_down = true,
            code => {
                state.said = clean.take(SAID_MAX).collect();
                state.refused = code.filter(|code| is_of_connection(*code)).or(state.refused);
            }
        }
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let answer = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(Code::Unknown)),
        };
        let mut state = self.0.lock();
        if answer.is_ok() {
            (state.is_down, state.refused) = (false, None);
            state.said.clear();
        }
        state.answer(number, answer);
    }
}

impl State {
    fn begin(&mut self, messages: usize) {
        (self.answers, self.waiting, self.refused) = (vec![None; messages], messages, None);
    }

    fn answer(&mut self, number: usize, answer: Answer) {
        if let Some(place @ None) = self.answers.get_mut(number) {
            *place = Some(answer);
            self.waiting -= 1;
        }
    }
}

/// Makes a producer when one is needed and sends with it.
pub(super) struct Sender {
    config: ClientConfig,
    producer: Option<BaseProducer<Reports>>,
}

impl Sender {
    pub(super) fn new(config: ClientConfig) -> Sender {
        Sender { config, producer: None }
    }

    /// Sends messages, in this order, and waits for their answers no longer than `budget`. The second is what librdkafka
    /// said last of its connections.
    pub(super) fn push<'a>(
        &mut self,
        messages: impl ExactSizeIterator<Item = Message<'a>>,
        budget: Duration,
    ) -> (Vec<Answer>, String) {
        let (began, count) = (Instant::now(), messages.len());
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => match self.config.create_with_context(Reports::default()) {
                Ok(producer) => producer,
                // What librdkafka says of its settings may hold their values.
                Err(_) => return (vec![Err(Code::Fail); count], "the producer cannot be made".to_owned()),
            },
        };
        producer.context().0.lock().begin(count);
        for message in messages {
            let number = message.delivery_opaque;
            if let Err((error, _)) = producer.send(message) {
                let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
                producer.context().0.lock().answer(number, Err(code));
            }
        }
        wait(&producer, began, budget);
        let (answers, said, is_usable) = settle(&producer);
        if is_usable && producer.client().fatal_error().is_none() {
            self.producer = Some(producer);
        }
        (answers, said)
    }
}

/// Waits until every message has its answer, or there is no point in waiting.
fn wait(producer: &BaseProducer<Reports>, began: Instant, budget: Duration) {
    loop {
        let waited = began.elapsed();
        {
            let state = producer.context().0.lock();
            let gives_up = (state.refused.is_some() || state.is_down) && waited >= PATIENCE;
            if state.waiting == 0 || gives_up || waited >= budget {
                return;
            }
        }
        // A poll takes all of its time whatever comes, so it takes a small part of what was waited already.
        producer.poll((waited / 8).clamp(POLL, POLL_MAX).min(budget - waited));
    }
}

/// Takes back what has no answer; says whether the producer can go on.
fn settle(producer: &BaseProducer<Reports>) -> (Vec<Answer>, String, bool) {
    if producer.context().0.lock().waiting > 0 {
        producer.purge(PurgeConfig::default().queue().inflight());
        let began = Instant::now();
        while producer.context().0.lock().waiting > 0 && began.elapsed() < PURGE_PATIENCE {
            producer.poll(POLL);
        }
    }
    let mut state = producer.context().0.lock();
    let answers: Vec<Answer> = std::mem::take(&mut state.answers)
        .into_iter()
        .map(|answer| answer.unwrap_or(Err(Code::PurgeInflight)))
        .collect();
    let is_usable = state.waiting == 0 && answers.iter().all(|answer| leaves_usable(*answer, state.is_down));
    // Why it had to be taken back says more than that it was.
    let told = |answer| match (answer, state.refused) {
        (Err(Code::PurgeQueue | Code::PurgeInflight), Some(refused)) => Err(refused),
        (answer, _) => answer,
    };
    (answers.into_iter().map(told).collect(), state.said.clone(), is_usable)
}

/// Whether a producer can go on after this answer. Not if messages were taken back that a broker may have seen, for their
/// numbers are missing from then on; and not if an operator has something to put right, which a new one sees at once. What
/// was taken back while no broker could be reached was not sent.
fn leaves_usable(answer: Answer, is_down: bool) -> bool {
    match answer {
        Ok(()) => true,
        Err(Code::PurgeInflight) => false,
        Err(Code::PurgeQueue) => is_down,
        Err(code) => !is_operators(code),
    }
}
