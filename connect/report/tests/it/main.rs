//! Reports say what the record says, in every format, and their PDFs are whole.
//!
//! `REPORT_SAMPLES=folder cargo test -p plumb-report` writes the sample pages there, to be looked at.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers outside of test functions may fail loudly too

use plumb_govern::bundle::Limit;
use plumb_govern::cadence::{self, Subject};
use plumb_govern::decision::{Register, register};
use plumb_govern::finding::{EvidenceRef, Facts, Finding, Queue, RiskMove, TeamSla, pareto, sla_by_team};
use plumb_govern::framework::{Control, Tally, align};
use plumb_govern::ids::FindingId;
use plumb_govern::ledger::NetChange;
use plumb_govern::lens::{Flag, Lens, View};
use plumb_govern::people::{Actor, Directory};
use plumb_govern::policy::{Lane, Policy, Tier};
use plumb_govern::sla::Terms;
use plumb_model::{Severity, Time};
use plumb_report::{
    Accounts, AuditPack, Block, Coverage, Digest, Doc, Drawing, Leadership, audit_pack, engineer_queue, html,
    leadership, markdown, pdf, team_digest,
};
use std::collections::BTreeSet;

fn now() -> Time {
    "2026-10-02T08:00:00Z".parse().unwrap()
}

fn findings() -> Vec<Finding> {
    let policy = Policy::default();
    let make = |n: i64| {
        let team = ["shop", "payments", "data platform", "identity"][usize::try_from(n % 4).unwrap()];
        let lane = Lane::from_number(u8::try_from(n % 4).unwrap());
        let facts = Facts {
            rule: [
                "aws.s3.bucket.public-access-blocked",
                "aws.ec2.security-group.no-open-admin-ports",
                "azure.storage.account.https-only",
            ][usize::try_from(n % 3).unwrap()]
            .into(),
            rule_version: 1,
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            resource: format!("arn:aws:s3:::bucket-{n}").into(),
            name: format!("bucket-{n}"),
            title: "Buckets block public access".into(),
            why: "block_public_acls is false, wanted true".into(),
            severity: Severity::High,
            points: 990 - n * 13,
            terms: Terms::new(lane, Tier::Production),
            data: BTreeSet::new(),
            team: Some(team.into()),
            person: None,
            value_digest: "aa".into(),
            controls: vec![],
            cause: format!("module.{team}"),
        };
        let evidence =
            vec![EvidenceRef { uri: "e".into(), sha256: "0".into(), captured_at: now(), collector: "c".into() }];
        let at = now().plus_days(-n);
        Finding::open(FindingId::from(format!("{n:064x}")), facts, evidence, &Actor::system("scanner"), &policy, at)
            .unwrap()
            .0
    };
    (0..48).map(make).collect()
}

fn lead(empty: bool) -> Doc {
    let findings = if empty { vec![] } else { findings() };
    let risk = if empty {
        RiskMove::default()
    } else {
        RiskMove {
            before: 41_230,
            arrived: 9_120,
            burned: 12_480,
            vanished: 1_040,
            decided: 2_300,
            after: 34_530,
            movers: vec![],
        }
    };
    let labels = ["Q1 25", "Q2 25", "Q3 25", "Q4 25", "Q1 26", "Q2 26", "Q3 26"];
    let history: Vec<_> = labels
        .iter()
        .zip([38_000, 45_500, 52_310, 49_900, 47_000, 41_230, 34_530])
        .map(|(l, v)| ((*l).to_owned(), v))
        .collect();
    let paths: Vec<String> = [
        "Anybody on the internet can reach the load balancer of `orders`, whose instances may assume `deploy-all`, which administers the account that holds payment data.",
        "A build account without multi-factor sign-in can push to the registry that production pulls from.",
        "A former contractor's access key, unused for 211 days, still reads every bucket in the data platform.",
        "The staging database is public and shares its master password secret with production.",
        "A function anybody may call runs with a role that can read all secrets in eu-west-1.",
        "A sixth path that must not be shown on this page.",
    ]
    .map(Into::into)
    .into();
    let accounts = Accounts {
        known: 61,
        governed: 54,
        scanned: 58,
        outside: vec![
            ("aws:444455556666 (ml-trial)".into(), "only on the bill: not under the organization's root".into()),
            ("azure:9f1c… (labs)".into(), "no owner, no data class".into()),
        ],
    };
    let subjects =
        [Subject { account: "aws:444455556666".into(), tier: Tier::Production, since: now().plus_days(-40) }];
    let cadences = cadence::standing(
        &cadence::default_promises(),
        &[],
        if empty { &[] } else { &subjects },
        now().plus_days(if empty { 0 } else { -200 }),
        now(),
    );
    let coverage = Coverage {
        judged: 48_211,
        unknown: 1_204,
        reasons: vec![("needs kms:GetKeyPolicy".into(), 800), ("throttled: iam:ListUsers".into(), 404)],
    };
    let mut impact = plumb_govern::finding::ImpactTally::default();
    let topics = ["exposure.public-storage", "data.encryption-at-rest", "logging.audit-trail"];
    findings.iter().zip(topics.iter().cycle()).for_each(|(f, topic)| impact.add(topic, f));
    leadership(&Leadership {
        impact: &impact,
        organization: "Example Ltd",
        period: "third quarter 2026",
        made_at: now(),
        begun: now().plus_days(-400),
        from: now().plus_days(-92),
        risk: &risk,
        history: if empty { &[] } else { &history },
        paths: if empty { &[] } else { &paths },
        ledger: NetChange {
            uncarried: 1,
            before: 91,
            added: 6,
            retired: 19,
            after: 78,
            approved: 66,
            open: 12,
            older_than_a_year: 23,
        },
        teams: &sla_by_team(&findings, now().plus_days(-92), now()),
        accounts: &if empty { Accounts::default() } else { accounts },
        cadences: &cadences,
        register: &if empty { Register::default() } else { register(&[], &Directory::default(), 1, now()) },
        coverage: &if empty { Coverage::default() } else { coverage },
        pareto: &pareto(&findings),
    })
}

fn pack() -> Doc {
    let rule = || vec!["aws.s3.bucket.public-access-blocked".into()];
    let control = |id: &str, title: &str, manual: bool| Control {
        framework: "iso27001-2022".into(),
        id: id.into(),
        title: title.into(),
        manual,
        rules: if manual { vec![] } else { rule() },
        related: vec![],
    };
    let controls = [
        control("A.5.15", "Access to information and systems follows written rules", true),
        control("A.8.20", "Networks and what is in them are secured and managed", false),
        control("A.8.22", "Groups of services and users are kept apart in networks", false),
    ];
    let tallies =
        [(rule().remove(0), Tally { pass: 940, fail: 17, decided: 3, unknown: 8, ..Tally::default() })].into();
    let flag = |what: &str, object: &str, why: &str| Flag { what: what.into(), object: object.into(), why: why.into() };
    let view = |lens, flags| View {
        lens,
        looked_at: vec!["61 accounts".into(), "4 sources: billing, idp-federation, landing-zone, org-root".into()],
        flags,
    };
    let lenses = [
        view(
            Lens::Coverage,
            vec![
                flag(
                    "not-in-organization",
                    "aws:444455556666",
                    "known only by billing; bring it under the root, or record a reason",
                ),
                flag("no-owner", "azure:9f1c2d3e-0000-4000-8000-000000000000", "nobody answers for it; name a person"),
            ],
        ),
        view(
            Lens::DecisionDurability,
            vec![flag(
                "only-in-code",
                "modules/storage/main.tf:41",
                "decided outside the record; it lacks owner, expires_at, triggers",
            )],
        ),
        view(Lens::FrameworkAlignment, vec![]),
    ];
    let limits = [Limit {
        kind: "refused-api".into(),
        object: "kms:GetKeyPolicy in aws:111122223333".into(),
        meaning: "800 checks are unknown".into(),
    }];
    audit_pack(&AuditPack {
        summary: &[],
        scope: "Example Ltd",
        period: "2026-07-01 to 2026-09-30",
        made_at: now(),
        lenses: &lenses,
        alignments: &[align("iso27001-2022", &controls, &tallies, &[], now())],
        decisions: &[],
        limits: &limits,
        key: "5d41402abc4b2a76b9719d911017c592ae5d41402abc4b2a76b9719d911017c5",
    })
}

fn queue_of(all: &[Finding], team: Option<&str>, most: usize) -> Queue {
    let mut queue = Queue::new(most, now());
    for f in all.iter().filter(|f| team.is_none_or(|t| f.team().is_some_and(|x| x.as_str() == t))) {
        queue.add(f);
    }
    queue
}

fn digest() -> Doc {
    let all = findings();
    let sla: Vec<TeamSla> = sla_by_team(&all, now().plus_days(-7), now());
    team_digest(&Digest {
        team: "payments",
        period: "Week of 2026-09-28",
        made_at: now(),
        sla: sla.iter().find(|s| s.team == "payments").unwrap(),
        queue: &queue_of(&all, Some("payments"), 9999),
        expiring: &[],
        pareto: &pareto(&all),
    })
}

fn all() -> Vec<(&'static str, Doc)> {
    let all = findings();
    vec![
        ("leadership", lead(false)),
        ("leadership-empty", lead(true)),
        ("audit-pack", pack()),
        ("team-digest", digest()),
        ("queue", engineer_queue("erin", &queue_of(&all, None, 40), now())),
    ]
}

#[test]
fn every_page_renders_in_every_format_the_same_each_time() {
    let samples = std::env::var_os("REPORT_SAMPLES").map(std::path::PathBuf::from);
    for (name, doc) in all() {
        let (m, h, p) = (markdown(&doc), html(&doc), pdf(&doc));
        assert_eq!((&m, &h, &p), (&markdown(&doc), &html(&doc), &pdf(&doc)), "{name}");
        assert!(p.starts_with(b"%PDF-1.") && p.trim_ascii_end().ends_with(b"%%EOF"), "{name}");
        assert!(
            !h.contains("http://") || h.matches("http://").count() == h.matches("http://www.w3.org/2000/svg").count(),
            "{name} needs no network"
        );
        assert!(!h.contains("<script"), "{name}");
        let back: Doc = serde_json::from_str(&serde_json::to_string(&doc).unwrap()).unwrap();
        assert_eq!(back, doc);
        if let Some(folder) = &samples {
            for (ending, bytes) in [("md", m.as_bytes()), ("html", h.as_bytes()), ("pdf", &p)] {
                std::fs::write(folder.join(format!("{name}.{ending}")), bytes).unwrap();
            }
        }
    }
}

#[test]
fn the_leadership_read_says_what_the_record_says() {
    let text = markdown(&lead(false));
    for line in [
        "- **Risk carried**: 3,453 -670.0 since the period began",
        "- **Judged**: 97 % (?) 1204 checks could not look; 3 accounts not scanned",
        "| burned | -1,248 |",
        "78 resources can be reached from outside, -13 since the period began: 6 came, 19 went.",
        "Direct exposure incidents: 16 open, ",
        ". Operational security gaps: 16 open, ",
        "54 of 61 known accounts",
        "1204 checks gave no verdict; what they lack: the permission kms:GetKeyPolicy (800), an answer of iam:ListUsers, which was throttled (404).",
    ] {
        assert!(text.contains(line), "missing: {line}\n{text}");
    }
    assert!(!text.contains("sixth path"), "five paths, not six");
    let page = pdf(&lead(false));
    assert!(page.windows(8).any(|w| w == b"/Count 1"), "one page");
    let quiet = markdown(&lead(true));
    assert!(quiet.contains("- **Judged**: none"), "nothing judged is not all well:\n{quiet}");
    assert!(quiet.contains("Nothing the programme promised is overdue."));
}

#[test]
fn what_people_typed_is_never_markup() {
    let mut doc = engineer_queue("<img src=x onerror=1>", &Queue::new(1, now()), now());
    doc.blocks.push(Block::Text("a | b <script>".into()));
    assert!(!html(&doc).contains("<img") && !html(&doc).contains("<script"));
    assert!(markdown(&doc).contains("a \\| b &lt;script>"));
}

#[test]
fn charts_stay_inside_their_frame() {
    for (name, doc) in all() {
        for d in doc.blocks.iter().filter_map(|b| Drawing::of(b, 499.0)) {
            for shape in &d.shapes {
                let inside =
                    |x: f32, y: f32| (-0.5..=d.width + 0.5).contains(&x) && (0.0..=d.height + 0.5).contains(&y);
                match shape {
                    plumb_report::Shape::Rect([x, y, w, h], _) => {
                        assert!(inside(*x, *y) && inside(x + w, y + h), "{name} {shape:?}")
                    }
                    plumb_report::Shape::Line(points, ..) => {
                        assert!(points.iter().all(|[x, y]| inside(*x, *y)), "{name} {shape:?}")
                    }
                    plumb_report::Shape::Text { at: [x, y], .. } => assert!(inside(*x, *y), "{name} {shape:?}"),
                }
            }
        }
    }
}
