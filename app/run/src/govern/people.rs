//! Who acts: people on record and the session they act in.

use super::{Change, GovernError, commit, seal};
use plumb_govern::{
    Refusal,
    log::{self, SealKey},
    people::{Act, Actor, ActorKind, Credential, Directory, Grant, Person, Place, Role, Scope, may},
    policy::Policy,
};
use plumb_model::Time;
use plumb_record::Record;
use serde_json::json;

pub(super) const COLLECTION: &str = "people";

/// A person as they are kept: who, which roles, which other logins, and the digest of their code.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The person.
    pub person: Person,
    /// Their roles and where they hold.
    pub grants: Vec<Grant>,
    /// Other logins.
    #[serde(default)]
    pub logins: Vec<String>,
    /// SHA-256 of the code that serves as a second factor, hexadecimal; none when they have none.
    #[serde(default)]
    pub code: Option<String>,
}

/// Who acts, when, under which policy, with which key.
#[derive(Debug, Clone)]
pub struct Session {
    /// The actor.
    pub actor: Actor,
    /// The policy.
    pub policy: Policy,
    /// When.
    pub now: Time,
    /// The key that signs the log.
    pub key: Option<SealKey>,
    /// How the identity was established: `cli/code`, `cli/asserted`, `system`.
    pub session: String,
    /// The bulk request everything belongs to; empty for single actions.
    pub request: String,
}

impl Session {
    /// The product itself.
    pub fn system(component: &str, key: Option<SealKey>, now: Time) -> Self {
        Self {
            actor: Actor::system(component),
            policy: Policy::default(),
            now,
            key,
            session: "system".into(),
            request: String::new(),
        }
    }

    /// The entry with this session's marks.
    pub(crate) fn mark(&self, mut event: log::Event) -> log::Event {
        event.session.clone_from(&self.session);
        event.policy.clone_from(&self.policy.version);
        event.request.clone_from(&self.request);
        event
    }
}

fn all(record: &Record) -> Result<Vec<Identity>, GovernError> {
    record.documents(COLLECTION)?.into_iter().map(|(_, doc)| Ok(serde_json::from_value(doc)?)).collect()
}

/// Everybody on record.
///
/// # Errors
/// The record fails, or two people have one login.
pub fn directory(record: &Record) -> Result<Directory, GovernError> {
    let mut out = Directory::default();
    for one in all(record)? {
        let id = one.person.id.clone();
        out.put(one.person)?;
        for login in &one.logins {
            out.alias(login, &id)?;
        }
        one.grants.into_iter().for_each(|g| out.grant(g));
    }
    Ok(out)
}

/// The session of a person at the command line. Who has a code must give it to decide; who has none is taken at their
/// word, and every entry of theirs says so.
///
/// # Errors
/// Nobody has this login, the person has left, or the code is wrong.
pub fn identify(
    record: &Record,
    login: &str,
    code: Option<&str>,
    key: Option<SealKey>,
    now: Time,
) -> Result<Session, GovernError> {
    let people = all(record)?;
    let directory = directory(record)?;
    let kept =
        directory.human(login).and_then(|h| people.iter().find(|p| p.person.id == *h)).and_then(|p| p.code.clone());
    let given = code.map(|c| log::text::hex(&log::merkle::sha256(c.trim().as_bytes())));
    let (mfa_at, session) = match (&kept, &given) {
        (None, _) => (Some(now), "cli/asserted"),
        (Some(kept), Some(given)) if kept == given => (Some(now), "cli/code"),
        (Some(_), Some(_)) => return Err(GovernError::Input(format!("the code is not the one of `{login}`"))),
        (Some(_), None) => (None, "cli/no-code"),
    };
    let actor = directory.actor(&Credential { login, token: false, mfa_at }, &Place::default())?;
    let actor = super::emergency::in_emergency(record, actor, now)?;
    Ok(Session { actor, policy: Policy::default(), now, key, session: session.into(), request: String::new() })
}

/// Puts on the log that somebody acted who may not act at all: nobody has the login, the person has left, the code is wrong.
///
/// # Errors
/// The record fails.
pub fn log_unidentified(
    record: &mut Record,
    login: &str,
    why: &GovernError,
    key: Option<SealKey>,
    now: Time,
) -> Result<(), GovernError> {
    let refusal = Refusal::Unidentified { why: why.to_string() };
    let actor = Actor { id: login.to_owned(), kind: ActorKind::Person, ..Actor::system("sign-in") };
    let session = Session { actor, session: "cli/refused".into(), ..Session::system("sign-in", key, now) };
    super::log_denied(record, &session, "session.begin", ("person", login), &refusal)
}

/// Somebody to be added, or given more roles.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// Their login; also their id.
    pub id: String,
    /// Their name.
    pub name: String,
    /// Roles, organization-wide.
    pub roles: Vec<Role>,
    /// Teams.
    pub teams: Vec<String>,
    /// Other logins.
    pub logins: Vec<String>,
    /// Whether to make them a code, needed to decide from then on.
    pub code: bool,
    /// False for leavers.
    pub active: bool,
}

/// Adds a person, or adds to one. As long as nobody is admin anybody may; afterwards only admins. Returns the person
/// and, once, their code.
///
/// # Errors
/// Not allowed; a login is taken; the record fails.
pub fn add_person(
    record: &mut Record,
    session: &Session,
    new: NewPerson,
) -> Result<(Identity, Option<String>), GovernError> {
    let everybody = directory(record)?;
    let governed = everybody.grants().iter().any(|g| g.role == Role::Admin);
    if governed && !session.actor.roles.iter().any(|r| may(*r, Act::Grant)) {
        let has = session.actor.roles.iter().map(|r| r.name()).collect::<Vec<_>>().join(", ");
        let refusal = Refusal::NotAllowed {
            act: "add a person".into(),
            needs: "admin".into(),
            actor: session.actor.id.clone(),
            has,
        };
        super::log_denied(record, session, "person.add", ("person", &new.id), &refusal)?;
        return Err(refusal.into());
    }
    let id = new.id.trim().to_lowercase();
    if id.is_empty() {
        return Err(GovernError::Input("a person needs a login".into()));
    }
    // Running the tool is not deciding what one may do with it: an admin's roles are another admin's to change.
    let own = session.actor.human.as_ref().is_some_and(|h| everybody.human(&id).unwrap_or(&id.as_str().into()) == h);
    if governed && own && !new.roles.is_empty() {
        let refusal = Refusal::SamePerson { human: id.as_str().into() };
        super::log_denied(record, session, "person.add", ("person", &id), &refusal)?;
        return Err(refusal.into());
    }
    let stored = record.document(COLLECTION, &id)?;
    let (version, before) = match stored {
        Some((version, doc)) => (version, Some(doc)),
        None => (0, None),
    };
    let mut one: Identity = match &before {
        Some(doc) => serde_json::from_value(doc.clone())?,
        None => Identity {
            person: Person {
                v: 1,
                id: id.as_str().into(),
                name: id.clone(),
                active: true,
                shared: false,
                teams: Default::default(),
                manager: None,
            },
            grants: Vec::new(),
            logins: Vec::new(),
            code: None,
        },
    };
    if !new.name.is_empty() {
        one.person.name = new.name;
    }
    one.person.active = new.active;
    one.person.teams.extend(new.teams.iter().map(|t| t.as_str().into()));
    for role in new.roles {
        let grant = Grant { human: one.person.id.clone(), role, scope: Scope::Organization };
        if !one.grants.contains(&grant) {
            one.grants.push(grant);
        }
    }
    let mut check = everybody;
    for login in new.logins {
        check.alias(&login, &one.person.id)?;
        one.logins.push(login);
    }
    let code = if new.code {
        let bytes: [u8; 16] = seal::random().map_err(|source| super::SealError::File {
            doing: "make",
            path: "/dev/urandom".into(),
            source,
        })?;
        let text: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        one.code = Some(log::text::hex(&log::merkle::sha256(text.as_bytes())));
        Some(text)
    } else {
        None
    };
    let after = serde_json::to_value(&one)?;
    let what = json!({
        "roles": one.grants.iter().map(|g| g.role.name()).collect::<Vec<_>>(),
        "active": one.person.active, "code": one.code.is_some(),
    });
    let event = log::Event::done(&session.actor, "person.add", ("person", &id), what, session.now);
    let mut change =
        Change { events: vec![session.mark(event.with_states(before.as_ref(), Some(&after)))], ..Change::default() };
    change.put(COLLECTION, &id, version, &one)?;
    commit(record, session.key.as_ref(), &change, session.now)?;
    Ok((one, code))
}
