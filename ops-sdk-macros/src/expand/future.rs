//! A function that is not `async` but ends in an async block, as `async_trait` writes it: what is measured is the
//! block, for the function itself returns before anything has happened.

use syn::{Block, Expr, ExprAsync, Stmt};

/// The async block that a body ends in: `async move { .. }` or `Box::pin(async move { .. })`.
pub(super) fn last_async_block(block: &mut Block) -> Option<&mut ExprAsync> {
    match block.stmts.last_mut()? {
        Stmt::Expr(expr, None) => async_block(expr),
        _ => None,
    }
}

fn async_block(expr: &mut Expr) -> Option<&mut ExprAsync> {
    match expr {
        Expr::Async(block) => Some(block),
        Expr::Group(group) => async_block(&mut group.expr),
        Expr::Paren(paren) => async_block(&mut paren.expr),
        Expr::Call(call) if is_box_pin(&call.func) && call.args.len() == 1 => {
            async_block(call.args.first_mut()?)
        }
        _ => None,
    }
}

/// `Box::pin`, by whatever path.
fn is_box_pin(func: &Expr) -> bool {
    let Expr::Path(path) = func else { return false };
    let mut last = path.path.segments.iter().rev().map(|segment| &segment.ident);
    last.next().is_some_and(|ident| ident == "pin") && last.next().is_some_and(|ident| ident == "Box")
}
