//! Functions the host answers: other resources, links, indexes, incomplete collections.

use plumb_cel::{
    Context, Decision, Env, Frame, Functions, Host, Limits, List, Object, ObjectType, Objects, Program, Type, Val,
    compile,
};
use plumb_model::{Reason, Time, Unknown, Value};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

struct Filter {
    id: String,
    group: Value,
    pattern: Value,
}

impl Object for Filter {
    fn get(&self, name: &str) -> Option<Val<'_>> {
        match name {
            "log_group" => Some(Val::from(&self.group)),
            "pattern" => Some(Val::from(&self.pattern)),
            _ => None,
        }
    }
    fn identity(&self) -> &str {
        &self.id
    }
}

struct Filters(Vec<Filter>);

impl Objects for Filters {
    fn len(&self) -> usize {
        self.0.len()
    }
    fn get(&self, index: usize) -> Option<&dyn Object> {
        self.0.get(index).map(|f| f as &dyn Object)
    }
}

struct World {
    filters: Filters,
    incomplete: Option<Arc<Unknown>>,
    indexed: bool,
    lookups: AtomicUsize,
    calls: AtomicUsize,
}

const ALL: u16 = 1;
const LINK: u16 = 2;

impl Host for World {
    fn call<'a>(&'a self, function: u16, args: &[Val<'a>]) -> Val<'a> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match (function, args.first().and_then(Val::as_str)) {
            (ALL, Some("aws.logs.metric_filter")) => {
                let list = List::Objects(&self.filters);
                Val::List(match &self.incomplete {
                    Some(why) => List::incomplete(list, why),
                    None => list,
                })
            }
            (LINK, _) => self.filters.get(0).map_or(Val::Null, Val::Object),
            _ => Val::invalid("no such collection"),
        }
    }

    fn lookup<'a>(&'a self, function: u16, _: &[Val<'a>], keys: &[(&str, Val<'a>)]) -> Option<List<'a>> {
        let [("log_group", key)] = keys else { return None };
        if !self.indexed || function != ALL {
            return None;
        }
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let matches = |f: &&Filter| f.group.first_unknown().is_some() || f.group.as_str() == key.as_str();
        let found = List::of(self.filters.0.iter().filter(matches).map(|f| Val::Object(f as &dyn Object)).collect());
        Some(match &self.incomplete {
            Some(why) => List::incomplete(found, why),
            None => found,
        })
    }
}

fn world() -> World {
    let filter = |i: usize| Filter {
        id: format!("filter-{i}"),
        group: Value::from(format!("group-{i}")),
        pattern: Value::from(format!("pattern {i}")),
    };
    World {
        filters: Filters((0..100).map(filter).collect()),
        incomplete: None,
        indexed: true,
        lookups: AtomicUsize::new(0),
        calls: AtomicUsize::new(0),
    }
}

fn program(source: &str) -> Result<Program, plumb_cel::CompileError> {
    let kind = Type::Object(Arc::new(ObjectType::new(
        "aws.logs.metric_filter",
        [("log_group", Type::String), ("pattern", Type::String)],
    )));
    let mut functions = Functions::standard();
    let of = kind.clone();
    let result_of = move |literal: &str| match literal {
        "aws.logs.metric_filter" => Ok(Type::list(of.clone())),
        other => Err(format!("there is no kind `{other}`; did you mean `aws.logs.metric_filter`?")),
    };
    functions.host("all(string) -> dyn", ALL, Some(Arc::new(result_of))).unwrap();
    functions.host("link(string) -> dyn", LINK, Some(Arc::new(move |_: &str| Ok(kind.clone())))).unwrap();
    fn shout<'a>(_: &mut Context, args: &[Val<'a>]) -> Val<'a> {
        match args {
            [Val::Str(text)] => Val::string(text.to_uppercase()),
            _ => Val::no_overload("shout", args),
        }
    }
    functions.pure("string.shout() -> string", shout).unwrap();
    let mut env = Env::new();
    env.field("group", Type::String, 0);
    compile(source, &env, &functions, &Limits::default())
}

fn decide(source: &str, world: &World) -> Decision {
    let fields = [Value::str("group-7")];
    let program = program(source).expect(source);
    program.decide(&Frame::rule(&fields, Time::from_seconds(0)).with_host(world))
}

#[test]
fn an_equality_in_the_filter_is_looked_up() {
    let check = |source: &str, decision: Decision, lookups: usize| {
        for indexed in [true, false] {
            let world = World { indexed, ..world() };
            assert_eq!(decide(source, &world), decision, "{source}, indexed: {indexed}");
            assert_eq!(world.lookups.load(Ordering::Relaxed), if indexed { lookups } else { 0 }, "{source}");
        }
    };
    let all = r#"all("aws.logs.metric_filter")"#;
    check(&format!("{all}.exists(f, f.log_group == group)"), Decision::True, 1);
    check(&format!("{all}.exists(f, group == f.log_group && f.pattern == 'pattern 7')"), Decision::True, 1);
    check(&format!("{all}.exists(f, f.pattern == 'x' && f.log_group == group)"), Decision::False, 1);
    check(&format!("{all}.filter(f, f.log_group == group).size() == 1"), Decision::True, 1);
    check(&format!("{all}.exists_one(f, f.log_group == group)"), Decision::True, 1);
    check(&format!("{all}.all(f, f.log_group != group || f.pattern == 'pattern 7')"), Decision::True, 1);
    check(&format!("{all}.all(f, f.log_group == group)"), Decision::False, 0);
    check(&format!("{all}.exists(f, f.log_group == group || f.pattern == 'x')"), Decision::True, 0);
    check(&format!("{all}.exists(f, f.log_group == f.pattern)"), Decision::False, 0);
    check(&format!("{all}.exists(f, f.log_group != group)"), Decision::True, 0);
    check(&format!("{all}.map(f, f.log_group == group, f.pattern) == ['pattern 7']"), Decision::True, 1);
}

#[test]
fn an_incomplete_collection_never_says_there_is_none() {
    let why = Arc::new(Unknown::new(Reason::Denied, "logs:DescribeMetricFilters"));
    let all = r#"all("aws.logs.metric_filter")"#;
    for indexed in [true, false] {
        let world = World { indexed, incomplete: Some(why.clone()), ..world() };
        let unknown = Decision::Unknown(vec![why.clone()]);
        assert_eq!(decide(&format!("{all}.exists(f, f.log_group == group)"), &world), Decision::True);
        assert_eq!(decide(&format!("{all}.exists(f, f.log_group == 'none')"), &world), unknown);
        assert_eq!(decide(&format!("{all}.all(f, f.pattern != '')"), &world), unknown);
        assert_eq!(decide(&format!("{all}.all(f, f.pattern == 'x')"), &world), Decision::False);
        assert_eq!(decide(&format!("size({all}) == 100"), &world), unknown);
        assert_eq!(decide(&format!("{all}.filter(f, f.log_group == 'none').size() == 0"), &world), unknown);
        assert_eq!(decide(&format!("{all}.map(f, f.log_group).exists(g, g == group)"), &world), Decision::True);
        assert_eq!(decide(&format!("group in {all}.map(f, f.pattern)"), &world), unknown);
        assert_eq!(decide(&format!("{all}[0].pattern == 'pattern 0'"), &world), unknown);
        assert_eq!(decide(&format!("{all} == []"), &world), unknown);
    }
}

#[test]
fn only_what_depends_on_an_unknown_member_is_unknown() {
    let mut world = world();
    let why = Arc::new(Unknown::new(Reason::Throttled, "logs:DescribeMetricFilters"));
    world.filters.0[3].group = Value::Unknown(why.clone());
    let all = r#"all("aws.logs.metric_filter")"#;
    assert_eq!(decide(&format!("{all}.exists(f, f.log_group == group)"), &world), Decision::True);
    assert_eq!(decide(&format!("{all}.exists(f, f.log_group == 'none')"), &world), Decision::Unknown(vec![why]));
}

#[test]
fn kinds_and_members_are_checked() {
    let refuse = |source: &str, part: &str| {
        let error = program(source).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refuse(r#"all("aws.logs.metric").size() > 0"#, "did you mean `aws.logs.metric_filter`?");
    refuse(r#"all(group).size() > 0"#, "takes a text written out here");
    refuse(
        r#"all("aws.logs.metric_filter").exists(f, f.patern == "")"#,
        "line 1, column 43: `aws.logs.metric_filter` has no field `patern`; did you mean `pattern`?",
    );
    refuse("grup == 'x'", "did you mean `group`?");
    refuse("group", "a condition must be a bool; this is string");
    refuse("group.shout(1) == ''", "there is string.shout()");
}

#[test]
fn references_tell_what_a_rule_needs() {
    let source =
        r#"all("aws.logs.metric_filter").exists(f, f.log_group == group && link("encrypted_by").pattern != "")"#;
    let program = program(source).unwrap();
    let references = program.references();
    assert_eq!(references.fields.iter().map(|(slot, name)| (*slot, name.as_str())).collect::<Vec<_>>(), [(0, "group")]);
    let members: Vec<_> = references.members.iter().map(|(of, name)| format!("{of}.{name}")).collect();
    assert_eq!(members, ["aws.logs.metric_filter.log_group", "aws.logs.metric_filter.pattern"]);
    let calls: Vec<_> = references.calls.iter().map(|(id, name, text)| (*id, name.as_str(), text.as_deref())).collect();
    assert_eq!(calls, [(ALL, "all", Some("aws.logs.metric_filter")), (LINK, "link", Some("encrypted_by"))]);
    let indexes: Vec<_> =
        references.indexes.iter().map(|(id, text, field)| (*id, text.as_deref(), field.as_str())).collect();
    assert_eq!(indexes, [(ALL, Some("aws.logs.metric_filter"), "log_group")]);
}

#[test]
fn leaves_name_the_object() {
    let world = world();
    let fields = [Value::str("group-7")];
    let frame = Frame::rule(&fields, Time::from_seconds(0)).with_host(&world);
    let source = r#"all("aws.logs.metric_filter").exists(f, f.log_group == group && f.pattern.shout() == "PATTERN 7")"#;
    let (decision, leaves) = program(source).unwrap().explain(&frame);
    assert_eq!(decision, Decision::True);
    assert_eq!(leaves[0].object.as_deref(), Some("filter-7"));
    assert_eq!(&*leaves[0].path, r#"all("aws.logs.metric_filter")["filter-7"].log_group"#);
    assert_eq!(leaves[1].field, Some((0, "group".into())));
    assert_eq!(leaves[2].observed, Value::str("PATTERN 7"));
    let linked = program(r#"link("encrypted_by").pattern == "none""#).unwrap();
    let (decision, leaves) = linked.explain(&frame);
    assert_eq!(decision, Decision::False);
    assert_eq!(leaves[0].object.as_deref(), Some("filter-0"));
    assert_eq!(&*leaves[0].path, r#"link("encrypted_by").pattern"#);
    let alone = linked.decide(&Frame::rule(&fields, Time::from_seconds(0)));
    assert!(matches!(alone, Decision::Error(_)));
}
