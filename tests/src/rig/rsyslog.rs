//! A real rsyslog: UDP, TCP and TLS on 127.0.0.1, and what it has received, field by field, as it has parsed it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use tempfile::TempDir;

use super::{Ca, Port};
use crate::wait_until;

/// A running rsyslog. Ends when dropped.
#[derive(Debug)]
pub struct Rsyslog {
    folder: TempDir,
    child: Child,
    /// Its port for datagrams.
    pub udp: u16,
    /// Its port for plain connections.
    pub tcp: u16,
    /// Its port for TLS; clients need a certificate of the name `client.test`.
    pub tls: u16,
    _kept: [Port; 2],
}

/// A message as rsyslog has parsed it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[allow(missing_docs)] // the names are those of RFC 5424
pub struct Message {
    pub pri: String,
    pub facility: String,
    pub severity: String,
    pub time: String,
    pub hostname: String,
    pub app_name: String,
    pub procid: String,
    pub msgid: String,
    pub structured_data: String,
    pub msg: String,
    pub protocol: String,
}

impl Rsyslog {
    /// Where the daemon is, if it is installed.
    #[must_use]
    pub fn program() -> Option<&'static Path> {
        ["/usr/sbin/rsyslogd", "/sbin/rsyslogd"].map(Path::new).into_iter().find(|path| path.exists())
    }

    /// Starts one, with a certificate of the name `collector.test` from this authority.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not come up: with what it said.
    #[must_use]
    pub fn start(ca: &Ca) -> Rsyslog {
        let folder = tempfile::tempdir().expect("a folder");
        ca.sign("collector.test");
        let (datagrams, kept) = (Port::keep_for_datagrams(), [Port::keep(), Port::keep()]);
        let [udp, tcp, tls] = [&datagrams, &kept[0], &kept[1]].map(Port::number);
        let child = run(folder.path(), &config(folder.path(), ca, udp, tcp, tls));
        let mut started = Rsyslog { child, folder, udp, tcp, tls, _kept: kept };
        started.wait();
        started
    }

    /// Ends it without a word.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(self.path("pid"));
    }

    /// What it has received so far, its own messages among it.
    ///
    /// # Panics
    ///
    /// If a line that it wrote is none of ours.
    #[must_use]
    pub fn received(&self) -> Vec<Message> {
        let text = fs::read_to_string(self.path("received.jsonl")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        whole.lines().map(read).collect()
    }

    /// What it has received of an application, once there are so many.
    ///
    /// # Panics
    ///
    /// If they do not come.
    #[must_use]
    pub fn received_of(&self, app_name: &str, at_least: usize) -> Vec<Message> {
        let own = || self.received().into_iter().filter(|message| message.app_name == app_name);
        wait_until("rsyslog has the messages", || own().count() >= at_least);
        own().collect()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn wait(&mut self) {
        let said = self.path("said");
        for port in [self.tcp, self.tls] {
            wait_until("rsyslogd listens", || {
                let ended = self.child.try_wait().expect("a child can be asked");
                let said = || fs::read_to_string(&said).unwrap_or_default();
                assert!(ended.is_none(), "rsyslogd: {ended:?}: {}", said());
                TcpStream::connect(("127.0.0.1", port)).is_ok()
            });
        }
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(folder: &Path, config: &str) -> Child {
    let path = folder.join("rsyslog.conf");
    fs::write(&path, config).expect("a file");
    let said = fs::File::create(folder.join("said")).expect("a file");
    let program = Rsyslog::program()
        .expect("rsyslogd: install rsyslog and rsyslog-openssl, or set OPS_WITHOUT_RSYSLOG");
    let mut command = Command::new(program);
    command.arg("-n").arg("-f").arg(&path).arg("-i").arg(folder.join("pid"));
    let command = command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
    command.spawn().expect("rsyslogd runs")
}

/// Its settings: every input it has for us, nothing of the system's, and each message as a JSON object on a line. Of the
/// size of messages it has what it has by default.
fn config(folder: &Path, ca: &Ca, udp: u16, tcp: u16, tls: u16) -> String {
    let file = |name: &str| ca.path(name).display().to_string();
    let (authority, cert, key) = (file("ca.pem"), file("collector.test.pem"), file("collector.test.key"));
    let property =
        |name: &str, of: &str| format!("property(outname=\"{name}\" name=\"{of}\" format=\"jsonf\")\n");
    let properties = [
        ("pri", "pri"),
        ("facility", "syslogfacility"),
        ("severity", "syslogseverity"),
        ("hostname", "hostname"),
        ("app_name", "app-name"),
        ("procid", "procid"),
        ("msgid", "msgid"),
        ("structured_data", "structured-data"),
        ("msg", "msg"),
        ("protocol", "protocol-version"),
    ]
    .map(|(name, of)| property(name, of));
    let folder = folder.display();
    format!(
        r#"global(workDirectory="{folder}" defaultNetstreamDriverCAFile="{authority}"
    defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{udp}")
module(load="imptcp")
input(type="imptcp" address="127.0.0.1" port="{tcp}")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name"
    permittedPeer=["client.test"])
input(type="imtcp" address="127.0.0.1" port="{tls}")
template(name="line" type="list" option.jsonf="on") {{
property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
{}}}
action(type="omfile" file="{folder}/received.jsonl" template="line")
"#,
        properties.concat()
    )
}
