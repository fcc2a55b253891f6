//! Source files and their place in the module tree.

use std::path::Path;

use super::Breach;

/// One source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The source folder, for messages.
    pub folder: String,
    /// Its path below the source folder, with forward slashes: `backend/mod.rs`.
    pub file: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// A source with this path and text.
    #[must_use]
    pub fn new(file: &str, text: &str) -> Source {
        Source { folder: String::new(), file: file.to_owned(), text: text.to_owned() }
    }

    /// Its module path: `backend/emf.rs` is `["backend", "emf"]`, `lib.rs` is empty.
    #[must_use]
    pub fn module(&self) -> Vec<String> {
        let path = self.file.trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        path.split('/').filter(|name| !matches!(*name, "lib" | "main")).map(str::to_owned).collect()
    }

    /// One breach of a rule, in this file.
    pub(super) fn breach(&self, line: usize, what: String) -> Breach {
        Breach { file: format!("{}{}", self.folder, self.file), line, what }
    }

    /// Whether the whole file is test code: named `tests.rs` or `.._tests.rs`, or in a folder `tests`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.module().iter().any(|name| name == "tests" || name.ends_with("_tests"))
    }
}

/// Every `.rs` file below a folder, in order of path.
///
/// # Panics
///
/// If the folder cannot be read.
#[must_use]
pub fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    collect(folder, "", &mut found);
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found.iter_mut().for_each(|source| source.folder = format!("{}/", folder.display()));
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<Source>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            collect(&path, &format!("{prefix}{name}/"), found);
        } else if name.ends_with(".rs") {
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            found.push(Source::new(&format!("{prefix}{name}"), &text));
        }
    }
}
