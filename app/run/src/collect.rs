//! Reading one account: kinds' lists, joins and calls per item, streamed to whoever keeps them.

use futures_util::{StreamExt, stream};
use plumb_catalog::{BatchSpec, CallSpec, Kind, ListSpec, Scope as KindScope};
use plumb_clouds::{Answer, Call, Target, Wire};
use plumb_collect::{Ask, Finished, Item, Scope, Told, list_ask, page_items};
use plumb_model::{AccountId, KindId, Reason, Region, Unknown, Value};
use plumb_record::{StoredResource, Unit, UnitState};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{OnceCell, mpsc};

/// What comes out of reading, in order: a unit's resources always before its end.
#[derive(Debug)]
pub enum Event {
    /// Resources that were read.
    Resources(Vec<StoredResource>),
    /// A unit ended.
    Unit(Unit),
    /// Nothing more comes of this account.
    End(AccountId),
}

/// How far reading has come; for a terminal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units there are.
    pub units: usize,
    /// Units that ended.
    pub done: usize,
    /// Resources read.
    pub resources: usize,
}

/// What is to be read in one account.
#[derive(Debug, Clone)]
pub struct Gathered {
    /// The account.
    pub account: AccountId,
    /// `aws`, `aws-us-gov`, `aws-cn`.
    pub partition: String,
    /// Its regions.
    pub regions: Vec<Region>,
    /// Where regional services are asked about what exists once per account (`s3:ListBuckets`).
    pub home: Region,
    /// Whether it manages the organisation, so that organisation-wide kinds are read there.
    pub organization: bool,
    /// The kinds wanted.
    pub kinds: Vec<Arc<Kind>>,
    /// Units an interrupted scan has finished.
    pub done: HashSet<(Region, KindId)>,
}

/// Kinds whose lists are the same call are read together.
struct Group {
    scope: Scope,
    kinds: Vec<Arc<Kind>>,
}

/// A joined or shared list: its rows, or why there are none or not all.
type Rows = Rc<(Vec<Value>, Option<Arc<Unknown>>)>;

type Memo = Rc<RefCell<HashMap<String, Rc<OnceCell<Rows>>>>>;

struct Reader<'w> {
    wire: &'w dyn Wire,
    account: AccountId,
    home: Region,
    children: BTreeMap<KindId, Vec<Arc<Kind>>>,
    /// Lists that are asked for more than once, by region and call.
    shared: HashSet<String>,
    memo: Memo,
    out: mpsc::Sender<Event>,
}

/// Calls in flight for the items of one list, and lists in flight for a region of an account: regions do not wait for
/// each other's slots, so that one that does not answer holds up nobody.
const ITEMS_AT_ONCE: usize = 12;
const UNITS_AT_ONCE: usize = 10;
/// Resources handed over at once.
const BATCH: usize = 200;

/// Reads an account and hands everything to `out`. Stops early, leaving units unfinished, when `out` is closed.
pub async fn gather(wire: &dyn Wire, wanted: &Gathered, out: mpsc::Sender<Event>, progress: &dyn Fn(Progress)) {
    let groups = groups(wanted);
    let mut times: HashMap<String, usize> = HashMap::new();
    for kind in &wanted.kinds {
        for list in kind.lists().chain(kind.joins.iter().map(|j| &j.list)) {
            *times.entry(call_key(&list.call)).or_default() += 1;
        }
    }
    let mut children: BTreeMap<KindId, Vec<Arc<Kind>>> = BTreeMap::new();
    for kind in &wanted.kinds {
        if let Some(parent) = &kind.parent {
            children.entry(parent.clone()).or_default().push(Arc::clone(kind));
        }
    }
    let reader = Reader {
        wire,
        account: wanted.account.clone(),
        home: wanted.home.clone(),
        children,
        shared: times.into_iter().filter(|(_, n)| *n > 1).map(|(key, _)| key).collect(),
        memo: Memo::default(),
        out,
    };
    let total = groups.iter().map(|g| g.kinds.len()).sum();
    let state = RefCell::new(Progress { units: total, ..Progress::default() });
    let reader = &reader;
    let state = &state;
    let mut by_region: BTreeMap<Region, Vec<Group>> = BTreeMap::new();
    for group in groups {
        by_region.entry(group.scope.region.clone()).or_default().push(group);
    }
    stream::iter(by_region.into_values())
        .for_each_concurrent(None, |groups| {
            stream::iter(groups).for_each_concurrent(UNITS_AT_ONCE, |group| async move {
                let kinds = group.kinds.len();
                let resources = reader.read_group(group).await;
                let now = {
                    let mut p = state.borrow_mut();
                    p.done += kinds;
                    p.resources += resources;
                    *p
                };
                progress(now);
            })
        })
        .await;
    let _ = reader.out.send(Event::End(wanted.account.clone())).await;
}

fn call_key(call: &CallSpec) -> String {
    format!("{} {}", call.name(), call.args)
}

fn groups(wanted: &Gathered) -> Vec<Group> {
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    let known: HashSet<&KindId> = wanted.kinds.iter().map(|k| &k.id).collect();
    for kind in &wanted.kinds {
        // A child is read with its parent; one whose parent is not wanted cannot be read at all.
        if kind.parent.as_ref().is_some_and(|p| known.contains(p)) {
            continue;
        }
        let regions: Vec<Region> = match kind.scope {
            KindScope::Region => wanted.regions.clone(),
            KindScope::Global => vec![Region::global()],
            KindScope::Organization if wanted.organization => vec![Region::global()],
            KindScope::Organization => Vec::new(),
        };
        for region in regions {
            if wanted.done.contains(&(region.clone(), kind.id.clone())) {
                continue;
            }
            let list = kind.list.as_ref().map_or_else(|| kind.id.to_string(), |l| call_key(&l.call));
            let scope =
                Scope { account: wanted.account.clone(), region: region.clone(), partition: wanted.partition.clone() };
            groups
                .entry((region.to_string(), list))
                .or_insert_with(|| Group { scope, kinds: Vec::new() })
                .kinds
                .push(Arc::clone(kind));
        }
    }
    groups.into_values().collect()
}

/// What reading a list of one kind came to.
#[derive(Default)]
struct Tally {
    resources: usize,
    gap: Option<Arc<Unknown>>,
    waiting: Vec<StoredResource>,
    /// Kinds below, with how many were read and what is missing.
    children: BTreeMap<KindId, (usize, Option<Arc<Unknown>>)>,
}

impl Reader<'_> {
    async fn read_group(&self, group: Group) -> usize {
        let mut tallies: Vec<Tally> = group.kinds.iter().map(|_| Tally::default()).collect();
        let scope = &group.scope;
        let list = group.kinds.first().and_then(|k| k.list.clone());
        match list {
            None => {
                for (kind, tally) in group.kinds.iter().zip(&mut tallies) {
                    self.items(kind, scope, None, vec![Value::Null], tally).await;
                }
            }
            Some(list) if self.shared.contains(&call_key(&list.call)) => {
                // Each kind of the group may take other items from the same pages.
                for (kind, tally) in group.kinds.iter().zip(&mut tallies) {
                    let Some(list) = &kind.list else { continue };
                    let rows = self.rows(list, scope, None).await;
                    self.items(kind, scope, None, rows.0.clone(), tally).await;
                    tally.gap = tally.gap.take().or(rows.1.clone());
                }
            }
            Some(list) => self.stream(&group, &list, None, &mut tallies).await,
        }
        // Resources the first list leaves out; where one of the lists is denied, the place was not read completely.
        for (kind, tally) in group.kinds.iter().zip(&mut tallies) {
            for list in kind.also.iter().filter(|l| l.is_of(scope.region.as_str())) {
                if self.shared.contains(&call_key(&list.call)) {
                    let rows = self.rows(list, scope, None).await;
                    self.items(kind, scope, None, rows.0.clone(), tally).await;
                    tally.gap = tally.gap.take().or(rows.1.clone());
                } else {
                    let alone = Kind { list: Some(list.clone()), ..Kind::clone(kind) };
                    let group = Group { scope: scope.clone(), kinds: vec![Arc::new(alone)] };
                    self.stream(&group, list, None, std::slice::from_mut(tally)).await;
                }
            }
        }
        let mut resources = 0;
        for (kind, mut tally) in group.kinds.iter().zip(tallies) {
            resources += tally.resources;
            self.flush(&mut tally).await;
            for child in self.below(&kind.id) {
                let (count, gap) = tally.children.remove(&child.id).unwrap_or_default();
                // What lies below something unread is unread too.
                let gap = gap.or(tally.gap.clone());
                resources += count;
                self.end(scope, &child.id, count, gap).await;
            }
            self.end(scope, &kind.id, tally.resources, tally.gap).await;
        }
        resources
    }

    /// Every kind below `id`, at any depth.
    fn below(&self, id: &KindId) -> Vec<Arc<Kind>> {
        let mut out = Vec::new();
        let mut next = vec![id.clone()];
        while let Some(id) = next.pop() {
            for child in self.children.get(&id).into_iter().flatten() {
                next.push(child.id.clone());
                out.push(Arc::clone(child));
            }
        }
        out
    }

    async fn end(&self, scope: &Scope, kind: &KindId, resources: usize, gap: Option<Arc<Unknown>>) {
        let state = gap.map_or(UnitState::Complete, |u| UnitState::Incomplete(u.as_ref().clone()));
        let unit =
            Unit { account: scope.account.clone(), region: scope.region.clone(), kind: kind.clone(), state, resources };
        // A closed receiver means the scan is being stopped; the unit then stays unfinished.
        let _ = self.out.send(Event::Unit(unit)).await;
    }

    /// Reads a list page by page, so that no more than a page is held.
    async fn stream(&self, group: &Group, list: &ListSpec, parent: Option<&Arc<Value>>, tallies: &mut [Tally]) {
        let scope = &group.scope;
        let asked = match self.prepare(list, scope, parent).await {
            Ok(call) => call,
            Err(unknown) => {
                tallies.iter_mut().for_each(|t| t.gap = Some(Arc::clone(&unknown)));
                return;
            }
        };
        let (target, call) = asked;
        let mut pages = self.wire.pages(&target, &call);
        let mut left = list.cap.unwrap_or(usize::MAX);
        while let Some(answer) = pages.next().await {
            match answer {
                Answer::Page { page } => {
                    let page = Value::of_json(page);
                    for (kind, tally) in group.kinds.iter().zip(tallies.iter_mut()) {
                        let Some(list) = &kind.list else { continue };
                        let mut items = page_items(list, &page);
                        if items.len() > left {
                            items.truncate(left);
                            let mut unknown = Unknown::new(Reason::Truncated, call.name());
                            unknown.detail = format!("only the first {} are read", list.cap.unwrap_or_default());
                            tally.gap = Some(Arc::new(unknown));
                        }
                        left = left.saturating_sub(items.len());
                        self.items(kind, scope, parent, items, tally).await;
                    }
                    if left == 0 || self.out.is_closed() {
                        return;
                    }
                }
                Answer::Absent { .. } | Answer::Gone { .. } => {
                    // Nothing there. A singleton is there all the same, without content.
                    for (kind, tally) in group.kinds.iter().zip(tallies.iter_mut()) {
                        if kind.list.as_ref().is_some_and(|l| l.items.is_none() && l.decode.is_none()) {
                            self.items(kind, scope, parent, vec![Value::Null], tally).await;
                        }
                    }
                }
                other if means(&other, &list.absent) => {
                    for (kind, tally) in group.kinds.iter().zip(tallies.iter_mut()) {
                        if kind.list.as_ref().is_some_and(|l| l.items.is_none() && l.decode.is_none()) {
                            self.items(kind, scope, parent, vec![Value::Null], tally).await;
                        }
                    }
                }
                other => {
                    let unknown = other.unknown(&call.name()).map(Arc::new);
                    tallies.iter_mut().for_each(|t| t.gap = unknown.clone().or(t.gap.take()));
                }
            }
        }
    }

    /// The filled-in call of a list, after what must be called before it.
    async fn prepare(
        &self,
        list: &ListSpec,
        scope: &Scope,
        parent: Option<&Arc<Value>>,
    ) -> Result<(Target, Call), Arc<Unknown>> {
        let unfilled = |call: &CallSpec, name: String| {
            let mut unknown = Unknown::new(Reason::Broken, call.name());
            unknown.detail = format!("{name} is not known");
            Arc::new(unknown)
        };
        let parent = parent.map(Arc::as_ref);
        if let Some(before) = &list.before {
            let ask = list_ask(before, &[], scope, parent).map_err(|name| unfilled(before, name))?;
            self.until_complete(&ask).await?;
        }
        let ask = list_ask(&list.call, &list.absent, scope, parent).map_err(|name| unfilled(&list.call, name))?;
        Ok((self.target(&ask), call_of(&ask)))
    }

    /// Repeats a call that starts something until it says `COMPLETE` (or says no state at all).
    async fn until_complete(&self, ask: &Ask) -> Result<(), Arc<Unknown>> {
        let (target, call) = (self.target(ask), call_of(ask));
        let mut pause = Duration::from_millis(100);
        for _ in 0..12 {
            match self.wire.send(&target, &call).await {
                Answer::Page { page } => match page.get("State").and_then(serde_json::Value::as_str) {
                    Some("STARTED" | "INPROGRESS") => {}
                    _ => return Ok(()),
                },
                Answer::Absent { .. } | Answer::Gone { .. } => return Ok(()),
                other => {
                    let unknown = other.unknown(&call.name());
                    return Err(Arc::new(unknown.unwrap_or_else(|| Unknown::new(Reason::Broken, call.name()))));
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        let mut unknown = Unknown::new(Reason::Throttled, call.name());
        unknown.detail = "it did not complete in time".into();
        Err(Arc::new(unknown))
    }

    /// All rows of a list, read once per region however many kinds want them.
    async fn rows(&self, list: &ListSpec, scope: &Scope, parent: Option<&Arc<Value>>) -> Rows {
        // Kinds that share the pages may take other items from them.
        let taken = format!("{:?} {:?} {:?} {:?}", list.items, list.scalar, list.unless, list.only);
        let page_key = format!("{} {}", scope.region, call_key(&list.call));
        let pages = self
            .memoised(format!("pages {page_key}"), async {
                let (target, call) = match self.prepare(list, scope, parent).await {
                    Ok(asked) => asked,
                    Err(unknown) => return (Vec::new(), Some(unknown)),
                };
                let (pages, stop) = self.wire.all(&target, &call).await;
                let gap = stop.and_then(|answer| answer.unknown(&call.name())).map(Arc::new);
                (pages.into_iter().map(Value::of_json).collect(), gap)
            })
            .await;
        self.memoised(format!("rows {page_key} {taken}"), async {
            let (broken, rows): (Vec<Value>, Vec<Value>) = pages
                .0
                .iter()
                .flat_map(|page| page_items(list, page))
                .partition(|row| matches!(row, Value::Unknown(_)));
            // A page that could not be understood leaves open what else there was.
            let gap = broken.first().and_then(Value::first_unknown).or(pages.1.as_ref()).cloned();
            (rows, gap)
        })
        .await
    }

    async fn memoised(&self, key: String, make: impl Future<Output = (Vec<Value>, Option<Arc<Unknown>>)>) -> Rows {
        let cell = Rc::clone(self.memo.borrow_mut().entry(key).or_default());
        Rc::clone(cell.get_or_init(|| async { Rc::new(make.await) }).await)
    }

    fn target(&self, ask: &Ask) -> Target {
        let at_home = ask.region == Region::global() && !plumb_clouds::aws::is_global(&ask.service);
        let region = if at_home { self.home.clone() } else { ask.region.clone() };
        Target { account: self.account.clone(), region }
    }

    /// Completes items and hands them over.
    async fn items(
        &self,
        kind: &Arc<Kind>,
        scope: &Scope,
        parent: Option<&Arc<Value>>,
        rows: Vec<Value>,
        tally: &mut Tally,
    ) {
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            if let Value::Unknown(unknown) = row {
                tally.gap = Some(unknown);
                continue;
            }
            items.push(Item::new(row, parent.cloned(), scope.clone()));
        }
        if items.is_empty() {
            return;
        }
        if let Some(batch) = &kind.batch {
            self.describe(batch, scope, parent, &mut items).await;
        }
        for join in &kind.joins {
            let rows = self.rows(&join.list, scope, parent).await;
            let mut by_key: HashMap<String, Vec<&Value>> = HashMap::new();
            for row in &rows.0 {
                for key in keys_of(&join.on.find(row)) {
                    by_key.entry(key).or_default().push(row);
                }
            }
            for item in &mut items {
                let with = item.key(join);
                let hits: Vec<Value> =
                    keys_of(&with).iter().flat_map(|k| by_key.get(k)).flatten().map(|v| (*v).clone()).collect();
                let value = match (&rows.1, join.many, hits.is_empty()) {
                    (Some(unknown), false, true) | (Some(unknown), true, _) => Value::Unknown(Arc::clone(unknown)),
                    (_, true, _) => Value::list(hits),
                    (_, false, _) => hits.into_iter().next().unwrap_or_default(),
                };
                item.attach(&join.into, value);
            }
        }
        let mut finished = stream::iter(items)
            .map(|mut item| async move {
                while let Some(ask) = item.next(kind) {
                    let told = self.ask(&ask).await;
                    item.tell(kind, told);
                }
                item
            })
            .buffered(ITEMS_AT_ONCE);
        while let Some(item) = finished.next().await {
            if item.is_gone() {
                continue;
            }
            let parent_raw =
                if self.children.contains_key(&kind.id) { Some(Arc::new(item.raw().clone())) } else { None };
            let (stored, nameless) = store(kind, scope, item);
            tally.gap = nameless.or(tally.gap.take());
            tally.resources += 1;
            tally.waiting.push(stored);
            if tally.waiting.len() >= BATCH {
                self.flush(tally).await;
            }
            if let Some(raw) = parent_raw {
                self.read_children(&kind.id, scope, &raw, tally).await;
            }
            if self.out.is_closed() {
                return;
            }
        }
    }

    async fn read_children(&self, of: &KindId, scope: &Scope, raw: &Arc<Value>, tally: &mut Tally) {
        for child in self.children.get(of).into_iter().flatten() {
            let mut inner = [Tally::default()];
            let group = Group { scope: scope.clone(), kinds: vec![Arc::clone(child)] };
            match &child.list {
                Some(list) => Box::pin(self.stream(&group, list, Some(raw), &mut inner)).await,
                None => {
                    let [tally] = &mut inner;
                    Box::pin(self.items(child, scope, Some(raw), vec![Value::Null], tally)).await;
                }
            }
            let [mut inner] = inner;
            self.flush(&mut inner).await;
            let slot = tally.children.entry(child.id.clone()).or_default();
            slot.0 += inner.resources;
            slot.1 = slot.1.take().or(inner.gap);
            for (id, (count, gap)) in inner.children {
                let slot = tally.children.entry(id).or_default();
                slot.0 += count;
                slot.1 = slot.1.take().or(gap);
            }
        }
    }

    /// Describes listed ids many at a time; ids nobody described were deleted meanwhile and keep what was listed.
    async fn describe(&self, batch: &BatchSpec, scope: &Scope, parent: Option<&Arc<Value>>, items: &mut [Item]) {
        for chunk in items.chunks_mut(batch.size) {
            let ids: Vec<serde_json::Value> =
                chunk.iter().map(|item| batch.id.find(item.raw()).to_plain_json()).collect();
            let told = match list_ask(&batch.call, &[], scope, parent.map(Arc::as_ref)) {
                Ok(mut ask) => {
                    if !ask.args.is_object() {
                        ask.args = serde_json::json!({});
                    }
                    if let Some(args) = ask.args.as_object_mut() {
                        args.insert(batch.arg.clone(), ids.into());
                    }
                    self.ask(&ask).await
                }
                Err(_) => Told::Unknown(Arc::new(Unknown::new(Reason::Broken, batch.call.name()))),
            };
            match told {
                Told::Pages(pages) => {
                    let mut described: HashMap<String, Value> = HashMap::new();
                    for page in &pages {
                        for row in batch.items.find(page).as_list().unwrap_or_default() {
                            for key in keys_of(&batch.on.find(row)) {
                                described.insert(key, row.clone());
                            }
                        }
                    }
                    for item in chunk {
                        let key = keys_of(&batch.id.find(item.raw())).into_iter().next().unwrap_or_default();
                        item.merge(Ok(described.remove(&key)));
                    }
                }
                Told::Unknown(unknown) => chunk.iter_mut().for_each(|item| item.merge(Err(Arc::clone(&unknown)))),
                Told::Absent | Told::Gone => {}
            }
        }
    }

    async fn ask(&self, ask: &Ask) -> Told {
        let (target, call) = (self.target(ask), call_of(ask));
        let meant = |answer: Answer| match answer {
            answer if means(&answer, &ask.absent) => Told::Absent,
            answer if means(&answer, &ask.gone) => Told::Gone,
            answer => told(answer, &call),
        };
        if ask.paged {
            let (pages, stop) = self.wire.all(&target, &call).await;
            return stop.map_or_else(|| Told::Pages(pages.into_iter().map(Value::of_json).collect()), meant);
        }
        meant(self.wire.send(&target, &call).await)
    }

    async fn flush(&self, tally: &mut Tally) {
        if !tally.waiting.is_empty() {
            let _ = self.out.send(Event::Resources(std::mem::take(&mut tally.waiting))).await;
        }
    }
}

/// Whether an answer is one that `Code:part of the message` declares: to mean "there is nothing", say. Plain codes are the
/// wire's business.
fn means(answer: &Answer, declared: &[String]) -> bool {
    let (code, message) = match answer {
        Answer::Denied { code, message, .. }
        | Answer::Disabled { code, message }
        | Answer::Broken { code, message } => (code, message),
        _ => return false,
    };
    declared.iter().filter_map(|d| d.split_once(':')).any(|(c, part)| c == code && message.contains(part))
}

fn told(answer: Answer, call: &Call) -> Told {
    match answer {
        Answer::Page { page } => Told::Pages(vec![Value::of_json(page)]),
        Answer::Absent { .. } => Told::Absent,
        Answer::Gone { .. } => Told::Gone,
        other => Told::Unknown(Arc::new(
            other.unknown(&call.name()).unwrap_or_else(|| Unknown::new(Reason::Broken, call.name())),
        )),
    }
}

fn call_of(ask: &Ask) -> Call {
    let mut call = Call::new(&ask.service, &ask.operation, ask.args.clone());
    let codes = |declared: &[String]| declared.iter().filter(|c| !c.contains(':')).map(|c| c.as_str().into()).collect();
    (call.absent, call.gone) = (codes(&ask.absent), codes(&ask.gone));
    call
}

fn keys_of(value: &Value) -> Vec<String> {
    match value {
        Value::Str(s) => vec![s.to_string()],
        Value::Int(i) => vec![i.to_string()],
        Value::List(items) => items.iter().flat_map(keys_of).collect(),
        _ => Vec::new(),
    }
}

/// JSON text of what always has one.
fn text(of: &impl serde::Serialize) -> String {
    serde_json::to_string(of).unwrap_or_default()
}

/// The resource as the record keeps it; and why it has no id of its own, if it has none.
fn store(kind: &Kind, scope: &Scope, mut item: Item) -> (StoredResource, Option<Arc<Unknown>>) {
    item.change(crate::redact);
    let Finished { resource, raw, nameless } = item.finish(kind);
    let doc: BTreeMap<&str, &Value> = kind.fields.iter().map(|f| f.name.as_str()).zip(&resource.fields).collect();
    let stored = StoredResource {
        account: resource.account.to_string(),
        kind: kind.id.to_string(),
        id: resource.id.to_string(),
        unit: scope.region.to_string(),
        region: resource.region.to_string(),
        name: resource.name.to_string(),
        doc: text(&doc),
        raw: text(&raw),
    };
    (stored, nameless)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_declared_code_may_name_part_of_the_message() {
        let gone = ["ValidationException:Could not find".to_owned(), "ResourceNotFound".to_owned()];
        let answer = |code: &str, message: &str| Answer::Broken { code: code.into(), message: message.into() };
        assert!(means(&answer("ValidationException", "Could not find model \"m\"."), &gone));
        assert!(!means(&answer("ValidationException", "1 validation error detected"), &gone));
        assert!(!means(&answer("ResourceNotFound", "Could not find"), &gone), "a plain code is the wire's business");
        let ask = Ask {
            service: "sagemaker".into(),
            operation: "DescribeModel".into(),
            args: json!({}),
            region: Region::from("eu-west-1"),
            paged: false,
            absent: Vec::new(),
            gone: gone.to_vec(),
        };
        assert_eq!(call_of(&ask).gone, ["ResourceNotFound".into()]);
    }
}
