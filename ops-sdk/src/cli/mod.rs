//! The `ops` command: what an operator asks of a local store, on a terminal or in a pipe.
//!
//! Promises: only ever reads, but for `ops ship`, `ops recover` and orders to send dead letters again; the same store and
//! arguments give the same text; colour only on a terminal that has not said `NO_COLOR`; a reader that goes away
//! (`ops logs | head`) ends it quietly. The commands write into any [`Write`], so that the tests read what an operator
//! would.

mod args;
mod dead_letter;
mod human;
mod join;
mod logs;
mod recover;
mod ship;
mod stats;
mod table;
#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::args::{Args, Command};
use crate::clock::Now;
use crate::error::Error;
use crate::store::{Store, default_path};

/// How long `ops tail` waits before it looks again.
const POLL: Duration = Duration::from_millis(200);

/// Why a command came to nothing.
#[derive(Debug)]
enum Failure {
    /// For the operator, on stderr.
    Said(String),
    /// The output could not be written.
    Output(io::Error),
}

/// Runs the command of this process's arguments; the exit code is documented in `ops --help`.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        // Help and version go to stdout and are no failure; clap knows which is which.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut out = BufWriter::new(stdout.lock());
    match run(args, Now::read(), colour, &mut out).and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = out.flush();
            eprintln!("ops: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args, now: Now, colour: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let given = args.store;
    match args.command {
        Command::Stats(args) => stats::run(&open(given)?, &args, now, colour, out),
        Command::Logs(args) => logs::list(&open(given)?, &args, now, colour, out),
        Command::Tail(args) => {
            let wait = || {
                std::thread::sleep(POLL);
                true
            };
            logs::tail(&open(given)?, &args, colour, out, wait)
        }
        Command::Join(args) => join::run(&args, out),
        Command::Ship(args) => ship::run(crate::init(), &args, &mut io::stderr()),
        Command::Recover(args) => recover::run(&args, out),
        Command::DeadLetter(args) => dead_letter::run(&args, now, colour, out),
    }
}

fn open(given: Option<PathBuf>) -> Result<Store, Failure> {
    let path = given.unwrap_or_else(default_path);
    if !path.exists() {
        return Err(Failure::Said(format!(
            "no store at {}; give --store PATH, set OPS_LOCAL_PATH or OPS_STATE_DIR as the program that records \
             has them, or run ops in the directory where it ran (.ops/store.db)",
            path.display()
        )));
    }
    Ok(Store::open(path)?)
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Said(error.to_string())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Said(text) => f.write_str(text),
            Failure::Output(error) => write!(f, "cannot write the output: {error}"),
        }
    }
}
