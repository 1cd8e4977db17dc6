//! People's own questions in SQL, over the documented views, read-only.

use crate::{Record, RecordError};
use rusqlite::types::ValueRef;
use serde_json::Value as Json;

/// A result: column names and rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows; blobs as lower-case hexadecimal.
    pub rows: Vec<Vec<Json>>,
}

impl Record {
    /// Runs one read-only statement.
    ///
    /// # Errors
    /// When the statement is wrong, holds more than one statement, or would change anything.
    pub fn query(&self, sql: &str) -> Result<Table, RecordError> {
        let mut rows = Vec::new();
        let columns = self.each_answer::<RecordError>(sql, &[], |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(Table { columns, rows })
    }

    /// As [`Record::query`], with `?1`, `?2`… standing for `params`, one row at a time; gives the columns' names.
    ///
    /// # Errors
    /// Those of [`Record::query`], or the first error of `take`.
    pub fn each_answer<E: From<RecordError>>(
        &self,
        sql: &str,
        params: &[&str],
        mut take: impl FnMut(Vec<Json>) -> Result<(), E>,
    ) -> Result<Vec<String>, E> {
        let wrong = |e: rusqlite::Error| {
            let text = e.to_string();
            let help = if text.contains("no such table") || text.contains("no such column") {
                "; there are findings, resources, coverages, accounts, scans, transitions, exposures, exposure_changes, paths, path_steps, path_cuts, principals, access_keys, lanes"
            } else {
                ""
            };
            RecordError::Query(format!("the query was refused: {text}{help}"))
        };
        let mut statement = self.db.prepare(sql).map_err(wrong)?;
        if !statement.readonly() {
            let why = "the query would change the record; only SELECT is allowed";
            return Err(RecordError::Query(why.into()).into());
        }
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query(rusqlite::params_from_iter(params)).map_err(wrong)?;
        while let Some(row) = rows.next().map_err(wrong)? {
            let cells = (0..columns.len()).map(|i| {
                Ok(match row.get_ref(i)? {
                    ValueRef::Null => Json::Null,
                    ValueRef::Integer(n) => Json::from(n),
                    ValueRef::Real(n) => Json::from(n),
                    ValueRef::Text(t) => Json::String(String::from_utf8_lossy(t).into_owned()),
                    ValueRef::Blob(b) => Json::String(b.iter().map(|b| format!("{b:02x}")).collect()),
                })
            });
            take(cells.collect::<rusqlite::Result<_>>().map_err(wrong)?)?;
        }
        Ok(columns)
    }
}
