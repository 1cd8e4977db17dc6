//! Questions about policy documents: each document is read once, and each question about it answered once.

use crate::{
    Policy, PolicyContext, World,
    functions::{document, host},
    quick::{Quick, Quickly},
};
use plumb_cel::{List, MapVal, Val};
use plumb_model::{Map, Reason, Unknown, Value};
use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What a question is about beside its document: nothing, a name, or names.
#[derive(Clone, Copy)]
enum About<'q, 'a> {
    Nothing,
    Text(&'q str),
    Texts(&'q List<'a>),
}

impl<'q, 'a> About<'q, 'a> {
    /// None when it cannot be told from another.
    fn of(arg: Option<&'q Val<'a>>) -> Option<Self> {
        match arg {
            None => Some(Self::Nothing),
            Some(Val::Str(text)) => Some(Self::Text(text)),
            Some(Val::List(list)) if list.rest().is_none() && list.iter().all(|v| v.as_str().is_some()) => {
                Some(Self::Texts(list))
            }
            Some(_) => None,
        }
    }

    fn is(self, kept: &Kept) -> bool {
        match (self, kept) {
            (Self::Nothing, Kept::Nothing) => true,
            (Self::Text(text), Kept::Text(kept)) => *text == **kept,
            (Self::Texts(list), Kept::Texts(kept)) => {
                list.len() == kept.len() && list.iter().zip(kept).all(|(v, kept)| v.as_str() == Some(kept))
            }
            _ => false,
        }
    }

    fn keep(self) -> Kept {
        match self {
            Self::Nothing => Kept::Nothing,
            Self::Text(text) => Kept::Text(text.into()),
            Self::Texts(list) => Kept::Texts(list.iter().filter_map(|v| v.as_str().map(Box::from)).collect()),
        }
    }
}

/// What a question that was answered was about.
enum Kept {
    Nothing,
    Text(Box<str>),
    Texts(Box<[Box<str>]>),
}

/// Documents that stand still somewhere, and under which key and serial number of [`Known`] each was found.
#[derive(Default)]
pub(crate) struct Found(RefCell<HashMap<*const Map, (u64, u64), Quickly>>);

impl Found {
    /// Whether a document was found here before.
    pub fn holds(&self, map: *const Map) -> bool {
        self.0.borrow().contains_key(&map)
    }

    pub fn clear(&mut self) {
        self.0.get_mut().clear();
    }
}

/// A document with what was asked about it.
struct Read {
    serial: u64,
    document: Value,
    answers: Vec<(u16, Kept, Val<'static>)>,
}

/// The documents that were asked about, by content: those of one account are often the same few.
#[derive(Default)]
pub(crate) struct Known {
    documents: HashMap<u64, Read, Quickly>,
    /// Those asked about last, as the policy engine reads them.
    recent: VecDeque<(u64, Box<dyn Policy>)>,
    serials: u64,
}

/// How many documents are kept by content, so that an account of many different ones does not fill the memory.
const MOST_KNOWN: usize = 1_024;
/// How many of them are kept as the policy engine reads them, which takes more room.
const MOST_READ: usize = 32;

impl Known {
    /// The key and serial number of a document; none when another has its key.
    fn place(&mut self, map: &Map) -> Option<(u64, u64)> {
        let mut hasher = Quick::default();
        hash_map(map, &mut hasher);
        let key = hasher.finish();
        if let Some(read) = self.documents.get(&key) {
            return matches!(&read.document, Value::Map(own) if own == map).then_some((key, read.serial));
        }
        if self.documents.len() >= MOST_KNOWN {
            self.documents.clear();
        }
        self.serials += 1;
        let (serial, document) = (self.serials, Value::Map(map.clone()));
        self.documents.insert(key, Read { serial, document, answers: Vec::new() });
        Some((key, serial))
    }

    fn has(&self, (key, serial): (u64, u64)) -> bool {
        self.documents.get(&key).is_some_and(|read| read.serial == serial)
    }
}

impl World<'_> {
    /// Answers a question about a policy once for all equal documents. `found` is of whoever knows for how long the
    /// documents it asks about stand still.
    pub(crate) fn ask_policy(&self, function: u16, args: &[Val<'_>], found: &Found) -> Option<Val<'static>> {
        let (Some(Val::Map(MapVal::Doc(map))), Some(about)) = (args.first(), About::of(args.get(1))) else {
            return self.policy(function, args);
        };
        let mut known = self.known.borrow_mut();
        let stands: *const Map = *map;
        let before = found.0.borrow().get(&stands).copied();
        let place = match before.filter(|place| known.has(*place)) {
            Some(place) => place,
            None => {
                let Some(place) = known.place(map) else { return self.policy(function, args) };
                found.0.borrow_mut().insert(stands, place);
                place
            }
        };
        let Known { documents, recent, .. } = &mut *known;
        let read = documents.get_mut(&place.0)?;
        if let Some((_, _, answer)) = read.answers.iter().find(|(f, kept, _)| *f == function && about.is(kept)) {
            return Some(answer.clone());
        }
        if !recent.iter().any(|(of, _)| *of == read.serial) {
            recent.truncate(MOST_READ - 1);
            recent.push_front((read.serial, self.helpers.policies.read(&read.document)));
        }
        let (_, policy) = recent.iter().find(|(of, _)| *of == read.serial)?;
        let answer = self.answer(function, &read.document, policy.as_ref(), args)?;
        read.answers.push((function, about.keep(), answer.clone()));
        Some(answer)
    }

    /// Answers a question about a policy in the tables of this world.
    pub(crate) fn call_policy(&self, function: u16, args: &[Val<'_>]) -> Option<Val<'static>> {
        self.ask_policy(function, args, &self.found)
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
