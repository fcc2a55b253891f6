//! What the SDK says of itself, on stderr: at most one line a minute for each kind of trouble, with the number of
//! times it was held back. Never from the caller's thread, never through the SDK's own macros.

use std::collections::HashMap;
use std::io::Write;

use once_cell::sync::Lazy;
use parking_lot::Mutex;

use crate::clock::Now;

const EVERY_NS: u64 = 60 * 1_000_000_000;
/// Kinds remembered; past this, new kinds share one entry.
const KINDS_MAX: usize = 256;

#[derive(Default)]
struct Said {
    at_ns: Option<u64>,
    held_back: u64,
}

static SAID: Lazy<Mutex<HashMap<String, Said>>> = Lazy::new(Mutex::default);

/// Says `text` unless this `kind` spoke within the last minute.
pub(crate) fn warn(kind: &str, now: Now, text: &str) {
    let line = decide(&mut SAID.lock(), kind, now.mono_ns, text);
    line.into_iter().for_each(|line| say(&line));
}

/// Says a line now. An stderr that takes nothing (a pipe whose reader is gone) is no reason to end a thread, as
/// `eprintln!` would.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "ops-sdk: {line}");
}

fn decide(said: &mut HashMap<String, Said>, kind: &str, mono_ns: u64, text: &str) -> Option<String> {
    let kind = if said.len() < KINDS_MAX || said.contains_key(kind) { kind } else { "other" };
    let entry = said.entry(kind.to_owned()).or_default();
    if entry.at_ns.is_some_and(|at| mono_ns.saturating_sub(at) < EVERY_NS) {
        entry.held_back += 1;
        return None;
    }
    let held_back = std::mem::take(&mut entry.held_back);
    entry.at_ns = Some(mono_ns);
    Some(if held_back == 0 { text.to_owned() } else { format!("{text} (and {held_back} more like it)") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_and_what_was_held_back_is_counted() {
        let mut said = HashMap::new();
        assert_eq!(decide(&mut said, "a", 5, "x").as_deref(), Some("x"));
        assert_eq!(decide(&mut said, "a", 6, "x"), None);
        assert_eq!(decide(&mut said, "b", 6, "y").as_deref(), Some("y"));
        assert_eq!(decide(&mut said, "a", 5 + EVERY_NS, "x").as_deref(), Some("x (and 1 more like it)"));
    }
}
