//! The resources of one account as the analysis reads them: by kind, with what could not be read.

use plumb_catalog::Kind;
use plumb_model::{Resource, Unknown, Value};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

/// The resources of one kind.
#[derive(Debug, Clone)]
pub struct Table {
    /// The kind, which names the fields.
    pub kind: Arc<Kind>,
    /// The resources that were read.
    pub resources: Vec<Resource>,
    /// Why there may be more than these.
    pub gap: Option<Arc<Unknown>>,
}

/// One account.
#[derive(Debug, Clone, Default)]
pub struct Estate {
    /// Its id, twelve digits.
    pub account: String,
    /// The other accounts of its organization.
    pub organization: BTreeSet<String>,
    /// What it holds, by kind id: `aws.s3.bucket`.
    pub tables: BTreeMap<String, Table>,
    /// What was looked up once.
    pub looked: Lookups,
}

/// Where the first resource with each text in a field is, by kind and field: made when it is first asked for, so that a
/// question a resource asks of another does not go through all of them.
#[derive(Debug, Default)]
pub struct Lookups(Mutex<HashMap<(String, String), Lookup>>);

/// One of them, and how many resources there were.
#[derive(Debug)]
struct Lookup {
    of: usize,
    at: HashMap<Box<str>, usize>,
}

impl Clone for Lookups {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Lookups {
    /// The position of the first resource of the table whose text field holds `value`.
    fn position(&self, table: &Table, field: &str, value: &str) -> Option<usize> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (table.kind.id.to_string(), field.to_owned());
        let lookup = held.entry(key).or_insert_with(|| Lookup { of: usize::MAX, at: HashMap::new() });
        if lookup.of != table.resources.len() {
            lookup.of = table.resources.len();
            lookup.at.clear();
            for (at, resource) in table.resources.iter().enumerate() {
                if let Ok(text) = (Item { kind: &table.kind, resource }).text(field) {
                    lookup.at.entry(text.into()).or_insert(at);
                }
            }
        }
        lookup.at.get(value).copied()
    }
}

/// A resource with the names of its fields.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// The kind.
    pub kind: &'a Kind,
    /// The resource.
    pub resource: &'a Resource,
}

/// What keeps a question open: the call that would answer and why it did not.
pub type Need = Arc<Unknown>;

impl Estate {
    /// The resources of a kind; none for a kind that was not read at all.
    pub fn of<'a>(&'a self, kind: &str) -> impl Iterator<Item = Item<'a>> + 'a {
        let table = self.tables.get(kind);
        table.into_iter().flat_map(|t| t.resources.iter().map(|resource| Item { kind: &t.kind, resource }))
    }

    /// The resource of a kind whose text field holds `value`, else why there may be one all the same.
    ///
    /// # Errors
    /// What was missing when the kind was not read completely, or the resource is not among those read.
    pub fn find(&self, kind: &str, field: &str, value: &str) -> Result<Item<'_>, Need> {
        let found = self.tables.get(kind).and_then(|table| {
            let resource = table.resources.get(self.looked.position(table, field, value)?)?;
            Some(Item { kind: &table.kind, resource })
        });
        found.ok_or_else(|| self.missing(kind, value))
    }

    /// Why a resource of a kind is not there.
    pub fn missing(&self, kind: &str, what: &str) -> Need {
        if let Some(gap) = self.tables.get(kind).and_then(|t| t.gap.clone()) {
            return gap;
        }
        let call =
            self.tables.get(kind).and_then(|t| t.kind.list.as_ref()).map_or_else(|| kind.to_owned(), |l| l.call.name());
        let mut unknown = Unknown::new(plumb_model::Reason::NotAsked, call);
        unknown.detail = format!("`{what}` is not among the resources that were read");
        Arc::new(unknown)
    }
}

impl<'a> Item<'a> {
    /// Its canonical id.
    pub fn id(&self) -> &'a str {
        self.resource.id.as_str()
    }

    /// A field's value; null for a field the kind does not have.
    pub fn get(&self, field: &str) -> &'a Value {
        static NULL: Value = Value::Null;
        self.kind.slot(field).and_then(|i| self.resource.fields.get(i)).unwrap_or(&NULL)
    }

    /// Whether the kind has the field.
    pub fn has(&self, field: &str) -> bool {
        self.kind.slot(field).is_some()
    }

    /// A field as far as it is known.
    ///
    /// # Errors
    /// What was missing when the field, or something in it, is unknown.
    pub fn known(&self, field: &str) -> Result<&'a Value, Need> {
        let value = self.get(field);
        value.first_unknown().map_or(Ok(value), |u| Err(Arc::clone(u)))
    }

    /// A text field; empty when unset.
    ///
    /// # Errors
    /// What was missing when it is unknown.
    pub fn text(&self, field: &str) -> Result<&'a str, Need> {
        Ok(self.known(field)?.as_str().unwrap_or_default())
    }

    /// A yes-or-no field; no when unset.
    ///
    /// # Errors
    /// What was missing when it is unknown.
    pub fn flag(&self, field: &str) -> Result<bool, Need> {
        Ok(self.known(field)?.as_bool().unwrap_or(false))
    }

    /// A list field; empty when unset.
    ///
    /// # Errors
    /// What was missing when it, or something in it, is unknown.
    pub fn list(&self, field: &str) -> Result<&'a [Value], Need> {
        Ok(self.known(field)?.as_list().unwrap_or_default())
    }

    /// A list of texts.
    ///
    /// # Errors
    /// What was missing when it, or something in it, is unknown.
    pub fn texts(&self, field: &str) -> Result<Vec<&'a str>, Need> {
        Ok(self.list(field)?.iter().filter_map(Value::as_str).collect())
    }

    /// A tag's value.
    pub fn tag(&self, key: &str) -> Option<&'a str> {
        let tags = self.get("tags").as_map()?;
        tags.iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).and_then(|(_, v)| v.as_str())
    }
}
