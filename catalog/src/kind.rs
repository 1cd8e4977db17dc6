//! A kind is a table: what a resource is, how it is read, and where each field lives in every dialect.

use crate::{Path, Problem, Type, problem::line_of};
use plumb_model::{KindId, Value};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap, str::FromStr};

/// One kind of resource, `catalog/aws/sqs/queue/kind.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
pub struct Kind {
    /// `aws.sqs.queue`, from the file's path.
    pub id: KindId,
    /// The file, for messages.
    pub file: String,
    /// What a person calls it: "SQS queue".
    pub title: String,
    /// How often its calls are made.
    pub scope: Scope,
    /// Template of the canonical id: `{QueueArn}` or `arn:{partition}:ec2:{region}:{account}:volume/{VolumeId}`.
    pub id_template: String,
    /// Template of the everyday name.
    pub name_template: String,
    /// Where in the raw document the resource's own region stands, for things listed globally (S3 buckets).
    pub region_path: Option<Path>,
    /// Listed once per resource of this kind.
    pub parent: Option<KindId>,
    /// The call that lists resources; none for a singleton made of `each` calls alone.
    pub list: Option<ListSpec>,
    /// Further lists of the same kind, for resources the first leaves out (web ACLs of distributions).
    pub also: Vec<ListSpec>,
    /// One describing call for many listed ids.
    pub batch: Option<BatchSpec>,
    /// Lists joined into the items.
    pub joins: Vec<JoinSpec>,
    /// Calls made per item, in order.
    pub each: Vec<EachSpec>,
    /// Terraform resource types that make this kind.
    pub terraform: Vec<String>,
    /// CloudFormation types.
    pub cloudformation: Vec<String>,
    /// ARM types (also what Bicep lowers to).
    pub arm: Vec<String>,
    /// Attributes of a code resource that say what it will be called, before those that usually do.
    pub code_names: Vec<String>,
    /// Conditions a code resource must meet to be of this kind (`{ kind = "FunctionApp" }`).
    pub code_when: BTreeMap<String, String>,
    /// The fields, in file order; a rule's compiled form refers to their positions.
    pub fields: Vec<Field>,
    /// Edges to other kinds.
    pub links: BTreeMap<String, Link>,
    /// True when the collector only reads it to serve other kinds' rules; not listed in the inventory by default.
    pub auxiliary: bool,
}

/// How often a kind's list call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Once per account, at the service's global endpoint.
    Global,
    /// Once per account and region.
    Region,
    /// Once per organisation, from the management or delegated administrator account.
    Organization,
}

/// A call: `sqs:ListQueues` with arguments.
///
/// Arguments are JSON; a text `$Name` is replaced by that path of the raw item, `$parent.Name` by the parent's,
/// `$account`, `$region`, `$partition` by the scope's; `{…}` inside other text interpolates the same names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallSpec {
    /// The service as botocore names it.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The arguments template, a JSON object.
    #[serde(with = "json_text")]
    pub args: serde_json::Value,
}

/// JSON as its text, for formats that do not describe themselves.
mod json_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};
    use std::borrow::Cow;

    pub fn serialize<S: Serializer>(json: &serde_json::Value, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&json.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<serde_json::Value, D::Error> {
        let text = <Cow<'_, str>>::deserialize(deserializer)?;
        serde_json::from_str(&text).map_err(D::Error::custom)
    }
}

impl CallSpec {
    /// `service:Operation`.
    pub fn name(&self) -> String {
        format!("{}:{}", self.service, self.operation)
    }
}

/// How a kind's resources are listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListSpec {
    /// The call; paged by the wire.
    pub call: CallSpec,
    /// Made once before the call (`iam:GenerateCredentialReport`).
    pub before: Option<CallSpec>,
    /// Where the items are on a page; none makes the whole answer one item.
    pub items: Option<Path>,
    /// The member name a scalar item is put under.
    pub scalar: Option<String>,
    /// Applied to the answer before `items`.
    pub decode: Option<Decode>,
    /// Error codes (or `Code:part of the message`) that mean there is nothing; not an error.
    pub absent: Vec<String>,
    /// Items of which all of this is true are left out (`{ Arn = "arn:aws:iam::aws:*", AttachmentCount = 0 }`: managed
    /// policies nobody uses). A text ending in `*` matches by its beginning, a list by any of its values.
    pub unless: Vec<(Path, Value)>,
    /// Only items of which all of this is true are taken, texts and lists compared as in `unless` (`{ Engine = "docdb" }`: what
    /// one call lists of several services).
    pub only: Vec<(Path, Value)>,
    /// At most this many items are taken; reaching it makes the read incomplete, and says so.
    pub cap: Option<usize>,
    /// Members put into each item, as if the answer had them: what tells the items of two lists apart.
    pub with: Vec<(String, Value)>,
    /// The one region that is asked; every region of the scope when none is named.
    pub region: Option<String>,
}

impl ListSpec {
    /// Whether it is made in this region.
    pub fn is_of(&self, region: &str) -> bool {
        self.region.as_deref().is_none_or(|only| only == region)
    }
}

/// Describes many listed ids with one call.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchSpec {
    /// The call.
    pub call: CallSpec,
    /// The argument that takes the list of ids.
    pub arg: String,
    /// Most ids per call.
    pub size: usize,
    /// Where the described items are.
    pub items: Path,
    /// Path of the id in a described item.
    pub on: Path,
    /// Path of the id in a listed item.
    pub id: Path,
}

/// A list whose rows are attached to the items they match.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinSpec {
    /// The list.
    pub list: ListSpec,
    /// Path of the key in a row.
    pub on: Path,
    /// The key of the item.
    pub with: Key,
    /// Member of the item the match goes under.
    pub into: String,
    /// Collect every match as a list rather than the first.
    pub many: bool,
}

/// What names an item to the rows of another list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Key {
    /// A path in the item.
    Path(Path),
    /// A template, as of ids: `arn:{partition}:sqs:{region}:{account}:{QueueUrl|last-part}`.
    Template(String),
}

/// A call made for each item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EachSpec {
    /// The call.
    pub call: CallSpec,
    /// What part of the answer is kept; default the whole answer.
    pub take: Path,
    /// Gather all pages' items at this path into a list, in place of `take`.
    pub items: Option<Path>,
    /// Member of the item the answer goes under.
    pub into: String,
    /// Applied to what was taken.
    pub decode: Option<Decode>,
    /// Codes that mean the thing asked for does not exist: `into` becomes null.
    pub absent: Vec<String>,
    /// Codes that mean the item itself was deleted meanwhile: it is dropped.
    pub gone: Vec<String>,
    /// Only asked when this path of the item is neither null, false nor empty; else `into` is null.
    pub when: Option<Path>,
    /// Only asked when all of this is true of the item, compared as in [`ListSpec::unless`]; else `into` is null.
    pub only: Vec<(Path, Value)>,
    /// Where a listed item may already say it: then that is kept under `into`, and nothing is asked.
    pub known: Option<Path>,
    /// Asked once per element at this path (`$each` names it); `into` becomes the list of answers.
    pub over: Option<Path>,
}

/// Where a field comes from in one dialect: alternatives, the first that is there wins.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Column(pub Vec<Take>);

/// One way to find a field.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Take {
    /// The path.
    pub path: Path,
    /// How what stands there is decoded.
    pub decode: Option<Decode>,
    /// What few of them have; its members are this one's, too.
    pub rest: Option<Box<Rest>>,
}

impl std::ops::Deref for Take {
    type Target = Rest;
    fn deref(&self) -> &Rest {
        static NOTHING: Rest =
            Rest { from: None, by: None, via: None, when: BTreeMap::new(), equals: None, value: None };
        self.rest.as_deref().unwrap_or(&NOTHING)
    }
}

/// What a way to find a field says beside its path: most say nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rest {
    /// Another resource type that carries it in code (`aws_sqs_queue_policy`).
    pub from: Option<String>,
    /// That other resource's attribute which refers to this resource.
    pub by: Option<String>,
    /// A resource in between, when `by` refers to that: its type and its attribute that refers to this one.
    pub via: Option<Via>,
    /// Attribute values the other resource must have.
    pub when: BTreeMap<String, String>,
    /// The field is whether the value equals this.
    pub equals: Option<Value>,
    /// A constant: the mere presence of the resource says so.
    pub value: Option<Value>,
}

/// A resource between one that carries a field and the one the field is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Via {
    /// Its type (`aws_lb_listener`).
    pub from: String,
    /// Its attribute which refers to the resource with the field.
    pub by: String,
}

/// What turns a provider's spelling into a value. A closed list of pure functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decode {
    /// Text that holds JSON.
    Json,
    /// Text that holds JSON, percent-encoded.
    UrlJson,
    /// `[{Key, Value}]` (also `TagKey`/`TagValue`, `key`/`value`) into a map.
    Tags,
    /// Base64 text into text.
    Base64,
    /// Comma-separated text into a list.
    Csv,
    /// Base64 CSV of the IAM credential report into a list of maps.
    CredentialReport,
    /// S3's location constraint into a region (`null` is us-east-1, `EU` is eu-west-1).
    S3Location,
    /// True when there is something: not null, not empty.
    Exists,
    /// How many items.
    Count,
    /// Lower case.
    Lower,
    /// A host's name without the dot that ends it.
    Host,
    /// Turns true into false and back.
    Not,
    /// The last part of an ARN or path, after `/` or `:`.
    LastPart,
    /// The account number in an ARN.
    ArnAccount,
    /// `[{name, value}]` into a map (ECS, RDS parameters: also `ParameterName`/`ParameterValue`).
    Pairs,
    /// A map into `[{key, value}]`: parameters as templates write them.
    Entries,
    /// Epoch seconds or milliseconds into an instant.
    Epoch,
}

impl Decode {
    /// Every decoder with its name in kind files.
    pub const ALL: [(&'static str, Self); 17] = [
        ("json", Self::Json),
        ("url-json", Self::UrlJson),
        ("tags", Self::Tags),
        ("base64", Self::Base64),
        ("csv", Self::Csv),
        ("credential-report", Self::CredentialReport),
        ("s3-location", Self::S3Location),
        ("exists", Self::Exists),
        ("count", Self::Count),
        ("lower", Self::Lower),
        ("host", Self::Host),
        ("not", Self::Not),
        ("last-part", Self::LastPart),
        ("arn-account", Self::ArnAccount),
        ("pairs", Self::Pairs),
        ("entries", Self::Entries),
        ("epoch", Self::Epoch),
    ];
}

impl FromStr for Decode {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|(name, _)| *name == text)
            .map(|(_, d)| d)
            .ok_or_else(|| format!("`{text}` is not a decoder; one of {}", Self::ALL.map(|(name, _)| name).join(", ")))
    }
}

/// One field of a kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Field {
    /// Its name in rules.
    pub name: String,
    /// Its type; for members of an object list, derived from [`Field::members`].
    pub ty: Type,
    /// What it says, with its unit.
    #[serde(borrow)]
    pub doc: Cow<'static, str>,
    /// What the provider means when it is left out.
    pub default: Value,
    /// Changes by itself; never drift.
    pub volatile: bool,
    /// Why a change in code is left to its author: it replaces the resource with what it stores, say. Empty when it is not.
    pub by_hand: String,
    /// In the live answer.
    pub live: Column,
    /// In Terraform.
    pub terraform: Column,
    /// In CloudFormation, below `Properties`.
    pub cloudformation: Column,
    /// In ARM and Bicep, from the resource's root (`properties.x`, `sku.name`).
    pub arm: Column,
    /// Members of an object, or of each object of a list; their columns are relative to the item.
    pub members: Vec<Field>,
}

/// An edge to resources of another kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Link {
    /// The other kind.
    pub kind: KindId,
    /// The field (or `field.member`) here that names it.
    pub from: String,
    /// The fields there that the name may equal; `id` and `name` are always there to choose.
    pub to: Vec<String>,
}

impl Kind {
    /// The position of a field.
    pub fn slot(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == field)
    }

    /// The lists its resources are on: the first and the further ones.
    pub fn lists(&self) -> impl Iterator<Item = &ListSpec> {
        self.list.iter().chain(&self.also)
    }

    /// Every call the kind may make, in the order they are made.
    pub fn calls(&self) -> Vec<&CallSpec> {
        let mut calls = Vec::new();
        for l in self.lists() {
            calls.extend(l.before.as_ref());
            calls.push(&l.call);
        }
        if let Some(b) = &self.batch {
            calls.push(&b.call);
        }
        for j in &self.joins {
            calls.extend(j.list.before.as_ref());
            calls.push(&j.list.call);
        }
        calls.extend(self.each.iter().map(|e| &e.call));
        calls
    }

    /// The call that tells a field of a live resource: the one whose answer the field's path starts in.
    pub fn source_of(&self, field: &Field) -> String {
        let root = field.live.0.first().and_then(|t| t.path.root());
        if let Some(root) = root {
            if let Some(each) = self.each.iter().find(|e| e.into == root) {
                return each.call.name();
            }
            if let Some(join) = self.joins.iter().find(|j| j.into == root) {
                return join.list.call.name();
            }
        }
        match (&self.batch, &self.list, self.each.first()) {
            (Some(b), _, _) => b.call.name(),
            (_, Some(l), _) => l.call.name(),
            (_, _, Some(e)) => e.call.name(),
            _ => String::new(),
        }
    }

    /// Reads a kind file. `file` is its path below the catalog root: `aws/sqs/queue/kind.toml`.
    ///
    /// # Errors
    /// All problems found: wrong TOML, unknown members, types, paths or decoders, names used twice.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let raw: RawKind = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                let line = error.span().map_or(0, |span| line_of(text, span.start));
                return Err(vec![Problem::new(
                    file,
                    line,
                    error.message(),
                    "see docs/catalog.md for what a kind file holds",
                )]);
            }
        };
        let id = file.trim_end_matches("/kind.toml").replace('/', ".");
        let mut cx = Cx { file, text, problems: Vec::new() };
        let kind = cx.kind(id, raw);
        if cx.problems.is_empty() { Ok(kind) } else { Err(cx.problems) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawKind {
    title: String,
    scope: Scope,
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    auxiliary: bool,
    #[serde(default)]
    tags: Option<RawTags>,
    #[serde(default)]
    read: RawRead,
    #[serde(default)]
    code: RawCode,
    #[serde(default)]
    fields: toml::Table,
    #[serde(default)]
    links: BTreeMap<String, RawLink>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTags {
    #[serde(default)]
    live: Option<toml::Value>,
    #[serde(default)]
    terraform: Option<toml::Value>,
    #[serde(default)]
    cloudformation: Option<toml::Value>,
    #[serde(default)]
    arm: Option<toml::Value>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRead {
    parent: Option<String>,
    list: Option<RawList>,
    #[serde(default)]
    also: Vec<RawList>,
    batch: Option<RawBatch>,
    #[serde(default)]
    join: Vec<RawJoin>,
    #[serde(default)]
    each: Vec<RawEach>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct RawCall {
    call: String,
    #[serde(default)]
    args: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    call: String,
    #[serde(default)]
    args: toml::Table,
    before: Option<RawCall>,
    items: Option<String>,
    scalar: Option<String>,
    decode: Option<String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    unless: BTreeMap<String, toml::Value>,
    #[serde(default)]
    only: BTreeMap<String, toml::Value>,
    cap: Option<usize>,
    #[serde(default)]
    with: BTreeMap<String, toml::Value>,
    region: Option<String>,
}

/// When a call is made: a path that holds something, or what has to be true.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawWhen {
    Path(String),
    Only(BTreeMap<String, toml::Value>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBatch {
    call: String,
    #[serde(default)]
    args: toml::Table,
    arg: String,
    size: usize,
    items: String,
    on: String,
    id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawJoin {
    call: String,
    #[serde(default)]
    args: toml::Table,
    before: Option<RawCall>,
    items: Option<String>,
    scalar: Option<String>,
    decode: Option<String>,
    #[serde(default)]
    absent: Vec<String>,
    on: String,
    with: String,
    into: String,
    #[serde(default)]
    many: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEach {
    call: String,
    #[serde(default)]
    args: toml::Table,
    take: Option<String>,
    items: Option<String>,
    into: String,
    decode: Option<String>,
    #[serde(default)]
    absent: Vec<String>,
    #[serde(default)]
    gone: Vec<String>,
    when: Option<RawWhen>,
    known: Option<String>,
    over: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawCode {
    #[serde(default)]
    terraform: Vec<String>,
    #[serde(default)]
    cloudformation: Vec<String>,
    #[serde(default)]
    arm: Vec<String>,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default)]
    when: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    r#type: String,
    #[serde(default)]
    doc: String,
    default: Option<toml::Value>,
    #[serde(default)]
    volatile: bool,
    #[serde(default)]
    by_hand: String,
    live: Option<toml::Value>,
    terraform: Option<toml::Value>,
    cloudformation: Option<toml::Value>,
    arm: Option<toml::Value>,
    #[serde(default)]
    members: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTake {
    path: Option<String>,
    from: Option<String>,
    by: Option<String>,
    via: Option<Via>,
    #[serde(default)]
    when: BTreeMap<String, String>,
    decode: Option<String>,
    equals: Option<toml::Value>,
    value: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLink {
    kind: String,
    from: String,
    #[serde(default)]
    to: Vec<String>,
}

/// Implicit names every resource has; a field may not take them.
const RESERVED: [&str; 9] = ["id", "name", "region", "account_id", "kind", "part", "params", "now", "address"];

struct Cx<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

impl Cx<'_> {
    /// Reports a problem at the first line that mentions `at`.
    fn wrong(&mut self, at: &str, message: impl Into<String>, help: impl Into<String>) {
        let line = self.text.find(at).map_or(0, |offset| line_of(self.text, offset));
        self.problems.push(Problem::new(self.file, line, message, help));
    }

    fn path(&mut self, text: &str) -> Path {
        text.parse().unwrap_or_else(|error: crate::PathError| {
            self.wrong(text, error.to_string(), "");
            Path::default()
        })
    }

    fn decode(&mut self, name: Option<&String>) -> Option<Decode> {
        let name = name?;
        match name.parse() {
            Ok(decode) => Some(decode),
            Err(message) => {
                self.wrong(name, message, "");
                None
            }
        }
    }

    fn call(&mut self, call: &str, args: &toml::Table) -> CallSpec {
        let (service, operation) = call.split_once(':').unwrap_or_default();
        if service.is_empty() || operation.is_empty() {
            self.wrong(call, format!("`{call}` is not a call"), "write service:Operation, like sqs:ListQueues");
        }
        let args = serde_json::to_value(args).unwrap_or_default();
        CallSpec { service: service.into(), operation: operation.into(), args }
    }

    fn kind(&mut self, id: String, raw: RawKind) -> Kind {
        let list = raw.read.list.map(|l| self.list(l));
        let also: Vec<ListSpec> = raw.read.also.into_iter().map(|l| self.list(l)).collect();
        if !also.is_empty() && (list.is_none() || raw.read.parent.is_some()) {
            self.wrong(
                "read.also",
                "a further list stands beside a first one, and not below a parent".to_owned(),
                "give the kind a `list` of its own, and no `parent`",
            );
        }
        if list.as_ref().is_some_and(|l| l.region.is_some())
            || (raw.scope != Scope::Region && also.iter().any(|l| l.region.is_some()))
        {
            self.wrong(
                "region",
                "only further lists of kinds that are read in each region are asked in one of them".to_owned(),
                "take `region` out",
            );
        }
        let batch = raw.read.batch.map(|b| BatchSpec {
            call: self.call(&b.call, &b.args),
            arg: b.arg,
            size: b.size.max(1),
            items: self.path(&b.items),
            on: self.path(&b.on),
            id: self.path(&b.id),
        });
        let joins = raw.read.join.into_iter().map(|j| self.join(j)).collect();
        let each = raw.read.each.into_iter().map(|e| self.each(e)).collect();
        let mut fields = Vec::new();
        if let Some(tags) = &raw.tags {
            fields.push(Field {
                name: "tags".into(),
                ty: Type::Map(Box::new(Type::String)),
                doc: "the resource's own tags, name to value".into(),
                default: Value::map::<&str>([]),
                volatile: false,
                by_hand: String::new(),
                live: self.column(tags.live.as_ref(), Some(Decode::Tags)),
                terraform: self.column(tags.terraform.as_ref(), None),
                cloudformation: self.column(tags.cloudformation.as_ref(), Some(Decode::Tags)),
                arm: self.column(tags.arm.as_ref(), None),
                members: Vec::new(),
            });
        }
        fields.extend(self.fields(raw.fields));
        for (name, link) in &raw.links {
            let root = link.from.split('.').next().unwrap_or_default();
            if !fields.iter().any(|f| f.name == root) {
                let near = nearest(root, fields.iter().map(|f| f.name.as_str()));
                self.wrong(
                    &format!("{name} "),
                    format!("link `{name}` comes from field `{root}`, which is not there"),
                    near,
                );
            }
        }
        Kind {
            id: id.as_str().into(),
            file: self.file.into(),
            title: raw.title,
            scope: raw.scope,
            name_template: raw.name.unwrap_or_else(|| raw.id.clone()),
            id_template: raw.id,
            region_path: raw.region.map(|r| self.path(&r)),
            parent: raw.read.parent.map(KindId::from),
            list,
            also,
            batch,
            joins,
            each,
            terraform: raw.code.terraform,
            cloudformation: raw.code.cloudformation,
            arm: raw.code.arm,
            code_names: raw.code.names,
            code_when: raw.code.when,
            fields,
            links: raw
                .links
                .into_iter()
                .map(|(name, l)| {
                    let to = if l.to.is_empty() { vec!["id".into()] } else { l.to };
                    (name, Link { kind: l.kind.into(), from: l.from, to })
                })
                .collect(),
            auxiliary: raw.auxiliary,
        }
    }

    fn list(&mut self, l: RawList) -> ListSpec {
        let mut conditions = |of: &BTreeMap<String, toml::Value>| {
            of.iter().map(|(path, value)| (self.path(path), from_toml(value))).collect()
        };
        let (unless, only) = (conditions(&l.unless), conditions(&l.only));
        ListSpec {
            call: self.call(&l.call, &l.args),
            before: l.before.map(|b| self.call(&b.call, &b.args)),
            items: l.items.map(|p| self.path(&p)),
            scalar: l.scalar,
            decode: self.decode(l.decode.as_ref()),
            absent: l.absent,
            unless,
            only,
            cap: l.cap,
            with: l.with.iter().map(|(name, value)| (name.clone(), from_toml(value))).collect(),
            region: l.region,
        }
    }

    fn join(&mut self, j: RawJoin) -> JoinSpec {
        JoinSpec {
            list: ListSpec {
                call: self.call(&j.call, &j.args),
                before: j.before.map(|b| self.call(&b.call, &b.args)),
                items: j.items.map(|p| self.path(&p)),
                scalar: j.scalar,
                decode: self.decode(j.decode.as_ref()),
                absent: j.absent,
                unless: Vec::new(),
                only: Vec::new(),
                cap: None,
                with: Vec::new(),
                region: None,
            },
            on: self.path(&j.on),
            with: if j.with.contains('{') { Key::Template(j.with) } else { Key::Path(self.path(&j.with)) },
            into: j.into,
            many: j.many,
        }
    }

    fn each(&mut self, e: RawEach) -> EachSpec {
        let (when, only) = match e.when {
            None => (None, Vec::new()),
            Some(RawWhen::Path(path)) => (Some(self.path(&path)), Vec::new()),
            Some(RawWhen::Only(of)) => {
                (None, of.iter().map(|(path, value)| (self.path(path), from_toml(value))).collect())
            }
        };
        EachSpec {
            call: self.call(&e.call, &e.args),
            take: e.take.map_or_else(Path::default, |p| self.path(&p)),
            items: e.items.map(|p| self.path(&p)),
            into: e.into,
            decode: self.decode(e.decode.as_ref()),
            absent: e.absent,
            gone: e.gone,
            when,
            only,
            known: e.known.map(|p| self.path(&p)),
            over: e.over.map(|p| self.path(&p)),
        }
    }

    fn fields(&mut self, table: toml::Table) -> Vec<Field> {
        let mut fields = Vec::new();
        for (name, value) in table {
            let simple =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !simple {
                self.wrong(
                    &name,
                    format!("field `{name}` is not in snake_case"),
                    "use lower-case letters, digits and _",
                );
            }
            if RESERVED.contains(&name.as_str()) {
                self.wrong(
                    &format!("fields.{name}"),
                    format!("`{name}` is there for every resource"),
                    "give the field another name",
                );
            }
            let raw: RawField = match value.try_into() {
                Ok(raw) => raw,
                Err(error) => {
                    self.wrong(&format!(".{name}]"), format!("field `{name}`: {}", error.message()), "");
                    continue;
                }
            };
            let mut ty = match raw.r#type.as_str() {
                "object" => Type::Object(BTreeMap::new()),
                "list(object)" => Type::List(Box::new(Type::Object(BTreeMap::new()))),
                text => text.parse().unwrap_or_else(|message: String| {
                    self.wrong(&format!(".{name}]"), format!("field `{name}`: {message}"), "");
                    Type::Any
                }),
            };
            let members = self.fields(raw.members);
            if !members.is_empty() {
                let object = Type::Object(members.iter().map(|m| (m.name.clone(), m.ty.clone())).collect());
                ty = if matches!(ty, Type::List(_)) { Type::List(Box::new(object)) } else { object };
            }
            let policy = (ty == Type::Policy).then_some(Decode::UrlJson);
            let default = raw.default.map_or(Value::Null, |v| from_toml(&v));
            fields.push(Field {
                live: self.column(raw.live.as_ref(), policy),
                terraform: self.column(raw.terraform.as_ref(), policy),
                cloudformation: self.column(raw.cloudformation.as_ref(), None),
                arm: self.column(raw.arm.as_ref(), None),
                name,
                ty,
                doc: raw.doc.into(),
                default,
                volatile: raw.volatile,
                by_hand: raw.by_hand,
                members,
            });
        }
        fields
    }

    /// Reads a column: text, a table, or a list of either. `decode` applies where none is written.
    fn column(&mut self, value: Option<&toml::Value>, decode: Option<Decode>) -> Column {
        let Some(value) = value else { return Column::default() };
        let one = std::slice::from_ref(value);
        let takes = if let toml::Value::Array(list) = value { list.as_slice() } else { one };
        Column(takes.iter().filter_map(|take| self.take(take, decode)).collect())
    }

    fn take(&mut self, value: &toml::Value, decode: Option<Decode>) -> Option<Take> {
        let raw = match value {
            toml::Value::String(path) => RawTake {
                path: Some(path.clone()),
                from: None,
                by: None,
                via: None,
                when: BTreeMap::new(),
                decode: None,
                equals: None,
                value: None,
            },
            other => match other.clone().try_into::<RawTake>() {
                Ok(raw) => raw,
                Err(error) => {
                    self.wrong(
                        "fields",
                        format!("`{other}`: {}", error.message()),
                        "a column is a path, a table or a list of them",
                    );
                    return None;
                }
            },
        };
        if raw.path.is_none() && raw.value.is_none() {
            self.wrong("fields", format!("`{value}` has neither a path nor a value"), "add path = \"…\"");
        }
        if raw.via.is_some() && (raw.from.is_none() || raw.by.is_none()) {
            self.wrong("fields", format!("`{value}` has a `via` and nothing that refers to it"), "add from and by");
        }
        let rest = Rest {
            from: raw.from,
            by: raw.by,
            via: raw.via,
            when: raw.when,
            equals: raw.equals.map(|v| from_toml(&v)),
            value: raw.value.map(|v| from_toml(&v)),
        };
        Some(Take {
            path: raw.path.map_or_else(Path::default, |p| self.path(&p)),
            decode: self.decode(raw.decode.as_ref()).or(decode),
            rest: (rest != Rest::default()).then(|| Box::new(rest)),
        })
    }
}

/// A TOML value as a document value; instants stay text.
pub(crate) fn from_toml(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(s) => Value::str(s.as_str()),
        toml::Value::Integer(i) => Value::Int(*i),
        toml::Value::Float(f) => Value::Double(*f),
        toml::Value::Boolean(b) => Value::Bool(*b),
        toml::Value::Datetime(t) => Value::str(t.to_string()),
        toml::Value::Array(items) => Value::list(items.iter().map(from_toml)),
        toml::Value::Table(table) => Value::map(table.iter().map(|(k, v)| (k.as_str(), from_toml(v)))),
    }
}

/// `did you mean …` for the nearest name within a third of the word's length; else the choices when few.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let best = names.iter().map(|n| (distance(word, n), *n)).min();
    match best {
        Some((d, name)) if d <= 1 + word.len() / 3 => format!("did you mean `{name}`?"),
        _ if names.len() <= 12 => format!("there is {}", names.join(", ")),
        _ => String::new(),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, cb) in b.iter().enumerate() {
            let above = row[j + 1];
            let cost = diagonal + usize::from(ca != *cb);
            row[j + 1] = cost.min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row.last().copied().unwrap_or_default()
}
