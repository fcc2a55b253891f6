//! Settings that mean nothing and places that cannot be used: a clear error that names the setting and the remedy
//! before the start; after it the books and a warning, and a program that goes on.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use ops_tests::cloud::{BACKENDS, init, keys};
use ops_tests::{output_once_said, turn};
use serde_json::Value;

type Vars<'a> = &'a [(&'static str, &'a str)];

/// What the start says of these variables.
fn said(vars: Vars<'_>) -> String {
    let _turn = turn();
    let vars = vars.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let started = init(vars).start();
    started.err().map_or_else(|| panic!("it starts"), |error| error.to_string())
}

/// The keys and region, and these besides.
fn with_keys(vars: Vars<'_>) -> String {
    let keys = keys();
    let keys = keys.iter().map(|(name, value)| (*name, value.as_str()));
    said(&keys.chain(vars.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn a_backend_that_does_not_exist_is_told_with_those_that_do() {
    let all: Vec<&str> = ops_sdk::backend::known().iter().map(|(name, _)| *name).collect();
    let expected = format!("OPS_BACKENDS: unknown backend \"clodwatch\"; use one of: {}", all.join(", "));
    assert_eq!(with_keys(&[("OPS_BACKENDS", "cloudwatch, clodwatch")]), expected);
    let twice = "OPS_BACKENDS: \"emf\" is named twice; name each backend once, or a second of its kind as in archive=s3";
    assert_eq!(said(&[("OPS_BACKENDS", "emf,emf")]), twice);
    let none = "OPS_BACKENDS: \"a b\" is no name of a backend; use 1 to 64 of the characters a-z 0-9 -, not beginning with -";
    assert_eq!(said(&[("OPS_BACKENDS", "emf, a b=emf")]), none);
}

#[test]
fn a_route_that_leads_nowhere_is_told_with_where_it_could() {
    let routes = |text| said(&[("OPS_BACKENDS", "emf"), ("OPS_ROUTES", text)]);
    let meaningless = routes("metrics -> emf");
    assert!(
        meaningless.starts_with("OPS_ROUTES: in \"metrics -> emf\": \"metrics\" is neither a kind of"),
        "{meaningless}"
    );
    assert!(meaningless.contains("; write rules as in \"metric -> short;"), "{meaningless}");
    let nowhere = routes("metric -> emf, elsewhere");
    let expected = "OPS_ROUTES: a rule leads to \"elsewhere\", which is neither a backend in use nor a tier; name it in \
                    OPS_BACKENDS, or lead the rule to one of: emf";
    assert_eq!(nowhere, expected);
    let tier = routes("log -> long");
    assert!(
        tier.starts_with("OPS_ROUTES: a rule leads to the tier long, and none of it (s3) is in use; name it"),
        "{tier}"
    );
    let missing = said(&[("OPS_CONFIG", "/nowhere/ops.toml")]);
    assert!(missing.starts_with("OPS_CONFIG: /nowhere/ops.toml cannot be read: "), "{missing}");
}

#[test]
fn a_setting_that_no_backend_has_is_told_where_the_file_says_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("ops.toml");
    std::fs::write(&path, "[backends.lines]\nkind = \"emf\"\ntraget = \"stdout\"\n").expect("a file");
    let error = said(&[("OPS_CONFIG", path.to_str().expect("UTF-8"))]);
    assert_eq!(
        error,
        "OPS_CONFIG: emf has no setting that OPS_EMF_TRAGET would be; see the backend's page for its settings"
    );
}

#[test]
fn an_endpoint_that_is_none_is_told_with_its_variable() {
    let remedy = "give a URL of scheme, host and port, as in http://127.0.0.1:5000";
    let table = [
        ("nowhere", "\"nowhere\" has no scheme"),
        ("ftp://host", "\"ftp://host\" is neither http nor https"),
        ("http://host:port", "\"http://host:port\" has a port that is none"),
        ("http://me:secret@host/?token=hidden", "\"…@host/\" holds a user's name, or no host"),
    ];
    for (url, problem) in table {
        let expected = format!("AWS_ENDPOINT_URL: {problem}; {remedy}");
        assert_eq!(with_keys(&[("OPS_BACKENDS", BACKENDS), ("AWS_ENDPOINT_URL", url)]), expected);
    }
    let own = with_keys(&[("OPS_BACKENDS", BACKENDS), ("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://")]);
    assert!(own.starts_with("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: \"http://\""), "{own}");
}

#[test]
fn no_region_and_no_credentials_are_told_with_where_to_set_them() {
    let home = tempfile::tempdir().expect("a directory");
    let home = home.path().to_str().expect("UTF-8");
    let nothing = [("OPS_BACKENDS", BACKENDS), ("HOME", home), ("AWS_EC2_METADATA_DISABLED", "true")];
    let expected = "AWS_REGION: no region is set; \
        set AWS_REGION (as in AWS_REGION=eu-west-1), .region(..) or `region` in the profile";
    assert_eq!(said(&nothing), expected);
    let region = [&nothing[..], &[("AWS_REGION", "eu-west-1")]].concat();
    let expected = "AWS_ACCESS_KEY_ID: no credentials: no keys in the environment or in profile \"default\", \
        no web identity, no container role, and AWS_EC2_METADATA_DISABLED keeps from asking for an instance role; \
        set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role";
    assert_eq!(said(&region), expected);
}

#[test]
fn a_place_that_cannot_be_written_to_is_told_with_its_setting() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "not a directory").expect("a file");
    let (file, below) = (file.display().to_string(), file.join("below").display().to_string());
    let remedy = "give a directory that this user may write to, on a disk with room";
    let table = [
        (file.as_str(), "File exists (os error 17)"),
        (below.as_str(), "Not a directory (os error 20)"),
        ("/proc/ops", "No such file or directory (os error 2)"), // nobody may make anything there, root included
    ];
    for (place, why) in table {
        let expected = format!("OPS_STATE_DIR / .state_dir(..): cannot create {place}: {why}; {remedy}");
        assert_eq!(said(&[("OPS_BACKENDS", "emf"), ("OPS_STATE_DIR", place)]), expected);
    }
    for place in [below.as_str(), "/proc/ops/store.db"] {
        let local = said(&[("OPS_BACKENDS", "local"), ("OPS_LOCAL_PATH", place)]);
        assert!(local.starts_with("OPS_LOCAL_PATH: cannot create "), "{local}");
        assert!(local.contains(Path::new(place).parent().and_then(Path::to_str).expect("UTF-8")), "{local}");
    }
}

/// The program with these variables and no others.
fn program(arguments: &[&str], vars: Vars<'_>) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_program"));
    program.args(arguments).env_clear().envs(vars.iter().copied());
    program
}

/// A process that has started and stays.
fn holding(vars: Vars<'_>) -> Child {
    let mut program = program(&["hold"], vars);
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("it says something");
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn a_state_directory_has_one_live_owner_who_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = dir.path().to_str().expect("UTF-8");
    let vars = [("OPS_BACKENDS", "local"), ("OPS_STATE_DIR", place)];
    let mut owner = holding(&vars);
    let expected = format!(
        "OPS_STATE_DIR / .state_dir(..): cannot lock {place}: already in use by the live process {}; \
         give each process a directory of its own, or end that one first",
        owner.id()
    );
    assert_eq!(said(&vars), expected);
    let other = program(&["hold"], &vars).stdin(Stdio::null()).output().expect("the program runs");
    assert_eq!(other.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&other.stderr), format!("program: {expected}\n"));
    drop(owner.stdin.take());
    assert!(owner.wait().expect("it was started").success());
    let mut next = holding(&vars);
    // A killed owner leaves the lock file, and no lock.
    next.kill().expect("it lives");
    next.wait().expect("it was started");
    let mut last = holding(&vars);
    drop(last.stdin.take());
    assert!(last.wait().expect("it was started").success());
}

/// Runs the program where the disk at `dir` has a mebibyte: on a small tmpfs in a mount namespace of its own, which ends
/// with it; where that is not allowed, with files of one mebibyte at most (two where the shell counts in KiB).
fn on_a_small_disk(dir: &Path, arguments: &[&str], vars: Vars<'_>) -> Output {
    let mut plain = program(arguments, vars);
    let mount = "mount -t tmpfs -o size=1m none \"$1\" && shift && exec \"$@\"";
    let limit = "trap '' XFSZ; ulimit -f 2048; shift; exec \"$@\"";
    let unshare = ["--mount", "--map-root-user", "sh", "-c"];
    let allowed = Command::new("unshare").args(unshare).args([mount, "sh"]).arg(dir).arg("true").output();
    let mut command = if allowed.is_ok_and(|output| output.status.success()) {
        let mut command = Command::new("unshare");
        command.args(unshare).args([mount, "sh"]).arg(dir);
        command
    } else {
        eprintln!("no tmpfs may be mounted here: tried with RLIMIT_FSIZE instead");
        let mut command = Command::new("sh");
        command.args(["-c", limit, "sh"]).arg(dir);
        command
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear().env("PATH", path).envs(vars.iter().copied());
    plain = command;
    output_once_said(&mut plain, 1)
}

/// The program's books by backend and signal, each balanced; and what it said.
fn books(output: &Output) -> (Vec<Value>, String) {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && !stderr.contains("panicked"), "{stderr}");
    let lines = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(rows.iter().all(|row| row["balanced"] == true), "{rows:?}");
    (rows, stderr)
}

fn logs(rows: &[Value]) -> &Value {
    rows.iter().find(|row| row["signal"] == "log").expect("a row of logs")
}

#[test]
fn a_full_disk_under_the_local_store_stops_neither_the_program_nor_the_books() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("store.db").display().to_string();
    let output = on_a_small_disk(
        dir.path(),
        &["fill", "3000", "held"],
        &[("OPS_BACKENDS", "local"), ("OPS_LOCAL_PATH", &store)],
    );
    let (rows, said) = books(&output);
    let logs = logs(&rows);
    assert_eq!(logs["recorded"], 3_000, "every call returned");
    assert!(logs["delivered"].as_u64() < Some(2_000) && logs["pending"].as_u64() > Some(1_000), "{logs}");
    let warning = format!("ops-sdk: local: not delivered, will be tried again: {store}: ");
    assert_eq!(said.matches(&warning).count(), 1, "once a minute: {said}");
    assert!(said.contains("or set OPS_LOCAL_PATH to another"), "{said}");
}

#[test]
fn a_full_disk_under_the_state_directory_stops_neither_the_program_nor_the_books() {
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state").display().to_string();
    // A server that never answers: everything waits.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let endpoint = format!("http://{}", silent.local_addr().expect("it is bound"));
    let keys = keys();
    let keys = keys.iter().map(|(name, value)| (*name, value.as_str()));
    let own = [
        ("OPS_BACKENDS", "cloudwatch-logs"),
        ("OPS_STATE_DIR", state.as_str()),
        ("OPS_SHUTDOWN_DEADLINE_MS", "200"),
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
    ];
    let vars: Vec<_> = keys.chain(own).collect();
    let (rows, said) = books(&on_a_small_disk(dir.path(), &["fill", "3000", "held"], &vars));
    let logs = logs(&rows);
    assert_eq!((&logs["recorded"], &logs["pending"]), (&3_000.into(), &3_000.into()), "{logs}");
    let warning = format!("ops-sdk: OPS_STATE_DIR / .state_dir(..): cannot use {state}/journal: ");
    assert_eq!(said.matches(&warning).count(), 1, "once a minute: {said}");
    assert!(said.contains("make room on the disk or repair it; until then records wait in memory"), "{said}");
    assert_told_apart(&said);
}

/// What the disk took and what it did not: both are some, together they are all, and neither is called the other.
fn assert_told_apart(said: &str) {
    let last = said.lines().last().unwrap_or_default();
    let number = |text: &str| text.trim_start_matches("ops-sdk: ").split(' ').next()?.parse::<u64>().ok();
    let mut fates = last.split("; ");
    let (kept, lost) = (fates.next().unwrap_or_default(), fates.next().unwrap_or_default());
    assert!(kept.ends_with("records are kept in the state directory for the next start"), "{last}");
    assert!(lost.ends_with("records are lost (the state directory did not take them)"), "{last}");
    let (kept, lost) = (number(kept).expect("a number"), number(lost).expect("a number"));
    assert!(kept > 100 && lost > 500 && kept + lost == 3_000, "{last}");
}
