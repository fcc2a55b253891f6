//! The program `panics` under another name: `tests/on_panics.rs` builds it with panics that abort, and the other one has
//! to stay as it is meanwhile.

#[path = "panics.rs"]
mod panics;

fn main() -> Result<(), ops_sdk::Error> {
    panics::main()
}
