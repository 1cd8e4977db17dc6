#!/usr/bin/env python3
"""Deploys twin/stack.yaml through CloudFormation: twin.py --endpoint URL --out DIR. Writes DIR/keys.json."""
import argparse, json, pathlib
import boto3

p = argparse.ArgumentParser()
p.add_argument("--endpoint", required=True)
p.add_argument("--out", required=True)
A = p.parse_args()
keys = dict(aws_access_key_id="boot", aws_secret_access_key="boot")
stack = (pathlib.Path(__file__).parent / "twin/stack.yaml").read_text()
cloud = boto3.client("cloudformation", region_name="us-east-1", endpoint_url=A.endpoint, **keys)
cloud.create_stack(StackName="twin", TemplateBody=stack, Capabilities=["CAPABILITY_NAMED_IAM"])
state = cloud.describe_stacks(StackName="twin")["Stacks"][0]["StackStatus"]
assert state == "CREATE_COMPLETE", state
(pathlib.Path(A.out) / "keys.json").write_text(json.dumps({"id": "boot", "secret": "boot"}))
