//! CloudWatch's rules for what the whole process is called (PutMetricData, API reference and service model): the
//! macros check names in the source when it is compiled, these are the names that are known only at the start.

use crate::error::Error;

/// Dimensions of the whole process. A metric may have 30, its own included.
const DIMENSIONS_MAX: usize = 20;

/// Checks a namespace: 1-255 ASCII characters without control characters, not starting with a colon or `AWS/`.
pub(super) fn namespace(namespace: &str) -> Result<(), Error> {
    let problem = if namespace.is_empty() || namespace.len() > 255 {
        format!("{} characters", namespace.len())
    } else if !is_plain(namespace) {
        format!("\"{namespace}\" has characters that are not printable ASCII")
    } else if namespace.starts_with(':') || namespace.starts_with("AWS/") {
        format!("\"{namespace}\" starts with a prefix that CloudWatch keeps for itself")
    } else {
        return Ok(());
    };
    let remedy = "use 1-255 printable ASCII characters, not starting with \":\" or \"AWS/\"";
    Err(Error::setting("OPS_NAMESPACE / .namespace(..)", problem, remedy))
}

/// Checks the dimensions of the whole process: names of 1-250 and values of 1-1024 printable ASCII characters, at
/// least one of them not a space, names not starting with a colon, none twice.
pub(super) fn dimensions(dimensions: &[(String, String)]) -> Result<(), Error> {
    let setting = "OPS_DIMENSIONS / .dimension(..)";
    if dimensions.len() > DIMENSIONS_MAX {
        let problem = format!("{} dimensions", dimensions.len());
        return Err(Error::setting(
            setting,
            problem,
            format!("use at most {DIMENSIONS_MAX}: each metric adds its own"),
        ));
    }
    for (name, value) in dimensions {
        let bad_name = name.len() > 250 || !is_plain(name) || name.trim().is_empty() || name.starts_with(':');
        let bad_value = value.len() > 1024 || !is_plain(value) || value.trim().is_empty();
        if bad_name || bad_value {
            let problem = format!("\"{name}\" = \"{value}\" is not a dimension");
            let remedy =
                "use printable ASCII, a name of 1-250 characters not starting with \":\", a value of 1-1024";
            return Err(Error::setting(setting, problem, remedy));
        }
    }
    Ok(())
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_follow_cloudwatchs_rules() {
        assert!(namespace("Shop/Checkout").is_ok());
        for bad in ["", ":Shop", "AWS/EC2", "Schön", "a\nb", &"x".repeat(256)] {
            assert!(namespace(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dimensions_follow_cloudwatchs_rules() {
        let one = |name: &str, value: &str| dimensions(&[(name.to_owned(), value.to_owned())]);
        assert!(one("Service", "checkout").is_ok());
        for (name, value) in
            [("", "x"), ("  ", "x"), (":a", "x"), ("a", ""), ("a", " "), ("ä", "x"), ("a", "\t")]
        {
            assert!(one(name, value).is_err(), "{name}={value}");
        }
        assert!(dimensions(&vec![("a".to_owned(), "b".to_owned()); 21]).is_err());
    }
}
