//! What scans wrote, as digests: what the activity log holds the record against.

use crate::{Record, RecordError, ScanId, open::Doing, resources::expand};
use plumb_model::FindingKey;
use rusqlite::{Connection, Row, Rows, params, types::ValueRef};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// A stretch of what scans wrote of findings.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Written {
    /// Its first row.
    pub from: i64,
    /// Its last.
    pub to: i64,
    /// How many there are.
    pub rows: i64,
    /// SHA-256 over them, in hexadecimal.
    pub digest: String,
}

/// What scans wrote of one account: by the part's name, SHA-256 over its rows in hexadecimal. Entries of earlier builds
/// have fewer parts.
pub type AccountSeal = BTreeMap<String, String>;

/// The parts of what scans write of an account, and the rows of each; `?1` is the account, `?2` the scan where a part is of
/// one.
const PARTS: [(&str, &str); 9] = [
    (
        "coverage",
        "SELECT region, kind, rule, scan, pass, fail, unknown, not_applicable, reasons FROM coverage
         WHERE account = ?1 ORDER BY region, kind, rule",
    ),
    (
        "resources",
        "SELECT kind, id, unit, region, name, hash, first_scan, changed_scan, seen_scan, misses
         FROM resource WHERE account = ?1 ORDER BY kind, id",
    ),
    (
        UNITS,
        "SELECT region, kind, state, resources, reason FROM unit WHERE scan = ?2 AND account = ?1 ORDER BY region, kind",
    ),
    (
        "exposures",
        "SELECT kind, resource, region, name, class, at_most, doc, first_scan, class_scan, seen_scan, stale
         FROM exposure WHERE account = ?1 ORDER BY kind, resource",
    ),
    (
        "changes of exposures",
        "SELECT id, kind, resource, scan, from_class, to_class FROM exposure_change WHERE account = ?1 ORDER BY id",
    ),
    ("principals", "SELECT arn, doc, scan FROM principal WHERE account = ?1 ORDER BY arn"),
    (
        "paths",
        "SELECT family, title, severity, certain, doc, first_scan, seen_scan, gone_scan
         FROM path WHERE account = ?1 ORDER BY family",
    ),
    (
        "cuts of paths",
        "SELECT rank, from_node, to_node, kind, kills, total, because FROM path_cut WHERE account = ?1 ORDER BY rank",
    ),
    ("limits of the assessment", "SELECT scan, limits FROM assessed WHERE account = ?1"),
];
/// Parts that are of no single account, and the rows of each.
const COMMON: [(&str, &str); 2] = [
    ("the accounts", "SELECT id, provider, name, state, reason, doc FROM account ORDER BY id"),
    (
        "who administers other accounts",
        "SELECT account, arn, into_account, state, steps, reason, scan FROM admin_abroad ORDER BY account, arn, into_account",
    ),
];
/// The part that is of one scan: which lists it read to their ends.
const UNITS: &str = "units";
/// The parts that a scan may also write of accounts it did not read.
const OF_PATHS: [&str; 3] = ["paths", "cuts of paths", "limits of the assessment"];

/// Whether a scan may write this part of accounts it did not read, too.
pub fn is_of_paths(part: &str) -> bool {
    OF_PATHS.contains(&part)
}

/// What of a finding only scans write. Its state is not among them: people move it too, and it follows from its steps.
const FACTS: &str =
    "account, kind, resource, rule, sub_key, short, region, name, severity_open, severity_now, severity_closed,
    first_seen, last_seen, opened_scan, unknown_since, occurrences, because";
/// What of a lane is digested.
const LANE: &str = "n, at, lane, exploited, points, policy, scan, due";
/// What of a step is digested.
const STEP: &str = "at, event, from_state, to_state, actor, reason";

/// Adds a row's columns from `from` on, each with its type and length, so that no two rows look alike.
fn feed(digest: &mut Sha256, row: &Row<'_>, from: usize) -> rusqlite::Result<()> {
    for i in from..row.as_ref().column_count() {
        let (kind, bytes): (u8, &[u8]) = match row.get_ref(i)? {
            ValueRef::Null => (0, &[]),
            ValueRef::Integer(n) => {
                digest.update([1]);
                digest.update(n.to_be_bytes());
                continue;
            }
            ValueRef::Real(n) => {
                digest.update([2]);
                digest.update(n.to_be_bytes());
                continue;
            }
            ValueRef::Text(bytes) => (3, bytes),
            ValueRef::Blob(bytes) => (4, bytes),
        };
        digest.update([kind]);
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 over every row of an answer, and how many there were.
fn digest_of(mut rows: Rows<'_>) -> Result<(Vec<u8>, i64), RecordError> {
    let (mut digest, mut count) = (Sha256::new(), 0);
    while let Some(row) = rows.next().doing("digesting what was written")? {
        feed(&mut digest, row, 0).doing("digesting what was written")?;
        count += 1;
    }
    Ok((digest.finalize().to_vec(), count))
}

/// Writes down what a scan left of these findings; within its transaction.
pub(crate) fn keep(db: &Connection, scan: ScanId, keys: &BTreeSet<Vec<u8>>) -> Result<(), RecordError> {
    let doing = "writing what the scan wrote";
    let mut facts = db.prepare_cached(&format!("SELECT {FACTS} FROM finding WHERE key = ?1")).doing(doing)?;
    let sql = format!("SELECT {STEP} FROM transition WHERE key = ?1 AND scan = ?2 ORDER BY id");
    let mut steps = db.prepare_cached(&sql).doing(doing)?;
    let mut insert =
        db.prepare_cached("INSERT INTO scan_wrote (scan, key, facts, steps) VALUES (?1, ?2, ?3, ?4)").doing(doing)?;
    for key in keys {
        let (facts, _) = digest_of(facts.query([key]).doing(doing)?)?;
        let (steps, _) = digest_of(steps.query(params![key, scan.0]).doing(doing)?)?;
        insert.execute(params![scan.0, key, facts, steps]).doing(doing)?;
    }
    Ok(())
}

/// Writes down what a score said of a finding's lane, where a scan's end said it; within its transaction. Such a row has no
/// digest of facts.
pub(crate) fn keep_lane(db: &Connection, scan: i64, key: &[u8], n: i64) -> Result<(), RecordError> {
    let doing = "writing what the scan wrote";
    let mut lane =
        db.prepare_cached(&format!("SELECT {LANE} FROM finding_lane WHERE key = ?1 AND n = ?2")).doing(doing)?;
    let (lane, _) = digest_of(lane.query(params![key, n]).doing(doing)?)?;
    db.prepare_cached("INSERT INTO scan_wrote (scan, key, facts, steps) VALUES (?1, ?2, x'', ?3)")
        .and_then(|mut s| s.execute(params![scan, key, lane]))
        .doing(doing)
        .map(|_| ())
}

/// A key, a number, and what of the row is compared: one digest or two.
type Entry = (Vec<u8>, i64, Vec<u8>, Vec<u8>);

/// Rows in the order of keys, one after another.
struct Cursor<'s> {
    rows: Rows<'s>,
    next: Option<Entry>,
}

impl<'s> Cursor<'s> {
    /// `key`, a number, and either two digests or columns to be digested.
    fn new(rows: Rows<'s>) -> Result<Self, RecordError> {
        let mut out = Self { rows, next: None };
        out.step()?;
        Ok(out)
    }

    fn step(&mut self) -> Result<(), RecordError> {
        let doing = "reading what was written";
        let one = |row: &Row<'_>| -> rusqlite::Result<_> {
            let (key, number) = (row.get(0)?, row.get(1)?);
            if row.as_ref().column_count() == 4 {
                return Ok((key, number, row.get(2)?, row.get(3)?));
            }
            let mut digest = Sha256::new();
            feed(&mut digest, row, 2)?;
            Ok((key, number, digest.finalize().to_vec(), Vec::new()))
        };
        self.next = match self.rows.next().doing(doing)? {
            Some(row) => Some(one(row).doing(doing)?),
            None => None,
        };
        Ok(())
    }

    fn key(&self) -> Option<&[u8]> {
        self.next.as_ref().map(|n| n.0.as_slice())
    }
}

impl Record {
    /// What scans wrote of findings after this row, up to another or to the last; none when there is nothing.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn written(&self, after: i64, to: Option<i64>) -> Result<Option<Written>, RecordError> {
        let doing = "digesting what was written";
        let sql = "SELECT id, scan, key, facts, steps FROM scan_wrote WHERE id > ?1 AND id <= ?2 ORDER BY id";
        let last: Option<i64> = match to {
            Some(to) => Some(to),
            None => self.db.query_row("SELECT max(id) FROM scan_wrote", [], |r| r.get(0)).doing(doing)?,
        };
        let Some(to) = last.filter(|to| *to > after) else { return Ok(None) };
        let mut statement = self.db.prepare_cached(sql).doing(doing)?;
        let (digest, rows) = digest_of(statement.query([after, to]).doing(doing)?)?;
        Ok((rows > 0).then(|| Written { from: after + 1, to, rows, digest: hex(&digest) }))
    }

    /// Digests over what scans wrote of an account: of every part, or of those that `wanted` names.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn account_seal(
        &self,
        account: &str,
        scan: ScanId,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<AccountSeal, RecordError> {
        let doing = "digesting what was written";
        self.sorting_on_disk(|| {
            let mut out = AccountSeal::new();
            for (part, sql) in PARTS.iter().filter(|(part, _)| wanted(part)) {
                let mut statement = self.db.prepare_cached(sql).doing(doing)?;
                let rows = match *part {
                    UNITS => statement.query(params![account, scan.0]),
                    _ => statement.query([account]),
                };
                out.insert((*part).to_owned(), hex(&digest_of(rows.doing(doing)?)?.0));
            }
            Ok(out)
        })
    }

    /// Sorts whole tables on the disk, so that the memory does not grow with the record. Within a write that has kept
    /// something aside already they are sorted where that is.
    fn sorting_on_disk<T>(&self, work: impl FnOnce() -> Result<T, RecordError>) -> Result<T, RecordError> {
        let kept = |place: &str| self.db.pragma_update(None, "temp_store", place);
        let moved = kept("FILE").is_ok();
        let done = work();
        if moved {
            kept("MEMORY").doing("going back to memory")?;
        }
        done
    }

    /// Digests over what scans write of no single account.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn common_seal(&self) -> Result<AccountSeal, RecordError> {
        let doing = "digesting what was written";
        let mut out = AccountSeal::new();
        for (part, sql) in COMMON {
            let mut statement = self.db.prepare_cached(sql).doing(doing)?;
            out.insert(part.to_owned(), hex(&digest_of(statement.query([]).doing(doing)?)?.0));
        }
        Ok(out)
    }

    /// The accounts whose paths were written since their last entry, read or not.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn paths_unsealed(&self) -> Result<BTreeSet<String>, RecordError> {
        let mut statement =
            self.db.prepare_cached("SELECT account FROM path_unsealed").doing("reading what was written")?;
        let rows = statement.query_map([], |r| r.get(0)).doing("reading what was written")?;
        rows.collect::<Result<_, _>>().doing("reading what was written")
    }

    /// Says that the paths of every account are under an entry.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn paths_are_sealed(&mut self) -> Result<(), RecordError> {
        self.db.execute("DELETE FROM path_unsealed", []).doing("writing what is sealed").map(|_| ())
    }

    /// SHA-256 over a scan's own row, in hexadecimal.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn scan_seal(&self, scan: ScanId) -> Result<String, RecordError> {
        let doing = "digesting what was written";
        let sql = "SELECT id, started, judged_at, finished, status, scope, rules_digest, inputs_digest, stats FROM scan WHERE id = ?1";
        let mut statement = self.db.prepare_cached(sql).doing(doing)?;
        Ok(hex(&digest_of(statement.query([scan.0]).doing(doing)?)?.0))
    }

    /// The accounts a scan has written anything of, whether it came to its end or not.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn written_accounts(&self, scan: ScanId) -> Result<BTreeSet<String>, RecordError> {
        let sql = "SELECT account FROM unit WHERE scan = ?1 UNION SELECT account FROM resource WHERE seen_scan = ?1
                   UNION SELECT account FROM coverage WHERE scan = ?1";
        let mut statement = self.db.prepare_cached(sql).doing("reading what was written")?;
        let rows = statement.query_map([scan.0], |r| r.get(0)).doing("reading what was written")?;
        rows.collect::<Result<_, _>>().doing("reading what was written")
    }

    /// The first resource of an account whose content is not what its digest is of, in words.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn stray_resource(&self, account: &str) -> Result<Option<String>, RecordError> {
        self.sorting_on_disk(|| self.stray_resource_sorted(account))
    }

    fn stray_resource_sorted(&self, account: &str) -> Result<Option<String>, RecordError> {
        let doing = "reading resources";
        let sql = "SELECT kind, id, doc, region, name, raw, hash FROM resource WHERE account = ?1 ORDER BY kind, id";
        let mut statement = self.db.prepare_cached(sql).doing(doing)?;
        let mut rows = statement.query([account]).doing(doing)?;
        while let Some(row) = rows.next().doing(doing)? {
            let text = |i: usize| row.get::<_, String>(i).doing(doing);
            let raw = expand(&row.get::<_, Vec<u8>>(5).doing(doing)?).unwrap_or_default();
            let hash = crate::resources::content_hash(&text(2)?, &text(3)?, &text(4)?, &raw);
            if row.get::<_, Vec<u8>>(6).doing(doing)? != hash {
                return Ok(Some(format!("{} `{}` in {account}", text(0)?, text(1)?)));
            }
        }
        Ok(None)
    }

    /// The first finding that is not what the last scan that wrote it left, or whose steps are not those that scans gave it,
    /// in words. `gone` says which keys, in hexadecimal, were disposed of. What scans wrote before they wrote this down is
    /// not looked at.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn stray_finding(&self, gone: &dyn Fn(&str) -> bool) -> Result<Option<String>, RecordError> {
        self.sorting_on_disk(|| self.stray_finding_sorted(gone))
    }

    fn stray_finding_sorted(&self, gone: &dyn Fn(&str) -> bool) -> Result<Option<String>, RecordError> {
        let doing = "reading what was written";
        let first =
            |sql: &str| -> Result<Option<i64>, RecordError> { self.db.query_row(sql, [], |r| r.get(0)).doing(doing) };
        let Some(since) = first("SELECT min(scan) FROM scan_wrote WHERE facts <> x''")? else { return Ok(None) };
        // Lanes came under it later than the rest.
        let lanes_since = first("SELECT min(scan) FROM scan_wrote WHERE facts = x'' AND scan > 0")?.unwrap_or(i64::MAX);
        let prepare = |sql: &str| self.db.prepare(sql).doing(doing);
        let mut wrote = prepare("SELECT key, scan, facts, steps FROM scan_wrote ORDER BY key, id")?;
        let mut findings = prepare(&format!("SELECT key, opened_scan, {FACTS} FROM finding ORDER BY key"))?;
        let mut steps = prepare("SELECT DISTINCT key, scan FROM transition WHERE scan >= ?1 ORDER BY key, scan")?;
        let mut lanes = prepare(&format!("SELECT key, coalesce(scan, 0), {LANE} FROM finding_lane ORDER BY key, n"))?;
        let mut of_scan = prepare(&format!("SELECT {STEP} FROM transition WHERE key = ?1 AND scan = ?2 ORDER BY id"))?;
        let mut wrote = Cursor::new(wrote.query([]).doing(doing)?)?;
        let mut findings = Cursor::new(findings.query([]).doing(doing)?)?;
        let mut steps = Cursor::new(steps.query([since]).doing(doing)?)?;
        let mut lanes = Cursor::new(lanes.query([]).doing(doing)?)?;
        let short = |key: &[u8]| {
            <[u8; 32]>::try_from(key).map_or_else(|_| hex(key), |bytes| FindingKey::from_bytes(bytes).short())
        };
        let nothing = Sha256::new().finalize().to_vec();
        loop {
            let next = [wrote.key(), findings.key(), steps.key(), lanes.key()].into_iter().flatten().min();
            let Some(key) = next.map(<[u8]>::to_vec) else { return Ok(None) };
            let mut told: BTreeMap<i64, Vec<u8>> = BTreeMap::new();
            let (mut left, mut paced) = (None, Vec::new());
            while wrote.key() == Some(&key) {
                match wrote.next.take() {
                    Some((_, _, facts, lane)) if facts.is_empty() => paced.push(lane),
                    Some((_, scan, facts, digest)) => {
                        left = Some((scan, facts));
                        told.insert(scan, digest);
                    }
                    None => {}
                }
                wrote.step()?;
            }
            let finding = if findings.key() == Some(&key) { findings.next.take() } else { None };
            if let Some((_, opened, facts, _)) = &finding {
                findings.step()?;
                match &left {
                    Some((scan, said)) if said != facts => {
                        return Ok(Some(format!("finding {} is not what scan {scan} left", short(&key))));
                    }
                    None if *opened >= since => {
                        return Ok(Some(format!(
                            "finding {} is said to be of scan {opened}, which did not write it",
                            short(&key)
                        )));
                    }
                    _ => {}
                }
            }
            let away = finding.is_none() && gone(&hex(&key));
            while steps.key() == Some(&key) {
                if let Some((_, scan, ..)) = steps.next.take() {
                    let (digest, _) = digest_of(of_scan.query(params![key, scan]).doing(doing)?)?;
                    if told.remove(&scan) != Some(digest) {
                        return Ok(Some(format!("finding {} has other steps than scan {scan} gave it", short(&key))));
                    }
                }
                steps.step()?;
            }
            if finding.is_none() && !away && left.is_some() {
                return Ok(Some(format!("finding {} is gone, and nobody disposed of it", short(&key))));
            }
            if let Some((scan, _)) = told.iter().find(|(_, digest)| **digest != nothing && !away) {
                return Ok(Some(format!("finding {} lacks steps that scan {scan} gave it", short(&key))));
            }
            // What scores said, one after another; before the first that was written down, only what earlier scans said.
            let mut paced = paced.into_iter().peekable();
            let mut began = false;
            while lanes.key() == Some(&key) {
                if let Some((_, scan, lane, _)) = lanes.next.take() {
                    let same = paced.next_if(|said| *said == lane).is_some();
                    if !same && (began || scan >= lanes_since) {
                        return Ok(Some(format!("finding {} has a lane that no score gave it", short(&key))));
                    }
                    began |= same;
                }
                lanes.step()?;
            }
            if paced.peek().is_some() && !away {
                return Ok(Some(format!("finding {} lacks a lane that its score gave it", short(&key))));
            }
        }
    }
}
