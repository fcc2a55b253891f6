//! The floors: which module stands where, and who may import whom.

use std::collections::BTreeSet;

use super::scan::{Found, scan};
use super::{Breach, Source};

/// The floors and their modules, the top first. A module imports only from floors below it.
pub const FLOORS: &[(u8, &[&str])] = &[
    (9, &["lib", "setup", "bridge", "cli", "fuzzing", "bin", "prelude", "macro_support", "__private"]),
    (8, &["console", "budget", "describe", "store"]),
    (7, &["flush", "ship"]),
    (6, &["backend"]),
    (5, &["tail", "filter", "route"]),
    (4, &["net", "hub"]),
    (3, &["journal", "encode", "chunk"]),
    (2, &["record", "aggregate"]),
    (1, &["model"]),
    (0, &["signal", "clock", "error", "limits", "ledger", "diag", "lock", "crc"]),
];

/// The only imports within a floor: who, whom, why. The top floor is one place and needs no entry.
pub const BESIDE: &[(&str, &str, &str)] = &[
    ("aggregate", "record", "what is merged is what the arena's reader takes"),
    ("diag", "clock", "what is said at most once a minute is given the time"),
    ("diag", "lock", "threads take turns at what was said"),
    ("ledger", "signal", "books are kept by kind"),
    ("limits", "signal", "limits are kept by kind"),
];

const TOP: u8 = 9;
/// What backends may share, and the seam itself.
const SHARED: [&str; 2] = ["aws", "shared"];

/// The modules that a crate has, from its files.
#[derive(Debug, Clone, Default)]
pub struct Modules {
    top: BTreeSet<String>,
    backends: BTreeSet<String>,
}

impl Modules {
    /// The modules of these files.
    #[must_use]
    pub fn of(sources: &[Source]) -> Modules {
        let mut modules = Modules::default();
        for path in sources.iter().map(Source::module) {
            modules.top.extend(path.first().cloned());
            if path.len() > 1 && path[0] == "backend" {
                modules.backends.insert(path[1].clone());
            }
        }
        modules
    }

    /// The top module that a path from the root leads into: what is no module is an item of `lib`.
    fn target<'a>(&self, path: &'a [String]) -> &'a str {
        path.first().map_or("lib", |name| if self.is_module(name) { name } else { "lib" })
    }

    fn is_module(&self, name: &str) -> bool {
        self.top.contains(name) || floor_of(name).is_some()
    }
}

/// The floor of a top module.
#[must_use]
pub fn floor_of(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

/// What in this file imports from its own floor or one above, or has no floor at all.
#[must_use]
pub fn check_floors(source: &Source, modules: &Modules) -> Vec<Breach> {
    let module = source.module();
    let own = module.first().map_or("lib", String::as_str);
    let Some(floor) = floor_of(own) else {
        return vec![
            source.breach(1, format!("module `{own}` has no floor: give it one in HOUSE and in FLOORS")),
        ];
    };
    let judge = |path: &[String]| judge(own, floor, modules.target(path));
    imports(source)
        .into_iter()
        .filter_map(|(path, line)| {
            judge(&path).map(|why| source.breach(line, format!("crate::{}: {why}", path.join("::"))))
        })
        .collect()
}

/// What in this backend's file imports another backend.
#[must_use]
pub fn check_backends(source: &Source, modules: &Modules) -> Vec<Breach> {
    let module = source.module();
    let [seam, own, ..] = &module[..] else { return Vec::new() };
    if seam != "backend" {
        return Vec::new();
    }
    let other = |path: &[String]| {
        let backend = path.get(1).filter(|_| path[0] == "backend")?;
        let free =
            backend == own || SHARED.contains(&backend.as_str()) || !modules.backends.contains(backend);
        (!free)
            .then(|| format!("`{own}` imports the backend `{backend}`: backends know nothing of each other"))
    };
    let found = imports(source).into_iter().filter(|(path, _)| !path.is_empty());
    found.filter_map(|(path, line)| other(&path).map(|what| source.breach(line, what))).collect()
}

/// Why a module on `floor` may not import from `target`, if it may not.
fn judge(own: &str, floor: u8, target: &str) -> Option<String> {
    let Some(below) = floor_of(target) else {
        return Some(format!("module `{target}` has no floor: give it one in HOUSE and in FLOORS"));
    };
    let beside = floor == TOP || BESIDE.iter().any(|(who, whom, _)| (*who, *whom) == (own, target));
    let allowed = own == target || below < floor || (below == floor && beside);
    (!allowed).then(|| {
        format!("`{own}` (floor {floor}) imports from `{target}` (floor {below}): take it as an argument")
    })
}

fn imports(source: &Source) -> Vec<(Vec<String>, usize)> {
    if source.is_test() {
        return Vec::new();
    }
    let mut found = Found::default();
    let tokens = source.text.parse().unwrap_or_else(|error| panic!("{}: {error}", source.file));
    scan(tokens, &source.module(), &mut found);
    found.imports.into_iter().map(|import| (import.path, import.line)).collect()
}
