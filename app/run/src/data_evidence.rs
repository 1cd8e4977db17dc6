//! What proves the classes of data that escalate a finding: an auditor asks for it, so what is only said must show as
//! only said. Proof is what a data-security tool found, or a document somebody put on record with its digest.

use crate::{
    accounts::allowed,
    govern::{Change, GovernError, Session, commit, end_of},
};
use plumb_discover::{AccountKey, DataClass, Estate, SourceClass};
use plumb_govern::{log, people::Act};
use plumb_model::Time;
use plumb_record::Record;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const COLLECTION: &str = "data-evidence";
/// Longest time evidence counts, in days.
const MOST_DAYS: i64 = 366;

/// Whether a class needs proof at audit: personal and regulated data.
pub fn needs_proof(class: &str) -> bool {
    class == "personal" || class.starts_with("regulated")
}

/// A proof that an account holds a class of data, or does not.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Proof {
    /// The class.
    pub class: String,
    /// Where it is: a file, an address, a tool's finding.
    pub reference: String,
    /// SHA-256 of the document, where there is one.
    #[serde(default)]
    pub sha256: String,
    /// What it shows, in the words of who put it there.
    pub note: String,
    /// Who put it there; a tool's name for a tool's finding.
    pub by: String,
    /// When.
    pub at: Time,
    /// Until when it counts.
    pub valid_until: Time,
}

/// Proofs by account, those that still count.
#[derive(Debug, Default)]
pub struct Held(BTreeMap<String, BTreeMap<String, Proof>>);

impl Held {
    /// The proof of a class in an account.
    pub fn proof(&self, account: &str, class: &str) -> Option<&Proof> {
        self.0.get(account)?.get(class)
    }

    /// What to add to the source of a class: which proof stands behind it, or that none does.
    pub fn words(&self, account: &str, classes: &[String]) -> String {
        let wanting: Vec<&String> = classes.iter().filter(|c| needs_proof(c)).collect();
        let lacking: Vec<&str> =
            wanting.iter().filter(|c| self.proof(account, c).is_none()).map(|c| c.as_str()).collect();
        match (wanting.first(), lacking.as_slice()) {
            (None, _) => String::new(),
            (Some(class), []) => {
                self.proof(account, class).map_or_else(String::new, |p| format!("; proven by {}", p.reference))
            }
            (_, lacking) => format!("; {} is said but not proven: evidence is needed at audit", lacking.join(", ")),
        }
    }
}

fn all(record: &Record) -> Result<BTreeMap<String, Vec<Proof>>, GovernError> {
    let mut out: BTreeMap<String, Vec<Proof>> = BTreeMap::new();
    for (id, doc) in record.documents(COLLECTION)? {
        let native = id.split_once(':').map_or(id.as_str(), |(_, n)| n).to_owned();
        out.insert(native, serde_json::from_value(doc.get("proofs").cloned().unwrap_or_default())?);
    }
    // What a data-security tool found proves its class for the account the resource is in.
    let owners = "SELECT DISTINCT id, account FROM resource WHERE id IN \
                  (SELECT l.value ->> 'resource' FROM document d, json_each(d.doc, '$.labels') l WHERE d.collection = 'data-label')";
    let mut account_of: BTreeMap<String, String> = BTreeMap::new();
    for row in record.query(owners)?.rows {
        if let [Json::String(id), Json::String(account)] = row.as_slice() {
            account_of.insert(id.clone(), account.clone());
        }
    }
    for (tool, doc) in record.documents("data-label")? {
        let at: Time =
            doc.get("at").and_then(Json::as_str).and_then(|t| t.parse().ok()).unwrap_or(Time::from_seconds(0));
        let labels: Vec<plumb_discover::Label> =
            serde_json::from_value(doc.get("labels").cloned().unwrap_or_default())?;
        for label in labels {
            let Some(account) = account_of.get(&label.resource) else { continue };
            let at = label.observed_at.unwrap_or(at);
            let proof = Proof {
                class: label.class.to_string(),
                reference: format!("{tool}: {} in {}", label.detail, label.resource),
                sha256: String::new(),
                note: "found by a data-security tool".into(),
                by: tool.clone(),
                at,
                valid_until: at.plus_days(MOST_DAYS),
            };
            out.entry(account.clone()).or_default().push(proof);
        }
    }
    Ok(out)
}

/// The proofs that count at an instant; of several for one class the newest.
///
/// # Errors
/// The record fails, or a proof on it is damaged.
pub fn held(record: &Record, now: Time) -> Result<Held, GovernError> {
    let mut out = Held::default();
    for (account, proofs) in all(record)? {
        let own = out.0.entry(account).or_default();
        for proof in proofs.into_iter().filter(|p| p.valid_until > now) {
            match own.get(&proof.class) {
                Some(known) if known.at >= proof.at => {}
                _ => drop(own.insert(proof.class.clone(), proof)),
            }
        }
    }
    Ok(out)
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// What somebody puts forward as proof.
#[derive(Debug, Clone)]
pub struct Given {
    /// The class it is about.
    pub class: String,
    /// Where it is.
    pub reference: String,
    /// The document itself, whose digest is kept.
    pub document: Option<Vec<u8>>,
    /// What it shows.
    pub note: String,
    /// Until when it counts: `365d` or a date.
    pub valid: String,
}

/// Puts a proof on record: kept and sealed in one step.
///
/// # Errors
/// The class is none or needs no proof, the account is not on the estate, the note is too short, the end is none or
/// more than a year ahead, the person may not, or the record fails.
pub fn give(record: &mut Record, session: &Session, key: &AccountKey, given: Given) -> Result<Proof, GovernError> {
    let id = key.to_string();
    allowed(record, session, Act::Comment, "account.evidence", ("account", &id))?;
    let wrong = |text: String| Err(GovernError::Input(text));
    if given.class.parse::<DataClass>().is_err() || !needs_proof(&given.class) {
        let names: Vec<&str> = DataClass::ALL.iter().map(|c| c.name()).filter(|c| needs_proof(c)).collect();
        return wrong(format!("`{}` is no class that needs evidence; these do: {}", given.class, names.join(", ")));
    }
    if given.note.trim().chars().count() < 10 {
        return wrong("say what the evidence shows in at least 10 characters: --note".into());
    }
    let until = end_of(&given.valid, session.now)?;
    if until <= session.now || until.days_since(session.now) > MOST_DAYS {
        return wrong(format!(
            "evidence counts until {}; an end within the next {MOST_DAYS} days is right",
            until.date()
        ));
    }
    let estate =
        crate::accounts::current_estate(record, Some(session.now)).map_err(|e| GovernError::Input(e.to_string()))?;
    if !estate.accounts.contains_key(key) {
        return wrong(format!(
            "`{id}` is not on the estate; `plumb accounts` lists what is, `plumb accounts set` adds"
        ));
    }
    let proof = Proof {
        class: given.class,
        reference: given.reference,
        sha256: given.document.map(|bytes| sha256(&bytes)).unwrap_or_default(),
        note: given.note.trim().into(),
        by: session.actor.human.as_ref().map_or_else(|| session.actor.id.clone(), ToString::to_string),
        at: session.now,
        valid_until: until,
    };
    let (version, mut proofs): (i64, Vec<Proof>) = match record.document(COLLECTION, &id)? {
        Some((v, doc)) => (v, serde_json::from_value(doc.get("proofs").cloned().unwrap_or_default())?),
        None => (0, Vec::new()),
    };
    proofs.push(proof.clone());
    let said = serde_json::to_value(&proof)?;
    let event = log::Event::done(&session.actor, "account.evidence", ("account", &id), said, session.now);
    let mut change = Change { events: vec![session.mark(event)], ..Change::default() };
    change.put(COLLECTION, &id, version, &json!({ "proofs": proofs }))?;
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok(proof)
}

/// A class of data in an account that escalates findings, with who says so and what proves it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Claim {
    /// The account.
    pub account: AccountKey,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: String,
    /// The class.
    pub class: String,
    /// The sources that say so.
    pub said_by: BTreeSet<SourceClass>,
    /// Where they say so.
    pub evidence: Vec<String>,
    /// `proven`, `said` (nothing proves it), or `expired`.
    pub status: &'static str,
    /// The newest proof, counting or not.
    pub proof: Option<Proof>,
}

/// Every claim of personal or regulated data, those without proof first.
///
/// # Errors
/// The record fails.
pub fn claims(record: &Record, estate: &Estate, now: Time) -> Result<Vec<Claim>, GovernError> {
    let proofs = all(record)?;
    let mut out = Vec::new();
    for (key, a) in estate.accounts.iter().filter(|(_, a)| a.third_party.is_none()) {
        let own = proofs.get(&a.native_id).map(Vec::as_slice).unwrap_or_default();
        // What a tool found is held, whoever said it or did not.
        let mut classes: BTreeSet<String> = a.data_classes().iter().map(ToString::to_string).collect();
        classes.extend(own.iter().map(|p| p.class.clone()));
        for class in classes.into_iter().filter(|c| needs_proof(c)) {
            let says = |k: &plumb_discover::Known| k.facts.data_classes.iter().any(|c| c.name() == class);
            let sources = || a.sources.iter().filter(|(_, k)| says(k));
            let newest = own.iter().filter(|p| p.class == class).max_by_key(|p| (p.valid_until > now, p.at)).cloned();
            let status = match &newest {
                Some(p) if p.valid_until > now => "proven",
                Some(_) => "expired",
                None => "said",
            };
            let (said_by, evidence) = sources().map(|(c, k)| (*c, k.evidence.clone())).unzip();
            out.push(Claim {
                account: key.clone(),
                name: a.facts.name.clone().unwrap_or_default(),
                owner: a.facts.owner_person.clone().or_else(|| a.facts.owner_team.clone()).unwrap_or_default(),
                class,
                said_by,
                evidence,
                status,
                proof: newest,
            });
        }
    }
    out.sort_by(|a, b| (a.status == "proven", &a.account, &a.class).cmp(&(b.status == "proven", &b.account, &b.class)));
    Ok(out)
}
