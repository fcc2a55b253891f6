//! One step of shipping: sends what may be sent now, or waits for what was sent, and acts on the answers. Knows pushes
//! and their items; where those came from is [`Source`]'s.

use std::collections::VecDeque;
use std::time::Duration;

use super::Shipper;
use super::circuit::Event;
use super::dead_letter::Letter;
use super::pace::{Go, Load};
use super::replay::Chunk;
use super::tally::Tally;
use super::workers::Answer as Answered;
use crate::backend::{Refusal, Verdict};
use crate::chunk::{Batch, Item, Items, outside_window};
use crate::clock::Now;
use crate::diag;
use crate::hub::{Fate, PushError};
use crate::journal::Run;
use crate::ledger::Loss;
use crate::model::Signal;

/// How long past the end an answer is waited for that was due at the end.
const GRACE: Duration = Duration::from_millis(25);

/// Where the items of pushes came from.
pub(super) enum Source<'a> {
    /// The journal.
    Run(&'a Run),
    /// The dead letters.
    Letters(&'a Chunk),
}

impl Source<'_> {
    fn signal(&self, place: u32) -> Signal {
        let place = place as usize;
        match self {
            Source::Run(run) => {
                run.within(place..place + 1).next().map_or(Signal::Log, |(frame, _)| frame.head.signal)
            }
            Source::Letters(chunk) => chunk.signal(place),
        }
    }

    fn tag(&self, place: u32) -> Option<String> {
        match self {
            Source::Run(_) => None,
            Source::Letters(chunk) => chunk.tag(place as usize),
        }
    }
}

impl Shipper {
    /// One step: a push is sent, or something is waited for. What is to be sent again comes back into the queue; `more`
    /// says whether the queue will be filled again. Says false if there is no time left.
    pub(super) fn step(
        &mut self,
        queue: &mut VecDeque<Batch>,
        more: bool,
        source: &Source<'_>,
        tally: &mut Tally,
    ) -> bool {
        let budget = self.hub.time_left();
        if budget.is_zero() {
            self.leave(queue, source, tally);
            return false;
        }
        self.bury_late(queue, source, tally);
        if queue.is_empty() && self.workers.busy() == 0 {
            return true;
        }
        let load = Load { queued: queue.len(), busy: self.workers.busy(), more };
        match self.pace.go(load, Now::read().mono_ns) {
            Go::Answers => _ = self.workers.wait(GRACE),
            Go::Pause(pause) => _ = self.hub.wait_to_retry(pause),
            Go::Alone => self.push_here(queue, more, budget, source, tally),
            Go::Beside => self.push_beside(queue, more, budget, source, tally),
        }
        while let Some(answer) = self.workers.take() {
            self.act(answer, queue, more, source, tally);
        }
        true
    }

    /// What is under way may still be answered in time to be settled.
    fn leave(&mut self, queue: &mut VecDeque<Batch>, source: &Source<'_>, tally: &mut Tally) {
        while self.workers.busy() > 0 && self.workers.wait(GRACE) {
            while let Some(answer) = self.workers.take() {
                self.act(answer, queue, false, source, tally);
            }
        }
    }

    fn push_here(
        &mut self,
        queue: &mut VecDeque<Batch>,
        more: bool,
        budget: Duration,
        source: &Source<'_>,
        tally: &mut Tally,
    ) {
        if let Some(batch) = queue.pop_front() {
            let answer = self.pusher.push(batch, budget);
            self.act(answer, queue, more, source, tally);
        }
    }

    /// Takes out of the next push what by the clock of now may not be sent any more: a push may wait for hours until the
    /// server takes it, and the clock may be set meanwhile.
    fn bury_late(&mut self, queue: &mut VecDeque<Batch>, source: &Source<'_>, tally: &mut Tally) {
        let now_ms = Now::read().unix_ms();
        let loss = |item: &Item| outside_window(item.time_ms, &self.limits, now_ms);
        let is_late = |batch: &Batch| batch.iter().any(|(item, _)| loss(item).is_some());
        let Some(batch) = queue.front().is_some_and(is_late).then(|| queue.pop_front()).flatten() else {
            return;
        };
        let late: Vec<_> = batch.iter().map(|(item, _)| loss(item)).collect();
        for ((item, bytes), loss) in batch.iter().zip(&late) {
            let Some(loss) = *loss else { continue };
            let refusal = Refusal { loss, why: loss.said().to_owned() };
            let fate = self.bury(source, item, &refusal, bytes);
            tally.done(item.place, fate);
        }
        let left = batch.select(|index| late[index].is_none());
        if !left.is_empty() {
            queue.push_front(left);
        }
    }

    fn push_beside(
        &mut self,
        queue: &mut VecDeque<Batch>,
        more: bool,
        budget: Duration,
        source: &Source<'_>,
        tally: &mut Tally,
    ) {
        let Some(batch) = queue.pop_front() else { return };
        let Err(batch) = self.workers.give(batch, budget, &self.pusher) else { return };
        queue.push_front(batch);
        if self.workers.busy() == 0 {
            self.pace.narrow();
            self.push_here(queue, more, budget, source, tally);
        } else {
            self.workers.wait(GRACE); // there is no thread to be had beside those that are
        }
    }

    /// Acts on the verdict on one push.
    fn act(
        &mut self,
        answer: Answered,
        queue: &mut VecDeque<Batch>,
        more: bool,
        source: &Source<'_>,
        tally: &mut Tally,
    ) {
        let class = class(&answer.verdict, answer.is_unanswered);
        self.meter.push(answer.batch.bytes(), answer.wire_bytes, answer.took, class);
        let (batch, began_ns) = (answer.batch, answer.began.mono_ns);
        match answer.verdict {
            Verdict::Delivered => {
                self.answered(Some(answer.took), more || !queue.is_empty());
                self.delivered(batch, tally);
            }
            Verdict::Partial { failed, refused } => {
                let left = self.partly(&batch, &failed, &refused, source, tally);
                if left.is_empty() {
                    self.answered(None, more);
                } else {
                    let event = Event::Throttled { began_ns, asked: None };
                    self.again(left, queue, began_ns, event, "the server took a part of the push");
                }
            }
            Verdict::Halve if batch.len() > 1 => {
                self.answered(None, more);
                let (first, second) = batch.halves();
                queue.push_front(second);
                queue.push_front(first);
            }
            Verdict::Halve => {
                self.answered(None, more);
                let why = "one item alone is more than the server takes".to_owned();
                self.refused(&batch, &Refusal { loss: Loss::Oversize, why }, source, tally);
            }
            Verdict::Refuse(refusal) => {
                self.answered(None, more);
                self.refused(&batch, &refusal, source, tally);
            }
            Verdict::Retry { after: asked, why } => {
                self.again(batch, queue, began_ns, Event::Failed { began_ns, asked }, &why);
            }
            Verdict::Throttle { after: asked, why } => {
                self.again(batch, queue, began_ns, Event::Throttled { began_ns, asked }, &why);
            }
            Verdict::Reauthenticate { why } => {
                self.again(batch, queue, began_ns, Event::Failed { began_ns, asked: None }, &why);
            }
        }
    }

    /// The server is there; if it took all of a push, after this long.
    fn answered(&mut self, took: Option<Duration>, more: bool) {
        let was_open = self.pace.is_open();
        match took {
            Some(took) => self.pace.good(took, more),
            None => self.pace.answered(),
        }
        self.meter.window(self.pace.window());
        if was_open {
            self.say_turn(None);
        }
    }

    /// Has the batch sent again, after a pause.
    fn again(&mut self, batch: Batch, queue: &mut VecDeque<Batch>, began_ns: u64, event: Event, why: &str) {
        queue.push_front(batch);
        let was_open = self.pace.is_open();
        self.pace.bad(began_ns, event, Now::read().mono_ns);
        self.meter.retry();
        self.meter.window(self.pace.window());
        let id = self.pusher.backend.id();
        diag::warn(id, Now::read(), &format!("{id}: not delivered, will be tried again: {why}"));
        match (was_open, self.pace.is_open()) {
            (false, true) => self.say_turn(Some(why)),
            (true, false) => self.say_turn(None),
            _ => {}
        }
    }

    /// The circuit opened, and why, or closed.
    fn say_turn(&self, why: Option<&str>) {
        self.meter.turned(why);
        let id = self.pusher.backend.id();
        let text = match why {
            Some(why) => {
                format!("{id}: circuit open: one push at a time is tried, and what is recorded waits: {why}")
            }
            None => format!("{id}: circuit closed: the server answers again"),
        };
        diag::warn(&format!("{id}/circuit/{}", why.is_some()), Now::read(), &text);
    }

    fn delivered(&mut self, batch: Batch, tally: &mut Tally) {
        batch.iter().for_each(|(item, _)| tally.done(item.place, Fate::Delivered));
        if self.items.bytes() == 0 {
            self.items = Items::reuse(batch); // so that a large one is not allocated over and over
        }
    }

    fn refused(&mut self, batch: &Batch, refusal: &Refusal, source: &Source<'_>, tally: &mut Tally) {
        for (item, bytes) in batch.iter() {
            let fate = self.bury(source, item, refusal, bytes);
            tally.done(item.place, fate);
        }
    }

    /// Settles what a partial answer says; gives what is to be sent again.
    fn partly(
        &mut self,
        batch: &Batch,
        failed: &[usize],
        refused: &[(usize, Refusal)],
        source: &Source<'_>,
        tally: &mut Tally,
    ) -> Batch {
        let answers = answers(batch.len(), failed, refused);
        for ((item, bytes), answer) in batch.iter().zip(&answers) {
            match answer {
                Answer::Refused(refusal) => {
                    let fate = self.bury(source, item, refusal, bytes);
                    tally.done(item.place, fate);
                }
                Answer::Taken => tally.done(item.place, Fate::Delivered),
                Answer::Failed => {}
            }
        }
        batch.select(|index| matches!(answers[index], Answer::Failed))
    }

    /// Keeps what will never be delivered, if there is a place to keep it.
    pub(super) fn bury(&mut self, source: &Source<'_>, item: &Item, refusal: &Refusal, bytes: &[u8]) -> Fate {
        let letter = Letter {
            id: item.record,
            time_ms: item.time_ms,
            at_ms: Now::read().unix_ms(),
            signal: source.signal(item.place),
            reason: refusal.loss.name().to_owned(),
            why: refusal.why.clone(),
            item: bytes.to_vec(),
            replay: source.tag(item.place),
        };
        let kept = self.letters.keep(&letter);
        self.count_gone();
        match kept {
            Ok(true) => Fate::DeadLettered,
            kept => {
                let lost =
                    kept.err().map_or_else(String::new, |error| format!(" (dead-letter file: {error})"));
                let backend = self.pusher.backend.id();
                let (id, why) = (item.record, &refusal.why);
                let text = format!("{backend}: record {id} is refused and dropped: {why}{lost}");
                diag::warn(&format!("{backend}/refused"), Now::read(), &text);
                Fate::Dropped(refusal.loss)
            }
        }
    }

    /// Letters that had to go come into the books as recorded once more, and as lost.
    pub(super) fn count_gone(&mut self) {
        let mut gone = self.letters.take_gone().peekable();
        if gone.peek().is_none() {
            return;
        }
        let fates = gone.map(|(signal, count)| (signal, Fate::Dropped(Loss::LettersFull), count));
        self.hub.replayed(self.desk, fates);
    }

    /// Puts letters on the medium before the cursor moves over their records.
    pub(super) fn sync_letters(&mut self) {
        if let Err(error) = self.letters.sync() {
            let id = self.pusher.backend.id();
            let text = format!("{id}: the dead letters may not outlive a power loss: {error}");
            diag::warn(&format!("{id}/letters"), Now::read(), &text);
        }
    }
}

/// How a verdict is counted.
fn class(verdict: &Verdict, is_unanswered: bool) -> Option<PushError> {
    match verdict {
        Verdict::Delivered => None,
        Verdict::Throttle { .. } => Some(PushError::Throttled),
        Verdict::Retry { .. } | Verdict::Reauthenticate { .. } if is_unanswered => Some(PushError::Network),
        Verdict::Retry { .. } | Verdict::Reauthenticate { .. } => Some(PushError::Server),
        Verdict::Partial { refused, .. } if refused.is_empty() => Some(PushError::Server),
        Verdict::Partial { .. } | Verdict::Halve | Verdict::Refuse(_) => Some(PushError::Refused),
    }
}

/// What a partial answer says of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer<'a> {
    Taken,
    Failed,
    Refused(&'a Refusal),
}

/// A partial answer, item by item. An index outside the push says nothing, and of one that is named twice the refusal
/// counts, the first if there are two: sending again what was refused never ends.
fn answers<'a>(items: usize, failed: &[usize], refused: &'a [(usize, Refusal)]) -> Vec<Answer<'a>> {
    let mut answers = vec![Answer::Taken; items];
    let failed = failed.iter().map(|index| (*index, Answer::Failed));
    let refused = refused.iter().rev().map(|(index, refusal)| (*index, Answer::Refused(refusal)));
    for (index, answer) in failed.chain(refused) {
        if let Some(place) = answers.get_mut(index) {
            *place = answer;
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_answer_is_read_item_by_item_whatever_its_indexes() {
        let refusal = |why: &str| Refusal { loss: Loss::Refused, why: why.to_owned() };
        let refused = [(2, refusal("first")), (2, refusal("second")), (usize::MAX, refusal("nowhere"))];
        let said = answers(4, &[3, 3, 2, 4, usize::MAX], &refused);
        let wanted = [Answer::Taken, Answer::Taken, Answer::Refused(&refused[0].1), Answer::Failed];
        assert_eq!(said, wanted);
        assert!(answers(0, &[0], &refused).is_empty());
    }
}
