//! Resources as they were last read, and what they were before.

use crate::{Record, RecordError, ScanId, Unit, UnitState, open::Doing};
use plumb_model::{AccountId, KindId};
use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};
use std::cell::RefCell;

/// A resource to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResource {
    /// The account that owns it.
    pub account: String,
    /// Its kind.
    pub kind: String,
    /// Its canonical id.
    pub id: String,
    /// The region whose list it was on.
    pub unit: String,
    /// The region it is in.
    pub region: String,
    /// Its everyday name.
    pub name: String,
    /// JSON of the kind's fields by name.
    pub doc: String,
    /// JSON of the provider's answers.
    pub raw: String,
}

/// A resource on the record, without its raw answers.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRow {
    /// Its canonical id.
    pub id: String,
    /// The region it is in.
    pub region: String,
    /// Its everyday name.
    pub name: String,
    /// JSON of the kind's fields by name.
    pub doc: String,
}

impl Record {
    /// Writes resources of a scan. An unchanged one only gets its "seen" mark; a changed one leaves its former self in
    /// the history.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_resources(&mut self, scan: ScanId, resources: &[StoredResource]) -> Result<(), RecordError> {
        self.atomically(|db| {
            let mut find = db
                .prepare_cached(
                    "SELECT hash, doc, changed_scan, region, name FROM resource WHERE account = ?1 AND kind = ?2 AND id = ?3",
                )
                .doing("reading a resource")?;
            let mut seen = db
                .prepare_cached(
                    "UPDATE resource SET seen_scan = ?4, misses = 0 WHERE account = ?1 AND kind = ?2 AND id = ?3",
                )
                .doing("marking a resource")?;
            let mut archive = db
                .prepare_cached("INSERT OR REPLACE INTO resource_version VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
                .doing("keeping a resource's history")?;
            let mut write = db
                .prepare_cached(
                    "INSERT INTO resource (account, kind, id, unit, region, name, doc, raw, hash, first_scan, changed_scan, seen_scan)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?10)
                     ON CONFLICT DO UPDATE SET unit = ?4, region = ?5, name = ?6, doc = ?7, raw = ?8, hash = ?9,
                       changed_scan = ?10, seen_scan = ?10, misses = 0",
                )
                .doing("writing a resource")?;
            for r in resources {
                let hash = content_hash(&r.doc, &r.region, &r.name, &r.raw);
                let old: Option<(Vec<u8>, String, i64, String, String)> = find
                    .query_row(params![r.account, r.kind, r.id], |row| {
                        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
                    })
                    .optional()
                    .doing("reading a resource")?;
                match old {
                    Some((old_hash, ..)) if old_hash == hash => {
                        seen.execute(params![r.account, r.kind, r.id, scan.0]).doing("marking a resource")?;
                    }
                    old => {
                        if let Some((_, doc, from, region, name)) = old.filter(|o| o.1 != r.doc || o.3 != r.region) {
                            archive
                                .execute(params![r.account, r.kind, r.id, from, scan.0, region, name, compress(&doc)?])
                                .doing("keeping a resource's history")?;
                        }
                        let raw = compress(&r.raw)?;
                        write
                            .execute(params![
                                r.account, r.kind, r.id, r.unit, r.region, r.name, r.doc, raw, hash, scan.0
                            ])
                            .doing("writing a resource")?;
                    }
                }
            }
            Ok(())
        })
    }

    /// Writes down how the reading of a unit ended. When it was complete, resources of the unit that were not seen are
    /// counted as missed once more.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn end_unit(&mut self, scan: ScanId, unit: &Unit) -> Result<(), RecordError> {
        self.atomically(|db| {
            let (state, reason) = match &unit.state {
                UnitState::Complete => ("complete", None),
                UnitState::Incomplete(unknown) => ("incomplete", serde_json::to_string(unknown).ok()),
            };
            let resources = i64::try_from(unit.resources).unwrap_or(i64::MAX);
            db.execute(
                "INSERT OR REPLACE INTO unit (scan, account, region, kind, state, resources, reason) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![scan.0, unit.account.as_str(), unit.region.as_str(), unit.kind.as_str(), state, resources, reason],
            )
            .doing("writing a unit")?;
            if unit.state == UnitState::Complete {
                db.execute(
                    "UPDATE resource SET misses = misses + 1
                     WHERE account = ?1 AND kind = ?2 AND unit = ?3 AND seen_scan < ?4",
                    params![unit.account.as_str(), unit.kind.as_str(), unit.region.as_str(), scan.0],
                )
                .doing("marking missing resources")?;
            }
            Ok(())
        })
    }

    /// Hands every resource of a kind in an account that was seen in `scan` to `take`, in id order.
    ///
    /// # Errors
    /// When SQLite fails, or the first error of `take`.
    pub fn each_resource<E: From<RecordError>>(
        &self,
        account: &AccountId,
        kind: &KindId,
        scan: ScanId,
        mut take: impl FnMut(ResourceRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT id, region, name, doc FROM resource WHERE account = ?1 AND kind = ?2 AND seen_scan = ?3 ORDER BY id",
            )
            .doing("reading resources")?;
        let mut rows = statement.query(params![account.as_str(), kind.as_str(), scan.0]).doing("reading resources")?;
        while let Some(row) = rows.next().doing("reading resources")? {
            let get = |i| row.get::<_, String>(i).doing("reading resources");
            take(ResourceRow { id: get(0)?, region: get(1)?, name: get(2)?, doc: get(3)? })?;
        }
        Ok(())
    }

    /// Hands every resource as it was when `scan` judged it to `take`, in id order: those seen then whose later
    /// changes are undone by the history.
    ///
    /// # Errors
    /// When SQLite fails, a version is damaged, or the first error of `take`.
    pub fn each_resource_as_of<E: From<RecordError>>(
        &self,
        account: &AccountId,
        kind: &KindId,
        scan: ScanId,
        mut take: impl FnMut(ResourceRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT r.id, coalesce(v.region, r.region), coalesce(v.name, r.name), v.doc, r.doc
                 FROM resource r LEFT JOIN resource_version v
                   ON v.account = r.account AND v.kind = r.kind AND v.id = r.id AND v.from_scan <= ?3 AND v.until_scan > ?3
                 WHERE r.account = ?1 AND r.kind = ?2 AND r.first_scan <= ?3 AND r.seen_scan >= ?3 ORDER BY r.id",
            )
            .doing("reading resources")?;
        let mut rows = statement.query(params![account.as_str(), kind.as_str(), scan.0]).doing("reading resources")?;
        while let Some(row) = rows.next().doing("reading resources")? {
            let get = |i| row.get::<_, String>(i).doing("reading resources");
            let old: Option<Vec<u8>> = row.get(3).doing("reading resources")?;
            let doc = match old {
                Some(bytes) => expand(&bytes)?,
                None => get(4)?,
            };
            take(ResourceRow { id: get(0)?, region: get(1)?, name: get(2)?, doc })?;
        }
        Ok(())
    }

    /// The raw answers a resource was made from, as JSON text.
    ///
    /// # Errors
    /// When there is no such resource, it is damaged, or SQLite fails.
    pub fn raw(&self, account: &str, kind: &str, id: &str) -> Result<String, RecordError> {
        let bytes: Option<Vec<u8>> = self
            .db
            .query_row(
                "SELECT raw FROM resource WHERE account = ?1 AND kind = ?2 AND id = ?3",
                [account, kind, id],
                |r| r.get(0),
            )
            .optional()
            .doing("reading a resource")?;
        expand(&bytes.ok_or_else(|| RecordError::Missing(format!("there is no {kind} `{id}` on the record")))?)
    }

    /// The same, with when the scan judged that saw the resource last; none when it is not on the record.
    ///
    /// # Errors
    /// When it is damaged, or SQLite fails.
    pub fn answered(&self, account: &str, kind: &str, id: &str) -> Result<Option<(String, String)>, RecordError> {
        let sql = "SELECT r.raw, s.judged_at FROM resource r JOIN scan s ON s.id = r.seen_scan
                   WHERE r.account = ?1 AND r.kind = ?2 AND r.id = ?3";
        let found: Option<(Vec<u8>, String)> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row([account, kind, id], |r| Ok((r.get(0)?, r.get(1)?))).optional())
            .doing("reading a resource")?;
        found.map(|(raw, at)| Ok((expand(&raw)?, at))).transpose()
    }

    /// A resource's tags, as far as its kind has them; none when it is not on the record.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn tags(&self, account: &str, kind: &str, id: &str) -> Result<Vec<(String, String)>, RecordError> {
        let tags: Option<Option<String>> = self
            .db
            .prepare_cached(
                "SELECT json_extract(doc, '$.tags') FROM resource WHERE account = ?1 AND kind = ?2 AND id = ?3",
            )
            .and_then(|mut s| s.query_row([account, kind, id], |r| r.get(0)).optional())
            .doing("reading a resource")?;
        let parsed = tags.flatten().and_then(|t| serde_json::from_str::<serde_json::Value>(&t).ok());
        let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_owned();
        Ok(match parsed {
            Some(serde_json::Value::Object(map)) => map.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
            Some(serde_json::Value::Array(list)) => list
                .iter()
                .filter_map(|t| {
                    let get = |names: [&str; 2]| names.iter().find_map(|n| t.get(*n)).map(text);
                    Some((get(["key", "Key"])?, get(["value", "Value"]).unwrap_or_default()))
                })
                .collect(),
            _ => Vec::new(),
        })
    }

    /// The kinds an account has resources or findings of, or was asked for, as of `scan`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn kinds(&self, account: &AccountId, scan: ScanId) -> Result<Vec<KindId>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT DISTINCT kind FROM unit WHERE account = ?1 AND scan = ?2 ORDER BY kind")
            .doing("reading kinds")?;
        let rows =
            statement.query_map(params![account.as_str(), scan.0], |r| r.get::<_, String>(0)).doing("reading kinds")?;
        rows.map(|r| r.map(KindId::from)).collect::<Result<_, _>>().doing("reading kinds")
    }
}

/// The digest of what was read of a resource.
pub(crate) fn content_hash(doc: &str, region: &str, name: &str, raw: &str) -> [u8; 32] {
    let mut digest = Sha256::new();
    for (i, part) in [doc, region, name, raw].into_iter().enumerate() {
        if i > 0 {
            digest.update([0]);
        }
        digest.update(part);
    }
    digest.finalize().into()
}

pub(crate) fn compress(text: &str) -> Result<Vec<u8>, RecordError> {
    // Making a context costs more than compressing a small document with it.
    thread_local! {
        static CONTEXT: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    let failed = |_| RecordError::Damaged { what: "document (it cannot be compressed)".into() };
    CONTEXT.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(zstd::bulk::Compressor::new(1).map_err(failed)?),
        };
        context.compress(text.as_bytes()).map_err(failed)
    })
}

pub(crate) fn expand(bytes: &[u8]) -> Result<String, RecordError> {
    let damaged = || RecordError::Damaged { what: "compressed document".into() };
    let out = zstd::stream::decode_all(bytes).map_err(|_| damaged())?;
    String::from_utf8(out).map_err(|_| damaged())
}
