#!/usr/bin/env python3
"""Makes what twin/cloudformation/*.yaml declares, call by call: twin.py --endpoint URL --out DIR.

Writes DIR/keys.json, DIR/made.jsonl with what each declared resource is called where it was made, and DIR/truth.jsonl as seed.py
does: what the `Metadata` of a bad resource says tells it from the good one of the same name.

The emulator's own CloudFormation leaves out most properties (versioning, public access blocks, policies), so the templates
are not deployed through it. A template's properties are those of the call that makes the resource but for how they are
written: `fit` matches them by the call's own model, and `MAKE` names the calls and what is different.
"""
import argparse, io, json, pathlib, zipfile
import boto3
import yaml
from botocore.config import Config

p = argparse.ArgumentParser()
p.add_argument("--endpoint", required=True)
p.add_argument("--out", required=True)
A = p.parse_args()
CFG = Config(retries={"max_attempts": 0})
REGION, ACCOUNT = "us-east-1", "123456789012"
keys = dict(aws_access_key_id="boot", aws_secret_access_key="boot")
clients = {}


def client(service):
    if service not in clients:
        clients[service] = boto3.client(service, region_name=REGION, endpoint_url=A.endpoint, config=CFG, **keys)
        # S3 Control puts the account before the host's name, which here is a number.
        clients[service].meta.events.register("before-send.s3-control", lambda request, **_: setattr(request, "url", request.url.replace(f"//{ACCOUNT}.", "//")))
    return clients[service]


def plain(name):
    return name.replace("_", "").lower()


def fit(shape, value):
    """A property as the call's model wants it."""
    kind = shape.type_name
    if kind == "structure":
        members = {plain(name): name for name in shape.members}
        if isinstance(value, list) and {"quantity", "items"} <= set(members):
            return {"Quantity": len(value), "Items": fit(shape.members["Items"], value)}
        # Lists have an ending, and switches a beginning, in one place and not in the other.
        likely = lambda name: (name, name + "s", name.removesuffix("s"), name.removeprefix("sse"))
        found = lambda name: next((members[m] for m in likely(plain(name)) if m in members), None)
        unknown = [name for name in value if not found(name)]
        if len(unknown) == 1 and {"quantity", "items"} <= set(members):
            inner = value[unknown[0]]
            value, unknown = without(value, unknown[0]) | {"Quantity": len(inner), "Items": inner}, []
        if unknown:
            raise SystemExit(f"{shape.name} has no {', '.join(unknown)}; it has {', '.join(shape.members)}")
        return {found(name): fit(shape.members[found(name)], inner) for name, inner in value.items()}
    if kind == "list":
        if shape.member.type_name == "structure" and set(shape.member.members) == {"TagKey", "TagValue"}:
            return [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in value]
        return [fit(shape.member, inner) for inner in value]
    if kind == "map":
        pairs = {tag["Key"]: tag["Value"] for tag in value} if isinstance(value, list) else value
        return {name: fit(shape.value, inner) for name, inner in pairs.items()}
    if kind == "string":
        if isinstance(value, bool):
            return str(value).lower()
        return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    return value.encode() if kind == "blob" and isinstance(value, str) else value


def call(service, operation, properties, **more):
    c = client(service)
    shape = c.meta.service_model.operation_model(c.meta.method_to_api_mapping[operation]).input_shape
    return getattr(c, operation)(**(fit(shape, properties) | more))


def without(p, *names):
    return {name: value for name, value in p.items() if name not in names}


def renamed(p, **names):
    return {names.get(name, name): value for name, value in p.items()}


def simple(service, operation, told, **names):
    """One call with the properties; `told` is a property or, from the answer, a path to what the resource is called."""
    def make(p):
        p = renamed(p, **names)
        answer = call(service, operation, p)
        if told in p:
            return p[told], answer
        name = answer
        for step in told.split("."):
            name = name[step]
        return name, answer
    return make


def then(make, *steps):
    """Makes, and sets by further calls what the first one does not take. A step has the property it is about."""
    def whole(p):
        first = make(without(p, *(name for name, _ in steps)))
        for name, step in steps:
            if name in p:
                step(first[0], p[name], p)
        return first
    return whole


def bucket(p):
    s3, name = client("s3"), p["BucketName"]
    # What a bucket that says nothing gets from S3 today.
    owner = p.get("OwnershipControls", {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    s3.create_bucket(Bucket=name)
    s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=owner)
    if "VersioningConfiguration" in p:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=p["VersioningConfiguration"])
    if "PublicAccessBlockConfiguration" in p:
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=p["PublicAccessBlockConfiguration"])
    for rule in p.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", []):
        rule = {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return name, {}


def table(p):
    call("dynamodb", "create_table", without(p, "PointInTimeRecoverySpecification"))
    if "PointInTimeRecoverySpecification" in p:
        client("dynamodb").update_continuous_backups(TableName=p["TableName"], PointInTimeRecoverySpecification=p["PointInTimeRecoverySpecification"])
    return p["TableName"], {}


def stage(p):
    c, ids = client("apigateway"), {"restApiId": p["RestApiId"], "stageName": p["StageName"]}
    call("apigateway", "create_stage", without(p, "AccessLogSetting", "MethodSettings"))
    patches = [("/accessLogSettings/destinationArn", p.get("AccessLogSetting", {}).get("DestinationArn"))]
    names = {"LoggingLevel": "logging/loglevel", "DataTraceEnabled": "logging/dataTrace", "CachingEnabled": "caching/enabled",
             "CacheDataEncrypted": "caching/dataEncrypted", "MetricsEnabled": "metrics/enabled"}
    for method in p.get("MethodSettings", []):
        patches += [(f"/*/*/{path}", method.get(name)) for name, path in names.items()]
    patches = [{"op": "replace", "path": path, "value": str(value).lower() if isinstance(value, bool) else value} for path, value in patches if value is not None]
    if patches:
        c.update_stage(**ids, patchOperations=patches)
    return f"{p['RestApiId']}/stages/{p['StageName']}", {}


def group(p):
    p = p | {name: ",".join(p[name]) for name in ("VPCZoneIdentifier",) if name in p}
    call("autoscaling", "create_auto_scaling_group", p)
    return p["AutoScalingGroupName"], {}


def balancer(p):
    answer = call("elbv2", "create_load_balancer", without(p, "LoadBalancerAttributes"))
    arn = answer["LoadBalancers"][0]["LoadBalancerArn"]
    if "LoadBalancerAttributes" in p:
        call("elbv2", "modify_load_balancer_attributes", {"LoadBalancerArn": arn, "Attributes": p["LoadBalancerAttributes"]})
    return arn, answer


def file_system(p):
    backup = p.get("BackupPolicy", {}).get("Status") == "ENABLED"
    answer = call("efs", "create_file_system", without(p, "FileSystemPolicy", "BackupPolicy"), CreationToken=str(len(made)), Backup=backup)
    ident = answer["FileSystemId"]
    if "FileSystemPolicy" in p:
        client("efs").put_file_system_policy(FileSystemId=ident, Policy=json.dumps(p["FileSystemPolicy"]))
    return ident, answer


def kubernetes(p):
    logs = p.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])
    p = without(p, "Logging")
    types = [t["Type"] for t in logs]
    more = {"logging": {"clusterLogging": [{"types": types, "enabled": True}]}} if types else {}
    return p["Name"], call("eks", "create_cluster", p, **more)


def stream(p):
    call("kinesis", "create_stream", renamed(without(p, "StreamEncryption", "RetentionPeriodHours"), Name="StreamName"))
    if "StreamEncryption" in p:
        call("kinesis", "start_stream_encryption", p["StreamEncryption"] | {"StreamName": p["Name"]})
    return p["Name"], {}


def zone(p):
    answer = call("route53", "create_hosted_zone", without(p, "QueryLoggingConfig"), CallerReference=p["Name"])
    ident = answer["HostedZone"]["Id"].rsplit("/", 1)[-1]
    if "QueryLoggingConfig" in p:
        logs = p["QueryLoggingConfig"]["CloudWatchLogsLogGroupArn"].removesuffix(":*")
        client("logs").create_log_group(logGroupName=logs.rsplit(":", 1)[-1])
        client("route53").create_query_logging_config(HostedZoneId=ident, CloudWatchLogsLogGroupArn=f"{logs}:*")
    return ident, answer


def parameters(service, create, modify, name_key, family_key):
    def make(p):
        names = {"Name": name_key, "Family": family_key} | {name_key: name_key}
        first = without(p, "Parameters")
        call(service, create, renamed(first, **names))
        name = p.get(name_key) or p["Name"]
        given = p.get("Parameters", {})
        pairs = given.items() if isinstance(given, dict) else [(one["ParameterName"], one["ParameterValue"]) for one in given]
        rows = [{"ParameterName": key, "ParameterValue": str(value)} | ({"ApplyMethod": "immediate"} if service != "redshift" else {}) for key, value in pairs]
        if rows:
            call(service, modify, {name_key: name, "Parameters": rows})
        return name, {}
    return make


def iam_group(p):
    client("iam").create_group(GroupName=p["GroupName"])
    for arn in p.get("ManagedPolicyArns", []):
        client("iam").attach_group_policy(GroupName=p["GroupName"], PolicyArn=arn)
    for inline in p.get("Policies", []):
        call("iam", "put_group_policy", inline | {"GroupName": p["GroupName"]})
    return p["GroupName"], {}


def trail(p):
    answer = call("cloudtrail", "create_trail", renamed(without(p, "IsLogging"), TrailName="Name"))
    if p["IsLogging"]:
        client("cloudtrail").start_logging(Name=p["TrailName"])
    return p["TrailName"], answer


def security_group(p):
    c = client("ec2")
    ident = c.create_security_group(GroupName=p["GroupName"], Description=p["GroupDescription"], VpcId=p["VpcId"])["GroupId"]
    for rule in p.get("SecurityGroupIngress", []):
        allowed = {"IpProtocol": rule["IpProtocol"], "FromPort": rule["FromPort"], "ToPort": rule["ToPort"], "IpRanges": [{"CidrIp": rule["CidrIp"]}]}
        c.authorize_security_group_ingress(GroupId=ident, IpPermissions=[allowed])
    return ident, {}


def distribution(p):
    config = p["DistributionConfig"] | {"CallerReference": str(len(made)), "Comment": ""}
    if "Logging" in config:
        config["Logging"] = config["Logging"] | {"Enabled": True}
    answer = call("cloudfront", "create_distribution", {"DistributionConfig": config})
    return answer["Distribution"]["Id"], answer


def lambda_function(p):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("index.py", p["Code"]["ZipFile"])
    return p["FunctionName"], call("lambda", "create_function", without(p, "Code"), Code={"ZipFile": data.getvalue()})


def set_after(service, operation, **names):
    """A step whose property is the argument of a call of its own, beside what `names` takes of the resource."""
    def step(ident, value, p):
        call(service, operation, {mine: p[theirs] for mine, theirs in names.items()} | value)
    return step


MAKE = {
    "AWS::ApiGateway::RestApi": simple("apigateway", "create_rest_api", "id"),
    "AWS::ApiGateway::Method": simple("apigateway", "put_method", "HttpMethod"),
    "AWS::ApiGateway::Integration": simple("apigateway", "put_integration", "HttpMethod"),
    "AWS::ApiGateway::Deployment": simple("apigateway", "create_deployment", "id"),
    "AWS::ApiGateway::Stage": stage,
    "AWS::ApiGateway::DomainName": simple("apigateway", "create_domain_name", "DomainName"),
    "AWS::ApiGatewayV2::Api": simple("apigatewayv2", "create_api", "ApiId"),
    "AWS::ApiGatewayV2::Route": simple("apigatewayv2", "create_route", "RouteId"),
    "AWS::ApiGatewayV2::Stage": simple("apigatewayv2", "create_stage", "StageName"),
    "AWS::AppSync::GraphQLApi": simple("appsync", "create_graphql_api", "graphqlApi.arn"),
    "AWS::Athena::WorkGroup": simple("athena", "create_work_group", "Name", WorkGroupConfiguration="Configuration"),
    "AWS::AutoScaling::AutoScalingGroup": group,
    "AWS::AutoScaling::LaunchConfiguration": simple("autoscaling", "create_launch_configuration", "LaunchConfigurationName"),
    "AWS::Backup::BackupVault": then(
        simple("backup", "create_backup_vault", "BackupVaultName"),
        ("LockConfiguration", lambda name, lock, _: client("backup").put_backup_vault_lock_configuration(BackupVaultName=name, **lock))),
    "AWS::Batch::JobDefinition": simple("batch", "register_job_definition", "jobDefinitionArn"),
    "AWS::Bedrock::Agent": simple("bedrock-agent", "create_agent", "agent.agentId"),
    "AWS::CertificateManager::Certificate": lambda p: simple("acm", "request_certificate", "CertificateArn")(
        without(p, "CertificateTransparencyLoggingPreference") | {"Options": {"CertificateTransparencyLoggingPreference": p["CertificateTransparencyLoggingPreference"]}}),
    "AWS::CloudFront::Distribution": distribution,
    "AWS::CloudTrail::Trail": trail,
    "AWS::CloudWatch::Alarm": simple("cloudwatch", "put_metric_alarm", "AlarmName"),
    "AWS::CodeBuild::Project": simple("codebuild", "create_project", "Name"),
    "AWS::CodePipeline::Pipeline": lambda p: (p["Name"], call("codepipeline", "create_pipeline", {"pipeline": p})),
    "AWS::Cognito::IdentityPool": simple("cognito-identity", "create_identity_pool", "IdentityPoolId"),
    "AWS::Cognito::UserPool": simple("cognito-idp", "create_user_pool", "UserPool.Id", UserPoolName="PoolName"),
    "AWS::Config::ConfigurationAggregator": simple("config", "put_configuration_aggregator", "ConfigurationAggregatorName"),
    "AWS::DAX::Cluster": simple("dax", "create_cluster", "ClusterName", IAMRoleARN="IamRoleArn"),
    "AWS::DMS::Endpoint": simple("dms", "create_endpoint", "EndpointIdentifier"),
    "AWS::DMS::ReplicationInstance": simple("dms", "create_replication_instance", "ReplicationInstance.ReplicationInstanceArn"),
    "AWS::DocDB::DBCluster": lambda p: simple("docdb", "create_db_cluster", "DBClusterIdentifier")(p | {"Engine": "docdb"}),
    "AWS::DocDB::DBClusterParameterGroup": parameters("docdb", "create_db_cluster_parameter_group", "modify_db_cluster_parameter_group", "DBClusterParameterGroupName", "DBParameterGroupFamily"),
    "AWS::DynamoDB::Table": table,
    "AWS::EC2::EIP": simple("ec2", "allocate_address", "AllocationId"),
    "AWS::EC2::LaunchTemplate": simple("ec2", "create_launch_template", "LaunchTemplate.LaunchTemplateId"),
    "AWS::EC2::SecurityGroup": security_group,
    "AWS::EC2::Subnet": simple("ec2", "create_subnet", "Subnet.SubnetId"),
    "AWS::EC2::TransitGateway": lambda p: simple("ec2", "create_transit_gateway", "TransitGateway.TransitGatewayId")({"Options": p}),
    "AWS::EC2::VPC": simple("ec2", "create_vpc", "Vpc.VpcId"),
    "AWS::EC2::VPCEndpoint": simple("ec2", "create_vpc_endpoint", "VpcEndpoint.VpcEndpointId"),
    "AWS::EC2::Volume": simple("ec2", "create_volume", "VolumeId"),
    "AWS::ECR::Repository": simple("ecr", "create_repository", "RepositoryName"),
    "AWS::ECS::Cluster": simple("ecs", "create_cluster", "ClusterName", ClusterSettings="settings"),
    "AWS::ECS::Service": simple("ecs", "create_service", "ServiceName"),
    "AWS::ECS::TaskDefinition": simple("ecs", "register_task_definition", "taskDefinition.taskDefinitionArn"),
    "AWS::EFS::AccessPoint": simple("efs", "create_access_point", "AccessPointId"),
    "AWS::EFS::FileSystem": file_system,
    "AWS::EKS::Cluster": kubernetes,
    "AWS::EKS::Nodegroup": simple("eks", "create_nodegroup", "nodegroup.nodegroupArn"),
    "AWS::ElastiCache::CacheCluster": simple("elasticache", "create_cache_cluster", "CacheClusterId", ClusterName="CacheClusterId"),
    "AWS::ElastiCache::ReplicationGroup": simple("elasticache", "create_replication_group", "ReplicationGroupId"),
    "AWS::ElasticLoadBalancing::LoadBalancer": simple("elb", "create_load_balancer", "LoadBalancerName"),
    "AWS::ElasticLoadBalancingV2::Listener": simple("elbv2", "create_listener", "Port"),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": balancer,
    "AWS::ElasticLoadBalancingV2::TargetGroup": lambda p: (lambda a: (a["TargetGroups"][0]["TargetGroupArn"], a))(call("elbv2", "create_target_group", p)),
    "AWS::EMR::Cluster": lambda p: simple("emr", "run_job_flow", "JobFlowId")(p | {"Instances": p["Instances"] | {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1}}),
    "AWS::FSx::FileSystem": simple("fsx", "create_file_system", "FileSystem.FileSystemId"),
    "AWS::Glue::Crawler": simple("glue", "create_crawler", "Name"),
    "AWS::Glue::DevEndpoint": simple("glue", "create_dev_endpoint", "EndpointName"),
    "AWS::Glue::Job": simple("glue", "create_job", "Name"),
    "AWS::Glue::SecurityConfiguration": simple("glue", "create_security_configuration", "Name", S3Encryptions="S3Encryption"),
    "AWS::IAM::Group": iam_group,
    "AWS::IAM::Role": simple("iam", "create_role", "RoleName"),
    "AWS::Kinesis::Stream": stream,
    "AWS::KinesisFirehose::DeliveryStream": then(
        simple("firehose", "create_delivery_stream", "DeliveryStreamName"),
        ("DeliveryStreamEncryptionConfigurationInput", lambda name, key, _: client("firehose").start_delivery_stream_encryption(
            DeliveryStreamName=name, DeliveryStreamEncryptionConfigurationInput=key))),
    "AWS::KinesisVideo::Stream": simple("kinesisvideo", "create_stream", "StreamARN", Name="StreamName"),
    "AWS::Lambda::Function": lambda_function,
    "AWS::Logs::LogGroup": then(
        simple("logs", "create_log_group", "LogGroupName"),
        ("RetentionInDays", lambda name, days, _: client("logs").put_retention_policy(logGroupName=name, retentionInDays=days))),
    "AWS::MSK::Cluster": simple("kafka", "create_cluster", "ClusterName"),
    "AWS::MemoryDB::Cluster": simple("memorydb", "create_cluster", "ClusterName"),
    "AWS::AmazonMQ::Broker": simple("mq", "create_broker", "BrokerName"),
    "AWS::Neptune::DBCluster": lambda p: simple("neptune", "create_db_cluster", "DBClusterIdentifier", IamAuthEnabled="EnableIAMDatabaseAuthentication")(p | {"Engine": "neptune"}),
    "AWS::NetworkFirewall::Firewall": simple("network-firewall", "create_firewall", "FirewallName"),
    "AWS::NetworkFirewall::LoggingConfiguration": simple("network-firewall", "update_logging_configuration", "FirewallArn"),
    "AWS::OpenSearchService::Domain": simple("opensearch", "create_domain", "DomainName"),
    "AWS::RAM::ResourceShare": simple("ram", "create_resource_share", "resourceShare.resourceShareArn"),
    "AWS::RDS::DBCluster": simple("rds", "create_db_cluster", "DBClusterIdentifier"),
    "AWS::RDS::DBInstance": simple("rds", "create_db_instance", "DBInstanceIdentifier"),
    "AWS::RDS::DBProxy": simple("rds", "create_db_proxy", "DBProxyName"),
    "AWS::RDS::GlobalCluster": simple("rds", "create_global_cluster", "GlobalClusterIdentifier"),
    "AWS::Redshift::Cluster": then(
        simple("redshift", "create_cluster", "ClusterIdentifier"),
        ("LoggingProperties", set_after("redshift", "enable_logging", ClusterIdentifier="ClusterIdentifier"))),
    "AWS::Redshift::ClusterParameterGroup": parameters("redshift", "create_cluster_parameter_group", "modify_cluster_parameter_group", "ParameterGroupName", "ParameterGroupFamily"),
    "AWS::Route53::HostedZone": zone,
    "AWS::S3::AccessPoint": lambda p: (p["Name"], call("s3control", "create_access_point", p | {"AccountId": ACCOUNT})),
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": lambda p: ("", client("s3").put_bucket_policy(Bucket=p["Bucket"], Policy=json.dumps(p["PolicyDocument"]))),
    "AWS::SES::ConfigurationSet": lambda p: (p["Name"], call("sesv2", "create_configuration_set", renamed(p, Name="ConfigurationSetName"))),
    "AWS::SNS::Subscription": simple("sns", "subscribe", "Endpoint"),
    "AWS::SNS::Topic": lambda p: (p["TopicName"], call("sns", "create_topic", {"Name": p["TopicName"], "Attributes": without(p, "TopicName")})),
    "AWS::SQS::Queue": lambda p: (p["QueueName"], call("sqs", "create_queue", {"QueueName": p["QueueName"], "Attributes": without(p, "QueueName")})),
    "AWS::SSM::Document": simple("ssm", "create_document", "Name"),
    "AWS::SageMaker::DataQualityJobDefinition": simple("sagemaker", "create_data_quality_job_definition", "JobDefinitionName"),
    "AWS::SageMaker::Domain": simple("sagemaker", "create_domain", "DomainName"),
    "AWS::SageMaker::EndpointConfig": simple("sagemaker", "create_endpoint_config", "EndpointConfigName"),
    "AWS::SageMaker::Model": simple("sagemaker", "create_model", "ModelName"),
    "AWS::SageMaker::NotebookInstance": simple("sagemaker", "create_notebook_instance", "NotebookInstanceName"),
    "AWS::Scheduler::Schedule": simple("scheduler", "create_schedule", "Name"),
    "AWS::SecretsManager::Secret": simple("secretsmanager", "create_secret", "Name"),
    "AWS::StepFunctions::StateMachine": simple("stepfunctions", "create_state_machine", "stateMachineArn", StateMachineName="name", DefinitionString="definition"),
    "AWS::Transfer::Server": simple("transfer", "create_server", "ServerId"),
    "AWS::WAFv2::WebACL": simple("wafv2", "create_web_acl", "Summary.ARN"),
    "AWS::WAFv2::LoggingConfiguration": lambda p: ("", call("wafv2", "put_logging_configuration", {"LoggingConfiguration": p})),
}


class Tagged(yaml.SafeLoader):
    """Templates, with `!Ref` and `!GetAtt` as the calls they stand for."""


Tagged.add_constructor("!Ref", lambda loader, node: {"Ref": loader.construct_scalar(node)})
Tagged.add_constructor("!GetAtt", lambda loader, node: {"Fn::GetAtt": loader.construct_scalar(node).split(".")})
made = {}


def attribute(answer, name):
    """The member of that name, at any depth."""
    for key, value in answer.items():
        if plain(key) == plain(name) or (isinstance(value, str) and name.endswith("Arn") and value.startswith("arn:")):
            return value
    inner = (attribute(value, name) for value in answer.values() if isinstance(value, dict))
    return next((found for found in inner if found), None)


def resolved(value):
    if isinstance(value, dict) and "Ref" in value:
        return made[value["Ref"]][0]
    if isinstance(value, dict) and "Fn::GetAtt" in value:
        logical, name = value["Fn::GetAtt"]
        return attribute(made[logical][1], name)
    if isinstance(value, dict):
        return {key: resolved(inner) for key, inner in value.items()}
    return [resolved(inner) for inner in value] if isinstance(value, list) else value


def rows(logical, resource):
    """The truth about a resource whose `Metadata` names what it is and, for a bad one, the rules that tell it from a good one."""
    said = resource.get("Metadata", {})
    for rule in said.get("Tells", []):
        full = rule if rule.startswith("aws.") else f"{said['Kind']}.{rule}"
        for name, expect in ((logical.removesuffix("Bad") + "Good", "PASS"), (logical, "FAIL")):
            if name in made:
                yield {"account": ACCOUNT, "kind": said["Kind"], "resource": str(made[name][0]), "rule": full, "expect": expect, "what": name}


out = pathlib.Path(A.out)
folder = pathlib.Path(__file__).parent / "twin/cloudformation"
with (out / "made.jsonl").open("w") as told, (out / "truth.jsonl").open("w") as truth:
    for part in ("storage", "data", "compute", "apps"):
        declared = yaml.load((folder / f"{part}.yaml").read_text(), Tagged)["Resources"]
        for logical, resource in declared.items():
            try:
                made[logical] = MAKE[resource["Type"]](resolved(resource.get("Properties", {})))
            except Exception as error:
                raise SystemExit(f"{part}.yaml: {logical}: {error}") from error
            told.write(json.dumps({"logical": logical, "id": str(made[logical][0])}) + "\n")
        for logical, resource in declared.items():
            truth.writelines(json.dumps(row) + "\n" for row in rows(logical, resource))
(out / "keys.json").write_text(json.dumps({"id": "boot", "secret": "boot"}))
