//! Walks over expressions.

use super::ast::{Expr, Kind, Op, Piece};

/// Calls `each` for the expression and everything inside it.
pub(super) fn each_expr_mut(expr: &mut Expr, each: &mut dyn FnMut(&mut Expr)) {
    each(expr);
    match &mut expr.kind {
        Kind::Null | Kind::Bool(_) | Kind::Num(_) | Kind::Int(_) | Kind::Str(_) | Kind::Name(_) => {}
        Kind::Template(pieces) => each_piece(pieces, each),
        Kind::Tuple(items) => items.iter_mut().for_each(|e| each_expr_mut(e, each)),
        Kind::Object(items) => items.iter_mut().for_each(|(k, v)| {
            each_expr_mut(k, each);
            each_expr_mut(v, each);
        }),
        Kind::Traverse(base, ops) => {
            each_expr_mut(base, each);
            for op in ops {
                if let Op::Index(index) = op {
                    each_expr_mut(index, each);
                }
            }
        }
        Kind::Call(call) => call.args.iter_mut().for_each(|e| each_expr_mut(e, each)),
        Kind::Not(e) | Kind::Neg(e) => each_expr_mut(e, each),
        Kind::Binary(b) => {
            each_expr_mut(&mut b.1, each);
            each_expr_mut(&mut b.2, each);
        }
        Kind::Cond(c) => {
            each_expr_mut(&mut c.0, each);
            each_expr_mut(&mut c.1, each);
            each_expr_mut(&mut c.2, each);
        }
        Kind::For(f) => {
            each_expr_mut(&mut f.over, each);
            each_expr_mut(&mut f.value, each);
            for e in [&mut f.key, &mut f.filter].into_iter().flatten() {
                each_expr_mut(e, each);
            }
        }
    }
}

fn each_piece(pieces: &mut [Piece], each: &mut dyn FnMut(&mut Expr)) {
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Expr(e) => each_expr_mut(e, each),
            Piece::If(b) => {
                each_expr_mut(&mut b.0, each);
                each_piece(&mut b.1, each);
                each_piece(&mut b.2, each);
            }
            Piece::For(f) => {
                each_expr_mut(&mut f.over, each);
                each_piece(&mut f.body, each);
            }
        }
    }
}
