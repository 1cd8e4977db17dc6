//! The rule language: CEL, three-valued, recording the leaves that decided.
