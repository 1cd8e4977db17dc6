//! Exploitation and end-of-support data sets: what was imported, over what the program ships.

use crate::govern::GovernError;
use plumb_model::Time;
use plumb_record::Record;
use plumb_score::{FeedInfo, Feeds};
use serde_json::{Value as Json, json};

/// Where feeds are kept on the record.
const FEEDS: &str = "feed";

/// A publisher's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFile<'a> {
    /// CISA's catalogue of known exploited vulnerabilities.
    Kev,
    /// FIRST's scores.
    Epss,
    /// A vendor's advisory.
    Csaf,
    /// Ends of support; of this product, where the file names none.
    Eol(&'a str),
}

impl FeedFile<'_> {
    /// Which data set it becomes part of.
    fn data_set(self) -> &'static str {
        match self {
            Self::Kev => "kev",
            Self::Epss => "epss",
            Self::Csaf => "advisories",
            Self::Eol(_) => "eol",
        }
    }
}

/// The bundled feeds with what was imported.
///
/// # Errors
/// The record fails, or a feed on it is damaged.
pub fn feeds(record: &Record) -> Result<Feeds, GovernError> {
    let mut feeds = Feeds::bundled();
    for (id, doc) in record.documents(FEEDS)? {
        take(&mut feeds, &id, &doc)?;
    }
    Ok(feeds)
}

/// The ends of support in use, where others than the bundled ones were imported.
///
/// # Errors
/// The record fails, or a feed on it is damaged.
pub(crate) fn own_support(record: &Record) -> Result<Option<Feeds>, GovernError> {
    let mut own = None;
    // Asked for before every account is judged; the other feeds are large.
    let ids = record
        .query("SELECT id FROM document WHERE collection = 'feed' AND (id = 'eol' OR id LIKE 'eol:%') ORDER BY id")?;
    for row in ids.rows {
        let Some(id) = row.first().and_then(Json::as_str) else { continue };
        if let Some((_, doc)) = record.document(FEEDS, id)? {
            take(own.get_or_insert_with(Feeds::bundled), id, &doc)?;
        }
    }
    Ok(own)
}

fn take(feeds: &mut Feeds, id: &str, doc: &Json) -> Result<(), GovernError> {
    let Some(bytes) = kept_bytes(doc) else { return Ok(()) };
    let file = match id.split(':').collect::<Vec<_>>().as_slice() {
        ["kev"] => FeedFile::Kev,
        ["epss"] => FeedFile::Epss,
        ["eol"] => FeedFile::Eol(""),
        ["eol", product] => FeedFile::Eol(product),
        _ => FeedFile::Csaf,
    };
    let at = doc.get("imported_at").and_then(Json::as_str).and_then(|t| t.parse().ok());
    load(feeds, file, &bytes, at.unwrap_or(Time::from_seconds(0)))
}

fn load(feeds: &mut Feeds, file: FeedFile<'_>, bytes: &[u8], at: Time) -> Result<(), GovernError> {
    let done = match file {
        FeedFile::Kev => feeds.import_kev(bytes),
        FeedFile::Epss => feeds.import_epss(bytes),
        FeedFile::Csaf => feeds.import_csaf(bytes).map(drop),
        FeedFile::Eol(product) => feeds.import_eol(bytes, product, at).map(drop),
    };
    done.map_err(|e| GovernError::Input(e.to_string()))
}

/// Puts a publisher's file on the record, in place of the one before. Returns what it is; none where it says nothing
/// that counts.
///
/// # Errors
/// It is not what it should be, or older than what is in use; or the record fails.
pub fn import_feed(
    record: &mut Record,
    file: FeedFile<'_>,
    path: &str,
    bytes: Vec<u8>,
    now: Time,
) -> Result<Option<FeedInfo>, GovernError> {
    // Over what is in use, so that an older edition is refused.
    let mut feeds = feeds(record)?;
    if file == FeedFile::Csaf {
        feeds = Feeds::none();
    }
    load(&mut feeds, file, &bytes, now)?;
    let Some(info) = feeds.info().find(|i| i.name == file.data_set()).cloned() else { return Ok(None) };
    let id = match file {
        FeedFile::Csaf => advisory_place(record, &bytes, &info)?,
        FeedFile::Eol(product) if bytes.trim_ascii_start().starts_with(b"[") => format!("eol:{product}"),
        FeedFile::Kev => "kev".into(),
        FeedFile::Epss => "epss".into(),
        FeedFile::Eol(_) => "eol".into(),
    };
    let mut doc = json!({ "info": info, "file": path, "imported_at": now });
    if let Some(object) = doc.as_object_mut() {
        match String::from_utf8(bytes) {
            Ok(text) => object.insert("text".into(), json!(text)),
            Err(e) => object.insert("hex".into(), json!(to_hex(e.as_bytes()))),
        };
    }
    let version = record.document(FEEDS, &id)?.map_or(0, |(version, _)| version);
    record.put_document(FEEDS, &id, version, &doc)?;
    Ok(Some(info))
}

/// Where an advisory is kept: in the place of the revision of it that is there, unless that one is newer.
fn advisory_place(record: &Record, bytes: &[u8], info: &FeedInfo) -> Result<String, GovernError> {
    let fresh = format!("csaf:{}", info.sha256);
    let Some((name, date)) = Feeds::advisory(bytes) else { return Ok(fresh) };
    for (id, doc) in record.documents(FEEDS)?.into_iter().filter(|(id, _)| id.starts_with("csaf:")) {
        let kept = kept_bytes(&doc).and_then(|bytes| Feeds::advisory(&bytes));
        match kept.filter(|(other, _)| *other == name) {
            Some((_, kept)) if date < kept => {
                let (given, present) = (date.date(), kept.date());
                let what = format!("advisory {name} of {given} is older than its revision in use, of {present}");
                return Err(GovernError::Input(what));
            }
            Some(_) => return Ok(id),
            None => {}
        }
    }
    Ok(fresh)
}

/// The publisher's file as it was imported.
fn kept_bytes(doc: &Json) -> Option<Vec<u8>> {
    let text = |name: &str| doc.get(name).and_then(Json::as_str);
    text("text").map(|t| t.as_bytes().to_vec()).or_else(|| text("hex").map(from_hex))
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok()).unwrap_or_default();
    text.as_bytes().chunks(2).map(|pair| pair.iter().fold(0, |n, c| (n << 4) | digit(*c))).collect()
}
