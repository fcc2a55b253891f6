//! Audit, configuration and check records. The house has room for them from the first day: they travel, are stored
//! and can be encoded; the macros that make them come with their own work.

use std::borrow::Cow;

use super::Fields;

/// Who changed what, when. Never sampled, dropped last.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit<'a> {
    /// Who did it.
    pub actor: Cow<'a, str>,
    /// What was done, as a verb: "order.cancel".
    pub action: Cow<'a, str>,
    /// What it was done to.
    pub resource: Cow<'a, str>,
    /// How it ended.
    pub outcome: Cow<'a, str>,
    /// Everything else.
    pub fields: Fields<'a>,
}

/// What something is configured to be, as of the record's time.
#[derive(Debug, Clone, PartialEq)]
pub struct Config<'a> {
    /// The kind of thing.
    pub resource_type: Cow<'a, str>,
    /// Which one.
    pub resource_id: Cow<'a, str>,
    /// Its configuration.
    pub fields: Fields<'a>,
}

/// Whether something is well, as of the record's time.
#[derive(Debug, Clone, PartialEq)]
pub struct Check<'a> {
    /// What was checked.
    pub name: Cow<'a, str>,
    /// How it is.
    pub status: CheckStatus,
    /// What the check said.
    pub output: Cow<'a, str>,
    /// Everything else.
    pub fields: Fields<'a>,
}

/// How something is. The numbers are those of Nagios and Sensu checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the name is all there is to say
pub enum CheckStatus {
    Ok = 0,
    Warning = 1,
    Critical = 2,
    Unknown = 3,
}

impl CheckStatus {
    /// The status with this number; everything past the known ones is unknown.
    #[must_use]
    pub fn from_u8(number: u8) -> CheckStatus {
        match number {
            0 => CheckStatus::Ok,
            1 => CheckStatus::Warning,
            2 => CheckStatus::Critical,
            _ => CheckStatus::Unknown,
        }
    }
}
