//! Seven signals stacked into an explained, tunable score.
