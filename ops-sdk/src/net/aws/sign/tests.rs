//! What the signer signs, held against a signature computed here from the description of Signature Version 4; and that
//! computation, held against published signatures.

use std::collections::BTreeMap;

use reqsign_core::hash::{hex_hmac_sha256, hex_sha256, hmac_sha256};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const BODY: &str = r#"{"logGroupName": "/ops/app", "logStreamName": "s1", "logEvents": [{"timestamp": 1795332268000, "message": "hello"}]}"#;

fn credential(token: Option<&str>) -> Credential {
    Credential {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: SECRET.into(),
        session_token: token.map(str::to_owned),
        expires_in: None,
    }
}

fn request(method: &str, uri: &str, headers: &[(&'static str, &str)], body: &[u8]) -> Request {
    let mut request = ::http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_vec()).unwrap()
}

fn put_log_events() -> Request {
    let headers = [
        ("host", "logs.us-east-1.amazonaws.com"),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "Logs_20140328.PutLogEvents"),
    ];
    request("POST", "https://logs.us-east-1.amazonaws.com/", &headers, BODY.as_bytes())
}

/// The signature of a request that has all its headers but the last, as a service other than S3 computes it.
struct Oracle {
    names: String,
    canonical: String,
    key: Vec<u8>,
    signature: String,
}

impl Oracle {
    fn of(request: &Request, region: &str, service: &str) -> Oracle {
        let headers: BTreeMap<&str, &str> = request
            .headers()
            .iter()
            .filter(|(name, _)| *name != AUTHORIZATION)
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let names = headers.keys().copied().collect::<Vec<_>>().join(";");
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", squeezed(value))).collect();
        let (path, query) = (encoded(request.uri().path(), "/"), canonical_query(request.uri().query()));
        let (method, body) = (request.method(), hex_sha256(request.body()));
        let canonical = format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{body}");
        let time = headers["x-amz-date"];
        let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex_sha256(canonical.as_bytes()));
        let secret = format!("AWS4{SECRET}").into_bytes();
        let key = scope.split('/').fold(secret, |key, part| hmac_sha256(&key, part.as_bytes()));
        let signature = hex_hmac_sha256(&key, to_sign.as_bytes());
        Oracle { names, canonical, key, signature }
    }

    /// The header that a request of this signature carries.
    fn authorization(&self, request: &Request, region: &str, service: &str) -> String {
        let date = &request.headers()["x-amz-date"].to_str().unwrap()[..8];
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{date}/{region}/{service}/aws4_request, SignedHeaders={}, \
             Signature={}",
            self.names, self.signature
        )
    }
}

fn squeezed(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Encodes all but unreserved characters and `keep`.
fn encoded(text: &str, keep: &str) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.as_bytes().contains(&byte);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%').then(|| std::str::from_utf8(&tail[..2]).unwrap());
        bytes.push(hex.map_or(*first, |hex| u8::from_str_radix(hex, 16).unwrap()));
        rest = &tail[if hex.is_some() { 2 } else { 0 }..];
    }
    String::from_utf8(bytes).unwrap()
}

fn canonical_query(query: Option<&str>) -> String {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (encoded(&decoded(name), ""), encoded(&decoded(value), ""))
    };
    let mut pairs: Vec<_> =
        query.unwrap_or_default().split('&').filter(|p| !p.is_empty()).map(pair).collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Signs, and asserts that the signature and the header that names it are those computed here.
fn agreed(request: Request, token: Option<&str>) -> Request {
    let signed = Signer::new("logs", "eu-west-1").sign(request, &credential(token)).unwrap();
    let oracle = Oracle::of(&signed, "eu-west-1", "logs");
    let expected = oracle.authorization(&signed, "eu-west-1", "logs");
    assert_eq!(signed.headers()[AUTHORIZATION], expected, "{}", oracle.canonical);
    assert_eq!(signed.headers()["x-amz-content-sha256"], hex_sha256(signed.body()));
    let token_sent = signed.headers().get("x-amz-security-token").map(|value| value.to_str().unwrap());
    assert_eq!(token_sent, token);
    signed
}

/// The vectors of AWS's own test suite (`get-vanilla`, `get-vanilla-query-order-key-case`) and two of PutLogEvents that
/// an independent script and botocore computed.
#[test]
fn what_is_computed_here_are_the_published_signatures() {
    let dated = |mut request: Request, time: &str| {
        request.headers_mut().insert("x-amz-date", time.parse().unwrap());
        request
    };
    let oracle = Oracle::of(&dated(put_log_events(), "20261122T072428Z"), "us-east-1", "logs");
    assert_eq!(oracle.names, "content-type;host;x-amz-date;x-amz-target");
    assert_eq!(
        hex_sha256(oracle.canonical.as_bytes()),
        "f82f75d697a0c683a776f1ba920f331a450d33c9bb452acc43302c18c4ada661"
    );
    let key: String = oracle.key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(key, "5979fd9e7e4e62c7736cb5d64d83ee60974ce7ae3714007a89453ac890578726");
    assert_eq!(oracle.signature, "7636fbfeb495da16015797dc7055d1062f5ff5debe5d3693f7f1d113a51208ca");

    let mut with_token = dated(put_log_events(), "20261122T072428Z");
    with_token.headers_mut().insert("x-amz-security-token", "SESSIONTOKENEXAMPLE".parse().unwrap());
    let oracle = Oracle::of(&with_token, "us-east-1", "logs");
    assert_eq!(
        hex_sha256(oracle.canonical.as_bytes()),
        "e29c711960fdc3f9fd1af7413029594e4491c8039d3f7b1f73f82240d24cdc73"
    );
    assert_eq!(oracle.signature, "877bd3cee63c0ac3e74d1234cfa6d5eec9567eb425c149e19ae5219e6a5dfc1c");

    let classic = [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/?Param2=value2&Param1=value1", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    ];
    for (path, signature) in classic {
        let uri = format!("https://example.amazonaws.com{path}");
        let get = request("GET", &uri, &[("host", "example.amazonaws.com")], b"");
        let oracle = Oracle::of(&dated(get, "20150830T123600Z"), "us-east-1", "service");
        assert_eq!(oracle.signature, signature, "{path}");
    }
}

#[test]
fn every_kind_of_request_is_signed_as_the_service_computes_it() {
    let host = ("host", "127.0.0.1:5000");
    let zipped = [host, ("content-encoding", "gzip"), ("content-type", "application/x-amz-json-1.0")];
    let every_byte: Vec<u8> = (0..=255).collect();
    for token in [None, Some("SESSIONTOKENEXAMPLE"), Some("T/o=ken+1//==")] {
        let signed = agreed(put_log_events(), token);
        let names = "content-type;host;x-amz-content-sha256;x-amz-date;";
        assert!(signed.headers()[AUTHORIZATION].to_str().unwrap().contains(names));
        agreed(request("POST", "http://127.0.0.1:5000", &zipped, &every_byte), token);
        agreed(request("POST", "http://127.0.0.1:5000/", &[host], b""), token);
        agreed(request("GET", "http://127.0.0.1:5000/", &[host], b""), token);
        agreed(request("POST", "http://127.0.0.1:5000/a-b/c.d_e~f/1/", &[host], b"x"), token);
        agreed(
            request("GET", "http://127.0.0.1:5000/a?b=2&a=%20%2F+c&b=1&d&%C3%A9=%25", &[host], b""),
            token,
        );
        agreed(
            request("POST", "http://[::1]:5000/", &[("host", "[::1]:5000"), ("x-odd", " a b ")], b"x"),
            token,
        );
    }
}

/// This is why [`super::super::region`] takes no endpoint whose path has to be escaped. When it fails, the signer has
/// learned what services other than S3 expect.
#[test]
fn a_path_with_escapes_is_signed_as_s3_expects_it_and_no_other_service() {
    let escaped = request("POST", "http://127.0.0.1:5000/a%20b", &[("host", "127.0.0.1:5000")], b"x");
    let signed = Signer::new("logs", "eu-west-1").sign(escaped, &credential(None)).unwrap();
    let oracle = Oracle::of(&signed, "eu-west-1", "logs");
    assert!(oracle.canonical.starts_with("POST\n/a%2520b\n"));
    assert_ne!(signed.headers()[AUTHORIZATION], oracle.authorization(&signed, "eu-west-1", "logs"));
}

#[test]
fn signing_again_replaces_the_signature_and_the_hash() {
    let mut once = agreed(put_log_events(), None);
    once.headers_mut().remove("x-amz-date"); // as in a request that is made anew
    *once.body_mut() = b"another body".to_vec();
    let twice = agreed(once, None);
    assert_eq!(twice.headers().get_all(AUTHORIZATION).iter().count(), 1);
}

/// When this fails, the signer takes a time, and a measured skew can be applied to signatures.
#[test]
fn a_time_that_the_request_names_is_not_the_one_it_is_signed_with() {
    let mut dated = put_log_events();
    dated.headers_mut().insert("x-amz-date", "20150830T123600Z".parse().unwrap());
    let signed = Signer::new("logs", "eu-west-1").sign(dated, &credential(None)).unwrap();
    let oracle = Oracle::of(&signed, "eu-west-1", "logs");
    assert!(!signed.headers()[AUTHORIZATION].to_str().unwrap().contains(&oracle.signature));
}

#[test]
fn the_time_of_a_signature_is_read_from_its_request() {
    let mut dated = put_log_events();
    assert_eq!(signed_at_s(&dated), None);
    for (date, expected) in [("20261122T072428Z", Some(1_795_332_268)), ("yesterday", None), ("", None)] {
        dated.headers_mut().insert("x-amz-date", date.parse().unwrap());
        assert_eq!(signed_at_s(&dated), expected, "{date}");
    }
    let before_s = Timestamp::now().as_second();
    let signed_s = signed_at_s(&agreed(put_log_events(), None)).unwrap();
    assert!((before_s..=Timestamp::now().as_second()).contains(&signed_s));
}

#[test]
fn keys_past_their_end_are_still_signed_with() {
    let expired = Credential { expires_in: Timestamp::from_second(1).ok(), ..credential(None) };
    assert!(Signer::new("logs", "eu-west-1").sign(put_log_events(), &expired).is_ok());
}

#[test]
fn what_cannot_be_signed_is_an_error_and_neither_it_nor_the_request_shows_a_secret() {
    let signer = Signer::new("logs", "eu-west-1");
    let bad_token = credential(Some("SESSION\nTOKENEXAMPLE"));
    let none = Credential { secret_access_key: String::new(), ..credential(None) };
    for refused in [&bad_token, &none] {
        let shown = signer.sign(put_log_events(), refused).map_err(|error| format!("{error} {error:?}"));
        let shown = shown.unwrap_err();
        assert!(!shown.contains("TOKENEXAMPLE") && !shown.contains("wJalrXUtnFEMI"), "{shown}");
    }
    let signed = agreed(put_log_events(), Some("SESSIONTOKENEXAMPLE"));
    let shown = format!("{signed:?} {signer:?} {:?}", credential(Some("SESSIONTOKENEXAMPLE")));
    for secret in ["SESSIONTOKENEXAMPLE", "wJalrXUtnFEMI", "Signature="] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
