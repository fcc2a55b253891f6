//! Which events are recorded, by the module that they come from: `info,shop::db=debug,noisy=off`. A level by itself is
//! for everything; `target=level` is for a module and what lies within it, and the longest target wins. What is written
//! is read strictly: an item that means nothing is an error, for a filter that is silently wrong hides what one looks
//! for.

use std::str::FromStr;

use super::Site;
use crate::model::Level;

/// Items of one setting; a bound, because each first use of a site looks at all of them.
const ITEMS_MAX: usize = 256;

/// The levels of every target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Of what no target speaks for. `None` is off.
    rest: Option<Level>,
    /// The longest first.
    targets: Vec<(String, Option<Level>)>,
}

impl Rules {
    /// One level for everything.
    pub(crate) fn all(level: Option<Level>) -> Rules {
        Rules { rest: level, targets: Vec::new() }
    }

    /// The level of events from this module.
    pub(super) fn level(&self, target: &str) -> Option<Level> {
        let mine = self.targets.iter().find(|(prefix, _)| lies_within(target, prefix));
        mine.map_or(self.rest, |(_, level)| *level)
    }

    /// The level that no site goes beyond.
    pub(super) fn most(&self) -> Option<Level> {
        self.levels().max().flatten()
    }

    /// The level that every site records.
    pub(super) fn least(&self) -> Option<Level> {
        self.levels().min().flatten()
    }

    fn levels(&self) -> impl Iterator<Item = Option<Level>> {
        self.targets.iter().map(|(_, level)| *level).chain([self.rest])
    }
}

/// Whether a module is this one, or lies within it.
fn lies_within(target: &str, prefix: &str) -> bool {
    target.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

impl FromStr for Rules {
    type Err = String;

    /// Reads `level`, `target=level`, or more of them with commas between them. What is not said stays at info.
    fn from_str(text: &str) -> Result<Rules, String> {
        let mut rest = None;
        let mut targets: Vec<(String, Option<Level>)> = Vec::new();
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        for (index, item) in items.enumerate() {
            if index == ITEMS_MAX {
                return Err(format!("more than {ITEMS_MAX} items"));
            }
            let Some((target, word)) = item.split_once('=') else {
                if rest.replace(level(item, item)?).is_some() {
                    return Err(format!("\"{item}\" is a second level for everything"));
                }
                continue;
            };
            let (target, level) = (path(target.trim(), item)?, level(word.trim(), item)?);
            if targets.iter().any(|(other, _)| other == target) {
                return Err(format!("\"{target}\" is given twice"));
            }
            targets.push((target.to_owned(), level));
        }
        targets.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        Ok(Rules { rest: rest.unwrap_or(Some(Level::Info)), targets })
    }
}

/// A level or `off`.
fn level(word: &str, item: &str) -> Result<Option<Level>, String> {
    if word.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    word.parse().map(Some).map_err(|problem: String| match word == item {
        true => problem,
        false => format!("{problem} in \"{item}\""),
    })
}

/// A path of a module, as `module_path!()` writes it.
fn path<'t>(target: &'t str, item: &str) -> Result<&'t str, String> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if target.split("::").all(is_name) {
        return Ok(target);
    }
    Err(format!("\"{target}\" in \"{item}\" is no path of a module"))
}

/// The number of the level up to which events of this site are recorded; 0 for none.
pub(super) fn number_for(rules: &Rules, site: &Site) -> u8 {
    number(rules.level(site.source.target))
}

/// A level's number; 0 for off.
pub(super) fn number(level: Option<Level>) -> u8 {
    level.map_or(0, |level| level as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Level::{Debug, Error, Info, Trace, Warn};

    fn rules(text: &str) -> Rules {
        text.parse().expect(text)
    }

    #[test]
    fn the_longest_target_wins_at_the_borders_of_modules() {
        let table = [
            ("info", "shop", Some(Info)),
            ("", "shop", Some(Info)),
            ("off", "shop", None),
            ("warn,shop=debug", "shop", Some(Debug)),
            ("warn,shop=debug", "shop::db", Some(Debug)),
            ("warn,shop=debug", "shopping", Some(Warn)),
            ("warn,shop=debug", "other::shop", Some(Warn)),
            ("shop::db=trace,shop=error,off", "shop::db::pool", Some(Trace)),
            ("shop=error, shop::db = TRACE ,off,", "shop::db::pool", Some(Trace)),
            ("shop::db=trace,shop=error,off", "shop::web", Some(Error)),
            ("shop::db=trace,shop=error,off", "tokio", None),
            ("debug,noisy=off", "noisy::inner", None),
            ("shop=debug", "other", Some(Info)),
        ];
        for (text, target, level) in table {
            assert_eq!(rules(text).level(target), level, "{text} for {target}");
        }
    }

    #[test]
    fn the_order_of_items_does_not_matter() {
        assert_eq!(rules("a=debug,warn,b::c=off"), rules("b::c=off,a=debug,warn"));
        assert_ne!(rules("a=debug"), rules("a=trace"));
    }

    #[test]
    fn bounds_hold_for_every_target() {
        let table = [
            ("info", Some(Info), Some(Info)),
            ("info,a=trace", Some(Trace), Some(Info)),
            ("info,a=off", Some(Info), None),
            ("off,a=error", Some(Error), None),
            ("off", None, None),
        ];
        for (text, most, least) in table {
            assert_eq!((rules(text).most(), rules(text).least()), (most, least), "{text}");
        }
    }

    #[test]
    fn errors_name_the_item() {
        let table = [
            ("loud", "unknown level \"loud\""),
            ("shop", "unknown level \"shop\""),
            ("info,shop=loud", "unknown level \"loud\" in \"shop=loud\""),
            ("shop=", "unknown level \"\" in \"shop=\""),
            ("=info", "\"\" in \"=info\" is no path of a module"),
            ("a b=info", "\"a b\" in \"a b=info\" is no path of a module"),
            ("shop::=info", "\"shop::\" in \"shop::=info\" is no path of a module"),
            ("shop:db=info", "\"shop:db\" in \"shop:db=info\" is no path of a module"),
            ("shop=info=debug", "unknown level \"info=debug\" in \"shop=info=debug\""),
            ("info,debug", "\"debug\" is a second level for everything"),
            ("a=info,a=debug", "\"a\" is given twice"),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<Rules>().err().as_deref(), Some(error), "{text}");
        }
        let many: Vec<String> = (0..=ITEMS_MAX).map(|n| format!("m{n}=info")).collect();
        assert_eq!(many.join(",").parse::<Rules>(), Err("more than 256 items".to_owned()));
    }
}
