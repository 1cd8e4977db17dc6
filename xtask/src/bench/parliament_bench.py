"""Parliament on a folder of policy documents. usage: parliament_bench.py FOLDER CPU_SECONDS"""
import collections
import json
import pathlib
import resource
import sys

import parliament

resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]),) * 2)
found, documents, remarked, broken = collections.Counter(), 0, 0, 0
cases = {}
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    documents += 1
    try:
        analysed = parliament.analyze_policy_string(path.read_text())
    except Exception:  # types of condition keys it has no reading for end it
        broken += 1
        continue
    remarked += bool(analysed.findings)
    for finding in analysed.findings:
        found[finding.issue] += 1
        cases.setdefault(finding.issue, (path.stem, str(finding.detail)[:100]))
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"  Parliament: {documents} documents, {broken} it broke on, {remarked} with remarks: {dict(found)}, {used.ru_utime + used.ru_stime:.1f} s of processor")
for issue, (name, detail) in sorted(cases.items()):
    print(f"    {issue}: {name}: {detail}")
