//! The serverless transform's APIs and event sources.

use super::sam::{Making, object};
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
pub(super) fn of_function(code: &Code, names: &HashSet<Arc<str>>, made: &mut Vec<Code>) {
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
            "S3" => permission(code, name, "s3.amazonaws.com", None, span, made),
            "SNS" => {
                let mut s = Making::new(code);
                take(&["FilterPolicy", "FilterPolicyScope", "Region", "RedrivePolicy"], &mut s);
                if let Some(topic) = properties.get("Topic") {
                    s.set("TopicArn", topic.clone());
                }
                s.set("Endpoint", function.clone()).set("Protocol", Val::str("lambda", span));
                made.push(s.build("AWS::SNS::Subscription", name));
                permission(code, name, "sns.amazonaws.com", properties.get("Topic"), span, made);
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
                made.push(r.build("AWS::Events::Rule", name));
                permission(code, name, "events.amazonaws.com", None, span, made);
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
                let (key, own, type_) = match type_ {
                    "Api" => ("RestApiId", "ServerlessRestApi", "AWS::ApiGateway::RestApi"),
                    _ => ("ApiId", "ServerlessHttpApi", "AWS::ApiGatewayV2::Api"),
                };
                // The API that all events without one of their own share; made once, by the first that needs it.
                let first = !names.contains(own) && first_to_share(code, name, type_, key);
                if properties.get(key).is_none() && first {
                    made.push(shared(code, own, type_, span));
                }
                permission(code, name, "apigateway.amazonaws.com", None, span, made);
            }
            "CloudWatchLogs" => {
                let mut f = Making::new(code);
                take(&["FilterPattern"], &mut f);
                if let Some(group) = properties.get("LogGroupName") {
                    f.set("LogGroupName", group.clone());
                }
                f.set("DestinationArn", function.clone());
                made.push(f.build("AWS::Logs::SubscriptionFilter", name));
                permission(code, name, "logs.amazonaws.com", None, span, made);
            }
            _ => {}
        }
    }
}

/// Whether this is the function's first event that uses the shared API of this kind.
fn first_to_share(code: &Code, event: &str, type_: &str, key: &str) -> bool {
    let wanted = if type_.contains("V2") { "HttpApi" } else { "Api" };
    let events = code.attrs.get("Events").and_then(Val::as_map);
    let first = events.into_iter().flatten().find(|(_, e)| {
        e.get("Type").and_then(Val::as_str) == Some(wanted) && e.get("Properties").and_then(|p| p.get(key)).is_none()
    });
    first.is_some_and(|(name, _)| &**name == event)
}

fn shared(code: &Code, name: &str, type_: &str, span: Span) -> Code {
    let mut a = Making::new(code);
    if type_.contains("V2") {
        a.set("ProtocolType", Val::str("HTTP", span));
    }
    let mut api = a.build(type_, "");
    let prefix = code.address.strip_suffix(&*code.name).unwrap_or_default();
    api.address = format!("{prefix}{name}").into();
    api.name = name.into();
    api.depends_on = Vec::new();
    api
}

fn permission(code: &Code, event: &str, service: &str, source: Option<&Val>, span: Span, made: &mut Vec<Code>) {
    let mut p = Making::new(code);
    p.set("Action", Val::str("lambda:InvokeFunction", span))
        .set("Principal", Val::str(service, span))
        .set("FunctionName", Val::reference(code.address.clone(), "", span));
    if let Some(source) = source {
        p.set("SourceArn", source.clone());
    }
    made.push(p.build("AWS::Lambda::Permission", &format!("{event}Permission")));
}
