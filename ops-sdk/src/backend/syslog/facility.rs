//! Facilities and severities: the two halves of a message's priority (RFC 5424, 6.2.1).

use crate::error::Error;
use crate::model::Level;

/// The names that collectors know, by number; `audit` is "log audit".
const NAMES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
];

/// The severity of audit records: normal, and worth to be seen.
pub(super) const NOTICE: u8 = 5;

/// The facility of this name or number.
///
/// # Errors
///
/// If there is none; the message names the setting.
pub(super) fn facility(text: &str, setting: &str) -> Result<u8, Error> {
    let named = NAMES.iter().position(|name| name.eq_ignore_ascii_case(text));
    let number = named.or_else(|| text.parse().ok()).filter(|number| *number < NAMES.len());
    number.and_then(|number| u8::try_from(number).ok()).ok_or_else(|| {
        let remedy = format!("use 0 to {} or one of {}", NAMES.len() - 1, NAMES.join(", "));
        Error::setting(setting, format!("\"{text}\" is no facility"), remedy)
    })
}

/// The severity of a level.
pub(super) fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facility_has_a_name_and_a_number() {
        let table = [("local0", 16), ("LOCAL7", 23), ("audit", 13), ("kern", 0), ("0", 0), ("23", 23)];
        for (text, number) in table {
            assert_eq!(facility(text, "F").unwrap(), number, "{text}");
        }
        for bad in ["", "24", "-1", "local8", "16.0"] {
            assert!(facility(bad, "F").unwrap_err().to_string().starts_with("F: "), "{bad}");
        }
    }

    #[test]
    fn each_level_has_its_severity() {
        assert_eq!(Level::ALL.map(severity), [3, 4, 6, 7, 7]);
    }
}
