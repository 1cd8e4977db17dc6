"""Holds exported files against official schemas. usage: validate.py FOLDER SCHEMAS"""
import json
import pathlib
import sys

folder, schemas = map(pathlib.Path, sys.argv[1:3])
wrong = 0

try:
    import jsonschema
except ImportError:
    jsonschema = None
for file, name in [("ocsf.json", "1.6.0_2003_compliance_finding"), ("ocsf-iam.json", "1.6.0_2008_iam_analysis_finding")]:
    schema = schemas / f"ocsf/{name}.schema.json"
    rows = json.loads((folder / file).read_text())
    if jsonschema is None or not schema.exists():
        print("skipped: OCSF (no jsonschema package or no ../shared/schemas)")
        continue
    document = json.loads(schema.read_text())
    validator = jsonschema.validators.validator_for(document)(document)
    # Every eighth row and all of the first hundred: rows of one rule are alike.
    sample = rows[:100] + rows[100::8]
    for row in sample:
        for error in validator.iter_errors(row):
            wrong += 1
            print("ocsf", list(error.path), error.message[:200])
    print(f"ocsf: {len(sample)} of {len(rows)} rows held against {schema.name}")

import botocore.session
from botocore.validate import ParamValidator

shape = botocore.session.get_session().get_service_model("securityhub").shape_for("AwsSecurityFinding")
rows = json.loads((folder / "asff.json").read_text())
for row in rows:
    report = ParamValidator().validate(row, shape)
    if report.has_errors():
        wrong += 1
        print("asff", report.generate_report()[:200])
print(f"asff: {len(rows)} rows held against Security Hub's service model")
sys.exit(1 if wrong else 0)
