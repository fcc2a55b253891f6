//! PutMetricData as the documentation has it (`cloudwatch/2010-08-01`, botocore 1.44.5): one bad datum fails the whole
//! call. Pure.

use serde_json::Value;

const BODY_BYTES_MAX: usize = 1_000_000;
const CONTRACT_BYTES: usize = 32_768;
const DATA_MAX: usize = 1_000;
const VALUES_MAX: usize = 150;
const DIMENSIONS_MAX: usize = 30;
const DAY_S: i64 = 86_400;
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// The data of a call, each as the same bytes whenever it is the same, or which rule the call breaks.
pub(super) fn read(content: &[u8], now_s: i64) -> Result<Vec<String>, String> {
    if content.len() > BODY_BYTES_MAX.min(CONTRACT_BYTES) {
        return Err(format!("{} bytes, {CONTRACT_BYTES} by the contract", content.len()));
    }
    let body: Value = serde_json::from_slice(content).map_err(|error| error.to_string())?;
    let namespace = body["Namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() || namespace.len() > 255 || namespace.starts_with(':') {
        return Err(format!("namespace {namespace:?}"));
    }
    let data = body["MetricData"].as_array().ok_or("no MetricData")?;
    if data.is_empty() || data.len() > DATA_MAX {
        return Err(format!("{} data, 1 to {DATA_MAX}", data.len()));
    }
    let checked = |datum: &Value| match check(datum, now_s) {
        Ok(()) => Ok(datum.to_string()),
        Err(why) => Err(format!("{why} in {datum}")),
    };
    data.iter().map(checked).collect()
}

fn check(datum: &Value, now_s: i64) -> Result<(), String> {
    let name = datum["MetricName"].as_str().unwrap_or_default();
    if !(1..=255).contains(&name.len()) {
        return Err("a MetricName of 1 to 255 characters is required".to_owned());
    }
    let time_s = datum["Timestamp"].as_i64().ok_or("a Timestamp of whole seconds is expected")?;
    if !(now_s - 14 * DAY_S..=now_s + DAY_S / 12).contains(&time_s) {
        return Err(format!("Timestamp {time_s} is not from two weeks back to two hours ahead"));
    }
    if datum.get("Unit").is_some_and(|unit| !unit.as_str().is_some_and(|unit| UNITS.contains(&unit))) {
        return Err("an unknown Unit".to_owned());
    }
    if datum.get("StorageResolution").is_some_and(|seconds| ![Some(1), Some(60)].contains(&seconds.as_i64()))
    {
        return Err("a StorageResolution that is not 1 or 60".to_owned());
    }
    dimensions(datum)?;
    values(datum)
}

fn dimensions(datum: &Value) -> Result<(), String> {
    let none = Vec::new();
    let all = datum["Dimensions"].as_array().unwrap_or(&none);
    let fits = |dimension: &Value| {
        let text = |key: &str, max: usize| {
            let text = dimension[key].as_str().unwrap_or_default();
            (1..=max).contains(&text.len()) && text.is_ascii() && !text.trim().is_empty()
        };
        text("Name", 255) && text("Value", 1_024) && !dimension["Name"].to_string().starts_with("\":")
    };
    if all.len() > DIMENSIONS_MAX || !all.iter().all(fits) {
        Err("bad Dimensions".to_owned())
    } else {
        Ok(())
    }
}

/// Exactly one of `Value`, `Values` with perhaps `Counts`, and `StatisticValues`; every number within ±2^360.
fn values(datum: &Value) -> Result<(), String> {
    let forms =
        ["Value", "Values", "StatisticValues"].iter().filter(|form| datum.get(**form).is_some()).count();
    if forms != 1 {
        return Err(format!("{forms} of Value, Values and StatisticValues"));
    }
    let (values, counts) = numbers(datum);
    let limit = 2f64.powi(360);
    if values.is_empty() || values.len() > VALUES_MAX || values.len() != counts.len() {
        return Err(format!("{} Values and {} Counts", values.len(), counts.len()));
    }
    let fits = |value: &f64| value.is_finite() && value.abs() <= limit;
    if values.iter().chain(&counts).all(fits) && counts.iter().all(|count| *count >= 0.0) {
        Ok(())
    } else {
        Err("a number that is not taken".to_owned())
    }
}

/// The values of a datum and how often each was seen; of a statistic set, its sum and once.
pub(crate) fn numbers(datum: &Value) -> (Vec<f64>, Vec<f64>) {
    let list = |key: &str| -> Option<Vec<f64>> {
        datum.get(key)?.as_array()?.iter().map(|value| value.as_f64().or(Some(f64::NAN))).collect()
    };
    if let Some(value) = datum.get("Value") {
        return (vec![value.as_f64().unwrap_or(f64::NAN)], vec![1.0]);
    }
    if let Some(set) = datum.get("StatisticValues") {
        let part = |key: &str| set[key].as_f64().unwrap_or(f64::NAN);
        let inner = part("Minimum") + part("Maximum") + part("SampleCount");
        return (vec![if inner.is_nan() { f64::NAN } else { part("Sum") }], vec![1.0]);
    }
    let values = list("Values").unwrap_or_default();
    let counts = list("Counts").unwrap_or_else(|| vec![1.0; values.len()]);
    (values, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_795_332_268;

    fn put(datum: Value) -> Result<Vec<String>, String> {
        let body = serde_json::json!({ "Namespace": "N", "MetricData": [datum] });
        read(body.to_string().as_bytes(), NOW_S)
    }

    #[test]
    fn a_datum_that_breaks_a_rule_fails_the_call() {
        let with = |key: &str, value: Value| {
            let mut datum = serde_json::json!({ "MetricName": "m", "Timestamp": NOW_S, "Value": 1 });
            datum[key] = value;
            put(datum)
        };
        assert!(with("Unit", "Count".into()).is_ok());
        let dimension = |name: &str| serde_json::json!([{ "Name": name, "Value": "v" }]);
        assert!(with("Dimensions", dimension("Region")).is_ok());
        let table = [
            ("MetricName", "".into(), "MetricName"),
            ("Timestamp", (NOW_S + 7_201).into(), "two hours ahead"),
            ("Timestamp", (NOW_S * 1_000).into(), "two hours ahead"),
            ("Unit", "Furlongs".into(), "unknown Unit"),
            ("StorageResolution", 5.into(), "StorageResolution"),
            ("Dimensions", dimension(":a"), "bad Dimensions"),
            ("Dimensions", dimension("é"), "bad Dimensions"),
            ("Value", Value::Null, "a number that is not taken"),
            ("Value", 1e120.into(), "a number that is not taken"),
            ("Values", serde_json::json!([1]), "2 of Value, Values"),
        ];
        for (key, value, why) in table {
            let said = with(key, value).expect_err(why);
            assert!(said.contains(why), "{said}");
        }
        let many: Vec<u32> = (0..151).collect();
        let said = put(serde_json::json!({ "MetricName": "m", "Timestamp": NOW_S, "Values": many }));
        assert!(said.expect_err("too many").contains("151 Values"));
    }
}
