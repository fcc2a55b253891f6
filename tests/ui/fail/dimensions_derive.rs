//! What `#[derive(Dimensions)]` refuses.
use ops_sdk::prelude::*;

#[derive(Dimensions)]
enum Holds {
    One,
    Two(u8),
}

#[derive(Dimensions)]
enum Empty {}

#[derive(Dimensions)]
struct Tuple(bool);

#[derive(Dimensions)]
struct Nothing {}

#[derive(Dimensions)]
union Either {
    a: u8,
    b: i8,
}

#[derive(Dimensions)]
enum Twice {
    One,
    #[dimension(rename = "One")]
    Other,
}

#[derive(Dimensions)]
struct TwiceToo {
    #[dimension(rename = "Key")]
    a: bool,
    #[dimension(rename = "Key")]
    b: bool,
}

#[derive(Dimensions)]
struct BadKey {
    #[dimension(rename = ":key")]
    a: bool,
    größe: bool,
}

#[derive(Dimensions)]
enum BadValue {
    #[dimension(rename = "")]
    A,
}

#[derive(Dimensions)]
#[dimension(rename_all = "snakecase")]
enum BadCase {
    A,
}

#[derive(Dimensions)]
enum Misspelt {
    #[dimension(renam = "a")]
    A,
}

#[derive(Dimensions)]
enum Misplaced {
    #[dimension(rename_all = "snake_case")]
    A,
}

#[derive(Dimensions)]
#[dimension(rename = "Key")]
struct NoKeyOfItsOwn {
    a: bool,
}

#[derive(Dimensions)]
enum NoText {
    #[dimension(rename)]
    A,
}

#[derive(Dimensions)]
enum TwoNames {
    #[dimension(rename = "a", rename = "b")]
    A,
}

#[derive(Dimensions)]
#[dimension]
enum Nothing2 {
    A,
}

#[derive(Dimensions)]
enum NotThis {
    #[dimension(rename = "a"; "b")]
    A,
}

fn main() {}
