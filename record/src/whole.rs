//! The whole record row by row: out for others to keep, in again, and rows that retention disposes of.

use crate::{
    FORMAT, Record, RecordError,
    open::Doing,
    resources::{compress, expand},
};
use rusqlite::{
    Connection, OptionalExtension, params, params_from_iter,
    types::{Value as Sql, ValueRef},
};
use serde_json::{Map, Value as Json};

/// The tables of an export, in the order in which they can be put back. Counts follow from findings and are not in it.
pub const TABLES: [&str; 20] = [
    "meta",
    "scan",
    "unit",
    "account",
    "resource",
    "resource_version",
    "coverage",
    "rule",
    "finding",
    "transition",
    "document",
    "exposure",
    "exposure_change",
    "path",
    "path_cut",
    "assessed",
    "principal",
    "admin_abroad",
    "finding_lane",
    "scan_wrote",
];

/// How a column's bytes become text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// As it is.
    Plain,
    /// Bytes as hexadecimal digits.
    Hex,
    /// Compressed text as the text itself.
    Packed,
}

struct Column {
    name: String,
    form: Form,
    key: i64,
}

fn columns(db: &Connection, table: &str) -> Result<Vec<Column>, RecordError> {
    if !TABLES.contains(&table) {
        return Err(RecordError::Missing(format!("there is no table `{table}`; there is {}", TABLES.join(", "))));
    }
    // Computed columns are not listed here, and are not exported.
    let mut statement = db.prepare(&format!("PRAGMA table_info({table})")).doing("reading its tables")?;
    let rows = statement
        .query_map([], |r| {
            let (name, kind): (String, String) = (r.get(1)?, r.get(2)?);
            let packed = matches!((table, name.as_str()), ("resource", "raw") | ("resource_version", "doc"));
            let form = match kind.as_str() {
                "BLOB" if packed => Form::Packed,
                "BLOB" => Form::Hex,
                _ => Form::Plain,
            };
            Ok(Column { name, form, key: r.get(5)? })
        })
        .doing("reading its tables")?;
    rows.collect::<Result<_, _>>().doing("reading its tables")
}

impl Record {
    /// The columns of a table, in order.
    ///
    /// # Errors
    /// When there is no such table, or SQLite fails.
    pub fn columns(&self, table: &str) -> Result<Vec<String>, RecordError> {
        Ok(columns(&self.db, table)?.into_iter().map(|c| c.name).collect())
    }

    /// Hands every row of a table to `take`, by key, as a JSON object: hashes as hexadecimal digits, compressed documents as
    /// their text.
    ///
    /// # Errors
    /// When there is no such table, a document is damaged, SQLite fails, or the first error of `take`.
    pub fn each_row<E: From<RecordError>>(
        &self,
        table: &str,
        mut take: impl FnMut(Json) -> Result<(), E>,
    ) -> Result<(), E> {
        let columns = columns(&self.db, table)?;
        let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let mut keys: Vec<&Column> = columns.iter().filter(|c| c.key > 0).collect();
        keys.sort_by_key(|c| c.key);
        let order: Vec<&str> = keys.iter().map(|c| c.name.as_str()).collect();
        let sql = format!("SELECT {} FROM {table} ORDER BY {}", names.join(", "), order.join(", "));
        let mut statement = self.db.prepare(&sql).doing("reading a table")?;
        let mut rows = statement.query([]).doing("reading a table")?;
        while let Some(row) = rows.next().doing("reading a table")? {
            let mut out = Map::new();
            for (i, column) in columns.iter().enumerate() {
                let value = match row.get_ref(i).doing("reading a table")? {
                    ValueRef::Null => Json::Null,
                    ValueRef::Integer(n) => n.into(),
                    ValueRef::Real(n) => n.into(),
                    ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned().into(),
                    ValueRef::Blob(b) if column.form == Form::Packed => expand(b)?.into(),
                    ValueRef::Blob(b) => b.iter().map(|b| format!("{b:02x}")).collect::<String>().into(),
                };
                out.insert(column.name.clone(), value);
            }
            take(Json::Object(out))?;
        }
        Ok(())
    }

    /// Whether nothing was ever put on this record.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_empty(&self) -> Result<bool, RecordError> {
        self.db
            .query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM scan) AND NOT EXISTS (SELECT 1 FROM activity) AND NOT EXISTS (SELECT 1 FROM document)",
                [],
                |r| r.get(0),
            )
            .doing("reading it")
    }

    /// How many rows a table has.
    ///
    /// # Errors
    /// When there is no such table, or SQLite fails.
    pub fn count(&self, table: &str) -> Result<i64, RecordError> {
        columns(&self.db, table)?;
        self.db.query_row(&format!("SELECT count(*) FROM {table}"), [], |r| r.get(0)).doing("counting rows")
    }
}

/// Puts rows back as [`Record::each_row`] gave them; for use inside [`Record::atomically`].
///
/// # Errors
/// When a row is not of this table, or SQLite refuses it.
pub fn restore(
    db: &Connection,
    table: &str,
    rows: impl Iterator<Item = Result<Json, RecordError>>,
) -> Result<usize, RecordError> {
    let columns = columns(db, table)?;
    let names: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
    let marks: Vec<String> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
    let sql = format!("INSERT OR REPLACE INTO {table} ({}) VALUES ({})", names.join(", "), marks.join(", "));
    let mut statement = db.prepare(&sql).doing("restoring a table")?;
    let mut count = 0;
    for row in rows {
        let row = row?;
        let wrong = |what: &str| RecordError::Damaged { what: format!("row {} of {table}: {what}", count + 1) };
        let object = row.as_object().ok_or_else(|| wrong("it is no object"))?;
        if let Some(unknown) = object.keys().find(|k| !names.contains(&k.as_str())) {
            return Err(wrong(&format!("there is no column `{unknown}`")));
        }
        let mut values = Vec::with_capacity(columns.len());
        for column in &columns {
            let value = object.get(&column.name).ok_or_else(|| wrong(&format!("`{}` is missing", column.name)))?;
            values.push(match (value, column.form) {
                (Json::Null, _) => Sql::Null,
                (Json::Bool(b), _) => Sql::Integer((*b).into()),
                (Json::Number(n), _) => match n.as_i64() {
                    Some(n) => Sql::Integer(n),
                    None => Sql::Real(n.as_f64().ok_or_else(|| wrong("a number is too large"))?),
                },
                (Json::String(t), Form::Plain) => Sql::Text(t.clone()),
                (Json::String(t), Form::Packed) => Sql::Blob(compress(t)?),
                (Json::String(t), Form::Hex) => {
                    Sql::Blob(unhex(t).ok_or_else(|| wrong(&format!("`{}` is not hexadecimal", column.name)))?)
                }
                _ => return Err(wrong(&format!("`{}` is neither text nor number", column.name))),
            });
        }
        statement.execute(params_from_iter(values)).doing("restoring a table")?;
        count += 1;
    }
    if table == "meta" {
        // The rows may be of an older format; the tables they go into are of this one.
        db.execute("UPDATE meta SET value = ?1 WHERE key = 'format'", [FORMAT.to_string()])
            .doing("writing its format")?;
    }
    Ok(count)
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    text.len().is_multiple_of(2).then_some(())?;
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok()).collect()
}

/// Something retention may dispose of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposable {
    /// A closed finding with its steps, by its key.
    Finding(String),
    /// A resource's former self: account, kind, id, and the scan it was first seen in.
    Version(String, String, String, i64),
    /// What a scan read where; the scan itself stays.
    Units(i64),
    /// A document: collection and id.
    Document(String, String),
}

/// Deletes a row; for use inside [`Record::atomically`], after somebody else agreed. Says whether it was there.
///
/// # Errors
/// When SQLite fails, or the finding is not closed.
pub fn dispose(db: &Connection, what: &Disposable) -> Result<bool, RecordError> {
    let done = match what {
        Disposable::Finding(key) => {
            let bytes = unhex(key).ok_or_else(|| RecordError::Missing(format!("`{key}` is no finding's key")))?;
            let state: Option<String> = db
                .query_row("SELECT state FROM finding WHERE key = ?1", params![bytes], |r| r.get(0))
                .optional()
                .doing("reading a finding")?;
            match state.as_deref() {
                None => return Ok(false),
                Some("fixed" | "resource-gone" | "superseded") => {}
                Some(other) => {
                    return Err(RecordError::Missing(format!(
                        "finding {key} is {other}; only closed ones are disposed of"
                    )));
                }
            }
            db.execute("DELETE FROM transition WHERE key = ?1", params![bytes]).doing("disposing of a finding")?;
            db.execute("DELETE FROM finding_lane WHERE key = ?1", params![bytes]).doing("disposing of a finding")?;
            db.execute("DELETE FROM document WHERE collection = 'life' AND id = ?1", [key])
                .doing("disposing of a finding")?;
            db.execute("DELETE FROM finding WHERE key = ?1", params![bytes])
        }
        Disposable::Version(account, kind, id, from) => db.execute(
            "DELETE FROM resource_version WHERE account = ?1 AND kind = ?2 AND id = ?3 AND from_scan = ?4",
            params![account, kind, id, from],
        ),
        Disposable::Units(scan) => db.execute("DELETE FROM unit WHERE scan = ?1", [scan]),
        Disposable::Document(collection, id) => {
            db.execute("DELETE FROM document WHERE collection = ?1 AND id = ?2", [collection, id])
        }
    }
    .doing("disposing of a row")?;
    Ok(done > 0)
}
