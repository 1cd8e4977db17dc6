//! The promised properties of the function, P1 to P14, as property tests over levels and over tunable policies.

use plumb_model::Time;
use plumb_score::{signal::*, *};
use proptest::prelude::*;

fn level<L: Level>() -> impl Strategy<Value = L> {
    (0..L::ALL.len()).prop_map(|i| L::ALL[i])
}

fn signals() -> impl Strategy<Value = Signals> {
    let seven = (level(), level(), level(), level(), level(), level(), level(), any::<bool>());
    seven.prop_map(|(severity, exposure, identity, drift, exploitation, data, account, hard)| Signals {
        severity,
        exposure,
        identity,
        drift,
        exploitation,
        data,
        account,
        hard,
    })
}

/// A rising scale of `n` values from `from`, with steps of at least `least`.
fn rising(n: usize, from: u32, least: u32, most: u32) -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(least..=most, n).prop_map(move |steps| {
        let mut at = from;
        steps
            .iter()
            .enumerate()
            .map(|(i, step)| {
                at += if i == 0 { 0 } else { *step };
                at
            })
            .collect()
    })
}

/// Any policy the schema allows.
fn policy() -> impl Strategy<Value = Policy> {
    let scales = (rising(5, 0, 20, 200), rising(6, 0, 1, 150), rising(6, 0, 0, 150), rising(4, 0, 0, 100));
    let percents = (rising(6, 50, 0, 30), rising(6, 50, 1, 30));
    let thresholds = (1u32..300, 1u32..300, 1u32..300, 0u32..100);
    (scales, percents, thresholds, 0u32..200).prop_map(|((sev, exp, idr, drf), (dat, acc), (t2, d1, d0, up), bonus)| {
        let thresholds = Thresholds { planned: t2, urgent: t2 + d1, act_now: t2 + d1 + d0 };
        let kev = ExploitWeight { bonus, floor_reachable: thresholds.act_now + up, floor: up };
        let none = ExploitWeight::default();
        let terms = Terms {
            severity: Scale::new(&sev),
            exposure: Scale::new(&exp),
            identity: Scale::new(&idr),
            drift: Scale::new(&drf),
            data: Scale::new(&dat),
            account: Scale::new(&acc),
            exploitation: Scale::new(&[none, none, none, none, kev, kev]),
            hard_floor: thresholds.act_now + up,
            thresholds,
            ..Terms::default()
        };
        Policy::new(terms).unwrap()
    })
}

fn sum(s: &Score) -> i64 {
    s.contributions.iter().map(|c| i64::from(c.points)).sum()
}

/// `signals` with one signal one level up, if there is one.
fn raised(s: &Signals, which: usize) -> Option<Signals> {
    fn up<L: Level>(level: L) -> Option<L> {
        L::ALL.get(level.index() + 1).copied()
    }
    let mut s = *s;
    match which {
        0 => s.severity = up(s.severity)?,
        1 => s.exposure = up(s.exposure)?,
        2 => s.identity = up(s.identity)?,
        3 => s.drift = up(s.drift)?,
        4 => s.exploitation = up(s.exploitation)?,
        5 => s.data = up(s.data)?,
        _ => s.account = up(s.account)?,
    }
    Some(s)
}

fn now() -> Time {
    "2026-11-21".parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn p1_raising_a_signal_never_lowers(s in signals(), which in 0usize..7, p in policy()) {
        if let Some(up) = raised(&s, which) {
            prop_assert!(score(&up, &p).points >= score(&s, &p).points);
            prop_assert!(score(&up, &Policy::default()).points >= score(&s, &Policy::default()).points);
        }
    }

    #[test]
    fn p2_hard_never_lowers(s in signals(), p in policy()) {
        let with = |hard| score(&Signals { hard, ..s }, &p).points;
        prop_assert!(with(true) >= with(false));
    }

    #[test]
    fn p3_contributions_sum_to_points(s in signals(), p in policy()) {
        let got = score(&s, &p);
        prop_assert_eq!(sum(&got), i64::from(got.points));
    }

    #[test]
    fn p4_equal_inputs_give_equal_output(s in signals(), p in policy()) {
        let line = serde_json::to_string(&s).unwrap();
        prop_assert_eq!(score_line(&line, &p), score_line(&line, &p.clone()));
        let again: Policy = serde_json::from_str(&p.to_json()).unwrap();
        prop_assert_eq!(score(&s, &again), score(&s, &p));
    }

    #[test]
    fn p5_the_score_is_capped(s in signals(), p in policy()) {
        let got = score(&s, &p);
        prop_assert!(got.score <= 1000 && got.score <= got.points);
        prop_assert!(got.score == got.points || got.score == 1000);
    }

    #[test]
    fn p6_silence_is_never_cheaper_than_a_claim(s in signals(), p in policy()) {
        let with = |exposure| score(&Signals { exposure, ..s }, &p).points;
        prop_assert!(with(Exposure::Unknown) >= with(Exposure::Org));
        let with = |account| score(&Signals { account, ..s }, &p).points;
        prop_assert!(with(Criticality::Unknown) >= with(Criticality::Staging));
        let with = |data| score(&Signals { data, ..s }, &p).points;
        prop_assert!(with(DataClass::Unknown) >= with(DataClass::Internal));
    }

    #[test]
    fn p7_p9_known_exploited_within_reach_is_lane_0(s in signals(), p in policy(), ransom in any::<bool>(), exposure in 3usize..6) {
        let exploitation = if ransom { Exploitation::KevRansomware } else { Exploitation::Kev };
        let s = Signals { exploitation, exposure: Exposure::ALL[exposure], ..s };
        prop_assert_eq!(score(&s, &p).lane, Lane::ActNow);
        prop_assert_eq!(score(&Signals { account: Criticality::Experimental, ..s }, &p).lane, Lane::ActNow);
    }

    #[test]
    fn p8_p9_hard_is_lane_0(s in signals(), p in policy()) {
        prop_assert_eq!(score(&Signals { hard: true, ..s }, &p).lane, Lane::ActNow);
        prop_assert_eq!(score(&Signals { hard: true, account: Criticality::Sandbox, ..s }, &p).lane, Lane::ActNow);
    }

    #[test]
    fn p10_multipliers_move_only_their_way(s in signals(), p in policy()) {
        for c in score(&s, &p).contributions {
            let percent = match c.signal {
                Signal::Data => p.terms().data.get(s.data),
                Signal::Account => p.terms().account.get(s.account),
                _ => continue,
            };
            prop_assert!(percent < 100 || c.points >= 0);
            prop_assert!(percent > 100 || c.points <= 0);
        }
    }

    #[test]
    fn p11_learning_is_told_from_worsening(s in signals(), to in 0usize..6) {
        let before = Signals { data: DataClass::Unknown, ..s };
        let after = Signals { data: DataClass::ALL[to], ..s };
        let policy = Policy::default();
        let context = Context { previous: Some((before, &policy)), ..Context::default() };
        let got = explain(&after, &policy, now(), &context);
        match got.previous {
            None => prop_assert_eq!(score(&before, &policy).contributions, score(&after, &policy).contributions),
            Some(previous) => {
                let learnt = previous.why.iter().find(|c| c.signal == Signal::Data);
                prop_assert!(learnt.is_some_and(|c| c.only_learnt));
                let moved: i64 = previous.why.iter().map(|c| i64::from(c.points)).sum();
                prop_assert_eq!(i64::from(previous.points) + moved, i64::from(got.points));
            }
        }
    }

    #[test]
    fn p12_without_data_sets_exploitation_is_none_and_that_is_said(ports in prop::collection::vec(any::<u16>(), 0..4)) {
        let subject = Subject { cves: &["CVE-2021-44228"], topic: "network.database-port-open", ports: &ports, resource_type: "" };
        let got = Feeds::none().exploitation(&subject, Exposure::InternetOpen);
        prop_assert_eq!(got.level, Exploitation::None);
        let status = Feeds::none().status(now());
        let said = explain(&Signals::of(plumb_model::Severity::Low), &Policy::default(), now(), &Context { feeds: &status, ..Context::default() });
        prop_assert_eq!(said.data_sets.get("kev").map(String::as_str), Some("none"));
        prop_assert!(said.warnings.iter().any(|w| w.contains("kev is not loaded")));
    }

    #[test]
    fn p13_lanes_are_monotone_in_points(a in 0u32..2500, b in 0u32..2500, p in policy()) {
        let (low, high) = (a.min(b), a.max(b));
        prop_assert!(lane(high, &p) <= lane(low, &p));
    }

    /// P14: a decision changes lists, not points; only the first of the two figures leaves it out.
    #[test]
    fn p14_decisions_do_not_alter_points(scores in prop::collection::vec((0u32..=1000, any::<bool>()), 0..40)) {
        let seen = Coverage { accounts_known: 1, accounts_scanned: 1, ..Coverage::default() };
        let p = Policy::default();
        let with = |decided: bool| scores.iter().map(move |(score, d)| Open { score: *score, lane: lane(*score, &Policy::default()), decided: *d && decided });
        let (some, none) = (Standing::of(with(true), seen), Standing::of(with(false), seen));
        prop_assert_eq!(some.risk_with_accepted, none.risk_with_accepted);
        prop_assert!(some.risk <= none.risk);
        prop_assert_eq!(lane(850, &p), Lane::ActNow);
    }

    #[test]
    fn rollups_never_dilute(scores in prop::collection::vec(0u32..=1000, 1..60), more in 0u32..=1000, which in any::<prop::sample::Index>(), less in 0u32..300) {
        let r = rollup(&scores);
        let largest = f64::from(*scores.iter().max().unwrap());
        prop_assert!(r >= largest - 1e-9 && r <= (largest + 150.0).min(1000.0) + 1e-9);
        let mut added = scores.clone();
        added.push(more);
        prop_assert!(rollup(&added) >= r - 1e-9);
        let mut lowered = scores.clone();
        let at = which.index(lowered.len());
        lowered[at] = lowered[at].saturating_sub(less);
        prop_assert!(rollup(&lowered) <= r + 1e-9);
        let mut backwards = scores.clone();
        backwards.reverse();
        prop_assert_eq!(rollup(&backwards), r);
    }

    #[test]
    fn the_order_is_total(a in (signals(), any::<Option<u32>>(), 0u8..4), b in (signals(), any::<Option<u32>>(), 0u8..4)) {
        let p = Policy::default();
        let (x, y) = (score(&a.0, &p), score(&b.0, &p));
        let time = |t: Option<u32>| t.map(|t| Time::from_seconds(i64::from(t)));
        let (l, r) = ((&x, time(a.1), None, a.2), (&y, time(b.1), None, b.2));
        prop_assert_eq!(order(l, r), order(r, l).reverse());
        if x.lane < y.lane {
            prop_assert_eq!(order(l, r), std::cmp::Ordering::Less);
        }
    }
}

#[test]
fn p8_a_rule_is_soft_only_where_two_people_said_so() {
    let mut terms = Terms::default();
    let (rule, approved_by) = ("aws.ec2.security-group.admin-port".into(), vec!["ada".to_owned(), "bob".to_owned()]);
    terms.not_hard.push(NotHard { rule, tier: Criticality::Sandbox, approved_by });
    let policy = Policy::new(terms).unwrap();
    let rule = "aws.ec2.security-group.admin-port".into();
    assert!(!policy.is_hard(&rule, true, Criticality::Sandbox));
    assert!(policy.is_hard(&rule, true, Criticality::Production));
    assert!(policy.is_hard(&"aws.iam.root.mfa".into(), true, Criticality::Sandbox));
    assert!(!policy.is_hard(&"aws.iam.root.mfa".into(), false, Criticality::Sandbox));
}

#[test]
fn the_sentence_says_why_and_what_would_help() {
    let signals = Signals {
        severity: SeverityLevel::High,
        exposure: Exposure::InternetOpen,
        identity: IdentityReach::Broad,
        drift: DriftLevel::None,
        exploitation: Exploitation::None,
        data: DataClass::Regulated,
        account: Criticality::Production,
        hard: false,
    };
    fn check(signals: Signals, want: &str) {
        let said = explain(&signals, &Policy::default(), now(), &Context::default());
        assert_eq!(said.sentence(), want);
        assert!(said.what_if.len() <= 3);
        assert_eq!(said.contributions.iter().map(|c| i64::from(c.points)).sum::<i64>(), i64::from(said.points));
    }
    check(
        signals,
        "100.0 because: high severity 28.0, open to the internet without sign-in +30.0, broad or stale reach +10.0, \
         regulated data ×1.35 (+23.8), production account ×1.15 (+13.7). With exposure → none alone it would be 58.9, \
         lane 2 (planned).",
    );
    check(
        Signals {
            exploitation: Exploitation::Kev,
            severity: SeverityLevel::Medium,
            data: DataClass::Internal,
            exposure: Exposure::InternetAuth,
            identity: IdentityReach::Narrow,
            ..signals
        },
        "95.0 because: medium severity 16.0, open to the internet behind sign-in +22.0, narrow reach +3.0, known exploited \
         +10.0, production account ×1.15 (+7.6), raised by 36.4 because of known exploited. With exploitation → none \
         alone it would be 47.1, lane 2 (planned).",
    );
    let informational = Signals {
        severity: SeverityLevel::Informational,
        exposure: Exposure::None,
        identity: IdentityReach::None,
        ..signals
    };
    check(informational, "0.0 because: nothing about it weighs.");
    check(
        Signals { hard: true, ..informational },
        "85.0 because: raised by 85.0 because it fails a hard baseline. No single change but fixing it lowers it.",
    );
}

#[test]
fn explanations_carry_evidence_unknowns_and_stale_feeds() {
    let signals = Signals { exposure: Exposure::InternetOpen, ..Signals::of(plumb_model::Severity::High) };
    let evidence =
        Evidence { reference: Some("ev/1".into()), source: "exposure analysis".into(), observed_at: Some(now()) };
    let status = Feeds::bundled().status(now());
    let policy = Policy::new(Terms { review_by: Some(now().plus_days(-1)), ..Terms::default() }).unwrap();
    let context = Context { evidence: [(Signal::Exposure, evidence)].into(), feeds: &status, previous: None };
    let said = explain(&signals, &policy, now(), &context);
    assert_eq!(said.unknowns, ["identity reach", "data class", "account criticality"]);
    assert_eq!(said.data_sets["kev"], "2025.08.25");
    assert_eq!(said.data_sets["epss"], "none");
    assert!(said.warnings.iter().any(|w| w.contains("kev 2025.08.25 is 453 days old")), "{:?}", said.warnings);
    assert!(said.warnings.iter().any(|w| w.contains("due for review")));
    let json = serde_json::to_value(&said).unwrap();
    assert_eq!(json["contributions"][1]["evidence_ref"], "ev/1");
    assert_eq!(json["contributions"][1]["signal"], "exp");
    let again: Explanation = serde_json::from_value(json).unwrap();
    assert_eq!(again, said);
}

#[test]
fn the_same_setting_weighs_by_its_data() {
    let policy = Policy::default();
    let bucket = Signals {
        exposure: Exposure::InternetOpen,
        account: Criticality::Production,
        ..Signals::of(plumb_model::Severity::High)
    };
    let logs = score(&Signals { data: DataClass::Internal, ..bucket }, &policy);
    let people = score(&Signals { data: DataClass::Personal, ..bucket }, &policy);
    assert!(people.points > logs.points);
    let s = simulate(&bucket, &policy, &policy);
    assert_eq!((s.before.points, s.lane_by_thresholds), (s.after.points, s.after.lane));
}
