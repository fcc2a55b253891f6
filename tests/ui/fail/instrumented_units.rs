//! `correlate`, `hold`, `busy`; secrets.
use ops_sdk::{Secret, counter, instrumented};

#[instrumented(hold)]
fn no_level() {}

#[instrumented(hold = "debug")]
fn level_in_quotes() {}

#[instrumented(hold = debg)]
fn misspelt() {}

#[instrumented(hold = error)]
fn errors() {}

#[instrumented(hold = debug, hold = trace)]
fn twice() {}

#[instrumented(correlate =)]
fn no_value() {}

#[instrumented(correlate = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")]
fn no_correlation() {}

#[instrumented(correlate(id))]
fn parentheses(id: u8) -> u8 {
    id
}

#[instrumented(busy)]
fn not_async() {}

#[instrumented(busy = true)]
async fn busy_value() {}

#[instrumented(hold = debug)]
async fn never_ends() -> ! {
    std::process::exit(1)
}

struct Block;

#[instrumented(correlate)]
impl Block {
    fn method(&self) {}
}

fn main() {
    let password = Secret::new("hunter2");
    counter!("logins", 1, "Password" => password);
    let _: &str = password;
}
