//! Where to: the region, and the endpoint of a service in it. Pure but for the environment that is handed in.

use ::http::{HeaderValue, Uri};

use super::super::Var;
use super::settings::{Profile, Service, Settings, on, set};
use crate::error::Error;

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: Uri,
    /// The `host` header: with the port where it is not the scheme's own.
    pub(super) host: HeaderValue,
}

/// The region: what the builder was told, `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's.
pub(super) fn region(settings: &Settings, profile: &Profile, var: &Var) -> Result<String, Error> {
    let told = settings.region.clone().map(|region| (region, ".region(..)".to_owned()));
    let variable = |name: &str| set(var, name).map(|region| (region, name.to_owned()));
    let of_profile = || Some((profile.get("region")?.to_owned(), format!("profile {}", profile.name)));
    let found = told.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    let Some((region, setting)) = found.or_else(of_profile) else {
        return Err(Error::setting(
            "AWS_REGION",
            "no region is set",
            "set AWS_REGION (as in AWS_REGION=eu-west-1), .region(..) or `region` in the profile",
        ));
    };
    if !is_name(&region) {
        let problem = format!("\"{region}\" is not the name of a region");
        return Err(Error::setting(setting, problem, "name one as AWS does, as in eu-west-1"));
    }
    Ok(region)
}

/// Whether this may be the name of a region.
pub(super) fn is_name(region: &str) -> bool {
    let named = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !region.is_empty() && region.len() <= 63 && region.chars().all(named)
}

impl Endpoint {
    /// The same in another region, where the host names its region.
    pub(super) fn in_region(&self, from: &str, to: &str) -> Option<Endpoint> {
        let host = self.url.authority()?.as_str();
        self.at(&host.replacen(&format!(".{from}."), &format!(".{to}."), 1))
    }

    /// The host below this one.
    pub(super) fn below(&self, label: &str) -> Option<Endpoint> {
        self.at(&format!("{label}.{}", self.url.authority()?))
    }

    fn at(&self, authority: &str) -> Option<Endpoint> {
        parse(&format!("{}://{authority}{}", self.url.scheme_str()?, self.url.path())).ok()
    }
}

/// The endpoint: what the builder was told, `AWS_ENDPOINT_URL_<SERVICE>`, `AWS_ENDPOINT_URL`, or the service's own in
/// the region's partition.
pub(super) fn endpoint(
    service: &Service,
    settings: &Settings,
    region: &str,
    var: &Var,
) -> Result<Endpoint, Error> {
    let ignored = on(var, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    let variable = |name: String| Some((set(var, &name).filter(|_| !ignored)?, name));
    let told = settings.endpoint.clone().map(|url| (url, ".endpoint(..)".to_owned()));
    let told = told.or_else(|| variable(format!("AWS_ENDPOINT_URL_{}", service.variable)));
    let (url, setting) = match told.or_else(|| variable("AWS_ENDPOINT_URL".to_owned())) {
        Some(told) => told,
        None => (format!("https://{}", own_host(service, region, var)?), "AWS_REGION".to_owned()),
    };
    parse(&url).map_err(|problem| {
        let remedy = "give a URL of scheme, host and port, as in http://127.0.0.1:5000";
        Error::setting(setting, format!("\"{}\" {problem}", shown(&url)), remedy)
    })
}

fn parse(url: &str) -> Result<Endpoint, &'static str> {
    let url: Uri = url.trim().parse().map_err(|_| "is not a URL")?;
    let scheme = match url.scheme_str() {
        Some(scheme @ ("http" | "https")) => scheme,
        Some(_) => return Err("is neither http nor https"),
        None => return Err("has no scheme"),
    };
    let authority = url.authority().ok_or("has no host")?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err("holds a user's name, or no host");
    }
    if url.query().is_some() {
        return Err("holds a query");
    }
    if !url.path().split('/').skip(1).all(is_plain) || url.path().contains("//") {
        return Err(
            "has a path that cannot be signed: of more than letters, digits and -._~, or of . and ..",
        );
    }
    let own_port = if scheme == "http" { 80 } else { 443 };
    let host = match authority.as_str().strip_prefix(authority.host()).and_then(|rest| rest.strip_prefix(':'))
    {
        None => authority.host(),
        Some(port) if port.parse() == Ok(own_port) => authority.host(),
        Some(port) if port.parse::<u16>().is_ok() => authority.as_str(),
        Some(_) => return Err("has a port that is none"),
    };
    let host = HeaderValue::from_str(host).map_err(|_| "is not a URL")?;
    Ok(Endpoint { url, host })
}

/// Whether this part of a path is the same in every canonical form. The signer escapes a path once, as S3 does; the
/// other services escape it twice and resolve its dots.
fn is_plain(part: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    part != "." && part != ".." && part.bytes().all(unreserved)
}

/// The URL without what may be a password.
fn shown(url: &str) -> String {
    let end = url.split('?').next().unwrap_or_default();
    end.rsplit_once('@').map_or_else(|| end.to_owned(), |(_, rest)| format!("…@{rest}"))
}

fn own_host(service: &Service, region: &str, var: &Var) -> Result<String, Error> {
    let dualstack = on(var, "AWS_USE_DUALSTACK_ENDPOINT");
    host(service, region, on(var, "AWS_USE_FIPS_ENDPOINT"), dualstack).ok_or_else(|| {
        let problem = format!("the partition of {region} has no dual-stack endpoints");
        Error::setting("AWS_USE_DUALSTACK_ENDPOINT", problem, "unset it")
    })
}

/// The service's own host, by the partition of the region (checked against the endpoint rules of botocore 1.44.5);
/// `None` where there is no dual-stack one.
fn host(service: &Service, region: &str, fips: bool, dualstack: bool) -> Option<String> {
    let (plain, dual) = suffixes(region);
    // In GovCloud the plain hosts are the FIPS ones; of the dual-stack hosts only some are.
    let plain_is_fips = region.starts_with("us-gov-") && (!dualstack || service.gov_dualstack_is_fips);
    let fips = if fips && !plain_is_fips { "-fips" } else { "" };
    if dualstack && service.signing_name == "s3" {
        // S3 had its dual-stack hosts before the others, under the plain domain (botocore 1.44.5, endpoint rules of S3).
        return Some(format!("{}{fips}.dualstack.{region}.{plain}", service.host_prefix));
    }
    let suffix = if dualstack { dual? } else { plain };
    Some(format!("{}{fips}.{region}.{suffix}", service.host_prefix))
}

/// The partition's domain, plain and dual-stack.
fn suffixes(region: &str) -> (&'static str, Option<&'static str>) {
    const PARTITIONS: [(&str, &str, Option<&str>); 6] = [
        ("cn-", "amazonaws.com.cn", Some("api.amazonwebservices.com.cn")),
        ("eusc-", "amazonaws.eu", Some("api.amazonwebservices.eu")),
        ("us-iso-", "c2s.ic.gov", Some("api.aws.ic.gov")),
        ("us-isob-", "sc2s.sgov.gov", Some("api.aws.scloud")),
        ("eu-isoe-", "cloud.adc-e.uk", None),
        ("us-isof-", "csp.hci.ic.gov", None),
    ];
    let found = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
    found.map_or(("amazonaws.com", Some("api.aws")), |(_, plain, dual)| (plain, *dual))
}

#[cfg(test)]
mod tests {
    use super::super::tests::var;
    use super::*;

    const LOGS: Service = Service {
        signing_name: "logs",
        host_prefix: "logs",
        variable: "CLOUDWATCH_LOGS",
        gov_dualstack_is_fips: false,
    };

    #[test]
    fn the_region_is_the_first_that_is_set() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, "[default]\nregion=eu-north-1\n[profile ops]\nregion=eu-south-2\n").unwrap();
        let file = ("AWS_CONFIG_FILE", config.to_str().unwrap());
        let told = Settings { region: Some("ap-south-1".into()), endpoint: None };
        let none = Settings::default();
        let table = [
            (&told, vec![("AWS_REGION", "eu-west-1")], "ap-south-1"),
            (&none, vec![("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "us-east-1")], "eu-west-1"),
            (&none, vec![("AWS_REGION", " "), ("AWS_DEFAULT_REGION", "us-east-1")], "us-east-1"),
            (&none, vec![file], "eu-north-1"),
            (&none, vec![file, ("AWS_PROFILE", "ops")], "eu-south-2"),
        ];
        for (settings, vars, expected) in table {
            let var = var(&vars);
            assert_eq!(region(settings, &Profile::read(&var), &var).unwrap(), expected);
        }
    }

    #[test]
    fn no_region_or_one_that_is_none_is_told_with_setting_and_remedy() {
        let none = region(&Settings::default(), &Profile::default(), &var(&[])).unwrap_err().to_string();
        assert!(none.starts_with("AWS_REGION: no region is set; set AWS_REGION"), "{none}");
        for bad in ["evil.example.com/", "EU", "a b", &"x".repeat(64)] {
            let var = var(&[("AWS_REGION", bad)]);
            let error = region(&Settings::default(), &Profile::default(), &var).unwrap_err().to_string();
            assert!(error.starts_with("AWS_REGION: \""), "{error}");
        }
    }

    #[test]
    fn the_endpoint_is_the_first_that_is_set() {
        let told = Settings { region: None, endpoint: Some("http://127.0.0.1:9/".into()) };
        let none = Settings::default();
        let both = [("AWS_ENDPOINT_URL", "http://a:1"), ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "https://b")];
        let ignored = [both[0], both[1], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "TRUE")];
        let table: [(&Settings, &[(&str, &str)], &str, &str); 7] = [
            (&told, &both, "http://127.0.0.1:9/", "127.0.0.1:9"),
            (&none, &both, "https://b/", "b"),
            (&none, &both[..1], "http://a:1/", "a:1"),
            (&none, &ignored, "https://logs.eu-west-1.amazonaws.com/", "logs.eu-west-1.amazonaws.com"),
            (&none, &[], "https://logs.eu-west-1.amazonaws.com/", "logs.eu-west-1.amazonaws.com"),
            (&none, &[("AWS_ENDPOINT_URL", "https://[::1]:443/")], "https://[::1]:443/", "[::1]"),
            (&none, &[("AWS_ENDPOINT_URL", "http://a/b-c/~d.e/")], "http://a/b-c/~d.e/", "a"),
        ];
        for (settings, vars, url, host) in table {
            let endpoint = endpoint(&LOGS, settings, "eu-west-1", &var(vars)).unwrap();
            assert_eq!((endpoint.url.to_string().as_str(), endpoint.host.to_str().unwrap()), (url, host));
        }
    }

    #[test]
    fn an_endpoint_that_is_none_is_told_with_its_setting_and_without_its_password() {
        for bad in [
            "localhost:5000",
            "ftp://a",
            "http://",
            "http://a b",
            "http://me:hidden@a",
            "http://a?x=hidden",
            "http://a:99999",
            "http://a/b%20c",
            "http://a/b+c",
            "http://a/b/../c",
            "http://a//b",
        ] {
            let var = var(&[("AWS_ENDPOINT_URL", bad)]);
            let error = endpoint(&LOGS, &Settings::default(), "eu-west-1", &var).unwrap_err().to_string();
            assert!(error.starts_with("AWS_ENDPOINT_URL: \""), "{error}");
            assert!(error.contains("as in http://127.0.0.1:5000") && !error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_moves_with_its_region_and_has_hosts_below_it() {
        let endpoint = |url: &str| parse(url).unwrap();
        let own = endpoint("https://b.s3.us-east-1.amazonaws.com");
        let moved = own.in_region("us-east-1", "eu-west-1").unwrap();
        assert_eq!(moved.host, "b.s3.eu-west-1.amazonaws.com");
        let other = endpoint("http://minio:9000/x");
        assert_eq!(other.in_region("us-east-1", "eu-west-1").unwrap(), other);
        let below = other.below("bucket").unwrap();
        assert_eq!(
            (below.url.to_string().as_str(), &below.host),
            ("http://bucket.minio:9000/x", &below.host)
        );
        assert!(other.below("a/b").is_none_or(|endpoint| endpoint.url.host() != Some("a")));
        assert!(other.below("a b").is_none());
    }

    #[test]
    fn each_partition_has_its_hosts() {
        let table = [
            ("eu-west-1", false, false, "logs.eu-west-1.amazonaws.com"),
            ("us-east-1", true, false, "logs-fips.us-east-1.amazonaws.com"),
            ("us-east-1", false, true, "logs.us-east-1.api.aws"),
            ("us-east-1", true, true, "logs-fips.us-east-1.api.aws"),
            ("cn-north-1", false, false, "logs.cn-north-1.amazonaws.com.cn"),
            ("cn-north-1", true, true, "logs-fips.cn-north-1.api.amazonwebservices.com.cn"),
            ("eusc-de-east-1", false, false, "logs.eusc-de-east-1.amazonaws.eu"),
            ("us-gov-west-1", false, false, "logs.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", true, false, "logs.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", true, true, "logs-fips.us-gov-west-1.api.aws"),
            ("us-iso-east-1", true, true, "logs-fips.us-iso-east-1.api.aws.ic.gov"),
            ("us-isob-east-1", false, true, "logs.us-isob-east-1.api.aws.scloud"),
            ("eu-isoe-west-1", false, false, "logs.eu-isoe-west-1.cloud.adc-e.uk"),
            ("us-isof-south-1", true, false, "logs-fips.us-isof-south-1.csp.hci.ic.gov"),
        ];
        for (region, fips, dualstack, expected) in table {
            assert_eq!(host(&LOGS, region, fips, dualstack).as_deref(), Some(expected));
        }
        let metrics = Service { host_prefix: "monitoring", gov_dualstack_is_fips: true, ..LOGS };
        let gov = host(&metrics, "us-gov-east-1", true, true);
        assert_eq!(gov.as_deref(), Some("monitoring.us-gov-east-1.api.aws"));
        let s3 = Service { signing_name: "s3", host_prefix: "s3", ..LOGS };
        let table = [
            (false, false, "s3.eu-west-1.amazonaws.com"),
            (true, false, "s3-fips.eu-west-1.amazonaws.com"),
            (false, true, "s3.dualstack.eu-west-1.amazonaws.com"),
            (true, true, "s3-fips.dualstack.eu-west-1.amazonaws.com"),
        ];
        for (fips, dualstack, expected) in table {
            assert_eq!(host(&s3, "eu-west-1", fips, dualstack).as_deref(), Some(expected));
        }
        let vars = var(&[("AWS_USE_DUALSTACK_ENDPOINT", "true")]);
        let error = endpoint(&LOGS, &Settings::default(), "eu-isoe-west-1", &vars).unwrap_err().to_string();
        assert!(error.starts_with("AWS_USE_DUALSTACK_ENDPOINT: "), "{error}");
    }
}
