//! Log records: the message is the body, fields are attributes, and what an event was recorded for is its trace and span.

use std::borrow::Cow;

use super::{Form, Item, Kind, attributes, json, protobuf};
use crate::model::{CORRELATION_ID, Fields, Level, Log, Record, RecordId, SPAN_ID, Value};

/// A log record, as both forms write it.
pub(super) struct Told<'a> {
    pub(super) time_ns: u64,
    pub(super) level: Level,
    pub(super) body: &'a str,
    pub(super) target: &'a str,
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) id: RecordId,
    pub(super) trace: Option<&'a str>,
    pub(super) span: Option<&'a str>,
    fields: &'a [(Cow<'a, str>, Value<'a>)],
    names: Option<Vec<Cow<'a, str>>>,
}

impl Told<'_> {
    /// Names and values of the fields that are attributes.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &Value<'_>)> {
        self.fields.iter().enumerate().filter_map(|(place, (name, value))| {
            let is_told =
                (self.trace.is_some() && name == CORRELATION_ID) || (self.span.is_some() && name == SPAN_ID);
            let name = self.names.as_ref().map_or(name.as_ref(), |names| names[place].as_ref());
            (!is_told).then_some((name, value))
        })
    }
}

/// Appends a log record as one item.
pub fn log(out: &mut Vec<u8>, form: Form, record: &Record<'_>, log: &Log<'_>) {
    let fits = attributes::fit(&log.fields);
    let told = Told {
        time_ns: record.time_ns,
        level: log.level,
        body: &log.message,
        target: &log.target,
        file: &log.file,
        line: log.line,
        id: record.id,
        trace: id_of(&log.fields, CORRELATION_ID, 32),
        span: id_of(&log.fields, SPAN_ID, 16),
        fields: &log.fields,
        names: (!fits).then(|| attributes::fitted(&log.fields)),
    };
    write(out, form, &told);
}

/// Appends text as one item, the body of a log record with the time and level of this one: for parts of what is too long
/// for one.
pub fn text(out: &mut Vec<u8>, form: Form, record: &Record<'_>, log: &Log<'_>, text: &str) {
    let (time_ns, level, target) = (record.time_ns, log.level, log.target.as_ref());
    let nothing = Told {
        time_ns,
        level,
        body: text,
        target,
        file: "",
        line: 0,
        id: record.id,
        trace: None,
        span: None,
        fields: &[],
        names: None,
    };
    write(out, form, &nothing);
}

fn write(out: &mut Vec<u8>, form: Form, told: &Told<'_>) {
    out.push(Item { form, kind: Kind::Logs }.mark());
    match form {
        Form::Protobuf => protobuf::log(out, told),
        Form::Json => json::log(out, told),
    }
}

/// The field's text, if it is an id of so many hexadecimal digits, and not nothing but zeros, which says that there is none.
fn id_of<'a>(fields: &'a Fields<'_>, key: &str, digits: usize) -> Option<&'a str> {
    let (_, value) = fields.iter().find(|(name, _)| name == key)?;
    let Value::Str(text) = value else { return None };
    let is_id = text.len() == digits
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && text.bytes().any(|byte| byte != b'0');
    is_id.then_some(text.as_ref())
}

/// Writes the id as it displays and says how long that is. By hand, because the formatter's way takes longer than the rest.
pub(super) fn id(text: &mut [u8; 37], id: RecordId) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (place, byte) in id.process.to_be_bytes().into_iter().enumerate() {
        text[2 * place] = DIGITS[usize::from(byte >> 4)];
        text[2 * place + 1] = DIGITS[usize::from(byte & 15)];
    }
    text[16] = b'-';
    let digits = id.seq.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut rest = id.seq;
    for place in text[17..17 + digits].iter_mut().rev() {
        *place = DIGITS[(rest % 10) as usize];
        rest /= 10;
    }
    17 + digits
}

/// The number of a level (OTLP logs data model, "SeverityNumber").
pub(super) fn severity(level: Level) -> u8 {
    match level {
        Level::Trace => 1,
        Level::Debug => 5,
        Level::Info => 9,
        Level::Warn => 13,
        Level::Error => 17,
    }
}
