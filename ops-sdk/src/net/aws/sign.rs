//! Signature Version 4 over a request's headers and body. Pure: the same request, keys and second give the same
//! signature.
//!
//! The hashes are `reqsign-core`'s. The request signer of `reqsign-aws-v4` is not used, though its credential
//! providers are: it takes the time from the system's clock alone, so that a skewed clock could not be corrected, and
//! it always adds `x-amz-content-sha256`, which only S3 asks for. A test holds this signer to the same result.

use ::http::HeaderValue;
use ::http::header::AUTHORIZATION;
use reqsign_aws_v4::Credential;
use reqsign_core::hash::{hex_hmac_sha256, hex_sha256, hmac_sha256};

use super::super::Request;
use super::super::date::amz_date;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature is good for.
pub(super) struct Scope<'a> {
    pub(super) region: &'a str,
    /// The service's signing name.
    pub(super) service: &'a str,
    /// The service's time, in seconds since the Unix epoch.
    pub(super) unix_s: i64,
}

/// Adds `x-amz-date`, `x-amz-security-token` where there is a token, and `authorization`. Every header that the
/// request has by then is signed, so those that a proxy may change must be added later (`user-agent` is).
pub(super) fn sign(request: &mut Request, credential: &Credential, scope: &Scope<'_>) {
    let time = amz_date(scope.unix_s);
    let date = &time[..8];
    request.headers_mut().remove(AUTHORIZATION);
    insert(request, "x-amz-date", &time, false);
    if let Some(token) = &credential.session_token {
        insert(request, "x-amz-security-token", token, true);
    }
    let (canonical, names) = canonical(request);
    let scope_text = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{time}\n{scope_text}\n{}", hex_sha256(canonical.as_bytes()));
    let key = signing_key(&credential.secret_access_key, date, scope);
    let signature = hex_hmac_sha256(&key, to_sign.as_bytes());
    let key_id = &credential.access_key_id;
    let value =
        format!("{ALGORITHM} Credential={key_id}/{scope_text}, SignedHeaders={names}, Signature={signature}");
    insert(request, AUTHORIZATION.as_str(), &value, true);
}

fn insert(request: &mut Request, name: &'static str, value: &str, sensitive: bool) {
    // A token that is no header value cannot be sent; the service then says that it is missing.
    if let Ok(mut value) = HeaderValue::from_str(value.trim()) {
        value.set_sensitive(sensitive);
        request.headers_mut().insert(name, value);
    }
}

fn signing_key(secret: &str, date: &str, scope: &Scope<'_>) -> Vec<u8> {
    let parts = [date, scope.region, scope.service, "aws4_request"];
    let key = format!("AWS4{secret}").into_bytes();
    parts.iter().fold(key, |key, part| hmac_sha256(&key, part.as_bytes()))
}

/// The canonical request and the list of signed headers.
fn canonical(request: &Request) -> (String, String) {
    let mut names: Vec<&str> = request.headers().keys().map(::http::HeaderName::as_str).collect();
    names.sort_unstable();
    let lines: String = names.iter().map(|name| format!("{name}:{}\n", values(request, name))).collect();
    let names = names.join(";");
    let (method, path) = (request.method(), canonical_path(request.uri().path()));
    let body = hex_sha256(request.body());
    (format!("{method}\n{path}\n\n{lines}\n{names}\n{body}"), names)
}

/// The header's values, each trimmed and with runs of spaces made one, joined by commas.
fn values(request: &Request, name: &str) -> String {
    let all = request.headers().get_all(name).iter();
    let one = |value: &HeaderValue| {
        String::from_utf8_lossy(value.as_bytes()).split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    };
    all.map(one).collect::<Vec<_>>().join(",")
}

/// The path as it travels, encoded once more: every service but S3 asks for that.
fn canonical_path(path: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let encode = |byte: u8| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    if path.is_empty() { "/".to_owned() } else { path.bytes().map(encode).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqsign_core::{Context, SignRequest};

    // Own vectors, checked with an independent script: keys and body of no account.
    const BODY: &str = r#"{"logGroupName": "/ops/app", "logStreamName": "s1", "logEvents": [{"timestamp": 1795332268000, "message": "hello"}]}"#;

    fn credential(token: Option<&str>) -> Credential {
        Credential {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session_token: token.map(str::to_owned),
            expires_in: None,
        }
    }

    fn put_log_events() -> Request {
        let request = ::http::Request::post("https://logs.us-east-1.amazonaws.com/")
            .header("host", "logs.us-east-1.amazonaws.com")
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "Logs_20140328.PutLogEvents");
        request.body(BODY.as_bytes().to_vec()).unwrap()
    }

    const SCOPE: Scope<'static> = Scope { region: "us-east-1", service: "logs", unix_s: 1_795_332_268 };

    #[test]
    fn put_log_events_is_signed_as_an_independent_script_signs_it() {
        let mut request = put_log_events();
        sign(&mut request, &credential(None), &SCOPE);
        assert_eq!(
            hex_sha256(request.body()),
            "cf68e632d23f0284844752c6adae524fd3453f1b9470b4e06b44fa7722acb478"
        );
        assert_eq!(request.headers()["x-amz-date"], "20261122T072428Z");
        assert_eq!(
            request.headers()[AUTHORIZATION],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/logs/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
             Signature=7636fbfeb495da16015797dc7055d1062f5ff5debe5d3693f7f1d113a51208ca"
        );
        let key = signing_key(&credential(None).secret_access_key, "20261122", &SCOPE);
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5979fd9e7e4e62c7736cb5d64d83ee60974ce7ae3714007a89453ac890578726");
    }

    #[test]
    fn a_session_token_travels_and_is_signed() {
        let mut request = put_log_events();
        sign(&mut request, &credential(Some("SESSIONTOKENEXAMPLE")), &SCOPE);
        assert_eq!(request.headers()["x-amz-security-token"], "SESSIONTOKENEXAMPLE");
        let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
        assert!(authorization.contains(
            "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=877bd3cee63c0ac3e74d1234cfa6d5eec9567eb425c149e19ae5219e6a5dfc1c"
        ));
        request.headers_mut().remove(AUTHORIZATION);
        let (canonical, _) = canonical(&request);
        assert_eq!(
            hex_sha256(canonical.as_bytes()),
            "e29c711960fdc3f9fd1af7413029594e4491c8039d3f7b1f73f82240d24cdc73"
        );
    }

    #[test]
    fn signing_again_replaces_the_signature() {
        let mut once = put_log_events();
        sign(&mut once, &credential(None), &SCOPE);
        let mut twice = once.clone();
        sign(&mut twice, &credential(None), &SCOPE);
        assert_eq!(once.headers(), twice.headers());
    }

    #[test]
    fn the_classic_get_is_signed_as_aws_prints_it() {
        let request =
            ::http::Request::get("https://example.amazonaws.com/").header("host", "example.amazonaws.com");
        let mut request = request.body(Vec::new()).unwrap();
        let mut classic = credential(None);
        classic.access_key_id = "AKIDEXAMPLE".into();
        classic.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into();
        let scope = Scope { region: "us-east-1", service: "service", unix_s: 1_440_938_160 };
        sign(&mut request, &classic, &scope);
        let authorization = request.headers()[AUTHORIZATION].to_str().unwrap();
        assert!(
            authorization.ends_with("5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
            "{authorization}"
        );
    }

    #[test]
    fn signs_as_reqsign_signs() {
        let parts = put_log_events().into_parts().0;
        let signer = reqsign_aws_v4::RequestSigner::new("logs", "us-east-1");
        for token in [None, Some("T/o=ken+1")] {
            let credential = credential(token);
            let mut theirs = parts.clone();
            theirs.headers.insert("x-amz-content-sha256", hex_sha256(BODY.as_bytes()).parse().unwrap());
            let context = Context::new();
            let signing = signer.sign_request(&context, &mut theirs, Some(&credential), None);
            super::super::lend::block_on(signing).unwrap().unwrap();

            let time = theirs.headers["x-amz-date"].to_str().unwrap().to_owned();
            let mut ours = put_log_events();
            ours.headers_mut().insert("x-amz-content-sha256", theirs.headers["x-amz-content-sha256"].clone());
            let unix_s = unix_s_of(&time);
            sign(&mut ours, &credential, &Scope { unix_s, ..SCOPE });
            assert_eq!(ours.headers()[AUTHORIZATION], theirs.headers[AUTHORIZATION]);
        }
    }

    /// The second that this date names, found by bisection over [`amz_date`].
    fn unix_s_of(date: &str) -> i64 {
        let (mut low, mut high) = (0_i64, 1 << 36);
        while low < high {
            let middle = (low + high) / 2;
            if amz_date(middle).as_str() < date { low = middle + 1 } else { high = middle }
        }
        low
    }

    #[test]
    fn a_path_is_encoded_once_more() {
        for (path, canonical) in [("", "/"), ("/", "/"), ("/aws/x-1", "/aws/x-1"), ("/a%20b", "/a%2520b")] {
            assert_eq!(canonical_path(path), canonical);
        }
    }

    #[test]
    fn a_signed_request_does_not_show_its_secrets() {
        let mut request = put_log_events();
        sign(&mut request, &credential(Some("SESSIONTOKENEXAMPLE")), &SCOPE);
        let shown = format!("{request:?} {:?}", credential(Some("SESSIONTOKENEXAMPLE")));
        for secret in ["SESSIONTOKENEXAMPLE", "wJalrXUtnFEMI", "7636fbfeb495", "Signature="] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }
}
