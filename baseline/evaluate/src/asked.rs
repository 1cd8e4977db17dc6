//! Questions about policy documents: each document is read once, and each question about it answered once.

use crate::{
    Policy, PolicyContext, World,
    functions::{document, host},
};
use plumb_cel::{MapVal, Val};
use plumb_model::{Map, Reason, Unknown, Value};
use std::{
    cell::Cell,
    collections::hash_map::Entry,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A question about a policy that was answered: where the document stands, which question, and its further argument.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    document: usize,
    function: u16,
    about: String,
}

impl Question {
    /// The question, when its document stands still somewhere and its other argument is plain.
    pub(crate) fn of(function: u16, args: &[Val<'_>]) -> Option<(*const Map, Self)> {
        let Some(Val::Map(MapVal::Doc(map))) = args.first() else { return None };
        let document: *const Map = *map;
        let about = match args.get(1) {
            None => String::new(),
            Some(Val::Str(text)) => text.to_string(),
            Some(Val::List(list)) if list.rest().is_none() => {
                let texts: Option<Vec<String>> = list.iter().map(|v| v.as_str().map(str::to_owned)).collect();
                texts?.join("\n")
            }
            Some(_) => return None,
        };
        Some((document, Self { document: document as usize, function, about }))
    }
}

/// Under which number a document that stands still was found among those that were read.
#[derive(Default)]
pub(crate) struct Found(Cell<Option<(usize, u64)>>);

/// A document with what was asked about it.
pub(crate) struct Read {
    document: Value,
    answers: Vec<(u16, String, Val<'static>)>,
}

impl Read {
    fn new(document: Value) -> Self {
        Self { document, answers: Vec::new() }
    }

    fn is(&self, map: &Map) -> bool {
        matches!(&self.document, Value::Map(own) if own == map)
    }

    /// The answer to a question about it, kept for the next who asks.
    fn answer(&mut self, world: &World<'_>, key: u64, args: &[Val<'_>], question: &Question) -> Option<Val<'static>> {
        let same = |(function, about, _): &&(u16, String, Val<'static>)| {
            *function == question.function && *about == question.about
        };
        if let Some((_, _, answer)) = self.answers.iter().find(same) {
            return Some(answer.clone());
        }
        let mut last = world.last.borrow_mut();
        let policy = match last.take() {
            Some((of, policy)) if of == key => policy,
            _ => world.helpers.policies.read(&self.document),
        };
        let (_, policy) = last.insert((key, policy));
        let answer = world.answer(question.function, &self.document, policy.as_ref(), args)?;
        self.answers.push((question.function, question.about.clone(), answer.clone()));
        Some(answer)
    }
}

/// How many documents are kept by content, so that an account of many different ones does not fill the memory.
const MOST_KNOWN: usize = 1_024;

impl World<'_> {
    /// Answers a question about a policy of this world once.
    pub(crate) fn call_policy(&self, function: u16, args: &[Val<'_>]) -> Option<Val<'static>> {
        let Some((_, question)) = Question::of(function, args) else { return self.policy(function, args) };
        if let Some(answer) = self.answers.borrow().get(&question) {
            return Some(answer.clone());
        }
        let answer = self.by_content(function, args, &question, &Found::default())?;
        self.answers.borrow_mut().insert(question, answer.clone());
        Some(answer)
    }

    /// Answers a question about a policy once for all equal documents: those of one account are often the same few.
    /// `found` is of whoever asks, for as long as the documents it asks about stand still.
    pub(crate) fn by_content(
        &self,
        function: u16,
        args: &[Val<'_>],
        question: &Question,
        found: &Found,
    ) -> Option<Val<'static>> {
        let Some(Val::Map(MapVal::Doc(map))) = args.first() else { return self.policy(function, args) };
        let mut known = self.known.borrow_mut();
        if let Some((document, key)) = found.0.get()
            && document == question.document
            && let Some(read) = known.get_mut(&key)
        {
            return read.answer(self, key, args, question);
        }
        let mut hasher = Quick::default();
        hash_map(map, &mut hasher);
        let key = hasher.finish();
        let room = known.len() < MOST_KNOWN;
        let read = match known.entry(key) {
            Entry::Occupied(read) if read.get().is(map) => read.into_mut(),
            Entry::Vacant(place) if room => place.insert(Read::new(Value::Map((*map).clone()))),
            _ => return self.policy(function, args),
        };
        found.0.set(Some((question.document, key)));
        read.answer(self, key, args, question)
    }

    /// Answers a question about a policy.
    pub(crate) fn policy(&self, function: u16, args: &[Val<'_>]) -> Option<Val<'static>> {
        let document = document(args.first()?)?;
        self.answer(function, &document, self.helpers.policies.read(&document).as_ref(), args)
    }

    fn answer(&self, function: u16, document: &Value, p: &dyn Policy, args: &[Val<'_>]) -> Option<Val<'static>> {
        if let Some(unknown) = decisive_gap(document, function) {
            return Some(Val::unknown(unknown));
        }
        let context = PolicyContext {
            account: &self.account().id,
            organization_accounts: &self.account().organization_accounts,
            organization_id: &self.account().organization_id,
        };
        let texts = |found: Vec<String>| Val::list(found.into_iter().map(Val::string).collect());
        Some(match function {
            host::PUBLIC_STATEMENTS => {
                let actions = match args.get(1) {
                    Some(Val::List(list)) => {
                        Some(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect::<Vec<_>>())
                    }
                    _ => None,
                };
                texts(p.public_statements(actions.as_deref()))
            }
            host::EXTERNAL_ACCOUNTS => texts(p.external_accounts(context)),
            host::ADMIN_STATEMENTS => texts(p.admin_statements()),
            host::SERVICE_WILDCARDS => texts(p.service_wildcards()),
            host::ALLOWS_ACTION => Val::Bool(p.allows_action(args.get(1)?.as_str()?)),
            host::REQUIRES_TLS => Val::Bool(p.requires_tls()),
            host::UNBOUND_OIDC => texts(p.unbound_oidc()),
            host::UNBOUND_SERVICES => texts(p.unbound_services()),
            host::UNRESTRICTED => texts(p.unrestricted(args.get(1)?.as_str()?)),
            host::ESCALATIONS => texts(p.escalations()),
            _ => return None,
        })
    }
}

/// What is not known about a policy and decides the question: a whole statement, its effect, whom and what it names,
/// its condition; and what it is about only where the question is whether that is everything.
fn decisive_gap(policy: &Value, function: u16) -> Option<Arc<Unknown>> {
    let whole = match policy {
        Value::Unknown(unknown) => return Some(Arc::clone(unknown)),
        whole => whole.get("Statement").unwrap_or(&Value::Null),
    };
    let one = std::slice::from_ref(whole);
    let statements = whole.as_list().unwrap_or(one);
    let everything = matches!(
        function,
        host::ADMIN_STATEMENTS | host::SERVICE_WILDCARDS | host::ALLOWS_ACTION | host::UNRESTRICTED | host::ESCALATIONS
    );
    for statement in statements {
        if let Value::Unknown(unknown) = statement {
            return Some(Arc::clone(unknown));
        }
        let about = if everything { &["Resource", "NotResource"][..] } else { &[] };
        let parts = ["Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Condition"].iter().chain(about);
        if let Some(unknown) = parts.filter_map(|part| statement.get(part)).find_map(Value::first_unknown) {
            return Some(Arc::clone(unknown));
        }
        if function == host::EXTERNAL_ACCOUNTS
            && let Some(principal) = statement.get("Principal").and_then(other_account)
        {
            let mut unknown = Unknown::new(Reason::NotComputed, principal);
            unknown.detail = "which account it is in is not known".into();
            return Some(Arc::new(unknown));
        }
    }
    None
}

/// The first principal in code whose account is a hole that is not surely this account.
fn other_account(principal: &Value) -> Option<String> {
    match principal {
        Value::Str(text) => {
            let hole = text.split_once("${").map(|(_, rest)| rest)?;
            let own = ["data.aws_caller_identity", "AWS::AccountId", "aws_"]
                .iter()
                .any(|own| hole.starts_with(own) || text.contains("AWS::AccountId"));
            (!own).then(|| text.to_string())
        }
        Value::List(items) => items.iter().find_map(other_account),
        Value::Map(map) => map.iter().filter(|(kind, _)| *kind == "AWS").find_map(|(_, names)| other_account(names)),
        _ => None,
    }
}

/// A hash for what is compared anyway before it counts as the same: what collides on purpose is answered anew, no more.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let word = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.write_u64(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        // The multiplier of Knuth's linear congruential generator, as PCG uses it.
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(6_364_136_223_846_793_005);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

fn hash_map(map: &Map, hasher: &mut Quick) {
    map.len().hash(hasher);
    for (key, value) in map.iter() {
        key.hash(hasher);
        hash_value(value, hasher);
    }
}

/// Equal values hash alike; values that are rare in policies need not differ.
fn hash_value(value: &Value, hasher: &mut Quick) {
    match value {
        Value::Str(text) => text.hash(hasher),
        Value::Bool(b) => b.hash(hasher),
        Value::Int(i) => i.hash(hasher),
        Value::List(items) => {
            items.len().hash(hasher);
            items.iter().for_each(|item| hash_value(item, hasher));
        }
        Value::Map(map) => hash_map(map, hasher),
        Value::Null | Value::Double(_) | Value::Time(_) | Value::Unknown(_) => 0u8.hash(hasher),
    }
}
