-- From format 3 to 4: findings and resources are tables with row numbers, so that their long keys stand in one index and
-- not in each; a resource's marks stand before its documents.
PRAGMA legacy_alter_table = ON;
CREATE TABLE resource_4 (
  account TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  unit TEXT NOT NULL,               -- the region whose list it was on; `global` for buckets
  region TEXT NOT NULL, name TEXT NOT NULL,
  hash BLOB NOT NULL,
  first_scan INTEGER NOT NULL, changed_scan INTEGER NOT NULL, seen_scan INTEGER NOT NULL,
  misses INTEGER NOT NULL DEFAULT 0, -- complete reads of its unit in which it was not there
  -- The long columns come last: what stands behind them is read through them.
  doc TEXT NOT NULL,                -- JSON of the kind's fields by name
  raw BLOB NOT NULL,                -- zstd JSON: the provider's answers
  PRIMARY KEY (account, kind, id)
);
INSERT INTO resource_4 (account, kind, id, unit, region, name, hash, first_scan, changed_scan, seen_scan, misses, doc, raw)
SELECT account, kind, id, unit, region, name, hash, first_scan, changed_scan, seen_scan, misses, doc, raw FROM resource ORDER BY account, kind, id;
DROP TABLE resource;
ALTER TABLE resource_4 RENAME TO resource;
CREATE TABLE finding_4 (
  account TEXT NOT NULL, kind TEXT NOT NULL, resource TEXT NOT NULL, rule TEXT NOT NULL, sub_key TEXT NOT NULL,
  key BLOB NOT NULL,
  short TEXT NOT NULL,
  region TEXT NOT NULL, name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'triaged', 'in-remediation', 'fixed-claimed', 'retest-pending', 'fixed',
    'exception-requested', 'accepted', 'deferral-requested', 'deferred', 'fp-requested', 'false-positive', 'resource-gone', 'superseded')),
  severity_open TEXT NOT NULL, severity_now TEXT NOT NULL, severity_closed TEXT,
  first_seen TEXT NOT NULL, last_seen TEXT NOT NULL,
  opened_scan INTEGER NOT NULL,
  unknown_since TEXT,               -- set while the finding cannot be judged
  occurrences INTEGER NOT NULL DEFAULT 1,
  because TEXT NOT NULL,            -- JSON list of leaves
  rank INTEGER GENERATED ALWAYS AS  -- worst first
    (CASE severity_now WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END) VIRTUAL,
  PRIMARY KEY (account, kind, resource, rule, sub_key)
);
INSERT INTO finding_4 (account, kind, resource, rule, sub_key, key, short, region, name, state, severity_open, severity_now, severity_closed,
  first_seen, last_seen, opened_scan, unknown_since, occurrences, because)
SELECT account, kind, resource, rule, sub_key, key, short, region, name, state, severity_open, severity_now, severity_closed,
  first_seen, last_seen, opened_scan, unknown_since, occurrences, because FROM finding ORDER BY account, kind, resource, rule, sub_key;
DROP TABLE finding;
ALTER TABLE finding_4 RENAME TO finding;
CREATE INDEX resource_first ON resource (first_scan);
CREATE UNIQUE INDEX finding_key ON finding (key);
CREATE INDEX finding_page ON finding (state, rank, rule, account, resource, sub_key);
CREATE INDEX finding_account ON finding (account, state, rank, rule, resource, sub_key);
CREATE TRIGGER finding_opened AFTER INSERT ON finding BEGIN
  INSERT INTO finding_count VALUES (NEW.account, NEW.rule, NEW.state, NEW.severity_now, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER finding_moved AFTER UPDATE OF state, severity_now ON finding
  WHEN OLD.state <> NEW.state OR OLD.severity_now <> NEW.severity_now BEGIN
  UPDATE finding_count SET n = n - 1
    WHERE account = OLD.account AND rule = OLD.rule AND state = OLD.state AND severity = OLD.severity_now;
  INSERT INTO finding_count VALUES (NEW.account, NEW.rule, NEW.state, NEW.severity_now, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER finding_disposed AFTER DELETE ON finding BEGIN
  UPDATE finding_count SET n = n - 1
    WHERE account = OLD.account AND rule = OLD.rule AND state = OLD.state AND severity = OLD.severity_now;
END;
PRAGMA legacy_alter_table = OFF;
