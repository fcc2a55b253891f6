//! Tokens of a source: the paths that leave a module, and the lines that hold code.
//!
//! Works on tokens rather than on items, so that paths inside macros count like any other.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// A path that starts at `crate`, `self` or `super`, seen from the crate's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Import {
    /// Its names from the root: `["model", "Record"]`.
    pub(super) path: Vec<String>,
    /// Its line.
    pub(super) line: usize,
}

/// What was found outside test code.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) imports: Vec<Import>,
    /// Lines that hold code: comments and documentation are none.
    pub(super) lines: BTreeSet<usize>,
}

/// Scans the tokens of a module with this path.
pub(super) fn scan(tokens: TokenStream, module: &[String], found: &mut Found) {
    let trees: Vec<TokenTree> = tokens.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        if let Some(length) = attribute(&trees[at..]) {
            at += match attribute_kind(&trees[at + length - 1]) {
                Attribute::Test => length + item(&trees[at + length..]),
                Attribute::Doc => length,
                Attribute::Other => visit(&trees[at..at + length], module, found),
            };
        } else if let Some(name) = inline_module(&trees[at..]) {
            let inner: Vec<String> = module.iter().chain([&name]).cloned().collect();
            at += visit(&trees[at..at + 3], &inner, found);
        } else if path_starts(&trees, at) {
            let mut names = Vec::new();
            let line = trees[at].span().start().line;
            let mut paths = Vec::new();
            let end = path(&trees, at, &mut names, &mut paths);
            found.imports.extend(paths.iter().map(|names| Import { path: resolve(names, module), line }));
            trees[at..end].iter().for_each(|tree| mark(tree, found));
            at = end;
        } else {
            at += visit(&trees[at..=at], module, found);
        }
    }
}

/// Whether `unsafe` stands anywhere in the tokens, tests included: its lines.
pub(super) fn unsafe_lines(tokens: TokenStream, lines: &mut Vec<usize>) {
    for tree in tokens {
        match tree {
            TokenTree::Ident(ident) if ident == "unsafe" => lines.push(ident.span().start().line),
            TokenTree::Group(group) => unsafe_lines(group.stream(), lines),
            _ => {}
        }
    }
}

/// Marks the lines of these trees and scans what is inside their groups; how many there were.
fn visit(trees: &[TokenTree], module: &[String], found: &mut Found) -> usize {
    for tree in trees {
        match tree {
            TokenTree::Group(group) => {
                found.lines.insert(group.span_open().start().line);
                scan(group.stream(), module, found);
                found.lines.insert(group.span_close().end().line);
            }
            tree => mark(tree, found),
        }
    }
    trees.len()
}

fn mark(tree: &TokenTree, found: &mut Found) {
    found.lines.extend(tree.span().start().line..=tree.span().end().line);
}

enum Attribute {
    Test,
    Doc,
    Other,
}

/// How many trees an attribute takes, if one starts here: `#[..]` or `#![..]`.
fn attribute(trees: &[TokenTree]) -> Option<usize> {
    let is = |at: usize, c: char| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
    let length = if is(0, '#') && is(1, '!') { 3 } else { 2 };
    (is(0, '#') && bracket(trees.get(length - 1)?).is_some()).then_some(length)
}

fn bracket(tree: &TokenTree) -> Option<&Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(group),
        _ => None,
    }
}

fn attribute_kind(tree: &TokenTree) -> Attribute {
    let text: String = tree.to_string().split_whitespace().collect();
    if text.starts_with("[doc=") {
        Attribute::Doc
    } else if ["[cfg(test)]", "[cfg(all(test,"].iter().any(|test| text.starts_with(test)) {
        Attribute::Test
    } else {
        Attribute::Other
    }
}

/// How many trees the item takes that starts here: up to its braces or its semicolon.
fn item(trees: &[TokenTree]) -> usize {
    let ends = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        _ => false,
    };
    // `use a::{b, c};` has braces before its semicolon.
    let is_use = trees.iter().take_while(|tree| !ends(tree)).any(|tree| tree.to_string() == "use");
    let end = trees.iter().position(|tree| if is_use { tree.to_string() == ";" } else { ends(tree) });
    end.map_or(trees.len(), |end| end + 1)
}

/// The name of the module, if one with a body starts here.
fn inline_module(trees: &[TokenTree]) -> Option<String> {
    match trees {
        [TokenTree::Ident(word), TokenTree::Ident(name), TokenTree::Group(group), ..]
            if word == "mod" && group.delimiter() == Delimiter::Brace =>
        {
            Some(name.to_string())
        }
        _ => None,
    }
}

fn path_starts(trees: &[TokenTree], at: usize) -> bool {
    let starts = matches!(&trees[at], TokenTree::Ident(ident) if ident == "crate" || ident == "self" || ident == "super");
    starts && colons(trees, at + 1)
}

fn colons(trees: &[TokenTree], at: usize) -> bool {
    let is = |at: usize| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    is(at) && is(at + 1)
}

/// Reads a path, its braces opened, into one list of names for each leaf; where it ends.
fn path(trees: &[TokenTree], at: usize, names: &mut Vec<String>, paths: &mut Vec<Vec<String>>) -> usize {
    let mut at = at;
    loop {
        match trees.get(at) {
            Some(TokenTree::Ident(ident)) => names.push(ident.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                braces(group, names, paths);
                return at + 1;
            }
            // A glob or a turbofish: what stands before it is the path.
            _ => {
                paths.push(names.clone());
                return at;
            }
        }
        at += 1;
        if !colons(trees, at) {
            paths.push(names.clone());
            return at;
        }
        at += 2;
    }
}

fn braces(group: &Group, names: &[String], paths: &mut Vec<Vec<String>>) {
    let trees: Vec<TokenTree> = group.stream().into_iter().collect();
    let comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ',');
    for leaf in trees.split(comma).filter(|leaf| !leaf.is_empty()) {
        path(leaf, 0, &mut names.to_vec(), paths);
    }
}

/// A path as seen from the crate's root.
fn resolve(names: &[String], module: &[String]) -> Vec<String> {
    let mut resolved =
        if names.first().is_some_and(|name| name == "crate") { Vec::new() } else { module.to_vec() };
    for name in names {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(resolved.pop()),
            name => resolved.push(name.to_owned()),
        }
    }
    resolved
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, module: &[&str]) -> Found {
        let mut found = Found::default();
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        scan(text.parse().expect("tokens"), &module, &mut found);
        found
    }

    fn imports(text: &str, module: &[&str]) -> Vec<String> {
        found(text, module).imports.iter().map(|import| import.path.join("::")).collect()
    }

    #[test]
    fn paths_in_every_place() {
        let table = [
            ("use crate::{a::{B, self}, c::*, d as e};", vec!["a::B", "a", "c", "d"]),
            (
                "fn f(x: crate::a::B) -> Vec<crate::c::D> { crate::e::f::<u8>() }",
                vec!["a::B", "c::D", "e::f"],
            ),
            ("macro_rules! m { () => { $crate::a::b!(super::c::D) } }", vec!["a::b", "x::c::D"]),
            ("pub(crate) struct S; pub(in crate::x) fn f(self) {}", vec!["x"]),
            ("use std::fmt; use super::super::a::B; mod m { use super::C; }", vec!["a::B", "x::y::C"]),
        ];
        for (text, expected) in table {
            assert_eq!(imports(text, &["x", "y"]), expected, "{text}");
        }
    }

    #[test]
    fn test_code_is_left_out() {
        let text = "#[cfg(test)] mod tests { use crate::a::B; } #[cfg(test)] #[allow(x)] use crate::{b, c};
            #[cfg(all(test, not(loom)))] fn f() -> crate::d::E { } #[cfg(not(test))] use crate::e; use crate::f;";
        assert_eq!(imports(text, &[]), ["e", "f"]);
    }

    #[test]
    fn lines_of_code_are_neither_blank_nor_comment() {
        let text = "//! Opening.\n\n/// Documented.\nfn f() {\n    // reason\n    \"a\n    b\";\n\n}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(found(text, &[]).lines.into_iter().collect::<Vec<_>>(), [4, 6, 7, 9]);
    }
}
