//! A program that does nothing, to be held against one that links a clock.

fn main() {
    if std::env::args().count() > 1 {
        println!("nothing");
    }
}
