//! Opening a record file, its format version and its one connection.

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The format this build writes. A file of an older format is migrated when it is opened; a newer one is refused.
pub const FORMAT: i64 = 4;

/// What brings a record of the format before to the one named.
const MIGRATIONS: [(i64, &str); 3] =
    [(2, include_str!("to-2.sql")), (3, include_str!("to-3.sql")), (4, include_str!("to-4.sql"))];

/// What builds since made beside the tables of a format: additive, made in any record that lacks what it is known by.
const BESIDE: [(&str, &str); 4] = [
    ("border", include_str!("assessed.sql")),
    ("principals_abroad", include_str!("identities.sql")),
    ("lanes", include_str!("lanes.sql")),
    ("path_unsealed", include_str!("wrote.sql")),
];

/// A record: one SQLite file, or memory.
pub struct Record {
    pub(crate) db: Connection,
    path: Option<PathBuf>,
}

/// How long to wait for others who write the same file.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many tables a database has: none in a file somebody has only just begun.
fn tables(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT count(*) FROM sqlite_master WHERE type = 'table'", [], |r| r.get(0))
}

/// Whether a database has no table or view of this name.
fn lacks(db: &Connection, name: &str) -> Result<bool, RecordError> {
    db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = ?1)", [name], |r| r.get(0))
        .doing("looking for its tables")
}

/// Whether the table of lanes lacks the column of due dates: the first builds that made it knew none.
fn lacks_due(db: &Connection) -> Result<bool, RecordError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM pragma_table_info('finding_lane') WHERE name = 'due')";
    db.query_row(sql, [], |r| r.get(0)).doing("looking for its columns")
}

fn none_yet(path: &Path) -> RecordError {
    let first = "run `plumb scan aws`, `plumb demo` or, for accounts alone, `plumb discover --save` first";
    let why = format!("there is no record at `{}` yet; {first}", path.display());
    RecordError::Missing(why)
}

/// Turns the write-ahead log on. SQLite does not wait by itself when two turn it on at once.
fn write_ahead(db: &Connection) -> Result<(), RecordError> {
    let began = Instant::now();
    loop {
        match db.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(10));
            }
            other => return other.doing("turning its write-ahead log on"),
        }
    }
}

/// A moment of the record; see [`Record::moment`].
#[derive(Debug)]
pub struct Moment<'r> {
    _tx: rusqlite::Transaction<'r>,
}

/// Why the record could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file's folder could not be made.
    #[error("cannot make the folder of the record `{path}`")]
    Folder {
        /// The record's path.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Not a record, or one from a newer version.
    #[error("`{path}` is not a record this version can read: {why}")]
    Format {
        /// The record's path.
        path: String,
        /// What is wrong and what would be right.
        why: String,
    },
    /// SQLite refused.
    #[error("the record failed while {doing}")]
    Sql {
        /// What was being done.
        doing: &'static str,
        /// The cause.
        #[source]
        source: rusqlite::Error,
    },
    /// A stored document is damaged.
    #[error("the record holds a damaged {what}")]
    Damaged {
        /// Which document.
        what: String,
    },
    /// The user's own query was refused.
    #[error("{0}")]
    Query(String),
    /// There is no such thing, or not any more.
    #[error("{0}")]
    Missing(String),
    /// Nothing is called what was asked for.
    #[error("{0}")]
    Unknown(String),
}

/// Names what was being done when SQLite refused.
pub(crate) trait Doing<T> {
    fn doing(self, what: &'static str) -> Result<T, RecordError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, RecordError> {
        self.map_err(|source| RecordError::Sql { doing, source })
    }
}

impl Record {
    /// Opens the record at `path`, making it and its folder if need be.
    ///
    /// # Errors
    /// When the folder cannot be made, the file is not a record, or it is of a newer format.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|source| RecordError::Folder { path: path.display().to_string(), source })?;
        }
        let db = Connection::open(path).doing("opening its file")?;
        Self::prepare(db, Some(path), true)
    }

    /// Opens an existing record for reading only; nothing in it can change.
    ///
    /// # Errors
    /// When there is no file, or it is not a record.
    pub fn open_read_only(path: &Path) -> Result<Self, RecordError> {
        if !path.exists() {
            return Err(none_yet(path));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags).doing("opening its file")?;
        let record = Self::prepare(db, Some(path), false)?;
        record.db.pragma_update(None, "query_only", true).doing("making it read-only")?;
        Ok(record)
    }

    /// A record in memory, for tests and one-off runs.
    ///
    /// # Errors
    /// When SQLite cannot make one.
    pub fn in_memory() -> Result<Self, RecordError> {
        Self::prepare(Connection::open_in_memory().doing("opening memory")?, None, true)
    }

    /// The file, if there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Brings a file to what this build reads and writes; an empty one becomes a record only if it may `make` one.
    /// Several may do so at once with one file: each finds a whole record in the end.
    fn prepare(db: Connection, path: Option<&Path>, make: bool) -> Result<Self, RecordError> {
        let shown = || path.map_or_else(|| ":memory:".to_owned(), |p| p.display().to_string());
        db.busy_timeout(PATIENCE).doing("setting its timeout")?;
        let not_a_record = |why: String| RecordError::Format { path: shown(), why };
        if tables(&db).map_err(|e| not_a_record(format!("it is not a database ({e})")))? == 0 && !make {
            return Err(none_yet(path.unwrap_or(Path::new(":memory:"))));
        }
        write_ahead(&db)?;
        db.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096; PRAGMA wal_autocheckpoint = 4000;",
        )
        .doing("setting it up")?;
        let format = || -> Result<Option<i64>, RecordError> {
            if tables(&db).doing("looking for its tables")? == 0 {
                return Ok(None);
            }
            let format: Option<String> = db
                .query_row("SELECT value FROM meta WHERE key = 'format'", [], |r| r.get(0))
                .optional()
                .map_err(|_| not_a_record("it is a database of something else".into()))?;
            match format.and_then(|f| f.parse::<i64>().ok()) {
                Some(newer) if newer > FORMAT => {
                    let why = format!("its format is {newer}, this version writes {FORMAT}; use a newer plumb");
                    Err(not_a_record(why))
                }
                Some(format) if format >= 1 => Ok(Some(format)),
                _ => Err(not_a_record("it says no format".into())),
            }
        };
        let behind = || -> Result<bool, RecordError> {
            let beside = || BESIDE.iter().try_fold(false, |any, (name, _)| Ok(any || lacks(&db, name)?));
            Ok(format()? != Some(FORMAT) || beside()? || lacks_due(&db)?)
        };
        if behind()? {
            // Building an index sorts every row: on the disk, so that the memory does not grow with the record.
            db.execute_batch("PRAGMA temp_store = FILE; BEGIN IMMEDIATE").doing("beginning to make its tables")?;
            // Somebody else may have done all or part of it while this one waited for the lock: each step looks again.
            let made = format().and_then(|format| Self::bring_up(&db, format));
            if let Err(error) = made {
                // The first error says what went wrong; closing the connection takes everything back.
                let _ = db.execute_batch("ROLLBACK");
                return Err(error);
            }
            db.execute_batch("COMMIT; PRAGMA temp_store = MEMORY").doing("committing its tables")?;
        }
        Ok(Self { db, path: path.map(Path::to_path_buf) })
    }

    /// Makes the tables of a new record, or brings those of an older format to this one, and makes what it lacks beside
    /// them; within a transaction.
    pub(crate) fn bring_up(db: &Connection, from: Option<i64>) -> Result<(), RecordError> {
        let write = |format: i64| {
            let sql = "INSERT INTO meta VALUES ('format', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            db.execute(sql, [format.to_string()]).doing("writing its format")
        };
        match from {
            None => {
                db.execute_batch(include_str!("schema.sql")).doing("making its tables")?;
                write(FORMAT)?;
            }
            Some(from) => {
                for (to, sql) in MIGRATIONS.iter().filter(|(to, _)| *to > from) {
                    db.execute_batch(sql).doing("migrating it")?;
                    write(*to)?;
                }
            }
        }
        for (name, sql) in BESIDE {
            if lacks(db, name)? {
                db.execute_batch(sql).doing("making tables it lacks")?;
            }
        }
        if lacks_due(db)? {
            db.execute_batch("ALTER TABLE finding_lane ADD COLUMN due TEXT")
                .doing("adding a column to its table of lanes")?;
        }
        Ok(())
    }

    /// Holds still what this record reads until the guard is dropped: a report of several questions is about one moment.
    /// Nothing can be written through this record meanwhile.
    ///
    /// # Errors
    /// When SQLite fails, or a moment is held already.
    pub fn moment(&self) -> Result<Moment<'_>, RecordError> {
        let tx = rusqlite::Transaction::new_unchecked(&self.db, rusqlite::TransactionBehavior::Deferred)
            .doing("holding a moment")?;
        Ok(Moment { _tx: tx })
    }

    /// Runs `work` in one transaction: all of it is kept, or nothing.
    ///
    /// # Errors
    /// Those of `work`, or of SQLite when beginning or committing.
    pub fn atomically<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, RecordError>,
    ) -> Result<T, RecordError> {
        let tx = self
            .db
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .doing("beginning a transaction")?;
        let out = work(&tx)?;
        tx.commit().doing("committing a transaction")?;
        Ok(out)
    }

    /// As [`Record::atomically`], and on the disk itself before it returns: what people were told is kept survives a loss
    /// of power too.
    ///
    /// # Errors
    /// As [`Record::atomically`].
    pub fn durably<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T, RecordError>) -> Result<T, RecordError> {
        self.db.pragma_update(None, "synchronous", "FULL").doing("making a write durable")?;
        let out = self.atomically(work);
        self.db.pragma_update(None, "synchronous", "NORMAL").doing("making a write durable")?;
        out
    }

    /// As [`Record::durably`], with the record to read from meanwhile: for what is too much to hold at once and is read and
    /// written in parts.
    ///
    /// # Errors
    /// Those of `work`, or of SQLite when beginning or committing.
    pub fn durably_in_parts<T, E: From<RecordError>>(
        &mut self,
        work: impl FnOnce(&Self, &Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.db.pragma_update(None, "synchronous", "FULL").doing("making a write durable")?;
        let out = self.in_parts(work);
        self.db.pragma_update(None, "synchronous", "NORMAL").doing("making a write durable")?;
        out
    }

    fn in_parts<T, E: From<RecordError>>(&self, work: impl FnOnce(&Self, &Connection) -> Result<T, E>) -> Result<T, E> {
        // This connection goes on reading meanwhile, as in an ingest.
        let tx = rusqlite::Transaction::new_unchecked(&self.db, rusqlite::TransactionBehavior::Immediate)
            .doing("beginning a transaction")?;
        let out = work(self, &tx)?;
        tx.commit().doing("committing a transaction")?;
        Ok(out)
    }

    /// A document of the govern layer, with its version.
    ///
    /// # Errors
    /// When SQLite fails or the document is damaged.
    pub fn document(&self, collection: &str, id: &str) -> Result<Option<(i64, serde_json::Value)>, RecordError> {
        self.document_text(collection, id)?
            .map(|(version, text)| {
                let doc = serde_json::from_str(&text)
                    .map_err(|_| RecordError::Damaged { what: format!("{collection} {id}") })?;
                Ok((version, doc))
            })
            .transpose()
    }

    /// A document as it is written, with its version: for those too large to be taken apart before they are read.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn document_text(&self, collection: &str, id: &str) -> Result<Option<(i64, String)>, RecordError> {
        self.db
            .query_row("SELECT version, doc FROM document WHERE collection = ?1 AND id = ?2", [collection, id], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .optional()
            .doing("reading a document")
    }

    /// All documents of a collection, by id.
    ///
    /// # Errors
    /// When SQLite fails or a document is damaged.
    pub fn documents(&self, collection: &str) -> Result<Vec<(String, serde_json::Value)>, RecordError> {
        Ok(self.versioned(collection)?.into_iter().map(|(id, _, doc)| (id, doc)).collect())
    }

    /// All documents of a collection with their versions, by id.
    ///
    /// # Errors
    /// When SQLite fails or a document is damaged.
    pub fn versioned(&self, collection: &str) -> Result<Vec<(String, i64, serde_json::Value)>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT id, version, doc FROM document WHERE collection = ?1 ORDER BY id")
            .doing("reading documents")?;
        let rows = statement
            .query_map([collection], |r| Ok((r.get::<_, String>(0)?, r.get::<_, i64>(1)?, r.get::<_, String>(2)?)))
            .doing("reading documents")?;
        rows.map(|row| {
            let (id, version, text) = row.doing("reading documents")?;
            let doc =
                serde_json::from_str(&text).map_err(|_| RecordError::Damaged { what: format!("{collection} {id}") })?;
            Ok((id, version, doc))
        })
        .collect()
    }

    /// Writes a document. `expected` is the version that was read (0: it must be new); another version in the store
    /// means somebody else wrote meanwhile.
    ///
    /// # Errors
    /// When the version differs, or SQLite fails.
    pub fn put_document(
        &mut self,
        collection: &str,
        id: &str,
        expected: i64,
        doc: &serde_json::Value,
    ) -> Result<i64, RecordError> {
        self.atomically(|db| put_document(db, collection, id, expected, doc))
    }

    /// Appends entries to the activity log, in order.
    ///
    /// # Errors
    /// When SQLite fails, or an entry with that number is already there.
    pub fn append_activity(&mut self, entries: &[(i64, String)]) -> Result<(), RecordError> {
        self.atomically(|db| append_activity(db, entries))
    }

    /// The activity log from `from` on, in order, at most `limit` entries.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn activity(&self, from: i64, limit: usize) -> Result<Vec<(i64, String)>, RecordError> {
        let mut statement = self
            .db
            .prepare_cached("SELECT seq, entry FROM activity WHERE seq >= ?1 ORDER BY seq LIMIT ?2")
            .doing("reading the activity log")?;
        let rows = statement
            .query_map(rusqlite::params![from, i64::try_from(limit).unwrap_or(i64::MAX)], |r| {
                Ok((r.get(0)?, r.get(1)?))
            })
            .doing("reading the activity log")?;
        rows.collect::<Result<_, _>>().doing("reading the activity log")
    }

    /// The last entry of the activity log.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn last_activity(&self) -> Result<Option<(i64, String)>, RecordError> {
        self.db
            .query_row("SELECT seq, entry FROM activity ORDER BY seq DESC LIMIT 1", [], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()
            .doing("reading the activity log")
    }
}

/// See [`Record::put_document`]; for use inside [`Record::atomically`].
pub fn put_document(
    db: &Connection,
    collection: &str,
    id: &str,
    expected: i64,
    doc: &serde_json::Value,
) -> Result<i64, RecordError> {
    put_text(db, collection, id, expected, &doc.to_string())
}

/// As [`put_document`], of one that is text already.
///
/// # Errors
/// As for [`Record::put_document`].
pub fn put_text(db: &Connection, collection: &str, id: &str, expected: i64, text: &str) -> Result<i64, RecordError> {
    let changed = if expected == 0 {
        db.execute(
            "INSERT INTO document (collection, id, version, doc) VALUES (?1, ?2, 1, ?3) ON CONFLICT DO NOTHING",
            rusqlite::params![collection, id, text],
        )
    } else {
        db.execute(
            "UPDATE document SET doc = ?3, version = version + 1 WHERE collection = ?1 AND id = ?2 AND version = ?4",
            rusqlite::params![collection, id, text, expected],
        )
    }
    .doing("writing a document")?;
    if changed == 1 {
        Ok(expected + 1)
    } else {
        Err(RecordError::Missing(format!("{collection} `{id}` was changed by somebody else meanwhile; read it again")))
    }
}

/// See [`Record::append_activity`]; for use inside [`Record::atomically`].
pub fn append_activity(db: &Connection, entries: &[(i64, String)]) -> Result<(), RecordError> {
    let mut statement =
        db.prepare_cached("INSERT INTO activity (seq, entry) VALUES (?1, ?2)").doing("writing the activity log")?;
    for (seq, entry) in entries {
        statement.execute(rusqlite::params![seq, entry]).doing("writing the activity log")?;
    }
    Ok(())
}
