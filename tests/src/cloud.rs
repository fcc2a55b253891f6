//! CloudWatch as the tests have it: one moto server for the whole test process, a recording proxy of each test's own
//! in front of it, and what arrived as boto3 reads it.
//!
//! Each [`Cloud`] has a namespace, and so metrics and a log group, that no other test of the process uses. Never reads
//! the user's own AWS settings: the SDK under test sees the variables of [`Cloud::vars`] and no others.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ops_sdk::Builder;
use serde_json::Value;

use crate::rig::{LogEvent, LogGroup, MetricTotal, Moto, Proxy, Push, Recorded, contract_bytes};

/// The backends that ship to CloudWatch, as `OPS_BACKENDS` names them.
pub const BACKENDS: &str = "cloudwatch,cloudwatch-logs";

/// One test's view of CloudWatch.
#[derive(Debug)]
pub struct Cloud {
    /// What stands between the SDK and moto.
    pub proxy: Proxy,
    namespace: String,
}

impl Cloud {
    /// A view that no other test has, told by its namespace.
    #[must_use]
    pub fn new(namespace: &str) -> Cloud {
        Cloud { proxy: Proxy::start(&moto().url()), namespace: namespace.to_owned() }
    }

    /// The variables that lead a program here.
    #[must_use]
    pub fn vars(&self) -> Vec<(&'static str, String)> {
        let mut vars = keys();
        vars.extend([
            ("AWS_ENDPOINT_URL", self.proxy.url()),
            ("OPS_BACKENDS", BACKENDS.to_owned()),
            ("OPS_NAMESPACE", self.namespace.clone()),
        ]);
        vars
    }

    /// The settings of a program in this process that ships here, and to these backends alone.
    pub fn init(&self, backends: &str) -> Builder {
        let mut vars = self.vars();
        vars.retain(|(name, _)| *name != "OPS_BACKENDS");
        vars.push(("OPS_BACKENDS", backends.to_owned()));
        init(vars)
    }

    /// The log group of the namespace.
    #[must_use]
    pub fn group(&self) -> String {
        format!("/ops/{}", self.namespace)
    }

    /// The log group's retention, and whether it is there at all.
    #[must_use]
    pub fn log_group(&self) -> Option<LogGroup> {
        moto().log_groups().into_iter().find(|group| group.group == self.group())
    }

    /// Every event of the group as it stands there.
    #[must_use]
    pub fn events(&self) -> Vec<LogEvent> {
        moto().log_events(&self.group())
    }

    /// Every event of the group, its parts joined, as JSON, in the order that their times and ids tell: the service has
    /// milliseconds alone, and pushes that go side by side arrive in any order.
    ///
    /// # Panics
    ///
    /// If parts are missing or a line is not JSON.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let mut lines = lines(self.events().into_iter().map(|event| event.message));
        lines.sort_by_cached_key(|line| {
            let seq = line["id"].as_str().and_then(|id| id.split_once('-')?.1.parse::<u64>().ok());
            (line["time"].as_str().map(str::to_owned), seq)
        });
        lines
    }

    /// The metrics of the namespace.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics(moto().metrics(&self.namespace))
    }

    /// Every push that the proxy saw, of both services, with its size as the contract counts it.
    #[must_use]
    pub fn pushes(&self) -> Vec<(Recorded, Push)> {
        let sized = |request: Recorded| contract_bytes(&request).map(|push| (request, push));
        self.proxy.requests().into_iter().filter_map(sized).collect()
    }

    /// Every datum of this name that was pushed, and accepted or not.
    #[must_use]
    pub fn data(&self, name: &str) -> Vec<Value> {
        let requests = self.proxy.requests_of("PutMetricData");
        let data = requests
            .iter()
            .flat_map(|request| request.json()["MetricData"].as_array().cloned().unwrap_or_default());
        data.filter(|datum| datum["MetricName"] == name).collect()
    }
}

/// What stands in a namespace.
#[derive(Debug)]
pub struct Metrics(pub Vec<MetricTotal>);

impl Metrics {
    /// The series of this name that has these dimensions, perhaps among others.
    ///
    /// # Panics
    ///
    /// If there is none, or more than one.
    #[must_use]
    pub fn one(&self, name: &str, dimensions: &[(&str, &str)]) -> &MetricTotal {
        let has = |all: &BTreeMap<String, String>| {
            dimensions.iter().all(|(key, value)| all.get(*key).map(String::as_str) == Some(*value))
        };
        let found: Vec<_> = self.0.iter().filter(|m| m.name == name && has(&m.dimensions)).collect();
        assert_eq!(found.len(), 1, "series {name} with {dimensions:?} in {:?}", self.0);
        found[0]
    }

    /// The sum over all series of a name.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        self.0.iter().filter(|m| m.name == name).map(|m| m.sum).sum()
    }
}

/// The settings of a program in this process that sees these variables and no others, and does not linger.
pub fn init(vars: Vec<(&'static str, String)>) -> Builder {
    let var = move |asked: &str| vars.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.clone());
    ops_sdk::init().environment(var).linger(std::time::Duration::from_millis(5))
}

/// Made-up keys and a region.
#[must_use]
pub fn keys() -> Vec<(&'static str, String)> {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    keys.map(|(name, value)| (name, value.to_owned())).to_vec()
}

/// Events, their parts joined, as JSON.
///
/// # Panics
///
/// If parts are missing or a line is not JSON.
#[must_use]
pub fn lines(events: impl Iterator<Item = String>) -> Vec<Value> {
    let joined = ops_sdk::parts::join(events).unwrap_or_else(|error| panic!("{error}"));
    let json = |bytes: &[u8]| {
        serde_json::from_slice(bytes)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(bytes)))
    };
    joined.iter().map(|event| json(&event.bytes)).collect()
}

/// The server, started on first use; it ends with the process.
pub fn moto() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(Moto::start)
}
