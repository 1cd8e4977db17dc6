//! How soon findings want attention, as their scores said, and since when: what their clocks go by.

use crate::{Record, RecordError, open::Doing, whole::unhex};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What a finding's score said of its lane from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneRow {
    /// Since when.
    pub at: String,
    /// 0 (act now) to 3 (watch).
    pub lane: u8,
    /// Whether the weakness was known to be exploited.
    pub exploited: bool,
    /// When a catalogue of exploited weaknesses wanted it fixed, if one said.
    pub due: Option<String>,
    /// Points then, in tenths.
    pub points: i64,
    /// The score policy that weighed it.
    pub policy: String,
    /// The scan at whose end it was said.
    pub scan: Option<i64>,
}

const COLUMNS: &str = "at, lane, exploited, points, policy, scan, due";

fn lane_row(r: &Row<'_>) -> rusqlite::Result<LaneRow> {
    Ok(LaneRow {
        at: r.get(0)?,
        lane: r.get(1)?,
        exploited: r.get(2)?,
        points: r.get(3)?,
        policy: r.get(4)?,
        scan: r.get(5)?,
        due: r.get(6)?,
    })
}

fn bytes(key: &str) -> Result<Vec<u8>, RecordError> {
    unhex(key).ok_or_else(|| RecordError::Missing(format!("`{key}` is no finding's key")))
}

impl Record {
    /// Every lane a finding had, from the first; none when its score was never kept.
    ///
    /// # Errors
    /// When SQLite fails, or the key is none.
    pub fn lanes(&self, key: &str) -> Result<Vec<LaneRow>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached(&format!("SELECT {COLUMNS} FROM finding_lane WHERE key = ?1 ORDER BY n"))
            .doing("reading a finding's lanes")?;
        let rows = statement.query_map([bytes(key)?], lane_row).doing("reading a finding's lanes")?;
        rows.collect::<Result<_, _>>().doing("reading a finding's lanes")
    }

    /// The lane a finding has now.
    ///
    /// # Errors
    /// When SQLite fails, or the key is none.
    pub fn lane(&self, key: &str) -> Result<Option<LaneRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM finding_lane WHERE key = ?1 ORDER BY n DESC LIMIT 1");
        let key = bytes(key)?;
        self.db
            .prepare_cached(&sql)
            .and_then(|mut s| s.query_row([key], lane_row).optional())
            .doing("reading a finding's lanes")
    }
}

/// Appends what a finding's score says now; for use inside [`Record::atomically`].
///
/// # Errors
/// When SQLite fails, or the key is none.
pub fn put_lane(db: &Connection, key: &str, row: &LaneRow) -> Result<(), RecordError> {
    let key = bytes(key)?;
    let n: i64 = db
        .prepare_cached(
            "INSERT INTO finding_lane (key, n, at, lane, exploited, points, policy, scan, due)
             VALUES (?1, (SELECT coalesce(max(n), 0) + 1 FROM finding_lane WHERE key = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             RETURNING n",
        )
        .and_then(|mut s| {
            let row = params![key, row.at, row.lane, row.exploited, row.points, row.policy, row.scan, row.due];
            s.query_row(row, |r| r.get(0))
        })
        .doing("writing a finding's lane")?;
    crate::wrote::keep_lane(db, row.scan.unwrap_or_default(), &key, n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_appended_and_asked() {
        let mut record = Record::in_memory().expect("a record");
        let key = "ab".repeat(32);
        assert_eq!(record.lane(&key).expect("asked"), None);
        let row = |lane, points| LaneRow {
            at: "2026-01-01T00:00:00Z".into(),
            lane,
            exploited: false,
            due: None,
            points,
            policy: "score/1".into(),
            scan: Some(1),
        };
        for (lane, points) in [(2, 310), (0, 900)] {
            record.atomically(|db| put_lane(db, &key, &row(lane, points))).expect("written");
        }
        assert_eq!(record.lane(&key).expect("asked"), Some(row(0, 900)));
        assert_eq!(record.lanes(&key).expect("asked"), [row(2, 310), row(0, 900)]);
        // A record of an earlier build has no due dates.
        record.db.execute_batch("ALTER TABLE finding_lane DROP COLUMN due").expect("dropped");
        let prepare = || Record::bring_up(&record.db, Some(crate::FORMAT));
        prepare().and_then(|()| prepare()).expect("prepared");
        assert_eq!(record.lane(&key).expect("asked"), Some(row(0, 900)));
        let due = LaneRow { due: Some("2026-01-22T00:00:00Z".into()), exploited: true, ..row(0, 900) };
        record.atomically(|db| put_lane(db, &key, &due)).expect("written");
        assert_eq!(record.lane(&key).expect("asked"), Some(due));
        let seen = record.query("SELECT lane, points FROM lanes ORDER BY points").expect("the view");
        assert_eq!(seen.rows[1][0], "act-now");
        assert!(record.lanes("xy").is_err());
    }
}
