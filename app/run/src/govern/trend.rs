//! Posture over time: what each cloud and each framework looked like at the end of a day's last scan, and how each layer of
//! the programme stands by itself.

use super::{Change, GovernError, Picture, commit};
use plumb_catalog::Catalog;
use plumb_govern::{framework::Standing, log, people::Actor};
use plumb_model::Time;
use plumb_record::Record;
use plumb_report::{Block, CloudPosture, Doc, FrameworkPosture, Layer, Trend, trend_report};
use std::collections::BTreeMap;

/// The collection trends are kept in, one document a day.
pub(super) const TRENDS: &str = "trend";

/// The posture at this moment.
fn posture(p: &Picture<'_>, catalog: &Catalog) -> Result<Trend, GovernError> {
    let provider: BTreeMap<&str, &str> = p.accounts.iter().map(|a| (a.id.as_str(), a.provider.as_str())).collect();
    let mut clouds: BTreeMap<String, CloudPosture> = BTreeMap::new();
    for a in &p.accounts {
        let cloud = clouds.entry(a.provider.clone()).or_default();
        cloud.accounts += 1;
        cloud.scanned += usize::from(a.state == "active");
    }
    for (account, sum) in &p.judged.accounts {
        let Some(name) = provider.get(account.as_str()) else { continue };
        let cloud = clouds.entry((*name).to_owned()).or_default();
        cloud.pass += sum.pass;
        cloud.fail += sum.fail;
        cloud.unknown += sum.unknown;
    }
    for (cloud, (open, points)) in p.open_by_cloud()? {
        let cloud = clouds.entry(cloud).or_default();
        (cloud.open, cloud.points) = (open, points);
    }
    let mut frameworks = BTreeMap::new();
    for id in catalog.frameworks().keys() {
        let Some(a) = p.align(catalog, id) else { continue };
        let n = |s: Standing| a.counts.get(&s).copied().unwrap_or(0);
        // A framework nothing of which was judged has no posture.
        if a.hygiene_percent.is_none() {
            continue;
        }
        frameworks.insert(
            id.to_string(),
            FrameworkPosture {
                controls: a.rows.len(),
                pass: n(Standing::Satisfied) + n(Standing::SatisfiedWithException) + n(Standing::Attested),
                fail: n(Standing::NotSatisfied),
                unknown: n(Standing::NotAssessed),
                manual: n(Standing::NeedsAttestation),
                not_applicable: n(Standing::NotApplicable),
                hygiene_percent: a.hygiene_percent,
            },
        );
    }
    Ok(Trend { v: 1, at: p.now, clouds, frameworks })
}

/// Keeps the posture after a scan; a later scan of the same day takes its place.
///
/// # Errors
/// The record fails.
pub fn keep_trend(record: &mut Record, catalog: &Catalog, now: Time) -> Result<(), GovernError> {
    let trend = posture(&Picture::read(record, catalog, now)?, catalog)?;
    let id = now.date();
    let version = record.document(TRENDS, &id)?.map_or(0, |(version, _)| version);
    let mut change = Change::default();
    let what = serde_json::json!({ "day": id });
    change.events.push(log::Event::done(&Actor::system("trend"), "trend.keep", ("trend", &id), what, now));
    change.put(TRENDS, &id, version, &trend)?;
    // Signed with what the scan's end says next.
    commit(record, None, &change, now)
}

/// The posture of the days from `from` on, and of this moment.
///
/// # Errors
/// The record fails.
pub fn trends(p: &Picture<'_>, catalog: &Catalog, organization: &str, from: Time) -> Result<Doc, GovernError> {
    let kept: Vec<Trend> = super::picture::collection(p.around.record, TRENDS)?;
    let mut days: Vec<Trend> = kept.into_iter().filter(|t| t.at >= from && t.at.date() != p.now.date()).collect();
    days.sort_by_key(|t| t.at);
    days.push(posture(p, catalog)?);
    Ok(trend_report(organization, &days))
}

/// Each of the five layers by itself, with what is missing in each: a programme is as good as its weakest layer, and one
/// number for all would hide which that is.
///
/// # Errors
/// The record fails.
pub fn layers(p: &Picture<'_>, catalog: &Catalog, organization: &str) -> Result<Doc, GovernError> {
    let one = |sql: &str| -> Result<i64, GovernError> {
        let table = p.around.record.query(sql)?;
        Ok(table.rows.first().and_then(|r| r.first()).and_then(serde_json::Value::as_i64).unwrap_or(0))
    };
    let now = posture(p, catalog)?;
    let sum = |f: &dyn Fn(&CloudPosture) -> u64| -> u64 { now.clouds.values().map(f).sum() };
    let (judged, unknown) = (sum(&|c| c.pass + c.fail), sum(&|c| c.unknown));
    let share = |part: u64, whole: u64| {
        (part * 100).checked_div(whole).map_or_else(|| "none".to_owned(), |percent| format!("{percent} %"))
    };
    let wide = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let open = |a: &&plumb_record::AccountRow| !matches!(a.state.as_str(), "closed" | "suspended");
    let known = p.accounts.iter().filter(open).count() + p.elsewhere.accounts.len();
    let scanned = p.accounts.iter().filter(open).filter(|a| a.state == "active").count();
    let governed = p.accounts.iter().filter(open).filter(|a| p.profile(&a.id).is_governed()).count();
    let sources: std::collections::BTreeSet<&String> =
        p.around.profiles.values().flat_map(|profile| &profile.sources).collect();
    let kinds = one("SELECT count(DISTINCT kind) FROM resources")?;
    let resources = one("SELECT count(*) FROM resources")?;
    let principals = one("SELECT count(*) FROM principals")?;
    let admins = one("SELECT count(*) FROM principals WHERE can_become_admin")?;
    let exposed = one(
        "SELECT count(*) FROM exposures WHERE class IN ('internet', 'internet-authenticated', 'limited', 'cross-account')",
    )?;
    let unsure = one("SELECT count(*) FROM exposures WHERE class = 'unknown'")?;
    let ways = one("SELECT count(*) FROM paths WHERE gone IS NULL")?;
    let approved = p.ledger.values().filter(|e| e.state == plumb_govern::ledger::ExposureState::Approved).count();
    let register = p.register()?;
    let in_force = p.decisions.iter().filter(|d| d.holds(p.now)).count();
    let overdue = p.cadence.iter().filter(|d| d.overdue).count();
    let (open_findings, owned) = {
        let (mut all, mut owned) = (0u64, 0u64);
        p.each(|_, life| {
            if life.finding.state().is_open() {
                all += 1;
                owned += u64::from(life.finding.team().is_some() || life.finding.person().is_some());
            }
            Ok(())
        })?;
        (all, owned)
    };
    let layer = |name: &str, asks: &str, facts: Vec<(&str, String)>, gaps: Vec<(bool, String)>| Layer {
        name: name.into(),
        asks: asks.into(),
        facts: facts.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        gaps: gaps.into_iter().filter(|(there, _)| *there).map(|(_, words)| words).collect(),
    };
    let layers = vec![
        layer(
            "Discover",
            "Is every account on one list?",
            vec![
                ("Accounts known", known.to_string()),
                ("Sources read", sources.len().to_string()),
                ("Entered by the last scan", share(wide(scanned), wide(known))),
                ("With owner, purpose, tier and data", share(wide(governed), wide(known))),
            ],
            vec![
                (scanned < known, format!("{} accounts are known and were not entered", known - scanned)),
                (
                    governed < known,
                    format!("{} accounts lack an owner, a purpose, a tier or a data class", known - governed),
                ),
                (
                    sources.len() < 2,
                    "one source alone cannot show what it does not list; bills and sign-ins are not read".into(),
                ),
            ],
        ),
        layer(
            "Baseline",
            "Is what runs set up as it should be?",
            vec![
                ("Rules", catalog.rules.len().to_string()),
                ("Kinds that have resources", format!("{kinds} of {} known", catalog.kinds.len())),
                ("Resources", resources.to_string()),
                ("Checks with a verdict", share(judged, judged + unknown)),
                ("Of these passing", share(sum(&|c| c.pass), judged)),
            ],
            vec![(
                unknown > 0,
                format!("{unknown} checks could not look; `plumb coverage --gaps` says what they lack"),
            )],
        ),
        layer(
            "Identity and exposure",
            "Who can do what, and what can be reached?",
            vec![
                ("Principals", principals.to_string()),
                ("Can become administrators", admins.to_string()),
                ("Reachable from outside", exposed.to_string()),
                ("Ways in to something that matters", ways.to_string()),
            ],
            vec![
                (principals == 0, "no principals were read, so nothing is said about them".into()),
                (unsure > 0, format!("the reach of {unsure} resources could not be told")),
            ],
        ),
        layer(
            "Score",
            "What comes first?",
            vec![
                ("Open findings", open_findings.to_string()),
                ("Risk carried", plumb_report::points(p.open_points()?)),
            ],
            vec![(
                p.around.profiles.values().any(|x| x.data.is_empty()),
                "where the data class of an account is not on record its findings are scored as unknown data".into(),
            )],
        ),
        layer(
            "Govern",
            "Is it decided, done and proven?",
            vec![
                ("Open findings with an owner", share(owned, open_findings)),
                ("Decisions in force", in_force.to_string()),
                (
                    "Exposures approved",
                    format!(
                        "{approved} of {}",
                        p.ledger.values().filter(|e| e.state != plumb_govern::ledger::ExposureState::Retired).count()
                    ),
                ),
                ("Promises overdue", format!("{overdue} of {}", p.cadence.len())),
            ],
            vec![
                (owned < open_findings, format!("{} open findings belong to nobody", open_findings - owned)),
                (overdue > 0, format!("{overdue} promises of the programme are overdue")),
                (
                    !register.expired_unrenewed.is_empty(),
                    format!("{} decisions ran out and were not renewed", register.expired_unrenewed.len()),
                ),
            ],
        ),
    ];
    let mut doc = plumb_report::layer_report(organization, p.now, &layers);
    doc.blocks.push(Block::Note(
        "Each figure is counted from the record; `plumb query` and the commands named give the rows behind it.".into(),
    ));
    Ok(doc)
}

impl Picture<'_> {
    /// What is known about an account beside what it answers itself.
    pub fn profile(&self, account: &str) -> super::Profile {
        self.around.profile(account)
    }

    /// Open findings and their points by cloud, as the rule's id begins; the programme's own under `governance`.
    fn open_by_cloud(&self) -> Result<BTreeMap<String, (u64, i64)>, GovernError> {
        let mut out: BTreeMap<String, (u64, i64)> = BTreeMap::new();
        for carried in self.carried()?.iter().filter(|c| c.state.is_open()) {
            let slot = out.entry(carried.cloud.clone()).or_default();
            slot.0 += u64::try_from(carried.n).unwrap_or(0);
            slot.1 += carried.points;
        }
        Ok(out)
    }
}
