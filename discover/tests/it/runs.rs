//! The life of an estate over runs: absence, grace, closure, time to appear, staleness (D13 D14 D36 A14 A15).

use crate::{now, text};
use plumb_discover::*;
use plumb_model::Time;
use proptest::prelude::*;

fn org(accounts: &[(&str, &str)]) -> Reading {
    let list: Vec<_> = accounts
        .iter()
        .map(|(id, status)| serde_json::json!({"Id": id, "Status": status, "Name": id, "JoinedTimestamp": "2026-01-01T00:00:00Z", "JoinedMethod": "CREATED"}))
        .collect();
    text(SourceKind::AwsOrganizations, &serde_json::json!({ "Accounts": list }).to_string())
}

fn bill(rows: &[(&str, &str)]) -> Reading {
    let mut csv =
        "bill_payer_account_id,line_item_usage_account_id,line_item_usage_start_date,line_item_unblended_cost\n"
            .to_owned();
    rows.iter().for_each(|(id, day)| csv.push_str(&format!("111111111111,{id},{day},1\n")));
    text(SourceKind::AwsCur, &csv)
}

fn at(days: i64) -> Time {
    now().plus_days(days)
}

fn state(estate: &Estate, id: &str) -> State {
    estate.accounts[&format!("aws:{id}").parse().unwrap()].state
}

const A: &str = "100000000001";
const B: &str = "100000000002";

#[test]
fn absence_counts_only_when_the_source_was_read_completely() {
    let config = Config::default();
    let first = reconcile(&[org(&[(A, "ACTIVE"), (B, "ACTIVE")])], None, &config, at(0));
    let known = |e: &Estate| e.accounts[&format!("aws:{B}").parse().unwrap()].known_to(SourceClass::OrgRoot);
    // Nothing was read.
    assert!(known(&reconcile(&[], Some(&first), &config, at(1))));
    // The list broke off after the first account.
    let broken = text(SourceKind::AwsOrganizations, &format!("[{{\"Id\":\"{A}\"}},{{\"Id\":"));
    assert!(!broken.complete);
    assert!(known(&reconcile(&[broken], Some(&first), &config, at(1))));
    // The whole list lacks it.
    let second = reconcile(&[org(&[(A, "ACTIVE")])], Some(&first), &config, at(1));
    assert!(!known(&second));
    assert!(second.accounts[&format!("aws:{B}").parse().unwrap()].gaps.contains(&SourceClass::OrgRoot));
    // It stays on the record, and comes back.
    assert!(known(&reconcile(&[org(&[(A, "ACTIVE"), (B, "ACTIVE")])], Some(&second), &config, at(2))));
}

#[test]
fn a_new_account_has_a_day_of_grace() {
    let config = Config::default();
    let first = reconcile(&[org(&[(A, "ACTIVE")]), bill(&[(A, "2026-11-20")])], None, &config, at(0));
    let second = reconcile(&[org(&[(A, "ACTIVE")]), bill(&[(B, "2026-11-22")])], Some(&first), &config, at(1));
    assert_eq!(state(&second, B), State::Candidate);
    assert_eq!(second.runs.last().unwrap().new_accounts, ["aws:100000000002".parse().unwrap()]);
    let third = reconcile(&[org(&[(A, "ACTIVE")])], Some(&second), &config, at(3));
    assert_eq!(state(&third, B), State::Shadow);
    let listed = reconcile(&[org(&[(A, "ACTIVE"), (B, "ACTIVE")])], Some(&third), &config, at(4));
    assert_eq!(state(&listed, B), State::Candidate);
}

#[test]
fn a_standing_trust_earns_no_grace_by_being_used_today() {
    let trust = r#"{"account":"100000000001","role_arn":"arn:aws:iam::100000000001:role/r","trust_policy":{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::555566667777:root"}}]}}"#;
    let used = format!(
        r#"{{"eventName":"AssumeRole","eventTime":"{}","userIdentity":{{"accountId":"555566667777"}},"requestParameters":{{"roleArn":"arn:aws:iam::100000000001:role/r"}}}}"#,
        at(0)
    );
    let list = || org(&[("100000000001", "ACTIVE")]);
    let only_used = reconcile(&[list(), text(SourceKind::CloudTrail, &used)], None, &Config::default(), at(0));
    assert_eq!(state(&only_used, "555566667777"), State::Candidate);
    let readings = [list(), text(SourceKind::CrossAccountRoles, trust), text(SourceKind::CloudTrail, &used)];
    assert_eq!(state(&reconcile(&readings, None, &Config::default(), at(0)), "555566667777"), State::Shadow);
}

#[test]
fn without_an_organisation_the_landing_zone_decides_and_without_both_nothing_is_called_shadow() {
    let config = Config::default();
    let lz = text(SourceKind::LandingZone, &format!("account id,owner\n{A},x\n"));
    let seen = reconcile(&[lz, bill(&[(A, "2026-10-01"), (B, "2026-10-01")])], None, &config, now());
    assert_eq!((state(&seen, A), state(&seen, B)), (State::Candidate, State::Shadow));
    assert_eq!(seen.shadow[0].missing_from, SourceClass::LandingZone);
    let alone = reconcile(&[bill(&[(B, "2026-10-01")])], None, &config, now());
    assert_eq!(state(&alone, B), State::Candidate);
}

#[test]
fn suspended_accounts_close_after_ninety_days() {
    let config = Config::default();
    let mut estate = reconcile(&[org(&[(A, "SUSPENDED")])], None, &config, at(0));
    assert_eq!(state(&estate, A), State::Suspended);
    estate = reconcile(&[org(&[(A, "SUSPENDED")])], Some(&estate), &config, at(89));
    assert_eq!(state(&estate, A), State::Suspended);
    estate = reconcile(&[org(&[(A, "SUSPENDED")])], Some(&estate), &config, at(90));
    assert_eq!(state(&estate, A), State::Closed);
    estate = reconcile(&[org(&[(A, "ACTIVE")])], Some(&estate), &config, at(91));
    assert_eq!(state(&estate, A), State::Candidate);
}

#[test]
fn time_to_appear_is_measured() {
    let config = Config::default();
    let first = reconcile(&[bill(&[(A, "2026-11-01")])], None, &config, at(0));
    let second = reconcile(&[bill(&[(A, "2026-11-22"), (B, "2026-11-22")])], Some(&first), &config, at(2));
    let appeared = |e: &Estate, id: &str| e.accounts[&format!("aws:{id}").parse().unwrap()].time_to_appear.unwrap();
    assert_eq!(appeared(&second, A), Appeared { seconds: 20 * 86_400 + 43_200, from_creation: false });
    assert_eq!(appeared(&second, B), Appeared { seconds: 86_400 + 43_200, from_creation: false });
    assert_eq!(second.metrics.time_to_appear.p95_seconds, Some(20 * 86_400 + 43_200));
    assert_eq!(
        second.metrics.time_to_appear_new,
        Appearing { accounts: 1, p50_seconds: Some(129_600), p95_seconds: Some(129_600) }
    );
}

#[test]
fn stale_sources_are_findings() {
    let config = Config::default();
    let first = reconcile(&[org(&[(A, "ACTIVE")])], None, &config, at(0));
    let stale = |e: &Estate| e.contradictions.iter().filter(|c| c.kind == Conflict::StaleSource).count();
    assert_eq!(stale(&first), 0);
    assert_eq!(stale(&reconcile(&[], Some(&first), &config, at(2))), 0);
    assert_eq!(stale(&reconcile(&[], Some(&first), &config, at(3))), 1);
}

#[test]
fn a_reason_closes_a_gap() {
    let lz = text(SourceKind::LandingZone, &format!("account id\n{A}\n"));
    let reason = GapReason {
        account: format!("aws:{B}").parse().unwrap(),
        missing_in: SourceClass::LandingZone,
        reason: "joins with the next wave".into(),
        by: "ada".into(),
        at: now(),
    };
    let config = Config { gap_reasons: vec![reason], ..Config::default() };
    let estate = reconcile(&[lz, org(&[(A, "ACTIVE"), (B, "ACTIVE")])], None, &config, now());
    assert_eq!(estate.gaps[0].explained, ["aws:100000000002".parse().unwrap()]);
    assert_eq!(estate.metrics.open_gaps, 0);
    // The reason is kept without being given again.
    let again = reconcile(&[], Some(&estate), &Config::default(), at(1));
    assert_eq!(again.metrics.open_gaps, 0);
}

#[test]
fn an_old_log_does_not_make_an_account_used() {
    let event = serde_json::json!({"eventName": "ConsoleLogin", "eventTime": "2026-01-05T00:00:00Z", "recipientAccountId": B,
        "userIdentity": {"type": "IAMUser", "userName": "x"}, "responseElements": {"ConsoleLogin": "Success"}});
    let estate = reconcile(
        &[text(SourceKind::CloudTrail, &event.to_string()), org(&[(A, "ACTIVE")])],
        None,
        &Config::default(),
        now(),
    );
    let account = &estate.accounts[&format!("aws:{B}").parse().unwrap()];
    assert!(!account.known_to(SourceClass::IdpFederation));
    assert_eq!(account.triage, Triage::Retire);
}

#[test]
fn saved_estates_are_read_again_and_other_formats_refused() {
    let estate = reconcile(&crate::readings("landing-zone.csv"), None, &Config::default(), now());
    let json = estate.to_json();
    let again = Estate::from_json(&json).unwrap();
    assert_eq!(again, estate);
    assert_eq!(again.to_json(), json);
    let other = json.replacen("plumb.estate/1", "plumb.estate/9", 1);
    assert!(Estate::from_json(&other).unwrap_err().to_string().contains("plumb.estate/9"));
    assert!(Estate::from_json("{").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A second run over the same sources at the same instant changes nothing but the list of runs.
    #[test]
    fn reconciling_again_changes_nothing(ids in prop::collection::btree_set(0u64..40, 0..12), listed in prop::collection::btree_set(0u64..40, 1..12)) {
        let name = |n: &u64| format!("{:012}", 200_000_000_000 + n);
        let names: Vec<String> = ids.iter().map(name).collect();
        let listed: Vec<String> = listed.iter().map(name).collect();
        let rows: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "2026-11-01")).collect();
        let list: Vec<(&str, &str)> = listed.iter().map(|n| (n.as_str(), "ACTIVE")).collect();
        let readings = [org(&list), bill(&rows)];
        let once = reconcile(&readings, None, &Config::default(), now());
        let twice = reconcile(&readings, Some(&once), &Config::default(), now());
        prop_assert_eq!(&once.accounts, &twice.accounts);
        prop_assert_eq!(&once.contradictions, &twice.contradictions);
        // Billed and not listed is exactly the shadow list.
        let shadow: Vec<String> = once.shadow.iter().map(|s| s.account.id.to_string()).collect();
        let want: Vec<String> = names.iter().filter(|n| !listed.contains(n)).cloned().collect();
        prop_assert_eq!(shadow, want);
    }
}
