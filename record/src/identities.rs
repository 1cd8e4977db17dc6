//! Principals as the last assessment found them.

use crate::{Record, RecordError, ScanId, open::Doing};
use rusqlite::params;
use serde_json::Value as Json;

/// Who in one account can become administrator of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct AbroadRow {
    /// Its account.
    pub account: String,
    /// Its ARN; `*` for the principals of an account that could not be read.
    pub arn: String,
    /// The account it can come to administer; `unread` for one of those that could not be read, `*` where it is not known.
    pub into_account: String,
    /// `yes`, or `unknown` when it hangs on something that is not known.
    pub state: String,
    /// From the principal to `admin:ACCOUNT`.
    pub steps: Vec<String>,
    /// Why it is not known; empty when it is.
    pub reason: String,
}

impl Record {
    /// Writes who can become administrator of another account, in place of what was known before.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is kept.
    pub fn put_abroad(&mut self, scan: ScanId, rows: &[AbroadRow]) -> Result<(), RecordError> {
        self.atomically(|db| {
            db.execute("DELETE FROM admin_abroad", []).doing("replacing principals")?;
            let mut insert = db
                .prepare_cached("INSERT OR REPLACE INTO admin_abroad VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
                .doing("writing principals")?;
            for r in rows {
                let steps = serde_json::json!(r.steps).to_string();
                insert
                    .execute(params![r.account, r.arn, r.into_account, r.state, steps, r.reason, scan.0])
                    .doing("writing principals")?;
            }
            Ok(())
        })
    }

    /// Who can become administrator of another account, as the last scan that looked found it.
    ///
    /// # Errors
    /// When SQLite fails or it is damaged.
    pub fn abroad(&self, account: Option<&str>) -> Result<Vec<AbroadRow>, RecordError> {
        let sql = "SELECT account, arn, into_account, state, steps, reason FROM admin_abroad
                   WHERE ?1 IS NULL OR ?1 IN (account, into_account) ORDER BY 1, 2, 3";
        let mut statement = self.db.prepare_cached(sql).doing("reading principals")?;
        let rows = statement
            .query_map([account], |r| {
                let steps: String = r.get(4)?;
                Ok(AbroadRow {
                    account: r.get(0)?,
                    arn: r.get(1)?,
                    into_account: r.get(2)?,
                    state: r.get(3)?,
                    steps: serde_json::from_str(&steps).unwrap_or_default(),
                    reason: r.get(5)?,
                })
            })
            .doing("reading principals")?;
        rows.collect::<Result<_, _>>().doing("reading principals")
    }

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
