use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::thread;
use std::time::Duration;

use super::*;
use crate::clock::Now;

fn net() -> Net {
    Net::new(Now { unix_ns: 1, mono_ns: 1 })
}

fn tcp(listener: &TcpListener) -> Address {
    Address::parse(&format!("tcp://{}", listener.local_addr().unwrap()), 0, "URL").unwrap()
}

#[test]
fn an_address_is_read_as_it_is_shown() {
    let table = [
        ("tcp://h:1", "tcp://h:1"),
        (" udp://h.example/ ", "udp://h.example:514"),
        ("TCP://[::1]:7", "tcp://[::1]:7"),
        ("udp://[fe80::1%eth0]", "udp://[fe80::1%eth0]:514"),
        ("unix:///run/a b.sock", "unix:///run/a b.sock"),
        ("unixstream:///run/a", "unix:///run/a"),
        ("unixgram:///run/a", "unixgram:///run/a"),
    ];
    for (url, shown) in table {
        let address = Address::parse(url, 514, "URL").unwrap();
        assert_eq!(address.to_string(), shown);
        assert_eq!(Address::parse(shown, 0, "URL").unwrap(), address);
    }
    let long = format!("unix:///{}", "x".repeat(200));
    let bad = [
        "",
        "h:1",
        "ftp://h:1",
        "tcp://",
        "tcp://:1",
        "tcp://h:0",
        "tcp://h:x",
        "tcp://h:70000",
        "tcp://::1:5",
        "tcp://h/p:1",
        "tcp://me:hush@h:1",
        "tcp://h:1?hush",
        "tcp://[::1]5",
        "unix://run/a",
        "unix:///a\0b",
        "tcp://h\nhush:1",
        &long,
    ];
    for url in bad {
        let error = Address::parse(url, 514, "URL").unwrap_err().to_string();
        assert!(error.starts_with("URL: ") && !error.contains("hush"), "{error}");
    }
    assert!(Address::parse("tcp://h", 0, "URL").unwrap_err().to_string().contains("has no port"));
    assert_eq!(Address::parse("tls://h:1", 0, "URL").is_ok_and(|a| a.is_tls()), cfg!(feature = "tls"));
}

#[test]
fn what_is_written_arrives_and_the_end_is_seen_before_the_next_write() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut net, address) = (net(), tcp(&listener));
    let mut stream = net.dial(&address, None).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    stream.settle(&mut net).unwrap();
    stream.write_all(&mut net, b"hello").unwrap();
    assert_eq!(net.wire_bytes(), 5);
    let mut read = [0; 5];
    peer.read_exact(&mut read).unwrap();
    assert_eq!((&read, stream.is_open(), stream.read_now(&mut [0; 9]).unwrap()), (b"hello", true, None));
    peer.write_all(b"answer").unwrap();
    let mut buffer = [0; 4];
    assert_eq!((stream.read(&mut net, &mut buffer).unwrap(), &buffer), (4, b"answ"));
    assert!(stream.is_open(), "there is something to be read yet");
    assert_eq!((stream.read(&mut net, &mut buffer).unwrap(), &buffer[..2]), (2, &b"er"[..]));
    drop(peer);
    while stream.is_open() {
        thread::yield_now(); // until the system has heard of it
    }
    let gone = stream.write_all(&mut net, b"x").unwrap_err();
    assert_eq!(gone.kind, NetErrorKind::Io, "{gone}");
    assert_eq!(net.wire_bytes(), 11 - 6, "what could not be sent is not counted");
}

#[test]
fn the_end_reads_as_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut net, address) = (net(), tcp(&listener));
    let mut stream = net.dial(&address, None).unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(stream.read(&mut net, &mut [0; 4]).unwrap(), 0);
}

#[test]
fn nothing_takes_longer_than_the_budget() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut net, address) = (net(), tcp(&listener));
    let mut stream = net.dial(&address, None).unwrap();
    let _peer = listener.accept().unwrap();
    net.begin(Now { unix_ns: 1, mono_ns: 1 }, Duration::from_millis(100));
    let late = stream.read(&mut net, &mut [0; 4]).unwrap_err();
    assert_eq!(late.kind, NetErrorKind::Timeout { sent: Some(true) }, "{late}");
    assert!(net.left().is_zero() && net.is_unanswered());
    let late = stream.write_all(&mut net, b"x").unwrap_err();
    assert_eq!(late.kind, NetErrorKind::Timeout { sent: Some(false) }, "{late}");
    assert!(net.dial(&address, None).is_err());
    net.begin(Now { unix_ns: 1, mono_ns: 1 }, Duration::from_millis(200));
    let full = stream.write_all(&mut net, &vec![0; 64 << 20]).unwrap_err();
    assert_eq!(full.kind, NetErrorKind::Timeout { sent: None }, "{full}");
    assert!(!stream.is_open(), "how much of it arrived is not known");
}

#[test]
fn hanging_up_ends_what_is_under_way_and_all_to_come() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut net, address) = (net(), tcp(&listener));
    let mut stream = net.another().dial(&address, None).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let cutter = net.hang_up();
    let reader = thread::spawn(move || {
        let mut net = Net::new(Now { unix_ns: 1, mono_ns: 1 });
        stream.write_all(&mut net, b"x").unwrap();
        stream.read(&mut net, &mut [0; 4])
    });
    peer.read_exact(&mut [0]).unwrap();
    cutter.now();
    assert_eq!(reader.join().unwrap().unwrap(), 0);
    assert_eq!(net.dial(&address, None).unwrap_err().kind, NetErrorKind::Io);
    assert_eq!(net.datagrams(&address).unwrap_err().kind, NetErrorKind::Io);
}

#[test]
fn each_failure_to_connect_has_its_kind() {
    let nobodys = "127.0.0.1:1"; // a port that was free a moment ago may be another test's
    let refused = |url: &str| net().dial(&Address::parse(url, 0, "URL").unwrap(), None).unwrap_err();
    let connect = refused(&format!("tcp://{nobodys}"));
    assert_eq!(connect.kind, NetErrorKind::Connect, "{connect}");
    assert!(connect.text.contains(nobodys));
    assert_eq!(refused("tcp://nowhere.invalid:1").kind, NetErrorKind::Resolve);
    assert_eq!(refused("udp://127.0.0.1:1").kind, NetErrorKind::Connect);
    assert_eq!(refused("unix:///nowhere/at/all").kind, NetErrorKind::Connect);
    assert_eq!(net().datagrams(&tcp_address(1)).unwrap_err().kind, NetErrorKind::Connect);
}

fn tcp_address(port: u16) -> Address {
    Address::Tcp { host: "127.0.0.1".to_owned(), port, tls: false }
}

#[test]
fn datagrams_arrive_whole_and_too_long_ones_are_told_so() {
    let reader = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = Address::parse(&format!("udp://{}", reader.local_addr().unwrap()), 0, "URL").unwrap();
    let mut net = net();
    let mut datagrams = net.datagrams(&address).unwrap();
    datagrams.send(&mut net, b"one").unwrap();
    datagrams.send(&mut net, &[7; UDP_BYTES_MAX]).unwrap();
    let mut buffer = vec![0; 70_000];
    assert_eq!(reader.recv(&mut buffer).unwrap(), 3);
    assert_eq!(reader.recv(&mut buffer).unwrap(), UDP_BYTES_MAX);
    let long = datagrams.send(&mut net, &[7; UDP_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(long.kind, NetErrorKind::Request, "{long}");
    assert!(datagrams.check().is_ok());
    drop(reader);
    // The system says with a later datagram that there was no reader for an earlier one.
    let refused = (0..100_000).find_map(|_| datagrams.send(&mut net, b"two").err()).unwrap();
    assert_eq!(refused.kind, NetErrorKind::Connect, "{refused}");
}

#[cfg(unix)]
#[test]
fn unix_sockets_carry_streams_and_datagrams() {
    use std::os::unix::net::{UnixDatagram, UnixListener};
    let folder = tempfile::tempdir().unwrap();
    let at = |scheme: &str, name: &str| {
        Address::parse(&format!("{scheme}://{}", folder.path().join(name).display()), 0, "URL").unwrap()
    };
    let mut net = net();
    let listener = UnixListener::bind(folder.path().join("s")).unwrap();
    let mut stream = net.dial(&at("unix", "s"), None).unwrap();
    stream.write_all(&mut net, b"hello").unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    let mut read = [0; 5];
    peer.read_exact(&mut read).unwrap();
    assert!(stream.is_open());
    drop(peer);
    assert!(!stream.is_open());

    let reader = UnixDatagram::bind(folder.path().join("d")).unwrap();
    let mut datagrams = net.datagrams(&at("unixgram", "d")).unwrap();
    datagrams.send(&mut net, b"hello").unwrap();
    assert_eq!(reader.recv(&mut [0; 9]).unwrap(), 5);
    net.begin(Now { unix_ns: 1, mono_ns: 1 }, Duration::from_millis(100));
    let full = (0..100_000).find_map(|_| datagrams.send(&mut net, b"x").err()).unwrap();
    assert!(matches!(full.kind, NetErrorKind::Timeout { .. }), "{full}");
}

#[cfg(feature = "tls")]
mod tls {
    use std::net::TcpStream;

    use ::rustls::{ServerConnection, StreamOwned};

    use super::*;
    use crate::net::test_ca::Ca;

    impl Ca {
        fn files(&self, client: Option<&str>) -> TlsFiles {
            TlsFiles {
                ca: Some(self.path("ca.pem")),
                cert: client.map(|name| self.path(&format!("{name}.pem"))),
                key: client.map(|name| self.path(&format!("{name}.key"))),
                server_name: Some("collector.test".to_owned()),
            }
        }

        /// A server that wants a client's certificate, reads to the end and gives what it read.
        fn serve(&self) -> (Address, thread::JoinHandle<std::io::Result<Vec<u8>>>) {
            let config = self.server("collector.test");
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("tls://{}", listener.local_addr().unwrap());
            let serve = move || {
                let connection = ServerConnection::new(config).unwrap();
                let mut stream: StreamOwned<ServerConnection, TcpStream> =
                    StreamOwned::new(connection, listener.accept()?.0);
                let mut read = Vec::new();
                stream.read_to_end(&mut read).map(|_| read)
            };
            (Address::parse(&url, 0, "URL").unwrap(), thread::spawn(serve))
        }
    }

    fn signed() -> Ca {
        let ca = Ca::new();
        ca.sign("collector.test");
        ca.sign("client");
        ca
    }

    #[test]
    fn both_sides_show_a_certificate_and_the_end_is_announced() {
        let ca = signed();
        let (address, server) = ca.serve();
        let tls = Tls::open(ca.files(Some("client")), "OPS_X_TLS").unwrap();
        let mut net = net();
        let mut stream = net.dial(&address, Some(&tls)).unwrap();
        stream.settle(&mut net).unwrap();
        assert!(stream.is_open());
        let long = vec![7; 300_000];
        stream.write_all(&mut net, &long).unwrap();
        assert_eq!(stream.read_now(&mut [0; 9]).unwrap(), None);
        stream.close();
        assert_eq!(server.join().unwrap().unwrap(), long, "an end without announcement is an error there");
    }

    #[test]
    fn a_client_that_is_refused_hears_of_it_before_it_writes() {
        let ca = signed();
        let (address, server) = ca.serve();
        let tls = Tls::open(ca.files(None), "OPS_X_TLS").unwrap();
        let mut net = net();
        let mut stream = net.dial(&address, Some(&tls)).unwrap();
        let refused = stream.settle(&mut net).unwrap_err();
        assert_eq!(refused.kind, NetErrorKind::Tls, "{refused}");
        assert!(!stream.is_open());
        assert!(server.join().unwrap().is_err());
    }

    #[test]
    fn a_server_that_is_not_trusted_is_not_spoken_to() {
        let (ca, other) = (signed(), Ca::new());
        let table = [
            TlsFiles { ca: Some(other.path("ca.pem")), ..ca.files(Some("client")) },
            TlsFiles { ca: None, ..ca.files(Some("client")) },
            TlsFiles { server_name: Some("another.test".to_owned()), ..ca.files(Some("client")) },
            TlsFiles { server_name: None, ..ca.files(Some("client")) }, // its certificate does not bear 127.0.0.1
        ];
        for files in table {
            let (address, server) = ca.serve();
            let tls = Tls::open(files, "OPS_X_TLS").unwrap();
            let error = net().dial(&address, Some(&tls)).unwrap_err();
            assert_eq!(error.kind, NetErrorKind::Tls, "{error}");
            assert!(server.join().unwrap().is_err());
        }
        let (address, _server) = ca.serve();
        let plain = net().dial(&address, None).unwrap_err();
        assert_eq!(plain.kind, NetErrorKind::Tls, "{plain}");
    }

    #[test]
    fn files_are_checked_and_no_text_holds_a_key() {
        let ca = signed();
        let key = std::fs::read_to_string(ca.path("client.key")).unwrap();
        let line = key.lines().nth(1).unwrap();
        std::fs::write(ca.path("torn.key"), key.replace("-----END", "----END")).unwrap();
        std::fs::write(ca.path("empty.pem"), "").unwrap();
        let good = || ca.files(Some("client"));
        let table = [
            (TlsFiles { ca: Some(ca.path("none")), ..good() }, "OPS_X_TLS_CA"),
            (TlsFiles { ca: Some(ca.path("empty.pem")), ..good() }, "OPS_X_TLS_CA"),
            (TlsFiles { ca: Some(ca.path("client.key")), ..good() }, "OPS_X_TLS_CA"),
            (TlsFiles { cert: None, ..good() }, "OPS_X_TLS_CERT"),
            (TlsFiles { cert: Some(ca.path("empty.pem")), ..good() }, "OPS_X_TLS_CERT"),
            (TlsFiles { key: None, ..good() }, "OPS_X_TLS_KEY"),
            (TlsFiles { key: Some(ca.path("torn.key")), ..good() }, "OPS_X_TLS_KEY"),
            (TlsFiles { key: Some(ca.path("client.pem")), ..good() }, "OPS_X_TLS_KEY"),
            (TlsFiles { key: Some(ca.path("collector.test.key")), ..good() }, "OPS_X_TLS_KEY"),
            (TlsFiles { server_name: Some("a b".to_owned()), ..good() }, "OPS_X_TLS_NAME"),
        ];
        for (files, setting) in table {
            let error = Tls::open(files, "OPS_X_TLS").unwrap_err().to_string();
            assert!(error.starts_with(setting) && !error.contains(line), "{error}");
        }
        let tls = Tls::open(good(), "OPS_X_TLS").unwrap();
        assert!(!format!("{tls:?}").contains(line));
    }

    #[test]
    fn a_renewed_certificate_needs_no_restart() {
        let ca = signed();
        let stranger = Ca::new();
        stranger.sign("client");
        for file in ["client.pem", "client.key"] {
            std::fs::copy(stranger.path(file), ca.path(&format!("x-{file}"))).unwrap();
        }
        let files = TlsFiles {
            cert: Some(ca.path("x-client.pem")),
            key: Some(ca.path("x-client.key")),
            ..ca.files(None)
        };
        let tls = Tls::open(files, "OPS_X_TLS").unwrap();
        let settled = |address: &Address| {
            let mut net = net();
            let mut stream = net.dial(address, Some(&tls))?;
            stream.settle(&mut net)
        };
        let (address, _server) = ca.serve();
        assert!(settled(&address).is_err(), "signed by a stranger");
        for file in ["client.pem", "client.key"] {
            std::fs::copy(ca.path(file), ca.path(&format!("x-{file}"))).unwrap();
        }
        let (address, _server) = ca.serve();
        settled(&address).unwrap();
        std::fs::remove_file(ca.path("x-client.key")).unwrap();
        let (address, _server) = ca.serve();
        settled(&address).unwrap();
    }
}
