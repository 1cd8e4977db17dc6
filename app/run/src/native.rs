//! Native rules: pages whose condition is a function of the assessment instead of an expression.
//!
//! The table [`NATIVE`] is closed; a test holds that pages and functions name each other. Verdicts follow the same
//! law as everywhere: a pass needs everything it hangs on to have been read, a failure needs positive evidence.

use crate::{exposure::Assessment, overland::Ways};
use plumb_assess::{
    exposure::{Class, Estate, Exposure, Step, Table},
    identity::aws::{
        details::Principal,
        escalate::{self, Admin, Standing},
    },
    paths::{Edge, Family},
    policy,
    principals::{MEMBERSHIP_KIND, ORGANIZATION_KIND},
};
use plumb_catalog::{Catalog, Condition, Kind, Problem};
use plumb_evaluate::{
    AccountFacts, Checked, CompiledRule, NativeFunction, RuleSet, Selection, example_world, outcome_of,
};
use plumb_model::{Leaf, Outcome, Reason, Resource, RuleId, Severity, Source, Unknown, Value, Verdict};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// Kinds the network is read from.
const NETWORK: &[&str] = &[
    "aws.ec2.instance",
    "aws.ec2.network-acl",
    "aws.ec2.network-interface",
    "aws.ec2.security-group",
    "aws.vpc.route-table",
    "aws.vpc.subnet",
];
/// Kinds principals are read from, with the organisation's policies.
const IDENTITY: &[&str] = &[
    "aws.iam.account",
    "aws.iam.user",
    "aws.iam.group",
    "aws.iam.role",
    "aws.iam.policy",
    MEMBERSHIP_KIND,
    ORGANIZATION_KIND,
];
/// Kinds whose own settings tell how they stand towards the outside, and what attack paths lead over or to.
const RESOURCES: &[&str] = &[
    "aws.apigateway.rest-api",
    "aws.apigatewayv2.api",
    "aws.cloudfront.distribution",
    "aws.dynamodb.table",
    "aws.ec2.account",
    "aws.ec2.ebs-snapshot",
    "aws.ec2.image",
    "aws.ecr-public.repository",
    "aws.ecr.registry",
    "aws.ecr.repository",
    "aws.ecs.service",
    "aws.ecs.task-definition",
    "aws.efs.file-system",
    "aws.eks.cluster",
    "aws.elbv2.load-balancer",
    "aws.elbv2.target-group",
    "aws.eventbridge.event-bus",
    "aws.glacier.vault",
    "aws.kinesis.stream",
    "aws.kms.key",
    "aws.lambda.function",
    "aws.opensearch.domain",
    "aws.backup.vault",
    "aws.ram.resource-share",
    "aws.rds.cluster",
    "aws.rds.cluster-snapshot",
    "aws.rds.instance",
    "aws.rds.snapshot",
    "aws.redshift.cluster",
    "aws.s3.access-point",
    "aws.s3.account",
    "aws.s3.bucket",
    "aws.secretsmanager.secret",
    "aws.sns.topic",
    "aws.sqs.queue",
    "aws.vpc.endpoint-service",
    "aws.wafv2.web-acl",
];

/// Of these, the ones no attack path leads over: what they share goes out, nobody comes in; or they only stand before.
const ASIDE: &[&str] = &["aws.ecr-public.repository", "aws.ram.resource-share", "aws.wafv2.web-acl"];

const fn function(name: &'static str, reads: &'static [&'static str]) -> NativeFunction {
    NativeFunction { name, reads }
}

/// Every kind the assessment looks into.
const EVERYTHING: &[&str] = &{
    let mut all = [""; NETWORK.len() + IDENTITY.len() + RESOURCES.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < NETWORK.len() {
            NETWORK[at]
        } else if at < NETWORK.len() + IDENTITY.len() {
            IDENTITY[at - NETWORK.len()]
        } else {
            RESOURCES[at - NETWORK.len() - IDENTITY.len()]
        };
        at += 1;
    }
    all
};

/// The functions native pages may name.
pub const NATIVE: &[NativeFunction] = &[
    function("exposure", EVERYTHING),
    function("outside-sharing", EVERYTHING),
    function("attack-paths", EVERYTHING),
    function("admin-equivalent", IDENTITY),
    function("can-become-admin", EVERYTHING),
    function("external-trust", IDENTITY),
    function("dormant", IDENTITY),
];

/// The kinds the assessment looks into.
pub(crate) fn reads() -> impl Iterator<Item = &'static str> {
    EVERYTHING.iter().copied()
}

/// The function that judges attack paths: last, when the borders of all accounts are put together.
const PATHS: &str = "attack-paths";

/// Whether a rule judges attack paths.
pub(crate) fn is_of_paths(rule: &CompiledRule) -> bool {
    rule.native().is_some_and(|n| n.function == PATHS)
}

/// Judges resources by a rule about attack paths; each verdict with its severity.
pub(crate) fn judge_paths(
    rule: &CompiledRule,
    facts: &AccountFacts,
    resources: &[Resource],
    ways: &Ways,
) -> Vec<(Verdict, Severity)> {
    Paths { facts, ways, say: Say { rule, out: Vec::new() } }.judge(resources)
}

/// Judges one table by a native rule about anything else; each verdict with its severity.
pub(crate) fn judge(rule: &CompiledRule, found: &Assessment) -> Vec<(Verdict, Severity)> {
    let Some(native) = rule.native() else { return Vec::new() };
    let Some(table) = found.estate.tables.get(rule.kind().id.as_str()) else { return Vec::new() };
    let judge = Judge { say: Say { rule, out: Vec::new() }, found, table };
    match native.function {
        "exposure" => judge.exposure(),
        "outside-sharing" => judge.outside_sharing(),
        "admin-equivalent" => judge.admin_equivalent(),
        "can-become-admin" => judge.can_become_admin(),
        "external-trust" => judge.external_trust(),
        "dormant" => judge.dormant(),
        _ => Vec::new(),
    }
}

/// What keeps the answer about attack paths open.
pub(crate) fn path_needs(found: &Assessment) -> Vec<Arc<Unknown>> {
    needs_of(found, true)
}

/// What keeps open how far somebody from outside comes in an account: the same but for the data itself.
pub(crate) fn entry_needs(found: &Assessment) -> Vec<Arc<Unknown>> {
    needs_of(found, false)
}

fn needs_of(found: &Assessment, data: bool) -> Vec<Arc<Unknown>> {
    let holds_data = |kind: &str| plumb_assess::paths::holds_data(kind);
    let mut needs = found.needs.clone();
    needs.extend(found.narrowed.clone());
    let matters = |kind: &str| !ASIDE.contains(&kind) && (data || !holds_data(kind));
    let read = |(kind, table): (&String, &Table)| table.gap.clone().filter(|_| matters(kind));
    needs.extend(found.estate.tables.iter().filter_map(read));
    let entry = |e: &&Exposure| plumb_assess::paths::is_entry(&e.kind) || data && holds_data(&e.kind);
    for e in found.exposures.iter().filter(entry) {
        if e.at_most.is_some_and(|most| most >= Class::InternetAuthenticated) {
            needs.extend(e.missing.iter().cloned());
        }
    }
    needs.sort_by_key(|n| n.describe());
    needs.dedup();
    needs
}

/// One thing the assessment found, in words.
fn told(path: &str, observed: &str, expected: &str) -> Vec<Leaf> {
    vec![Leaf {
        path: path.into(),
        observed: Value::from(observed),
        expected: expected.into(),
        source: Source::Derived,
    }]
}

/// The verdicts of a rule as they are found.
struct Say<'a> {
    rule: &'a CompiledRule,
    out: Vec<(Verdict, Severity)>,
}

impl Say<'_> {
    #[allow(clippy::too_many_arguments)]
    fn say(&mut self, r: &Resource, part: &str, outcome: Outcome, needs: Vec<Arc<Unknown>>, because: Vec<Leaf>) {
        let verdict = Verdict {
            rule: self.rule.id.clone(),
            kind: r.kind.clone(),
            account: r.account.clone(),
            region: r.region.clone(),
            resource: r.id.clone(),
            name: Arc::clone(&r.name),
            sub_key: part.into(),
            outcome,
            needs,
            because,
        };
        self.out.push((verdict, self.rule.severity));
    }

    fn texts(&self, param: &str) -> Vec<String> {
        let native = self.rule.native();
        let value = native.and_then(|n| n.params.get(param)).and_then(Value::as_list);
        value.unwrap_or_default().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    fn number(&self, param: &str, default: i64) -> i64 {
        self.rule.native().and_then(|n| n.params.get(param)).and_then(Value::as_int).unwrap_or(default)
    }
}

struct Judge<'a> {
    say: Say<'a>,
    found: &'a Assessment,
    table: &'a Table,
}

impl<'a> std::ops::Deref for Judge<'a> {
    type Target = Say<'a>;
    fn deref(&self) -> &Say<'a> {
        &self.say
    }
}

impl std::ops::DerefMut for Judge<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.say
    }
}

/// Where a fact comes from: the call that fed the field of its kind.
fn source_in(kind: Option<&Kind>, step: &Step) -> Source {
    let Some(kind) = kind else { return Source::Derived };
    let root = step.field.split(['.', '[', ' ']).next().unwrap_or_default();
    let field = kind.slot(root).and_then(|i| kind.fields.get(i));
    let call = match field {
        Some(field) => kind.source_of(field),
        None => kind.list.as_ref().map_or_else(|| kind.id.to_string(), |l| l.call.name()),
    };
    Source::Api(call.into())
}

impl<'a> Judge<'a> {
    fn source(&self, step: &Step) -> Source {
        source_in(self.found.kind_of(&step.resource).map(AsRef::as_ref), step)
    }

    /// How the resources of the table stand, by id.
    fn exposures(&self) -> HashMap<&'a str, &'a Exposure> {
        let kind = self.table.kind.id.as_str();
        self.found.exposures.iter().filter(|e| e.kind == kind).map(|e| (e.resource.as_str(), e)).collect()
    }

    fn leaf(&self, own: &str, step: &Step, expected: &str) -> Leaf {
        let path = if step.resource == own { step.field.clone() } else { format!("{} {}", step.resource, step.field) };
        let path = path.into();
        Leaf { path, observed: Value::from(step.says.as_str()), expected: expected.into(), source: self.source(step) }
    }

    fn exposure(mut self) -> Vec<(Verdict, Severity)> {
        let failing: Vec<Class> = self.texts("classes").iter().filter_map(|c| c.parse().ok()).collect();
        let least = failing.iter().min().copied().unwrap_or(Class::InternetAuthenticated);
        let exposures = self.exposures();
        for r in &self.table.resources {
            let Some(e) = exposures.get(r.id.as_str()) else {
                let leaf = told("exposure", "nothing of it is an entrance", "an entrance from outside");
                self.say(r, "", Outcome::NotApplicable, Vec::new(), leaf);
                continue;
            };
            let expected = format!("nobody outside reaches it ({} is not wanted)", e.class.name());
            let mut leaves: Vec<Leaf> = e.proof.iter().map(|s| self.leaf(&e.resource, s, &expected)).collect();
            let class = Leaf {
                path: "exposure".into(),
                observed: Value::from(e.class.name()),
                expected: format!("none of {}", self.texts("classes").join(", ")).into(),
                source: Source::Derived,
            };
            leaves.insert(0, class);
            if failing.contains(&e.class) {
                self.say(r, "", Outcome::Fail, Vec::new(), leaves);
            } else if e.at_most.is_some_and(|most| most >= least) {
                self.say(r, "", Outcome::Unknown, e.missing.clone(), leaves);
            } else {
                self.say(r, "", Outcome::Pass, Vec::new(), leaves);
            }
        }
        self.say.out
    }

    fn outside_sharing(mut self) -> Vec<(Verdict, Severity)> {
        let exposures = self.exposures();
        let known = self.texts("known_accounts");
        for r in &self.table.resources {
            let Some(e) = exposures.get(r.id.as_str()) else {
                let leaf = told("exposure", "nothing of it is an entrance", "an entrance from outside");
                self.say(r, "", Outcome::NotApplicable, Vec::new(), leaf);
                continue;
            };
            let strangers: Vec<&String> = e.outside_accounts.iter().filter(|a| !known.contains(a)).collect();
            for account in &strangers {
                let steps = e.proof.iter().filter(|s| s.says.contains(account.as_str()));
                let leaves =
                    steps.map(|s| self.leaf(&e.resource, s, "accounts of the organisation, or known ones")).collect();
                self.say(r, account, Outcome::Fail, Vec::new(), leaves);
            }
            let open = e.at_most.is_some_and(|most| most >= Class::CrossAccount);
            if open {
                self.say(r, "", Outcome::Unknown, e.missing.clone(), Vec::new());
            } else if strangers.is_empty() {
                self.say(r, "", Outcome::Pass, Vec::new(), Vec::new());
            }
        }
        self.say.out
    }

    fn admin_equivalent(mut self) -> Vec<(Verdict, Severity)> {
        let allowed = self.texts("allowed");
        let found = self.found;
        for r in &self.table.resources {
            let Some((principal, standing)) = standing_of(found, r.id.as_str()) else {
                self.say(r, "", Outcome::Unknown, needs_or(found, r.id.as_str()), Vec::new());
                continue;
            };
            if principal.is_service_linked() || allowed.iter().any(|a| *a == principal.name || *a == principal.arn) {
                let says = if principal.is_service_linked() { "a role of a service" } else { "allowed by a parameter" };
                self.say(r, "", Outcome::NotApplicable, Vec::new(), told("principal", says, "anybody else"));
            } else if standing.admin != Admin::No {
                let says = if standing.admin == Admin::Full {
                    "may do everything, or nearly"
                } else {
                    "may do everything in IAM, and so give itself the rest"
                };
                let leaves = principal.attachments.iter().map(|a| Leaf {
                    path: format!("policy {}", a.policy.name).into(),
                    observed: Value::from(says),
                    expected: "the permissions its work needs".into(),
                    source: Source::Api("iam:GetAccountAuthorizationDetails".into()),
                });
                let leaves = leaves.collect();
                self.say(r, "", Outcome::Fail, Vec::new(), leaves);
            } else if found.needs.is_empty() {
                self.say(r, "", Outcome::Pass, Vec::new(), Vec::new());
            } else {
                self.say(r, "", Outcome::Unknown, found.needs.clone(), Vec::new());
            }
        }
        self.say.out
    }

    /// Judged on the account: each principal that can become an administrator is a part.
    fn can_become_admin(mut self) -> Vec<(Verdict, Severity)> {
        let allowed = self.texts("allowed");
        let found = self.found;
        for r in &self.table.resources {
            let mut any = false;
            for (principal, standing) in found.world.details.principals.iter().zip(&found.escalations.standings) {
                let wanted = allowed.iter().any(|a| *a == principal.name || *a == principal.arn);
                let conditional = standing.conditional.as_deref();
                let cannot = !standing.can_become_admin && conditional.is_none();
                if standing.admin != Admin::No || cannot || principal.is_service_linked() || wanted {
                    continue;
                }
                any = true;
                if let Some(way) = conditional {
                    let needs = way.depends_on.iter().map(|what| hangs_on(what)).collect();
                    self.say(r, &principal.arn, Outcome::Unknown, needs, way_leaves(&way.steps));
                    continue;
                }
                let first = found.escalations.edges.iter().filter(|e| e.from == principal.arn && e.leads_to_admin);
                let first = first
                    .min_by_key(|e| standing.steps.first().is_none_or(|s| s.method != e.method || s.target != e.to));
                let mut leaves = way_leaves(&standing.steps);
                for evidence in first.into_iter().flat_map(|e| &e.because) {
                    let by: Vec<String> = evidence
                        .statements
                        .iter()
                        .map(|b| format!("{} {} {}", b.effect, b.policy, b.statement).trim_end().to_owned())
                        .collect();
                    leaves.push(Leaf {
                        path: format!("{} on {}", evidence.what, evidence.on).into(),
                        observed: Value::from(by.join(", ")),
                        expected: "denied, or narrowed to what the work needs".into(),
                        source: Source::Api("iam:GetAccountAuthorizationDetails".into()),
                    });
                }
                let assumed: Vec<Arc<Unknown>> =
                    first.into_iter().flat_map(|e| &e.assumes).map(|what| hangs_on(what)).collect();
                let certain = found
                    .escalations
                    .edges
                    .iter()
                    .any(|e| e.from == principal.arn && e.leads_to_admin && e.assumes.is_empty());
                let outcome = if certain { Outcome::Fail } else { Outcome::Unknown };
                let needs = if certain { Vec::new() } else { assumed };
                self.say(r, &principal.arn, outcome, needs, leaves);
            }
            if !found.needs.is_empty() {
                self.say(r, "", Outcome::Unknown, found.needs.clone(), Vec::new());
            } else if !any {
                self.say(r, "", Outcome::Pass, Vec::new(), Vec::new());
            }
        }
        self.say.out
    }

    fn external_trust(mut self) -> Vec<(Verdict, Severity)> {
        let known = self.texts("known_accounts");
        let found = self.found;
        let ours: Vec<&str> =
            found.estate.organization.iter().map(String::as_str).chain(known.iter().map(String::as_str)).collect();
        for r in &self.table.resources {
            let Some((principal, _)) = standing_of(found, r.id.as_str()) else {
                self.say(r, "", Outcome::Unknown, needs_or(found, r.id.as_str()), Vec::new());
                continue;
            };
            let Some(trust) = &principal.trust else {
                self.say(r, "", Outcome::Unknown, needs_or(found, r.id.as_str()), Vec::new());
                continue;
            };
            let grants = policy::external_accounts(&trust.document, &principal.account, &ours);
            let mut open: BTreeMap<String, Vec<Leaf>> = BTreeMap::new();
            for grant in grants.iter().filter(|g| !g.external_id) {
                let statements = trust.document.statements.iter().filter(|s| s.label() == grant.statement);
                let tied = |s: &plumb_assess::identity::aws::document::Statement| {
                    s.conditions.iter().any(|c| {
                        policy::limits(c, policy::Definition::Reachable)
                            || c.key.as_ref() == "aws:multifactorauthpresent"
                    })
                };
                if statements.clone().count() > 0 && statements.clone().all(tied) {
                    continue;
                }
                open.entry(grant.account.clone()).or_default().push(Leaf {
                    path: format!("trust.{}", grant.statement).into(),
                    observed: Value::from(format!("account {} may assume it", grant.account)),
                    expected: "an external id, or a condition that fixes who comes".into(),
                    source: Source::Api("iam:GetAccountAuthorizationDetails".into()),
                });
            }
            let none = open.is_empty();
            for (account, leaves) in open {
                self.say(r, &account, Outcome::Fail, Vec::new(), leaves);
            }
            if none {
                let leaf = told("trust policy", "lets in no account from outside", "accounts from outside");
                match grants.is_empty() {
                    true => self.say(r, "", Outcome::NotApplicable, Vec::new(), leaf),
                    false => self.say(r, "", Outcome::Pass, Vec::new(), Vec::new()),
                }
            }
        }
        self.say.out
    }

    fn dormant(mut self) -> Vec<(Verdict, Severity)> {
        let days = self.number("days", 90);
        let entries = self.found.inventory(days);
        for r in &self.table.resources {
            let Some(entry) = entries.get(r.id.as_str()) else {
                let needs = needs_or(self.found, r.id.as_str());
                self.say(r, "", Outcome::Unknown, needs, Vec::new());
                continue;
            };
            let service_linked = entry.class == plumb_assess::identity::aws::inventory::Class::ServiceLinked;
            let last = entry.last_active.map_or_else(|| "never".to_owned(), |t| t.to_string());
            let leaf = Leaf {
                path: "last sign of life".into(),
                observed: Value::from(last),
                expected: format!("within {days} days").into(),
                source: Source::Api(
                    if r.kind.as_str() == "aws.iam.user" {
                        "iam:GetCredentialReport"
                    } else {
                        "iam:GetAccountAuthorizationDetails"
                    }
                    .into(),
                ),
            };
            let unread: Vec<Arc<Unknown>> = r.fields.iter().filter_map(|f| f.first_unknown().cloned()).collect();
            match entry.dormant {
                _ if service_linked => {
                    let leaf = told("principal", "a role of a service", "anybody else");
                    self.say(r, "", Outcome::NotApplicable, Vec::new(), leaf);
                }
                Some(false) => self.say(r, "", Outcome::Pass, Vec::new(), vec![leaf]),
                Some(true) if unread.is_empty() => self.say(r, "", Outcome::Fail, Vec::new(), vec![leaf]),
                _ => {
                    let needs = if unread.is_empty() {
                        vec![hangs_on("no answer tells when it was last used")]
                    } else {
                        unread
                    };
                    self.say(r, "", Outcome::Unknown, needs, vec![leaf]);
                }
            }
        }
        self.say.out
    }
}

/// The verdicts about ways in from outside.
struct Paths<'a> {
    facts: &'a AccountFacts,
    ways: &'a Ways,
    say: Say<'a>,
}

impl Paths<'_> {
    fn judge(mut self, resources: &[Resource]) -> Vec<(Verdict, Severity)> {
        let goals = self.say.texts("goals");
        let wanted = |f: &&Family| {
            f.goals
                .iter()
                .any(|g| goals.iter().any(|w| w == if g.kind == "administration" { "administration" } else { "data" }))
        };
        let needs = &self.ways.needs;
        let families: Vec<&Family> = self.ways.families().filter(wanted).collect();
        for r in resources {
            for family in &families {
                let leaves = self.steps(family);
                let severity = family.severity.parse().unwrap_or(self.say.rule.severity);
                if family.certain {
                    self.say.say(r, &family.id, Outcome::Fail, Vec::new(), leaves);
                } else {
                    let open = family.steps.iter().flat_map(|e| &e.depends_on).map(|what| hangs_on(what)).collect();
                    self.say.say(r, &family.id, Outcome::Unknown, open, leaves);
                }
                if let Some(last) = self.say.out.last_mut() {
                    last.1 = severity;
                }
            }
            if !needs.is_empty() {
                self.say.say(r, "", Outcome::Unknown, needs.clone(), Vec::new());
            } else if families.is_empty() {
                self.say.say(r, "", Outcome::Pass, Vec::new(), Vec::new());
            }
        }
        self.say.out
    }

    /// The steps of a family's path as leaves, what is at stake, and what to cut.
    fn steps(&self, family: &Family) -> Vec<Leaf> {
        let mut out = Vec::new();
        for (n, edge) in family.steps.iter().enumerate() {
            let place = match edge.to_account.as_str() {
                "" => String::new(),
                _ if family.accounts.is_empty() => String::new(),
                account => format!(" in account {account}"),
            };
            let at = format!("step {}: {} → {}{place} ({})", n + 1, edge.from, edge.to, edge.kind);
            for step in &edge.because {
                out.push(Leaf {
                    path: format!("{at}: {} {}", step.resource, step.field).into(),
                    observed: Value::from(step.says.as_str()),
                    expected: "this step is not possible".into(),
                    source: source_in(self.ways.kinds.get(&step.resource).map(AsRef::as_ref), step),
                });
            }
            if edge.because.is_empty() {
                out.push(Leaf {
                    path: at.into(),
                    observed: Value::from(edge.kind),
                    expected: "this step is not possible".into(),
                    source: Source::Derived,
                });
            }
        }
        for (account, at) in &family.earlier {
            out.push(Leaf {
                path: format!("account {account}").into(),
                observed: Value::from(format!("as it was read at {at}")),
                expected: "read by the same scan".into(),
                source: Source::Derived,
            });
        }
        // What the shown path leads to, then what else is at stake.
        let last = family.path.last();
        let (own, others): (Vec<_>, Vec<_>) = family.goals.iter().partition(|g| Some(&g.node) == last);
        for goal in own.into_iter().chain(others).take(5) {
            let class =
                if goal.data_class.is_empty() { String::new() } else { format!(", data class {}", goal.data_class) };
            let tier =
                if self.facts.tier.is_empty() { String::new() } else { format!(", account tier {}", self.facts.tier) };
            out.push(Leaf {
                path: "crown jewel".into(),
                observed: Value::from(format!("{} ({}{class}{tier})", goal.node, goal.kind)),
                expected: "no path from outside leads to it".into(),
                source: Source::Derived,
            });
        }
        let on_path = |c: &&plumb_assess::paths::Cut| {
            family.steps.iter().any(|e: &Edge| e.from == c.from && e.to == c.to && e.kind == c.kind)
        };
        let over = !family.accounts.is_empty();
        let (cuts, of) = match over {
            true => (&self.ways.beyond.cuts, "paths over accounts"),
            false => (&self.ways.report.cuts, "paths of the account"),
        };
        for cut in cuts.iter().filter(on_path).take(3) {
            out.push(Leaf {
                path: "cheapest cut".into(),
                observed: Value::from(format!("{} → {} ({})", cut.from, cut.to, cut.kind)),
                expected: format!("removed: {} of {} {of} die", cut.kills, cut.of).into(),
                source: Source::Derived,
            });
        }
        out
    }
}

fn standing_of<'a>(found: &'a Assessment, arn: &str) -> Option<(&'a Principal, &'a Standing)> {
    let at = *found.places.principals.get(arn)?;
    Some((found.world.details.principals.get(at)?, found.escalations.standings.get(at)?))
}

fn needs_or(found: &Assessment, what: &str) -> Vec<Arc<Unknown>> {
    if found.needs.is_empty() { vec![hangs_on(&format!("`{what}` could not be read"))] } else { found.needs.clone() }
}

/// The steps of a way to administration.
fn way_leaves(steps: &[escalate::Step]) -> Vec<Leaf> {
    let leaf = |(n, step): (usize, &escalate::Step)| Leaf {
        path: format!("step {}: {}", n + 1, step.method).into(),
        observed: Value::from(format!("{} → {}", step.kind, step.target)),
        expected: "no way to administration".into(),
        source: Source::Api("iam:GetAccountAuthorizationDetails".into()),
    };
    steps.iter().enumerate().map(leaf).collect()
}

fn hangs_on(what: &str) -> Arc<Unknown> {
    let mut unknown = Unknown::new(Reason::NotAsked, "assess");
    unknown.detail = what.to_owned();
    Arc::new(unknown)
}

/// Runs the examples of native pages and adds what is wrong to what checking the other pages found.
pub fn check_native(catalog: &Catalog, checked: &mut Checked) {
    let selection = Selection { natives: NATIVE, ..Selection::default() };
    let (set, problems) = RuleSet::compile(catalog, &selection);
    let native = |file: &str| catalog.rules.values().any(|r| r.file == file && matches!(r.pass, Condition::Native(_)));
    checked.problems.extend(problems.into_iter().filter(|p| native(&p.file)));
    for rule in catalog.rules.values().filter(|r| matches!(r.pass, Condition::Native(_))) {
        if !set.of_kind(&rule.kind).iter().any(|r| r.id == rule.id) {
            continue;
        }
        for example in &rule.examples {
            checked.run += 1;
            let mut wrong = |message: String, help: String| {
                checked.problems.push(Problem::new(&rule.file, example.line, message, help));
            };
            match example_verdicts(catalog, &rule.id, example) {
                Err(message) => wrong(message, String::new()),
                Ok(verdicts) => {
                    let got = outcome_of(&verdicts);
                    if got != example.expect {
                        let why = verdicts.iter().flat_map(|v| v.needs.iter().map(|n| n.describe()));
                        let says = verdicts.iter().flat_map(|v| {
                            v.because.iter().map(|l| format!("{} {}", l.path, l.observed.to_plain_json()))
                        });
                        let message = format!("the example says {:?} and comes out {got:?}", example.expect);
                        wrong(message, why.chain(says).collect::<Vec<_>>().join("; "));
                    }
                }
            }
        }
    }
    checked.problems.sort();
    checked.problems.dedup();
}

/// What an example of a native page comes out as.
///
/// # Errors
/// What is wrong with the example.
pub fn example_verdicts(
    catalog: &Catalog,
    rule: &RuleId,
    example: &plumb_catalog::Example,
) -> Result<Vec<Verdict>, String> {
    let page = catalog.rules.get(rule).ok_or("there is no such rule")?;
    let here = example_world(catalog, page, example)?;
    let selection = Selection {
        rules: Some(BTreeSet::from([rule.clone()])),
        params: BTreeMap::from([(rule.clone(), here.params)]),
        natives: NATIVE,
    };
    let (set, problems) = RuleSet::compile(catalog, &selection);
    if let Some(problem) = problems.first() {
        return Err(problem.to_string());
    }
    let compiled = set.iter().next().ok_or("the rule does not compile")?;
    let mut estate = Estate { account: here.facts.id.clone(), ..Estate::default() };
    estate.organization = here.facts.organization_accounts.iter().filter(|a| **a != here.facts.id).cloned().collect();
    for name in reads() {
        let Some(kind) = catalog.kinds.get(name) else { continue };
        let (resources, gap) = here.tables.get(&kind.id).cloned().unwrap_or_default();
        estate.tables.insert(name.into(), Table { kind: Arc::clone(kind), resources, gap: gap.map(Arc::new) });
    }
    let kind = Arc::clone(compiled.kind());
    let table =
        estate.tables.entry(kind.id.to_string()).or_insert_with(|| Table { kind, resources: Vec::new(), gap: None });
    table.resources.push(here.resource.clone());
    let found = Assessment::of(estate, here.now);
    let judged = match is_of_paths(compiled) {
        true => judge_paths(compiled, &here.facts, std::slice::from_ref(&here.resource), &Ways::of(&found)),
        false => judge(compiled, &found),
    };
    let verdicts = judged.into_iter().map(|(v, _)| v);
    Ok(verdicts.filter(|v| v.resource == here.resource.id).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_functions_name_each_other_and_every_example_holds() {
        let (catalog, problems) = Catalog::load([]);
        assert!(problems.is_empty(), "{problems:?}");
        let pages: BTreeSet<&str> = catalog
            .rules
            .values()
            .filter_map(|r| match &r.pass {
                Condition::Native(name) => Some(name.as_str()),
                Condition::Cel(_) => None,
            })
            .collect();
        assert_eq!(pages, NATIVE.iter().map(|f| f.name).collect());
        for kind in reads() {
            assert!(catalog.kinds.contains_key(kind), "there is no kind {kind}");
        }
        let mut checked = Checked::default();
        check_native(&catalog, &mut checked);
        let shown: Vec<String> = checked.problems.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty() && checked.run > 100, "{} run: {}", checked.run, shown.join("\n"));
    }
}
