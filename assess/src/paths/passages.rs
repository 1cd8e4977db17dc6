//! Who in one account can become administrator of another, whether anybody outside reaches them or not.
//!
//! Each account gives its [`Passages`]: who administers it or comes to, who becomes whom on the way to a step out, and the
//! steps into roles of other accounts, decided by both sides. Put together they tell for each account who of the others
//! comes to administer it.

use super::{
    Border,
    border::{Crossing, allows_somewhere},
    door::{FUNCTION, INTO_FUNCTION, INTO_ROLE, ROLE},
};
use crate::identity::aws::{Admin, arn::Arn, details::Principal};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Requests over accounts an account is asked about here.
const MAX_ASKED: usize = 200_000;
/// Principals of others that are told for one account.
pub const MAX_ABROAD: usize = 5_000;

/// A step of [`Passages`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Passage {
    /// A principal, or `admin:ACCOUNT` for whoever administers it.
    pub from: String,
    /// A principal, or `admin:ACCOUNT`.
    pub to: String,
    /// Whether it hangs on something that is not known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
}

/// What of an account's identities matters to administration of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Passages {
    /// Steps within the account, to its administration and to whoever can leave it.
    pub within: Vec<Passage>,
    /// Steps into other accounts.
    pub out: Vec<Passage>,
    /// Whether there were more than could be tried.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bounded: bool,
}

impl Passages {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.within.is_empty() && self.out.is_empty() && !self.bounded
    }
}

impl Crossing<'_> {
    pub(super) fn passages(&self) -> Passages {
        let details = &self.facts.world.details;
        let own = &self.facts.world.organization;
        let admin = format!("admin:{}", self.account());
        let all = details.principals.iter().zip(&self.facts.escalations.standings);
        let may = |p: &Principal| INTO_ROLE.iter().all(|w| allows_somewhere(p, w.action));
        let others: Vec<&Principal> =
            all.clone().filter(|(p, s)| s.admin == Admin::No && may(p)).map(|(p, _)| p).collect();
        let (mut out, mut asked) = (Passages::default(), 0);
        let open = |step: &super::Edge| !step.depends_on.is_empty() || !self.facts.guardrails.is_empty();
        let partition = self.partition();
        let roles = self.outside.doors_for(self.account()).filter(|d| d.kind == ROLE);
        for (door, way) in roles.flat_map(|d| INTO_ROLE.map(|way| (d, way))) {
            asked += others.len() + 1;
            if asked > MAX_ASKED {
                out.bounded = true;
                break;
            }
            let steps = others.iter().filter_map(|p| self.through(door, way, p, own));
            let acting = self.as_anyone(door, way, self.account(), &partition, own).map(|mut step| {
                step.from.clone_from(&admin);
                step
            });
            out.out.extend(steps.chain(acting).map(|s| Passage { open: open(&s), from: s.from, to: s.to }));
        }
        // Into accounts nobody read, or not completely, where a policy says so; that whoever administers this account may
        // come into them, too, needs no telling.
        let mut unread = Border::default();
        for (kind, what, ways) in [(ROLE, "a role", &INTO_ROLE[..]), (FUNCTION, "a function", &INTO_FUNCTION[..])] {
            let unseen = self.unseen(kind);
            for principal in others.iter().filter(|_| !unseen.is_empty()) {
                ways.iter().for_each(|way| self.unread_by(principal, kind, what, *way, &unseen, &mut unread));
            }
        }
        out.out.extend(unread.steps.into_iter().map(|s| Passage { from: s.from, to: s.to, open: true }));
        out.out.sort();
        out.out.dedup_by(|a, b| a.from == b.from && a.to == b.to);
        let administers = all.filter(|(_, s)| s.admin != Admin::No || !s.steps.is_empty()).map(|(p, _)| &p.arn);
        out.within.extend(administers.map(|from| Passage { from: from.clone(), to: admin.clone(), open: false }));
        // Who becomes somebody that leaves the account, over however many steps.
        let mut leads: BTreeSet<&str> = out.out.iter().map(|s| s.from.as_str()).collect();
        let all_edges = self.facts.escalations.edges.iter().chain(&self.facts.escalations.conditional);
        let edges = all_edges.filter(|e| e.from != e.to);
        let edges: Vec<_> = edges.filter(|e| details.principal(&e.to).is_some()).collect();
        let mut more = true;
        while more {
            let before = leads.len();
            leads.extend(
                edges.iter().filter(|e| leads.contains(e.to.as_str())).map(|e| e.from.as_str()).collect::<Vec<_>>(),
            );
            more = leads.len() > before;
        }
        let on_the_way = edges.iter().filter(|e| leads.contains(e.to.as_str()));
        out.within.extend(on_the_way.map(|e| Passage {
            from: e.from.clone(),
            to: e.to.clone(),
            open: !e.assumes.is_empty(),
        }));
        out.within.sort();
        out.within.dedup_by(|a, b| a.from == b.from && a.to == b.to);
        out
    }
}

/// A principal that can become administrator of another account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct AdminAbroad {
    /// Its account.
    pub account: String,
    /// Its ARN.
    pub arn: String,
    /// The account it comes to administer; `unread` for one of those that could not be read.
    pub into_account: String,
    /// Whether every step is certain.
    pub certain: bool,
    /// From the principal to `admin:ACCOUNT`.
    pub steps: Vec<String>,
}

/// Who of each account can become administrator of another, by the certain way where there is one, else by the shortest;
/// and the accounts about which more could be said than was ([`MAX_ABROAD`]).
pub fn administrators_abroad(all: &BTreeMap<String, Passages>) -> (Vec<AdminAbroad>, BTreeSet<String>) {
    let mut back: BTreeMap<&str, Vec<&Passage>> = BTreeMap::new();
    for step in all.values().flat_map(|p| p.within.iter().chain(&p.out)) {
        back.entry(&step.to).or_default().push(step);
    }
    let (mut out, mut limits) = (Vec::new(), BTreeSet::new());
    limits.extend(all.iter().filter(|(_, p)| p.bounded).map(|(account, _)| account.clone()));
    for (goal, account) in back.keys().filter_map(|node| Some((*node, node.strip_prefix("admin:")?))) {
        let mut next: BTreeMap<&str, &Passage> = BTreeMap::new();
        let mut certain: BTreeSet<&str> = BTreeSet::new();
        for sure in [true, false] {
            // Whoever came by certain steps alone is found first; then what hangs on something leads to them, too.
            let mut waiting: VecDeque<&str> = VecDeque::from([goal]);
            waiting.extend(next.keys().copied());
            while let Some(at) = waiting.pop_front() {
                for step in back.get(at).into_iter().flatten().filter(|s| !(sure && s.open)) {
                    if step.from != goal && !next.contains_key(step.from.as_str()) {
                        next.insert(&step.from, step);
                        waiting.push_back(&step.from);
                    }
                }
            }
            if sure {
                certain.extend(next.keys());
            }
        }
        let who = next.keys().filter_map(|node| Some((*node, Arn::parse(node)?.account())));
        for (n, (arn, owner)) in who.filter(|(_, owner)| *owner != account).enumerate() {
            if n >= MAX_ABROAD {
                limits.insert(account.to_owned());
                break;
            }
            let mut steps = vec![arn.to_owned()];
            let mut at = arn;
            while let Some(step) = next.get(at) {
                steps.push(step.to.clone());
                at = &step.to;
            }
            let (owner, into) = (owner.to_owned(), account.to_owned());
            let certain = certain.contains(arn);
            out.push(AdminAbroad { account: owner, arn: arn.to_owned(), into_account: into, certain, steps });
        }
    }
    out.sort();
    (out, limits)
}
