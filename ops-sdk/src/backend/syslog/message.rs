//! One record as one message of RFC 5424, or as several:
//!
//! ```text
//! <134>1 2026-11-22T07:24:28.123456Z h1 Shop 00c0ffee00c0ffee LOG
//!   [ops@32473 id="00c0ffee00c0ffee-42" level="INFO" target="shop" file="src/x.rs:10"]
//!   [fields@32473 amount="12"][dimensions@32473 Service="checkout"] charged 12
//! ```
//!
//! PROCID is the process as record ids have it, which does not change when another process sends what this one left.
//!
//! Promises: no name, value or message can end its place: control characters become `#` and three octal digits for each
//! byte, as rsyslog writes them; in names all that may not be there becomes `_`. A message over the limit goes in
//! parts: each has the header of the whole, `id` and `part="2/5"` in its structured data, and as its MSG what
//! [`parts::split`] makes of the whole message, so that [`parts::join`] over the MSGs gives it back, byte for byte.

use super::facility::{NOTICE, severity};
use crate::backend::EncodeError;
use crate::chunk::{Items, parts};
use crate::encode::json::{number_f64, number_i64, number_u64, time_rfc3339};
use crate::model::{Audit, Body, Fields, Log, Record, RecordId, Value};

const BOM: &[u8] = "\u{feff}".as_bytes();
/// What parts begin with: a message that does so as well has to go as one.
const MARK: &str = "@ops.part ";
/// Bytes of PARAM-NAME, HOSTNAME and APP-NAME (RFC 5424, 6).
const NAME_BYTES_MAX: usize = 32;
const HOSTNAME_BYTES_MAX: usize = 255;
const APP_NAME_BYTES_MAX: usize = 48;
/// Bytes that a part of a message needs for the header of parts and a piece worth sending.
const PIECE_BYTES_MIN: usize = 150;
/// A part's number at its longest.
const PART_BYTES_MAX: usize = "99999/99999".len();

/// What is the same for every record.
pub(super) struct Origin<'a> {
    pub(super) facility: u8,
    pub(super) audit_facility: u8,
    pub(super) enterprise: u32,
    pub(super) hostname: String,
    pub(super) app_name: String,
    pub(super) bom: bool,
    /// Those of the process, which every message carries.
    pub(super) dimensions: &'a [(String, String)],
}

/// Writes messages.
pub(super) struct Speaker {
    facility: u8,
    audit_facility: u8,
    /// From behind the time to before PROCID: ` h1 Shop `.
    from: Vec<u8>,
    /// `@32473`: whose names those of the elements are.
    at: Vec<u8>,
    /// `[dimensions@32473 Service="checkout"]`, or nothing.
    dimensions: Vec<u8>,
    /// What stands between the structured data and the message.
    begin: Vec<u8>,
    /// The process of the last record, and its sixteen digits.
    process: (u64, [u8; 16]),
    bytes_max: usize,
}

impl Speaker {
    pub(super) fn new(origin: Origin<'_>) -> Speaker {
        let mut from = vec![b' '];
        printable(&mut from, &origin.hostname, HOSTNAME_BYTES_MAX);
        from.push(b' ');
        printable(&mut from, &origin.app_name, APP_NAME_BYTES_MAX);
        from.push(b' ');
        let at = format!("@{}", origin.enterprise).into_bytes();
        let mut dimensions = Vec::new();
        for (index, (key, value)) in origin.dimensions.iter().enumerate() {
            if index == 0 {
                dimensions.extend_from_slice(b"[dimensions");
                dimensions.extend_from_slice(&at);
            }
            param_name(&mut dimensions, key);
            escaped::<true>(&mut dimensions, value);
            dimensions.push(b'"');
        }
        if !dimensions.is_empty() {
            dimensions.push(b']');
        }
        let begin = if origin.bom { [b" ", BOM].concat() } else { vec![b' '] };
        Speaker {
            facility: origin.facility,
            audit_facility: origin.audit_facility,
            from,
            at,
            dimensions,
            begin,
            process: (0, *b"0000000000000000"),
            bytes_max: usize::MAX,
        }
    }

    /// Holds messages to this many bytes.
    ///
    /// # Errors
    ///
    /// If a part of a message has no room within them: the bytes that it needs.
    pub(super) fn within(mut self, bytes_max: usize) -> Result<Speaker, usize> {
        let longest = RecordId { process: u64::MAX, seq: u64::MAX };
        let needed = self.around((191, b" AUDIT "), 0, longest).len() + PIECE_BYTES_MIN;
        self.bytes_max = bytes_max;
        if needed <= bytes_max { Ok(self) } else { Err(needed) }
    }

    /// Writes a record as one message, or as parts of it.
    pub(super) fn say(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        if record.id.process != self.process.0 {
            self.process = (record.id.process, hex(record.id.process));
        }
        let text = match &record.body {
            Body::Log(log) => &log.message,
            Body::Audit(audit) => &audit.actor, // which its message begins with
            _ => return Err(EncodeError("syslog carries logs and audit records alone".to_owned())),
        };
        let is_marked = text.starts_with(MARK);
        let whole = out.push(|bytes| {
            let start = bytes.len();
            self.message(bytes, record);
            if bytes.len() - start <= self.bytes_max && !is_marked { Ok(()) } else { Err(()) }
        });
        whole.or_else(|()| self.say_in_parts(record, out))
    }

    fn message(&self, out: &mut Vec<u8>, record: &Record<'_>) {
        self.header(out, self.kind(record), record.time_ns);
        self.element(out, record.id);
        match &record.body {
            Body::Log(log) => self.log(out, log),
            Body::Audit(audit) => self.audit(out, audit),
            _ => {}
        }
    }

    fn log(&self, out: &mut Vec<u8>, log: &Log<'_>) {
        param(out, " level=\"", log.level.name());
        param(out, " target=\"", &log.target);
        if !log.file.is_empty() {
            out.extend_from_slice(b" file=\"");
            escaped::<true>(out, &log.file);
            if log.line > 0 {
                out.push(b':');
                number_u64(out, log.line.into());
            }
            out.push(b'"');
        }
        self.rest(out, &log.fields);
        escaped::<false>(out, &log.message);
    }

    fn audit(&self, out: &mut Vec<u8>, audit: &Audit<'_>) {
        param(out, " actor=\"", &audit.actor);
        param(out, " action=\"", &audit.action);
        param(out, " resource=\"", &audit.resource);
        param(out, " outcome=\"", &audit.outcome);
        self.rest(out, &audit.fields);
        escaped::<false>(out, &audit.actor);
        out.push(b' ');
        escaped::<false>(out, &audit.action);
        out.push(b' ');
        escaped::<false>(out, &audit.resource);
        out.extend_from_slice(b": ");
        escaped::<false>(out, &audit.outcome);
    }

    /// The priority and MSGID of a record, the latter between its spaces.
    fn kind(&self, record: &Record<'_>) -> (u8, &'static [u8]) {
        match &record.body {
            Body::Log(log) => (self.facility * 8 + severity(log.level), b" LOG "),
            _ => (self.audit_facility * 8 + NOTICE, b" AUDIT "),
        }
    }

    fn header(&self, out: &mut Vec<u8>, (priority, msg_id): (u8, &[u8]), time_ns: u64) {
        out.push(b'<');
        number_u64(out, priority.into());
        out.extend_from_slice(b">1 ");
        time_rfc3339(out, time_ns);
        out.extend_from_slice(&self.from);
        out.extend_from_slice(&self.process.1);
        out.extend_from_slice(msg_id);
    }

    /// Begins the element of our own.
    fn element(&self, out: &mut Vec<u8>, id: RecordId) {
        out.extend_from_slice(b"[ops");
        out.extend_from_slice(&self.at);
        out.extend_from_slice(b" id=\"");
        out.extend_from_slice(&self.process.1);
        out.push(b'-');
        number_u64(out, id.seq);
        out.push(b'"');
    }

    /// Ends the element of our own, adds those of the program, and begins the text.
    fn rest(&self, out: &mut Vec<u8>, fields: &Fields<'_>) {
        out.push(b']');
        if !fields.is_empty() {
            out.extend_from_slice(b"[fields");
            out.extend_from_slice(&self.at);
            for (key, value) in fields {
                param_name(out, key);
                param_value(out, value);
                out.push(b'"');
            }
            out.push(b']');
        }
        out.extend_from_slice(&self.dimensions);
        out.extend_from_slice(&self.begin);
    }

    /// The message of a record that is over-long, or that looks like a part, in parts.
    fn say_in_parts(&self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        let mut whole = Vec::new();
        self.message(&mut whole, record);
        let around = self.around(self.kind(record), record.time_ns, record.id);
        let room = self.bytes_max.saturating_sub(around.len());
        let Some(parts) = parts::split(record.id, &whole, room) else {
            return Err(EncodeError(format!("a message of {} bytes has too many parts", whole.len())));
        };
        let total = parts.len();
        for (index, part) in parts.enumerate() {
            out.push(|bytes| {
                bytes.extend_from_slice(&around.before);
                number_u64(bytes, index as u64 + 1);
                bytes.push(b'/');
                number_u64(bytes, total as u64);
                bytes.extend_from_slice(&around.behind);
                bytes.extend_from_slice(&part);
                Ok::<(), EncodeError>(())
            })?;
        }
        Ok(())
    }

    fn around(&self, kind: (u8, &[u8]), time_ns: u64, id: RecordId) -> Around {
        let mut before = Vec::new();
        self.header(&mut before, kind, time_ns);
        self.element(&mut before, id);
        before.extend_from_slice(b" part=\"");
        Around { before, behind: [b"\"]", self.begin.as_slice()].concat() }
    }
}

/// What stands around a part's number, up to where its text begins.
struct Around {
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Around {
    /// With a number of the longest.
    fn len(&self) -> usize {
        self.before.len() + PART_BYTES_MAX + self.behind.len()
    }
}

/// A parameter of a name of ours, which comes with all that stands around it.
fn param(out: &mut Vec<u8>, name: &'static str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    escaped::<true>(out, value);
    out.push(b'"');
}

/// Begins a parameter of any name.
fn param_name(out: &mut Vec<u8>, name: &str) {
    out.push(b' ');
    let start = out.len();
    printable(out, name, NAME_BYTES_MAX);
    for byte in &mut out[start..] {
        if matches!(byte, b'=' | b']' | b'"') {
            *byte = b'_';
        }
    }
    out.extend_from_slice(b"=\"");
}

fn param_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => {}
        Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Value::I64(value) => number_i64(out, *value),
        Value::U64(value) => number_u64(out, *value),
        Value::F64(value) if value.is_finite() => number_f64(out, *value),
        Value::F64(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Value::Str(value) => escaped::<true>(out, value),
    }
}

/// PRINTUSASCII of so many bytes: `_` for each character that is none, and `-` for nothing at all.
fn printable(out: &mut Vec<u8>, text: &str, bytes_max: usize) {
    let byte = |c: char| if c.is_ascii_graphic() { c as u8 } else { b'_' };
    let start = out.len();
    out.extend(text.chars().take(bytes_max).map(byte));
    if out.len() == start {
        out.push(b'-');
    }
}

/// Text without control characters, those of ASCII and those of Latin-1; in a parameter's value with a backslash before
/// what would end it.
fn escaped<const IS_PARAM: bool>(out: &mut Vec<u8>, text: &str) {
    /// Looked at together: most text holds nothing to escape.
    const TOGETHER: usize = 16;
    let bytes = text.as_bytes();
    let (mut written, mut at) = (0, 0);
    while at < bytes.len() {
        let together = &bytes[at..bytes.len().min(at + TOGETHER)];
        if !together.iter().fold(false, |any, byte| any | is_special::<IS_PARAM>(*byte)) {
            at += together.len();
            continue;
        }
        let byte = bytes[at];
        let length = match byte {
            0..=0x1f | 0x7f => 1,
            0xc2 if bytes.get(at + 1).is_some_and(|next| *next < 0xa0) => 2,
            b'"' | b'\\' | b']' if IS_PARAM => 0,
            _ => {
                at += 1;
                continue;
            }
        };
        out.extend_from_slice(&bytes[written..at]);
        match length {
            0 => out.push(b'\\'),
            _ => bytes[at..at + length].iter().for_each(|byte| octal(out, *byte)),
        }
        written = at + length;
        at += length.max(1);
    }
    out.extend_from_slice(&bytes[written..]);
}

/// Whether a byte may be, or begin, something to escape.
fn is_special<const IS_PARAM: bool>(byte: u8) -> bool {
    let ends_param = IS_PARAM & ((byte == b'"') | (byte == b'\\') | (byte == b']'));
    (byte < 0x20) | (byte == 0x7f) | (byte == 0xc2) | ends_param
}

fn octal(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[b'#', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]);
}

/// Sixteen hexadecimal digits.
fn hex(number: u64) -> [u8; 16] {
    let digits = b"0123456789abcdef";
    std::array::from_fn(|place| digits[(number >> (60 - 4 * place)) as usize & 15])
}
