//! Infrastructure as code, read into the same kinds as live resources.
