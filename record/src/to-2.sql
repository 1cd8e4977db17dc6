-- From format 1 to 2: pages of the queue by index, roll-ups by a table of counts.
DROP INDEX finding_queue;
ALTER TABLE finding ADD COLUMN rank INTEGER GENERATED ALWAYS AS
  (CASE severity_now WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 WHEN 'low' THEN 3 ELSE 4 END) VIRTUAL;
CREATE INDEX finding_page ON finding (state, rank, rule, account, resource, sub_key);
CREATE TABLE finding_count (
  account TEXT NOT NULL, rule TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
  n INTEGER NOT NULL,
  PRIMARY KEY (account, rule, state, severity)
) WITHOUT ROWID;
INSERT INTO finding_count SELECT account, rule, state, severity_now, count(*) FROM finding GROUP BY 1, 2, 3, 4;
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
CREATE VIEW rollups AS SELECT account, rule, state, severity, n AS findings FROM finding_count WHERE n > 0;
