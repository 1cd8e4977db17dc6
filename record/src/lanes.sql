-- How soon a finding wants attention, as its score said: a row when that was first said, and one each time it changed.
-- Additive: made in any record that lacks it. Clocks are told from these rows, so they are only ever appended.
CREATE TABLE IF NOT EXISTS finding_lane (
  key BLOB NOT NULL,
  n INTEGER NOT NULL,               -- counts from 1 per finding
  at TEXT NOT NULL,
  lane INTEGER NOT NULL CHECK (lane BETWEEN 0 AND 3),
  exploited INTEGER NOT NULL,       -- whether the weakness was known to be exploited
  points INTEGER NOT NULL,          -- tenths, then
  policy TEXT NOT NULL,             -- the score policy that weighed it
  scan INTEGER,                     -- the scan at whose end it was said
  due TEXT,                         -- when a catalogue of exploited weaknesses wanted it fixed
  PRIMARY KEY (key, n)
) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS lanes AS
SELECT l.at, f.short AS finding, CASE l.lane WHEN 0 THEN 'act-now' WHEN 1 THEN 'urgent' WHEN 2 THEN 'planned' ELSE 'watch' END AS lane,
       l.exploited, l.points, l.policy, l.scan
FROM finding_lane l LEFT JOIN finding f ON f.key = l.key;
