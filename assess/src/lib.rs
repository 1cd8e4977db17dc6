//! Who can reach what: identity, exposure and attack paths.
