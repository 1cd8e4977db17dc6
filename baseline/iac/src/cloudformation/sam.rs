//! The serverless transform, offline: each serverless resource becomes the resources it stands for, under the logical
//! ids the real transform gives them, with the places of the properties they come from.

use super::Reader;
use super::stack::Stack;
use super::{sam_events, sam_policies};
use crate::document::{Data as Tree, Node};
use crate::resource::Code;
use crate::source::Span;
use crate::value::{Data, Members, Val, WhyKind};
use std::collections::HashSet;
use std::sync::Arc;

/// The defaults of a serverless template by resource type (`Function`, `Api` …); an empty map for none.
pub(super) struct Globals(Val);

impl Globals {
    /// A resource's properties over the defaults of its type.
    pub(super) fn over(&self, kind: &str, own: &Val) -> Val {
        self.0.get(kind).map_or_else(|| own.clone(), |defaults| merged(defaults, own))
    }
}

/// The template's globals when it asks for the serverless transform.
pub(super) fn globals(stack: &mut Stack<'_>, reader: &mut Reader<'_>) -> Option<Globals> {
    let root = &stack.doc.root;
    if !asked(root) {
        return None;
    }
    Some(Globals(match root.get("Globals") {
        Some(node) => stack.eval(reader, node).unwrap_or_else(|| Val::null(stack.span(node))),
        None => Val::null(stack.span(root)),
    }))
}

/// Whether the template asks for the serverless transform. One that only has serverless resources means to: without it, it could
/// not be deployed, and whoever sends it may add it.
pub(super) fn asked(root: &Node) -> bool {
    let typed = |n: &Node| n.get("Type").and_then(Node::as_str).is_some_and(|t| t.starts_with("AWS::Serverless::"));
    if root.get("Resources").is_some_and(|all| all.members().iter().any(|m| typed(&m.value))) {
        return true;
    }
    let serverless = |n: &Node| n.as_str().is_some_and(|t| t.starts_with("AWS::Serverless-"));
    match root.get("Transform") {
        Some(node) => serverless(node) || matches!(&node.data, Tree::Seq(items) if items.iter().any(serverless)),
        None => false,
    }
}

/// What a resource stands for; itself when it is no serverless one.
pub(super) fn expand(mut code: Code, globals: &Option<Globals>, names: &HashSet<Arc<str>>) -> Vec<Code> {
    let Some(globals) = globals else { return vec![code] };
    let Some(kind) = code.type_.strip_prefix("AWS::Serverless::").map(str::to_owned) else { return vec![code] };
    code.attrs = globals.over(&kind, &code.attrs);
    match kind.as_str() {
        "Function" => function(code, globals, names),
        "StateMachine" => state_machine(code, globals, names),
        "Api" => sam_events::api(code),
        "HttpApi" => sam_events::http_api(code),
        "SimpleTable" => vec![simple_table(code)],
        "LayerVersion" => vec![layer(code)],
        "Application" => {
            code.type_ = "AWS::CloudFormation::Stack".into();
            vec![code]
        }
        _ => vec![code],
    }
}

/// A resource's own properties over the globals: maps are merged, lists are joined, everything else is replaced.
fn merged(global: &Val, own: &Val) -> Val {
    match (&global.data, &own.data) {
        (Data::Map(global), Data::Map(members)) => {
            let mut out: Members = (**members).clone();
            for (key, default) in global.iter() {
                let val = match members.get(key) {
                    Some(own) => merged(default, own),
                    None => default.clone(),
                };
                out.insert(key.clone(), val);
            }
            Val::map(out, own.span)
        }
        (Data::List(global), Data::List(items)) => {
            Val::list(global.iter().chain(items.iter()).cloned().collect(), own.span)
        }
        _ => own.clone(),
    }
}

/// Properties in the making.
pub(super) struct Making<'c> {
    pub from: &'c Code,
    out: Members,
}

impl<'c> Making<'c> {
    pub(super) fn new(from: &'c Code) -> Self {
        Self { from, out: Members::new() }
    }

    pub(super) fn set(&mut self, key: &str, val: Val) -> &mut Self {
        self.out.insert(key.into(), val);
        self
    }

    /// Copies properties that keep their names.
    pub(super) fn same(&mut self, keys: &[&str]) -> &mut Self {
        for key in keys {
            self.renamed(key, key);
        }
        self
    }

    /// Copies one property under another name.
    pub(super) fn renamed(&mut self, from: &str, to: &str) -> &mut Self {
        if let Some(val) = self.from.attrs.get(from) {
            self.out.insert(to.into(), val.clone());
        }
        self
    }

    /// `Tags` as a list of key and value.
    pub(super) fn tags(&mut self) -> &mut Self {
        if let Some(val) = self.from.attrs.get("Tags") {
            let listed = match &val.data {
                Data::Map(tags) => {
                    let pair = |(k, v): (&Arc<str>, &Val)| {
                        object([("Key", Val::str(k.clone(), v.span)), ("Value", v.clone())], v.span)
                    };
                    Val::list(tags.iter().map(pair).collect(), val.span)
                }
                _ => val.clone(),
            };
            self.set("Tags", listed);
        }
        self
    }

    /// The resource: the serverless resource's own id followed by `suffix`.
    pub(super) fn build(self, type_: &str, suffix: &str) -> Code {
        let mut code = self.from.clone();
        code.type_ = type_.into();
        code.attrs = Val::map(self.out, self.from.attrs.span);
        if !suffix.is_empty() {
            code.written = Some(std::mem::replace(&mut code.address, format!("{}{suffix}", self.from.address).into()));
            code.name = format!("{}{suffix}", code.name).into();
            code.depends_on = Vec::new();
        }
        code
    }
}

pub(super) fn object<const N: usize>(members: [(&str, Val); N], span: Span) -> Val {
    Val::map(members.into_iter().map(|(k, v)| (k.into(), v)).collect(), span)
}

/// A package's location: a local path, an S3 place, or code in the template.
fn code_of(code: &Code) -> Option<Val> {
    let attrs = &code.attrs;
    if let Some(inline) = attrs.get("InlineCode") {
        return Some(object([("ZipFile", inline.clone())], inline.span));
    }
    if let Some(image) = attrs.get("ImageUri") {
        return Some(object([("ImageUri", image.clone())], image.span));
    }
    attrs.get("CodeUri").map(location)
}

fn location(uri: &Val) -> Val {
    match uri.get("Bucket") {
        Some(bucket) => {
            let mut out: Members = [("S3Bucket".into(), bucket.clone())].into();
            for (from, to) in [("Key", "S3Key"), ("Version", "S3ObjectVersion")] {
                if let Some(val) = uri.get(from) {
                    out.insert(to.into(), val.clone());
                }
            }
            Val::map(out, uri.span)
        }
        None => {
            let detail = "packaged and uploaded when the template is deployed";
            object([("S3Key", Val::unknown(WhyKind::Apply, uri.describe(), detail, uri.span))], uri.span)
        }
    }
}

fn function(code: Code, globals: &Globals, names: &HashSet<Arc<str>>) -> Vec<Code> {
    let mut made = Vec::new();
    let span = code.header;
    let mut f = Making::new(&code);
    f.same(&[
        "FunctionName",
        "Handler",
        "Runtime",
        "MemorySize",
        "Timeout",
        "Environment",
        "VpcConfig",
        "Layers",
        "Architectures",
        "EphemeralStorage",
        "FileSystemConfigs",
        "KmsKeyArn",
        "Description",
        "PackageType",
        "ImageConfig",
        "ReservedConcurrentExecutions",
        "SnapStart",
        "CodeSigningConfigArn",
        "LoggingConfig",
        "RecursiveLoop",
        "RuntimeManagementConfig",
        "Role",
    ])
    .tags();
    if let Some(mode) = code.attrs.get("Tracing") {
        f.set("TracingConfig", object([("Mode", mode.clone())], mode.span));
    }
    if let Some(queue) = code.attrs.get("DeadLetterQueue") {
        let target = queue.get("TargetArn").cloned().unwrap_or_else(|| queue.clone());
        f.set("DeadLetterConfig", object([("TargetArn", target)], queue.span));
    }
    if let Some(package) = code_of(&code) {
        f.set("Code", package);
    }
    if code.attrs.get("Role").is_none() {
        f.set("Role", Val::reference(format!("{}Role", code.address), "Arn", span));
        made.push(role(&code, "lambda.amazonaws.com", &["service-role/AWSLambdaBasicExecutionRole"]));
    }
    made.insert(0, f.build("AWS::Lambda::Function", ""));
    if let Some(url) = code.attrs.get("FunctionUrlConfig") {
        let arn = Val::reference(code.address.clone(), "", url.span);
        let mut u = Making::new(&code);
        u.set("TargetFunctionArn", arn.clone());
        for key in ["AuthType", "Cors", "InvokeMode"] {
            if let Some(val) = url.get(key) {
                u.set(key, val.clone());
            }
        }
        made.push(u.build("AWS::Lambda::Url", "Url"));
        if let Some(auth) = url.get("AuthType")
            && auth.as_str() == Some("NONE")
        {
            let mut p = Making::new(&code);
            p.set("Action", Val::str("lambda:InvokeFunctionUrl", auth.span))
                .set("Principal", Val::str("*", auth.span))
                .set("FunctionUrlAuthType", auth.clone())
                .set("FunctionName", arn);
            made.push(p.build("AWS::Lambda::Permission", "UrlPublicPermissions"));
        }
    }
    if let Some(alias) = code.attrs.get("AutoPublishAlias") {
        let mut a = Making::new(&code);
        a.set("Name", alias.clone())
            .set("FunctionName", Val::reference(code.address.clone(), "", alias.span))
            .set("FunctionVersion", Val::unknown(WhyKind::Apply, "version", "published at deployment", alias.span));
        made.push(a.build("AWS::Lambda::Alias", &format!("Alias{}", alias.as_str().unwrap_or_default())));
    }
    sam_events::of_function(&code, globals, names, &mut made);
    made
}

/// The role made for a function or state machine that names none.
fn role(code: &Code, service: &str, managed: &[&str]) -> Code {
    let span = code.header;
    let aws = |name: &str, span: Span| {
        sam_policies::sub(&format!("arn:${{AWS::Partition}}:iam::aws:policy/{name}"), &|_| None, span)
    };
    let statement = object(
        [
            ("Effect", Val::str("Allow", span)),
            ("Principal", object([("Service", Val::list(vec![Val::str(service, span)], span))], span)),
            ("Action", Val::list(vec![Val::str("sts:AssumeRole", span)], span)),
        ],
        span,
    );
    let trust =
        object([("Version", Val::str("2012-10-17", span)), ("Statement", Val::list(vec![statement], span))], span);
    let mut attached: Vec<Val> = managed.iter().map(|name| aws(name, span)).collect();
    let mut inline = Vec::new();
    let own = code.attrs.get("AssumeRolePolicyDocument").cloned();
    let policies = code.attrs.get("Policies");
    let listed: Vec<&Val> = match policies.map(|p| (&p.data, p)) {
        Some((Data::List(items), _)) => items.iter().collect(),
        Some((_, one)) => vec![one],
        None => Vec::new(),
    };
    for (i, policy) in listed.into_iter().enumerate() {
        match (&policy.data, policy.get("Statement")) {
            (Data::Str(name), _) if !name.contains(':') => attached.push(aws(name, policy.span)),
            (Data::Map(_), Some(_)) => {
                let name = Val::str(format!("{}RolePolicy{i}", code.name), policy.span);
                inline.push(object([("PolicyName", name), ("PolicyDocument", policy.clone())], policy.span));
            }
            (Data::Map(template), None) => {
                let Some((name, given)) = template.iter().next() else { continue };
                let document = sam_policies::document(name, given, policy.span).unwrap_or_else(|| {
                    let why = "no policy template of the serverless transform that is known here";
                    Val::unknown(WhyKind::Function, name.clone(), why, policy.span)
                });
                let title = Val::str(format!("{}RolePolicy{i}", code.name), policy.span);
                inline.push(object([("PolicyName", title), ("PolicyDocument", document)], policy.span));
            }
            _ => attached.push(policy.clone()),
        }
    }
    if code.attrs.get("VpcConfig").is_some() && service.starts_with("lambda") {
        attached.push(aws("service-role/AWSLambdaVPCAccessExecutionRole", span));
    }
    if code.attrs.get("Tracing").and_then(Val::as_str) == Some("Active") {
        attached.push(aws("AWSXrayWriteOnlyAccess", span));
    }
    let mut r = Making::new(code);
    r.renamed("PermissionsBoundary", "PermissionsBoundary").renamed("RolePath", "Path").tags();
    r.set("AssumeRolePolicyDocument", own.unwrap_or(trust)).set("ManagedPolicyArns", Val::list(attached, span));
    if !inline.is_empty() {
        r.set("Policies", Val::list(inline, span));
    }
    r.build("AWS::IAM::Role", "Role")
}

fn state_machine(code: Code, globals: &Globals, names: &HashSet<Arc<str>>) -> Vec<Code> {
    let mut made = Vec::new();
    let mut m = Making::new(&code);
    m.same(&["DefinitionString", "DefinitionSubstitutions", "EncryptionConfiguration"])
        .renamed("Definition", "Definition")
        .renamed("Name", "StateMachineName")
        .renamed("Type", "StateMachineType")
        .renamed("Logging", "LoggingConfiguration")
        .renamed("Tracing", "TracingConfiguration")
        .renamed("Role", "RoleArn")
        .tags();
    if let Some(uri) = code.attrs.get("DefinitionUri") {
        m.set("DefinitionS3Location", location(uri));
    }
    if code.attrs.get("Role").is_none() {
        m.set("RoleArn", Val::reference(format!("{}Role", code.address), "Arn", code.header));
        made.push(role(&code, "states.amazonaws.com", &[]));
    }
    made.insert(0, m.build("AWS::StepFunctions::StateMachine", ""));
    sam_events::of_state_machine(&code, globals, names, &mut made);
    made
}

fn simple_table(code: Code) -> Code {
    let span = code.header;
    let key = code.attrs.get("PrimaryKey");
    let name = key.and_then(|k| k.get("Name")).cloned().unwrap_or_else(|| Val::str("id", span));
    let type_ = match key.and_then(|k| k.get("Type")) {
        Some(val) => Val::str(
            match val.as_str() {
                Some("Number") => "N",
                Some("Binary") => "B",
                _ => "S",
            },
            val.span,
        ),
        None => Val::str("S", span),
    };
    let attribute = object([("AttributeName", name.clone()), ("AttributeType", type_)], span);
    let hash = object([("AttributeName", name), ("KeyType", Val::str("HASH", span))], span);
    let mut t = Making::new(&code);
    t.same(&["TableName", "ProvisionedThroughput", "SSESpecification", "PointInTimeRecoverySpecification"])
        .set("AttributeDefinitions", Val::list(vec![attribute], span))
        .set("KeySchema", Val::list(vec![hash], span))
        .tags();
    if code.attrs.get("ProvisionedThroughput").is_none() {
        t.set("BillingMode", Val::str("PAY_PER_REQUEST", span));
    }
    t.build("AWS::DynamoDB::Table", "")
}

fn layer(code: Code) -> Code {
    let mut l = Making::new(&code);
    l.same(&["CompatibleArchitectures", "CompatibleRuntimes", "Description", "LayerName"])
        .renamed("LicenseInfo", "LicenseInfo");
    if code.attrs.get("LayerName").is_none() {
        l.set("LayerName", Val::str(code.name.clone(), code.header));
    }
    if let Some(uri) = code.attrs.get("ContentUri") {
        l.set("Content", location(uri));
    }
    l.build("AWS::Lambda::LayerVersion", "")
}
