//! The signal stack of findings: what the record knows of each of the seven signals, with who said so; and what it was at
//! the end of the scans before, so that a score that moved says why.

use crate::{
    criticality::{self, Judged},
    data_evidence::{self, Held},
    feeds::feeds,
    govern::GovernError,
    holders::HOLDERS,
    scores::{Cvss, Joins},
};
use plumb_catalog::Catalog;
use plumb_discover::Estate;
use plumb_model::{Severity, Time};
use plumb_record::{FindingRow, Query, Record};
use plumb_score::{
    Context, Evidence, Explanation, FeedStatus, Feeds, Policy, Signals, Subject, Support, Terms, explain,
    signal::{AccountFacts, Criticality, DataClass, Exposure, IdentityReach, Level, Signal},
};
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};

/// How far a principal reaches, or principals reach a store, with why.
type Reach = (IdentityReach, String);

/// What the record knows that bears on scores.
pub struct Stack {
    /// The list of accounts.
    pub estate: Estate,
    /// The feeds.
    pub feeds: Feeds,
    /// Drift, vulnerabilities, support, data, hard rules.
    joins: Joins,
    /// Of accounts: what makes them critical, and their data classes.
    accounts: BTreeMap<String, (AccountFacts, Vec<String>)>,
    /// Of accounts: what an outside process says.
    judged: BTreeMap<String, Judged>,
    /// Of accounts: which classes of data are proven on record.
    proven: Held,
    /// Of resources: how far they are open, and what says so.
    exposed: BTreeMap<String, (Exposure, String)>,
    /// Of principals, and of resources that run as one: how far they reach.
    reach: BTreeMap<String, Reach>,
}

/// People who make an account tier one by depending on it.
const MANY_USERS: u64 = 100_000;
/// Actions from which a principal's reach is broad.
const BROAD_ACTIONS: i64 = 100;
/// Days after which an access key is long-lived.
const OLD_KEY_DAYS: i64 = 90;

/// The levels of a finding, with who said so.
pub type Stacked = (Signals, BTreeMap<Signal, Evidence>);

impl Stack {
    /// Reads it.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub fn of(record: &Record, catalog: &Catalog, now: Time) -> Result<Self, GovernError> {
        let mut stack = Self::bare(record, catalog, now)?;
        stack.look(record, catalog, None, now)?;
        Ok(stack)
    }

    /// What holds for every account; [`Stack::look`] adds resources.
    ///
    /// # Errors
    /// The record fails, or a document is damaged.
    pub fn bare(record: &Record, catalog: &Catalog, now: Time) -> Result<Self, GovernError> {
        let estate = crate::accounts::current_estate(record, None).map_err(|e| GovernError::Input(e.to_string()))?;
        let feeds = feeds(record)?;
        let joins = Joins::bare(record, catalog, &estate, now)?;
        let judged = criticality::criticality(record)?;
        let accounts = estate.accounts.values().map(|a| {
            let facts = AccountFacts {
                tier: a.tier().to_string(),
                contractual: a.facts.contract_ref.is_some(),
                regulated: !a.facts.regulatory_scope.is_empty(),
                users: a.facts.users,
                external: judged.get(&a.native_id).map(|j| j.level),
            };
            (a.native_id.clone(), (facts, a.data_classes().iter().map(ToString::to_string).collect()))
        });
        let accounts = accounts.collect();
        let proven = data_evidence::held(record, now)?;
        let (exposed, reach) = Default::default();
        Ok(Self { estate, feeds, joins, accounts, judged, proven, exposed, reach })
    }

    /// Turns to the resources of one account, or of all: memory follows what is looked at.
    ///
    /// # Errors
    /// The record fails.
    pub fn look(
        &mut self,
        record: &Record,
        catalog: &Catalog,
        account: Option<&str>,
        now: Time,
    ) -> Result<(), GovernError> {
        self.joins.look(record, &self.feeds, account, now)?;
        let named: Vec<&str> = account.into_iter().collect();
        let mut exposed: BTreeMap<String, (Exposure, String)> = BTreeMap::new();
        let mut open = |resource: String, level: Exposure, source: String| match exposed.get(&resource) {
            Some((known, _)) if *known >= level => {}
            _ => drop(exposed.insert(resource, (level, source))),
        };
        let sql = format!(
            "SELECT resource, class, json_array_length(proof) FROM exposures WHERE stale = 0{}",
            if account.is_some() { " AND account = ?1" } else { "" }
        );
        record.each_answer::<GovernError>(&sql, &named, |row| {
            let [Json::String(resource), Json::String(class), proof] = row.as_slice() else { return Ok(()) };
            let level = match class.as_str() {
                "internet" => Exposure::InternetOpen,
                "internet-authenticated" => Exposure::InternetAuth,
                "limited" => Exposure::Limited,
                "cross-account" => Exposure::Org,
                "internal" => Exposure::None,
                _ => return Ok(()),
            };
            let proof = proof.as_u64().unwrap_or_default();
            open(resource.clone(), level, format!("exposure analysis: {class} ({proof} steps of proof)"));
            Ok(())
        })?;
        let prove = catalog.rules.values().filter(|r| r.topic.as_str().starts_with("exposure.public-"));
        let rules = prove.map(|r| r.id.clone()).collect();
        let query = Query { rules, account: account.map(str::to_owned), ..Query::default() };
        record.each_finding::<GovernError>(&query, |finding| {
            if let Some(level) = proves(&finding) {
                open(finding.resource, level, format!("rule {} fails for it", finding.rule));
            }
            Ok(())
        })?;
        self.exposed = exposed;
        self.reach = reach(record, account, now)?;
        Ok(())
    }

    /// What vulnerability scanners say about a resource: CVEs with their CVSS where it was given.
    pub fn vulnerabilities(&self, resource: &str) -> Vec<(&str, Option<&Cvss>)> {
        self.joins.cves_of(resource).into_iter().map(|cve| (cve, self.joins.cvss.get(cve))).collect()
    }

    /// The earliest date by which the catalogue of exploited weaknesses wants one of the finding's fixed.
    pub fn wanted_by(&self, finding: &FindingRow) -> Option<Time> {
        self.joins.cves_of(&finding.resource).into_iter().filter_map(|cve| self.feeds.known_exploited(cve)?.due).min()
    }

    /// The levels the record knows for a finding; everything else stays at its unknown level.
    pub fn signals(&self, finding: &FindingRow, catalog: &Catalog, policy: &Policy) -> Stacked {
        let severity: Severity = finding.severity.parse().unwrap_or(Severity::Medium);
        let mut s = Signals::of(severity);
        let joins = &self.joins;
        let mut evidence = BTreeMap::new();
        let mut say = |signal, source: String| {
            let observed_at = finding.last_seen.parse().ok();
            evidence.insert(signal, Evidence { reference: Some(finding.id.clone()), source, observed_at });
        };
        say(Signal::Severity, format!("rule {}", finding.rule));
        // How bad a version is, its dates say: past support high, near its end or in paid support medium.
        let supported = joins.support.get(&finding.resource).filter(|_| finding.topic == "vuln.supported-version");
        if let Some((found, level)) = supported.and_then(|f| Some((f, f.support.severity()?))) {
            s.severity = level;
            let edition = self.feeds.info().find(|i| i.name == "eol").map_or("", |i| i.version.as_str());
            let words = said(&found.support);
            say(
                Signal::Severity,
                format!("{} {}: {words} (end-of-support data {edition})", found.product, found.version),
            );
        }
        // A flaw is as bad as its CVSS says; a setting beside it stays as bad as its rule says.
        let flaws = self.vulnerabilities(&finding.resource);
        let worst =
            flaws.iter().filter_map(|(cve, c)| Some((c.as_ref()?.severity()?, *cve, c.as_ref()?))).max_by_key(|f| f.0);
        if let Some((level, cve, cvss)) =
            worst.filter(|(level, ..)| finding.topic.starts_with("vuln.") && *level > s.severity)
        {
            s.severity = level;
            say(Signal::Severity, format!("{cve}: {}", cvss.words()));
        }
        if let Some((level, source)) = self.exposed.get(&finding.resource) {
            s.exposure = *level;
            say(Signal::Exposure, source.clone());
        }
        if let Some((level, why)) = self.reach.get(&finding.resource) {
            s.identity = *level;
            say(Signal::Identity, why.clone());
        }
        match joins.drift.get(&finding.id) {
            Some(drifted) => {
                s.drift = drifted.level;
                say(Signal::Drift, drifted.because.clone());
            }
            None => {
                say(Signal::Drift, "no drift on record: since the scan before, from approved values, from code".into());
            }
        }
        self.account(finding, &mut s, &mut say);
        let cves: Vec<&str> = flaws.iter().map(|(cve, _)| *cve).collect();
        let types = catalog.kinds.get(finding.kind.as_str()).map(|k| k.cloudformation.as_slice()).unwrap_or_default();
        let ports = ports(finding);
        let subject = Subject {
            cves: &cves,
            topic: &finding.topic,
            ports: &ports,
            resource_type: types.first().map_or("", String::as_str),
        };
        let exploited = self.feeds.exploitation(&subject, s.exposure);
        s.exploitation = exploited.level;
        let named = exploited.because.join("; ");
        say(Signal::Exploitation, if named.is_empty() { "no data set names it".into() } else { named });
        if let Some(rule) = catalog.rules.get(finding.rule.as_str()) {
            let by_baseline = joins.hard.get(&finding.account).filter(|(_, rules)| rules.contains(&rule.id));
            s.hard = policy.is_hard(&rule.id, rule.hard || by_baseline.is_some(), s.account);
            if s.hard {
                let by = by_baseline.map_or("the hard baseline", |(label, _)| label.as_str());
                say(Signal::Floor, format!("rule {} is hard in {by}", finding.rule));
            }
        }
        (s, evidence)
    }

    /// How critical its account is, and what data is in its resource.
    fn account(&self, finding: &FindingRow, s: &mut Signals, say: &mut impl FnMut(Signal, String)) {
        if let Some((facts, classes)) = self.accounts.get(&finding.account) {
            s.account = Criticality::of(facts, MANY_USERS);
            s.data = DataClass::worst_of(classes.iter().map(String::as_str));
            if s.account != Criticality::Unknown {
                // What makes a tier-one account of one whose tier is another.
                let many = facts.users.filter(|n| *n >= MANY_USERS).map(|n| format!("{n} users"));
                let bound = [
                    facts.contractual.then(|| "a contract".to_owned()),
                    facts.regulated.then(|| "a regulation".to_owned()),
                    many,
                ];
                let bound: Vec<String> = bound.into_iter().flatten().collect();
                let raised = s.account.name() != facts.tier && !bound.is_empty();
                let by = if raised { format!(", raised by {}", bound.join(" and ")) } else { String::new() };
                say(Signal::Account, format!("account {} on the estate: tier {}{by}", finding.account, facts.tier));
            }
            if s.data != DataClass::Unknown {
                let proof = self.proven.words(&finding.account, classes);
                say(Signal::Data, format!("default of account {} on the estate{proof}", finding.account));
            }
        }
        // Where an outside process judged the account, its word counts, tier on the estate or none.
        if let Some(judged) = self.judged.get(&finding.account) {
            s.account = judged.level;
            say(Signal::Account, judged.words());
        }
        if let Some(found) = self.joins.data.get(&finding.resource)
            && let Some(first) = found.statements.first()
        {
            s.data = DataClass::worst_of([found.class.name()]);
            let proof = match first.source {
                plumb_discover::StatementSource::Tool => String::new(),
                _ => self.proven.words(&finding.account, &[found.class.name().to_owned()]),
            };
            say(Signal::Data, format!("{}: {}{proof}", first.source, first.detail));
        }
    }

    /// The whole explanation of a finding's score; with the run before where it moved.
    pub fn explain(
        &self,
        (s, evidence): Stacked,
        policy: &Policy,
        now: Time,
        before: Option<(Signals, &Policy)>,
    ) -> Explanation {
        let status: Vec<FeedStatus> = self.feeds.status(now);
        explain(&s, policy, now, &Context { evidence, feeds: &status, previous: before })
    }
}

/// How far principals reach by the last assessment of their accounts, and resources by the role they run as.
fn reach(record: &Record, account: Option<&str>, now: Time) -> Result<BTreeMap<String, Reach>, GovernError> {
    let named: Vec<&str> = account.into_iter().collect();
    let only = |word: &str| if account.is_some() { format!(" {word} account = ?1") } else { String::new() };
    let mut old_keys: BTreeMap<String, i64> = BTreeMap::new();
    let sql = format!("SELECT arn, min(rotated) FROM access_keys WHERE active = 1{} GROUP BY arn", only("AND"));
    record.each_answer::<GovernError>(&sql, &named, |row| {
        if let [Json::String(arn), Json::String(rotated)] = row.as_slice()
            && let Ok(rotated) = rotated.parse::<Time>()
        {
            old_keys.insert(arn.clone(), now.days_since(rotated));
        }
        Ok(())
    })?;
    let mut out = BTreeMap::new();
    let sql = format!("SELECT arn, admin, can_become_admin, dormant, granted_actions FROM principals{}", only("WHERE"));
    record.each_answer::<GovernError>(&sql, &named, |row| {
        let [Json::String(arn), admin, can_become, dormant, granted] = row.as_slice() else { return Ok(()) };
        let is = |v: &Json| v.as_i64() == Some(1);
        let name = arn.rsplit(':').next().unwrap_or(arn);
        let old_key = old_keys.get(arn).filter(|days| **days > OLD_KEY_DAYS);
        let found = match granted.as_i64() {
            _ if is(admin) => (IdentityReach::Admin, format!("{name} is an administrator")),
            _ if is(can_become) => (IdentityReach::Admin, format!("{name} can become an administrator")),
            None => return Ok(()),
            Some(0) => (IdentityReach::None, format!("{name} is granted nothing")),
            Some(n) if is(dormant) => (IdentityReach::Broad, format!("{name} is dormant and may do {n} actions")),
            Some(n) if old_key.is_some() => {
                let days = old_key.copied().unwrap_or_default();
                (IdentityReach::Broad, format!("{name} holds an access key of {days} days and may do {n} actions"))
            }
            Some(n) if n >= BROAD_ACTIONS => (IdentityReach::Broad, format!("{name} may do {n} actions")),
            Some(n) => (IdentityReach::Narrow, format!("{name} may do {n} actions")),
        };
        out.insert(arn.clone(), found);
        Ok(())
    })?;
    // A profile is nearly always named after its role; where it is not, nothing is found and nothing is claimed.
    let runs_as = "SELECT id, coalesce(json_extract(doc, '$.role_arn'), json_extract(doc, '$.task_role_arn'), \
                   replace(json_extract(doc, '$.instance_profile'), ':instance-profile/', ':role/')) FROM resource \
                   WHERE misses = 0 AND kind IN ('aws.lambda.function', 'aws.ec2.instance', 'aws.ecs.task-definition')";
    record.each_answer::<GovernError>(&format!("{runs_as}{}", only("AND")), &named, |row| {
        if let [Json::String(id), Json::String(role)] = row.as_slice()
            && let Some((level, why)) = out.get(role).cloned()
        {
            out.insert(id.clone(), (level, format!("runs as {why}")));
        }
        Ok(())
    })?;
    let kept = match account {
        Some(account) => record.document(HOLDERS, account)?.into_iter().map(|(_, doc)| doc).collect(),
        None => record.documents(HOLDERS)?.into_iter().map(|(_, doc)| doc).collect::<Vec<_>>(),
    };
    for (store, said) in kept.iter().filter_map(Json::as_object).flatten() {
        let level = said.get(0).and_then(Json::as_str).and_then(|l| l.parse::<IdentityReach>().ok());
        if let (Some(level), Some(why)) = (level, said.get(1).and_then(Json::as_str)) {
            out.entry(store.clone()).or_insert_with(|| (level, why.to_owned()));
        }
    }
    along_paths(record, account, &mut out)?;
    Ok(out)
}

/// What a certain attack path leads through or to is reached as far as the path proves: it raises this signal, and is none of
/// its own.
fn along_paths(record: &Record, account: Option<&str>, out: &mut BTreeMap<String, Reach>) -> Result<(), GovernError> {
    let named: Vec<&str> = account.into_iter().collect();
    let only = if account.is_some() {
        " AND (p.account = ?1 OR EXISTS (SELECT 1 FROM json_each(p.accounts) WHERE value = ?1))"
    } else {
        ""
    };
    let sql = format!(
        "SELECT s.from_node, s.to_node, p.title, p.goals LIKE '%\"admin:%' FROM path_steps s \
         JOIN paths p ON p.account = s.account AND p.family = s.family WHERE p.certain = 1 AND p.gone IS NULL{only}"
    );
    record.each_answer::<GovernError>(&sql, &named, |row| {
        let [from, to, Json::String(title), admin] = row.as_slice() else { return Ok(()) };
        let level = if admin.as_i64() == Some(1) { IdentityReach::Admin } else { IdentityReach::Broad };
        for node in [from, to].into_iter().filter_map(Json::as_str).filter(|n| n.starts_with("arn:")) {
            if out.get(node).is_none_or(|(known, _)| *known < level) {
                out.insert(node.to_owned(), (level, format!("attack path: {title}")));
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// What an open finding proves about who can reach its resource. A missing block setting proves nothing: it only leaves
/// room.
fn proves(finding: &FindingRow) -> Option<Exposure> {
    let property = finding.rule.rsplit('.').next().unwrap_or_default();
    if finding.unknown_since.is_some() || finding.kind.ends_with(".account") && !finding.kind.contains("storage") {
        return None;
    }
    match finding.topic.as_str() {
        "exposure.public-endpoint" if property == "requires-auth" => Some(Exposure::InternetOpen),
        // Reachable over the network; whether it asks who calls is another question.
        "exposure.public-endpoint" | "exposure.public-database" => Some(Exposure::InternetAuth),
        topic if topic.starts_with("exposure.public-") => {
            let open = ["not-public", "no-public", "no-anonymous", "website-disabled"];
            open.iter().any(|o| property.contains(o)).then_some(Exposure::InternetOpen)
        }
        _ => None,
    }
}

/// The ports a finding's observed values name.
fn ports(finding: &FindingRow) -> Vec<u16> {
    let leaves = finding.because.iter().filter(|l| l.path.contains("port"));
    leaves.filter_map(|l| u16::try_from(l.observed.as_int()?).ok()).collect()
}

/// What the dates of a version say, in words.
pub fn said(support: &Support) -> String {
    match support {
        Support::Supported => "supported".into(),
        Support::EndsSoon(at) => format!("support ends on {}", at.date()),
        Support::Extended(at) => format!("only in paid extended support, until {}", at.date()),
        Support::Ended(Some(at)) => format!("support ended on {}", at.date()),
        Support::Ended(None) => "support has ended".into(),
        Support::Unknown => "not in the data".into(),
    }
}

/// The levels of every open finding at the end of a scan, with the policy that weighed them; [`Gathered`] makes it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ScoreRun {
    /// The scan.
    pub scan: i64,
    /// When.
    pub at: Time,
    /// The policy in force then.
    pub terms: Terms,
    /// Levels, each with the findings at them: thousands of findings share a few.
    levels: Vec<(Signals, Vec<String>)>,
}

const RUNS: &str = "score-run";
const LAST: &str = "last";
const BEFORE: &str = "before";

impl ScoreRun {
    /// The levels a finding had.
    pub fn of(&self, finding: &str) -> Option<Signals> {
        self.levels.iter().find(|(_, ids)| ids.iter().any(|id| id == finding)).map(|(s, _)| *s)
    }
}

fn run(record: &Record, id: &str) -> Result<(i64, Option<ScoreRun>), GovernError> {
    match record.document(RUNS, id)? {
        Some((version, doc)) => Ok((version, Some(serde_json::from_value(doc)?))),
        None => Ok((0, None)),
    }
}

/// The levels of open findings, gathered one by one, to be kept as a [`ScoreRun`].
#[derive(Debug, Default)]
pub struct Gathered(HashMap<Signals, Vec<String>>);

/// Above this many open findings the levels of a run are not kept: they are held in memory until the end, and a scan's
/// memory does not follow the size of the organisation. [`previous`] is then what was kept last, if anything.
const KEPT_MOST: u64 = 20_000;

impl Gathered {
    /// Ready to gather, where the record has few enough findings.
    ///
    /// # Errors
    /// The record fails.
    pub fn room(record: &Record) -> Result<Option<Self>, GovernError> {
        let held = record.query("SELECT sum(findings) FROM rollups")?;
        let held = held.rows.first().and_then(|row| row.first()?.as_u64()).unwrap_or_default();
        Ok((held <= KEPT_MOST).then(Self::default))
    }

    /// A finding stands so.
    pub fn say(&mut self, signals: Signals, finding: String) {
        self.0.entry(signals).or_default().push(finding);
    }

    /// Keeps the levels at the end of a scan; those of the scan before are kept beside them.
    ///
    /// # Errors
    /// The record fails.
    pub fn keep(self, record: &mut Record, policy: &Policy, scan: i64, at: Time) -> Result<(), GovernError> {
        let mut levels: Vec<(Signals, Vec<String>)> = self.0.into_iter().collect();
        levels.sort_by(|a, b| a.1.cmp(&b.1));
        let now = ScoreRun { scan, at, terms: policy.terms().clone(), levels };
        let (last_version, last) = run(record, LAST)?;
        // A scan that is taken up again replaces what it said of itself.
        if let Some(last) = last.filter(|l| l.scan != scan) {
            let (version, _) = run(record, BEFORE)?;
            record.put_document(RUNS, BEFORE, version, &serde_json::to_value(&last)?)?;
        }
        record.put_document(RUNS, LAST, last_version, &serde_json::to_value(&now)?)?;
        Ok(())
    }
}

/// The last run in which a finding stood otherwise than now: the end of the last scan, or of the one before it.
///
/// # Errors
/// The record fails.
pub fn previous(
    record: &Record,
    finding: &str,
    now: &Signals,
    policy: &Policy,
) -> Result<Option<(Signals, Policy)>, GovernError> {
    for id in [LAST, BEFORE] {
        let Some(run) = run(record, id)?.1 else { continue };
        let Some(then) = run.of(finding) else { continue };
        let terms = Policy::new(run.terms).map_err(|e| GovernError::Input(e.to_string()))?;
        if then != *now || terms.version() != policy.version() {
            return Ok(Some((then, terms)));
        }
    }
    Ok(None)
}
