//! CloudWatch Logs and CloudWatch metrics, true to their protocols as we read the documentation: tested against our
//! reading of it, not against the services. What they enforce where moto (5.2.5) enforces it is the same; sizes, counts,
//! spans and values are enforced here and not there.
//!
//! Promises: bound to 127.0.0.1, on a port that the system picks. What was taken is kept in the order in which it was
//! taken, with whether its sender can know. A call that the service would refuse as malformed is refused, and noted as a
//! violation, because the SDK must not make it.

mod logs;
pub(super) mod metrics;
mod weather;
mod wire;

use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

pub use self::weather::{Fault, Weather};

use self::weather::Sky;
use self::wire::{Answer, Asked};

/// How far a signature's time may be off (AWS General Reference: five minutes).
const SKEW_MAX_S: i64 = 300;
const HANG: Duration = Duration::from_millis(250);
const SLOW: Duration = Duration::from_millis(60);

/// Which of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PutLogEvents.
    Logs,
    /// PutMetricData.
    Metrics,
}

/// What one call brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Which service.
    pub kind: Kind,
    /// Which life of the round sent it, by the access key that it was given.
    pub life: u64,
    /// Messages, or data.
    pub items: Vec<String>,
    /// Whether the sender is known to have read the answer: another request came over the same connection.
    pub confirmed: bool,
    /// Whether yet another one did. Connections are shared by pushes that go side by side: the first may have been given
    /// to its worker before the answer was taken note of, the second was not.
    pub settled: bool,
}

/// The servers of one round.
#[derive(Debug)]
pub struct Cloud {
    shared: Arc<Shared>,
    address: SocketAddr,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    over: AtomicBool,
}

#[derive(Debug)]
struct State {
    sky: Sky,
    places: BTreeSet<(String, String)>,
    pushes: Vec<Push>,
    violations: Vec<String>,
}

impl Cloud {
    /// Begins to listen.
    ///
    /// # Panics
    ///
    /// If the system has no port or no thread left.
    #[must_use]
    pub fn start() -> Cloud {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("its address");
        let state = State {
            sky: Sky::new(Weather::default()),
            places: BTreeSet::new(),
            pushes: Vec::new(),
            violations: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), over: AtomicBool::new(false) });
        let listening = Arc::clone(&shared);
        thread::Builder::new()
            .name("cloud".to_owned())
            .spawn(move || listen(&listener, &listening))
            .expect("a thread");
        Cloud { shared, address }
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What happens to requests from here on.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.lock().sky = Sky::new(weather);
    }

    /// Everything that was taken, and what broke a rule.
    #[must_use]
    pub fn taken(&self) -> (Vec<Push>, Vec<String>) {
        let state = self.shared.lock();
        (state.pushes.clone(), state.violations.clone())
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        // Wakes the thread that listens; if that fails there is none to wake.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listen(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.over.load(Ordering::Acquire) {
            return;
        }
        let (Ok(stream), shared) = (stream, Arc::clone(shared)) else { continue };
        // A sender that died leaves a broken connection, and that is its end.
        let serve = move || drop(serve(&stream, &shared));
        thread::Builder::new().name("cloud-connection".to_owned()).spawn(serve).expect("a thread");
    }
}

/// What is to be done about one request.
struct Act {
    answer: Option<Answer>,
    /// How much of the answer's bytes are sent, in halves.
    halves: usize,
    after: Duration,
    /// The push that it brought, if it was taken.
    push: Option<usize>,
}

fn serve(stream: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut from = BufReader::new(stream);
    let (mut answered, mut confirmed): (Option<usize>, Option<usize>) = (None, None);
    loop {
        let Some(asked) = Asked::read(&mut from)? else { return Ok(()) };
        let mut state = shared.lock();
        if let Some(push) = confirmed.take() {
            state.pushes[push].settled = true;
        }
        if let Some(push) = answered.take() {
            state.pushes[push].confirmed = true;
            confirmed = Some(push);
        }
        let act = state.meet(&asked);
        drop(state);
        thread::sleep(act.after);
        let Some(answer) = act.answer else { return Ok(()) };
        let wire = answer.to_wire();
        let mut to = stream;
        to.write_all(&wire[..wire.len() * act.halves / 2])?;
        if act.halves < 2 {
            return Ok(());
        }
        answered = act.push;
    }
}

impl State {
    /// Lets a request meet the weather.
    fn meet(&mut self, asked: &Asked) -> Act {
        let fault = self.sky.next();
        let told = |answer| Act { answer, halves: 2, after: Duration::ZERO, push: None };
        match fault {
            Some(Fault::CutUnread | Fault::CutUnsent) => told(None),
            Some(Fault::HangUntaken) => Act { after: HANG, ..told(None) },
            Some(Fault::BadGateway) => told(Some(Answer::new(502, "<html>bad gateway</html>"))),
            Some(Fault::TooLarge) if items(asked) < 2 => self.act(asked, None),
            Some(Fault::Rejected) => self.act(asked, Some(Fault::Rejected)),
            Some(fault) => match fault.answer() {
                Some((status, code)) => {
                    let answer = Answer::error(status, code, "as the weather has it");
                    let header = (fault == Fault::TooMany).then_some(("x-amz-retry-after", "40"));
                    told(Some(Answer { header, ..answer }))
                }
                None => self.taken_under(asked, fault),
            },
            None => self.act(asked, None),
        }
    }

    /// The faults of which the request is taken all the same.
    fn taken_under(&mut self, asked: &Asked, fault: Fault) -> Act {
        let act = self.act(asked, None);
        match fault {
            Fault::CutAnswer => Act { answer: None, push: None, ..act },
            Fault::HalfAnswer => Act { halves: 1, push: None, ..act },
            Fault::HangTaken => Act { answer: None, push: None, after: HANG, ..act },
            _ => Act { after: SLOW, ..act },
        }
    }

    /// Does what the request asks for.
    fn act(&mut self, asked: &Asked, fault: Option<Fault>) -> Act {
        let pushes = self.pushes.len();
        let answer = self.unsigned(asked).unwrap_or_else(|| match asked.operation() {
            "PutLogEvents" => self.put_logs(asked, fault),
            "PutMetricData" => self.put_metrics(asked),
            "CreateLogGroup" | "CreateLogStream" | "PutRetentionPolicy" => self.place(asked),
            other => {
                let why = format!("an operation that is not there: {other}");
                self.violate("UnknownOperationException", why)
            }
        });
        let push = (self.pushes.len() > pushes).then_some(pushes);
        Act { answer: Some(answer), halves: 2, after: Duration::ZERO, push }
    }

    /// Whether the request is signed at all, and at about this time. Signatures themselves are recomputed elsewhere
    /// (`tests/rig/signatures.py`).
    fn unsigned(&mut self, asked: &Asked) -> Option<Answer> {
        if !asked.header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=") {
            return Some(
                self.violate("MissingAuthenticationTokenException", "a request without a signature"),
            );
        }
        let Some(at_s) = wire::amz_date(asked.header("x-amz-date")) else {
            return Some(self.violate("IncompleteSignatureException", "a request without its time"));
        };
        let far = (at_s - wire::unix_s()).abs() > SKEW_MAX_S;
        far.then(|| Answer::error(400, "InvalidSignatureException", "Signature not yet current or expired"))
    }

    fn put_logs(&mut self, asked: &Asked, fault: Option<Fault>) -> Answer {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let mut put = match logs::read(&body, wire::unix_s() * 1_000) {
            Ok(put) => put,
            Err(why) => return self.violate("InvalidParameterException", why),
        };
        if !self.places.contains(&(put.group.clone(), put.stream.clone())) {
            return Answer::error(
                400,
                "ResourceNotFoundException",
                "The specified log stream does not exist.",
            );
        }
        let events = put.messages.len();
        if fault == Some(Fault::Rejected) {
            let at = usize::try_from(self.sky.choose(events as u64 + 1))
                .unwrap_or(0)
                .clamp(put.kept.start, put.kept.end);
            put.kept = if self.sky.choose(2) == 0 { at..put.kept.end } else { put.kept.start..at };
        }
        let reply = logs::reply(&put.kept, events);
        self.take(asked, Kind::Logs, put.messages[put.kept].to_vec());
        Answer::new(200, reply)
    }

    fn put_metrics(&mut self, asked: &Asked) -> Answer {
        let content = asked.content().map_err(|error| error.to_string());
        match content.and_then(|content| metrics::read(&content, wire::unix_s())) {
            Ok(data) => {
                self.take(asked, Kind::Metrics, data);
                Answer::new(200, "{}")
            }
            Err(why) => self.violate("InvalidParameterValue", why),
        }
    }

    fn take(&mut self, asked: &Asked, kind: Kind, items: Vec<String>) {
        self.pushes.push(Push {
            kind,
            life: life(asked.header("authorization")),
            items,
            confirmed: false,
            settled: false,
        });
    }

    fn place(&mut self, asked: &Asked) -> Answer {
        let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let name = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (group, stream) = (name("logGroupName"), name("logStreamName"));
        let there = self.places.contains(&(group.clone(), String::new()));
        let missing =
            || Answer::error(400, "ResourceNotFoundException", "The specified log group does not exist.");
        let made = match asked.operation() {
            "CreateLogGroup" => self.places.insert((group, String::new())),
            _ if !there => return missing(),
            "CreateLogStream" => self.places.insert((group, stream)),
            _ => true,
        };
        if made {
            Answer::new(200, "")
        } else {
            Answer::error(400, "ResourceAlreadyExistsException", "It exists")
        }
    }

    fn violate(&mut self, code: &str, why: impl Into<String>) -> Answer {
        let why = why.into();
        let answer = Answer::error(400, code, &why);
        self.violations.push(why);
        answer
    }
}

/// How many items a push has.
fn items(asked: &Asked) -> usize {
    let body: Value =
        asked.content().ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
    ["logEvents", "MetricData"].iter().filter_map(|key| body[key].as_array()).map(Vec::len).sum()
}

/// The access key of a life.
#[must_use]
pub fn access_key(life: u64) -> String {
    format!("AKIDCHAOS{life:04}")
}

/// The life that an `Authorization` header is of.
fn life(authorization: &str) -> u64 {
    let key = authorization.split_once("Credential=AKIDCHAOS").map(|(_, rest)| rest);
    key.and_then(|rest| rest.get(..4)?.parse().ok()).unwrap_or(u64::MAX)
}
