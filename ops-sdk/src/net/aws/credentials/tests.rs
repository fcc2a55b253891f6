//! Where keys come from, when they are loaded anew, and what is said when there are none.

use std::sync::Arc;

use super::super::tests::var;
use super::*;
use crate::net::script::Script;

const NOW_S: u64 = 1_795_332_268; // 2026-11-22T07:24:28Z
const NO_IMDS: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

fn open(vars: &[(&str, &str)]) -> Result<Credentials, Error> {
    let var = var(vars);
    Credentials::open(&Profile::read(&var), "eu-west-1", &var)
}

fn container_answer(key: &str, expiration: &str) -> String {
    format!(
        r#"{{"AccessKeyId":"{key}","SecretAccessKey":"hidden","Token":"hidden","Expiration":"{expiration}"}}"#
    )
}

const CONTAINER: [(&str, &str); 3] = [
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hidden"),
    NO_IMDS,
];

#[test]
fn keys_are_due_when_there_are_none_when_refused_and_near_their_end() {
    let (now_s, now) = (NOW_S as i64, Now { unix_ns: NOW_S * 1_000_000_000, mono_ns: 100_000_000_000 });
    let (long_ago, just_now) = (Some(1), Some(99_000_000_000));
    let table = [
        (None, false, None, true),
        (Some(None), false, None, false),
        (Some(None), true, just_now, true),
        (Some(Some(now_s + 3_600)), false, None, false),
        (Some(Some(now_s + 299)), false, long_ago, true),
        (Some(Some(now_s + 299)), false, just_now, false),
        (Some(Some(now_s - 1)), false, just_now, true),
    ];
    for (expiry_s, refused, attempted_ns, expected) in table {
        assert_eq!(due(expiry_s, refused, attempted_ns, now), expected, "{expiry_s:?} {refused}");
    }
}

#[test]
fn nowhere_to_look_is_told_at_open() {
    let home = tempfile::tempdir().unwrap();
    let home = ("HOME", home.path().to_str().unwrap());
    let error = open(&[NO_IMDS, home]).err().unwrap().to_string();
    assert!(error.starts_with("AWS_ACCESS_KEY_ID: no credentials: "), "{error}");
    assert!(error.ends_with(REMEDY), "{error}");
    let half = [NO_IMDS, home, ("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "")];
    assert!(open(&half).is_err());
    assert!(open(&[home]).is_ok(), "an instance may have a role; only the network tells");
    assert!(open(&CONTAINER).is_ok());
}

#[test]
fn a_profile_gives_keys_from_either_file_or_from_a_process() {
    let dir = tempfile::tempdir().unwrap();
    let (config, shared) = (dir.path().join("config"), dir.path().join("credentials"));
    let printed =
        r#"{"Version":1,"AccessKeyId":"P","SecretAccessKey":"s","Expiration":"2026-11-22T09:00:00Z"}"#;
    std::fs::write(dir.path().join("printed"), printed).unwrap();
    let process = format!("cat {}", dir.path().join("printed").display());
    std::fs::write(&config, format!("[profile c]\naws_access_key_id=C\naws_secret_access_key=s\n[profile p]\ncredential_process={process}\n")).unwrap();
    std::fs::write(&shared, "[s]\naws_access_key_id=S\naws_secret_access_key=s\naws_session_token=t\n")
        .unwrap();
    for (profile, key) in [("c", "C"), ("s", "S"), ("p", "P")] {
        let vars = [
            ("AWS_PROFILE", profile),
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", shared.to_str().unwrap()),
            NO_IMDS,
        ];
        let mut net = Arc::new(Script::default()).net(NOW_S);
        assert_eq!(open(&vars).unwrap().get(&mut net).unwrap().access_key_id, key);
    }
}

#[test]
fn a_profiles_role_is_assumed_with_the_keys_of_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let (config, shared) = (dir.path().join("config"), dir.path().join("credentials"));
    std::fs::write(
        &config,
        "[profile r]\nrole_arn=arn:aws:iam::123456789012:role/ops\nsource_profile=base\n",
    )
    .unwrap();
    std::fs::write(&shared, "[base]\naws_access_key_id=BASE\naws_secret_access_key=s\n").unwrap();
    let vars = [
        ("AWS_PROFILE", "r"),
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_SHARED_CREDENTIALS_FILE", shared.to_str().unwrap()),
        NO_IMDS,
    ];
    let answer = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIAROLEROLEROLEROLE</AccessKeyId>\
        <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
        <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
    let script = Arc::new(Script::default()).answer(200, answer);
    assert_eq!(
        open(&vars).unwrap().get(&mut script.net(NOW_S)).unwrap().access_key_id,
        "ASIAROLEROLEROLEROLE"
    );
    let asked = script.asked();
    assert_eq!(asked[0].0.uri().host(), Some("sts.eu-west-1.amazonaws.com"));
    assert!(asked[0].0.headers()["authorization"].to_str().unwrap().contains("Credential=BASE/"));
}

#[test]
fn keys_are_kept_until_they_are_near_their_end_and_then_even_if_no_others_come() {
    let script = Arc::new(Script::default());
    let mut credentials = open(&CONTAINER).unwrap();
    let mut net = script.answer(200, &container_answer("ONE", "2026-11-22T08:24:28Z")).net(NOW_S);
    for _ in 0..3 {
        assert_eq!(credentials.get(&mut net).unwrap().access_key_id, "ONE");
    }
    let asked = script.asked();
    assert_eq!(asked.len(), 1, "asked once for three pushes");
    assert_eq!(asked[0].0.uri(), "http://169.254.170.2/v2/x");
    assert!(!asked[0].1.proxy);

    let mut near = script.net(NOW_S + 3_500); // 100 s before their end, and the container does not answer
    near.now.mono_ns = 3_500_000_000_000;
    assert_eq!(credentials.get(&mut near).unwrap().access_key_id, "ONE");
    assert_eq!(credentials.get(&mut near).unwrap().access_key_id, "ONE");
    assert_eq!(script.asked().len(), 1, "one attempt a minute while the old ones serve");

    let mut past = script.net(NOW_S + 7_200);
    assert_eq!(credentials.get(&mut past).unwrap().access_key_id, "ONE", "the service is the judge");
    script.answer(200, &container_answer("TWO", "2026-11-22T12:00:00Z"));
    assert_eq!(credentials.get(&mut past).unwrap().access_key_id, "TWO");
}

#[test]
fn refused_keys_are_loaded_anew() {
    let script = Arc::new(Script::default());
    let mut credentials = open(&CONTAINER).unwrap();
    script.answer(200, &container_answer("ONE", "2099-01-01T00:00:00Z"));
    script.answer(200, &container_answer("TWO", "2099-01-01T00:00:00Z"));
    let mut net = script.net(NOW_S);
    assert_eq!(credentials.get(&mut net).unwrap().access_key_id, "ONE");
    credentials.refuse(credentials.number());
    assert_eq!(credentials.get(&mut net).unwrap().access_key_id, "TWO");
    assert_eq!(credentials.get(&mut net).unwrap().access_key_id, "TWO");
    assert_eq!(script.asked().len(), 2);
}

#[test]
fn no_keys_anywhere_says_where_it_looked_and_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let script = Arc::new(Script::default());
    let mut credentials = open(&[("HOME", home.path().to_str().unwrap())]).unwrap();
    let why = credentials.get(&mut script.net(NOW_S)).unwrap_err();
    assert!(why.contains("the instance: failed to connect to IMDS") && why.ends_with(REMEDY), "{why}");
    let asked = script.asked();
    assert_eq!(asked.len(), 1, "one attempt of at most a second tells that there is no instance service");
    assert_eq!(asked[0].1.connect, lend::METADATA_CONNECT);
}

#[test]
fn what_a_process_prints_is_not_told() {
    let dir = tempfile::tempdir().unwrap();
    let (config, printed) = (dir.path().join("config"), dir.path().join("printed"));
    std::fs::write(&printed, r#"{"Version":"hidden","AccessKeyId":"hidden"}"#).unwrap();
    std::fs::write(&config, format!("[default]\ncredential_process=cat {}\n", printed.display())).unwrap();
    let vars = [("AWS_CONFIG_FILE", config.to_str().unwrap()), NO_IMDS];
    let why = open(&vars).unwrap().get(&mut Arc::new(Script::default()).net(NOW_S)).unwrap_err();
    assert!(why.contains("the profile's process: it failed") && !why.contains("hidden"), "{why}");
}
