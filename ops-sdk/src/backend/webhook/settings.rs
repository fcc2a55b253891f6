//! The settings of the backend `webhook`: from the builder, then the environment. Checked when recording starts, without
//! speaking to the network. A webhook's URL is often all that is needed to post there, so no message shows it.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::said::Origin;
use super::sign::Signer;
use super::template::Template;
use super::{BODY_BYTES_MAX, Open};
use crate::backend::shared::{Secret, setting, yes_or_no};
use crate::backend::{Backend, Configure, Context};
use crate::error::Error;
use crate::model::CheckStatus;

const URL: &str = "OPS_WEBHOOK_URL";
const TEMPLATE: &str = "OPS_WEBHOOK_TEMPLATE";
const HEADERS: &str = "OPS_WEBHOOK_HEADERS";
const STATUSES: &str = "OPS_WEBHOOK_STATUSES";
const ITEMS: &str = "OPS_WEBHOOK_ITEMS";
const SIGNATURE_HEADER: &str = "OPS_WEBHOOK_SIGNATURE_HEADER";

/// Headers that are the request's own.
const OWN: [&str; 5] = ["content-type", "content-length", "host", "transfer-encoding", "idempotency-key"];

/// Everything that is known, under plain names.
const GENERIC: &str = r#"{"id":{id},"time":{time},"signal":{signal},"name":{name},"status":{status},"code":{code},"output":{output},"host":{host},"namespace":{namespace},"dimensions":{dimensions},"fields":{fields}}"#;
/// One line, as Slack and those that take its messages show it.
const SLACK: &str =
    r#"{"text":"*{status|slack}* {name|slack} on {host|slack} ({namespace|slack}): {output|slack}"}"#;

/// What the body of a request looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookTemplate {
    /// A JSON object of everything there is to say.
    Generic,
    /// `{"text": ".."}`, for incoming webhooks of Slack and of what is compatible with them.
    Slack,
    /// JSON with `{placeholders}`, within strings or in the place of a value.
    Text(String),
}

/// Settings of the backend `webhook`. What is not set here comes from the environment, see each method.
#[derive(Debug, Clone, Default)]
pub struct Webhook {
    url: Option<Secret>,
    method: Option<String>,
    template: Option<WebhookTemplate>,
    secret: Option<Secret>,
    signature_header: Option<String>,
    headers: Vec<(String, Secret)>,
    statuses: Option<Vec<CheckStatus>>,
    errors: Option<bool>,
    items: Option<usize>,
}

impl Webhook {
    /// Everything from the environment, or by default.
    #[must_use]
    pub fn new() -> Webhook {
        Webhook::default()
    }

    /// Where requests go; else `OPS_WEBHOOK_URL`. Has to be set. Treated as a secret.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Webhook {
        self.url = Some(Secret::new(url));
        self
    }

    /// `POST` or `PUT`; else `OPS_WEBHOOK_METHOD`, or POST.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Webhook {
        self.method = Some(method.into());
        self
    }

    /// What the body looks like; else `OPS_WEBHOOK_TEMPLATE` (`generic`, `slack`, or the template's text), or generic.
    #[must_use]
    pub fn template(mut self, template: WebhookTemplate) -> Webhook {
        self.template = Some(template);
        self
    }

    /// The key that requests are signed with; else `OPS_WEBHOOK_SECRET`, or they are not signed.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<String>) -> Webhook {
        self.secret = Some(Secret::new(secret));
        self
    }

    /// The header of the signature; else `OPS_WEBHOOK_SIGNATURE_HEADER`, or `X-Ops-Signature`.
    #[must_use]
    pub fn signature_header(mut self, name: impl Into<String>) -> Webhook {
        self.signature_header = Some(name.into());
        self
    }

    /// One more header; also `OPS_WEBHOOK_HEADERS`, as `Name: value; Name: value`. Values are treated as secrets.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Webhook {
        self.headers.push((name.into(), Secret::new(value)));
        self
    }

    /// Checks of which statuses are sent; else `OPS_WEBHOOK_STATUSES` (`warning,critical`), or all. The others are counted as
    /// withheld.
    #[must_use]
    pub fn statuses(mut self, statuses: impl Into<Vec<CheckStatus>>) -> Webhook {
        self.statuses = Some(statuses.into());
        self
    }

    /// Whether log events of level error are sent, too; else `OPS_WEBHOOK_ERRORS`, or no.
    #[must_use]
    pub fn errors(mut self, on: bool) -> Webhook {
        self.errors = Some(on);
        self
    }

    /// How many may share a request; from 2 on the body is an array. Else `OPS_WEBHOOK_ITEMS`, or 1.
    #[must_use]
    pub fn items(mut self, count: usize) -> Webhook {
        self.items = Some(count);
        self
    }

    fn uri(&self, context: &Context) -> Result<Uri, Error> {
        let told = Secret::find(self.url.as_ref(), URL, context)
            .ok_or_else(|| Error::setting(URL, "is not set", "give the URL that requests are sent to"))?;
        let wrong = |problem: &str| {
            Error::setting(URL, problem, "give a URL of http or https, as in https://hooks.example.com/ops")
        };
        let uri: Uri = told.reveal().parse().map_err(|_| wrong("is not a URL"))?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(authority)) if authority.as_str().contains('@') => {
                Err(wrong("holds a user's name; give an Authorization header instead"))
            }
            (Some("http" | "https"), Some(authority)) if !authority.host().is_empty() => Ok(uri),
            _ => Err(wrong("has no host, or is neither http nor https")),
        }
    }

    fn body(&self, context: &Context) -> Result<Template, Error> {
        let told = setting(None, TEMPLATE, context);
        let text = match (&self.template, told.as_deref()) {
            (Some(WebhookTemplate::Generic), _) | (None, None | Some("generic")) => GENERIC,
            (Some(WebhookTemplate::Slack), _) | (None, Some("slack")) => SLACK,
            (Some(WebhookTemplate::Text(text)), _) => text,
            (None, Some(text)) => text,
        };
        Template::parse(text, Origin::of(context)).map_err(|problem| {
            Error::setting(TEMPLATE, problem, "use generic, slack, or JSON with {placeholders}")
        })
    }

    fn signer(&self, context: &Context) -> Result<Option<Signer>, Error> {
        let name = setting(self.signature_header.as_deref(), SIGNATURE_HEADER, context);
        let name = header_name(name.as_deref().unwrap_or("x-ops-signature"), SIGNATURE_HEADER)?;
        let secret = Secret::find(self.secret.as_ref(), "OPS_WEBHOOK_SECRET", context);
        Ok(secret.map(|secret| Signer::new(name, &secret)))
    }

    fn all_headers(&self, context: &Context) -> Result<HeaderMap, Error> {
        let told = setting(None, HEADERS, context).unwrap_or_default();
        let mut all = self.headers.clone();
        for line in told.split(';').map(str::trim).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| {
                Error::setting(HEADERS, "has a header without a colon", "use \"Name: value; Name: value\"")
            })?;
            all.push((name.trim().to_owned(), Secret::new(value.trim())));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &all {
            let value: HeaderValue = value.header("", HEADERS)?;
            headers.append(header_name(name, HEADERS)?, value);
        }
        Ok(headers)
    }

    fn wanted(&self, context: &Context) -> Result<Statuses, Error> {
        let told = setting(None, STATUSES, context);
        let all = match (&self.statuses, told) {
            (Some(statuses), _) => statuses.clone(),
            (None, None) => return Ok(Statuses([true; 4])),
            (None, Some(text)) => {
                text.split(',').map(|name| status(name.trim())).collect::<Result<Vec<_>, Error>>()?
            }
        };
        let mut wanted = [false; 4];
        all.iter().for_each(|status| wanted[*status as usize] = true);
        Ok(Statuses(wanted))
    }

    fn items_max(&self, context: &Context) -> Result<usize, Error> {
        let told = setting(None, ITEMS, context).map(|text| text.parse().ok());
        match (self.items, told) {
            (Some(count @ 1..=BODY_BYTES_MAX), _) | (None, Some(Some(count @ 1..=BODY_BYTES_MAX))) => {
                Ok(count)
            }
            (None, None) => Ok(1),
            _ => Err(Error::setting(
                ITEMS,
                "is not a number of at least 1",
                "give 1, or how many share a request",
            )),
        }
    }
}

impl Configure for Webhook {
    fn open(self: Box<Self>, context: &Context) -> Result<Box<dyn Backend>, Error> {
        let method = setting(self.method.as_deref(), "OPS_WEBHOOK_METHOD", context);
        let method = match method.as_deref().map(str::to_ascii_uppercase).as_deref() {
            None | Some("POST") => Method::POST,
            Some("PUT") => Method::PUT,
            Some(_) => {
                return Err(Error::setting("OPS_WEBHOOK_METHOD", "is neither POST nor PUT", "use POST"));
            }
        };
        Ok(Box::new(Open {
            uri: self.uri(context)?,
            method,
            headers: self.all_headers(context)?,
            signer: self.signer(context)?,
            template: self.body(context)?,
            statuses: self.wanted(context)?,
            errors: yes_or_no(self.errors, "OPS_WEBHOOK_ERRORS", false, context)?,
            items_max: self.items_max(context)?,
        }))
    }

    fn again(&self) -> Option<Box<dyn Configure>> {
        Some(Box::new(self.clone()))
    }
}

/// Which statuses are sent, by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statuses([bool; 4]);

impl Statuses {
    pub(super) fn has(self, status: CheckStatus) -> bool {
        self.0[status as usize]
    }
}

fn status(name: &str) -> Result<CheckStatus, Error> {
    match name.to_ascii_lowercase().as_str() {
        "ok" => Ok(CheckStatus::Ok),
        "warning" => Ok(CheckStatus::Warning),
        "critical" => Ok(CheckStatus::Critical),
        "unknown" => Ok(CheckStatus::Unknown),
        _ => {
            let remedy = "use ok, warning, critical and unknown, with commas";
            Err(Error::setting(STATUSES, format!("{name:?} is no status"), remedy))
        }
    }
}

fn header_name(name: &str, variable: &str) -> Result<HeaderName, Error> {
    let remedy = "use letters, digits and dashes";
    let wrong = |problem: &str| Error::setting(variable, problem, remedy);
    let name = HeaderName::try_from(name).map_err(|_| wrong("has a name that no header can have"))?;
    match OWN.contains(&name.as_str()) {
        true => Err(wrong(&format!("names {name}, which is the request's own"))),
        false => Ok(name),
    }
}
