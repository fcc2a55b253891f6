//! Syslog: messages of RFC 5424, read by a parser of its own. Its answers are none, and its faults are tried in
//! `tests/tests/syslog.rs`.

use ops_sdk::backend::Syslog;

use super::{Case, Read, Talk};

pub(super) fn case() -> Case {
    Case {
        name: "syslog",
        vars: |url, _| vec![("OPS_SYSLOG_ADDRESS", url.replace("http:", "tcp:"))],
        debug: |_| format!("{:?}", Syslog::new().address("tls://h").tls_client("/a.pem", "/a.key")),
        read,
        shown,
        ids: |_| true,
        talk: Talk::Other,
    }
}

/// A message as it stands there: control characters in octal.
fn shown(message: &str) -> String {
    let octal = |c: char| c.to_string().bytes().map(|byte| format!("#{byte:03o}")).collect::<String>();
    message.chars().map(|c| if c.is_control() { octal(c) } else { c.to_string() }).collect()
}

/// The header's words, the names and values of all elements, and the text.
fn read(item: &[u8]) -> Result<Read, String> {
    let message = std::str::from_utf8(item).map_err(|error| error.to_string())?;
    if message.chars().any(char::is_control) {
        return Err("it holds a control character".to_owned());
    }
    let words: Vec<&str> = message.splitn(7, ' ').collect();
    let [priority, _, _, _, _, _, rest] = words[..] else { return Err("no header".to_owned()) };
    if !priority.starts_with('<') || !priority.ends_with(">1") {
        return Err(format!("{priority} is no priority and version"));
    }
    let mut read =
        Read { texts: words[1..6].iter().map(|word| (*word).to_owned()).collect(), ..Read::default() };
    let mut rest = rest;
    while let Some(element) = rest.strip_prefix('[') {
        rest = element_of(element, &mut read)?;
    }
    let text = rest.strip_prefix(" \u{feff}").ok_or("no text behind the structured data")?;
    read.texts.push(text.to_owned());
    Ok(read)
}

/// Reads one element from behind its bracket; what comes behind its other one.
fn element_of<'m>(element: &'m str, read: &mut Read) -> Result<&'m str, String> {
    let end = element.find([' ', ']']).ok_or("an element without an end")?;
    let mut params = &element[end..];
    while let Some(param) = params.strip_prefix(' ') {
        let (name, mut value) = param.split_once("=\"").ok_or("a parameter without a value")?;
        let mut plain = String::new();
        loop {
            let special = value.find(['"', '\\', ']']).ok_or("a value without an end")?;
            plain.push_str(&value[..special]);
            match value.as_bytes()[special] {
                b'"' => {
                    params = &value[special + 1..];
                    break;
                }
                b'\\' => {
                    plain.extend(value[special + 1..].chars().next());
                    value = value.get(special + 2..).ok_or("nothing is escaped")?;
                }
                _ => return Err("a bracket within a value".to_owned()),
            }
        }
        read.numbers.extend(plain.parse::<f64>());
        read.texts.extend([name.to_owned(), plain]);
    }
    params.strip_prefix(']').ok_or_else(|| "an element without its bracket".to_owned())
}
