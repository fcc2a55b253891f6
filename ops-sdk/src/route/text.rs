//! Rules as text: `log, audit Stage=prod -> middle, long`. Read strictly: what means nothing is an error, for a rule
//! that is silently wrong sends data nowhere.

use std::str::FromStr;

use super::{Condition, Route};
use crate::model::Signal;

impl FromStr for Route {
    type Err = String;

    /// Reads a rule. The error says what of it means nothing.
    fn from_str(text: &str) -> Result<Route, String> {
        let (what, to) = text.split_once("->").ok_or_else(|| format!("\"{}\" has no ->", text.trim()))?;
        let to = destinations(to)?;
        let mut route = Route { to, signals: Vec::new(), ..Route::to("") };
        let mut all = false;
        for word in what.split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty()) {
            match signal(word) {
                Some(signal) if route.signals.contains(&signal) => {
                    return Err(format!("\"{word}\" is there twice"));
                }
                Some(signal) => route.signals.push(signal),
                None if word == "all" => all = true,
                None => condition(&mut route, word)?,
            }
        }
        let of_logs = route.level.is_some() || route.target.is_some() || route.share < 1.0;
        match (all, route.signals.is_empty()) {
            (true, false) => return Err("\"all\" names every kind: name no other beside it".to_owned()),
            (false, true) if of_logs => route.signals = vec![Signal::Log],
            (_, true) => route.signals = Signal::ALL.to_vec(),
            (false, false) => {}
        }
        route.problem().map_or(Ok(route), Err)
    }
}

fn destinations(text: &str) -> Result<Vec<String>, String> {
    let names = text.split(',').map(str::trim);
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let name = |name: &str| {
        let named = is_name(name).then(|| name.to_owned());
        named.ok_or_else(|| format!("\"{name}\" is no name of a backend or a tier"))
    };
    names.map(name).collect()
}

fn signal(word: &str) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| signal.name() == word)
}

fn condition(route: &mut Route, word: &str) -> Result<(), String> {
    let meaningless = || {
        format!(
            "\"{word}\" is neither a kind of record (metric, log, audit, config, check, all) nor a condition \
             (level>=warn, target=module, sample=0.1, Name=value, Name!=value)"
        )
    };
    let (key, value) = word.split_once('=').ok_or_else(meaningless)?;
    let value = value.trim_matches('"');
    match key {
        "" | "!" | ">" => return Err(meaningless()),
        "level" | "level>" => route.level = Some(value.parse()?),
        "target" => route.target = Some(value.to_owned()),
        "sample" => {
            let share = value.parse().ok().filter(|share| (0.0..=1.0).contains(share));
            route.share = share.ok_or_else(|| format!("\"{word}\": a sample is a share of 0.0 to 1.0"))?;
        }
        key => {
            let (key, differs) = key.strip_suffix('!').map_or((key, false), |key| (key, true));
            route.dimensions.push(Condition { key: key.to_owned(), pattern: value.to_owned(), differs });
        }
    }
    Ok(())
}

/// Rules with semicolons or line ends between them.
///
/// # Errors
///
/// If one of them means nothing; the text says which and why.
pub(crate) fn rules(text: &str) -> Result<Vec<Route>, String> {
    let rules = text.split([';', '\n']).map(str::trim).filter(|rule| !rule.is_empty());
    rules.map(|rule| rule.parse().map_err(|problem: String| format!("in \"{rule}\": {problem}"))).collect()
}
