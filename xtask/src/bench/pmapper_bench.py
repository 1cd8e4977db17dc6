"""PMapper on authorization details, without a cloud: nodes from the file, then its own search for administrators and edges.

usage: pmapper_bench.py FILE CPU_SECONDS
"""
import collections
import collections.abc
import json
import logging
import resource
import sys

# PMapper 1.1.5 was written for Pythons that still had these names.
for name in ("Mapping", "MutableMapping", "Sequence"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))

from principalmapper.common import Node, Policy
from principalmapper.graphing import ec2_edges, gathering, iam_edges, lambda_edges, sts_edges

logging.disable(logging.CRITICAL)
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
details = json.load(open(sys.argv[1]))
managed = {
    p["Arn"]: Policy(p["Arn"], p["PolicyName"], next(v["Document"] for v in p["PolicyVersionList"] if v["IsDefaultVersion"]))
    for p in details["Policies"]
}


def node(entry, ident, inline, trust=None):
    policies = [Policy(entry["Arn"], p["PolicyName"], p["PolicyDocument"]) for p in entry.get(inline, [])]
    policies += [managed[p["PolicyArn"]] for p in entry.get("AttachedManagedPolicies", []) if p["PolicyArn"] in managed]
    return Node(entry["Arn"], entry[ident], policies, [], trust, None, 0, False, False, None, False, {})


nodes = [node(u, "UserId", "UserPolicyList") for u in details["UserDetailList"]]
nodes += [node(r, "RoleId", "RolePolicyList", r["AssumeRolePolicyDocument"]) for r in details["RoleDetailList"]]
gathering.update_admin_status(nodes)
edges = iam_edges.generate_edges_locally(nodes) + sts_edges.generate_edges_locally(nodes)
edges += ec2_edges.generate_edges_locally(nodes) + lambda_edges.generate_edges_locally(nodes, [])
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"  PMapper: {sum(n.is_admin for n in nodes)} administrators, {len(edges)} edges, {used.ru_utime + used.ru_stime:.1f} s of processor")
