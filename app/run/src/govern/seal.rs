//! The sealed log on the record, and the key outside it.

use super::{Change, GovernError, Session, inventory::allowed, work::sealed_by};
use plumb_govern::{
    log::{self, Broken, Checkpoint, Head, Keys, PublicKey, Report, SealKey, Sealed},
    people::Act,
};
use plumb_record::Record;
use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// The collection and id under which the log's head is kept.
pub(super) const HEAD: (&str, &str) = ("log", "head");
/// The collection of checkpoints that stay.
pub(super) const CHECKPOINTS: &str = "checkpoint";
const PAGE: usize = 4096;

/// The signing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The file.
    #[error("cannot {doing} the signing key `{path}`")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// Not a key.
    #[error("`{0}` is not a signing key: 64 hexadecimal digits on one line")]
    Content(String),
}

/// The key that seals the log. It lives outside the record, so that who can write the record cannot sign for it.
#[derive(Debug, Clone)]
pub struct Seal {
    /// The key.
    pub key: SealKey,
    /// Whether it was made just now.
    pub made: bool,
}

impl Seal {
    /// A key from its seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SealKey::from_seed(seed), made: false }
    }

    /// Reads the key's file.
    ///
    /// # Errors
    /// The file cannot be read, or is no key.
    pub fn read(path: &Path) -> Result<Self, SealError> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| SealError::File {
            doing: "read",
            path: shown.clone(),
            source,
        })?;
        let seed = log::text::unhex::<32>(text.trim()).ok_or(SealError::Content(shown))?;
        Ok(Self::from_seed(&seed))
    }

    /// Reads the key's file, or makes it, readable by its owner only, from the operating system's randomness.
    ///
    /// # Errors
    /// The file can be neither read nor made, or is no key.
    pub fn read_or_make(path: &Path) -> Result<Self, SealError> {
        if path.exists() {
            return Self::read(path);
        }
        let shown = path.display().to_string();
        let failed = |doing: &'static str| {
            let path = shown.clone();
            move |source| SealError::File { doing, path, source }
        };
        let seed: [u8; 32] = random().map_err(failed("make"))?;
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed("make the folder of"))?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(path) {
            Ok(mut file) => {
                file.write_all(format!("{}\n", log::text::hex(&seed)).as_bytes()).map_err(failed("write"))?;
                file.sync_all().map_err(failed("write"))?;
                Ok(Self { made: true, ..Self::from_seed(&seed) })
            }
            // Another process was first.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Self::read(path),
            Err(e) => Err(failed("make")(e)),
        }
    }

    /// Where the key lives unless told otherwise: beside the user's configuration.
    pub fn default_path() -> Option<PathBuf> {
        let config = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|p| p.is_absolute());
        let home = || std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config"));
        Some(config.or_else(home)?.join("plumbline/seal.key"))
    }
}

/// Bytes from the operating system.
pub(super) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Hands the log over to another key: the head is signed by both, so that who trusts one of them trusts the other, for what
/// came before and for what comes.
///
/// # Errors
/// The person may not, the session has no key, both are the same, the log is not signed by the session's, or the record
/// fails.
pub fn rotate_key(record: &mut Record, session: &Session, new: &SealKey) -> Result<(), GovernError> {
    let wrong = |what: &str| GovernError::Input(what.to_owned());
    let old = session.key.clone().ok_or_else(|| wrong("the key that signed until now is not at hand"))?;
    let (from, to) = (old.public().fingerprint(), new.public().fingerprint());
    allowed(record, session, Act::Grant, "hand the log over to another key", ("key", &to))?;
    if from == to {
        return Err(wrong("the new key is the one that signs now"));
    }
    let signed = |c: &Checkpoint| c.signatures.iter().any(|s| s.key == from);
    if log_state(record)?.1.checkpoint.is_none_or(|c| !signed(&c)) {
        return Err(wrong(
            "the log's head is not signed by the key at hand; name the one that signed it with --key FILE",
        ));
    }
    let what = serde_json::json!({ "from": from, "to": to });
    let event = log::Event::done(&session.actor, "key.rotate", ("key", &to), what, session.now);
    let change = Change { events: vec![session.mark(event)], ..Change::default() };
    sealed_by(record, &[&old, new], session.now, |_, sealing| sealing.keep(&change))
}

/// Where the log stands, with its newest checkpoint.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LogState {
    /// The head.
    pub head: Head,
    /// Which log this is: named once, when it begins.
    pub origin: String,
    /// The newest checkpoint; none when no key was at hand yet.
    #[serde(default)]
    pub checkpoint: Option<Checkpoint>,
    /// Public keys that have signed, for the reader; trust comes from elsewhere.
    #[serde(default)]
    pub keys: Vec<PublicKey>,
}

/// The log's state and its document's version; 0 and an empty one before the first entry.
///
/// # Errors
/// The record fails, or the head is damaged.
pub fn log_state(record: &Record) -> Result<(i64, LogState), GovernError> {
    match record.document(HEAD.0, HEAD.1)? {
        Some((version, doc)) => Ok((version, serde_json::from_value(doc)?)),
        None => {
            let name = random::<8>()
                .map(|b| b.iter().map(|x| format!("{x:02x}")).collect())
                .unwrap_or_else(|_| "local".to_owned());
            let origin = format!("plumbline/{name}");
            Ok((0, LogState { head: Head::empty(), origin, checkpoint: None, keys: Vec::new() }))
        }
    }
}

/// Every checkpoint on record, the newest last.
///
/// # Errors
/// The record fails, or one is damaged.
pub fn checkpoints(record: &Record) -> Result<Vec<Checkpoint>, GovernError> {
    let mut points = record
        .documents(CHECKPOINTS)?
        .into_iter()
        .map(|(_, doc)| serde_json::from_value(doc))
        .collect::<Result<Vec<Checkpoint>, _>>()?;
    if let Some(last) = log_state(record)?.1.checkpoint
        && !points.contains(&last)
    {
        points.push(last);
    }
    points.sort_by_key(|c| c.size);
    Ok(points)
}

/// The log's entries from `from` on, in order, a page at a time; a page that cannot be read ends them.
pub fn entries(record: &Record, from: u64) -> impl Iterator<Item = Result<Sealed, plumb_record::RecordError>> {
    let mut next = i64::try_from(from).unwrap_or(i64::MAX);
    let mut page = Vec::new().into_iter();
    let mut place = from;
    let mut over = false;
    std::iter::from_fn(move || {
        loop {
            if let Some((_, line)) = page.next() {
                let line: String = line;
                let sealed = Sealed::from_line(place, line.as_bytes());
                place += 1;
                return Some(Ok(sealed));
            }
            if over {
                return None;
            }
            match record.activity(next, PAGE) {
                Ok(rows) => {
                    over = rows.len() < PAGE;
                    next = rows.last().map_or(next, |(seq, _)| seq + 1);
                    page = rows.into_iter();
                }
                Err(e) => {
                    over = true;
                    return Some(Err(e));
                }
            }
        }
    })
}

/// What verifying the log came to.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verified {
    /// What was checked.
    pub report: Report,
    /// Whether the key is one the verifier brought; without one, the keys on record were believed.
    pub key_vouched: bool,
}

/// Verifies the whole log against the keys one trusts; with none, against those on record.
///
/// # Errors
/// The record fails. That the log is broken is the inner error, naming the first broken entry.
pub fn verify_log(record: &Record, trusted: &[PublicKey]) -> Result<Result<Verified, Broken>, GovernError> {
    let (_, state) = log_state(record)?;
    let points = checkpoints(record)?;
    let keys = if trusted.is_empty() {
        Keys::trusted(state.keys.iter().copied())
    } else {
        Keys::trusted(trusted.iter().copied()).offering(state.keys.iter().copied()).vouching_back(&points)
    };
    let mut failure = None;
    let read = entries(record, 0).map_while(|e| e.map_err(|e| failure = Some(e)).ok());
    let result = log::verify(&Head::empty(), read, &points, keys, Some(&state.head));
    if let Some(e) = failure {
        return Err(e.into());
    }
    Ok(result.map(|report| Verified { key_vouched: !trusted.is_empty() && report.checkpoints > 0, report }))
}
