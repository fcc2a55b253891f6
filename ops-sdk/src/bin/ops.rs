//! `ops`: reads the local store of programs that record with ops-sdk. See `ops --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ops_sdk::cli::main()
}
