//! What a user's `macro_rules!` passes on as `$value` comes in an invisible group, and the compiler forgets such a group
//! once a procedural macro has handed it back: with `$value` as `1 + 2`, `$value * 2` would quietly become
//! `1 + 2 * 2`. So the groups that hold an operation are made visible, as parentheses, before anything is parsed.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::Expr;

/// The tokens, with parentheses for the invisible groups that need them.
pub(crate) fn visible(tokens: TokenStream) -> TokenStream {
    if has_invisible(&tokens) { tokens.into_iter().map(visible_tree).collect() } else { tokens }
}

fn has_invisible(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::None || has_invisible(&group.stream()),
        _ => false,
    })
}

fn visible_tree(tree: TokenTree) -> TokenTree {
    let TokenTree::Group(group) = tree else { return tree };
    let inside = visible(group.stream());
    let parenthesize = group.delimiter() == Delimiter::None && is_operation(&inside);
    let delimiter = if parenthesize { Delimiter::Parenthesis } else { group.delimiter() };
    let mut seen = Group::new(delimiter, inside);
    // Parentheses that the user has not written must not be warned about as the user's.
    seen.set_span(if parenthesize { Span::mixed_site().located_at(group.span()) } else { group.span() });
    seen.into()
}

/// Whether these tokens are an expression that what stands around them could break up. Patterns and types that look
/// like one mean the same in parentheses; `a = b`, which may be an attribute, and blocks do not.
fn is_operation(tokens: &TokenStream) -> bool {
    if tokens.clone().into_iter().nth(1).is_none() {
        return false;
    }
    let Ok(expr) = syn::parse2::<Expr>(tokens.clone()) else { return false };
    matches!(
        expr,
        Expr::Binary(_)
            | Expr::Unary(_)
            | Expr::Cast(_)
            | Expr::Range(_)
            | Expr::Reference(_)
            | Expr::RawAddr(_)
            | Expr::Closure(_)
            | Expr::Return(_)
            | Expr::Break(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invisible(tokens: &str) -> TokenStream {
        let tokens = tokens.parse().expect("a test's tokens");
        TokenTree::from(Group::new(Delimiter::None, tokens)).into()
    }

    #[test]
    fn operations_get_parentheses_and_everything_else_stays() {
        for operation in
            ["1 + 2", "- 1", "! x", "x as u8", "0 .. n", "& x", "| x | x + 1", "A | B", "return 1"]
        {
            assert_eq!(visible(invisible(operation)).to_string(), format!("({operation})"));
        }
        for other in
            ["1", "x", "a . b", "f (1 + 2)", "doc = \"x\"", "{ 1 + 2 }", "Vec < u8 >", "dyn A + B", "pub"]
        {
            let seen: Vec<TokenTree> = visible(invisible(other)).into_iter().collect();
            let [TokenTree::Group(group)] = seen.as_slice() else { panic!("one group: {other}") };
            assert_eq!(group.delimiter(), Delimiter::None, "{other}");
        }
    }

    #[test]
    fn groups_within_groups_are_found() {
        let call = TokenTree::from(Group::new(Delimiter::Parenthesis, invisible("1 + 2")));
        assert_eq!(visible(call.into()).to_string(), "((1 + 2))");
    }
}
