-- From format 2 to 3: pages of one account by index; short ids are the beginning of keys and need no index of their own.
CREATE INDEX finding_account ON finding (account, state, rank, rule, resource, sub_key);
DROP INDEX finding_short;
