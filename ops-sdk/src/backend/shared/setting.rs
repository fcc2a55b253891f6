//! Settings: what the program says wins over the environment, and what is blank is not set.

use crate::backend::Context;
use crate::error::Error;

/// What the program said, else the variable; trimmed, and `None` where that leaves nothing.
pub(in crate::backend) fn setting(told: Option<&str>, variable: &str, context: &Context) -> Option<String> {
    let said = told.map(str::to_owned).or_else(|| (context.var)(variable));
    said.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A switch: what the program said, else the variable, else `default`.
///
/// # Errors
///
/// If the variable says neither.
pub(in crate::backend) fn yes_or_no(
    told: Option<bool>,
    variable: &str,
    default: bool,
    context: &Context,
) -> Result<bool, Error> {
    match (told, setting(None, variable, context)) {
        (Some(told), _) => Ok(told),
        (None, None) => Ok(default),
        (None, Some(text)) => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "on" | "yes" => Ok(true),
            "0" | "false" | "off" | "no" => Ok(false),
            _ => Err(Error::setting(variable, format!("\"{text}\" is neither yes nor no"), "use 1 or 0")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[test]
    fn the_program_wins_and_blank_is_nothing() {
        let context = context(&[("A", " env "), ("B", "  "), ("C", "off"), ("D", "maybe")]);
        assert_eq!(setting(Some("told"), "A", &context).as_deref(), Some("told"));
        assert_eq!(setting(None, "A", &context).as_deref(), Some("env"));
        assert_eq!(setting(None, "B", &context), None);
        assert_eq!(setting(None, "Z", &context), None);
        let switch = |told, name, default| yes_or_no(told, name, default, &context);
        assert!(!switch(None, "C", true).unwrap());
        assert!(switch(Some(true), "C", false).unwrap());
        assert!(switch(None, "Z", true).unwrap());
        assert!(switch(None, "D", true).unwrap_err().to_string().starts_with("D: "));
    }
}
