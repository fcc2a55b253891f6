//! Which fault meets which request: a queue of steps, for any operation or for one, and what comes after them.

use std::collections::VecDeque;

use super::Fault;

/// The steps still to come.
#[derive(Debug)]
pub(super) struct Script {
    steps: VecDeque<(Option<String>, Fault)>,
    /// What meets every request whose body holds this text, before any step.
    whenever: Vec<(String, Fault)>,
    /// What meets a request that no step is for.
    pub(super) otherwise: Fault,
}

impl Default for Script {
    fn default() -> Script {
        Script { steps: VecDeque::new(), whenever: Vec::new(), otherwise: Fault::Pass }
    }
}

impl Script {
    /// Adds a step for requests of this operation, or of any.
    pub(super) fn add(&mut self, operation: Option<&str>, fault: Fault) {
        let unread = fault == Fault::CutUnread && operation.is_some();
        assert!(!unread, "CutUnread cannot be for one operation: it comes before the request is read");
        self.steps.push_back((operation.map(str::to_owned), fault));
    }

    /// Has every request whose body holds this text meet the fault.
    pub(super) fn add_whenever(&mut self, text: &str, fault: Fault) {
        self.whenever.push((text.to_owned(), fault));
    }

    /// What meets a request with this body, whatever the steps.
    pub(super) fn of_body(&self, body: &[u8]) -> Option<Fault> {
        let holds = |text: &str| body.windows(text.len()).any(|window| window == text.as_bytes());
        self.whenever.iter().find(|(text, _)| holds(text)).map(|(_, fault)| fault.clone())
    }

    /// How many steps are still to come.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the next request is to be cut off unread: the next step for any operation says so.
    pub(super) fn takes_unread_cut(&mut self) -> bool {
        let Some(next) = self.steps.iter().position(|(operation, _)| operation.is_none()) else {
            return self.steps.is_empty() && self.otherwise == Fault::CutUnread;
        };
        let cuts = self.steps[next].1 == Fault::CutUnread;
        if cuts {
            self.steps.remove(next);
        }
        cuts
    }

    /// The step that meets a request of this operation.
    pub(super) fn take(&mut self, operation: &str) -> Fault {
        let fits = |step: &(Option<String>, Fault)| step.0.as_deref().is_none_or(|only| only == operation);
        let next = self.steps.iter().position(fits).and_then(|at| self.steps.remove(at));
        next.map_or_else(|| self.otherwise.clone(), |(_, fault)| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_meet_the_requests_they_are_for_in_order() {
        let mut script = Script::default();
        script.add(Some("Put"), Fault::Hang);
        script.add(None, Fault::CutAnswer);
        script.add(Some("Put"), Fault::HalfAnswer);
        script.otherwise = Fault::CutUnsent;
        let met = ["Create", "Put", "Create", "Put", "Put"].map(|operation| script.take(operation));
        let expected = [Fault::CutAnswer, Fault::Hang, Fault::CutUnsent, Fault::HalfAnswer, Fault::CutUnsent];
        assert_eq!((met, script.len()), (expected, 0));
    }

    #[test]
    fn a_text_in_the_body_has_its_fault_each_time_and_takes_no_step() {
        let mut script = Script::default();
        script.add(None, Fault::Hang);
        script.add_whenever("bad", Fault::CutUnsent);
        for _ in 0..2 {
            assert_eq!(script.of_body(b"{\"a\":\"bad\"}"), Some(Fault::CutUnsent));
        }
        assert_eq!((script.of_body(b"ba"), script.len()), (None, 1));
    }

    #[test]
    fn unread_cuts_come_before_anything_is_known_of_the_request() {
        let mut script = Script::default();
        assert!(!script.takes_unread_cut());
        script.add(None, Fault::Pass);
        script.add(None, Fault::CutUnread);
        assert!(!script.takes_unread_cut());
        assert_eq!(script.take("Put"), Fault::Pass);
        assert!(script.takes_unread_cut());
        assert!(!script.takes_unread_cut());
        script.otherwise = Fault::CutUnread;
        assert!(script.takes_unread_cut());
    }

    #[test]
    #[should_panic(expected = "CutUnread cannot be for one operation")]
    fn an_unread_cut_for_one_operation_is_refused() {
        Script::default().add(Some("Put"), Fault::CutUnread);
    }
}
