//! The four reports, from the record's values.

use crate::chart::Bar;
use crate::doc::{Block, Cell, Doc, Figure, Tone};
use plumb_govern::bundle::Limit;
use plumb_govern::cadence::Due;
use plumb_govern::decision::{Decision, Register};
use plumb_govern::finding::{Finding, Impact, ImpactTally, Pareto, Queue, RiskMove, TeamSla};
use plumb_govern::framework::{Alignment, Standing};
use plumb_govern::ledger::NetChange;
use plumb_govern::lens::View;
use plumb_model::Time;

/// Points as people read them: tenths behind a dot; from a thousand on whole ones, in groups of three.
pub fn points(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let all = tenths.unsigned_abs();
    if all < 10_000 {
        return format!("{sign}{}.{}", all / 10, all % 10);
    }
    let digits = ((all + 5) / 10).to_string();
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// What a finding is, short enough for a row: the resource and the first thing that decided.
fn brief(f: &Finding) -> String {
    let mut reasons = f.facts.why.split("; ");
    // `observed; wanted expected` is one reason in two parts.
    let first = [reasons.next(), reasons.next()].into_iter().flatten().collect::<Vec<_>>().join("; ");
    // What a rule computes on its way says less than what it is about.
    if first.contains('(') || first.starts_with("step ") {
        return format!("{}: not so: {}", f.facts.name, f.facts.title);
    }
    let more = reasons.count() / 2;
    let mut words: String = first.chars().take(110).collect();
    if words.len() < first.len() {
        words.push('…');
    }
    match more {
        0 => format!("{}: {words}", f.facts.name),
        n => format!("{}: {words} (and {n} more)", f.facts.name),
    }
}

fn signed(n: i64) -> String {
    if n > 0 { format!("+{n}") } else { n.to_string() }
}

fn signed_points(n: i64) -> String {
    if n > 0 { format!("+{}", points(n)) } else { points(n) }
}

fn figure(label: &str, value: impl ToString, note: impl Into<String>, tone: Tone) -> Figure {
    Figure { label: label.into(), value: value.to_string(), note: note.into(), tone }
}

fn counted(n: impl TryInto<u64>, one: &str, many: &str) -> String {
    let n = n.try_into().unwrap_or(u64::MAX);
    format!("{n} {}", if n == 1 { one } else { many })
}

fn tone(bad: bool) -> Tone {
    if bad { Tone::Bad } else { Tone::Plain }
}

fn bar(label: &str, value: i64, shown: String, tone: Tone) -> Bar {
    Bar { label: label.into(), value, shown, tone }
}

fn heading(text: &str) -> Block {
    Block::Heading(text.into())
}

fn table(columns: &[(&str, u16)], rows: Vec<Vec<Cell>>, empty: &str) -> Block {
    Block::Table {
        columns: columns.iter().map(|c| c.0.into()).collect(),
        widths: columns.iter().map(|c| c.1).collect(),
        rows,
        empty: empty.into(),
    }
}

/// The accounts, for a reader who wants to know what is outside.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Accounts {
    /// Known from any source.
    pub known: usize,
    /// With owner, purpose, tier and data class.
    pub governed: usize,
    /// Scanned in full in the period.
    pub scanned: usize,
    /// Outside governance: which, and why.
    pub outside: Vec<(String, String)>,
}

/// What was judged, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Coverage {
    /// Checks with a verdict.
    pub judged: u64,
    /// Checks that could not look.
    pub unknown: u64,
    /// Why not: `needs kms:GetKeyPolicy`, with how many checks it cost.
    pub reasons: Vec<(String, u64)>,
}

impl Coverage {
    /// Judged, of all checks that should have been; in per cent, rounded down. None when nothing was asked.
    pub fn percent(&self) -> Option<u64> {
        let all = self.judged + self.unknown;
        (all > 0).then(|| self.judged * 100 / all)
    }
}

/// What the leadership read is made of.
#[derive(Debug, Clone)]
pub struct Leadership<'a> {
    /// The organization.
    pub organization: &'a str,
    /// `Q3 2026`.
    pub period: &'a str,
    /// When the report was made.
    pub made_at: Time,
    /// When the first scan of the record was: what was carried before it was not measured.
    pub begun: Time,
    /// When the period begins, or the measuring, whichever is later.
    pub from: Time,
    /// Risk carried and what moved it.
    pub risk: &'a RiskMove,
    /// What the open work may lead to.
    pub impact: &'a ImpactTally,
    /// Risk carried at earlier moments: label and points, oldest first.
    pub history: &'a [(String, i64)],
    /// The worst attack paths, in words; the first five are shown.
    pub paths: &'a [String],
    /// The ledger's net change.
    pub ledger: NetChange,
    /// Standing by team, worst first.
    pub teams: &'a [TeamSla],
    /// The accounts.
    pub accounts: &'a Accounts,
    /// Where the programme's promises stand, most overdue first.
    pub cadences: &'a [Due],
    /// The register.
    pub register: &'a Register,
    /// What was judged.
    pub coverage: &'a Coverage,
    /// The few rules that make the work.
    pub pareto: &'a Pareto,
}

/// Why a check could not look, as people say it who do not know the providers' calls.
fn plain(why: &str) -> String {
    let (what, more) = why.split_once(" (").map_or((why, ""), |(what, more)| (what, more.trim_end_matches(')')));
    match what.split_once(": ") {
        None => what.strip_prefix("needs ").map_or_else(|| what.into(), |p| format!("the permission {p}")),
        Some(("not-asked", _)) if !more.is_empty() => more.into(),
        Some(("broken", call)) => format!("an answer of {call}, which failed"),
        Some((class, call)) if class.starts_with("throttled") => format!("an answer of {call}, which was throttled"),
        Some(_) => what.into(),
    }
}

/// The leadership read: risk carried and what moved it, worst paths, ledger, due dates by team, what is outside, what is
/// overdue, and what nobody could look at.
pub fn leadership(l: &Leadership<'_>) -> Doc {
    let r = l.risk;
    let delta = r.after - r.before;
    let covered = l.coverage.percent().map_or_else(|| "none".into(), |p| format!("{p} %"));
    let overdue: Vec<_> = l.cadences.iter().filter(|c| c.overdue).collect();
    let late: usize = l.teams.iter().map(|t| t.overdue).sum();
    let open: usize = l.teams.iter().map(|t| t.open).sum();
    let unscanned = l.accounts.known.saturating_sub(l.accounts.scanned);
    let late_begin = l.begun >= l.from;
    let since = |moved: String| {
        if late_begin {
            format!("{moved} since it was first measured on {}", l.begun.date())
        } else {
            format!("{moved} since the period began")
        }
    };
    // Nothing was looked at: a zero would be a claim.
    let unlooked = l.coverage.judged == 0 && l.coverage.unknown == 0 && open == 0 && r.before == 0 && r.after == 0;
    let carried = if unlooked { "not measured".to_owned() } else { points(r.after) };
    let because = if unlooked { "no scan has read anything yet".to_owned() } else { since(signed_points(delta)) };
    let mut blocks = vec![Block::Figures(vec![
        figure(
            "Risk carried",
            carried,
            because,
            match delta {
                0 => Tone::Plain,
                d if d > 0 => Tone::Bad,
                _ => Tone::Good,
            },
        ),
        figure("Risk burned", points(r.burned), "by fixes that a run has verified", Tone::Plain),
        figure("Past due", late, format!("of {open} open findings"), tone(late > 0)),
        figure(
            "Judged",
            covered,
            format!(
                "{}; {} not scanned",
                counted(l.coverage.unknown, "check could not look", "checks could not look"),
                counted(unscanned, "account", "accounts")
            ),
            if l.coverage.unknown > 0 || unscanned > 0 { Tone::Warn } else { Tone::Plain },
        ),
    ])];
    let mut charts = Vec::new();
    if !unlooked {
        charts.push(Block::Steps {
            title: "What moved the risk".into(),
            bars: vec![
                bar("before", r.before, points(r.before), Tone::Plain),
                bar("arrived", r.arrived, signed_points(r.arrived), Tone::Bad),
                bar("burned", -r.burned, signed_points(-r.burned), Tone::Good),
                bar("gone", -r.vanished, signed_points(-r.vanished), Tone::Good),
                bar("decided", -r.decided, signed_points(-r.decided), Tone::Warn),
                bar("now", r.after, points(r.after), Tone::Plain),
            ],
        });
    }
    if l.history.len() > 1 && !unlooked {
        charts.push(Block::Line { title: "Risk carried over time".into(), points: l.history.to_vec() });
    }
    if !charts.is_empty() {
        blocks.push(Block::Charts(charts));
    }
    if !unlooked {
        let said = Impact::ALL.map(|impact| {
            let (n, carried) = l.impact.of(impact);
            format!("{}: {n} open, {} carried", impact.words(), points(carried))
        });
        blocks.push(Block::Text(format!("{}.", said.join(". "))));
    }
    blocks.push(heading("The worst ways in"));
    if unlooked {
        blocks.push(Block::Text("Nobody has looked for ways in yet.".into()));
    } else if l.paths.is_empty() {
        blocks.push(Block::Text(
            "No path from the internet to something that matters was found in what could be looked at.".into(),
        ));
    } else {
        blocks.push(Block::List(l.paths.iter().take(5).cloned().collect()));
    }
    let n = l.ledger;
    blocks.push(heading("Public exposure"));
    let first_look = late_begin && n.retired == 0 && n.added == n.after;
    let moved = if first_look {
        format!("first looked at on {}", l.begun.date())
    } else {
        format!("{}: {} came, {} went", since(signed(n.net())), n.added, n.retired)
    };
    let bare = match n.uncarried {
        0 => String::new(),
        few => format!(" ({few} with no compensating control that holds)"),
    };
    let exposure = format!(
        "{} can be reached from outside, {moved}. {} approved{bare}, {} no approval, {} older than a year.",
        counted(n.after, "resource", "resources"),
        counted(n.approved, "is", "are"),
        counted(n.open, "has", "have"),
        counted(n.older_than_a_year, "is", "are")
    );
    let unseen = "Nobody has looked at what can be reached from outside yet.";
    blocks.push(Block::Text(if unlooked && n.after == 0 { unseen.into() } else { exposure }));
    blocks.push(heading("Teams against their due dates"));
    let team = |t: &TeamSla| {
        vec![
            Cell::text(&t.team),
            Cell::number(t.open),
            Cell::number(t.overdue).toned(Tone::Bad, t.overdue > 0),
            Cell::number(t.due_soon),
            Cell::number(t.in_time_percent().map_or_else(|| "none closed".into(), |p| format!("{p} %"))),
            Cell::number(t.median_fix_seconds.map_or_else(String::new, |s| format!("{} d", s / 86_400))),
            Cell::number(points(t.points)),
            Cell::number(points(t.burned)),
        ]
    };
    let columns = [
        ("Team", 24),
        ("Open", 9),
        ("Past due", 11),
        ("Due in 7 d", 12),
        ("In time", 13),
        ("Median fix", 12),
        ("Carried", 11),
        ("Burned", 11),
    ];
    blocks.push(table(&columns, l.teams.iter().take(6).map(team).collect(), "No team has findings."));
    blocks.push(heading("Outside governance"));
    let a = l.accounts;
    blocks.push(Block::Text(format!(
        "{} of {} known accounts have an owner, a purpose, a tier and a data class on record.",
        a.governed, a.known
    )));
    if !a.outside.is_empty() {
        let more = a.outside.len().saturating_sub(4);
        let mut words: Vec<_> = a.outside.iter().take(4).map(|(n, w)| format!("{n}: {w}")).collect();
        if more > 0 {
            words.push(format!("and {more} more"));
        }
        blocks.push(Block::Text(format!("Outside: {}.", words.join("; "))));
    }
    blocks.push(heading(&format!("Promises that are overdue: {}", overdue.len())));
    let rows = overdue.iter().take(3).map(|c| {
        let what = if c.subject.is_empty() { c.title.clone() } else { format!("{} ({})", c.title, c.subject) };
        vec![
            Cell::text(what),
            Cell::text(c.last.map_or_else(|| "never".into(), Time::date)),
            Cell::number(format!("{} d", c.late_days)).toned(Tone::Bad, true),
        ]
    });
    blocks.push(table(
        &[("What", 66), ("Last", 20), ("Late", 14)],
        rows.collect(),
        "Nothing the programme promised is overdue.",
    ));
    blocks.push(heading("Decisions"));
    let g = l.register;
    let in_force: usize = g.in_force.iter().filter(|(k, _)| k.starts_with("kind:")).map(|(_, n)| n).sum();
    blocks.push(Block::Text(if in_force == 0 && g.expired_unrenewed.is_empty() {
        "No decision is in force: no open risk is accepted or deferred.".into()
    } else {
        format!(
        "{} {}.{} % of the open risk. {} within 30 days, {} ran out unrenewed, {} prolonged three times or more, {} lost their owner.",
        counted(in_force, "decision in force covers", "decisions in force cover"),
        g.share_permille / 10, g.share_permille % 10, counted(g.expiring.len(), "ends", "end"), g.expired_unrenewed.len(), counted(g.renewed_often.len(), "was", "were"), counted(g.orphaned.len(), "has", "have")
        )
    }));
    if let Some(top) = l.pareto.rules.first() {
        blocks.push(Block::Text(format!(
            "{} of {} rules make 80 % of the open findings; the first is {} with {}.",
            l.pareto.rules_for_80_percent,
            l.pareto.rules.len(),
            top.name,
            top.findings
        )));
    }
    blocks.push(heading("What nobody could look at"));
    let reasons: Vec<_> = l.coverage.reasons.iter().take(5).map(|(why, n)| format!("{} ({n})", plain(why))).collect();
    blocks.push(Block::Text(if l.coverage.unknown == 0 && l.coverage.judged == 0 {
        "Nothing was judged in this period.".into()
    } else if l.coverage.unknown == 0 {
        "Every check that was asked gave a verdict.".into()
    } else {
        format!("{} checks gave no verdict; what they lack: {}.", l.coverage.unknown, reasons.join(", "))
    }));
    blocks.push(Block::Note("Risk is the sum of stacked scores over open, undecided findings. Unknown is never counted as passed. This is a record of the control plane; it sees no runtime traffic and no data.".into()));
    Doc {
        v: 1,
        title: format!("Cloud posture, {}", l.period),
        subtitle: format!("{}. Made on {}.", l.organization, l.made_at.date()),
        footer: format!("{}, {}", l.organization, l.period),
        blocks,
    }
}

/// What the audit pack is made of.
#[derive(Debug, Clone)]
pub struct AuditPack<'a> {
    /// The scope.
    pub scope: &'a str,
    /// `2026-07-01 to 2026-09-30`.
    pub period: &'a str,
    /// When it was made.
    pub made_at: Time,
    /// The three lenses.
    pub lenses: &'a [View],
    /// The frameworks.
    pub alignments: &'a [Alignment],
    /// Where none was named: every framework, by title.
    pub summary: &'a [(String, Alignment)],
    /// The register.
    pub decisions: &'a [Decision],
    /// What is not known.
    pub limits: &'a [Limit],
    /// The signing key's fingerprint.
    pub key: &'a str,
}

/// How the controls of every framework stand, a row each.
fn standings(summary: &[(String, Alignment)]) -> Vec<Block> {
    let (judged, silent): (Vec<_>, Vec<_>) = summary.iter().partition(|(_, a)| a.hygiene_percent.is_some());
    let row = |(title, a): &&(String, Alignment)| {
        let n = |s: Standing| a.counts.get(&s).copied().unwrap_or(0);
        vec![
            Cell::text(format!("{title} ({})", a.framework)),
            Cell::number(a.rows.len()),
            Cell::number(n(Standing::Satisfied)),
            Cell::number(n(Standing::SatisfiedWithException)),
            Cell::number(n(Standing::NotSatisfied)).toned(Tone::Bad, n(Standing::NotSatisfied) > 0),
            Cell::number(n(Standing::NotAssessed)),
            Cell::number(n(Standing::NeedsAttestation)),
            Cell::number(n(Standing::Attested)),
            Cell::number(n(Standing::NotApplicable)),
            Cell::number(a.hygiene_percent.map_or_else(|| "none".into(), |p| format!("{p} %"))),
        ]
    };
    let columns = [
        ("Framework", 28),
        ("Controls", 9),
        ("Pass", 6),
        ("By exc.", 8),
        ("Fail", 6),
        ("Unknown", 9),
        ("Manual", 7),
        ("Attested", 9),
        ("Not there", 10),
        ("Hygiene", 8),
    ];
    let mut blocks =
        vec![table(&columns, judged.iter().map(row).collect(), "Nothing that a framework speaks about was judged.")];
    if !silent.is_empty() {
        let ids: Vec<&str> = silent.iter().map(|(_, a)| a.framework.as_str()).collect();
        blocks.push(Block::Text(format!(
            "Not assessed, because nothing they speak about was looked at: {}.",
            ids.join(", ")
        )));
    }
    blocks.push(Block::Note(
        "Controls by standing. Manual controls wait for a person's attestation; \"not there\" are controls about what was \
         proven not to be there; unknown is never counted as passed. Hygiene is a share of checks; it is neither risk nor \
         compliance. Control by control, with what an auditor would flag: name frameworks with --framework."
            .into(),
    ));
    blocks
}

/// Every framework on one page, for who named none: how its controls stand.
pub fn alignment_summary(scope: &str, period: &str, made_at: Time, summary: &[(String, Alignment)]) -> Doc {
    let failing = summary.iter().filter(|(_, a)| a.counts.get(&Standing::NotSatisfied).is_some_and(|n| *n > 0)).count();
    let judged = summary.iter().filter(|(_, a)| a.hygiene_percent.is_some()).count();
    let mut blocks = vec![Block::Text(format!(
        "{judged} of {} frameworks speak about something that was judged; {failing} have controls that are not satisfied.",
        summary.len()
    ))];
    blocks.extend(standings(summary));
    Doc {
        v: 1,
        title: format!("Framework alignment: {scope}"),
        subtitle: format!("{period}. Made on {}.", made_at.date()),
        footer: format!("Framework alignment, {scope}, {period}"),
        blocks,
    }
}

/// The audit pack: the three lenses, the frameworks with every control, the register, and the limits.
pub fn audit_pack(a: &AuditPack<'_>) -> Doc {
    let mut blocks = vec![
        Block::Text("What an auditor would flag comes first, by the three lenses audits read through. The evidence bundle holds every row behind these pages and can be verified without the product.".into()),
        Block::Note(format!("Signing key: {}", a.key)),
    ];
    for view in a.lenses {
        blocks.push(heading(&format!("Lens: {}", view.lens.name().replace('-', " "))));
        if view.looked_at.is_empty() && !a.summary.is_empty() {
            blocks.extend(standings(a.summary));
            continue;
        }
        blocks.push(Block::Text(format!("Looked at {}. Flags: {}.", view.looked_at.join(", "), view.flags.len())));
        let rows = view
            .flags
            .iter()
            .map(|f| vec![Cell::text(f.what.replace('-', " ")), Cell::text(&f.object), Cell::text(&f.why)]);
        blocks.push(table(&[("Flag", 20), ("Object", 34), ("Why", 46)], rows.collect(), "Nothing to flag."));
    }
    for al in a.alignments {
        blocks.push(heading(&format!("Framework: {}", al.framework)));
        let hygiene =
            al.hygiene_percent.map_or_else(|| "nothing was judged".into(), |p| format!("{p} % of checks pass"));
        blocks.push(Block::Text(format!(
            "Hygiene: {hygiene}. Hygiene is a share of checks; it is neither risk nor compliance."
        )));
        let n = |s| i64::try_from(al.counts.get(&s).copied().unwrap_or(0)).unwrap_or(0);
        let one = |s: Standing, t| bar(&s.name().replace('-', " "), n(s), n(s).to_string(), t);
        blocks.push(Block::Bars {
            title: "Controls by standing".into(),
            bars: vec![
                one(Standing::Satisfied, Tone::Good),
                one(Standing::SatisfiedWithException, Tone::Warn),
                one(Standing::Attested, Tone::Good),
                one(Standing::NotSatisfied, Tone::Bad),
                one(Standing::NotApplicable, Tone::Plain),
                one(Standing::NotAssessed, Tone::Plain),
                one(Standing::NeedsAttestation, Tone::Plain),
            ],
        });
        let row = |r: &plumb_govern::framework::ControlRow| {
            let bad = r.standing == Standing::NotSatisfied;
            vec![
                Cell::text(&r.control.id),
                Cell::text(&r.control.title),
                Cell::text(r.standing.word()).toned(Tone::Bad, bad),
                Cell::text(&r.why),
                Cell::number(format!("{} / {}", r.evaluated.len(), r.evaluated.len() + r.silent.len())),
            ]
        };
        blocks.push(table(
            &[("Control", 12), ("In our words", 32), ("Standing", 15), ("Why", 32), ("Rules", 9)],
            al.rows.iter().map(row).collect(),
            "No controls.",
        ));
    }
    blocks.push(heading("Register of decisions"));
    let row = |d: &Decision| {
        vec![
            Cell::text(d.number.as_str()),
            Cell::text(d.draft.kind.name()),
            Cell::text(d.status.name()),
            Cell::text(d.draft.basis.map_or("", plumb_govern::decision::Basis::name)),
            Cell::text(d.draft.owner.as_ref().map_or("", |o| o.as_str())),
            Cell::text(d.approvals.iter().map(|x| x.human.as_str()).collect::<Vec<_>>().join(", ")),
            Cell::text(d.expires_at().map(Time::date).unwrap_or_default()),
        ]
    };
    blocks.push(table(
        &[
            ("Number", 19),
            ("Kind", 15),
            ("Status", 12),
            ("Basis", 17),
            ("Owner", 12),
            ("Approved by", 14),
            ("Ends", 13),
        ],
        a.decisions.iter().map(row).collect(),
        "No decisions in this period.",
    ));
    blocks.push(heading("Limits"));
    let rows = a
        .limits
        .iter()
        .map(|l| vec![Cell::text(l.kind.replace('-', " ")), Cell::text(&l.object), Cell::text(&l.meaning)]);
    blocks.push(table(
        &[("Kind", 20), ("Object", 35), ("Meaning", 45)],
        rows.collect(),
        "Nothing was recorded as out of reach.",
    ));
    Doc {
        v: 1,
        title: format!("Audit pack: {}", a.scope),
        subtitle: format!("{}. Made on {}.", a.period, a.made_at.date()),
        footer: format!("Audit pack, {}, {}", a.scope, a.period),
        blocks,
    }
}

/// How much of a domain was looked at: identity, networks, data, logging …
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Rules that had anything to ask about.
    pub rules: usize,
    /// Checks that pass.
    pub pass: u64,
    /// Checks that fail.
    pub fail: u64,
    /// Checks that could not look.
    pub unknown: u64,
}

/// One lens by itself: what an auditor looks at, how much of each domain was looked at (for the lens that asks), how much of
/// each kind they would flag, and every flag.
pub fn lens_report(scope: &str, period: &str, made_at: Time, view: &View, domains: &[Domain]) -> Doc {
    let name = view.lens.name().replace('-', " ");
    let mut kinds: std::collections::BTreeMap<&str, i64> = Default::default();
    for f in &view.flags {
        *kinds.entry(f.what.as_str()).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut blocks = vec![Block::Text(format!(
        "Looked at {}. An auditor would flag {}.",
        view.looked_at.join(", "),
        match view.flags.len() {
            0 => "nothing".to_owned(),
            1 => "one thing".to_owned(),
            n => format!("{n} things of {} kinds", kinds.len()),
        }
    ))];
    if !domains.is_empty() {
        let row = |d: &Domain| {
            let judged = d.pass + d.fail;
            vec![
                Cell::text(&d.name),
                Cell::number(d.rules),
                Cell::number(d.pass),
                Cell::number(d.fail),
                Cell::number(d.unknown).toned(Tone::Warn, d.unknown > 0),
                Cell::number(
                    (judged * 100).checked_div(judged + d.unknown).map_or_else(String::new, |p| format!("{p} %")),
                ),
            ]
        };
        let columns = [
            ("Domain", 30),
            ("Rules that asked", 18),
            ("Pass", 12),
            ("Fail", 12),
            ("Could not look", 15),
            ("Judged", 13),
        ];
        blocks.push(table(&columns, domains.iter().map(row).collect(), "Nothing was judged."));
    }
    if !kinds.is_empty() {
        let bars =
            kinds.iter().take(12).map(|(k, n)| bar(&k.replace('-', " "), *n, n.to_string(), Tone::Plain)).collect();
        blocks.push(Block::Bars { title: "Flags by kind".into(), bars });
    }
    let rows = view
        .flags
        .iter()
        .map(|f| vec![Cell::text(f.what.replace('-', " ")), Cell::text(&f.object), Cell::text(&f.why)])
        .collect();
    blocks.push(table(&[("Flag", 20), ("Object", 34), ("Why", 46)], rows, "Nothing to flag."));
    let title = {
        let mut chars = name.chars();
        chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
    };
    Doc {
        v: 1,
        title: format!("{title}: {scope}"),
        subtitle: format!("{period}. Made on {}.", made_at.date()),
        footer: format!("{title}, {scope}, {period}"),
        blocks,
    }
}

fn finding_rows<'a>(findings: impl Iterator<Item = &'a Finding>, now: Time) -> Vec<Vec<Cell>> {
    findings
        .map(|f| {
            let due = f.clock().due(now);
            let late = f.clock().is_breached(now);
            let left = due.map_or_else(
                || "none".into(),
                |d| if late { format!("{} d late", now.days_since(d)) } else { format!("in {} d", d.days_since(now)) },
            );
            vec![
                Cell::number(points(f.facts.points)),
                Cell::text(f.facts.lane().name()),
                Cell::text(brief(f)),
                Cell::text(f.facts.rule.as_str()),
                Cell::text(f.state().name()),
                Cell::number(left).toned(Tone::Bad, late),
            ]
        })
        .collect()
}

const QUEUE: [(&str, u16); 6] = [("Score", 7), ("Lane", 10), ("What", 35), ("Rule", 24), ("State", 13), ("Due", 11)];

/// What a team's digest is made of.
#[derive(Debug, Clone)]
pub struct Digest<'a> {
    /// The team's name.
    pub team: &'a str,
    /// `week of 2026-11-16`.
    pub period: &'a str,
    /// When it was made.
    pub made_at: Time,
    /// Its standing.
    pub sla: &'a TeamSla,
    /// Its queue, most urgent first; the first ten are shown.
    pub queue: &'a Queue,
    /// Its decisions that end soon.
    pub expiring: &'a [&'a Decision],
    /// What makes its work: [`pareto`](plumb_govern::finding::pareto) over its own findings.
    pub pareto: &'a Pareto,
}

/// A team's digest: where it stands, what is next, what ends soon, and the causes worth fixing once.
pub fn team_digest(d: &Digest<'_>) -> Doc {
    let s = d.sla;
    let in_time = s.in_time_percent().map_or_else(|| "nothing closed yet".into(), |p| format!("{p} % in time"));
    let mut blocks = vec![
        Block::Figures(vec![
            figure("Open", s.open, format!("{} points carried", points(s.points)), Tone::Plain),
            figure("Past due", s.overdue, format!("{} more within 7 days", s.due_soon), tone(s.overdue > 0)),
            figure("Closed", s.closed, in_time, Tone::Plain),
            figure("Risk burned", points(s.burned), "by verified fixes", Tone::Good),
        ]),
        heading("Next"),
        table(&QUEUE, finding_rows(d.queue.first().take(10), d.made_at), "The queue is empty."),
    ];
    let causes = if d.pareto.causes.is_empty() { &d.pareto.rules } else { &d.pareto.causes };
    let bars: Vec<_> = causes
        .iter()
        .take(6)
        .map(|c| {
            bar(
                &c.name,
                i64::try_from(c.findings).unwrap_or(0),
                format!("{} findings, {} points", c.findings, points(c.points)),
                Tone::Plain,
            )
        })
        .collect();
    if !bars.is_empty() {
        blocks.push(heading("Fix once, close many"));
        blocks.push(Block::Bars { title: "Open findings by cause".into(), bars });
    }
    blocks.push(heading("Decisions that end soon"));
    let rows = d.expiring.iter().map(|x| {
        let end = x.expires_at().map_or_else(String::new, |e| format!("{} ({} d)", e.date(), e.days_since(d.made_at)));
        vec![
            Cell::text(x.number.as_str()),
            Cell::text(x.draft.kind.name()),
            Cell::text(&x.draft.justification),
            Cell::text(end),
        ]
    });
    blocks.push(table(
        &[("Number", 18), ("Kind", 14), ("Why", 48), ("Ends", 20)],
        rows.collect(),
        "None within 30 days.",
    ));
    Doc {
        v: 1,
        title: if d.team == "nobody" { "What belongs to nobody".into() } else { format!("{}: posture digest", d.team) },
        subtitle: format!("{}. Made on {}.", d.period, d.made_at.date()),
        footer: format!("{}, {}", d.team, d.period),
        blocks,
    }
}

/// An engineer's queue: what to do, in order.
pub fn engineer_queue(who: &str, queue: &Queue, now: Time) -> Doc {
    let mut blocks = vec![table(&QUEUE, finding_rows(queue.first(), now), "Nothing to do.")];
    let more = queue.findings.saturating_sub(queue.shown());
    if more > 0 {
        let words = format!("{more} more are less urgent than these; `plumb findings` lists them all.");
        blocks.push(Block::Note(words));
    }
    Doc {
        v: 1,
        title: format!("Queue of {who}"),
        subtitle: format!(
            "{} findings, {} past due, {} points. As of {}.",
            queue.findings,
            queue.late,
            points(queue.points),
            now.date()
        ),
        footer: format!("Queue of {who}, {}", now.date()),
        blocks,
    }
}
