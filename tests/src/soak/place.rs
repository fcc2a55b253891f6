//! Each backend with its counterpart, and one file of settings for all of them.

use std::any::Any;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::real::{Real, real};
use super::sinks::http;
use crate::contract::{Talk, all};

/// A backend and where it ships to.
pub struct Place {
    /// The backend's name.
    pub name: &'static str,
    /// The variables that lead it there.
    pub vars: Vec<(&'static str, String)>,
    /// What stands there.
    pub what: &'static str,
    /// How many items it counted, if it counts.
    pub count: Option<Arc<AtomicU64>>,
    /// Lives as long as the place.
    _kept: Vec<Box<dyn Any>>,
}

/// A place for every backend; those for which nothing starts here are said, with the reason.
#[must_use]
pub fn places(dir: &Path) -> (Vec<Place>, Vec<(&'static str, &'static str)>) {
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for case in all() {
        let (name, vars) = (case.name, case.vars);
        match (real(name, dir), case.talk) {
            (Some(Ok(Real { name, what, vars, kept })), _) => {
                places.push(Place { name, vars, what, count: None, _kept: kept });
            }
            (Some(Err(why)), _) => missing.push((name, why)),
            (None, Talk::Http(talk)) => {
                let (server, count) = http(talk);
                let (vars, what) = (vars(&server.url(), dir), "a server in the words of its contract");
                places.push(Place { name, vars, what, count: Some(count), _kept: vec![Box::new(server)] });
            }
            (None, Talk::Other) => {
                places.push(Place {
                    name,
                    vars: vars("", dir),
                    what: "this machine",
                    count: None,
                    _kept: vec![],
                });
            }
        }
    }
    (places, missing)
}

/// Backends whose services take less than the others: one batch of 5 MB in ten seconds.
const SLOW: (&str, f64) = ("cloudsearch", 0.02);

/// One file that leads every backend to its place, with this share of the log events, or less for one whose service takes
/// no more, and with everything else.
#[must_use]
pub fn config(places: &[Place], share: f64) -> String {
    let mut text = String::new();
    for place in places {
        let _ = writeln!(text, "[backends.{}]", place.name); // into a text: it cannot fail
        let vars = place.vars.iter().map(|(name, value)| format!("{name} = {value:?}"));
        let _ = writeln!(text, "env = {{ {} }}", vars.collect::<Vec<_>>().join(", "));
    }
    for place in places {
        let share = if place.name == SLOW.0 { share.min(SLOW.1) } else { share };
        for take in [format!("log sample={share}"), "metric, audit, config, check".to_owned()] {
            let _ = writeln!(text, "[[routes]]\ntake = {take:?}\nto = [{:?}]", place.name);
        }
    }
    text
}
