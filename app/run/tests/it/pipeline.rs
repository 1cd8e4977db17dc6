//! What holds of a scan as a whole, whatever the answers are: on the recorded organisation of `plumb demo`, with answers
//! that come in another order, twice, or not at all.

use plumb_catalog::{Catalog, File};
use plumb_clouds::{Answer, Call, PageSource, Pages, Target, Wire, replay::Replay};
use plumb_evaluate::{Explain, RuleSet, Selection};
use plumb_model::{AccountId, Outcome, Verdict};
use plumb_record::{Record, ScanId};
use plumb_run::{AccountTarget, AwsOptions, JudgeError, facts_of, is_live, judge_account, run_scan};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    hash::{DefaultHasher, Hash, Hasher},
    pin::Pin,
};

const HOME: &str = "us-east-1";

/// The recorded answers, in an order and with gaps that a number decides.
struct Weather {
    replay: Replay,
    seed: u64,
    /// Of a thousand calls, how many are not answered.
    unanswered: u64,
}

impl Weather {
    /// A number below `most` that the seed, the call and the place decide.
    fn draw(&self, target: &Target, call: &Call, what: &str, most: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.seed, target, call.name(), call.params.to_string(), what).hash(&mut hasher);
        hasher.finish() % most
    }
}

impl Wire for Weather {
    fn pages<'a>(&'a self, target: &Target, call: &Call) -> Pages<'a> {
        let struck = self.draw(target, call, "struck", 1000) < self.unanswered;
        let message = "the weather".to_owned();
        let instead = struck.then(|| match self.draw(target, call, "how", 5) {
            0 => Answer::Denied { permission: call.name(), code: "AccessDenied".into(), message },
            1 => Answer::ThrottledOut { message },
            2 => Answer::Truncated { message },
            3 => Answer::Disabled { code: "unreachable".into(), message },
            _ => Answer::Broken { code: "malformed".into(), message },
        });
        // A list that is cut off has given its first page; anything else has given nothing.
        let first = !matches!(instead, Some(Answer::Denied { .. } | Answer::Disabled { .. }));
        let pauses = self.draw(target, call, "pauses", 7);
        Pages::new(Late { inner: self.replay.pages(target, call), pauses, first, instead })
    }
}

struct Late<'a> {
    inner: Pages<'a>,
    pauses: u64,
    first: bool,
    instead: Option<Answer>,
}

impl PageSource for Late<'_> {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<Answer>> + Send + '_>> {
        Box::pin(async move {
            for _ in 0..self.pauses {
                tokio::task::yield_now().await;
            }
            if std::mem::take(&mut self.first) || self.instead.is_none() {
                return self.inner.next().await;
            }
            self.instead.take()
        })
    }
}

struct World {
    catalog: Catalog,
    rules: RuleSet,
    targets: Vec<AccountTarget>,
}

fn replay() -> Replay {
    Replay::read(include_bytes!("../../../cli/demo/northwind.jsonl.zst")).unwrap()
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

fn world() -> World {
    let (catalog, problems) = Catalog::load(std::iter::empty::<File<'_>>());
    assert!(problems.is_empty(), "{problems:?}");
    let live = catalog.rules.values().filter(|rule| is_live(&catalog, &rule.kind, "aws")).map(|rule| rule.id.clone());
    let (rules, problems) =
        RuleSet::compile(&catalog, &Selection { rules: Some(live.collect()), ..Selection::default() });
    assert!(problems.is_empty(), "{problems:?}");
    let own = AccountId::from(include_str!("../../../cli/demo/management.txt").trim());
    let options = AwsOptions { org: true, ..AwsOptions::default() };
    let replay = replay();
    let targets = run(plumb_run::discover(&replay, None, &own, HOME, &options, |_| {})).unwrap();
    World { catalog, rules, targets }
}

/// Scans onto a record and gives every verdict, in the order judged.
fn scan(world: &World, record: &mut Record, weather: &Weather, at_once: usize) -> Vec<Verdict> {
    let options = crate::options(include_str!("../../../cli/demo/now.txt").trim(), at_once);
    let targets = world.targets.clone();
    let (progress, stats) = (|_: &str, _| {}, || serde_json::json!({}));
    let never = std::future::pending();
    let (rules, catalog) = (&world.rules, &world.catalog);
    let outcome =
        run(run_scan(weather, record, catalog, rules, targets, &options, never, &progress, &mut |_| {}, &stats));
    let outcome = outcome.unwrap();
    let mut verdicts = Vec::new();
    for target in &outcome.accounts {
        let facts = facts_of(target, &outcome.accounts, HOME, &BTreeSet::new());
        let (scan, quiet) = (ScanId(outcome.scan), Explain::Nothing);
        judge_account::<JudgeError>(
            record,
            rules,
            scan,
            &facts,
            options.now,
            quiet,
            false,
            |_| Ok(()),
            |verdict, _| {
                verdicts.push(verdict.clone());
                Ok(())
            },
        )
        .unwrap();
    }
    verdicts
}

type About = (String, String, String, String);

fn by_subject(verdicts: &[Verdict]) -> BTreeMap<About, Outcome> {
    let about =
        |v: &Verdict| (v.account.to_string(), v.rule.to_string(), v.resource.to_string(), v.sub_key.to_string());
    verdicts.iter().map(|v| (about(v), v.outcome)).collect()
}

/// Every finding: key, state, what it is about.
fn findings(record: &Record) -> BTreeSet<(String, String, String, String)> {
    let all = ["open", "fixed", "resource-gone"].map(str::to_owned).to_vec();
    let query = plumb_record::Query { states: all, ..plumb_record::Query::default() };
    let rows = record.findings(&query).unwrap();
    rows.into_iter().map(|f| (f.key, f.state, f.rule, f.resource + "#" + &f.sub_key)).collect()
}

#[test]
fn neither_order_nor_repetition_nor_names_change_what_is_found() {
    let world = world();
    let mut first = Record::in_memory().unwrap();
    let weather = |seed| Weather { replay: replay(), seed, unanswered: 0 };
    let verdicts = scan(&world, &mut first, &weather(1), 4);
    assert!(verdicts.len() > 2000, "only {} verdicts", verdicts.len());

    let keys: BTreeSet<String> = verdicts.iter().map(|v| v.key().hex()).collect();
    let shorts: BTreeSet<String> = verdicts.iter().map(|v| v.key().short()).collect();
    assert_eq!((keys.len(), shorts.len()), (verdicts.len(), verdicts.len()), "each verdict has a key of its own");
    for verdict in &verdicts {
        let told_otherwise = Verdict {
            name: "renamed".into(),
            region: "elsewhere".into(),
            outcome: Outcome::Unknown,
            because: Vec::new(),
            ..verdict.clone()
        };
        assert_eq!(verdict.key(), told_otherwise.key(), "{verdict:?}");
    }

    // The same answers in another order, one account after the other.
    let found = findings(&first);
    let mut second = Record::in_memory().unwrap();
    assert_eq!(scan(&world, &mut second, &weather(2), 1), verdicts);
    assert_eq!(findings(&second), found);
    // And again on the same record.
    assert_eq!(scan(&world, &mut first, &weather(3), 2), verdicts);
    assert_eq!(findings(&first), found);
}

#[test]
fn an_answer_that_does_not_come_makes_verdicts_unknown_and_nothing_else() {
    let world = world();
    let mut record = Record::in_memory().unwrap();
    let sound = by_subject(&scan(&world, &mut record, &Weather { replay: replay(), seed: 0, unanswered: 0 }, 4));
    let found = findings(&record);
    // Twice the same: what is missed in two complete reads is gone, and none of this was complete.
    for (seed, unanswered) in [(1, 20), (2, 60), (2, 60), (3, 150), (3, 150), (4, 400), (4, 400), (5, 900)] {
        let verdicts = scan(&world, &mut record, &Weather { replay: replay(), seed, unanswered }, 4);
        let mut unknown = 0;
        for verdict in &verdicts {
            if verdict.outcome == Outcome::Unknown {
                unknown += 1;
                assert!(!verdict.needs.is_empty(), "seed {seed}: unknown without a reason: {verdict:?}");
                continue;
            }
            let about = by_subject(std::slice::from_ref(verdict)).into_keys().next().unwrap();
            assert_eq!(sound.get(&about), Some(&verdict.outcome), "seed {seed}: {verdict:?}");
        }
        assert!(unknown > 0, "seed {seed}: nothing became unknown");
        assert_eq!(findings(&record), found, "seed {seed}: findings opened, closed or changed their keys");
    }
}
