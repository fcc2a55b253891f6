//! Values of one name and minute, merged: Mackerel keeps the one that was posted last, and forgets the others.
//!
//! What was posted of the last minutes is remembered, so that a value that comes later for one of them is posted together
//! with it. It is forgotten when the process ends: of the minute in which a process starts again, what it had posted before
//! is overwritten.

use std::collections::HashMap;

use super::array;
use super::series::Point;
use crate::encode::json;

/// Minutes that are remembered, counted from the newest.
const KEPT_S: u64 = 5 * 60;
/// Values that are remembered. At the bound all are forgotten.
const KEPT_MAX: usize = 200_000;

/// What was posted of the last minutes.
#[derive(Default)]
pub(super) struct Minutes {
    posted: HashMap<(String, u64), Point>,
}

/// What is to be posted.
#[derive(Default)]
pub(super) struct Merged {
    points: Vec<Point>,
}

impl Minutes {
    /// Merges items with each other and with what was posted.
    pub(super) fn merge<'a>(&self, items: impl Iterator<Item = &'a [u8]>) -> Merged {
        let mut merged = Merged::default();
        let mut places = HashMap::<(String, u64), usize>::new();
        for point in items.filter_map(Point::read) {
            let key = (point.name.clone(), point.unix_s);
            if let Some(place) = places.get(&key) {
                merged.points[*place].add(&point);
                continue;
            }
            let point = match self.posted.get(&key) {
                Some(posted) => {
                    let mut whole = posted.clone();
                    whole.add(&point);
                    whole
                }
                None => point,
            };
            places.insert(key, merged.points.len());
            merged.points.push(point);
        }
        merged
    }

    /// Remembers what was posted.
    pub(super) fn keep(&mut self, merged: Merged) {
        let newest = merged.points.iter().map(|point| point.unix_s).max().unwrap_or_default();
        self.posted.retain(|(_, unix_s), _| unix_s + KEPT_S > newest);
        if self.posted.len() + merged.points.len() > KEPT_MAX {
            self.posted.clear();
        }
        let recent = merged.points.into_iter().filter(|point| point.unix_s + KEPT_S > newest);
        self.posted.extend(recent.map(|point| ((point.name.clone(), point.unix_s), point)));
    }
}

impl Merged {
    /// The body of the request, for a host if there is one.
    pub(super) fn body(&self, host: Option<&str>) -> Vec<u8> {
        let mut start = Vec::new();
        if let Some(host) = host {
            start.extend_from_slice(b"\"hostId\":");
            json::string(&mut start, host);
            start.push(b',');
        }
        let written: Vec<Vec<u8>> = self.points.iter().map(|point| write(&start, point)).collect();
        array(b"[", written.iter().map(Vec::as_slice), b"]")
    }
}

fn write(start: &[u8], point: &Point) -> Vec<u8> {
    let mut out = b"{".to_vec();
    out.extend_from_slice(start);
    out.extend_from_slice(b"\"name\":\"");
    out.extend_from_slice(point.name.as_bytes());
    out.extend_from_slice(b"\",\"time\":");
    json::number_u64(&mut out, point.unix_s);
    out.extend_from_slice(b",\"value\":");
    match &point.written {
        Some(written) => out.extend_from_slice(written.as_bytes()),
        None => json::number_f64(&mut out, point.value),
    }
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items<'a>(items: &'a [&str]) -> impl Iterator<Item = &'a [u8]> {
        items.iter().map(|item| item.as_bytes())
    }

    fn body(merged: &Merged) -> String {
        String::from_utf8(merged.body(None)).unwrap()
    }

    #[test]
    fn values_of_one_minute_become_one_each_in_its_way() {
        let at = |letter: &str, name: &str, value: &str| {
            format!("{letter} {{\"name\":\"{name}\",\"time\":60,\"value\":{value}}}")
        };
        let table =
            [("s1", "s1", 2.0, 5.0, "7.0"), ("l1", "l1", 2.0, 5.0, "5.0"), ("n1", "n1", 2.0, 5.0, "2.0")];
        for (first, second, one, two, expected) in table {
            let both = [at(first, "a", &one.to_string()), at(second, "a", &two.to_string())];
            let merged = Minutes::default().merge(both.iter().map(String::as_bytes));
            assert_eq!(body(&merged), format!("[{{\"name\":\"a\",\"time\":60,\"value\":{expected}}}]"));
        }
        let both = [at("m3", "a", "1.0"), at("m1", "a", "5.0"), at("x1", "b", "3"), at("x1", "b", "2")];
        let merged = Minutes::default().merge(both.iter().map(String::as_bytes));
        let expected = r#"[{"name":"a","time":60,"value":2.0},{"name":"b","time":60,"value":3.0}]"#;
        assert_eq!(body(&merged), expected);
    }

    #[test]
    fn what_was_posted_of_a_minute_is_posted_again_with_what_comes_later() {
        let mut minutes = Minutes::default();
        let first = [
            r#"s1 {"name":"a","time":60,"value":18446744073709551615}"#,
            r#"s1 {"name":"b","time":60,"value":7}"#,
        ];
        let merged = minutes.merge(items(&first));
        // As it was written, to the last digit.
        assert!(body(&merged).contains("18446744073709551615"));
        minutes.keep(merged);
        let later = [r#"s1 {"name":"b","time":60,"value":5}"#, r#"s1 {"name":"b","time":120,"value":1}"#];
        let merged = minutes.merge(items(&later));
        let expected = r#"[{"name":"b","time":60,"value":12.0},{"name":"b","time":120,"value":1}]"#;
        assert_eq!(body(&merged), expected);
        // What was not delivered is not remembered.
        assert_eq!(body(&minutes.merge(items(&later))), expected);
        minutes.keep(merged);
        minutes.keep(minutes.merge(items(&[r#"s1 {"name":"b","time":6000,"value":1}"#])));
        assert_eq!(minutes.posted.len(), 1, "minutes long past are forgotten");
    }
}
