//! Evidence bundles and reports from the record.

use super::{GovernError, Picture, Profile, checkpoints, entries, log_state};
use plumb_catalog::Catalog;
use plumb_govern::{
    bundle::{self, BundleError, File, Input, LogPart, Manifest, Population},
    finding::{Finding, pareto, queue, risk_moves, sla_by_team},
    framework::Alignment,
    ids::TeamId,
    ledger::net_change,
    log::{Head, SealKey},
};
use plumb_model::Time;
use plumb_record::Record;
use plumb_report::{Accounts, AuditPack, Coverage, Digest, Doc, Leadership};

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
}

impl From<BundleError> for GovernError {
    fn from(error: BundleError) -> Self {
        Self::Diverged(error.to_string())
    }
}

fn accounts(p: &Picture) -> Accounts {
    let outside = |a: &&plumb_record::AccountRow| a.state != "active";
    Accounts {
        known: p.accounts.len(),
        governed: p.accounts.iter().filter(|a| p.profiles.get(&a.id).is_some_and(Profile::is_governed)).count(),
        scanned: p.accounts.iter().filter(|a| a.state == "active").count(),
        outside: p
            .accounts
            .iter()
            .filter(outside)
            .map(|a| {
                let why = if a.reason.is_empty() { a.state.clone() } else { a.reason.clone() };
                (format!("{} {}", a.id, a.name), why)
            })
            .collect(),
    }
}

fn alignments(p: &Picture, catalog: &Catalog, ids: &[String]) -> Result<Vec<Alignment>, GovernError> {
    ids.iter()
        .map(|id| {
            p.align(catalog, id).ok_or_else(|| {
                let known: Vec<&str> = catalog.frameworks.keys().map(String::as_str).collect();
                GovernError::Input(format!("there is no framework `{id}`; there is {}", known.join(", ")))
            })
        })
        .collect()
}

/// Risk carried at the period's beginning, at five moments in it, and now.
fn history(p: &Picture, from: Time, risk: &plumb_govern::finding::RiskMove) -> Vec<(String, i64)> {
    let span = p.now.seconds() - from.seconds();
    let mut out = vec![(from.date(), risk.before)];
    for i in 1..6 {
        let at = Time::from_seconds(from.seconds() + span / 6 * i);
        out.push((at.date(), risk_moves(&p.findings, &p.steps, from, at).after));
    }
    out.push((p.now.date(), risk.after));
    out
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
                format!("{}: {}, in {name}{more}{sure}.", family.severity, family.title),
            ));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, _, words)| words).collect())
}

/// Makes a report of the period that ends now. `paths` are the worst ways in, for the leadership read.
///
/// # Errors
/// A framework is not known.
pub fn report(
    p: &Picture,
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
            let judged: i64 = p.coverage.iter().map(|c| c.pass + c.fail).sum();
            let unknown: i64 = p.coverage.iter().map(|c| c.unknown).sum();
            let count = |n: i64| u64::try_from(n).unwrap_or(0);
            let coverage = Coverage { judged: count(judged), unknown: count(unknown), reasons: p.gaps() };
            let risk = risk_moves(&p.findings, &p.steps, from, to);
            plumb_report::leadership(&Leadership {
                organization,
                period: &period,
                made_at: p.now,
                risk: &risk,
                history: &history(p, from, &risk),
                paths,
                ledger: net_change(&p.ledger, from, to),
                teams: &sla_by_team(&p.findings, from, to),
                accounts: &accounts(p),
                cadences: &p.cadence,
                register: &p.register(),
                coverage: &coverage,
                pareto: &pareto(&p.findings),
            })
        }
        Report::AuditPack(frameworks) => {
            let alignments = alignments(p, catalog, frameworks)?;
            plumb_report::audit_pack(&AuditPack {
                scope: organization,
                period: &period,
                made_at: p.now,
                lenses: &p.lenses(&alignments),
                alignments: &alignments,
                decisions: &p.decisions,
                limits: &p.limits(),
                key,
            })
        }
        Report::Lens(lens, frameworks) => {
            let all: Vec<String> = catalog.frameworks.keys().map(ToString::to_string).collect();
            let wanted = match lens {
                plumb_govern::lens::Lens::FrameworkAlignment if frameworks.is_empty() => &all,
                _ => frameworks,
            };
            let alignments = alignments(p, catalog, wanted)?;
            let view = p.lenses(&alignments).into_iter().find(|v| v.lens == *lens);
            let view = view.ok_or_else(|| GovernError::Input(format!("there is no lens `{lens}`")))?;
            plumb_report::lens_report(organization, &period, p.now, &view)
        }
        Report::Team(name) => {
            let sla = sla_by_team(&p.findings, from, to).into_iter().find(|t| t.team == *name).unwrap_or_default();
            let of = |f: &&Finding| f.team().map_or("nobody", TeamId::as_str) == name;
            let mine: Vec<Finding> = p.findings.iter().filter(of).cloned().collect();
            let expiring: Vec<_> = plumb_govern::decision::expiring(&p.decisions, 30, p.now).collect();
            plumb_report::team_digest(&Digest {
                team: name,
                period: &period,
                made_at: p.now,
                sla: &sla,
                queue: &queue(&mine, None, p.now),
                expiring: &expiring,
                pareto: &pareto(&mine),
            })
        }
        Report::Queue(team) => {
            let team = team.as_deref().map(TeamId::from);
            let who = team.as_ref().map_or("everybody", TeamId::as_str);
            plumb_report::engineer_queue(who, &queue(&p.findings, team.as_ref(), p.now), p.now)
        }
    })
}

/// Writes an evidence bundle of everything on the record, with the reports and the whole log, signed.
///
/// # Errors
/// The record fails or does not verify, a framework is not known, or the bundle cannot be written.
pub fn write_bundle(
    record: &Record,
    catalog: &Catalog,
    frameworks: &[String],
    organization: &str,
    from: Time,
    now: Time,
    key: &SealKey,
) -> Result<(Vec<u8>, Manifest), GovernError> {
    let p = Picture::read(record, catalog, now)?;
    let to = Time::from_seconds(now.seconds() + 1);
    let alignments = alignments(&p, catalog, frameworks)?;
    let fingerprint = key.public().fingerprint();
    let paths = worst_paths(record, catalog)?;
    let mut files = Vec::new();
    for (name, which) in [("leadership", Report::Leadership), ("audit-pack", Report::AuditPack(frameworks.to_vec()))] {
        let doc = report(&p, catalog, &which, organization, from, &fingerprint, &paths)?;
        let file = |ending: &str, media: &str, bytes| File {
            path: format!("reports/{name}.{ending}"),
            media: media.into(),
            bytes,
        };
        files.push(file("html", "text/html", plumb_report::html(&doc).into_bytes()));
        files.push(file("pdf", "application/pdf", plumb_report::pdf(&doc)));
    }
    let ledger: Vec<_> = p.ledger.values().collect();
    let estate = crate::accounts::current_estate(record, Some(now)).map_err(|e| GovernError::Input(e.to_string()))?;
    let inventory = plumb_discover::accounts_jsonl(&estate)
        .map(|line| serde_json::from_str(&line))
        .collect::<Result<Vec<serde_json::Value>, _>>()?;
    let populations = vec![
        Population::all(
            "inventory/accounts",
            "Every account any source knows, with who knows it since when",
            &inventory,
        )?,
        Population::all(
            "inventory/reconciliation",
            "Gaps between each pair of sources, with the reasons given",
            &estate.gaps,
        )?,
        Population::all("inventory/contradictions", "What sources say against each other", &estate.contradictions)?,
        Population::all(
            "inventory/data-claims",
            "Accounts with personal or regulated data, who says so, and what proves it",
            &crate::data_evidence::claims(record, &estate, now)?,
        )?,
        Population::all("accounts/accounts", "Accounts, those that could not be entered too", &p.accounts)?,
        Population::all("coverage/coverage", "What was judged, per account, region, kind and rule", &p.coverage)?,
        Population::all("exposure/ledger", "The public exposure ledger", &ledger)?,
        Population::all("exposure/plans", "Exposures planned before they were deployed", &super::plans(record)?)?,
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
    ];
    let (_, state) = log_state(record)?;
    let log = LogPart {
        start: Head::empty(),
        entries: entries(record, 0).collect::<Result<_, _>>()?,
        checkpoints: checkpoints(record)?,
        keys: state.keys,
    };
    let seed = state.head.hash.clone();
    let admins = p.directory.admin_approvers();
    let input = Input {
        scope: organization,
        from,
        to,
        made_at: now,
        product: concat!("plumb ", env!("CARGO_PKG_VERSION")),
        policy: &p.policy.version,
        findings: &p.findings,
        findings_in_system: p.findings.len(),
        transitions: &p.steps,
        decisions: &p.decisions,
        alignments: &alignments,
        populations,
        files,
        limits: p.limits(),
        admin_approvers: admins,
        seed: &seed,
        log,
    };
    Ok(bundle::write(&input, Vec::new(), key)?)
}
