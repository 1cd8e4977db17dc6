-- Principals as the last assessment of their account found them. Additive: made in any record that lacks them.
CREATE TABLE IF NOT EXISTS principal (
  account TEXT NOT NULL, arn TEXT NOT NULL,
  doc TEXT NOT NULL,                -- JSON: class, admin, can_become_admin, steps, keys, last_active, …
  scan INTEGER NOT NULL,
  PRIMARY KEY (account, arn)
) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS principals AS
SELECT account, arn, doc ->> 'class' AS class, doc ->> 'admin' AS admin, doc ->> 'can_become_admin' AS can_become_admin,
       doc ->> 'dormant' AS dormant, doc ->> 'last_active' AS last_active, doc ->> 'mfa' AS mfa,
       doc ->> 'granted_actions' AS granted_actions, doc ->> 'steps' AS steps, doc ->> 'external' AS external,
       doc ->> 'providers' AS providers, doc ->> 'services' AS services,
       (SELECT judged_at FROM scan WHERE id = p.scan) AS at
FROM principal p;

CREATE VIEW IF NOT EXISTS access_keys AS
SELECT p.account, p.arn, k.value ->> 'slot' AS slot, k.value ->> 'active' AS active, k.value ->> 'rotated' AS rotated,
       k.value ->> 'used' AS used
FROM principal p, json_each(p.doc, '$.keys') k;
