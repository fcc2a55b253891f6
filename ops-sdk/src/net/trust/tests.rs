//! Against a server of rustls's own that shows a private authority's certificate and wants one of it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use ::rustls::{ServerConnection, StreamOwned};

use super::*;
use crate::clock::Now;
use crate::net::test_ca::Ca;
use crate::net::{Net, NetErrorKind, Request};

const NOW: Now = Now { unix_ns: 1, mono_ns: 1 };

fn signed() -> Ca {
    let ca = Ca::new();
    ca.sign("localhost");
    ca.sign("client");
    ca
}

fn files(ca: &Ca) -> TrustFiles {
    TrustFiles {
        ca: Some(ca.path("ca.pem")),
        cert: Some(ca.path("client.pem")),
        key: Some(ca.path("client.key")),
    }
}

/// A server for this many connections, each of which it answers once if the client is one of its own.
fn serve(ca: &Ca, connections: usize) -> (String, JoinHandle<usize>) {
    let config = ca.server("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let serve = move || {
        let answer = |listener: &TcpListener| -> std::io::Result<()> {
            let connection = ServerConnection::new(std::sync::Arc::clone(&config)).unwrap();
            let mut stream = BufReader::new(StreamOwned::new(connection, listener.accept()?.0));
            let mut line = String::from("-");
            while line.trim() != "" {
                line.clear();
                stream.read_line(&mut line)?;
            }
            stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")?;
            stream.get_mut().conn.send_close_notify();
            stream.get_mut().flush()
        };
        (0..connections).filter(|_| answer(&listener).is_ok()).count()
    };
    (url, thread::spawn(serve))
}

fn get(net: &mut Net, url: &str) -> Result<u16, NetErrorKind> {
    net.begin(NOW, crate::net::PUSH_TIMEOUT);
    let request: Request = ::http::Request::get(url).body(Vec::new()).unwrap();
    net.send(request).map(|answer| answer.status).map_err(|error| error.kind)
}

#[test]
fn a_private_authority_is_trusted_and_a_certificate_is_shown() {
    let ca = signed();
    let (url, server) = serve(&ca, 1);
    let trust = Trust::open(files(&ca), "OPS_HTTPS", "OPS_HTTPS").unwrap();
    assert_eq!(get(&mut Net::new(NOW).trusting(trust), &url), Ok(204));
    assert_eq!(server.join().unwrap(), 1);
}

#[test]
fn nobody_else_is_trusted_and_who_shows_nothing_is_not_answered() {
    let (ca, other) = (signed(), Ca::new());
    let table = [
        TrustFiles::default(),
        TrustFiles { ca: Some(other.path("ca.pem")), ..files(&ca) },
        TrustFiles { cert: None, key: None, ..files(&ca) },
    ];
    for files in table {
        let (url, server) = serve(&ca, 1);
        let trust = Trust::open(files.clone(), "OPS_HTTPS", "OPS_HTTPS").unwrap();
        assert_eq!(get(&mut Net::new(NOW).trusting(trust), &url), Err(NetErrorKind::Tls), "{files:?}");
        assert_eq!(server.join().unwrap(), 0);
    }
}

#[test]
fn a_renewed_certificate_needs_no_restart() {
    let (ca, stranger) = (signed(), signed());
    let own = |file: &str| ca.path(&format!("own-{file}"));
    let place = |from: &Ca| {
        for file in ["client.pem", "client.key"] {
            std::fs::copy(from.path(file), own(file)).unwrap();
        }
    };
    place(&stranger);
    let files = TrustFiles { cert: Some(own("client.pem")), key: Some(own("client.key")), ..files(&ca) };
    let mut net = Net::new(NOW).trusting(Trust::open(files, "OPS_HTTPS", "OPS_HTTPS").unwrap());
    let (url, server) = serve(&ca, 4);
    assert_eq!(get(&mut net, &url), Err(NetErrorKind::Tls));
    place(&ca);
    assert_eq!(get(&mut net, &url), Err(NetErrorKind::Tls), "with what was read before");
    assert_eq!(get(&mut net, &url), Ok(204));
    std::fs::remove_file(own("client.key")).unwrap();
    assert_eq!(get(&mut net, &url), Ok(204), "what was read last is used");
    assert_eq!(server.join().unwrap(), 2);
}

#[test]
fn files_are_checked_and_no_text_holds_a_key() {
    let ca = signed();
    let key = std::fs::read_to_string(ca.path("client.key")).unwrap();
    let line = key.lines().nth(1).unwrap();
    std::fs::write(ca.path("torn.key"), key.replace("-----END", "----END")).unwrap();
    std::fs::write(ca.path("empty.pem"), "").unwrap();
    let table = [
        (TrustFiles { ca: Some(ca.path("none")), ..files(&ca) }, "OPS_X_HTTPS_CA"),
        (TrustFiles { ca: Some(ca.path("empty.pem")), ..files(&ca) }, "OPS_X_HTTPS_CA"),
        (TrustFiles { ca: Some(ca.path("client.key")), ..files(&ca) }, "OPS_X_HTTPS_CA"),
        (TrustFiles { cert: None, ..files(&ca) }, "OPS_X_HTTPS_CERT"),
        (TrustFiles { cert: Some(ca.path("empty.pem")), ..files(&ca) }, "OPS_X_HTTPS_CERT"),
        (TrustFiles { key: None, ..files(&ca) }, "OPS_X_HTTPS_KEY"),
        (TrustFiles { key: Some(ca.path("torn.key")), ..files(&ca) }, "OPS_X_HTTPS_KEY"),
        (TrustFiles { key: Some(ca.path("client.pem")), ..files(&ca) }, "OPS_X_HTTPS_KEY"),
    ];
    for (files, setting) in table {
        let error = Trust::open(files, "OPS_X_HTTPS", "OPS_X_HTTPS").unwrap_err().to_string();
        assert!(error.starts_with(setting) && !error.contains(line), "{error}");
    }
    let trust = Trust::open(files(&ca), "OPS_X_HTTPS", "OPS_X_HTTPS").unwrap();
    assert!(!format!("{trust:?}").contains(line));
}
