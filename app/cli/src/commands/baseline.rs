//! `plumb baseline`: the standing baseline of each tier of accounts, from draft to force and out of it again.

use super::people::{refused, session};
use crate::{
    args::{Format, Globals, RuleFilter},
    context, out,
    out::Failure,
};
use clap::{Args, Subcommand};
use plumb_drift::{Approved, Baseline, Status};
use plumb_model::{KindId, RuleId, Severity, Value};
use plumb_record::ScanId;
use plumb_run::{
    accounts,
    baselines::{self, Kept, Verb},
    drift as run_drift,
    govern::{self, Ask},
};
use serde_json::{Value as Json, json};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

/// `plumb baseline`
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// What to do; `list` when not said
    #[command(subcommand)]
    pub command: Option<BaselineCommand>,
}

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// List every version: tiers, providers, stage, author, approval
    List,
    /// Show a version: rules, parameters, approved values, how it came to be
    Show {
        /// Its name, or name@version
        baseline: String,
    },
    /// Write a draft from rules, from another version, or from a file
    Draft(Box<DraftArgs>),
    /// Fix a draft and ask for approval
    Propose(StepArgs),
    /// Agree to a proposed version; never its author
    Approve(StepArgs),
    /// Put an approved version in force, in place of what stood for its accounts
    Activate(StepArgs),
    /// Take a version out of force, or withdraw it
    Retire(StepArgs),
    /// Show how two versions differ
    Diff {
        /// One: name@version
        from: String,
        /// The other
        to: String,
    },
    /// List the runs of scans against baselines, with digests of what was read
    Runs {
        /// Only of this account
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Only of this scan
        #[arg(long, value_name = "N")]
        scan: Option<i64>,
    },
    /// Ask that a finding's present value be allowed for its account: that value and no other
    Deviate(Box<DeviateArgs>),
}

/// `plumb baseline draft`
#[derive(Debug, Args)]
pub struct DraftArgs {
    /// Its name; letters, digits, `-` and `_`
    pub name: String,
    /// The tiers it stands for: tier1, production, staging, sandbox, experimental, unknown
    #[arg(long = "tier", value_name = "TIER", num_args = 1.., value_delimiter = ',')]
    pub tiers: Vec<String>,
    /// The providers it stands for
    #[arg(long = "provider", value_name = "PROVIDER", num_args = 1.., value_delimiter = ',', default_value = "aws")]
    pub providers: Vec<String>,
    /// Its version; default the next one
    #[arg(long = "as-version", value_name = "VERSION")]
    pub numbered: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rules: RuleFilter,
    /// Begin from this version
    #[arg(long, value_name = "BASELINE")]
    pub from: Option<String>,
    /// Read it from a file (JSON, as `baseline show --format json` prints it under `baseline`)
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    pub file: Option<PathBuf>,
    /// A parameter: RULE:NAME=JSON
    #[arg(long = "param", value_name = "RULE:NAME=VALUE")]
    pub params: Vec<String>,
    /// A severity of its own: RULE=SEVERITY
    #[arg(long = "set-severity", value_name = "RULE=SEVERITY")]
    pub severities: Vec<String>,
    /// Rules whose failure outranks everything
    #[arg(long = "hard", value_name = "RULE", num_args = 1.., value_delimiter = ',')]
    pub hard: Vec<String>,
    /// Leave out every rule it does not name
    #[arg(long)]
    pub only: bool,
    /// An approved value of every resource of a kind: KIND.FIELD=JSON
    #[arg(long = "value", value_name = "KIND.FIELD=JSON")]
    pub values: Vec<String>,
    /// Take the present values of the resources of these kinds as approved ones
    #[arg(long = "as-is", value_name = "KIND", num_args = 1.., value_delimiter = ',')]
    pub as_is: Vec<String>,
    /// With --as-is: of these accounts; default those of its tiers
    #[arg(long = "of", value_name = "ACCOUNT", num_args = 1.., value_delimiter = ',', requires = "as_is")]
    pub of: Vec<String>,
}

/// A step of a version.
#[derive(Debug, Args)]
pub struct StepArgs {
    /// Its name, or name@version
    pub baseline: String,
    /// In your words
    #[arg(long, default_value = "")]
    pub note: String,
}

/// `plumb baseline deviate`
#[derive(Debug, Args)]
pub struct DeviateArgs {
    /// The findings: ids or beginnings of them; all with the same value
    #[arg(required = true)]
    pub findings: Vec<String>,
    /// The value that is allowed (JSON); default the one observed now, and no other can be
    #[arg(long, value_name = "JSON")]
    pub allow: Option<String>,
    /// business-need, technical-limit, compensating-control, vendor-dependency, cost-disproportionate, planned-retirement, test
    #[arg(long)]
    pub basis: String,
    /// Why it is reasonable; at least 50 characters
    #[arg(long)]
    pub justification: String,
    /// What may happen; at least 30 characters
    #[arg(long)]
    pub risk: String,
    /// Who answers for it; default who asks
    #[arg(long)]
    pub owner: Option<String>,
    /// The end: 2027-03-31, an RFC 3339 instant, or 30d
    #[arg(long, value_name = "END")]
    pub expires: String,
    /// What ends it early, besides another value: severity-rises, tier-rises, owner-leaves, …
    #[arg(long = "trigger", value_name = "TRIGGER", value_delimiter = ',')]
    pub triggers: Vec<String>,
}

/// `plumb baseline`
pub fn run(globals: &Globals, args: BaselineArgs) -> Result<u8, Failure> {
    match args.command.unwrap_or(BaselineCommand::List) {
        BaselineCommand::List => list(globals),
        BaselineCommand::Show { baseline } => show(globals, &baseline),
        BaselineCommand::Draft(args) => draft(globals, &args),
        BaselineCommand::Propose(args) => step(globals, &args, Verb::Propose),
        BaselineCommand::Approve(args) => step(globals, &args, Verb::Approve),
        BaselineCommand::Activate(args) => step(globals, &args, Verb::Activate),
        BaselineCommand::Retire(args) => step(globals, &args, Verb::Retire),
        BaselineCommand::Diff { from, to } => diff(globals, &from, &to),
        BaselineCommand::Runs { account, scan } => runs(globals, account.as_deref(), scan),
        BaselineCommand::Deviate(args) => deviate(globals, *args),
    }
}

fn joined<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(" ")
}

fn list(globals: &Globals) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let rows = baselines::all(&record).map_err(refused)?;
    if matches!(out::format(globals), Format::Json | Format::Jsonl) {
        let rows: Vec<Json> = rows.iter().map(head).collect();
        return out::rows(globals, &rows, &[], |_| Vec::new()).map(|()| 0);
    }
    let header =
        ["baseline", "stage", "tiers", "providers", "rules", "values", "author", "approved by", "in force from"];
    out::rows(globals, &rows, &header, |k| {
        let b = &k.baseline;
        vec![
            b.label(),
            k.stage.name().into(),
            joined(&b.tiers),
            joined(&b.providers),
            b.rules.len().to_string(),
            b.values.len().to_string(),
            b.author.clone(),
            joined(&b.approved_by),
            b.effective_from.map(|t| t.to_string()).unwrap_or_default(),
        ]
    })?;
    Ok(0)
}

fn head(k: &Kept) -> Json {
    let b = &k.baseline;
    json!({
        "baseline": b.label(), "name": b.name, "version": b.version, "stage": k.stage, "tiers": b.tiers, "providers": b.providers,
        "rules": b.rules.len(), "values": b.values.len(), "only": b.only, "author": b.author, "approved_by": b.approved_by,
        "effective_from": b.effective_from, "digest": k.digest,
    })
}

fn show(globals: &Globals, label: &str) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let kept = baselines::find(&record, label).map_err(refused)?;
    if out::format(globals) != Format::Text {
        let text = if out::format(globals) == Format::Jsonl {
            serde_json::to_string(&kept)?
        } else {
            serde_json::to_string_pretty(&kept)?
        };
        out::line(text);
        return Ok(0);
    }
    let b = &kept.baseline;
    out::line(format!("{} · {} · {} · {}", b.label(), kept.stage.name(), joined(&b.tiers), joined(&b.providers)));
    if b.only {
        out::line("rules it does not name are left out");
    }
    for s in &kept.steps {
        out::line(format!("{:<10}{} by {} {}", s.to.name(), s.at, s.by, s.note));
    }
    out::line("");
    let cells: Vec<Vec<String>> = b
        .rules
        .iter()
        .map(|r| {
            let params = r.parameters.iter().map(|(n, v)| format!("{n}={}", v.to_plain_json()));
            let hard = if r.hard { "hard" } else { "" };
            vec![r.rule.to_string(), r.severity.map(|s| s.to_string()).unwrap_or_default(), hard.into(), joined(params)]
        })
        .collect();
    out::table(&["rule", "severity", "hard", "parameters"], &cells);
    if !b.values.is_empty() {
        out::line("");
        let cells: Vec<Vec<String>> = b
            .values
            .iter()
            .map(|v| {
                let of = v.resource.as_ref().map_or_else(|| "every one".to_owned(), ToString::to_string);
                vec![v.kind.to_string(), of, v.field.to_string(), v.value.to_plain_json().to_string()]
            })
            .collect();
        out::table(&["kind", "resource", "field", "approved value"], &cells);
    }
    Ok(0)
}

/// `name=value`, split where the first `=` is.
fn pair<'a>(text: &'a str, flag: &str, right: &str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=').ok_or_else(|| Failure::usage(format!("{flag} `{text}`: {right} is right")))
}

/// A value as JSON; a word that is none is a text.
fn value_of(text: &str) -> Value {
    Value::from_json(&serde_json::from_str::<Json>(text).unwrap_or_else(|_| json!(text)))
}

fn draft(globals: &Globals, args: &DraftArgs) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let set = |items: &[String]| -> BTreeSet<Arc<str>> { items.iter().map(|t| Arc::from(t.as_str())).collect() };
    let named = |b: Option<Baseline>| -> Result<Baseline, Failure> {
        let version = match &args.numbered {
            Some(version) => version.clone(),
            None => baselines::next_version(&record, &args.name).map_err(refused)?,
        };
        let mut b = b.unwrap_or_else(|| Baseline {
            name: String::new(),
            version: String::new(),
            tiers: BTreeSet::new(),
            providers: set(&args.providers),
            rules: Vec::new(),
            only: false,
            values: Vec::new(),
            status: Status::Draft,
            author: String::new(),
            approved_by: Vec::new(),
            effective_from: None,
        });
        b.name.clone_from(&args.name);
        b.version = version;
        if !args.tiers.is_empty() {
            b.tiers = set(&args.tiers);
        }
        b.only |= args.only;
        Ok(b)
    };
    let mut b = if let Some(file) = &args.file {
        let text = super::identity::read_text(file)?;
        let doc: Json =
            serde_json::from_str(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?;
        let doc = doc.get("baseline").cloned().unwrap_or(doc);
        named(Some(serde_json::from_value(doc).map_err(|e| Failure::usage(format!("`{}`: {e}", file.display())))?))?
    } else if let Some(from) = &args.from {
        named(Some(baselines::find(&record, from).map_err(refused)?.baseline))?
    } else {
        named(None)?
    };
    let filter = &args.rules;
    let filtered = !(filter.checks.is_empty()
        && filter.services.is_empty()
        && filter.frameworks.is_empty()
        && filter.severity.is_none());
    let values_alone = (!args.values.is_empty() || !args.as_is.is_empty()) && !filtered;
    if filtered || (args.file.is_none() && args.from.is_none() && !values_alone) {
        let rules = context::rules(globals, &catalog, filter)?;
        let mut chosen = baselines::from_rules(&rules, &catalog);
        chosen.retain(|r| b.providers.iter().any(|p| **p == *r.rule.kind().provider()));
        for r in chosen {
            if b.rule(&r.rule).is_none() {
                b.rules.push(r);
            }
        }
    }
    change(&mut b, args)?;
    for text in &args.values {
        let (place, value) = pair(text, "--value", "KIND.FIELD=JSON")?;
        let (kind, field) = place
            .rsplit_once('.')
            .ok_or_else(|| Failure::usage(format!("--value `{text}`: KIND.FIELD=JSON is right")))?;
        b.values.retain(|v| !(v.resource.is_none() && v.kind.as_str() == kind && &*v.field == field));
        b.values.push(Approved {
            kind: KindId::from(kind),
            resource: None,
            field: field.into(),
            value: value_of(value),
            approved_by: String::new(),
            approved_at: session.now,
        });
    }
    if !args.as_is.is_empty() {
        let of = as_is_of(&record, &b, &args.of)?;
        let taken = run_drift::as_it_is(&record, &catalog, &args.as_is, &of, session.now)?;
        b.values.extend(taken);
    }
    let kept = baselines::draft(&mut record, &catalog, &session, b).map_err(refused)?;
    say(globals, &kept, &[])
}

/// The accounts whose present values are taken: those named, else those the baseline stands for.
fn as_is_of(record: &plumb_record::Record, b: &Baseline, named: &[String]) -> Result<Vec<String>, Failure> {
    for account in named {
        context::known_account(record, Some(account))?;
    }
    if !named.is_empty() {
        return Ok(named.to_vec());
    }
    let estate = accounts::current_estate(record, None)?;
    let stands = |a: &plumb_discover::Account| {
        b.tiers.iter().any(|t| **t == *a.tier().name()) && b.providers.iter().any(|p| **p == *a.provider.name())
    };
    let read: BTreeSet<String> = record.accounts()?.into_iter().map(|a| a.id).collect();
    let own = estate.accounts.values().filter(|a| stands(a) && read.contains(&a.native_id));
    let own: Vec<String> = own.map(|a| a.native_id.clone()).collect();
    if own.is_empty() {
        let tiers = joined(&b.tiers);
        return Err(Failure::usage(format!(
            "no scanned account has tier {tiers}; name those to copy with --of ACCOUNT"
        )));
    }
    Ok(own)
}

fn change(b: &mut Baseline, args: &DraftArgs) -> Result<(), Failure> {
    fn rule<'b>(b: &'b mut Baseline, id: &str) -> Result<&'b mut plumb_drift::BaselineRule, Failure> {
        let label = b.name.clone();
        b.rules.iter_mut().find(|r| r.rule.as_str() == id).ok_or_else(|| {
            Failure::usage(format!(
                "baseline `{label}` does not name rule `{id}`; a rule counts where --framework, --check and the other filters all choose it"
            ))
        })
    }
    for text in &args.params {
        let (place, value) = pair(text, "--param", "RULE:NAME=VALUE")?;
        let (id, name) = place
            .split_once(':')
            .ok_or_else(|| Failure::usage(format!("--param `{text}`: RULE:NAME=VALUE is right")))?;
        rule(b, id)?.parameters.insert(name.into(), value_of(value));
    }
    for text in &args.severities {
        let (id, severity) = pair(text, "--set-severity", "RULE=SEVERITY")?;
        rule(b, id)?.severity = Some(severity.parse::<Severity>().map_err(Failure::usage)?);
    }
    for id in &args.hard {
        rule(b, id)?.hard = true;
    }
    Ok(())
}

fn say(globals: &Globals, kept: &Kept, replaced: &[String]) -> Result<u8, Failure> {
    match out::format(globals) {
        Format::Text => {
            let b = &kept.baseline;
            let instead =
                if replaced.is_empty() { String::new() } else { format!("; retired {}", replaced.join(", ")) };
            out::line(format!(
                "{} is {}: {} rules, {} values for {}{instead}",
                b.label(),
                kept.stage.name(),
                b.rules.len(),
                b.values.len(),
                joined(&b.tiers)
            ));
        }
        _ => {
            let mut head = head(kept);
            if let Some(object) = head.as_object_mut() {
                object.insert("replaced".into(), json!(replaced));
            }
            out::line(head);
        }
    }
    Ok(0)
}

fn step(globals: &Globals, args: &StepArgs, verb: Verb) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let (kept, replaced) =
        baselines::step(&mut record, &catalog, &session, &args.baseline, verb, &args.note).map_err(refused)?;
    say(globals, &kept, &replaced)
}

fn diff(globals: &Globals, from: &str, to: &str) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    let (a, b) = (baselines::find(&record, from).map_err(refused)?, baselines::find(&record, to).map_err(refused)?);
    let edits = plumb_drift::differences(&a.baseline, &b.baseline);
    let said = |v: &Json| if v.is_null() { "-".into() } else { v.to_string() };
    out::rows(globals, &edits, &["place", "before", "after"], |e| {
        vec![e.place.clone(), said(&e.before), said(&e.after)]
    })?;
    Ok(0)
}

fn runs(globals: &Globals, account: Option<&str>, scan: Option<i64>) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    context::known_account(&record, account)?;
    if let Some(scan) = scan {
        record.scan(Some(ScanId(scan)))?;
    }
    let mut rows = baselines::runs(&record).map_err(refused)?;
    rows.retain(|r| account.is_none_or(|a| r.run.account.as_str() == a) && scan.is_none_or(|n| r.scan == n));
    let header = ["scan", "account", "tier", "baseline", "started", "pass", "fail", "unknown", "n/a", "inputs"];
    out::rows(globals, &rows, &header, |r| {
        let [pass, fail, unknown, na] = r.run.counts.map(|n| n.to_string());
        let digest: String = r.run.inputs_digest.chars().take(12).collect();
        vec![
            r.scan.to_string(),
            r.run.account.to_string(),
            r.tier.clone(),
            r.run.baseline.clone(),
            r.run.started_at.to_string(),
            pass,
            fail,
            unknown,
            na,
            digest,
        ]
    })?;
    Ok(0)
}

/// What the findings observe, which must be one value, and what the rule expects.
fn observed(record: &plumb_record::Record, findings: &[String]) -> Result<(Json, Json), Failure> {
    let mut all: Vec<(RuleId, Json, Json)> = Vec::new();
    for id in findings {
        let row = record.finding(id).map_err(|e| Failure::usage(e.to_string()))?;
        let of = |f: fn(&plumb_model::Leaf) -> Json| -> Json {
            Json::Object(row.because.iter().map(|l| (l.path.to_string(), f(l))).collect())
        };
        all.push((row.rule.as_str().into(), of(|l| l.observed.to_plain_json()), of(|l| json!(l.expected.to_string()))));
    }
    let Some((rule, value, expected)) = all.first().cloned() else {
        return Err(Failure::usage("say which finding"));
    };
    if let Some((other, ..)) = all.iter().find(|(r, v, _)| *r != rule || *v != value) {
        return Err(Failure::usage(format!(
            "a deviation covers one value of one rule; these findings of {rule} and {other} do not all show the same"
        )));
    }
    Ok((value, expected))
}

fn deviate(globals: &Globals, args: DeviateArgs) -> Result<u8, Failure> {
    let mut record = context::record(globals)?;
    let session = session(globals, &record)?;
    let catalog = context::catalog(globals)?;
    let (value, expected) = observed(&record, &args.findings)?;
    if let Some(text) = &args.allow {
        let wanted: Json = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        let single = value.as_object().filter(|o| o.len() == 1).and_then(|o| o.values().next());
        if wanted != value && single != Some(&wanted) {
            return Err(Failure::usage(format!(
                "the value there is {value}, not {wanted}; a deviation allows what is there, so change it first"
            )));
        }
    }
    let ask = Ask {
        findings: args.findings,
        kind: Some("baseline-deviation".into()),
        basis: Some(args.basis),
        justification: Some(args.justification),
        risk: Some(args.risk),
        owner: args.owner,
        expires: Some(args.expires),
        triggers: if args.triggers.is_empty() { vec!["value-changes".into()] } else { args.triggers },
        expected_value: Some(expected),
        allowed_value: Some(value),
        ..Ask::default()
    };
    let decision = govern::request(&mut record, &catalog, &session, &ask).map_err(refused)?;
    match out::format(globals) {
        Format::Text => out::line(format!(
            "{} is {}; approve with: plumb exceptions approve {}",
            decision.number, decision.status, decision.number
        )),
        _ => out::line(serde_json::to_string(&decision)?),
    }
    Ok(0)
}
