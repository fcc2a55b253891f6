//! Settings that are names and values: entities and tags. What the program said and what the environment says are held
//! to the same bounds, and what breaks them is refused with the setting's name, since the service would refuse it with
//! every push.

use crate::backend::Context;
use crate::error::Error;

/// Names and values, in the order they were told.
pub(in crate::backend) type Pairs = Vec<(String, String)>;

/// What a list of names and values may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) pairs_max: usize,
    /// Characters of a name.
    pub(super) name_max: usize,
    /// Characters of a value.
    pub(super) value_max: usize,
}

/// What the program said, else the variable, as in `Team=payments,Stage=prod`.
///
/// # Errors
///
/// If a pair is none, a name is there twice, or a bound is broken.
pub(super) fn find(told: &Pairs, variable: &str, bounds: Bounds, context: &Context) -> Result<Pairs, Error> {
    let pairs = match told.is_empty() {
        false => told.clone(),
        true => parse(&(context.var)(variable).unwrap_or_default(), variable)?,
    };
    let refused = |problem: String| {
        Error::setting(
            variable,
            problem,
            "write Name=value pairs with commas between them, within those bounds",
        )
    };
    if pairs.len() > bounds.pairs_max {
        return Err(refused(format!("{} pairs; at most {} are taken", pairs.len(), bounds.pairs_max)));
    }
    for (at, (name, value)) in pairs.iter().enumerate() {
        let fits = |text: &str, max| text.chars().count() <= max && !text.chars().any(char::is_control);
        if name.is_empty() || !fits(name, bounds.name_max) {
            let max = bounds.name_max;
            return Err(refused(format!("\"{}\" is no name of 1 to {max} characters", name.escape_debug())));
        }
        if !fits(value, bounds.value_max) {
            let max = bounds.value_max;
            return Err(refused(format!(
                "the value of \"{name}\" is more than {max} characters, or not plain text"
            )));
        }
        if pairs[..at].iter().any(|(other, _)| other == name) {
            return Err(refused(format!("\"{name}\" is there twice")));
        }
    }
    Ok(pairs)
}

fn parse(text: &str, variable: &str) -> Result<Pairs, Error> {
    let pieces = text.split(',').map(str::trim).filter(|piece| !piece.is_empty());
    let pair = |piece: &str| match piece.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => {
            let problem = format!("\"{}\" has no =", piece.escape_debug());
            Err(Error::setting(variable, problem, "write Name=value pairs with commas between them"))
        }
    };
    pieces.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    const BOUNDS: Bounds = Bounds { pairs_max: 2, name_max: 4, value_max: 3 };

    #[test]
    fn the_program_wins_and_bounds_are_held() {
        let of = |told: &Pairs, text: &str| find(told, "PAIRS", BOUNDS, &context(&[("PAIRS", text)]));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(of(&Vec::new(), " a = 1, ,b=x=y").unwrap(), [pair("a", "1"), pair("b", "x=y")]);
        assert_eq!(of(&vec![pair("c", "2")], "a=1").unwrap(), [pair("c", "2")]);
        assert_eq!(of(&Vec::new(), " ").unwrap(), []);
        for bad in ["a", "=1", "abcde=1", "a=1234", "a=1,a=2", "a=1,b=2,c=3", "a\nb=1", "a=1\r2"] {
            let error = of(&Vec::new(), bad).unwrap_err().to_string();
            assert!(error.starts_with("PAIRS: "), "{error}");
        }
    }
}
