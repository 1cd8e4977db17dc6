//! Digests over what was read.

use crate::{Record, RecordError, ScanId, open::Doing};
use plumb_model::AccountId;
use rusqlite::params;
use sha2::{Digest, Sha256};

impl Record {
    /// SHA-256 over everything a scan has read in one account, in hexadecimal: equal digests mean equal inputs.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn account_digest(&self, scan: ScanId, account: &AccountId) -> Result<String, RecordError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT hash FROM resource WHERE account = ?1 AND seen_scan = ?2 ORDER BY kind, id")
            .doing("reading resources")?;
        let mut rows = statement.query(params![account.as_str(), scan.0]).doing("reading resources")?;
        let mut digest = Sha256::new();
        while let Some(row) = rows.next().doing("reading resources")? {
            digest.update(row.get::<_, Vec<u8>>(0).doing("reading resources")?);
        }
        Ok(digest.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }
}
