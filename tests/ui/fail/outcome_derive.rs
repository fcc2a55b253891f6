//! `#[derive(Outcome)]` and `#[outcome(..)]`.
use ops_sdk::Outcome;

#[derive(Outcome)]
enum Unmarked {
    #[outcome(ok)]
    Done,
    Failed,
}

#[derive(Outcome)]
struct Whole;

#[derive(Outcome)]
union Either {
    _one: u8,
    _two: i8,
}

#[derive(Outcome)]
enum Misspelt {
    #[outcome(eror)]
    One,
}

#[derive(Outcome)]
enum Nothing {
    #[outcome]
    One,
}

#[derive(Outcome)]
enum Empty {
    #[outcome()]
    One,
}

#[derive(Outcome)]
enum Twice {
    #[outcome(ok)]
    #[outcome(error)]
    One,
}

#[derive(Outcome)]
enum NoLabel {
    #[outcome(error, lable = "x")]
    One,
}

#[derive(Outcome)]
enum LabelAlone {
    #[outcome(label = "x")]
    One,
}

#[derive(Outcome)]
enum Number {
    #[outcome(client, label = 7)]
    One,
}

#[derive(Outcome)]
enum NotAscii {
    #[outcome(client, label = "größe")]
    One,
}

#[derive(Outcome)]
#[outcome(client, label = "")]
struct NoText;

#[derive(Outcome)]
enum TooMuch {
    #[outcome(client, label = "a", label = "b")]
    One,
}

fn main() {}
