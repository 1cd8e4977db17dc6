//! The quick way of judging against the plain one.

mod quick;
