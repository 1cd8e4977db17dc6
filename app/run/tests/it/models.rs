//! What the kinds of AWS say about answers, held against the provider's own model of them: a misspelt member would be
//! read as absent, and an absent one as its default.

use plumb_catalog::{Catalog, Column, EachSpec, Field, File, Key, Kind, ListSpec, Path, Step};
use plumb_clouds::aws::{Typed, answer_of, arguments_of};
use std::collections::{BTreeMap, BTreeSet};

/// What a path may lead to.
#[derive(Clone)]
enum At {
    /// A value the model describes.
    Typed(Typed),
    /// A list of such values.
    List(Box<At>),
    /// An item: what was listed, with what other calls put under names of their own.
    Item { listed: Box<At>, put: BTreeMap<String, At> },
    /// Nothing is known of it: decoded text, say.
    Open,
    /// Nothing at all.
    Nothing,
}

fn follow(at: &At, steps: &[Step]) -> Result<At, String> {
    let Some((step, rest)) = steps.split_first() else { return Ok(at.clone()) };
    match (at, step) {
        (At::Open, _) => Ok(At::Open),
        (At::Typed(typed), _) if typed.is_open() => Ok(At::Open),
        (At::Item { put, .. }, Step::Member(name)) if put.contains_key(&**name) => follow(&put[&**name], rest),
        (At::Item { listed, .. }, _) => follow(listed, steps),
        (At::List(inner), Step::Each | Step::Index(_) | Step::Where(..)) => follow(inner, rest),
        (At::Typed(typed), Step::Each | Step::Index(_) | Step::Where(..)) if typed.is_list() => {
            let element = typed.element().ok_or("the list has no element")?;
            if let Step::Where(key, _) = step {
                follow(&At::Typed(element), &[Step::Member(key.clone())])?;
            }
            follow(&At::Typed(element), rest)
        }
        // One thing where several could be stands for a list of one.
        (At::Typed(_), Step::Each) => follow(at, rest),
        (At::Typed(typed), Step::Values) if typed.has_members() => {
            follow(&typed.element().map_or(At::Open, At::Typed), rest)
        }
        (At::Typed(typed), Step::Member(name)) => match typed.member(name) {
            Some(member) => follow(&At::Typed(member), rest),
            None => Err(format!("no `{name}`; there are {}", typed.members().collect::<Vec<_>>().join(", "))),
        },
        (_, step) => Err(format!("nothing for {step:?}")),
    }
}

/// What comes of one item where a list may have been found.
fn one(at: At) -> At {
    match at {
        At::List(inner) => *inner,
        At::Typed(typed) if typed.is_list() => typed.element().map_or(At::Open, At::Typed),
        other => other,
    }
}

struct Check<'a> {
    catalog: &'a Catalog,
    wrong: Vec<String>,
    paths: usize,
}

impl Check<'_> {
    fn path(&mut self, kind: &Kind, what: &str, at: &At, path: &Path) -> At {
        self.paths += 1;
        follow(at, path.steps()).unwrap_or_else(|why| {
            self.wrong.push(format!("{}: {what} `{path}`: {why}", kind.file));
            At::Open
        })
    }

    fn list(&mut self, kind: &Kind, list: &ListSpec) -> At {
        let call = &list.call;
        let answer = answer_of(&call.service, &call.operation).map_or(At::Nothing, At::Typed);
        if list.decode.is_some() {
            return At::Open;
        }
        let item = match &list.items {
            Some(path) => one(self.path(kind, &call.name(), &answer, path)),
            None => answer,
        };
        let item = match &list.scalar {
            Some(name) => At::Item { listed: Box::new(At::Nothing), put: [(name.clone(), At::Open)].into() },
            None => item,
        };
        for (path, _) in list.unless.iter().chain(&list.only) {
            self.path(kind, "condition", &item, path);
        }
        if list.with.is_empty() {
            return item;
        }
        let put = list.with.iter().map(|(name, _)| (name.clone(), At::Open)).collect();
        At::Item { listed: Box::new(item), put }
    }

    fn each(&mut self, kind: &Kind, each: &EachSpec, item: &At) -> At {
        let only = each.only.iter().map(|(path, _)| path);
        for path in [&each.when, &each.known, &each.over].into_iter().flatten().chain(only) {
            self.path(kind, &each.call.name(), item, path);
        }
        let answer = answer_of(&each.call.service, &each.call.operation).map_or(At::Nothing, At::Typed);
        let told = match &each.items {
            Some(path) => At::List(Box::new(one(self.path(kind, &each.call.name(), &answer, path)))),
            None => self.path(kind, &each.call.name(), &answer, &each.take),
        };
        match (each.decode, &each.over) {
            (Some(_), _) => At::Open,
            // Each answer also remembers what it was asked about.
            (None, Some(_)) => {
                At::List(Box::new(At::Item { listed: Box::new(told), put: [("$each".into(), At::Open)].into() }))
            }
            (None, None) => told,
        }
    }

    /// What an item of a kind holds when it is complete.
    fn item(&mut self, kind: &Kind) -> At {
        let mut listed = kind.list.as_ref().map_or(At::Nothing, |list| self.list(kind, list));
        // Further lists have rows of the same shape, with the same members put in where the first has any.
        for also in &kind.also {
            let second = self.list(kind, also);
            let names = |list: &ListSpec| list.with.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            let unlike = names(also).iter().any(|n| !kind.list.as_ref().is_some_and(|l| names(l).contains(n)));
            if let (At::Item { put, .. }, true) = (second, unlike) {
                listed = At::Item { listed: Box::new(listed), put };
            }
        }
        if let Some(batch) = &kind.batch {
            let answer = answer_of(&batch.call.service, &batch.call.operation).map_or(At::Nothing, At::Typed);
            let described = one(self.path(kind, &batch.call.name(), &answer, &batch.items));
            self.path(kind, "on", &described, &batch.on);
            self.path(kind, "id", &listed, &batch.id);
            // Members of either.
            let mut put = BTreeMap::new();
            if let At::Item { put: own, .. } = &listed {
                put.clone_from(own);
            }
            if let At::Typed(typed) = &listed {
                put.extend(typed.members().filter_map(|n| Some((n.to_owned(), At::Typed(typed.member(n)?)))));
            }
            listed = At::Item { listed: Box::new(described), put };
        }
        let mut put = BTreeMap::new();
        for join in &kind.joins {
            let row = self.list(kind, &join.list);
            self.path(kind, "on", &row, &join.on);
            put.insert(join.into.clone(), if join.many { At::List(Box::new(row)) } else { row });
        }
        let mut item = At::Item { listed: Box::new(listed), put };
        for each in &kind.each {
            let told = self.each(kind, each, &item);
            if let At::Item { put, .. } = &mut item {
                put.insert(each.into.clone(), told);
            }
        }
        item
    }

    fn column(&mut self, kind: &Kind, name: &str, column: &Column, at: &At) -> Vec<At> {
        let mut found = Vec::new();
        for take in column.0.iter().filter(|take| !(take.value.is_some() && take.path == Path::default())) {
            let led = self.path(kind, name, at, &take.path);
            found.push(if take.decode.is_some() { At::Open } else { led });
        }
        found
    }

    fn field(&mut self, kind: &Kind, field: &Field, item: &At) {
        let found = self.column(kind, &field.name, &field.live, item);
        for member in &field.members {
            // Each alternative of the list may spell its members in its own way; one of them has to know this one.
            for take in &member.live.0 {
                self.paths += 1;
                let tries: Vec<_> = found.iter().map(|at| follow(&one(at.clone()), take.path.steps())).collect();
                if let (false, Some(Err(why))) = (tries.iter().any(Result::is_ok), tries.first()) {
                    let name = format!("{}.{}", field.name, member.name);
                    self.wrong.push(format!("{}: {name} `{}`: {why}", kind.file, take.path));
                }
            }
        }
    }

    /// Names in the templates of ids and names, and in arguments.
    fn names(&mut self, kind: &Kind, item: &At) {
        let parent = kind.parent.as_ref().and_then(|id| self.catalog.kinds.get(id)).map(|parent| self.item(parent));
        let mut names: BTreeSet<String> = BTreeSet::new();
        let keys = kind.joins.iter().map(|join| match &join.with {
            Key::Template(text) => text.clone(),
            Key::Path(path) => format!("{{{path}}}"),
        });
        for text in [kind.id_template.clone(), kind.name_template.clone()].into_iter().chain(keys) {
            names.extend(text.split('{').skip(1).filter_map(|part| part.split(['}', '|']).next()).map(str::to_owned));
        }
        for each in &kind.each {
            placeholders(&each.call.args, &mut names);
        }
        for name in names {
            let (root, rest) = name.split_once('.').unwrap_or((&name, ""));
            let (at, path) = match (root, &parent) {
                ("account" | "region" | "partition" | "each" | "item", _) => continue,
                ("parent", Some(parent)) => (parent.clone(), rest.to_owned()),
                _ => (item.clone(), name.clone()),
            };
            let path: Path = path.parse().unwrap();
            self.path(kind, "placeholder", &at, &path);
        }
    }

    fn calls(&mut self, kind: &Kind) {
        for call in kind.calls() {
            let given = arguments_of(&call.service, &call.operation);
            if let Some(Err(why)) = given.map(|typed| typed.admits(&call.args)) {
                self.wrong.push(format!("{}: {} {}: {why}", kind.file, call.name(), call.args));
            }
            let batched = kind.batch.as_ref().filter(|batch| batch.call == *call).map(|batch| &batch.arg);
            for name in given.map_or(&[][..], Typed::required) {
                if call.args.get(name).is_none() && batched != Some(name) {
                    self.wrong.push(format!("{}: {} needs `{name}`", kind.file, call.name()));
                }
            }
        }
    }
}

fn placeholders(args: &serde_json::Value, names: &mut BTreeSet<String>) {
    match args {
        serde_json::Value::String(text) => match text.strip_prefix('$') {
            Some(name) => drop(names.insert(name.to_owned())),
            None => {
                names.extend(
                    text.split('{').skip(1).filter_map(|part| part.split(['}', '|']).next()).map(str::to_owned),
                );
            }
        },
        serde_json::Value::Array(items) => items.iter().for_each(|item| placeholders(item, names)),
        serde_json::Value::Object(members) => members.values().for_each(|value| placeholders(value, names)),
        _ => {}
    }
}

/// What is wrong with kinds of AWS that are read live; how many kinds there are, and paths that were followed.
fn check(catalog: &Catalog) -> (Vec<String>, usize, usize) {
    let mut check = Check { catalog, wrong: Vec::new(), paths: 0 };
    let live = |kind: &&std::sync::Arc<Kind>| kind.id.as_str().starts_with("aws.") && !kind.calls().is_empty();
    let mut kinds = 0;
    for kind in catalog.kinds.values().filter(live) {
        check.calls(kind);
        let item = check.item(kind);
        check.names(kind, &item);
        for field in &kind.fields {
            check.field(kind, field, &item);
        }
        kinds += 1;
    }
    check.wrong.sort();
    check.wrong.dedup();
    (check.wrong, kinds, check.paths)
}

#[test]
fn what_kinds_read_is_in_the_answers() {
    let (wrong, kinds, paths) = check(&Catalog::load(std::iter::empty::<File<'_>>()).0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds > 160 && paths > 1_500, "only {paths} paths of {kinds} kinds");
}

#[test]
fn what_is_not_in_the_answers_is_named() {
    const RIGHT: &str = r#"
title = "MemoryDB cluster"
scope = "region"
id = "{ARN}"
[read]
list = { call = "memorydb:DescribeClusters", args = { MaxResults = 100 }, items = "Clusters[]" }
[[read.each]]
call = "memorydb:DescribeSnapshots"
args = { ClusterName = "$Name" }
items = "Snapshots[]"
into = "Snapshots"
[fields.tls]
type = "bool"
live = "TLSEnabled"
[fields.groups]
type = "list(object)"
live = "SecurityGroups[]"
[fields.groups.members.group]
type = "string"
live = "SecurityGroupId"
[fields.keys]
type = "list(string)"
live = "Snapshots[].KmsKeyId"
"#;
    let said = |text: &str| {
        let (catalog, problems) = Catalog::from_files([File { path: "aws/memorydb/cluster/kind.toml", text }]);
        assert!(problems.is_empty(), "{problems:?}");
        check(&catalog).0.join("\n")
    };
    assert_eq!(said(RIGHT), "");
    for (right, mistake, named) in [
        ("TLSEnabled", "TlsEnabled", "tls `TlsEnabled`: no `TlsEnabled`; there are ACLName, "),
        ("{ARN}", "{Arn}", "placeholder `Arn`"),
        ("Clusters[]", "clusters[]", "memorydb:DescribeClusters `clusters[]`"),
        ("$Name", "$ClusterName", "placeholder `ClusterName`"),
        ("\"SecurityGroupId\"", "\"GroupId\"", "groups.group `GroupId`"),
        ("Snapshots[].KmsKeyId", "Snapshots[].KmsKey", "keys `Snapshots[].KmsKey`"),
        ("MaxResults = 100", "MaxResult = 100", "`MaxResult` is no member"),
        ("MaxResults = 100", "MaxResults = \"100\"", "MaxResults: `\"100\"` is not a number"),
    ] {
        let told = said(&RIGHT.replace(right, mistake));
        assert!(told.contains(named) && told.contains("aws/memorydb/cluster/kind.toml"), "{mistake}: {told}");
    }
}
