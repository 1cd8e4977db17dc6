//! The ledger, access reviews, cadences, frameworks, lenses, retention (group 11) and the whole record (group 12).

use crate::world::*;
use plumb_govern::cadence::{self, Done, Promise, Subject};
use plumb_govern::export::{self, Record};
use plumb_govern::finding::{self, Event, Finding, Transition};
use plumb_govern::framework::{Attachment, Attestation, Control, Standing, Tally, align};
use plumb_govern::ledger::{self, Exposure, ExposureState, Hop, PreApproval, Reach, Seen, Warrant};
use plumb_govern::lens;
use plumb_govern::log::{Event as Happened, Log, SealKey};
use plumb_govern::policy::{DataClass, Tier};
use plumb_govern::retention::{self, Class, Hold, Retention, Row};
use plumb_govern::review::{self, Access, Campaign, Judgement, Opening, Outcome, ReviewerRule};
use plumb_model::{Outcome as Verdict, RuleId, Severity};
use std::collections::{BTreeMap, BTreeSet};

fn seen(name: &str) -> Seen {
    Seen {
        resource: format!("arn:aws:s3:::{name}").as_str().into(),
        name: name.into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        kind: "bucket".into(),
        endpoints: vec![format!("{name}.s3.amazonaws.com:443/tcp")],
        reach: Reach::OpenAuthenticated,
        proof: vec![Hop { what: "bucket policy statement `Public`".into(), evidence: "evidence/1.json".into() }],
        data: DataClass::Internal,
        tier: Tier::Production,
        protections: vec![],
        team: None,
        tags: vec![],
    }
}

fn here() -> BTreeSet<plumb_model::AccountId> {
    ["111122223333".into()].into()
}

const WHY: &str = "The product catalogue is public by contract.";

fn approved_exposure(e: &Exposure) -> Exposure {
    let asked = e.request(&actor("erin"), WHY, "the new front is live", now().plus_days(60), &policy(), now()).unwrap();
    asked.approve(&actor("adam"), &BTreeSet::new(), "", &policy(), now()).unwrap()
}

#[test]
fn the_ledger_takes_note_grows_and_shrinks() {
    let mut book = BTreeMap::new();
    let c = ledger::observe(&mut book, vec![seen("a"), seen("b")], &here(), &BTreeSet::new(), &[], &policy(), now());
    assert_eq!(c.unannounced.len(), 2);
    let a = seen("a").id();
    book.insert(a.clone(), approved_exposure(&book[&a]));
    assert_eq!(book[&a].state, ExposureState::Approved);
    assert_eq!(ledger::undecided(&book, &policy(), now().plus_days(3)), Vec::<&Exposure>::new());
    assert_eq!(ledger::undecided(&book, &policy(), now().plus_days(4)).len(), 1, "b has no decision");
    // A partial run retires nothing; a complete one does.
    let later = now().plus_days(5);
    let c = ledger::observe(&mut book, vec![seen("a")], &BTreeSet::new(), &BTreeSet::new(), &[], &policy(), later);
    assert_eq!(c.retired, Vec::<String>::new());
    let c = ledger::observe(&mut book, vec![seen("a")], &here(), &BTreeSet::new(), &[], &policy(), later);
    assert_eq!(c.retired, [seen("b").id()]);
    let net = ledger::net_change(&book, now().plus_days(1), now().plus_days(10));
    assert_eq!((net.before, net.added, net.retired, net.after, net.net()), (2, 0, 1, 1, -1));
    // More reach than was approved ends the approval.
    let wider = Seen { reach: Reach::OpenAnonymous, ..seen("a") };
    let c = ledger::observe(&mut book, vec![wider, seen("b")], &here(), &BTreeSet::new(), &[], &policy(), later);
    assert_eq!((c.grown.len(), c.returned.len()), (1, 1));
    assert_eq!(book[&a].state, ExposureState::Detected);
}

#[test]
fn an_exposure_is_approved_by_others_for_a_time_and_confirmed() {
    let mut book = BTreeMap::new();
    let delicate = Seen { reach: Reach::OpenAnonymous, data: DataClass::RegulatedPayment, ..seen("a") };
    ledger::observe(&mut book, vec![delicate, seen("b")], &here(), &BTreeSet::new(), &[], &policy(), now());
    let e = &book[&seen("a").id()];
    let ask = |days| e.request(&actor("erin"), WHY, "front live", now().plus_days(days), &policy(), now());
    assert_eq!(ask(31).unwrap_err().code(), "incomplete", "regulated data: at most thirty days");
    let asked = ask(30).unwrap();
    let yes = |e: &Exposure, who: &str| e.approve(&actor(who), &["otto".into()].into(), "", &policy(), now());
    assert_eq!(yes(&asked, "otto").unwrap_err().code(), "own-resource");
    let one = yes(&asked, "adam").unwrap();
    assert_eq!(one.state, ExposureState::Detected, "two approvers for regulated data");
    assert_eq!(yes(&one, "token-adam").unwrap_err().code(), "same-person");
    assert_eq!(yes(&one, "anna").unwrap().state, ExposureState::Approved);
    assert_eq!(yes(e, "anna").unwrap_err().code(), "incomplete", "nobody asked");
    let b = seen("b").id();
    book.insert(b.clone(), approved_exposure(&book[&b]));
    let sweep = |book: &mut BTreeMap<_, _>, days| {
        ledger::sweep(book, &directory(), &BTreeMap::new(), &policy(), now().plus_days(days))
    };
    assert_eq!(sweep(&mut book, 59), Vec::<String>::new());
    assert_eq!(sweep(&mut book, 60), std::slice::from_ref(&b));
    assert_eq!(sweep(&mut book, 61), Vec::<String>::new());
    assert_eq!(book[&b].reason, "its approval ran out");
}

#[test]
fn an_exposure_lives_by_its_compensating_control_and_ends_when_it_is_given_up() {
    let mut book = BTreeMap::new();
    ledger::observe(&mut book, vec![seen("a")], &here(), &BTreeSet::new(), &[], &policy(), now());
    let id = seen("a").id();
    assert_eq!(book[&id].grievance(&policy(), now()).unwrap().0, Severity::Medium, "not approved: a finding at once");
    assert_eq!(book[&id].grievance(&policy(), now().plus_days(4)).unwrap().0, Severity::High, "and a worse one later");
    let mut asked =
        book[&id].request(&actor("erin"), WHY, "front live", now().plus_days(60), &policy(), now()).unwrap();
    asked.asked.as_mut().unwrap().controls.push("aws.wafv2.web-acl.has-rules".into());
    book.insert(id.clone(), asked.approve(&actor("adam"), &BTreeSet::new(), "", &policy(), now()).unwrap());
    assert_eq!(book[&id].grievance(&policy(), now()), None);
    let says = |o| BTreeMap::from([("aws.wafv2.web-acl.has-rules".into(), o)]);
    let sweep = |book: &mut BTreeMap<_, _>, o| ledger::sweep(book, &directory(), &says(o), &policy(), now()).len();
    assert_eq!((sweep(&mut book, Verdict::Pass), sweep(&mut book, Verdict::Unknown)), (0, 0));
    assert_eq!((sweep(&mut book, Verdict::Fail), sweep(&mut book, Verdict::Fail)), (1, 0));
    assert_eq!(book[&id].reason, "its compensating control aws.wafv2.web-acl.has-rules fails");
    assert_eq!(book[&id].give_up(&actor("erin"), "short", now()).unwrap_err().code(), "incomplete");
    let gone = book[&id].give_up(&actor("erin"), "the campaign is over, it comes down", now()).unwrap();
    assert_eq!((gone.state, gone.grievance(&policy(), now()).unwrap().0), (ExposureState::NotApproved, Severity::High));
    // What a run could not tell about stays; what it saw gone retires.
    book.insert(id.clone(), gone);
    let untold = BTreeSet::from([id.clone()]);
    assert!(ledger::observe(&mut book, vec![], &here(), &untold, &[], &policy(), now()).retired.is_empty());
    let later = now().plus_days(1);
    assert_eq!(ledger::observe(&mut book, vec![], &here(), &BTreeSet::new(), &[], &policy(), later).retired, [id]);
}

#[test]
fn a_planned_exposure_enters_as_approved_inside_its_window_only() {
    let plan = |who: &str| {
        let w = Warrant::ask(&actor(who), WHY, "front live", now().plus_days(90), 180, now()).unwrap();
        let select = serde_json::from_value(serde_json::json!({ "resources": ["shop-*"] })).unwrap();
        PreApproval::plan("PRE-1", select, Reach::OpenAuthenticated, (now(), now().plus_days(14)), w, &policy())
            .unwrap()
    };
    let ready = plan("erin").approve(&actor("adam"), "", &policy(), now()).unwrap();
    let first = |plan: &PreApproval, s: Seen, days| {
        let mut book = BTreeMap::new();
        ledger::observe(
            &mut book,
            vec![s],
            &here(),
            &BTreeSet::new(),
            std::slice::from_ref(plan),
            &policy(),
            now().plus_days(days),
        );
        book.into_values().next().unwrap().state
    };
    assert_eq!(first(&ready, seen("shop-1"), 3), ExposureState::Approved);
    assert_eq!(first(&ready, seen("shop-1"), 15), ExposureState::Detected, "outside the window");
    assert_eq!(first(&ready, seen("other"), 3), ExposureState::Detected);
    assert_eq!(first(&ready, Seen { reach: Reach::OpenAnonymous, ..seen("shop-1") }, 3), ExposureState::Detected);
    assert_eq!(first(&plan("erin"), seen("shop-1"), 3), ExposureState::Detected, "nobody agreed");
    assert_eq!(plan("adam").approve(&actor("token-adam"), "", &policy(), now()).unwrap_err().code(), "same-person");
}

fn access(name: &str, human: &str, admin: bool) -> Access {
    Access {
        account: "111122223333".into(),
        principal: format!("arn:aws:iam::111122223333:user/{name}"),
        name: name.into(),
        kind: "human".into(),
        human: (!human.is_empty()).then(|| human.into()),
        entitlement: "AdministratorAccess".into(),
        standing: review::Standing::Unknown,
        last_used: Some(now()),
        admin,
        owner: None,
    }
}

#[test]
fn an_access_review_is_decided_carried_out_and_verified() {
    let mut population = vec![access("erin", "erin", true), access("leo", "leo", false), access("otto", "otto", false)];
    let list =
        review::people_from_csv("email;status\nleo@example.com;terminated\nerin@example.com;active\n", now()).unwrap();
    let mut directory = directory();
    directory.alias("leo@example.com", &"leo".into()).unwrap();
    assert_eq!(review::mark_leavers(&mut population, &list, &directory).len(), 1);
    let scim = serde_json::json!({ "Resources": [{ "userName": "Otto@example.com", "active": false }] });
    let scim = review::people_from_scim(&scim).unwrap();
    assert!(!scim[0].active && scim[0].logins.contains("otto@example.com"));

    let owner = |_: &plumb_model::AccountId| Some("otto".into());
    let opening = Opening {
        id: "RV-1",
        name: "Q4 privileged",
        scope: "administrators",
        cadence: "access-review-privileged",
        population: population.clone(),
        rule: &ReviewerRule::AccountOwner,
        account_owner: &owner,
        fallback: Some(&"anna".into()),
        due_at: now().plus_days(20),
    };
    let c = Campaign::open(opening, &directory, &actor("ada"), now()).unwrap();
    let id = |n: usize| population[n].id();
    assert_eq!(c.items[&id(2)].reviewer, Some("anna".into()), "nobody reviews their own access");
    let decide = |c: &Campaign, n: usize, j, why: &str, act: Option<&str>, who: &str| {
        c.decide(&id(n), j, why, act, &actor(who), now())
    };
    assert_eq!(decide(&c, 0, Judgement::Keep, "", None, "anna").unwrap_err().code(), "not-allowed");
    assert_eq!(
        decide(&c, 0, Judgement::Keep, "needed", None, "otto").unwrap_err().code(),
        "incomplete",
        "admin needs a reason"
    );
    assert_eq!(
        decide(&c, 1, Judgement::Keep, "still useful to the whole team", None, "otto").unwrap_err().code(),
        "incomplete",
        "a leaver is not kept"
    );
    assert_eq!(
        decide(&c, 1, Judgement::Remove, "left", None, "otto").unwrap_err().code(),
        "incomplete",
        "by which request?"
    );
    assert_eq!(
        decide(&c, 0, Judgement::Keep, "x", None, "ulla").unwrap_err().code(),
        "not-allowed",
        "auditors write nothing"
    );
    let c = decide(&c, 0, Judgement::Keep, "runs the platform, reviewed with her manager", None, "otto").unwrap();
    let mut c = decide(&c, 1, Judgement::Remove, "left in October", Some("IDP-7"), "token-otto").unwrap();
    assert_eq!(c.close(&actor("adam"), &policy(), now()).unwrap_err().code(), "incomplete");
    // Still there a day later: not verified in time; an account that was not read proves nothing; then it is gone.
    c.verify(&population, &here(), now().plus_days(2));
    assert_eq!(c.items[&id(1)].outcome, Outcome::NotVerified);
    c.verify(&[], &BTreeSet::new(), now().plus_days(3));
    assert_eq!(c.items[&id(1)].outcome, Outcome::NotVerified);
    c.verify(&[population[0].clone(), population[2].clone(), access("new", "", false)], &here(), now().plus_days(3));
    assert_eq!(c.items[&id(1)].outcome, Outcome::Verified);
    assert_eq!((c.additions.len(), c.progress().verified), (1, 1));
    let c = decide(&c, 2, Judgement::NotMine, "", None, "anna").unwrap();
    assert_eq!(
        c.close(&actor("ada"), &policy(), now()).unwrap_err().code(),
        "same-person",
        "the opener does not close"
    );
    assert_eq!(c.close(&actor("adam"), &policy(), now()).unwrap().closed_by, Some("adam".into()));
}

#[test]
fn promises_are_kept_by_complete_work_only() {
    let promises = vec![
        Promise { name: "scan-tier1".into(), title: "Scan".into(), every_days: 1, tiers: vec![Tier::Tier1] },
        Promise { name: "leadership-read".into(), title: "Read".into(), every_days: 92, tiers: vec![] },
    ];
    let accounts = [
        Subject { account: "a".into(), tier: Tier::Tier1, since: now() },
        Subject { account: "b".into(), tier: Tier::Sandbox, since: now() },
    ];
    let done = |days, complete| Done {
        promise: "scan-tier1".into(),
        subject: "a".into(),
        at: now().plus_days(days),
        result: "ok".into(),
        complete,
    };
    let look = |done: &[Done], days| cadence::standing(&promises, done, &accounts, now(), now().plus_days(days));
    let all = look(&[done(1, true), done(3, false)], 4);
    assert_eq!(all.len(), 2, "the sandbox was promised nothing");
    assert_eq!((all[0].promise.as_str(), all[0].late_days, all[0].overdue), ("scan-tier1", 2, true));
    assert_eq!(all[0].tried, Some(now().plus_days(3)), "tried, but not in full");
    assert!(!look(&[done(4, true)], 4).iter().any(|d| d.overdue));
    assert!(cadence::default_promises().len() >= 10);
}

#[test]
fn a_control_is_never_shown_as_passed_by_silence() {
    let rule: RuleId = "aws.s3.bucket.x".into();
    let control = |manual, rules: &[RuleId]| Control {
        framework: "f".into(),
        id: "1".into(),
        title: "t".into(),
        manual,
        rules: rules.to_vec(),
        related: vec![],
    };
    let one = std::slice::from_ref(&rule);
    let two = [rule.clone(), "aws.s3.bucket.not-asked".into()];
    let cases = [
        (control(false, one), None, Standing::NotAssessed),
        (
            control(false, one),
            Some(Tally { pass: 9, fail: 1, decided: 0, unknown: 0, ..Tally::default() }),
            Standing::NotSatisfied,
        ),
        (
            control(false, one),
            Some(Tally { pass: 9, fail: 0, decided: 0, unknown: 1, ..Tally::default() }),
            Standing::NotAssessed,
        ),
        (
            control(false, one),
            Some(Tally { pass: 9, fail: 0, decided: 2, unknown: 0, ..Tally::default() }),
            Standing::SatisfiedWithException,
        ),
        (
            control(false, one),
            Some(Tally { pass: 9, fail: 0, decided: 0, unknown: 0, ..Tally::default() }),
            Standing::Satisfied,
        ),
        // Read completely and nothing there is not the same as not read, nor as no account of the provider.
        (control(false, one), Some(Tally { nothing: true, ..Tally::default() }), Standing::NotApplicable),
        (control(false, one), Some(Tally { outside: true, ..Tally::default() }), Standing::NotAssessed),
        (control(false, &two), Some(Tally { nothing: true, ..Tally::default() }), Standing::NotAssessed),
        (control(true, &[]), None, Standing::NeedsAttestation),
        (control(false, &[]), None, Standing::NeedsAttestation),
    ];
    for (c, tally, want) in cases {
        let tallies = tally.map(|t| (rule.clone(), t)).into_iter().collect();
        let a = align("f", &[c], &tallies, &[], now());
        assert_eq!(a.rows[0].standing, want, "{:?}", a.rows[0]);
    }
    let proof = || vec![Attachment { name: "a.pdf".into(), sha256: "0".into() }];
    let words = "Access is granted by role and reviewed.";
    let word = Attestation::attest(("f", "1"), words, proof(), now().plus_days(365), &actor("erin"), now()).unwrap();
    assert!(Attestation::attest(("f", "1"), words, vec![], now().plus_days(366), &actor("erin"), now()).is_err());
    assert_eq!(word.agree(&actor("ulla"), &policy(), now()).unwrap_err().code(), "not-allowed");
    let waits = align("f", &[control(true, &[])], &BTreeMap::new(), std::slice::from_ref(&word), now());
    assert_eq!(
        (waits.rows[0].standing, waits.rows[0].why.as_str()),
        (Standing::NeedsAttestation, "an attestation waits for a second person")
    );
    let word = word.agree(&actor("adam"), &policy(), now()).unwrap();
    let at =
        |time| align("f", &[control(true, &[])], &BTreeMap::new(), std::slice::from_ref(&word), time).rows[0].standing;
    assert_eq!((at(now()), at(now().plus_days(366))), (Standing::Attested, Standing::NeedsAttestation));
}

#[test]
fn the_lenses_flag_what_an_auditor_would() {
    let account = |n: &str, sources: &[&str]| lens::AccountRow {
        account: n.into(),
        name: n.into(),
        sources: sources.iter().map(ToString::to_string).collect(),
        owner: Some("erin".into()),
        team: None,
        purpose: "runs the shop".into(),
        tier: Tier::Tier1,
        data: [DataClass::Internal].into(),
        scan: lens::ScanState::Ok,
        reviewed_at: Some(now()),
        closed: false,
    };
    let good = account("aws:1", &["org-root", "billing"]);
    let shadow = account("aws:2", &["billing"]);
    let left = lens::AccountRow {
        owner: Some("leo".into()),
        scan: lens::ScanState::Never,
        ..account("aws:3", &["org-root", "billing"])
    };
    let read: BTreeSet<_> = ["org-root".to_owned(), "billing".to_owned()].into();
    let accounts = [good, shadow, left];
    let view = lens::coverage(&accounts, &read, &BTreeSet::new(), &directory(), now());
    let flags: Vec<_> = view.flags.iter().map(|f| (f.what.as_str(), f.object.as_str())).collect();
    assert_eq!(flags, [("never-scanned", "aws:3"), ("not-in-organization", "aws:2"), ("ownership-lapsed", "aws:3")]);
    // A reason excuses the gap it is about, and no other.
    for (source, left) in [("org-root", 2), ("billing", 3)] {
        let reasons = BTreeSet::from([("aws:2".to_owned(), source.to_owned())]);
        assert_eq!(lens::coverage(&accounts, &read, &reasons, &directory(), now()).flags.len(), left, "{source}");
    }
    let skip = plumb_govern::decision::import::inline_skip("r", "main.tf", 3, "later", "");
    let mut book = BTreeMap::new();
    ledger::observe(&mut book, vec![seen("a")], &here(), &BTreeSet::new(), &[], &policy(), now());
    let d = lens::Decisions {
        register: &[approved(plumb_govern::decision::Kind::Exception)],
        drafts: &[skip],
        ledger: &book,
        campaigns: &[],
        unmatched: &[],
        cadence: &[],
        emergencies: &[],
    };
    let flags =
        |at| lens::durability(&d, &directory(), &policy(), at).flags.into_iter().map(|f| f.what).collect::<Vec<_>>();
    assert_eq!(flags(now()), ["exposure-undecided", "only-in-code"]);
    assert_eq!(flags(now().plus_days(31)), ["expired", "exposure-undecided", "only-in-code"]);
}

/// Group 11.
#[test]
fn disposal_never_takes_a_held_row() {
    let row = |id: &str, account: &str, days: i64| Row {
        class: Class::Scans,
        id: id.into(),
        account: account.into(),
        ended: Some(now().plus_days(-days)),
    };
    let rows =
        vec![row("1", "a", 500), row("2", "b", 500), row("3", "a", 100), Row { ended: None, ..row("4", "a", 0) }];
    let hold = Hold {
        id: "H1".into(),
        reason: "litigation".into(),
        classes: BTreeSet::new(),
        accounts: ["b".to_owned()].into(),
        proposed_by: "ulla".into(),
        proposed_at: now(),
        placed_by: None,
        lifted: None,
    };
    let list =
        retention::propose(&rows, &Retention::default(), std::slice::from_ref(&hold), &actor("ada"), now()).unwrap();
    assert_eq!((list.ids.as_slice(), list.held), ([(Class::Scans, "1".to_owned())].as_slice(), 1));
    let yes = |who: &str, holds: &[Hold]| list.approve(&actor(who), &rows, holds, &policy(), now());
    assert_eq!(yes("ada", &[]).unwrap_err().code(), "not-allowed");
    let late = Hold { accounts: BTreeSet::new(), ..hold.clone() };
    assert_eq!(yes("adam", &[late]).unwrap_err().code(), "not-proven", "a hold placed since the dry run counts");
    let paper = yes("adam", std::slice::from_ref(&hold)).unwrap();
    assert_eq!((paper.counts[&Class::Scans], paper.digest), (1, list.digest.clone()));
    assert_eq!(hold.place(&actor("ulla"), &policy(), now()).unwrap_err().code(), "not-allowed");
    assert!(hold.place(&actor("ada"), &policy(), now()).is_ok());
    // Without the hold, row 2 is due; and a framework that asks for longer keeps both.
    let long = Retention {
        demands: vec![retention::Demand { framework: "hipaa".into(), classes: [Class::Scans].into(), days: 2192 }],
        ..Retention::default()
    };
    let ids = |r: &Retention| retention::propose(&rows, r, &[], &actor("ada"), now()).unwrap().ids.len();
    assert_eq!((ids(&Retention::default()), ids(&long)), (2, 0));
}

/// Group 12.
#[test]
fn export_import_export_gives_equal_bytes() {
    let mut log = Log::default();
    let entries: Vec<_> = (0..5)
        .map(|i| {
            log.append(Happened::done(
                &system(),
                "scan.finish",
                ("scan", &i.to_string()),
                serde_json::json!({ "x": 0.1 }),
                now(),
            ))
        })
        .collect();
    let key = SealKey::from_seed(&[3; 32]);
    let rows = |v: serde_json::Value| v.as_array().unwrap().clone();
    let tables: BTreeMap<_, _> = [
        ("findings".to_owned(), vec![serde_json::to_value(finding()).unwrap()]),
        (
            "decisions".to_owned(),
            vec![serde_json::to_value(approved(plumb_govern::decision::Kind::Exception)).unwrap()],
        ),
        ("odd".to_owned(), rows(serde_json::json!([{ "a": "=1+1", "b": [1, 2.5, "ü\n"], "c": null }]))),
    ]
    .into();
    let record = Record { tables, log: entries, checkpoints: vec![log.checkpoint("plumbline/test", &[&key], now())] };
    let out = export::write(&record).unwrap();
    let back = export::read(&out).unwrap();
    assert_eq!(back, record);
    assert_eq!(export::write(&back).unwrap(), out);
    assert_eq!(export::verify_log(&back, [key.public()]).unwrap().entries, 5);
    let restored: Finding = serde_json::from_value(back.tables["findings"][0].clone()).unwrap();
    assert_eq!(restored, finding());
    assert!(export::write(&Record { tables: [("../x".to_owned(), vec![])].into(), ..Record::default() }).is_err());
}

#[test]
fn risk_burned_and_the_few_rules_that_make_the_work() {
    let mut findings = Vec::new();
    let mut steps: Vec<Transition> = Vec::new();
    for n in 0..40u32 {
        let mut facts = facts();
        facts.rule = if n < 30 { "r.noisy".into() } else { format!("r.rare-{n}").as_str().into() };
        facts.points = 100;
        let (mut f, first) = Finding::open(key(n), facts, evidence(), &system(), &policy(), now()).unwrap();
        steps.push(first);
        if n == 0 {
            for event in [
                Event::ObservePass { look: look(plumb_model::Outcome::Pass, true, now().plus_days(2)) },
                Event::RetestPass {
                    look: look(plumb_model::Outcome::Pass, true, now().plus_days(2)),
                    before: None,
                    event_driven: false,
                },
            ] {
                let step = f.transition(event, &system(), "", &policy(), now().plus_days(2)).unwrap();
                f = f.apply(&step, &policy()).unwrap();
                steps.push(step);
            }
        }
        findings.push(f);
    }
    let p = finding::pareto(&findings);
    assert_eq!(
        (p.rules[0].name.as_str(), p.rules[0].findings, p.top_rules_percent, p.rules_for_80_percent),
        ("r.noisy", 29, 74, 4)
    );
    let m = finding::risk_moves(&findings, &steps, now().plus_days(1), now().plus_days(3));
    assert_eq!((m.before, m.arrived, m.burned, m.after), (4000, 0, 100, 3900));
    // R23: what the first look found was there before it; what came and was fixed in between is work that was done.
    let mut first = finding::RiskTally::from_first_look(now().plus_days(-1), now().plus_days(1), now().plus_days(3));
    let mut all = finding::RiskTally::new(now().plus_days(-1), now().plus_days(3));
    for f in &findings {
        let mine: Vec<_> = steps.iter().filter(|s| s.finding == f.id).cloned().collect();
        first.add(f, &mine);
        all.add(f, &mine);
    }
    let (first, all) = (first.finish(), all.finish());
    assert_eq!((first.before, first.arrived, first.burned, first.after), (4000, 0, 100, 3900));
    assert_eq!((all.before, all.arrived, all.burned, all.after), (0, 4000, 100, 3900));
    let sla = &finding::sla_by_team(&findings, now(), now().plus_days(15))[0];
    assert_eq!(
        (sla.team.as_str(), sla.open, sla.overdue, sla.closed, sla.burned, sla.in_time_percent()),
        ("shop", 39, 39, 1, 100, Some(100))
    );
    let weeks = finding::weekly(&findings, &steps);
    assert_eq!(
        weeks.iter().map(|w| (w.opened, w.closed, w.median_fix_seconds)).collect::<Vec<_>>(),
        [(40, 0, None), (0, 1, Some(2 * 86_400))]
    );
    assert_eq!(finding::queue(&findings, None, now()).len(), 39);
}

#[test]
fn an_approval_is_carried_only_by_a_control_that_was_seen_to_pass() {
    let rule = || RuleId::from("aws.s3.bucket.logging");
    let mut book: BTreeMap<String, Exposure> = BTreeMap::new();
    ledger::observe(&mut book, vec![seen("orders")], &here(), &BTreeSet::new(), &[], &policy(), now());
    let id = book.keys().next().unwrap().clone();
    let warrant = |controls: Vec<RuleId>, words: Option<&str>| {
        let why = "The shop's pictures are served to everybody.";
        let asked = Warrant::ask(&actor("erin"), why, "the shop moves", now().plus_days(20), 90, now()).unwrap();
        Warrant { controls, compensation: words.map(str::to_owned), ..asked }
    };
    let mut check = |w: Warrant, outcomes: &[(RuleId, Verdict)], flags: Option<&str>, moved: (usize, usize)| {
        let entry = book.get_mut(&id).unwrap();
        (entry.state, entry.warrant) = (ExposureState::Approved, Some(w));
        let (flagged, settled) = ledger::weigh(&mut book, &outcomes.iter().cloned().collect());
        assert_eq!((flagged.len(), settled.len()), moved);
        assert_eq!(book[&id].flag().is_some(), flags.is_some());
        assert!(flags.is_none_or(|f| book[&id].flag().unwrap().contains(f)), "{:?}", book[&id].flag());
    };
    check(warrant(vec![], None), &[], Some("without a compensating control"), (1, 0));
    check(warrant(vec![], Some("  ")), &[], Some("without"), (0, 0));
    check(warrant(vec![], Some("behind a firewall that filters")), &[], None, (0, 1));
    check(warrant(vec![rule()], None), &[(rule(), Verdict::Pass)], None, (0, 0));
    check(warrant(vec![rule()], None), &[(rule(), Verdict::Unknown)], Some("not seen to pass"), (1, 0));
    check(warrant(vec![rule()], None), &[], Some("not seen to pass"), (0, 0));
    check(warrant(vec![rule()], None), &[(rule(), Verdict::Pass)], None, (0, 1));
}

/// Who is not known to be here is not taken to be, whatever cells hold (I23).
#[test]
fn a_personnel_list_is_read_or_refused() {
    let read = |text: &str| review::people_from_csv(text, now());
    let people =
        read("name,email,leaving date\n\"Doe, Jane\",Jane@Example.com,2026-01-31\n\"Roe, Ann\",ann@example.com,\n")
            .unwrap();
    assert_eq!(people.iter().map(|p| p.active).collect::<Vec<_>>(), [false, true]);
    assert!(people[0].logins.contains("jane@example.com"));
    for (text, want) in [
        ("email,active\nann@example.com,maybe\n", "row 1: `maybe` is no status"),
        ("email,leaving_date\nann@example.com,31.12.2025\n", "row 1: `31.12.2025` is no date like 2026-12-31"),
        ("name,active\nann,true\n", "no column `login`"),
        ("email\nann@example.com\n", "no column `status`"),
        ("", "the list is empty"),
    ] {
        let said = read(text).unwrap_err();
        assert!(said.contains(want), "{said}");
    }
}
