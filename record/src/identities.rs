//! Principals as the last assessment found them.

use crate::{Record, RecordError, ScanId, open::Doing};
use rusqlite::{Connection, params};
use serde_json::Value as Json;

/// Makes what a record of an earlier build lacks.
pub(crate) fn prepare(db: &Connection) -> Result<(), RecordError> {
    let there: bool = db
        .query_row("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'access_keys')", [], |r| r.get(0))
        .doing("looking for its tables")?;
    if there {
        return Ok(());
    }
    db.execute_batch(&format!("BEGIN IMMEDIATE; {} COMMIT;", include_str!("identities.sql")))
        .doing("making its table of principals")
}

impl Record {
    /// Writes the principals of an account, `(ARN, what is known)`, in place of those of the assessment before. One row is
    /// held at a time.
    ///
    /// # Errors
    /// When SQLite fails, or the first error among `rows`; then nothing is kept.
    pub fn put_principals(
        &mut self,
        scan: ScanId,
        account: &str,
        rows: impl IntoIterator<Item = Result<(String, Json), RecordError>>,
    ) -> Result<(), RecordError> {
        self.atomically(|db| {
            db.execute("DELETE FROM principal WHERE account = ?1", params![account]).doing("replacing principals")?;
            let mut insert = db
                .prepare_cached("INSERT OR REPLACE INTO principal (account, arn, doc, scan) VALUES (?1, ?2, ?3, ?4)")
                .doing("writing principals")?;
            for row in rows {
                let (arn, doc) = row?;
                insert.execute(params![account, arn, doc.to_string(), scan.0]).doing("writing principals")?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn principals_are_replaced_and_asked() {
        let mut record = Record::in_memory().expect("a record");
        let ann = |admin: bool| {
            let doc = json!({"class": "human", "admin": admin, "keys": [{"slot": 1, "active": true, "used": null}]});
            [Ok(("arn:aws:iam::1:user/ann".to_owned(), doc))]
        };
        record.put_principals(ScanId(1), "1", ann(false)).expect("written");
        record.put_principals(ScanId(2), "1", ann(true)).expect("written again");
        let found = record.query("SELECT arn, class, admin FROM principals").expect("the view");
        assert_eq!(found.rows, [[json!("arn:aws:iam::1:user/ann"), json!("human"), json!(1)]]);
        let keys = record.query("SELECT slot, active FROM access_keys").expect("the view");
        assert_eq!(keys.rows, [[json!(1), json!(1)]]);
    }
}
