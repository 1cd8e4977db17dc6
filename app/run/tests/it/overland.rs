//! Attack paths over the accounts of an organisation, from answers of its interfaces to findings.

use plumb_catalog::{Catalog, File};
use plumb_clouds::{Answer, Call, PageSource, Pages, Target, Wire};
use plumb_evaluate::{Explain, RuleSet, Selection};
use plumb_model::{Outcome, Verdict};
use plumb_record::{Query, Record, ScanId};
use plumb_run::{AccountTarget, JudgeError, NATIVE, facts_of, judge_account, run_scan};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, future::Future, pin::Pin};

const ROOT: &str = "100000000000";
const WEB: &str = "111111111111";
const BUILD: &str = "222222222222";
const DATA: &str = "333333333333";
const STRANGER: &str = "999999999999";

fn arn(account: &str, role: &str) -> String {
    format!("arn:aws:iam::{account}:role/{role}")
}

fn policy(statements: Json) -> Json {
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn role(account: &str, name: &str, trusted: &str, statements: Json) -> Json {
    let trust = json!([{"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}]);
    json!({"Arn": arn(account, name), "RoleName": name, "RoleId": format!("AROA{name}"), "Path": "/", "Tags": [],
        "CreateDate": "2026-01-01T00:00:00Z", "AssumeRolePolicyDocument": policy(trust), "AttachedManagedPolicies": [],
        "InstanceProfileList": [], "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": policy(statements)}]})
}

fn assume(role: &str) -> Json {
    json!([{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role}])
}

/// The organisation: a partner enters the web account, whose role becomes one of the build account, which owns the data.
#[derive(Default)]
struct Planted {
    /// Forbids the build account to assume roles.
    guarded: bool,
    /// Answers with a trust policy of the build account that cannot be read.
    garbled: bool,
    /// The web account lets the partner in no longer.
    closed: bool,
    /// Refuses to tell of the web account's instances.
    refused: bool,
}

impl Planted {
    fn roles(&self, account: &str) -> Vec<Json> {
        match account {
            WEB => vec![role(WEB, "partner", if self.closed { WEB } else { STRANGER }, assume(&arn(BUILD, "deploy")))],
            BUILD => {
                let mut deploy = role(BUILD, "deploy", &arn(WEB, "partner"), assume(&arn(DATA, "owner")));
                if self.garbled {
                    deploy["AssumeRolePolicyDocument"] = json!("%7Bno policy");
                }
                vec![deploy]
            }
            DATA => vec![role(DATA, "owner", BUILD, json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]))],
            _ => Vec::new(),
        }
    }

    fn answer(&self, target: &Target, call: &Call) -> Answer {
        let account = target.account.as_str();
        let deny = policy(json!([{"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}]));
        let page = match call.name().as_str() {
            "ec2:DescribeInstances" if self.refused && account == WEB => {
                return Answer::Denied {
                    permission: call.name(),
                    code: "UnauthorizedOperation".into(),
                    message: String::new(),
                };
            }
            "iam:GetAccountAuthorizationDetails" => {
                json!({"RoleDetailList": self.roles(account), "UserDetailList": [], "GroupDetailList": [], "Policies": []})
            }
            "organizations:DescribeOrganization" if account == ROOT => json!({"Organization": {"Id": "o-1",
                "Arn": format!("arn:aws:organizations::{ROOT}:organization/o-1"), "MasterAccountId": ROOT, "FeatureSet": "ALL"}}),
            "organizations:DescribeOrganization" => {
                return Answer::Absent { code: "AWSOrganizationsNotInUseException".into() };
            }
            "organizations:ListRoots" => json!({"Roots": [{"Id": "r-1"}]}),
            "organizations:ListAccountsForParent" => {
                json!({"Accounts": ([ROOT, WEB, BUILD, DATA].map(|id| json!({"Id": id})))})
            }
            "organizations:ListPolicies" if self.guarded && call.params["Filter"] == "SERVICE_CONTROL_POLICY" => {
                json!({"Policies": [{"Id": "p-all", "AwsManaged": true}, {"Id": "p-deny", "AwsManaged": false}]})
            }
            "organizations:ListTargetsForPolicy" => match call.params["PolicyId"].as_str() {
                Some("p-deny") => json!({"Targets": [{"TargetId": BUILD}]}),
                _ => json!({"Targets": [{"TargetId": "r-1"}]}),
            },
            "organizations:DescribePolicy" => json!({"Policy": {"PolicySummary": {"Id": call.params["PolicyId"]},
                "Content": deny.to_string()}}),
            _ => json!({}),
        };
        Answer::Page { page }
    }
}

/// One answer as the pages of a call.
pub(crate) struct One(pub Option<Answer>);

impl PageSource for One {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + '_>> {
        Box::pin(std::future::ready(self.0.take()))
    }
}

impl Wire for Planted {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        Pages::new(One(Some(self.answer(target, call))))
    }
}

fn target(id: &str) -> AccountTarget {
    AccountTarget {
        id: id.into(),
        name: id.into(),
        state: "active".into(),
        reason: String::new(),
        management: Some(id == ROOT),
        organization: "o-1".into(),
        regions: vec!["us-east-1".into()],
        more_regions: false,
        joined: json!({}),
    }
}

fn rules(catalog: &Catalog) -> RuleSet {
    let wanted = catalog.rules.keys().filter(|id| id.as_str().starts_with("aws.iam.account.no-attack-path-"));
    let selection = Selection { rules: Some(wanted.cloned().collect()), natives: NATIVE, ..Selection::default() };
    let (rules, problems) = RuleSet::compile(catalog, &selection);
    assert!(problems.is_empty(), "{problems:?}");
    rules
}

/// Scans these accounts, the first `active` of them as they are and the others unreachable; gives the verdicts.
fn scan(
    record: &mut Record,
    catalog: &Catalog,
    wire: &Planted,
    targets: Vec<AccountTarget>,
    at_once: usize,
) -> Vec<Verdict> {
    let options = crate::options("2026-06-01T00:00:00Z", at_once);
    let rules = rules(catalog);
    let (progress, stats) = (|_: &str, _| {}, || json!({}));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let never = std::future::pending();
    let outcome = runtime
        .block_on(run_scan(wire, record, catalog, &rules, targets, &options, never, &progress, &mut |_| {}, &stats))
        .unwrap();
    let mut verdicts = Vec::new();
    for target in outcome.accounts.iter().filter(|t| t.state == "active") {
        let facts = facts_of(target, &outcome.accounts, "us-east-1", &BTreeSet::new());
        let take = |verdict: &Verdict, _| {
            verdicts.push(verdict.clone());
            Ok::<_, JudgeError>(())
        };
        let scan = ScanId(outcome.scan);
        judge_account(record, &rules, scan, &facts, options.now, Explain::NotPass, false, |_| Ok(()), take).unwrap();
    }
    verdicts
}

fn all() -> Vec<AccountTarget> {
    [ROOT, WEB, BUILD, DATA].map(target).to_vec()
}

fn open(record: &Record) -> Vec<(String, String, String)> {
    let found = record.findings(&Query { states: vec!["open".into()], ..Query::default() }).unwrap();
    found.into_iter().map(|f| (f.account, f.sub_key, f.severity)).collect()
}

#[test]
fn a_partners_way_over_three_accounts_becomes_a_finding_where_it_ends() {
    let (catalog, problems) = Catalog::load(std::iter::empty::<File<'_>>());
    assert!(problems.is_empty(), "{problems:?}");
    let mut record = Record::in_memory().unwrap();
    let planted = Planted::default();
    let verdicts = scan(&mut record, &catalog, &planted, all(), 4);

    let family = format!("account:{STRANGER} > aws.iam.role > over accounts > {} > administration", arn(DATA, "owner"));
    assert_eq!(open(&record), [(DATA.to_owned(), family.clone(), "critical".to_owned())]);
    // Judged again from the record, the same comes out, with its steps and their accounts.
    let again = verdicts.iter().find(|v| v.outcome == Outcome::Fail).expect("the finding");
    assert_eq!((again.account.as_str(), again.sub_key.as_ref()), (DATA, family.as_str()));
    let steps: Vec<&str> = again.because.iter().map(|l| l.path.as_ref()).collect();
    for (account, role) in [(WEB, "partner"), (BUILD, "deploy"), (DATA, "owner")] {
        let step = format!("→ {} in account {account} (CAN_BECOME): {}", arn(account, role), arn(account, role));
        assert!(steps.iter().any(|s| s.contains(&step)), "{step} among {steps:#?}");
    }
    assert!(
        again.because.iter().filter(|l| l.path.starts_with("step ")).all(|l| l.source != plumb_model::Source::Derived)
    );
    let cut = again.because.iter().find(|l| &*l.path == "cheapest cut").expect("a cut");
    assert!(cut.expected.contains("1 of 1 paths over accounts die"), "{cut:?}");
    let table = record.query("SELECT from_account, to_account FROM path_steps ORDER BY step").unwrap();
    assert_eq!(
        table.rows,
        [[STRANGER, WEB], [WEB, BUILD], [BUILD, DATA], [DATA, DATA]].map(|r| r.map(Json::from).to_vec())
    );
    let accounts = record.query("SELECT accounts FROM paths").unwrap().rows[0][0].clone();
    assert_eq!(accounts, json!(json!([WEB, BUILD, DATA, STRANGER]).to_string()));

    // In another order, the same; and again on the same record.
    let mut other = Record::in_memory().unwrap();
    let backwards = all().into_iter().rev().collect();
    scan(&mut other, &catalog, &planted, backwards, 1);
    assert_eq!(open(&other), open(&record));
    scan(&mut record, &catalog, &planted, all(), 2);
    assert_eq!(open(&record).len(), 1);

    // One account alone is told with what the others left.
    scan(&mut record, &catalog, &planted, vec![target(DATA)], 1);
    assert_eq!(open(&record), [(DATA.to_owned(), family.clone(), "critical".to_owned())]);

    // A guardrail over the build account ends it.
    scan(&mut record, &catalog, &Planted { guarded: true, ..Planted::default() }, all(), 2);
    assert_eq!(open(&record), []);
    assert_eq!(record.query("SELECT count(*) FROM paths WHERE gone IS NULL").unwrap().rows[0][0], json!(0));
}

#[test]
fn an_account_that_cannot_be_entered_leaves_the_way_open_on_both_sides() {
    let (catalog, _) = Catalog::load(std::iter::empty::<File<'_>>());
    let mut record = Record::in_memory().unwrap();
    let mut targets = all();
    targets[2].state = "unreachable".into();
    targets[2].reason = "sts:AssumeRole was refused".into();
    let verdicts = scan(&mut record, &catalog, &Planted::default(), targets, 2);
    let unknown: Vec<(&str, &str)> = verdicts
        .iter()
        .filter(|v| v.outcome == Outcome::Unknown && !v.sub_key.is_empty())
        .map(|v| (v.account.as_str(), v.sub_key.as_ref()))
        .collect();
    let into = format!(
        "account:{STRANGER} > aws.iam.role > over accounts > {} > administration of account {BUILD}",
        arn(WEB, "partner")
    );
    let out = format!("account:{BUILD} > aws.iam.role > over accounts > {} > administration", arn(DATA, "owner"));
    assert!(unknown.contains(&(WEB, into.as_str())), "{unknown:#?}");
    assert!(unknown.contains(&(DATA, out.as_str())), "{unknown:#?}");
    let why = verdicts.iter().flat_map(|v| &v.needs).any(|n| n.detail.contains("sts:AssumeRole was refused"));
    assert!(why && verdicts.iter().all(|v| v.outcome != Outcome::Fail));

    // What was seen of it before it closed its doors is not certain any more.
    let mut record = Record::in_memory().unwrap();
    scan(&mut record, &catalog, &Planted::default(), all(), 2);
    assert_eq!(open(&record).len(), 1);
    let mut targets = all();
    targets[2].state = "unreachable".into();
    targets[2].reason = "sts:AssumeRole was refused".into();
    let verdicts = scan(&mut record, &catalog, &Planted::default(), targets, 2);
    let family = verdicts.iter().find(|v| v.sub_key.contains(STRANGER) && v.account.as_str() == DATA).expect("the way");
    assert_eq!(family.outcome, Outcome::Unknown, "{family:?}");
    assert!(family.needs.iter().any(|n| n.detail.contains("still is as it was")), "{:?}", family.needs);
}

#[test]
fn a_trust_policy_that_could_not_be_read_leaves_the_way_open() {
    let (catalog, _) = Catalog::load(std::iter::empty::<File<'_>>());
    let mut record = Record::in_memory().unwrap();
    let verdicts = scan(&mut record, &catalog, &Planted { garbled: true, ..Planted::default() }, all(), 2);
    // The role is known, so that the way is followed through it.
    let into = format!("account:{STRANGER} > aws.iam.role > over accounts > {} > administration", arn(DATA, "owner"));
    let open: Vec<&str> = verdicts.iter().filter(|v| v.outcome == Outcome::Unknown).map(|v| &*v.sub_key).collect();
    assert!(open.contains(&into.as_str()), "{open:#?}");
    assert!(verdicts.iter().all(|v| v.outcome != Outcome::Fail));
}

/// Scans some accounts; the others are not even asked for.
fn scan_some(record: &mut Record, catalog: &Catalog, wire: &Planted, accounts: &[&str]) {
    scan(record, catalog, wire, accounts.iter().map(|id| target(id)).collect(), 2);
}

#[test]
fn a_scan_of_some_accounts_moves_the_findings_of_ways_it_reads_a_part_of() {
    let (catalog, _) = Catalog::load(std::iter::empty::<File<'_>>());
    let mut record = Record::in_memory().unwrap();
    scan(&mut record, &catalog, &Planted::default(), all(), 2);
    let family = format!("account:{STRANGER} > aws.iam.role > over accounts > {} > administration", arn(DATA, "owner"));
    let way = (DATA.to_owned(), family.clone(), "critical".to_owned());
    assert_eq!(open(&record), std::slice::from_ref(&way));
    let standing = |record: &Record| -> Vec<(String, String)> {
        let states = ["open", "fixed"].map(str::to_owned).to_vec();
        let found = record.findings(&Query { states, ..Query::default() }).unwrap();
        found.into_iter().filter(|f| f.sub_key == family).map(|f| (f.account, f.state)).collect()
    };
    let gone = |record: &Record| {
        let sql = "SELECT count(*) FROM paths WHERE gone IS NOT NULL AND account = '333333333333'";
        record.query(sql).unwrap().rows[0][0].clone()
    };
    let closed = || Planted { closed: true, ..Planted::default() };

    // Accounts in the middle and at the end say nothing about where it begins.
    scan_some(&mut record, &catalog, &closed(), &[ROOT, BUILD]);
    scan_some(&mut record, &catalog, &closed(), &[ROOT, DATA]);
    assert_eq!(open(&record), std::slice::from_ref(&way));
    assert_eq!(gone(&record), json!(0));
    // The account where it begins is not read completely: it may still be there.
    scan_some(&mut record, &catalog, &Planted { refused: true, ..closed() }, &[ROOT, WEB]);
    assert_eq!(open(&record), std::slice::from_ref(&way), "{:?}", standing(&record));
    let text = record.joined(DATA).unwrap().unwrap();
    assert!(text.contains("whether it is still there: account 111111111111 was not read completely"), "{text}");
    assert!(text.contains("ec2:DescribeInstances") && text.contains(&family), "{text}");
    let kept = record.query("SELECT certain, severity FROM paths WHERE gone IS NULL").unwrap();
    assert_eq!(kept.rows, [[json!(0), json!("high")]], "told, and not certain");
    // Nor does a scan of another account close it then.
    scan_some(&mut record, &catalog, &closed(), &[ROOT, DATA]);
    assert_eq!(open(&record), std::slice::from_ref(&way));

    // Read completely, it is gone where it ended, although that account was not read.
    scan_some(&mut record, &catalog, &closed(), &[ROOT, WEB]);
    assert_eq!(standing(&record), [(DATA.to_owned(), "fixed".to_owned())]);
    assert_eq!(gone(&record), json!(1));

    // And comes again, with the age of what it rests on.
    scan_some(&mut record, &catalog, &Planted::default(), &[ROOT, WEB]);
    assert_eq!(open(&record).len(), 1, "{:?}", standing(&record));
    let doc = record.query("SELECT doc FROM path WHERE account = '333333333333' AND gone_scan IS NULL").unwrap();
    let doc: Json = serde_json::from_str(doc.rows[0][0].as_str().unwrap()).unwrap();
    let earlier: Vec<&String> = doc["earlier"].as_object().unwrap().keys().collect();
    assert_eq!(earlier, [BUILD, DATA]);
    // What the end account says of itself is of the scan that read it.
    let read = record.query("SELECT count(*) FROM assessed a JOIN border b USING (account, scan)").unwrap();
    assert_eq!(read.rows[0][0], json!(4));
}

/// Who becomes administrator of which other account.
fn abroad(record: &Record) -> Vec<(String, String, String)> {
    let rows =
        record.query("SELECT arn, into_account, state FROM principals_abroad ORDER BY account, arn, into_account");
    let text = |v: &Json| v.as_str().unwrap().to_owned();
    rows.unwrap().rows.iter().map(|r| (text(&r[0]), text(&r[1]), text(&r[2]))).collect()
}

#[test]
fn who_administers_other_accounts_is_on_the_record() {
    let (catalog, _) = Catalog::load(std::iter::empty::<File<'_>>());
    let mut record = Record::in_memory().unwrap();
    let row = |arn: String, into: &str, state: &str| (arn, into.to_owned(), state.to_owned());
    // Nobody outside reaches anyone: it counts all the same.
    let inside = || Planted { closed: true, ..Planted::default() };
    scan(&mut record, &catalog, &inside(), all(), 2);
    let both = [row(arn(WEB, "partner"), DATA, "yes"), row(arn(BUILD, "deploy"), DATA, "yes")];
    assert_eq!(abroad(&record), both);
    let steps = record.query("SELECT steps FROM principals_abroad WHERE account = '111111111111'").unwrap();
    let steps: Vec<String> = serde_json::from_str(steps.rows[0][0].as_str().unwrap()).unwrap();
    assert_eq!(steps, [arn(WEB, "partner"), arn(BUILD, "deploy"), arn(DATA, "owner"), format!("admin:{DATA}")]);
    assert_eq!(record.abroad(Some(BUILD)).unwrap().len(), 1);
    // A guardrail over the account in between ends both, whoever is read.
    scan_some(&mut record, &catalog, &Planted { guarded: true, ..inside() }, &[ROOT, BUILD]);
    assert_eq!(abroad(&record), []);
    // What could not be read is not "nobody".
    let mut record = Record::in_memory().unwrap();
    let mut targets = all();
    targets[3].state = "unreachable".into();
    targets[3].reason = "sts:AssumeRole was refused".into();
    scan(&mut record, &catalog, &inside(), targets, 2);
    let open = [
        row("*".into(), DATA, "unknown"),
        row(arn(WEB, "partner"), DATA, "unknown"),
        row(arn(BUILD, "deploy"), DATA, "unknown"),
        row("*".into(), "*", "unknown"),
    ];
    assert_eq!(abroad(&record), open);
    let reasons = record.abroad(None).unwrap();
    assert!(reasons.iter().all(|r| r.reason.contains("sts:AssumeRole was refused")), "{reasons:#?}");
}
