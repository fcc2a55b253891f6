//! The `OPS_*` variables. They come first; what the builder is told wins over them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use crate::error::Error;
use crate::journal::Durability;
use crate::limits::PushLimit;
use crate::record::Rules;

/// Reads a variable of the environment, or what a test puts in its place.
pub(super) type Var = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The process's own environment. An empty variable is one that is not set.
pub(super) fn process() -> Var {
    Arc::new(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// `OPS_LEVEL`: the least level of events that are recorded, by the module that they come from.
pub(super) fn levels(var: &Var) -> Result<Option<Rules>, Error> {
    var("OPS_LEVEL").map(|text| rules("OPS_LEVEL", &text)).transpose()
}

/// Levels, by whoever sets them.
pub(super) fn rules(setting: &str, text: &str) -> Result<Rules, Error> {
    let remedy = "write a level or module=level, with commas between them, as in \"info,shop::db=debug\"; levels are off, \
                  error, warn, info, debug and trace";
    text.parse().map_err(|problem: String| Error::setting(setting, problem, remedy))
}

/// `OPS_DIMENSIONS`: `Service=checkout,Stage=prod`.
pub(super) fn dimensions(var: &Var) -> Result<Vec<(String, String)>, Error> {
    let text = var("OPS_DIMENSIONS").unwrap_or_default();
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
        None => {
            let problem = format!("\"{pair}\" has no =");
            Err(Error::setting("OPS_DIMENSIONS", problem, "write Name=value pairs with commas between them"))
        }
    };
    pairs.map(pair).collect()
}

/// `OPS_PUSH_LIMIT`: `contract`, `vendor`, or a number of bytes.
pub(super) fn push_limit(var: &Var) -> Result<Option<PushLimit>, Error> {
    let Some(text) = var("OPS_PUSH_LIMIT") else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "contract" => Ok(Some(PushLimit::Contract)),
        "vendor" => Ok(Some(PushLimit::Vendor)),
        number => number.parse().map(|bytes| Some(PushLimit::Bytes(bytes))).map_err(|_| {
            let problem = format!("\"{text}\" is no limit");
            Error::setting(
                "OPS_PUSH_LIMIT",
                problem,
                "use contract (32768 bytes), vendor, or a number of bytes",
            )
        }),
    }
}

/// `OPS_STATE_DIR`: a directory that outlives the process.
pub(super) fn state_dir(var: &Var) -> Option<PathBuf> {
    var("OPS_STATE_DIR").map(PathBuf::from)
}

/// Where a process keeps its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In this directory.
    Dir(PathBuf),
    /// In the first free one of this directory's numbered directories.
    Parent(PathBuf),
}

/// What the program says of the state directory or its parent, else `OPS_STATE_DIR`, else `OPS_STATE_PARENT`.
pub(super) fn place(builder: &mut Builder) -> Result<Option<Place>, Error> {
    let read = |name| (builder.var)(name).map(PathBuf::from);
    let said = (builder.state_dir.take(), builder.state_parent.take());
    let (names, places) = match said {
        (None, None) => {
            ("OPS_STATE_DIR and OPS_STATE_PARENT", (state_dir(&builder.var), read("OPS_STATE_PARENT")))
        }
        said => (".state_dir(..) and .state_parent(..)", said),
    };
    match places {
        (Some(_), Some(_)) => Err(Error::setting(names, "both are set", "set one of them")),
        (dir, parent) => Ok(dir.map(Place::Dir).or(parent.map(Place::Parent))),
    }
}

/// `OPS_SHUTDOWN_DEADLINE_MS`: how long the guard may take when it is dropped, in milliseconds.
pub(super) fn shutdown_deadline(var: &Var) -> Result<Option<std::time::Duration>, Error> {
    let Some(text) = var("OPS_SHUTDOWN_DEADLINE_MS") else { return Ok(None) };
    text.parse().map(|ms| Some(std::time::Duration::from_millis(ms))).map_err(|_| {
        let problem = format!("\"{text}\" is no number");
        Error::setting("OPS_SHUTDOWN_DEADLINE_MS", problem, "give whole milliseconds, such as 5000")
    })
}

/// What of the process is taken besides what it records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hooks {
    /// SIGTERM and SIGINT.
    pub(super) signals: bool,
    pub(super) panics: bool,
}

/// `OPS_ON_SIGNALS` and `OPS_PANIC_HOOK`; what the program says wins.
pub(super) fn hooks(builder: &Builder) -> Result<Hooks, Error> {
    let asked = |set: Option<bool>, name| set.map_or_else(|| yes_or_no(&builder.var, name), Ok);
    Ok(Hooks {
        signals: asked(builder.on_signals, "OPS_ON_SIGNALS")?,
        panics: asked(builder.panic_hook, "OPS_PANIC_HOOK")?,
    })
}

/// A variable that turns something on; what is not set is off.
fn yes_or_no(var: &Var, name: &str) -> Result<bool, Error> {
    let Some(text) = var(name) else { return Ok(false) };
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Ok(true),
        "0" | "false" | "off" | "no" => Ok(false),
        _ => Err(Error::setting(name, format!("\"{text}\" is neither yes nor no"), "use 1 or 0")),
    }
}

/// `OPS_PUSHES_MAX`: pushes under way to one backend; `set` in the program wins.
pub(super) fn pushes_max(var: &Var, set: Option<u32>) -> Result<u32, Error> {
    let (name, text) = match (set, var("OPS_PUSHES_MAX")) {
        (Some(pushes), _) => (".pushes_max(..)", pushes.to_string()),
        (None, Some(text)) => ("OPS_PUSHES_MAX", text),
        (None, None) => return Ok(4),
    };
    text.parse().ok().filter(|pushes| (1..=64).contains(pushes)).ok_or_else(|| {
        let problem = format!("\"{text}\" is no number of pushes");
        Error::setting(name, problem, "give a whole number from 1 to 64, such as 4")
    })
}

/// `OPS_SELF_METRICS`: whether the SDK tells of its own work; `set` in the program wins.
pub(super) fn self_metrics(var: &Var, set: Option<bool>) -> Result<bool, Error> {
    match (set, var("OPS_SELF_METRICS").as_deref()) {
        (Some(on), _) => Ok(on),
        (None, None | Some("on")) => Ok(true),
        (None, Some("off")) => Ok(false),
        (None, Some(text)) => {
            Err(Error::setting("OPS_SELF_METRICS", format!("\"{text}\" says neither"), "use on or off"))
        }
    }
}

/// How often `OPS_DURABILITY=power-loss` syncs, and the least and the most that can be asked for.
const SYNC_EVERY: Duration = Duration::from_millis(100);
const SYNC_EVERY_RANGE: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(3600);

/// `OPS_DURABILITY`: `process-crash`, `power-loss` or `power-loss:MS`; `set` in the program wins.
pub(super) fn durability(var: &Var, set: Option<Durability>) -> Result<Durability, Error> {
    let (name, durability, said) = match (set, var("OPS_DURABILITY")) {
        (Some(set), _) => (".durability(..)", Some(set), format!("{set:?}")),
        (None, Some(text)) => ("OPS_DURABILITY", durability_of(&text), format!("\"{text}\"")),
        (None, None) => return Ok(Durability::default()),
    };
    let fits = |durability: &Durability| match durability {
        Durability::PowerLoss { every } => SYNC_EVERY_RANGE.contains(every),
        Durability::ProcessCrash => true,
    };
    durability.filter(fits).ok_or_else(|| {
        let remedy =
            "use process-crash, power-loss (a sync every 100 ms), or power-loss:MS with 1 to 3600000 ms";
        Error::setting(name, format!("{said} is no durability"), remedy)
    })
}

fn durability_of(text: &str) -> Option<Durability> {
    let lower = text.to_ascii_lowercase();
    match lower.split_once(':') {
        None if lower == "process-crash" => Some(Durability::ProcessCrash),
        None if lower == "power-loss" => Some(Durability::PowerLoss { every: SYNC_EVERY }),
        Some(("power-loss", ms)) => {
            ms.parse().ok().map(|ms| Durability::PowerLoss { every: Duration::from_millis(ms) })
        }
        _ => None,
    }
}

/// `OPS_OVERHEAD_BUDGET`: the share of CPU time that measuring may cost; `set` in the program wins.
pub(super) fn overhead_budget(var: &Var, set: Option<f64>) -> Result<Option<f64>, Error> {
    let (name, text) = match (set, var("OPS_OVERHEAD_BUDGET")) {
        (Some(share), _) => (".overhead_budget(..)", share.to_string()),
        (None, Some(text)) => ("OPS_OVERHEAD_BUDGET", text),
        (None, None) => return Ok(None),
    };
    let share = text.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
    share.map(Some).ok_or_else(|| {
        let problem = format!("\"{text}\" is no share of the CPU time");
        Error::setting(name, problem, "give a number above 0 and below 1, such as 0.01 for one percent")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;

    fn var(name: &'static str, value: &'static str) -> Var {
        Arc::new(move |asked| (asked == name).then(|| value.to_owned()))
    }

    fn said<T>(result: Result<T, Error>) -> String {
        result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
    }

    #[test]
    fn bad_values_name_the_setting_and_the_remedy() {
        let errors = [
            (said(levels(&var("OPS_LEVEL", "loud"))), "OPS_LEVEL: unknown level \"loud\"; write a level or"),
            (said(levels(&var("OPS_LEVEL", "a=b"))), "OPS_LEVEL: unknown level \"b\" in \"a=b\"; write"),
            (said(dimensions(&var("OPS_DIMENSIONS", "A=b,C"))), "OPS_DIMENSIONS: \"C\" has no =; write"),
            (
                said(push_limit(&var("OPS_PUSH_LIMIT", "big"))),
                "OPS_PUSH_LIMIT: \"big\" is no limit; use contract",
            ),
            (
                said(shutdown_deadline(&var("OPS_SHUTDOWN_DEADLINE_MS", "5s"))),
                "OPS_SHUTDOWN_DEADLINE_MS: \"5s\" is",
            ),
        ];
        for text in ["power-loss:", "power-loss:0", "power-loss:3600001", "power_loss", "process-crash:5", ""]
        {
            let error = said(durability(&var("OPS_DURABILITY", text), None));
            assert!(
                error.starts_with(&format!("OPS_DURABILITY: \"{text}\" is no durability; use")),
                "{error}"
            );
        }
        let never = Durability::PowerLoss { every: Duration::ZERO };
        let error = said(durability(&var("A", ""), Some(never)));
        assert!(error.starts_with(".durability(..): PowerLoss { every: 0ns } is no durability"), "{error}");
        let budgets = [
            (said(pushes_max(&var("OPS_PUSHES_MAX", "many"), None)), "OPS_PUSHES_MAX: \"many\" is no number"),
            (said(pushes_max(&var("A", ""), Some(0))), ".pushes_max(..): \"0\" is no number of pushes; give"),
            (
                said(self_metrics(&var("OPS_SELF_METRICS", "no"), None)),
                "OPS_SELF_METRICS: \"no\" says neither; use on",
            ),
            (
                said(overhead_budget(&var("OPS_OVERHEAD_BUDGET", "1%"), None)),
                "OPS_OVERHEAD_BUDGET: \"1%\" is no share",
            ),
            (
                said(overhead_budget(&var("A", ""), Some(1.0))),
                ".overhead_budget(..): \"1\" is no share of the CPU time; give",
            ),
            (said(overhead_budget(&var("A", ""), Some(f64::NAN))), ".overhead_budget(..): \"NaN\" is"),
        ];
        let said_of_signals = said(yes_or_no(&var("OPS_ON_SIGNALS", "maybe"), "OPS_ON_SIGNALS"));
        let hooks = [(said_of_signals, "OPS_ON_SIGNALS: \"maybe\" is neither yes nor no; use 1")];
        for (error, start) in errors.into_iter().chain(budgets).chain(hooks) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn what_the_program_says_of_its_place_wins() -> Result<(), Error> {
        let place = |dir: Option<&str>, parent: Option<&str>, env: &'static [&'static str]| {
            let var = |name: &str| env.contains(&name).then(|| "env".to_owned());
            let mut builder = crate::init().environment(var);
            (builder.state_dir, builder.state_parent) = (dir.map(PathBuf::from), parent.map(PathBuf::from));
            super::place(&mut builder)
        };
        let both = &["OPS_STATE_DIR", "OPS_STATE_PARENT"];
        let (dir, parent) =
            (|at: &str| Some(Place::Dir(at.into())), |at: &str| Some(Place::Parent(at.into())));
        assert_eq!(place(None, None, &[])?, None);
        assert_eq!(place(None, None, &["OPS_STATE_DIR"])?, dir("env"));
        assert_eq!(place(None, None, &["OPS_STATE_PARENT"])?, parent("env"));
        assert_eq!(place(Some("own"), None, both)?, dir("own"));
        assert_eq!(place(None, Some("own"), both)?, parent("own"));
        let said = said(place(None, None, both));
        assert_eq!(said, "OPS_STATE_DIR and OPS_STATE_PARENT: both are set; set one of them");
        assert!(
            super::super::env::tests::said(place(Some("a"), Some("b"), &[]))
                .starts_with(".state_dir(..) and")
        );
        Ok(())
    }

    #[test]
    fn good_values_are_read() -> Result<(), Error> {
        assert_eq!(levels(&var("OPS_LEVEL", "Debug"))?, Some(Rules::all(Some(Level::Debug))));
        assert_eq!(levels(&var("OPS_LEVEL", "off"))?, Some(Rules::all(None)));
        assert_eq!(levels(&var("OTHER", "off"))?, None);
        let wanted = [("A".to_owned(), "b".to_owned()), ("C".to_owned(), "d=e".to_owned())];
        assert_eq!(dimensions(&var("OPS_DIMENSIONS", "A=b, C=d=e,"))?, wanted);
        assert_eq!(push_limit(&var("OPS_PUSH_LIMIT", "1000"))?, Some(PushLimit::Bytes(1000)));
        assert_eq!(overhead_budget(&var("OPS_OVERHEAD_BUDGET", "0.02"), None)?, Some(0.02));
        assert_eq!(pushes_max(&var("OPS_PUSHES_MAX", "64"), None)?, 64);
        assert_eq!(pushes_max(&var("OPS_PUSHES_MAX", "x"), Some(1))?, 1);
        assert_eq!((pushes_max(&var("A", ""), None)?, self_metrics(&var("A", ""), None)?), (4, true));
        assert!(!self_metrics(&var("OPS_SELF_METRICS", "off"), None)?);
        assert_eq!(overhead_budget(&var("OPS_OVERHEAD_BUDGET", "x"), Some(0.5))?, Some(0.5));
        for (text, expected) in [("1", true), ("On", true), ("0", false), ("no", false)] {
            assert_eq!(yes_or_no(&var("OPS_PANIC_HOOK", text), "OPS_PANIC_HOOK")?, expected, "{text}");
        }
        assert!(!yes_or_no(&var("OTHER", "1"), "OPS_PANIC_HOOK")?);
        let every = |ms| Durability::PowerLoss { every: Duration::from_millis(ms) };
        let table = [
            ("process-crash", Durability::ProcessCrash),
            ("Power-Loss", every(100)),
            ("power-loss:7", every(7)),
        ];
        for (text, wanted) in table {
            assert_eq!(durability(&var("OPS_DURABILITY", text), None)?, wanted);
            assert_eq!(durability(&var("OPS_DURABILITY", text), Some(every(3)))?, every(3));
        }
        assert_eq!(durability(&var("OTHER", ""), None)?, Durability::ProcessCrash);
        assert_eq!(push_limit(&var("OPS_PUSH_LIMIT", "vendor"))?, Some(PushLimit::Vendor));
        Ok(())
    }
}
