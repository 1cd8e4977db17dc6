//! Who can reach what: identity, exposure and attack paths.
//!
//! [`identity::aws`] decides requests the way IAM does, finds the administrators of an account and everyone who can
//! become one, and says by which statements. All of it is pure: documents in, values out.

pub mod exposure;
pub mod identity;
pub mod paths;
pub mod policy;
pub mod principals;
