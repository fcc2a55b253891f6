//! Where records lie in a bucket: one folder for each kind of record, service, day and hour (UTC), named the way Hive and
//! Athena find partitions. Pure: the same records have the same key.
//!
//! A name cannot leave its folder: what is neither letter, digit, `-`, `_` nor `.` is escaped as Hive escapes it.

use super::ids::Ids;
use crate::backend::shared::Compression;
use crate::chunk::Batch;
use crate::encode::json::time_rfc3339;
use crate::model::Signal;

const HOUR_MS: u64 = 3_600_000;
/// Bytes of a service's or host's name in a key, so that keys stay under 1,024 bytes (Amazon S3 User Guide, "Naming
/// Amazon S3 objects").
const NAME_BYTES_MAX: usize = 200;
/// What Hive calls a partition without a name.
const NAMELESS: &str = "__HIVE_DEFAULT_PARTITION__";

/// What the keys of one program have in common.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// Ends with a slash, unless empty.
    prefix: String,
    service: String,
    host: String,
    ending: String,
}

/// Records that lie in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    signal: Signal,
    /// Hours since the Unix epoch.
    hour: u64,
    /// When the first of them happened, in milliseconds since the Unix epoch.
    first_ms: u64,
    /// Their indexes in the batch.
    pub(super) members: Vec<usize>,
}

impl Layout {
    pub(super) fn new(prefix: &str, service: &str, host: &str, compression: Compression) -> Layout {
        let prefix = prefix.trim_matches('/');
        Layout {
            prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
            service: Some(escape(service)).filter(|name| !name.is_empty()).unwrap_or(NAMELESS.to_owned()),
            host: file(host),
            ending: format!(".json{}", compression.suffix()),
        }
    }

    /// The key of an object of this group, which has these ids.
    pub(super) fn key(&self, group: &Group, ids: &Ids) -> String {
        let mut time = Vec::new();
        time_rfc3339(&mut time, (group.hour * HOUR_MS).saturating_mul(1_000_000));
        let time = String::from_utf8_lossy(&time); // 2026-11-22T07:00:00.000000Z
        let (day, hour) = (&time[..10], &time[11..13]);
        let Layout { prefix, service, host, ending } = self;
        let (signal, first, mark) = (folder(group.signal), ids.first(), ids.mark());
        let first_ms = group.first_ms;
        format!(
            "{prefix}signal={signal}/service={service}/dt={day}/hour={hour}/{host}-{first_ms}-{first}-{mark}{ending}"
        )
    }
}

/// The records at these places of a batch by the folders that they lie in.
pub(super) fn groups(batch: &Batch, wanted: impl Fn(usize) -> bool) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (index, (item, line)) in batch.iter().enumerate().filter(|(index, _)| wanted(*index)) {
        let (signal, hour, first_ms) = (signal_of(line), item.time_ms / HOUR_MS, item.time_ms);
        match groups.iter_mut().find(|group| (group.signal, group.hour) == (signal, hour)) {
            Some(group) => {
                group.members.push(index);
                group.first_ms = group.first_ms.min(first_ms);
            }
            None => groups.push(Group { signal, hour, first_ms, members: vec![index] }),
        }
    }
    groups
}

/// The kind of record that a line is of: `json::line` says it right behind the time, of all but log events.
fn signal_of(line: &[u8]) -> Signal {
    let rest = line.strip_prefix(b"{\"time\":\"").unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'"').map_or(rest.len(), |end| end + 1);
    let said = rest[end..].strip_prefix(b",\"signal\":\"").unwrap_or_default();
    let named = |signal: &Signal| {
        said.strip_prefix(signal.name().as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"'))
    };
    Signal::ALL.into_iter().find(named).unwrap_or(Signal::Log)
}

/// What a folder of this kind is called.
fn folder(signal: Signal) -> &'static str {
    match signal {
        Signal::Metric => "metrics",
        Signal::Log => "logs",
        Signal::Audit => "audit",
        Signal::Config => "config",
        Signal::Check => "checks",
    }
}

/// A name as part of a key.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for char in name.chars() {
        let before = escaped.len();
        if char.is_alphanumeric() || "-_.".contains(char) {
            escaped.push(char);
        } else {
            char.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| escaped.push_str(&format!("%{byte:02X}")));
        }
        if escaped.len() > NAME_BYTES_MAX {
            escaped.truncate(before);
            break;
        }
    }
    escaped
}

/// A host as the beginning of a file's name. Athena takes files for hidden whose names begin with `_` or `.` (Amazon Athena
/// User Guide, "Considerations and limitations for SQL queries").
fn file(host: &str) -> String {
    let escaped = escape(host.trim_start_matches(['_', '.']));
    if escaped.is_empty() { "host".to_owned() } else { escaped }
}

/// A key as the path of a URL, escaped once.
pub(super) fn path(key: &str) -> String {
    let mut path = String::with_capacity(key.len() + 16);
    for byte in key.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::encode::json;
    use crate::model::RecordId;

    fn ids() -> Ids {
        Ids::of((3..9).map(|seq| RecordId { process: 255, seq }))
    }

    #[test]
    fn a_key_is_a_partition_and_a_name_that_no_other_object_has() {
        let first_ms = 1_795_332_268_123;
        let group = Group { signal: Signal::Log, hour: first_ms / HOUR_MS, first_ms, members: vec![] };
        let layout = Layout::new("/a/b/", "checkout", "h1", Compression::Gzip);
        assert_eq!(
            layout.key(&group, &ids()),
            format!(
                "a/b/signal=logs/service=checkout/dt=2026-11-22/hour=07/h1-1795332268123-00000000000000ff-3-{}.json.gz",
                ids().mark()
            )
        );
        let bare = Layout::new("", "支払い", "", Compression::None).key(&group, &ids());
        assert!(bare.starts_with("signal=logs/service=支払い/dt=2026-11-22/hour=07/host-"), "{bare}");
        assert_eq!((file("_.x"), file("..")), ("x".to_owned(), "host".to_owned()));
        assert!(
            bare.ends_with(".json") && path(&bare).starts_with("signal%3Dlogs/service%3D%E6%94%AF"),
            "{bare}"
        );
    }

    #[test]
    fn records_are_grouped_by_kind_and_hour() {
        let mut batch = Batch::default();
        let lines: [&[u8]; 5] = [
            b"{\"time\":\"t\",\"level\":\"INFO\",\"target\":\",\\\"signal\\\":\"}",
            b"{\"time\":\"t\",\"signal\":\"metric\",\"name\":\"x\"}",
            b"{\"time\":\"t\",\"level\":\"INFO\"}",
            b"{\"time\":\"t\",\"signal\":\"audit\"}",
            b"garbage \",\"signal\":\"audit\"",
        ];
        for (place, line) in (0..).zip(lines) {
            batch.push(HOUR_MS - 1 + u64::from(place == 2), RecordId::default(), place, line);
        }
        let found = groups(&batch, |index| index != 9);
        let told: Vec<_> = found.iter().map(|group| (group.signal, group.hour, &group.members[..])).collect();
        let wanted: [(Signal, u64, &[usize]); 4] = [
            (Signal::Log, 0, &[0, 4]),
            (Signal::Metric, 0, &[1]),
            (Signal::Log, 1, &[2]),
            (Signal::Audit, 0, &[3]),
        ];
        assert_eq!(told, wanted);
    }

    proptest! {
        #[test]
        fn every_line_tells_its_kind(record in crate::encode::arbitrary::record()) {
            let mut line = Vec::new();
            json::line(&mut line, &record, &[("signal".to_owned(), "check".to_owned())]);
            prop_assert_eq!(signal_of(&line), record.signal());
        }

        #[test]
        fn no_name_leaves_its_folder(service in any::<String>(), host in any::<String>(), hour in 0..500_000_u64) {
            let group = Group { signal: Signal::Check, hour, first_ms: u64::MAX, members: vec![] };
            let key = Layout::new("p", &service, &host, Compression::Zstd).key(&group, &ids());
            let parts: Vec<_> = key.split('/').collect();
            prop_assert_eq!(parts.len(), 6, "{}", key);
            prop_assert!(!parts[5].starts_with(['_', '.']));
            prop_assert!(parts[2].starts_with("service=") && parts[3].starts_with("dt="));
            prop_assert!(!key.contains(|c: char| c.is_control() || c.is_whitespace()) && key.len() < 1_024 - 400);
            prop_assert!(path(&key).is_ascii());
        }
    }
}
