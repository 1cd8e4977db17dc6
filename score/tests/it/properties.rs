//! The promised properties of the function, P1 to P14.
