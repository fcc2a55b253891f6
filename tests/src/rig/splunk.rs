//! Splunk's HTTP Event Collector as its documentation, and those who have probed it, say that it answers: no Splunk can be
//! installed here. Takes a request object by object and keeps those before the first bad one, says each code by its
//! number, tells a `true` once, takes gzip and no deflate.
//!
//! Never more lenient than that: what it keeps was an object of known keys, with a time and a token.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{Recorded, Reply, Server};

/// The keys that an object may have.
const KEYS: [&str; 7] = ["time", "host", "source", "sourcetype", "index", "event", "fields"];

/// What the collector is set up with.
#[derive(Debug, Clone)]
pub struct HecSettings {
    /// The one token there is.
    pub token: String,
    /// Indexes that it may write to; the first is its own.
    pub indexes: Vec<String>,
    /// Whether it acknowledges, and after how many questions.
    pub acknowledges_after: Option<usize>,
    /// `max_content_length` of `limits.conf`.
    pub content_bytes_max: usize,
}

/// An object that was indexed.
#[derive(Debug, Clone, PartialEq)]
pub struct Indexed {
    /// Seconds since the Unix epoch.
    pub time: f64,
    /// The index: the object's, or the token's.
    pub index: String,
    /// The whole object.
    pub object: Map<String, Value>,
}

/// A running collector.
#[derive(Debug)]
pub struct Hec {
    server: Server,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    indexed: Vec<Indexed>,
    /// By channel: the next number, and how often each that is not told yet was asked for.
    channels: BTreeMap<String, (u64, BTreeMap<u64, usize>)>,
    /// Objects with these texts are taken for broken.
    broken: BTreeSet<String>,
}

impl Hec {
    /// Starts a collector.
    #[must_use]
    pub fn start(settings: HecSettings) -> Hec {
        let state: Arc<Mutex<State>> = Arc::default();
        let server = Server::start({
            let state = Arc::clone(&state);
            move |request| {
                answer(&settings, &mut state.lock().unwrap_or_else(PoisonError::into_inner), request)
            }
        });
        Hec { server, state }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// What was indexed, in order.
    #[must_use]
    pub fn indexed(&self) -> Vec<Indexed> {
        self.lock().indexed.clone()
    }

    /// The events that were indexed: objects, or strings for parts of them.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        let all = self.indexed().into_iter().map(|one| one.object["event"].clone());
        all.filter(|event| event != "metric").collect()
    }

    /// The measures of this name that were indexed, with their dimensions.
    #[must_use]
    pub fn measures(&self, name: &str) -> Vec<(f64, Map<String, Value>)> {
        let key = format!("metric_name:{name}");
        let fields =
            self.indexed().into_iter().filter_map(|one| one.object.get("fields")?.as_object().cloned());
        fields.filter_map(|fields| Some((fields.get(&key)?.as_f64()?, fields))).collect()
    }

    /// From now on objects that hold this text are answered as if their form was invalid.
    pub fn takes_for_broken(&self, text: &str) {
        self.lock().broken.insert(text.to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code(status: u16, code: u64, text: &str) -> Reply {
    Reply::answer(status, json!({ "text": text, "code": code }).to_string())
}

fn answer(settings: &HecSettings, state: &mut State, request: &Recorded) -> Reply {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let is_event = matches!(path, "/services/collector" | "/services/collector/event");
    if !is_event && path != "/services/collector/ack" {
        return Reply::answer(
            404,
            r#"{"text":"The requested URL was not found on this server.","code":404}"#,
        );
    }
    match request.header("authorization").map(|value| value.split_once(' ')) {
        None => return code(401, 2, "Token is required"),
        Some(Some(("Splunk", token))) if token == settings.token => {}
        Some(Some(("Splunk", _))) => return code(403, 4, "Invalid token"),
        Some(_) => return code(401, 3, "Invalid authorization"),
    }
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("channel="));
    let channel = request.header("x-splunk-request-channel").or(asked);
    match (settings.acknowledges_after, channel) {
        (Some(_), None) => return code(400, 10, "Data channel is missing"),
        (Some(_), Some(channel)) if !is_guid(channel) => return code(400, 11, "Invalid data channel"),
        _ => {}
    }
    let channel = channel.unwrap_or_default();
    if is_event { events(settings, state, request, channel) } else { acks(settings, state, request, channel) }
}

fn is_guid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn events(settings: &HecSettings, state: &mut State, request: &Recorded, channel: &str) -> Reply {
    let coding = request.header("content-encoding").unwrap_or("identity");
    if !matches!(coding, "gzip" | "identity") {
        return Reply::answer(415, "");
    }
    let Some(body) = request.decoded.as_deref() else { return code(400, 6, "Invalid data format") };
    if body.len() > settings.content_bytes_max {
        return Reply::answer(413, "<html>Content-Length too large</html>");
    }
    if body.trim_ascii().is_empty() {
        return code(400, 5, "No data");
    }
    for (number, object) in serde_json::Deserializer::from_slice(body).into_iter::<Value>().enumerate() {
        let object = object.ok().and_then(|object| object.as_object().cloned());
        match take(settings, state, object) {
            Ok(Some(indexed)) => state.indexed.push(indexed),
            // An unknown key: what follows is not looked at, and nothing is said.
            Ok(None) => break,
            Err((7, text)) => return bad(7, text, number + 1),
            Err((code, text)) => return bad(code, text, number),
        }
    }
    match settings.acknowledges_after {
        None => code(200, 0, "Success"),
        Some(_) => {
            let (next, waiting) = state.channels.entry(channel.to_owned()).or_default();
            let ack = *next;
            *next += 1;
            waiting.insert(ack, 0);
            Reply::answer(200, json!({ "text": "Success", "code": 0, "ackId": ack }).to_string())
        }
    }
}

fn bad(code: u64, text: &str, number: usize) -> Reply {
    let body = json!({ "text": text, "code": code, "invalid-event-number": number });
    Reply::answer(400, body.to_string())
}

/// One object: what is indexed of it, nothing if a key is not known, or the code and what it says.
fn take(
    settings: &HecSettings,
    state: &State,
    object: Option<Map<String, Value>>,
) -> Result<Option<Indexed>, (u64, &'static str)> {
    let object = object.ok_or((6, "Invalid data format"))?;
    if object.keys().any(|key| !KEYS.contains(&key.as_str())) {
        return Ok(None);
    }
    let text = Value::from(object.clone()).to_string();
    if state.broken.iter().any(|broken| text.contains(broken)) {
        return Err((6, "Invalid data format"));
    }
    match object.get("event") {
        None | Some(Value::Null) => return Err((12, "Event field is required")),
        Some(event) if event == "" => return Err((13, "Event field cannot be blank")),
        Some(_) => {}
    }
    let is_flat = |value: &Value| !matches!(value, Value::Object(_) | Value::Null);
    match object.get("fields") {
        Some(Value::Object(fields)) if fields.values().all(is_flat) => {}
        None => {}
        Some(_) => return Err((15, "Error in handling indexed fields")),
    }
    let index = object.get("index").and_then(Value::as_str).unwrap_or(&settings.indexes[0]).to_owned();
    if !settings.indexes.contains(&index) {
        return Err((7, "Incorrect index"));
    }
    let time = object.get("time").and_then(Value::as_f64).ok_or((6, "Invalid data format"))?;
    Ok(Some(Indexed { time, index, object }))
}

fn acks(settings: &HecSettings, state: &mut State, request: &Recorded, channel: &str) -> Reply {
    let Some(after) = settings.acknowledges_after else { return code(400, 14, "ACK is disabled") };
    let asked: Option<Vec<u64>> = serde_json::from_value(request.json()["acks"].clone()).ok();
    let (_, waiting) = state.channels.entry(channel.to_owned()).or_default();
    let mut told = Map::new();
    for ack in asked.unwrap_or_default() {
        let is_indexed = waiting.get_mut(&ack).is_some_and(|questions| {
            *questions += 1;
            *questions > after
        });
        if is_indexed {
            waiting.remove(&ack);
        }
        told.insert(ack.to_string(), Value::Bool(is_indexed));
    }
    Reply::answer(200, json!({ "acks": told }).to_string())
}
