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
use std::collections::HashMap;

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
        resources(statement, kind, &mut note);
        let twin = document
            .statements
            .iter()
            .take(i)
            .find(|s| statement.sid.as_ref().is_some_and(|s| !s.is_empty()) && s.sid == statement.sid);
        if twin.is_some() {
            note("invalid", format!("the Sid `{}` stands twice; IAM refuses such a policy", statement.label()));
        }
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
            ActionPattern::Glob(_) => catalogue.iter().any(|a| pattern.matches(a.lower)),
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

/// Resources that are none, and actions that none of the resources can be of: such a grant has no effect.
fn resources(statement: &Statement, kind: Use, note: &mut impl FnMut(&'static str, String)) {
    let Some(named) = &statement.resources else {
        if matches!(kind, Use::Identity | Use::Organization) && statement.principals.is_none() {
            note("invalid", "there is no Resource; say the ARNs it is about, or \"*\"".into());
        }
        return;
    };
    let mut arns = Vec::with_capacity(named.texts.len());
    for text in &named.texts {
        if !(text.starts_with("arn:") || text.starts_with(['*', '$']) || text.starts_with("ar*")) {
            note(
                "resource-form",
                format!("`{text}` is no ARN and matches nothing; write arn:aws:s3:::bucket/key or \"*\""),
            );
        } else {
            arns.push(tokens(text));
        }
    }
    if named.inverted
        || statement.effect != Effect::Allow
        || statement.actions.inverted
        || named.is_everything()
        || arns.is_empty()
    {
        return;
    }
    // The actions of a statement mostly share their forms.
    let mut meets: HashMap<&str, bool> = HashMap::new();
    for (text, pattern) in statement.actions.texts.iter().zip(statement.actions.patterns()) {
        let ActionPattern::Exact(name) = pattern else { continue };
        let Some(action) = data::actions().find(name).filter(|a| !a.types.is_empty()) else { continue };
        let formats = data::resource_types(name.split(':').next().unwrap_or_default());
        let mut forms = formats.iter().filter(|(kind, _)| action.types.iter().any(|(t, _)| t == kind));
        let Some(first) = forms.clone().map(|(_, form)| form).min_by_key(|form| form.len()) else { continue };
        // A type that AWS names without a form could be anything.
        // So could what is another service's: AWS lists those it remembered.
        let service = name.split(':').next().unwrap_or_default();
        let own = |form: &str| form.split(':').nth(2) == Some(service);
        let whole = action.types.iter().all(|(t, _)| formats.iter().any(|(kind, form)| kind == t && own(form)));
        let mut meets = |form: &'static str| {
            *meets.entry(form).or_insert_with(|| {
                let form = tokens(form);
                arns.iter().any(|arn| same_kind(arn, &form))
            })
        };
        if whole && !forms.any(|(_, form)| meets(form)) {
            note("resource-mismatch", format!("`{text}` acts on none of these resources; it takes {first}"));
        }
    }
}

/// A pattern over ARNs, piece by piece.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Token {
    One(char),
    Single,
    Any,
    /// Any run without a slash: the names of buckets.
    Name,
}

fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let placeholder = rest.starts_with("${").then(|| rest.find('}')).flatten();
        let (token, length) = match placeholder {
            Some(end) if rest.get(..end) == Some("${BucketName") => (Token::Name, end + 1),
            Some(end) => (Token::Any, end + 1),
            None if c == '*' => (Token::Any, 1),
            None if c == '?' => (Token::Single, 1),
            None => (Token::One(c), c.len_utf8()),
        };
        out.push(token);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// The six parts of an ARN, or fewer.
fn parts(arn: &[Token]) -> Vec<&[Token]> {
    arn.splitn(6, |t| *t == Token::One(':')).collect()
}

/// Whether some resource matches both. The forms AWS documents are loose about what stands in the sixth part, so that a
/// wildcard may reach over colons; those of S3 are not, whose bucket and object are mixed up most.
fn same_kind(pattern: &[Token], form: &[Token]) -> bool {
    let (a, b) = (parts(pattern), parts(form));
    let store = b.get(2).is_some_and(|service| *service == [Token::One('s'), Token::One('3')]) && a.len() == b.len();
    let strict = if store { 6 } else { 3 };
    a.iter().zip(&b).take(strict).all(|(a, b)| overlap(a, b)) && (store || overlap(pattern, form))
}

/// Whether some text matches both.
fn overlap(mut a: &[Token], mut b: &[Token]) -> bool {
    // What is plain on both sides decides at once, from either end.
    while let ([Token::One(x), left @ ..], [Token::One(y), right @ ..]) = (a, b) {
        if x != y {
            return false;
        }
        (a, b) = (left, right);
    }
    while let ([left @ .., Token::One(x)], [right @ .., Token::One(y)]) = (a, b) {
        if x != y {
            return false;
        }
        (a, b) = (left, right);
    }
    let runs = |t: Option<&Token>| matches!(t, Some(Token::Any | Token::Name));
    let may = |t: &Token, c: char| match t {
        Token::One(own) => c == *own,
        Token::Name => c != '/',
        Token::Any | Token::Single => true,
    };
    // Row by row: whether what is left of `a` from `i` and of `b` from `j` have a text in common.
    let mut below = vec![false; b.len() + 1];
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; b.len() + 1];
        for j in (0..=b.len()).rev() {
            let (x, y) = (a.get(i), b.get(j));
            let next = |down: bool, right: bool| match (down, right) {
                (true, true) => below.get(j + 1),
                (true, false) => below.get(j),
                _ => row.get(j + 1),
            };
            let at = |down, right| next(down, right).copied().unwrap_or(false);
            let both = x.zip(y).is_some_and(|(x, y)| match (x, y) {
                (Token::One(c), other) | (other, Token::One(c)) => may(other, *c),
                _ => true,
            });
            let found = (x.is_none() && y.is_none())
                || (runs(x) && at(true, false))
                || (runs(y) && at(false, true))
                // A run goes on after the other side's character.
                || (both && ((runs(x) && at(false, true)) || (runs(y) && at(true, false)) || at(true, true)));
            if let Some(cell) = row.get_mut(j) {
                *cell = found;
            }
        }
        below = row;
    }
    below.first().copied().unwrap_or(false)
}

fn conditions(statement: &Statement, note: &mut impl FnMut(&'static str, String)) {
    for condition in &statement.conditions {
        if data::condition_key_type(&condition.key).is_none() && !is_token_key(&condition.key) {
            note("unknown-condition-key", format!("`{}` is no condition key AWS documents", condition.key_text));
        }
        let known = condition.operator != Operator::Unsupported;
        for value in condition.unreadable().filter(|_| known) {
            let what = match condition.operator {
                Operator::IpAddress => "no address or network like 203.0.113.0/24",
                Operator::Date(_) => "no instant like 2026-11-21T00:00:00Z",
                Operator::Numeric(_) => "no number",
                Operator::Bool | Operator::Null => "neither true nor false",
                Operator::Arn => "no ARN",
                _ => "not what the operator compares",
            };
            note("condition-value", format!("`{value}` of `{}` on `{}` is {what}", condition.text, condition.key_text));
        }
        // An address is compared as one or not at all; so is an instant.
        let kind = data::condition_key_type(&condition.key);
        let address = kind.is_some_and(|k| k.eq_ignore_ascii_case("IPAddress"));
        let compared = condition.operator == Operator::IpAddress;
        if kind.is_some() && address != compared && known && condition.operator != Operator::Null {
            let what = if address {
                format!(
                    "`{}` holds an address, which `{}` compares as text; use IpAddress",
                    condition.key_text, condition.text
                )
            } else {
                format!("`{}` holds no address, so `{}` never holds of it", condition.key_text, condition.text)
            };
            note("condition-type", what);
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
                match entry {
                    PrincipalEntry::Dangling(id) if id.bytes().all(|b| b.is_ascii_digit()) => {
                        note("invalid", format!("`{id}` is no account: an account id has 12 digits"));
                    }
                    PrincipalEntry::Dangling(id) => {
                        note("dangling-principal", format!("`{id}` is the id of a principal that no longer exists"));
                    }
                    PrincipalEntry::Arn(arn) if arn.contains(['*', '?']) => {
                        let what =
                            "a principal takes no wildcard; name the account and use a condition on aws:PrincipalArn";
                        note("invalid", format!("`{arn}` matches nobody: {what}"));
                    }
                    _ => {}
                }
            }
            let has = |wanted: &dyn Fn(&PrincipalEntry) -> bool| p.entries.iter().any(wanted);
            let account = has(&|e| matches!(e, PrincipalEntry::Account(_)));
            let session = has(&|e| matches!(e, PrincipalEntry::Arn(a) if a.contains(":assumed-role/")));
            let role = has(&|e| matches!(e, PrincipalEntry::Arn(a) if a.contains(":role/")));
            if p.inverted && statement.effect == Effect::Deny && role && !(account && session) {
                let what = "the role is denied all the same: NotPrincipal exempts its sessions only when they and the account are listed too; deny everyone with a condition on aws:PrincipalArn instead";
                note("not-principal", what.into());
            }
        }
        None => {}
    }
}
