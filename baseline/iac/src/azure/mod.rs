//! What Bicep and ARM templates share: the expression tree, the template, its evaluation and the function library.

pub(crate) mod arrays;
pub(crate) mod deploy;
pub(crate) mod eval;
pub(crate) mod expr;
pub(crate) mod functions;
pub(crate) mod ids;
mod modules;
mod names;
pub(crate) mod network;
pub(crate) mod template;
pub(crate) mod texts;
mod values;
