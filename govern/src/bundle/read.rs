//! Verification of a bundle: everything in it, and nothing but what is in it.

use super::{BUNDLE_VERSION, Manifest, zip};
use crate::finding::{Finding, Transition, check_fold};
use crate::log::{self, Broken, Checkpoint, Head, Keys, PublicKey, Sealed, merkle, text};
use std::collections::BTreeMap;

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

struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    fn get(&self, path: &str) -> Result<&[u8], Fault> {
        self.0.get(path).map(Vec::as_slice).ok_or_else(|| fault(FaultKind::Incomplete, path, "is missing"))
    }

    fn json<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        serde_json::from_slice(self.get(path)?)
            .map_err(|e| fault(FaultKind::Content, path, format!("cannot be read: {e}")))
    }

    fn lines<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Fault> {
        let read = |(i, line): (usize, &[u8])| {
            serde_json::from_slice(line)
                .map_err(|e| fault(FaultKind::Content, path, format!("line {} cannot be read: {e}", i + 1)))
        };
        split(self.get(path)?).enumerate().map(read).collect()
    }
}

fn split(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty())
}

/// Verifies a bundle against fingerprints that came by another way. With none given, everything is checked with the key
/// inside, and the report says that nobody vouched for it.
///
/// # Errors
/// The first [`Fault`]; its kind is the exit code.
pub fn verify(archive: &[u8], expected: &[&str]) -> Result<BundleReport, Fault> {
    let files = zip::read(archive).map_err(|e| fault(FaultKind::Content, "archive", e.to_string()))?;
    let count = files.len();
    let files = Files(files.into_iter().collect());
    if files.0.len() != count {
        return Err(fault(FaultKind::Content, "archive", "holds two files of one name"));
    }
    let manifest_bytes = files.get("manifest.json")?;
    let key_text = std::str::from_utf8(files.get("keys/signing.pub")?).unwrap_or_default();
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
    let sig = std::str::from_utf8(files.get("manifest.sig")?).ok().and_then(|s| text::unbase64(s.trim()));
    if !sig.is_some_and(|s| key.verifies(manifest_bytes, &s)) {
        return Err(fault(FaultKind::Signature, "manifest.sig", "is not a signature of manifest.json"));
    }
    let manifest: Manifest = files.json("manifest.json")?;
    if manifest.v != BUNDLE_VERSION || manifest.key != fingerprint {
        return Err(fault(FaultKind::Content, "manifest.json", "is of another version, or names another key"));
    }
    for listed in &manifest.files {
        let bytes = files.get(&listed.path)?;
        if bytes.len() != listed.size || text::hex(&merkle::sha256(bytes)) != listed.sha256 {
            return Err(fault(FaultKind::Content, &listed.path, "is not what the manifest lists"));
        }
        if let Some(n) = listed.records.filter(|n| listed.path.ends_with(".jsonl") && *n != split(bytes).count()) {
            return Err(fault(FaultKind::Incomplete, &listed.path, format!("should have {n} rows")));
        }
    }
    let known =
        |path: &str| path == "manifest.json" || path == "manifest.sig" || manifest.files.iter().any(|l| l.path == path);
    if let Some(extra) = files.0.keys().find(|p| !known(p)) {
        return Err(fault(FaultKind::Content, extra, "is not in the manifest"));
    }
    let log = check_log(&files, key, &manifest)?;
    let folded = check_findings(&files)?;
    Ok(BundleReport { files: manifest.files.len(), manifest, log, folded, key_expected })
}

fn check_log(files: &Files, key: PublicKey, manifest: &Manifest) -> Result<log::Report, Fault> {
    #[derive(serde::Deserialize)]
    struct Known {
        key: PublicKey,
    }
    let start: Head = files.json("log/start.json")?;
    let points: Vec<Checkpoint> = files.lines("log/checkpoints.jsonl")?;
    // The manifest's signature vouches for the keys in here.
    let keys = files.json::<Vec<Known>>("keys/log.json")?.into_iter().map(|k| k.key).chain([key]);
    let path = "log/activity.jsonl";
    let first = start.size;
    let entries = split(files.get(path)?).zip(first..).map(|(line, seq)| Sealed::from_line(seq, line));
    log::verify(&start, entries, &points, Keys::trusted(keys), Some(&manifest.log_end)).map_err(|broken| {
        let kind = match broken.why {
            log::Why::Unsigned => FaultKind::Signature,
            log::Why::Truncated { .. } => FaultKind::Incomplete,
            _ => FaultKind::Content,
        };
        Fault { kind, file: path.into(), problem: format!("does not hold: {broken}"), broken: Some(broken) }
    })
}

/// Recomputes every finding's state from its steps.
fn check_findings(files: &Files) -> Result<usize, Fault> {
    let findings: Vec<Finding> = files.lines("findings/findings.jsonl")?;
    let mut steps: BTreeMap<_, Vec<Transition>> = BTreeMap::new();
    for step in files.lines::<Transition>("findings/transitions.jsonl")? {
        steps.entry(step.finding.clone()).or_default().push(step);
    }
    for f in &findings {
        let mine = steps.get_mut(&f.id).map(std::mem::take).unwrap_or_default();
        let mut mine = mine;
        mine.sort_by_key(|s| s.seq);
        check_fold(f, &mine).map_err(|e| fault(FaultKind::Content, "findings/transitions.jsonl", e.to_string()))?;
    }
    Ok(findings.len())
}
