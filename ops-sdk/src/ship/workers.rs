//! Sends pushes: [`Pusher`] one, on whatever thread it is; [`Workers`] several side by side, on threads "ops-ship-ID-n"
//! that are started when there is more to send than one push at a time and end when there is not.
//!
//! Promises: every push that was given comes back with its answer, unless the process ends before; a worker that hangs
//! is left behind at the deadline, as a ship thread is. Never touches the journal, the books or the dead letters.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use crate::lock::Mutex;

use crate::backend::{Backend, Verdict};
use crate::chunk::Batch;
use crate::clock::Now;
use crate::hub::Hub;
use crate::net::Net;
use crate::record;

/// One push and what came of it.
pub(super) struct Answer {
    pub(super) batch: Batch,
    pub(super) verdict: Verdict,
    pub(super) began: Now,
    pub(super) took: Duration,
    /// Bytes of bodies that went over the wire.
    pub(super) wire_bytes: u64,
    /// Whether no answer came at all.
    pub(super) is_unanswered: bool,
}

/// A backend and its way out.
pub(super) struct Pusher {
    pub(super) backend: Box<dyn Backend>,
    net: Net,
}

impl Pusher {
    pub(super) fn new(backend: Box<dyn Backend>) -> Pusher {
        let net = Net::new(Now::read()).trusting(backend.trust());
        Pusher { backend, net }
    }

    /// A second one for pushes beside this one's, if the backend has that.
    pub(super) fn another(&self) -> Option<Pusher> {
        // A backend that panics over it is one that cannot.
        let backend = catch_unwind(AssertUnwindSafe(|| self.backend.another())).ok().flatten()?;
        Some(Pusher { backend, net: self.net.another() })
    }

    /// Has the backend do what is due by the clock, within this time.
    pub(super) fn tick(&mut self, budget: Duration) -> Result<(), String> {
        self.net.begin(Now::read(), budget);
        let (backend, net) = (&mut self.backend, &mut self.net);
        let done = catch_unwind(AssertUnwindSafe(|| backend.tick(net)));
        done.unwrap_or_else(|_| Err("the backend panicked".to_owned()))
    }

    /// Sends one batch, within this time.
    pub(super) fn push(&mut self, batch: Batch, budget: Duration) -> Answer {
        let began = Now::read();
        self.net.begin(began, budget);
        let (backend, net) = (&mut self.backend, &mut self.net);
        let sent = catch_unwind(AssertUnwindSafe(|| backend.send(&batch, net)));
        let panicked = |_| Verdict::Retry { after: None, why: "the backend panicked".to_owned() };
        Answer {
            verdict: sent.unwrap_or_else(panicked),
            batch,
            began,
            took: Now::read().since(began),
            wire_bytes: self.net.wire_bytes(),
            is_unanswered: self.net.is_unanswered(),
        }
    }
}

/// A push for a worker, and how long it may take.
type Job = (Batch, Duration);

/// The workers of one backend.
pub(super) struct Workers {
    hub: Arc<Hub>,
    id: String,
    jobs: Vec<mpsc::Sender<Job>>,
    /// Workers that have nothing to do, by their place in `jobs`.
    free: Vec<usize>,
    answers: Arc<Mutex<VecDeque<(usize, Answer)>>>,
}

impl Workers {
    /// None yet.
    pub(super) fn new(hub: Arc<Hub>, id: &str) -> Workers {
        Workers { hub, id: id.to_owned(), jobs: Vec::new(), free: Vec::new(), answers: Arc::default() }
    }

    /// How many pushes are under way or answered and not taken.
    pub(super) fn busy(&self) -> usize {
        self.jobs.len() - self.free.len()
    }

    /// Has a push sent by a worker; a new one, which sends with what `pusher` gives, if none is free.
    ///
    /// # Errors
    ///
    /// Gives the push back if there is no worker and none can be had.
    pub(super) fn give(&mut self, batch: Batch, budget: Duration, pusher: &Pusher) -> Result<(), Batch> {
        let Some(worker) = self.free.pop().or_else(|| self.hire(pusher)) else { return Err(batch) };
        self.jobs[worker].send((batch, budget)).map_err(|mpsc::SendError((batch, _))| {
            self.free.push(worker);
            batch
        })
    }

    /// Whether an answer has come.
    pub(super) fn has_answer(&self) -> bool {
        !self.answers.lock().is_empty()
    }

    /// Waits for an answer, up to `grace` past the time when everything has to have ended.
    pub(super) fn wait(&self, grace: Duration) -> bool {
        self.hub.wait_for(|| self.has_answer(), grace)
    }

    /// The next answer, if one has come.
    pub(super) fn take(&mut self) -> Option<Answer> {
        let (worker, answer) = self.answers.lock().pop_front()?;
        self.free.push(worker);
        Some(answer)
    }

    /// Lets all workers end; to be called when none is busy. Those that are left behind end by themselves.
    pub(super) fn dismiss(&mut self) {
        *self = Workers::new(Arc::clone(&self.hub), &self.id);
    }

    fn hire(&mut self, pusher: &Pusher) -> Option<usize> {
        let mut pusher = pusher.another()?;
        let (worker, (jobs, inbox)) = (self.jobs.len(), mpsc::channel::<Job>());
        let (answers, hub) = (Arc::clone(&self.answers), Arc::clone(&self.hub));
        let work = move || {
            record::mute();
            for (batch, budget) in inbox {
                let answer = pusher.push(batch, budget);
                answers.lock().push_back((worker, answer));
                hub.nudge();
            }
        };
        thread::Builder::new().name(format!("ops-ship-{}-{}", self.id, worker + 1)).spawn(work).ok()?;
        self.jobs.push(jobs);
        Some(worker)
    }
}
