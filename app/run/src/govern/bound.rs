//! What the log says of documents and steps, held against what the record has.
//!
//! An entry carries the digest of what its object was afterwards. Who can write the file can change a decision, a role or a
//! step without an entry; nobody can do that and leave the digests as they are (decision 150).

use super::{
    GovernError, emergency, keep, kept, ledger, life, notes, people, picture,
    seal::{HEAD, entries},
    written::{self, Seals},
};
use plumb_govern::{
    log::{Outcome, digest},
    retention::Disposal,
};
use plumb_model::FindingKey;
use plumb_record::Record;
use serde_json::Value as Json;
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

/// The first thing on record that is not what its log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Astray {
    /// The entry it contradicts, where there is one.
    pub entry: Option<u64>,
    /// In words.
    pub what: String,
}

impl fmt::Display for Astray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Objects of the log whose digest is that of a document: the kind, and where the document is.
const KEPT: &[(&str, &str)] = &[
    ("account", crate::accounts::MANUAL),
    ("attestation", picture::ATTESTATIONS),
    ("baseline", crate::baselines::BASELINES),
    ("campaign", picture::CAMPAIGNS),
    ("decision", picture::DECISIONS),
    ("emergency", emergency::COLLECTION),
    ("exposure", picture::LEDGER),
    ("finding", life::COLLECTION),
    ("hold", keep::HOLDS),
    ("note", notes::NOTES),
    ("person", people::COLLECTION),
    ("policy", keep::POLICY.0),
    ("pre-approval", ledger::PLANS),
    ("score-policy", crate::scores::POLICIES),
];

/// What of an entry matters here.
#[derive(serde::Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(borrow)]
    actor: Cow<'a, str>,
    #[serde(borrow)]
    after: Cow<'a, str>,
    #[serde(borrow)]
    at: Cow<'a, str>,
    change: Change,
    #[serde(borrow)]
    object_id: Cow<'a, str>,
    #[serde(borrow)]
    object_kind: Cow<'a, str>,
    outcome: Outcome,
}

/// What of an entry's change matters here.
#[derive(serde::Deserialize, Default)]
#[serde(default)]
struct Change {
    /// Of a certificate: what it disposed of.
    digest: Option<Json>,
    /// Of a ledger entry: what of it changes by entries of the log alone.
    settled: Option<String>,
    /// What a scan wrote.
    seal: Option<written::Seal>,
    /// Documents of no object, by name and digest.
    kept: BTreeMap<String, String>,
    /// The state afterwards.
    to: Option<String>,
    /// There for steps of findings.
    inputs: Option<serde::de::IgnoredAny>,
}

type Step = (String, String, String, String);

/// What the whole log says last.
#[derive(Default)]
struct Log {
    /// By kind and id: the entry, and the digest afterwards.
    objects: HashMap<(&'static str, String), (u64, String)>,
    /// Steps of findings: finding, event, instant and actor, with the entry and how many.
    steps: HashMap<Step, (u64, usize)>,
    /// Disposals that were carried out: the entry, and the digest of what went.
    disposals: BTreeMap<String, (u64, String)>,
    /// What scans wrote.
    seals: Seals,
    /// Documents that entries name.
    named: kept::Named,
}

impl Log {
    fn read(record: &Record) -> Result<Self, GovernError> {
        let mut out = Self::default();
        for sealed in entries(record, 0) {
            let sealed = sealed?;
            // What is no entry is named by the verification of the log itself.
            let Ok(said) = serde_json::from_slice::<Said<'_>>(&sealed.bytes) else { continue };
            if said.outcome == Outcome::Done {
                out.take(sealed.seq, said);
            }
        }
        Ok(out)
    }

    fn take(&mut self, seq: u64, said: Said<'_>) {
        self.named.take(seq, said.change.kept);
        match said.change.seal {
            Some(seal) if said.action == written::SEAL => {
                let counts = self.seals.take(seq, seal);
                return self.named.count(&counts);
            }
            _ if said.action == written::START => return self.seals.begins(),
            _ => {}
        }
        if said.action == "disposal.approve"
            && let Some(Json::String(digest)) = said.change.digest
        {
            self.disposals.insert(said.object_id.into_owned(), (seq, digest));
            return;
        }
        if said.after.is_empty() {
            return;
        }
        let Some((kind, _)) = KEPT.iter().find(|(kind, _)| *kind == said.object_kind) else { return };
        // How often accounts are read is one of the settings, which have no document of their own.
        if *kind == "policy" && said.object_id == "pull-cadence" {
            return;
        }
        let id = said.object_id.into_owned();
        if *kind == "finding" && said.change.inputs.is_some() {
            let event = said.action.strip_prefix("finding.").unwrap_or_default().to_owned();
            let step = (id.clone(), event, said.at.into_owned(), said.actor.into_owned());
            self.steps.entry(step).or_insert((seq, 0)).1 += 1;
        }
        let digest = match (*kind, said.change.settled) {
            ("exposure", Some(settled)) => settled,
            // Entries of versions that did not say what of it is settled say its state.
            ("exposure", None) => said.change.to.unwrap_or_default(),
            _ => said.after.into_owned(),
        };
        self.objects.insert((kind, id), (seq, digest));
    }
}

/// A finding as people name it.
pub(super) fn named(key: &str) -> String {
    super::lanes::bytes(key).map_or_else(|_| key.to_owned(), |bytes| FindingKey::from_bytes(bytes).short())
}

fn shown(kind: &str, id: &str) -> String {
    if kind == "finding" { named(id) } else { id.to_owned() }
}

/// The digest of what of an entry of the ledger changes by entries of the log alone: what a scan saw of it does not count.
pub(super) fn settled(entry: &Json) -> String {
    let mut entry = entry.clone();
    if let Some(members) = entry.as_object_mut() {
        for seen in ["seen", "last_seen", "uncarried"] {
            members.remove(seen);
        }
    }
    digest(&entry)
}

/// What came of holding a record against its log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// The first thing on record that is not what its log says.
    pub astray: Option<Astray>,
    /// What of the record is under no entry, in words.
    pub unsealed: Vec<String>,
}

/// The first thing on record that is not what its log says: a finding's state or steps, a decision, a person, a review …
///
/// # Errors
/// The record fails.
pub fn astray(record: &Record) -> Result<Option<Astray>, GovernError> {
    Ok(held(record)?.astray)
}

/// As [`astray`], with what no entry speaks of.
///
/// # Errors
/// The record fails.
pub fn held(record: &Record) -> Result<Held, GovernError> {
    let mut out = Held::default();
    out.astray = against(record, &mut out.unsealed)?;
    Ok(out)
}

fn against(record: &Record, unsealed: &mut Vec<String>) -> Result<Option<Astray>, GovernError> {
    if let Some(what) = life::astray(record)? {
        return Ok(Some(Astray { entry: None, what }));
    }
    if record.document(HEAD.0, HEAD.1)?.is_none() {
        return Ok(None);
    }
    let mut log = Log::read(record)?;
    let gone = match disposed(record, &log)? {
        Ok(gone) => gone,
        Err(astray) => return Ok(Some(astray)),
    };
    if let Some(astray) = objects(record, &log, &gone)? {
        return Ok(Some(astray));
    }
    if let Some(astray) = steps(record, &mut log, &gone)? {
        return Ok(Some(astray));
    }
    if let Some((entry, what)) = log.named.astray(record)? {
        return Ok(Some(Astray { entry, what }));
    }
    let looked = written::look(record, &log.seals, &|key| gone.contains(key))?;
    *unsealed = looked.unsealed;
    Ok(looked.astray.map(|(entry, what)| Astray { entry, what }))
}

/// The ids of everything that was disposed of with a certificate.
fn disposed(record: &Record, log: &Log) -> Result<Result<HashSet<String>, Astray>, GovernError> {
    let mut gone = HashSet::new();
    for (id, (seq, digest)) in &log.disposals {
        let plan = match record.document(keep::DISPOSALS, id)? {
            Some((_, doc)) => serde_json::from_value::<Disposal>(doc).ok(),
            None => None,
        };
        let Some(plan) = plan.filter(|p| p.is_whole() && p.digest == *digest) else {
            let what = format!("disposal {id} lists other rows than entry {seq} of the log says went");
            return Ok(Err(Astray { entry: Some(*seq), what }));
        };
        gone.extend(plan.ids.into_iter().map(|(_, id)| id));
    }
    Ok(Ok(gone))
}

fn objects(record: &Record, log: &Log, gone: &HashSet<String>) -> Result<Option<Astray>, GovernError> {
    let mut first: Option<Astray> = None;
    let mut found = |entry: u64, what: String| {
        if first.as_ref().is_none_or(|f| f.entry.is_none_or(|e| e > entry)) {
            first = Some(Astray { entry: Some(entry), what });
        }
    };
    for ((kind, id), (seq, logged)) in &log.objects {
        let collection = KEPT.iter().find(|(k, _)| k == kind).map_or(*kind, |(_, c)| *c);
        let Some((_, doc)) = record.document(collection, id)? else {
            if !gone.contains(id) {
                let id = shown(kind, id);
                found(
                    *seq,
                    format!("{kind} {id} is gone, and nobody disposed of it; entry {seq} of the log left it there"),
                );
            }
            continue;
        };
        let now = match *kind {
            "finding" => digest(doc.get("finding").unwrap_or(&Json::Null)),
            "exposure" if logged.len() == 64 => settled(&doc),
            "exposure" => doc.get("state").and_then(Json::as_str).unwrap_or_default().to_owned(),
            _ => digest(&doc),
        };
        if now != *logged {
            let id = shown(kind, id);
            found(
                *seq,
                format!("{kind} {id} was changed outside the product: entry {seq} of the log left it otherwise"),
            );
        }
    }
    if first.is_some() {
        return Ok(first);
    }
    // What is known about accounts also comes in from elsewhere, without an entry.
    for (kind, collection) in KEPT.iter().filter(|(kind, _)| *kind != "account") {
        let mut odd = None;
        record.each_answer::<GovernError>(
            "SELECT id FROM document WHERE collection = ?1 ORDER BY id",
            &[collection],
            |row| {
                let id = row.first().and_then(Json::as_str).unwrap_or_default();
                if odd.is_none() && !log.objects.contains_key(&(*kind, id.to_owned())) {
                    odd = Some(id.to_owned());
                }
                Ok(())
            },
        )?;
        if let Some(id) = odd {
            return Ok(Some(Astray {
                entry: None,
                what: format!("{kind} {id} is on record, and no entry of the log made it"),
            }));
        }
    }
    Ok(None)
}

fn steps(record: &Record, log: &mut Log, gone: &HashSet<String>) -> Result<Option<Astray>, GovernError> {
    let mut odd = None;
    let sql = "SELECT lower(hex(key)), event, at, actor FROM transition WHERE scan IS NULL ORDER BY id";
    record.each_answer::<GovernError>(sql, &[], |row| {
        let text = |i: usize| row.get(i).and_then(Json::as_str).unwrap_or_default().to_owned();
        let step = (text(0), text(1), text(2), text(3));
        match log.steps.get_mut(&step) {
            Some((_, n)) if *n > 0 => *n -= 1,
            _ if odd.is_none() => odd = Some(step),
            _ => {}
        }
        Ok(())
    })?;
    if let Some((key, event, at, actor)) = odd {
        let key = named(&key);
        let what = format!("finding {key} has a step `{event}` by {actor} at {at} that is not on the log");
        return Ok(Some(Astray { entry: None, what }));
    }
    let lost = log.steps.iter().filter(|((key, ..), (_, n))| *n > 0 && !gone.contains(key));
    Ok(lost.min_by_key(|(_, (seq, _))| *seq).map(|((key, event, ..), (seq, _))| Astray {
        entry: Some(*seq),
        what: format!("finding {} lacks the step `{event}` that entry {seq} of the log says it took", named(key)),
    }))
}
