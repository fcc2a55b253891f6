//! Datadog's rules for names and tags, and the tags that a process has by its settings.
//!
//! What breaks a rule is made to fit, since Datadog would do it without a word, or file it elsewhere: what is not allowed
//! becomes `_`, what is too long is cut and ends with a checksum of the whole, so that two long names stay two. What comes
//! out holds no quote, no backslash, no comma, no `|`, `#` or `@`, no space and no control character: it can stand in JSON,
//! in `ddtags` and in a datagram as it is.
//!
//! Sources: docs.datadoghq.com/metrics/custom_metrics ("Naming custom metrics": a letter first; letters, digits, `_` and
//! `.` of ASCII; 200 characters) and docs.datadoghq.com/getting_started/tagging ("Define tags": a letter first; letters and
//! digits of any script, `_`, `-`, `:`, `.`, `/`; 200 characters; no colon at the end). Datadog turns tags into lower case by
//! itself.

use crate::backend::Context;
use crate::error::Error;

use super::setting;

/// Characters of a name or a tag.
const CHARS_MAX: usize = 200;

/// What stands for itself in a name and in a tag, as ASCII.
const NAME: [bool; 128] = allowed(b"_.");
const TAG: [bool; 128] = allowed(b"_-:./");

const fn allowed(more: &[u8]) -> [bool; 128] {
    let mut table = [false; 128];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < more.len() {
        table[more[at] as usize] = true;
        at += 1;
    }
    table
}

/// Appends a metric's or a check's name.
pub(in crate::backend) fn metric_name(out: &mut Vec<u8>, name: &str) {
    let plain = |byte: u8| NAME.get(usize::from(byte)).copied().unwrap_or(false);
    let starts = name.bytes().next().is_some_and(|first| first.is_ascii_alphabetic());
    if starts && name.len() <= CHARS_MAX && name.bytes().all(plain) {
        return out.extend_from_slice(name.as_bytes());
    }
    let start = out.len();
    if !starts {
        out.extend_from_slice(b"m_");
    }
    let fit = |c: char| u8::try_from(c).ok().filter(|byte| plain(*byte)).unwrap_or(b'_');
    out.extend(name.chars().take(CHARS_MAX + 1).map(fit));
    shorten(out, start, name, "");
}

/// Appends a tag, `key:value`.
pub(in crate::backend) fn tag(out: &mut Vec<u8>, key: &str, value: &str) {
    let plain = |byte: u8| TAG.get(usize::from(byte)).copied().unwrap_or(false);
    let starts = key.bytes().next().is_some_and(|first| first.is_ascii_alphabetic());
    let keys = key.bytes().all(|byte| plain(byte) && byte != b':');
    let ends = !value.is_empty() && !value.ends_with(':') && value.bytes().all(plain);
    if starts && keys && ends && key.len() + value.len() < CHARS_MAX {
        out.extend_from_slice(key.as_bytes());
        out.push(b':');
        return out.extend_from_slice(value.as_bytes());
    }
    let start = out.len();
    if !key.starts_with(char::is_alphabetic) {
        out.extend_from_slice(b"tag_");
    }
    key.chars().take(CHARS_MAX + 1).for_each(|c| push(out, if c == ':' { '_' } else { c }));
    out.push(b':');
    value.chars().take(CHARS_MAX + 1).for_each(|c| push(out, c));
    match out.last() {
        Some(b':') if value.is_empty() => out.push(b'-'),
        Some(b':') => *out.last_mut().unwrap_or(&mut 0) = b'_',
        _ => {}
    }
    shorten(out, start, key, value);
}

/// Appends a tag as it was written, `key:value` or `key` alone.
pub(in crate::backend) fn tag_of(out: &mut Vec<u8>, text: &str) {
    match text.split_once(':') {
        Some((key, value)) => tag(out, key, value),
        None => {
            tag(out, text, "-");
            out.truncate(out.len() - 2); // a tag without a value
        }
    }
}

fn push(out: &mut Vec<u8>, c: char) {
    let fits = if c.is_ascii() { TAG[c as usize & 127] } else { c.is_alphanumeric() };
    out.extend_from_slice(if fits { c } else { '_' }.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Cuts what was appended from `start` on to the characters that a name or a tag may have.
fn shorten(out: &mut Vec<u8>, start: usize, key: &str, value: &str) {
    let is_first = |byte: &u8| byte & 0b1100_0000 != 0b1000_0000;
    let chars = out[start..].iter().filter(|byte| is_first(byte)).count();
    if chars <= CHARS_MAX {
        return;
    }
    let kept = CHARS_MAX - 9; // `_` and eight digits
    let ends = out[start..].iter().enumerate().filter(|(_, byte)| is_first(byte)).nth(kept);
    out.truncate(start + ends.map_or(0, |(at, _)| at));
    let sum = crate::crc::crc32(&[key.as_bytes(), b":", value.as_bytes()].concat());
    out.extend_from_slice(format!("_{sum:08x}").as_bytes());
}

/// The tags that a process has by its settings, each made to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::backend) struct Tags(pub(in crate::backend) Vec<String>);

impl Tags {
    /// Adds a tag, if it is not there.
    pub(in crate::backend) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        write(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }

    /// Adds tags that are written as `DD_TAGS` has them: parted by commas, or by spaces where there is no comma.
    pub(in crate::backend) fn add_list(&mut self, list: &str) {
        let separator = if list.contains(',') { ',' } else { ' ' };
        for text in list.split(separator).map(str::trim).filter(|text| !text.is_empty()) {
            self.add(|out| tag_of(out, text));
        }
    }

    /// Adds Datadog's unified tags that are set: `env`, `service`, `version`.
    pub(in crate::backend) fn add_unified(&mut self, unified: &Unified) {
        let all = [("env", &unified.env), ("service", &unified.service), ("version", &unified.version)];
        for (key, value) in all {
            if let Some(value) = value {
                self.add(|out| tag(out, key, value));
            }
        }
    }

    /// With the process's dimensions as tags besides.
    #[must_use]
    pub(in crate::backend) fn with(mut self, dimensions: &[(String, String)]) -> Tags {
        dimensions.iter().for_each(|(key, value)| self.add(|out| tag(out, key, value)));
        self
    }

    /// All of them with `quote` around each and a comma between them.
    pub(in crate::backend) fn joined(&self, quote: &str) -> String {
        let quoted: Vec<String> = self.0.iter().map(|tag| format!("{quote}{tag}{quote}")).collect();
        quoted.join(",")
    }
}

/// What Datadog calls unified service tagging, as far as it is set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::backend) struct Unified {
    pub(in crate::backend) env: Option<String>,
    pub(in crate::backend) service: Option<String>,
    pub(in crate::backend) version: Option<String>,
}

impl Unified {
    /// What the program said, else our own variables (`OPS_<backend>_ENV`), else Datadog's (`DD_ENV`).
    pub(in crate::backend) fn find(told: &Unified, backend: &str, context: &Context) -> Unified {
        let find = |told: &Option<String>, name: &str| {
            setting(told.as_deref(), &format!("OPS_{backend}_{name}"), context)
                .or_else(|| setting(None, &format!("DD_{name}"), context))
        };
        Unified {
            env: find(&told.env, "ENV"),
            service: find(&told.service, "SERVICE"),
            version: find(&told.version, "VERSION"),
        }
    }
}

/// A host's name as a setting: nothing that could end the field that it stands in.
///
/// # Errors
///
/// If it holds what no host's name does.
pub(in crate::backend) fn host_name(name: String, setting: &str) -> Result<String, Error> {
    let fits =
        name.len() <= 255 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if fits && !name.is_empty() {
        return Ok(name);
    }
    let problem = format!("\"{}\" is no host's name", name.escape_debug());
    Err(Error::setting(setting, problem, "use letters, digits, dots and dashes, at most 255"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn names_are_made_to_fit() {
        let long = "n".repeat(201);
        let table = [
            ("orders.accepted_2", "orders.accepted_2"),
            ("", "m_"),
            ("9lives", "m_9lives"),
            ("größe \"x\"\n|#", "gr__e__x____"),
        ];
        for (name, expected) in table {
            assert_eq!(text(|out| metric_name(out, name)), expected);
        }
        let cut = text(|out| metric_name(out, &long));
        assert_eq!((cut.len(), &cut[..192]), (200, &*format!("{}_", "n".repeat(191))));
        assert_ne!(cut, text(|out| metric_name(out, &format!("{long}n"))), "two long names stay two");
    }

    #[test]
    fn tags_are_made_to_fit() {
        let table = [
            ("Region", "eu-west/1:a", "Region:eu-west/1:a"),
            ("a:b", "c", "a_b:c"),
            ("1st", "x", "tag_1st:x"),
            ("größe", "ü,|#@ \"\n\0", "größe:ü________"),
            ("k", "", "k:-"),
            ("k", "v:", "k:v_"),
            ("", "", "tag_:-"),
        ];
        for (key, value, expected) in table {
            assert_eq!(text(|out| tag(out, key, value)), expected);
        }
        assert_eq!(text(|out| tag_of(out, "lonely")), "lonely");
        assert_eq!(text(|out| tag_of(out, "a:b:c")), "a:b:c");
        let cut = text(|out| tag(out, "k", &"é".repeat(300)));
        assert_eq!(cut.chars().count(), 200);
    }

    #[test]
    fn a_list_is_of_commas_or_spaces_and_nothing_is_there_twice() {
        let mut tags = Tags::default();
        tags.add_list("env:prod, team:a b,env:prod");
        tags.add_list("x:1 y:2");
        assert_eq!(tags.0, ["env:prod", "team:a_b", "x:1", "y:2"]);
        assert_eq!(tags.with(&[("Service".into(), "c".into())]).joined("\"").matches('"').count(), 10);
    }

    proptest! {
        #[test]
        fn whatever_comes_in_what_comes_out_is_harmless_and_short(key: String, value: String, more in 0..400_usize) {
            let value = value.repeat(1 + more / 40);
            for out in [text(|out| tag(out, &key, &value)), text(|out| metric_name(out, &value))] {
                prop_assert!(out.chars().count() <= CHARS_MAX);
                prop_assert!(out.starts_with(char::is_alphabetic) && !out.ends_with(':'));
                let harmless = |c: char| c.is_alphanumeric() || "_-:./".contains(c);
                prop_assert!(out.chars().all(harmless), "{}", out);
            }
        }
    }
}
