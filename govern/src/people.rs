//! People, logins, roles and what each role may do.
//!
//! A person is a [`HumanId`]; logins, mail addresses, SSO subjects and API tokens are aliases of one. Four-eyes rules
//! compare humans, never logins, so a second login does not make a second pair of eyes.

use crate::ids::{HumanId, TeamId, named};
use plumb_model::{AccountId, Time};
use std::collections::{BTreeMap, BTreeSet};

/// What a person may be granted on a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on findings and asks for decisions.
    Engineer,
    /// Decides what others ask for.
    Approver,
    /// Reads everything, writes nothing.
    Auditor,
    /// Runs the tool; has no decision right by that alone.
    Admin,
}
named!(Role, "role", { Viewer => "viewer", Engineer => "engineer", Approver => "approver", Auditor => "auditor", Admin => "admin" });

/// Where a grant holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everywhere.
    Organization,
    /// A folder, organizational unit or management group, and what is below it.
    Folder(String),
    /// One account.
    Account(AccountId),
    /// Everything with this tag.
    Tag(String, String),
    /// Everything this team owns.
    Team(TeamId),
}

/// Where a thing lies, to be compared with scopes.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The account, if it is in one.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// The folders above the account, nearest first.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Tags of the resource and its account.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// The team that owns it.
    #[serde(default)]
    pub team: Option<TeamId>,
}

impl Scope {
    /// Whether something that lies at `place` is inside this scope.
    pub fn covers(&self, place: &Place) -> bool {
        match self {
            Self::Organization => true,
            Self::Folder(f) => place.folders.contains(f),
            Self::Account(a) => place.account.as_ref() == Some(a),
            Self::Tag(k, v) => place.tags.iter().any(|(pk, pv)| pk == k && pv == v),
            Self::Team(t) => place.team.as_ref() == Some(t),
        }
    }
}

/// One person as the record knows them.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Person {
    /// Format version of this row; 1.
    pub v: u16,
    /// The human.
    pub id: HumanId,
    /// The name shown to people; kept here only, so that erasing it breaks no log.
    pub name: String,
    /// False for leavers.
    pub active: bool,
    /// A group mailbox or shared login: may own nothing and decide nothing.
    #[serde(default)]
    pub shared: bool,
    /// The teams they are in.
    #[serde(default)]
    pub teams: BTreeSet<TeamId>,
    /// Their manager, from the identity provider.
    #[serde(default)]
    pub manager: Option<HumanId>,
}

/// A role on a scope.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// Who holds it.
    pub human: HumanId,
    /// The role.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}

/// What kind of thing acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActorKind {
    /// A signed-in person.
    Person,
    /// An API token; acts as its owner.
    Token,
    /// A part of the product: the scanner, the expiry job.
    System,
    /// An import of another tool's results.
    Import,
}
named!(ActorKind, "actor kind", { Person => "person", Token => "token", System => "system", Import => "import" });

/// Who acts, with the roles they have where they act.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Actor {
    /// Login, token id, or `system:<component>`.
    pub id: String,
    /// Kind.
    pub kind: ActorKind,
    /// The human behind a login or token; none for the product itself.
    #[serde(default)]
    pub human: Option<HumanId>,
    /// Effective roles at the place of the object acted on.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// When the second factor was last given.
    #[serde(default)]
    pub mfa_at: Option<Time>,
    /// The emergency session's id, when one is open; everything done in it is tagged with it.
    #[serde(default)]
    pub emergency: Option<String>,
}

impl Actor {
    /// A part of the product: `system:scanner`.
    pub fn system(component: &str) -> Self {
        Self {
            id: format!("system:{component}"),
            kind: ActorKind::System,
            human: None,
            roles: BTreeSet::new(),
            mfa_at: None,
            emergency: None,
        }
    }

    /// An import of another tool's results: `import:prowler`.
    pub fn import(tool: &str) -> Self {
        Self { id: format!("import:{tool}"), kind: ActorKind::Import, ..Self::system(tool) }
    }

    /// Whether the actor holds `role` here.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether this is a person or a person's token.
    pub fn is_human(&self) -> bool {
        matches!(self.kind, ActorKind::Person | ActorKind::Token)
    }

    /// Whether a second factor was given in the last `minutes` before `now`.
    pub fn mfa_fresh(&self, now: Time, minutes: i64) -> bool {
        self.mfa_at.is_some_and(|at| at <= now && now.seconds() - at.seconds() <= minutes * 60)
    }
}

/// What can be done, for the permission matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Findings, inventory, ledger, scores.
    Read,
    /// Evidence that held secrets, redacted.
    ReadEvidence,
    /// Comment, assign to the own team.
    Comment,
    /// Start remediation, claim fixed, ask for a retest.
    Work,
    /// Ask for an exception, deferral, exposure approval or false positive.
    Request,
    /// Decide such a request.
    Decide,
    /// End a decision early.
    Revoke,
    /// Run a scan.
    Scan,
    /// Approve a change to a live resource.
    ApproveFix,
    /// Judge principals in a campaign one is named reviewer of.
    Review,
    /// Open or close a campaign, freeze a period.
    RunCampaign,
    /// Propose a policy.
    ProposePolicy,
    /// Approve a policy.
    ApprovePolicy,
    /// Grant roles and tokens, set up the identity provider.
    Grant,
    /// Read the activity log, export and verify bundles.
    Evidence,
    /// Place or lift a legal hold.
    Hold,
    /// Propose a legal hold.
    ProposeHold,
    /// Write auditor notes and evidence requests, which are kept apart.
    AuditNote,
}
named!(Act, "act", {
    Read => "read", ReadEvidence => "read-evidence", Comment => "comment", Work => "work", Request => "request",
    Decide => "decide", Revoke => "revoke", Scan => "scan", ApproveFix => "approve-fix", Review => "review",
    RunCampaign => "run-campaign", ProposePolicy => "propose-policy", ApprovePolicy => "approve-policy",
    Grant => "grant", Evidence => "evidence", Hold => "hold", ProposeHold => "propose-hold", AuditNote => "audit-note",
});

/// The permission matrix: which roles hold which act.
///
/// INVARIANT: [`Role::Auditor`] holds no act that writes, except its own notes and proposing a hold.
pub fn may(role: Role, act: Act) -> bool {
    use Role::{Admin, Approver, Auditor, Engineer, Viewer};
    let holders: &[Role] = match act {
        Act::Read => &[Viewer, Engineer, Approver, Auditor, Admin],
        Act::ReadEvidence => &[Engineer, Approver, Auditor, Admin],
        Act::Comment => &[Engineer, Approver, Admin],
        Act::Work | Act::Request | Act::Review => &[Engineer, Approver],
        Act::Decide | Act::ApproveFix | Act::ApprovePolicy => &[Approver],
        Act::Revoke | Act::RunCampaign => &[Approver, Admin],
        Act::Scan => &[Engineer, Approver, Admin],
        Act::ProposePolicy | Act::Grant | Act::Hold => &[Admin],
        Act::Evidence => &[Approver, Auditor, Admin],
        Act::ProposeHold | Act::AuditNote => &[Auditor],
    };
    holders.contains(&role)
}

impl Actor {
    /// Whether any of the actor's roles here holds `act`.
    pub fn may(&self, act: Act) -> bool {
        self.is_human() && self.roles.iter().any(|r| may(*r, act))
    }
}

/// How a request proves who it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential<'a> {
    /// Login, mail address, SSO subject or token id.
    pub login: &'a str,
    /// Whether it is a token.
    pub token: bool,
    /// When the second factor was last given.
    pub mfa_at: Option<Time>,
}

/// Why a credential or an alias is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PeopleError {
    /// Nobody has this login.
    #[error("login `{0}` belongs to nobody on record; register it as an alias of a person")]
    Unknown(String),
    /// The person has left.
    #[error("`{0}` is not active any more")]
    Left(HumanId),
    /// The login already names somebody else.
    #[error("login `{alias}` already belongs to `{holder}`; one login names one human")]
    Taken {
        /// The login.
        alias: String,
        /// Whom it names.
        holder: HumanId,
    },
}

/// All people, their aliases and their grants.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Directory {
    people: BTreeMap<HumanId, Person>,
    aliases: BTreeMap<String, HumanId>,
    grants: Vec<Grant>,
}

impl Directory {
    /// Adds or replaces a person; their id is an alias of themselves.
    ///
    /// # Errors
    /// The id is already an alias of somebody else.
    pub fn put(&mut self, person: Person) -> Result<(), PeopleError> {
        self.alias(person.id.as_str(), &person.id.clone())?;
        self.people.insert(person.id.clone(), person);
        Ok(())
    }

    /// Makes `login` a name of `human`. Case and surrounding space do not count.
    ///
    /// # Errors
    /// The login already names somebody else: aliases are never silently moved, or four eyes could be made of two.
    pub fn alias(&mut self, login: &str, human: &HumanId) -> Result<(), PeopleError> {
        let key = normal(login);
        match self.aliases.get(&key) {
            Some(holder) if holder != human => Err(PeopleError::Taken { alias: key, holder: holder.clone() }),
            _ => {
                self.aliases.insert(key, human.clone());
                Ok(())
            }
        }
    }

    /// Adds a grant.
    pub fn grant(&mut self, grant: Grant) {
        if !self.grants.contains(&grant) {
            self.grants.push(grant);
        }
    }

    /// The human behind a login, if any.
    pub fn human(&self, login: &str) -> Option<&HumanId> {
        self.aliases.get(&normal(login))
    }

    /// The person with this id.
    pub fn person(&self, id: &HumanId) -> Option<&Person> {
        self.people.get(id)
    }

    /// All people, by id.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// All grants.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Who acts when `credential` acts on something at `place`: the human behind it and the union of their grants there.
    ///
    /// # Errors
    /// The login is unknown, or its person has left.
    pub fn actor(&self, credential: &Credential<'_>, place: &Place) -> Result<Actor, PeopleError> {
        let unknown = || PeopleError::Unknown(credential.login.into());
        let human = self.human(credential.login).ok_or_else(unknown)?;
        let person = self.people.get(human).ok_or_else(unknown)?;
        if !person.active {
            return Err(PeopleError::Left(human.clone()));
        }
        let held = self.grants.iter().filter(|g| g.human == *human && g.scope.covers(place)).map(|g| g.role);
        Ok(Actor {
            id: credential.login.into(),
            kind: if credential.token { ActorKind::Token } else { ActorKind::Person },
            human: Some(human.clone()),
            roles: held.collect(),
            mfa_at: credential.mfa_at,
            emergency: None,
        })
    }

    /// People who hold both admin and approver somewhere; printed in every bundle.
    pub fn admin_approvers(&self) -> Vec<HumanId> {
        let holds = |h: &HumanId, role| self.grants.iter().any(|g| g.human == *h && g.role == role);
        self.people.keys().filter(|h| holds(h, Role::Admin) && holds(h, Role::Approver)).cloned().collect()
    }
}

fn normal(login: &str) -> String {
    login.trim().to_lowercase()
}
