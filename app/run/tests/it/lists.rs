//! Kinds whose resources are on two lists: web ACLs of regions, and those of distributions (`[[read.also]]`).

use super::overland::One;
use base64::Engine;
use plumb_catalog::{Catalog, File};
use plumb_clouds::{Answer, Call, Pages, Target, Wire};
use plumb_evaluate::{Explain, RuleSet, Selection};
use plumb_model::Outcome;
use plumb_record::{Query, Record, ScanId, UnitState};
use plumb_run::{AccountTarget, JudgeError, NATIVE, facts_of, judge_account, run_scan};
use serde_json::{Value as Json, json};
use std::{cell::RefCell, collections::BTreeSet};

const ACCOUNT: &str = "111122223333";
const HAS_RULE: &str = "aws.wafv2.web-acl.has-rule";

fn acl(scope: &str, region: &str, name: &str) -> Json {
    let place = if scope == "CLOUDFRONT" { "global" } else { "regional" };
    json!({ "Name": name, "Id": name, "ARN": format!("arn:aws:wafv2:{region}:{ACCOUNT}:{place}/webacl/{name}/1") })
}

/// A sound web ACL in each region, an empty one of distributions; a session document that logs nothing, and a script.
#[derive(Default)]
struct Web {
    /// Refuses the list of distributions.
    refused: bool,
    /// The one of distributions has a rule, and no document is for sessions.
    mended: bool,
    /// The credential report, as CSV.
    report: &'static str,
    asked: std::sync::Mutex<Vec<String>>,
}

impl Web {
    fn answer(&self, target: &Target, call: &Call) -> Answer {
        let region = target.region.as_str();
        let scope = call.params["Scope"].as_str().unwrap_or_default();
        let said = format!("{region} {} {scope}{}", call.name(), call.params["Name"].as_str().unwrap_or_default());
        self.asked.lock().unwrap().push(said);
        let page = match (call.name().as_str(), scope) {
            ("wafv2:ListWebACLs", "CLOUDFRONT") if self.refused => {
                return Answer::Denied {
                    permission: call.name(),
                    code: "AccessDeniedException".into(),
                    message: String::new(),
                };
            }
            ("wafv2:ListWebACLs", "CLOUDFRONT") => json!({ "WebACLs": [acl(scope, region, "edge")] }),
            ("wafv2:ListWebACLs", _) => json!({ "WebACLs": [acl(scope, region, "inner")] }),
            ("wafv2:GetWebACL", "CLOUDFRONT") if !self.mended => json!({ "WebACL": { "Rules": [] } }),
            ("wafv2:GetWebACL", _) => json!({ "WebACL": { "Rules": [{ "Name": "common" }] } }),
            ("ssm:ListDocuments", _) => json!({ "DocumentIdentifiers": [
                { "Name": "shell", "DocumentType": if self.mended { "Command" } else { "Session" } },
                { "Name": "restart", "DocumentType": "Command" }] }),
            ("ssm:GetDocument", _) => {
                json!({ "Content": json!({ "schemaVersion": "1.0", "inputs": { "s3BucketName": "" } }).to_string() })
            }
            // It is not made at once.
            ("iam:GenerateCredentialReport", _) if self.times("GenerateCredentialReport") < 2 => {
                json!({ "State": "STARTED" })
            }
            ("iam:GenerateCredentialReport", _) => json!({ "State": "COMPLETE" }),
            ("iam:GetCredentialReport", _) if self.times("GenerateCredentialReport") > 1 => {
                json!({ "Content": base64::engine::general_purpose::STANDARD.encode(self.report) })
            }
            ("iam:GetCredentialReport", _) => {
                return Answer::Broken { code: "ReportInProgress".into(), message: String::new() };
            }
            ("iam:GetAccountAuthorizationDetails", _) => {
                json!({ "UserDetailList": [{ "UserName": "ann", "Arn": format!("arn:aws:iam::{ACCOUNT}:user/ann") }] })
            }
            ("iam:GetAccountSummary", _) => json!({ "SummaryMap": { "AccountPasswordPresent": 1 } }),
            ("iam:ListVirtualMFADevices", _) => json!({ "VirtualMFADevices": [
                { "SerialNumber": "phone", "User": { "Arn": format!("arn:aws:iam::{ACCOUNT}:root") } }] }),
            _ => json!({}),
        };
        Answer::Page { page }
    }

    /// How often something was asked for.
    fn times(&self, what: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.contains(what)).count()
    }
}

impl Wire for Web {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        Pages::new(One(Some(self.answer(target, call))))
    }
}

/// Every verdict of a scan of these rules in two regions: rule, what it is about, outcome, what it needs.
fn scan(record: &mut Record, wire: &Web, ids: &[&str]) -> (i64, BTreeSet<[String; 4]>) {
    let (catalog, _) = Catalog::load(std::iter::empty::<File<'_>>());
    let wanted = ids.iter().map(|id| (*id).into()).collect();
    let selection = Selection { rules: Some(wanted), natives: NATIVE, ..Selection::default() };
    let (rules, problems) = RuleSet::compile(&catalog, &selection);
    assert!(problems.is_empty(), "{problems:?}");
    let options = crate::options("2026-06-01T00:00:00Z", 1);
    let target = AccountTarget {
        id: ACCOUNT.into(),
        name: "web".into(),
        state: "active".into(),
        reason: String::new(),
        management: Some(false),
        organization: String::new(),
        regions: vec!["us-east-1".into(), "eu-west-1".into()],
        more_regions: false,
        joined: json!({}),
    };
    let (progress, stats, mut seen) = (|_: &str, _| {}, || json!({}), |_: &plumb_run::Seen<'_>| {});
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let never = std::future::pending();
    let scanned = run_scan(wire, record, &catalog, &rules, vec![target], &options, never, &progress, &mut seen, &stats);
    let outcome = runtime.block_on(scanned).unwrap();
    let facts = facts_of(&outcome.accounts[0], &outcome.accounts, "us-east-1", &BTreeSet::new());
    let found = RefCell::new(BTreeSet::new());
    let take = |v: &plumb_model::Verdict, _| {
        let needs: Vec<&str> = v.needs.iter().map(|n| n.call.as_ref()).collect();
        let about = [v.rule.to_string(), v.resource.to_string(), format!("{:?}", v.outcome), needs.join(" ")];
        found.borrow_mut().insert(about);
        Ok::<_, JudgeError>(())
    };
    let scan = ScanId(outcome.scan);
    judge_account(record, &rules, scan, &facts, options.now, Explain::NotPass, false, |_| Ok(()), take).unwrap();
    (outcome.scan, found.into_inner())
}

fn row(rule: &str, about: &str, outcome: Outcome, needs: &str) -> [String; 4] {
    [rule.into(), about.into(), format!("{outcome:?}"), needs.into()]
}

#[test]
fn a_second_list_is_read_where_it_is_and_its_refusal_leaves_the_place_open() {
    let mut record = Record::in_memory().unwrap();
    let wire = Web::default();
    let (_, found) = scan(&mut record, &wire, &[HAS_RULE]);
    let arn = |scope: &str, region: &str, name: &str| acl(scope, region, name)["ARN"].as_str().unwrap().to_owned();
    let (inner, edge) = (|region| arn("REGIONAL", region, "inner"), arn("CLOUDFRONT", "us-east-1", "edge"));
    let sound = ["us-east-1", "eu-west-1"].map(|region| row(HAS_RULE, &inner(region), Outcome::Pass, ""));
    let wanted: BTreeSet<_> = sound.clone().into_iter().chain([row(HAS_RULE, &edge, Outcome::Fail, "")]).collect();
    assert_eq!(found, wanted);
    let asked = wire.asked.lock().unwrap().clone();
    let times = |what: &str| asked.iter().filter(|a| *a == what).count();
    assert_eq!(times("us-east-1 wafv2:ListWebACLs CLOUDFRONT"), 1, "{asked:?}");
    assert_eq!(times("eu-west-1 wafv2:ListWebACLs CLOUDFRONT"), 0);
    assert_eq!(times("us-east-1 wafv2:GetWebACL CLOUDFRONTedge"), 1);
    assert_eq!(times("us-east-1 wafv2:GetWebACL REGIONALinner"), 1);
    // Distributions are not asked about load balancers: one question for each ACL of a region.
    assert_eq!(asked.iter().filter(|a| a.contains("ListResourcesForWebACL")).count(), 2, "{asked:?}");
    let open = |r: &Record| r.findings(&Query::default()).unwrap().len();
    assert_eq!(open(&record), 1);

    // Refused, the place is not known, and what was found there stays open.
    let refused = Web { refused: true, ..Web::default() };
    let (id, found) = scan(&mut record, &refused, &[HAS_RULE]);
    let place = format!("{ACCOUNT}:us-east-1:aws.wafv2.web-acl");
    let wanted: BTreeSet<_> =
        sound.into_iter().chain([row(HAS_RULE, &place, Outcome::Unknown, "wafv2:ListWebACLs")]).collect();
    assert_eq!(found, wanted);
    let units = record.units(ScanId(id)).unwrap();
    let state =
        |region: &str| units.iter().find(|u| u.region.as_str() == region).map(|u| u.state == UnitState::Complete);
    assert_eq!((state("us-east-1"), state("eu-west-1")), (Some(false), Some(true)));
    assert_eq!(open(&record), 1);
    let row = record.findings(&Query::default()).unwrap().remove(0);
    assert!(row.resource == edge && row.unknown_since.is_some(), "{row:?}");
}

#[test]
fn what_a_document_says_is_asked_of_those_that_rules_read() {
    let mut record = Record::in_memory().unwrap();
    let wire = Web::default();
    let rule = "aws.ssm.document.session-logged";
    let (_, found) = scan(&mut record, &wire, &[rule]);
    let about = |name: &str| format!("arn:aws:ssm:us-east-1:{ACCOUNT}:document/{name}");
    assert!(found.contains(&row(rule, &about("shell"), Outcome::Fail, "")), "{found:?}");
    assert!(found.contains(&row(rule, &about("restart"), Outcome::NotApplicable, "")), "{found:?}");
    let asked = wire.asked.lock().unwrap().clone();
    let documents: Vec<_> = asked.iter().filter(|a| a.contains("GetDocument")).collect();
    assert_eq!(documents.len(), 2, "one a region: {documents:?}");
    assert!(documents.iter().all(|d| d.ends_with("shell")));
}

/// A finding closes by what a scan saw, and the step says what that was (B52, G18).
#[test]
fn a_finding_that_closes_says_what_showed_it() {
    let mut record = Record::in_memory().unwrap();
    scan(&mut record, &Web::default(), &[HAS_RULE]);
    scan(&mut record, &Web { mended: true, ..Web::default() }, &[HAS_RULE]);
    let steps = record.query("SELECT event, to_state, reason FROM transitions").unwrap().rows;
    let steps: Vec<Vec<&str>> = steps.iter().map(|row| row.iter().filter_map(Json::as_str).collect()).collect();
    let holds = "the rule holds: size(rules) is 1 (wafv2:GetWebACL)";
    assert_eq!(
        steps[1..],
        [vec!["observe-pass", "retest-pending", holds], vec!["retest-pass", "fixed", holds]],
        "{steps:?}"
    );
    // It changes nothing for what passes all the time.
    scan(&mut record, &Web { mended: true, ..Web::default() }, &[HAS_RULE]);
    assert_eq!(record.query("SELECT count(*) FROM transitions").unwrap().rows[0][0], json!(3));
}

/// A rule that does not apply any more says by what, too.
#[test]
fn a_finding_whose_rule_no_longer_applies_says_what_showed_it() {
    const LOGGED: &str = "aws.ssm.document.session-logged";
    let mut record = Record::in_memory().unwrap();
    scan(&mut record, &Web::default(), &[LOGGED]);
    scan(&mut record, &Web { mended: true, ..Web::default() }, &[LOGGED]);
    let steps = record.query("SELECT DISTINCT reason FROM transitions WHERE event = 'retest-pass'").unwrap().rows;
    assert_eq!(
        steps,
        [[json!(
            "the rule no longer applies: document_type is \"Command\" (ssm:ListDocuments); content is null (ssm:GetDocument)"
        )]]
    );
}

/// Users and the root user are on one report, which is made once and waited for; what is cut off tells nothing of anybody
/// (B08, B16).
#[test]
fn the_credential_report_is_made_once_and_waited_for() {
    const ROOT: &str = "aws.iam.account.root-mfa";
    const HARDWARE: &str = "aws.iam.account.root-hardware-mfa";
    const USER: &str = "aws.iam.user.console-mfa";
    let whole = "user,arn,password_enabled,mfa_active\n\
                 <root_account>,arn:aws:iam::111122223333:root,true,true\n\
                 ann,arn:aws:iam::111122223333:user/ann,true,false\n";
    let (root, ann) = (format!("arn:aws:iam::{ACCOUNT}:root"), format!("arn:aws:iam::{ACCOUNT}:user/ann"));
    let wire = Web { report: whole, ..Web::default() };
    let (_, found) = scan(&mut Record::in_memory().unwrap(), &wire, &[ROOT, HARDWARE, USER]);
    let wanted = [
        row(ROOT, &root, Outcome::Pass, ""),
        row(HARDWARE, &root, Outcome::Fail, ""),
        row(USER, &ann, Outcome::Fail, ""),
    ];
    assert_eq!(found, wanted.into());
    assert_eq!((wire.times("GetCredentialReport"), wire.times("ListVirtualMFADevices")), (1, 1));

    let cut = Web { report: whole.split_inclusive(",tr").next().unwrap(), ..Web::default() };
    let (_, found) = scan(&mut Record::in_memory().unwrap(), &cut, &[ROOT, HARDWARE, USER]);
    let outcomes: BTreeSet<_> = found.iter().map(|[rule, _, outcome, _]| (rule.as_str(), outcome.as_str())).collect();
    assert_eq!(outcomes, [(ROOT, "Unknown"), (HARDWARE, "Fail"), (USER, "Unknown")].into(), "{found:?}");
}
