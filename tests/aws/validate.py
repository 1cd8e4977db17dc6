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
known = {"2003": "compliance_finding", "2004": "detection_finding", "2008": "iam_analysis_finding"}
files = {number: schemas / f"ocsf/1.6.0_{number}_{name}.schema.json" for number, name in known.items()}
if jsonschema is None or not all(file.exists() for file in files.values()):
    print("skipped: OCSF (no jsonschema package or no ../shared/schemas)")
else:
    validators = {}
    for number, file in files.items():
        document = json.loads(file.read_text())
        validators[int(number)] = jsonschema.validators.validator_for(document)(document)
    for file in sorted(path.name for path in folder.glob("ocsf*.json")):
        rows = json.loads((folder / file).read_text())
        # Every eighth row and all of the first hundred: rows of one rule are alike. All attack paths, which are few.
        sample = rows[:100] + rows[100::8] + [row for row in rows[100:] if row["class_uid"] == 2004]
        for row in sample:
            for error in validators[row["class_uid"]].iter_errors(row):
                wrong += 1
                print("ocsf", list(error.path), error.message[:200])
        paths = sum(row["class_uid"] == 2004 for row in sample)
        print(f"ocsf: {len(sample)} of {len(rows)} rows of {file} held against 1.6.0, {paths} of them attack paths")

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
