//! Attack paths over accounts, one account in memory at a time.
//!
//! Three passes. The first reads of every account its doors: roles and data whose policies name others. The second is the
//! assessment of each account, which now knows the doors of the others; what matters to them, its border, goes on the
//! record. The third puts the borders together without their evidence, finds the ways that cross accounts, and writes
//! them to the accounts in which they end. Accounts that this scan did not read take part with the border of the last
//! scan that did; members that none did are open ends.

use crate::{
    exposure::{Assessment, Kinds, estate_of},
    judge::JudgeError,
};
use plumb_assess::paths::{
    Beyond, Border, DOORS, DataClasses, Door, Family, Gaps, Join, Outside, Passages, Report, administrators_abroad,
    doors,
};
use plumb_catalog::Kind;
use plumb_model::{KindId, Reason, Unknown};
use plumb_record::{AbroadRow, Record, ScanId};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

/// What else tells whether a policy holds: the account's block on public buckets.
const BESIDE: &str = "aws.s3.account";

/// An account's border as it is kept.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
struct Kept {
    doors: Vec<Door>,
    border: Border,
    report: Report,
    needs: Vec<Unknown>,
    /// The kinds of the resources that steps cite, by id.
    kinds: BTreeMap<String, String>,
    /// By kind, why there may be more doors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    gaps: BTreeMap<String, String>,
    /// Why somebody from outside may come further in it than was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<String>,
    /// Why there may be more principals, or they may do more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    identities: Vec<String>,
}

fn damaged(account: &str) -> JudgeError {
    JudgeError::Damaged { kind: "border".into(), id: account.to_owned() }
}

fn kept(record: &Record, account: &str) -> Result<Option<Kept>, JudgeError> {
    let Some(text) = record.border(account)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| damaged(account))
}

/// What stands around the accounts that `scan` read; none when there is one account alone.
///
/// # Errors
/// When the record fails or holds damaged documents.
pub(crate) fn outside(
    record: &Record,
    kinds: &dyn Kinds,
    scan: ScanId,
    read: &BTreeSet<String>,
) -> Result<Option<Outside>, JudgeError> {
    let members = record.accounts()?;
    let members: Vec<_> = members.into_iter().filter(|a| a.provider == "aws").collect();
    if members.len() < 2 {
        return Ok(None);
    }
    let before = record.borders()?;
    let (mut all, mut unread, mut gaps) = (Vec::new(), BTreeMap::new(), Gaps::new());
    for member in &members {
        let account = member.id.as_str();
        let (found, missing) = if read.contains(account) {
            doors_of(record, kinds, scan, account)?
        } else if let Some(kept) = before.get(account).and(kept(record, account)?) {
            (kept.doors, kept.gaps)
        } else {
            // Nobody acts in an account that is closed.
            if !matches!(member.state.as_str(), "suspended" | "closed" | "pending") {
                let why = if member.reason.is_empty() { "it was not read" } else { &member.reason };
                unread.insert(account.to_owned(), why.to_owned());
            }
            continue;
        };
        all.extend(found);
        if !missing.is_empty() {
            gaps.insert(account.to_owned(), missing);
        }
    }
    let organization = crate::organization(record, &mut Vec::new())?;
    Ok(Some(Outside::new(all, organization, unread, gaps)))
}

/// An account's doors, and by kind why there may be more.
fn doors_of(
    record: &Record,
    kinds: &dyn Kinds,
    scan: ScanId,
    account: &str,
) -> Result<(Vec<Door>, BTreeMap<String, String>), JudgeError> {
    // Most resources have no policy that names anybody, and nothing that could not be read: they need not be parsed.
    let wanted = |kind: &str, row: &plumb_record::ResourceRow| {
        kind == BESIDE || row.doc.contains("\"Principal\"") || row.doc.contains("\"$unknown\"")
    };
    let estate = estate_of(record, kinds, scan, account, false, DOORS.into_iter().chain([BESIDE]), &wanted)?;
    Ok(doors(&estate, &DataClasses::default()))
}

/// Keeps what of an assessment matters to other accounts, and its own paths until they are judged.
///
/// # Errors
/// When the record fails.
pub(crate) fn keep(
    record: &mut Record,
    scan: ScanId,
    found: &Assessment,
    outside: Option<&Outside>,
) -> Result<(), JudgeError> {
    let account = found.estate.account.as_str();
    let (border, report) = (found.border.clone(), found.report.clone());
    let needs: Vec<Unknown> = crate::native::path_needs(found).iter().map(|n| n.as_ref().clone()).collect();
    let edges = report.families.iter().flat_map(|f| &f.steps).chain(&border.edges).chain(&border.steps);
    let cited = edges.flat_map(|e| &e.because).chain(report.cuts.iter().flat_map(|c| &c.because));
    let kinds = cited.filter_map(|s| Some((s.resource.clone(), found.kind_of(&s.resource)?.id.to_string())));
    let kinds = kinds.collect();
    let doors = outside.map(|o| o.own(account)).unwrap_or_default();
    let gaps = outside.map(|o| o.gaps(account)).unwrap_or_default();
    let open = crate::native::entry_needs(found).iter().map(|n| n.describe()).collect();
    let identities = found.needs.iter().map(|n| n.describe()).collect();
    let doc = Kept { doors, border, report, needs, kinds, gaps, open, identities };
    let text = serde_json::to_string(&doc).map_err(|_| damaged(account))?;
    Ok(record.put_border(scan, account, &text)?)
}

/// What of a border tells how far its account can be trusted to be known.
#[derive(Debug, Default)]
struct Known {
    /// Why more of it may be reachable than was found.
    open: Vec<String>,
    /// Why there may be more principals.
    identities: Option<String>,
    /// Why there may be more doors to roles and functions than were found.
    gap: Option<String>,
    /// The accounts its doors name.
    names: BTreeSet<String>,
    /// Whether some door names everyone.
    everyone: bool,
}

impl Known {
    fn of(kept: &Kept) -> Self {
        Self {
            open: kept.open.clone(),
            identities: kept.identities.first().cloned(),
            gap: kept.gaps.values().next().cloned(),
            names: kept.doors.iter().flat_map(|d| d.names.iter().cloned()).collect(),
            everyone: kept.doors.iter().any(|d| d.open),
        }
    }
}

/// Puts the borders on record together and keeps the ways over accounts with the accounts in which they end. Returns the
/// accounts whose ways are not what they were, with the scans that read them.
///
/// `assessed` are the accounts that `scan` read. A way that is not found again is gone when what it ran over is known and
/// one of its accounts was read now; otherwise it is kept, and says why.
///
/// # Errors
/// When the record fails or holds damaged documents.
pub(crate) fn join(
    record: &mut Record,
    scan: ScanId,
    assessed: &BTreeSet<String>,
) -> Result<BTreeMap<String, ScanId>, JudgeError> {
    let (mut members, mut stale) = (BTreeSet::new(), BTreeMap::new());
    for account in record.accounts()?.into_iter().filter(|a| !matches!(a.state.as_str(), "suspended" | "closed")) {
        if account.state == "unreachable" {
            stale.insert(account.id.clone(), account.reason);
        }
        members.insert(account.id);
    }
    let mut accounts = record.borders()?;
    accounts.retain(|account, _| members.contains(account));
    let mut join = Join::default();
    let mut known: BTreeMap<String, Known> = BTreeMap::new();
    let mut passages: BTreeMap<String, Passages> = BTreeMap::new();
    for account in accounts.keys() {
        if let Some(mut kept) = kept(record, account)? {
            known.insert(account.clone(), Known::of(&kept));
            passages.insert(account.clone(), std::mem::take(&mut kept.border.passages));
            join.add(aged(kept.border, &stale));
        }
    }
    keep_abroad(record, scan, &passages, &known)?;
    drop(passages);
    let mut found = join.find(&DataClasses::default());
    // Borders are read again one by one, each for all the ways it is part of.
    let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (end, beyond) in &found {
        for account in beyond.needs() {
            wanted.entry(account).or_default().push(end.clone());
        }
    }
    for (account, ends) in wanted {
        let Some(kept) = kept(record, &account)? else { continue };
        let border = aged(kept.border, &stale);
        for end in ends {
            if let Some(beyond) = found.get_mut(&end) {
                beyond.fill(&border);
            }
        }
    }
    let mut instants: BTreeMap<String, String> = BTreeMap::new();
    for (account, read) in accounts.iter().filter(|(_, read)| **read != scan) {
        instants.insert(account.clone(), record.scan(Some(*read))?.judged_at);
    }
    let mut moved = BTreeMap::new();
    for (account, read) in &accounts {
        let before = beyond(record, account)?;
        let mut now = found.remove(account).unwrap_or_default();
        let again: BTreeSet<String> = now.families.iter().map(|f| f.id.clone()).collect();
        for family in before.families.iter().filter(|f| !again.contains(&f.id)) {
            // An account that is no member any more, or was never read, keeps nothing; who comes from outside is no member.
            let outside = family
                .path
                .first()
                .and_then(|n| n.strip_prefix("account:"))
                .filter(|a| *a != "unread" && !members.contains(*a));
            if !family.accounts.iter().all(|a| accounts.contains_key(a) || Some(a.as_str()) == outside) {
                continue;
            }
            if let Some(why) = not_gone(family, &known, assessed) {
                now.families.push(family.clone().kept_because(&why));
            }
        }
        now.limits.extend(may_lead_in(account, &known));
        for family in &mut now.families {
            let older = family.accounts.iter().filter_map(|a| Some((a.clone(), instants.get(a)?.clone())));
            family.earlier = older.collect();
        }
        if !told_alike(&before, &now) {
            moved.insert(account.clone(), *read);
        }
        let nothing = now == Beyond::default();
        let doc = (!nothing).then(|| serde_json::to_string(&now)).transpose().map_err(|_| damaged(account))?;
        record.put_joined(account, doc.as_deref())?;
    }
    Ok(moved)
}

/// Keeps who in one account can become administrator of another, with what is not known of it.
fn keep_abroad(
    record: &mut Record,
    scan: ScanId,
    passages: &BTreeMap<String, Passages>,
    known: &BTreeMap<String, Known>,
) -> Result<(), JudgeError> {
    let members = record.accounts()?.into_iter().filter(|a| a.provider == "aws");
    let members: Vec<_> = members.filter(|a| !matches!(a.state.as_str(), "suspended" | "closed")).collect();
    let unread: BTreeMap<&str, &str> =
        members.iter().filter(|a| !known.contains_key(&a.id)).map(|a| (a.id.as_str(), a.reason.as_str())).collect();
    let stale: BTreeMap<&str, &str> =
        members.iter().filter(|a| a.state == "unreachable").map(|a| (a.id.as_str(), a.reason.as_str())).collect();
    let (found, limits) = administrators_abroad(passages);
    let mut rows: Vec<AbroadRow> = Vec::new();
    for one in found {
        let through = one.steps.iter().filter_map(|node| account_of(node)).find_map(|a| stale.get_key_value(a));
        let reason = match (unread.get(one.into_account.as_str()), through) {
            (Some(why), _) => format!("account {} was not read: {}", one.into_account, or_not_read(why)),
            (None, Some((account, why))) => format!("account {account} may not be as it was when it was read: {why}"),
            (None, None) if one.certain => String::new(),
            (None, None) => "a step of it hangs on something that is not known".to_owned(),
        };
        rows.push(AbroadRow {
            account: one.account,
            arn: one.arn,
            into_account: one.into_account,
            state: if reason.is_empty() { "yes" } else { "unknown" }.to_owned(),
            steps: one.steps,
            reason,
        });
    }
    // Nobody knows who is in an account that was not read, or who else leaves one that was read in part.
    let mut open = |account: &str, into: &str, reason: &str| {
        rows.push(AbroadRow {
            account: account.to_owned(),
            arn: "*".into(),
            into_account: into.to_owned(),
            state: "unknown".into(),
            steps: Vec::new(),
            reason: reason.to_owned(),
        });
    };
    for (account, why) in &unread {
        open(account, "*", or_not_read(why));
        open("*", account, or_not_read(why));
    }
    for (account, why) in known.iter().filter_map(|(account, k)| Some((account, k.gap.as_ref()?))) {
        open("*", account, why);
    }
    for (account, known) in known {
        let more = limits.contains(account).then_some("there are more than could be told");
        if let Some(why) = known.identities.as_deref().or(more) {
            open(account, "*", why);
        }
    }
    Ok(record.put_abroad(scan, &rows)?)
}

fn or_not_read(why: &str) -> &str {
    if why.is_empty() { "it was not read" } else { why }
}

/// The account of a node of a way: of its ARN, or the one it administers.
fn account_of(node: &str) -> Option<&str> {
    node.strip_prefix("admin:").or_else(|| node.split(':').nth(4))
}

/// Why a way that was not found again is not gone; none when it is.
fn not_gone(family: &Family, known: &BTreeMap<String, Known>, assessed: &BTreeSet<String>) -> Option<String> {
    let open = family.accounts.iter().find_map(|a| Some((a, known.get(a)?.open.first()?)));
    if let Some((account, why)) = open {
        return Some(format!("whether it is still there: account {account} was not read completely: {why}"));
    }
    let none = !family.accounts.iter().any(|a| assessed.contains(a));
    none.then(|| "whether it is still there: none of the accounts it runs over was read since".to_owned())
}

/// Accounts from which somebody may come into an account by ways nobody saw, with why.
fn may_lead_in(account: &str, known: &BTreeMap<String, Known>) -> Option<String> {
    if known.values().all(|k| k.open.is_empty()) {
        return None;
    }
    let mut seen = BTreeSet::from([account]);
    let mut waiting = vec![account];
    while let Some(at) = waiting.pop() {
        let Some(doors) = known.get(at) else { continue };
        if doors.everyone {
            seen.extend(known.keys().map(String::as_str));
            break;
        }
        for other in known.keys().filter(|a| doors.names.contains(*a)) {
            if seen.insert(other) {
                waiting.push(other);
            }
        }
    }
    let open = seen.iter().filter(|a| **a != account);
    let mut open = open.filter_map(|a| Some((a, known.get(*a)?.open.first()?)));
    let (first, why) = open.next()?;
    let more = match open.count() {
        0 => String::new(),
        n => format!("; {n} more such accounts"),
    };
    Some(format!("account {first}, from which ways may lead into {account}, was not read completely: {why}{more}"))
}

/// Whether two answers tell the same but for the age of what they rest on.
fn told_alike(before: &Beyond, now: &Beyond) -> bool {
    let ageless = |beyond: &Beyond| {
        let mut out = beyond.clone();
        out.families.iter_mut().for_each(|f| f.earlier.clear());
        out
    };
    ageless(before) == ageless(now)
}

/// A border whose steps in accounts that cannot be entered any more are open: they are as they were.
fn aged(mut border: Border, stale: &BTreeMap<String, String>) -> Border {
    for edge in border.edges.iter_mut().chain(&mut border.steps) {
        let ends = [edge.from_account.as_str(), edge.to_account.as_str()];
        let Some((account, why)) = ends.into_iter().find_map(|a| stale.get_key_value(a)) else { continue };
        if edge.depends_on.is_empty() {
            edge.cost += 3;
        }
        edge.depends_on.push(format!("whether account {account} still is as it was when it could be read: {why}"));
    }
    border
}

/// The ways over accounts that end in an account, as the last scan found them.
///
/// # Errors
/// When the record fails or holds damaged documents.
pub(crate) fn beyond(record: &Record, account: &str) -> Result<Beyond, JudgeError> {
    match record.joined(account)? {
        None => Ok(Beyond::default()),
        Some(text) => serde_json::from_str(&text).map_err(|_| damaged(account)),
    }
}

/// Kinds by resource, from their names.
fn known(kinds: &dyn Kinds, names: BTreeMap<String, String>) -> HashMap<String, Arc<Kind>> {
    let mut seen: HashMap<String, Option<Arc<Kind>>> = HashMap::new();
    let mut kind =
        |name: String| seen.entry(name.clone()).or_insert_with(|| kinds.kind_of(&KindId::from(name))).clone();
    names.into_iter().filter_map(|(resource, name)| Some((resource, kind(name)?))).collect()
}

/// An account's attack paths as they are judged.
#[derive(Default)]
pub(crate) struct Ways {
    /// Within the account.
    pub report: Report,
    /// Over accounts, ending in it.
    pub beyond: Beyond,
    /// What keeps the answer open.
    pub needs: Vec<Arc<Unknown>>,
    /// The kinds of the resources that steps cite.
    pub kinds: HashMap<String, Arc<Kind>>,
}

impl Ways {
    /// Of an account looked at alone.
    pub(crate) fn of(found: &Assessment) -> Self {
        Self::with(found, Beyond::default())
    }

    /// The same with the ways over accounts that the last scan found.
    ///
    /// # Errors
    /// When the record fails or holds damaged documents.
    pub(crate) fn joined(record: &Record, kinds: &dyn Kinds, found: &Assessment) -> Result<Self, JudgeError> {
        let account = found.estate.account.as_str();
        let mut ways = Self::with(found, beyond(record, account)?);
        ways.cite(record, kinds, account)?;
        Ok(ways.bounded())
    }

    fn with(found: &Assessment, beyond: Beyond) -> Self {
        let (needs, report) = (crate::native::path_needs(found), found.report.clone());
        let mut ways = Self { report, beyond, needs, kinds: HashMap::new() };
        let steps = ways.families().flat_map(|f| &f.steps).flat_map(|e| &e.because);
        let cuts = ways.report.cuts.iter().chain(&ways.beyond.cuts);
        let cited = steps.chain(cuts.flat_map(|c| &c.because));
        ways.kinds =
            cited.filter_map(|s| Some((s.resource.clone(), Arc::clone(found.kind_of(&s.resource)?)))).collect();
        ways
    }

    /// Of an account whose border is on the record.
    ///
    /// # Errors
    /// When the record fails or holds damaged documents.
    pub(crate) fn kept(record: &Record, kinds: &dyn Kinds, account: &str) -> Result<Self, JudgeError> {
        let Some(kept) = kept(record, account)? else { return Ok(Self::default()) };
        let needs = kept.needs.into_iter().map(Arc::new).collect();
        let (report, beyond) = (kept.report, beyond(record, account)?);
        let mut ways = Self { report, beyond, needs, kinds: known(kinds, kept.kinds) };
        ways.cite(record, kinds, account)?;
        Ok(ways.bounded())
    }

    /// Adds the kinds of what steps in other accounts cite.
    fn cite(&mut self, record: &Record, kinds: &dyn Kinds, account: &str) -> Result<(), JudgeError> {
        for other in self.beyond.needs().iter().filter(|other| *other != account) {
            if let Some(kept) = kept(record, other)? {
                self.kinds.extend(known(kinds, kept.kinds));
            }
        }
        Ok(())
    }

    /// What lies beyond a bound keeps the answer open.
    fn bounded(mut self) -> Self {
        for limit in &self.beyond.limits {
            let mut unknown = Unknown::new(Reason::NotAsked, "assess");
            unknown.detail.clone_from(limit);
            self.needs.push(Arc::new(unknown));
        }
        self
    }

    /// All families.
    pub(crate) fn families(&self) -> impl Iterator<Item = &Family> {
        self.report.families.iter().chain(&self.beyond.families)
    }
}
