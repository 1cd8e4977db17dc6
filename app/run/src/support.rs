//! End-of-support dates for rules, from the bundled feed.

use plumb_evaluate::EndOfSupport;
use plumb_model::Time;
use std::{collections::HashMap, sync::LazyLock};

/// The bundled end-of-support data.
#[derive(Debug, Clone, Copy, Default)]
pub struct EndOfLife;

/// Product and cycle to the last day of support. One line each: product, cycle, RFC 3339 date, tab-separated; generated
/// from endoflife.date (MIT) by `cargo xtask governance`.
static CYCLES: LazyLock<HashMap<(&str, &str), Time>> = LazyLock::new(|| {
    include_str!("eol.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut cells = line.split('\t');
            let (product, cycle, end) = (cells.next()?, cells.next()?, cells.next()?);
            Some(((product, cycle), end.parse().ok()?))
        })
        .collect()
});

impl EndOfSupport for EndOfLife {
    /// Tries the version as it stands, then with its last parts left out: `8.0.36` is of cycle `8.0`.
    fn end(&self, product: &str, version: &str) -> Option<Time> {
        let mut cycle = version;
        loop {
            if let Some(end) = CYCLES.get(&(product, cycle)) {
                return Some(*end);
            }
            cycle = cycle.rsplit_once('.')?.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_belong_to_cycles() {
        assert!(EndOfLife.end("postgresql", "11.22").is_some());
        assert_eq!(EndOfLife.end("postgresql", "11.22"), EndOfLife.end("postgresql", "11"));
        assert_eq!(EndOfLife.end("no-such-product", "1"), None);
    }
}
