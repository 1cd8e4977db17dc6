//! Verification of a bundle: everything in it, and nothing but what is in it.

use super::{
    BUNDLE_VERSION, Listed, Manifest,
    zip::{Archive, Entry, ReadAt},
};
use crate::finding::{Finding, Transition, check_fold};
use crate::ids::FindingId;
use crate::log::{self, Broken, Checkpoint, Head, Keys, PublicKey, Sealed, text};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read},
    iter::Peekable,
};

/// What kind of thing is wrong; its number is the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Content is not what was signed, or contradicts itself.
    Content = 1,
    /// A signature does not verify, or is by another key than expected.
    Signature = 2,
    /// Something that should be there is not.
    Incomplete = 3,
}

/// The first thing that is wrong with a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("`{file}` {problem}")]
pub struct Fault {
    /// What kind.
    pub kind: FaultKind,
    /// The file, or the archive itself.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
    /// For the log: the first broken entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BundleReport {
    /// What the bundle says it is.
    pub manifest: Manifest,
    /// Files checked.
    pub files: usize,
    /// The log.
    pub log: log::Report,
    /// Findings whose state was recomputed from their steps.
    pub folded: usize,
    /// Whether the signing key was among the expected ones. False when none were given: then somebody still has to
    /// compare the fingerprint.
    pub key_expected: bool,
}

fn fault(kind: FaultKind, file: &str, problem: impl Into<String>) -> Fault {
    Fault { kind, file: file.into(), problem: problem.into(), broken: None }
}

/// The files of a bundle, read where they lie.
struct Files<'a, A: ReadAt + ?Sized> {
    archive: Archive<'a, A>,
    places: BTreeMap<String, usize>,
}

/// The log's file.
const LOG: &str = "log/activity.jsonl";

/// The most that is taken into memory of one file, or of one line of a list.
const MOST: u64 = 1 << 28;

impl<'a, A: ReadAt + ?Sized> Files<'a, A> {
    fn open(from: &'a A) -> Result<Self, Fault> {
        let wrong = |what: String| fault(FaultKind::Content, "archive", what);
        let archive = Archive::open(from).map_err(|e| wrong(e.to_string()))?;
        let mut places = BTreeMap::new();
        for (i, entry) in archive.entries.iter().enumerate() {
            if places.insert(entry.name.clone(), i).is_some() {
                return Err(fault(FaultKind::Content, &entry.name, "is there twice"));
            }
        }
        Ok(Self { archive, places })
    }

    fn entry(&self, path: &str) -> Result<&Entry, Fault> {
        let found = self.places.get(path).and_then(|at| self.archive.entries.get(*at));
        found.ok_or_else(|| fault(FaultKind::Incomplete, path, "is missing"))
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, Fault> {
        let entry = self.entry(path)?;
        if entry.size() > MOST {
            return Err(fault(FaultKind::Content, path, "is larger than it can be"));
        }
        let mut out = Vec::new();
        self.archive.read(entry).read_to_end(&mut out).map_err(|e| fault(FaultKind::Content, path, e.to_string()))?;
        Ok(out)
    }

    fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.get(path)?)
            .map_err(|e| fault(FaultKind::Content, path, format!("cannot be read: {e}")))
    }

    /// The lines of a list that are not empty, one at a time.
    fn split(&self, path: &'static str) -> Result<impl Iterator<Item = Result<Vec<u8>, Fault>>, Fault> {
        let mut reader = BufReader::new(self.archive.read(self.entry(path)?));
        let mut over = false;
        Ok(std::iter::from_fn(move || {
            while !over {
                let mut line = Vec::new();
                match (&mut reader).take(MOST).read_until(b'\n', &mut line) {
                    Err(e) => {
                        over = true;
                        return Some(Err(fault(FaultKind::Content, path, e.to_string())));
                    }
                    Ok(0) => over = true,
                    Ok(_) => {
                        if line.last() == Some(&b'\n') {
                            line.pop();
                        } else if line.len() as u64 == MOST {
                            over = true;
                            return Some(Err(fault(FaultKind::Content, path, "has a line larger than it can be")));
                        }
                        if !line.is_empty() {
                            return Some(Ok(line));
                        }
                    }
                }
            }
            None
        }))
    }

    fn lines<T: serde::de::DeserializeOwned>(
        &self,
        path: &'static str,
    ) -> Result<impl Iterator<Item = Result<T, Fault>>, Fault> {
        Ok(self.split(path)?.enumerate().map(move |(i, line)| {
            serde_json::from_slice(&line?)
                .map_err(|e| fault(FaultKind::Content, path, format!("line {} cannot be read: {e}", i + 1)))
        }))
    }

    /// Holds a file against what the manifest lists.
    fn check(&self, listed: &Listed) -> Result<(), Fault> {
        let path = listed.path.as_str();
        let mut from = self.archive.read(self.entry(path)?);
        let (mut hash, mut size, mut rows, mut within) = (Sha256::new(), 0u64, 0usize, false);
        let mut room = vec![0; 1 << 16];
        loop {
            let n = from.read(&mut room).map_err(|e| fault(FaultKind::Content, path, e.to_string()))?;
            let bytes = room.get(..n).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            hash.update(bytes);
            size += bytes.len() as u64;
            for byte in bytes {
                rows += usize::from(*byte == b'\n' && within);
                within = *byte != b'\n';
            }
        }
        if size != listed.size || text::hex(&hash.finalize()) != listed.sha256 {
            return Err(fault(FaultKind::Content, path, "is not what the manifest lists"));
        }
        match listed.records.filter(|n| path.ends_with(".jsonl") && *n != rows + usize::from(within)) {
            Some(n) => Err(fault(FaultKind::Incomplete, path, format!("should have {n} rows"))),
            None => Ok(()),
        }
    }
}

/// Verifies a bundle where it lies, against fingerprints that came by another way. With none given, everything is checked
/// with the key inside, and the report says that nobody vouched for it. Memory follows the longest row, not the bundle.
///
/// # Errors
/// The first [`Fault`]; its kind is the exit code.
pub fn verify<A: ReadAt + ?Sized>(archive: &A, expected: &[&str]) -> Result<BundleReport, Fault> {
    let files = Files::open(archive)?;
    let manifest_bytes = files.get("manifest.json")?;
    let key_text = String::from_utf8(files.get("keys/signing.pub")?).unwrap_or_default();
    let bad_key = |_| fault(FaultKind::Signature, "keys/signing.pub", "is not an Ed25519 public key");
    let key: PublicKey = key_text.parse().map_err(bad_key)?;
    let fingerprint = key.fingerprint();
    let key_expected = expected.iter().any(|e| e.eq_ignore_ascii_case(&fingerprint));
    if !expected.is_empty() && !key_expected {
        return Err(fault(
            FaultKind::Signature,
            "manifest.sig",
            format!("is by the key {fingerprint}, not by an expected one"),
        ));
    }
    let sig = String::from_utf8(files.get("manifest.sig")?).ok().and_then(|s| text::unbase64(s.trim()));
    if !sig.is_some_and(|s| key.verifies(&manifest_bytes, &s)) {
        return Err(fault(FaultKind::Signature, "manifest.sig", "is not a signature of manifest.json"));
    }
    let manifest: Manifest = files.json("manifest.json")?;
    if manifest.v != BUNDLE_VERSION || manifest.key != fingerprint {
        return Err(fault(FaultKind::Content, "manifest.json", "is of another version, or names another key"));
    }
    for listed in &manifest.files {
        files.check(listed).map_err(|fault| match listed.path.as_str() {
            // Whoever finds the log changed wants to know from which entry on.
            LOG => check_log(&files, key, &manifest).err().filter(|f| f.broken.is_some()).unwrap_or(fault),
            _ => fault,
        })?;
    }
    let known: BTreeSet<&str> = manifest.files.iter().map(|l| l.path.as_str()).collect();
    let own = |path: &str| path == "manifest.json" || path == "manifest.sig" || known.contains(path);
    if let Some(extra) = files.places.keys().find(|p| !own(p)) {
        return Err(fault(FaultKind::Content, extra, "is not in the manifest"));
    }
    let log = check_log(&files, key, &manifest)?;
    let folded = check_findings(&files)?;
    Ok(BundleReport { files: manifest.files.len(), manifest, log, folded, key_expected })
}

fn check_log<A: ReadAt + ?Sized>(
    files: &Files<'_, A>,
    key: PublicKey,
    manifest: &Manifest,
) -> Result<log::Report, Fault> {
    #[derive(serde::Deserialize)]
    struct Known {
        key: PublicKey,
    }
    let start: Head = files.json("log/start.json")?;
    let points: Vec<Checkpoint> = files.lines("log/checkpoints.jsonl")?.collect::<Result<_, _>>()?;
    // The manifest's signature vouches for the keys in here.
    let keys = files.json::<Vec<Known>>("keys/log.json")?.into_iter().map(|k| k.key).chain([key]);
    let path = LOG;
    let mut failed = None;
    let lines = files.split(path)?.map_while(|line| line.map_err(|fault| failed = Some(fault)).ok());
    let entries = lines.zip(start.size..).map(|(line, seq)| Sealed::from_line(seq, &line));
    let said = log::verify(&start, entries, &points, Keys::trusted(keys), Some(&manifest.log_end));
    if let Some(fault) = failed {
        return Err(fault);
    }
    said.map_err(|broken| {
        let kind = match broken.why {
            log::Why::Unsigned => FaultKind::Signature,
            log::Why::Truncated { .. } => FaultKind::Incomplete,
            _ => FaultKind::Content,
        };
        Fault { kind, file: path.into(), problem: format!("does not hold: {broken}"), broken: Some(broken) }
    })
}

/// A row of what findings rest on, as far as it is checked.
#[derive(serde::Deserialize)]
struct Rests {
    because: serde_json::Value,
    finding: FindingId,
}

/// An OCSF event, as far as it is checked.
#[derive(serde::Deserialize)]
struct Event {
    finding_info: Info,
}

#[derive(serde::Deserialize)]
struct Info {
    uid: String,
}

/// Rows of a list that goes along with the findings; none in a bundle of a version that had no such list.
type Along<'f, T> = Option<Peekable<Box<dyn Iterator<Item = Result<T, Fault>> + 'f>>>;

fn along<'f, A: ReadAt + ?Sized, T: serde::de::DeserializeOwned + 'f>(
    files: &'f Files<'_, A>,
    path: &'static str,
) -> Result<Along<'f, T>, Fault> {
    if !files.places.contains_key(path) {
        return Ok(None);
    }
    let lines: Box<dyn Iterator<Item = Result<T, Fault>> + 'f> = Box::new(files.lines(path)?);
    Ok(Some(lines.peekable()))
}

/// The next event when it is this finding's.
fn next_of(events: &mut Along<'_, Event>, id: &FindingId) -> Result<bool, Fault> {
    let Some(events) = events else { return Ok(false) };
    let mine = |e: &Result<Event, Fault>| e.as_ref().map_or(true, |e| e.finding_info.uid == id.as_str());
    events.next_if(mine).transpose().map(|e| e.is_some())
}

/// Recomputes every finding's state from its steps, which come in the order of the findings, and holds what it rests on
/// against its digest. Each has one row of evidence and one event.
fn check_findings<A: ReadAt + ?Sized>(files: &Files<'_, A>) -> Result<usize, Fault> {
    const EVIDENCE: &str = "evidence/captured.jsonl";
    const COMPLIANCE: &str = "ocsf/compliance-findings.jsonl";
    const PATHS: &str = "ocsf/attack-paths.jsonl";
    let path = "findings/transitions.jsonl";
    let wrong = |file: &str, what: String| Err(fault(FaultKind::Content, file, what));
    let mut steps = files.lines::<Transition>(path)?.peekable();
    let mut evidence: Along<'_, Rests> = along(files, EVIDENCE)?;
    let (mut events, mut paths): (Along<'_, Event>, _) = (along(files, COMPLIANCE)?, along(files, PATHS)?);
    let mut count = 0;
    for finding in files.lines::<Finding>("findings/findings.jsonl")? {
        let finding = finding?;
        let mut mine = Vec::new();
        while let Some(step) = steps.next_if(|s| s.as_ref().map_or(true, |s| s.finding == finding.id)) {
            mine.push(step?);
        }
        mine.sort_by_key(|s| s.seq);
        check_fold(&finding, &mine).map_err(|e| fault(FaultKind::Content, path, e.to_string()))?;
        if let Some(evidence) = &mut evidence {
            let rests = evidence.next().transpose()?.filter(|r| r.finding == finding.id);
            if rests.is_none_or(|r| log::digest(&r.because) != finding.facts.value_digest) {
                return wrong(EVIDENCE, format!("does not say what finding {} rests on", finding.id));
            }
        }
        if events.is_some() && !next_of(&mut events, &finding.id)? && !next_of(&mut paths, &finding.id)? {
            return wrong(COMPLIANCE, format!("has no event of finding {} in its place", finding.id));
        }
        count += 1;
    }
    if let Some(step) = steps.next() {
        let of = step?.finding;
        return wrong(path, format!("has a step of {of}, which is not in the findings list there"));
    }
    if let Some(more) = evidence.as_mut().and_then(Iterator::next) {
        return wrong(EVIDENCE, format!("has a row of {}, which is not in the findings list there", more?.finding));
    }
    for (file, events) in [(COMPLIANCE, events), (PATHS, paths)] {
        if let Some(more) = events.and_then(|mut e| e.next()) {
            let of = more?.finding_info.uid;
            return wrong(file, format!("has an event of {of}, which is not in the findings list there"));
        }
    }
    Ok(count)
}
