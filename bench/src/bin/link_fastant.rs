//! A program that links a clock and never reads it.

fn main() {
    if std::env::args().count() > 1 {
        println!("{:?}", fastant::Instant::now());
    }
}
