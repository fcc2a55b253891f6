//! All rules of a process and its tiers, and which of them lead to which backend.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::lock::Mutex;
use crate::route::Route;

/// What a tier holds unless it is said: short for what is looked at, middle for what is searched, long for what is kept.
const TIERS: [(&str, &[&str]); 3] =
    [("short", &["cloudwatch", "cloudwatch-logs"]), ("middle", &["elasticsearch"]), ("long", &["s3"])];

/// Rules, tiers, and which destinations were found.
#[derive(Debug, Default)]
pub(super) struct Routes {
    rules: Vec<Route>,
    tiers: BTreeMap<String, Vec<String>>,
    /// Where the rules come from, for messages.
    setting: &'static str,
    reached: Mutex<BTreeSet<String>>,
}

impl Routes {
    /// Checks rules.
    ///
    /// # Errors
    ///
    /// If one means nothing.
    pub(super) fn new(
        rules: Vec<Route>,
        tiers: impl IntoIterator<Item = (String, Vec<String>)>,
        setting: &'static str,
    ) -> Result<Routes, Error> {
        for rule in &rules {
            if let Some(problem) = rule.problem() {
                return Err(Error::setting(setting, problem, "give each kind of record a rule of its own"));
            }
        }
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut all: BTreeMap<_, _> =
            TIERS.iter().map(|(name, backends)| ((*name).to_owned(), own(backends))).collect();
        all.extend(tiers);
        Ok(Routes { rules, tiers: all, setting, reached: Mutex::default() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules that lead to the backend of this id and kind; `None` if none does.
    pub(super) fn leading_to(&self, id: &str, kind: &str) -> Option<Vec<Route>> {
        let mut mine = Vec::new();
        for rule in &self.rules {
            let mut here = rule.destinations().iter().filter(|to| self.is(to, id, kind)).peekable();
            if here.peek().is_some() {
                self.reached.lock().extend(here.cloned());
                mine.push(rule.clone());
            }
        }
        (!mine.is_empty()).then_some(mine)
    }

    /// Whether a destination is this backend, or a tier that it is of. A tier may name it by its kind.
    fn is(&self, to: &str, id: &str, kind: &str) -> bool {
        to == id || self.tiers.get(to).is_some_and(|tier| tier.iter().any(|name| name == id || name == kind))
    }

    /// Checks that every rule leads somewhere, once all backends are open.
    ///
    /// # Errors
    ///
    /// If one does not: what it takes would go nowhere.
    pub(super) fn check(&self, ids: &[String]) -> Result<(), Error> {
        let reached = self.reached.lock();
        let lost = self.rules.iter().flat_map(Route::destinations).find(|to| !reached.contains(*to));
        let Some(lost) = lost else { return Ok(()) };
        let problem = match self.tiers.get(lost) {
            Some(tier) => {
                format!("a rule leads to the tier {lost}, and none of it ({}) is in use", tier.join(", "))
            }
            None => format!("a rule leads to \"{lost}\", which is neither a backend in use nor a tier"),
        };
        let remedy = format!("name it in OPS_BACKENDS, or lead the rule to one of: {}", ids.join(", "));
        Err(Error::setting(self.setting, problem, remedy))
    }
}
