//! Changes to code that make rules pass, proven by judging the changed code before anything is written.

use crate::{CodeVerdict, Keep, check, read_code};
use plumb_catalog::Catalog;
use plumb_evaluate::{Explain, RuleSet};
use plumb_iac::{
    Entry, Files, Reading, map,
    patch::{self, Edit, Proposal},
    terraform,
};
use plumb_model::{Outcome, Time};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A fix may need several changes, one after the other, and a block takes one addition a round.
const MAX_ROUNDS: usize = 32;
/// What does not help is taken out and the rest tried again.
const MAX_TRIES: usize = 64;

/// What is to be fixed, and in which code.
#[derive(Debug, Clone, Copy)]
pub struct FixInput<'a> {
    /// The catalog.
    pub catalog: &'a Catalog,
    /// The rules to judge by.
    pub rules: &'a RuleSet,
    /// A folder below the root of the files, or one file.
    pub target: &'a str,
    /// Whether it is a file.
    pub is_file: bool,
    /// Variables.
    pub options: &'a terraform::Options,
    /// The instant to judge ages by.
    pub now: Time,
    /// Whether comments that ask to skip rules are applied.
    pub skips: bool,
    /// How often the code may be judged at most; what is not proven by then is left.
    pub judgements: usize,
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// As it is.
    pub before: String,
    /// With the changes.
    pub after: String,
}

/// The lines that one finding needs changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The path from the root of the files.
    pub file: Arc<str>,
    /// The lines, each behind `-` or `+`.
    pub lines: String,
}

/// What can be fixed, what cannot and why. Nothing is written yet.
#[derive(Debug, Default)]
pub struct Fixes {
    /// By path from the root of the files.
    pub files: BTreeMap<String, Changed>,
    /// Findings that pass afterwards, with what is set.
    pub fixed: Vec<(CodeVerdict, Setting)>,
    /// Findings that are left, with the reason.
    pub left: Vec<(CodeVerdict, String)>,
    /// Findings that were not there before: a setting can make other rules apply.
    pub new: Vec<CodeVerdict>,
}

/// What is set for a finding.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// In words.
    pub what: Vec<String>,
    /// The changed lines, in the order in which they are made.
    pub patches: Vec<Patch>,
    files: BTreeSet<String>,
}

/// Files with some of them changed.
struct Overlay<'a> {
    below: &'a dyn Files,
    changed: BTreeMap<String, Arc<[u8]>>,
}

impl Files for Overlay<'_> {
    fn read(&self, path: &str) -> Option<Arc<[u8]>> {
        self.changed.get(path).cloned().or_else(|| self.below.read(path))
    }

    fn list(&self, folder: &str) -> Vec<Entry> {
        self.below.list(folder)
    }

    fn unread(&self) -> Vec<(String, String)> {
        self.below.unread()
    }
}

/// One judgement of the code.
struct Judged {
    readings: Vec<Reading>,
    /// With the reading each verdict is from.
    verdicts: Vec<(usize, CodeVerdict)>,
    problems: BTreeSet<(String, String)>,
}

impl Judged {
    fn of(input: &FixInput<'_>, files: &dyn Files) -> Result<Self, String> {
        let readings = read_code(files, input.target, input.is_file, input.options)?;
        let mut verdicts = Vec::new();
        let mut problems = BTreeSet::new();
        for (at, reading) in readings.iter().enumerate() {
            let checked =
                check(input.catalog, input.rules, reading, input.now, Explain::NotPass, Keep::All, input.skips);
            verdicts.extend(checked.verdicts.into_iter().map(|v| (at, v)));
            problems.extend(checked.problems.into_iter().map(|p| (p.place.file.to_string(), p.message)));
        }
        Ok(Self { readings, verdicts, problems })
    }

    fn outcomes(&self) -> HashMap<String, Outcome> {
        self.verdicts.iter().map(|(_, v)| (v.fingerprint().hex(), v.verdict.outcome)).collect()
    }
}

/// Works out the changes for the findings that `wanted` chooses.
///
/// # Errors
/// The code cannot be read.
pub fn fixes(input: &FixInput<'_>, files: &dyn Files, wanted: &dyn Fn(&CodeVerdict) -> bool) -> Result<Fixes, String> {
    let before = Judged::of(input, files)?;
    let open = |v: &CodeVerdict| v.verdict.outcome == Outcome::Fail && v.skipped.is_none();
    let targets: BTreeSet<String> =
        before.verdicts.iter().filter(|(_, v)| open(v) && wanted(v)).map(|(_, v)| v.fingerprint().hex()).collect();
    let was = before.outcomes();
    let mut left: BTreeMap<String, String> = BTreeMap::new();
    let mut judgements = input.judgements;
    let mut searches: BTreeMap<(String, String), Search> = BTreeMap::new();
    for _ in 0..MAX_TRIES {
        let held: BTreeSet<&String> = searches.values().flat_map(Search::held).collect();
        let mut attempt = Attempt {
            input,
            judgements: &mut judgements,
            targets: &targets,
            held: &held,
            left: &mut left,
            overlay: Overlay { below: files, changed: BTreeMap::new() },
            set: BTreeMap::new(),
        };
        let Some(after) = attempt.run(&before)? else { continue };
        let (overlay, set) = (attempt.overlay.changed, attempt.set);
        let now = after.outcomes();
        let mut bad: BTreeMap<String, String> = BTreeMap::new();
        for key in set.keys().filter(|key| now.get(*key) != Some(&Outcome::Pass)) {
            bad.insert(key.clone(), "no change was found that makes it pass".into());
        }
        // What was well must stay so: the change that spoils it gives way, and is looked for among those of the same resource.
        let mut spoiled: BTreeMap<(String, String), &CodeVerdict> = BTreeMap::new();
        for (_, v) in &after.verdicts {
            let worse = matches!(v.verdict.outcome, Outcome::Fail | Outcome::Unknown);
            if worse && was.get(&v.fingerprint().hex()) == Some(&Outcome::Pass) {
                spoiled.entry(resource_of(v)).or_insert(v);
            }
        }
        let broken: BTreeSet<&String> = after.problems.difference(&before.problems).map(|(file, _)| file).collect();
        let mut by_resource: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for (_, v) in &before.verdicts {
            let key = v.fingerprint().hex();
            let Some(setting) = set.get(&key) else { continue };
            if setting.files.iter().any(|file| broken.contains(file)) {
                bad.insert(key, "the changed file would not be read without problems".into());
            } else {
                by_resource.entry(resource_of(v)).or_default().push(key);
            }
        }
        if bad.is_empty() {
            for (resource, v) in &spoiled {
                let Some(keys) = by_resource.get(resource) else { continue };
                searches.entry(resource.clone()).or_insert_with(|| Search::among(keys)).rule =
                    v.verdict.rule.to_string();
            }
            for (resource, search) in &mut searches {
                let blamed = search.told(spoiled.contains_key(resource));
                let why = format!("the change would make another rule fail: {}", search.rule);
                bad.extend(blamed.into_iter().map(|key| (key, why.clone())));
            }
            searches.retain(|_, search| !search.is_over());
            if bad.is_empty() && searches.is_empty() {
                return finish(before, &after, files, overlay, &set, &left, &targets);
            }
        }
        left.extend(bad);
    }
    let as_it_is = before.verdicts.clone();
    let after = Judged { readings: Vec::new(), verdicts: as_it_is, problems: BTreeSet::new() };
    finish(before, &after, files, BTreeMap::new(), &BTreeMap::new(), &left, &targets)
}

/// A resource, by its root and address.
fn resource_of(v: &CodeVerdict) -> (String, String) {
    (v.at.root.to_string(), v.verdict.resource.to_string())
}

/// The search for those of a resource's changes that make another rule fail, by halves: the first `good` of them do no harm
/// together, the first `bad` of them do.
struct Search {
    keys: Vec<String>,
    good: usize,
    bad: usize,
    /// How many of them are allowed now.
    tried: usize,
    /// How many were found already.
    found: usize,
    /// The rule that fails for it.
    rule: String,
}

impl Search {
    /// Beyond this many, all of the resource give way: it is hardly the changes one by one.
    const MOST: usize = 4;

    fn among(keys: &[String]) -> Self {
        let (keys, all) = (keys.to_vec(), keys.len());
        Self { keys, good: 0, bad: all, tried: all, found: 0, rule: String::new() }
    }

    /// What may not be changed in the next attempt.
    fn held(&self) -> impl Iterator<Item = &String> {
        self.keys.iter().skip(self.tried)
    }

    /// Takes in what the attempt showed; gives the changes that do the harm when they are found.
    fn told(&mut self, harm: bool) -> Vec<String> {
        if harm {
            self.bad = self.tried;
            self.good = self.good.min(self.bad.saturating_sub(1));
        } else {
            self.good = self.tried;
        }
        if self.is_over() {
            return Vec::new();
        }
        if self.bad == 0 || self.found == Self::MOST {
            return std::mem::take(&mut self.keys);
        }
        if self.bad.saturating_sub(self.good) > 1 {
            self.tried = self.good.midpoint(self.bad);
            return Vec::new();
        }
        self.found += 1;
        let culprit = self.keys.remove(self.good);
        (self.bad, self.tried) = (self.keys.len(), self.keys.len());
        vec![culprit]
    }

    /// Whether all that is left of them is known to go together.
    fn is_over(&self) -> bool {
        self.good >= self.keys.len()
    }
}

/// By finding: what was set, and where.
type Set = BTreeMap<String, Setting>;

struct Attempt<'a, 'f> {
    input: &'a FixInput<'a>,
    judgements: &'a mut usize,
    targets: &'a BTreeSet<String>,
    /// Findings that have to wait in this attempt.
    held: &'a BTreeSet<&'a String>,
    left: &'a mut BTreeMap<String, String>,
    overlay: Overlay<'f>,
    set: Set,
}

impl Attempt<'_, '_> {
    /// Changes the code round by round. None when a finding that was begun cannot be finished: it is left out then, and the
    /// whole is begun again.
    fn run(&mut self, before: &Judged) -> Result<Option<Judged>, String> {
        let mut latest: Option<Judged> = None;
        for _ in 0..MAX_ROUNDS {
            let judged = latest.as_ref().unwrap_or(before);
            let (proposals, stuck) = self.proposals(judged);
            if stuck {
                return Ok(None);
            }
            let Some(remaining) = self.judgements.checked_sub(1) else { break };
            if proposals.is_empty() || !self.apply(judged, &proposals) {
                break;
            }
            *self.judgements = remaining;
            latest = Some(Judged::of(self.input, &self.overlay)?);
        }
        // Nothing was changed: it is as it was.
        let as_it_was =
            || Judged { verdicts: before.verdicts.clone(), problems: before.problems.clone(), readings: Vec::new() };
        Ok(Some(latest.unwrap_or_else(as_it_was)))
    }

    fn proposals(&mut self, judged: &Judged) -> (Vec<(String, Proposal)>, bool) {
        let catalog = self.input.catalog;
        let mut out = Vec::new();
        let mut stuck = false;
        for (at, reading) in judged.readings.iter().enumerate() {
            let open = judged.verdicts.iter().filter(|(of, v)| *of == at && v.verdict.outcome == Outcome::Fail);
            let keyed = open.map(|(_, v)| (v.fingerprint().hex(), v));
            let mut todo = keyed
                .filter(|(key, _)| {
                    self.targets.contains(key) && !self.held.contains(key) && !self.left.contains_key(key)
                })
                .peekable();
            if todo.peek().is_none() {
                continue;
            }
            let mapped = map::resources(catalog, reading);
            let by: HashMap<(&str, &str, &str), usize> = (mapped.iter().enumerate())
                .map(|(i, m)| ((&*m.root, m.resource.id.as_str(), m.resource.kind.as_str()), i))
                .collect();
            let mut refused = Vec::new();
            for (key, v) in todo {
                let found = by.get(&(&*v.at.root, v.verdict.resource.as_str(), v.verdict.kind.as_str()));
                let one = found.and_then(|i| mapped.get(*i));
                let (Some(one), Some(kind), Some(rule)) =
                    (one, catalog.kinds.get(&v.verdict.kind), catalog.rules.get(&v.verdict.rule))
                else {
                    refused.push((key, "its resource is not found again".to_owned()));
                    continue;
                };
                match patch::propose(kind, rule, reading, one, &v.verdict.because) {
                    Ok(proposals) => out.extend(proposals.into_iter().map(|p| (key.clone(), p))),
                    Err(why) => refused.push((key, why)),
                }
            }
            for (key, why) in refused {
                stuck |= self.set.contains_key(&key);
                self.left.insert(key, why);
            }
        }
        (out, stuck)
    }

    /// Applies what goes together; the rest comes in the next round. Whether anything changed.
    fn apply(&mut self, judged: &Judged, proposals: &[(String, Proposal)]) -> bool {
        let mut by_file: BTreeMap<&str, Vec<&(String, Proposal)>> = BTreeMap::new();
        for one in proposals {
            by_file.entry(&one.1.file).or_default().push(one);
        }
        let mut changed = false;
        for (file, own) in by_file {
            let bytes = self.overlay.read(file).unwrap_or_default();
            let mark: &[u8] = b"\xEF\xBB\xBF";
            let body = bytes.strip_prefix(mark).unwrap_or(&bytes);
            let source = judged.readings.iter().flat_map(|r| r.sources.files()).find(|f| *f.path == *file);
            // Offsets are those of the text as it was read.
            let Some(text) = source.map(|s| &*s.text).filter(|t| t.as_bytes() == body) else {
                for (key, _) in own {
                    self.left.insert(key.clone(), format!("{file} is not UTF-8"));
                }
                continue;
            };
            let edits: Vec<Edit> = own.iter().map(|(_, p)| p.edit.clone()).collect();
            let (after, applied) = patch::apply(text, &edits);
            if after == text {
                continue;
            }
            changed = true;
            for ((key, proposal), _) in own.into_iter().zip(applied).filter(|(_, done)| *done) {
                let setting = self.set.entry(key.clone()).or_default();
                setting.what.push(proposal.what.clone());
                setting.patches.push(lines_of(text, proposal));
                setting.files.insert(file.to_owned());
            }
            let head = if bytes.starts_with(mark) { mark } else { &[] };
            self.overlay.changed.insert(file.to_owned(), [head, after.as_bytes()].concat().into());
        }
        changed
    }
}

fn finish(
    before: Judged,
    after: &Judged,
    files: &dyn Files,
    overlay: BTreeMap<String, Arc<[u8]>>,
    set: &Set,
    left: &BTreeMap<String, String>,
    targets: &BTreeSet<String>,
) -> Result<Fixes, String> {
    let was = before.outcomes();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| "a changed file is not UTF-8".to_owned());
    let mut out = Fixes::default();
    for (path, bytes) in overlay {
        let (old, new) = (text(&files.read(&path).unwrap_or_default())?, text(&bytes)?);
        if old != new {
            out.files.insert(path, Changed { before: old, after: new });
        }
    }
    for (_, v) in before.verdicts {
        let key = v.fingerprint().hex();
        if let Some(setting) = set.get(&key) {
            out.fixed.push((v, setting.clone()));
        } else if targets.contains(&key) {
            let why = left.get(&key).cloned().unwrap_or_else(|| "no change was found that makes it pass".into());
            out.left.push((v, why));
        }
    }
    let new = after.verdicts.iter().filter(|(_, v)| v.verdict.outcome == Outcome::Fail);
    out.new =
        new.filter(|(_, v)| was.get(&v.fingerprint().hex()) != Some(&Outcome::Fail)).map(|(_, v)| v.clone()).collect();
    Ok(out)
}

/// The lines an edit changes.
fn lines_of(text: &str, proposal: &Proposal) -> Patch {
    let mut edit = proposal.edit.clone();
    let start = text.get(..edit.start).and_then(|t| t.rfind('\n')).map_or(0, |n| n + 1);
    let end = text.get(edit.end..).and_then(|t| t.find('\n')).map_or(text.len(), |n| edit.end + n + 1);
    let old = text.get(start..end).unwrap_or_default();
    (edit.start, edit.end) = (edit.start - start, edit.end - start);
    let (new, _) = patch::apply(old, &[edit]);
    let diff = similar::TextDiff::from_lines(old, &new);
    let changed = diff.iter_all_changes().filter(|c| c.tag() != similar::ChangeTag::Equal);
    let lines = changed.map(|c| format!("{}{}\n", c.tag(), c.value().trim_end_matches(['\n', '\r']))).collect();
    Patch { file: Arc::clone(&proposal.file), lines }
}

/// A unified diff of one file, as `git apply` and `patch -p1` take it.
pub fn unified(path: &str, change: &Changed) -> String {
    similar::TextDiff::from_lines(&change.before, &change.after)
        .unified_diff()
        .context_radius(3)
        .header(&format!("a/{path}"), &format!("b/{path}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_catalog::{Dialect, Expect};
    use plumb_evaluate::Selection;
    use plumb_iac::MemoryFiles;

    fn input<'a>(catalog: &'a Catalog, rules: &'a RuleSet, options: &'a terraform::Options) -> FixInput<'a> {
        let now = "2026-11-22T00:00:00Z".parse().unwrap();
        FixInput { catalog, rules, target: "", is_file: false, options, now, skips: true, judgements: 400 }
    }

    fn catalog() -> Catalog {
        let (catalog, problems) = Catalog::load([]);
        assert!(problems.is_empty(), "{problems:?}");
        catalog
    }

    /// P07: one setting that would spoil something keeps none of the others back.
    #[test]
    fn what_spoils_another_rule_gives_way_alone() {
        let catalog = catalog();
        let options = terraform::Options::default();
        let (rules, _) = RuleSet::compile(&catalog, &Selection::default());
        let files =
            MemoryFiles::new([("main.tf", "resource \"aws_s3_bucket\" \"logs\" {\n  bucket = \"my-logs\"\n}\n")]);
        let found = fixes(&input(&catalog, &rules, &options), &files, &|_| true).unwrap();
        let fixed: BTreeSet<&str> = found.fixed.iter().map(|(v, _)| v.verdict.rule.as_str()).collect();
        for rule in ["versioning", "public-access-blocked", "blocks-public-acls", "event-notifications"] {
            assert!(fixed.contains(&*format!("aws.s3.bucket.{rule}")), "{rule}: {:?}", found.left);
        }
        let spoils = found.left.iter().find(|(_, why)| why.contains("would make another rule fail: aws."));
        let spoils = spoils.map(|(v, _)| v.verdict.rule.as_str());
        assert_eq!(spoils, Some("aws.s3.bucket.access-logging"), "{:?}", found.left);
    }

    #[test]
    fn searches_find_every_change_that_does_harm() {
        for harmful in [&[0][..], &[6], &[3, 4], &[0, 2, 6], &[0, 1, 2, 3, 4, 5, 6]] {
            let keys: Vec<String> = (0..7).map(|n| n.to_string()).collect();
            let mut search = Search::among(&keys);
            let mut blamed = BTreeSet::new();
            for _ in 0..40 {
                let allowed: BTreeSet<&String> = search.keys.iter().take(search.tried).collect();
                let harm = harmful.iter().any(|n| allowed.contains(&n.to_string()));
                blamed.extend(search.told(harm));
                if search.is_over() {
                    break;
                }
            }
            let expected: BTreeSet<String> = harmful.iter().map(ToString::to_string).collect();
            assert!(search.is_over() && blamed == expected, "{harmful:?}: {blamed:?}");
        }
    }

    /// Every failing example of every page: what is called fixed passes when the changed text is judged afresh, reads
    /// without problems, and asking again changes nothing.
    #[test]
    fn failing_examples_of_the_pages_pass_when_fixed() {
        let catalog = catalog();
        let options = terraform::Options::default();
        let only = std::env::var("PLUMB_FIX_ONLY").ok();
        let mut tally: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
        for rule in catalog.rules.values() {
            if only.as_ref().is_some_and(|o| !rule.id.as_str().contains(o)) {
                continue;
            }
            let selection = Selection { rules: Some([rule.id.clone()].into()), ..Selection::default() };
            let (rules, _) = RuleSet::compile(&catalog, &selection);
            for example in rule.examples.iter().filter(|e| e.expect == Expect::Fail) {
                let (name, word) = match example.dialect {
                    Dialect::Hcl => ("main.tf", "terraform"),
                    Dialect::CloudFormation => ("template.yaml", "cloudformation"),
                    Dialect::Bicep => ("main.bicep", "bicep"),
                    _ => continue,
                };
                let files = MemoryFiles::new([(name, example.text.as_str())]);
                let found = fixes(&input(&catalog, &rules, &options), &files, &|_| true).unwrap();
                let (tried, done) = tally.entry(word).or_default();
                tried.insert(rule.id.as_str());
                if only.is_some() || std::env::var("PLUMB_FIX_SHOW").is_ok() {
                    for (path, change) in &found.files {
                        println!("{} {}\n{}", rule.id, example.title, unified(path, change));
                    }
                    for (v, why) in &found.left {
                        println!("LEFT {word} {} {}: {why}", rule.id, v.verdict.resource);
                    }
                }
                if found.fixed.is_empty() {
                    assert!(found.files.is_empty(), "{}: changed without a fix", rule.id);
                    continue;
                }
                done.insert(rule.id.as_str());
                let changed: Vec<(String, String)> =
                    found.files.iter().map(|(p, c)| (p.clone(), c.after.clone())).collect();
                assert!(!changed.is_empty());
                let after = MemoryFiles::new(changed);
                let judged = Judged::of(&input(&catalog, &rules, &options), &after).unwrap();
                let now = judged.outcomes();
                for (v, _) in &found.fixed {
                    assert_eq!(now.get(&v.fingerprint().hex()), Some(&Outcome::Pass), "{} {}", rule.id, example.title);
                }
                let again = fixes(&input(&catalog, &rules, &options), &after, &|_| true).unwrap();
                assert!(again.fixed.is_empty() && again.files.is_empty(), "{}: not at rest", rule.id);
            }
        }
        for (word, (tried, done)) in &tally {
            println!("{word}: {} of {} rules with a failing example", done.len(), tried.len());
        }
        if only.is_none() {
            let all: BTreeSet<&&str> = tally.values().flat_map(|(_, done)| done).collect();
            println!("{} rules in any language", all.len());
        }
    }
}
