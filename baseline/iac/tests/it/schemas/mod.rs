//! Truth from outside: every name that a kind, an example or a fix gives to something in code is in the provider's own schema.
//!
//! A name that is not is a field that is never there, hence a wrong verdict. The tables are derived by
//! `cargo xtask code-schemas`; `schemas/README.md` says from what.

mod excepted;
mod outlines;
mod table;

use plumb_catalog::{Catalog, Column, Decode, Dialect, Field, Kind, Path, Rule, Step, Take, Type};
use plumb_iac::{Code, Data, Val, read_example};
use std::collections::{BTreeMap, BTreeSet};
use table::{At, Node, Schemas};

/// A language: what it is called, which types and columns are its, what is true of it.
struct Language {
    name: &'static str,
    types: fn(&Kind) -> &[String],
    column: fn(&Field) -> &Column,
    schemas: Schemas,
    /// Names that every resource has beside its type's own.
    common: &'static [&'static str],
}

fn languages() -> [Language; 3] {
    let terraform = [
        include_str!("../../../schemas/terraform-aws.txt"),
        include_str!("../../../schemas/terraform-azurerm.txt"),
        include_str!("../../../schemas/terraform-google.txt"),
        include_str!("../../../schemas/terraform-azuread.txt"),
    ];
    [
        Language {
            name: "terraform",
            types: |kind| &kind.terraform,
            column: |field| &field.terraform,
            schemas: Schemas::read(&terraform, false),
            common: &["lifecycle", "provider", "count", "for_each", "depends_on", "provisioner", "connection", "id"],
        },
        Language {
            name: "cloudformation",
            types: |kind| &kind.cloudformation,
            column: |field| &field.cloudformation,
            schemas: Schemas::read(&[include_str!("../../../schemas/cloudformation.txt")], false),
            common: &[],
        },
        Language {
            name: "arm",
            types: |kind| &kind.arm,
            column: |field| &field.arm,
            schemas: Schemas::read(&[include_str!("../../../schemas/arm.txt")], true),
            common: &[
                "parent",
                "name",
                "type",
                "apiVersion",
                "location",
                "tags",
                "scope",
                "dependsOn",
                "resources",
                "condition",
                "copy",
                "comments",
                "metadata",
            ],
        },
    ]
}

fn catalog() -> Catalog {
    let (catalog, problems) = Catalog::load([]);
    assert!(problems.is_empty(), "{problems:?}");
    catalog
}

const NO_TYPE: &str = "no such type; run `cargo xtask code-schemas` if it is new";

/// `kind field language path`: how problems begin, and how exceptions name them.
type Place = String;

/// What one look at the catalog found.
#[derive(Default)]
struct Found(BTreeMap<Place, String>);

impl Found {
    fn add(&mut self, place: Place, why: String) {
        self.0.insert(place, why);
    }

    /// Nothing but what is excepted, and every exception is needed.
    #[track_caller]
    fn check(mut self, excepted: &[(&str, &str)]) {
        let mut idle = BTreeSet::new();
        for (place, reason) in excepted {
            assert!(!reason.is_empty(), "{place} is excepted without a reason");
            if self.0.remove(*place).is_none() {
                idle.insert(place);
            }
        }
        let wrong: Vec<String> = self.0.iter().map(|(place, why)| format!("{place}: {why}")).collect();
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(idle.is_empty(), "exceptions that nothing needs: {idle:#?}");
    }
}

/// Where one way to find a field leads, in the schema of one type.
#[derive(Clone)]
struct Way<'a> {
    /// The kind's type it is read from; none when another resource carries it.
    owner: Option<&'a str>,
    at: At<'a>,
}

/// Walks a kind's columns.
struct Walk<'a> {
    kind: &'a Kind,
    language: &'a Language,
    names: &'a mut Found,
    renamed: &'a mut Found,
    shapes: &'a mut Found,
}

/// A path the program answers itself: `$type`, `$before[5]`, and what Terraform says of any resource.
fn is_own(path: &Path) -> bool {
    path.root().is_some_and(|root| root.starts_with('$') || root == "lifecycle")
}

impl<'a> Walk<'a> {
    fn place(&self, field: &str, path: &str) -> Place {
        format!("{} {field} {} {path}", self.kind.id, self.language.name)
    }

    fn root(&self, type_: &str) -> Option<At<'a>> {
        self.language.schemas.type_(type_).map(At::root)
    }

    fn kind(&mut self) {
        let types = (self.language.types)(self.kind);
        for type_ in types.iter().filter(|t| !t.starts_with("provider.")) {
            if self.root(type_).is_none() {
                self.names.add(self.place("-", type_), NO_TYPE.into());
            }
        }
        let ways: Vec<Way<'a>> = types.iter().filter_map(|t| Some(Way { owner: Some(t), at: self.root(t)? })).collect();
        for path in self.kind.code_when.keys() {
            self.asked("-", path, &ways);
        }
        for field in &self.kind.fields {
            self.field(&field.name, field, &ways, true);
        }
    }

    /// A condition's path, which one of these places must have.
    fn asked(&mut self, name: &str, path: &str, ways: &[Way<'a>]) {
        let Ok(path) = path.parse::<Path>() else { return };
        if !is_own(&path) && !ways.is_empty() {
            self.follow(name, &path, ways);
        }
    }

    /// Follows a path from all places; it is wrong when none of them has it.
    fn follow(&mut self, name: &str, path: &Path, ways: &[Way<'a>]) -> Vec<Way<'a>> {
        let common = |path: &Path| match path.steps() {
            [Step::Member(first)] => self.language.common.iter().any(|c| c.eq_ignore_ascii_case(first)),
            _ => false,
        };
        let (mut found, mut why) = (Vec::new(), String::new());
        for way in ways {
            match self.language.schemas.follow(way.at, path) {
                Ok(at) => found.push(Way { at, ..way.clone() }),
                Err(error) => why = error,
            }
        }
        if found.is_empty() && !common(path) && !ways.is_empty() {
            self.names.add(self.place(name, &path.to_string()), why);
        }
        found
    }

    fn field(&mut self, name: &str, field: &'a Field, ways: &[Way<'a>], top: bool) {
        let mut found: Vec<Way<'a>> = Vec::new();
        let mut always = false;
        for take in &(self.language.column)(field).0 {
            let Some(starts) = self.starts(name, take, ways, top) else { continue };
            if is_own(&take.path) || (take.path.steps().is_empty() && take.value.is_some() && take.from.is_none()) {
                always = true;
                continue;
            }
            let reached = self.follow(name, &take.path, &starts);
            self.shape(name, field, take, &reached);
            found.extend(reached.into_iter().map(|way| match take.decode {
                Some(Decode::Json | Decode::UrlJson | Decode::Tags | Decode::Pairs | Decode::Entries) => {
                    Way { at: At { form: '?', ..way.at }, ..way }
                }
                _ => way,
            }));
        }
        if !always {
            self.newest(name, ways, &found);
        }
        // Members are read from one item, whatever the way to it was.
        for way in &mut found {
            way.at.many = false;
            way.at.form = if way.at.form == '[' { '{' } else { way.at.form };
        }
        for member in field.members.iter().filter(|_| !found.is_empty()) {
            self.field(&format!("{name}.{}", member.name), member, &found, false);
        }
    }

    /// Where a way to find a field begins.
    fn starts(&mut self, name: &str, take: &Take, ways: &[Way<'a>], top: bool) -> Option<Vec<Way<'a>>> {
        let via = take.via.as_ref().map(|via| (&via.from, &via.by));
        for (type_, by) in take.from.iter().zip(&take.by).chain(via) {
            let Some(at) = self.root(type_) else {
                self.names.add(self.place(name, type_), NO_TYPE.into());
                return None;
            };
            if let Ok(by) = by.parse() {
                self.follow(name, &by, &[Way { owner: None, at }]);
            }
        }
        let of = take.when.get("$type");
        let starts: Vec<Way<'a>> = match &take.from {
            Some(_) if !top => return None,
            Some(from) => vec![Way { owner: None, at: self.root(from)? }],
            None => ways.iter().filter(|way| of.is_none_or(|of| way.owner == Some(of))).cloned().collect(),
        };
        for path in take.when.keys() {
            self.asked(name, path, &starts);
        }
        Some(starts)
    }

    /// A field that older versions of the provider show is shown by the newest.
    fn newest(&mut self, name: &str, ways: &[Way<'a>], found: &[Way<'a>]) {
        for way in ways {
            let Some(owner) = way.owner else { continue };
            let newest = self.language.schemas.newest(owner);
            let of = found.iter().filter(|f| f.owner.is_none_or(|o| o == owner));
            let shown = of.fold(0, |bits, f| bits | f.at.versions);
            if shown != 0 && shown & newest == 0 && way.at.versions & newest != 0 {
                self.renamed
                    .add(self.place(name, owner), "the newest version of the provider has none of its names".into());
            }
        }
    }

    /// What stands there can be read as the field's type.
    fn shape(&mut self, name: &str, field: &Field, take: &Take, reached: &[Way<'a>]) {
        if take.decode.is_some() || take.equals.is_some() || take.value.is_some() {
            return;
        }
        // Of several resources that carry a list, each adds to it.
        let fits = |way: &Way| match (&field.ty, way.at.form) {
            (_, '?') | (Type::Any | Type::Policy, _) => true,
            (Type::List(_), _) if take.from.is_some() => true,
            (Type::List(_), form) => way.at.many || matches!(form, '[' | 'l' | '%'),
            (Type::Map(_), form) => matches!(form, 'm' | '%' | '{') && !way.at.many,
            (Type::Object(_), form) => matches!(form, '{' | '[') && !way.at.many,
            (_, form) => !way.at.many && matches!(form, 's' | 'n' | 'b'),
        };
        if let Some(way) = reached.first().filter(|_| !reached.iter().any(fits)) {
            let many = if way.at.many { "a list of " } else { "" };
            let why = format!("a {:?} cannot be read from {many}`{}`", field.ty, way.at.form);
            self.shapes.add(self.place(name, &take.path.to_string()), why);
        }
    }
}

fn walk() -> (Found, Found, Found) {
    let (mut names, mut renamed, mut shapes) = (Found::default(), Found::default(), Found::default());
    let (catalog, languages) = (catalog(), languages());
    for kind in catalog.kinds.values() {
        for language in &languages {
            Walk { kind, language, names: &mut names, renamed: &mut renamed, shapes: &mut shapes }.kind();
        }
    }
    (names, renamed, shapes)
}

#[test]
fn wrong_names_are_told_with_the_nearest() {
    let table = "#\n# versions 1 2.4 3\n\
                 shop_queue { 1-3\n arn s!\n enabled_sse b 1\n rule [ 2.4-3\n  action s\n  inner {~\n sse_enabled b 2.4-3\n tags m\n \
                 tier s 3 = Free of charge|Paid\n";
    let schemas = Schemas::read(&[table], false);
    let follow = |path: &str| {
        let path = path.parse().unwrap();
        let at = schemas.follow(At::root(schemas.type_("shop_queue").unwrap()), &path)?;
        Ok::<_, String>(format!("{}{} {:03b}", at.form, if at.many { " many" } else { "" }, at.versions))
    };
    assert_eq!(schemas.type_("shop_queue").unwrap().members["tier"].values, ["Free of charge", "Paid"]);
    for (path, want) in [
        ("arn", Ok("s 111")),
        ("enabled_sse", Ok("b 001")),
        ("rule[].action", Ok("s many 110")),
        ("rule[0]", Ok("{ 110")),
        ("tags.anything", Ok("? 111")),
        ("sse_enable", Err("no `sse_enable`, the nearest is `sse_enabled`")),
        ("rule[].actions", Err("no `actions`, the nearest is `action`")),
        ("arn.partition", Err("`partition` stands below a plain value")),
        ("rule[].inner.deep", Err("`deep` lies below what the table keeps, or is not there")),
    ] {
        assert_eq!(follow(path), want.map(str::to_owned).map_err(str::to_owned), "{path}");
    }
    assert_eq!(schemas.newest("shop_queue"), 0b100);
}

#[test]
fn kinds_name_what_the_schemas_have() {
    walk().0.check(excepted::NAMES);
}

#[test]
fn kinds_know_what_the_newest_provider_calls_it() {
    walk().1.check(excepted::GONE);
}

#[test]
fn fields_can_be_read_from_what_stands_there() {
    walk().2.check(excepted::SHAPES);
}

/// What the reader works out, although only the provider sets it.
const WORKED_OUT: [&str; 5] = ["json", "minified_json", "policy_data", "tags_all", "effective_labels"];

/// One resource of an example, held against its type.
struct Written<'a> {
    language: &'a Language,
    wrong: Vec<String>,
}

impl Written<'_> {
    fn resource(&mut self, code: &Code, node: &Node) {
        for (name, value) in code.attrs.as_map().into_iter().flat_map(|members| members.iter()) {
            if !self.language.common.iter().any(|c| c.eq_ignore_ascii_case(name)) {
                self.member(node, name, value, "");
            }
        }
    }

    fn member(&mut self, of: &Node, name: &str, value: &Val, above: &str) {
        let place = format!("{above}{name}");
        let Some(node) = self.language.schemas.member(of, name) else {
            let path = Path::from(vec![Step::Member(name.into())]);
            if let Err(why) = self.language.schemas.follow(At::root(of), &path) {
                self.wrong.push(format!("{place}: {why}"));
            }
            return;
        };
        if node.read_only && !value.is_null() && !WORKED_OUT.contains(&name) {
            self.wrong.push(format!("{place}: only the provider sets it"));
        }
        self.value(node, value, &place);
    }

    fn value(&mut self, node: &Node, value: &Val, place: &str) {
        // Makers add versions every year, and libraries follow later.
        let counted = !node.values.is_empty() && !place.ends_with("version");
        if let Some(text) = value.as_str().filter(|_| counted) {
            let folded = self.language.name == "arm";
            let takes = |value: &&str| *value == text || folded && value.eq_ignore_ascii_case(text);
            if !node.values.iter().any(takes) {
                self.wrong.push(format!("{place}: `{text}` is none of {:?}", node.values));
            }
        }
        match &value.data {
            Data::List(items) | Data::Set(items) => items.iter().for_each(|item| self.value(node, item, place)),
            Data::Map(members) if node.form == '%' => {
                for (name, value) in members.values().filter_map(Val::as_map).flat_map(|members| members.iter()) {
                    self.member(node, name, value, &format!("{place}.*."));
                }
            }
            Data::Map(members) if matches!(node.form, '{' | '[') => {
                for (name, value) in members.iter() {
                    self.member(node, name, value, &format!("{place}."));
                }
            }
            Data::Map(_) if matches!(node.form, 's' | 'n' | 'b') => {
                self.wrong.push(format!("{place}: it has nothing inside"));
            }
            _ => {}
        }
    }
}

/// What a page shows in code: its examples, and how to fix.
fn shown(rule: &Rule) -> Vec<(Dialect, String, String)> {
    let examples = rule.examples.iter().map(|e| (e.dialect, e.title.to_string(), e.text.to_string()));
    let mut shown: Vec<_> = examples.collect();
    for fence in rule.section("How to fix").split("```").filter_map(|fence| fence.split_once('\n')) {
        let dialect = match fence.0.trim() {
            "hcl fix" => Dialect::Hcl,
            "cloudformation fix" => Dialect::CloudFormation,
            "arm fix" => Dialect::Arm,
            "bicep fix" => Dialect::Bicep,
            _ => continue,
        };
        shown.push((dialect, "fix".into(), fence.1.to_owned()));
    }
    shown
}

#[test]
fn examples_and_fixes_write_what_the_schemas_have() {
    let (catalog, languages) = (catalog(), languages());
    let mut found = Found::default();
    let (mut seen, mut fixes) = (0, 0);
    for rule in catalog.rules.values() {
        for (dialect, title, text) in shown(rule) {
            let Some(reading) = read_example(dialect, &text) else { continue };
            let language = match dialect {
                Dialect::Hcl => &languages[0],
                Dialect::CloudFormation => &languages[1],
                _ => &languages[2],
            };
            for code in reading.resources.iter().filter(|code| !code.type_.starts_with("provider.")) {
                let mut written = Written { language, wrong: Vec::new() };
                match language.schemas.type_(&code.type_) {
                    Some(node) => written.resource(code, node),
                    None => written.wrong.push(NO_TYPE.into()),
                }
                seen += 1;
                fixes += usize::from(title == "fix");
                for wrong in written.wrong {
                    found.add(format!("{} {} {}", rule.id, language.name, code.type_), format!("{wrong} ({title})"));
                }
            }
        }
    }
    assert!(seen > 5_000 && fixes > 900, "{seen} resources, {fixes} of them in fixes");
    found.check(excepted::EXAMPLES);
}
