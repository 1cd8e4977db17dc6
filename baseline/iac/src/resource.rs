//! Resources as code declares them, and everything one reading gives.

use crate::source::{Problem, SourceMap, Span};
use crate::value::{Data, Val};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The language a resource was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Terraform or OpenTofu configuration (`.tf`, `.tf.json`).
    Terraform,
    /// `terraform show -json` of a plan.
    TerraformPlan,
    /// `terraform show -json` of a state, or a state file.
    TerraformState,
    /// AWS CloudFormation (YAML or JSON), including SAM.
    CloudFormation,
    /// Azure Resource Manager templates.
    Arm,
    /// Bicep.
    Bicep,
}

impl Dialect {
    /// The stable name used in every output, and the column of a kind's table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::TerraformPlan => "terraform-plan",
            Self::TerraformState => "terraform-state",
            Self::CloudFormation => "cloudformation",
            Self::Arm => "arm",
            Self::Bicep => "bicep",
        }
    }
}

/// Which instance of a repeated resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Key {
    /// Not repeated.
    #[default]
    None,
    /// By number (`count`, copy loops).
    Index(u64),
    /// By name (`for_each`).
    Name(Arc<str>),
    /// The number or the keys are not known: one symbolic instance stands for all.
    Any,
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Index(i) => write!(f, "[{i}]"),
            Self::Name(name) => write!(f, "[{}]", Json::String(name.to_string())),
            Self::Any => f.write_str("[*]"),
        }
    }
}

/// One module call on the way to a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The full address of the called instance, `module.net["eu"].module.subnets`.
    pub address: Arc<str>,
    /// The source as written.
    pub source: Arc<str>,
    /// The call's block.
    pub span: Span,
    /// Skips at the call: they speak about everything in it.
    pub skips: Arc<[Skip]>,
}

/// The provider a resource is configured with.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The local name, `aws`.
    pub name: Arc<str>,
    /// The alias, or empty.
    pub alias: Arc<str>,
    /// Its configuration (`region`, `default_tags`, …) as far as it is written; an empty map when there is none.
    pub config: Val,
    /// The version that is locked (`4.12.0`) or asked for (`~> 4.0, < 4.20`); empty when nothing says.
    pub version: Arc<str>,
}

impl Provider {
    /// Whether its major version may be below `major`: a lower bound may forbid it, and where nothing says it may.
    pub fn may_be_before(&self, major: u64) -> bool {
        let at_least = |bound: &str| -> Option<u64> {
            let bound = bound.trim();
            if bound.starts_with(['!', '<']) {
                return None;
            }
            let version = bound.trim_start_matches(['=', '>', '~', ' ', 'v']);
            version.split('.').next()?.parse().ok()
        };
        !self.version.split(',').filter_map(at_least).any(|found| found >= major)
    }
}

/// A comment that asks to skip rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Skip {
    /// Whose syntax: `plumb`, `checkov`, `tfsec`, `trivy`, `kics`, `terrascan`, `cfn-lint`, `cfn-nag`.
    pub tool: &'static str,
    /// The rule ids or names as written; empty means all rules.
    pub ids: Vec<Arc<str>>,
    /// The author's reason, or empty.
    pub reason: Arc<str>,
    /// The day (`2030-01-31`) from which it no longer holds, as written.
    pub until: Option<Arc<str>>,
    /// What it is limited to, as written: `name=x,logging.prefix=y` of the resource, or `ws:NAME` for a workspace.
    pub only: Option<Arc<str>>,
    /// The comment.
    pub span: Span,
}

/// One resource (or data source) that code declares.
#[derive(Debug, Clone)]
pub struct Code {
    /// The full address: `module.a["k"].aws_s3_bucket.b[0]`; in templates the logical id.
    pub address: Arc<str>,
    /// The language.
    pub dialect: Dialect,
    /// Whether this reads something that exists (a Terraform data source, a Bicep `existing`) rather than making it.
    pub existing: bool,
    /// The type, `aws_s3_bucket` or `AWS::S3::Bucket`.
    pub type_: Arc<str>,
    /// The name in its module.
    pub name: Arc<str>,
    /// The address of the resource in whose block this one is written: a transform made it of that one under a name of its own, or
    /// it is nested in it.
    pub written: Option<Arc<str>>,
    /// Which instance.
    pub key: Key,
    /// The module calls that lead here, outermost first.
    pub module: Arc<[Call]>,
    /// The root it belongs to: the folder of the root module, or the template's path. Addresses are unique in a root.
    pub root: Arc<str>,
    /// The block's header, for messages.
    pub header: Span,
    /// The whole block.
    pub span: Span,
    /// The attributes: an object. Nested blocks are lists of objects under the block's type.
    pub attrs: Val,
    /// The provider, where the language has one.
    pub provider: Option<Arc<Provider>>,
    /// Addresses named in `depends_on`, as written.
    pub depends_on: Vec<Arc<str>>,
    /// Comments on or in the block that ask to skip rules.
    pub skips: Vec<Skip>,
}

/// Everything one reading gives.
#[derive(Debug, Default)]
pub struct Reading {
    /// The resources, in a stable order.
    pub resources: Vec<Code>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// The files.
    pub sources: SourceMap,
    /// What the code says was called otherwise before.
    pub moves: Vec<Move>,
}

/// A resource, or all of a module, that had another address before: a `moved` block, or `previous_address` of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The root module's folder.
    pub root: Arc<str>,
    /// The whole address before.
    pub from: String,
    /// The whole address now.
    pub to: String,
}

impl Move {
    /// What the resource at an address was called before this move; `None` when it was not part of it.
    pub fn before(&self, address: &str) -> Option<String> {
        let rest = address.strip_prefix(&self.to)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then(|| format!("{}{rest}", self.from))
    }
}

const HIDDEN: &str = "(sensitive)";

/// One JSON object per resource: what was evaluated, what is not known and why, and where every field stands.
pub fn show(reading: &Reading) -> impl Iterator<Item = Json> + '_ {
    reading.resources.iter().map(|code| show_one(code, &reading.sources))
}

fn show_one(code: &Code, sources: &SourceMap) -> Json {
    let mut unknowns = Vec::new();
    let mut fields = Vec::new();
    let mut edges = Vec::new();
    code.attrs.walk("", 0, &mut |path, val| {
        if path.is_empty() {
            return;
        }
        fields.push(json!({ "path": path, "at": sources.place(val.span) }));
        let origin = val.origin();
        if origin != val.span
            && let Some(Json::Object(field)) = fields.last_mut()
        {
            field.insert("origin".into(), json!(sources.place(origin)));
        }
        if val.is_unknown() && !matches!(val.data, Data::Doc(_)) {
            let (kind, detail) = val.gap();
            let expr = if val.sensitive { HIDDEN.to_owned() } else { val.describe() };
            unknowns.push(json!({ "path": path, "reason": kind.name(), "expression": expr, "detail": &*detail }));
        }
    });
    code.attrs.edges(&mut |path, edge, _| {
        edges.push(json!({ "path": path, "to": &*edge.address, "attribute": &*edge.path }));
    });
    let module: Vec<Json> = (code.module.iter())
        .map(|c| json!({ "address": &*c.address, "source": &*c.source, "at": sources.place(c.span) }))
        .collect();
    let skips: Vec<Json> = (code.skips.iter())
        .map(|s| {
            let ids: Vec<&str> = s.ids.iter().map(|i| &**i).collect();
            json!({ "tool": s.tool, "ids": ids, "reason": &*s.reason, "at": sources.place(s.span) })
        })
        .collect();
    json!({
        "address": &*code.address,
        "dialect": code.dialect.name(),
        "type": &*code.type_,
        "name": &*code.name,
        "existing": code.existing,
        "root": &*code.root,
        "module": module,
        "provider": code.provider.as_ref().map(|p| if p.alias.is_empty() { p.name.to_string() } else { format!("{}.{}", p.name, p.alias) }),
        "at": sources.place(code.span),
        "values": plain(&code.attrs),
        "unknown": unknowns,
        "references": edges,
        "fields": fields,
        "skips": skips,
        "depends_on": code.depends_on.iter().map(|d| &**d).collect::<Vec<_>>(),
    })
}

/// The value as a person sees it: sensitive parts hidden, unknown parts as `{"unknown": …}`.
pub fn plain(val: &Val) -> Json {
    if val.sensitive {
        return Json::String(HIDDEN.into());
    }
    match &val.data {
        Data::List(items) | Data::Set(items) => Json::Array(items.iter().map(plain).collect()),
        Data::Map(members) => Json::Object(members.iter().map(|(k, v)| (k.to_string(), plain(v))).collect()),
        Data::Doc(doc) => match &doc.text {
            Some(text) if doc.value.is_known() => Json::String(text.to_string()),
            _ => plain(&doc.value),
        },
        Data::Unknown(_) | Data::Ref(_) | Data::Partial(_) => json!({ "unknown": val.describe() }),
        _ => val.to_json().unwrap_or(Json::Null),
    }
}
