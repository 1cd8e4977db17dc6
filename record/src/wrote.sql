-- What scans wrote of findings: a row each time, so that a digest over the rows of a scan is cheap however many findings
-- stay as they are. Additive: made in any record that lacks it. Rows are only ever appended, and stay when a finding is
-- disposed of: they are its place, not its content.
CREATE TABLE IF NOT EXISTS scan_wrote (
  id INTEGER PRIMARY KEY,
  scan INTEGER NOT NULL, key BLOB NOT NULL,
  facts BLOB NOT NULL,              -- SHA-256 over what of the finding only scans write, as it was left; empty for a lane
  steps BLOB NOT NULL               -- SHA-256 over the steps that this scan has given it, or over the lane its score gave it
);

-- Accounts whose paths were written since the last entry on the log, whether a scan read them or not.
CREATE TABLE IF NOT EXISTS path_unsealed (account TEXT PRIMARY KEY) WITHOUT ROWID;
