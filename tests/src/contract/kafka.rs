//! Kafka: librdkafka speaks to the brokers, so nothing of HTTP applies. An item is a letter for its signal and a line, or
//! a part of one.

use ops_sdk::backend::Kafka;

use super::{Case, Read, SECRET, Talk, same};

pub(super) fn case() -> Case {
    Case {
        name: "kafka",
        vars: |_, _| {
            let own = [
                ("OPS_KAFKA_BROKERS", "127.0.0.1:9"),
                ("OPS_KAFKA_TLS", "no"),
                ("OPS_KAFKA_USERNAME", "eve"),
                ("OPS_KAFKA_PASSWORD", SECRET),
            ];
            own.map(|(name, value)| (name, value.to_owned())).to_vec()
        },
        debug: |secret| {
            let kafka = Kafka::new().brokers("127.0.0.1:9").user("eve", secret);
            format!("{:?}", kafka.certificate_key_password(secret).property("client.rack", secret))
        },
        read,
        shown: same,
        ids: |_| true,
        talk: Talk::Other,
    }
}

fn read(item: &[u8]) -> Result<Read, String> {
    let [tag, rest @ ..] = item else { return Err("empty".to_owned()) };
    if !b"mlack".contains(tag) {
        return Err("no letter of a signal".to_owned());
    }
    if rest.starts_with(b"@ops.part v1 ") {
        return Ok(Read { texts: vec![String::from_utf8_lossy(rest).into_owned()], numbers: Vec::new() });
    }
    Read::of_json(rest)
}
