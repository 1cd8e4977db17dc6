//! Identity: who may do what, who can become whom. One module for each cloud.

pub mod aws;
