//! What commands share: the catalog, the record, the selection of rules.

use crate::{
    args::{Globals, RuleFilter},
    out::{self, Failure},
};
use plumb_catalog::{Catalog, File, Problem};
use plumb_evaluate::{RuleSet, Selection};
use plumb_model::{KindId, RuleId, Severity, Time, Value};
use plumb_record::{Query, Record};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

/// The instant it is.
pub fn now() -> Time {
    Time::from_seconds(jiff::Timestamp::now().as_second())
}

/// The instant a flag names, or now.
pub fn instant(text: Option<&str>) -> Result<Time, Failure> {
    match text {
        Some(text) => text.parse().map_err(|e| Failure::usage(format!("--now: {e}"))),
        None => Ok(now()),
    }
}

/// The record's file: `--db`, `PLUMB_DB`, or the user's data folder.
pub fn db_path(globals: &Globals) -> Result<PathBuf, Failure> {
    if let Some(path) = &globals.db {
        return Ok(path.clone());
    }
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".local/share"));
    match data.filter(|d| d.is_absolute()).or(home) {
        Some(folder) => Ok(folder.join("plumbline/record.db")),
        None => Err(Failure::usage("there is no home folder; say where the record is with --db FILE")),
    }
}

/// The record for writing.
pub fn record(globals: &Globals) -> Result<Record, Failure> {
    Ok(Record::open(&db_path(globals)?)?)
}

/// The record for reading.
pub fn record_read_only(globals: &Globals) -> Result<Record, Failure> {
    Ok(Record::open_read_only(&db_path(globals)?)?)
}

/// An account that a filter names has to be one the record knows: of one nobody knows, an empty list would say that there is
/// nothing in it.
pub fn known_account(record: &Record, account: Option<&str>) -> Result<(), Failure> {
    let Some(id) = account else { return Ok(()) };
    let judged = || record.findings(&Query { account: Some(id.to_owned()), limit: Some(1), ..Query::default() });
    if record.accounts()?.iter().any(|a| a.id == id)
        || plumb_run::govern::profiles(record)?.contains_key(id)
        || !judged()?.is_empty()
    {
        return Ok(());
    }
    Err(Failure::usage(format!("account `{id}` is not on the record; `plumb accounts` shows which are")))
}

/// Every catalog file below a folder.
pub fn files_below(root: &Path) -> Result<Vec<(String, String)>, Failure> {
    let mut out = Vec::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let entries = std::fs::read_dir(&dir)
            .map_err(|e| Failure::usage(format!("cannot read the rules folder `{}`: {e}", dir.display())))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            if name.starts_with(['.', '_']) {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if name.ends_with(".md") || name.ends_with(".toml") {
                let below = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
                out.push((below, text));
            }
        }
    }
    out.sort();
    Ok(out)
}

/// The catalog, with the user's own folder; what is wrong in it is said and left out.
pub fn catalog(globals: &Globals) -> Result<Catalog, Failure> {
    let own = match &globals.rules_dir {
        Some(dir) => files_below(dir)?,
        None => Vec::new(),
    };
    let (catalog, problems) = Catalog::load(own.iter().map(|(path, text)| File { path, text }));
    warn(globals, &problems);
    Ok(catalog)
}

/// Says what is wrong with catalog files.
pub fn warn(globals: &Globals, problems: &[Problem]) {
    for problem in problems {
        out::note(globals, format!("plumb: {problem}"));
    }
}

/// The rules a filter names.
pub fn select(catalog: &Catalog, filter: &RuleFilter) -> Result<Option<BTreeSet<RuleId>>, Failure> {
    let mut wanted: Option<BTreeSet<RuleId>> = None;
    let resolve = |words: &[String]| -> Result<BTreeSet<RuleId>, Failure> {
        let mut found = BTreeSet::new();
        for word in words {
            // The programme's rules about itself have no condition; their findings can be asked for all the same.
            let own = plumb_run::programme_pages_of(word);
            if !own.is_empty() {
                found.extend(own.into_iter().map(|page| RuleId::from(page.id.as_str())));
                continue;
            }
            found.extend(catalog.resolve(word).map_err(Failure::usage)?);
        }
        Ok(found)
    };
    let narrow = |wanted: &mut Option<BTreeSet<RuleId>>, by: BTreeSet<RuleId>| {
        *wanted = Some(match wanted.take() {
            Some(had) => had.intersection(&by).cloned().collect(),
            None => by,
        });
    };
    if !filter.checks.is_empty() {
        narrow(&mut wanted, resolve(&filter.checks)?);
    }
    if !filter.frameworks.is_empty() {
        let mut found = BTreeSet::new();
        for framework in &filter.frameworks {
            let id = framework.to_ascii_lowercase();
            if !catalog.frameworks().contains_key(&id) {
                let known: Vec<&str> = catalog.frameworks().keys().map(String::as_str).collect();
                return Err(Failure::usage(format!(
                    "there is no framework `{framework}`; there is {}",
                    known.join(", ")
                )));
            }
            found.extend(catalog.rules_of_framework(&id));
        }
        narrow(&mut wanted, found);
    }
    if !filter.services.is_empty() {
        let known: BTreeSet<&str> = catalog.kinds.keys().map(|k| k.service()).collect();
        if let Some(wrong) = filter.services.iter().find(|s| !known.contains(s.as_str())) {
            let names: Vec<&str> = known.into_iter().collect();
            return Err(Failure::usage(format!("there is no service `{wrong}`; there is {}", names.join(", "))));
        }
        let of = |r: &&plumb_catalog::Rule| {
            filter.services.iter().any(|s| s == r.kind.service() || s == r.id.kind().service())
        };
        narrow(&mut wanted, catalog.rules.values().filter(of).map(|r| r.id.clone()).collect());
    }
    if let Some(severity) = &filter.severity {
        let at_least: Severity = severity.parse().map_err(Failure::usage)?;
        narrow(&mut wanted, catalog.rules.values().filter(|r| r.severity >= at_least).map(|r| r.id.clone()).collect());
    }
    if !filter.skip_checks.is_empty() {
        let skip = resolve(&filter.skip_checks)?;
        let all = wanted.take().unwrap_or_else(|| catalog.rules.keys().cloned().collect());
        wanted = Some(all.difference(&skip).cloned().collect());
    }
    match &wanted {
        Some(none) if none.is_empty() => Err(Failure::usage("no rule is left by these filters")),
        _ => Ok(wanted),
    }
}

/// The text of the settings file, with its path.
fn settings(globals: &Globals) -> Result<Option<(PathBuf, String)>, Failure> {
    let path = match &globals.config {
        Some(path) => path.clone(),
        None if Path::new("plumb.toml").exists() => PathBuf::from("plumb.toml"),
        None => return Ok(None),
    };
    let text =
        std::fs::read_to_string(&path).map_err(|e| Failure::usage(format!("cannot read `{}`: {e}", path.display())))?;
    Ok(Some((path, text)))
}

/// Parameters of rules, by rule and name.
type Params = BTreeMap<RuleId, BTreeMap<String, Value>>;

/// Settings from a TOML file: `[params."aws.iam.user.access-key-rotated"]` tables.
pub fn params(globals: &Globals) -> Result<Params, Failure> {
    let Some((path, text)) = settings(globals)? else { return Ok(BTreeMap::new()) };
    plumb_run::read_params(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())))
}

/// The same, held against the rules: a threshold that nobody applies, or a rule that is not judged for it, is no warning.
fn params_of(globals: &Globals, catalog: &Catalog) -> Result<Params, Failure> {
    let params = params(globals)?;
    for (id, given) in &params {
        let wrong = |what: String| Failure::usage(format!("[params.\"{id}\"]: {what}"));
        let rule = catalog.rules.get(id).ok_or_else(|| wrong("no rule is called so".into()))?;
        for (name, value) in given {
            let known = || rule.params.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            let param = rule.params.get(name).ok_or_else(|| match rule.params.is_empty() {
                true => wrong(format!("the rule has no parameter `{name}`; it has none")),
                false => wrong(format!("the rule has no parameter `{name}`; it has {}", known())),
            })?;
            if std::mem::discriminant(value) != std::mem::discriminant(&param.default) {
                let like = param.default.to_plain_json();
                return Err(wrong(format!("`{name}` is {}, and has to be like {like}", value.to_plain_json())));
            }
        }
    }
    Ok(params)
}

/// The table `[check]` of the same file; its baseline is found beside the file.
pub fn check_settings(globals: &Globals) -> Result<plumb_run::CheckSettings, Failure> {
    let Some((path, text)) = settings(globals)? else { return Ok(plumb_run::CheckSettings::default()) };
    let mut read =
        plumb_run::read_check_settings(&text).map_err(|e| Failure::usage(format!("`{}`: {e}", path.display())))?;
    let beside = |name: String| path.parent().unwrap_or(Path::new("")).join(name).display().to_string();
    read.baseline = read.baseline.map(beside);
    Ok(read)
}

/// The compiled rules that a filter and the configuration name.
pub fn rules(globals: &Globals, catalog: &Catalog, filter: &RuleFilter) -> Result<RuleSet, Failure> {
    compile(globals, catalog, select(catalog, filter)?)
}

/// Those of them that judge resources of these kinds, and those that may be wrong: of the user's own, or with parameters of the
/// user's own. To compile the others would be for nothing.
pub fn rules_of(
    globals: &Globals,
    catalog: &Catalog,
    filter: &RuleFilter,
    kinds: &BTreeSet<KindId>,
) -> Result<RuleSet, Failure> {
    if globals.rules_dir.is_some() {
        return rules(globals, catalog, filter);
    }
    let (wanted, params) = (select(catalog, filter)?, params_of(globals, catalog)?);
    let needed = |rule: &&plumb_catalog::Rule| {
        wanted.as_ref().is_none_or(|some| some.contains(&rule.id))
            && (kinds.contains(&rule.kind) || params.contains_key(&rule.id))
    };
    let some = catalog.rules.values().filter(needed).map(|rule| rule.id.clone()).collect();
    Ok(compiled(globals, catalog, Some(some), params))
}

/// Those of them that judge what a provider's interface tells. Kinds without a live column are of code alone.
pub fn live_rules(
    globals: &Globals,
    catalog: &Catalog,
    filter: &RuleFilter,
    provider: &str,
) -> Result<RuleSet, Failure> {
    let wanted = select(catalog, filter)?;
    let named = |rule: &plumb_catalog::Rule| wanted.as_ref().is_none_or(|some| some.contains(&rule.id));
    let live: BTreeSet<RuleId> = catalog
        .rules
        .values()
        .filter(|rule| named(rule) && plumb_run::is_live(catalog, &rule.kind, provider))
        .map(|rule| rule.id.clone())
        .collect();
    if live.is_empty() {
        return Err(Failure::usage(format!(
            "none of the rules these filters name can be judged on a live {provider} account; `plumb check` judges code by them"
        )));
    }
    compile(globals, catalog, Some(live))
}

fn compile(globals: &Globals, catalog: &Catalog, wanted: Option<BTreeSet<RuleId>>) -> Result<RuleSet, Failure> {
    let rules = compiled(globals, catalog, wanted, params_of(globals, catalog)?);
    if rules.is_empty() {
        return Err(Failure::usage("no rule is left to judge by"));
    }
    Ok(rules)
}

/// Compiles rules, and says what is wrong with them.
fn compiled(globals: &Globals, catalog: &Catalog, rules: Option<BTreeSet<RuleId>>, params: Params) -> RuleSet {
    let (rules, problems) = RuleSet::compile(catalog, &Selection { rules, params, natives: plumb_run::NATIVE });
    warn(globals, &problems);
    rules
}
