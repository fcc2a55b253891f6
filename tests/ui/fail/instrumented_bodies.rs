//! Errors in a measured body are those that the function itself would have.
use ops_sdk::instrumented;

#[instrumented]
fn wrong_type() -> u8 {
    "text"
}

#[instrumented]
fn wrong_return(n: u8) -> Option<u8> {
    if n > 1 {
        return n;
    }
    None
}

#[instrumented]
async fn wrong_later() -> u8 {
    "text"
}

#[instrumented]
fn unknown_name() {
    missing();
}

#[instrumented]
fn no_question(text: &str) -> u8 {
    text.parse::<u8>()?
}

#[instrumented]
fn moved(text: String) -> String {
    drop(text);
    text
}

fn main() {}
