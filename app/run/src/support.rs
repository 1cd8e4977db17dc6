//! End-of-support dates for rules: those imported on the record, else those the program ships.

use crate::{feeds, govern::GovernError};
use plumb_evaluate::EndOfSupport;
use plumb_model::Time;
use plumb_record::Record;
use plumb_score::Feeds;
use std::sync::LazyLock;

/// End-of-support data as `plumb feed status` dates them; the default are the bundled ones.
#[derive(Debug, Clone, Default)]
pub struct EndOfLife {
    own: Option<Feeds>,
}

impl EndOfLife {
    /// The bundled data.
    pub const BUNDLED: Self = Self { own: None };

    /// What is in use on a record.
    ///
    /// # Errors
    /// The record fails, or what was imported is damaged.
    pub fn on(record: &Record) -> Result<Self, GovernError> {
        Ok(Self { own: feeds::own_support(record)? })
    }
}

static FEEDS: LazyLock<Feeds> = LazyLock::new(Feeds::bundled);

impl EndOfSupport for EndOfLife {
    /// A version belongs to the longest cycle it begins with: `8.0.36` to `8.0`.
    fn end(&self, product: &str, version: &str) -> Option<Time> {
        self.own.as_ref().unwrap_or(&FEEDS).support_end(product, version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_belong_to_cycles() {
        fn check(product: &str, version: &str, want: Option<&str>) {
            assert_eq!(
                EndOfLife::BUNDLED.end(product, version).map(|t| t.date()).as_deref(),
                want,
                "{product} {version}"
            );
        }
        check("amazon-rds-postgresql", "13.4", Some("2026-02-28"));
        check("amazon-rds-mysql", "5.5.62", Some("1970-01-01"));
        check("amazon-documentdb", "5.0.0", Some("9999-12-30"));
        check("aws-lambda", "python3.12", Some("2028-10-31"));
        check("amazon-eks", "1.99", None);
        check("no-such-product", "1", None);
    }
}
