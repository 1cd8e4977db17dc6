//! What a resource policy does for callers from outside.

use super::{Class, Estate, Item, Judged, Step};
use crate::{
    identity::aws::{
        arn::Arn,
        condition::{Condition, Operator},
        context::{Context, Fact},
        document::{Document, Effect, Statement},
        glob::ResourceText,
        principal::PrincipalEntry,
    },
    policy::{Definition, limits},
};

/// How a policy of a kind is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    /// The field that holds it.
    pub field: &'a str,
    /// The class of a statement that admits anyone: not every service answers without a signature.
    pub anyone: Class,
    /// Which definition of a limiting condition applies.
    pub definition: Definition,
}

/// Parses the policy of a resource; none when there is none.
pub(crate) fn document(item: &Item<'_>, field: &str) -> Result<Option<Document>, super::Need> {
    let value = item.known(field)?;
    if value.is_null() || value.as_str().is_some_and(str::is_empty) {
        return Ok(None);
    }
    let parsed = match value.as_str() {
        Some(text) => Document::parse(text),
        None => Document::parse(value.to_plain_json()),
    };
    parsed.map(Some).map_err(|e| {
        let mut unknown = plumb_model::Unknown::new(plumb_model::Reason::Broken, format!("{} of {}", field, item.id()));
        unknown.detail = e.to_string();
        std::sync::Arc::new(unknown)
    })
}

/// Judges the policy of a resource.
pub(crate) fn judge(estate: &Estate, item: &Item<'_>, reading: Reading<'_>) -> Judged {
    match document(item, reading.field) {
        Ok(None) => Judged::internal(),
        Ok(Some(document)) => judge_document(estate, item.id(), reading, &document),
        Err(need) => Judged::open(reading.anyone, need),
    }
}

/// Judges a parsed policy.
pub(crate) fn judge_document(estate: &Estate, id: &str, reading: Reading<'_>, document: &Document) -> Judged {
    let mut out = Judged::internal();
    for statement in document.statements.iter().filter(|s| s.effect == Effect::Allow) {
        let Some(principals) = &statement.principals else { continue };
        let cap = denied(estate, document, statement, reading);
        let mut admit = |class: Class, who: &str, outside: Option<&str>| {
            let class = class.min(cap);
            if class == Class::Internal {
                return;
            }
            let place = format!("{}.{}", reading.field, statement.label());
            let says = format!("allows {who} {}{}", actions(statement), conditions(statement));
            let mut one = Judged::sure(class, vec![Step::new(id, place, says)]);
            let not = if statement.actions.inverted { "!" } else { "" };
            one.actions = statement.actions.texts.iter().map(|t| format!("{not}{t}")).collect();
            one.outside.extend(outside.map(str::to_owned));
            out = std::mem::replace(&mut out, Judged::internal()).or(one);
        };
        if principals.is_open() {
            let class = limit_of(estate, statement, reading).unwrap_or(reading.anyone);
            admit(class, if principals.inverted { "everyone but those it names" } else { "anyone" }, None);
            continue;
        }
        for entry in &principals.entries {
            match entry {
                PrincipalEntry::Canonical(user) => {
                    admit(Class::CrossAccount, &format!("the canonical user {user}"), None)
                }
                entry => {
                    let Some(account) = entry.account().filter(|a| *a != estate.account) else { continue };
                    let narrowed = limit_of(estate, statement, reading).unwrap_or(Class::CrossAccount);
                    let within = estate.organization.contains(account);
                    let class = narrowed.min(Class::CrossAccount);
                    let place = if within { "in the organization" } else { "outside the organization" };
                    admit(class, &format!("{} ({place})", entry.text()), Some(account).filter(|_| !within));
                }
            }
        }
    }
    out
}

fn actions(statement: &Statement) -> String {
    let list = statement.actions.texts.join(", ");
    if statement.actions.inverted { format!("every action but {list}") } else { list }
}

fn conditions(statement: &Statement) -> String {
    if statement.conditions.is_empty() {
        return String::new();
    }
    let list: Vec<String> =
        statement.conditions.iter().map(|c| format!("{} {} {}", c.text, c.key_text, c.values.join("|"))).collect();
    format!(" if {}", list.join(" and "))
}

/// The widest class the conditions of a statement leave, none when they limit nobody.
fn limit_of(estate: &Estate, statement: &Statement, reading: Reading<'_>) -> Option<Class> {
    statement.conditions.iter().filter(|c| limits(c, reading.definition)).map(|c| class_of(estate, c)).min()
}

/// Whom the fixed values of a limiting condition leave.
fn class_of(estate: &Estate, condition: &Condition) -> Class {
    let own = |account: &str| account == estate.account;
    let every_own =
        |account: &dyn Fn(&str) -> Option<String>| condition.values.iter().all(|v| account(v).is_some_and(|a| own(&a)));
    match condition.key.as_ref() {
        "aws:sourceip" | "aws:vpcsourceip" => {
            let private = condition.values.iter().all(|v| super::network::breadth(v) == Some(Class::Internal));
            if private { Class::Internal } else { Class::Limited }
        }
        "aws:sourcevpc" | "aws:sourcevpce" | "aws:sourcevpcarn" => Class::Limited,
        "aws:principalisawsservice" | "aws:principalservicename" | "aws:principalservicenameslist" => Class::Internal,
        "aws:principalarn" | "aws:sourcearn" | "s3:dataaccesspointarn" => {
            let account = |v: &str| Arn::parse(v).map(|a| a.account().to_owned());
            // An S3 ARN names no account; buckets that send events are mostly the account's own, but nothing says so.
            if every_own(&account) { Class::Internal } else { Class::CrossAccount }
        }
        _ if every_own(&|v| Some(v.to_owned())) => Class::Internal,
        _ => Class::CrossAccount,
    }
}

/// The most that Deny statements for everyone leave of an Allow.
fn denied(estate: &Estate, document: &Document, allow: &Statement, reading: Reading<'_>) -> Class {
    let covering = document.statements.iter().filter(|s| s.effect == Effect::Deny && covers(s, allow));
    covering.filter_map(|deny| left_by(estate, deny, reading)).min().unwrap_or(Class::Internet)
}

/// Whether a Deny speaks of everyone and of all that an Allow does.
fn covers(deny: &Statement, allow: &Statement) -> bool {
    let everyone = deny.principals.as_ref().is_some_and(|p| !p.inverted && p.is_open());
    let everything = deny.actions.is_everything();
    let actions = everything
        || (!deny.actions.inverted
            && !allow.actions.inverted
            && allow.actions.texts.iter().all(|a| deny.actions.matches(&a.to_ascii_lowercase())));
    let context = Context::with_rest(|_| Fact::Unknown);
    let resources = match (&deny.resources, &allow.resources) {
        (None, _) => true,
        (Some(d), _) if d.is_everything() => true,
        (Some(d), Some(a)) => {
            !d.inverted
                && !a.inverted
                && a.texts.iter().all(|t| d.matches(&ResourceText::from(t.as_ref()), &context).is_yes())
        }
        (Some(_), None) => false,
    };
    everyone && actions && resources
}

/// Whom a Deny for everyone spares: nobody without conditions, those it names with one like
/// `StringNotEquals aws:PrincipalOrgID`. None when it says nothing certain about outsiders.
fn left_by(estate: &Estate, deny: &Statement, reading: Reading<'_>) -> Option<Class> {
    let mut left = Class::Internal;
    for condition in &deny.conditions {
        let people = condition.key.as_ref() == "aws:principalisawsservice"
            && condition.operator == Operator::Bool
            && condition.values.iter().all(|v| v.eq_ignore_ascii_case("false"));
        if people {
            continue;
        }
        if !condition.negated {
            return None;
        }
        let mut positive = condition.clone();
        (positive.negated, positive.if_exists) = (false, false);
        if !limits(&positive, reading.definition) {
            return None;
        }
        left = left.max(class_of(estate, &positive));
    }
    Some(left)
}
