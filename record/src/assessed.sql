-- What the assessment says beside findings. Additive: these are made in any record that lacks them.

-- How a resource stands towards the outside. A row begins when a resource is anything but internal and stays for good:
-- its class becomes `internal` when it is closed and `gone` when it is not there any more.
CREATE TABLE IF NOT EXISTS exposure (
  account TEXT NOT NULL, kind TEXT NOT NULL, resource TEXT NOT NULL,
  region TEXT NOT NULL, name TEXT NOT NULL,
  class TEXT NOT NULL CHECK (class IN ('internet', 'internet-authenticated', 'limited', 'cross-account', 'unknown', 'internal', 'gone')),
  at_most TEXT,                     -- the most it could be, when facts are missing
  doc TEXT NOT NULL,                -- JSON: proof, needs, openings, actions, outside_accounts
  first_scan INTEGER NOT NULL,      -- the scan that first saw it exposed or could not tell
  class_scan INTEGER NOT NULL,      -- the scan since which it has this class
  seen_scan INTEGER NOT NULL,       -- the scan that last judged it, while `stale`
  stale INTEGER NOT NULL DEFAULT 0, -- its kind could not be read completely and it was not among what was
  PRIMARY KEY (account, kind, resource)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS exposure_change (
  id INTEGER PRIMARY KEY,
  account TEXT NOT NULL, kind TEXT NOT NULL, resource TEXT NOT NULL,
  scan INTEGER NOT NULL, from_class TEXT NOT NULL, to_class TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS exposure_change_of ON exposure_change (account, kind, resource);

-- Attack paths that are one problem.
CREATE TABLE IF NOT EXISTS path (
  account TEXT NOT NULL, family TEXT NOT NULL,
  title TEXT NOT NULL, severity TEXT NOT NULL, certain INTEGER NOT NULL,
  doc TEXT NOT NULL,                -- JSON: path, steps, goals, paths
  first_scan INTEGER NOT NULL, seen_scan INTEGER NOT NULL,
  gone_scan INTEGER,                -- the complete scan that did not find it any more
  PRIMARY KEY (account, family)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS path_cut (
  account TEXT NOT NULL, rank INTEGER NOT NULL,
  from_node TEXT NOT NULL, to_node TEXT NOT NULL, kind TEXT NOT NULL,
  kills INTEGER NOT NULL, total INTEGER NOT NULL,
  because TEXT NOT NULL,            -- JSON: what to change
  PRIMARY KEY (account, rank)
) WITHOUT ROWID;

-- What of an account's graph matters to others, with its own paths; zstd of JSON. `joined` are the paths over accounts that end
-- in it, as the last scan put the borders together.
CREATE TABLE IF NOT EXISTS border (
  account TEXT PRIMARY KEY, scan INTEGER NOT NULL, doc BLOB NOT NULL, joined BLOB
) WITHOUT ROWID;

-- When an account was last assessed.
CREATE TABLE IF NOT EXISTS assessed (account TEXT PRIMARY KEY, scan INTEGER NOT NULL, limits TEXT NOT NULL) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS exposures AS
SELECT e.account, e.region, e.kind, e.resource, e.name, e.class, e.at_most,
       (SELECT judged_at FROM scan WHERE id = e.first_scan) AS first_seen,
       (SELECT judged_at FROM scan WHERE id = e.class_scan) AS since,
       (SELECT judged_at FROM scan WHERE id = CASE WHEN e.stale OR e.class = 'gone' THEN e.seen_scan ELSE coalesce(a.scan, e.seen_scan) END) AS last_seen,
       e.stale, e.doc ->> 'proof' AS proof, e.doc ->> 'needs' AS needs, e.doc ->> 'openings' AS openings,
       e.doc ->> 'actions' AS actions, e.doc ->> 'outside_accounts' AS outside_accounts
FROM exposure e LEFT JOIN assessed a ON a.account = e.account;

CREATE VIEW IF NOT EXISTS exposure_changes AS
SELECT s.judged_at AS at, c.account, c.kind, c.resource, c.from_class, c.to_class, c.scan
FROM exposure_change c LEFT JOIN scan s ON s.id = c.scan;

DROP VIEW IF EXISTS paths;
CREATE VIEW paths AS
SELECT p.account, p.family, p.title, p.severity, p.certain,
       (SELECT judged_at FROM scan WHERE id = p.first_scan) AS first_seen,
       (SELECT judged_at FROM scan WHERE id = p.seen_scan) AS last_seen,
       (SELECT judged_at FROM scan WHERE id = p.gone_scan) AS gone,
       json_array_length(p.doc, '$.paths') AS paths, p.doc ->> 'path' AS path, p.doc ->> 'steps' AS steps, p.doc ->> 'goals' AS goals,
       coalesce(p.doc ->> 'accounts', '[]') AS accounts
FROM path p;

DROP VIEW IF EXISTS path_steps;
CREATE VIEW path_steps AS
SELECT p.account, p.family, s.key + 1 AS step, s.value ->> 'from' AS from_node, s.value ->> 'to' AS to_node,
       s.value ->> 'kind' AS kind, s.value ->> 'cost' AS cost, s.value ->> 'because' AS because,
       coalesce(s.value ->> 'from_account', '') AS from_account, coalesce(s.value ->> 'to_account', '') AS to_account
FROM path p, json_each(p.doc, '$.steps') s WHERE p.gone_scan IS NULL;

CREATE VIEW IF NOT EXISTS path_cuts AS
SELECT account, rank, from_node, to_node, kind, kills, total, because FROM path_cut;
