//! Evidence bundles and reports from the record.

use super::{GovernError, Picture, Profile, bundled, checkpoints, log_state};
use plumb_catalog::Catalog;
use plumb_govern::{
    bundle::{self, BundleError, File, Input, LogPart, Manifest, Population, Spool},
    finding::{Finding, ParetoTally, Queue, RiskTally, TeamTally, Transition, state_before},
    framework::Alignment,
    ids::TeamId,
    ledger::net_change,
    log::{Head, SealKey},
};
use plumb_model::Time;
use plumb_record::Record;
use plumb_report::{Accounts, AuditPack, Coverage, Digest, Doc, Leadership};
use std::io::Write;

/// A report that can be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// One page for whoever answers for the risk.
    Leadership,
    /// What an auditor would flag, with every control of the frameworks named.
    AuditPack(Vec<String>),
    /// A team's week; `nobody` for what no team owns.
    Team(String),
    /// One lens by itself, over the frameworks named (all when none is).
    Lens(plumb_govern::lens::Lens, Vec<String>),
    /// What an engineer does next; everything when no team is named.
    Queue(Option<String>),
    /// Posture over time, by cloud and by framework.
    Trends,
    /// Each of the five layers by itself.
    Layers,
}

impl From<BundleError> for GovernError {
    fn from(error: BundleError) -> Self {
        Self::Diverged(error.to_string())
    }
}

/// How many findings a queue on paper shows.
const QUEUE_SHOWN: usize = 200;

fn accounts(p: &Picture<'_>) -> Accounts {
    let outside = |a: &&plumb_record::AccountRow| a.state != "active";
    let unlisted = &p.elsewhere.accounts;
    let ids = p.accounts.iter().map(|a| &a.id).chain(unlisted.iter().map(|a| &a.id));
    // Those nobody has on a list first: a shadow account is more outside than one that could not be entered.
    let shadow = unlisted.iter().map(|a| {
        let known = p.around.profiles.get(&a.id).map(|p| p.sources.iter().cloned().collect::<Vec<_>>().join(", "));
        let known = known.filter(|k| !k.is_empty()).map_or_else(String::new, |k| format!(", known by {k}"));
        (format!("{} {}", a.id, a.name).trim_end().to_owned(), format!("{}, never scanned{known}", a.state))
    });
    Accounts {
        known: p.accounts.len() + unlisted.len(),
        governed: ids.filter(|id| p.around.profiles.get(*id).is_some_and(Profile::is_governed)).count(),
        scanned: p.accounts.iter().filter(|a| a.state == "active").count(),
        outside: shadow
            .chain(p.accounts.iter().filter(outside).map(|a| {
                let why = if a.reason.is_empty() { a.state.clone() } else { a.reason.clone() };
                (format!("{} {}", a.id, a.name), why)
            }))
            .collect(),
    }
}

fn alignments(p: &Picture<'_>, catalog: &Catalog, ids: &[String]) -> Result<Vec<Alignment>, GovernError> {
    ids.iter()
        .map(|id| {
            p.align(catalog, id).ok_or_else(|| {
                let known: Vec<&str> = catalog.frameworks().keys().map(String::as_str).collect();
                GovernError::Input(format!("there is no framework `{id}`; there is {}", known.join(", ")))
            })
        })
        .collect()
}

/// The risk carried at a few moments of a period, its beginning and its end among them.
struct Carried(Vec<(Time, i64)>);

impl Carried {
    fn new(from: Time, to: Time) -> Self {
        let span = to.seconds() - from.seconds();
        Self((0..=6).map(|i| (Time::from_seconds(from.seconds() + span * i / 6), 0)).collect())
    }

    fn add(&mut self, f: &Finding, steps: &[Transition]) {
        for (at, points) in &mut self.0 {
            if state_before(steps, *at).is_some_and(|s| s.is_open()) {
                *points += f.facts.points;
            }
        }
    }
}

fn team_of(f: &Finding) -> &str {
    f.team().map_or("nobody", TeamId::as_str)
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// The worst ways in from outside, in words, worst first, over every account the last scan read.
///
/// # Errors
/// The record fails, or what IAM answered makes no sense.
pub fn worst_paths(record: &Record, catalog: &Catalog) -> Result<Vec<String>, GovernError> {
    let Ok(scan) = record.scan(None) else { return Ok(Vec::new()) };
    let names: std::collections::BTreeMap<String, String> =
        record.accounts()?.into_iter().map(|a| (a.id, a.name)).collect();
    let mut found = Vec::new();
    for account in crate::analysed_accounts(record, scan.id, None)? {
        for family in crate::attack_paths(record, catalog, scan.id, &account)?.families {
            let rank = ["critical", "high", "medium", "low"].iter().position(|s| *s == family.severity).unwrap_or(4);
            let name = names.get(&account).filter(|n| !n.is_empty()).map_or(account.as_str(), String::as_str);
            let more = match family.paths.len() {
                0 | 1 => String::new(),
                n => format!(" ({n} ways alike)"),
            };
            let sure = if family.certain { "" } else { "; not certain, something could not be read" };
            found.push((
                rank,
                !family.certain,
                format!("{}: {}, in {name}{more}{sure}.", capital(family.severity), family.title),
            ));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, _, words)| words).collect())
}

/// How much of each domain was looked at, by the first word of rules' topics.
fn domains(p: &Picture<'_>, catalog: &Catalog) -> Vec<plumb_report::Domain> {
    let mut all: std::collections::BTreeMap<&str, plumb_report::Domain> = Default::default();
    for (id, tally) in &p.judged.rules {
        let Some(rule) = catalog.rules.get(id) else { continue };
        let name = rule.topic.as_str().split('.').next().unwrap_or_default();
        let domain =
            all.entry(name).or_insert_with(|| plumb_report::Domain { name: name.into(), ..Default::default() });
        let asked = tally.pass + tally.fail + tally.unknown > 0;
        domain.rules += usize::from(asked);
        domain.pass += tally.pass;
        domain.fail += tally.fail;
        domain.unknown += tally.unknown;
    }
    all.into_values().filter(|d| d.rules > 0).collect()
}

/// Every framework with its title, for who named none.
fn summary(p: &Picture<'_>, catalog: &Catalog) -> Vec<(String, plumb_govern::framework::Alignment)> {
    let one =
        |(id, framework): (_, &plumb_catalog::Framework)| Some((framework.title.to_string(), p.align(catalog, id)?));
    catalog.frameworks().iter().filter_map(|(id, framework)| one((id.as_str(), framework))).collect()
}

/// Makes a report of the period that ends now. `paths` are the worst ways in, for the leadership read.
///
/// # Errors
/// A framework is not known.
pub fn report(
    p: &Picture<'_>,
    catalog: &Catalog,
    which: &Report,
    organization: &str,
    from: Time,
    key: &str,
    paths: &[String],
) -> Result<Doc, GovernError> {
    let to = Time::from_seconds(p.now.seconds() + 1);
    let period = format!("{} to {}", from.date(), p.now.date());
    Ok(match which {
        Report::Leadership => {
            let all = p.judged.sum();
            let coverage = Coverage { judged: all.pass + all.fail, unknown: all.unknown, reasons: p.gaps() };
            // What was carried before the first scan was not measured: the period begins when measuring did.
            let measured = from.max(Time::from_seconds(p.begun.seconds() + 1));
            // What the programme says about the first scan itself is said when that scan is over, and did not arrive then.
            let settled = if measured > from { p.settled.min(to) } else { measured };
            let mut risk = RiskTally::from_first_look(measured, settled, to);
            let mut carried = Carried::new(measured, to);
            let (mut teams, mut pareto) = (TeamTally::new(from, to), ParetoTally::default());
            let mut impact = plumb_govern::finding::ImpactTally::default();
            p.each(|row, life| {
                impact.add(&row.topic, &life.finding);
                risk.add(&life.finding, &life.steps);
                carried.add(&life.finding, &life.steps);
                teams.add(&life.finding);
                pareto.add(&life.finding);
                Ok(())
            })?;
            let mut history: Vec<(String, i64)> = carried.0.iter().map(|(at, points)| (at.date(), *points)).collect();
            history.dedup_by(|later, earlier| {
                let same_day = later.0 == earlier.0;
                if same_day {
                    earlier.1 = later.1;
                }
                same_day
            });
            plumb_report::leadership(&Leadership {
                organization,
                period: &period,
                made_at: p.now,
                begun: p.begun,
                from,
                risk: &risk.finish(),
                impact: &impact,
                history: &history,
                paths,
                ledger: net_change(&p.ledger, from, to),
                teams: &teams.finish(),
                accounts: &accounts(p),
                cadences: &p.cadence,
                register: &p.register()?,
                coverage: &coverage,
                pareto: &pareto.finish(),
            })
        }
        Report::AuditPack(frameworks) => {
            let alignments = alignments(p, catalog, frameworks)?;
            let summary = if frameworks.is_empty() { summary(p, catalog) } else { Vec::new() };
            plumb_report::audit_pack(&AuditPack {
                summary: &summary,
                scope: organization,
                period: &period,
                made_at: p.now,
                lenses: &p.lenses(&alignments)?,
                alignments: &alignments,
                decisions: &p.decisions,
                limits: &p.limits(),
                key,
            })
        }
        Report::Lens(lens, frameworks) => {
            if *lens == plumb_govern::lens::Lens::FrameworkAlignment && frameworks.is_empty() {
                return Ok(plumb_report::alignment_summary(organization, &period, p.now, &summary(p, catalog)));
            }
            let alignments = alignments(p, catalog, frameworks)?;
            let view = p.lenses(&alignments)?.into_iter().find(|v| v.lens == *lens);
            let view = view.ok_or_else(|| GovernError::Input(format!("there is no lens `{lens}`")))?;
            let domains = match lens {
                plumb_govern::lens::Lens::Coverage => domains(p, catalog),
                _ => Vec::new(),
            };
            plumb_report::lens_report(organization, &period, p.now, &view, &domains)
        }
        Report::Team(name) => {
            let (mut sla, mut pareto) = (TeamTally::new(from, to), ParetoTally::default());
            let mut queue = Queue::new(QUEUE_SHOWN, p.now);
            p.each(|_, life| {
                if team_of(&life.finding) == name {
                    sla.add(&life.finding);
                    pareto.add(&life.finding);
                    queue.add(&life.finding);
                }
                Ok(())
            })?;
            let expiring: Vec<_> = plumb_govern::decision::expiring(&p.decisions, 30, p.now).collect();
            let sla = sla.finish();
            if sla.is_empty() {
                p.check_team(name)?;
            }
            plumb_report::team_digest(&Digest {
                team: name,
                period: &period,
                made_at: p.now,
                sla: &sla.into_iter().next().unwrap_or_default(),
                queue: &queue,
                expiring: &expiring,
                pareto: &pareto.finish(),
            })
        }
        Report::Trends => super::trends(p, catalog, organization, from)?,
        Report::Layers => super::layers(p, catalog, organization)?,
        Report::Queue(team) => {
            let (mut queue, mut any) = (Queue::new(QUEUE_SHOWN, p.now), false);
            p.each(|_, life| {
                if team.as_deref().is_none_or(|t| team_of(&life.finding) == t) {
                    queue.add(&life.finding);
                    any = true;
                }
                Ok(())
            })?;
            if let (false, Some(name)) = (any, team) {
                p.check_team(name)?;
            }
            plumb_report::engineer_queue(team.as_deref().unwrap_or("everybody"), &queue, p.now)
        }
    })
}

/// How many findings one OSCAL document holds at most: programs that take it read it as a whole.
pub const OSCAL_MOST: usize = 5_000;

/// What a bundle is asked to be about.
#[derive(Debug, Clone, Default)]
pub struct BundleAsk {
    /// These frameworks, control by control.
    pub frameworks: Vec<String>,
    /// Only these accounts; all when none is named. Frameworks and reports stay about the whole organization.
    pub accounts: Vec<String>,
    /// The organization.
    pub organization: String,
}

/// The whole inventory of the accounts in scope: who knows them, what is missing where, what contradicts, which claims of
/// data there are.
fn inventory(
    record: &Record,
    mut estate: plumb_discover::Estate,
    mine: &dyn Fn(&str) -> bool,
    rows: &str,
    now: Time,
) -> Result<Vec<Population>, GovernError> {
    let (accounts, contradictions) = (estate.accounts.len(), estate.contradictions.len());
    let claims = crate::data_evidence::claims(record, &estate, now)?;
    let own: Vec<_> = claims.iter().filter(|c| mine(c.account.id.as_str())).collect();
    estate.accounts.retain(|key, _| mine(key.id.as_str()));
    estate.contradictions.retain(|c| c.account.as_ref().is_none_or(|a| mine(a.id.as_str())));
    estate.gaps.iter_mut().for_each(|g| g.accounts.retain(|a| mine(a.id.as_str())));
    let lines = plumb_discover::accounts_jsonl(&estate)
        .map(|line| serde_json::from_str(&line))
        .collect::<Result<Vec<serde_json::Value>, _>>()?;
    let claimed = "Accounts with personal or regulated data, who says so, and what proves it";
    Ok(vec![
        Population::of(
            "inventory/accounts",
            "Every account any source knows, and who knows it",
            &lines,
            accounts,
            rows,
        )?,
        Population::all("inventory/reconciliation", "Gaps between each pair of sources, with reasons", &estate.gaps)?,
        Population::of(
            "inventory/contradictions",
            "What sources say against each other",
            &estate.contradictions,
            contradictions,
            rows,
        )?,
        Population::of("inventory/data-claims", claimed, &own, claims.len(), rows)?,
    ])
}

/// Where a bundle goes, and where what has no place in it yet is put aside.
pub struct BundleTo<'s, W> {
    /// The archive.
    pub file: W,
    /// Makes a place for one packed list.
    pub spool: &'s dyn Fn() -> std::io::Result<Box<dyn Spool>>,
}

/// Writes an evidence bundle with the reports and the whole log, signed. Findings go through one at a time.
///
/// # Errors
/// The record fails or does not verify, a framework or account is not known, or the bundle cannot be written.
pub fn write_bundle<W: Write>(
    record: &Record,
    catalog: &Catalog,
    ask: &BundleAsk,
    from: Time,
    now: Time,
    key: &SealKey,
    to_file: BundleTo<'_, W>,
) -> Result<(W, Manifest), GovernError> {
    let (frameworks, organization) = (&ask.frameworks, ask.organization.as_str());
    let p = Picture::read(record, catalog, now)?;
    if let Some(unknown) = ask.accounts.iter().find(|id| !p.accounts.iter().any(|a| a.id == **id)) {
        return Err(GovernError::Input(format!(
            "there is no account `{unknown}` on record; `plumb accounts` lists them"
        )));
    }
    let mine = |account: &str| ask.accounts.is_empty() || ask.accounts.iter().any(|a| a == account);
    let which = match ask.accounts.as_slice() {
        [] => String::new(),
        some => format!("of {}; ", some.join(", ")),
    };
    let to = Time::from_seconds(now.seconds() + 1);
    let alignments = alignments(&p, catalog, frameworks)?;
    let fingerprint = key.public().fingerprint();
    let paths = worst_paths(record, catalog)?;
    let mut files = Vec::new();
    for (name, which) in [("leadership", Report::Leadership), ("audit-pack", Report::AuditPack(frameworks.clone()))] {
        let doc = report(&p, catalog, &which, organization, from, &fingerprint, &paths)?;
        let file = |ending: &str, media: &str, bytes| File {
            path: format!("reports/{name}.{ending}"),
            media: media.into(),
            bytes,
        };
        files.push(file("html", "text/html", plumb_report::html(&doc).into_bytes()));
        files.push(file("pdf", "application/pdf", plumb_report::pdf(&doc)));
    }
    let ledger: Vec<_> = p.ledger.values().filter(|e| mine(e.seen.account.as_str())).collect();
    let accounts: Vec<_> = p.accounts.iter().filter(|a| mine(&a.id)).collect();
    let rows = format!("{which}all rows");
    let mut runs = crate::baselines::runs(record)?;
    let all_runs = runs.len();
    runs.retain(|r| mine(r.run.account.as_str()));
    let estate = crate::accounts::current_estate(record, Some(now)).map_err(|e| GovernError::Input(e.to_string()))?;
    let of_estate = inventory(record, estate, &mine, &rows, now)?;
    let mut populations = vec![
        Population::of(
            "accounts/accounts",
            "Accounts, those that could not be entered too",
            &accounts,
            p.accounts.len(),
            &rows,
        )?,
        Population::of("exposure/ledger", "The public exposure ledger", &ledger, p.ledger.len(), &rows)?,
        Population::all("exposure/plans", "Exposures planned before they were deployed", &super::plans(record)?)?,
        Population::all(
            "baseline/baselines",
            "Standing baselines, every version: rules, parameters, approved values, who wrote, proposed and approved it",
            &crate::baselines::all(record)?,
        )?,
        Population::of(
            "baseline/runs",
            "What each account was held against in each scan, with digests of the rules and of what was read",
            &runs,
            all_runs,
            &rows,
        )?,
        Population::all("controls/attestations", "What people attested", &p.attestations)?,
        Population::all("retention/holds", "Legal holds", &super::holds(record)?)?,
        Population::all(
            "retention/certificates",
            "What was disposed of, and who agreed",
            &super::disposals(record)?.into_iter().filter_map(|(_, _, c)| c).collect::<Vec<_>>(),
        )?,
        Population::all("reviews/campaigns", "Access reviews", &p.campaigns)?,
        Population::all("decisions/drafts", "Requests that are not complete", &p.drafts)?,
        Population::all("programme/cadence", "What was promised, and what is overdue", &p.cadence)?,
        Population::all(
            "programme/emergencies",
            "Emergency sessions, and who looked at them",
            &super::emergencies(record)?,
        )?,
        Population::all(
            "programme/notes",
            "Comments, notes of auditors, what they asked evidence for and what was answered",
            &super::notes(record)?,
        )?,
    ];
    populations.extend(of_estate);
    let (_, state) = log_state(record)?;
    let log = LogPart { start: Head::empty(), checkpoints: checkpoints(record)?, keys: state.keys };
    let seed = state.head.hash.clone();
    let admins = p.around.directory.admin_approvers();
    let filter = format!("{which}not closed, or closed in the period");
    let input = Input {
        scope: organization,
        from,
        to,
        made_at: now,
        product: concat!("plumb ", env!("CARGO_PKG_VERSION")),
        policy: &p.around.policy.version,
        findings_filter: &filter,
        oscal_most: OSCAL_MOST,
        decisions: &p.decisions,
        alignments: &alignments,
        populations,
        flows: bundled::flows(&rows),
        files,
        limits: p.limits(),
        admin_approvers: admins,
        seed: &seed,
        log,
    };
    let mut source = bundled::Rows::new(&p, from, &mine);
    Ok(bundle::write(&input, &mut source, to_file.spool, to_file.file, key)?)
}
