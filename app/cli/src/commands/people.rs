//! `plumb people`, and who acts at the command line.

use crate::{args::Globals, context, out, out::Failure};
use clap::{Args, Subcommand};
use plumb_govern::people::{Actor, ActorKind, Role};
use plumb_record::Record;
use plumb_run::govern::{self, EmergencyVerb, NewPerson, Session};
use serde_json::{Value as Json, json};

/// `plumb people`
#[derive(Debug, Args)]
pub struct PeopleArgs {
    /// What to do; default list
    #[command(subcommand)]
    pub command: Option<PeopleCommand>,
}

/// What to do with people.
#[derive(Debug, Subcommand)]
pub enum PeopleCommand {
    /// List everybody and their roles
    List,
    /// Add a person, or add to one
    Add {
        /// Their login
        login: String,
        /// Roles: viewer, engineer, approver, auditor, admin
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
        roles: Vec<String>,
        /// Their name
        #[arg(long, default_value = "")]
        name: String,
        /// Teams they are in
        #[arg(long = "team", value_name = "TEAM", value_delimiter = ',')]
        teams: Vec<String>,
        /// Other logins of the same human
        #[arg(long = "login", value_name = "LOGIN", value_delimiter = ',')]
        logins: Vec<String>,
        /// Give them a code, printed once, without which they decide nothing from then on
        #[arg(long)]
        code: bool,
        /// They have left
        #[arg(long)]
        left: bool,
    },
    /// Emergency sessions: what an admin may do for a few hours beyond their role, tagged and looked at afterwards; exit 1
    /// when a review is overdue
    Emergency {
        /// What to do; default list
        #[command(subcommand)]
        command: Option<EmergencyCommand>,
    },
}

/// What to do about emergency sessions.
#[derive(Debug, Subcommand)]
pub enum EmergencyCommand {
    /// List them; `plumb audit log --emergency BG-0001` lists what was done in one
    List,
    /// Open one: from now on you may what engineers and approvers may, but for your own requests
    Open {
        /// Why; at least 20 characters
        #[arg(long)]
        reason: String,
        /// For how many hours, 4 at most
        #[arg(long, default_value_t = 1)]
        hours: u8,
    },
    /// End one before its time
    Close {
        /// Its number: BG-0001
        id: String,
    },
    /// Say what you found when you looked at what was done in it; another approver does, within three working days
    Review {
        /// Its number: BG-0001
        id: String,
        /// In your words; at least 20 characters
        #[arg(long)]
        note: String,
    },
}

/// `plumb people emergency`
fn emergency(globals: &Globals, command: EmergencyCommand) -> Result<u8, Failure> {
    let verb = match command {
        EmergencyCommand::List => None,
        EmergencyCommand::Open { reason, hours } => Some(EmergencyVerb::Open(reason, hours)),
        EmergencyCommand::Close { id } => Some(EmergencyVerb::Close(id)),
        EmergencyCommand::Review { id, note } => Some(EmergencyVerb::Review(id, note)),
    };
    let now = context::now();
    let (rows, code) = match verb {
        Some(verb) => {
            let mut record = context::record(globals)?;
            let session = session(globals, &record)?;
            (vec![govern::emergency(&mut record, &session, &verb).map_err(refused)?], 0)
        }
        None => {
            let all = govern::emergencies(&context::record_read_only(globals)?).map_err(refused)?;
            let overdue = all.iter().any(|e| e.is_overdue(now));
            (all, u8::from(overdue))
        }
    };
    let head = ["session", "who", "opened", "ends", "review due", "reviewed by", "why"];
    out::rows(globals, &rows, &head, |e| {
        let by = match &e.review {
            Some(review) => review.by.to_string(),
            None if e.is_overdue(now) => "nobody, overdue".into(),
            None => String::new(),
        };
        let why = out::cut(globals, &e.reason, 60);
        vec![
            e.id.clone(),
            e.human.to_string(),
            e.opened_at.to_string(),
            e.ends().to_string(),
            e.review_due().date(),
            by,
            why,
        ]
    })?;
    Ok(code)
}

/// The login of who acts: `--actor`, `PLUMB_ACTOR`, or the file beside the configuration.
pub fn login(globals: &Globals) -> Option<String> {
    if let Some(actor) = &globals.actor {
        return Some(actor.clone());
    }
    let path = plumb_run::govern::Seal::default_path()?.with_file_name("actor");
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty())
}

/// The session of who acts, by `PLUMB_CODE` where they have a code.
pub fn session(globals: &Globals, record: &Record) -> Result<Session, Failure> {
    let login = login(globals).ok_or_else(|| Failure::usage("say who acts with --actor LOGIN or PLUMB_ACTOR"))?;
    let key = super::audit::key(globals)?;
    let code = std::env::var("PLUMB_CODE").ok();
    match govern::identify(record, &login, code.as_deref(), Some(key.clone()), context::now()) {
        Ok(session) => Ok(session),
        // Every refused attempt is on the log; who acts is asked before anything is written.
        Err(error) => {
            let mut record = context::record(globals)?;
            govern::log_unidentified(&mut record, &login, &error, Some(key), context::now())?;
            let mut failure = Failure::new(error.to_string());
            failure.code = 1;
            Err(failure)
        }
    }
}

/// A refusal as a failure: exit code 1, for the rules have said no; wrong input is 2.
pub fn refused(error: govern::GovernError) -> Failure {
    let code = match &error {
        govern::GovernError::Refused(_) => 1,
        error if out::misnamed(error) => 2,
        _ => 4,
    };
    let mut failure = Failure::new(error.to_string());
    failure.code = code;
    failure
}

/// `plumb people`
pub fn run(globals: &Globals, args: PeopleArgs) -> Result<u8, Failure> {
    match args.command.unwrap_or(PeopleCommand::List) {
        PeopleCommand::List => {
            let record = context::record_read_only(globals)?;
            let directory = govern::directory(&record)?;
            let rows: Vec<Json> = directory
                .people()
                .map(|p| {
                    let roles: Vec<&str> =
                        directory.grants().iter().filter(|g| g.human == p.id).map(|g| g.role.name()).collect();
                    json!({ "id": p.id, "name": p.name, "active": p.active, "roles": roles, "teams": p.teams })
                })
                .collect();
            let cell = |v: &Json, name: &str| v.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
            let list = |v: &Json, name: &str| {
                let all = v.get(name).and_then(Json::as_array).cloned().unwrap_or_default();
                all.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" ")
            };
            out::rows(globals, &rows, &["person", "name", "active", "roles", "teams"], |v| {
                let active = v.get("active").and_then(Json::as_bool).unwrap_or_default();
                vec![cell(v, "id"), cell(v, "name"), active.to_string(), list(v, "roles"), list(v, "teams")]
            })?;
            Ok(0)
        }
        PeopleCommand::Emergency { command } => emergency(globals, command.unwrap_or(EmergencyCommand::List)),
        PeopleCommand::Add { login: id, roles, name, teams, logins, code, left } => {
            let roles = roles.iter().map(|r| r.parse::<Role>()).collect::<Result<_, _>>().map_err(Failure::usage)?;
            let mut record = context::record(globals)?;
            let key = super::audit::key(globals)?;
            let now = context::now();
            // The first person adds themselves: nobody is on record who could.
            let session = match login(globals) {
                Some(login) if govern::directory(&record)?.human(&login).is_some() => session(globals, &record)?,
                other => {
                    let id = other.unwrap_or_else(|| "cli:setup".into());
                    let actor = Actor { id, kind: ActorKind::Person, ..Actor::system("setup") };
                    Session { actor, session: "cli/setup".into(), ..Session::system("setup", Some(key), now) }
                }
            };
            let new = NewPerson { id, name, roles, teams, logins, code, active: !left };
            let (one, code) = govern::add_person(&mut record, &session, new).map_err(refused)?;
            let roles: Vec<&str> = one.grants.iter().map(|g| g.role.name()).collect();
            out::line(json!({ "id": one.person.id, "roles": roles, "active": one.person.active, "code": code }));
            Ok(0)
        }
    }
}
