//! Evidence bundles: what the auditor gets, checked offline with one function or with the small Python program inside.
//!
//! A bundle is a ZIP of readable lists, captured evidence, the activity log of the period and OSCAL documents.
//! `manifest.json` names every file with its hash; `manifest.sig` signs the manifest. Nothing in it depends on the
//! product being there.

mod index;
pub mod oscal;
mod read;
pub mod zip;

pub use read::{BundleReport, Fault, FaultKind, verify};

use crate::decision::Decision;
use crate::finding::{Finding, Transition};
use crate::framework::Alignment;
use crate::ids::HumanId;
use crate::log::{Checkpoint, Head, PublicKey, SealKey, Sealed, canonical, merkle, text};
use crate::table;
use oscal::Assessed;
use plumb_model::Time;
use serde_json::{Value as Json, json};
use std::io::Write;

/// The format version of a bundle's manifest.
pub const BUNDLE_VERSION: u16 = 1;

/// The program that verifies a bundle without the product.
pub const VERIFIER: &str = include_str!("verify.py");

/// A whole list, with what an auditor asks of it: how many there are, how many are here, and by which filter.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Population {
    /// Where it goes, without an ending: `exposure/ledger`.
    pub path: String,
    /// What it is, for the index.
    pub title: String,
    /// How many rows the record has.
    pub in_system: usize,
    /// Which of them are here, in words.
    pub filter: String,
    /// The rows, each a JSON object.
    pub rows: Vec<Json>,
}

impl Population {
    /// The list of these rows; all of them unless [`Population::of`] is told otherwise.
    ///
    /// # Errors
    /// A row cannot be written as JSON.
    pub fn all<T: serde::Serialize>(path: &str, title: &str, rows: &[T]) -> Result<Self, BundleError> {
        Self::of(path, title, rows, rows.len(), "all rows")
    }

    /// The list of those rows out of `in_system` that `filter` selects.
    ///
    /// # Errors
    /// A row cannot be written as JSON.
    pub fn of<T: serde::Serialize>(
        path: &str,
        title: &str,
        rows: &[T],
        in_system: usize,
        filter: &str,
    ) -> Result<Self, BundleError> {
        let rows = rows.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
        Ok(Self { path: path.into(), title: title.into(), in_system, filter: filter.into(), rows })
    }
}

/// A file as it is: captured configuration, a rendered report, an attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the bundle: `evidence/aws/1111…/s3/orders@2026-11-21.json`.
    pub path: String,
    /// Its media type.
    pub media: String,
    /// Its content, redacted.
    pub bytes: Vec<u8>,
}

/// Something the bundle does not know, said aloud.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limit {
    /// `refused-api`, `unscanned-account`, `unknown-results`, `stale-data-set`, …
    pub kind: String,
    /// Which.
    pub object: String,
    /// What it means for the reader.
    pub meaning: String,
}

/// The part of the activity log that goes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// Where the log stood before the first entry.
    pub start: Head,
    /// The entries, without gaps.
    pub entries: Vec<Sealed>,
    /// Checkpoints whose size is above `start.size` and up to the last entry.
    pub checkpoints: Vec<Checkpoint>,
    /// Public keys that signed checkpoints, the present one among them.
    pub keys: Vec<PublicKey>,
}

/// Everything a bundle is made of.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// What it is about: an organization, account or framework.
    pub scope: &'a str,
    /// The period.
    pub from: Time,
    /// Its end, exclusive.
    pub to: Time,
    /// When the bundle is made.
    pub made_at: Time,
    /// `plumb 0.1.0`.
    pub product: &'a str,
    /// The policy in force.
    pub policy: &'a str,
    /// Findings that are not closed, and those closed in the period.
    pub findings: &'a [Finding],
    /// How many findings the record has.
    pub findings_in_system: usize,
    /// Which of them are here, in words.
    pub findings_filter: &'a str,
    /// All steps of those findings.
    pub transitions: &'a [Transition],
    /// The register.
    pub decisions: &'a [Decision],
    /// The frameworks reported on.
    pub alignments: &'a [Alignment],
    /// Further lists: accounts, reconciliation, ledger, campaigns, baselines.
    pub populations: Vec<Population>,
    /// Further files.
    pub files: Vec<File>,
    /// What is not known.
    pub limits: Vec<Limit>,
    /// People who are admin and approver at once.
    pub admin_approvers: Vec<HumanId>,
    /// The seed from which a sample can be drawn and drawn again.
    pub seed: &'a str,
    /// The activity log.
    pub log: LogPart,
}

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A row is not JSON.
    #[error("cannot write a row as JSON")]
    Row(#[from] serde_json::Error),
    /// The archive.
    #[error(transparent)]
    Zip(#[from] zip::ZipError),
    /// Two files have one path, or a path leaves the bundle.
    #[error("`{0}` cannot be a file of the bundle; paths are relative, plain and unique")]
    Path(String),
    /// What goes in would not verify when it comes out.
    #[error("the record itself does not verify: {0}")]
    Unsound(String),
}

/// What a manifest says about one file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Listed {
    /// Its path.
    pub path: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Bytes.
    pub size: usize,
    /// Media type.
    pub media: String,
    /// For lists: rows here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<usize>,
    /// For lists: rows on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_system: Option<usize>,
    /// For lists: which rows these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// What is in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Manifest {
    /// Format version; [`BUNDLE_VERSION`].
    pub v: u16,
    /// What it is about.
    pub scope: String,
    /// The period.
    pub from: Time,
    /// Its end, exclusive.
    pub to: Time,
    /// When it was made.
    pub made_at: Time,
    /// The product and its version.
    pub product: String,
    /// The policy in force.
    pub policy: String,
    /// Fingerprint of the key that signs.
    pub key: String,
    /// Where the log stands after the last entry in here.
    pub log_end: Head,
    /// People who are admin and approver at once.
    pub admin_approvers: Vec<HumanId>,
    /// The seed of samples.
    pub seed: String,
    /// Every file but the manifest and its signature.
    pub files: Vec<Listed>,
}

struct Packing {
    files: Vec<(Listed, Vec<u8>)>,
}

impl Packing {
    fn add(&mut self, path: &str, media: &str, bytes: Vec<u8>) -> Result<&mut Listed, BundleError> {
        let plain = !path.is_empty()
            && !path.starts_with('/')
            && !path.contains(['\\', '\0', '\n', '\r', ':'])
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
            && !path.starts_with("manifest.");
        if !plain || self.files.iter().any(|(l, _)| l.path == path) {
            return Err(BundleError::Path(path.into()));
        }
        let listed = Listed {
            path: path.into(),
            sha256: text::hex(&merkle::sha256(&bytes)),
            size: bytes.len(),
            media: media.into(),
            records: None,
            in_system: None,
            filter: None,
        };
        self.files.push((listed, bytes));
        self.files.last_mut().map(|(l, _)| l).ok_or_else(|| BundleError::Path(path.into()))
    }

    fn json(&mut self, path: &str, value: &Json) -> Result<(), BundleError> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        self.add(path, "application/json", bytes).map(drop)
    }

    fn population(&mut self, p: &Population) -> Result<(), BundleError> {
        for (ending, media, bytes) in [
            ("csv", "text/csv", table::csv(&p.rows).into_bytes()),
            ("jsonl", "application/jsonl", table::jsonl(&p.rows)),
        ] {
            let listed = self.add(&format!("{}.{ending}", p.path), media, bytes)?;
            (listed.records, listed.in_system) = (Some(p.rows.len()), Some(p.in_system));
            listed.filter = Some(p.filter.clone());
        }
        Ok(())
    }
}

/// Writes a bundle. The same input gives the same bytes.
///
/// # Errors
/// The target fails, a path is wrong, the archive grows too large, or the findings' states do not follow from their
/// steps: a bundle that would not verify is not written.
pub fn write<W: Write>(input: &Input<'_>, to: W, key: &SealKey) -> Result<(W, Manifest), BundleError> {
    let mut packing = Packing { files: Vec::new() };
    let mut populations = vec![
        Population::of(
            "findings/findings",
            "Findings and their lifecycle",
            input.findings,
            input.findings_in_system,
            input.findings_filter,
        )?,
        Population::all("findings/transitions", "Every step of these findings", input.transitions)?,
        Population::all("decisions/register", "Exceptions, deferrals and other decisions", input.decisions)?,
    ];
    populations.push(sla(input)?);
    for a in input.alignments {
        let name = &a.framework;
        populations.push(Population::all(&format!("controls/{name}"), &format!("Controls of {name}"), &a.rows)?);
    }
    populations.extend(input.populations.iter().cloned());
    let mut sample: Vec<_> = populations
        .iter()
        .flat_map(|p| (0..p.rows.len()).map(|i| json!({ "list": p.path, "row": i + 1 })))
        .map(|r| (merkle::sha256(format!("{}/{r}", input.seed).as_bytes()), r))
        .collect();
    sample.sort_by_key(|a| a.0);
    let sample: Vec<_> = sample.into_iter().map(|(_, r)| r).collect();
    populations.push(Population::all(
        "sampling/order",
        "Every row of every list, in the order the seed draws them",
        &sample,
    )?);
    for p in &populations {
        packing.population(p)?;
    }
    packing.add("sampling/seed.txt", "text/plain", format!("{}\n", input.seed).into_bytes())?;
    for f in &input.files {
        packing.add(&f.path, &f.media, f.bytes.clone())?;
    }
    let assessed = Assessed {
        scope: input.scope,
        from: input.from,
        to: input.to,
        now: input.made_at,
        product: input.product,
        findings: input.findings,
        decisions: input.decisions,
        alignments: input.alignments,
    };
    packing.json("oscal/assessment-results.json", &oscal::assessment_results(&assessed))?;
    let mut limits = input.limits.clone();
    match oscal::poam(&assessed) {
        Some(plan) => packing.json("oscal/poam.json", &plan)?,
        None => limits.push(Limit {
            kind: "no-plan-of-action".into(),
            object: "oscal/poam.json".into(),
            meaning: "nothing is open in this scope, and the format has no empty plan".into(),
        }),
    }
    packing.json("limits.json", &serde_json::to_value(&limits)?)?;
    let log_end = log(&mut packing, &input.log, key)?;
    packing.add("keys/signing.pub", "text/plain", format!("{}\n", key.public()).into_bytes())?;
    packing.add("verify.py", "text/x-python", VERIFIER.as_bytes().to_vec())?;
    packing.add("README.txt", "text/plain", index::readme(input, key).into_bytes())?;
    packing.add("index.html", "text/html", index::html(input, &populations, &limits, key).into_bytes())?;
    packing.files.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    let manifest = Manifest {
        v: BUNDLE_VERSION,
        scope: input.scope.into(),
        from: input.from,
        to: input.to,
        made_at: input.made_at,
        product: input.product.into(),
        policy: input.policy.into(),
        key: key.public().fingerprint(),
        log_end,
        admin_approvers: input.admin_approvers.clone(),
        seed: input.seed.into(),
        files: packing.files.iter().map(|(l, _)| l.clone()).collect(),
    };
    let canonical = canonical::bytes(&serde_json::to_value(&manifest)?);
    let mut archive = zip::Writer::new(to);
    archive.add("manifest.json", &canonical)?;
    archive.add("manifest.sig", format!("{}\n", text::base64(&key.sign(&canonical))).as_bytes())?;
    for (listed, bytes) in &packing.files {
        archive.add(&listed.path, bytes)?;
    }
    Ok((archive.finish()?, manifest))
}

/// The log's files; checks the part on the way, so that an unsound record is noticed here and not by the auditor.
fn log(packing: &mut Packing, part: &LogPart, key: &SealKey) -> Result<Head, BundleError> {
    let keys = crate::log::Keys::trusted(part.keys.iter().copied().chain([key.public()]));
    let report = crate::log::verify(&part.start, part.entries.iter().cloned(), &part.checkpoints, keys, None);
    let report = report.map_err(|b| BundleError::Unsound(b.to_string()))?;
    let mut lines = Vec::new();
    for e in &part.entries {
        lines.extend_from_slice(&e.line());
        lines.push(b'\n');
    }
    let listed = packing.add("log/activity.jsonl", "application/jsonl", lines)?;
    listed.records = Some(part.entries.len());
    listed.in_system = usize::try_from(report.head.size).ok();
    listed.filter = Some(format!("from entry {}", part.start.size));
    let points: Vec<_> = part
        .checkpoints
        .iter()
        .map(|c| json!({ "note": c.note(), "at": c.at.to_string(), "origin": c.origin, "size": c.size, "root": c.root, "signatures": c.signatures, "v": c.v }))
        .collect();
    packing.add("log/checkpoints.jsonl", "application/jsonl", table::jsonl(&points))?.records = Some(points.len());
    packing.json("log/start.json", &serde_json::to_value(&part.start)?)?;
    let keys: Vec<_> =
        part.keys.iter().map(|k| json!({ "fingerprint": k.fingerprint(), "key": k.to_string() })).collect();
    packing.json("keys/log.json", &Json::from(keys))?;
    Ok(report.head)
}

fn sla(input: &Input<'_>) -> Result<Population, BundleError> {
    let rows: Vec<_> = input
        .findings
        .iter()
        .map(|f| {
            json!({
                "finding": f.id, "state": f.state(), "lane": f.facts.lane(), "tier": f.clock().terms().tier,
                "team": f.team(), "started": f.clock().started(), "due": f.clock().due(input.to),
                "paused_seconds": f.clock().paused_seconds(input.to), "breached": f.clock().is_breached(input.to),
                "breaches": f.clock().breaches(),
            })
        })
        .collect();
    Population::of(
        "findings/sla",
        "Due dates, pauses and breaches",
        &rows,
        input.findings_in_system,
        "as the findings list",
    )
}
