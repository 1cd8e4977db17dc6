#!/usr/bin/env python3
"""A loopback AWS for the end-to-end test and the demo recording: moto, and what moto lacks for our purpose.

    serve.py --port 5900 [--regions us-east-1,eu-west-1] [--with-parent]

Beside moto's own answers:
  * only the named regions are enabled, as in an organisation that has closed the others;
  * of the provider's own policies only a dozen well-known ones, so that a recording stays small;
  * `POST /plumb/deny {"account","service","operation"}` refuses a read from then on (`*` for every operation);
  * `POST /plumb/age {"account","user","days"}` makes a user and its access keys older;
  * `POST /plumb/freeze {"on"}` remembers every sound answer from then on, or no longer, so that scans of an organisation
    nobody changes are quick and alike;
  * `POST /plumb/faults {"faults": [{"kind","account","region","service","operation","every","after","seconds"}]}`
    replaces the faults that are on. `kind` is one of `faults.KINDS`, the places default to any, `every` N spares all but
    every Nth call, `after` N spares the first N.
  * changes are told by `cloudtrail:LookupEvents`, each in the region it was made in (global services in us-east-1).
Signatures are not verified: the access key selects the account, as in moto. Listens on 127.0.0.1 only.
"""
import argparse, datetime, io, json, os, re, sys, threading, time, urllib.parse

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

import logging  # noqa: E402
from moto.backends import get_backend  # noqa: E402
from moto.iam import models as iam_models  # noqa: E402
from moto.rds import models as rds_models  # noqa: E402
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app  # noqa: E402
from werkzeug.serving import run_simple  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from faults import Faults  # noqa: E402

KEPT = {"AdministratorAccess", "PowerUserAccess", "IAMFullAccess", "SecurityAudit", "ViewOnlyAccess", "AWSSupportAccess", "AWSCloudShellFullAccess",
        "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "AmazonEC2ReadOnlyAccess", "AmazonSSMManagedInstanceCore", "AWSLambdaBasicExecutionRole"}
iam_models.aws_managed_policies_data = json.dumps({name: policy for name, policy in json.loads(iam_models.aws_managed_policies_data).items() if name in KEPT})

# moto keeps clusters of DocumentDB like those of other engines, but does not make them.
engines = rds_models.ClusterEngine.list_cluster_engines()
rds_models.ClusterEngine.list_cluster_engines = classmethod(lambda _: [*engines, "docdb"])
rds_models.DBCluster.default_allocated_storage = staticmethod(lambda engine, storage_type: 1)

# REST reads that may be denied or answered here: (signing name, method, path pattern, query key) -> operation.
REST = [
    ("s3", "GET", r"^/[^/]+/?$", "policy", "GetBucketPolicy"),
    ("s3", "GET", r"^/[^/]+/?$", "acl", "GetBucketAcl"),
    ("s3", "GET", r"^/[^/]+/?$", "logging", "GetBucketLogging"),
    ("lambda", "GET", r"^/2015-03-31/functions/?$", None, "ListFunctions"),
    ("guardduty", "GET", r"^/detector/?$", None, "ListDetectors"),
    ("guardduty", "GET", r"^/detector/[^/]+/member/?$", None, "ListMembers"),
    ("guardduty", "POST", r"^/detector/[^/]+/findings/?$", None, "ListFindings"),
    ("backup", "GET", r"^/resources/?$", None, "ListProtectedResources"),
    ("access-analyzer", "GET", r"^/analyzer/?$", None, "ListAnalyzers"),
    ("macie2", "GET", r"^/automated-discovery/configuration/?$", None, "GetAutomatedDiscoveryConfiguration"),
    ("account", "POST", r"^/getContactInformation/?$", None, "GetContactInformation"),
    ("appflow", "POST", r"^/list-flows$", None, "ListFlows"),
    ("cloudfront", "GET", r"^/2020-05-31/response-headers-policy$", None, "ListResponseHeadersPolicies"),
    ("codeartifact", "POST", r"^/v1/domains$", None, "ListDomains"),
    ("imagebuilder", "POST", r"^/ListComponents$", None, "ListComponents"),
    ("airflow", "GET", r"^/environments$", None, "ListEnvironments"),
]


def ec2(op, inside):
    return ("ec2", op), ("text/xml", f'<{op}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId>{inside}</{op}Response>')


def none(service, op, member):
    """A list with nothing in it."""
    return (service, op), ("application/x-amz-json-1.1", json.dumps({member: []}))


# Reads moto does not know, answered as AWS answers an account that never touched the setting.
UNTOUCHED = dict([
    none("airflow", "ListEnvironments", "Environments"),
    none("appflow", "ListFlows", "flows"),
    none("cloudtrail", "ListEventDataStores", "EventDataStores"),
    none("codeartifact", "ListDomains", "domains"),
    none("codecommit", "ListRepositories", "repositories"),
    none("globalaccelerator", "ListAccelerators", "Accelerators"),
    none("imagebuilder", "ListComponents", "componentVersionList"),
    none("kendra", "ListIndices", "IndexConfigurationSummaryItems"),
    none("network-firewall", "ListFirewallPolicies", "FirewallPolicies"),
    none("network-firewall", "ListRuleGroups", "RuleGroups"),
    none("redshift-serverless", "ListNamespaces", "namespaces"),
    none("redshift-serverless", "ListWorkgroups", "workgroups"),
    none("sagemaker", "ListFlowDefinitions", "FlowDefinitionSummaries"),
    (("cloudfront", "ListResponseHeadersPolicies"), ("text/xml", "<ResponseHeadersPolicyList><MaxItems>100</MaxItems><Quantity>0</Quantity></ResponseHeadersPolicyList>")),
    (("cloudsearch", "DescribeDomains"), ("text/xml", "<DescribeDomainsResponse><DescribeDomainsResult><DomainStatusList/></DescribeDomainsResult></DescribeDomainsResponse>")),
    ec2("DescribeClientVpnEndpoints", "<clientVpnEndpoint/>"),
    ec2("GetImageBlockPublicAccessState", "<imageBlockPublicAccessState>unblocked</imageBlockPublicAccessState>"),
    ec2("GetSnapshotBlockPublicAccessState", "<state>unblocked</state>"),
    ec2("GetInstanceMetadataDefaults", "<accountLevel/>"),
    ec2("DescribeVpcBlockPublicAccessOptions", "<vpcBlockPublicAccessOptions><internetGatewayBlockMode>off</internetGatewayBlockMode></vpcBlockPublicAccessOptions>"),
    (("iam", "ListOrganizationsFeatures"), ("text/xml", "<ListOrganizationsFeaturesResponse><ListOrganizationsFeaturesResult><EnabledFeatures/></ListOrganizationsFeaturesResult></ListOrganizationsFeaturesResponse>")),
    (("organizations", "ListDelegatedAdministrators"), ("application/x-amz-json-1.1", '{"DelegatedAdministrators": []}')),
    (("ecr-public", "DescribeRepositories"), ("application/x-amz-json-1.1", '{"repositories": []}')),
    (("backup", "ListProtectedResources"), ("application/json", '{"Results": []}')),
    (("access-analyzer", "ListAnalyzers"), ("application/json", '{"analyzers": []}')),
    (("macie2", "GetAutomatedDiscoveryConfiguration"), ("application/json", '{"status": "DISABLED"}')),
    (("guardduty", "ListMembers"), ("application/json", '{"members": []}')),
    (("guardduty", "ListFindings"), ("application/json", '{"findingIds": []}')),
    (("account", "GetContactInformation"), ("application/json", '{"ContactInformation": {"FullName": "Northwind Traders", "CompanyName": "Northwind", "AddressLine1": "1 Harbour Street", "City": "Kiel", "PostalCode": "24103", "CountryCode": "DE", "PhoneNumber": "+4943100000"}}')),
])
denied, regions, changes = set(), [], []
faults, frozen, freezing = Faults(), {}, threading.Event()

# What S3's log calls a change, by method and query key.
S3_CHANGES = {("PUT", "policy"): "PutBucketPolicy", ("DELETE", "policy"): "DeleteBucketPolicy", ("PUT", "acl"): "PutBucketAcl",
              ("PUT", "publicAccessBlock"): "PutBucketPublicAccessBlock", ("PUT", "versioning"): "PutBucketVersioning", ("PUT", ""): "CreateBucket"}
READS = re.compile("^(Get|List|Describe|Head|Lookup|Query|Search|AssumeRole|Batch(Get|Describe))")


def note_change(environ, account, service, region, op):
    if service == "s3" and re.match(r"^/[^/]+/?$", environ["PATH_INFO"]):
        key = (environ.get("QUERY_STRING", "").split("&")[0]).split("=")[0]
        op = S3_CHANGES.get((environ["REQUEST_METHOD"], key), "")
    if op and not READS.match(op):
        now = datetime.datetime.now(datetime.timezone.utc).timestamp()
        place = "us-east-1" if service in ("iam", "organizations", "route53", "cloudfront", "sts") else region
        changes.append((account, place, {"EventId": f"{len(changes):08d}-0000-4000-8000-000000000000", "EventName": op, "ReadOnly": "false", "EventTime": now,
                                         "EventSource": f"{service}.amazonaws.com", "Username": "seed", "Resources": [], "CloudTrailEvent": "{}"}))


def told(account, region, ask):
    first, last = ask.get("StartTime", 0), ask.get("EndTime", 1e12)
    # Seconds are whole in the question.
    found = [e for a, r, e in changes if (a, r) == (account, region) and first <= e["EventTime"] < last + 1]
    begin = int(ask.get("NextToken") or 0)
    page = {"Events": found[begin:begin + 50]}
    return page | ({"NextToken": str(begin + 50)} if begin + 50 < len(found) else {})


def operation(environ, service, body):
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rsplit(".", 1)[-1]
    query = environ.get("QUERY_STRING", "")
    form = urllib.parse.parse_qs(body.decode("utf-8", "replace") if "Action=" in body[:8192].decode("utf-8", "replace") else query, keep_blank_values=True)
    if "Action" in form:
        return form["Action"][0]
    for name, method, path, key, op in REST:
        if name == service and method == environ["REQUEST_METHOD"] and re.match(path, environ["PATH_INFO"]) and (key is None or key in form):
            return op
    return ""


def refusal(service, op):
    message = f"not authorized to perform: {service}:{op}"
    if service in ("ec2", "s3", "iam", "sts", "sns", "rds", "cloudformation", "elasticloadbalancing", "autoscaling"):
        if service == "ec2":
            text = f"<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>{message}</Message></Error></Errors><RequestID>0</RequestID></Response>"
        elif service == "s3":
            text = f"<Error><Code>AccessDenied</Code><Message>{message}</Message><RequestId>0</RequestId></Error>"
        else:
            text = f"<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
        return "403 Forbidden", "text/xml", text
    return "400 Bad Request", "application/x-amz-json-1.1", json.dumps({"__type": "AccessDeniedException", "message": message})


def with_arns(data, account, region):
    """Parameters as AWS lists them: with their ARN, and without what they hold."""
    page = json.loads(data)
    for row in page.get("Parameters", []):
        row.pop("Value", None)
        row["ARN"] = f"arn:aws:ssm:{region}:{account}:parameter/{row['Name'].lstrip('/')}"
    return json.dumps(page)


def region_list():
    items = "".join(f"<item><regionName>{r}</regionName><regionEndpoint>ec2.{r}.amazonaws.com</regionEndpoint><optInStatus>opt-in-not-required</optInStatus></item>" for r in regions)
    return f'<DescribeRegionsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>0</requestId><regionInfo>{items}</regionInfo></DescribeRegionsResponse>'


def chore(path, ask):
    if path == "/plumb/deny":
        denied.add((ask["account"], ask["service"], ask["operation"]))
    elif path == "/plumb/faults":
        faults.replace(ask["faults"])
    elif path == "/plumb/freeze":
        frozen.clear()
        (freezing.set if ask["on"] else freezing.clear)()
    elif path == "/plumb/age":
        user = get_backend("iam")[ask["account"]]["aws"].users[ask["user"]]
        then = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None, microsecond=0) - datetime.timedelta(days=ask["days"])
        user.create_date = then
        for key in user.access_keys:
            key.create_date = then
    else:
        return {"ready": True}
    return {"done": True}


def wrap(inner):
    def sound(environ, body, account, service, region, op):
        """The answer when nothing is wrong: status line, headers, body."""
        key = (account, region, service, environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING"), environ.get("HTTP_X_AMZ_TARGET"), body)
        if key in frozen:
            return frozen[key]

        def made(status, kind, text):
            return status, [("Content-Type", kind), ("Content-Length", str(len(text.encode())))], text.encode()

        if denied & {(account, service, op), (account, service, "*")}:
            answer = made(*refusal(service, op))
        elif (service, op) == ("cloudtrail", "LookupEvents"):
            answer = made("200 OK", "application/x-amz-json-1.1", json.dumps(told(account, region, json.loads(body or b"{}"))))
        elif (service, op) == ("elasticmapreduce", "ListSecurityConfigurations"):
            names = get_backend("emr")[account][region].security_configurations
            answer = made("200 OK", "application/x-amz-json-1.1", json.dumps({"SecurityConfigurations": [{"Name": name} for name in names]}))
        elif (service, op) in UNTOUCHED:
            answer = made("200 OK", *UNTOUCHED[service, op])
        elif service == "ec2" and op == "DescribeRegions" and regions:
            answer = made("200 OK", "text/xml", region_list())
        else:
            head = []
            data = b"".join(inner(environ, lambda status, headers, _=None: head.extend((status, headers))))
            answer = head[0], head[1], data
            if (service, op) == ("ssm", "DescribeParameters"):
                answer = made(head[0], "application/x-amz-json-1.1", with_arns(data, account, region))
        # What starts something says `STARTED` the first time only.
        if freezing.is_set() and not (op and not READS.match(op)):
            frozen[key] = answer
        return answer

    def app(environ, start):
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size) if size else b""
        environ["wsgi.input"] = io.BytesIO(body)
        if environ["PATH_INFO"].startswith("/plumb/"):
            data = json.dumps(chore(environ["PATH_INFO"], json.loads(body or b"{}"))).encode()
            start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(data)))])
            return [data]
        signed = re.search(r"Credential=([^/]+)/\d{8}/([^/]*)/([^/]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", ""))
        if not signed:
            return inner(environ, start)
        account, region, service = iam_models.get_account_id_from(signed[1]), signed[2], signed[3].lower()
        op = operation(environ, service, body)
        note_change(environ, account, service, region, op)
        status, headers, data = faults.answer(environ, body, account, region, service, op, lambda: sound(environ, body, account, service, region, op))
        start(status, headers)
        return [data]

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--regions", default="us-east-1,eu-west-1")
    parser.add_argument("--with-parent", action="store_true", help="end when the process that started this one ends")
    given = parser.parse_args()
    if given.with_parent:
        parent = os.getppid()

        def watch():
            while os.getppid() == parent:
                time.sleep(1)
            os._exit(0)

        threading.Thread(target=watch, daemon=True).start()
    regions = [r for r in given.regions.split(",") if r]
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    run_simple("127.0.0.1", given.port, wrap(DomainDispatcherApplication(create_backend_app)), threaded=True, request_handler=MotoRequestHandler)
