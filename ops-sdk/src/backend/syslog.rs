//! Syslog of RFC 5424: each log and audit record becomes one message, its fields in structured data, over UDP, TCP or
//! TLS, for Logstorage, rsyslog, syslog-ng and every collector that speaks the standard.
//!
//! There is no acknowledgement in syslog. That a push was taken means that it is in the system's buffer; what is done
//! about the rest is told in `wire`. Over-long messages go in numbered parts, each a valid message, see `message`.

mod facility;
mod message;
mod wire;

use std::path::PathBuf;

use self::facility::facility;
use self::message::{Origin, Speaker};
use self::wire::Wire;
use super::shared::{setting, yes_or_no};
use super::{Backend, Configure, Context, EncodeError, Verdict};
use crate::chunk::{Batch, Items};
use crate::error::Error;
use crate::limits::{Limits, Oversize};
use crate::model::{Record, Signal};
use crate::net::{Address, Net, Tls, TlsFiles, UDP_BYTES_MAX};

const ADDRESS: &str = "OPS_SYSLOG_ADDRESS";
const FACILITY: &str = "OPS_SYSLOG_FACILITY";
const AUDIT_FACILITY: &str = "OPS_SYSLOG_AUDIT_FACILITY";
const FRAMING: &str = "OPS_SYSLOG_FRAMING";
const MESSAGE_BYTES_MAX: &str = "OPS_SYSLOG_MESSAGE_BYTES_MAX";
const ENTERPRISE: &str = "OPS_SYSLOG_ENTERPRISE";
const HOSTNAME: &str = "OPS_SYSLOG_HOSTNAME";
const APP_NAME: &str = "OPS_SYSLOG_APP_NAME";
const BOM: &str = "OPS_SYSLOG_BOM";
const RESEND: &str = "OPS_SYSLOG_RESEND";
const TLS: &str = "OPS_SYSLOG_TLS";

/// Ports that IANA has for syslog over UDP (RFC 5426) and TLS (RFC 5425). TCP has none of its own; 514 is what
/// collectors listen on.
const PORT: u16 = 514;
const TLS_PORT: u16 = 6514;
/// Bytes of a message over UDP: what fits in the smallest path that IPv6 allows (RFC 5426, 3.2).
const UDP_MESSAGE_BYTES: usize = 1_180;
/// Bytes of a message over a stream: what rsyslog takes unless told otherwise (`maxMessageSize`, `runtime/glbl.c`).
/// RFC 5425, 4.3.1, wants collectors to take 8,192.
const STREAM_MESSAGE_BYTES: usize = 8_096;
/// The least that every collector has to take (RFC 5424, 6.1), and a bound of ours.
const MESSAGE_BYTES: std::ops::RangeInclusive<usize> = 480..=1 << 20;
/// The number for examples (RFC 5612).
const EXAMPLE_ENTERPRISE: u32 = 32_473;

/// How messages are told apart on a TCP connection (RFC 6587).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyslogFraming {
    /// Each after its length: `52 <134>1 …`.
    OctetCounting,
    /// Each before a line feed, for collectors that know no other way.
    LineFeed,
}

/// Settings of the backend `syslog`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Syslog {
    address: Option<String>,
    facility: Option<String>,
    audit_facility: Option<String>,
    framing: Option<SyslogFraming>,
    message_bytes_max: Option<usize>,
    enterprise: Option<u32>,
    hostname: Option<String>,
    app_name: Option<String>,
    bom: Option<bool>,
    resend: Option<bool>,
    tls: TlsFiles,
}

impl Syslog {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Syslog {
        Syslog::default()
    }

    /// The collector: `udp://host:514`, `tcp://host:514` or `tls://host:6514`; else `OPS_SYSLOG_ADDRESS`.
    #[must_use]
    pub fn address(mut self, url: impl Into<String>) -> Syslog {
        self.address = Some(url.into());
        self
    }

    /// The facility of log records, by name (`local0`, `daemon`) or number; else `OPS_SYSLOG_FACILITY`, or `local0`.
    #[must_use]
    pub fn facility(mut self, facility: impl Into<String>) -> Syslog {
        self.facility = Some(facility.into());
        self
    }

    /// The facility of audit records; else `OPS_SYSLOG_AUDIT_FACILITY`, or `audit`, which is 13.
    #[must_use]
    pub fn audit_facility(mut self, facility: impl Into<String>) -> Syslog {
        self.audit_facility = Some(facility.into());
        self
    }

    /// How messages are told apart on TCP; else `OPS_SYSLOG_FRAMING` (`octets` or `lines`), or octet counting, which is
    /// the only way over TLS.
    #[must_use]
    pub fn framing(mut self, framing: SyslogFraming) -> Syslog {
        self.framing = Some(framing);
        self
    }

    /// Bytes of one message, longer ones go in parts; else `OPS_SYSLOG_MESSAGE_BYTES_MAX`, or 1,180 over UDP and 8,096
    /// over TCP and TLS. At least 480, at most 65,507 over UDP and 1 MiB elsewhere.
    #[must_use]
    pub fn message_bytes_max(mut self, bytes: usize) -> Syslog {
        self.message_bytes_max = Some(bytes);
        self
    }

    /// The private enterprise number in the names of structured data; else `OPS_SYSLOG_ENTERPRISE`, or 32473, which is
    /// the number for examples.
    #[must_use]
    pub fn enterprise(mut self, number: u32) -> Syslog {
        self.enterprise = Some(number);
        self
    }

    /// HOSTNAME; else `OPS_SYSLOG_HOSTNAME`, or the host's name.
    #[must_use]
    pub fn hostname(mut self, name: impl Into<String>) -> Syslog {
        self.hostname = Some(name.into());
        self
    }

    /// APP-NAME; else `OPS_SYSLOG_APP_NAME`, or the namespace of the process.
    #[must_use]
    pub fn app_name(mut self, name: impl Into<String>) -> Syslog {
        self.app_name = Some(name.into());
        self
    }

    /// Whether messages begin with the byte order mark, as RFC 5424 wants it of UTF-8; else `OPS_SYSLOG_BOM`, or yes.
    #[must_use]
    pub fn bom(mut self, bom: bool) -> Syslog {
        self.bom = Some(bom);
        self
    }

    /// Whether the last push goes out again when its connection turns out to be broken, since nobody can say what of it
    /// arrived; else `OPS_SYSLOG_RESEND`, or yes. Then messages may arrive twice, with the same id; else some may be lost.
    #[must_use]
    pub fn resend(mut self, resend: bool) -> Syslog {
        self.resend = Some(resend);
        self
    }

    /// A PEM file of the authorities that the collector's certificate may be from; else `OPS_SYSLOG_TLS_CA`, or those of
    /// Mozilla.
    #[must_use]
    pub fn tls_ca(mut self, path: impl Into<PathBuf>) -> Syslog {
        self.tls.ca = Some(path.into());
        self
    }

    /// PEM files of the client's certificate and its key; else `OPS_SYSLOG_TLS_CERT` and `OPS_SYSLOG_TLS_KEY`, or none.
    #[must_use]
    pub fn tls_client(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Syslog {
        (self.tls.cert, self.tls.key) = (Some(cert.into()), Some(key.into()));
        self
    }

    /// The name that the collector's certificate has to bear; else `OPS_SYSLOG_TLS_NAME`, or the host of the address.
    #[must_use]
    pub fn tls_name(mut self, name: impl Into<String>) -> Syslog {
        self.tls.server_name = Some(name.into());
        self
    }

    fn checked_address(&self, context: &Context) -> Result<Address, Error> {
        let Some(url) = setting(self.address.as_deref(), ADDRESS, context) else {
            let remedy = "set it to the collector, as in tls://collector.example.com:6514";
            return Err(Error::setting(ADDRESS, "is not set", remedy));
        };
        let port = if url.to_ascii_lowercase().starts_with("tls:") { TLS_PORT } else { PORT };
        let address = Address::parse(&url, port, ADDRESS)?;
        if address.host().is_none() {
            let problem = format!("\"{address}\" is a Unix socket, which speaks a syslog of its own");
            return Err(Error::setting(ADDRESS, problem, "use udp://, tcp:// or tls://"));
        }
        Ok(address)
    }

    fn checked_framing(&self, address: &Address, context: &Context) -> Result<SyslogFraming, Error> {
        let framing = match (self.framing, setting(None, FRAMING, context).as_deref()) {
            (Some(told), _) => told,
            (None, None | Some("octets")) => SyslogFraming::OctetCounting,
            (None, Some("lines")) => SyslogFraming::LineFeed,
            (None, Some(other)) => {
                let problem = format!("\"{other}\" is no framing");
                return Err(Error::setting(FRAMING, problem, "use octets or lines"));
            }
        };
        if address.is_tls() && framing == SyslogFraming::LineFeed {
            let problem = "lines are not told apart so over TLS (RFC 5425)";
            return Err(Error::setting(FRAMING, problem, "use octets"));
        }
        Ok(framing)
    }

    fn checked_bytes(&self, address: &Address, context: &Context) -> Result<usize, Error> {
        let (default, most) = match address.is_datagram() {
            true => (UDP_MESSAGE_BYTES, UDP_BYTES_MAX),
            false => (STREAM_MESSAGE_BYTES, *MESSAGE_BYTES.end()),
        };
        let bytes = number(self.message_bytes_max, MESSAGE_BYTES_MAX, default, context)?;
        if !(*MESSAGE_BYTES.start()..=most).contains(&bytes) {
            let remedy = format!("use {} to {most}", MESSAGE_BYTES.start());
            return Err(Error::setting(
                MESSAGE_BYTES_MAX,
                format!("{bytes} is no size of a message"),
                remedy,
            ));
        }
        Ok(bytes)
    }

    fn speaker(&self, context: &Context) -> Result<Speaker, Error> {
        let told_facility = |told: &Option<String>, variable, default| {
            let said = setting(told.as_deref(), variable, context);
            facility(said.as_deref().unwrap_or(default), variable)
        };
        let name = |told: &Option<String>, variable, default: &str| {
            setting(told.as_deref(), variable, context).unwrap_or_else(|| default.to_owned())
        };
        Ok(Speaker::new(Origin {
            facility: told_facility(&self.facility, FACILITY, "local0")?,
            audit_facility: told_facility(&self.audit_facility, AUDIT_FACILITY, "audit")?,
            enterprise: number(self.enterprise, ENTERPRISE, EXAMPLE_ENTERPRISE, context)?,
            hostname: name(&self.hostname, HOSTNAME, &context.host),
            app_name: name(&self.app_name, APP_NAME, &context.namespace),
            bom: yes_or_no(self.bom, BOM, true, context)?,
            dimensions: &context.dimensions,
        }))
    }

    fn tls(&self, context: &Context) -> Result<Tls, Error> {
        let found = |part: &str| setting(None, &format!("{TLS}_{part}"), context);
        let file = |told: &Option<PathBuf>, part| told.clone().or_else(|| found(part).map(PathBuf::from));
        let files = TlsFiles {
            ca: file(&self.tls.ca, "CA"),
            cert: file(&self.tls.cert, "CERT"),
            key: file(&self.tls.key, "KEY"),
            server_name: self.tls.server_name.clone().or_else(|| found("NAME")),
        };
        Tls::open(files, TLS)
    }
}

/// A number: what the program said, else the variable, else `default`.
fn number<N: std::str::FromStr>(
    told: Option<N>,
    variable: &str,
    default: N,
    context: &Context,
) -> Result<N, Error> {
    match (told, setting(None, variable, context)) {
        (Some(told), _) => Ok(told),
        (None, None) => Ok(default),
        (None, Some(text)) => text.parse().map_err(|_| {
            Error::setting(variable, format!("\"{text}\" is no number that fits"), "use digits alone")
        }),
    }
}

impl Configure for Syslog {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let address = self.checked_address(context)?;
        let framing = self.checked_framing(&address, context)?;
        let overhead = match framing {
            _ if address.is_datagram() => 0,
            SyslogFraming::OctetCounting => 8, // seven digits and a space
            SyslogFraming::LineFeed => 1,
        };
        let limits = limits(self.checked_bytes(&address, context)?, overhead);
        let bytes_max = limits.clone().under(context.push_limit).item_bytes_max;
        let speaker = self.speaker(context)?.within(bytes_max).map_err(|needed| {
            let problem = format!("{bytes_max} bytes have no room for the names of this host and a message");
            Error::setting(MESSAGE_BYTES_MAX, problem, format!("use {needed} or more, or shorter names"))
        })?;
        let tls = if address.is_tls() { Some(self.tls(context)?) } else { None };
        let resend = yes_or_no(self.resend, RESEND, true, context)?;
        let wire = if address.is_datagram() {
            Wire::datagrams(address)
        } else {
            Wire::stream(address, tls, framing, resend)
        };
        Ok(Box::new(Open { speaker, wire, limits }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

/// A push is what is written at once; the protocol knows none, so it is held to the contract unless the user raises it.
fn limits(message_bytes_max: usize, item_overhead_bytes: usize) -> Limits {
    Limits {
        push_bytes_max: 2 << 20,
        envelope_bytes: 0,
        push_items_max: 10_000,
        item_bytes_max: message_bytes_max,
        item_overhead_bytes,
        span_ms_max: None,
        age_ms_max: None,
        ahead_ms_max: None,
        ordered: false,
        push: true,
        oversize: Oversize::Refuse, // what is over-long has been split when it was encoded
    }
}

struct Open {
    speaker: Speaker,
    wire: Wire,
    limits: Limits,
}

impl Backend for Open {
    fn id(&self) -> &str {
        "syslog"
    }

    fn limits(&self) -> Limits {
        self.limits.clone()
    }

    fn accepts(&self, signal: Signal) -> bool {
        matches!(signal, Signal::Log | Signal::Audit)
    }

    fn encode(&mut self, record: &Record<'_>, out: &mut Items) -> Result<(), EncodeError> {
        self.speaker.say(record, out)
    }

    fn send(&mut self, batch: &Batch, net: &mut Net) -> Verdict {
        self.wire.send(batch, net)
    }
}

#[cfg(test)]
mod tests;
