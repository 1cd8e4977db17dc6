-- From format 2 to 3: pages of one account by index.
CREATE INDEX finding_account ON finding (account, state, rank, rule, resource, sub_key);
