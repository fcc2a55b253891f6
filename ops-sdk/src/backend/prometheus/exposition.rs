//! The registry as a scrape reads it: Prometheus's text format 0.0.4 and OpenMetrics 1.0 (prometheus.io, "Exposition
//! formats"; the OpenMetrics specification 1.0.0). Pure.

use super::names::{Labels, unit_suffix};
use super::registry::{Family, Kind, Registry, Series, Total};
use crate::encode::json;

/// What a scrape may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Text 0.0.4.
    Text,
    /// OpenMetrics 1.0: with units, beginnings of series, and exemplars.
    OpenMetrics,
}

impl Format {
    /// `Content-Type`.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The one that an `Accept` header likes best; text where it says nothing of either.
    pub(super) fn asked(accept: &str) -> Format {
        let wish = |format: &str| {
            let wishes = accept.split(',').filter_map(|item| {
                let mut parts = item.split(';').map(str::trim);
                let is_it = parts.next()?.eq_ignore_ascii_case(format);
                let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
                let of = |name: &str| {
                    parameters.iter().find(|(n, _)| n.trim() == name).map(|(_, value)| value.trim())
                };
                // Another major version is another format.
                let fits = of("version").is_none_or(|version| ["0.0.1", "1.0.0", "0.0.4"].contains(&version));
                let weight: f64 = of("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
                (is_it && fits).then_some(weight)
            });
            wishes.fold(0.0, f64::max)
        };
        let openmetrics = wish("application/openmetrics-text");
        if openmetrics > 0.0 && openmetrics >= wish("text/plain") {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }
}

/// All series of the registry.
pub(super) fn exposition(registry: &Registry, format: Format) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, family) in registry.families.iter().filter(|(_, family)| !family.series.is_empty()) {
        heading(&mut out, name, family, format);
        for (labels, series) in &family.series {
            Lines { out: &mut out, name, labels, format }.series(family, series);
        }
    }
    if format == Format::OpenMetrics {
        out.extend_from_slice(b"# EOF\n");
    }
    out
}

fn heading(out: &mut Vec<u8>, name: &str, family: &Family, format: Format) {
    // The older format names what a counter's samples are named.
    let total = if format == Format::Text && family.kind == Kind::Counter { "_total" } else { "" };
    let mut line = |what: &str, text: &str| {
        out.extend_from_slice(format!("# {what} {name}{total} ").as_bytes());
        escape(out, text, format == Format::OpenMetrics);
        out.push(b'\n');
    };
    line("TYPE", family.kind.name());
    let unit = unit_suffix(family.unit);
    if format == Format::OpenMetrics && !unit.is_empty() && name.ends_with(&format!("_{unit}")) {
        line("UNIT", unit);
    }
    line("HELP", &family.recorded);
}

/// The lines of one series.
struct Lines<'o> {
    out: &'o mut Vec<u8>,
    name: &'o str,
    labels: &'o Labels,
    format: Format,
}

impl Lines<'_> {
    fn series(&mut self, family: &Family, series: &Series) {
        match &series.total {
            Total::Counter(total) => {
                self.begin("_total", None);
                if family.divisor > 1.0 {
                    number(self.out, family.total(*total));
                } else {
                    json::number_u64(self.out, *total);
                }
                self.end();
                self.created(series);
            }
            Total::Gauge(value) => {
                self.begin("", None);
                number(self.out, *value);
                self.end();
            }
            Total::Histogram { counts, sum, exemplar } => {
                let mut below = 0_u64;
                let place = exemplar.map(|(value, ..)| family.bounds.partition_point(|bound| *bound < value));
                for (at, count) in counts.iter().enumerate() {
                    below = below.saturating_add(*count);
                    self.begin("_bucket", Some(family.bounds.get(at).copied().unwrap_or(f64::INFINITY)));
                    json::number_u64(self.out, below);
                    if place == Some(at) {
                        self.exemplar(*exemplar);
                    }
                    self.end();
                }
                self.begin("_sum", None);
                number(self.out, *sum);
                self.end();
                self.begin("_count", None);
                json::number_u64(self.out, below);
                self.end();
                self.created(series);
            }
        }
    }

    /// The name and the labels of a sample.
    fn begin(&mut self, ending: &str, bound: Option<f64>) {
        self.out.extend_from_slice(self.name.as_bytes());
        self.out.extend_from_slice(ending.as_bytes());
        if self.labels.is_empty() && bound.is_none() {
            self.out.push(b' ');
            return;
        }
        self.out.push(b'{');
        for (place, (name, value)) in self.labels.iter().enumerate() {
            if place > 0 {
                self.out.push(b',');
            }
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"=\"");
            escape(self.out, value, true);
            self.out.push(b'"');
        }
        if let Some(bound) = bound {
            self.out.extend_from_slice(if self.labels.is_empty() { b"le=\"" } else { b",le=\"" });
            number(self.out, bound);
            self.out.push(b'"');
        }
        self.out.extend_from_slice(b"} ");
    }

    fn end(&mut self) {
        self.out.push(b'\n');
    }

    /// When the series began, in seconds. The older format would take it for a gauge of its own.
    fn created(&mut self, series: &Series) {
        if self.format == Format::OpenMetrics {
            self.begin("_created", None);
            seconds(self.out, series.created_ms);
            self.end();
        }
    }

    fn exemplar(&mut self, exemplar: Option<(f64, u64, u128)>) {
        if let (Some((value, at_ms, trace)), Format::OpenMetrics) = (exemplar, self.format) {
            self.out.extend_from_slice(format!(" # {{trace_id=\"{trace:032x}\"}} ").as_bytes());
            number(self.out, value);
            self.out.push(b' ');
            seconds(self.out, at_ms);
        }
    }
}

/// Milliseconds as seconds.
fn seconds(out: &mut Vec<u8>, ms: u64) {
    out.extend_from_slice(format!("{}.{:03}", ms / 1000, ms % 1000).as_bytes());
}

/// A number as both formats write it.
pub(super) fn number(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        json::number_f64(out, number);
    } else {
        out.extend_from_slice(match number {
            f64::INFINITY => b"+Inf",
            f64::NEG_INFINITY => b"-Inf",
            _ => b"NaN",
        });
    }
}

/// Text within a line: backslashes and line ends escaped, and quotes where the place asks for that.
fn escape(out: &mut Vec<u8>, text: &str, quotes: bool) {
    for byte in text.bytes() {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'"' if quotes => out.extend_from_slice(b"\\\""),
            byte => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::registry::tests::{NOW_MS, counted, metric, observed, registry, set};
    use super::*;
    use crate::encode::arbitrary;
    use crate::model::{Body, Points, Unit};

    fn filled() -> Registry {
        let mut registry = registry();
        let Points::Histogram(mut slow) = observed(&[3.0, 40.0, 40.0, 20_000.0]) else { panic!() };
        slow.exemplar = Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        let start_ms = 1_795_332_268_005;
        for metric in [
            metric("orders.accepted", Unit::Count, &[("Region", "eu"), ("Env", "a \"b\"\\\n")], counted(7)),
            metric("orders.accepted", Unit::Count, &[], counted(1)),
            metric("depth", Unit::Percent, &[("Queue", "größe")], set(2.5)),
            metric("latency", Unit::Milliseconds, &[("Op", "pay")], Points::Histogram(slow)),
        ] {
            registry.fold(&metric, start_ms, NOW_MS).unwrap();
        }
        registry
    }

    #[test]
    fn both_formats_are_as_the_golden_files_have_them() {
        let text = |format| String::from_utf8(exposition(&filled(), format)).unwrap();
        assert_eq!(text(Format::Text), include_str!("../golden/prometheus.txt"));
        assert_eq!(text(Format::OpenMetrics), include_str!("../golden/openmetrics.txt"));
        assert_eq!(exposition(&registry(), Format::Text), b"");
        assert_eq!(exposition(&registry(), Format::OpenMetrics), b"# EOF\n");
    }

    #[test]
    fn the_format_is_what_a_scrape_likes_best() {
        use Format::{OpenMetrics, Text};
        // As Prometheus 2.42 asks.
        let own = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                   text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        let table = [
            (own, OpenMetrics),
            ("", Text),
            ("*/*", Text),
            ("text/plain", Text),
            ("application/openmetrics-text; version=2.0.0, text/plain;q=0.1", Text),
            ("application/openmetrics-text;q=0.1,text/plain;q=0.2", Text),
            ("application/openmetrics-text;q=0", Text),
            ("Application/OpenMetrics-Text", OpenMetrics),
            (";;q=,,=;version", Text),
        ];
        for (accept, expected) in table {
            assert_eq!(Format::asked(accept), expected, "{accept:?}");
        }
    }

    proptest! {
        #[test]
        fn no_name_or_value_makes_a_line_of_its_own(records in prop::collection::vec(arbitrary::record(), 1..20)) {
            let mut registry = registry();
            for record in &records {
                if let Body::Metric(metric) = &record.body {
                    registry.fold(metric, record.time_ms(), 0).unwrap();
                }
            }
            for format in [Format::Text, Format::OpenMetrics] {
                let text = String::from_utf8(exposition(&registry, format)).expect("UTF-8");
                let families: Vec<&String> = registry.families.keys().collect();
                for line in text.split_terminator('\n') {
                    let is_own = ["# TYPE ", "# UNIT ", "# HELP "].iter().any(|start| line.starts_with(start))
                        || line == "# EOF"
                        || families.iter().any(|name| line.starts_with(name.as_str()));
                    prop_assert!(is_own, "{line:?}");
                }
            }
        }
    }
}
