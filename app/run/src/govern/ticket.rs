//! What goes into a ticket: the problem, what it means for the business, how to mend it, by when, and what will close it.

use super::{GovernError, Profile, Removal, Surroundings, Timing, life, removal, route_words};
use plumb_catalog::Catalog;
use plumb_govern::policy::{Lane, Policy};
use plumb_model::Time;
use plumb_record::{FindingRow, Record};
use std::collections::BTreeMap;

/// A ticket's content; [`Ticket::markdown`] is its text.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Ticket {
    /// The finding.
    pub finding: String,
    /// One line.
    pub title: String,
    /// The rule.
    pub rule: String,
    /// The severity the rule gives.
    pub severity: String,
    /// How soon it wants attention, after what is known about its reach.
    pub lane: String,
    /// Why it wants attention sooner or later than its severity says; empty when it does not.
    pub recalibrated: String,
    /// The team that has to act.
    pub team: Option<String>,
    /// The person.
    pub person: Option<String>,
    /// Why they.
    pub routed_by: String,
    /// When it is due; none where the lane and tier have no due date, or while its clock stands.
    pub due: Option<Time>,
    /// Days past that.
    pub late_days: Option<i64>,
    /// What it means for the business, a fact a line.
    pub context: Vec<String>,
    /// What was seen, and what would be right.
    pub observed: Vec<String>,
    /// Why it matters.
    pub why: String,
    /// What to do.
    pub steps: String,
    /// For identities: how the access is taken away.
    pub removal: Option<Removal>,
    /// Controls it counts for.
    pub controls: Vec<String>,
    /// Where code declares it, by the checks on record: `main.tf:12 (aws_s3_bucket.orders), …`.
    pub code: Vec<String>,
    /// Findings that are the same work: seen by another tool, or made by the same code.
    pub same_work: Vec<String>,
    /// Labels for whatever keeps tickets.
    pub labels: Vec<String>,
    /// What will close it.
    pub closes: String,
}

/// Kinds whose findings are about who may do something.
fn is_identity(row: &FindingRow) -> bool {
    let of_iam =
        row.kind.starts_with("aws.iam.") && (row.resource.contains(":user/") || row.resource.contains(":role/"));
    let of_others = row.kind.starts_with("azure.authorization.")
        || row.kind.starts_with("azure.entra.")
        || row.kind == "gcp.iam.service-account"
        || row.kind == "gcp.iam.project-grant";
    of_iam || of_others || row.kind == "governance.access-review" || row.kind == "governance.leaver"
}

/// Whether taking an access away is what the finding asks for, and not a policy for everybody.
fn asks_for_removal(row: &FindingRow) -> bool {
    const TOPICS: [&str; 6] = [
        "identity.access-review",
        "identity.dormant",
        "identity.admin-privilege",
        "identity.long-lived-credentials",
        "identity.privilege-escalation",
        "identity.least-privilege",
    ];
    is_identity(row) && TOPICS.contains(&row.topic.as_str())
}

/// Makes the ticket of a finding.
///
/// # Errors
/// The record fails, or the finding's state does not follow from its steps.
pub fn ticket(record: &Record, catalog: &Catalog, row: &FindingRow, now: Time) -> Result<Ticket, GovernError> {
    Tickets::read(record, catalog)?.of(row, now)
}

/// What every ticket is made with: read once, used for all.
pub struct Tickets<'a> {
    around: Surroundings<'a>,
    /// Names of accounts that have one.
    names: BTreeMap<String, String>,
}

impl<'a> Tickets<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// The record fails.
    pub fn read(record: &'a Record, catalog: &'a Catalog) -> Result<Self, GovernError> {
        let named = record.accounts()?.into_iter().filter(|a| !a.name.is_empty());
        Ok(Self {
            around: Surroundings::read(record, catalog, &Policy::default())?,
            names: named.map(|a| (a.id, a.name)).collect(),
        })
    }

    /// The ticket of a finding.
    ///
    /// # Errors
    /// As for [`ticket`].
    pub fn of(&self, row: &FindingRow, now: Time) -> Result<Ticket, GovernError> {
        made(self, row, now)
    }
}

fn made(tickets: &Tickets<'_>, row: &FindingRow, now: Time) -> Result<Ticket, GovernError> {
    let around = &tickets.around;
    let (record, catalog) = (around.record, around.catalog);
    let (_, found) = life::load_in(record, around, row)?;
    let f = found.finding;
    let page = catalog.rules.get(row.rule.as_str());
    let own = crate::programme_pages_of(&row.rule).into_iter().find(|p| p.id == row.rule);
    let section = |heading: &str| {
        page.map(|p| p.section(heading)).or_else(|| own.as_ref().map(|p| p.section(heading))).unwrap_or_default()
    };
    let profile = around.profile(&row.account);
    let name = tickets.names.get(&row.account).unwrap_or(&row.account).clone();
    let tags = around.tags(row)?;
    let reach = around.class(row)?;
    let ways = record.paths_through(&row.account, &row.resource)?;
    let sql = "SELECT id FROM findings WHERE account = ?1 AND resource = ?2 AND rule = ?3 AND id <> ?4 \
               AND state NOT IN ('fixed', 'resource-gone', 'superseded') ORDER BY id";
    let mut same_work: Vec<String> = Vec::new();
    record.each_answer::<GovernError>(sql, &[&row.account, &row.resource, &row.rule, &row.id], |same| {
        same_work.extend(same.first().and_then(|id| id.as_str()).map(str::to_owned));
        Ok(())
    })?;
    for link in &f.links {
        same_work.push(format!("{} {}", link.kind, record.finding(link.to.as_str())?.id));
    }
    let part = if row.sub_key.is_empty() { String::new() } else { format!(" [{}]", row.sub_key) };
    let left = row.rule.ends_with("leaver-removed");
    let removal = asks_for_removal(row).then(|| removal(&row.account, &row.resource, &row.name, &access_of(row), left));
    let mut labels =
        vec!["cloud-posture".to_owned(), format!("severity-{}", row.severity), format!("lane-{}", f.facts.lane())];
    labels.extend(row.topic.split('.').next().filter(|t| !t.is_empty()).map(str::to_owned));
    let due = f.clock().due(now).filter(|_| !f.clock().is_paused(now));
    Ok(Ticket {
        finding: row.id.clone(),
        title: format!("{}: not so in {} — {}{part}", row.title, name, row.name),
        rule: row.rule.clone(),
        severity: row.severity.clone(),
        lane: f.facts.lane().to_string(),
        recalibrated: recalibrated(
            row,
            &found.timing,
            f.facts.lane(),
            life::lane_of(f.facts.severity),
            reach.as_deref(),
        ),
        team: f.team().map(ToString::to_string),
        person: f.person().map(ToString::to_string),
        routed_by: route_words(&around.route(row, &tags).by),
        due,
        late_days: due.filter(|d| *d < now).map(|d| now.days_since(d)),
        context: context(&name, row, &profile, reach.as_deref(), &ways, &f.facts.cause),
        observed: row
            .because
            .iter()
            .map(|l| format!("{} is {}; right would be: {}", l.path, l.observed.to_plain_json(), l.expected))
            .collect(),
        why: section("Why it matters"),
        steps: section("How to fix"),
        removal,
        controls: f.facts.controls.clone(),
        code: tickets.around.places.of(row),
        same_work,
        labels,
        closes: "A scan that reads the resource again and finds it right closes the finding; nobody closes it by hand."
            .into(),
    })
}

/// Why the lane is not what the severity alone would say; empty when it is.
fn recalibrated(row: &FindingRow, timing: &Timing, lane: Lane, plain: Lane, reach: Option<&str>) -> String {
    let why = match timing.scored {
        true => Some(timing.by.as_str()).filter(|_| lane != plain),
        false => life::sooner(row, reach),
    };
    why.map(|why| format!("{why}: {lane} instead of {plain}")).unwrap_or_default()
}

/// What of a principal shall go: the part of it that the finding names.
fn access_of(row: &FindingRow) -> String {
    match row.sub_key.as_str() {
        "1" | "2" if row.rule.contains("key") => "access key".into(),
        part if row.rule.contains(".inline-") && !part.is_empty() => format!("policy {part}"),
        part => part.into(),
    }
}

fn context(
    name: &str,
    row: &FindingRow,
    profile: &Profile,
    reach: Option<&str>,
    ways: &[String],
    cause: &str,
) -> Vec<String> {
    let words = |items: Vec<String>| if items.is_empty() { "not on record".to_owned() } else { items.join(", ") };
    let mut out = vec![format!(
        "Account {name} ({}), tier {}, data: {}.",
        row.account,
        profile.tier,
        words(profile.data.iter().map(ToString::to_string).collect())
    )];
    if !profile.purpose.trim().is_empty() {
        out.push(format!("It is for: {}", profile.purpose.trim()));
    }
    out.push(match reach {
        Some("internet") => {
            "Everybody on the internet can reach it; that was proven from routes, firewalls and policies.".into()
        }
        Some("internet-authenticated") => "It answers the internet, to those who sign in.".into(),
        Some("limited") => "Chosen addresses outside can reach it.".into(),
        Some("cross-account") => "Other companies' accounts are let in.".into(),
        Some("internal") => "It cannot be reached from outside, as far as was read.".into(),
        Some(other) => format!("Its reach is {other}."),
        None => "Whether it can be reached from outside was not looked at for this kind.".into(),
    });
    for way in ways {
        out.push(format!("It is a step of a way in: {way}"));
    }
    if !cause.is_empty() {
        out.push(format!("Made by {cause}: mend it there once, and all that it makes is mended."));
    }
    out
}

impl Ticket {
    /// The text of the ticket.
    pub fn markdown(&self) -> String {
        let mut out = format!("# {}\n\n", self.title);
        let due = match (self.due, self.late_days) {
            (Some(d), Some(late)) => format!("was due on {}, {late} days ago", d.date()),
            (Some(d), None) => format!("due on {}", d.date()),
            (None, _) => "has no due date".into(),
        };
        let who = match (&self.team, &self.person) {
            (Some(team), Some(person)) => format!("{team}, {person}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => "nobody yet".into(),
        };
        out +=
            &format!("{}, {} ({}), {due}. For {who} ({}).\n", self.finding, self.severity, self.lane, self.routed_by);
        if !self.recalibrated.is_empty() {
            out += &format!("{}.\n", self.recalibrated);
        }
        let mut list = |heading: &str, lines: &[String]| {
            if !lines.is_empty() {
                out += &format!("\n## {heading}\n");
                for line in lines {
                    out += &format!("- {line}\n");
                }
            }
        };
        list("What it means here", &self.context);
        list("What was seen", &self.observed);
        list("Where code declares it", &self.code);
        let mut text = |heading: &str, words: &str| {
            if !words.is_empty() {
                out += &format!("\n## {heading}\n{words}\n");
            }
        };
        text("Why it matters", &self.why);
        text("What to do", &self.steps);
        if let Some(r) = &self.removal {
            out += &format!("\n## How the access goes\n{}\n", r.words);
            if let Some(scim) = &r.scim {
                out += &format!(
                    "\nTo the identity provider:\n\n```http\n{} {}\n\n{}\n```\n",
                    scim["method"].as_str().unwrap_or_default(),
                    scim["path"].as_str().unwrap_or_default(),
                    scim["body"]
                );
            }
            if !r.commands.is_empty() {
                out += &format!("\nIn the cloud:\n\n```sh\n{}\n```\n", r.commands.join("\n"));
            }
        }
        if !self.same_work.is_empty() {
            out += &format!("\n## The same work\n{}\n", self.same_work.join(", "));
        }
        out += &format!("\n## When it is done\n{} Rule {}.\n", self.closes, self.rule);
        if !self.controls.is_empty() {
            out += &format!("\nCounts for {}.\n", self.controls.join(", "));
        }
        out
    }
}
