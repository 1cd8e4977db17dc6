//! Findings: from one run's verdicts to a life in the record.

use crate::{Record, RecordError, ScanId, open::Doing};
use plumb_model::{AccountId, FindingKey, KindId, Leaf, Outcome, ResourceId, RuleId, Severity, Time, Verdict};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{BTreeMap, BTreeSet};

/// A finding as it stands.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct FindingRow {
    /// The short id people type.
    pub id: String,
    /// The whole key in hexadecimal.
    pub key: String,
    /// The rule.
    pub rule: String,
    /// The rule's title.
    pub title: String,
    /// Severity as it is now.
    pub severity: String,
    /// Severity when it opened.
    pub severity_open: String,
    /// Severity when it closed.
    pub severity_closed: Option<String>,
    /// The state of the lifecycle.
    pub state: String,
    /// The account.
    pub account: String,
    /// The region.
    pub region: String,
    /// The kind.
    pub kind: String,
    /// The resource's canonical id.
    pub resource: String,
    /// The resource's everyday name.
    pub name: String,
    /// The part of the resource; may be empty.
    pub sub_key: String,
    /// When it was first seen.
    pub first_seen: String,
    /// When it was last seen failing.
    pub last_seen: String,
    /// Since when it cannot be judged.
    pub unknown_since: Option<String>,
    /// How often it has opened.
    pub occurrences: i64,
    /// The intent of the rule.
    pub topic: String,
    /// The leaves that decided.
    pub because: Vec<Leaf>,
}

/// A step in a finding's life.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TransitionRow {
    /// When.
    pub at: String,
    /// What happened.
    pub event: String,
    /// The state before; `none` at the beginning.
    pub from: String,
    /// The state after.
    pub to: String,
    /// Who: `system:scan`, or a person.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The scan that told, if one did.
    pub scan: Option<i64>,
}

/// A rule as the views show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleRow {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: Severity,
    /// Its topic.
    pub topic: String,
    /// Its kind.
    pub kind: String,
}

/// What a verdict changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// A finding that was never seen before.
    New,
    /// A closed finding that fails again.
    Reopened,
    /// A finding closed by positive evidence.
    Fixed,
    /// A finding closed because its resource is gone.
    Gone,
    /// A finding that was and stays open.
    Same,
}

/// Which findings are wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Only of these states; empty means every state that is not closed.
    pub states: Vec<String>,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of this severity or worse.
    pub at_least: Option<Severity>,
    /// Only of these rules; empty means all.
    pub rules: BTreeSet<RuleId>,
    /// Only of this region.
    pub region: Option<String>,
    /// At most this many.
    pub limit: Option<usize>,
}

impl Query {
    /// The states wanted; words that are none of them find nothing.
    fn states(&self) -> Vec<&'static str> {
        if self.states.is_empty() {
            return STATES.into_iter().filter(|s| !CLOSED.contains(s)).collect();
        }
        STATES.into_iter().filter(|s| self.states.iter().any(|q| q == s)).collect()
    }

    /// The ranks wanted, worst first, as the table's own column counts them.
    fn ranks(&self) -> std::ops::RangeInclusive<i64> {
        0..=match self.at_least {
            Some(Severity::Critical) => 0,
            Some(Severity::High) => 1,
            Some(Severity::Medium) => 2,
            Some(Severity::Low) => 3,
            _ => 4,
        }
    }

    /// Reads all that is wanted in the table's own order. The plus signs keep every index out of it: with one, the rows
    /// would have to be sorted, and all of them held for that.
    fn one_by_one(&self) -> String {
        let states: Vec<String> = self.states().iter().map(|s| format!("'{s}'")).collect();
        let ranks: Vec<String> = self.ranks().map(|r| r.to_string()).collect();
        let mut filter = format!("+f.state IN ({}) AND +f.rank IN ({})", states.join(","), ranks.join(","));
        if !self.rules.is_empty() {
            filter += &format!(" AND +f.rule IN ({})", self.rule_list());
        }
        if self.account.is_some() {
            filter += " AND f.account = ?1";
        }
        format!(
            "SELECT {COLUMNS} FROM finding f LEFT JOIN rule r ON r.id = f.rule
             WHERE {filter} AND (?2 IS NULL OR +f.region = ?2)
             ORDER BY f.account, f.kind, f.resource, f.rule, f.sub_key"
        )
    }

    /// The rules wanted, as a list in SQL.
    fn rule_list(&self) -> String {
        let quoted = |r: &RuleId| format!("'{}'", r.as_str().replace('\'', "''"));
        self.rules.iter().map(quoted).collect::<Vec<_>>().join(",")
    }
}

/// States that a finding does not leave by itself.
const CLOSED: [&str; 3] = ["fixed", "resource-gone", "superseded"];
/// Every state of the lifecycle.
const STATES: [&str; 14] = [
    "open",
    "triaged",
    "in-remediation",
    "fixed-claimed",
    "retest-pending",
    "fixed",
    "exception-requested",
    "accepted",
    "deferral-requested",
    "deferred",
    "fp-requested",
    "false-positive",
    "resource-gone",
    "superseded",
];
/// What a finding's row is read from: `f` the finding, `r` its rule.
const COLUMNS: &str = "f.short, lower(hex(f.key)), f.rule, coalesce(r.title, f.rule), f.severity_now, f.severity_open, f.severity_closed,
    f.state, f.account, f.region, f.kind, f.resource, f.name, f.sub_key, f.first_seen,
    CASE WHEN f.unknown_since IS NULL AND f.state NOT IN ('fixed', 'resource-gone')
    THEN coalesce((SELECT s.judged_at FROM coverage c JOIN scan s ON s.id = c.scan
                   WHERE c.account = f.account AND c.region = f.region AND c.kind = f.kind AND c.rule = f.rule), f.last_seen)
    ELSE f.last_seen END, f.unknown_since, f.occurrences, coalesce(r.topic, ''), f.because";
/// Up to how many rules of a query are looked up one by one.
const RULES_APART: usize = 64;
/// States in which a passing verdict closes.
const WORKED_ON: [&str; 5] = ["open", "triaged", "in-remediation", "fixed-claimed", "retest-pending"];
/// Whether a passing verdict closes a finding in this state.
fn closes(state: &str) -> bool {
    WORKED_ON.contains(&state) || matches!(state, "accepted" | "deferred")
}

/// Who acts when a scan decides.
const SCAN: &str = "system:scan";

/// How many of the observations that decided are told with a step, and how long each may be, in characters.
const TOLD: (usize, usize) = (3, 120);

/// What a rule says now, and by which observations: `the rule holds: versioning is true (s3:GetBucketVersioning)`.
fn by(said: &str, because: &[Leaf]) -> String {
    let (most, long) = TOLD;
    let cut = |text: String| match text.char_indices().nth(long) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    };
    let one = |leaf: &Leaf| {
        let Leaf { path, observed, source, .. } = leaf;
        format!("{path} is {} ({source})", cut(observed.to_plain_json().to_string()))
    };
    let told: Vec<String> = because.iter().take(most).map(one).collect();
    let more = because.len().saturating_sub(most);
    match (told.is_empty(), more) {
        (true, _) => said.to_owned(),
        (false, 0) => format!("{said}: {}", told.join("; ")),
        (false, more) => format!("{said}: {}; and {more} more", told.join("; ")),
    }
}

struct Existing {
    key: Vec<u8>,
    state: String,
    severity_now: String,
    because: String,
    unknown: bool,
    region: String,
    judged: bool,
    /// A verdict about the whole resource said that not all of its parts are known; set aside until the end.
    unsure: bool,
}

/// What a finding is about, within a kind of an account.
#[derive(Clone, Copy)]
struct Slot<'a> {
    resource: &'a str,
    rule: &'a str,
    sub_key: &'a str,
}

/// The findings of one resource that the record holds, by rule and part; each until a verdict has spoken about it.
#[derive(Default)]
struct Held(Vec<(Box<str>, Box<str>, Option<Existing>)>);

impl Held {
    fn at(&self, rule: &str, sub_key: &str) -> Option<usize> {
        self.0.binary_search_by(|(r, s, _)| (&**r, &**s).cmp(&(rule, sub_key))).ok()
    }

    fn get(&self, rule: &str, sub_key: &str) -> Option<&Existing> {
        self.0.get(self.at(rule, sub_key)?)?.2.as_ref()
    }

    fn take(&mut self, rule: &str, sub_key: &str) -> Option<Existing> {
        let at = self.at(rule, sub_key)?;
        self.0.get_mut(at)?.2.take()
    }

    fn of_rule(&mut self, rule: &str) -> impl Iterator<Item = &mut Existing> {
        let from = self.0.partition_point(|(r, _, _)| **r < *rule);
        let own = self.0.iter_mut().skip(from).take_while(move |(r, _, _)| **r == *rule);
        own.filter_map(|(_, _, old)| old.as_mut())
    }
}

/// Takes the verdicts of one kind in one account and writes what they change. Make it with [`Record::ingest`], hand it
/// every verdict of the kind (of all outcomes), then [`Ingest::finish`]. Nothing is kept unless `finish` succeeds.
pub struct Ingest<'r> {
    tx: rusqlite::Transaction<'r>,
    scan: ScanId,
    at: String,
    account: AccountId,
    kind: KindId,
    existing: BTreeMap<Box<str>, Held>,
    changes: BTreeMap<Change, usize>,
    /// The keys of findings that were written.
    wrote: BTreeSet<Vec<u8>>,
}

impl Record {
    /// Begins to take the verdicts of a kind in an account. `at` is the instant they were judged at.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn ingest(
        &self,
        scan: ScanId,
        at: Time,
        account: &AccountId,
        kind: &KindId,
    ) -> Result<Ingest<'_>, RecordError> {
        self.begin_ingest(scan, at, account, kind, None)
    }

    /// As [`Record::ingest`], for verdicts of these rules alone: what others found is neither touched nor held.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn ingest_of(
        &self,
        scan: ScanId,
        at: Time,
        account: &AccountId,
        kind: &KindId,
        rules: &BTreeSet<RuleId>,
    ) -> Result<Ingest<'_>, RecordError> {
        self.begin_ingest(scan, at, account, kind, Some(rules))
    }

    fn begin_ingest(
        &self,
        scan: ScanId,
        at: Time,
        account: &AccountId,
        kind: &KindId,
        rules: Option<&BTreeSet<RuleId>>,
    ) -> Result<Ingest<'_>, RecordError> {
        // The record's own connection goes on reading meanwhile; there is one ingest at a time.
        let tx = rusqlite::Transaction::new_unchecked(&self.db, rusqlite::TransactionBehavior::Immediate)
            .doing("beginning a transaction")?;
        let existing = {
            let mut statement = tx
                .prepare_cached(
                    "SELECT resource, rule, sub_key, key, state, severity_now, because, unknown_since IS NOT NULL, region
                     FROM finding WHERE account = ?1 AND kind = ?2",
                )
                .doing("reading findings")?;
            let mut rows = statement.query(params![account.as_str(), kind.as_str()]).doing("reading findings")?;
            let mut existing: BTreeMap<Box<str>, Held> = BTreeMap::new();
            let mut one = |r: &rusqlite::Row<'_>| -> rusqlite::Result<()> {
                let rule = r.get_ref(1)?.as_str()?;
                if rules.is_some_and(|some| !some.contains(rule)) {
                    return Ok(());
                }
                let resource = r.get_ref(0)?.as_str()?;
                let old = Existing {
                    key: r.get(3)?,
                    state: r.get(4)?,
                    severity_now: r.get(5)?,
                    because: r.get(6)?,
                    unknown: r.get(7)?,
                    region: r.get(8)?,
                    judged: false,
                    unsure: false,
                };
                let held = match existing.get_mut(resource) {
                    Some(held) => held,
                    None => existing.entry(resource.into()).or_default(),
                };
                held.0.push((rule.into(), r.get_ref(2)?.as_str()?.into(), Some(old)));
                Ok(())
            };
            while let Some(row) = rows.next().doing("reading findings")? {
                one(row).doing("reading findings")?;
            }
            for held in existing.values_mut() {
                held.0.sort_unstable_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
            }
            existing
        };
        Ok(Ingest {
            tx,
            scan,
            at: at.to_string(),
            account: account.clone(),
            kind: kind.clone(),
            existing,
            changes: BTreeMap::new(),
            wrote: BTreeSet::new(),
        })
    }

    /// Writes down the rules, so that views can show titles. Rules no longer known keep their row.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put_rules(&mut self, rules: &[RuleRow]) -> Result<(), RecordError> {
        self.atomically(|db| {
            let mut statement = db
                .prepare_cached(
                    "INSERT INTO rule VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET title = ?2, severity = ?3, topic = ?4, kind = ?5
                     WHERE title <> ?2 OR severity <> ?3 OR topic <> ?4 OR kind <> ?5",
                )
                .doing("writing rules")?;
            for rule in rules {
                statement
                    .execute(params![rule.id, rule.title, rule.severity.name(), rule.topic, rule.kind])
                    .doing("writing rules")?;
            }
            Ok(())
        })
    }

    /// Findings, worst first, then by rule and resource.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn findings(&self, query: &Query) -> Result<Vec<FindingRow>, RecordError> {
        let states = query.states();
        if states.is_empty() {
            return Ok(Vec::new());
        }
        // A page costs what it shows: each part of it is the beginning of a stretch of an index, and parts are read in the
        // page's order until it is full. Of many rules each would be a question of its own; then one stretch is filtered.
        let apart = query.rules.len() <= RULES_APART;
        let rules: Vec<Option<&str>> = match query.rules.len() {
            1..=RULES_APART => query.rules.iter().map(|r| Some(r.as_str())).collect(),
            _ => vec![None],
        };
        let index = if query.account.is_some() { "finding_account" } else { "finding_page" };
        let mut filter = String::from(" AND rank = ?5");
        if query.account.is_some() {
            filter += " AND account = ?1";
        }
        if query.region.is_some() {
            filter += " AND region = ?2";
        }
        if !query.rules.is_empty() {
            filter +=
                &if apart { " AND rule = ?4".to_owned() } else { format!(" AND rule IN ({})", query.rule_list()) };
        }
        const ORDER: &str = "ORDER BY rule, account, resource, sub_key LIMIT ?3";
        let parts: Vec<String> = states
            .iter()
            .map(|s| {
                format!("SELECT * FROM (SELECT * FROM finding INDEXED BY {index} WHERE state = '{s}'{filter} {ORDER})")
            })
            .collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT * FROM ({}) {ORDER}) f LEFT JOIN rule r ON r.id = f.rule
             ORDER BY f.rule, f.account, f.resource, f.sub_key",
            parts.join(" UNION ALL ")
        );
        let mut statement = self.db.prepare_cached(&sql).doing("reading findings")?;
        let limit = query.limit.unwrap_or(usize::MAX);
        let mut out = Vec::new();
        for rank in query.ranks() {
            for rule in &rules {
                let left = limit - out.len();
                if left == 0 {
                    return Ok(out);
                }
                let left = i64::try_from(left).unwrap_or(-1);
                let rows = statement
                    .query_map(params![query.account, query.region, left, rule, rank], finding_row)
                    .doing("reading findings")?;
                for row in rows {
                    out.push(row.doing("reading findings")?);
                }
            }
        }
        Ok(out)
    }

    /// Hands every finding asked for to `take`, one at a time and in the store's own order (account, kind, resource, rule,
    /// part), so that any number of them needs the memory of one. The query's limit is not looked at.
    ///
    /// # Errors
    /// When SQLite fails, or the first error of `take`.
    pub fn each_finding<E: From<RecordError>>(
        &self,
        query: &Query,
        mut take: impl FnMut(FindingRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = query.one_by_one();
        let mut statement = self.db.prepare(&sql).doing("reading findings")?;
        let mut rows = statement.query(params![query.account, query.region]).doing("reading findings")?;
        while let Some(row) = rows.next().doing("reading findings")? {
            take(finding_row(row).doing("reading findings")?)?;
        }
        Ok(())
    }

    /// How many findings stand how: rule, state, severity, count. It costs what the roll-ups cost, not what the findings do.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn standing(&self) -> Result<Vec<(String, String, String, i64)>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT rule, state, severity, sum(n) FROM finding_count WHERE n > 0 GROUP BY 1, 2, 3")
            .doing("counting findings")?;
        let rows =
            statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))).doing("counting findings")?;
        rows.collect::<Result<_, _>>().doing("counting findings")
    }

    /// The finding a person means by a short id, a prefix of one (at least 4 characters), or the whole key.
    ///
    /// # Errors
    /// When none or several match.
    pub fn finding(&self, id: &str) -> Result<FindingRow, RecordError> {
        let id = id.trim();
        let is_key = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
        let upper = id.to_ascii_uppercase();
        let short = if upper.starts_with("F-") { upper } else { format!("F-{upper}") };
        let not_an_id = || RecordError::Unknown(format!("`{id}` is not a finding id; they look like F-3K2Q9ZJX41"));
        if !is_key && (short.len() < 6 || !short.bytes().skip(2).all(|b| b.is_ascii_alphanumeric())) {
            return Err(not_an_id());
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM finding f LEFT JOIN rule r ON r.id = f.rule WHERE {} LIMIT 3",
            if is_key { "f.key = ?1 AND ?2 <> ''" } else { "f.key >= ?1 AND f.key <= ?2" }
        );
        let mut statement = self.db.prepare_cached(&sql).doing("reading a finding")?;
        let found = if is_key {
            statement.query_map(params![key_bytes(id), "key"], finding_row)
        } else {
            let (from, to) = keys_of(&short).ok_or_else(not_an_id)?;
            statement.query_map(params![from, to], finding_row)
        };
        let rows: Vec<FindingRow> =
            found.doing("reading a finding")?.collect::<Result<_, _>>().doing("reading a finding")?;
        let several = rows.len() > 1;
        match rows.into_iter().next() {
            Some(row) if !several => Ok(row),
            Some(_) => Err(RecordError::Unknown(format!("several findings begin with `{id}`; type more of it"))),
            None => Err(RecordError::Unknown(format!("there is no finding `{id}`; `plumb findings` lists them"))),
        }
    }

    /// The state of the finding with this key, if there is one.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn state(&self, key: &str) -> Result<Option<String>, RecordError> {
        self.db
            .prepare_cached("SELECT state FROM finding WHERE key = ?1")
            .and_then(|mut s| s.query_row([key_bytes(key)], |r| r.get(0)).optional())
            .doing("reading a finding")
    }

    /// A finding's life, in order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn history(&self, key: &str) -> Result<Vec<TransitionRow>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT at, event, from_state, to_state, actor, reason, scan FROM transition WHERE key = ?1 ORDER BY id",
            )
            .doing("reading a finding's history")?;
        let rows = statement
            .query_map([key_bytes(key)], |r| {
                Ok(TransitionRow {
                    at: r.get(0)?,
                    event: r.get(1)?,
                    from: r.get(2)?,
                    to: r.get(3)?,
                    actor: r.get(4)?,
                    reason: r.get(5)?,
                    scan: r.get(6)?,
                })
            })
            .doing("reading a finding's history")?;
        rows.collect::<Result<_, _>>().doing("reading a finding's history")
    }

    /// Counts of findings that are not closed, by severity.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn open_by_severity(&self) -> Result<BTreeMap<String, i64>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached(
                "SELECT severity, sum(n) FROM finding_count WHERE n > 0 AND state NOT IN ('fixed', 'resource-gone', 'superseded') GROUP BY 1",
            )
            .doing("counting findings")?;
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).doing("counting findings")?;
        rows.collect::<Result<_, _>>().doing("counting findings")
    }

    /// Moves a finding from the state it was read in to another, with its transition row, in one transaction. Which
    /// moves are allowed is the govern layer's to say; this only refuses when the finding has moved meanwhile.
    ///
    /// # Errors
    /// When the finding is not in state `from` any more, or SQLite fails.
    pub fn move_finding(&mut self, key: &str, step: &TransitionRow) -> Result<(), RecordError> {
        self.atomically(|db| move_finding(db, key, step))
    }
}

/// See [`Record::move_finding`]; for use inside [`Record::atomically`].
pub fn move_finding(db: &Connection, key: &str, step: &TransitionRow) -> Result<(), RecordError> {
    let bytes = key_bytes(key);
    let moved = db
        .prepare_cached("UPDATE finding SET state = ?2 WHERE key = ?1 AND state = ?3")
        .and_then(|mut s| s.execute(params![bytes, step.to, step.from]))
        .doing("moving a finding")?;
    if moved != 1 {
        return Err(RecordError::Missing(format!("the finding is not `{}` any more; read it again", step.from)));
    }
    db.execute(
        "INSERT INTO transition (key, at, event, from_state, to_state, actor, reason, scan) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![bytes, step.at, step.event, step.from, step.to, step.actor, step.reason, step.scan],
    )
    .doing("writing a transition")?;
    Ok(())
}

impl Ingest<'_> {
    /// Takes one verdict. `severity` is the rule's, as it stands now. Says what a failing one changed.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn verdict(&mut self, verdict: &Verdict, severity: Severity) -> Result<Option<Change>, RecordError> {
        let mut change = None;
        let slot = Slot { resource: verdict.resource.as_str(), rule: verdict.rule.as_str(), sub_key: &verdict.sub_key };
        match verdict.outcome {
            Outcome::Fail => {
                let because = serde_json::to_string(&verdict.because).unwrap_or_else(|_| "[]".into());
                change = Some(match self.take(slot) {
                    None => self.open(verdict, severity, &because)?,
                    Some(old) => self.fails_again(slot, &old, verdict, severity, &because)?,
                });
                self.judged(slot);
            }
            Outcome::Pass | Outcome::NotApplicable => {
                if let Some(old) = self.take(slot) {
                    let said = match verdict.outcome {
                        Outcome::Pass => "the rule holds",
                        _ => "the rule no longer applies",
                    };
                    self.passes(slot, &old, &by(said, &verdict.because))?;
                }
                self.judged(slot);
            }
            Outcome::Unknown => {
                if slot.sub_key.is_empty() {
                    // Parts that are known all the same have verdicts of their own, before or after this one.
                    self.of_rule(slot).for_each(|old| old.unsure = true);
                } else if let Some(old) = self.take(slot) {
                    self.unknown(slot, &old)?;
                    self.judged(slot);
                }
            }
        }
        Ok(change)
    }

    /// Whether a verdict about this that passes, or says that the rule does not apply, would close a finding.
    pub fn closes(&self, rule: &RuleId, resource: &ResourceId, sub_key: &str) -> bool {
        let held = self.existing.get(resource.as_str()).and_then(|held| held.get(rule.as_str(), sub_key));
        held.is_some_and(|old| closes(&old.state))
    }

    fn take(&mut self, slot: Slot<'_>) -> Option<Existing> {
        self.existing.get_mut(slot.resource)?.take(slot.rule, slot.sub_key)
    }

    fn of_rule(&mut self, slot: Slot<'_>) -> impl Iterator<Item = &mut Existing> {
        self.existing.get_mut(slot.resource).into_iter().flat_map(move |held| held.of_rule(slot.rule))
    }

    /// The rule has spoken about the resource: its other findings there can now be told gone from not looked at.
    fn judged(&mut self, slot: Slot<'_>) {
        self.of_rule(slot).for_each(|old| old.judged = true);
    }

    fn count(&mut self, change: Change) {
        *self.changes.entry(change).or_default() += 1;
    }

    fn step(&self, key: &[u8], event: &str, from: &str, to: &str, reason: &str) -> Result<(), RecordError> {
        self.tx
            .prepare_cached(
                "INSERT INTO transition (key, at, event, from_state, to_state, actor, reason, scan) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )
            .and_then(|mut s| s.execute(params![key, self.at, event, from, to, SCAN, reason, self.scan.0]))
            .doing("writing a transition")?;
        Ok(())
    }

    fn open(&mut self, v: &Verdict, severity: Severity, because: &str) -> Result<Change, RecordError> {
        let key: FindingKey = v.key();
        self.tx
            .prepare_cached(
                "INSERT INTO finding (account, kind, resource, rule, sub_key, key, short, region, name, state, severity_open, severity_now,
                   first_seen, last_seen, opened_scan, because)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'open', ?10, ?10, ?11, ?11, ?12, ?13)",
            )
            .and_then(|mut s| {
                s.execute(params![
                    self.account.as_str(),
                    self.kind.as_str(),
                    v.resource.as_str(),
                    v.rule.as_str(),
                    v.sub_key.as_ref(),
                    key.bytes(),
                    key.short(),
                    v.region.as_str(),
                    v.name.as_ref(),
                    severity.name(),
                    self.at,
                    self.scan.0,
                    because
                ])
            })
            .doing("opening a finding")?;
        self.step(key.bytes(), "detect", "none", "open", "")?;
        self.wrote.insert(key.bytes().to_vec());
        self.count(Change::New);
        Ok(Change::New)
    }

    fn fails_again(
        &mut self,
        slot: Slot<'_>,
        old: &Existing,
        v: &Verdict,
        severity: Severity,
        because: &str,
    ) -> Result<Change, RecordError> {
        let closed = CLOSED.contains(&old.state.as_str());
        let retest = matches!(old.state.as_str(), "fixed-claimed" | "retest-pending");
        if retest {
            self.wrote.insert(old.key.clone());
        }
        if closed {
            self.write(
                slot,
                "state = 'open', severity_closed = NULL, occurrences = occurrences + 1, unknown_since = NULL",
            )?;
            self.step(&old.key, "detect", &old.state, "open", "it fails again")?;
        } else if retest {
            self.write(slot, "state = 'in-remediation'")?;
            self.step(&old.key, "retest-fail", &old.state, "in-remediation", "it still fails")?;
        }
        if closed || old.unknown || old.because != because || old.severity_now != severity.name() {
            self.wrote.insert(old.key.clone());
            self.tx
                .prepare_cached(
                    "UPDATE finding SET because = ?6, severity_now = ?7, last_seen = ?8, unknown_since = NULL, name = ?9, region = ?10
                     WHERE account = ?1 AND kind = ?2 AND resource = ?3 AND rule = ?4 AND sub_key = ?5",
                )
                .and_then(|mut s| {
                    s.execute(params![
                        self.account.as_str(),
                        self.kind.as_str(),
                        slot.resource,
                        slot.rule,
                        slot.sub_key,
                        because,
                        severity.name(),
                        self.at,
                        v.name.as_ref(),
                        v.region.as_str()
                    ])
                })
                .doing("updating a finding")?;
        }
        let change = if closed { Change::Reopened } else { Change::Same };
        self.count(change);
        Ok(change)
    }

    fn passes(&mut self, slot: Slot<'_>, old: &Existing, why: &str) -> Result<(), RecordError> {
        if WORKED_ON.contains(&old.state.as_str()) {
            if old.state != "retest-pending" {
                self.step(&old.key, "observe-pass", &old.state, "retest-pending", why)?;
            }
            self.step(&old.key, "retest-pass", "retest-pending", "fixed", why)?;
        } else if matches!(old.state.as_str(), "accepted" | "deferred") {
            self.step(&old.key, "observe-pass", &old.state, "fixed", why)?;
        } else {
            return Ok(());
        }
        self.close(slot, "fixed")?;
        self.wrote.insert(old.key.clone());
        self.count(Change::Fixed);
        Ok(())
    }

    fn close(&self, slot: Slot<'_>, state: &str) -> Result<(), RecordError> {
        self.write(
            slot,
            &format!(
                "state = '{state}', severity_closed = severity_now, last_seen = '{}', unknown_since = NULL",
                self.at
            ),
        )
    }

    fn unknown(&mut self, slot: Slot<'_>, old: &Existing) -> Result<(), RecordError> {
        if !old.unknown && !CLOSED.contains(&old.state.as_str()) {
            self.write(slot, &format!("unknown_since = '{0}', last_seen = '{0}'", self.at))?;
            self.wrote.insert(old.key.clone());
        }
        Ok(())
    }

    /// `set` is made of constants and of instants this crate printed; never of foreign text.
    fn write(&self, slot: Slot<'_>, set: &str) -> Result<(), RecordError> {
        let sql = format!(
            "UPDATE finding SET {set} WHERE account = ?1 AND kind = ?2 AND resource = ?3 AND rule = ?4 AND sub_key = ?5"
        );
        self.tx
            .prepare_cached(&sql)
            .and_then(|mut s| {
                s.execute(params![self.account.as_str(), self.kind.as_str(), slot.resource, slot.rule, slot.sub_key])
            })
            .doing("updating a finding")?;
        Ok(())
    }

    /// Settles the findings no verdict spoke about, and keeps everything. `rules` are those in the scan's scope;
    /// `unread` are regions whose read was incomplete, where nothing closes.
    ///
    /// # Errors
    /// When SQLite fails; then nothing of this ingest is kept.
    pub fn finish(
        mut self,
        rules: &BTreeSet<RuleId>,
        unread: &BTreeSet<String>,
    ) -> Result<BTreeMap<Change, usize>, RecordError> {
        let held = std::mem::take(&mut self.existing);
        let left = held.iter().flat_map(|(resource, held)| {
            held.0
                .iter()
                .filter_map(move |(rule, sub_key, old)| Some((Slot { resource, rule, sub_key }, old.as_ref()?)))
        });
        for (slot, old) in left {
            let in_scope = rules.contains(slot.rule);
            if !in_scope || CLOSED.contains(&old.state.as_str()) {
                continue;
            }
            if old.unsure {
                self.unknown(slot, old)?;
                continue;
            }
            if old.judged {
                // The rule judged the resource and said nothing about this part: the part is not there any more.
                self.passes(slot, old, "this part of the resource is not there any more")?;
                continue;
            }
            let misses: Option<i64> = self
                .tx
                .prepare_cached("SELECT misses FROM resource WHERE account = ?1 AND kind = ?2 AND id = ?3")
                .and_then(|mut s| {
                    s.query_row(params![self.account.as_str(), self.kind.as_str(), slot.resource], |r| r.get(0))
                        .optional()
                })
                .doing("reading a resource")?;
            if misses.is_some_and(|m| m >= 2) {
                self.step(&old.key, "resource-gone", &old.state, "resource-gone", "absent from two complete reads")?;
                self.close(slot, "resource-gone")?;
                self.wrote.insert(old.key.clone());
                self.count(Change::Gone);
            } else if unread.contains(&old.region) || unread.contains("global") {
                self.unknown(slot, old)?;
            }
        }
        crate::wrote::keep(&self.tx, self.scan, &self.wrote)?;
        self.tx.commit().doing("committing findings")?;
        Ok(self.changes)
    }
}

/// The first and the last key whose short id begins so: `F-` and up to ten digits of Crockford's base 32, five bits each.
fn keys_of(short: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut bits = 0u64;
    let digits = short.strip_prefix("F-").filter(|d| d.len() <= 10)?;
    for c in digits.bytes() {
        // As in that alphabet's own reading: letters that look like digits are those digits.
        let c = match c {
            b'O' => b'0',
            b'I' | b'L' => b'1',
            c => c,
        };
        bits = bits << 5 | u64::try_from(DIGITS.iter().position(|d| *d == c)?).ok()?;
    }
    let rest = 64 - 5 * u32::try_from(digits.len()).ok()?;
    let from = bits << rest;
    let to = from | ((1u64 << rest) - 1);
    let key = |bits: u64, fill: u8| bits.to_be_bytes().into_iter().chain([fill; 24]).collect();
    Some((key(from, 0), key(to, 0xff)))
}

/// A key's bytes from its hexadecimal digits; what is none names no finding.
fn key_bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).filter_map(|i| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok()).collect()
}

fn finding_row(r: &rusqlite::Row<'_>) -> rusqlite::Result<FindingRow> {
    Ok(FindingRow {
        id: r.get(0)?,
        key: r.get(1)?,
        rule: r.get(2)?,
        title: r.get(3)?,
        severity: r.get(4)?,
        severity_open: r.get(5)?,
        severity_closed: r.get(6)?,
        state: r.get(7)?,
        account: r.get(8)?,
        region: r.get(9)?,
        kind: r.get(10)?,
        resource: r.get(11)?,
        name: r.get(12)?,
        sub_key: r.get(13)?,
        first_seen: r.get(14)?,
        last_seen: r.get(15)?,
        unknown_since: r.get(16)?,
        occurrences: r.get(17)?,
        topic: r.get(18)?,
        because: serde_json::from_str(&r.get::<_, String>(19)?).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_read_one_by_one_without_being_held() {
        let record = Record::in_memory().unwrap();
        let rules = BTreeSet::from(["aws.s3.bucket.not-public".into()]);
        for query in [
            Query::default(),
            Query { account: Some("1".into()), ..Query::default() },
            Query { rules, at_least: Some(Severity::High), region: Some("eu-west-1".into()), ..Query::default() },
        ] {
            let mut plan = record.db.prepare(&format!("EXPLAIN QUERY PLAN {}", query.one_by_one())).unwrap();
            let steps = plan.query_map(params![query.account, query.region], |r| r.get::<_, String>(3)).unwrap();
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(!steps.iter().any(|s| s.contains("TEMP B-TREE") || s.contains("INDEX finding_")), "{steps:?}");
        }
    }

    #[test]
    fn a_short_id_is_the_beginning_of_its_keys() {
        let key = FindingKey::from_bytes([0xab; 32]);
        let short = key.short();
        for n in 6..=short.len() {
            let (from, to) = keys_of(&short[..n]).unwrap();
            assert!(from.as_slice() <= key.bytes().as_slice() && key.bytes().as_slice() <= to.as_slice(), "{n}");
        }
        let other = FindingKey::from_bytes([0xac; 32]);
        let (_, to) = keys_of(&short).unwrap();
        assert!(other.bytes().as_slice() > to.as_slice());
        assert_eq!(keys_of("F-OIL0"), keys_of("F-0110"));
        assert_eq!(keys_of("F-U000"), None);
    }
}
