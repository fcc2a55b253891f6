//! Starts every real counterpart there is, says the variables that lead each backend there, and ends them all when its
//! input ends: what `tests/rig/start` runs. For trying a backend by hand.

use std::io::{self, Read};

use ops_tests::soak::{names, real};

fn main() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut started = Vec::new();
    for name in names() {
        match real(name, dir.path()) {
            Some(Ok(real)) => {
                println!("# {name}: {}", real.what);
                for (variable, value) in &real.vars {
                    println!("{variable}={value}");
                }
                started.push(real);
            }
            Some(Err(without)) => println!("# {name}: not started, {without} is set"),
            None => {}
        }
    }
    println!("# {} run until the end of input (Ctrl-D)", started.len());
    let _ = io::stdin().read_to_end(&mut Vec::new());
}
