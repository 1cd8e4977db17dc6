//! The three lenses auditors read through, as lists of what they would flag.

use crate::cadence::Due;
use crate::decision::{Decision, Draft, Kind, Origin, Status, Unmatched};
use crate::emergency::Emergency;
use crate::framework::{Alignment, Standing};
use crate::ids::{HumanId, TeamId, named};
use crate::ledger::{Exposure, ExposureState};
use crate::people::Directory;
use crate::policy::{DataClass, Policy, Tier};
use crate::review::{Campaign, Outcome};
use plumb_model::Time;
use std::collections::{BTreeMap, BTreeSet};

/// What an auditor looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lens {
    /// Is everything on the record that should be?
    Coverage,
    /// Has every decision a basis, an owner, an end and a trigger?
    DecisionDurability,
    /// Does the record satisfy the controls?
    FrameworkAlignment,
}
named!(Lens, "lens", {
    Coverage => "coverage", DecisionDurability => "decision-durability", FrameworkAlignment => "framework-alignment",
});

/// Something an auditor would flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Flag {
    /// What kind: `not-in-organization`, `no-owner`, `expired`, …
    pub what: String,
    /// Which object.
    pub object: String,
    /// Why it is flagged, and what would settle it.
    pub why: String,
}

/// One lens and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct View {
    /// The lens.
    pub lens: Lens,
    /// What was looked at: `61 accounts`, `4 sources`.
    pub looked_at: Vec<String>,
    /// What would be flagged, by kind and object.
    pub flags: Vec<Flag>,
}

fn view(lens: Lens, looked_at: Vec<String>, mut flags: Vec<Flag>) -> View {
    flags.sort();
    View { lens, looked_at, flags }
}

fn flag(what: &str, object: impl ToString, why: impl Into<String>) -> Flag {
    Flag { what: what.into(), object: object.to_string(), why: why.into() }
}

/// How an account's scans go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScanState {
    /// Never.
    Never,
    /// In full.
    Ok,
    /// Some calls were refused.
    Partial,
    /// Broken.
    Failing,
    /// No access.
    Blocked,
}
named!(ScanState, "scan state", {
    Never => "never", Ok => "ok", Partial => "partial", Failing => "failing", Blocked => "blocked",
});

/// What the coverage lens needs to know about an account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AccountRow {
    /// Provider and number: `aws:123456789012`.
    pub account: String,
    /// Its name.
    pub name: String,
    /// The sources that know it: `org-root`, `billing`, `landing-zone`, `idp-federation`, …
    pub sources: BTreeSet<String>,
    /// The owning person.
    #[serde(default)]
    pub owner: Option<HumanId>,
    /// The owning team.
    #[serde(default)]
    pub team: Option<TeamId>,
    /// Why it exists.
    #[serde(default)]
    pub purpose: String,
    /// Its tier.
    pub tier: Tier,
    /// Its data.
    pub data: BTreeSet<DataClass>,
    /// How its scans go.
    pub scan: ScanState,
    /// When its entry was last reviewed.
    #[serde(default)]
    pub reviewed_at: Option<Time>,
    /// Closed or suspended accounts are looked at only for their presence.
    #[serde(default)]
    pub closed: bool,
}

/// The inventory against the organization's root, the bill and the other sources. `read` says which sources were read at
/// all: a source nobody read proves nothing. `reasons` are the gaps somebody gave a reason for: account and source.
pub fn coverage(
    accounts: &[AccountRow],
    read: &BTreeSet<String>,
    reasons: &BTreeSet<(String, String)>,
    directory: &Directory,
    now: Time,
) -> View {
    let mut flags = Vec::new();
    for source in ["org-root", "billing"] {
        if !read.contains(source) {
            flags.push(flag("source-not-read", source, "the inventory cannot be reconciled without it; connect it"));
        }
    }
    for a in accounts.iter().filter(|a| !a.closed) {
        let name = &a.account;
        let lacks = |source: &str| {
            let explained = || reasons.contains(&(name.clone(), source.to_owned()));
            read.contains(source) && !a.sources.contains(source) && !explained()
        };
        if lacks("org-root") {
            let by = a.sources.iter().cloned().collect::<Vec<_>>().join(", ");
            flags.push(flag(
                "not-in-organization",
                name,
                format!("known only by {by}; bring it under the root, or record a reason"),
            ));
        }
        if lacks("billing") {
            flags.push(flag("not-billed", name, "the bill does not know it; find who pays, or record a reason"));
        }
        if lacks("landing-zone") {
            flags.push(flag(
                "outside-landing-zone",
                name,
                "not vended by the landing zone; enrol it, or record a reason",
            ));
        }
        match &a.owner {
            None => flags.push(flag("no-owner", name, "nobody answers for it; name a person")),
            Some(o) if directory.person(o).is_none_or(|p| !p.active) => {
                flags.push(flag("ownership-lapsed", name, format!("{o} has left; name another person")));
            }
            Some(_) => {}
        }
        if a.purpose.trim().chars().count() < 10 {
            flags.push(flag("no-purpose", name, "why it exists is not on record"));
        }
        if a.tier == Tier::Unknown {
            flags.push(flag("no-tier", name, "its tier is not on record; it is treated as worse than staging"));
        }
        if a.data.is_empty() || a.data.contains(&DataClass::Unknown) {
            flags.push(flag("no-data-class", name, "whether it holds regulated data is not on record"));
        }
        match a.scan {
            ScanState::Ok => {}
            ScanState::Never => flags.push(flag("never-scanned", name, "not assessed: nothing is claimed about it")),
            ScanState::Partial => flags.push(flag("partly-scanned", name, "some calls were refused; see the limits")),
            ScanState::Failing | ScanState::Blocked => {
                flags.push(flag("scan-failing", name, "its last scans did not finish"))
            }
        }
        let every = if a.tier == Tier::Tier1 { 90 } else { 180 };
        if a.reviewed_at.is_none_or(|at| now.days_since(at) > every) {
            let why = match a.reviewed_at {
                Some(at) => format!("its entry was last reviewed on {}, {every} days is the most", at.date()),
                None => "its entry was never reviewed".into(),
            };
            flags.push(flag("review-overdue", name, why));
        }
    }
    let looked_at = vec![
        format!("{} accounts", accounts.len()),
        format!("{} sources: {}", read.len(), read.iter().cloned().collect::<Vec<_>>().join(", ")),
    ];
    view(Lens::Coverage, looked_at, flags)
}

/// What the durability lens reads.
#[derive(Debug, Clone, Copy)]
pub struct Decisions<'a> {
    /// The register.
    pub register: &'a [Decision],
    /// Requests that were never completed: skips in code, other tools' mute lists.
    pub drafts: &'a [Draft],
    /// The exposure ledger.
    pub ledger: &'a BTreeMap<String, Exposure>,
    /// Access reviews.
    pub campaigns: &'a [Campaign],
    /// Decisions that cover nothing.
    pub unmatched: &'a [Unmatched],
    /// Where the programme's promises stand.
    pub cadence: &'a [Due],
    /// Emergency sessions.
    pub emergencies: &'a [Emergency],
}

/// Whether each exception, exposure and access decision has a basis, an owner, an end and a trigger.
pub fn durability(d: &Decisions<'_>, directory: &Directory, policy: &Policy, now: Time) -> View {
    let mut flags = Vec::new();
    let active = |h: &HumanId| directory.person(h).is_some_and(|p| p.active);
    for x in d.register.iter().filter(|x| x.status == Status::InForce) {
        for p in x.flaws(policy) {
            flags.push(flag("incomplete", &x.number, p.to_string()));
        }
        if !x.holds(now) && x.expires_at().is_none_or(|end| end <= now) {
            flags.push(flag("expired", &x.number, "its end has passed and it is still in force"));
        }
        if x.draft.owner.as_ref().is_some_and(|o| !active(o)) {
            flags.push(flag("ownership-lapsed", &x.number, "its owner has left; name another person or revoke it"));
        }
        if x.renewals >= 3 {
            flags.push(flag(
                "renewed-often",
                &x.number,
                format!("prolonged {} times: no exception any more, but the rule", x.renewals),
            ));
        }
    }
    for x in d.register.iter().filter(|x| x.status == Status::Requested && now.days_since(x.requested_at) > 7) {
        flags.push(flag("undecided", &x.number, format!("waits since {}", x.requested_at.date())));
    }
    for x in d.drafts {
        let (what, object) = match &x.origin {
            Origin::Inline { file, line, .. } => ("only-in-code", format!("{file}:{line}")),
            Origin::Import { tool, place } => ("only-in-another-tool", format!("{tool} {place}")),
            Origin::Person => ("never-submitted", x.kind.to_string()),
        };
        let missing: Vec<_> = x.lacks().into_iter().map(|p| p.field).collect();
        flags.push(flag(what, object, format!("decided outside the record; it lacks {}", missing.join(", "))));
    }
    for e in d.emergencies.iter().filter(|e| e.review.is_none()) {
        let what = if e.is_overdue(now) { "emergency-review-overdue" } else { "emergency-not-reviewed" };
        let said = format!("{} acted beyond their role from {}: {}", e.human, e.opened_at.date(), e.reason);
        flags.push(flag(what, &e.id, format!("{said}; another approver looks at it by {}", e.review_due().date())));
    }
    for u in d.unmatched {
        flags.push(flag("covers-nothing", &u.number, u.advice.clone()));
    }
    for e in d.ledger.values() {
        match (&e.state, &e.warrant) {
            (ExposureState::Approved, None) => {
                flags.push(flag("no-basis", &e.id, "approved without a reason on record"))
            }
            (ExposureState::Approved, Some(w)) if w.expires_at <= now => {
                flags.push(flag("expired", &e.id, "its approval ran out"))
            }
            (ExposureState::Detected, _) => flags.push(flag(
                "exposure-undecided",
                &e.id,
                format!("reachable since {} and nobody decided", e.first_seen.date()),
            )),
            (ExposureState::NotApproved, _) => flags.push(flag(
                "exposure-refused",
                &e.id,
                format!("refused on {} and still reachable", e.since.date()),
            )),
            _ => {}
        }
        if let Some(why) = e.flag() {
            flags.push(flag("no-compensating-control", &e.id, why));
        }
        if e.state != ExposureState::Retired && !e.is_proven() {
            flags.push(flag("exposure-unproven", &e.id, "no hops on record that show how it is reached"));
        }
    }
    for c in d.campaigns {
        let p = c.progress();
        if c.closed_at.is_none() && c.due_at < now {
            flags.push(flag(
                "review-overdue",
                &c.name,
                format!("{} of {} accesses decided, due {}", p.decided, p.items, c.due_at.date()),
            ));
        }
        for (id, item) in c.items.iter().filter(|(_, i)| i.outcome == Outcome::NotVerified) {
            let by = item.verify_by.map(Time::date).unwrap_or_default();
            flags.push(flag("removal-not-verified", id, format!("decided, and still there after {by}")));
        }
        if p.orphaned > 0 {
            flags.push(flag("no-reviewer", &c.name, format!("{} accesses have nobody to review them", p.orphaned)));
        }
    }
    for due in d.cadence.iter().filter(|c| c.overdue && c.subject.is_empty()) {
        flags.push(flag("promise-overdue", &due.promise, format!("{}: {} days late", due.title, due.late_days)));
    }
    let exceptions = d.register.iter().filter(|x| x.holds(now) && x.draft.kind != Kind::AccessRetain).count();
    let looked_at = vec![
        format!("{exceptions} decisions in force"),
        format!("{} exposures", d.ledger.values().filter(|e| e.state != ExposureState::Retired).count()),
        format!("{} access reviews", d.campaigns.len()),
    ];
    view(Lens::DecisionDurability, looked_at, flags)
}

/// Whether the record satisfies the controls, and how thin the automated part is.
pub fn alignment(alignments: &[Alignment]) -> View {
    let mut flags = Vec::new();
    for a in alignments {
        for r in &a.rows {
            let object = format!("{} {}", a.framework, r.control.id);
            match r.standing {
                Standing::NotSatisfied => flags.push(flag("not-satisfied", &object, r.why.clone())),
                Standing::NotAssessed => flags.push(flag("not-assessed", &object, r.why.clone())),
                Standing::NeedsAttestation => flags.push(flag("no-attestation", &object, r.why.clone())),
                Standing::SatisfiedWithException => flags.push(flag("by-exception", &object, r.why.clone())),
                Standing::Attested | Standing::NotApplicable | Standing::Satisfied => {}
            }
            if r.standing == Standing::Satisfied && !r.silent.is_empty() {
                let (n, all) = (r.evaluated.len(), r.evaluated.len() + r.silent.len());
                flags.push(flag("thin-evidence", &object, format!("{n} of {all} rules had anything to judge")));
            }
        }
    }
    let looked_at = alignments.iter().map(|a| format!("{}: {} controls", a.framework, a.rows.len())).collect();
    view(Lens::FrameworkAlignment, looked_at, flags)
}
