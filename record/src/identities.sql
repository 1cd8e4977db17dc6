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

-- Who in one account can become administrator of another, as the last scan put the accounts together.
CREATE TABLE IF NOT EXISTS admin_abroad (
  account TEXT NOT NULL, arn TEXT NOT NULL, -- `*` for the principals of an account that could not be read
  into_account TEXT NOT NULL,               -- `unread` for one that could not be read, `*` where it is not known
  state TEXT NOT NULL CHECK (state IN ('yes', 'unknown')),
  steps TEXT NOT NULL,                      -- JSON: from the principal to `admin:ACCOUNT`
  reason TEXT NOT NULL, scan INTEGER NOT NULL,
  PRIMARY KEY (account, arn, into_account)
) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS principals_abroad AS
SELECT account, arn, into_account, state, steps, reason, (SELECT judged_at FROM scan WHERE id = a.scan) AS at
FROM admin_abroad a;

CREATE VIEW IF NOT EXISTS access_keys AS
SELECT p.account, p.arn, k.value ->> 'slot' AS slot, k.value ->> 'active' AS active, k.value ->> 'rotated' AS rotated,
       k.value ->> 'used' AS used
FROM principal p, json_each(p.doc, '$.keys') k;
