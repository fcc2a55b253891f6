//! Whatever follows whatever: a line from prepared text is the line made the long way.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::encode::{arbitrary, json};
use crate::model::{Body, Fields, Level, RecordId, Value};

/// Sites of all cases: a number is never used twice.
static NEXT_SITE: AtomicU64 = AtomicU64::new(1);

fn line_of(record: &Record<'_>, context: &[(String, String)]) -> String {
    let mut out = b"before".to_vec();
    json::line(&mut out, record, context);
    String::from_utf8(out).expect("UTF-8")
}

fn log(message: &str, fields: Fields<'static>) -> Record<'static> {
    let body = Body::Log(Log {
        level: Level::Info,
        target: "shop".into(),
        message: message.to_owned().into(),
        file: "src/x.rs".into(),
        line: 10,
        fields,
    });
    Record { id: RecordId { process: 7, seq: 1 }, time_ns: 1_795_332_268_123_456_789, body }
}

#[test]
fn a_record_that_is_not_the_one_that_was_shown_is_made_the_long_way() {
    let site = NEXT_SITE.fetch_add(1, Relaxed);
    let common = Some(Alike { site, same_message: true });
    let (one, other) = (log("one", vec![]), log("other", vec![("n".into(), Value::U64(1))]));
    for _ in 0..3 {
        let lines = alike(&one, common, || [line_of(&other, &[]), line_of(&one, &[])]);
        assert_eq!(lines, [line_of(&other, &[]), line_of(&one, &[])]);
    }
    let unknown = alike(&one, None, || line_of(&other, &[]));
    assert_eq!(unknown, line_of(&other, &[]));
}

proptest! {
    #[test]
    fn a_prepared_line_is_the_line(
        records in vec(arbitrary::record(), 1..4),
        events in vec(
            (any::<prop::sample::Index>(), any::<(u64, u64)>(), 0..2u64, 0..3usize, vec(arbitrary::value(), 8), arbitrary::text()),
            1..30,
        ),
        contexts in vec(vec((arbitrary::text(), arbitrary::text()), 0..3), 3),
        far: bool,
        same_message: bool,
    ) {
        let contexts: Vec<Vec<(String, String)>> = contexts
            .into_iter()
            .map(|pairs| pairs.into_iter().map(|(key, text)| (key.into_owned(), text.into_owned())).collect())
            .collect();
        // Sites that share a place, or that do not.
        let first = NEXT_SITE.fetch_add(1000, Relaxed);
        let site = |index: usize| first + index as u64 * if far { 64 } else { 1 };
        for (at, (seq, time_ns), process, context, values, message) in events {
            let index = at.index(records.len());
            let mut record = records[index].clone();
            (record.id, record.time_ns) = (RecordId { process, seq }, time_ns % (3 << 30));
            if let Body::Log(log) = &mut record.body {
                log.fields.iter_mut().zip(values).for_each(|((_, field), value)| *field = value);
                if !same_message {
                    log.message = message;
                }
            }
            let common = Some(Alike { site: site(index), same_message });
            let line = alike(&record, common, || line_of(&record, &contexts[context]));
            prop_assert_eq!(line, line_of(&record, &contexts[context]));
        }
    }
}
