//! What rules may ask about besides the resource at hand.

use crate::functions::{Helpers, document, host};
use crate::policies::PolicyContext;
use plumb_catalog::{Catalog, Kind, Scope};
use plumb_cel::{Host, List, Object, Objects, Val};
use plumb_model::{KindId, Reason, Resource, Source, Unknown, Value};
use std::{collections::HashMap, sync::Arc};

/// The account around a resource.
#[derive(Debug, Clone, Default)]
pub struct AccountFacts {
    /// The provider's number for it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `production`, `staging`, `sandbox` …; empty when nobody said.
    pub tier: String,
    /// Classes of data in it: `personal`, `regulated-payment` …; empty when nobody said.
    pub data_classes: Vec<String>,
    /// `active`, `suspended` …
    pub state: String,
    /// Whether it manages the organisation; none when not known.
    pub management: Option<bool>,
    /// The organisation's id; empty when not known or none.
    pub organization_id: String,
    /// Accounts of the organisation, sorted; empty when not known.
    pub organization_accounts: Vec<String>,
    /// The region global things are read from.
    pub region_home: String,
    /// The regions the scan reads, sorted.
    pub regions: Vec<String>,
    /// Enabled regions the scan leaves out, sorted: what is only there was not asked for.
    pub unread_regions: Vec<String>,
}

impl Object for AccountFacts {
    fn get(&self, name: &str) -> Option<Val<'_>> {
        let texts = |items: &'_ [String]| Val::list(items.iter().map(|t| Val::string(t.as_str())).collect());
        Some(match name {
            "id" => Val::str(&self.id),
            "name" => Val::str(&self.name),
            "tier" => Val::str(&self.tier),
            "data_classes" => texts(&self.data_classes),
            "state" => Val::str(&self.state),
            "management" => self.management.map_or(Val::Null, Val::Bool),
            "organization_id" => Val::str(&self.organization_id),
            "organization_accounts" => texts(&self.organization_accounts),
            "region_home" => Val::str(&self.region_home),
            "regions" => texts(&self.regions),
            _ => return None,
        })
    }

    fn identity(&self) -> &str {
        &self.id
    }
}

/// A resource with its kind, readable by field name.
pub(crate) struct Row {
    pub resource: Resource,
    kind: Arc<Kind>,
}

impl Object for Row {
    fn get(&self, name: &str) -> Option<Val<'_>> {
        if let Some(slot) = self.kind.slot(name) {
            return Some(self.resource.fields.get(slot).map_or(Val::Null, Val::from));
        }
        Some(match name {
            "id" | "address" => Val::str(self.resource.id.as_str()),
            "name" => Val::str(&self.resource.name),
            "region" => Val::str(self.resource.region.as_str()),
            "account_id" => Val::str(self.resource.account.as_str()),
            _ => return None,
        })
    }

    fn identity(&self) -> &str {
        self.resource.id.as_str()
    }
}

/// The resources of one kind in an account, as far as they could be read.
#[derive(Default)]
pub struct Table {
    rows: Vec<Row>,
    /// Why there may be more; none when everything was read.
    incomplete: Option<Arc<Unknown>>,
    /// Set when regions were left out on purpose: what is regional itself has its relations in its own region and does
    /// not miss them, what is global does.
    narrowed: Option<Arc<Unknown>>,
    /// By field, then by the text of the value: positions in `rows`. Rows whose field is unknown are under none of them
    /// but in `unsure`.
    indexes: HashMap<String, Index>,
}

impl Objects for Table {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn get(&self, index: usize) -> Option<&dyn Object> {
        self.rows.get(index).map(|row| row as &dyn Object)
    }
}

#[derive(Default)]
struct Index {
    by_text: HashMap<Box<str>, Vec<u32>>,
    unsure: Vec<u32>,
}

impl Index {
    fn build(rows: &[Row], field: &str) -> Self {
        let mut index = Self::default();
        for (at, row) in rows.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            match row.get(field) {
                Some(Val::Unknown(_)) => index.unsure.push(at),
                Some(Val::List(items)) => {
                    for item in items.iter() {
                        match item {
                            Val::Unknown(_) => index.unsure.push(at),
                            other => index.put(&other, at),
                        }
                    }
                }
                Some(other) => index.put(&other, at),
                None => {}
            }
        }
        index
    }

    fn put(&mut self, value: &Val<'_>, at: u32) {
        if let Some(key) = key_text(value) {
            self.by_text.entry(key).or_default().push(at);
        }
    }
}

fn key_text(value: &Val<'_>) -> Option<Box<str>> {
    Some(match value {
        Val::Str(s) => (&**s).into(),
        Val::Int(i) => i.to_string().into(),
        Val::Bool(b) => b.to_string().into(),
        _ => return None,
    })
}

impl Table {
    /// The resources of a kind; `incomplete` when there may be more.
    pub fn new(kind: Arc<Kind>, resources: Vec<Resource>, incomplete: Option<Arc<Unknown>>) -> Self {
        let rows = resources.into_iter().map(|resource| Row { resource, kind: Arc::clone(&kind) }).collect();
        Self { rows, incomplete, narrowed: None, indexes: HashMap::new() }
    }

    /// The same, knowing that regions were left out on purpose.
    pub fn narrowed(mut self, why: Option<Arc<Unknown>>) -> Self {
        self.narrowed = why;
        self
    }

    /// What is missing from the view of a resource whose kind has this scope.
    fn gap(&self, scope: Scope) -> Option<&Arc<Unknown>> {
        self.incomplete.as_ref().or(self.narrowed.as_ref().filter(|_| scope != Scope::Region))
    }

    fn index(&mut self, field: &str) {
        if !self.indexes.contains_key(field) {
            let index = Index::build(&self.rows, field);
            self.indexes.insert(field.to_owned(), index);
        }
    }

    fn list<'a>(&'a self, rows: Vec<Val<'a>>, scope: Scope) -> List<'a> {
        match self.gap(scope) {
            Some(unknown) => List::incomplete(List::of(rows), unknown),
            None => List::of(rows),
        }
    }

    fn rows_at<'a>(&'a self, at: impl Iterator<Item = u32>) -> Vec<Val<'a>> {
        at.filter_map(|i| self.rows.get(i as usize)).map(|row| Val::Object(row)).collect()
    }
}

/// The world around the resources of one account (or of one body of code).
pub struct World<'h> {
    account: AccountFacts,
    tables: HashMap<KindId, Table>,
    helpers: Helpers<'h>,
}

impl<'h> World<'h> {
    /// An account with no other resources known; [`World::put`] adds them.
    pub fn new(account: AccountFacts, helpers: Helpers<'h>) -> Self {
        Self { account, tables: HashMap::new(), helpers }
    }

    /// The account.
    pub fn account(&self) -> &AccountFacts {
        &self.account
    }

    /// Adds the resources of a kind, indexed by these fields.
    pub fn put(&mut self, kind: KindId, mut table: Table, fields: &[String]) {
        for field in fields {
            table.index(field);
        }
        self.tables.insert(kind, table);
    }

    /// What said so about another resource: the call that lists its kind, or its place in code.
    pub(crate) fn source_of(&self, id: &str) -> Option<Source> {
        let row = self.tables.values().find_map(|table| {
            let hit = match table.indexes.get("id") {
                Some(index) => index.by_text.get(id).and_then(|at| table.rows.get(*at.first()? as usize)),
                None => table.rows.iter().find(|row| row.resource.id.as_str() == id),
            };
            hit.filter(|row| row.resource.id.as_str() == id)
        })?;
        if let Some(source) = row.resource.sources.first() {
            return Some(source.clone());
        }
        let calls = row.kind.calls();
        Some(Source::Api(calls.first()?.name().into()))
    }

    /// The world as seen from a resource of `kind`.
    pub(crate) fn around<'a>(&'a self, resource: &'a Resource, kind: &'a Kind) -> Here<'a> {
        Here { world: self, resource, kind }
    }

    fn not_asked(&self, kind: &str) -> Val<'_> {
        Val::unknown(Arc::new(Unknown::new(Reason::NotAsked, kind)))
    }

    fn policy(&self, function: u16, args: &[Val<'_>]) -> Option<Val<'static>> {
        let policy = document(args.first()?)?;
        if let Some(unknown) = decisive_gap(&policy, function) {
            return Some(Val::unknown(unknown));
        }
        let p = self.helpers.policies;
        let context = PolicyContext {
            account: &self.account.id,
            organization_accounts: &self.account.organization_accounts,
            organization_id: &self.account.organization_id,
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
                texts(p.public_statements(&policy, actions.as_deref()))
            }
            host::EXTERNAL_ACCOUNTS => texts(p.external_accounts(&policy, context)),
            host::ADMIN_STATEMENTS => texts(p.admin_statements(&policy)),
            host::SERVICE_WILDCARDS => texts(p.service_wildcards(&policy)),
            host::ALLOWS_ACTION => Val::Bool(p.allows_action(&policy, args.get(1)?.as_str()?)),
            host::REQUIRES_TLS => Val::Bool(p.requires_tls(&policy)),
            host::UNBOUND_OIDC => texts(p.unbound_oidc(&policy)),
            host::UNBOUND_SERVICES => texts(p.unbound_services(&policy)),
            host::ESCALATIONS => texts(p.escalations(&policy)),
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
    let everything =
        matches!(function, host::ADMIN_STATEMENTS | host::SERVICE_WILDCARDS | host::ALLOWS_ACTION | host::ESCALATIONS);
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

/// The account of code that is not deployed.
const CODE: &str = "code";

/// The world, seen from one resource.
pub(crate) struct Here<'a> {
    world: &'a World<'a>,
    resource: &'a Resource,
    kind: &'a Kind,
}

impl Here<'_> {
    fn link<'a>(&'a self, name: &str) -> Val<'a> {
        let Some(link) = self.kind.links.get(name) else { return Val::invalid(format!("no link `{name}`")) };
        let (root, rest) = link.from.split_once('.').map_or((link.from.as_str(), ""), |(a, b)| (a, b));
        let slot = self.kind.slot(root);
        let value = slot.and_then(|s| self.resource.fields.get(s)).unwrap_or(&Value::Null);
        let found;
        let value = match rest.parse::<plumb_catalog::Path>() {
            Ok(path) if !rest.is_empty() => {
                found = path.find(value);
                &found
            }
            _ => value,
        };
        let Some(table) = self.world.tables.get(&link.kind) else { return self.world.not_asked(link.kind.as_str()) };
        match value {
            Value::Unknown(unknown) => Val::unknown(Arc::clone(unknown)),
            Value::List(items) => {
                let linked: Vec<Val<'a>> = items
                    .iter()
                    .map(|item| self.follow(link, table, item))
                    .filter(|v| !matches!(v, Val::Null))
                    .collect();
                Val::list(linked)
            }
            one => self.follow(link, table, one),
        }
    }

    fn follow<'a>(&'a self, link: &plumb_catalog::Link, table: &'a Table, value: &Value) -> Val<'a> {
        let text = match value {
            Value::Str(s) if !s.is_empty() => s,
            Value::Unknown(u) => return Val::unknown(Arc::clone(u)),
            _ => return Val::Null,
        };
        let mut unsure = None;
        // In code a reference is the address of what it means, whatever attribute it reads.
        let in_code = self.resource.account.as_str() == CODE;
        let by_address = (in_code && !link.to.iter().any(|f| f == "id")).then_some("id");
        for field in link.to.iter().map(String::as_str).chain(by_address) {
            let Some(index) = table.indexes.get(field) else { continue };
            if let Some(at) = index.by_text.get(text).and_then(|hits| hits.first())
                && let Some(row) = table.rows.get(*at as usize)
            {
                return Val::Object(row);
            }
            if let Some(at) = index.unsure.first()
                && let Some(Val::Unknown(u)) = table.rows.get(*at as usize).and_then(|r| r.get(field))
            {
                unsure = u.list().into_iter().next();
            }
        }
        if let Some(unknown) = table.gap(self.kind.scope).cloned().or(unsure) {
            return Val::unknown(unknown);
        }
        if in_code {
            let mut unknown = Unknown::new(Reason::NotComputed, &**text);
            unknown.detail = "it is not in this code".into();
            return Val::unknown(Arc::new(unknown));
        }
        let account = text.split(':').nth(4).unwrap_or_default();
        let elsewhere = text.starts_with("arn:")
            && !account.is_empty()
            && account != "aws"
            && account != self.resource.account.as_str();
        if elsewhere {
            let mut unknown = Unknown::new(Reason::NotAsked, link.kind.as_str());
            unknown.detail = format!("it is in account {account}");
            return Val::unknown(Arc::new(unknown));
        }
        Val::Null
    }
}

impl Host for Here<'_> {
    fn call<'a>(&'a self, function: u16, args: &[Val<'a>]) -> Val<'a> {
        let text = |i: usize| args.get(i).and_then(Val::as_str).unwrap_or_default();
        match function {
            host::ALL => match self.world.tables.get(text(0)) {
                Some(table) => Val::List(match table.gap(self.kind.scope) {
                    Some(unknown) => List::incomplete(List::Objects(table), unknown),
                    None => List::Objects(table),
                }),
                None => self.world.not_asked(text(0)),
            },
            host::LINK => self.link(text(0)),
            host::ACCOUNT => Val::Object(&self.world.account),
            host::RUNTIME_END => match self.world.helpers.end_of_support.end(text(0), text(1)) {
                Some(end) => Val::Time(end),
                None => {
                    let mut unknown = Unknown::new(Reason::NotAsked, "end-of-support data");
                    unknown.detail = format!("they do not know {} {}; a newer edition may", text(0), text(1));
                    Val::unknown(Arc::new(unknown))
                }
            },
            policy => self.world.policy(policy, args).unwrap_or_else(|| Val::no_overload("policy function", args)),
        }
    }

    fn lookup<'a>(&'a self, function: u16, args: &[Val<'a>], field: &str, key: &Val<'a>) -> Option<List<'a>> {
        if function != host::ALL {
            return None;
        }
        let table = self.world.tables.get(args.first()?.as_str()?)?;
        let index = table.indexes.get(field)?;
        let key = key_text(key)?;
        let hits = index.by_text.get(&key).into_iter().flatten().chain(&index.unsure).copied();
        Some(table.list(table.rows_at(hits), self.kind.scope))
    }
}

/// The kinds as shared values, for tables.
pub(crate) fn shared_kinds(catalog: &Catalog) -> HashMap<KindId, Arc<Kind>> {
    catalog.kinds.iter().map(|(id, kind)| (id.clone(), Arc::new(kind.clone()))).collect()
}
