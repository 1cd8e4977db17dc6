//! Scans, their units of work, accounts and coverage.

use crate::{Record, RecordError, open::Doing};
use plumb_model::{AccountId, KindId, Region, RuleId, Time, Unknown};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;

/// The number of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub struct ScanId(pub i64);

/// What a new scan is asked to do.
#[derive(Debug, Clone)]
pub struct NewScan {
    /// When it starts.
    pub started: Time,
    /// The instant ages are measured against.
    pub judged_at: Time,
    /// What was asked for, enough to resume it.
    pub scope: serde_json::Value,
    /// SHA-256 over rules and parameters.
    pub rules_digest: String,
}

/// A scan in the record.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ScanRow {
    /// Its number.
    pub id: ScanId,
    /// When it started.
    pub started: String,
    /// The instant ages were measured against.
    pub judged_at: String,
    /// When it ended; none while it runs or was interrupted.
    pub finished: Option<String>,
    /// `running`, `complete`, `partial` or `interrupted`.
    pub status: String,
    /// What was asked for.
    pub scope: serde_json::Value,
    /// Calls, throttles and durations.
    pub stats: serde_json::Value,
    /// SHA-256 over rules and parameters.
    pub rules_digest: String,
}

/// How the reading of a unit ended.
#[derive(Debug, Clone, PartialEq)]
pub enum UnitState {
    /// Everything was listed.
    Complete,
    /// Something is missing, and why.
    Incomplete(Unknown),
}

/// One kind in one region of one account, as a scan read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The account.
    pub account: AccountId,
    /// The region asked.
    pub region: Region,
    /// The kind.
    pub kind: KindId,
    /// How it ended.
    pub state: UnitState,
    /// How many resources were read.
    pub resources: usize,
}

/// An account on the record.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AccountRow {
    /// The provider's number for it.
    pub id: String,
    /// `aws`, `azure`, `gcp`.
    pub provider: String,
    /// Its name there.
    pub name: String,
    /// `active`, `suspended`, `closed`, `unreachable` …
    pub state: String,
    /// Why it could not be entered; else empty.
    pub reason: String,
    /// Everything else that is known.
    pub doc: serde_json::Value,
}

/// What was judged of one rule in one place.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CoverageRow {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The kind.
    pub kind: String,
    /// The rule.
    pub rule: String,
    /// Verdicts by outcome.
    pub pass: i64,
    /// Failing.
    pub fail: i64,
    /// Unknown.
    pub unknown: i64,
    /// Not applicable.
    pub not_applicable: i64,
    /// Why there are unknowns.
    pub reasons: Vec<Unknown>,
}

impl Record {
    /// Begins a scan.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn begin_scan(&mut self, new: &NewScan) -> Result<ScanId, RecordError> {
        self.db
            .execute(
                "INSERT INTO scan (started, judged_at, status, scope, rules_digest) VALUES (?1, ?2, 'running', ?3, ?4)",
                params![new.started.to_string(), new.judged_at.to_string(), new.scope.to_string(), new.rules_digest],
            )
            .doing("beginning a scan")?;
        Ok(ScanId(self.db.last_insert_rowid()))
    }

    /// Ends a scan. `status` is `complete`, `partial` (something could not be read) or `interrupted`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn end_scan(
        &mut self,
        scan: ScanId,
        status: &str,
        finished: Option<Time>,
        inputs_digest: Option<&str>,
        stats: &serde_json::Value,
    ) -> Result<(), RecordError> {
        self.db
            .execute(
                "UPDATE scan SET status = ?2, finished = ?3, inputs_digest = ?4, stats = ?5 WHERE id = ?1",
                params![scan.0, status, finished.map(|t| t.to_string()), inputs_digest, stats.to_string()],
            )
            .doing("ending a scan")?;
        Ok(())
    }

    /// A scan, or the last one.
    ///
    /// # Errors
    /// When there is none, or SQLite fails.
    pub fn scan(&self, id: Option<ScanId>) -> Result<ScanRow, RecordError> {
        let row = self
            .db
            .query_row(
                "SELECT id, started, judged_at, finished, status, scope, stats, rules_digest FROM scan
                 WHERE id = coalesce(?1, id) ORDER BY id DESC LIMIT 1",
                [id.map(|s| s.0)],
                scan_row,
            )
            .optional()
            .doing("reading a scan")?;
        row.ok_or_else(|| {
            let none = "there is no scan yet; run `plumb scan aws` or `plumb demo` first";
            let which = |id: ScanId| {
                format!("there is no scan {}; `plumb query 'SELECT id, started, status FROM scans'` lists them", id.0)
            };
            id.map_or_else(|| RecordError::Missing(none.into()), |id| RecordError::Unknown(which(id)))
        })
    }

    /// The last scan that was begun and not finished.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn unfinished_scan(&self) -> Result<Option<ScanRow>, RecordError> {
        self.db
            .query_row(
                "SELECT id, started, judged_at, finished, status, scope, stats, rules_digest FROM scan
                 WHERE status IN ('running', 'interrupted') ORDER BY id DESC LIMIT 1",
                [],
                scan_row,
            )
            .optional()
            .doing("reading scans")
    }

    /// SHA-256 over everything a scan has read, in hexadecimal: equal digests mean equal inputs.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn inputs_digest(&self, scan: ScanId) -> Result<String, RecordError> {
        use sha2::{Digest, Sha256};
        let mut statement = self
            .db
            .prepare_cached("SELECT hash FROM resource WHERE seen_scan = ?1 ORDER BY account, kind, id")
            .doing("reading resources")?;
        let mut rows = statement.query([scan.0]).doing("reading resources")?;
        let mut digest = Sha256::new();
        while let Some(row) = rows.next().doing("reading resources")? {
            digest.update(row.get::<_, Vec<u8>>(0).doing("reading resources")?);
        }
        Ok(digest.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }

    /// The units a scan has finished.
    ///
    /// # Errors
    /// When SQLite fails or a reason is damaged.
    pub fn units(&self, scan: ScanId) -> Result<Vec<Unit>, RecordError> {
        self.units_where(scan, "?2 = ''", "")
    }

    /// Those of one account.
    ///
    /// # Errors
    /// As [`Record::units`].
    pub fn units_of(&self, scan: ScanId, account: &str) -> Result<Vec<Unit>, RecordError> {
        self.units_where(scan, "account = ?2", account)
    }

    /// Those of one kind, in any account, for kinds that are read once and not in each region.
    ///
    /// # Errors
    /// As [`Record::units`].
    pub fn global_units(&self, scan: ScanId, kind: &str) -> Result<Vec<Unit>, RecordError> {
        // One look a known account: the key begins with scan, account and region.
        let by = "account IN (SELECT id FROM account) AND region = 'global' AND kind = ?2";
        self.units_where(scan, by, kind)
    }

    /// The accounts of which a scan has finished something.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn accounts_of(&self, scan: ScanId) -> Result<BTreeSet<String>, RecordError> {
        let sql = "SELECT DISTINCT account FROM unit WHERE scan = ?1";
        let mut statement = self.db.prepare_cached(sql).doing("reading units")?;
        let rows = statement.query_map([scan.0], |r| r.get(0)).doing("reading units")?;
        rows.collect::<Result<_, _>>().doing("reading units")
    }

    fn units_where(&self, scan: ScanId, by: &str, value: &str) -> Result<Vec<Unit>, RecordError> {
        let sql = format!("SELECT account, region, kind, reason, resources FROM unit WHERE scan = ?1 AND {by}");
        let mut statement = self.db.prepare_cached(&sql).doing("reading units")?;
        let rows = statement
            .query_map(params![scan.0, value], |r| {
                let reason: Option<String> = r.get(3)?;
                Ok(Unit {
                    account: r.get::<_, String>(0)?.into(),
                    region: r.get::<_, String>(1)?.into(),
                    kind: r.get::<_, String>(2)?.into(),
                    state: match reason.and_then(|text| serde_json::from_str(&text).ok()) {
                        Some(unknown) => UnitState::Incomplete(unknown),
                        None => UnitState::Complete,
                    },
                    resources: usize::try_from(r.get::<_, i64>(4)?).unwrap_or_default(),
                })
            })
            .doing("reading units")?;
        rows.collect::<Result<_, _>>().doing("reading units")
    }

    /// Writes down accounts; what was known of them is replaced.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_accounts(&mut self, accounts: &[AccountRow]) -> Result<(), RecordError> {
        self.atomically(|db| {
            for account in accounts {
                db.execute(
                    "INSERT INTO account (id, provider, name, state, reason, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (id) DO UPDATE SET provider = ?2, name = ?3, state = ?4, reason = ?5, doc = ?6",
                    params![
                        account.id,
                        account.provider,
                        account.name,
                        account.state,
                        account.reason,
                        account.doc.to_string()
                    ],
                )
                .doing("writing accounts")?;
            }
            Ok(())
        })
    }

    /// The accounts on the record, by id.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn accounts(&self) -> Result<Vec<AccountRow>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT id, provider, name, state, reason, doc FROM account ORDER BY id")
            .doing("reading accounts")?;
        let rows = statement
            .query_map([], |r| {
                Ok(AccountRow {
                    id: r.get(0)?,
                    provider: r.get(1)?,
                    name: r.get(2)?,
                    state: r.get(3)?,
                    reason: r.get(4)?,
                    doc: serde_json::from_str(&r.get::<_, String>(5)?).unwrap_or_default(),
                })
            })
            .doing("reading accounts")?;
        rows.collect::<Result<_, _>>().doing("reading accounts")
    }

    /// Coverage as of the last scan of each place; all of it, or of one account.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn coverage(&self, account: Option<&AccountId>) -> Result<Vec<CoverageRow>, RecordError> {
        let mut rows = Vec::new();
        self.each_coverage(account, |row| -> Result<(), RecordError> {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// Hands the same rows to `take` one at a time: there is one for each account, region and rule.
    ///
    /// # Errors
    /// When SQLite fails, or the first error of `take`.
    pub fn each_coverage<E: From<RecordError>>(
        &self,
        account: Option<&AccountId>,
        mut take: impl FnMut(CoverageRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT account, region, kind, rule, pass, fail, unknown, not_applicable, reasons FROM coverage
                 WHERE ?1 IS NULL OR account = ?1",
            )
            .doing("reading coverage")?;
        let one = |r: &rusqlite::Row<'_>| {
            Ok(CoverageRow {
                account: r.get(0)?,
                region: r.get(1)?,
                kind: r.get(2)?,
                rule: r.get(3)?,
                pass: r.get(4)?,
                fail: r.get(5)?,
                unknown: r.get(6)?,
                not_applicable: r.get(7)?,
                reasons: serde_json::from_str(&r.get::<_, String>(8)?).unwrap_or_default(),
            })
        };
        let rows = statement.query_map([account.map(AccountId::as_str)], one).doing("reading coverage")?;
        for row in rows {
            take(row.doing("reading coverage")?)?;
        }
        Ok(())
    }

    /// Writes coverage rows of a scan; those of the same place and rule are replaced.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_coverage(&mut self, scan: ScanId, rows: &[CoverageRow]) -> Result<(), RecordError> {
        self.atomically(|db| {
            let mut statement = db
                .prepare_cached(
                    "INSERT INTO coverage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                     ON CONFLICT DO UPDATE SET scan = ?5, pass = ?6, fail = ?7, unknown = ?8, not_applicable = ?9, reasons = ?10",
                )
                .doing("writing coverage")?;
            for row in rows {
                let reasons = serde_json::to_string(&row.reasons).unwrap_or_else(|_| "[]".into());
                statement
                    .execute(params![
                        row.account,
                        row.region,
                        row.kind,
                        row.rule,
                        scan.0,
                        row.pass,
                        row.fail,
                        row.unknown,
                        row.not_applicable,
                        reasons
                    ])
                    .doing("writing coverage")?;
            }
            Ok(())
        })
    }

    /// Whether a rule has been judged anywhere in an account yet.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn is_covered(&self, account: &AccountId, rule: &RuleId) -> Result<bool, RecordError> {
        self.db
            .query_row(
                "SELECT EXISTS (SELECT 1 FROM coverage WHERE account = ?1 AND rule = ?2)",
                [account.as_str(), rule.as_str()],
                |r| r.get(0),
            )
            .doing("reading coverage")
    }
}

fn scan_row(r: &rusqlite::Row<'_>) -> rusqlite::Result<ScanRow> {
    let json = |text: String| serde_json::from_str(&text).unwrap_or_default();
    Ok(ScanRow {
        id: ScanId(r.get(0)?),
        started: r.get(1)?,
        judged_at: r.get(2)?,
        finished: r.get(3)?,
        status: r.get(4)?,
        scope: json(r.get(5)?),
        stats: json(r.get(6)?),
        rules_digest: r.get(7)?,
    })
}
