//! The whole record out, for a vendor change or a safe, and in again: one file a table, as JSON lines and CSV, with digests.
//! What is restored elsewhere verifies.

use super::{GovernError, astray, checkpoints, verify_log};
use plumb_govern::{
    bundle::zip,
    export::EXPORT_VERSION,
    log::{PublicKey, merkle::sha256, text::hex},
    table::csv_cell,
};
use plumb_record::{Record, RecordError, TABLES, append_activity, restore};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, BufWriter, Cursor, Write},
    path::{Path, PathBuf},
};

/// What was written or read.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Whole {
    /// Rows by table.
    pub rows: BTreeMap<String, usize>,
    /// Entries of the activity log.
    pub log_entries: usize,
    /// SHA-256 over the list of files and their digests: equal for equal records.
    pub digest: String,
}

fn io(doing: &str, path: &Path, error: impl std::fmt::Display) -> GovernError {
    GovernError::Input(format!("cannot {doing} `{}`: {error}", path.display()))
}

/// A writer that digests what passes.
struct Digesting<W: Write> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Write for Digesting<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hash.update(bytes.get(..n).unwrap_or_default());
        Ok(n)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

/// Where an export goes: a folder, file by file as it is read, or an archive.
enum Out {
    Dir(PathBuf),
    Zip(Box<zip::Writer<BufWriter<File>>>, PathBuf),
}

impl Out {
    fn new(path: &Path) -> Result<Self, GovernError> {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip")) {
            let file = File::create(path).map_err(|e| io("write", path, e))?;
            return Ok(Self::Zip(Box::new(zip::Writer::new(BufWriter::new(file))), path.into()));
        }
        std::fs::create_dir_all(path).map_err(|e| io("make the folder", path, e))?;
        let mut entries = std::fs::read_dir(path).map_err(|e| io("read the folder", path, e))?;
        if entries.next().is_some() {
            return Err(GovernError::Input(format!("the folder `{}` is not empty", path.display())));
        }
        Ok(Self::Dir(path.into()))
    }

    /// Writes one file and gives its digest.
    fn file(
        &mut self,
        name: &str,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<(), GovernError>,
    ) -> Result<String, GovernError> {
        match self {
            Self::Dir(root) => {
                let path = root.join(name);
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder).map_err(|e| io("make the folder", folder, e))?;
                }
                let file = File::create(&path).map_err(|e| io("write", &path, e))?;
                let mut out = Digesting { to: BufWriter::new(file), hash: Default::default() };
                write(&mut out)?;
                out.flush().map_err(|e| io("write", &path, e))?;
                Ok(hex(&out.hash.finalize()))
            }
            Self::Zip(archive, path) => {
                let mut bytes = Vec::new();
                write(&mut bytes)?;
                archive.add(name, &bytes).map_err(|e| io("write", path, e))?;
                Ok(hex(&sha256(&bytes)))
            }
        }
    }
}

fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(s) => csv_cell(s),
        other => csv_cell(&other.to_string()),
    }
}

fn wrote(result: std::io::Result<()>) -> Result<(), GovernError> {
    result.map_err(|e| GovernError::Input(format!("the export cannot be written: {e}")))
}

/// Writes everything on the record into a new folder, or an archive when the path ends in `.zip`.
///
/// # Errors
/// The record fails, or the target cannot be written.
pub fn export_record(record: &Record, path: &Path) -> Result<Whole, GovernError> {
    let mut out = Out::new(path)?;
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    for table in TABLES {
        let name = table.replace('_', "-");
        let mut count = 0;
        let lines = format!("tables/{name}.jsonl");
        let digest = out.file(&lines, &mut |to| {
            count = 0;
            record.each_row::<GovernError>(table, |row| {
                count += 1;
                wrote(writeln!(to, "{row}"))
            })
        })?;
        files.insert(lines, digest);
        rows.insert(name.clone(), count);
        let columns = record.columns(table)?;
        let sheet = format!("tables/{name}.csv");
        let digest = out.file(&sheet, &mut |to| {
            wrote(write!(to, "{}\r\n", columns.join(",")))?;
            record.each_row::<GovernError>(table, |row| {
                let cells: Vec<String> = columns.iter().map(|c| cell(row.get(c).unwrap_or(&Json::Null))).collect();
                wrote(write!(to, "{}\r\n", cells.join(",")))
            })
        })?;
        files.insert(sheet, digest);
    }
    let mut log_entries = 0;
    let log = "log/activity.jsonl".to_owned();
    let digest = out.file(&log, &mut |to| {
        log_entries = 0;
        let mut next = 0;
        loop {
            let page = record.activity(next, 4096)?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            next = last + 1;
            log_entries += page.len();
            for (_, line) in &page {
                wrote(writeln!(to, "{line}"))?;
            }
        }
    })?;
    files.insert(log, digest);
    let points = checkpoints(record)?;
    let name = "log/checkpoints.jsonl".to_owned();
    let digest = out
        .file(&name, &mut |to| points.iter().try_for_each(|p| wrote(writeln!(to, "{}", serde_json::to_string(p)?))))?;
    files.insert(name, digest);
    let listing = json!({ "v": EXPORT_VERSION, "format": plumb_record::FORMAT, "files": files });
    let text = serde_json::to_string_pretty(&listing)? + "\n";
    out.file("export.json", &mut |to| wrote(to.write_all(text.as_bytes())))?;
    if let Out::Zip(archive, path) = out {
        archive.finish().map_err(|e| io("write", &path, e))?;
    }
    Ok(Whole { rows, log_entries, digest: hex(&sha256(serde_json::to_string(&files)?.as_bytes())) })
}

/// Where an export comes from.
enum In {
    Dir(PathBuf),
    Zip(BTreeMap<String, Vec<u8>>),
}

impl In {
    fn open(&self, name: &str) -> Result<Box<dyn BufRead + '_>, GovernError> {
        let missing = || GovernError::Input(format!("the export has no file `{name}`"));
        match self {
            Self::Dir(root) => Ok(Box::new(BufReader::new(File::open(root.join(name)).map_err(|_| missing())?))),
            Self::Zip(files) => Ok(Box::new(Cursor::new(files.get(name).ok_or_else(missing)?.as_slice()))),
        }
    }

    fn digest(&self, name: &str) -> Result<String, GovernError> {
        let mut hash = Sha256::default();
        let mut from = self.open(name)?;
        loop {
            let chunk =
                from.fill_buf().map_err(|e| GovernError::Input(format!("export file `{name}` cannot be read: {e}")))?;
            if chunk.is_empty() {
                return Ok(hex(&hash.finalize()));
            }
            hash.update(chunk);
            let n = chunk.len();
            from.consume(n);
        }
    }
}

/// Makes a record at `to`, where there is none yet, from an export. The files are held against their digests, and what was
/// restored against its log, its checkpoints and its findings' steps; a record that does not verify is not made.
///
/// # Errors
/// There is a record already, a file is not what the list says, a row does not fit, or the log does not verify.
pub fn import_record(from: &Path, to: &Path, trusted: &[PublicKey]) -> Result<Whole, GovernError> {
    if to.metadata().is_ok_and(|file| file.len() > 0) && !Record::open_read_only(to)?.is_empty()? {
        return Err(GovernError::Input(format!(
            "`{}` holds a record already; import into a new file with --db FILE",
            to.display()
        )));
    }
    let source = if from.is_dir() {
        In::Dir(from.into())
    } else {
        let bytes = std::fs::read(from).map_err(|e| io("read", from, e))?;
        In::Zip(zip::read(&bytes).map_err(|e| io("read", from, e))?.into_iter().collect())
    };
    let listing: Json = serde_json::from_reader(source.open("export.json")?)
        .map_err(|e| GovernError::Input(format!("export.json: {e}")))?;
    let number = |key: &str| listing.get(key).and_then(Json::as_i64).unwrap_or_default();
    if number("v") != i64::from(EXPORT_VERSION) || !(1..=plumb_record::FORMAT).contains(&number("format")) {
        return Err(GovernError::Input(format!(
            "export.json says version {} of record format {}; this program reads {EXPORT_VERSION} of 1 to {}",
            number("v"),
            number("format"),
            plumb_record::FORMAT
        )));
    }
    let files: BTreeMap<String, String> = serde_json::from_value(listing.get("files").cloned().unwrap_or_default())?;
    for (name, digest) in &files {
        let sound = name.split('/').all(|part| !part.is_empty() && part != ".." && part != ".");
        if !sound || source.digest(name)? != *digest {
            return Err(GovernError::Input(format!("export file `{name}` is not what export.json lists")));
        }
    }
    let beside = to.with_extension("importing");
    clear(&beside);
    let made = fill(&source, &files, &beside, trusted);
    let (rows, log_entries) = match made {
        Ok(made) => made,
        Err(error) => {
            clear(&beside);
            return Err(error);
        }
    };
    clear(to);
    std::fs::rename(&beside, to).map_err(|e| io("make", to, e))?;
    clear(&beside);
    Ok(Whole { rows, log_entries, digest: hex(&sha256(serde_json::to_string(&files)?.as_bytes())) })
}

/// Removes a record's file and what SQLite keeps beside it.
fn clear(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        // What is not there need not be removed.
        let _ = std::fs::remove_file(name);
    }
}

/// Tables that exports of earlier builds do not have.
const LATER: [&str; 3] = ["principal", "finding_lane", "scan_wrote"];

fn fill(
    source: &In,
    files: &BTreeMap<String, String>,
    path: &Path,
    trusted: &[PublicKey],
) -> Result<(BTreeMap<String, usize>, usize), GovernError> {
    let mut record = Record::open(path)?;
    let damaged = |name: &str, what: String| RecordError::Damaged { what: format!("export file {name}: {what}") };
    let mut rows = BTreeMap::new();
    let mut log_entries = 0;
    record.atomically(|db| {
        for table in TABLES {
            let name = format!("tables/{}.jsonl", table.replace('_', "-"));
            if LATER.contains(&table) && !files.contains_key(&name) {
                continue;
            }
            let lines = source.open(&name).map_err(|e| damaged(&name, e.to_string()))?;
            let parsed = lines.lines().map(|line| {
                let line = line.map_err(|e| damaged(&name, e.to_string()))?;
                serde_json::from_str::<Json>(&line).map_err(|e| damaged(&name, e.to_string()))
            });
            rows.insert(table.replace('_', "-"), restore(db, table, parsed)?);
        }
        let name = "log/activity.jsonl";
        let lines = source.open(name).map_err(|e| damaged(name, e.to_string()))?;
        for line in lines.lines() {
            let line = line.map_err(|e| damaged(name, e.to_string()))?;
            let parsed: Json = serde_json::from_str(&line).map_err(|e| damaged(name, e.to_string()))?;
            let seq = parsed.pointer("/entry/seq").and_then(Json::as_i64);
            let seq = seq.ok_or_else(|| damaged(name, "an entry has no number".into()))?;
            append_activity(db, &[(seq, line)])?;
            log_entries += 1;
        }
        Ok(())
    })?;
    if let Err(broken) = verify_log(&record, trusted)? {
        return Err(GovernError::Diverged(format!("the restored log does not verify: {broken}")));
    }
    if let Some(what) = astray(&record)? {
        return Err(GovernError::Diverged(format!("the restored record does not verify: {what}")));
    }
    Ok((rows, log_entries))
}
