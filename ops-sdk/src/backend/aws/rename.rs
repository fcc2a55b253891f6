//! Keys that a place keeps for itself: a field of that name gets another, so that no member is there twice and none
//! that means something is somebody else's.

use std::borrow::Cow;

use crate::model::{Body, Fields, Record};

/// The record with its fields of this key named `fields.<key>`; `None` if it has none and stays as it is.
pub(in crate::backend) fn without_key<'r>(record: &Record<'r>, key: &str) -> Option<Record<'r>> {
    let has = |fields: &Fields<'_>| fields.iter().any(|(name, _)| name == key);
    let is_there = match &record.body {
        Body::Log(log) => has(&log.fields),
        Body::Audit(audit) => has(&audit.fields),
        Body::Config(config) => has(&config.fields),
        Body::Check(check) => has(&check.fields),
        Body::Metric(_) => false,
    };
    is_there.then(|| renamed(record.clone(), key))
}

#[cold]
fn renamed<'r>(mut record: Record<'r>, key: &str) -> Record<'r> {
    let fields = match &mut record.body {
        Body::Log(log) => &mut log.fields,
        Body::Audit(audit) => &mut audit.fields,
        Body::Config(config) => &mut config.fields,
        Body::Check(check) => &mut check.fields,
        Body::Metric(_) => return record,
    };
    for (name, _) in fields.iter_mut().filter(|(name, _)| name == key) {
        *name = Cow::Owned(format!("fields.{key}"));
    }
    record
}

/// The process's own dimensions with those of this key named `context.<key>`.
pub(in crate::backend) fn context_without_key(
    dimensions: &[(String, String)],
    key: &str,
) -> Vec<(String, String)> {
    let name = |name: &String| if name == key { format!("context.{key}") } else { name.clone() };
    dimensions.iter().map(|(key, value)| (name(key), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Audit, RecordId, Value};

    #[test]
    fn a_field_gives_way_and_nothing_is_copied_where_there_is_none() {
        let fields = |key: &'static str| vec![("a".into(), Value::Null), (key.into(), Value::U64(7))];
        let record = |key| Record {
            id: RecordId::default(),
            time_ns: 0,
            body: Body::Audit(Audit {
                actor: "".into(),
                action: "".into(),
                resource: "".into(),
                outcome: "".into(),
                fields: fields(key),
            }),
        };
        assert_eq!(without_key(&record("b"), "timestamp"), None);
        assert_eq!(without_key(&record("timestamp"), "timestamp"), Some(record("fields.timestamp")));
        let dimensions = [("timestamp".to_owned(), "1".to_owned())];
        assert_eq!(context_without_key(&dimensions, "timestamp")[0].0, "context.timestamp");
        assert_eq!(context_without_key(&dimensions, "_aws"), dimensions);
    }
}
