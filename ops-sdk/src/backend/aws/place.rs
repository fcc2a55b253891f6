//! Which log group and stream: from the builder, `OPS_CLOUDWATCH_LOGS_GROUP`, `_STREAM` and `_RETENTION_DAYS`, or the
//! namespace, host and process. A name that was chosen is checked and refused; one that is made up here is made to fit.

use super::destination::Destination;
use crate::backend::Context;
use crate::error::Error;

const GROUP: &str = "OPS_CLOUDWATCH_LOGS_GROUP";
const STREAM: &str = "OPS_CLOUDWATCH_LOGS_STREAM";
const RETENTION: &str = "OPS_CLOUDWATCH_LOGS_RETENTION_DAYS";

/// Characters of a group's and of a stream's name (`LogGroupName`, `LogStreamName` in `logs/2014-03-28`).
const NAME_MAX: usize = 512;
/// Days that PutRetentionPolicy takes (`logs/2014-03-28`).
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];
const RETENTION_DAYS_DEFAULT: u32 = 30;

/// A group, a stream in it, and how long a group that is created here keeps its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) group: String,
    pub(super) stream: String,
    /// `None` never expires.
    pub(super) retention_days: Option<u32>,
}

impl Place {
    pub(super) fn find(told: &Destination, context: &Context) -> Result<Place, Error> {
        let variable = |name: &str| {
            (context.var)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let group = match told.group.clone().or_else(|| variable(GROUP)) {
            Some(group) => chosen_group(group)?,
            None => fit(&format!("/ops/{}", context.namespace), in_group),
        };
        let stream = match told.stream.clone().or_else(|| variable(STREAM)) {
            Some(stream) => chosen_stream(stream)?,
            None => fit(&format!("{}/{:016x}", context.host, context.process), in_stream),
        };
        let retention_days = match (told.retention_days, variable(RETENTION)) {
            (Some(days), _) => retention(days.map_or_else(|| "never".to_owned(), |days| days.to_string()))?,
            (None, Some(text)) => retention(text)?,
            (None, None) => Some(RETENTION_DAYS_DEFAULT),
        };
        Ok(Place { group, stream, retention_days })
    }
}

fn chosen_group(group: String) -> Result<String, Error> {
    let fits =
        group.chars().all(in_group) && (1..=NAME_MAX).contains(&group.len()) && !group.starts_with("aws/");
    let remedy = "use 1 to 512 of the characters A-Z a-z 0-9 . - _ / # and do not begin with aws/";
    if fits { Ok(group) } else { Err(refused(&format!("{GROUP} / .group(..)"), &group, "log group", remedy)) }
}

fn chosen_stream(stream: String) -> Result<String, Error> {
    let fits = stream.chars().all(in_stream) && (1..=NAME_MAX).contains(&stream.chars().count());
    let remedy = "use 1 to 512 characters, none of them a colon, an asterisk or a control character";
    if fits {
        Ok(stream)
    } else {
        Err(refused(&format!("{STREAM} / .stream(..)"), &stream, "log stream", remedy))
    }
}

fn retention(text: String) -> Result<Option<u32>, Error> {
    if text.eq_ignore_ascii_case("never") {
        return Ok(None);
    }
    let days = text.parse().ok().filter(|days| RETENTION_DAYS.contains(days));
    days.map(Some).ok_or_else(|| {
        let all: Vec<String> = RETENTION_DAYS.iter().map(u32::to_string).collect();
        let remedy = format!("use one of {} or \"never\"", all.join(", "));
        refused(
            &format!("{RETENTION} / .retention_days(..)"),
            &text,
            "number of days that CloudWatch takes",
            &remedy,
        )
    })
}

fn refused(setting: &str, value: &str, what: &str, remedy: &str) -> Error {
    Error::setting(setting, format!("\"{}\" is no {what}", value.escape_debug()), remedy)
}

/// `[\.\-_/#A-Za-z0-9]+`
fn in_group(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-_/#".contains(c)
}

/// `[^:*]*`
fn in_stream(c: char) -> bool {
    c != ':' && c != '*' && !c.is_control()
}

fn fit(name: &str, allowed: fn(char) -> bool) -> String {
    name.chars().take(NAME_MAX).map(|c| if allowed(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::context;
    use super::*;

    #[test]
    fn names_that_are_made_up_fit() {
        let mut context = context(&[]);
        context.namespace = "Größe: a*b".into();
        context.host = "h:1*".into();
        let place = Place::find(&Destination::default(), &context).unwrap();
        let expected = Place {
            group: "/ops/Gr--e--a-b".into(),
            stream: "h-1-/00000000000000ff".into(),
            retention_days: Some(30),
        };
        assert_eq!(place, expected);
    }

    #[test]
    fn the_builder_wins_over_the_environment() {
        let vars = [(GROUP, "/env"), (STREAM, "env"), (RETENTION, "7")];
        let place = Place::find(&Destination::default(), &context(&vars)).unwrap();
        assert_eq!(
            (place.group.as_str(), place.stream.as_str(), place.retention_days),
            ("/env", "env", Some(7))
        );
        let told = Destination {
            group: Some("/told".into()),
            stream: Some("told".into()),
            retention_days: Some(None),
            ..Destination::default()
        };
        let place = Place::find(&told, &context(&vars)).unwrap();
        assert_eq!(
            (place.group.as_str(), place.stream.as_str(), place.retention_days),
            ("/told", "told", None)
        );
    }

    #[test]
    fn what_the_service_would_refuse_is_told_with_its_setting() {
        let long = "x".repeat(513);
        let table = [
            (GROUP, "a b"),
            (GROUP, "aws/x"),
            (GROUP, long.as_str()),
            (STREAM, "a:b"),
            (STREAM, "*"),
            (RETENTION, "31"),
            (RETENTION, "soon"),
            (RETENTION, "-1"),
        ];
        for (variable, value) in table {
            let error = Place::find(&Destination::default(), &context(&[(variable, value)])).unwrap_err();
            assert!(error.to_string().starts_with(variable), "{error}");
        }
        let error =
            Place::find(&Destination::default(), &context(&[(RETENTION, "31")])).unwrap_err().to_string();
        assert!(error.contains("1, 3, 5, 7, 14, 30, 60") && error.contains("3653 or \"never\""), "{error}");
    }
}
