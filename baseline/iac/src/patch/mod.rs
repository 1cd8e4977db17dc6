//! The smallest change that makes a rule pass, written where the resource is written.
//!
//! What to set comes from the rule's page (its `[fix]` table, else its passing examples) and where to set it from the
//! kind's table: no rule has code here. A change is proposed only where the value is written out or absent in the
//! resource's own block (or in the resource that carries the setting). A value that a variable, a reference or a function gives is
//! left alone, and so is what only the author can choose: names, keys, addresses. Whoever applies an edit judges the
//! result again, so a proposal that does not help is never kept.

mod tree;
mod write;

use crate::map::Mapped;
use crate::resource::{Code, Dialect, Key, Reading};
use plumb_catalog::{Condition, Decode, Dialect as PageDialect, Expect, Field, Kind, Rule, Step, Take, Type};
use plumb_model::Leaf;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tree::{Form, Reach, Tree, What, plain, reach};
use write::Lit;

/// A change of one file: the bytes `start..end` become `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// First byte.
    pub start: usize,
    /// The byte after the last one; `start` for an insertion.
    pub end: usize,
    /// What stands there afterwards.
    pub text: String,
    /// What the edit sets: two edits of one spot do not go together.
    spot: String,
}

impl Edit {
    fn insert(at: usize, text: String) -> Self {
        Self { start: at, end: at, text, spot: String::new() }
    }
}

/// An edit and the file it is for (its path in the reading).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The path, from the root of what was read.
    pub file: Arc<str>,
    /// The change.
    pub edit: Edit,
    /// What is set, in words.
    pub what: String,
}

/// Applies edits; of those that touch the same place the first wins, and the others are to be proposed again for the text
/// that comes out. Gives the text and which edits are in it.
pub fn apply(text: &str, edits: &[Edit]) -> (String, Vec<bool>) {
    let mut order: Vec<usize> = (0..edits.len()).collect();
    order.sort_by_key(|i| edits.get(*i).map(|e| (e.start, e.end)));
    let crlf = text.contains("\r\n");
    let mut applied = vec![false; edits.len()];
    let mut spots: Vec<(&str, &str)> = Vec::new();
    let (mut out, mut at) = (String::with_capacity(text.len() + 64), 0);
    for i in order {
        let Some(edit) = edits.get(i) else { continue };
        // Two findings may ask for the same change: it is made once and serves both.
        if let Some((_, same)) = spots.iter().find(|(spot, _)| *spot == edit.spot) {
            if *same == edit.text
                && let Some(done) = applied.get_mut(i)
            {
                *done = true;
            }
            continue;
        }
        let Some(between) = text.get(at..edit.start).filter(|_| edit.start >= at && !(edit.start == at && at > 0))
        else {
            continue;
        };
        out.push_str(between);
        out.push_str(&if crlf { edit.text.replace('\n', "\r\n") } else { edit.text.clone() });
        at = edit.end;
        spots.push((&edit.spot, &edit.text));
        if let Some(done) = applied.get_mut(i) {
            *done = true;
        }
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, applied)
}

/// Proposes the first change that may bring a failing resource closer to passing. `leaves` are what decided.
///
/// # Errors
/// Why nothing can be changed safely, in words for the author.
pub fn propose(
    kind: &Kind,
    rule: &Rule,
    reading: &Reading,
    one: &Mapped,
    leaves: &[Leaf],
) -> Result<Vec<Proposal>, String> {
    let code = reading.resources.get(one.code).ok_or("the resource is not in the reading")?;
    match code.dialect {
        Dialect::TerraformPlan | Dialect::TerraformState => {
            return Err("a plan or state is not where this is written".into());
        }
        _ if rule.parts.is_some() => return Err("it is about one part of the resource".into()),
        _ => {}
    }
    let mut why = None;
    let mut seen = BTreeSet::new();
    for leaf in leaves {
        let root = leaf.path.split(['.', '[', '(']).next().unwrap_or_default();
        let Some(field) = kind.fields.iter().find(|f| f.name == root).filter(|_| seen.insert(leaf.path.clone())) else {
            continue;
        };
        let job = Job { rule, reading, one, code, field };
        match job.edits(leaf) {
            Ok(edits) => return Ok(edits),
            Err(message) => why = why.or(Some(message)),
        }
    }
    Err(why.unwrap_or_else(|| "it is about more than one setting of this resource".into()))
}

struct Job<'a> {
    rule: &'a Rule,
    reading: &'a Reading,
    one: &'a Mapped,
    code: &'a Code,
    field: &'a Field,
}

/// A block of source that settings are in.
struct Host {
    file: Arc<str>,
    text: Arc<str>,
    tree: Tree,
    form: Form,
}

impl Host {
    /// A value as this file writes it. In JSON a nested block is an object, or a list of them where the file has lists.
    fn lit(&self, lit: &Lit) -> Lit {
        let each = |items: &[Lit]| items.iter().map(|i| self.lit(i)).collect();
        match lit {
            _ if self.form != Form::Json => lit.clone(),
            Lit::Raw(text) => Lit::Plain(format!("${{{text}}}").into()),
            Lit::Blocks(items) => match items.as_slice() {
                [one] if !self.lists_blocks() => self.lit(one),
                _ => Lit::List(each(items)),
            },
            Lit::List(items) => Lit::List(each(items)),
            Lit::Map(members) => Lit::Map(members.iter().map(|(k, v)| (k.clone(), self.lit(v))).collect()),
            Lit::Plain(_) => lit.clone(),
        }
    }

    fn lists_blocks(&self) -> bool {
        let objects =
            |t: &Tree| matches!(&t.what, What::List(items, _) if items.iter().any(|i| matches!(i.what, What::Map(..))));
        matches!(&self.tree.what, What::Map(entries, _) if entries.iter().any(|e| objects(&e.value)))
    }
}

impl Job<'_> {
    fn edits(&self, leaf: &Leaf) -> Result<Vec<Proposal>, String> {
        let field = self.field;
        if !field.by_hand.is_empty() {
            return Err(format!("`{}` is left to you: {}", field.name, field.by_hand));
        }
        let member = leaf.path.strip_prefix(&field.name).and_then(|rest| rest.strip_prefix('.'));
        let inner = member.filter(|_| matches!(field.ty, Type::Object(_))).map(|name| {
            field.members.iter().find(|m| m.name == name).ok_or(format!("`{}` is computed from several", leaf.path))
        });
        let inner = inner.transpose()?;
        let asked = inner.unwrap_or(field);
        if !asked.by_hand.is_empty() {
            return Err(format!("`{}` is left to you: {}", leaf.path, asked.by_hand));
        }
        let takes = self.takes(inner);
        if takes.is_empty() {
            return Err(format!("`{}` is not written in this language", leaf.path));
        }
        let want = self.wanted(asked, inner.is_some(), leaf);
        let mut why = None;
        // Where it is written now, else where the page writes it, else where it can be written.
        let mut tried: Vec<(u8, usize)> = takes.iter().enumerate().map(|(i, t)| (self.rank(t), i)).collect();
        tried.sort_unstable();
        let best = tried.first().map_or(0, |(rank, _)| *rank);
        for (rank, i) in tried {
            // Where the page writes it elsewhere, an old or unusual place is no way out.
            if rank > best.max(1) {
                break;
            }
            let Some(take) = takes.get(i) else { continue };
            match self.one_take(take, asked, want.as_ref()) {
                Ok(edits) => return Ok(edits),
                Err(message) => why = why.or(Some(message)),
            }
        }
        Err(why.unwrap_or_else(|| format!("`{}` cannot be set here", leaf.path)))
    }

    /// The places a field (or a member of it) is written in, with whole paths.
    fn takes(&self, inner: Option<&Field>) -> Vec<Take> {
        let language = self.one_language();
        let column = |f: &Field| match language {
            PageDialect::Hcl => f.terraform.0.clone(),
            PageDialect::CloudFormation => f.cloudformation.0.clone(),
            _ => f.arm.0.clone(),
        };
        // What is computed about the resource is no place to write in.
        let written = |t: &Take| t.value.is_none() && !t.path.root().is_some_and(|r| r.starts_with('$'));
        let outer: Vec<Take> = column(self.field).into_iter().filter(written).collect();
        let Some(inner) = inner else { return outer };
        let mut out = Vec::new();
        for take in outer {
            for below in column(inner).into_iter().filter(|t| t.value.is_none() && t.from.is_none()) {
                let whole: Vec<Step> = take.path.steps().iter().chain(below.path.steps()).cloned().collect();
                let mut rest = below.rest.as_deref().cloned().unwrap_or_default();
                (rest.from, rest.by) = (take.from.clone(), take.by.clone());
                out.push(Take { path: whole.into(), rest: Some(Box::new(rest)), ..below });
            }
        }
        out
    }

    fn one_language(&self) -> PageDialect {
        match self.code.dialect {
            Dialect::CloudFormation => PageDialect::CloudFormation,
            Dialect::Arm => PageDialect::Arm,
            Dialect::Bicep => PageDialect::Bicep,
            _ => PageDialect::Hcl,
        }
    }

    /// What the field must be: what the page's `[fix]` says, else what its passing examples have. A truth value is
    /// turned round only when an example or the field's default says so: not every `false` is there to be made `true`.
    fn wanted(&self, field: &Field, nested: bool, leaf: &Leaf) -> Option<Json> {
        if let Some(value) = self.rule.fix.get(&self.field.name).filter(|_| !nested) {
            return Some(value.to_plain_json());
        }
        let passing = self.rule.examples.iter().filter(|e| e.dialect == PageDialect::Json && e.expect == Expect::Pass);
        let pointer = format!("/{}", leaf.path.replace('.', "/"));
        let said: Vec<Json> = passing
            .filter_map(|e| serde_json::from_str::<Json>(&e.text).ok())
            .filter_map(|json| json.pointer(&pointer).cloned())
            .filter(|v| v.is_string() || v.is_number() || v.is_boolean())
            .collect();
        if field.ty == Type::Bool
            && let Some(observed) = leaf.observed.to_plain_json().as_bool()
        {
            let other = Json::Bool(!observed);
            let usual = said.is_empty() && field.default.to_plain_json() == other;
            return (usual || said.contains(&other)).then_some(other);
        }
        said.into_iter().next()
    }

    fn rank(&self, take: &Take) -> u8 {
        let steps = self.steps(take);
        let hosts = self.hosts(take).unwrap_or_default();
        let mut best = if self.example(take, &steps).is_some() { 2 } else { 4 };
        if take.from.is_some() && hosts.is_empty() {
            best += 1;
        }
        for host in &hosts {
            let here = match reach(&host.tree, list_path(&steps).0, self.folded()) {
                Reach::Missing(..) => best,
                _ => 0,
            };
            // A carrier that is there is where it belongs, even when it lacks the setting.
            best = best.min(here).min(if take.from.is_some() { 1 } else { best });
        }
        best
    }

    fn folded(&self) -> bool {
        matches!(self.code.dialect, Dialect::Arm | Dialect::Bicep)
    }

    /// The steps from the resource's node.
    fn steps(&self, take: &Take) -> Vec<Step> {
        let below = matches!(self.code.dialect, Dialect::CloudFormation).then(|| Step::Member("Properties".into()));
        below.into_iter().chain(take.path.steps().iter().cloned()).collect()
    }

    fn one_take(&self, take: &Take, field: &Field, want: Option<&Json>) -> Result<Vec<Proposal>, String> {
        if !take.when.is_empty() {
            return Err(format!("`{}` is decided by other resources", field.name));
        }
        let steps = self.steps(take);
        let hosts = self.hosts(take)?;
        if take.from.is_some() && hosts.is_empty() {
            return self.carrier(take);
        }
        let mut out = Vec::new();
        for host in &hosts {
            let edit = self.set(host, take, &steps, field, want)?;
            let what = format!("{} in {}", field.name, self.code.address);
            out.push(Proposal { file: host.file.clone(), edit, what });
        }
        Ok(out)
    }

    /// The source blocks a take reads: the resource's own, or those that carry the setting.
    fn hosts(&self, take: &Take) -> Result<Vec<Host>, String> {
        let Some(from) = &take.from else { return Ok(vec![self.host(self.code)?]) };
        let carriers = self.one.carriers.iter().filter_map(|at| self.reading.resources.get(*at));
        carriers.filter(|c| *c.type_ == **from).map(|c| self.host(c)).collect()
    }

    fn host(&self, code: &Code) -> Result<Host, String> {
        let file = self.reading.sources.file(code.span.file).ok_or("its file is not in the reading")?;
        if file.path.split('/').any(|part| part == ".terraform") {
            return Err(format!("it is written in the installed module {}; change what calls it", file.path));
        }
        let (at, text) = (code.span.start as usize, &file.text);
        let (tree, form) = match code.dialect {
            Dialect::CloudFormation => (tree::cloudformation_resource(text, Some(at), &code.type_), Form::Yaml),
            Dialect::Arm => (tree::arm_resource(text, at), Form::Json),
            Dialect::Bicep => (tree::bicep_resource(text, Some(at), &code.type_), Form::Bicep),
            _ if file.path.ends_with(".json") => (tree::terraform_json_resource(text, at), Form::Json),
            _ => (tree::terraform_blocks(text).into_iter().find(|b| b.2 == at).map(|b| b.3), Form::Body),
        };
        // A template in JSON is written as JSON.
        let json = matches!(&tree, Some(Tree { what: What::Map(_, Form::Json), .. }));
        let form = if json { Form::Json } else { form };
        let tree = tree.ok_or_else(|| format!("{} is not written out as one block", code.address))?;
        Ok(Host { file: file.path.clone(), text: text.clone(), tree, form })
    }

    fn set(
        &self,
        host: &Host,
        take: &Take,
        steps: &[Step],
        field: &Field,
        want: Option<&Json>,
    ) -> Result<Edit, String> {
        let (path, each) = list_path(steps);
        if path.iter().any(|s| !matches!(s, Step::Member(_) | Step::Index(_))) {
            return Err(format!("`{}` is set in several places", field.name));
        }
        let example = self.example(take, steps);
        let objects = each || !field.members.is_empty();
        match reach(&host.tree, steps, self.folded()) {
            Reach::Computed(tree) => {
                let shown: String = host.text.get(tree.start..tree.end).unwrap_or_default().chars().take(60).collect();
                Err(format!("`{}` is given by `{}`; change it there", field.name, shown.trim()))
            }
            Reach::Unclear(why) => Err(why.into()),
            Reach::Blocks(body, key) => self.merge(host, body, Some(key), example.as_ref()),
            Reach::At(tree) if matches!(tree.what, What::List(..)) => {
                if objects {
                    return self.merge(host, tree, None, example.as_ref());
                }
                let Some(Lit::List(wanted)) = example else { return Err(self.choose(field)) };
                let What::List(items, _) = &tree.what else { return Err(self.choose(field)) };
                let there = |lit: &Lit| items.iter().any(|i| matches!(lit, Lit::Plain(v) if plain(i) == Some(v)));
                let next = wanted.iter().find(|lit| !there(lit)).ok_or_else(|| self.choose(field))?;
                write::append(&host.text, tree, &host.lit(next)).ok_or_else(|| "the list leaves no place".into())
            }
            Reach::At(tree) => {
                let Some(now) = plain(tree) else { return Err(self.choose(field)) };
                let value = self.spelled(take, field, want, example.as_ref()).ok_or_else(|| self.choose(field))?;
                if *now == value {
                    return Err(format!("`{}` is already {value}", field.name));
                }
                let form = if host.form == Form::Yaml && host.text.as_bytes().get(tree.start) == Some(&b'"') {
                    Form::Json
                } else {
                    host.form
                };
                Ok(write::replace(tree, form, &value))
            }
            Reach::Missing(container, left) => {
                let done = steps.len().saturating_sub(left);
                let rest = steps.get(done..).unwrap_or_default();
                let Some((Step::Member(key), below)) = rest.split_first() else {
                    return Err(format!("`{}` is one of several", field.name));
                };
                // A nested block brings what its example has beside the setting: it may not stand alone.
                let nested = matches!(below.first(), Some(Step::Index(_) | Step::Each)) || objects;
                let from_page = match nested.then(|| self.on_page(take, steps.get(..=done)?)).flatten() {
                    Some(None) => return Err(self.choose(field)),
                    other => other.flatten(),
                };
                let single = || match below {
                    [] | [Step::Each] if objects => None,
                    _ => {
                        let value = match &example {
                            Some(lit @ Lit::List(_)) => lit.clone(),
                            _ => Lit::Plain(self.spelled(take, field, want, example.as_ref())?),
                        };
                        self.around(below, value)
                    }
                };
                let lit = from_page.or_else(single).ok_or_else(|| self.choose(field))?;
                write::add(&host.text, container, key, &host.lit(&lit))
                    .ok_or_else(|| "its block leaves no place".into())
            }
        }
    }

    /// Wraps a value in the objects, lists or blocks of a path.
    fn around(&self, steps: &[Step], value: Lit) -> Option<Lit> {
        let Some((step, rest)) = steps.split_first() else { return Some(value) };
        let inner = self.around(rest, value)?;
        match step {
            Step::Member(name) => Some(Lit::Map(vec![(name.to_string(), inner)])),
            Step::Index(0) if self.one_language() == PageDialect::Hcl && matches!(inner, Lit::Map(_)) => {
                Some(Lit::Blocks(vec![inner]))
            }
            Step::Index(0) => Some(Lit::List(vec![inner])),
            _ => None,
        }
    }

    /// Brings one item of the page's example into a list of objects: the one of the same name is changed, else it is added.
    fn merge(&self, host: &Host, list: &Tree, key: Option<&str>, example: Option<&Lit>) -> Result<Edit, String> {
        let (Some(Lit::List(wanted) | Lit::Blocks(wanted)), field) = (example, self.field) else {
            return Err(self.choose(self.field));
        };
        let items: Vec<&Tree> = match (key, &list.what) {
            (Some(key), _) => tree::blocks(list, key).collect(),
            (None, What::List(items, _)) => items.iter().collect(),
            _ => Vec::new(),
        };
        for item in wanted {
            let Lit::Map(members) = item else { continue };
            let label = members.iter().find(|(k, v)| LABELS.contains(&k.as_str()) && matches!(v, Lit::Plain(_)));
            let Some((name, Lit::Plain(value))) = label else {
                return Err(self.choose(field));
            };
            let same = |t: &&&Tree| tree::member(t, name).and_then(|e| plain(&e.value)) == Some(value);
            let Some(there) = items.iter().find(same) else {
                let edit = match key {
                    Some(key) => write::append_block(&host.text, list, key, item),
                    None => write::append(&host.text, list, &host.lit(item)),
                };
                return edit.ok_or_else(|| "the list leaves no place".into());
            };
            for (name, lit) in members {
                match (tree::member(there, name), lit) {
                    (Some(entry), Lit::Plain(value)) => match plain(&entry.value) {
                        Some(now) if now == value => {}
                        Some(_) => return Ok(write::replace(&entry.value, host.form, value)),
                        None => return Err(format!("`{}` is computed; change it there", field.name)),
                    },
                    (None, _) => {
                        return write::add(&host.text, there, name, &host.lit(lit))
                            .ok_or_else(|| "no place for it".into());
                    }
                    _ => {}
                }
            }
        }
        Err(self.choose(field))
    }

    /// The value as this language spells it.
    fn spelled(&self, take: &Take, field: &Field, want: Option<&Json>, example: Option<&Lit>) -> Option<Json> {
        let own = want.and_then(|want| match (&take.equals, take.decode) {
            (Some(yes), None) => match (want.as_bool()?, yes.to_plain_json()) {
                (true, yes) => Some(yes),
                (false, Json::Bool(b)) => Some(Json::Bool(!b)),
                _ => None,
            },
            (None, Some(Decode::Not)) => want.as_bool().map(|b| Json::Bool(!b)),
            (None, None | Some(Decode::Lower)) => Some(want.clone()),
            _ => None,
        });
        let example = match example {
            Some(Lit::Plain(value)) if !value.is_null() => Some(value.clone()),
            _ => None,
        };
        let (first, second) = if field.ty == Type::Bool { (own, example) } else { (example, own) };
        first.or(second).filter(|v| self.is_setting(v))
    }

    fn choose(&self, field: &Field) -> String {
        format!("what `{}` should be is for you to choose", field.name)
    }

    /// Whether a value is one of the setting's own words, and not a name, a key or an address of the example.
    fn is_setting(&self, value: &Json) -> bool {
        let Some(text) = value.as_str() else { return value.is_boolean() || value.is_number() };
        if text.is_empty() || text.contains(['/', '@']) || text.starts_with("arn:") {
            return false;
        }
        if text.parse::<f64>().is_ok() || matches!(text.to_ascii_lowercase().as_str(), "on" | "off" | "true" | "false")
        {
            return true;
        }
        let mut words: Vec<String> = vec![self.field.doc.to_string()];
        if let Condition::Cel(block) = &self.rule.pass {
            words.push(block.text.to_string());
        }
        words.extend(self.rule.params.values().map(|p| p.default.to_plain_json().to_string()));
        words.extend(self.rule.fix.values().map(|v| v.to_plain_json().to_string()));
        for field in std::iter::once(self.field).chain(&self.field.members) {
            let columns = [&field.terraform, &field.cloudformation, &field.arm, &field.live];
            let equals = columns.into_iter().flat_map(|c| &c.0).filter_map(|t| t.equals.as_ref());
            words.extend(equals.map(|e| e.to_plain_json().to_string()));
            words.push(field.doc.to_string());
        }
        let wanted = text.to_ascii_lowercase();
        words.iter().any(|w| {
            let w = w.to_ascii_lowercase();
            w.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.:".contains(c)))
                .any(|word| word.trim_matches(['.', ':', '-']) == wanted)
        })
    }

    /// What the page's own code has at a path of this take, as far as it is written out there and chooses nothing.
    fn example(&self, take: &Take, steps: &[Step]) -> Option<Lit> {
        self.example_at(take, list_path(steps).0)
    }

    fn example_at(&self, take: &Take, steps: &[Step]) -> Option<Lit> {
        self.on_page(take, steps).flatten()
    }

    /// None when the page writes nothing there; `Some(None)` when what it writes is for the author to choose.
    fn on_page(&self, take: &Take, steps: &[Step]) -> Option<Option<Lit>> {
        let found: Vec<Option<Lit>> =
            self.page_code().iter().filter_map(|t| self.on_one_page(t, take, steps)).collect();
        if found.is_empty() { None } else { Some(found.into_iter().flatten().next()) }
    }

    fn on_one_page(&self, text: &str, take: &Take, steps: &[Step]) -> Option<Option<Lit>> {
        let type_ = take.from.as_deref().unwrap_or(&self.code.type_);
        let tree = match self.one_language() {
            PageDialect::CloudFormation => tree::cloudformation_resource(text, None, type_)?,
            PageDialect::Arm | PageDialect::Bicep => tree::bicep_resource(text, None, type_)?,
            _ => tree::terraform_blocks(text).into_iter().find(|b| *b.0 == *type_)?.3,
        };
        let (last, before) = steps.split_last()?;
        let container = match reach(&tree, before, self.folded()) {
            Reach::At(container) => container,
            Reach::Computed(_) => return Some(None),
            _ => return None,
        };
        if let Step::Member(name) = last {
            let found: Vec<&Tree> = tree::blocks(container, name).collect();
            if !found.is_empty() {
                let blocks = found.into_iter().map(|t| self.literal(t, text, None)).collect::<Option<Vec<_>>>();
                return Some(blocks.map(Lit::Blocks));
            }
        }
        match reach(container, std::slice::from_ref(last), self.folded()) {
            Reach::At(tree) => Some(self.literal(tree, text, None)),
            Reach::Computed(_) => Some(None),
            _ => None,
        }
    }

    /// The code of the page in this language: the fix first, then the passing examples.
    fn page_code(&self) -> Vec<String> {
        // What ARM says, Bicep says too.
        let (fence, dialect) = match self.one_language() {
            PageDialect::Hcl => ("```hcl fix", PageDialect::Hcl),
            PageDialect::CloudFormation => ("```cloudformation fix", PageDialect::CloudFormation),
            _ => ("```bicep fix", PageDialect::Bicep),
        };
        let mut out = Vec::new();
        if let Some((_, rest)) = self.rule.body.split_once(fence)
            && let Some((text, _)) = rest.split_once("\n```")
        {
            out.push(text.split_once('\n').map_or("", |(_, t)| t).to_owned() + "\n");
        }
        let passing = self.rule.examples.iter().filter(|e| e.dialect == dialect && e.expect == Expect::Pass);
        out.extend(passing.map(|e| e.text.to_string()));
        out
    }

    /// A value of an example that is written out. `own` are the example's and this resource's address.
    fn literal(&self, tree: &Tree, text: &str, own: Option<(&str, &str)>) -> Option<Lit> {
        match &tree.what {
            What::Plain(value) => (value.is_null() || self.is_setting(value)).then(|| Lit::Plain(value.clone())),
            What::Computed => {
                let (theirs, ours) = own?;
                let rest = text.get(tree.start..tree.end)?.strip_prefix(theirs)?.strip_prefix('.')?;
                let name = rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                name.then(|| Lit::Raw(format!("{ours}.{rest}")))
            }
            What::List(items, _) => {
                items.iter().map(|i| self.literal(i, text, own)).collect::<Option<_>>().map(Lit::List)
            }
            What::Map(entries, _) => {
                let mut members: Vec<(String, Lit)> = Vec::new();
                for entry in entries {
                    let label = LABELS.contains(&&*entry.key) || entry.key.eq_ignore_ascii_case("description");
                    let value = match &entry.value.what {
                        What::Plain(v @ Json::String(_)) if label => Lit::Plain(v.clone()),
                        _ => self.literal(&entry.value, text, own)?,
                    };
                    match (entry.block, members.iter_mut().find(|(k, _)| **k == *entry.key)) {
                        (true, Some((_, Lit::Blocks(blocks)))) => blocks.push(value),
                        (true, _) => members.push((entry.key.to_string(), Lit::Blocks(vec![value]))),
                        (false, _) => members.push((entry.key.to_string(), value)),
                    }
                }
                Some(Lit::Map(members))
            }
        }
    }

    /// A new resource that carries the setting, as the page writes it, next to this one.
    fn carrier(&self, take: &Take) -> Result<Vec<Proposal>, String> {
        let (Some(from), Some(by), code) = (&take.from, &take.by, self.code) else { return Err("no carrier".into()) };
        let choose = || format!("it takes a `{from}` whose values are for you to choose");
        if self.one_language() != PageDialect::Hcl {
            return Err(choose());
        }
        if code.key != Key::None {
            return Err(format!("it takes a `{from}` for each instance of {}", code.address));
        }
        let prefix = code.address.strip_suffix(&format!("{}.{}", code.type_, code.name)).unwrap_or_default();
        let address = format!("{prefix}{from}.{}", code.name);
        if self.reading.resources.iter().any(|c| c.root == code.root && *c.address == *address) {
            return Err(format!("`{address}` is there and speaks of something else"));
        }
        let host = self.host(code)?;
        let name: &str = &code.name;
        let lit = self.page_code().iter().find_map(|text| {
            let blocks = tree::terraform_blocks(text);
            let theirs = blocks.iter().find(|b| *b.0 == *code.type_).map(|b| format!("{}.{}", b.0, b.1));
            let carrier = blocks.iter().find(|b| *b.0 == **from)?;
            // A fix may show the carrier alone: what it refers to is the resource.
            let refers = tree::member(&carrier.3, by).and_then(|e| text.get(e.value.start..e.value.end))?;
            let theirs = theirs.or_else(|| refers.rsplit_once('.').map(|(address, _)| address.to_owned()))?;
            if !theirs.starts_with(&format!("{}.", code.type_)) {
                return None;
            }
            self.literal(&carrier.3, text, Some((&theirs, &format!("{}.{name}", code.type_))))
        });
        let lit = lit.ok_or_else(choose)?;
        if host.form == Form::Json {
            let edit =
                write::json_resource(&host.text, from, name, &host.lit(&lit)).ok_or("the file leaves no place")?;
            return Ok(vec![Proposal { file: host.file, edit, what: format!("{from} for {}", code.address) }]);
        }
        let at = write::end_of_line(&host.text, code.span.end as usize);
        let mut edit = Edit::insert(at, format!("\n\n{}", write::resource(from, name, &lit)));
        edit.spot = format!("{at}+{from}.{name}");
        Ok(vec![Proposal { file: host.file, edit, what: format!("{from} for {}", code.address) }])
    }
}

/// Members that name an item of a list; any text will do there.
const LABELS: [&str; 9] = ["name", "id", "sid", "Id", "Name", "Sid", "ParameterName", "ParameterKey", "rule_name"];

/// The path to a list without the step into each of its items.
fn list_path(steps: &[Step]) -> (&[Step], bool) {
    match steps.split_last() {
        Some((Step::Each, before)) => (before, true),
        _ => (steps, false),
    }
}
