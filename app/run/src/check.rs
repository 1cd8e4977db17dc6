//! Infrastructure as code, judged by the same rules as what is deployed.

use crate::{EndOfLife, Engine};
use plumb_catalog::{Catalog, Kind};
use plumb_evaluate::{AccountFacts, CompiledRule, Explain, Helpers, Judging, RuleSet, Table, World, redacted};
use plumb_iac::{
    Call, FileId, Move, Place, Problem, ProblemSeverity, Reading, Skip, SourceMap, Span, map,
    map::{Mapped, StandIn},
    skip_comments,
};
use plumb_model::{
    AccountId, FindingKey, Outcome, Reason, ResourceId, RuleId, Severity, Time, Unknown, Value, Verdict,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// A verdict about code, and where that code is.
#[derive(Debug, Clone)]
pub struct CodeVerdict {
    /// The verdict; its resource is the address.
    pub verdict: Verdict,
    /// How bad a failure is.
    pub severity: Severity,
    /// Where its resource is declared.
    pub at: Arc<Declared>,
    /// The comment that asks not to report it, when there is one and it gives a reason.
    pub skipped: Option<Box<Skipped>>,
    /// The other blocks that say something about what was asked, when everything is explained.
    pub blocks: Vec<Block>,
}

/// A block of its own that says something about a resource, such as a bucket's policy.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its address.
    pub address: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// The verdict if of such blocks there were this one only; the resource's where that cannot be told.
    pub outcome: Outcome,
}

/// Where a resource is declared; the verdicts about it share this.
#[derive(Debug)]
pub struct Declared {
    /// The root module's folder, or the template.
    pub root: Arc<str>,
    /// The block.
    pub place: Place,
    /// What stands for the account in findings about it.
    account: AccountId,
    header: Span,
    module: Arc<[Call]>,
    sources: Arc<SourceMap>,
    /// What the code says was called otherwise before.
    moves: Arc<[Move]>,
}

impl Declared {
    /// The module calls that lead to it, outermost first: address and place.
    pub fn calls(&self) -> impl Iterator<Item = (&str, Place)> {
        self.module.iter().map(|m| (&*m.address, self.sources.place(m.span)))
    }
}

/// Who asked not to report a finding, and why.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// Whose syntax the comment is in.
    pub tool: &'static str,
    /// The author's reason.
    pub reason: Arc<str>,
    /// The comment.
    pub place: Place,
}

/// How many addresses a resource may have had: a chain of moves longer than this is not followed to its end.
const MOVES: usize = 64;

/// What checking code gives.
#[derive(Debug, Default)]
pub struct CodeChecked {
    /// Every verdict, by root, address and rule.
    pub verdicts: Vec<CodeVerdict>,
    /// What policy documents say by themselves that are judged as policies of what uses them: no findings of their own. Only when
    /// everything is explained.
    pub documents: Vec<CodeVerdict>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Comments that were not applied, with what is wrong with them.
    pub idle_skips: Vec<(Place, String)>,
    /// Resources that were judged.
    pub resources: usize,
    /// How many verdicts came out and were not kept, by outcome; see [`Keep`].
    pub passed_over: BTreeMap<Outcome, usize>,
    /// Resources of types no kind covers, by type.
    pub uncovered: BTreeMap<String, usize>,
}

impl CodeVerdict {
    fn key(&self, account: &AccountId, resource: &str) -> FindingKey {
        FindingKey::new(&self.verdict.rule, account, &ResourceId::from(resource), &self.verdict.sub_key)
    }

    /// The outward name of the finding: stable while rule, root, address and part stay.
    pub fn fingerprint(&self) -> FindingKey {
        self.key(&self.at.account, self.verdict.resource.as_str())
    }

    /// The same, if its root were another: a file or folder that was renamed.
    pub fn fingerprint_in(&self, root: &str) -> FindingKey {
        self.key(&account_of(root), self.verdict.resource.as_str())
    }

    /// The same, at the addresses that `moved` blocks say its resource had before, latest first.
    pub fn former_fingerprints(&self) -> Vec<FindingKey> {
        let mut addresses = vec![self.verdict.resource.as_str().to_owned()];
        let mut at = 0;
        while let Some(address) = addresses.get(at) {
            let ways = self.at.moves.iter().filter(|way| way.root == self.at.root);
            let before: Vec<String> = ways.filter_map(|way| way.before(address)).collect();
            for one in before {
                if !addresses.contains(&one) && addresses.len() < MOVES {
                    addresses.push(one);
                }
            }
            at += 1;
        }
        addresses.iter().skip(1).map(|address| self.key(&self.at.account, address)).collect()
    }

    /// The source lines of the first value that decided, else of the block's header.
    pub fn frame(&self) -> String {
        let Declared { header, sources, .. } = &*self.at;
        let place = sources.place(*header);
        let decided = self.verdict.because.iter().find_map(|leaf| match &leaf.source {
            plumb_model::Source::Code { file, line, column, .. } if *column > 0 => Some((file, *line, *column)),
            _ => None,
        });
        let Some((file, line, column)) = decided.filter(|(f, l, _)| **f != place.file || *l != place.line) else {
            return sources.frame(*header);
        };
        let Some((id, source)) = (0..).zip(sources.files()).find(|(_, f)| f.path == *file) else {
            return String::new();
        };
        let before = source.offset(line).unwrap_or(source.text.len());
        let text = source.line(line).unwrap_or_default();
        let start = before + text.chars().take(column.saturating_sub(1) as usize).map(char::len_utf8).sum::<usize>();
        let end = before + text.len();
        sources.frame(Span::new(FileId(id), start, end.max(start + 1)))
    }
}

impl CodeChecked {
    /// Whether something could not be read, so that a clean result would not be the whole truth.
    pub fn partial(&self) -> bool {
        self.problems.iter().any(is_partial)
    }

    /// Takes another reading's result in.
    pub fn join(&mut self, other: CodeChecked) {
        self.verdicts.extend(other.verdicts);
        self.documents.extend(other.documents);
        self.problems.extend(other.problems);
        self.idle_skips.extend(other.idle_skips);
        self.resources += other.resources;
        for (outcome, n) in other.passed_over {
            *self.passed_over.entry(outcome).or_default() += n;
        }
        for (type_, n) in other.uncovered {
            *self.uncovered.entry(type_).or_default() += n;
        }
    }
}

/// Whether code can make a kind at all: what it cannot is not there to be asked about.
fn written(kind: &Kind) -> bool {
    [&kind.terraform, &kind.cloudformation, &kind.arm].iter().any(|types| !types.is_empty())
}

/// Which verdicts are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of them.
    All,
    /// Those that fail and those that are not known; what passes and what does not apply is counted.
    Failing,
}

/// Judges everything a reading declares. With `skips`, comments that ask to skip rules are applied.
pub fn check(
    catalog: &Catalog,
    rules: &RuleSet,
    reading: &Reading,
    now: Time,
    explain: Explain,
    keep: Keep,
    skips: bool,
) -> CodeChecked {
    // What is unknown is shown only with everything; explaining it otherwise would be for nothing.
    let explain = if explain == Explain::NotPass { Explain::Failing } else { explain };
    let shared = Shared { sources: Arc::new(reading.sources.clone()), moves: reading.moves.as_slice().into() };
    let mapped = map::resources(catalog, reading);
    let elsewhere = map::elsewhere(catalog, reading, &mapped);
    let alone = if explain == Explain::Everything { map::alone(catalog, reading, &mapped) } else { Vec::new() };
    let alone: HashMap<*const Mapped, Vec<StandIn>> = mapped.iter().map(std::ptr::from_ref).zip(alone).collect();
    let resources = mapped.len() + elsewhere.len();
    let mut out = CodeChecked { resources, problems: reading.problems.clone(), ..CodeChecked::default() };
    // Which fields of its own kind a rule reads, asked once a rule.
    let mut reads: BTreeMap<RuleId, BTreeSet<String>> = BTreeMap::new();
    let mut known = vec![false; reading.resources.len()];
    let mut by_root: BTreeMap<&str, Vec<&Mapped>> = BTreeMap::new();
    for one in mapped.iter().chain(elsewhere.iter().map(|e| &e.mapped)) {
        for at in one.carriers.iter().chain([&one.code]) {
            if let Some(slot) = known.get_mut(*at) {
                *slot = true;
            }
        }
    }
    mapped.iter().for_each(|one| by_root.entry(&one.root).or_default().push(one));
    let documents = if explain == Explain::Everything { map::used_documents(catalog, reading) } else { Vec::new() };
    let mut lent: BTreeMap<&str, Vec<&StandIn>> = BTreeMap::new();
    for one in &elsewhere {
        by_root.entry(&one.mapped.root).or_default();
        lent.entry(&one.mapped.root).or_default().push(one);
    }
    for (code, _) in reading.resources.iter().zip(&known).filter(|(code, known)| !**known && !code.existing) {
        *out.uncovered.entry(code.type_.to_string()).or_default() += 1;
    }
    let mut comments = Comments::new(catalog, reading, now);
    // Room that is not used costs nothing; what grows is copied.
    let each = if keep == Keep::All { 24 } else { 8 };
    out.verdicts.reserve(mapped.len().saturating_mul(each));
    let (mut passed, mut idle) = (0, 0);
    for (root, own) in by_root {
        let world = world_of(rules, reading, root, &own);
        let judging = Judging::new(rules, &world, now);
        for one in own {
            let at = declared(reading, one, &shared);
            let parts = alone.get(&std::ptr::from_ref(one)).map_or(&[] as &[StandIn], Vec::as_slice);
            // What is written in the block of another one is looked for under that one's name.
            let written = reading.resources.get(one.code).and_then(|code| code.written.as_ref());
            let told: Vec<HashMap<RuleId, Outcome>> = parts.iter().map(|part| outcomes(&judging, part)).collect();
            judging.judge(&one.resource, explain, |judged| {
                let rule = judged.rule;
                match judged.outcome {
                    Outcome::Pass if keep == Keep::Failing => return passed += 1,
                    Outcome::NotApplicable if keep == Keep::Failing => return idle += 1,
                    _ => {}
                }
                let (severity, mut verdict) = (rule.severity, judged.into_verdict());
                hide(&mut verdict, one);
                let skipped = comments.of(one, &verdict).filter(|_| skips).map(Box::new);
                let mut blocks = Vec::new();
                for (part, told) in parts.iter().zip(&told) {
                    let read = fields_read(&mut reads, rules, rule);
                    let Some(code) =
                        reading.resources.get(part.mapped.code).filter(|_| !read.is_disjoint(&part.fields))
                    else {
                        continue;
                    };
                    let known = told.get(&rule.id).filter(|o| **o != Outcome::Unknown);
                    blocks.push(Block {
                        address: Arc::clone(&code.address),
                        place: part.mapped.place.clone(),
                        outcome: known.copied().unwrap_or(verdict.outcome),
                    });
                }
                if explain == Explain::Everything
                    && let Some(written) = written
                {
                    let (address, outcome) = (Arc::clone(written), verdict.outcome);
                    blocks.push(Block { address, place: one.place.clone(), outcome });
                }
                out.verdicts.push(CodeVerdict { verdict, severity, at: Arc::clone(&at), skipped, blocks });
            });
        }
        for one in documents.iter().filter(|one| &*one.root == root) {
            let at = declared(reading, one, &shared);
            judging.judge(&one.resource, explain, |judged| {
                let (severity, mut verdict) = (judged.rule.severity, judged.into_verdict());
                hide(&mut verdict, one);
                let (at, blocks) = (Arc::clone(&at), Vec::new());
                out.documents.push(CodeVerdict { verdict, severity, at, skipped: None, blocks });
            });
        }
        for StandIn { mapped: one, fields } in lent.remove(root).into_iter().flatten() {
            let at = declared(reading, one, &shared);
            judging.judge(&one.resource, explain, |judged| {
                let rule = judged.rule;
                let mut verdict = judged.into_verdict();
                // About what stands elsewhere this code is silent; it speaks through the fields it carries.
                let read = fields_read(&mut reads, rules, rule);
                if !read.is_disjoint(fields) && verdict.outcome != Outcome::NotApplicable {
                    hide(&mut verdict, one);
                    let skipped = comments.of(one, &verdict).filter(|_| skips).map(Box::new);
                    out.verdicts.push(CodeVerdict {
                        verdict,
                        severity: rule.severity,
                        at: Arc::clone(&at),
                        skipped,
                        blocks: Vec::new(),
                    });
                }
            });
        }
    }
    out.passed_over
        .extend([(Outcome::Pass, passed), (Outcome::NotApplicable, idle)].into_iter().filter(|(_, n)| *n > 0));
    out.idle_skips = comments.idle();
    out
}

/// Which fields of its own kind a rule reads.
fn fields_read<'a>(
    known: &'a mut BTreeMap<RuleId, BTreeSet<String>>,
    rules: &RuleSet,
    rule: &CompiledRule,
) -> &'a BTreeSet<String> {
    known
        .entry(rule.id.clone())
        .or_insert_with(|| rules.needs_of(rule).fields.remove(&rule.kind().id).unwrap_or_default())
}

/// The worst outcome of each rule for what one block says.
fn outcomes(judging: &Judging<'_>, part: &StandIn) -> HashMap<RuleId, Outcome> {
    let mut found: HashMap<RuleId, Outcome> = HashMap::new();
    judging.judge(&part.mapped.resource, Explain::Nothing, |judged| {
        let id = judged.rule.id.clone();
        let outcome = judged.into_verdict().outcome;
        let worst = found.entry(id).or_insert(outcome);
        if outcome.urgency() > worst.urgency() {
            *worst = outcome;
        }
    });
    found
}

/// What stands for the account in findings about a root.
fn account_of(root: &str) -> AccountId {
    format!("code/{root}").into()
}

/// What all resources of a reading share.
struct Shared {
    sources: Arc<SourceMap>,
    moves: Arc<[Move]>,
}

fn declared(reading: &Reading, one: &Mapped, shared: &Shared) -> Arc<Declared> {
    let code = reading.resources.get(one.code);
    Arc::new(Declared {
        account: account_of(&one.root),
        root: Arc::clone(&one.root),
        place: one.place.clone(),
        header: code.map(|c| c.header).unwrap_or_default(),
        module: code.map(|c| Arc::clone(&c.module)).unwrap_or_default(),
        sources: Arc::clone(&shared.sources),
        moves: Arc::clone(&shared.moves),
    })
}

/// Takes sensitive values and credentials out of what is shown.
fn hide(verdict: &mut Verdict, one: &Mapped) {
    for leaf in &mut verdict.because {
        let root = leaf.path.split(['.', '[', '(']).next().unwrap_or_default();
        if one.sensitive.contains(root) {
            leaf.observed = Value::str("(sensitive)");
        }
        clean(&mut leaf.observed);
    }
}

fn clean(value: &mut Value) {
    match value {
        Value::Str(text) => {
            if let Cow::Owned(hidden) = redacted(text) {
                *value = Value::from(hidden);
            }
        }
        Value::List(items) => items.iter_mut().for_each(clean),
        Value::Map(map) => {
            let cleaned = map.iter().map(|(k, v)| {
                let mut v = v.clone();
                clean(&mut v);
                (k.to_owned(), v)
            });
            *value = Value::map(cleaned.collect::<Vec<_>>());
        }
        _ => {}
    }
}

fn world_of(rules: &RuleSet, reading: &Reading, root: &str, own: &[&Mapped]) -> World<'static> {
    static ENGINE: Engine = Engine;
    static LIFE: EndOfLife = EndOfLife::BUNDLED;
    let facts = AccountFacts { id: "code".into(), ..AccountFacts::default() };
    let mut world = World::new(facts, Helpers { policies: &ENGINE, end_of_support: &LIFE });
    let gap = reading.problems.iter().find(|p| p.hides && is_partial(p) && p.place.file.starts_with(root)).map(|p| {
        let mut unknown = Unknown::new(Reason::NotComputed, format!("{}:{}", p.place.file, p.place.line));
        unknown.detail.clone_from(&p.message);
        Arc::new(unknown)
    });
    let mut of_kind: HashMap<&str, Vec<&Mapped>> = HashMap::new();
    for one in own {
        of_kind.entry(one.resource.kind.as_str()).or_default().push(one);
    }
    for id in &rules.needs().asked {
        let Some(kind) = rules.kind(id).filter(|k| written(k)) else { continue };
        let resources = of_kind.get(id.as_str()).into_iter().flatten().map(|m| Arc::clone(&m.resource));
        let indexes: Vec<String> = rules.needs().indexes.get(id).into_iter().flatten().cloned().collect();
        world.put(id.clone(), Table::new(Arc::clone(kind), resources, gap.clone()), &indexes);
    }
    world
}

/// A comment, whichever instances share it: where it stands, and the ids it names.
type Comment = (Span, Vec<Arc<str>>);

fn comment_of(skip: &Skip) -> Comment {
    (skip.span, skip.ids.clone())
}

/// What a comment asks for.
struct Asked {
    /// The rules it names; none means all.
    rules: Option<BTreeSet<RuleId>>,
    /// What keeps it from being applied.
    wrong: Option<String>,
    /// Whether a finding is meant by it.
    used: bool,
    ids: String,
}

/// The comments of a reading that ask to skip rules, and which of them were of use.
struct Comments<'a> {
    reading: &'a Reading,
    asked: BTreeMap<Comment, Asked>,
}

impl<'a> Comments<'a> {
    fn new(catalog: &Catalog, reading: &'a Reading, now: Time) -> Self {
        let mut this = Self { reading, asked: BTreeMap::new() };
        let mut resolved: HashMap<&str, BTreeSet<RuleId>> = HashMap::new();
        let own = reading.resources.iter().flat_map(|code| &code.skips);
        let calls = reading.resources.iter().flat_map(|code| code.module.iter().flat_map(|call| call.skips.iter()));
        for skip in own.chain(calls) {
            let comment = comment_of(skip);
            if this.asked.contains_key(&comment) {
                continue;
            }
            for id in &skip.ids {
                resolved.entry(id).or_insert_with(|| resolve(catalog, id));
            }
            let named = skip.ids.iter().filter_map(|id| resolved.get(&**id)).flatten().cloned().collect();
            let rules: Option<BTreeSet<RuleId>> = (!skip.ids.is_empty()).then_some(named);
            let said = match skip.ids.is_empty() {
                true => "all rules".to_owned(),
                false => skip.ids.join(", "),
            };
            this.asked.insert(comment, Asked { wrong: wrong_with(skip, now), rules, used: false, ids: said });
        }
        this
    }

    /// The comment that asks to skip this verdict. Only what is not a pass can be skipped.
    fn of(&mut self, one: &Mapped, verdict: &Verdict) -> Option<Skipped> {
        if !matches!(verdict.outcome, Outcome::Fail | Outcome::Unknown) {
            return None;
        }
        let mut found = None;
        for at in [&one.code].into_iter().chain(&one.carriers) {
            let Some(code) = self.reading.resources.get(*at) else { continue };
            // What is said at the call of a module is about everything in it.
            let calls = code.module.iter().flat_map(|call| call.skips.iter());
            for skip in code.skips.iter().chain(calls) {
                let Some(asked) = self.asked.get_mut(&comment_of(skip)) else { continue };
                // A comment for all rules speaks of its own block only.
                let speaks = asked.rules.as_ref().map_or(*at == one.code, |named| named.contains(&verdict.rule));
                if speaks && fits(skip, code) {
                    asked.used = true;
                    if asked.wrong.is_none() && found.is_none() {
                        found = Some(Skipped {
                            tool: skip.tool,
                            reason: skip.reason.clone(),
                            place: self.reading.sources.place(skip.span),
                        });
                    }
                }
            }
        }
        found
    }

    /// What was not applied, and why. Comments in installed modules are not the reader's to mend.
    fn idle(self) -> Vec<(Place, String)> {
        let mut out: Vec<(Place, String)> = Vec::new();
        for ((span, _), asked) in &self.asked {
            let ids = &asked.ids;
            let message = match (&asked.wrong, &asked.rules) {
                (_, Some(rules)) if rules.is_empty() => {
                    format!("the skip of {ids} matches no finding: no rule is called so")
                }
                (Some(wrong), _) if asked.used => format!("the skip of {ids} {wrong} and is not applied"),
                _ if asked.used => continue,
                _ => format!("the skip of {ids} matches no finding"),
            };
            out.push((self.reading.sources.place(*span), message));
        }
        let inside = |skip: &Skip| {
            let around = |span: &Span| span.file == skip.span.file && (span.start..span.end).contains(&skip.span.start);
            self.asked.keys().any(|(span, _)| around(span))
        };
        for (id, file) in (0..).map(FileId).zip(self.reading.sources.files()) {
            for skip in skip_comments(file, id).iter().filter(|skip| !inside(skip)) {
                let ids = if skip.ids.is_empty() { "all rules".to_owned() } else { skip.ids.join(", ") };
                let message = format!(
                    "the skip of {ids} stands at no resource that is declared: write it right above one, or in it"
                );
                out.push((self.reading.sources.place(skip.span), message));
            }
        }
        out.retain(|(place, _)| !place.file.split('/').any(|part| part == ".terraform"));
        out.sort_by(|(a, m), (b, n)| (&a.file, a.line, m).cmp(&(&b.file, b.line, n)));
        out.dedup_by(|(a, m), (b, n)| (&a.file, a.line, m) == (&b.file, b.line, n));
        out
    }
}

/// What keeps a comment from being applied at all.
fn wrong_with(skip: &Skip, now: Time) -> Option<String> {
    if let Some(day) = &skip.until {
        match format!("{day}T00:00:00Z").parse::<Time>() {
            Ok(end) if now >= end => return Some(format!("ended on {day}")),
            Ok(_) => {}
            Err(_) => return Some(format!("has the end `{day}`, which is no day (write 2030-01-31),")),
        }
    }
    let beyond = |part: &&str| !part.contains('=');
    if let Some(part) = skip.only.as_deref().and_then(|only| only.split(',').find(beyond)) {
        return Some(format!("is limited to `{part}`, which code does not tell,"));
    }
    skip.reason.is_empty().then(|| "gives no reason".to_owned())
}

/// Whether the resource is one that a comment is limited to: `name=x`, `logging.prefix=y`.
fn fits(skip: &Skip, code: &plumb_iac::Code) -> bool {
    let Some(only) = &skip.only else { return true };
    only.split(',').filter_map(|part| part.split_once('=')).all(|(path, wanted)| {
        let mut found = false;
        code.attrs.walk("", 0, &mut |at, val| {
            // A block that may be repeated is named without its position.
            let plain: String = at.split('[').map(|step| step.split_once(']').map_or(step, |(_, rest)| rest)).collect();
            found |= plain == path && shown(&plumb_iac::plain(val)) == wanted;
        });
        found
    })
}

fn shown(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The rules an id of any scanner names; none when nobody knows it.
fn resolve(catalog: &Catalog, id: &str) -> BTreeSet<RuleId> {
    catalog.resolve(id).unwrap_or_default()
}

/// Whether a problem means that something is missing from what was judged.
pub fn is_partial(problem: &Problem) -> bool {
    let missing = ["not on disk", "not in the repository", "are not read"];
    problem.severity == ProblemSeverity::Error || missing.iter().any(|m| problem.message.contains(m))
}
