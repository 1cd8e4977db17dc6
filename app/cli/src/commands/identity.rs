//! `plumb can`, `plumb who-can`, `plumb assess`, `plumb principals`, `plumb lint`.

use super::{known, scan::short};
use crate::{
    args::{Format, Globals},
    context, out,
    out::Failure,
};
use clap::Args;
use plumb_assess::identity::aws::{
    Assessed, Document, Row, World, can_line,
    decide::{Because, Residual},
    document::Effect,
    escalations,
    inventory::{Entry, Usage, admin_assumers, inventory, last_accessed, right_sized},
    lint::{Use, lint},
    prefixes::prefixes,
    reach::{Access, Evaluator},
};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

/// `plumb can`
#[derive(Debug, Args)]
pub struct CanArgs {
    /// Who: the ARN of a user, role, session or root, an account id, a service, or `*`
    #[arg(required_unless_present = "batch", value_name = "WHO")]
    pub who: Option<String>,
    /// The action: `s3:GetObject`
    #[arg(required_unless_present = "batch", value_name = "ACTION")]
    pub action: Option<String>,
    /// On what: an ARN or `*`
    #[arg(required_unless_present = "batch", value_name = "RESOURCE")]
    pub resource: Option<String>,
    /// Answer from the policy files of this folder, not from the record
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// A condition key that is known: `aws:SourceIp=198.51.100.7`
    #[arg(long = "context", value_name = "KEY=VALUE")]
    pub context: Vec<String>,
    /// With the statements that decided
    #[arg(long)]
    pub explain: bool,
    /// Answer each line of this file (`-` for standard input): a request with its policies
    #[arg(long, value_name = "FILE", conflicts_with_all = ["who", "policies", "context"])]
    pub batch: Option<PathBuf>,
}

/// `plumb who-can`
#[derive(Debug, Args)]
pub struct WhoCanArgs {
    /// The action: `s3:GetObject`
    pub action: String,
    /// On what: an ARN or `*`
    pub resource: String,
    /// Answer from the policy files of this folder, not from the record
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// With the statements that allow it
    #[arg(long)]
    pub explain: bool,
}

/// `plumb assess`
#[derive(Debug, Args)]
pub struct AssessArgs {
    /// The answer of iam:GetAccountAuthorizationDetails, or a list of its pages
    #[arg(long, value_name = "FILE")]
    pub authorization_details: PathBuf,
    /// What exists: a list of `{type, name, attrs}` in Terraform's types and attribute names
    #[arg(long, value_name = "FILE")]
    pub resources: Option<PathBuf>,
    /// The organisation's policies: `{scps, rcps, management_account, organization_id}`
    #[arg(long, value_name = "FILE")]
    pub org: Option<PathBuf>,
}

/// `plumb principals`
#[derive(Debug, Args)]
pub struct PrincipalArgs {
    /// Only of this account
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// Days without a sign of life that make a principal dormant
    #[arg(long, value_name = "N", default_value_t = 90)]
    pub dormant_days: i64,
    /// Only these: user, role, root, account, or a class (human, service-user, federated, workload, instance-profile, service-role, service-linked, cross-account, external, member-account)
    #[arg(long = "kind", value_name = "KIND", num_args = 1.., value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// Judge ages as of this instant; default the last scan's
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<String>,
    /// What was used: answers of iam:GetServiceLastAccessedDetails, `{ARN: answer}`; gives unused services and a
    /// right-sized policy for each principal in it
    #[arg(long, value_name = "FILE")]
    pub usage: Option<PathBuf>,
    /// Print OCSF IAM Analysis Findings (class 2008) of those who hold or reach administration, are dormant, or hold
    /// more than they use
    #[arg(long)]
    pub ocsf: bool,
    /// Who in one account can become administrator of another, in all accounts as last read; with --account, only ways
    /// out of it or into it
    #[arg(long, conflicts_with_all = ["dormant_days", "kinds", "now", "usage", "ocsf"])]
    pub abroad: bool,
    /// With each way to administration, step by step, and who may assume administrators' roles
    #[arg(long)]
    pub explain: bool,
}

/// `plumb reach`
#[derive(Debug, Args)]
pub struct ReachArgs {
    /// Only of this principal (ARN)
    #[arg(long, value_name = "ARN")]
    pub principal: Option<String>,
    /// Only on resources whose ARN this pattern covers: `arn:aws:s3:::data*`
    #[arg(long, value_name = "PATTERN")]
    pub resource: Option<String>,
    /// Only this much or more: read, write, admin
    #[arg(long, value_name = "LEVEL", default_value = "read")]
    pub least: String,
    /// Answer from the policy files of this folder, not from the record; then --resource names the resources
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
}

/// `plumb lint`
#[derive(Debug, Args)]
pub struct LintArgs {
    /// A policy document, infrastructure as code, or a folder of them
    pub path: PathBuf,
    /// What kind of policy they are; default by what they say
    #[arg(long = "as", value_enum)]
    pub kind: Option<PolicyUse>,
}

/// What a policy is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyUse {
    /// A user, group or role
    Identity,
    /// A role, as its trust policy
    Trust,
    /// A resource
    Resource,
    /// An organisation's root, unit or account
    Organization,
}

/// Answers each line of a file, or of standard input for `-`, as soon as it is read.
pub fn each_line(path: &Path, mut answer: impl FnMut(&str) -> String) -> Result<(), Failure> {
    let input: Box<dyn Read> = if path == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(open(path)?) };
    let mut input = BufReader::with_capacity(1 << 16, input);
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let (mut line, mut first) = (Vec::new(), true);
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let text = if first { text.trim_start_matches('\u{feff}') } else { &text };
        first = false;
        if text.trim().is_empty() {
            continue;
        }
        if let Err(error) = writeln!(out, "{}", answer(text.trim())) {
            out::unwritten(&error);
        }
        if input.buffer().is_empty() {
            let _ = out.flush();
        }
    }
    let _ = out.flush();
    Ok(())
}

/// A file for reading; a missing one is wrong usage.
pub fn open(path: &Path) -> Result<std::fs::File, Failure> {
    std::fs::File::open(path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))
}

/// A file's text; a missing one is wrong usage.
pub fn read_text(path: &Path) -> Result<String, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
    // Some editors and shells begin a file with the mark of its encoding.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The JSON files below a folder, or the one file, by name.
fn json_files(path: &Path) -> Result<Vec<(String, String)>, Failure> {
    if !path.is_dir() {
        return Ok(vec![(path.display().to_string(), read_text(path)?)]);
    }
    let mut out = Vec::new();
    let mut waiting = vec![path.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let entries =
            std::fs::read_dir(&dir).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", dir.display())))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
                out.push((path.display().to_string(), read_text(&path)?));
            }
        }
    }
    out.sort();
    Ok(out)
}

/// The world to ask, with what it does not know.
fn world(globals: &Globals, policies: Option<&Path>) -> Result<(World, Vec<String>), Failure> {
    match policies {
        Some(dir) => {
            let files = json_files(dir)?;
            if files.is_empty() {
                return Err(Failure::usage(format!("there is no .json file in `{}`", dir.display())));
            }
            let world = World::from_files(files.iter().map(|(n, t)| (n.as_str(), t.as_str())))
                .map_err(|e| Failure::usage(e.to_string()))?;
            let gaps = passed_over(&world.details.problems);
            Ok((world, gaps))
        }
        None => {
            let known = known::identities(&context::record_read_only(globals)?, None)?;
            if known.world.details.principals.is_empty() {
                return Err(Failure::new("there are no identities on the record; scan first, or say --policies DIR"));
            }
            Ok((known.world, known.gaps))
        }
    }
}

/// An action and a resource in the words of IAM, or what would be right; an action nobody knows is asked about all the same,
/// and said to be unknown.
fn asked(globals: &Globals, action: &str, resource: &str) -> Result<(), Failure> {
    let lower = action.to_ascii_lowercase();
    let whole = match lower.split_once(':') {
        Some((service, name)) => !service.is_empty() && !name.is_empty() && !lower.contains(char::is_whitespace),
        None => lower == "*",
    };
    if !whole {
        return Err(Failure::usage(format!("`{action}` is no action: say service:Action, such as s3:GetObject")));
    }
    if resource != "*" && !(resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6) {
        return Err(Failure::usage(format!(
            "`{resource}` is no resource: say its ARN, such as arn:aws:s3:::bucket/key, or `*`"
        )));
    }
    let known = plumb_assess::identity::aws::data::actions();
    if !lower.contains(['*', '?']) && known.find(&lower).is_none() {
        out::note(globals, format!("plumb: `{action}` is not in the catalogue of actions; is it written as IAM does?"));
    }
    Ok(())
}

/// What a question about a key leaves out.
fn grants_unread(world: &World, action: &str) -> Option<String> {
    let keys = world.unread_grants;
    let asked = keys > 0 && action.to_ascii_lowercase().starts_with("kms:");
    asked.then(|| format!("grants on {keys} keys were not read: who holds one may do more with its key"))
}

/// What of the details was passed over, the first of it: statements that are none, principals without an ARN.
fn passed_over(problems: &[String]) -> Vec<String> {
    const SHOWN: usize = 20;
    let mut out: Vec<String> = problems.iter().take(SHOWN).cloned().collect();
    if problems.len() > SHOWN {
        out.push(format!("{} more places were passed over", problems.len() - SHOWN));
    }
    out
}

/// `plumb can`
pub fn can(globals: &Globals, args: CanArgs) -> Result<u8, Failure> {
    if let Some(batch) = &args.batch {
        each_line(batch, can_line)?;
        return Ok(0);
    }
    let (Some(who), Some(action), Some(resource)) = (&args.who, &args.action, &args.resource) else {
        return Err(Failure::usage("say who, which action and on what, or --batch FILE"));
    };
    asked(globals, action, resource)?;
    let mut keys: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in &args.context {
        let Some((key, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("--context `{pair}`: say KEY=VALUE")));
        };
        keys.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    let (world, mut gaps) = world(globals, args.policies.as_deref())?;
    if world.lacks(who) {
        gaps.push(format!("`{who}` is not among the principals of its account: nothing is known of its policies"));
    }
    gaps.extend(grants_unread(&world, action));
    if world.outside(who) {
        gaps.push(format!("nothing is known of the account of `{who}`: its policies count against it"));
    }
    let context: Vec<(String, Vec<String>)> = keys.into_iter().collect();
    let Some(decision) = world.can(who, action, resource, &context) else {
        return Err(Failure::usage(format!(
            "`{who}` is no principal: say an ARN, an account id, a service name or `*`"
        )));
    };
    let yes = decision.allowed.is_yes();
    if out::format(globals) == Format::Text {
        let word = match (yes, decision.residual.is_empty()) {
            (true, _) => "yes",
            (false, true) => "no",
            (false, false) if decision.allowed.is_no() => "no",
            (false, false) => "it depends",
        };
        out::line(format!("{word}: {} ({who} {action} {resource})", decision.outcome.name()));
        if args.explain {
            reasons(&decision.because, &decision.residual);
            gaps.iter().for_each(|g| out::line(format!("  note: {g}")));
        } else if word == "it depends" {
            reasons(&[], &decision.residual);
        }
    } else {
        let answer = json!({
            "principal": who, "action": action, "resource": resource, "decision": decision.outcome.name(), "allowed": yes,
            "because": decision.because, "residual": decision.residual, "not_considered": gaps,
        });
        out::line(if out::format(globals) == Format::Jsonl {
            answer.to_string()
        } else {
            serde_json::to_string_pretty(&answer)?
        });
    }
    Ok(u8::from(!yes))
}

fn reasons(because: &[Because], residual: &[Residual]) {
    for b in because {
        let statement = if b.statement.is_empty() { String::new() } else { format!(" statement {}", b.statement) };
        out::line(format!("  {} by {} policy {}{statement}", b.effect, b.layer, b.policy));
    }
    for r in residual {
        let values = r.values.join(", ");
        let condition =
            if r.key.is_empty() { "not read".to_owned() } else { format!("{} {} {values}", r.key, r.operator) };
        out::line(format!("  depends: {} in {} policy {} {}: {condition}", r.effect, r.layer, r.policy, r.statement));
    }
}

/// `plumb who-can`
pub fn who_can(globals: &Globals, args: WhoCanArgs) -> Result<u8, Failure> {
    asked(globals, &args.action, &args.resource)?;
    let (world, mut gaps) = world(globals, args.policies.as_deref())?;
    gaps.extend(grants_unread(&world, &args.action));
    let holders = world.who_can(&args.action, &args.resource);
    if args.explain && out::format(globals) == Format::Text {
        for holder in &holders {
            out::line(format!("{}: {}", holder.principal, holder.access));
            reasons(&holder.because, &holder.residual);
        }
    } else {
        out::rows(globals, &holders, &["principal", "access", "by"], |h| {
            let by: BTreeSet<&str> = h.because.iter().map(|b| &*b.policy).collect();
            vec![h.principal.clone(), h.access.into(), by.into_iter().collect::<Vec<_>>().join(", ")]
        })?;
    }
    gaps.iter().for_each(|g| out::note(globals, format!("plumb: {g}")));
    Ok(0)
}

/// `plumb assess`
pub fn assess_files(globals: &Globals, args: AssessArgs) -> Result<u8, Failure> {
    let read = |path: &Option<PathBuf>| path.as_deref().map(read_text).transpose();
    let details = read_text(&args.authorization_details)?;
    let (resources, org) = (read(&args.resources)?, read(&args.org)?);
    let assessed = Assessed::new(&details, resources.as_deref(), org.as_deref());
    let assessed = assessed.map_err(|e| Failure::usage(e.to_string()))?;
    passed_over(&assessed.details.problems).iter().for_each(|p| out::note(globals, format!("plumb: {p}")));
    out::rows(globals, &assessed.rows(), &["from", "is", "method", "to"], |row| match row {
        Row::Principal(p) => {
            let standing = match (p.admin, p.can_become_admin) {
                (true, _) => "administrator",
                (false, true) => "can become administrator",
                _ if p.conditional.as_ref().is_some_and(|c| c.can_become_admin) => "could become administrator, if",
                _ => "",
            };
            let way = p.conditional.as_ref().map_or(p.steps, |c| c.steps);
            let way = if p.steps.is_empty() { way } else { p.steps };
            let steps = way.iter().map(|s| s.method).collect::<Vec<_>>().join(" > ");
            let last = way.last().map(|s| s.target.clone()).unwrap_or_default();
            vec![p.arn.into(), standing.into(), steps, last]
        }
        Row::Edge(edge) => vec![edge.from.clone(), edge.kind.into(), edge.method.into(), edge.to.clone()],
    })?;
    // The process ends here: what the kernel takes back at once need not be given back piece by piece.
    std::mem::forget(assessed);
    Ok(0)
}

/// What `--kind` may name: types, and classes.
const KINDS: &[&str] = &[
    "user",
    "role",
    "root",
    "account",
    "human",
    "service-user",
    "federated",
    "workload",
    "instance-profile",
    "service-role",
    "service-linked",
    "cross-account",
    "external",
    "member-account",
];

/// `plumb principals`
pub fn principals(globals: &Globals, args: PrincipalArgs) -> Result<u8, Failure> {
    let record = context::record_read_only(globals)?;
    if args.abroad {
        return abroad(globals, &record, &args);
    }
    context::known_account(&record, args.account.as_deref())?;
    if let Some(wrong) = args.kinds.iter().find(|k| !KINDS.contains(&k.as_str())) {
        return Err(Failure::usage(format!("there is no kind of principal `{wrong}`; there is {}", KINDS.join(", "))));
    }
    let mut known = known::identities(&record, None)?;
    if known.world.details.principals.is_empty() {
        return Err(Failure::new("there are no identities on the record; scan first"));
    }
    if let Some(path) = &args.usage {
        known.activity.usage = usage(path)?;
    }
    let now = match (&args.now, known.as_of) {
        (None, Some(at)) => at,
        (given, _) => context::instant(given.as_deref())?,
    };
    let details = &known.world.details;
    let found = escalations(details, &known.world.organization, None);
    let entries = inventory(details, &found, &known.activity, now, args.dormant_days);
    let ours: BTreeSet<String> = record.accounts()?.into_iter().map(|a| a.id).collect();
    let standing: BTreeMap<&str, _> = details.principals.iter().map(|p| p.arn.as_str()).zip(&found.standings).collect();
    if args.ocsf {
        let version = env!("CARGO_PKG_VERSION");
        let ours = |e: &&Entry| args.account.as_ref().is_none_or(|a| *a == e.account);
        let mut found: Vec<Json> = Vec::new();
        for entry in entries.iter().filter(ours) {
            let mut doc = serde_json::to_value(entry)?;
            if let (Some(object), Some(way)) = (doc.as_object_mut(), standing.get(entry.arn.as_str())) {
                object.insert("steps".into(), json!(way.steps));
            }
            let one = plumb_run::analysed(&entry.arn, &entry.account, &doc);
            found.extend(plumb_connect::iam::finding(&one, now, version));
        }
        out::line(serde_json::to_string_pretty(&found)?);
        return Ok(0);
    }
    let mut assumers: BTreeMap<String, Vec<Json>> = BTreeMap::new();
    for one in admin_assumers(details, &found) {
        assumers.entry(one.role).or_default().push(json!({ "principal": one.principal, "external": one.external }));
    }
    let mut rows: Vec<Json> = Vec::new();
    let mut outside: BTreeMap<String, BTreeMap<String, (bool, bool)>> = BTreeMap::new();
    for entry in entries.iter().filter(|e| args.account.as_ref().is_none_or(|a| *a == e.account)) {
        for grant in &entry.external {
            outside
                .entry(grant.account.clone())
                .or_default()
                .insert(entry.arn.clone(), (grant.external_id, entry.can_become_admin));
        }
        let mut row = serde_json::to_value(entry)?;
        if let Some(object) = row.as_object_mut() {
            let kind = entry.arn.split(':').nth(5).and_then(|r| r.split('/').next()).unwrap_or_default();
            object.insert("type".into(), json!(kind));
            let reached = standing.get(entry.arn.as_str());
            // The way it has, or the one it would have where what it hangs on were so.
            let steps = reached.map(|s| s.conditional.as_ref().map_or(&s.steps, |c| &c.steps));
            object.insert("steps".into(), steps.map_or_else(|| json!([]), |s| json!(s)));
            object.insert(
                "unread".into(),
                json!(details.principal(&entry.arn).map(|p| p.unread.clone()).unwrap_or_default()),
            );
            object.insert("keys".into(), keys(entry, now));
            if entry.admin {
                // Who can assume this owner-like role.
                object.insert("assumed_by".into(), json!(assumers.remove(&entry.arn).unwrap_or_default()));
            }
            let used = known.activity.usage.get(&entry.arn);
            if let Some(fit) = used.and_then(|u| right_sized(details.principal(&entry.arn)?, u)) {
                object.insert(
                    "right_sized".into(),
                    json!({ "actions_before": fit.before, "actions_after": fit.after, "policy": fit.document }),
                );
            }
            let trust = details.principal(&entry.arn).and_then(|p| p.trust.as_ref());
            let allows = |s: &&plumb_assess::identity::aws::document::Statement| s.effect == Effect::Allow;
            let open = trust.into_iter().flat_map(|t| t.document.statements.iter().filter(allows));
            let mut open = open.filter(|s| s.principals.as_ref().is_some_and(|p| p.is_open()));
            object.insert(
                "trusts_anyone".into(),
                json!(open.next().map(|s| if s.conditions.is_empty() { "always" } else { "under-conditions" })),
            );
        }
        rows.push(row);
    }
    for (account, roles) in outside {
        let roles: Vec<Json> = roles
            .into_iter()
            .map(|(role, (id, admin))| json!({ "role": role, "external_id": id, "leads_to_admin": admin }))
            .collect();
        let admin = roles.iter().any(|r| r.get("leads_to_admin").and_then(Json::as_bool) == Some(true));
        rows.push(json!({
            "arn": account, "account": account, "type": "account", "class": if ours.contains(&account) { "member-account" } else { "external" },
            "admin": false, "can_become_admin": admin, "may_assume": roles,
        }));
    }
    let is = |v: &Json, name: &str, wanted: &str| v.get(name).and_then(Json::as_str) == Some(wanted);
    rows.retain(|v| args.kinds.is_empty() || args.kinds.iter().any(|k| is(v, "type", k) || is(v, "class", k)));
    let cell = |v: &Json, name: &str| match v.get(name) {
        Some(Json::String(s)) => s.clone(),
        Some(Json::Bool(b)) => (if *b { "yes" } else { "no" }).into(),
        _ => String::new(),
    };
    if args.explain && out::format(globals) == Format::Text {
        let list = |v: &Json, name: &str| v.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
        for row in &rows {
            out::line(format!("{}  {}", cell(row, "arn"), cell(row, "class")));
            if cell(row, "admin") == "yes" {
                out::line("    is an administrator");
            }
            for step in list(row, "steps") {
                out::line(format!("    then      {} on {}", cell(&step, "method"), cell(&step, "target")));
            }
            for what in list(row, "could_become_admin_if") {
                out::line(format!("    only if   {}", what.as_str().unwrap_or_default()));
            }
            for one in list(row, "assumed_by") {
                out::line(format!("    assumed   by {}", cell(&one, "principal")));
            }
            for service in list(row, "unused_services") {
                out::line(format!("    unused    {}", service.as_str().unwrap_or_default()));
            }
        }
        known.gaps.iter().for_each(|g| out::note(globals, format!("plumb: {g}")));
        return Ok(0);
    }
    out::rows(
        globals,
        &rows,
        &["principal", "class", "admin", "can become", "last active", "dormant", "keys (age)", "trusts"],
        |v| {
            let list = |name: &str| v.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
            let keys: Vec<String> = list("keys")
                .iter()
                .filter(|k| k.get("active").and_then(Json::as_bool) == Some(true))
                .map(|k| k.get("age_days").and_then(Json::as_i64).map_or_else(|| "?".into(), |d| format!("{d} d")))
                .collect();
            let mut trusts: Vec<String> = list("external").iter().map(|e| cell(e, "account")).collect();
            match v.get("trusts_anyone").and_then(Json::as_str) {
                Some("always") => trusts.push("anyone".into()),
                Some(_) => trusts.push("anyone, under conditions".into()),
                None => {}
            }
            trusts.extend(list("providers").iter().map(|e| cell(e, "issuer")));
            trusts.extend(list("services").iter().filter_map(Json::as_str).map(str::to_owned));
            trusts.extend(list("may_assume").iter().map(|e| format!("may assume {}", cell(e, "role"))));
            let last = cell(v, "last_active").split('T').next().unwrap_or_default().to_owned();
            let columns = ["admin", "can_become_admin"].map(|n| cell(v, n));
            let [admin, mut become_admin] = columns;
            if !list("could_become_admin_if").is_empty() {
                "if".clone_into(&mut become_admin);
            }
            vec![
                short(&cell(v, "arn"), 60),
                cell(v, "class"),
                admin,
                become_admin,
                last,
                cell(v, "dormant"),
                keys.join(", "),
                trusts.join(", "),
            ]
        },
    )?;
    known.gaps.iter().for_each(|g| out::note(globals, format!("plumb: {g}")));
    Ok(0)
}

/// `plumb principals --abroad`
fn abroad(globals: &Globals, record: &plumb_record::Record, args: &PrincipalArgs) -> Result<u8, Failure> {
    if let Some(account) = args.account.as_ref().filter(|_| record.accounts().is_ok_and(|all| !all.is_empty()))
        && !record.accounts()?.iter().any(|a| a.id == *account)
    {
        return Err(Failure::usage(format!(
            "account `{account}` is not on the record; `plumb accounts` shows which are"
        )));
    }
    let rows = record.abroad(args.account.as_deref())?;
    if args.explain && out::format(globals) == Format::Text {
        for row in &rows {
            let open = if row.reason.is_empty() { String::new() } else { format!(" ({}: {})", row.state, row.reason) };
            out::line(format!("{} of {} administers {}{open}", row.arn, row.account, row.into_account));
            row.steps.iter().skip(1).for_each(|step| out::line(format!("    then      {step}")));
        }
        return Ok(0);
    }
    out::rows(globals, &rows, &["account", "principal", "administers", "state", "by"], |row| {
        let by = match row.steps.get(1) {
            Some(first) if row.steps.len() > 2 => short(first, 60),
            _ => short(&row.reason, 60),
        };
        vec![row.account.clone(), short(&row.arn, 60), row.into_account.clone(), row.state.clone(), by]
    })?;
    if rows.is_empty() {
        out::note(globals, "plumb: nobody in one account of the record can become administrator of another");
    }
    Ok(0)
}

/// Answers of `iam:GetServiceLastAccessedDetails` by the principal's ARN.
fn usage(path: &Path) -> Result<std::collections::HashMap<String, Usage>, Failure> {
    let wrong = |what: &str| Failure::usage(format!("--usage {}: {what}", path.display()));
    let json: Json = serde_json::from_str(&read_text(path)?).map_err(|e| wrong(&format!("not JSON: {e}")))?;
    let Json::Object(map) = &json else { return Err(wrong("it must be an object of answers by principal ARN")) };
    if let Some(other) = map.keys().find(|k| !k.starts_with("arn:")) {
        return Err(wrong(&format!("`{other}` is no ARN; say {{\"arn:aws:iam::…:role/x\": the answer}}")));
    }
    Ok(map.iter().map(|(arn, answer)| (arn.clone(), last_accessed(answer))).collect())
}

/// `plumb reach`
pub fn reach(globals: &Globals, args: ReachArgs) -> Result<u8, Failure> {
    let least = match args.least.as_str() {
        "read" => Access::Read,
        "write" => Access::Write,
        "admin" => Access::Admin,
        other => return Err(Failure::usage(format!("--least {other}: say read, write or admin"))),
    };
    let (world, mut gaps) = world(globals, args.policies.as_deref())?;
    let wanted = |arn: &str| args.resource.as_ref().is_none_or(|p| plumb_assess::identity::aws::glob::glob(p, arn));
    // What is shown for each resource that is asked about; a bucket's objects by the prefixes policies tell apart.
    let mut asked: BTreeMap<String, String> = BTreeMap::new();
    let mut add = |arn: &str| {
        if arn.contains(":s3:::") && !arn.contains('/') {
            for part in prefixes(&world, arn) {
                if wanted(arn) || wanted(&part.shown) {
                    asked.insert(part.witness, part.shown);
                }
            }
        }
        if wanted(arn) {
            asked.insert(arn.to_owned(), arn.to_owned());
        }
    };
    match (&args.policies, &args.resource) {
        (Some(_), Some(one)) => add(one.trim_end_matches("/*")),
        (Some(_), None) => {
            return Err(Failure::usage("with --policies, say --resource ARN: the files name no resources"));
        }
        (None, _) => {
            let record = context::record_read_only(globals)?;
            let sql = "SELECT DISTINCT id FROM resource WHERE id LIKE 'arn:%' AND misses = 0 \
                       AND kind NOT IN ('aws.iam.policy', 'aws.iam.user', 'aws.iam.group') ORDER BY id";
            known::rows(&record, sql)?.iter().for_each(|row| add(known::text(row, "id")));
        }
    }
    let mut evaluator = Evaluator::new(&world, asked.keys().cloned());
    let found = evaluator.reach();
    let mut rows: Vec<Json> = Vec::new();
    for (at, principal) in world.details.principals.iter().enumerate() {
        if args.principal.as_ref().is_some_and(|p| *p != principal.arn) || principal.is_service_linked() {
            continue;
        }
        if !principal.unread.is_empty() {
            gaps.push(format!("{} was not read completely: nothing is said of it", principal.arn));
            continue;
        }
        for (witness, shown) in &asked {
            let access = found.access(at, witness);
            if access >= least && access != Access::None {
                let access = format!("{access:?}").to_lowercase();
                rows.push(json!({ "principal": principal.arn, "access": access, "resource": shown }));
            }
        }
    }
    let cell = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    out::rows(globals, &rows, &["principal", "access", "resource"], |v| {
        ["principal", "access", "resource"].map(|n| cell(v, n)).to_vec()
    })?;
    gaps.iter().for_each(|g| out::note(globals, format!("plumb: {g}")));
    Ok(0)
}

/// The keys of a principal with their age.
fn keys(entry: &Entry, now: plumb_model::Time) -> Json {
    let key = |k: &plumb_assess::identity::aws::inventory::AccessKey| {
        json!({
            "slot": k.slot, "active": k.active, "rotated": k.rotated, "used": k.used,
            "age_days": k.rotated.map(|t| now.days_since(t)), "unused_days": k.used.map(|t| now.days_since(t)),
        })
    };
    entry.keys.iter().map(key).collect()
}

/// `plumb lint`
pub fn lint_files(globals: &Globals, args: LintArgs) -> Result<u8, Failure> {
    let mut rows: Vec<Json> = Vec::new();
    let mut seen = 0_usize;
    let is_code = |path: &Path| {
        let name = path.file_name().map(|n| n.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        [".tf", ".tf.json", ".tofu", ".yaml", ".yml", ".template"].iter().any(|ext| name.ends_with(ext))
    };
    if args.path.is_dir() || is_code(&args.path) {
        for one in policies_of_code(globals, &args.path)? {
            // JSON is walked below, documents of any origin in it.
            if one.file.ends_with(".json") && !one.file.ends_with(".tf.json") {
                continue;
            }
            seen += 1;
            let place = format!("{}:{} {} {}", one.file, one.line, one.resource, one.field);
            let kind = args.kind.map_or(one.attached, used_as);
            match Document::parse(&one.document) {
                Ok(document) => rows.extend(
                    lint(&document, kind)
                        .into_iter()
                        .filter(|r| !r.what.contains(plumb_run::LATER))
                        .map(|r| json!({ "file": place, "code": r.code, "statement": r.statement, "what": r.what })),
                ),
                Err(e) => {
                    rows.push(json!({ "file": place, "code": "invalid", "statement": "", "what": e.to_string() }))
                }
            }
        }
    }
    let files = if is_code(&args.path) { Vec::new() } else { json_files(&args.path)? };
    for (file, content) in files.into_iter().filter(|(f, _)| !f.ends_with(".tf.json")) {
        let parsed: Json = match serde_json::from_str(&content) {
            Ok(json) => json,
            Err(e) => {
                rows.push(
                    json!({ "file": file, "code": "invalid", "statement": "", "what": format!("not JSON: {e}") }),
                );
                continue;
            }
        };
        for (place, policy) in documents(&parsed) {
            seen += 1;
            let name = if place.is_empty() { file.clone() } else { format!("{file} {place}") };
            match Document::parse(policy) {
                Ok(document) => {
                    let kind = args.kind.map_or_else(|| guess(&document), used_as);
                    rows.extend(
                        lint(&document, kind)
                            .into_iter()
                            .map(|r| json!({ "file": name, "code": r.code, "statement": r.statement, "what": r.what })),
                    );
                }
                Err(e) => rows.push(json!({ "file": name, "code": "invalid", "statement": "", "what": e.to_string() })),
            }
        }
    }
    let cell = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    out::rows(globals, &rows, &["file", "code", "statement", "what"], |v| {
        ["file", "code", "statement", "what"].map(|n| cell(v, n)).to_vec()
    })?;
    if seen == 0 {
        return Err(Failure::usage(format!("there is no policy document in `{}`", args.path.display())));
    }
    Ok(u8::from(!rows.is_empty()))
}

/// The policies that infrastructure as code declares.
fn policies_of_code(globals: &Globals, path: &Path) -> Result<Vec<plumb_run::CodePolicy>, Failure> {
    let (root, target) = if path.is_dir() {
        (path.to_path_buf(), String::new())
    } else {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        (folder.to_path_buf(), path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default())
    };
    let files = plumb_run::DiskFiles::new(&root)
        .map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", root.display())))?;
    let readings =
        plumb_run::read_code(&files, &target, !target.is_empty(), &Default::default()).map_err(Failure::usage)?;
    let catalog = context::catalog(globals)?;
    Ok(readings.iter().flat_map(|r| plumb_run::policies_in_code(&catalog, r)).collect())
}

/// Whether a member is a policy's statements in another case, and not the `statement` blocks of a data source in a plan.
fn is_statement(key: &str, value: &Json) -> bool {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let named = |o: &serde_json::Map<String, Json>| {
        o.keys().any(|k| k.eq_ignore_ascii_case("action") || k.eq_ignore_ascii_case("notaction"))
    };
    key.eq_ignore_ascii_case("statement") && items.iter().filter_map(Json::as_object).any(named)
}

/// Every policy document inside a JSON value, with its place.
fn documents(json: &Json) -> Vec<(String, &Json)> {
    let mut out = Vec::new();
    let mut waiting = vec![(String::new(), json, 0)];
    while let Some((place, value, depth)) = waiting.pop() {
        match value {
            Json::Object(o) if o.iter().any(|(k, v)| k == "Statement" || is_statement(k, v)) => {
                out.push((place, value))
            }
            Json::Object(o) if depth < 12 => {
                waiting.extend(o.iter().map(|(k, v)| (format!("{place}.{k}"), v, depth + 1)))
            }
            Json::Array(a) if depth < 12 => {
                waiting.extend(a.iter().enumerate().map(|(i, v)| (format!("{place}[{i}]"), v, depth + 1)))
            }
            _ => {}
        }
    }
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

fn used_as(kind: PolicyUse) -> Use {
    match kind {
        PolicyUse::Identity => Use::Identity,
        PolicyUse::Trust => Use::Trust,
        PolicyUse::Resource => Use::Resource,
        PolicyUse::Organization => Use::Organization,
    }
}

/// A document that names principals belongs to a resource; without a resource in it, to a role.
fn guess(document: &Document) -> Use {
    if document.statements.iter().all(|s| s.principals.is_none()) {
        Use::Identity
    } else if document.statements.iter().all(|s| s.resources.is_none()) {
        Use::Trust
    } else {
        Use::Resource
    }
}
