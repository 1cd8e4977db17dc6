//! The serverless transform's APIs and event sources.

use super::sam::{Globals, Making, object};
use super::sam_policies::{account, sub};
use crate::resource::Code;
use crate::source::Span;
use crate::value::{Data, Members, Val};
use std::collections::HashSet;
use std::sync::Arc;

/// A REST API, its deployment stage, and its domain.
pub(super) fn api(code: Code) -> Vec<Code> {
    let span = code.header;
    let mut a = Making::new(&code);
    a.same(&[
        "Name",
        "Description",
        "FailOnWarnings",
        "BinaryMediaTypes",
        "DisableExecuteApiEndpoint",
        "ApiKeySourceType",
        "Mode",
    ])
    .renamed("DefinitionBody", "Body")
    .renamed("MinimumCompressionSize", "MinimumCompressionSize")
    .tags();
    if let Some(endpoint) = code.attrs.get("EndpointConfiguration") {
        let listed = match &endpoint.data {
            Data::Map(members) => {
                let mut out: Members = (**members).clone();
                if let Some(type_) = out.remove("Type") {
                    out.insert("Types".into(), Val::list(vec![type_], endpoint.span));
                }
                if let Some(ids) = out.remove("VPCEndpointIds") {
                    out.insert("VpcEndpointIds".into(), ids);
                }
                Val::map(out, endpoint.span)
            }
            _ => object([("Types", Val::list(vec![endpoint.clone()], endpoint.span))], endpoint.span),
        };
        a.set("EndpointConfiguration", listed);
    }
    if let Some(policy) = code.attrs.get("Auth").and_then(|auth| auth.get("ResourcePolicy"))
        && let Some(statements) = policy.get("CustomStatements")
    {
        let document =
            object([("Version", Val::str("2012-10-17", policy.span)), ("Statement", statements.clone())], policy.span);
        a.set("Policy", document);
    }
    let mut s = Making::new(&code);
    s.same(&[
        "StageName",
        "AccessLogSetting",
        "MethodSettings",
        "TracingEnabled",
        "CacheClusterEnabled",
        "CacheClusterSize",
        "CanarySetting",
        "Variables",
    ])
    .tags()
    .set("RestApiId", Val::reference(code.address.clone(), "", span));
    let stage = code.attrs.get("StageName").and_then(Val::as_str).unwrap_or_default();
    let suffix = format!("{}Stage", stage.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    let mut made = vec![a.build("AWS::ApiGateway::RestApi", ""), s.build("AWS::ApiGateway::Stage", &suffix)];
    made.extend(domain(&code, "AWS::ApiGateway::DomainName"));
    made
}

/// An HTTP API with its stage and domain.
pub(super) fn http_api(code: Code) -> Vec<Code> {
    let span = code.header;
    let mut a = Making::new(&code);
    a.same(&["Name", "Description", "CorsConfiguration", "DisableExecuteApiEndpoint", "FailOnWarnings", "Tags"])
        .renamed("DefinitionBody", "Body")
        .set("ProtocolType", Val::str("HTTP", span));
    let mut s = Making::new(&code);
    s.same(&["AccessLogSettings", "DefaultRouteSettings", "RouteSettings", "StageVariables", "Tags"])
        .set("ApiId", Val::reference(code.address.clone(), "", span))
        .set("AutoDeploy", Val::bool(true, span));
    let name = code.attrs.get("StageName").cloned().unwrap_or_else(|| Val::str("$default", span));
    let suffix = match name.as_str() {
        Some("$default") | None => "ApiGatewayDefaultStage".to_owned(),
        Some(name) => format!("{}Stage", name.chars().filter(char::is_ascii_alphanumeric).collect::<String>()),
    };
    s.set("StageName", name);
    let mut made = vec![a.build("AWS::ApiGatewayV2::Api", ""), s.build("AWS::ApiGatewayV2::Stage", &suffix)];
    made.extend(domain(&code, "AWS::ApiGatewayV2::DomainName"));
    made
}

fn domain(code: &Code, type_: &str) -> Option<Code> {
    let domain = code.attrs.get("Domain")?;
    let mut d = Making::new(code);
    if let Some(name) = domain.get("DomainName") {
        d.set("DomainName", name.clone());
    }
    let certificate = domain.get("CertificateArn");
    if type_.contains("V2") {
        let mut configuration = Members::new();
        for (from, to) in [
            ("CertificateArn", "CertificateArn"),
            ("EndpointConfiguration", "EndpointType"),
            ("SecurityPolicy", "SecurityPolicy"),
        ] {
            if let Some(val) = domain.get(from) {
                configuration.insert(to.into(), val.clone());
            }
        }
        d.set("DomainNameConfigurations", Val::list(vec![Val::map(configuration, domain.span)], domain.span));
    } else {
        for (key, val) in [("CertificateArn", certificate), ("SecurityPolicy", domain.get("SecurityPolicy"))] {
            if let Some(val) = val {
                d.set(key, val.clone());
            }
        }
    }
    Some(d.build(type_, "DomainName"))
}

/// The permissions, mappings and rules that a function's events stand for.
pub(super) fn of_function(code: &Code, globals: &Globals, names: &HashSet<Arc<str>>, made: &mut Vec<Code>) {
    let Some(events) = code.attrs.get("Events").and_then(Val::as_map) else { return };
    for (name, event) in events {
        let Some(type_) = event.get("Type").and_then(Val::as_str) else { continue };
        let empty = Val::map(Members::new(), event.span);
        let properties = event.get("Properties").unwrap_or(&empty);
        let take = |keys: &[&str], m: &mut Making<'_>| {
            for key in keys {
                if let Some(val) = properties.get(key) {
                    m.set(key, val.clone());
                }
            }
        };
        let span = event.span;
        let function = Val::reference(code.address.clone(), "Arn", span);
        let target = || {
            let id = Val::str(format!("{}{name}LambdaTarget", code.name), span);
            Val::list(vec![object([("Arn", function.clone()), ("Id", id)], span)], span)
        };
        match type_ {
            "S3" => permission(code, name, "s3.amazonaws.com", Some(("SourceAccount", account(span))), span, made),
            "SNS" => {
                let mut s = Making::new(code);
                take(&["FilterPolicy", "FilterPolicyScope", "Region", "RedrivePolicy"], &mut s);
                if let Some(topic) = properties.get("Topic") {
                    s.set("TopicArn", topic.clone());
                }
                s.set("Endpoint", function.clone()).set("Protocol", Val::str("lambda", span));
                made.push(s.build("AWS::SNS::Subscription", name));
                let topic = properties.get("Topic").map(|topic| ("SourceArn", topic.clone()));
                permission(code, name, "sns.amazonaws.com", topic, span, made);
            }
            "SQS" | "Kinesis" | "DynamoDB" | "MSK" | "MQ" | "SelfManagedKafka" | "DocumentDB" => {
                let mut m = Making::new(code);
                take(
                    &[
                        "BatchSize",
                        "Enabled",
                        "StartingPosition",
                        "MaximumBatchingWindowInSeconds",
                        "FilterCriteria",
                        "FunctionResponseTypes",
                        "DestinationConfig",
                        "KmsKeyArn",
                        "SourceAccessConfigurations",
                    ],
                    &mut m,
                );
                for from in ["Queue", "Stream", "Broker", "Cluster"] {
                    if let Some(val) = properties.get(from) {
                        m.set("EventSourceArn", val.clone());
                    }
                }
                m.set("FunctionName", Val::reference(code.address.clone(), "", span));
                made.push(m.build("AWS::Lambda::EventSourceMapping", name));
            }
            "Schedule" | "EventBridgeRule" | "CloudWatchEvent" => {
                let mut r = Making::new(code);
                take(&["Description", "Name", "EventBusName", "State"], &mut r);
                for (from, to) in [("Schedule", "ScheduleExpression"), ("Pattern", "EventPattern")] {
                    if let Some(val) = properties.get(from) {
                        r.set(to, val.clone());
                    }
                }
                r.set("Targets", target());
                let rule = r.build("AWS::Events::Rule", name);
                let source = Val::reference(rule.address.clone(), "Arn", span);
                made.push(rule);
                permission(code, name, "events.amazonaws.com", Some(("SourceArn", source)), span, made);
            }
            "ScheduleV2" => {
                let mut s = Making::new(code);
                take(
                    &["Description", "Name", "State", "ScheduleExpression", "FlexibleTimeWindow", "KmsKeyArn"],
                    &mut s,
                );
                s.set("Target", object([("Arn", function.clone())], span));
                made.push(s.build("AWS::Scheduler::Schedule", name));
            }
            "Api" | "HttpApi" => {
                let (key, own) = match type_ {
                    "Api" => ("RestApiId", IMPLICIT_REST),
                    _ => ("ApiId", IMPLICIT_HTTP),
                };
                let named = properties.get(key);
                // The API that all events without one of their own share.
                if named.is_none() && !names.contains(own) {
                    made.extend(shared(code, own, globals));
                }
                let api = named.cloned().unwrap_or_else(|| Val::reference(beside(code, own), "", span));
                let arn = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*";
                let source = sub(arn, &|name| (name == "Api").then(|| api.clone()), span);
                permission(code, name, "apigateway.amazonaws.com", Some(("SourceArn", source)), span, made);
                if named.is_none()
                    && own == IMPLICIT_REST
                    && let Some(made) = made.last_mut()
                {
                    made.address = format!("{}Prod", made.address).into();
                    made.name = format!("{}Prod", made.name).into();
                }
            }
            "CloudWatchLogs" => {
                let mut f = Making::new(code);
                take(&["FilterPattern"], &mut f);
                let group = properties.get("LogGroupName");
                if let Some(group) = group {
                    f.set("LogGroupName", group.clone());
                }
                f.set("DestinationArn", function.clone());
                made.push(f.build("AWS::Logs::SubscriptionFilter", name));
                let arn = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:${Group}:*";
                let source = sub(arn, &|name| if name == "Group" { group.cloned() } else { None }, span);
                permission(code, name, "logs.amazonaws.com", Some(("SourceArn", source)), span, made);
            }
            _ => {}
        }
    }
}

/// The rules, schedules and roles that a state machine's events stand for.
pub(super) fn of_state_machine(code: &Code, globals: &Globals, names: &HashSet<Arc<str>>, made: &mut Vec<Code>) {
    let Some(events) = code.attrs.get("Events").and_then(Val::as_map) else { return };
    for (name, event) in events {
        let Some(type_) = event.get("Type").and_then(Val::as_str) else { continue };
        let span = event.span;
        let properties = event.get("Properties");
        let machine = Val::reference(code.address.clone(), "", span);
        let (target, keys, service): (_, &[(&str, &str)], _) = match type_ {
            "Schedule" => ("AWS::Events::Rule", &[("Schedule", "ScheduleExpression")], "events.amazonaws.com"),
            "EventBridgeRule" | "CloudWatchEvent" => (
                "AWS::Events::Rule",
                &[("Pattern", "EventPattern"), ("EventBusName", "EventBusName")],
                "events.amazonaws.com",
            ),
            "ScheduleV2" => (
                "AWS::Scheduler::Schedule",
                &[("ScheduleExpression", "ScheduleExpression"), ("KmsKeyArn", "KmsKeyArn")],
                "scheduler.amazonaws.com",
            ),
            "Api" => {
                if properties.and_then(|p| p.get("RestApiId")).is_none() && !names.contains(IMPLICIT_REST) {
                    made.extend(shared(code, IMPLICIT_REST, globals));
                }
                made.push(starter(code, name, "apigateway.amazonaws.com", span));
                continue;
            }
            _ => continue,
        };
        let mut rule = Making::new(code);
        for (from, to) in keys.iter().chain(&[("Description", "Description"), ("Name", "Name"), ("State", "State")]) {
            if let Some(val) = properties.and_then(|p| p.get(from)) {
                rule.set(to, val.clone());
            }
        }
        let role = properties.and_then(|p| p.get("RoleArn")).cloned().unwrap_or_else(|| {
            let role = starter(code, name, service, span);
            let arn = Val::reference(role.address.clone(), "Arn", span);
            made.push(role);
            arn
        });
        let id = Val::str(format!("{}{name}StepFunctionsTarget", code.name), span);
        let goal = [("Arn", machine), ("RoleArn", role)];
        if target == "AWS::Events::Rule" {
            let [arn, role] = goal;
            rule.set("Targets", Val::list(vec![object([arn, ("Id", id), role], span)], span));
        } else {
            rule.set("Target", object(goal, span));
        }
        made.push(rule.build(target, name));
    }
}

/// The role with which a service starts a state machine.
fn starter(code: &Code, event: &str, service: &str, span: Span) -> Code {
    let text = |t: &str| Val::str(t, span);
    let trust = object(
        [
            ("Effect", text("Allow")),
            ("Principal", object([("Service", Val::list(vec![text(service)], span))], span)),
            ("Action", Val::list(vec![text("sts:AssumeRole")], span)),
        ],
        span,
    );
    let start = object(
        [
            ("Effect", text("Allow")),
            ("Action", text("states:StartExecution")),
            ("Resource", Val::reference(code.address.clone(), "", span)),
        ],
        span,
    );
    let document = |statement: Val| {
        object([("Version", Val::str("2012-10-17", span)), ("Statement", Val::list(vec![statement], span))], span)
    };
    let name = Val::str(format!("{}{event}RoleStartExecutionPolicy", code.name), span);
    let mut role = Making::new(code);
    role.set("AssumeRolePolicyDocument", document(trust)).set(
        "Policies",
        Val::list(vec![object([("PolicyName", name), ("PolicyDocument", document(start))], span)], span),
    );
    role.build("AWS::IAM::Role", &format!("{event}Role"))
}

const IMPLICIT_REST: &str = "ServerlessRestApi";
const IMPLICIT_HTTP: &str = "ServerlessHttpApi";

/// The address of a resource that the transform adds beside this one.
fn beside(code: &Code, name: &str) -> String {
    format!("{}{name}", code.address.strip_suffix(&*code.name).unwrap_or_default())
}

/// The API that events without one of their own share, with its stage, as the template's globals say.
fn shared(code: &Code, name: &str, globals: &Globals) -> Vec<Code> {
    let span = code.header;
    let rest = name == IMPLICIT_REST;
    let mut own = code.clone();
    own.address = beside(code, name).into();
    own.name = name.into();
    own.depends_on = Vec::new();
    let stage: Members = if rest { [("StageName".into(), Val::str("Prod", span))].into() } else { Members::new() };
    own.attrs = globals.over(if rest { "Api" } else { "HttpApi" }, &Val::map(stage, span));
    if rest { api(own) } else { http_api(own) }
}

/// The permission to invoke the function, narrowed as the transform narrows it.
fn permission(code: &Code, event: &str, service: &str, source: Option<(&str, Val)>, span: Span, made: &mut Vec<Code>) {
    let mut p = Making::new(code);
    p.set("Action", Val::str("lambda:InvokeFunction", span))
        .set("Principal", Val::str(service, span))
        .set("FunctionName", Val::reference(code.address.clone(), "", span));
    if let Some((key, source)) = source {
        p.set(key, source);
    }
    made.push(p.build("AWS::Lambda::Permission", &format!("{event}Permission")));
}
