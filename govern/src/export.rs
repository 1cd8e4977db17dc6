//! The whole record out and in again: one file a table, as JSON lines and CSV, with digests. What is restored elsewhere
//! verifies, and exporting it again gives equal bytes.

use crate::bundle::zip::{self, ZipError};
use crate::log::{self, Broken, Checkpoint, Head, Keys, PublicKey, Report, Sealed, merkle, text};
use crate::table;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The format version of an export.
pub const EXPORT_VERSION: u16 = 1;

/// Tables by name (`findings`, `transitions`, `decisions`, …), each a list of JSON objects, and the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// The tables.
    pub tables: BTreeMap<String, Vec<Json>>,
    /// The whole activity log.
    pub log: Vec<Sealed>,
    /// Its checkpoints.
    pub checkpoints: Vec<Checkpoint>,
}

/// Why an export cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The archive.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// A file is missing, added or not what the list says.
    #[error("export file `{path}` {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A table's name would not be a file's name.
    #[error("`{0}` is no table name; lower-case letters, digits and dashes")]
    Name(String),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Listing {
    v: u16,
    files: BTreeMap<String, String>,
}

/// Writes the record as a ZIP archive. CSV is for people and other tools; reading back uses the JSON lines.
///
/// # Errors
/// A table name is no file name, or the archive grows too large.
pub fn write(record: &Record) -> Result<Vec<u8>, ExportError> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for (name, rows) in &record.tables {
        let fit = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        if !fit {
            return Err(ExportError::Name(name.clone()));
        }
        files.insert(format!("tables/{name}.jsonl"), table::jsonl(rows));
        files.insert(format!("tables/{name}.csv"), table::csv(rows).into_bytes());
    }
    let mut lines = Vec::new();
    for e in &record.log {
        lines.extend_from_slice(&e.line());
        lines.push(b'\n');
    }
    files.insert("log/activity.jsonl".into(), lines);
    let points: Vec<_> = record.checkpoints.iter().filter_map(|c| serde_json::to_value(c).ok()).collect();
    files.insert("log/checkpoints.jsonl".into(), table::jsonl(&points));
    let digests = files.iter().map(|(p, b)| (p.clone(), text::hex(&merkle::sha256(b)))).collect();
    let listing = Listing { v: EXPORT_VERSION, files: digests };
    let listing = serde_json::to_vec_pretty(&listing).map_err(|e| file("export.json", e))?;
    let mut archive = zip::Writer::new(Vec::new());
    archive.add("export.json", &listing)?;
    for (path, bytes) in &files {
        archive.add(path, bytes)?;
    }
    Ok(archive.finish()?)
}

fn file(path: &str, problem: impl ToString) -> ExportError {
    ExportError::File { path: path.into(), problem: problem.to_string() }
}

/// Reads an export back.
///
/// # Errors
/// The archive is damaged, a file is not what the list says, or is of a newer version.
pub fn read(archive: &[u8]) -> Result<Record, ExportError> {
    let mut files: BTreeMap<String, Vec<u8>> = zip::read(archive)?.into_iter().collect();
    let listing = files.remove("export.json").ok_or_else(|| file("export.json", "is missing"))?;
    let listing: Listing = serde_json::from_slice(&listing).map_err(|e| file("export.json", e))?;
    if listing.v > EXPORT_VERSION {
        return Err(file(
            "export.json",
            format!("is of version {}; this program reads up to {EXPORT_VERSION}", listing.v),
        ));
    }
    for (path, digest) in &listing.files {
        let bytes = files.get(path).ok_or_else(|| file(path, "is missing"))?;
        if text::hex(&merkle::sha256(bytes)) != *digest {
            return Err(file(path, "is not what export.json lists"));
        }
    }
    if let Some(extra) = files.keys().find(|p| !listing.files.contains_key(*p)) {
        return Err(file(extra, "is not in export.json"));
    }
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect()
    };
    let mut record = Record::default();
    for (path, bytes) in &files {
        match path.as_str() {
            "log/activity.jsonl" => {
                record.log = lines(bytes).iter().zip(0..).map(|(l, seq)| Sealed::from_line(seq, l)).collect();
            }
            "log/checkpoints.jsonl" => {
                let read = |l: &Vec<u8>| serde_json::from_slice(l).map_err(|e| file(path, e));
                record.checkpoints = lines(bytes).iter().map(read).collect::<Result<_, _>>()?;
            }
            p => {
                if let Some(name) = p.strip_prefix("tables/").and_then(|p| p.strip_suffix(".jsonl")) {
                    let read = |l: &Vec<u8>| serde_json::from_slice(l).map_err(|e| file(path, e));
                    let rows = lines(bytes).iter().map(read).collect::<Result<_, _>>()?;
                    record.tables.insert(name.into(), rows);
                }
            }
        }
    }
    Ok(record)
}

/// Verifies the log of a record that was read back.
///
/// # Errors
/// The first broken entry.
pub fn verify_log(record: &Record, keys: impl IntoIterator<Item = PublicKey>) -> Result<Report, Broken> {
    log::verify(&Head::empty(), record.log.iter().cloned(), &record.checkpoints, Keys::trusted(keys), None)
}
