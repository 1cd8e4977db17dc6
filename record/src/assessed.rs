//! Exposure and attack paths as the last scans found them, with when they came, changed and went.

use crate::{
    Record, RecordError, ScanId,
    open::Doing,
    resources::{compress, expand},
};
use rusqlite::{OptionalExtension, params};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

/// How a resource stands towards the outside.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ExposureRow {
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The kind: `aws.s3.bucket`.
    pub kind: String,
    /// The resource's canonical id; `ACCOUNT:KIND`, named `*`, for what could not be read.
    pub resource: String,
    /// Its everyday name.
    pub name: String,
    /// `internet`, `internet-authenticated`, `limited`, `cross-account`, `unknown`, `internal` or `gone`.
    pub class: String,
    /// The most it could be, when facts are missing.
    #[serde(default)]
    pub at_most: Option<String>,
    /// What proves the class: a list of `{resource, field, says}`.
    #[serde(default)]
    pub proof: Vec<Json>,
    /// What is missing to tell.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Open ports: `{protocol, from, to, source, group}`.
    #[serde(default)]
    pub openings: Vec<Json>,
    /// Actions outsiders may take.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Accounts outside the organisation that are let in.
    #[serde(default)]
    pub outside_accounts: Vec<String>,
}

/// An exposure on the record.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct StoredExposure {
    /// What it is.
    #[serde(flatten)]
    pub row: ExposureRow,
    /// When it was first seen.
    pub first_seen: String,
    /// Since when it has its class.
    pub since: String,
    /// When it was last judged.
    pub last_seen: String,
    /// Whether it could not be judged by the last scan.
    pub stale: bool,
}

/// A change of a resource's class.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ExposureChange {
    /// When it was seen.
    pub at: String,
    /// The account.
    pub account: String,
    /// The kind.
    pub kind: String,
    /// The resource.
    pub resource: String,
    /// The class before; `none` at the beginning.
    pub from_class: String,
    /// The class after.
    pub to_class: String,
}

/// A family of attack paths.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PathRow {
    /// The account.
    pub account: String,
    /// The family's stable name.
    #[serde(rename = "id")]
    pub family: String,
    /// In a sentence.
    pub title: String,
    /// `critical`, `high` or `medium`.
    pub severity: String,
    /// Whether every step is certain.
    pub certain: bool,
    /// The accounts its paths lead through; empty when they stay in one.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Of them, those that were read by an earlier scan, with the instant they are of.
    #[serde(default)]
    pub earlier: BTreeMap<String, String>,
    /// The nodes of the path that stands for the family.
    pub path: Vec<String>,
    /// Its steps: `{from, to, kind, cost, because, depends_on}`.
    pub steps: Vec<Json>,
    /// What is at stake.
    pub goals: Vec<Json>,
    /// Every path of the family.
    pub paths: Vec<Json>,
}

/// An edge whose removal ends paths.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CutRow {
    /// Where it starts.
    pub from: String,
    /// Where it leads.
    pub to: String,
    /// Its kind.
    pub kind: String,
    /// How many paths die without it.
    pub kills: i64,
    /// Of how many.
    #[serde(rename = "of")]
    pub total: i64,
    /// What to change.
    pub because: Vec<Json>,
}

fn doc_of(row: &ExposureRow) -> String {
    json!({ "proof": row.proof, "needs": row.needs, "openings": row.openings, "actions": row.actions,
            "outside_accounts": row.outside_accounts })
    .to_string()
}

impl Record {
    /// Writes how an account's resources stand towards the outside, internal ones included. A resource on the record
    /// that is not among `rows` is gone when its kind is one of `complete`, and stale otherwise. One row is held at a time.
    ///
    /// # Errors
    /// When SQLite fails, or the first error among `rows`; then nothing is kept.
    pub fn put_exposures(
        &mut self,
        scan: ScanId,
        account: &str,
        rows: impl IntoIterator<Item = Result<ExposureRow, RecordError>>,
        complete: &BTreeSet<String>,
    ) -> Result<(), RecordError> {
        type Old = (String, Option<String>, String, bool);
        self.atomically(|db| {
            let mut old: BTreeMap<(String, String), Old> = {
                let mut statement = db
                    .prepare_cached("SELECT kind, resource, class, at_most, doc, stale FROM exposure WHERE account = ?1")
                    .doing("reading exposures")?;
                let found = statement
                    .query_map([account], |r| Ok(((r.get(0)?, r.get(1)?), (r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))))
                    .doing("reading exposures")?;
                found.collect::<Result<_, _>>().doing("reading exposures")?
            };
            let change = |kind: &str, resource: &str, from: &str, to: &str| {
                db.prepare_cached(
                    "INSERT INTO exposure_change (account, kind, resource, scan, from_class, to_class) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )
                .and_then(|mut s| s.execute(params![account, kind, resource, scan.0, from, to]))
                .doing("writing a change of exposure")
            };
            for row in rows {
                let row = row?;
                let doc = doc_of(&row);
                match old.remove(&(row.kind.clone(), row.resource.clone())) {
                    None if row.class == "internal" && row.at_most.is_none() => {}
                    None => {
                        db.prepare_cached("INSERT INTO exposure VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?9, 0)")
                            .and_then(|mut s| {
                                s.execute(params![
                                    account, row.kind, row.resource, row.region, row.name, row.class, row.at_most, doc, scan.0
                                ])
                            })
                            .doing("writing an exposure")?;
                        change(&row.kind, &row.resource, "none", &row.class)?;
                    }
                    Some((class, at_most, was, stale)) => {
                        if class == row.class && at_most == row.at_most && was == doc && !stale {
                            continue;
                        }
                        db.prepare_cached(
                            "UPDATE exposure SET region = ?4, name = ?5, class = ?6, at_most = ?7, doc = ?8, seen_scan = ?9, stale = 0,
                               class_scan = CASE WHEN class = ?6 THEN class_scan ELSE ?9 END
                             WHERE account = ?1 AND kind = ?2 AND resource = ?3",
                        )
                        .and_then(|mut s| {
                            s.execute(params![
                                account, row.kind, row.resource, row.region, row.name, row.class, row.at_most, doc, scan.0
                            ])
                        })
                        .doing("updating an exposure")?;
                        if class != row.class {
                            change(&row.kind, &row.resource, &class, &row.class)?;
                        }
                    }
                }
            }
            let last: i64 = db
                .query_row("SELECT coalesce(max(scan), ?2) FROM assessed WHERE account = ?1", params![account, scan.0], |r| r.get(0))
                .doing("reading the last assessment")?;
            for ((kind, resource), (class, _, _, stale)) in old {
                if class == "gone" {
                    continue;
                }
                if complete.contains(&kind) {
                    db.prepare_cached(
                        "UPDATE exposure SET class = 'gone', at_most = NULL, stale = 0, class_scan = ?4, seen_scan = ?5
                         WHERE account = ?1 AND kind = ?2 AND resource = ?3",
                    )
                    .and_then(|mut s| s.execute(params![account, kind, resource, scan.0, last]))
                    .doing("updating an exposure")?;
                    change(&kind, &resource, &class, "gone")?;
                } else if !stale {
                    db.prepare_cached(
                        "UPDATE exposure SET stale = 1, seen_scan = ?4 WHERE account = ?1 AND kind = ?2 AND resource = ?3",
                    )
                    .and_then(|mut s| s.execute(params![account, kind, resource, last]))
                    .doing("updating an exposure")?;
                }
            }
            Ok(())
        })
    }

    /// Writes an account's attack paths and cuts. Families on the record that are not among `families` are gone when
    /// everything was read (`complete`), and stay otherwise. `limits` are what was not looked at, in words. `scan` is the
    /// one that says so, `read` the one that read the account.
    ///
    /// # Errors
    /// When SQLite fails; then nothing is kept.
    #[allow(clippy::too_many_arguments)]
    pub fn put_paths(
        &mut self,
        scan: ScanId,
        read: ScanId,
        account: &str,
        families: &[PathRow],
        cuts: &[CutRow],
        complete: bool,
        limits: &[String],
    ) -> Result<(), RecordError> {
        self.atomically(|db| {
            let mut statement = db
                .prepare_cached(
                    "INSERT INTO path VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, NULL)
                     ON CONFLICT DO UPDATE SET title = ?3, severity = ?4, certain = ?5, doc = ?6, seen_scan = ?7, gone_scan = NULL",
                )
                .doing("writing paths")?;
            for f in families {
                let mut doc = json!({ "path": f.path, "steps": f.steps, "goals": f.goals, "paths": f.paths });
                if !f.accounts.is_empty() {
                    doc["accounts"] = json!(f.accounts);
                }
                if !f.earlier.is_empty() {
                    doc["earlier"] = json!(f.earlier);
                }
                let doc = doc.to_string();
                statement
                    .execute(params![account, f.family, f.title, f.severity, f.certain, doc, scan.0])
                    .doing("writing paths")?;
            }
            if complete {
                db.execute(
                    "UPDATE path SET gone_scan = ?2 WHERE account = ?1 AND gone_scan IS NULL AND seen_scan <> ?2",
                    params![account, scan.0],
                )
                .doing("closing paths")?;
            }
            db.execute("DELETE FROM path_cut WHERE account = ?1", [account]).doing("writing cuts")?;
            let mut statement =
                db.prepare_cached("INSERT INTO path_cut VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)").doing("writing cuts")?;
            for (rank, c) in cuts.iter().enumerate() {
                let because = json!(c.because).to_string();
                let rank = i64::try_from(rank).unwrap_or(i64::MAX);
                statement
                    .execute(params![account, rank, c.from, c.to, c.kind, c.kills, c.total, because])
                    .doing("writing cuts")?;
            }
            db.execute(
                "INSERT INTO assessed VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET scan = ?2, limits = ?3",
                params![account, read.0, json!(limits).to_string()],
            )
            .doing("writing the assessment")?;
            db.execute("INSERT OR IGNORE INTO path_unsealed VALUES (?1)", [account]).doing("writing what is to be sealed")?;
            Ok(())
        })
    }

    /// Keeps what of an account's graph matters to others: JSON text. The paths over accounts that end in it stay what
    /// they were until they are put together again.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_border(&mut self, scan: ScanId, account: &str, doc: &str) -> Result<(), RecordError> {
        self.db
            .prepare_cached(
                "INSERT INTO border VALUES (?1, ?2, ?3, NULL) ON CONFLICT DO UPDATE SET scan = ?2, doc = ?3",
            )
            .doing("writing a border")?
            .execute(params![account, scan.0, compress(doc)?])
            .doing("writing a border")?;
        Ok(())
    }

    /// The accounts whose borders are kept, with the scans they are of.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn borders(&self) -> Result<BTreeMap<String, ScanId>, RecordError> {
        let mut statement = self.db.prepare_cached("SELECT account, scan FROM border").doing("reading borders")?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, ScanId(r.get(1)?)))).doing("reading borders")?;
        rows.collect::<Result<_, _>>().doing("reading borders")
    }

    /// An account's border.
    ///
    /// # Errors
    /// When SQLite fails or it is damaged.
    pub fn border(&self, account: &str) -> Result<Option<String>, RecordError> {
        self.packed("SELECT doc FROM border WHERE account = ?1", account)
    }

    /// Keeps the paths over accounts that end in an account: JSON text.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_joined(&mut self, account: &str, doc: Option<&str>) -> Result<(), RecordError> {
        let doc = doc.map(compress).transpose()?;
        self.db
            .prepare_cached("UPDATE border SET joined = ?2 WHERE account = ?1")
            .and_then(|mut s| s.execute(params![account, doc]))
            .doing("writing paths over accounts")?;
        Ok(())
    }

    /// The paths over accounts that end in an account; none when there are none.
    ///
    /// # Errors
    /// When SQLite fails or they are damaged.
    pub fn joined(&self, account: &str) -> Result<Option<String>, RecordError> {
        self.packed("SELECT joined FROM border WHERE account = ?1", account)
    }

    fn packed(&self, sql: &str, account: &str) -> Result<Option<String>, RecordError> {
        let bytes: Option<Option<Vec<u8>>> = self
            .db
            .prepare_cached(sql)
            .and_then(|mut s| s.query_row([account], |r| r.get(0)).optional())
            .doing("reading a border")?;
        bytes.flatten().map(|b| expand(&b)).transpose()
    }

    /// Exposures on the record, of one account or all, those that are internal or gone again included.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn exposures(&self, account: Option<&str>) -> Result<Vec<StoredExposure>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT account, region, kind, resource, name, class, at_most, proof, needs, openings, actions, outside_accounts,
                        first_seen, since, last_seen, stale
                 FROM exposures WHERE ?1 IS NULL OR account = ?1 ORDER BY account, kind, resource",
            )
            .doing("reading exposures")?;
        fn list<T: serde::de::DeserializeOwned>(r: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Vec<T>> {
            Ok(serde_json::from_str(&r.get::<_, String>(at)?).unwrap_or_default())
        }
        let rows = statement
            .query_map([account], |r| {
                Ok(StoredExposure {
                    row: ExposureRow {
                        account: r.get(0)?,
                        region: r.get(1)?,
                        kind: r.get(2)?,
                        resource: r.get(3)?,
                        name: r.get(4)?,
                        class: r.get(5)?,
                        at_most: r.get(6)?,
                        proof: list(r, 7)?,
                        needs: list(r, 8)?,
                        openings: list(r, 9)?,
                        actions: list(r, 10)?,
                        outside_accounts: list(r, 11)?,
                    },
                    first_seen: r.get::<_, Option<String>>(12)?.unwrap_or_default(),
                    since: r.get::<_, Option<String>>(13)?.unwrap_or_default(),
                    last_seen: r.get::<_, Option<String>>(14)?.unwrap_or_default(),
                    stale: r.get(15)?,
                })
            })
            .doing("reading exposures")?;
        rows.collect::<Result<_, _>>().doing("reading exposures")
    }

    /// How one resource stands towards the outside; none when it was never anything but internal, or not looked at.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn exposure_class(&self, account: &str, kind: &str, resource: &str) -> Result<Option<String>, RecordError> {
        self.db
            .prepare_cached(
                "SELECT class FROM exposure WHERE account = ?1 AND kind = ?2 AND resource = ?3 AND stale = 0",
            )
            .and_then(|mut s| s.query_row([account, kind, resource], |r| r.get(0)).optional())
            .doing("reading exposures")
    }

    /// Titles of the ways in that lead over a resource, worst first, a few.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn paths_through(&self, account: &str, resource: &str) -> Result<Vec<String>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT DISTINCT p.title, p.severity FROM path p JOIN path_steps s ON s.account = p.account AND s.family = p.family
                 WHERE p.account = ?1 AND p.gone_scan IS NULL AND (instr(s.to_node, ?2) > 0 OR instr(s.from_node, ?2) > 0)
                 ORDER BY CASE p.severity WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END, p.title LIMIT 3",
            )
            .doing("reading paths")?;
        let rows = statement.query_map([account, resource], |r| r.get(0)).doing("reading paths")?;
        rows.collect::<Result<_, _>>().doing("reading paths")
    }

    /// How a resource's class changed, oldest first; of everything without a resource.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn exposure_changes(&self, resource: Option<&str>) -> Result<Vec<ExposureChange>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT at, account, kind, resource, from_class, to_class FROM exposure_changes
                 WHERE ?1 IS NULL OR resource = ?1 ORDER BY scan, account, kind, resource",
            )
            .doing("reading changes of exposure")?;
        let rows = statement
            .query_map([resource], |r| {
                Ok(ExposureChange {
                    at: r.get::<_, Option<String>>(0)?.unwrap_or_default(),
                    account: r.get(1)?,
                    kind: r.get(2)?,
                    resource: r.get(3)?,
                    from_class: r.get(4)?,
                    to_class: r.get(5)?,
                })
            })
            .doing("reading changes of exposure")?;
        rows.collect::<Result<_, _>>().doing("reading changes of exposure")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewScan;

    fn row(resource: &str, class: &str) -> ExposureRow {
        ExposureRow {
            account: "1".into(),
            region: "r".into(),
            kind: "k".into(),
            resource: resource.into(),
            name: resource.into(),
            class: class.into(),
            at_most: None,
            proof: vec![json!({"resource": resource, "field": "f", "says": "open"})],
            needs: Vec::new(),
            openings: Vec::new(),
            actions: Vec::new(),
            outside_accounts: Vec::new(),
        }
    }

    fn scan(record: &mut Record, day: &str) -> ScanId {
        let at = format!("2026-01-{day}T00:00:00Z").parse().unwrap();
        let scan = NewScan { started: at, judged_at: at, scope: json!({}), rules_digest: String::new() };
        record.begin_scan(&scan).unwrap()
    }

    #[test]
    fn exposures_come_change_and_go_only_when_everything_was_read() {
        let mut record = Record::in_memory().unwrap();
        let all = BTreeSet::from(["k".to_owned()]);
        let steps: [(&str, Vec<ExposureRow>, bool, &str); 6] = [
            ("01", vec![row("a", "internal")], true, ""),
            ("02", vec![row("a", "internet")], true, "internet"),
            ("03", vec![row("a", "internet")], true, "internet"),
            ("04", vec![], false, "internet"),
            ("05", vec![row("a", "internal")], true, "internal"),
            ("06", vec![], true, "gone"),
        ];
        for (day, rows, complete, want) in steps {
            let scan = scan(&mut record, day);
            let read = if complete { all.clone() } else { BTreeSet::new() };
            record.put_exposures(scan, "1", rows.into_iter().map(Ok), &read).unwrap();
            record.put_paths(scan, scan, "1", &[], &[], complete, &[]).unwrap();
            let found = record.exposures(Some("1")).unwrap();
            assert_eq!(found.first().map_or("", |e| e.row.class.as_str()), want, "day {day}");
            if let Some(e) = found.first() {
                assert_eq!(e.first_seen, "2026-01-02T00:00:00Z");
                assert_eq!(e.stale, day == "04");
                let last = if matches!(day, "04") {
                    "03"
                } else if day == "06" {
                    "05"
                } else {
                    day
                };
                assert_eq!(e.last_seen, format!("2026-01-{last}T00:00:00Z"), "day {day}");
            }
        }
        let changes: Vec<String> = record
            .exposure_changes(Some("a"))
            .unwrap()
            .into_iter()
            .map(|c| format!("{} {}", c.from_class, c.to_class))
            .collect();
        assert_eq!(changes, ["none internet", "internet internal", "internal gone"]);
    }

    #[test]
    fn paths_end_only_in_a_complete_scan() {
        let mut record = Record::in_memory().unwrap();
        let family = PathRow {
            account: "1".into(),
            family: "internet > k > role > data".into(),
            title: "t".into(),
            severity: "critical".into(),
            certain: true,
            accounts: Vec::new(),
            earlier: BTreeMap::new(),
            path: vec!["internet".into(), "data".into()],
            steps: vec![json!({"from": "internet", "to": "data", "kind": "DATA", "cost": 0, "because": []})],
            goals: vec![],
            paths: vec![json!({"nodes": ["internet", "data"], "cost": 0})],
        };
        let gone = |record: &Record| record.query("SELECT gone IS NOT NULL FROM paths").unwrap().rows[0][0].clone();
        let first = scan(&mut record, "01");
        record.put_paths(first, first, "1", std::slice::from_ref(&family), &[], true, &[]).unwrap();
        assert_eq!(record.query("SELECT to_node FROM path_steps").unwrap().rows[0][0], json!("data"));
        for (day, families, complete, want) in
            [("02", vec![], false, 0), ("03", vec![], true, 1), ("04", vec![family.clone()], false, 0)]
        {
            let scan = scan(&mut record, day);
            record.put_paths(scan, scan, "1", &families, &[], complete, &[]).unwrap();
            assert_eq!(gone(&record), json!(want), "day {day}");
        }
    }
}
