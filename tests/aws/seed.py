#!/usr/bin/env python3
"""Plants "Northwind": three accounts in two regions, good and bad of a service side by side, and the truth about them.

    seed.py --endpoint http://127.0.0.1:5900 --out DIR

Writes DIR/truth.jsonl, one planted thing a line:
  {"expect":"FAIL"|"PASS"|"UNKNOWN","account","kind","resource","rule","what"}
where `resource` is what the canonical id ends in and `rule` the page that must say so, and DIR/keys.json with the
management account's keys.
"""
import argparse, io, json, os, urllib.request, zipfile
import boto3
from botocore.config import Config

p = argparse.ArgumentParser()
p.add_argument("--endpoint", required=True)
p.add_argument("--out", required=True)
A = p.parse_args()
HOME, AWAY = "us-east-1", "eu-west-1"
CFG = Config(retries={"max_attempts": 0}, read_timeout=60)
truth, sessions = [], {}


def post(path, body):
    ask = urllib.request.Request(A.endpoint + path, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
    return urllib.request.urlopen(ask, timeout=60).read()


def client(account, service, region=HOME):
    return boto3.client(service, region_name=region, endpoint_url=A.endpoint, config=CFG, **sessions[account])


def plant(expect, account, kind, resource, rule, what):
    truth.append({"expect": expect, "account": account, "kind": kind, "resource": resource, "rule": rule, "what": what})


def doc(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, action, resource="*", **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, **more}


def package():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as z:
        z.writestr(zipfile.ZipInfo("index.py", (2024, 1, 1, 0, 0, 0)), "def handler(event, context):\n    return 1\n")
    return data.getvalue()


def organisation():
    """The management account, its auditor's keys, and two members with the role an organisation makes."""
    boot = dict(aws_access_key_id="boot", aws_secret_access_key="boot")
    iam = boto3.client("iam", region_name=HOME, endpoint_url=A.endpoint, config=CFG, **boot)
    iam.create_user(UserName="plumb-auditor")
    key = iam.create_access_key(UserName="plumb-auditor")["AccessKey"]
    iam.attach_user_policy(UserName="plumb-auditor", PolicyArn="arn:aws:iam::aws:policy/SecurityAudit")
    keys = dict(aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    org = boto3.client("organizations", region_name=HOME, endpoint_url=A.endpoint, config=CFG, **keys)
    management = org.create_organization(FeatureSet="ALL")["Organization"]["MasterAccountId"]
    root = org.list_roots()["Roots"][0]["Id"]
    prod = org.create_organizational_unit(ParentId=root, Name="Prod")["OrganizationalUnit"]["Id"]
    members = []
    for name in ("prod-web", "dev-sandbox"):
        account = org.create_account(AccountName=name, Email=f"aws+{name}@example.com")["CreateAccountStatus"]["AccountId"]
        members.append(account)
    org.move_account(AccountId=members[0], SourceParentId=root, DestinationParentId=prod)
    sessions[management] = keys
    sts = boto3.client("sts", region_name=HOME, endpoint_url=A.endpoint, config=CFG, **keys)
    for account in members:
        c = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="seed")["Credentials"]
        sessions[account] = dict(aws_access_key_id=c["AccessKeyId"], aws_secret_access_key=c["SecretAccessKey"], aws_session_token=c["SessionToken"])
    return management, members, keys


def identities(a, strict):
    iam = client(a, "iam")
    iam.update_account_password_policy(MinimumPasswordLength=14 if strict else 6, PasswordReusePrevention=24 if strict else 1)
    plant("PASS" if strict else "FAIL", a, "aws.iam.account", "", "aws.iam.account.password-length", "password policy")
    for name, console, mfa, days in (("alice", True, True, 20), ("bob.legacy", True, False, 800), ("ci-deploy", False, False, 400)):
        iam.create_user(UserName=name)
        if console:
            iam.create_login_profile(UserName=name, Password="Zq1!aaaaaaaaaaaaaaa")
        if mfa:
            serial = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]["SerialNumber"]
            iam.enable_mfa_device(UserName=name, SerialNumber=serial, AuthenticationCode1="123456", AuthenticationCode2="654321")
        iam.create_access_key(UserName=name)
        post("/plumb/age", {"account": a, "user": name, "days": days})
        plant("FAIL" if days > 90 else "PASS", a, "aws.iam.user", name, "aws.iam.user.access-key-rotated", f"access key {days} days old")
        if console:
            plant("PASS" if mfa else "FAIL", a, "aws.iam.user", name, "aws.iam.user.console-mfa", "console user")
    iam.put_user_policy(UserName="ci-deploy", PolicyName="all", PolicyDocument=doc({"Effect": "Allow", "Action": "*", "Resource": "*"}))
    plant("FAIL", a, "aws.iam.user", "ci-deploy", "aws.iam.user.inline-no-admin", "inline administrator")
    policies = {"everything": ("*", "*"), "scoped": ("s3:GetObject", "arn:aws:s3:::nw-static/*"), "kms-all": ("kms:*", "*")}
    for name, (action, resource) in policies.items():
        arn = iam.create_policy(PolicyName=name, PolicyDocument=doc({"Effect": "Allow", "Action": action, "Resource": resource}))["Policy"]["Arn"]
        iam.create_role(RoleName=f"uses-{name}", AssumeRolePolicyDocument=doc({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}))
        iam.attach_role_policy(RoleName=f"uses-{name}", PolicyArn=arn)
    plant("FAIL", a, "aws.iam.policy", "policy/everything", "aws.iam.policy.attached-customer-no-admin", "attached administrator policy")
    plant("PASS", a, "aws.iam.policy", "policy/scoped", "aws.iam.policy.attached-customer-no-admin", "scoped policy")
    plant("FAIL", a, "aws.iam.policy", "policy/kms-all", "aws.iam.policy.customer-no-full-kms", "kms:* on everything")
    for name, principal, expect in (("open-to-all", {"AWS": "*"}, "FAIL"), ("own-account", {"AWS": f"arn:aws:iam::{a}:root"}, "PASS")):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=doc({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}))
        plant(expect, a, "aws.iam.role", f"role/{name}", "aws.iam.role.trust-not-public", "trust policy")


def buckets(a):
    s3 = client(a, "s3")
    block = lambda on: {k: on for k in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")}
    for what, public in (("hardened", False), ("policy-public", True), ("acl-public", True), ("logs", False)):
        name = f"nw-{what}-{a}"
        s3.create_bucket(Bucket=name)
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block(not public))
        plant("FAIL" if public else "PASS", a, "aws.s3.bucket", name, "aws.s3.bucket.public-access-blocked", "block public access")
    s3.put_bucket_policy(Bucket=f"nw-policy-public-{a}", Policy=doc(allow("*", "s3:GetObject", f"arn:aws:s3:::nw-policy-public-{a}/*")))
    s3.put_bucket_acl(Bucket=f"nw-acl-public-{a}", ACL="public-read")
    hard = f"nw-hardened-{a}"
    s3.put_bucket_versioning(Bucket=hard, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_policy(Bucket=hard, Policy=doc({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{hard}", f"arn:aws:s3:::{hard}/*"], "Condition": {"Bool": {"aws:SecureTransport": "false"}}}))
    for what in ("policy-public", "acl-public"):
        plant("FAIL", a, "aws.s3.bucket", f"nw-{what}-{a}", "aws.s3.bucket.not-public", what)
    plant("PASS", a, "aws.s3.bucket", hard, "aws.s3.bucket.not-public", "private")
    for rule, other in (("versioning", "logs"), ("tls-required", "policy-public")):
        plant("PASS", a, "aws.s3.bucket", hard, f"aws.s3.bucket.{rule}", rule)
        plant("FAIL", a, "aws.s3.bucket", f"nw-{other}-{a}", f"aws.s3.bucket.{rule}", f"no {rule}")


def network(a, region, logged):
    ec2 = client(a, "ec2", region)
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24", AvailabilityZone=f"{region}a")
    if logged:
        ec2.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3", LogDestination=f"arn:aws:s3:::nw-logs-{a}")
    plant("PASS" if logged else "FAIL", a, "aws.vpc.vpc", vpc, "aws.vpc.vpc.flow-logs", "flow logs")
    for name, port, cidr, rule in (("ssh-open", 22, "0.0.0.0/0", "ssh-closed"), ("ssh-office", 22, "203.0.113.0/24", "ssh-closed"), ("rdp-open", 3389, "0.0.0.0/0", "rdp-closed"), ("mysql-open", 3306, "0.0.0.0/0", "mysql-closed")):
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}])
        plant("FAIL" if cidr == "0.0.0.0/0" else "PASS", a, "aws.ec2.security-group", group, f"aws.ec2.security-group.{rule}", name)
    for encrypted in (True, False):
        volume = ec2.create_volume(AvailabilityZone=f"{region}a", Size=8, Encrypted=encrypted)["VolumeId"]
        plant("PASS" if encrypted else "FAIL", a, "aws.ec2.ebs-volume", volume, "aws.ec2.ebs-volume.encrypted", "volume encryption")


def services(a, region, good):
    kms = client(a, "kms", region)
    for rotate in (True, False):
        key = kms.create_key(Description="demo")["KeyMetadata"]["KeyId"]
        if rotate:
            kms.enable_key_rotation(KeyId=key)
        plant("PASS" if rotate else "FAIL", a, "aws.kms.key", key, "aws.kms.key.rotation", "yearly rotation")
    sqs, sns = client(a, "sqs", region), client(a, "sns", region)
    for name, public in (("jobs", False), ("jobs-open", True)):
        url = sqs.create_queue(QueueName=name, Attributes={"SqsManagedSseEnabled": "false" if public else "true"})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name=name)["TopicArn"]
        if public:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": doc(allow("*", "sqs:*", arn))})
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=doc(allow("*", "sns:Publish", topic)))
        plant("FAIL" if public else "PASS", a, "aws.sqs.queue", arn, "aws.sqs.queue.not-public", "queue policy")
        plant("FAIL" if public else "PASS", a, "aws.sns.topic", topic, "aws.sns.topic.not-public", "topic policy")
    ecr = client(a, "ecr", region)
    for name, fixed in (("web", True), ("scratch", False)):
        ecr.create_repository(repositoryName=name, imageTagMutability="IMMUTABLE" if fixed else "MUTABLE", imageScanningConfiguration={"scanOnPush": fixed})
        plant("PASS" if fixed else "FAIL", a, "aws.ecr.repository", f"repository/{name}", "aws.ecr.repository.tag-immutable", "tag mutability")
    logs = client(a, "logs", region)
    for name, days in (("/app/kept", 365), ("/app/forever", None)):
        logs.create_log_group(logGroupName=name)
        if days:
            logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    client(a, "secretsmanager", region).create_secret(Name="db", SecretString="not-a-secret")
    role = client(a, "iam").get_role(RoleName="uses-scoped")["Role"]["Arn"]
    function = client(a, "lambda", region)
    for name, value in (("clean", "blue"), ("leaky", "AKIA" + "Q3EGRJDEMO7ZXCVB")):
        function.create_function(FunctionName=name, Runtime="python3.12", Role=role, Handler="index.handler", Code={"ZipFile": package()}, Environment={"Variables": {"SETTING": value}})
    plant("FAIL", a, "aws.lambda.function", "function:leaky", "aws.lambda.function.no-secrets-in-env", "access key in the environment")
    plant("PASS", a, "aws.lambda.function", "function:clean", "aws.lambda.function.no-secrets-in-env", "no secret")
    if good:
        client(a, "guardduty", region).create_detector(Enable=True)


def trail(a):
    cloudtrail = client(a, "cloudtrail")
    cloudtrail.create_trail(Name="main", S3BucketName=f"nw-logs-{a}", IsMultiRegionTrail=True, EnableLogFileValidation=True)
    cloudtrail.start_logging(Name="main")
    plant("PASS", a, "aws.cloudtrail.trail", "trail/main", "aws.cloudtrail.trail.log-file-validation", "validation on")
    cloudtrail.create_trail(Name="half", S3BucketName=f"nw-logs-{a}", IsMultiRegionTrail=False, EnableLogFileValidation=False)
    plant("FAIL", a, "aws.cloudtrail.trail", "trail/half", "aws.cloudtrail.trail.log-file-validation", "validation off")


def attack_path(a):
    """A public instance whose role reads customers' data, one beside it that nobody reaches, and an outside account that may administer."""
    ec2, iam, s3 = client(a, "ec2"), client(a, "iam"), client(a, "s3")
    bucket = f"nw-customers-{a}"
    s3.create_bucket(Bucket=bucket)
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={k: True for k in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")})
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "data-class", "Value": "customer-pii"}]})
    plant("PASS", a, "aws.s3.bucket", bucket, "aws.s3.bucket.not-exposed", "blocked")
    plant("FAIL", a, "aws.s3.bucket", f"nw-policy-public-{a}", "aws.s3.bucket.not-exposed", "public through policy")
    iam.create_role(RoleName="web-app", AssumeRolePolicyDocument=doc({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}))
    iam.put_role_policy(RoleName="web-app", PolicyName="read-customers", PolicyDocument=doc({"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}))
    iam.create_instance_profile(InstanceProfileName="web-app")
    iam.add_role_to_instance_profile(InstanceProfileName="web-app", RoleName="web-app")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24", AvailabilityZone=f"{HOME}a")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    for name, cidr, expect in (("web-open", "0.0.0.0/0", "FAIL"), ("web-office", "203.0.113.0/24", "PASS")):
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": cidr}]}])
        place = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True}
        made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, InstanceType="t3.micro", NetworkInterfaces=[place], IamInstanceProfile={"Name": "web-app"})
        plant(expect, a, "aws.ec2.instance", made["Instances"][0]["InstanceId"], "aws.ec2.instance.not-exposed", name)
    plant("FAIL", a, "aws.iam.account", ":root", "aws.iam.account.no-attack-path-to-data", "internet -> web-open -> web-app -> customers' data")
    iam.create_role(RoleName="vendor", AssumeRolePolicyDocument=doc({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::555566667777:root"}, "Action": "sts:AssumeRole"}))
    iam.put_role_policy(RoleName="vendor", PolicyName="all", PolicyDocument=doc({"Effect": "Allow", "Action": "*", "Resource": "*"}))
    plant("FAIL", a, "aws.iam.role", "role/vendor", "aws.iam.role.external-trust-conditioned", "no external id")
    plant("FAIL", a, "aws.iam.role", "role/vendor", "aws.iam.role.not-admin-equivalent", "everything on everything")
    plant("PASS", a, "aws.iam.role", "role/web-app", "aws.iam.role.not-admin-equivalent", "one bucket")
    plant("FAIL", a, "aws.iam.account", ":root", "aws.iam.account.no-attack-path-to-admin", "an outside account -> vendor -> administration")


def platforms(a):
    """Services beside the common ones, a good and a bad of each."""
    role = f"arn:aws:iam::{a}:role/uses-scoped"
    key = client(a, "kms").create_key(Description="platforms")["KeyMetadata"]["Arn"]

    def two(kind, rule, good, bad, ends, what):
        """Makes both; `ends` tells by what was answered what the id ends in."""
        for expect, make in (("PASS", good), ("FAIL", bad)):
            plant(expect, a, kind, ends(make()), f"{kind}.{rule}", what)

    elb = client(a, "elb")
    named = client(a, "acm").request_certificate(DomainName="shop.example.com")["CertificateArn"]
    plant("PASS", a, "aws.acm.certificate", named, "aws.acm.certificate.no-wildcard", "one host")
    for name, certificate in (("shop", named), ("shop-plain", None)):
        listener = {"Protocol": "HTTPS" if certificate else "HTTP", "LoadBalancerPort": 443 if certificate else 80, "InstancePort": 80}
        elb.create_load_balancer(LoadBalancerName=name, AvailabilityZones=[f"{HOME}a", f"{HOME}b"], Listeners=[listener | ({"SSLCertificateId": certificate} if certificate else {})])
        if certificate:
            elb.modify_load_balancer_attributes(LoadBalancerName=name, LoadBalancerAttributes={"CrossZoneLoadBalancing": {"Enabled": True}})
        expect = "PASS" if certificate else "FAIL"
        plant(expect, a, "aws.elb.load-balancer", f"loadbalancer/{name}", "aws.elb.load-balancer.tls-listeners", "listeners")
        plant(expect, a, "aws.elb.load-balancer", f"loadbalancer/{name}", "aws.elb.load-balancer.cross-zone", "attributes")
    athena, cognito, dms, glue = client(a, "athena"), client(a, "cognito-identity"), client(a, "dms"), client(a, "glue")
    encrypted = {"OutputLocation": "s3://nw-results/", "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"}}
    group = lambda name, **more: athena.create_work_group(Name=name, Configuration=more) and f"workgroup/{name}"
    two("aws.athena.workgroup", "results-encrypted", lambda: group("sealed", ResultConfiguration=encrypted), lambda: group("open"), str, "results of queries")
    pool = lambda name, guests: cognito.create_identity_pool(IdentityPoolName=name, AllowUnauthenticatedIdentities=guests)["IdentityPoolId"]
    two("aws.cognito.identity-pool", "no-guest-access", lambda: pool("members", False), lambda: pool("guests", True), str, "guests")
    copier = lambda name, public: dms.create_replication_instance(ReplicationInstanceIdentifier=name, ReplicationInstanceClass="dms.t3.micro", PubliclyAccessible=public)["ReplicationInstance"]["ReplicationInstanceArn"]
    two("aws.dms.replication-instance", "not-public", lambda: copier("inside", False), lambda: copier("outside", True), str, "public address")
    job = lambda name, **more: glue.create_job(Name=name, Role=role, Command={"Name": "glueetl"}, **more) and f"job/{name}"
    two("aws.glue.job", "security-configuration", lambda: job("etl", SecurityConfiguration="all"), lambda: job("etl-plain"), str, "security configuration")
    memory = client(a, "memorydb")
    cache = lambda name, tls: memory.create_cluster(ClusterName=name, NodeType="db.t4g.small", ACLName="open-access", TLSEnabled=tls)["Cluster"]["ARN"]
    two("aws.memorydb.cluster", "tls", lambda: cache("sessions", True), lambda: cache("sessions-plain", False), str, "TLS")
    dax = lambda name, kind: client(a, "dax").create_cluster(ClusterName=name, NodeType="dax.t3.small", ReplicationFactor=1, IamRoleArn=role, ClusterEndpointEncryptionType=kind)["Cluster"]["ClusterArn"]
    two("aws.dynamodb.dax-cluster", "tls", lambda: dax("fast", "TLS"), lambda: dax("fast-plain", "NONE"), str, "TLS")
    transfer = client(a, "transfer")
    server = lambda *protocols: transfer.create_server(Protocols=list(protocols), EndpointType="VPC")["ServerId"]
    two("aws.transfer.server", "no-ftp", lambda: server("SFTP"), lambda: server("SFTP", "FTP"), str, "protocols")
    learn = client(a, "sagemaker")
    notebook = lambda name, state: learn.create_notebook_instance(NotebookInstanceName=name, InstanceType="ml.t3.medium", RoleArn=role, RootAccess=state)["NotebookInstanceArn"]
    two("aws.sagemaker.notebook", "no-root", lambda: notebook("study", "Disabled"), lambda: notebook("study-root", "Enabled"), str, "root")
    video = client(a, "kinesisvideo")
    stream = lambda name, **more: video.create_stream(StreamName=name, **more)["StreamARN"]
    two("aws.kinesisvideo.stream", "encrypted-cmk", lambda: stream("door", KmsKeyId=key), lambda: stream("yard"), str, "key of their own")
    graph = client(a, "appsync")
    for name, tls in (("orders", True), ("orders-plain", False)):
        api = graph.create_graphql_api(name=name, authenticationType="AWS_IAM" if tls else "API_KEY")["graphqlApi"]
        graph.create_api_cache(apiId=api["apiId"], ttl=60, apiCachingBehavior="FULL_REQUEST_CACHING", type="SMALL", atRestEncryptionEnabled=True, transitEncryptionEnabled=tls)
        plant("PASS" if tls else "FAIL", a, "aws.appsync.graphql-api", api["arn"], "aws.appsync.graphql-api.no-api-key-auth", "who may ask")
        plant("PASS" if tls else "FAIL", a, "aws.appsync.cache", f"{api['arn']}/ApiCaches", "aws.appsync.graphql-api.cache-tls", "TLS to the cache")


def remainders(a):
    """What templates cannot say, or only in part: copies, shares, parameters, names."""
    role, region = f"arn:aws:iam::{a}:role/uses-scoped", HOME
    key = client(a, "kms").create_key(Description="remainders")["KeyMetadata"]["Arn"]
    ec2, rds, redshift = client(a, "ec2"), client(a, "rds"), client(a, "redshift")

    def two(kind, rules, good, bad, what):
        """Plants both; what makes one answers what its id ends in."""
        for expect, make in (("PASS", good), ("FAIL", bad)):
            ends = make()
            for rule in rules.split():
                plant(expect, a, kind, ends, f"{kind}.{rule}", what)

    def snapshot(public):
        volume = ec2.create_volume(AvailabilityZone=f"{HOME}a", Size=8, Encrypted=not public)["VolumeId"]
        made = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        if public:
            ec2.modify_snapshot_attribute(SnapshotId=made, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"])
        return made

    def image(public):
        instance = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        made = ec2.create_image(InstanceId=instance, Name=f"image-{public}")["ImageId"]
        ec2.terminate_instances(InstanceIds=[instance])
        if public:
            ec2.modify_image_attribute(ImageId=made, Attribute="launchPermission", OperationType="add", UserGroups=["all"])
        return made

    two("aws.ec2.ebs-snapshot", "encrypted not-public", lambda: snapshot(False), lambda: snapshot(True), "snapshots of volumes")
    two("aws.ec2.image", "not-public", lambda: image(False), lambda: image(True), "images")

    def database(public):
        name = "vault-open" if public else "vault"
        rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", MasterUsername="keeper", MasterUserPassword="not-a-secret", AllocatedStorage=20, StorageEncrypted=not public, PubliclyAccessible=False)
        rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=f"{name}-copy")
        if public:
            rds.modify_db_snapshot_attribute(DBSnapshotIdentifier=f"{name}-copy", AttributeName="restore", ValuesToAdd=["all"])
        return f"snapshot:{name}-copy"

    def cluster(public):
        name = "ledger-open" if public else "ledger"
        rds.create_db_cluster(DBClusterIdentifier=name, Engine="aurora-mysql", MasterUsername="keeper", MasterUserPassword="not-a-secret", StorageEncrypted=not public)
        rds.create_db_cluster_snapshot(DBClusterIdentifier=name, DBClusterSnapshotIdentifier=f"{name}-copy")
        if public:
            rds.modify_db_cluster_snapshot_attribute(DBClusterSnapshotIdentifier=f"{name}-copy", AttributeName="restore", ValuesToAdd=["all"])
        return f"cluster-snapshot:{name}-copy"

    two("aws.rds.snapshot", "encrypted not-public", lambda: database(False), lambda: database(True), "snapshots of databases")
    logging = [{"ParameterName": "log_statement", "ParameterValue": "ddl", "ApplyMethod": "immediate"}, {"ParameterName": "log_min_duration_statement", "ParameterValue": "1000", "ApplyMethod": "immediate"}]

    def telling(tells):
        more = {}
        if tells:
            rds.create_db_parameter_group(DBParameterGroupName="telling", DBParameterGroupFamily="postgres16", Description="logs")
            rds.modify_db_parameter_group(DBParameterGroupName="telling", Parameters=logging)
            more = {"DBParameterGroupName": "telling"}
        name = "told" if tells else "untold"
        rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.t4g.micro", Engine="postgres", MasterUsername="keeper", MasterUserPassword="not-a-secret", AllocatedStorage=20, PubliclyAccessible=False, **more)
        return f"db:{name}"

    def all_telling(tells):
        more = {}
        if tells:
            rds.create_db_cluster_parameter_group(DBClusterParameterGroupName="telling", DBParameterGroupFamily="aurora-postgresql16", Description="logs")
            rds.modify_db_cluster_parameter_group(DBClusterParameterGroupName="telling", Parameters=logging)
            more = {"DBClusterParameterGroupName": "telling"}
        name = "told" if tells else "untold"
        rds.create_db_cluster(DBClusterIdentifier=name, Engine="aurora-postgresql", MasterUsername="keeper", MasterUserPassword="not-a-secret", **(more or {"DBClusterParameterGroupName": "default.aurora-postgresql16"}))
        return f"cluster:{name}"

    two("aws.rds.instance", "postgres-query-logging", lambda: telling(True), lambda: telling(False), "what instances log")
    two("aws.rds.cluster", "postgres-query-logging", lambda: all_telling(True), lambda: all_telling(False), "what clusters log")
    two("aws.rds.cluster-snapshot", "encrypted not-public", lambda: cluster(False), lambda: cluster(True), "snapshots of clusters")

    def graph(name, public):
        rds.create_db_instance(DBInstanceIdentifier=name, DBInstanceClass="db.r6g.large", Engine="neptune", AllocatedStorage=1, PubliclyAccessible=public)
        return f"db:{name}"

    two("aws.neptune.instance", "not-public", lambda: graph("graph", False), lambda: graph("graph-open", True), "instances of Neptune")
    grant = lambda name, **more: redshift.create_snapshot_copy_grant(SnapshotCopyGrantName=name, **more) and f"snapshotcopygrant:{name}"
    two("aws.redshift.snapshot-copy-grant", "encrypted-cmk", lambda: grant("copies", KmsKeyId=key), lambda: grant("copies-plain"), "keys of copied snapshots")
    ssm = client(a, "ssm")
    parameter = lambda name, **more: ssm.put_parameter(Name=name, Value="blue", **more) and f"parameter{name}"
    two("aws.ssm.parameter", "secure", lambda: parameter("/app/colour", Type="SecureString", KeyId=key), lambda: parameter("/app/plain", Type="String"), "parameters")

    def document(name, public):
        content = {"schemaVersion": "2.2", "description": "d", "mainSteps": [{"action": "aws:runShellScript", "name": "a", "inputs": {"runCommand": ["date"]}}]}
        ssm.create_document(Name=name, Content=json.dumps(content), DocumentType="Command")
        if public:
            ssm.modify_document_permission(Name=name, PermissionType="Share", AccountIdsToAdd=["all"])
        return f"document/{name}"

    two("aws.ssm.document", "not-public", lambda: document("restart", False), lambda: document("restart-open", True), "scripts for machines")

    def session(name, kept):
        inputs = {"s3BucketName": "sessions", "s3EncryptionEnabled": True} if kept else {"s3BucketName": "", "s3EncryptionEnabled": False}
        content = {"schemaVersion": "1.0", "description": "d", "sessionType": "Standard_Stream", "inputs": inputs}
        ssm.create_document(Name=name, Content=json.dumps(content), DocumentType="Session", DocumentFormat="JSON")
        return f"document/{name}"

    two("aws.ssm.document", "session-logged", lambda: session("shell", True), lambda: session("shell-unseen", False), "what is done on machines by hand")
    edge = client(a, "wafv2", "us-east-1")
    seen = lambda name: {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
    managed = {"Name": "common", "Priority": 1, "Statement": {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}}, "OverrideAction": {"None": {}}, "VisibilityConfig": seen("common")}
    acl = lambda name, *rules: edge.create_web_acl(Name=name, Scope="CLOUDFRONT", DefaultAction={"Allow": {}}, VisibilityConfig=seen(name), Rules=list(rules))["Summary"]["ARN"]
    two("aws.wafv2.web-acl", "has-rule", lambda: acl("edge", managed), lambda: acl("edge-empty"), "web ACLs of distributions")
    balancer = client(a, "elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.11.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.11.1.0/24", AvailabilityZone=f"{HOME}a")["Subnet"]["SubnetId"]
    front = balancer.create_load_balancer(Name="offer", Type="network", Scheme="internal", Subnets=[subnet])["LoadBalancers"][0]["LoadBalancerArn"]

    def offer(everyone):
        made = ec2.create_vpc_endpoint_service_configuration(AcceptanceRequired=not everyone, NetworkLoadBalancerArns=[front])["ServiceConfiguration"]["ServiceId"]
        ec2.modify_vpc_endpoint_service_permissions(ServiceId=made, AddAllowedPrincipals=["*" if everyone else f"arn:aws:iam::{a}:root"])
        return made

    two("aws.vpc.endpoint-service", "manual-acceptance trusted-principals", lambda: offer(False), lambda: offer(True), "services offered to other networks")

    def peering(whole):
        block = "10.12.0.0/16" if whole else "10.13.0.0/16"
        other = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
        made = ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=other)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=made)
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=block if whole else "10.13.7.0/24", VpcPeeringConnectionId=made)
        return made

    two("aws.vpc.peering", "least-access-routes", lambda: peering(False), lambda: peering(True), "routes into peers")
    memory = client(a, "memorydb")
    copy = lambda name, **more: memory.create_snapshot(ClusterName="sessions", SnapshotName=name, **more) and f"snapshot/{name}"
    two("aws.memorydb.snapshot", "encrypted-cmk", lambda: copy("sealed", KmsKeyId=key), lambda: copy("plain"), "snapshots of MemoryDB")
    recognise = client(a, "comprehend")

    def recogniser(name, **more):
        data = {"EntityTypes": [{"Type": "ORDER"}], "Documents": {"S3Uri": "s3://nw-results/d"}, "Annotations": {"S3Uri": "s3://nw-results/a"}}
        return recognise.create_entity_recognizer(RecognizerName=name, DataAccessRoleArn=role, InputDataConfig=data, LanguageCode="en", **more)["EntityRecognizerArn"]

    two("aws.comprehend.entity-recognizer", "encrypted-cmk volume-cmk", lambda: recogniser("orders", ModelKmsKeyId=key, VolumeKmsKeyId=key), lambda: recogniser("orders-plain"), "keys of models")
    dynamo = client(a, "dynamodb")

    def table(name, scaled):
        dynamo.create_table(TableName=name, AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}], KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}], ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1})
        if scaled:
            client(a, "application-autoscaling").register_scalable_target(ServiceNamespace="dynamodb", ResourceId=f"table/{name}", ScalableDimension="dynamodb:table:ReadCapacityUnits", MinCapacity=1, MaxCapacity=5, RoleARN=role)
        return f"table/{name}"

    two("aws.dynamodb.table", "autoscaling", lambda: table("carts", True), lambda: table("carts-fixed", False), "tables that grow")
    hadoop = client(a, "emr")
    sealed = {"EncryptionConfiguration": {"EnableInTransitEncryption": True, "EnableAtRestEncryption": True,
        "InTransitEncryptionConfiguration": {"TLSCertificateConfiguration": {"CertificateProviderType": "PEM", "S3Object": "s3://nw-results/pem"}},
        "AtRestEncryptionConfiguration": {"S3EncryptionConfiguration": {"EncryptionMode": "SSE-KMS", "AwsKmsKey": key},
            "LocalDiskEncryptionConfiguration": {"EncryptionKeyProviderType": "AwsKms", "AwsKmsKey": key, "EnableEbsEncryption": True}}}}
    settings = lambda name, what: hadoop.create_security_configuration(Name=name, SecurityConfiguration=json.dumps(what)) and f"security-configuration/{name}"
    two("aws.emr.security-configuration", "ebs-volumes encrypted-at-rest encrypted-in-transit local-disks s3-kms", lambda: settings("sealed", sealed),
        lambda: settings("open", {"EncryptionConfiguration": {"EnableInTransitEncryption": False, "EnableAtRestEncryption": False}}), "security configurations")
    stack = lambda name, **more: client(a, "cloudformation").create_stack(StackName=name, TemplateBody=json.dumps({"Resources": {"q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": f"of-{name}"}}}}), **more)["StackId"]
    two("aws.cloudformation.stack", "notifications", lambda: stack("told", NotificationARNs=[f"arn:aws:sns:{region}:{a}:jobs"]), lambda: stack("untold"), "who hears of stacks")


post("/moto-api/seed?a=7", {})  # the same ids every time
management, members, keys = organisation()
for n, account in enumerate([management, *members]):
    identities(account, strict=n == 0)
    buckets(account)
    trail(account)
    for region in (HOME, AWAY):
        network(account, region, logged=n == 0)
        services(account, region, good=n == 0)
attack_path(members[0])
platforms(members[0])
remainders(members[0])
# What the sandbox refuses to show: nothing may be said about it, least of all that it is fine.
sandbox = members[-1]
for service, op, kind, rule in (("s3", "GetBucketPolicy", "aws.s3.bucket", "aws.s3.bucket.tls-required"), ("kms", "GetKeyRotationStatus", "aws.kms.key", "aws.kms.key.rotation")):
    post("/plumb/deny", {"account": sandbox, "service": service, "operation": op})
    for row in truth:
        if row["account"] == sandbox and row["rule"] == rule:
            row.update(expect="UNKNOWN", what=f"{service}:{op} is denied")
post("/plumb/deny", {"account": sandbox, "service": "secretsmanager", "operation": "ListSecrets"})  # not even whether there are any
# A public policy cannot be seen there either; the other way in (the ACL) still can.
for row in truth:
    if row["account"] == sandbox and row["rule"] == "aws.s3.bucket.not-public" and "acl-public" not in row["resource"] and "hardened" not in row["resource"]:
        row.update(expect="UNKNOWN", what="the bucket policy is denied")
os.makedirs(A.out, exist_ok=True)
with open(f"{A.out}/truth.jsonl", "w") as out:
    out.writelines(json.dumps(row, sort_keys=True) + "\n" for row in truth)
with open(f"{A.out}/keys.json", "w") as out:
    json.dump({"id": keys["aws_access_key_id"], "secret": keys["aws_secret_access_key"], "management": management, "members": members}, out)
print(f"{len(truth)} planted in {1 + len(members)} accounts, management {management}")
