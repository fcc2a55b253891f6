//! What the SDK says of itself, on stderr: at most one line a minute for each kind of trouble, with the number of
//! times it was held back. Never from the caller's thread, never through the SDK's own macros.

use std::collections::HashMap;
use std::io::Write;

use crate::lock::Mutex;
use once_cell::sync::Lazy;

use crate::clock::Now;

const EVERY_NS: u64 = 60 * 1_000_000_000;
/// Kinds remembered; past this, new kinds share one entry.
const KINDS_MAX: usize = 256;
/// How often another thread is waited for; it holds the lock for some microseconds.
const TRIES: u32 = 10_000;

#[derive(Default)]
struct Said {
    at_ns: Option<u64>,
    held_back: u64,
}

static SAID: Lazy<Mutex<HashMap<String, Said>>> = Lazy::new(Mutex::default);

/// Says `text` unless this `kind` spoke within the last minute.
pub(crate) fn warn(kind: &str, now: Now, text: &str) {
    // In a child of `fork` a thread that is not there may hold it: then the line is said as it is.
    let said = (0..TRIES).find_map(|_| SAID.try_lock().or_else(|| (std::thread::yield_now(), None).1));
    let line = match said {
        Some(mut said) => decide(&mut said, kind, now.mono_ns, text),
        None => Some(text.to_owned()),
    };
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
