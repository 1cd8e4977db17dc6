"""What can go wrong between a client and AWS, on request."""
import json, socket, threading, time, xml.etree.ElementTree as tree

import botocore.session

KINDS = {"denied", "throttled", "expired", "truncated", "malformed", "page", "slow", "dropped"}
# The services whose errors and answers are XML; of these S3 and EC2 have their own shape of an error.
XML = {"ec2", "s3", "iam", "sts", "sns", "rds", "redshift", "cloudformation", "elasticloadbalancing", "autoscaling", "elasticache", "cloudfront", "route53", "ses"}
CODES = {  # kind -> status and code by shape
    "denied": {"ec2": (403, "UnauthorizedOperation"), "s3": (403, "AccessDenied"), "xml": (403, "AccessDenied"), "json": (400, "AccessDeniedException")},
    "throttled": {"ec2": (503, "RequestLimitExceeded"), "s3": (503, "SlowDown"), "xml": (400, "Throttling"), "json": (400, "ThrottlingException")},
    "expired": {"ec2": (400, "RequestExpired"), "s3": (400, "ExpiredToken"), "xml": (403, "ExpiredToken"), "json": (400, "ExpiredTokenException")},
    "lost": {"ec2": (400, "InvalidNextToken"), "s3": (400, "InvalidArgument"), "xml": (400, "InvalidMarker"), "json": (400, "InvalidNextTokenException")},
}
TOKEN = "plumb-next"
# Signing names that botocore calls otherwise.
NAMES = {"elasticloadbalancing": "elbv2", "monitoring": "cloudwatch", "states": "stepfunctions", "es": "opensearch", "elasticfilesystem": "efs", "tagging": "resourcegroupstaggingapi", "access-analyzer": "accessanalyzer"}

_loader = botocore.session.get_session().get_component("data_loader")
_pages = {}


def paginator(service, op):
    name = NAMES.get(service, service)
    if name not in _pages:
        try:
            _pages[name] = _loader.load_service_model(name, "paginators-1")["pagination"]
        except Exception:
            _pages[name] = {}
    return _pages[name].get(op)


def error(kind, service, op):
    shape = service if service in ("ec2", "s3") else "xml" if service in XML else "json"
    status, code = CODES[kind][shape]
    if shape == "ec2":
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>{kind}</Message></Error></Errors><RequestID>0</RequestID></Response>"
    elif shape == "s3":
        text = f"<Error><Code>{code}</Code><Message>{kind}</Message><RequestId>0</RequestId></Error>"
    elif shape == "xml":
        text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{kind}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    else:
        text = json.dumps({"__type": code, "message": kind})
    return whole(f"{status} X", "text/xml" if shape != "json" else "application/x-amz-json-1.1", text.encode())


def whole(status, kind, data):
    return status, [("Content-Type", kind), ("Content-Length", str(len(data)))], data


def first(value):
    return value[0] if isinstance(value, list) else value


def halved(service, op, answer):
    """The first half of a list answer, with a token for the rest; the answer itself where there is no list."""
    page = paginator(service, op)
    if not page or not answer[0].startswith("200"):
        return answer
    key, token, more = first(page["result_key"]), first(page["output_token"]).split(" ")[0], page.get("more_results")
    if answer[2][:1] == b"{":
        document = json.loads(answer[2])
        items = document.get(key)
        if not isinstance(items, list) or len(items) < 2 or "." in token:
            return answer
        document[key] = items[: len(items) // 2]
        document[token] = TOKEN
        if more:
            document[more] = True
        return whole(answer[0], "application/x-amz-json-1.1", json.dumps(document).encode())
    try:
        document = tree.fromstring(answer[2])
    except tree.ParseError:
        return answer
    local = lambda node: node.tag.rsplit("}", 1)[-1].lower()
    lists = [(parent, node) for parent in document.iter() for node in parent if len(node) > 1 and {local(child) for child in node} in ({"item"}, {"member"})]
    wanted = [pair for pair in lists if local(pair[1]) in (key.lower(), key.lower() + "set", key.lower().rstrip("s") + "set", key.lower().rstrip("s") + "info")] or lists
    if not wanted:
        return answer
    parent, node = wanted[0]
    for child in list(node)[len(node) // 2 :]:
        node.remove(child)
    space = parent.tag.rsplit("}", 1)[0] + "}" if "}" in parent.tag else ""
    named = token[:1].lower() + token[1:] if service == "ec2" else token
    for name, value in ((named, TOKEN), *(((more, "true"),) if more else ())):
        for old in [child for child in parent if local(child) == name.lower()]:
            parent.remove(old)
        tree.SubElement(parent, space + name).text = value
    return whole(answer[0], "text/xml", tree.tostring(document))


class Faults:
    def __init__(self):
        self.lock, self.on = threading.Lock(), []

    def replace(self, faults):
        unknown = {fault["kind"] for fault in faults} - KINDS
        assert not unknown, f"no such faults: {unknown}"
        with self.lock:
            self.on = [{"seen": 0, **fault} for fault in faults]

    def struck(self, account, region, service, op):
        """The fault that this call meets, if any."""
        place = {"account": account, "region": region, "service": service, "operation": op}
        with self.lock:
            for fault in self.on:
                if any(fault.get(name, "*") not in ("*", value) for name, value in place.items()):
                    continue
                fault["seen"] += 1
                if fault["seen"] > fault.get("after", 0) and fault["seen"] % fault.get("every", 1) == 0:
                    return fault
        return None

    def answer(self, environ, body, account, region, service, op, sound):
        fault = self.struck(account, region, service, op)
        kind = fault["kind"] if fault else ""
        if TOKEN in environ.get("QUERY_STRING", "") or TOKEN.encode() in body:
            return error("lost", service, op)
        if kind in ("denied", "throttled", "expired"):
            return error(kind, service, op)
        if kind == "truncated":
            return halved(service, op, sound())
        if kind == "malformed":  # cut in the middle, with a length that agrees
            status, headers, data = sound()
            return whole(status, dict(headers).get("Content-Type", "text/xml"), data[: max(1, len(data) * 2 // 3)])
        if kind == "page":  # what a proxy or a captive portal says
            return whole("200 OK", "text/html", b"<html><head><title>Gateway</title></head><body><h1>Please sign in</h1></body></html>")
        if kind == "slow":
            time.sleep(fault.get("seconds", 1))
        if kind == "dropped":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError("the fault that was asked for")
        return sound()
