//! The functions of the language, by library. Each library is a table of signatures and code.

pub(crate) mod convert;
pub(crate) mod encoders;
pub(crate) mod format;
pub(crate) mod lists;
pub(crate) mod math;
pub(crate) mod net;
pub(crate) mod optionals;
pub(crate) mod strings;
pub(crate) mod time;

use crate::{Function, Val};

pub(crate) type Table = &'static [(&'static str, Function)];

/// Every signature of the standard functions with its code.
pub(crate) fn tables() -> impl Iterator<Item = (&'static str, Function)> {
    let all: [Table; 9] = [
        convert::TABLE,
        strings::TABLE,
        format::TABLE,
        math::TABLE,
        time::TABLE,
        net::TABLE,
        lists::TABLE,
        encoders::TABLE,
        optionals::TABLE,
    ];
    all.into_iter().flatten().copied()
}

/// The error of values a function does not take; the evaluator puts the function's name in.
pub(crate) fn wrong<'a>(args: &[Val<'a>]) -> Val<'a> {
    Val::no_overload("function", args)
}
