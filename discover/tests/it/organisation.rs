//! A made organisation with every source, whose shadow, ghost, unlisted, closed and mis-tiered accounts are known:
//! they are found, all of them and nothing else (D01 D02 D05–D16 D33 A01 A02 A24).

use crate::{FILES, now, readings};
use plumb_discover::*;
use std::collections::BTreeMap;

fn config() -> Config {
    let vendor = ("aws:200000000004".parse().unwrap(), "Monitoring vendor".to_owned());
    Config { third_parties: [vendor].into(), ..Config::default() }
}

fn estate() -> Estate {
    reconcile(&readings("landing-zone.csv"), None, &config(), now())
}

const ERP: &str = "azure:6f1c2d3e-0000-4000-8000-00000000000a";
const HACKATHON: &str = "azure:6f1c2d3e-0000-4000-8000-00000000000b";

#[test]
fn every_sample_is_read_without_loss() {
    for (kind, name, bytes) in FILES {
        let reading = read(*kind, &mut &**bytes, &Mapping::named(*name));
        assert!(reading.complete, "{name}: {:?}", reading.problems);
        assert!(!reading.sightings.is_empty(), "{name}");
        assert!(reading.rows > 0, "{name}");
    }
}

#[test]
fn the_states_are_found_exactly() {
    let estate = estate();
    let got: BTreeMap<String, &str> = estate.accounts.iter().map(|(k, a)| (k.to_string(), a.state.name())).collect();
    let want: BTreeMap<String, &str> = [
        ("aws:100000000001", "governed"),
        ("aws:100000000002", "governed"),
        ("aws:100000000003", "governed"),
        ("aws:100000000004", "governed"),
        ("aws:100000000005", "suspended"),
        ("aws:100000000006", "candidate"),
        ("aws:100000000007", "candidate"),
        ("aws:100000000008", "governed"),
        ("aws:100000000009", "candidate"),
        ("aws:127311923021", "candidate"),
        ("aws:200000000001", "shadow"),
        ("aws:200000000002", "shadow"),
        ("aws:200000000003", "shadow"),
        ("aws:200000000004", "candidate"),
        // Billed today for the first time: the organisation may list it tomorrow.
        ("aws:300000000001", "candidate"),
        (ERP, "governed"),
        (HACKATHON, "shadow"),
        ("gcp:pay-prod-1", "governed"),
        ("gcp:rogue-ml-7", "shadow"),
    ]
    .into_iter()
    .map(|(k, s)| (k.to_owned(), s))
    .collect();
    assert_eq!(got, want);
}

#[test]
fn shadow_accounts_name_who_pays_who_signs_in_and_which_role_reaches() {
    let estate = estate();
    fn check(estate: &Estate, account: &str, pays: &[&str], signs_in: &[&str], role: &str) {
        let s = estate.shadow.iter().find(|s| s.account.to_string() == account).expect(account);
        assert_eq!(s.missing_from, SourceClass::OrgRoot);
        assert_eq!(
            (s.who_pays.as_slice(), s.who_signs_in.as_slice()),
            (&*strings(pays), &*strings(signs_in)),
            "{account}"
        );
        assert!(
            s.roles.iter().any(|r| r.contains(role)) || role.is_empty() && s.roles.is_empty(),
            "{account} {:?}",
            s.roles
        );
        assert!(!s.evidence.is_empty());
    }
    assert_eq!(estate.shadow.len(), 5);
    check(&estate, "aws:200000000001", &["900000000001 (Marketing card)", "mia@example.com (marketing)"], &[], "");
    check(&estate, "aws:200000000002", &[], &["pete@example.com"], "");
    check(&estate, "aws:200000000003", &[], &[], "trusted-by arn:aws:iam::100000000002:role/partner-deploy");
    check(&estate, HACKATHON, &["7777 (Labs)"], &[], "");
    check(&estate, "gcp:rogue-ml-7", &["01AB-CD"], &[], "");
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|t| (*t).to_owned()).collect()
}

#[test]
fn the_contradictions_are_found_exactly() {
    let estate = estate();
    let mut got: Vec<String> = estate
        .contradictions
        .iter()
        .map(|c| format!("{} {}", c.kind, c.account.as_ref().map_or("-".into(), ToString::to_string)))
        .collect();
    got.sort();
    let mut want = vec![
        "billed-not-in-landing-zone aws:100000000006".to_owned(),
        "billed-not-in-landing-zone aws:100000000009".into(),
        "billed-not-in-landing-zone aws:200000000001".into(),
        format!("billed-not-in-landing-zone {HACKATHON}"),
        "billed-not-in-landing-zone gcp:rogue-ml-7".into(),
        "billed-not-in-organisation aws:200000000001".into(),
        format!("billed-not-in-organisation {HACKATHON}"),
        "billed-not-in-organisation gcp:rogue-ml-7".into(),
        "closed-but-billed aws:100000000005".into(),
        "ghost aws:100000000007".into(),
        "mis-tiered aws:100000000004".into(),
        "mis-tiered aws:100000000004".into(),
        "not-in-landing-zone aws:100000000006".into(),
        "not-in-landing-zone aws:100000000009".into(),
        "ownership-lapsed aws:100000000008".into(),
        "region-out-of-scope aws:100000000002".into(),
        "review-overdue aws:100000000008".into(),
        "root-sign-in aws:100000000001".into(),
        "tier-disagreement aws:100000000003".into(),
        "used-not-in-organisation aws:200000000002".into(),
        "used-not-in-organisation aws:200000000003".into(),
    ];
    // DigitalOcean; two Okta and two Entra applications; somebody working in another tenant.
    want.extend(std::iter::repeat_n("unattributed-use -".to_owned(), 6));
    want.sort();
    assert_eq!(got, want);
    let detail = |kind| &estate.contradictions.iter().find(|c| c.kind == kind).unwrap().detail;
    assert_eq!(detail(Conflict::ClosedButBilled), "closed, but billed until 2026-11-15");
    assert_eq!(detail(Conflict::TierDisagreement), "staging for landing-zone, production for iac-state");
}

#[test]
fn the_workbook_says_the_same_as_the_sheet() {
    let (csv, xlsx) = (estate(), reconcile(&readings("landing-zone.xlsx"), None, &config(), now()));
    let view = |e: &Estate| {
        e.accounts.values().map(|a| (a.key(), a.state, a.facts.clone(), a.gaps.clone())).collect::<Vec<_>>()
    };
    assert_eq!(view(&csv), view(&xlsx));
}

#[test]
fn gaps_compare_every_pair_of_lists() {
    let estate = estate();
    let gap = |known_to, missing_in| {
        let gap = estate.gaps.iter().find(|g| (g.known_to, g.missing_in) == (known_to, missing_in));
        gap.map(|g| g.accounts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap_or_default()
    };
    use SourceClass as S;
    assert_eq!(gap(S::Billing, S::OrgRoot), ["aws:200000000001", "aws:300000000001", HACKATHON, "gcp:rogue-ml-7"]);
    assert_eq!(gap(S::OrgRoot, S::LandingZone), ["aws:100000000006", "aws:100000000009"]);
    assert_eq!(gap(S::LandingZone, S::OrgRoot), ["aws:100000000007"]);
    assert_eq!(gap(S::LandingZone, S::Billing), ["aws:100000000007"]);
    let m = &estate.metrics;
    assert_eq!((m.accounts, m.sources_read), (17, 7));
    assert_eq!(m.by_state[&State::Shadow], 5);
    assert_eq!(m.known_by[&S::OrgRoot], 10);
    assert_eq!(m.breadth.values().sum::<u64>(), m.accounts);
}

#[test]
fn costs_dates_and_names_come_from_the_bills() {
    let estate = estate();
    let pay = &estate.accounts[&"aws:100000000002".parse().unwrap()];
    assert_eq!(pay.activity.cost["USD"], [("2026-10".to_owned(), 40_500_000), ("2026-11".into(), 4_250_000)].into());
    let billing = &pay.sources[&SourceClass::Billing];
    assert_eq!(billing.first_seen.unwrap().date(), "2026-10-01");
    assert_eq!(billing.last_seen.unwrap().date(), "2026-11-20");
    let rogue = &estate.accounts[&"gcp:rogue-ml-7".parse().unwrap()];
    assert_eq!(rogue.facts.name.as_deref(), Some("rogue-ml"));
    assert_eq!(rogue.facts.project_number.as_deref(), Some("4712"));
    assert_eq!(rogue.sources[&SourceClass::Billing].first_seen.unwrap().date(), "2026-10-30");
    // Old and new form of the report both count: fractions of a cent are kept while summing.
    let crm = &estate.accounts[&"aws:100000000005".parse().unwrap()];
    assert_eq!(crm.activity.cost["USD"]["2026-10"], 1);
}

#[test]
fn who_holds_regulated_data_is_answered_with_sources() {
    let estate = estate();
    let got: Vec<_> = estate.regulated().into_iter().map(|(a, who)| (a.key().to_string(), who)).collect();
    assert_eq!(
        got,
        [
            ("aws:100000000002".to_owned(), vec![SourceClass::LandingZone]),
            ("gcp:pay-prod-1".to_owned(), vec![SourceClass::LandingZone])
        ]
    );
}

#[test]
fn the_long_tail_is_triaged() {
    let estate = estate();
    fn check(estate: &Estate, account: &str, want: Triage) {
        let a = &estate.accounts[&account.parse().unwrap()];
        assert_eq!(a.triage, want, "{account}: {}", a.triage_because);
    }
    check(&estate, "aws:100000000002", Triage::FullBaseline);
    check(&estate, "aws:100000000004", Triage::FullBaseline);
    check(&estate, "aws:100000000006", Triage::FullBaseline);
    check(&estate, "aws:200000000001", Triage::FullBaseline);
    check(&estate, "aws:200000000003", Triage::FullBaseline);
    check(&estate, "aws:200000000004", Triage::LightEntry);
    // A ghost goes, whatever tier its record claims.
    check(&estate, "aws:100000000007", Triage::Retire);
    let key = |id: &str| id.parse::<AccountKey>().unwrap();
    let read = [(key("aws:100000000002"), now()), (key("aws:100000000008"), now())].into();
    let decided = [(key("aws:100000000008"), Triage::LightEntry)].into();
    let pulls = due_pulls(&estate, &read, &decided, &config());
    let due = |id: &str| pulls.iter().find(|(k, _)| k.to_string() == id).map(|(_, t)| t.seconds() - now().seconds());
    assert_eq!(due("aws:100000000002"), Some(6 * 3600));
    assert_eq!(due("aws:100000000001"), Some(0));
    assert_eq!(due("aws:100000000008"), Some(7 * 24 * 3600), "a review decided on a light entry");
    assert_eq!(due("aws:200000000004"), None);
}

#[test]
fn lines_and_tables_carry_what_is_promised() {
    let estate = estate();
    let lines: Vec<serde_json::Value> = accounts_jsonl(&estate).map(|l| serde_json::from_str(&l).unwrap()).collect();
    assert_eq!(lines.len(), 19);
    let line = lines.iter().find(|l| l["account"] == "aws:100000000002").unwrap();
    assert_eq!(line["owner"], "ada@example.com");
    assert_eq!(line["tier"], "tier1");
    assert_eq!(line["data_classes"], serde_json::json!(["regulated-payment", "personal"]));
    assert_eq!(line["sources"]["billing"]["first_seen"], "2026-10-01T00:00:00Z");
    assert_eq!(line["sources"]["org-root"]["first_seen"], "2022-02-01T08:00:00Z");
    assert_eq!(line["sources"]["org-root"]["last_seen"], now().to_string());
    assert_eq!(line["time_to_appear"]["from_creation"], true);
    assert_eq!(line["gaps"], serde_json::json!([]));
    assert_eq!(line["facts"]["contract_ref"], "PRG-17");

    // What is exported can be read again as a record made by hand.
    let csv = accounts_csv(&estate);
    let again = read(SourceKind::Manual, &mut csv.as_bytes(), &Mapping::default());
    assert!(again.complete, "{:?}", again.problems);
    assert_eq!(again.sightings.len(), 19);
    let pay = again.sightings.iter().find(|s| s.account.as_ref().unwrap().to_string() == "aws:100000000002").unwrap();
    assert_eq!(pay.facts.tier, Some(Tier::Tier1));
}

#[test]
fn the_order_of_sources_does_not_matter() {
    let mut backwards = readings("landing-zone.csv");
    backwards.reverse();
    let backwards = reconcile(&backwards, None, &config(), now());
    let view = |e: &Estate| (e.gaps.clone(), e.contradictions.clone(), e.shadow.clone(), e.metrics.clone());
    let (mut a, mut b) = (view(&estate()), view(&backwards));
    // Evidence names the file read last; what it proves is the same.
    for shadow in a.2.iter_mut().chain(&mut b.2) {
        shadow.evidence.clear();
    }
    assert_eq!(a, b);
}
