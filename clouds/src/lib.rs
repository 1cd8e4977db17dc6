//! The wire: signed calls to cloud APIs under a budget, and their replaying twin.
