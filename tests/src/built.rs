//! Programs of the workspace that are no part of this package, as cargo builds them: the examples and the `ops` command.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The executable of this name: `quickstart` or `ops`. The first call has cargo build them, which takes no time where
/// the whole workspace is being tested: the selection of features is the same.
///
/// # Panics
///
/// If they do not build, or there is none of this name.
#[must_use]
pub fn executable(name: &str) -> &'static Path {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    built.get(name).unwrap_or_else(|| panic!("cargo built {:?}, and no {name}", built.keys()))
}

fn build() -> BTreeMap<String, PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args([
        "build",
        "--quiet",
        "--workspace",
        "--all-features",
        "--example",
        "quickstart",
        "--bin",
        "ops",
    ]);
    build.arg("--message-format=json").current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit());
    let output = build.output().unwrap_or_else(|error| panic!("cargo does not run: {error}"));
    assert!(output.status.success(), "the programs do not build: see above");
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().map(|line| serde_json::from_str(line).expect("cargo's messages are JSON"));
    messages.filter_map(|message: Value| named(&message)).collect()
}

/// The name and place of the executable that a message tells of, if it does.
fn named(message: &Value) -> Option<(String, PathBuf)> {
    let name = message["target"]["name"].as_str()?.to_owned();
    Some((name, message["executable"].as_str()?.into()))
}
