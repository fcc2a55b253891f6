//! EMF as a log driver reads it: a process with `OPS_BACKENDS=emf`, its stdout held line by line against the published
//! specification (EMF specification and JSON schema, 2023), and the sums of what the lines tell.

use std::collections::BTreeMap;
use std::process::Command;

use ops_sdk::Unit;
use serde_json::{Map, Value};

/// Metrics in one directive, and numbers in one target (EMF specification).
const METRICS_MAX: usize = 100;
const VALUES_MAX: usize = 100;
/// Dimensions in one set (EMF specification).
const DIMENSIONS_MAX: usize = 30;

/// What lines tell of one metric.
#[derive(Debug, Default, Clone, PartialEq)]
struct Told {
    sum: f64,
    count: f64,
    min: Option<f64>,
    max: Option<f64>,
    resolution: Option<u64>,
    unit: String,
}

fn lines() -> Vec<Map<String, Value>> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    program.arg("mixed").env_clear().env("OPS_BACKENDS", "emf").env("OPS_NAMESPACE", "Mixed");
    program.env("OPS_SHUTDOWN_DEADLINE_MS", ops_tests::SOON.as_millis().to_string());
    let output = program.output().expect("the program runs");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line}"))).collect()
}

#[test]
fn every_line_follows_the_specification_and_the_sums_are_right() {
    let lines = lines();
    let (metrics, logs): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.contains_key("_aws"));
    let messages: Vec<_> = logs.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(messages, ["line \"one\"\nand two", "last"]);
    assert!(logs.iter().all(|line| line["Service"] == "mixed"));

    let mut told = BTreeMap::<(String, String), Told>::new();
    metrics.iter().for_each(|line| read(line, &mut told));
    let of = |name: &str, dimension: &str| told[&(name.to_owned(), dimension.to_owned())].clone();
    assert_eq!(of("calls", "program::halve").sum, 1_000.0);
    assert_eq!(of("errors", "program::halve").sum, 500.0);
    let duration = of("duration", "program::halve");
    assert_eq!((duration.count, duration.unit.as_str()), (1_000.0, "Milliseconds"));
    assert_eq!((of("orders", "eu").sum, of("orders", "us").sum), (250_500.0, 250_000.0));
    assert_eq!((of("ticks", "").sum, of("ticks", "").resolution), (1_000.0, Some(1)));
    let depth = of("depth", "");
    assert_eq!(
        (depth.sum, depth.count, depth.min, depth.max),
        (500_500.0, 1_000.0, Some(1.0), Some(1_000.0))
    );
    assert_eq!((depth.unit.as_str(), depth.resolution), ("Percent", None));
    let payload = of("payload", "");
    assert_eq!((payload.sum, payload.count), (4.0 * 31_125.0, 1_000.0));
    assert_eq!((payload.min, payload.max, payload.unit.as_str()), (Some(0.0), Some(249.0), "Bytes"));
    assert_eq!((of("once", "").sum, of("once", "").unit), (2.5, "None".to_owned()));
    assert_eq!(told.len(), 9, "{told:?}");
}

/// Checks a line's metadata and adds what it tells, by metric and by the value of its own dimension.
fn read(line: &Map<String, Value>, told: &mut BTreeMap<(String, String), Told>) {
    let metadata = line["_aws"].as_object().expect("_aws is an object");
    let now_ms = ops_sdk::clock::Now::read().unix_ms();
    let time_ms = metadata["Timestamp"].as_u64().expect("Timestamp is a whole number of milliseconds");
    assert!((now_ms - 3_600_000..=now_ms).contains(&time_ms), "{time_ms}");
    let directives = metadata["CloudWatchMetrics"].as_array().expect("CloudWatchMetrics is an array");
    assert!(!directives.is_empty());
    for directive in directives {
        assert_eq!(directive["Namespace"], "Mixed");
        let sets = directive["Dimensions"].as_array().expect("Dimensions is an array");
        assert!(!sets.is_empty());
        let own = sets.iter().map(|set| dimension(line, set)).collect::<String>();
        let metrics = directive["Metrics"].as_array().expect("Metrics is an array");
        assert!((1..=METRICS_MAX).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().filter(|name| !name.is_empty()).expect("a name");
            let entry = told.entry((name.to_owned(), own.clone())).or_default();
            add(entry, metric, &line[name]);
        }
    }
}

/// Checks a dimension set; the value of the dimension that the metric does not share with the process.
fn dimension(line: &Map<String, Value>, set: &Value) -> String {
    let set = set.as_array().expect("a dimension set is an array");
    assert!(set.len() <= DIMENSIONS_MAX);
    let value = |key: &Value| {
        let key = key.as_str().expect("a reference is text");
        let value = line[key].as_str().expect("the target of a dimension is text and a member of the root");
        assert!((1..=1024).contains(&value.len()));
        if key == "Service" { String::new() } else { value.to_owned() }
    };
    set.iter().map(value).collect()
}

/// Checks a metric's definition and its target, a member of the root: a number, or a set of numbers.
fn add(told: &mut Told, metric: &Value, target: &Value) {
    told.unit = metric["Unit"].as_str().expect("a unit").to_owned();
    told.unit.parse::<Unit>().expect("a unit of CloudWatch's");
    told.resolution = metric.get("StorageResolution").map(|r| r.as_u64().expect("a number"));
    assert!(matches!(told.resolution, None | Some(1 | 60)));
    if let Some(number) = target.as_f64() {
        told.sum += number;
        told.count += 1.0;
        return;
    }
    let set = target.as_object().unwrap_or_else(|| panic!("{metric}: {target}"));
    let number = |key: &str| set[key].as_f64().unwrap_or_else(|| panic!("{key} of {target}"));
    told.sum += number("Sum");
    told.count += number("Count");
    told.min = Some(told.min.map_or(number("Min"), |min| min.min(number("Min"))));
    told.max = Some(told.max.map_or(number("Max"), |max| max.max(number("Max"))));
    let Some(values) = set.get("Values") else { return };
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().expect("an array").iter().map(|n| n.as_f64().expect("a number")).collect()
    };
    let (values, counts) = (numbers(values), numbers(&set["Counts"]));
    assert!((1..=VALUES_MAX).contains(&values.len()) && values.len() == counts.len());
    let sum: f64 = values.iter().zip(&counts).map(|(value, count)| value * count).sum();
    assert!((sum - number("Sum")).abs() <= sum.abs() * 1e-9, "{sum} for {target}");
    assert_eq!(counts.iter().sum::<f64>(), number("Count"));
}
