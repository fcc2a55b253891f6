//! HTTP over `ureq` and rustls. Connections are pooled by the agent; proxies come from the environment (`HTTPS_PROXY`,
//! `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`). Never follows a redirect, never asks for a compressed answer, never reads
//! more of an answer than its bound. Where TLS fails and its files have changed, the next exchange reads them.

use std::io::{self, Read};
use std::time::Instant;

use ::ureq::unversioned::resolver::DefaultResolver;
use ::ureq::unversioned::transport::DefaultConnector;
use ::ureq::{Agent, Body, Timeout};

use super::http::{Bounds, Exchange, Request, Response, Transport};
use super::resolve::Known;
use super::{ANSWER_BYTES_MAX, CONNECT_TIMEOUT, NetError, NetErrorKind, Trust};
use crate::lock::Mutex;

const USER_AGENT: &str = concat!("ops-sdk/", env!("CARGO_PKG_VERSION"));

/// Connections that are kept for the next push: as many as pushes may go side by side (`pushes_max`).
const CONNECTIONS_MAX: usize = 64;

/// Bytes of a connection's two buffers, which are there as long as it is kept: an answer's head may be as long (by `ureq`),
/// and a body goes out in pieces of that size.
const BUFFER_BYTES: usize = 64 << 10;

/// The transport of life.
pub(super) struct Ureq {
    way: Mutex<Way>,
}

/// An agent, and whom it trusts.
struct Way {
    agent: Agent,
    known: Known,
    trust: Trust,
    /// Whether it was hung up: an agent that comes after is hung up, too.
    is_over: bool,
}

impl Ureq {
    pub(super) fn new(trust: Trust) -> Ureq {
        let known = Known::new(DefaultResolver::default());
        Ureq { way: Mutex::new(Way { agent: agent(&trust, &known), known, trust, is_over: false }) }
    }

    fn run(&self, request: Request, bounds: Bounds) -> Result<Response, ::ureq::Error> {
        let agent = self.way.lock().agent.clone();
        let config = agent.configure_request(request);
        let config = config
            .timeout_global(Some(bounds.total))
            .timeout_resolve(Some(bounds.connect))
            .timeout_connect(Some(bounds.connect));
        let request = if bounds.proxy { config.build() } else { config.proxy(None).build() };
        read(agent.run(request)?)
    }
}

impl Way {
    /// Addresses are asked for again after what came to no answer, and files are read again where TLS failed; what they
    /// were is kept where they are no good.
    fn after(&mut self, error: &NetError) {
        self.known.forget();
        let renews = error.kind == NetErrorKind::Tls && !self.is_over;
        if let Some(trust) = renews.then(|| self.trust.renewed()).flatten() {
            (self.agent, self.trust) = (agent(&trust, &self.known), trust);
        }
    }
}

fn agent(trust: &Trust, known: &Known) -> Agent {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .input_buffer_size(BUFFER_BYTES)
        .output_buffer_size(BUFFER_BYTES)
        .max_idle_connections(CONNECTIONS_MAX)
        .max_idle_connections_per_host(CONNECTIONS_MAX)
        .tls_config(trust.config().clone())
        .build();
    Agent::with_parts(config, DefaultConnector::default(), known.clone())
}

impl Transport for Ureq {
    fn exchange(&self, request: Request, bounds: Bounds) -> Exchange {
        let host = request.uri().authority().map_or_else(String::new, ToString::to_string);
        let started = Instant::now();
        let outcome = self.run(request, bounds).map_err(|error| tell(&error, &host));
        if let Err(error) = &outcome {
            self.way.lock().after(error);
        }
        Exchange { outcome, elapsed: started.elapsed() }
    }

    fn hang_up(&self) {
        let mut way = self.way.lock();
        way.is_over = true;
        way.agent.clone().shutdown();
    }
}

fn read(answer: ::http::Response<Body>) -> Result<Response, ::ureq::Error> {
    let (head, body) = answer.into_parts();
    let mut bytes = Vec::new();
    body.into_reader().take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Response { status: head.status.as_u16(), headers: head.headers, body: bytes })
}

/// The failure in our words. Texts of the library that may hold a URI, and with it a query, are left out.
fn tell(error: &::ureq::Error, host: &str) -> NetError {
    use ::ureq::Error as E;
    let (kind, text) = match error {
        E::HostNotFound => (NetErrorKind::Resolve, format!("cannot resolve the name of {host}")),
        E::Timeout(phase) => tell_timeout(*phase, host),
        E::Io(error) => tell_io(error, host),
        E::Tls(why) => (NetErrorKind::Tls, format!("no TLS with {host}: {why}")),
        E::Rustls(why) => (NetErrorKind::Tls, format!("no TLS with {host}: {why}")),
        E::ConnectionFailed => (NetErrorKind::Connect, format!("cannot connect to {host}")),
        E::InvalidProxyUrl | E::ConnectProxyFailed(_) => {
            (NetErrorKind::Connect, format!("cannot connect to {host} through the proxy of the environment"))
        }
        E::Http(_) | E::BadUri(_) => {
            (NetErrorKind::Request, format!("not a request that can be sent to {host}"))
        }
        _ => (NetErrorKind::Io, format!("{host} did not answer in HTTP")),
    };
    NetError { kind, text }
}

fn tell_timeout(phase: Timeout, host: &str) -> (NetErrorKind, String) {
    let (sent, what) = match phase {
        Timeout::Resolve => (Some(false), "resolving the name"),
        Timeout::Connect => (Some(false), "connecting"),
        Timeout::SendRequest | Timeout::SendBody => (Some(false), "sending the request"),
        Timeout::RecvResponse | Timeout::RecvBody => (Some(true), "waiting for the answer"),
        _ => (None, "the exchange"),
    };
    (NetErrorKind::Timeout { sent }, format!("{host}: {what} took too long"))
}

fn tell_io(error: &io::Error, host: &str) -> (NetErrorKind, String) {
    // The standard library has no kind for a name that is not found.
    if error.to_string().starts_with("failed to lookup address") {
        return (NetErrorKind::Resolve, format!("cannot resolve the name of {host}"));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::AddrNotAvailable => {
            (NetErrorKind::Connect, format!("cannot connect to {host}: {error}"))
        }
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
            (NetErrorKind::Timeout { sent: None }, format!("{host}: the exchange took too long"))
        }
        io::ErrorKind::InvalidData => (NetErrorKind::Tls, format!("no TLS with {host}: {error}")),
        _ => (NetErrorKind::Io, format!("the connection to {host} broke: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use super::*;

    const BOUNDS: Bounds =
        Bounds { connect: Duration::from_secs(5), total: Duration::from_secs(20), proxy: false };

    fn read_request(stream: &mut BufReader<TcpStream>) -> Option<String> {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some(head + "\n" + &String::from_utf8(body).ok()?)
    }

    /// A server for one connection: answers each request with the next of `answers`, then closes. Gives what it read.
    fn serve(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut seen = Vec::new();
            for answer in answers {
                let Some(request) = read_request(&mut stream) else { break };
                seen.push(request);
                let _ = stream.get_mut().write_all(&answer);
            }
            seen
        });
        (url, thread)
    }

    fn post(url: &str, body: &str) -> Request {
        let request = ::http::Request::post(url).header("x-test", "1");
        request.body(body.as_bytes().to_vec()).unwrap()
    }

    fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn any_status_is_an_answer_and_the_connection_is_reused() {
        let (url, server) = serve(vec![
            answer("400 Bad Request", "x-amzn-requestid: 7\r\n", "no"),
            answer("307 Temporary Redirect", "Location: http://127.0.0.1:1/\r\n", ""),
            answer("200 OK", "", "yes"),
        ]);
        let transport = Ureq::new(Trust::default());
        let mut outcomes = Vec::new();
        for body in ["one", "two", "three"] {
            outcomes.push(transport.exchange(post(&url, body), BOUNDS).outcome.unwrap());
        }
        let told: Vec<_> = outcomes.iter().map(|r| (r.status, r.body.as_slice())).collect();
        assert_eq!(told, [(400, &b"no"[..]), (307, b""), (200, b"yes")]);
        assert_eq!(outcomes[0].header("x-amzn-requestid"), Some("7"));
        let seen = server.join().unwrap();
        assert_eq!(seen.len(), 3, "all three over one connection");
        assert!(seen[0].contains(&format!("user-agent: {USER_AGENT}")), "{}", seen[0]);
        assert!(seen[0].ends_with("\none"));
    }

    #[test]
    fn a_gigantic_answer_is_cut() {
        let body = "x".repeat(3 << 20);
        let (url, server) = serve(vec![answer("200 OK", "", &body)]);
        let got = Ureq::new(Trust::default()).exchange(post(&url, ""), BOUNDS).outcome.unwrap();
        assert_eq!(got.body.len() as u64, ANSWER_BYTES_MAX);
        drop(server); // It may still be writing into a connection that nobody reads.
    }

    #[test]
    fn what_is_no_answer_is_told_by_kind_and_host() {
        let nobodys = "127.0.0.1:1"; // a port that was free a moment ago may be another test's
        let refused = Ureq::new(Trust::default())
            .exchange(post(&format!("http://{nobodys}/"), ""), BOUNDS)
            .outcome
            .unwrap_err();
        assert_eq!(refused.kind, NetErrorKind::Connect, "{refused}");
        assert!(refused.text.contains(nobodys), "{refused}");

        let (url, _server) = serve(vec![b"HTTP/1.1 ".to_vec()]);
        let cut = Ureq::new(Trust::default()).exchange(post(&url, ""), BOUNDS).outcome.unwrap_err();
        assert_eq!(cut.kind, NetErrorKind::Io, "{cut}");

        let (url, _server) = serve(vec![b"garbage garbage\r\n\r\n".to_vec()]);
        let garbage = Ureq::new(Trust::default()).exchange(post(&url, ""), BOUNDS).outcome.unwrap_err();
        assert_eq!(garbage.kind, NetErrorKind::Io, "{garbage}");
    }

    #[test]
    fn each_failure_has_its_kind_and_none_tells_a_uri() {
        use ::ureq::Error as E;
        let io = |kind, text: &str| E::Io(io::Error::new(kind, text));
        let hidden = "http://me:hidden@proxy/".to_owned();
        let timeout = |sent| NetErrorKind::Timeout { sent };
        let table = [
            (E::HostNotFound, NetErrorKind::Resolve),
            (
                io(io::ErrorKind::Other, "failed to lookup address information: no such name"),
                NetErrorKind::Resolve,
            ),
            (io(io::ErrorKind::ConnectionRefused, "refused"), NetErrorKind::Connect),
            (E::ConnectionFailed, NetErrorKind::Connect),
            (E::ConnectProxyFailed(hidden.clone()), NetErrorKind::Connect),
            (E::BadUri(hidden), NetErrorKind::Request),
            (E::Tls("no"), NetErrorKind::Tls),
            (io(io::ErrorKind::InvalidData, "certificate not trusted"), NetErrorKind::Tls),
            (E::Timeout(Timeout::Connect), timeout(Some(false))),
            (E::Timeout(Timeout::SendBody), timeout(Some(false))),
            (E::Timeout(Timeout::RecvResponse), timeout(Some(true))),
            (E::Timeout(Timeout::Global), timeout(None)),
            (io(io::ErrorKind::TimedOut, "late"), timeout(None)),
            (io(io::ErrorKind::ConnectionReset, "reset"), NetErrorKind::Io),
            (E::TooManyRedirects, NetErrorKind::Io),
        ];
        for (error, kind) in table {
            let told = tell(&error, "h:1");
            assert_eq!(told.kind, kind, "{error:?}");
            assert!(told.text.contains("h:1") && !told.text.contains("hidden"), "{}", told.text);
        }
    }

    #[test]
    fn a_server_that_hangs_is_left_at_the_bound() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/?secret=hidden", listener.local_addr().unwrap());
        let bounds = Bounds { total: Duration::from_millis(200), ..BOUNDS };
        let hung = Ureq::new(Trust::default()).exchange(post(&url, "x"), bounds).outcome.unwrap_err();
        assert!(matches!(hung.kind, NetErrorKind::Timeout { .. }), "{hung}");
        assert!(!hung.text.contains("hidden"), "{hung}");
    }

    #[test]
    fn hanging_up_ends_the_exchange_under_way() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let transport = std::sync::Arc::new(Ureq::new(Trust::default()));
        let cutter = std::sync::Arc::clone(&transport);
        let server = std::thread::spawn(move || {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            read_request(&mut stream).unwrap();
            cutter.hang_up();
            stream // kept open: it is not the server that ends this
        });
        let bounds = Bounds { total: Duration::from_secs(600), ..BOUNDS };
        let error = transport.exchange(post(&url, "x"), bounds).outcome.unwrap_err();
        assert_eq!(error.kind, NetErrorKind::Io, "{error}");
        drop(server.join().unwrap());
        assert!(transport.exchange(post(&url, "x"), BOUNDS).outcome.is_err());
    }

    #[test]
    fn tls_that_is_none_is_told_so() {
        let (url, _server) = serve(vec![answer("200 OK", "", "")]);
        let url = url.replace("http://", "https://");
        let bounds = Bounds { total: Duration::from_secs(2), ..BOUNDS };
        let error = Ureq::new(Trust::default()).exchange(post(&url, ""), bounds).outcome.unwrap_err();
        let kinds = [NetErrorKind::Tls, NetErrorKind::Io];
        assert!(
            kinds.contains(&error.kind) || matches!(error.kind, NetErrorKind::Timeout { .. }),
            "{error:?}"
        );
    }
}
