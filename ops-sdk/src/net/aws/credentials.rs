//! The keys in hand, and when to load them anew. Loading is `reqsign`'s; the order of its sources is that of AWS's own
//! tools (botocore 1.44.5): environment, the profile's role, web identity, SSO, the profile's keys and process,
//! container, instance.
//!
//! A failure to load never takes keys away that are still in hand: the service is the judge of those. Not supported,
//! and said so: MFA, `sso_session` sections and `aws login`; `aws configure export-credentials` serves as
//! `credential_process` for them.

use reqsign_aws_v4::{
    AssumeRoleCredentialProvider, AssumeRoleWithWebIdentityCredentialProvider, Credential,
    ECSCredentialProvider, EnvCredentialProvider, IMDSv2CredentialProvider, ProcessCredentialProvider,
    ProfileCredentialProvider, RequestSigner, SSOCredentialProvider,
};
use reqsign_core::{Context, ProvideCredentialDyn, Signer};

use super::super::Net;
use super::super::Var;
use super::lend::{self, Line};
use super::settings::{Profile, on, set};
use crate::clock::Now;
use crate::error::Error;

/// Keys that expire within this many seconds are loaded anew. (IMDS has new ones 5 minutes before.)
const ADVISORY_S: i64 = 5 * 60;
/// While the old keys still serve, a failed attempt is repeated after this long.
const ATTEMPT_EVERY_NS: u64 = 60 * 1_000_000_000;
/// Characters of a source's own words that are kept.
const WORDS_MAX: usize = 160;

const REMEDY: &str =
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role";

type Source = (&'static str, Box<dyn ProvideCredentialDyn<Credential = Credential>>);

/// The keys in hand and where to get others.
pub(super) struct Credentials {
    sources: Vec<Source>,
    context: Context,
    line: Line,
    held: Option<Credential>,
    /// How often keys were loaded: which ones are held.
    number: u64,
    refused: bool,
    attempted_ns: Option<u64>,
}

impl Credentials {
    /// Looks where keys could come from, without loading them.
    pub(super) fn open(profile: &Profile, region: &str, var: &Var) -> Result<Credentials, Error> {
        if !conceivable(profile, var) {
            let problem = format!(
                "no credentials: no keys in the environment or in profile \"{}\", no web identity, no container \
                 role, and AWS_EC2_METADATA_DISABLED keeps from asking for an instance role",
                profile.name
            );
            return Err(Error::setting("AWS_ACCESS_KEY_ID", problem, REMEDY));
        }
        let line = Line::default();
        let context = lend::context(&line, region, var);
        let sources = sources(profile, region, &context, var);
        Ok(Credentials { sources, context, line, held: None, number: 0, refused: false, attempted_ns: None })
    }

    /// Which keys are in hand.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The keys of this number were refused. If others are in hand by now, that says nothing of them.
    pub(super) fn refuse(&mut self, number: u64) {
        self.refused |= number == self.number;
    }

    /// Keys to sign with, loaded anew when that is due.
    pub(super) fn get(&mut self, net: &mut Net) -> Result<&Credential, String> {
        let expiry_s = self.held.as_ref().map(|held| held.expires_in.map(|at| at.as_second()));
        if due(expiry_s, self.refused, self.attempted_ns, net.current()) {
            self.attempted_ns = Some(net.current().mono_ns);
            match self.load(net) {
                Ok(loaded) => (self.held, self.number, self.refused) = (Some(loaded), self.number + 1, false),
                Err(why) if self.held.is_none() => return Err(why),
                Err(_) => {}
            }
        }
        self.held.as_ref().ok_or_else(|| "no credentials".to_owned())
    }

    fn load(&self, net: &mut Net) -> Result<Credential, String> {
        let Credentials { line, sources, context, .. } = self;
        line.during(net, || {
            let mut words = Vec::new();
            for (name, source) in sources {
                match lend::block_on(source.provide_credential_dyn(context)).and_then(|loaded| loaded) {
                    Ok(Some(loaded)) => return Ok(loaded),
                    Ok(None) => {}
                    Err(error) => words.push(format!("{name}: {}", tell(name, &error))),
                }
            }
            let names: Vec<_> = sources.iter().map(|(name, _)| *name).collect();
            let (names, words) = (names.join(", "), words.join("; "));
            Err(format!("no credentials: looked in {names} ({words}); {REMEDY}"))
        })
    }
}

/// A source's own words. A process's output, even a malformed one, may hold what must not be told.
fn tell(name: &str, error: &reqsign_core::Error) -> String {
    let words = error.to_string();
    let harmless = name != PROCESS || words.starts_with("cannot run") || words.contains("took longer");
    let words = if harmless { words } else { "it failed or did not print credentials".to_owned() };
    words.chars().take(WORDS_MAX).collect()
}

/// Whether keys must be loaded before the next signature.
fn due(expiry_s: Option<Option<i64>>, refused: bool, attempted_ns: Option<u64>, now: Now) -> bool {
    let Some(expiry_s) = expiry_s else { return true };
    let rested = attempted_ns.is_none_or(|at| now.mono_ns.saturating_sub(at) >= ATTEMPT_EVERY_NS);
    let now_s = i64::try_from(now.unix_ns / 1_000_000_000).unwrap_or(i64::MAX);
    let expires_in_s = |at: i64| at.saturating_sub(now_s);
    refused || expiry_s.is_some_and(|at| expires_in_s(at) <= ADVISORY_S && (rested || expires_in_s(at) <= 0))
}

/// Whether there is anywhere that keys could come from, as far as can be told without the network.
fn conceivable(profile: &Profile, var: &Var) -> bool {
    const IN_PROFILE: [&str; 5] =
        ["aws_access_key_id", "credential_process", "sso_start_url", "role_arn", "sso_session"];
    let variable = |name: &str| set(var, name).is_some();
    variable("AWS_ACCESS_KEY_ID") && variable("AWS_SECRET_ACCESS_KEY")
        || IN_PROFILE.iter().any(|key| profile.get(key).is_some())
        || variable("AWS_WEB_IDENTITY_TOKEN_FILE") && variable("AWS_ROLE_ARN")
        || variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
        || variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        || !on(var, "AWS_EC2_METADATA_DISABLED")
}

const PROCESS: &str = "the profile's process";

fn sources(profile: &Profile, region: &str, context: &Context, var: &Var) -> Vec<Source> {
    let mut sources: Vec<Source> = vec![("the environment", Box::new(EnvCredentialProvider::new()))];
    if let Some(role) = role_of(profile, region, context) {
        sources.push(("the profile's role", Box::new(role)));
    }
    let web_identity = AssumeRoleWithWebIdentityCredentialProvider::new();
    sources.push(("web identity", Box::new(web_identity)));
    sources.push(("SSO", Box::new(SSOCredentialProvider::new())));
    sources.push(("the profile", Box::new(ProfileCredentialProvider::new())));
    sources.push((PROCESS, Box::new(ProcessCredentialProvider::new())));
    sources.push(("the container", Box::new(ECSCredentialProvider::new())));
    if !on(var, "AWS_EC2_METADATA_DISABLED") {
        sources.push(("the instance", Box::new(IMDSv2CredentialProvider::new())));
    }
    sources
}

/// The role that the profile names, with the keys that `source_profile` or `credential_source` names.
fn role_of(profile: &Profile, region: &str, context: &Context) -> Option<AssumeRoleCredentialProvider> {
    let arn = profile.get("role_arn")?;
    let signer = RequestSigner::new("sts", region);
    let signer = match (profile.get("source_profile"), profile.get("credential_source")) {
        (Some(name), _) => {
            let keys = ProfileCredentialProvider::new().with_profile(name);
            Signer::new(context.clone(), keys, signer)
        }
        (None, Some("Environment")) => Signer::new(context.clone(), EnvCredentialProvider::new(), signer),
        (None, Some("EcsContainer")) => Signer::new(context.clone(), ECSCredentialProvider::new(), signer),
        (None, Some("Ec2InstanceMetadata")) => {
            Signer::new(context.clone(), IMDSv2CredentialProvider::new(), signer)
        }
        _ => return None,
    };
    let session = profile.get("role_session_name").unwrap_or("ops-sdk").to_owned();
    let role = AssumeRoleCredentialProvider::new(arn.to_owned(), signer)
        .with_region(region.to_owned())
        .with_regional_sts_endpoint()
        .with_role_session_name(session);
    Some(match profile.get("external_id") {
        Some(id) => role.with_external_id(id.to_owned()),
        None => role,
    })
}

#[cfg(test)]
mod tests;
