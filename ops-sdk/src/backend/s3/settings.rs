//! The settings of `s3`: from the builder, then the environment, then by default. What means nothing is an error that
//! names the setting and the remedy. Asks nobody.

use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};

use super::bucket::Wishes;
use crate::backend::Context;
use crate::backend::shared::{Compression, compression, setting, yes_or_no};
use crate::error::Error;
use crate::net::aws::{Client, Service, Settings};

const BUCKET: &str = "OPS_S3_BUCKET";
const PREFIX: &str = "OPS_S3_PREFIX";
const SERVICE: &str = "OPS_S3_SERVICE";
const OBJECT_BYTES: &str = "OPS_S3_OBJECT_BYTES_MAX";
const LINGER: &str = "OPS_S3_LINGER_S";
const PREFIX_DEFAULT: &str = "ops";
/// Leaves half of a key to what follows.
const PREFIX_BYTES_MAX: usize = 400;
const OBJECT_BYTES_DEFAULT: usize = 16 << 20;
const LINGER_DEFAULT: Duration = Duration::from_secs(60);
/// The dimension that names the service.
const SERVICE_DIMENSION: &str = "service";

const S3_SERVICE: Service =
    Service { signing_name: "s3", host_prefix: "s3", variable: "S3", gov_dualstack_is_fips: false };

/// Settings of the backend `s3`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct S3 {
    bucket: Option<String>,
    prefix: Option<String>,
    service: Option<String>,
    told: Settings,
    path_style: Option<bool>,
    compression: Option<Compression>,
    object_bytes_max: Option<usize>,
    linger: Option<Duration>,
    checksum: Option<bool>,
    conditional: Option<bool>,
    storage_class: Option<String>,
    encryption: Option<String>,
    kms_key: Option<String>,
}

/// What the settings come to.
pub(super) struct Chosen {
    pub(super) client: Client,
    /// The path before every key.
    pub(super) base: String,
    pub(super) wishes: Wishes,
    pub(super) prefix: String,
    pub(super) service: String,
    pub(super) compression: Compression,
    pub(super) object_bytes_max: usize,
    pub(super) linger: Duration,
    /// What tells this place from every other.
    pub(super) place: String,
}

impl S3 {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> S3 {
        S3::default()
    }

    /// The bucket, which has to be there; else `OPS_S3_BUCKET`. There is no default.
    #[must_use]
    pub fn bucket(mut self, name: impl Into<String>) -> S3 {
        self.bucket = Some(name.into());
        self
    }

    /// What every key begins with; else `OPS_S3_PREFIX`, or `ops`. `/` for nothing.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> S3 {
        self.prefix = Some(prefix.into());
        self
    }

    /// The value of `service=` in every key; else `OPS_S3_SERVICE`, the process's dimension `Service`, or the namespace.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> S3 {
        self.service = Some(name.into());
        self
    }

    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's. If the bucket says that it is in another,
    /// it is followed there.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> S3 {
        self.told.region = Some(region.into());
        self
    }

    /// The endpoint's URL, without the bucket; else `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or the region's own.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> S3 {
        self.told.endpoint = Some(url.into());
        self
    }

    /// Whether the bucket stands in the path (`true`) or before the host; else `OPS_S3_PATH_STYLE`. By default in the path
    /// where the endpoint is not Amazon's, or the bucket's name has a dot, for which there is no certificate.
    #[must_use]
    pub fn path_style(mut self, path_style: bool) -> S3 {
        self.path_style = Some(path_style);
        self
    }

    /// How objects are compressed; else `OPS_S3_COMPRESSION` (`gzip`, `zstd` or `none`), or gzip.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> S3 {
        self.compression = Some(compression);
        self
    }

    /// Bytes of lines after which an object is full, before they are compressed (64 KiB to 64 MiB); else
    /// `OPS_S3_OBJECT_BYTES_MAX`, or 16 MiB. A line is never cut: the last one of an object may reach beyond.
    #[must_use]
    pub fn object_bytes_max(mut self, bytes: usize) -> S3 {
        self.object_bytes_max = Some(bytes);
        self
    }

    /// How long records wait for others to fill an object; else `OPS_S3_LINGER_S` (seconds), or 60 s.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> S3 {
        self.linger = Some(linger);
        self
    }

    /// Whether bodies have a CRC32 for the store to check; else `OPS_S3_CHECKSUM`, not if
    /// `AWS_REQUEST_CHECKSUM_CALCULATION` is `when_required`, or yes.
    #[must_use]
    pub fn checksum(mut self, checksum: bool) -> S3 {
        self.checksum = Some(checksum);
        self
    }

    /// Whether the store is asked to keep the object that is there (`If-None-Match`); else `OPS_S3_CONDITIONAL`, or yes.
    /// Off, for stores that do not know it, a record may arrive twice where a request was still under way when its
    /// process was killed.
    #[must_use]
    pub fn conditional(mut self, conditional: bool) -> S3 {
        self.conditional = Some(conditional);
        self
    }

    /// The storage class, as S3 names it; else `OPS_S3_STORAGE_CLASS`, or the bucket's.
    #[must_use]
    pub fn storage_class(mut self, class: impl Into<String>) -> S3 {
        self.storage_class = Some(class.into());
        self
    }

    /// The encryption, `AES256`, `aws:kms` or `aws:kms:dsse`; else `OPS_S3_SSE`, or the bucket's.
    #[must_use]
    pub fn encryption(mut self, encryption: impl Into<String>) -> S3 {
        self.encryption = Some(encryption.into());
        self
    }

    /// The id or ARN of the KMS key that encrypts; else `OPS_S3_KMS_KEY`, or the account's.
    #[must_use]
    pub fn kms_key(mut self, key: impl Into<String>) -> S3 {
        self.kms_key = Some(key.into());
        self
    }

    /// Checks them.
    pub(super) fn choose(&self, context: &Context) -> Result<Chosen, Error> {
        let bucket = self.bucket_name(context)?;
        let prefix =
            prefix(&setting(self.prefix.as_deref(), PREFIX, context).unwrap_or(PREFIX_DEFAULT.to_owned()))?;
        let compression = compression(self.compression, "OPS_S3_COMPRESSION", Compression::Gzip, context)?;
        let wishes = self.wishes(context)?;
        let mut client = Client::open(S3_SERVICE, &self.told, &context.var)?;
        let place = format!("{}\n{bucket}\n{prefix}", client.endpoint());
        let base = self.address(&mut client, &bucket, context)?;
        Ok(Chosen {
            client,
            base,
            wishes,
            prefix,
            service: self.service_name(context),
            compression,
            object_bytes_max: self.object_bytes(context)?,
            linger: self.lingering(context)?,
            place,
        })
    }

    fn bucket_name(&self, context: &Context) -> Result<String, Error> {
        let Some(name) = setting(self.bucket.as_deref(), BUCKET, context) else {
            return Err(Error::setting(
                BUCKET,
                "no bucket is set",
                "set it to the name of a bucket that is there",
            ));
        };
        // Amazon S3 User Guide, "General purpose bucket naming rules"; capitals and `_` for stores that have them.
        let named = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let ends = name.starts_with(['-', '.']) || name.ends_with(['-', '.']);
        if !(3..=63).contains(&name.len()) || !name.chars().all(named) || ends || name.contains("..") {
            let problem = format!("\"{name}\" is not the name of a bucket");
            return Err(Error::setting(
                BUCKET,
                problem,
                "use 3 to 63 letters, digits, dots and hyphens, no ARN and no URL",
            ));
        }
        Ok(name)
    }

    /// Leads the client to the bucket's host, or gives the path that leads there.
    fn address(&self, client: &mut Client, bucket: &str, context: &Context) -> Result<String, Error> {
        let endpoint = client.endpoint();
        let own = endpoint.starts_with("https://s3.") || endpoint.starts_with("https://s3-");
        let in_path = yes_or_no(self.path_style, "OPS_S3_PATH_STYLE", !own || bucket.contains('.'), context)?;
        if in_path || !client.put_before_host(bucket) {
            return Ok(format!("/{bucket}"));
        }
        Ok(String::new())
    }

    fn service_name(&self, context: &Context) -> String {
        let dimension =
            context.dimensions.iter().find(|(key, _)| key.eq_ignore_ascii_case(SERVICE_DIMENSION));
        let told = setting(self.service.as_deref(), SERVICE, context);
        told.unwrap_or_else(|| dimension.map_or_else(|| context.namespace.clone(), |(_, name)| name.clone()))
    }

    fn object_bytes(&self, context: &Context) -> Result<usize, Error> {
        let bytes = match self.object_bytes_max {
            Some(bytes) => bytes,
            None => number(OBJECT_BYTES, OBJECT_BYTES_DEFAULT, context)?,
        };
        if !((64 << 10)..=(64 << 20)).contains(&bytes) {
            let problem = format!("{bytes} bytes are too few or too many for an object");
            return Err(Error::setting(OBJECT_BYTES, problem, "give 65536 to 67108864"));
        }
        Ok(bytes)
    }

    fn lingering(&self, context: &Context) -> Result<Duration, Error> {
        let seconds = || number(LINGER, LINGER_DEFAULT.as_secs(), context).map(Duration::from_secs);
        self.linger.map_or_else(seconds, Ok)
    }

    fn wishes(&self, context: &Context) -> Result<Wishes, Error> {
        let required = setting(None, "AWS_REQUEST_CHECKSUM_CALCULATION", context);
        let by_default = required.is_none_or(|when| !when.eq_ignore_ascii_case("when_required"));
        let mut headers = HeaderMap::new();
        let told = [
            (&self.storage_class, "OPS_S3_STORAGE_CLASS", "x-amz-storage-class"),
            (&self.encryption, "OPS_S3_SSE", "x-amz-server-side-encryption"),
            (&self.kms_key, "OPS_S3_KMS_KEY", "x-amz-server-side-encryption-aws-kms-key-id"),
        ];
        for (told, variable, header) in told {
            let Some(text) = setting(told.as_deref(), variable, context) else { continue };
            let value = HeaderValue::from_str(&text)
                .ok()
                .filter(|_| text.bytes().all(|byte| byte.is_ascii_graphic()));
            let value =
                value.ok_or_else(|| Error::setting(variable, "is not a word", "write it as S3 does"))?;
            headers.insert(HeaderName::from_static(header), value);
        }
        Ok(Wishes {
            conditional: yes_or_no(self.conditional, "OPS_S3_CONDITIONAL", true, context)?,
            checksum: yes_or_no(self.checksum, "OPS_S3_CHECKSUM", by_default, context)?,
            headers,
        })
    }
}

/// A prefix without slashes around it.
fn prefix(text: &str) -> Result<String, Error> {
    let bare = text.trim_matches('/');
    let plain =
        |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(char::is_control);
    if bare.len() > PREFIX_BYTES_MAX || !(bare.is_empty() || bare.split('/').all(plain)) {
        let remedy = "give at most 400 bytes, without empty parts, . and .., as in logs/prod";
        return Err(Error::setting(PREFIX, format!("\"{}\" is no prefix", text.escape_debug()), remedy));
    }
    Ok(bare.to_owned())
}

/// A number, from the variable or by default.
fn number<N: std::str::FromStr>(variable: &str, default: N, context: &Context) -> Result<N, Error> {
    let Some(text) = setting(None, variable, context) else { return Ok(default) };
    text.parse()
        .map_err(|_| Error::setting(variable, format!("\"{text}\" is no number"), "give digits alone"))
}
