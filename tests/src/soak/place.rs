//! Each backend with its counterpart, and one file of settings for all of them.

use std::any::Any;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::sinks::{Count, counted_octets, datagrams, http};
use crate::contract::{Talk, all};
use crate::rig::{Broker, Ca, Rabbit};

/// A backend and where it ships to.
pub struct Place {
    /// The backend's name.
    pub name: &'static str,
    /// The variables that lead it there.
    pub vars: Vec<(&'static str, String)>,
    /// What stands there.
    pub what: &'static str,
    /// How many items it counted, if it counts.
    pub count: Option<Arc<AtomicU64>>,
    /// Lives as long as the place.
    _kept: Vec<Box<dyn Any>>,
}

/// A place for every backend; those for which nothing starts here are said, with the reason.
#[must_use]
pub fn places(dir: &Path) -> (Vec<Place>, Vec<(&'static str, &'static str)>) {
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for case in all() {
        let (name, vars) = (case.name, case.vars);
        match case.talk {
            Talk::Http(talk) => {
                let (server, count) = http(talk);
                let (vars, what) = (vars(&server.url(), dir), "a server in the words of its contract");
                places.push(Place { name, vars, what, count: Some(count), _kept: vec![Box::new(server)] });
            }
            Talk::Other => match other(name, vars("", dir)) {
                Ok(place) => places.push(place),
                Err(why) => missing.push((name, why)),
            },
        }
    }
    (places, missing)
}

/// What speaks no HTTP.
fn other(name: &'static str, vars: Vec<(&'static str, String)>) -> Result<Place, &'static str> {
    let without = |name: &str| std::env::var_os(name).is_some();
    let place = |vars, what, count: Option<&Count>, kept| {
        Ok(Place { name, vars, what, count: count.map(Arc::clone), _kept: kept })
    };
    match name {
        "local" => place(vars, "SQLite", None, vec![]),
        "file" => place(vars, "the file system", None, vec![]),
        "dogstatsd" => {
            let (address, count) = datagrams();
            place(vec![("OPS_DOGSTATSD_ADDRESS", address)], "a UDP socket", Some(&count), vec![])
        }
        "syslog" => {
            let (address, count) = counted_octets();
            place(vec![("OPS_SYSLOG_ADDRESS", address)], "a reader of counted octets", Some(&count), vec![])
        }
        "kafka" if without("OPS_WITHOUT_KAFKA") => Err("there is no Java or no Maven"),
        "kafka" => {
            let broker = Broker::start();
            place(vec![("OPS_KAFKA_BROKERS", broker.plain())], "a Kafka broker", None, vec![Box::new(broker)])
        }
        "sensu" if without("OPS_WITHOUT_RABBITMQ") => Err("there is no RabbitMQ"),
        "sensu" => {
            let ca = Ca::new();
            let rabbit = Rabbit::start(&ca);
            rabbit.pika(&["bind"]); // queues as the Sensu server has them
            let vars = sensu(&ca, rabbit.port);
            place(vars, "RabbitMQ over TLS", None, vec![Box::new(rabbit), Box::new(ca)])
        }
        _ => Err("no counterpart is known for it"),
    }
}

fn sensu(ca: &Ca, port: u16) -> Vec<(&'static str, String)> {
    let file = |name: &str| ca.path(name).display().to_string();
    vec![
        ("OPS_SENSU_API", "classic".to_owned()),
        ("OPS_SENSU_URL", format!("amqps://127.0.0.1:{port}")),
        ("OPS_SENSU_TLS_CA", file("ca.pem")),
        ("OPS_SENSU_TLS_CERT", file("client.test.pem")),
        ("OPS_SENSU_TLS_KEY", file("client.test.key")),
        ("OPS_SENSU_TLS_NAME", "broker.test".to_owned()),
    ]
}

/// One file that leads every backend to its place, with this share of the log events and everything else.
#[must_use]
pub fn config(places: &[Place], share: f64) -> String {
    let mut text = String::new();
    for place in places {
        let _ = writeln!(text, "[backends.{}]", place.name); // into a text: it cannot fail
        let vars = place.vars.iter().map(|(name, value)| format!("{name} = {value:?}"));
        let _ = writeln!(text, "env = {{ {} }}", vars.collect::<Vec<_>>().join(", "));
    }
    let names: Vec<String> = places.iter().map(|place| format!("{:?}", place.name)).collect();
    let to = names.join(", ");
    let takes = [format!("log sample={share}"), "metric, audit, config, check".to_owned()];
    for take in takes {
        let _ = writeln!(text, "[[routes]]\ntake = {take:?}\nto = [{to}]");
    }
    text
}
