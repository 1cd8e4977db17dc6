-- The record, format 4. `plumb query` reads the views at the end; the tables behind them may change between formats.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE scan (
  id INTEGER PRIMARY KEY,
  started TEXT NOT NULL,
  judged_at TEXT NOT NULL,          -- the instant ages are measured against
  finished TEXT,                    -- null while running or when interrupted
  status TEXT NOT NULL CHECK (status IN ('running', 'complete', 'partial', 'interrupted')),
  scope TEXT NOT NULL,              -- JSON: what was asked for
  rules_digest TEXT NOT NULL,       -- SHA-256 over the rules and parameters used
  inputs_digest TEXT,               -- SHA-256 over the resources judged
  stats TEXT NOT NULL DEFAULT '{}'  -- JSON: calls, throttles, retries, durations
);

-- One list call's worth of work. A finished unit is not read again when a scan is resumed.
CREATE TABLE unit (
  scan INTEGER NOT NULL REFERENCES scan (id),
  account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('complete', 'incomplete')),
  resources INTEGER NOT NULL,
  reason TEXT,                      -- JSON Unknown when incomplete
  PRIMARY KEY (scan, account, region, kind)
) WITHOUT ROWID;

CREATE TABLE account (
  id TEXT PRIMARY KEY,
  provider TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',  -- why it could not be entered
  doc TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;

CREATE TABLE resource (
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
CREATE INDEX resource_first ON resource (first_scan);

-- What a resource was before it changed; `until_scan` is the scan that saw something else.
CREATE TABLE resource_version (
  account TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  from_scan INTEGER NOT NULL, until_scan INTEGER NOT NULL,
  region TEXT NOT NULL, name TEXT NOT NULL,
  doc BLOB NOT NULL,                -- zstd JSON
  PRIMARY KEY (account, kind, id, from_scan)
) WITHOUT ROWID;

-- What was judged: passes are counted here and nowhere else.
CREATE TABLE coverage (
  account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, rule TEXT NOT NULL,
  scan INTEGER NOT NULL,
  pass INTEGER NOT NULL, fail INTEGER NOT NULL, unknown INTEGER NOT NULL, not_applicable INTEGER NOT NULL,
  reasons TEXT NOT NULL DEFAULT '[]', -- JSON: distinct Unknowns, at most a few
  PRIMARY KEY (account, region, kind, rule)
) WITHOUT ROWID;

CREATE TABLE rule (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL, severity TEXT NOT NULL, topic TEXT NOT NULL, kind TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE finding (
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
CREATE UNIQUE INDEX finding_key ON finding (key);
CREATE INDEX finding_page ON finding (state, rank, rule, account, resource, sub_key);
CREATE INDEX finding_account ON finding (account, state, rank, rule, resource, sub_key);

-- How many findings stand how: kept by triggers, so that roll-ups need not read two million rows.
CREATE TABLE finding_count (
  account TEXT NOT NULL, rule TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (account, rule, state, severity)
) WITHOUT ROWID;
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

CREATE TABLE transition (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL,
  at TEXT NOT NULL, event TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL,
  actor TEXT NOT NULL, reason TEXT NOT NULL, scan INTEGER
);
CREATE INDEX transition_key ON transition (key);

-- Everything the govern layer keeps as documents: decisions, ledger entries, campaigns, baselines, cadence.
CREATE TABLE document (
  collection TEXT NOT NULL, id TEXT NOT NULL,
  version INTEGER NOT NULL,
  doc TEXT NOT NULL,
  PRIMARY KEY (collection, id)
) WITHOUT ROWID;

-- The activity log: appended to, never changed.
CREATE TABLE activity (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL);

CREATE VIEW findings AS
SELECT f.short AS id, lower(hex(f.key)) AS key, f.rule, r.title, f.severity_now AS severity, f.severity_open, f.severity_closed,
       f.state, f.account, f.region, f.kind, f.resource, f.name, f.sub_key, f.first_seen,
       CASE WHEN f.unknown_since IS NULL AND f.state NOT IN ('fixed', 'resource-gone')
            THEN coalesce((SELECT s.judged_at FROM coverage c JOIN scan s ON s.id = c.scan
                           WHERE c.account = f.account AND c.region = f.region AND c.kind = f.kind AND c.rule = f.rule), f.last_seen)
            ELSE f.last_seen END AS last_seen,
       f.unknown_since, f.occurrences, r.topic, f.because
FROM finding f LEFT JOIN rule r ON r.id = f.rule;

CREATE VIEW resources AS
SELECT account, region, kind, id, name, doc AS fields,
       (SELECT judged_at FROM scan WHERE id = first_scan) AS first_seen,
       (SELECT judged_at FROM scan WHERE id = seen_scan) AS last_seen,
       misses > 0 AS missing
FROM resource;

CREATE VIEW rollups AS SELECT account, rule, state, severity, n AS findings FROM finding_count WHERE n > 0;

CREATE VIEW coverages AS
SELECT c.account, c.region, c.kind, c.rule, s.judged_at AS at, c.pass, c.fail, c.unknown, c.not_applicable, c.reasons
FROM coverage c JOIN scan s ON s.id = c.scan;

CREATE VIEW accounts AS SELECT id, provider, name, state, reason, doc FROM account;
CREATE VIEW scans AS SELECT id, started, judged_at, finished, status, scope, stats, rules_digest, inputs_digest FROM scan;
CREATE VIEW transitions AS
SELECT t.at, f.short AS finding, t.event, t.from_state, t.to_state, t.actor, t.reason, t.scan
FROM transition t LEFT JOIN finding f ON f.key = t.key;
