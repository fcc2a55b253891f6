//! Python in a virtual environment of pinned packages, set up on first use by `tests/rig/venv.py`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde::de::DeserializeOwned;

/// Runs `script` (a file of `tests/rig`) with these arguments and returns its standard output.
///
/// # Panics
///
/// If the environment cannot be set up, or the script fails: with what it said.
#[must_use]
pub fn python(script: &str, args: &[&str]) -> String {
    let output = command(script).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {script}: {error}"));
    text(script, &output)
}

/// Runs `script` as [`python`] does and reads each line of its output as JSON.
///
/// # Panics
///
/// As [`python`] does, and if a line is not what `T` expects.
#[must_use]
pub fn python_lines<T: DeserializeOwned>(script: &str, args: &[&str]) -> Vec<T> {
    let read = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{script} printed {line:?}: {error}"))
    };
    python(script, args).lines().map(read).collect()
}

/// Runs `script` in the environment of `requirements-<name>.txt` and reads each line of its output as JSON.
///
/// # Panics
///
/// As [`python_lines`] does.
#[must_use]
pub fn python_lines_with<T: DeserializeOwned>(name: &str, script: &str, args: &[&str]) -> Vec<T> {
    let python = venv(&format!("venv-{name}"), &format!("requirements-{name}.txt"));
    let output = with(&python, script).args(args).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {script}: {error}"));
    let read = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{script} printed {line:?}: {error}"))
    };
    text(script, &output).lines().map(read).collect()
}

/// The environment's Python. The first call sets the environment up, which takes half a minute on a fresh machine.
///
/// # Panics
///
/// If it cannot be set up: with the reason and the remedy.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| venv("venv", "requirements.txt"))
}

/// The Python of the environment in this folder of `target/rig`, set up from these requirements.
fn venv(folder: &str, requirements: &str) -> PathBuf {
    let venvs = target().join("rig").join(folder);
    let script = scripts().join("venv.py");
    let output = Command::new("python3").arg(script).arg(venvs).arg(scripts().join(requirements)).output();
    let output = output.unwrap_or_else(|error| panic!("the rig needs python3 on the PATH: {error}"));
    PathBuf::from(text("venv.py", &output).trim())
}

/// A command that runs `script` without the user's AWS and Python settings.
pub(super) fn command(script: &str) -> Command {
    with(interpreter(), script)
}

fn with(python: &Path, script: &str) -> Command {
    let mut command = Command::new(python);
    command.arg(scripts().join(script));
    for (name, _) in std::env::vars_os() {
        if is_setting(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    command
}

/// Whether a variable would make a script depend on the user's own settings.
fn is_setting(name: &str) -> bool {
    let foreign = ["AWS_", "MOTO_", "PYTHON"].iter().any(|prefix| name.starts_with(prefix));
    foreign || name.to_ascii_lowercase().ends_with("_proxy")
}

/// Standard output of a process that succeeded.
pub(super) fn text(script: &str, output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script} failed ({}):\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rig")
}

/// Cargo's target folder: `CARGO_TARGET_DIR`, or the workspace's own.
pub(super) fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), |dir| workspace.join(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_settings_are_kept_out() {
        let names =
            ["AWS_PROFILE", "AWS_ENDPOINT_URL", "PYTHONPATH", "http_proxy", "HTTPS_PROXY", "MOTO_PORT"];
        assert!(names.into_iter().all(is_setting));
        assert!(!["PATH", "HOME", "LANG", "PROXY_X"].into_iter().any(is_setting));
    }

    #[test]
    #[should_panic(expected = "no-such-script.py failed")]
    fn a_script_that_fails_says_so() {
        let _ = python("no-such-script.py", &[]);
    }
}
