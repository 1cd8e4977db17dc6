//! Lint: what is wrong, idle or too wide in a policy document.

use super::{
    action_sets::ActionSets,
    bits::Bits,
    condition::{Operator, Quantifier},
    data::{self, Level},
    document::{ActionPattern, Document, Effect, Resources, Statement},
    principal::PrincipalEntry,
};
use crate::policy::{self, Definition};

/// What kind of policy a document is; some checks apply to some kinds only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Attached to a user, group or role.
    Identity,
    /// A role's trust policy.
    Trust,
    /// A resource's policy.
    Resource,
    /// A service or resource control policy.
    Organization,
}

/// One remark on a document.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Remark {
    /// A stable code: `unknown-action`, `redundant-statement`, …
    pub code: &'static str,
    /// The statement's Sid or place; empty for the document.
    pub statement: String,
    /// What was found and what would be right.
    pub what: String,
}

/// Checks a document; the remarks are in the order of the statements.
pub fn lint(document: &Document, kind: Use) -> Vec<Remark> {
    let mut out: Vec<Remark> = document
        .problems
        .iter()
        .map(|p| Remark {
            code: "invalid",
            statement: p.statement.map(|i| format!("#{i}")).unwrap_or_default(),
            what: p.what.clone(),
        })
        .collect();
    let mut sets = ActionSets::default();
    let actions: Vec<Bits> = document.statements.iter().map(|s| sets.of(&s.actions)).collect();
    for (i, statement) in document.statements.iter().enumerate() {
        let mut note = |code: &'static str, what: String| out.push(Remark { code, statement: statement.label(), what });
        names(statement, &mut note);
        conditions(statement, &mut note);
        if let Some(own) = actions.get(i) {
            covered(document, &actions, i, statement, own, &mut note);
            if matches!(kind, Use::Identity) {
                width(statement, own, &mut note);
            }
        }
        principals(statement, kind, &mut note);
    }
    if matches!(kind, Use::Trust | Use::Resource) {
        for open in policy::public_statements(document, Definition::Reachable) {
            let what = "anyone can use this statement; tie it to accounts, an organization or a network".to_owned();
            out.push(Remark { code: "public", statement: open.statement, what });
        }
    }
    if kind == Use::Resource {
        for deputy in policy::confused_deputy(document) {
            let what = format!(
                "{} may act for any account; add aws:SourceArn, aws:SourceAccount or aws:SourceOrgID",
                deputy.service
            );
            out.push(Remark { code: "confused-deputy", statement: deputy.statement, what });
        }
    }
    if kind == Use::Trust {
        for (issuer, statement, _) in policy::open_providers(document) {
            let what = format!("anyone with a token of {issuer} can assume the role; fix the subject in a condition");
            out.push(Remark { code: "public", statement, what });
        }
    }
    out
}

fn names(statement: &Statement, note: &mut impl FnMut(&'static str, String)) {
    for (text, pattern) in statement.actions.texts.iter().zip(statement.actions.patterns()) {
        let catalogue = data::actions();
        let known = match pattern {
            ActionPattern::Any => true,
            ActionPattern::Never => {
                note("unknown-action", format!("`{text}` matches no action; write `service:Action`"));
                continue;
            }
            ActionPattern::Exact(name) => catalogue.find(name).is_some(),
            ActionPattern::Prefix(prefix) => !catalogue.with_prefix(prefix).is_empty(),
            ActionPattern::Glob(_) => catalogue.iter().any(|a| pattern.matches(&a.lower)),
        };
        if !known {
            let service = text.split(':').next().unwrap_or_default();
            if catalogue.has_service(service) {
                note("unknown-action", format!("`{text}` is no action of {service}"));
            } else {
                note("unknown-action", format!("`{service}` is no service prefix"));
            }
        }
    }
    let plain = |name: &str| data::actions().find(&name.to_ascii_lowercase()).is_some_and(|a| a.types.is_empty());
    let limited = statement.resources.as_ref().is_some_and(|r| !r.inverted && !r.is_everything());
    if limited && statement.effect == Effect::Allow && !statement.actions.inverted {
        for text in statement.actions.texts.iter().filter(|t| plain(t)) {
            note(
                "resource-needed",
                format!("`{text}` takes no resource; it needs `Resource: \"*\"` to have any effect"),
            );
        }
    }
}

fn conditions(statement: &Statement, note: &mut impl FnMut(&'static str, String)) {
    for condition in &statement.conditions {
        if data::condition_key_type(&condition.key).is_none() && !is_token_key(&condition.key) {
            note("unknown-condition-key", format!("`{}` is no condition key AWS documents", condition.key_text));
        }
        let allow = statement.effect == Effect::Allow;
        if allow && condition.quantifier == Quantifier::All {
            let alone = !statement
                .conditions
                .iter()
                .any(|c| c.key == condition.key && (c.operator == Operator::Null || c.quantifier == Quantifier::Any));
            if alone {
                let what = format!(
                    "`{}` on `{}` holds when the key is absent; add `Null: {{\"{}\": \"false\"}}`",
                    condition.text, condition.key_text, condition.key_text
                );
                note("for-all-values", what);
            }
        }
    }
}

/// Keys of web identity tokens: `issuer.example.com:sub`.
fn is_token_key(key: &str) -> bool {
    key.split_once(':').is_some_and(|(issuer, _)| issuer.contains('.'))
}

/// Whether `inner`'s resources all stand in `outer`, by their texts.
fn within(inner: Option<&Resources>, outer: Option<&Resources>) -> bool {
    match (inner, outer) {
        (None, None) => true,
        (Some(_), Some(outer)) if outer.is_everything() => true,
        (Some(inner), Some(outer)) => {
            inner.inverted == outer.inverted
                && if inner.inverted {
                    outer.texts.iter().all(|t| inner.texts.contains(t))
                } else {
                    inner.texts.iter().all(|t| outer.texts.contains(t))
                }
        }
        _ => false,
    }
}

fn same_principals(a: &Statement, b: &Statement) -> bool {
    match (&a.principals, &b.principals) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            (!b.inverted && b.entries.contains(&PrincipalEntry::Everyone))
                || (a.inverted == b.inverted && a.entries == b.entries)
        }
        _ => false,
    }
}

fn covered(
    document: &Document,
    actions: &[Bits],
    at: usize,
    statement: &Statement,
    own: &Bits,
    note: &mut impl FnMut(&'static str, String),
) {
    if statement.effect != Effect::Allow || own.is_empty() {
        return;
    }
    for (j, (other, theirs)) in document.statements.iter().zip(actions).enumerate() {
        let outer = j != at
            && other.conditions.is_empty()
            && own.is_subset(theirs)
            && within(statement.resources.as_ref(), other.resources.as_ref())
            && same_principals(statement, other);
        if !outer {
            continue;
        }
        if other.effect == Effect::Deny {
            note("unreachable-statement", format!("{} denies everything this statement allows", other.label()));
            return;
        }
        // Of two equal statements the later is the redundant one.
        let equal = theirs.is_subset(own)
            && statement.conditions.is_empty()
            && within(other.resources.as_ref(), statement.resources.as_ref());
        if !equal || j < at {
            note("redundant-statement", format!("{} grants all of this already", other.label()));
            return;
        }
    }
}

fn width(statement: &Statement, own: &Bits, note: &mut impl FnMut(&'static str, String)) {
    if statement.effect != Effect::Allow {
        return;
    }
    let everything = statement.resources.as_ref().is_some_and(Resources::is_everything);
    let wild = statement.actions.inverted || statement.actions.texts.iter().any(|t| t.contains('*'));
    if !everything || !wild {
        return;
    }
    let strong = own.iter().filter_map(|i| data::actions().get(i)).filter(|a| a.level >= Level::Write).count();
    let permissions =
        own.iter().filter_map(|i| data::actions().get(i)).filter(|a| a.level == Level::Permissions).count();
    if strong > 0 {
        let what = format!(
            "wildcards grant {} actions on everything, {strong} of them change things and {permissions} change permissions",
            own.count()
        );
        note("wide", what);
    }
}

fn principals(statement: &Statement, kind: Use, note: &mut impl FnMut(&'static str, String)) {
    let needs = matches!(kind, Use::Trust | Use::Resource);
    match &statement.principals {
        None if needs => note("no-principal", "a statement without Principal never applies here".into()),
        Some(_) if kind == Use::Identity => {
            note("invalid", "an identity policy takes no Principal; it applies to whom it is attached to".into());
        }
        Some(p) => {
            if p.inverted && statement.effect == Effect::Allow {
                note(
                    "not-principal",
                    "Allow with NotPrincipal admits everyone not listed, the unsigned included".into(),
                );
            }
            for entry in &p.entries {
                if let PrincipalEntry::Dangling(id) = entry {
                    note("dangling-principal", format!("`{id}` is the id of a principal that no longer exists"));
                }
            }
        }
        None => {}
    }
}
