//! What the record adds to a finding's score besides the rule's severity: drift, known vulnerabilities, ends of support,
//! classes of data, the hard rules of the baseline in force; and the score policy that somebody approved.

use crate::{
    accounts::allowed,
    baselines,
    drift::{self, Drifted},
    govern::{Change, GovernError, Session, commit, log_denied},
};
use plumb_catalog::Catalog;
use plumb_discover::{Classified, Classifier, DataClass, Estate, Label, Limits, Mapping, NamePattern, named_rows};
use plumb_govern::{Refusal, log, people::Act};
use plumb_model::{RuleId, Time};
use plumb_record::{FindingRow, Record};
use plumb_score::{
    Feeds, Fit, History, Pair, Past, Policy, Proposal, Replay, Signals, Support, Terms, WEEKS,
    signal::{Level, SeverityLevel},
};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const POLICIES: &str = "score-policy";
const VULNERABILITIES: &str = "vulnerability";
const LABELS: &str = "data-label";
const PATTERNS: (&str, &str) = ("data-class", "settings");

/// The product and version that a resource runs, by the names of the end-of-support data; none where the kind or engine
/// is in no such data.
pub fn product_of(kind: &str, fields: &Json) -> Option<(&'static str, String)> {
    let text = |name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let (product, version) = match kind {
        "aws.lambda.function" => ("aws-lambda", text("runtime")),
        "aws.eks.cluster" => ("amazon-eks", text("version")),
        "aws.rds.instance" | "aws.rds.cluster" => {
            let product = match text("engine") {
                "postgres" => "amazon-rds-postgresql",
                "mysql" => "amazon-rds-mysql",
                "mariadb" => "amazon-rds-mariadb",
                "aurora-postgresql" => "amazon-aurora-postgresql",
                "docdb" => "amazon-documentdb",
                "neptune" => "amazon-neptune",
                _ => return None,
            };
            (product, text("engine_version"))
        }
        "aws.docdb.cluster" | "aws.docdb.instance" => ("amazon-documentdb", text("engine_version")),
        "aws.neptune.cluster" | "aws.neptune.instance" => ("amazon-neptune", text("engine_version")),
        "aws.opensearch.domain" => ("amazon-opensearch", text("engine_version").trim_start_matches("OpenSearch_")),
        "aws.ec2.image" => return image(text("name")),
        _ => return None,
    };
    (!version.is_empty()).then(|| (product, version.to_owned()))
}

/// The system an image is named after: `ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64`, `amzn2-ami-hvm-2.0…`.
fn image(name: &str) -> Option<(&'static str, String)> {
    let lower = name.to_ascii_lowercase();
    let after = |mark: &str| lower.split_once(mark).map(|(_, rest)| rest);
    let number = |text: &str| -> String {
        text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(|c| c.is_ascii_digit() || *c == '.').collect()
    };
    if let Some(rest) = after("ubuntu-") {
        let version = rest.split('-').map(number).find(|v| v.len() == 5 && v.contains('.'))?;
        return Some(("ubuntu", version));
    }
    if lower.starts_with("al2023") {
        return Some(("amazon-linux", "2023".into()));
    }
    if lower.starts_with("amzn2-") {
        return Some(("amazon-linux", "2".into()));
    }
    if let Some(rest) = after("windows_server-") {
        return Some(("windows-server", number(rest))).filter(|(_, v)| !v.is_empty());
    }
    let rest = after("debian-")?;
    Some(("debian", number(rest))).filter(|(_, v)| !v.is_empty())
}

/// A resource with what the end-of-support data say about its version.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Supported {
    /// The account.
    pub account: String,
    /// The kind.
    pub kind: String,
    /// The resource.
    pub resource: String,
    /// Its everyday name.
    pub name: String,
    /// The product, as endoflife.date names it.
    pub product: &'static str,
    /// The version it runs.
    pub version: String,
    /// What the data say.
    pub support: Support,
}

/// Kinds whose versions the end-of-support data speak about.
const VERSIONED: &str = "'aws.lambda.function','aws.eks.cluster','aws.rds.instance','aws.rds.cluster','aws.docdb.cluster',\
                         'aws.docdb.instance','aws.neptune.cluster','aws.neptune.instance','aws.opensearch.domain','aws.ec2.image'";

/// Every resource on the record whose version the end-of-support data speak about; machines by the image they run.
///
/// # Errors
/// The record fails.
pub fn supported(record: &Record, feeds: &Feeds, now: Time) -> Result<Vec<Supported>, GovernError> {
    supported_in(record, feeds, now, None)
}

/// As [`supported`], of one account; images of all, because a machine may run another account's.
fn supported_in(
    record: &Record,
    feeds: &Feeds,
    now: Time,
    account: Option<&str>,
) -> Result<Vec<Supported>, GovernError> {
    let named: Vec<&str> = account.into_iter().collect();
    let (only, or_image) = match account {
        Some(_) => (" AND account = ?1", " AND (account = ?1 OR kind = 'aws.ec2.image')"),
        None => ("", ""),
    };
    let sql = format!(
        "SELECT account, kind, id, name, doc FROM resource WHERE misses = 0 AND kind IN ({VERSIONED}){or_image} ORDER BY 1, 2, 3"
    );
    let mut out = Vec::new();
    let mut images: BTreeMap<String, (&'static str, String)> = BTreeMap::new();
    let mut add = |place: [String; 4], product: &'static str, version: String| {
        let [of, kind, resource, name] = place;
        if account.is_none_or(|only| only == of) {
            let support = feeds.support(product, &version, now);
            out.push(Supported { account: of, kind, resource, name, product, version, support });
        }
    };
    let text = |v: Option<&Json>| v.and_then(Json::as_str).unwrap_or_default().to_owned();
    record.each_answer::<GovernError>(&sql, &named, |row| {
        let doc: Json = serde_json::from_str(&text(row.get(4)))?;
        let place = [0, 1, 2, 3].map(|i| text(row.get(i)));
        if let Some((product, version)) = product_of(&place[1], &doc) {
            if place[1] == "aws.ec2.image" {
                let id = place[2].rsplit(['/', ':']).next().unwrap_or_default().to_owned();
                images.insert(id, (product, version.clone()));
            }
            add(place, product, version);
        }
        Ok(())
    })?;
    let machines = format!(
        "SELECT account, kind, id, name, json_extract(doc, '$.image_id') FROM resource \
         WHERE misses = 0 AND kind = 'aws.ec2.instance'{only} ORDER BY 1, 3"
    );
    record.each_answer::<GovernError>(&machines, &named, |row| {
        if let Some((product, version)) = images.get(&text(row.get(4))) {
            add([0, 1, 2, 3].map(|i| text(row.get(i))), product, version.clone());
        }
        Ok(())
    })?;
    Ok(out)
}

/// How bad a vulnerability is by the Common Vulnerability Scoring System, as a scanner gave it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cvss {
    /// The vector; empty where only a score was given.
    pub vector: String,
    /// The 3.1 base score in tenths; none for vectors of other versions, which are kept and weigh nothing.
    pub base_tenths: Option<u32>,
}

impl Cvss {
    /// Reads `CVSS:3.1/AV:…`, `9.8`, or a vector of another version.
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.starts_with("CVSS:3.") {
            let base = plumb_score::base_score_tenths(text).map_err(|e| e.to_string())?;
            return Ok(Self { vector: text.into(), base_tenths: Some(base) });
        }
        if let Some(score) = text.parse::<f64>().ok().filter(|s| (0.0..=10.0).contains(s)) {
            return Ok(Self { vector: String::new(), base_tenths: Some((score * 10.0).round() as u32) });
        }
        if text.starts_with("CVSS:") || text.starts_with("AV:") {
            return Ok(Self { vector: text.into(), base_tenths: None });
        }
        Err(format!("`{text}` is no CVSS; `CVSS:3.1/AV:N/…` or a base score from 0.0 to 10.0 is"))
    }

    /// The severity it calibrates to, by the qualitative scale of CVSS 3.1.
    pub fn severity(&self) -> Option<SeverityLevel> {
        self.base_tenths.map(plumb_score::severity_of)
    }

    /// `CVSS 3.1 base 9.8, critical`.
    pub fn words(&self) -> String {
        match (self.base_tenths, self.severity()) {
            (Some(base), Some(level)) => format!("CVSS 3.1 base {}.{}, {}", base / 10, base % 10, level.name()),
            _ => format!("{}, which is not calibrated", self.vector),
        }
    }
}

/// Takes a scanner's list of vulnerabilities by resource: CSV or JSON lines with `resource` and `cve`, and `cvss` where
/// the scanner gives a CVSS 3.1 vector or base score. Returns how many were kept.
///
/// # Errors
/// A row says something else, or the record fails; nothing is kept then.
pub fn import_vulnerabilities(record: &mut Record, bytes: &[u8], at: Time) -> Result<usize, GovernError> {
    let rows = named_rows(&mut &*bytes, &Limits::default()).map_err(GovernError::Input)?;
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut cvss: BTreeMap<String, Cvss> = BTreeMap::new();
    for (line, row) in &rows {
        let wrong = |what: String| GovernError::Input(format!("line {line}: {what}"));
        let get = |names: &[&str]| names.iter().find_map(|n| row.get(*n)).map(String::as_str).unwrap_or_default();
        let resource = get(&["resource", "resourceid", "resourcearn", "arn"]);
        let cve = get(&["cve", "cveid", "vulnerability", "vulnerabilityid"]).to_ascii_uppercase();
        if resource.is_empty() || !plumb_score::is_cve(&cve) {
            return Err(wrong(
                "a resource and a CVE are needed, in columns `resource` and `cve`: `arn:…,CVE-2024-1234`".into(),
            ));
        }
        let said = get(&["cvss", "cvss31", "cvssv3", "cvssvector", "cvssscore", "basescore"]);
        if !said.is_empty() {
            let read = Cvss::read(said).map_err(wrong)?;
            // Of several statements about one flaw the worst counts.
            let known = cvss.entry(cve.clone()).or_default();
            if known.base_tenths <= read.base_tenths {
                *known = read;
            }
        }
        found.entry(resource.to_owned()).or_default().insert(cve);
    }
    let count = found.values().map(BTreeSet::len).sum();
    if count == 0 {
        return Err(GovernError::Input("it names no vulnerability; rows with `resource` and `cve` are needed".into()));
    }
    let version = record.document(VULNERABILITIES, "imported")?.map_or(0, |(v, _)| v);
    let doc = json!({ "at": at, "by_resource": found, "cvss": cvss });
    record.put_document(VULNERABILITIES, "imported", version, &doc)?;
    Ok(count)
}

/// Keeps what a data-security tool says about resources; what it said before is replaced.
///
/// # Errors
/// The record fails.
pub fn keep_labels(record: &mut Record, tool: &str, labels: &[Label], at: Time) -> Result<(), GovernError> {
    let version = record.document(LABELS, tool)?.map_or(0, |(v, _)| v);
    record.put_document(LABELS, tool, version, &json!({ "at": at, "labels": labels }))?;
    Ok(())
}

/// An organisation's own conventions for classes of data.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conventions {
    /// Names of tags that hold a class, besides the usual ones.
    pub tag_keys: Vec<String>,
    /// What names of resources tell.
    pub patterns: Vec<NamePattern>,
    /// Further spellings of classes: `PCI` → `regulated-payment`.
    pub data_classes: BTreeMap<String, DataClass>,
}

impl Conventions {
    fn classifier(&self) -> Result<Classifier, GovernError> {
        let mapping = Mapping { data_classes: self.data_classes.clone(), ..Mapping::default() };
        Classifier::new(mapping, &self.tag_keys, &self.patterns).map_err(|e| GovernError::Input(e.to_string()))
    }
}

/// Keeps an organisation's conventions.
///
/// # Errors
/// A pattern is no regular expression, or the record fails.
pub fn keep_conventions(record: &mut Record, conventions: &Conventions) -> Result<(), GovernError> {
    conventions.classifier()?;
    let version = record.document(PATTERNS.0, PATTERNS.1)?.map_or(0, |(v, _)| v);
    record.put_document(PATTERNS.0, PATTERNS.1, version, &serde_json::to_value(conventions)?)?;
    Ok(())
}

/// What the record adds to findings' scores.
#[derive(Debug, Default)]
pub struct Joins {
    /// What drift is told from.
    ground: drift::Ground,
    /// What tells classes of data.
    labels: Labels,
    /// By short id of the finding.
    pub drift: BTreeMap<String, Drifted>,
    /// Rules that the baseline in force calls hard, by account, with its label.
    pub hard: BTreeMap<String, (String, BTreeSet<RuleId>)>,
    /// CVEs a scanner proved, by resource id or its last part.
    pub cves: BTreeMap<String, BTreeSet<String>>,
    /// How bad they are, where the scanner said, by CVE.
    pub cvss: BTreeMap<String, Cvss>,
    /// Support of the version it runs, by resource id.
    pub support: BTreeMap<String, Supported>,
    /// Data in it, by resource id.
    pub data: BTreeMap<String, Classified>,
}

impl Joins {
    /// Reads them.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub fn on(
        record: &Record,
        catalog: &Catalog,
        feeds: &Feeds,
        estate: &Estate,
        now: Time,
    ) -> Result<Self, GovernError> {
        let mut joins = Self::bare(record, catalog, estate, now)?;
        joins.look(record, feeds, None, now)?;
        Ok(joins)
    }

    /// What holds for every account; of no resource yet.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub(crate) fn bare(record: &Record, catalog: &Catalog, estate: &Estate, now: Time) -> Result<Self, GovernError> {
        let ground = drift::Ground::read(record, catalog, now).map_err(stopped)?;
        let mut hard = BTreeMap::new();
        for (account, b) in &ground.in_force {
            let rules = b.rules.iter().filter(|r| r.hard).map(|r| r.rule.clone()).collect();
            hard.insert(account.clone(), (b.label(), rules));
        }
        let imported = record.document(VULNERABILITIES, "imported")?.map(|(_, doc)| doc).unwrap_or_default();
        let part = |name: &str| imported.get(name).cloned().unwrap_or_else(|| json!({}));
        Ok(Self {
            ground,
            labels: Labels::read(record, estate)?,
            hard,
            cves: serde_json::from_value(part("by_resource"))?,
            cvss: serde_json::from_value(part("cvss"))?,
            ..Self::default()
        })
    }

    /// Turns to the resources of one account, or of all.
    ///
    /// # Errors
    /// The record fails.
    pub(crate) fn look(
        &mut self,
        record: &Record,
        feeds: &Feeds,
        account: Option<&str>,
        now: Time,
    ) -> Result<(), GovernError> {
        self.drift = self.ground.levels(record, account).map_err(stopped)?;
        let supported = supported_in(record, feeds, now, account)?;
        self.support = supported.into_iter().map(|s| (s.resource.clone(), s)).collect();
        self.data = data(record, &self.labels, account)?;
        Ok(())
    }

    /// The CVEs proven for a resource.
    pub fn cves_of(&self, resource: &str) -> Vec<&str> {
        let last = resource.rsplit(['/', ':']).next().unwrap_or(resource);
        let found = self.cves.get(resource).or_else(|| self.cves.get(last));
        found.into_iter().flatten().map(String::as_str).collect()
    }
}

fn stopped(error: drift::DriftError) -> GovernError {
    GovernError::Input(error.to_string())
}

/// What tells classes of data: an organisation's conventions, and what tools said.
#[derive(Debug, Default)]
struct Labels {
    classifier: Option<Classifier>,
    by_resource: BTreeMap<String, Vec<Label>>,
    /// What holds for an account's resources of which nothing else is said.
    by_account: BTreeMap<String, Vec<DataClass>>,
}

impl Labels {
    fn read(record: &Record, estate: &Estate) -> Result<Self, GovernError> {
        let conventions: Conventions = match record.document(PATTERNS.0, PATTERNS.1)? {
            Some((_, doc)) => serde_json::from_value(doc)?,
            None => Conventions::default(),
        };
        let mut by_resource: BTreeMap<String, Vec<Label>> = BTreeMap::new();
        for (_, doc) in record.documents(LABELS)? {
            let all: Vec<Label> = serde_json::from_value(doc.get("labels").cloned().unwrap_or_default())?;
            for label in all {
                by_resource.entry(label.resource.clone()).or_default().push(label);
            }
        }
        let said = estate.accounts.values().filter(|a| !a.facts.data_classes.is_empty());
        let by_account = said.map(|a| (a.native_id.clone(), a.facts.data_classes.iter().copied().collect())).collect();
        Ok(Self { classifier: Some(conventions.classifier()?), by_resource, by_account })
    }
}

/// The classes of data of every resource with an open finding: by tools, tags, names, and the account's default. Of one
/// account, or of all.
fn data(record: &Record, labels: &Labels, account: Option<&str>) -> Result<BTreeMap<String, Classified>, GovernError> {
    let Some(classifier) = &labels.classifier else { return Ok(BTreeMap::new()) };
    let sql = format!(
        "SELECT r.account, r.id, r.name, json_extract(r.doc, '$.tags') FROM resource r \
         WHERE EXISTS (SELECT 1 FROM finding f WHERE f.account = r.account AND f.kind = r.kind AND f.resource = r.id \
                       AND f.state NOT IN ('fixed', 'resource-gone', 'superseded')){}",
        if account.is_some() { " AND r.account = ?1" } else { "" }
    );
    let named: Vec<&str> = account.into_iter().collect();
    let mut out = BTreeMap::new();
    record.each_answer::<GovernError>(&sql, &named, |row| {
        let text = |i: usize| row.get(i).and_then(Json::as_str).unwrap_or_default();
        let (account, id, name) = (text(0), text(1), text(2));
        let tags: BTreeMap<String, Json> = serde_json::from_str(text(3)).unwrap_or_default();
        let tags = tags.iter().filter_map(|(k, v)| Some((k.as_str(), v.as_str()?)));
        let own = labels.by_resource.get(id).or_else(|| labels.by_resource.get(name));
        let own = own.map(Vec::as_slice).unwrap_or_default();
        let default = labels.by_account.get(account).map(Vec::as_slice).unwrap_or_default();
        let classified = classifier.classify(name, tags, own, default);
        if !classified.statements.is_empty() {
            out.insert(id.to_owned(), classified);
        }
        Ok(())
    })?;
    Ok(out)
}

/// A score policy as it is kept.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct KeptPolicy {
    /// What it says, with version, author, approval and review date.
    pub terms: Terms,
    /// `proposed`, `active`, `retired`, `rejected`.
    pub stage: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: Time,
    /// In the words of who proposed, then of who decided.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What it would have done to the last weeks, at the proposal.
    #[serde(default)]
    pub effect: Json,
}

/// Every score policy on record, by when it was proposed.
///
/// # Errors
/// The record fails, or one is damaged.
pub fn policies(record: &Record) -> Result<Vec<KeptPolicy>, GovernError> {
    let mut out: Vec<KeptPolicy> =
        record.documents(POLICIES)?.into_iter().map(|(_, d)| serde_json::from_value(d)).collect::<Result<_, _>>()?;
    out.sort_by_key(|p| (p.proposed_at, p.terms.version.clone()));
    Ok(out)
}

/// The score policy in force: the approved one, else the one the program ships.
///
/// # Errors
/// The record fails, or the policy is damaged.
pub fn policy_in_force(record: &Record) -> Result<Policy, GovernError> {
    match policies(record)?.into_iter().find(|p| p.stage == "active") {
        Some(kept) => Policy::new(kept.terms).map_err(|e| GovernError::Input(e.to_string())),
        None => Ok(Policy::default()),
    }
}

fn human(session: &Session) -> String {
    session.actor.human.as_ref().map_or_else(|| session.actor.id.clone(), ToString::to_string)
}

/// Proposes a score policy. It must keep every constraint and have a version of its own.
///
/// # Errors
/// A constraint is broken (each is named), the version is taken, the person may not, or the record fails.
pub fn propose_policy(
    record: &mut Record,
    session: &Session,
    mut terms: Terms,
    note: &str,
    effect: &Replay,
) -> Result<KeptPolicy, GovernError> {
    let id = terms.version.trim().to_owned();
    allowed(record, session, Act::ProposePolicy, "score-policy.propose", ("score-policy", &id))?;
    terms.version.clone_from(&id);
    terms.author = human(session);
    terms.approved_by.clear();
    terms.effective_from = None;
    let policy = Policy::new(terms).map_err(|e| GovernError::Input(e.to_string()))?;
    if id == Policy::default().version() || record.document(POLICIES, &id)?.is_some() {
        return Err(GovernError::Input(format!(
            "there is a policy `{id}` already; a changed policy needs a new version"
        )));
    }
    let present = policy_in_force(record)?;
    let changes: Vec<Json> = policy
        .diff(&present)
        .into_iter()
        .map(|(place, from, to)| json!({ "place": place, "from": from, "to": to }))
        .collect();
    let kept = KeptPolicy {
        terms: policy.terms().clone(),
        stage: "proposed".into(),
        proposed_by: human(session),
        proposed_at: session.now,
        notes: vec![note.to_owned()],
        effect: json!({ "against": present.version(), "changes": changes, "open_before": effect.open_before, "open_after": effect.open_after,
                        "findings_changing_lane": effect.changes.len(), "rank_correlation": effect.rank_correlation }),
    };
    keep_policies(record, session, "score-policy.propose", vec![(0, None, kept.clone())])?;
    Ok(kept)
}

type Written = (i64, Option<KeptPolicy>, KeptPolicy);

fn keep_policies(
    record: &mut Record,
    session: &Session,
    action: &str,
    written: Vec<Written>,
) -> Result<(), GovernError> {
    let mut change = Change::default();
    for (version, before, kept) in written {
        let id = kept.terms.version.clone();
        let (before, after) = (before.map(serde_json::to_value).transpose()?, serde_json::to_value(&kept)?);
        let said = json!({ "to": kept.stage, "note": kept.notes.last(), "review_by": kept.terms.review_by, "effect": kept.effect });
        let event = log::Event::done(&session.actor, action, ("score-policy", &id), said, session.now);
        change.events.push(session.mark(event.with_states(before.as_ref(), Some(&after))));
        change.documents.push((POLICIES.into(), id, version, after));
    }
    commit(record, session.key.as_ref(), &change, session.now)
}

/// Approves a proposed policy, which is in force from then on, or with no review date rejects it.
///
/// # Errors
/// It is not proposed, the person may not, wrote it or gave no fresh second factor, the review date is wrong, or the
/// record fails.
pub fn decide_policy(
    record: &mut Record,
    session: &Session,
    version: &str,
    review_by: Option<Time>,
    note: &str,
) -> Result<KeptPolicy, GovernError> {
    let action = if review_by.is_some() { "score-policy.approve" } else { "score-policy.reject" };
    allowed(record, session, Act::ApprovePolicy, action, ("score-policy", version))?;
    let Some((stored, doc)) = record.document(POLICIES, version)? else {
        return Err(GovernError::Input(format!(
            "there is no policy `{version}`; `plumb score policy list` shows what is"
        )));
    };
    let before: KeptPolicy = serde_json::from_value(doc)?;
    let mut refusal = None;
    if before.stage != "proposed" {
        refusal = Some(Refusal::Status { what: version.into(), is: before.stage.clone(), needs: "proposed".into() });
    } else if human(session) == before.proposed_by || human(session) == before.terms.author {
        refusal = Some(Refusal::SamePerson { human: human(session).as_str().into() });
    } else if let Some(both) = baselines::decides_as_admin(session) {
        refusal = Some(both);
    } else if !session.actor.mfa_fresh(session.now, session.policy.mfa_minutes) {
        refusal = Some(Refusal::SecondFactor { act: action.into(), minutes: session.policy.mfa_minutes });
    }
    if let Some(refusal) = refusal {
        log_denied(record, session, action, ("score-policy", version), &refusal)?;
        return Err(refusal.into());
    }
    let mut kept = before.clone();
    kept.notes.push(note.to_owned());
    let mut written = Vec::new();
    match review_by {
        None => kept.stage = "rejected".into(),
        Some(review_by) => {
            let present = policy_in_force(record)?;
            let author = kept.terms.author.clone();
            let policy =
                plumb_score::approve(kept.terms, version, &author, &human(session), review_by, session.now, &present)
                    .map_err(|e| GovernError::Input(e.to_string()))?;
            kept.terms = policy.terms().clone();
            kept.stage = "active".into();
            for old in policies(record)?.into_iter().filter(|p| p.stage == "active") {
                let at = record.document(POLICIES, &old.terms.version)?.map_or(0, |(v, _)| v);
                let after = KeptPolicy { stage: "retired".into(), ..old.clone() };
                written.push((at, Some(old), after));
            }
        }
    }
    written.push((stored, Some(before), kept.clone()));
    keep_policies(record, session, action, written)?;
    Ok(kept)
}

/// When the thresholds were last changed by an approval.
///
/// # Errors
/// The record fails.
pub fn last_change(record: &Record) -> Result<Option<Time>, GovernError> {
    Ok(policies(record)?.iter().filter_map(|p| p.terms.effective_from).max())
}

/// The week of an instant, counted back from `now`: 0 is the oldest of the last [`WEEKS`].
fn week(at: Time, now: Time) -> Option<usize> {
    let ago = usize::try_from(now.days_since(at) / 7).ok()?;
    (at <= now && ago < WEEKS).then(|| WEEKS - 1 - ago)
}

/// What came in and what was verifiably fixed in the last weeks, for findings that `mine` names; `levels` gives the
/// signals of a finding. Weeks before the first scan are not counted, so that a young record does not look slow.
///
/// # Errors
/// The record fails.
pub fn history(
    record: &Record,
    now: Time,
    mine: &dyn Fn(&FindingRow) -> bool,
    levels: &dyn Fn(&FindingRow) -> Signals,
) -> Result<History, GovernError> {
    let states = plumb_govern::finding::machine::State::ALL.iter().map(|s| s.name().to_owned()).collect();
    let query = plumb_record::Query { states, ..plumb_record::Query::default() };
    let rows: Vec<FindingRow> = record.findings(&query)?.into_iter().filter(|f| mine(f)).collect();
    let keys: BTreeSet<&str> = rows.iter().map(|f| f.key.as_str()).collect();
    let mut fixes = vec![0_u32; WEEKS];
    let table = record.query("SELECT lower(hex(key)), at FROM transition WHERE to_state = 'fixed' ORDER BY id")?;
    for row in &table.rows {
        let [key, at] = row.as_slice() else { continue };
        let at = at.as_str().and_then(|t| t.parse::<Time>().ok()).and_then(|t| week(t, now));
        if let (Some(slot), true) = (at.and_then(|w| fixes.get_mut(w)), keys.contains(key.as_str().unwrap_or_default()))
        {
            *slot += 1;
        }
    }
    let first = record.query("SELECT min(judged_at) FROM scan WHERE status IN ('complete', 'partial')")?;
    let first = first.rows.first().and_then(|r| r.first()?.as_str()?.parse::<Time>().ok());
    let known = first.map_or(0, |at| usize::try_from(now.days_since(at) / 7).unwrap_or(0).min(WEEKS));
    let skipped = WEEKS - known;
    let closed = ["fixed", "resource-gone", "superseded", "false-positive"];
    let findings = rows
        .iter()
        .map(|f| Past {
            key: f.id.clone(),
            week: f.first_seen.parse::<Time>().ok().and_then(|t| week(t, now)).and_then(|w| w.checked_sub(skipped)),
            signals: levels(f),
            open: !closed.contains(&f.state.as_str()),
        })
        .collect();
    Ok(History { findings, verified_fixes: fixes.split_off(skipped) })
}

/// The version after the present one: `score/1.1.0` after `score/1.0.0`.
pub fn next_policy_version(record: &Record) -> Result<String, GovernError> {
    let number = |v: &str| plumb_drift::version_of(v.rsplit('/').next().unwrap_or(v));
    let all = policies(record)?;
    let newest = all.iter().filter_map(|p| number(&p.terms.version)).chain(number(Policy::default().version())).max();
    let [major, minor, _] = newest.unwrap_or([1, 0, 0]);
    Ok(format!("score/{major}.{}.0", minor + 1))
}

/// Thresholds that fit what was fixed, for a person to approve; nothing is applied.
///
/// # Errors
/// The record fails.
pub fn calibrate(record: &Record, history: &History, utilisation: u32, now: Time) -> Result<Proposal, GovernError> {
    let settings = plumb_score::Settings { utilisation_percent: utilisation, last_change: last_change(record)? };
    Ok(plumb_score::propose(history, &policy_in_force(record)?, settings, now))
}

/// Reads pairs that engineers ordered, the more pressing first: JSON lines `{"first":…,"second":…}`, each a finding's id or
/// its levels as `plumb score --batch` takes them. `levels` gives the signals of a finding on record.
///
/// # Errors
/// A line is no such pair, or names a finding that is not on record.
pub fn pairs(text: &str, levels: &dyn Fn(&str) -> Result<Signals, GovernError>) -> Result<Vec<Pair>, GovernError> {
    let mut out = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        let wrong = |what: &str| GovernError::Input(format!("line {}: {what}", n + 1));
        let row: Json = serde_json::from_str(line)
            .map_err(|_| wrong("not JSON; {\"first\":\"F-…\",\"second\":\"F-…\"} on each line is"))?;
        let side = |name: &str| match row.get(name) {
            Some(Json::String(id)) => levels(id).map_err(|e| wrong(&e.to_string())),
            Some(object @ Json::Object(_)) => {
                serde_json::from_value(object.clone()).map_err(|e| wrong(&format!("`{name}`: {e}")))
            }
            _ => Err(wrong("expected {\"first\":\"F-…\",\"second\":\"F-…\"}, or levels in their places")),
        };
        out.push(Pair { first: side("first")?, second: side("second")? });
    }
    Ok(out)
}

/// Weights that order more of the pairs as the engineers did; offered, never applied.
///
/// # Errors
/// There are fewer than 50 pairs, or the record fails.
pub fn fit(record: &Record, pairs: &[Pair]) -> Result<Fit, GovernError> {
    plumb_score::fit(pairs, &policy_in_force(record)?).ok_or_else(|| {
        GovernError::Input(format!("{} pairs are too few to learn from; at least 50 are needed", pairs.len()))
    })
}
