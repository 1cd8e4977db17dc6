//! Knowledge as data: kinds, rule pages, topics and frameworks, read, checked and packed.
