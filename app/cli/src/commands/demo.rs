//! `plumb demo`: the whole pipeline, offline, on a bundled organisation.

use super::scan::{Show, execute, finish, runtime};
use crate::{
    args::{DemoArgs, Format, Globals, RuleFilter},
    context, out,
    out::Failure,
};
use plumb_clouds::replay::Replay;
use plumb_model::AccountId;
use plumb_run::{AwsOptions, ScanOptions};
use serde_json::json;

/// The recorded answers of the demo organisation; made by `cargo xtask demo`.
const RECORDING: &[u8] = include_bytes!("../../demo/northwind.jsonl.zst");

/// `plumb demo`
pub fn run(globals: &Globals, args: DemoArgs) -> Result<u8, Failure> {
    let path = match &globals.db {
        Some(path) => path.clone(),
        None => context::db_path(globals)?.with_file_name("demo.db"),
    };
    let replay = Replay::read(RECORDING)?;
    // Ages are measured against the day the answers were recorded, so that the demo says the same every day.
    let now = match &args.now {
        Some(text) => context::instant(Some(text))?,
        None => include_str!("../../demo/now.txt").trim().parse()?,
    };
    let catalog = context::catalog(globals)?;
    let rules = context::live_rules(globals, &catalog, &RuleFilter::default(), "aws")?;
    let mut record = plumb_record::Record::open(&path)?;
    let show = Show::new(globals, true);
    let home = "us-east-1";
    let code = runtime()?.block_on(async {
        let own = AccountId::from(include_str!("../../demo/management.txt").trim());
        let options = AwsOptions { org: true, ..AwsOptions::default() };
        let targets = plumb_run::discover(&replay, None, &own, home, &options, |_| {}).await?;
        let around = plumb_run::survey(&replay, &own, home, &targets, false).await;
        plumb_run::accounts::keep_readings(&mut record, &around.readings, now)?;
        let scan = ScanOptions {
            started: context::now(),
            now,
            regions: Default::default(),
            scope: json!({ "provider": "aws", "demo": true }),
            resume: None,
            accounts_at_once: 4,
            home: home.into(),
            partition: "aws".into(),
        };
        let stats = || json!({ "calls": 0, "replayed": replay.len() });
        let outcome =
            execute(&show, &replay, &mut record, &catalog, &rules, targets, &scan, std::future::pending(), &stats)
                .await?;
        finish(globals, &show, &record, &outcome, args.top, None)
    })?;
    if out::format(globals) == Format::Text && !globals.quiet {
        let db = path.display();
        let first = record.findings(&plumb_record::Query { limit: Some(1), ..Default::default() })?;
        let id = first.first().map_or("F-…", |f| f.id.as_str());
        out::line("\nThis was a recorded organisation; nothing was called. Look around:");
        out::line(format!("  plumb --db {db} why {id}"));
        out::line(format!("  plumb --db {db} findings --severity critical"));
        out::line(format!("  plumb --db {db} coverage --gaps"));
        out::line(format!("  plumb --db {db} export html -o report.html"));
        out::line(format!("  plumb --db {db} query 'SELECT severity, count(*) FROM findings GROUP BY 1'"));
        out::line("Then your own:  plumb plan aws  ·  plumb scan aws  ·  plumb scan aws --org");
    }
    // The demo organisation refuses some reads on purpose; that is part of what it shows.
    Ok(if code == 3 { 0 } else { code })
}
