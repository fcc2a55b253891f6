//! Sizes, openings and `unsafe`.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::scan::{Found, scan, unsafe_lines};
use super::{Breach, Source};

/// Lines of code in a file, tests left out.
pub const FILE_LINES_MAX: usize = 400;
/// Lines of code in a backend's file.
pub const BACKEND_LINES_MAX: usize = 300;
/// Lines of a function, from `fn` to its closing brace, whatever they hold.
pub const FUNCTION_LINES_MAX: usize = 70;

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Where it starts.
    pub line: usize,
    /// From `fn` to its closing brace.
    pub lines: usize,
}

/// What is too long in this file: the file itself, or a function in it.
#[must_use]
pub fn check_sizes(source: &Source) -> Vec<Breach> {
    if source.is_test() {
        return Vec::new();
    }
    let lines = code_lines(source);
    let max = if is_backend(source) { BACKEND_LINES_MAX } else { FILE_LINES_MAX };
    let file = (lines > max)
        .then(|| source.breach(1, format!("{lines} lines of code, {max} at most: it is two things")));
    let long = functions(source).into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX);
    let long = long.map(|Function { name, line, lines }| {
        source.breach(
            line,
            format!("fn {name} has {lines} lines, {FUNCTION_LINES_MAX} at most: it is two things"),
        )
    });
    file.into_iter().chain(long).collect()
}

/// Whether the file opens with `//!`, after a `#!` line or attributes at most.
#[must_use]
pub fn check_opening(source: &Source) -> Option<Breach> {
    let first = source.text.lines().find(|line| !line.is_empty() && !line.starts_with("#!"));
    let opens = first.is_some_and(|line| line.starts_with("//! ") && line.len() > "//! ".len());
    let what = "the file does not open with `//!`: say what it is, promises and never does";
    (!opens && !source.is_test()).then(|| source.breach(1, what.to_owned()))
}

/// `unsafe` outside `record/`, tests included.
#[must_use]
pub fn check_unsafe(source: &Source) -> Vec<Breach> {
    if source.module().first().is_some_and(|module| module == "record") {
        return Vec::new();
    }
    let mut lines = Vec::new();
    unsafe_lines(tokens(source), &mut lines);
    lines.into_iter().map(|line| source.breach(line, "`unsafe` lives in record/ alone".to_owned())).collect()
}

/// Every function of a file, those in test code left out.
///
/// # Panics
///
/// If the file does not parse.
#[must_use]
pub fn functions(source: &Source) -> Vec<Function> {
    let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.file));
    let mut found = Functions(Vec::new());
    found.visit_file(&file);
    found.0
}

fn code_lines(source: &Source) -> usize {
    let mut found = Found::default();
    scan(tokens(source), &source.module(), &mut found);
    found.lines.len()
}

fn is_backend(source: &Source) -> bool {
    let module = source.module();
    module.len() > 1 && module[0] == "backend"
}

fn tokens(source: &Source) -> proc_macro2::TokenStream {
    source.text.parse().unwrap_or_else(|error| panic!("{}: {error}", source.file))
}

struct Functions(Vec<Function>);

impl Functions {
    fn add(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let line = signature.span().start().line;
        let lines = block.span().end().line + 1 - line;
        self.0.push(Function { name: signature.ident.to_string(), line, lines });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        if !is_test(&item.attrs) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.add(&item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.add(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

/// Whether the attributes put an item under `#[cfg(test)]`, alone or with more conditions.
fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition = attribute.meta.require_list().map(|list| list.tokens.to_string()).unwrap_or_default();
        let condition: String = condition.split_whitespace().collect();
        condition == "test" || condition.starts_with("all(test,")
    })
}
