//! What rules may ask about besides the resource at hand.

use crate::{
    asked::{Found, Known},
    functions::Helpers,
    quick::Quickly,
    table::Table,
};
use plumb_catalog::{Catalog, Kind};
use plumb_cel::{Object, Val};
use plumb_model::{KindId, Reason, ResourceId, Source, Unknown};
use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    sync::Arc,
};

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

/// The world around the resources of one account (or of one body of code).
pub struct World<'h> {
    account: AccountFacts,
    tables: HashMap<KindId, Table, Quickly>,
    pub(crate) helpers: Helpers<'h>,
    /// What was asked about policies, by content.
    pub(crate) known: RefCell<Known>,
    /// Which of those stand in the tables.
    pub(crate) found: Found,
    /// Where each resource stands: its kind and row. Made when first asked for.
    places: OnceCell<HashMap<ResourceId, (KindId, u32)>>,
}

impl<'h> World<'h> {
    /// An account with no other resources known; [`World::put`] adds them.
    pub fn new(account: AccountFacts, helpers: Helpers<'h>) -> Self {
        let (known, found) = (RefCell::default(), Found::default());
        Self { account, tables: HashMap::default(), helpers, known, found, places: OnceCell::new() }
    }

    /// The account.
    pub fn account(&self) -> &AccountFacts {
        &self.account
    }

    /// Adds the resources of a kind, indexed by these paths.
    pub fn put(&mut self, kind: KindId, mut table: Table, paths: &[String]) {
        for path in paths {
            table.index(path);
        }
        // What was found before was found in the tables as they were.
        self.found.clear();
        self.places.take();
        self.tables.insert(kind, table);
    }

    /// What said so about another resource: the call that lists its kind, or its place in code.
    pub(crate) fn source_of(&self, id: &str) -> Option<Source> {
        let places = self.places.get_or_init(|| {
            let mut places = HashMap::new();
            let mut tables: Vec<_> = self.tables.iter().collect();
            tables.sort_unstable_by_key(|(kind, _)| *kind);
            for (kind, table) in tables {
                for (at, row) in table.rows.iter().enumerate() {
                    let place = (kind.clone(), u32::try_from(at).unwrap_or(u32::MAX));
                    places.entry(row.resource.id.clone()).or_insert(place);
                }
            }
            places
        });
        let (kind, at) = places.get(id)?;
        let row = self.tables.get(kind)?.rows.get(*at as usize)?;
        if let Some(source) = row.resource.sources.get(0) {
            return Some(source.clone());
        }
        let calls = row.kind.calls();
        Some(Source::Api(calls.first()?.name().into()))
    }

    pub(crate) fn table(&self, kind: &str) -> Option<&Table> {
        self.tables.get(kind)
    }

    pub(crate) fn not_asked(kind: &str) -> Val<'static> {
        Val::unknown(Arc::new(Unknown::new(Reason::NotAsked, kind)))
    }
}

/// The kinds as shared values, for tables.
pub(crate) fn shared_kinds(catalog: &Catalog) -> HashMap<KindId, Arc<Kind>> {
    catalog.kinds.iter().map(|(id, kind)| (id.clone(), Arc::clone(kind))).collect()
}
