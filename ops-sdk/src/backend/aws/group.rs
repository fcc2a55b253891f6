//! What a log group is made with, where it is made here: its class, its tags, its protection and how long it keeps its
//! events. A group that exists is its owner's and is left as it is.

use super::destination::{Destination, LogClass};
use super::entity::object;
use super::pairs::{self, Bounds, Pairs};
use super::place::Place;
use crate::backend::Context;
use crate::backend::shared::{setting, yes_or_no};
use crate::encode::json;
use crate::error::Error;

const RETENTION: &str = "OPS_CLOUDWATCH_LOGS_RETENTION_DAYS";
pub(super) const CLASS: &str = "OPS_CLOUDWATCH_LOGS_CLASS";
const PROTECTION: &str = "OPS_CLOUDWATCH_LOGS_DELETION_PROTECTION";
const TAGS: &str = "OPS_CLOUDWATCH_LOGS_TAGS";

/// Days that PutRetentionPolicy takes (`logs/2014-03-28`).
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const RETENTION_DAYS_DEFAULT: u32 = 30;
/// Tags of CreateLogGroup (`Tags`, `TagKey`, `TagValue` in `logs/2014-03-28`).
const TAGS_BOUNDS: Bounds = Bounds { pairs_max: 50, name_max: 128, value_max: 256 };

/// A group to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) class: LogClass,
    protected: bool,
    tags: Pairs,
    /// `None` never expires.
    pub(super) retention_days: Option<u32>,
}

impl LogClass {
    const ALL: [LogClass; 4] =
        [LogClass::Standard, LogClass::InfrequentAccess, LogClass::Essentials, LogClass::Delivery];

    /// As the service spells it.
    fn name(self) -> &'static str {
        match self {
            LogClass::Standard => "STANDARD",
            LogClass::InfrequentAccess => "INFREQUENT_ACCESS",
            LogClass::Essentials => "ESSENTIALS",
            LogClass::Delivery => "DELIVERY",
        }
    }

    fn parse(text: &str) -> Option<LogClass> {
        let text = text.replace('-', "_");
        LogClass::ALL.into_iter().find(|class| class.name().eq_ignore_ascii_case(&text))
    }
}

impl Group {
    /// # Errors
    ///
    /// If a setting means nothing.
    pub(super) fn find(told: &Destination, context: &Context) -> Result<Group, Error> {
        let class = match (told.class, setting(None, CLASS, context)) {
            (Some(class), _) => class,
            (None, None) => LogClass::Standard,
            (None, Some(text)) => LogClass::parse(&text).ok_or_else(|| {
                let problem = format!("\"{}\" is no class of log groups", text.escape_debug());
                Error::setting(CLASS, problem, "use standard, infrequent-access, essentials or delivery")
            })?,
        };
        let retention_days = match (told.retention_days, setting(None, RETENTION, context)) {
            (Some(days), _) => retention(days.map_or_else(|| "never".to_owned(), |days| days.to_string()))?,
            (None, Some(text)) => retention(text)?,
            (None, None) if class == LogClass::Delivery => None,
            (None, None) => Some(RETENTION_DAYS_DEFAULT),
        };
        if class == LogClass::Delivery && retention_days.is_some() {
            let remedy = "leave the retention out, or use another class";
            return Err(Error::setting(
                format!("{RETENTION} / .retention_days(..)"),
                "a group of class delivery keeps its events for a day, whatever is said",
                remedy,
            ));
        }
        let protected = yes_or_no(told.deletion_protection, PROTECTION, false, context)?;
        let tags = pairs::find(&told.tags, TAGS, TAGS_BOUNDS, context)?;
        Ok(Group { class, protected, tags, retention_days })
    }

    /// The body of CreateLogGroup. What is as the service has it by itself is left out.
    pub(super) fn body(&self, place: &Place) -> Vec<u8> {
        let mut body = place.group_name();
        if self.class != LogClass::Standard {
            body.extend_from_slice(b",\"logGroupClass\":");
            json::string(&mut body, self.class.name());
        }
        if self.protected {
            body.extend_from_slice(b",\"deletionProtectionEnabled\":true");
        }
        if !self.tags.is_empty() {
            body.extend_from_slice(b",\"tags\":");
            object(&mut body, &self.tags);
        }
        body.push(b'}');
        body
    }

    /// The body of PutRetentionPolicy, if there is a retention to set.
    pub(super) fn retention_body(&self, place: &Place) -> Option<Vec<u8>> {
        let mut body = place.group_name();
        body.extend_from_slice(format!(",\"retentionInDays\":{}}}", self.retention_days?).as_bytes());
        Some(body)
    }
}

impl Place {
    /// A body up to the group's name.
    pub(super) fn group_name(&self) -> Vec<u8> {
        let mut out = b"{\"logGroupName\":".to_vec();
        json::string(&mut out, &self.group);
        out
    }

    /// A body up to the stream's name.
    pub(super) fn stream_name(&self, stream: &str) -> Vec<u8> {
        let mut out = self.group_name();
        out.extend_from_slice(b",\"logStreamName\":");
        json::string(&mut out, stream);
        out
    }
}

fn retention(text: String) -> Result<Option<u32>, Error> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let days = text.parse().ok().filter(|days| RETENTION_DAYS.contains(days));
    days.map(Some).ok_or_else(|| {
        let all: Vec<String> = RETENTION_DAYS.iter().map(u32::to_string).collect();
        let problem = format!("\"{}\" is no number of days that CloudWatch takes", text.escape_debug());
        let remedy = format!("use one of {} or \"never\"", all.join(", "));
        Error::setting(format!("{RETENTION} / .retention_days(..)"), problem, remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    fn found(told: Destination, vars: &[(&str, &str)]) -> Result<Group, Error> {
        Group::find(&told, &context(vars))
    }

    fn body(told: Destination, vars: &[(&str, &str)]) -> String {
        let place = Place { group: "/g".into(), stream: "s".into(), is_chosen: true };
        String::from_utf8(found(told, vars).unwrap().body(&place)).unwrap()
    }

    #[test]
    fn a_group_is_made_as_the_settings_say() {
        assert_eq!(body(Destination::default(), &[]), r#"{"logGroupName":"/g"}"#);
        let vars = [(CLASS, "infrequent-access"), (PROTECTION, "1"), (TAGS, "team=pay\"ments")];
        assert_eq!(
            body(Destination::default(), &vars),
            r#"{"logGroupName":"/g","logGroupClass":"INFREQUENT_ACCESS","deletionProtectionEnabled":true,"tags":{"team":"pay\"ments"}}"#
        );
        let told = Destination {
            class: Some(LogClass::Essentials),
            deletion_protection: Some(false),
            tags: vec![("a".into(), "b".into())],
            ..Destination::default()
        };
        assert_eq!(
            body(told, &vars),
            r#"{"logGroupName":"/g","logGroupClass":"ESSENTIALS","tags":{"a":"b"}}"#
        );
    }

    #[test]
    fn the_retention_is_the_users_and_that_of_a_class() {
        let days = |told, vars: &[(&str, &str)]| found(told, vars).unwrap().retention_days;
        assert_eq!(days(Destination::default(), &[]), Some(30));
        assert_eq!(days(Destination::default(), &[(RETENTION, "7")]), Some(7));
        let never = || Destination { retention_days: Some(None), ..Destination::default() };
        assert_eq!(days(never(), &[(RETENTION, "7")]), None);
        assert_eq!(days(Destination::default(), &[(CLASS, "DELIVERY")]), None);
    }

    #[test]
    fn what_the_service_would_refuse_is_told_with_its_setting() {
        let many = (0..51).map(|n| format!("t{n}=v")).collect::<Vec<_>>().join(",");
        let table: [(&[(&str, &str)], &str); 7] = [
            (&[(RETENTION, "31")], RETENTION),
            (&[(RETENTION, "soon")], RETENTION),
            (&[(RETENTION, "-1")], RETENTION),
            (&[(CLASS, "delivery"), (RETENTION, "7")], RETENTION),
            (&[(CLASS, "cheap")], CLASS),
            (&[(PROTECTION, "perhaps")], PROTECTION),
            (&[(TAGS, many.as_str())], TAGS),
        ];
        for (vars, setting) in table {
            let error = found(Destination::default(), vars).unwrap_err().to_string();
            assert!(error.starts_with(setting), "{error}");
        }
        let error = found(Destination::default(), &[(RETENTION, "31")]).unwrap_err().to_string();
        assert!(error.contains("1, 3, 5, 7, 14, 30, 60") && error.contains("3653 or \"never\""), "{error}");
    }
}
