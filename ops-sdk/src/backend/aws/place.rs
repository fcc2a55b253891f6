//! Which log group and stream: from the builder, `OPS_CLOUDWATCH_LOGS_GROUP` and `_STREAM`, or the namespace, host and
//! process. A name that was chosen is checked and refused; one that is made up here is made to fit.

use super::destination::Destination;
use crate::backend::Context;
use crate::backend::shared::setting;
use crate::error::Error;

const GROUP: &str = "OPS_CLOUDWATCH_LOGS_GROUP";
pub(super) const STREAM: &str = "OPS_CLOUDWATCH_LOGS_STREAM";
#[cfg(feature = "cloudwatch-logs")]
pub(super) const STREAM_BY: &str = "OPS_CLOUDWATCH_LOGS_STREAM_BY";

/// Characters of a group's and of a stream's name (`LogGroupName`, `LogStreamName` in `logs/2014-03-28`).
const NAME_MAX: usize = 512;

/// A group, and a stream in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::backend) struct Place {
    pub(in crate::backend) group: String,
    pub(in crate::backend) stream: String,
    /// Whether the stream's name was chosen, and not made up here.
    pub(in crate::backend) is_chosen: bool,
}

impl Place {
    /// # Errors
    ///
    /// If a name that was chosen is none.
    pub(in crate::backend) fn find(told: &Destination, context: &Context) -> Result<Place, Error> {
        let group = match setting(told.group.as_deref(), GROUP, context) {
            Some(group) => chosen_group(group)?,
            None => fit(&format!("/ops/{}", context.namespace), in_group),
        };
        let chosen = setting(told.stream.as_deref(), STREAM, context);
        let is_chosen = chosen.is_some();
        let stream = match chosen {
            Some(stream) => chosen_stream(stream)?,
            None => fit(&format!("{}/{:016x}", context.host, context.process), in_stream),
        };
        Ok(Place { group, stream, is_chosen })
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

fn refused(setting: &str, value: &str, what: &str, remedy: &str) -> Error {
    Error::setting(setting, format!("\"{}\" is no {what}", value.escape_debug()), remedy)
}

/// `[\.\-_/#A-Za-z0-9]+`
fn in_group(c: char) -> bool {
    c.is_ascii_alphanumeric() || ".-_/#".contains(c)
}

/// `[^:*]*`
pub(super) fn in_stream(c: char) -> bool {
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
        let (group, stream) = ("/ops/Gr--e--a-b".into(), "h-1-/00000000000000ff".into());
        assert_eq!(place, Place { group, stream, is_chosen: false });
    }

    #[test]
    fn the_builder_wins_over_the_environment() {
        let vars = [(GROUP, "/env"), (STREAM, "env")];
        let found = |told: &Destination| {
            let place = Place::find(told, &context(&vars)).unwrap();
            (place.group, place.stream, place.is_chosen)
        };
        assert_eq!(found(&Destination::default()), ("/env".into(), "env".into(), true));
        let (group, stream) = (Some("/told".into()), Some("told".into()));
        let told = Destination { group, stream, ..Destination::default() };
        assert_eq!(found(&told), ("/told".into(), "told".into(), true));
    }

    #[test]
    fn what_the_service_would_refuse_is_told_with_its_setting() {
        let long = "x".repeat(513);
        let table =
            [(GROUP, "a b"), (GROUP, "aws/x"), (GROUP, long.as_str()), (STREAM, "a:b"), (STREAM, "*")];
        for (variable, value) in table {
            let error = Place::find(&Destination::default(), &context(&[(variable, value)])).unwrap_err();
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }
}
