//! The house rules, held: floors, sizes, openings, and where `unsafe` lives. The checker is tried on small sources
//! that break each rule first, so that its silence means something.

use std::path::{Path, PathBuf};

use ops_tests::house::{
    BESIDE, Breach, FLOORS, Modules, Source, check_backends, check_floors, check_opening, check_sizes,
    check_unsafe, floor_of, functions, sources,
};

/// HOUSE: "Functions: median ≤ 8 lines".
const FUNCTION_LINES_MEDIAN_MAX: usize = 8;

#[test]
fn modules_import_only_from_floors_below() {
    let sdk = sdk();
    let modules = Modules::of(&sdk);
    none(sdk.iter().flat_map(|source| check_floors(source, &modules)));
}

#[test]
fn backends_know_nothing_of_each_other() {
    let sdk = sdk();
    let modules = Modules::of(&sdk);
    none(sdk.iter().flat_map(|source| check_backends(source, &modules)));
}

#[test]
fn unsafe_lives_in_record_alone() {
    none(sdk().iter().flat_map(check_unsafe));
}

#[test]
fn files_and_functions_fit() {
    none(house().iter().flat_map(check_sizes));
}

#[test]
fn every_file_tells_its_story_at_the_top() {
    none(house().iter().filter_map(check_opening));
}

#[test]
fn functions_are_short() {
    let mut lines: Vec<usize> = house().iter().flat_map(functions).map(|function| function.lines).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    assert!(median <= FUNCTION_LINES_MEDIAN_MAX, "the median of {} functions is {median} lines", lines.len());
}

#[test]
fn the_table_is_sound() {
    let modules: Vec<_> = FLOORS.iter().flat_map(|(_, modules)| modules.iter()).collect();
    assert!(modules.iter().all(|module| modules.iter().filter(|other| other == &module).count() == 1));
    // An import within a floor stays within it, and has no way back.
    for (who, whom, _) in BESIDE {
        assert_eq!(floor_of(who), floor_of(whom), "{who} and {whom}");
        assert!(!BESIDE.iter().any(|(other, back, _)| (other, back) == (whom, who)), "{who} and {whom}");
    }
}

#[test]
fn the_checker_sees_imports_upwards_and_aside() {
    let table = [
        ("journal/mod.rs", "use crate::model::Record;", None),
        ("journal/mod.rs", "use crate::net::Net;", Some("`journal` (floor 3) imports from `net` (floor 4)")),
        (
            "journal/disk.rs",
            "use super::super::{ship::X, model::Record};",
            Some("imports from `ship` (floor 7)"),
        ),
        ("journal/mod.rs", "fn f() { crate::Ops::stats(); }", Some("imports from `lib` (floor 9)")),
        (
            "encode/json.rs",
            "use crate::chunk::Items;",
            Some("`encode` (floor 3) imports from `chunk` (floor 3)"),
        ),
        ("ledger.rs", "use crate::signal::Signal;", None),
        ("signal.rs", "use crate::ledger::Loss;", Some("`signal` (floor 0) imports from `ledger` (floor 0)")),
        ("lib.rs", "pub use crate::ship::X; pub use self::net::Net;", None),
        ("setup/mod.rs", "use crate::cli::X;", None),
        ("surprise.rs", "fn f() {}", Some("module `surprise` has no floor")),
        ("model/mod.rs", "#[cfg(test)] mod tests { use crate::ship::X; }", None),
        ("model/tests.rs", "use crate::ship::X;", None),
    ];
    for (file, text, expected) in table {
        let source = Source::new(file, text);
        agrees(&source, &check_floors(&source, &Modules::of(std::slice::from_ref(&source))), expected);
    }
}

#[test]
fn the_checker_sees_backends_that_know_each_other() {
    let table = [
        ("backend/emf.rs", "use super::{Backend, Verdict}; use crate::backend::aws::sign;", None),
        ("backend/emf.rs", "use super::local::Store;", Some("`emf` imports the backend `local`")),
        ("backend/aws/sign.rs", "use super::Target; use crate::backend::local::X;", Some("`aws` imports")),
        ("backend/mod.rs", "pub use local::Local; pub use self::emf::Emf;", None),
        ("backend/local/read.rs", "use super::write; use super::super::Backend;", None),
    ];
    let files = table.iter().map(|(file, ..)| Source::new(file, ""));
    let modules = Modules::of(&files.collect::<Vec<_>>());
    for (file, text, expected) in table {
        let source = Source::new(file, text);
        agrees(&source, &check_backends(&source, &modules), expected);
    }
}

#[test]
fn the_checker_sees_what_is_too_long_silent_or_unsafe() {
    let long = |lines: usize| format!("//! Long.\n{}", "const X: u8 = 0;\n".repeat(lines));
    let function =
        |lines: usize| format!("//! One.\nfn long() {{\n{}}}\n", "    // line\n".repeat(lines - 2));
    let tested = format!("{}\n#[cfg(test)]\nmod tests {{\n{}}}\n", long(400), "fn f() {}\n".repeat(100));
    let sizes = [
        ("a.rs", long(400), None),
        ("a.rs", long(401), Some("401 lines of code, 400 at most")),
        ("a.rs", tested, None),
        ("backend/a.rs", long(301), Some("301 lines of code, 300 at most")),
        ("a.rs", function(70), None),
        ("a.rs", function(71), Some("fn long has 71 lines, 70 at most")),
        (
            "a.rs",
            format!("trait T {{\n{}\n}}", function(90).replace("//! One.", "")),
            Some("fn long has 90 lines"),
        ),
    ];
    for (file, text, expected) in sizes {
        let source = Source::new(file, &text);
        agrees(&source, &check_sizes(&source), expected);
    }
    let unsafes = [
        ("ledger.rs", "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";", None),
        ("record/cell.rs", "fn f() { unsafe { g() } }", None),
        ("ledger.rs", "mod m { fn f() { x!(unsafe { g() }) } }", Some("`unsafe` lives in record/ alone")),
        ("ledger.rs", "#[cfg(test)] mod tests { unsafe fn f() {} }", Some("`unsafe` lives in record/ alone")),
    ];
    for (file, text, expected) in unsafes {
        let source = Source::new(file, text);
        agrees(&source, &check_unsafe(&source), expected);
    }
    let openings =
        [("//! What it is.", true), ("#![deny(x)]\n//! It is.", true), ("", false), ("fn f() {}", false)];
    for (text, opens) in openings {
        assert_eq!(check_opening(&Source::new("a.rs", text)).is_none(), opens, "{text}");
    }
}

/// The expected breach and no other, or none.
fn agrees(source: &Source, breaches: &[Breach], expected: Option<&str>) {
    let said: Vec<_> = breaches.iter().map(|breach| breach.what.as_str()).collect();
    let agrees = match expected {
        Some(expected) => said.len() == 1 && said[0].contains(expected),
        None => said.is_empty(),
    };
    assert!(agrees, "{} {:?}\nexpected {expected:?}, found {said:?}", source.file, source.text);
}

/// Fails with every breach on a line of its own.
fn none(breaches: impl IntoIterator<Item = Breach>) {
    let said: Vec<_> = breaches.into_iter().map(|breach| breach.to_string()).collect();
    assert!(said.is_empty(), "{} breaches of the house rules:\n{}", said.len(), said.join("\n"));
}

fn sdk() -> Vec<Source> {
    let sdk = sources(&workspace().join("ops-sdk/src"));
    assert!(!sdk.is_empty(), "the sources of ops-sdk were not found");
    sdk
}

/// Every source that the sizes hold for.
fn house() -> Vec<Source> {
    let others = ["ops-sdk-macros/src", "tests/src"].map(|folder| sources(&workspace().join(folder)));
    sdk().into_iter().chain(others.into_iter().flatten()).collect()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}
