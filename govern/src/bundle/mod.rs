//! Evidence bundles: what the auditor gets, checked offline with one function or with the small Python program inside.
//!
//! A bundle is a ZIP of readable lists, captured evidence, the activity log of the period and OSCAL documents.
//! `manifest.json` names every file with its hash; `manifest.sig` signs the manifest. Nothing in it depends on the
//! product being there. Findings, their steps and the log go through one at a time: a bundle of millions needs the memory
//! of one of a few, and room to put aside what is packed before it has its place.

mod index;
mod list;
pub mod oscal;
mod read;
pub mod zip;

pub use list::{SAMPLED, Spool};
pub use read::{BundleReport, Fault, FaultKind, verify};

use crate::decision::Decision;
use crate::finding::{Finding, Transition};
use crate::framework::Alignment;
use crate::ids::{FindingId, HumanId};
use crate::log::{Checkpoint, Head, PublicKey, SealKey, Sealed, canonical, text};
use crate::table;
use list::{Counted, List, Sample};
use oscal::Frame;
use plumb_model::Time;
use serde_json::{Value as Json, json};
use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
};

/// The format version of a bundle's manifest.
pub const BUNDLE_VERSION: u16 = 1;

/// What findings rest on.
const CAPTURED: &str = "evidence/captured";
/// Findings as OCSF events, but for attack paths.
const OCSF_COMPLIANCE: &str = "ocsf/compliance-findings";
/// Attack paths as OCSF events.
const OCSF_PATHS: &str = "ocsf/attack-paths";
/// OCSF's class of detection findings, which have a graph.
const OCSF_DETECTION: u64 = 2004;

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

/// The part of the activity log that goes in; its entries come from the [`Source`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// Where the log stood before the first entry.
    pub start: Head,
    /// Checkpoints whose size is above `start.size` and up to the last entry.
    pub checkpoints: Vec<Checkpoint>,
    /// Public keys that signed checkpoints, the present one among them.
    pub keys: Vec<PublicKey>,
}

/// A finding on its way into a bundle, with what goes in beside it.
#[derive(Debug)]
pub struct Taken<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// All its steps.
    pub steps: &'a [Transition],
    /// What it rests on.
    pub captured: &'a Captured,
    /// The same finding as an event of the Open Cybersecurity Schema Framework.
    pub ocsf: &'a Json,
}

/// What a finding rests on, redacted: a row of `evidence/captured`.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Captured {
    // The first in the order of names, so that a reader finds its bytes, which the finding's digest is of.
    /// What was observed where, what was expected, and the answer or the line of code that said so.
    pub because: Json,
    /// The part of the provider's answer that was read; null when there is none here.
    pub excerpt: Json,
    /// The finding.
    pub finding: FindingId,
    /// Why there is no excerpt; empty when there is one.
    pub no_excerpt: String,
    /// When the answer was read; none without an excerpt.
    pub read_at: Option<String>,
    /// The answers and lines of code that said so, each once.
    pub said_by: Vec<String>,
}

/// A list that the [`Source`] hands over row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Where it goes, without an ending.
    pub path: String,
    /// What it is, for the index.
    pub title: String,
    /// Which of the record's rows are here, in words.
    pub filter: String,
    /// For programs alone: not written as CSV, and no part of the samples.
    pub for_programs: bool,
}

/// What a bundle is made of and does not fit in memory.
pub trait Source {
    /// Hands over the findings that are not closed and those closed in the period. Says how many findings the record has.
    ///
    /// # Errors
    /// The record cannot be read, or the first error of `take`.
    fn findings(&mut self, take: TakeFinding<'_>) -> Result<usize, BundleError>;

    /// Hands over the rows of a list that was announced in [`Input::flows`]. Says how many the record has.
    ///
    /// # Errors
    /// The record cannot be read, or the first error of `take`.
    fn rows(&mut self, flow: &Flow, take: TakeRow<'_>) -> Result<usize, BundleError>;

    /// The entries of the log's part, without gaps.
    fn entries(&mut self) -> Box<dyn Iterator<Item = Result<Sealed, BundleError>> + '_>;
}

/// Takes a finding.
pub type TakeFinding<'a> = &'a mut dyn FnMut(Taken<'_>) -> Result<(), BundleError>;

/// Takes a row of a list.
pub type TakeRow<'a> = &'a mut dyn FnMut(&Json) -> Result<(), BundleError>;

/// Everything else a bundle is made of.
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
    /// Which of the record's findings are here, in words.
    pub findings_filter: &'a str,
    /// Up to how many findings one OSCAL document holds; more go into documents in parts.
    pub oscal_most: usize,
    /// The register.
    pub decisions: &'a [Decision],
    /// The frameworks reported on.
    pub alignments: &'a [Alignment],
    /// Further lists: accounts, reconciliation, ledger, campaigns, baselines.
    pub populations: Vec<Population>,
    /// Further lists, which come row by row.
    pub flows: Vec<Flow>,
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
    /// What goes in cannot be read.
    #[error("the record cannot be read: {0}")]
    Source(String),
    /// There is no room to put packed lists aside.
    #[error("what is packed cannot be put aside")]
    Spool(#[from] io::Error),
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
    pub size: u64,
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

/// The archive as it grows.
struct Packing<'s, W: Write> {
    archive: zip::Writer<W>,
    listed: Vec<Listed>,
    paths: BTreeSet<String>,
    /// Every list, for the index.
    lists: Vec<Counted>,
    sample: Sample,
    spool: &'s dyn Fn() -> io::Result<Box<dyn Spool>>,
}

impl<W: Write> Packing<'_, W> {
    fn path(&mut self, path: &str) -> Result<(), BundleError> {
        let plain = !path.is_empty()
            && !path.starts_with('/')
            && !path.contains(['\\', '\0', '\n', '\r', ':'])
            && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
            && !path.starts_with("manifest.");
        if !plain || !self.paths.insert(path.to_owned()) {
            return Err(BundleError::Path(path.into()));
        }
        Ok(())
    }

    fn list(&mut self, path: &str, media: &str, sums: &zip::Sums) -> &mut Listed {
        let listed = Listed {
            path: path.into(),
            sha256: sums.sha256.clone(),
            size: sums.size,
            media: media.into(),
            records: None,
            in_system: None,
            filter: None,
        };
        self.listed.push(listed);
        let last = self.listed.len() - 1;
        &mut self.listed[last]
    }

    fn add(&mut self, path: &str, media: &str, bytes: &[u8]) -> Result<&mut Listed, BundleError> {
        self.path(path)?;
        let sums = self.archive.add(path, bytes)?;
        Ok(self.list(path, media, &sums))
    }

    fn append(
        &mut self,
        path: &str,
        media: &str,
        sums: &zip::Sums,
        packed: &mut dyn Read,
    ) -> Result<&mut Listed, BundleError> {
        self.path(path)?;
        self.archive.append(path, sums, packed)?;
        Ok(self.list(path, media, sums))
    }

    fn json(&mut self, path: &str, value: &Json) -> Result<(), BundleError> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        self.add(path, "application/json", &bytes).map(drop)
    }

    fn population(&mut self, p: &Population) -> Result<(), BundleError> {
        for i in 1..=p.rows.len() {
            self.sample.add(&p.path, i);
        }
        self.written(p)
    }

    /// Writes a list without making its rows part of the samples.
    fn written(&mut self, p: &Population) -> Result<(), BundleError> {
        for (ending, media, bytes) in [
            ("csv", "text/csv", table::csv(&p.rows).into_bytes()),
            ("jsonl", "application/jsonl", table::jsonl(&p.rows)),
        ] {
            let listed = self.add(&format!("{}.{ending}", p.path), media, &bytes)?;
            (listed.records, listed.in_system) = (Some(p.rows.len()), Some(p.in_system));
            listed.filter = Some(p.filter.clone());
        }
        self.lists.push(Counted {
            path: p.path.clone(),
            title: p.title.clone(),
            rows: p.rows.len(),
            in_system: p.in_system,
            filter: p.filter.clone(),
            as_csv: true,
        });
        Ok(())
    }

    /// Ends a list that came row by row: its lines, and the same as CSV where it is for people too.
    fn close(&mut self, list: List, title: &str, in_system: usize, filter: &str) -> Result<(), BundleError> {
        let counted = Counted {
            path: list.path.clone(),
            title: title.into(),
            rows: list.rows,
            in_system,
            filter: filter.into(),
            as_csv: !list.for_programs,
        };
        let (csv, jsonl) = match list.for_programs {
            true => (None, list.lines()?),
            false => {
                let (jsonl, csv) = list.finish((self.spool)()?)?;
                (Some(csv), jsonl)
            }
        };
        let csv = csv.map(|csv| ("csv", "text/csv", csv));
        for (ending, media, (mut packed, sums)) in csv.into_iter().chain([("jsonl", "application/jsonl", jsonl)]) {
            let listed = self.append(&format!("{}.{ending}", counted.path), media, &sums, &mut packed)?;
            (listed.records, listed.in_system) = (Some(counted.rows), Some(in_system));
            listed.filter = Some(filter.into());
        }
        self.lists.push(counted);
        Ok(())
    }

    fn list_of(&self, path: &str, for_programs: bool) -> Result<List, BundleError> {
        Ok(List::new(path, for_programs, (self.spool)()?))
    }

    /// A list that comes row by row.
    fn flow(&mut self, flow: &Flow, source: &mut dyn Source) -> Result<(), BundleError> {
        let mut list = self.list_of(&flow.path, flow.for_programs)?;
        let in_system = source.rows(flow, &mut |row| Ok(list.add(row, &mut self.sample)?))?;
        self.close(list, &flow.title, in_system, &flow.filter)
    }
}

/// Writes a bundle to `to` and signs it; what is packed before it has its place is put aside in what `spool` makes. Equal
/// input gives equal bytes.
///
/// # Errors
/// A row is not JSON, a path is not plain, the source, the target or the spool fails, or the log does not verify: a bundle
/// that would not verify is not written to its end.
pub fn write<W: Write>(
    input: &Input<'_>,
    source: &mut dyn Source,
    spool: &dyn Fn() -> io::Result<Box<dyn Spool>>,
    to: W,
    key: &SealKey,
) -> Result<(W, Manifest), BundleError> {
    let mut packing = Packing {
        archive: zip::Writer::new(to),
        listed: Vec::new(),
        paths: BTreeSet::new(),
        lists: Vec::new(),
        sample: Sample::new(input.seed),
        spool,
    };
    let mut limits = input.limits.clone();
    findings(&mut packing, input, source, &mut limits)?;
    packing.population(&Population::all(
        "decisions/register",
        "Exceptions, deferrals and other decisions",
        input.decisions,
    )?)?;
    for a in input.alignments {
        let name = &a.framework;
        packing.population(&Population::all(&format!("controls/{name}"), &format!("Controls of {name}"), &a.rows)?)?;
    }
    for flow in &input.flows {
        packing.flow(flow, source)?;
    }
    for p in &input.populations {
        packing.population(p)?;
    }
    let sample = std::mem::replace(&mut packing.sample, Sample::new(input.seed)).drawn()?;
    packing.written(&sample)?;
    packing.add("sampling/seed.txt", "text/plain", format!("{}\n", input.seed).as_bytes())?;
    for f in &input.files {
        packing.add(&f.path, &f.media, &f.bytes)?;
    }
    packing.json("limits.json", &serde_json::to_value(&limits)?)?;
    let (log_end, entries) = log(&mut packing, &input.log, source, key)?;
    packing.add("keys/signing.pub", "text/plain", format!("{}\n", key.public()).as_bytes())?;
    packing.add("verify.py", "text/x-python", VERIFIER.as_bytes())?;
    packing.add("README.txt", "text/plain", index::readme(input, key).as_bytes())?;
    let page = index::html(input, &packing.lists, &limits, entries, key);
    packing.add("index.html", "text/html", page.as_bytes())?;
    let Packing { mut archive, mut listed, .. } = packing;
    listed.sort_by(|a, b| a.path.cmp(&b.path));
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
        files: listed,
    };
    let canonical = canonical::bytes(&serde_json::to_value(&manifest)?);
    archive.add("manifest.json", &canonical)?;
    archive.add("manifest.sig", format!("{}\n", text::base64(&key.sign(&canonical))).as_bytes())?;
    Ok((archive.finish()?, manifest))
}

/// The lists of findings, steps and due dates, and the OSCAL documents: all in one pass.
fn findings<W: Write>(
    packing: &mut Packing<'_, W>,
    input: &Input<'_>,
    source: &mut dyn Source,
    limits: &mut Vec<Limit>,
) -> Result<(), BundleError> {
    let mut rows = packing.list_of("findings/findings", false)?;
    let mut transitions = packing.list_of("findings/transitions", false)?;
    let mut due = packing.list_of("findings/sla", false)?;
    let mut captured = packing.list_of(CAPTURED, true)?;
    let mut compliance = packing.list_of(OCSF_COMPLIANCE, true)?;
    let mut detections = packing.list_of(OCSF_PATHS, true)?;
    let frame = Frame::new(input);
    let mut part = oscal::Part::default();
    let in_system = source.findings(&mut |taken| {
        let f = taken.finding;
        rows.add(&serde_json::to_value(f)?, &mut packing.sample)?;
        for step in taken.steps {
            transitions.add(&serde_json::to_value(step)?, &mut packing.sample)?;
        }
        due.add(&sla(f, input.to), &mut packing.sample)?;
        captured.add(&serde_json::to_value(taken.captured)?, &mut packing.sample)?;
        let events = if taken.ocsf["class_uid"] == OCSF_DETECTION { &mut detections } else { &mut compliance };
        events.add(taken.ocsf, &mut packing.sample)?;
        if part.len() == input.oscal_most.max(1) {
            oscal_part(packing, &frame, &mut part)?;
        }
        part.add(&frame, f);
        Ok(())
    })?;
    let here = rows.rows;
    packing.close(rows, "Findings and their lifecycle", in_system, input.findings_filter)?;
    let steps = transitions.rows;
    packing.close(transitions, "Every step of these findings", steps, "all rows")?;
    let same = "as the findings list";
    packing.close(due, "Due dates, pauses and breaches", in_system, same)?;
    let title = "What each of these findings rests on: observed, expected, who said so, and what was answered";
    packing.close(captured, title, in_system, same)?;
    let paths = detections.rows;
    let filter = format!("{same}; attack paths, {paths} of them, are apart");
    packing.close(compliance, "These findings as OCSF compliance findings (class 2003)", in_system, &filter)?;
    let filter = format!("{same}; of them attack paths");
    packing.close(
        detections,
        "Attack paths as OCSF detection findings with their graph (class 2004)",
        in_system,
        &filter,
    )?;
    if part.number() > 0 {
        oscal_part(packing, &frame, &mut part)?;
        limits.push(Limit {
            kind: "oscal-in-parts".into(),
            object: "oscal/parts".into(),
            meaning: format!(
                "{here} findings are more than one OSCAL document holds: observations, risks and plans are in {} parts of up to {} findings each, in the order of the findings list; oscal/assessment-results.json has the controls, without links into the parts",
                part.number(),
                input.oscal_most.max(1)
            ),
        });
        packing.add("oscal/assessment-results.json", "application/json", &frame.assessment_results(&part, true)?)?;
        return Ok(());
    }
    packing.add("oscal/assessment-results.json", "application/json", &frame.assessment_results(&part, true)?)?;
    match frame.poam(&part)? {
        Some(plan) => drop(packing.add("oscal/poam.json", "application/json", &plan)?),
        None => limits.push(Limit {
            kind: "no-plan-of-action".into(),
            object: "oscal/poam.json".into(),
            meaning: "nothing is open in this scope, and the format has no empty plan".into(),
        }),
    }
    Ok(())
}

/// Writes the OSCAL documents of the findings gathered so far, and begins the next part.
fn oscal_part<W: Write>(
    packing: &mut Packing<'_, W>,
    frame: &Frame<'_>,
    part: &mut oscal::Part,
) -> Result<(), BundleError> {
    part.begin();
    let path = |what: &str| format!("oscal/parts/{:04}-{what}.json", part.number());
    packing.add(&path("assessment-results"), "application/json", &frame.assessment_results(part, false)?)?;
    if let Some(plan) = frame.poam(part)? {
        packing.add(&path("poam"), "application/json", &plan)?;
    }
    part.clear();
    Ok(())
}

/// The log's files; checks the part on the way, so that an unsound record is noticed here and not by the auditor. Gives its
/// end, and how many entries are here.
fn log<W: Write>(
    packing: &mut Packing<'_, W>,
    part: &LogPart,
    source: &mut dyn Source,
    key: &SealKey,
) -> Result<(Head, usize), BundleError> {
    let keys = crate::log::Keys::trusted(part.keys.iter().copied().chain([key.public()]));
    let mut sink = zip::Packed::new((packing.spool)()?);
    let (mut count, mut failed) = (0, None);
    let mut entries = source.entries();
    let passing = std::iter::from_fn(|| {
        let put = |sealed: Sealed, sink: &mut zip::Packed<_>| -> Result<Sealed, BundleError> {
            sink.write_all(&sealed.line())?;
            sink.write_all(b"\n")?;
            Ok(sealed)
        };
        match entries.next()?.and_then(|sealed| put(sealed, &mut sink)) {
            Ok(sealed) => {
                count += 1;
                Some(sealed)
            }
            Err(error) => {
                failed = Some(error);
                None
            }
        }
    });
    let report = crate::log::verify(&part.start, passing, &part.checkpoints, keys, None);
    if let Some(error) = failed {
        return Err(error);
    }
    let report = report.map_err(|b| BundleError::Unsound(b.to_string()))?;
    let (mut packed, sums) = list::rewound(sink)?;
    let listed = packing.append("log/activity.jsonl", "application/jsonl", &sums, &mut packed)?;
    listed.records = Some(count);
    listed.in_system = usize::try_from(report.head.size).ok();
    listed.filter = Some(format!("from entry {}", part.start.size));
    let points: Vec<_> = part
        .checkpoints
        .iter()
        .map(|c| json!({ "note": c.note(), "at": c.at.to_string(), "origin": c.origin, "size": c.size, "root": c.root, "signatures": c.signatures, "v": c.v }))
        .collect();
    packing.add("log/checkpoints.jsonl", "application/jsonl", &table::jsonl(&points))?.records = Some(points.len());
    packing.json("log/start.json", &serde_json::to_value(&part.start)?)?;
    let keys: Vec<_> =
        part.keys.iter().map(|k| json!({ "fingerprint": k.fingerprint(), "key": k.to_string() })).collect();
    packing.json("keys/log.json", &Json::from(keys))?;
    Ok((report.head, count))
}

fn sla(f: &Finding, to: Time) -> Json {
    json!({
        "finding": f.id, "state": f.state(), "lane": f.facts.lane(), "tier": f.clock().terms().tier,
        "team": f.team(), "started": f.clock().started(), "due": f.clock().due(to),
        "paused_seconds": f.clock().paused_seconds(to), "breached": f.clock().is_breached(to),
        "breaches": f.clock().breaches(),
    })
}
