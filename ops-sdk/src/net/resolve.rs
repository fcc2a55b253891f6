//! Addresses of hosts, kept for a while. `ureq` asks for them before every request, also where a connection is there that
//! it will use, and within a bound it asks on a thread of its own: without this, a thread and a question to the name
//! server for every push.
//!
//! Promises: an address that is given is not older than [`KEPT`], and none is given again after an exchange that came to
//! no answer. Never keeps a failure, nor more hosts than [`HOSTS_MAX`].

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::Uri;
use ::ureq::Error;
use ::ureq::config::Config;
use ::ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ::ureq::unversioned::transport::NextTimeout;

use crate::lock::Mutex;

/// As long as services leave their own addresses valid, or less (AWS: 60 s, or 5 s where there are many).
const KEPT: Duration = Duration::from_secs(30);
/// A backend speaks to its service and to what gives it credentials.
const HOSTS_MAX: usize = 16;

/// Addresses, shared by whoever holds a clone.
pub(super) struct Known<R = DefaultResolver> {
    hosts: Arc<Mutex<Vec<Host>>>,
    ask: Arc<R>,
}

struct Host {
    uri: Uri,
    addresses: ResolvedSocketAddrs,
    since: Instant,
}

impl<R> Clone for Known<R> {
    fn clone(&self) -> Known<R> {
        Known { hosts: Arc::clone(&self.hosts), ask: Arc::clone(&self.ask) }
    }
}

impl<R: Resolver> Known<R> {
    /// Knows nothing yet.
    pub(super) fn new(ask: R) -> Known<R> {
        Known { hosts: Arc::default(), ask: Arc::new(ask) }
    }

    /// An address may be one that nobody answers at any more.
    pub(super) fn forget(&self) {
        self.hosts.lock().clear();
    }

    fn find(&self, uri: &Uri, now: Instant) -> Option<ResolvedSocketAddrs> {
        let mut hosts = self.hosts.lock();
        hosts.retain(|host| now.saturating_duration_since(host.since) < KEPT);
        hosts.iter().find(|host| is_same(&host.uri, uri)).map(|host| host.addresses.clone())
    }

    fn keep(&self, host: Host) {
        let mut hosts = self.hosts.lock();
        if hosts.len() >= HOSTS_MAX {
            hosts.remove(0); // the oldest
        }
        hosts.push(host);
    }
}

/// Whether the addresses of one are those of the other: the scheme has the port where none is named.
fn is_same(one: &Uri, other: &Uri) -> bool {
    one.scheme() == other.scheme() && one.authority() == other.authority()
}

impl<R: Resolver> Resolver for Known<R> {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let now = Instant::now();
        if let Some(addresses) = self.find(uri, now) {
            return Ok(addresses);
        }
        let addresses = self.ask.resolve(uri, config, timeout)?;
        self.keep(Host { uri: uri.clone(), addresses: addresses.clone(), since: now });
        Ok(addresses)
    }
}

impl<R> fmt::Debug for Known<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::atomic::AtomicU16;
    use std::sync::atomic::Ordering::Relaxed;

    use ::ureq::Timeout;

    use super::*;

    /// Gives another port each time; knows no host that is called `gone`.
    #[derive(Debug, Default)]
    struct Counting(AtomicU16);

    impl Resolver for Counting {
        fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
            let asked = self.0.fetch_add(1, Relaxed);
            if uri.host() == Some("gone") {
                return Err(Error::HostNotFound);
            }
            let mut addresses = self.empty();
            addresses.push(SocketAddr::from((Ipv4Addr::LOCALHOST, asked)));
            Ok(addresses)
        }
    }

    fn ask(known: &Known<Counting>, uri: &str) -> Option<u16> {
        let timeout = NextTimeout {
            after: Duration::from_secs(1).into(),
            reason: Timeout::Resolve,
            per_read: None,
            per_write: None,
        };
        let found = known.resolve(&uri.parse().unwrap(), &Config::default(), timeout);
        found.ok().map(|addresses| addresses[0].port())
    }

    #[test]
    fn a_host_is_asked_for_once_until_it_is_forgotten() {
        let known = Known::new(Counting::default());
        let told = ["http://a/x", "http://a/y?z", "https://a/", "http://a:81/", "https://a/", "http://a/"];
        assert_eq!(told.map(|uri| ask(&known, uri)), [0, 0, 1, 2, 1, 0].map(Some));
        known.forget();
        assert_eq!(ask(&known, "http://a/"), Some(3));
    }

    #[test]
    fn what_is_old_is_asked_for_again_and_the_oldest_makes_room() {
        let known = Known::new(Counting::default());
        assert_eq!(ask(&known, "http://a/"), Some(0));
        let uri: Uri = "http://a/".parse().unwrap();
        let since = known.hosts.lock()[0].since;
        assert!(known.find(&uri, since + KEPT / 2).is_some());
        assert!(known.find(&uri, since + KEPT).is_none());
        for port in 1..=u16::try_from(HOSTS_MAX).unwrap() + 1 {
            assert_eq!(ask(&known, &format!("http://h{port}/")), Some(port));
        }
        assert_eq!(known.hosts.lock().len(), HOSTS_MAX);
        assert_eq!(ask(&known, "http://h2/"), Some(2), "kept");
        assert!(ask(&known, "http://h1/") > Some(2), "the oldest was not");
    }

    #[test]
    fn a_failure_is_not_kept() {
        let known = Known::new(Counting::default());
        assert_eq!([ask(&known, "http://gone/"), ask(&known, "http://gone/")], [None, None]);
        assert_eq!(known.ask.0.load(Relaxed), 2);
    }
}
