#!/usr/bin/env python3
"""Makes what twin/stack.yaml declares, call by call: twin.py --endpoint URL --out DIR. Writes DIR/keys.json.

The emulator's own CloudFormation leaves out most properties (versioning, public access blocks, policies), so the template is
not deployed through it.
"""
import argparse, json, pathlib, re
import boto3
import yaml

p = argparse.ArgumentParser()
p.add_argument("--endpoint", required=True)
p.add_argument("--out", required=True)
A = p.parse_args()
keys = dict(aws_access_key_id="boot", aws_secret_access_key="boot")


def client(service):
    return boto3.client(service, region_name="us-east-1", endpoint_url=A.endpoint, **keys)


text = (pathlib.Path(__file__).parent / "twin/stack.yaml").read_text()
stack = yaml.safe_load(re.sub(r"!Ref (\w+)", r"{ Ref: \1 }", text))["Resources"]
s3, sqs, dynamo, ecr, logs = client("s3"), client("sqs"), client("dynamodb"), client("ecr"), client("logs")


def bucket(p):
    name = p["BucketName"]
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


def policy(p):
    name = stack[p["Bucket"]["Ref"]]["Properties"]["BucketName"]
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(p["PolicyDocument"]))


def queue(p):
    sqs.create_queue(QueueName=p["QueueName"], Attributes={"SqsManagedSseEnabled": str(p["SqsManagedSseEnabled"]).lower()})


def table(p):
    more = {"SSESpecification": {"Enabled": True}} if p.get("SSESpecification", {}).get("SSEEnabled") else {}
    dynamo.create_table(
        TableName=p["TableName"], BillingMode=p["BillingMode"], AttributeDefinitions=p["AttributeDefinitions"],
        KeySchema=p["KeySchema"], DeletionProtectionEnabled=p.get("DeletionProtectionEnabled", False), **more)
    if "PointInTimeRecoverySpecification" in p:
        dynamo.update_continuous_backups(TableName=p["TableName"], PointInTimeRecoverySpecification=p["PointInTimeRecoverySpecification"])


def images(p):
    scan = {"scanOnPush": p.get("ImageScanningConfiguration", {}).get("ScanOnPush", False)}
    ecr.create_repository(repositoryName=p["RepositoryName"], imageTagMutability=p["ImageTagMutability"], imageScanningConfiguration=scan)


def group(p):
    logs.create_log_group(logGroupName=p["LogGroupName"])
    if "RetentionInDays" in p:
        logs.put_retention_policy(logGroupName=p["LogGroupName"], retentionInDays=p["RetentionInDays"])


MAKE = {
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": policy,
    "AWS::SQS::Queue": queue,
    "AWS::DynamoDB::Table": table,
    "AWS::ECR::Repository": images,
    "AWS::Logs::LogGroup": group,
    "AWS::SNS::Topic": lambda p: client("sns").create_topic(Name=p["TopicName"]),
    "AWS::Kinesis::Stream": lambda p: client("kinesis").create_stream(StreamName=p["Name"], ShardCount=p["ShardCount"]),
    "AWS::IAM::Role": lambda p: client("iam").create_role(
        RoleName=p["RoleName"], AssumeRolePolicyDocument=json.dumps(p["AssumeRolePolicyDocument"])),
}
for resource in stack.values():
    MAKE[resource["Type"]](resource["Properties"])
(pathlib.Path(A.out) / "keys.json").write_text(json.dumps({"id": "boot", "secret": "boot"}))
