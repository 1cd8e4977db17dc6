//! Rule pages compiled against the kinds they judge.

use crate::functions::{KindTypes, base_functions, cel_type, functions, host};
use crate::world::shared_kinds;
use plumb_catalog::{Catalog, Condition, Kind, Problem, Rule};
use plumb_cel::{Env, Limits, Program, Type, Varies};
use plumb_model::{KindId, RuleId, Severity, Value};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Which rules are wanted and with which parameters.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// The rules; none means all.
    pub rules: Option<BTreeSet<RuleId>>,
    /// Parameters by rule and name, in place of the pages' defaults.
    pub params: BTreeMap<RuleId, BTreeMap<String, Value>>,
    /// The native functions there are; a page that names another is a problem. Empty: native pages are left out.
    pub natives: &'static [NativeFunction],
}

/// A function outside the rule language that judges resources of a kind: reach, exposure, paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NativeFunction {
    /// The name pages write in their `native` block.
    pub name: &'static str,
    /// The kinds it looks into beside the one that is judged.
    pub reads: &'static [&'static str],
}

/// What a native page asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// The function.
    pub function: &'static str,
    /// The page's parameters as configured.
    pub params: BTreeMap<String, Value>,
}

/// How a rule decides.
#[derive(Debug)]
pub(crate) enum Pass {
    Cel(Arc<Program>),
    Native(Native),
}

/// A rule ready to judge.
#[derive(Debug)]
pub struct CompiledRule {
    /// Its position among all rules of the set.
    pub(crate) number: usize,
    /// Its id.
    pub id: RuleId,
    /// Its severity.
    pub severity: Severity,
    pub(crate) kind: Arc<Kind>,
    pub(crate) when: Option<Arc<Program>>,
    pub(crate) parts: Option<(Arc<Program>, Arc<Program>)>,
    pub(crate) pass: Pass,
    /// The slots of all it reads, where that is nothing but fields of the resource itself.
    pub(crate) own: Option<Box<[u32]>>,
}

impl CompiledRule {
    /// The native function that judges instead of a condition; it is not called from here.
    pub fn native(&self) -> Option<&Native> {
        match &self.pass {
            Pass::Cel(_) => None,
            Pass::Native(native) => Some(native),
        }
    }

    /// The kind it judges.
    pub fn kind(&self) -> &Arc<Kind> {
        &self.kind
    }
}

/// What rules need to have read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Kinds that are judged.
    pub judged: BTreeSet<KindId>,
    /// Kinds that are asked about: through `all` and `link`.
    pub asked: BTreeSet<KindId>,
    /// Kinds that native functions look into.
    pub native: BTreeSet<KindId>,
    /// Fields by which kinds are looked up.
    pub indexes: BTreeMap<KindId, BTreeSet<String>>,
    /// Fields of a kind that some selected rule reads.
    pub fields: BTreeMap<KindId, BTreeSet<String>>,
    /// Fields of an asked kind that rules read of its resources while they judge others.
    pub looked: BTreeMap<KindId, Looked>,
}

/// Which fields are read of a kind that is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// These.
    At(BTreeSet<String>),
    /// Perhaps all: some rule reads by names that are not written out.
    Whole,
}

impl Looked {
    /// Whether a field is read.
    pub fn holds(&self, field: &str) -> bool {
        match self {
            Self::At(fields) => fields.contains(field),
            Self::Whole => true,
        }
    }

    fn also<'a>(&mut self, whole: bool, more: impl Iterator<Item = &'a String>) {
        match self {
            Self::At(_) if whole => *self = Self::Whole,
            Self::At(fields) => fields.extend(more.cloned()),
            Self::Whole => {}
        }
    }
}

/// The field a path begins at.
fn root(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or_default()
}

impl Needs {
    /// Whether rules may read a field of a kind's resources while they judge others.
    pub fn looks_at(&self, kind: &KindId, field: &str) -> bool {
        self.looked.get(kind).is_some_and(|l| l.holds(field))
            || self.indexes.get(kind).is_some_and(|paths| paths.iter().any(|path| root(path) == field))
    }

    /// Adds what one rule needs; native functions look only into kinds that there are.
    fn add(&mut self, rule: &CompiledRule, natives: &[NativeFunction], kinds: &HashMap<KindId, Arc<Kind>>) {
        self.judged.insert(rule.kind.id.clone());
        let parts = rule.parts.iter().flat_map(|(list, key)| [list, key]);
        let pass = match &rule.pass {
            Pass::Cel(program) => Some(program),
            Pass::Native(native) => {
                let reads = natives.iter().filter(|f| f.name == native.function).flat_map(|f| f.reads);
                self.native.extend(reads.map(|k| KindId::from(*k)).filter(|k| kinds.contains_key(k)));
                None
            }
        };
        let mut asked: BTreeSet<KindId> = BTreeSet::new();
        let programs: Vec<_> = rule.when.iter().chain(parts).chain(pass).map(|p| p.references()).collect();
        for references in &programs {
            for (function, _, literal) in &references.calls {
                let Some(literal) = literal else { continue };
                match *function {
                    host::ALL | host::ALL_REGIONAL => drop(asked.insert(literal.as_str().into())),
                    host::LINK => {
                        let Some(link) = rule.kind.links.get(literal) else { continue };
                        asked.insert(link.kind.clone());
                        self.indexes
                            .entry(link.kind.clone())
                            .or_default()
                            .extend(link.to.iter().cloned().chain(["id".to_owned()]));
                        let root = root(&link.from).to_owned();
                        self.fields.entry(rule.kind.id.clone()).or_default().insert(root);
                    }
                    _ => {}
                }
            }
            for (function, literal, field) in &references.indexes {
                if let (host::ALL | host::ALL_REGIONAL, Some(kind)) = (*function, literal) {
                    self.indexes.entry(kind.as_str().into()).or_default().insert(field.clone());
                }
            }
            for (_, name) in &references.fields {
                self.fields.entry(rule.kind.id.clone()).or_default().insert(name.clone());
            }
            for (kind, member) in &references.members {
                self.fields.entry(kind.as_str().into()).or_default().insert(member.clone());
            }
        }
        for kind in &asked {
            let looked = self.looked.entry(kind.clone()).or_insert_with(|| Looked::At(BTreeSet::new()));
            for references in &programs {
                let members = references.members.iter().filter(|(of, _)| of == kind.as_str()).map(|(_, member)| member);
                looked.also(references.whole, members.chain(&references.loose));
            }
        }
        self.asked.extend(asked);
    }
}

/// Compiled rules, by kind.
#[derive(Debug, Default)]
pub struct RuleSet {
    by_kind: BTreeMap<KindId, Vec<CompiledRule>>,
    kinds: HashMap<KindId, Arc<Kind>>,
    needs: Needs,
    digest: String,
    /// The parts of conditions that are the same for every resource, by number: program and part.
    shared: Vec<(Arc<Program>, u32)>,
    selection: Selection,
}

/// Positions of the variables every rule has; `part` comes after them.
pub(crate) const VARIABLES: [&str; 6] = ["id", "name", "region", "account_id", "address", "now"];

impl RuleSet {
    /// Compiles the selected pages. A page that does not compile is a problem by file and line, and costs no other.
    pub fn compile(catalog: &Catalog, selection: &Selection) -> (Self, Vec<Problem>) {
        let mut problems = Vec::new();
        let base = Arc::new(base_functions());
        let mut set = Self { kinds: shared_kinds(catalog), ..Self::default() };
        let types = Arc::new(KindTypes::new(&set.kinds));
        let mut digest = Sha256::new();
        let mut count = 0;
        let mut compilers: HashMap<KindId, (Env, plumb_cel::Functions)> = HashMap::new();
        for rule in catalog.rules.values() {
            if selection.rules.as_ref().is_some_and(|wanted| !wanted.contains(&rule.id)) {
                continue;
            }
            let Some(kind) = set.kinds.get(&rule.kind).cloned() else { continue };
            if matches!(rule.pass, Condition::Native(_)) && selection.natives.is_empty() {
                continue;
            }
            let (env, functions) =
                compilers.entry(kind.id.clone()).or_insert_with(|| (env_of(&kind), functions(&base, &types, &kind)));
            let params = selection.params.get(&rule.id);
            for part in [rule.id.as_str().as_bytes(), &rule.digest, format!("{params:?}").as_bytes()] {
                digest.update(part);
                digest.update([0]);
            }
            match compile_rule(rule, &kind, env, functions, params, selection.natives, &mut set.shared) {
                Ok(mut compiled) => {
                    compiled.number = count;
                    count += 1;
                    set.needs.add(&compiled, selection.natives, &set.kinds);
                    set.by_kind.entry(kind.id.clone()).or_default().push(compiled);
                }
                Err(wrong) => problems.extend(wrong),
            }
        }
        set.selection = selection.clone();
        set.digest = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        (set, problems)
    }

    /// What the rules need to have read.
    pub fn needs(&self) -> &Needs {
        &self.needs
    }

    /// What one of the rules needs to have read.
    pub fn needs_of(&self, rule: &CompiledRule) -> Needs {
        let mut needs = Needs::default();
        needs.add(rule, self.selection.natives, &self.kinds);
        needs
    }

    /// What was wanted when these were compiled.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Gives rules the severities somebody approved for them, in place of their pages'.
    pub fn set_severities(&mut self, severities: &BTreeMap<RuleId, Severity>) {
        for rule in self.by_kind.values_mut().flatten() {
            if let Some(severity) = severities.get(&rule.id) {
                rule.severity = *severity;
            }
        }
    }

    /// SHA-256 over the rules' text and parameters, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The rules of a kind, by id.
    pub fn of_kind(&self, kind: &KindId) -> &[CompiledRule] {
        self.by_kind.get(kind).map_or(&[], Vec::as_slice)
    }

    /// Every rule, by kind and id.
    pub fn iter(&self) -> impl Iterator<Item = &CompiledRule> {
        self.by_kind.values().flatten()
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.by_kind.values().map(Vec::len).sum()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.by_kind.is_empty()
    }

    pub(crate) fn shared(&self) -> &[(Arc<Program>, u32)] {
        &self.shared
    }

    /// A kind, shared.
    pub fn kind(&self, id: &KindId) -> Option<&Arc<Kind>> {
        self.kinds.get(id)
    }
}

/// The slots of all that programs read, where that is nothing but fields of the resource itself: what they say of the same values is
/// the same then, in one judging.
fn own_slots<'a>(programs: impl Iterator<Item = &'a Program>) -> Option<Box<[u32]>> {
    let now = VARIABLES.iter().position(|name| *name == "now");
    let mut slots = BTreeSet::new();
    for references in programs.map(Program::references) {
        let varies = references.variables.iter().any(|v| Some(*v as usize) != now);
        if varies || !references.calls.is_empty() {
            return None;
        }
        slots.extend(references.fields.iter().map(|(slot, _)| *slot));
    }
    Some(slots.into_iter().collect())
}

fn env_of(kind: &Kind) -> Env {
    let mut env = Env::new();
    for (slot, field) in kind.fields.iter().enumerate() {
        env.field(&field.name, cel_type(&field.ty, ""), u32::try_from(slot).unwrap_or(u32::MAX));
    }
    for name in VARIABLES {
        let (ty, varies) = match name {
            "now" => (Type::Timestamp, Varies::Never),
            "region" => (Type::String, Varies::ByPlace),
            _ => (Type::String, Varies::ByResource),
        };
        let index = env.var(name, ty);
        env.varies(index, varies);
    }
    env
}

fn type_of_value(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Int(_) => Type::Int,
        Value::Double(_) => Type::Double,
        Value::Str(_) => Type::String,
        Value::List(items) => Type::list(items.first().map_or(Type::Dyn, type_of_value)),
        _ => Type::Dyn,
    }
}

fn compile_rule(
    rule: &Rule,
    kind: &Arc<Kind>,
    env: &Env,
    functions: &plumb_cel::Functions,
    params: Option<&BTreeMap<String, Value>>,
    natives: &'static [NativeFunction],
    shared: &mut Vec<(Arc<Program>, u32)>,
) -> Result<CompiledRule, Vec<Problem>> {
    let mut env = env.clone();
    let mut problems = Vec::new();
    if let Some(given) = params {
        for name in given.keys().filter(|n| !rule.params.contains_key(*n)) {
            let known = rule.params.keys().cloned().collect::<Vec<_>>().join(", ");
            let help = if known.is_empty() { "it has none".into() } else { format!("it has {known}") };
            problems.push(Problem::new(&rule.file, 0, format!("the rule has no parameter `{name}`"), help));
        }
    }
    let mut chosen = BTreeMap::new();
    for (name, param) in &rule.params {
        let value = params.and_then(|p| p.get(name)).unwrap_or(&param.default).clone();
        let (want, got) = (type_of_value(&param.default), type_of_value(&value));
        if want != got && !matches!(want, Type::List(_)) {
            problems.push(Problem::new(
                &rule.file,
                0,
                format!("parameter `{name}` is {got}"),
                format!("it must be {want}"),
            ));
        }
        chosen.insert(name.clone(), value.clone());
        env.constant(format!("params.{name}"), want, value);
    }
    if let Condition::Native(name) = &rule.pass {
        let function = natives.iter().find(|f| f.name == name).map(|f| f.name);
        if function.is_none() {
            let known: Vec<&str> = natives.iter().map(|f| f.name).collect();
            let help = format!("there is {}", known.join(", "));
            problems.push(Problem::new(
                &rule.file,
                rule.body_line,
                format!("there is no native function `{name}`"),
                help,
            ));
        }
        if rule.when.is_some() || rule.parts.is_some() {
            let help = "a native function says itself what applies and which parts there are";
            problems.push(Problem::new(&rule.file, rule.body_line, "a native page takes no `cel` block", help));
        }
        return match function.filter(|_| problems.is_empty()) {
            Some(function) => Ok(CompiledRule {
                number: 0,
                id: rule.id.clone(),
                severity: rule.severity,
                kind: Arc::clone(kind),
                when: None,
                parts: None,
                pass: Pass::Native(Native { function, params: chosen }),
                own: None,
            }),
            None => Err(problems),
        };
    }
    let limits = Limits::default();
    let mut compile = |block: &plumb_catalog::Block, env: &Env, condition: bool| {
        let program = if condition {
            plumb_cel::compile(&block.text, env, functions, &limits)
        } else {
            plumb_cel::compile_value(&block.text, env, functions, &limits)
        };
        program.map_err(|e| {
            let help = e.help.clone().unwrap_or_default();
            let at = block.line + e.line.saturating_sub(1);
            problems.push(Problem::new(&rule.file, at, format!("column {}: {}", e.column, e.message), help));
        })
    };
    let when = rule.when.as_ref().map(|b| compile(b, &env, true));
    let parts = match (&rule.parts, &rule.part_key) {
        (Some(list), Some(key)) => {
            let list = compile(list, &env, false);
            let element = match &list {
                Ok(program) => match program.result_type() {
                    Type::List(item) => item.as_ref().clone(),
                    _ => Type::Dyn,
                },
                Err(()) => Type::Dyn,
            };
            env.var("part", element);
            let key = compile(key, &env, false);
            Some((list, key))
        }
        _ => None,
    };
    let pass = match &rule.pass {
        Condition::Cel(block) => compile(block, &env, true),
        Condition::Native(_) => Err(()),
    };
    let parts = match parts {
        Some((Ok(list), Ok(key))) => Ok(Some((list, key))),
        Some(_) => Err(()),
        None => Ok(None),
    };
    match (when.transpose(), parts, pass) {
        (Ok(when), Ok(parts), Ok(pass)) if problems.is_empty() => {
            let mut kept = |mut program: Program| {
                program.number_shared(u32::try_from(shared.len()).unwrap_or(u32::MAX));
                let program = Arc::new(program);
                shared.extend((0..program.shared()).map(|part| (Arc::clone(&program), part)));
                program
            };
            let own = if parts.is_none() { own_slots(when.iter().chain([&pass])) } else { None };
            Ok(CompiledRule {
                number: 0,
                own,
                id: rule.id.clone(),
                severity: rule.severity,
                kind: Arc::clone(kind),
                when: when.map(&mut kept),
                parts: parts.map(|(list, key)| (kept(list), kept(key))),
                pass: Pass::Cel(kept(pass)),
            })
        }
        _ => Err(problems),
    }
}
