//! What `reqsign`'s credential providers are lent: our transport, files, variables and processes, all blocking, so that
//! their futures are ready when first polled and no runtime is needed.
//!
//! Metadata services are asked without a proxy and given [`METADATA_CONNECT`] to connect: on a machine that has none,
//! finding out must be quick.

use std::collections::HashMap;
use std::io::Read;
use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use crate::lock::Mutex;
use bytes::Bytes;
use reqsign_core::{CommandExecute, CommandOutput, Context, Env, Error, FileRead, HttpSend, Result};

use super::super::Var;
use super::super::http::{Bounds, Exchange, Transport};
use super::super::{CONNECT_TIMEOUT, Net};
use super::settings;

/// For a connection to a metadata service: botocore's default.
pub(super) const METADATA_CONNECT: Duration = Duration::from_secs(1);
/// For all of one exchange with a metadata service: twice that.
const METADATA_TOTAL: Duration = Duration::from_secs(2);
/// For one exchange with STS or SSO.
const SERVICE_TOTAL: Duration = Duration::from_secs(10);
/// For a `credential_process`: it may ask an identity provider, but no user.
const PROCESS_TOTAL: Duration = Duration::from_secs(20);
/// Bytes of a file or of a process's output that are read.
const BYTES_MAX: u64 = 1 << 20;

/// Variables that the providers read as a map. `AWS_REGION` and `AWS_STS_REGIONAL_ENDPOINTS` are ours to set.
const VARIABLES: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// The transport of the push that credentials are being loaded for, and what that took.
#[derive(Clone, Default)]
pub(super) struct Line(Arc<Mutex<Lent>>);

#[derive(Default)]
struct Lent {
    transport: Option<Arc<dyn Transport>>,
    left: Duration,
    spent: Duration,
}

impl Line {
    /// Lends the push's transport to whatever `load` asks for, and charges the push for the time it took.
    pub(super) fn during<T>(&self, net: &mut Net, load: impl FnOnce() -> T) -> T {
        let transport = Some(Arc::clone(&net.transport));
        *self.0.lock() = Lent { transport, left: net.left(), spent: Duration::ZERO };
        let loaded = load();
        net.spend(std::mem::take(&mut *self.0.lock()).spent);
        loaded
    }

    fn exchange(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let (transport, left) = {
            let lent = self.0.lock();
            (lent.transport.clone(), lent.left.saturating_sub(lent.spent))
        };
        let transport = transport.ok_or_else(|| Error::unexpected("asked for outside of a push"))?;
        let bounds = bounds(request.uri().host().unwrap_or_default(), left);
        let Exchange { outcome, elapsed } = transport.exchange(request.map(|body| body.to_vec()), bounds);
        self.0.lock().spent += elapsed;
        let answer = outcome.map_err(|error| Error::unexpected(error.text))?;
        let mut response = http::Response::new(Bytes::from(answer.body));
        *response.status_mut() = http::StatusCode::from_u16(answer.status)
            .map_err(|_| Error::unexpected("an answer without a status"))?;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// How long a host may take. The addresses of metadata services are asked without a proxy, as are names of this
/// machine's own.
fn bounds(host: &str, left: Duration) -> Bounds {
    let metadata = match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_link_local() || address.is_loopback(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments()[..2] == EC2_V6.segments()[..2],
        Err(_) => host == "localhost",
    };
    let (connect, total) =
        if metadata { (METADATA_CONNECT, METADATA_TOTAL) } else { (CONNECT_TIMEOUT, SERVICE_TOTAL) };
    Bounds { connect: connect.min(left), total: total.min(left), proxy: !metadata }
}

/// `fd00:ec2::`, where the metadata services of EC2 and EKS live.
const EC2_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0);

/// What the providers see of the world.
pub(super) fn context(line: &Line, region: &str, var: &Var) -> Context {
    let environment = Environment { var: Arc::clone(var), region: region.to_owned() };
    Context::new()
        .with_http_send(line.clone())
        .with_file_read(Files)
        .with_command_execute(Processes)
        .with_env(environment)
}

/// Runs a future that never waits for another: everything lent blocks.
///
/// # Errors
///
/// If it did wait: there is nothing here that could wake it.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(Error::unexpected("a credential provider waited for a runtime")),
    }
}

impl HttpSend for Line {
    async fn http_send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        self.exchange(request)
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Line")
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        let read = |path: &str| -> std::io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            std::fs::File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        read(path).map_err(|error| Error::config_invalid(format!("cannot read {path}: {error}")))
    }
}

struct Environment {
    var: Var,
    region: String,
}

impl Env for Environment {
    fn var(&self, key: &str) -> Option<String> {
        match key {
            "AWS_REGION" => Some(self.region.clone()),
            "AWS_STS_REGIONAL_ENDPOINTS" => Some("regional".to_owned()),
            _ => settings::set(&self.var, key),
        }
    }

    fn vars(&self) -> HashMap<String, String> {
        let names = VARIABLES.into_iter().chain(["AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS"]);
        names.filter_map(|name| Some((name.to_owned(), self.var(name)?))).collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        settings::home(&self.var)
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

#[derive(Debug)]
struct Processes;

impl CommandExecute for Processes {
    async fn command_execute<'a>(&'a self, program: &'a str, args: &'a [&'a str]) -> Result<CommandOutput> {
        run(program, args, PROCESS_TOTAL)
    }
}

/// Runs a process without a shell and ends it when it takes too long. What it says on stderr is not kept: it may name
/// what it should not.
fn run(program: &str, args: &[&str], patience: Duration) -> Result<CommandOutput> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let failed = |error: std::io::Error| Error::config_invalid(format!("cannot run {program}: {error}"));
    let mut child = command.spawn().map_err(failed)?;
    let (done, output) = mpsc::channel();
    if let Some(mut pipe) = child.stdout.take() {
        // Reading has a thread of its own because a pipe cannot be read with a deadline.
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let read = pipe.by_ref().take(BYTES_MAX).read_to_end(&mut bytes);
            let _ = done.send(read.map(|_| bytes));
        });
    }
    let Ok(read) = output.recv_timeout(patience) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(Error::unexpected(format!("{program} took longer than {} s", patience.as_secs())));
    };
    let status = child.wait().map_err(failed)?.code().unwrap_or(-1);
    Ok(CommandOutput { status, stdout: read.map_err(failed)?, stderr: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_services_are_asked_quickly_and_without_a_proxy() {
        let quick = Bounds { connect: METADATA_CONNECT, total: METADATA_TOTAL, proxy: false };
        let patient = Bounds { connect: CONNECT_TIMEOUT, total: SERVICE_TOTAL, proxy: true };
        let table = [
            ("169.254.169.254", quick),
            ("169.254.170.2", quick),
            ("169.254.170.23", quick),
            ("[fd00:ec2::23]", quick),
            ("[::1]", quick),
            ("localhost", quick),
            ("sts.eu-west-1.amazonaws.com", patient),
            ("10.0.0.1", patient),
        ];
        for (host, expected) in table {
            assert_eq!(bounds(host, Duration::from_secs(30)), expected, "{host}");
        }
        assert_eq!(bounds("169.254.169.254", Duration::from_millis(5)).total, Duration::from_millis(5));
    }

    #[cfg(unix)]
    #[test]
    fn a_process_is_run_without_a_shell_and_ended_when_it_takes_too_long() {
        let output = run("printf", &["%s", "$HOME;x"], PROCESS_TOTAL).unwrap();
        assert_eq!((output.status, output.stdout), (0, b"$HOME;x".to_vec()));
        let quiet = run("sh", &["-c", "echo hidden >&2; exit 3"], PROCESS_TOTAL).unwrap();
        assert_eq!((quiet.status, quiet.stderr.len()), (3, 0));
        let error = run("sleep", &["60"], Duration::from_millis(50)).unwrap_err();
        assert!(error.to_string().contains("sleep took longer than"), "{error}");
        assert!(run("/nonexistent", &[], PROCESS_TOTAL).is_err());
    }

    #[test]
    fn a_future_that_waits_is_an_error_and_not_a_hang() {
        assert_eq!(block_on(async { 7 }).unwrap(), 7);
        assert!(block_on(std::future::pending::<()>()).is_err());
    }
}
