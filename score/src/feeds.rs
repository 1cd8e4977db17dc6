//! What is exploited, advised against and out of support: bundled and imported data sets, dated and digested.

use crate::signal::{Exploitation, Exposure, SeverityLevel};
use plumb_model::Time;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    sync::LazyLock,
};

mod eol;

const KEV: &str = include_str!("../../catalog/feeds/kev.tsv");
const FAMILIES: &str = include_str!("../../catalog/feeds/kev-families.tsv");
const EOL: &str = include_str!("../../catalog/feeds/eol.tsv");

/// Days after which a feed is stale.
pub const STALE_AFTER_DAYS: i64 = 30;
/// Bytes a compressed feed may grow to; the daily EPSS file has about ten mebibytes.
const MOST_BYTES: u64 = 256 << 20;

/// Name, edition, date and digest of a data set.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FeedInfo {
    /// `kev`, `epss`, `advisories`, `families`, `eol`.
    pub name: String,
    /// The publisher's edition: `2025.08.25`.
    pub version: String,
    /// When the publisher released it.
    pub date: Time,
    /// SHA-256 of the bytes that were read, lower-case hexadecimal.
    pub sha256: String,
    /// How many entries.
    pub entries: u64,
    /// Shipped with the program rather than imported.
    pub bundled: bool,
}

/// The state of one data set at an instant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FeedStatus {
    /// Its name.
    pub name: String,
    /// Its edition; none when it is not there.
    pub version: Option<String>,
    /// Its age in days; none when it is not there.
    pub age_days: Option<i64>,
    /// Its digest; empty when it is not there.
    pub sha256: String,
    /// How many entries.
    pub entries: u64,
}

impl FeedStatus {
    /// Whether it is too old to be relied on.
    pub fn stale(&self) -> bool {
        self.age_days.is_some_and(|age| age > STALE_AFTER_DAYS)
    }

    /// What to be careful about, if anything. EPSS and advisories that were never imported are stated among the data
    /// sets and are no warning of their own.
    pub fn warning(&self) -> Option<String> {
        match (&self.version, self.age_days) {
            (Some(version), Some(age)) if self.stale() => {
                // Histories of service families are no file of a publisher's.
                let right = match self.name.as_str() {
                    "families" => "a newer release of this program brings newer ones".to_owned(),
                    name => format!("`plumb feed import {}` takes a newer edition", feed_kind(name)),
                };
                Some(format!("{} {version} is {age} days old; {right}", self.name))
            }
            (None, _) if self.name == "kev" => Some("kev is not loaded: known exploitation is not considered".into()),
            _ => None,
        }
    }
}

/// Why a data set was refused. Nothing of it is kept.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Not what it should be.
    #[error("{feed} is not readable: {problem}")]
    Shape {
        /// Which feed.
        feed: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Older than the one in use.
    #[error("{feed} of {given} is older than the one in use, of {present}")]
    Older {
        /// Which feed.
        feed: &'static str,
        /// The date of the one given.
        given: String,
        /// The date of the one in use.
        present: String,
    },
}

fn shape(feed: &'static str, problem: impl Into<String>) -> FeedError {
    FeedError::Shape { feed, problem: problem.into() }
}

/// `CVE-2024-12345` as a number that sorts; none for anything else.
/// What the file of a data set is called where it is imported.
fn feed_kind(name: &str) -> &str {
    if name == "advisories" { "csaf" } else { name }
}

/// Whether a text is the id of a vulnerability: `CVE-2024-1234`.
pub fn is_cve(text: &str) -> bool {
    cve(text).is_some()
}

fn cve(text: &str) -> Option<u64> {
    let (year, number) = text.trim().strip_prefix("CVE-")?.split_once('-')?;
    if year.len() != 4 || !(4..=9).contains(&number.len()) {
        return None;
    }
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse::<u64>().ok())?;
    Some(digits(year)? * 1_000_000_000 + digits(number)?)
}

/// One entry of the catalogue of known exploited vulnerabilities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KevEntry {
    /// When it was added.
    pub added: Time,
    /// When CISA wants it fixed.
    pub due: Option<Time>,
    /// Used in ransomware campaigns.
    pub ransomware: bool,
    /// Vendor and product.
    pub product: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Family {
    name: String,
    ports: Vec<u16>,
    types: Vec<String>,
    topics: Vec<String>,
    exploited: u32,
}

/// A release cycle and when its support ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cycle {
    product: String,
    target: String,
    cycle: String,
    ends: End,
    extended: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    On(Time),
    Open,
    Past,
}

/// What end-of-support data say about a version at an instant.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// Supported for more than 90 days.
    Supported,
    /// Support ends on this day, at most 90 days ahead.
    EndsSoon(Time),
    /// Only in paid extended support, until this day.
    Extended(Time),
    /// Out of support since this day, where it is known.
    Ended(Option<Time>),
    /// The version is not in the data.
    Unknown,
}

impl Support {
    /// The severity of running it: past support high; within 90 days of the end, or in paid support, medium. None
    /// when supported, and when nothing is known: that is no failure and no pass.
    pub fn severity(&self) -> Option<SeverityLevel> {
        match self {
            Self::Ended(_) => Some(SeverityLevel::High),
            Self::EndsSoon(_) | Self::Extended(_) => Some(SeverityLevel::Medium),
            Self::Supported | Self::Unknown => None,
        }
    }
}

/// What is known about a finding that bears on exploitation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// CVEs proven for it: by a vulnerability scanner, or by the version it runs.
    pub cves: &'a [&'a str],
    /// The topic of its rule.
    pub topic: &'a str,
    /// Ports it opens.
    pub ports: &'a [u16],
    /// The provider's type of the resource: `AWS::OpenSearchService::Domain`.
    pub resource_type: &'a str,
}

/// The exploitation level of a finding, with why.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Exploited {
    /// The level.
    pub level: Exploitation,
    /// What says so, strongest first: `CVE-2021-44228 in KEV 2025.08.25, ransomware`.
    pub because: Vec<String>,
    /// The earliest date by which CISA wants a proven CVE fixed.
    pub due: Option<Time>,
}

/// The data sets in use.
#[derive(Debug, Clone, Default)]
pub struct Feeds {
    info: BTreeMap<String, FeedInfo>,
    kev: BTreeMap<u64, KevEntry>,
    /// Sorted by CVE; probability in millionths.
    epss: Vec<(u64, u32)>,
    /// CVEs a vendor reports as used in attacks, with the advisory.
    advisories: BTreeMap<u64, String>,
    families: Vec<Family>,
    cycles: Vec<Cycle>,
}

/// Read once, on first use.
static BUNDLED: LazyLock<Feeds> = LazyLock::new(|| {
    let mut feeds = Feeds::default();
    // A test holds that all three are read; a broken one would be absent and say so in every explanation.
    let _ = feeds.load_kev_table(KEV);
    let _ = feeds.load_families(FAMILIES);
    let _ = feeds.load_eol_table(EOL);
    feeds
});

impl Feeds {
    /// No data set at all: exploitation is none, and every explanation says so.
    pub fn none() -> Self {
        Self::default()
    }

    /// The data sets the program ships: KEV, service families, end of support.
    pub fn bundled() -> Self {
        BUNDLED.clone()
    }

    /// What is loaded.
    pub fn info(&self) -> impl Iterator<Item = &FeedInfo> {
        self.info.values()
    }

    /// The state of every data set at `now`, loaded or not.
    pub fn status(&self, now: Time) -> Vec<FeedStatus> {
        ["kev", "families", "epss", "advisories", "eol"]
            .into_iter()
            .map(|name| {
                let info = self.info.get(name);
                FeedStatus {
                    name: name.into(),
                    version: info.map(|i| i.version.clone()),
                    age_days: info.map(|i| now.days_since(i.date)),
                    sha256: info.map(|i| i.sha256.clone()).unwrap_or_default(),
                    entries: info.map_or(0, |i| i.entries),
                }
            })
            .collect()
    }

    fn record(&mut self, name: &str, version: &str, date: Time, bytes: &[u8], entries: usize, bundled: bool) {
        let sha256 = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let info =
            FeedInfo { name: name.into(), version: version.into(), date, sha256, entries: entries as u64, bundled };
        self.info.insert(name.into(), info);
    }

    fn not_older(&self, feed: &'static str, date: Time) -> Result<(), FeedError> {
        match self.info.get(feed) {
            Some(present) if date < present.date => {
                Err(FeedError::Older { feed, given: date.date(), present: present.date.date() })
            }
            _ => Ok(()),
        }
    }

    fn load_kev_table(&mut self, table: &str) -> Option<()> {
        let (head, rows) = table.split_once('\n')?;
        let mut words = head.rsplit(' ').skip(1);
        let (date, version) = (words.next()?.parse().ok()?, words.next()?);
        for row in rows.lines().skip(1) {
            let [id, added, due, ransomware, vendor, product] = row.split('\t').collect::<Vec<_>>().try_into().ok()?;
            let entry = KevEntry {
                added: added.parse().ok()?,
                due: due.parse().ok(),
                ransomware: ransomware == "1",
                product: format!("{vendor} {product}"),
            };
            self.kev.insert(cve(id)?, entry);
        }
        self.record("kev", version, date, table.as_bytes(), self.kev.len(), true);
        Some(())
    }

    fn load_families(&mut self, table: &str) -> Option<()> {
        let (head, rows) = table.split_once('\n')?;
        let date: Time = head.rsplit(' ').next()?.parse().ok()?;
        for row in rows.lines().skip(1) {
            let [name, ports, types, topics, exploited, ..] = row.split('\t').collect::<Vec<_>>()[..] else {
                return None;
            };
            let list = |t: &str| t.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            self.families.push(Family {
                name: name.into(),
                ports: list(ports).iter().filter_map(|p| p.parse().ok()).collect(),
                types: list(types),
                topics: list(topics),
                exploited: exploited.parse().ok()?,
            });
        }
        self.record("families", &date.date(), date, table.as_bytes(), self.families.len(), true);
        Some(())
    }

    fn load_eol_table(&mut self, table: &str) -> Option<()> {
        let (head, rows) = table.split_once('\n')?;
        let date: Time = head.rsplit(' ').nth(1)?.parse().ok()?;
        for row in rows.lines().skip(1) {
            let [product, target, cycle, _, patched, eol, extended] = row.split('\t').collect::<Vec<_>>()[..] else {
                return None;
            };
            // For Lambda the last column is the day updates are blocked; patches stop earlier.
            let eol = if product == "aws-lambda" && !patched.is_empty() { patched } else { eol };
            self.cycles.push(Cycle {
                product: product.into(),
                target: target.into(),
                cycle: cycle.into(),
                ends: end(eol)?,
                extended: extended.parse().ok(),
            });
        }
        self.record("eol", &date.date(), date, table.as_bytes(), self.cycles.len(), true);
        Some(())
    }

    /// Takes CISA's JSON feed (`catalogVersion`, `dateReleased`, `vulnerabilities[]`) in place of the one in use.
    pub fn import_kev(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Catalogue {
            catalog_version: String,
            date_released: String,
            vulnerabilities: Vec<Entry>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Entry {
            #[serde(rename = "cveID")]
            cve: String,
            vendor_project: String,
            product: String,
            date_added: String,
            #[serde(default)]
            due_date: String,
            #[serde(default)]
            known_ransomware_campaign_use: String,
        }
        let text = unpacked("kev", bytes)?;
        let catalogue: Catalogue = serde_json::from_slice(&text)
            .map_err(|e| shape("kev", format!("{e}; CISA's known_exploited_vulnerabilities.json is needed")))?;
        let date = catalogue.date_released.parse::<Time>().map_err(|e| shape("kev", e.to_string()))?;
        self.not_older("kev", date)?;
        let mut kev = BTreeMap::new();
        for e in catalogue.vulnerabilities {
            let id = cve(&e.cve).ok_or_else(|| shape("kev", format!("`{}` is no CVE id", e.cve)))?;
            let added =
                e.date_added.parse().map_err(|_| shape("kev", format!("{} has no date it was added", e.cve)))?;
            let ransomware = e.known_ransomware_campaign_use.eq_ignore_ascii_case("known");
            let product = format!("{} {}", e.vendor_project, e.product);
            kev.insert(id, KevEntry { added, due: e.due_date.parse().ok(), ransomware, product });
        }
        if kev.is_empty() {
            return Err(shape("kev", "it has no vulnerabilities"));
        }
        self.kev = kev;
        self.record("kev", &catalogue.catalog_version, date, bytes, self.kev.len(), false);
        Ok(())
    }

    /// Takes FIRST's daily file, plain or gzipped: `#model_version:…,score_date:…`, a heading, then `cve,epss,percentile`.
    pub fn import_epss(&mut self, bytes: &[u8]) -> Result<(), FeedError> {
        let text = unpacked("epss", bytes)?;
        let text = std::str::from_utf8(&text).map_err(|_| shape("epss", "it is not UTF-8"))?;
        let mut lines = text.lines();
        let head = lines.next().unwrap_or_default();
        let field = |name: &str| head.trim_start_matches('#').split(',').find_map(|f| f.trim().strip_prefix(name));
        let date = field("score_date:").and_then(|d| d.get(..10)).and_then(|d| d.parse::<Time>().ok());
        let date = date.ok_or_else(|| shape("epss", "the first line has no score_date:2026-01-31"))?;
        self.not_older("epss", date)?;
        let version = format!("{} {}", field("model_version:").unwrap_or("unknown model"), date.date());
        let mut epss = Vec::new();
        for (n, line) in lines.enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with("cve")) {
            let mut fields = line.split(',');
            let entry = fields.next().and_then(cve).zip(fields.next().and_then(|p| p.trim().parse::<f64>().ok()));
            match entry {
                Some((id, p)) if (0.0..=1.0).contains(&p) => epss.push((id, (p * 1e6).round() as u32)),
                _ => return Err(shape("epss", format!("line {} is not `CVE-…,probability,percentile`", n + 2))),
            }
        }
        if epss.is_empty() {
            return Err(shape("epss", "it has no scores"));
        }
        epss.sort_unstable();
        self.epss = epss;
        self.record("epss", &version, date, bytes, self.epss.len(), false);
        Ok(())
    }

    /// Which advisory a vendor's document is (publisher and tracking id) and the date of its revision: a later revision takes
    /// the place of an earlier one. None where it is no CSAF document.
    pub fn advisory(bytes: &[u8]) -> Option<(String, Time)> {
        let doc: serde_json::Value = serde_json::from_slice(&unpacked("advisories", bytes).ok()?).ok()?;
        let text = |path: &str| doc.pointer(path).and_then(serde_json::Value::as_str);
        let publisher = text("/document/publisher/namespace").or_else(|| text("/document/publisher/name"));
        let id = format!("{} {}", publisher.unwrap_or("vendor"), text("/document/tracking/id")?);
        Some((id, text("/document/tracking/current_release_date")?.parse().ok()?))
    }

    /// Adds a vendor's advisory (CSAF 2.0). CVEs it reports as used in attacks, and does not call unaffected in all
    /// products, count as advised. Answers how many.
    pub fn import_csaf(&mut self, bytes: &[u8]) -> Result<usize, FeedError> {
        use serde_json::Value;
        let text = unpacked("advisories", bytes)?;
        let doc: Value = serde_json::from_slice(&text)
            .map_err(|e| shape("advisories", format!("{e}; a vendor's CSAF 2.0 document is needed")))?;
        let text = |path: &str| doc.pointer(path).and_then(Value::as_str);
        let id = text("/document/tracking/id").ok_or_else(|| shape("advisories", "document.tracking.id is missing"))?;
        if !text("/document/csaf_version").is_some_and(|v| v.starts_with("2.")) {
            return Err(shape("advisories", "document.csaf_version is not 2.0"));
        }
        let date = text("/document/tracking/current_release_date").and_then(|d| d.parse::<Time>().ok());
        let date = date.ok_or_else(|| shape("advisories", "document.tracking.current_release_date is missing"))?;
        let publisher = text("/document/publisher/name").unwrap_or("vendor");
        let list = |v: &Value, name: &str| v.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let mut found = 0;
        for v in list(&doc, "vulnerabilities") {
            let Some(cve) = v.get("cve").and_then(Value::as_str).and_then(cve) else { continue };
            let status = v.get("product_status").and_then(Value::as_object);
            let affected = status.is_none_or(|s| s.keys().any(|k| !matches!(k.as_str(), "known_not_affected")));
            let used = list(&v, "threats").iter().any(|t| {
                t.get("category").and_then(Value::as_str) == Some("exploit_status")
                    && t.get("details").and_then(Value::as_str).is_some_and(reports_use)
            });
            if affected && used {
                found += 1;
                self.advisories.insert(cve, format!("{publisher} {id}"));
            }
        }
        let newest = self.info.get("advisories").map_or(date, |i| i.date.max(date));
        self.record("advisories", &newest.date(), newest, bytes, self.advisories.len(), false);
        Ok(found)
    }

    /// The entry of a CVE in the catalogue of known exploited vulnerabilities.
    pub fn known_exploited(&self, id: &str) -> Option<&KevEntry> {
        self.kev.get(&cve(id)?)
    }

    /// The probability of exploitation in the next 30 days, in millionths. Missing is not zero.
    pub fn epss_millionths(&self, id: &str) -> Option<u32> {
        let id = cve(id)?;
        self.epss.binary_search_by_key(&id, |(cve, _)| *cve).ok().and_then(|at| self.epss.get(at)).map(|(_, p)| *p)
    }

    /// The exploitation level of a finding: by its CVEs where some are proven; else, when it is reachable from the
    /// internet, by the history of the service family it shows, which is at most [`Exploitation::Advisory`].
    pub fn exploitation(&self, subject: &Subject<'_>, exposure: Exposure) -> Exploited {
        let mut found: Vec<(Exploitation, String)> = Vec::new();
        let mut due: Option<Time> = None;
        let version = |feed: &str| self.info.get(feed).map_or("", |i| i.version.as_str());
        let ids: BTreeSet<&str> = subject.cves.iter().copied().collect();
        for id in ids {
            if let Some(entry) = self.known_exploited(id) {
                let level = if entry.ransomware { Exploitation::KevRansomware } else { Exploitation::Kev };
                let use_ = if entry.ransomware { ", used by ransomware" } else { "" };
                found.push((level, format!("{id} ({}) in KEV {}{use_}", entry.product, version("kev"))));
                due = match (due, entry.due) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
            }
            if let Some(advisory) = cve(id).and_then(|c| self.advisories.get(&c)) {
                found.push((Exploitation::Advisory, format!("{id}: active use reported by {advisory}")));
            }
            if let Some(p) = self.epss_millionths(id).filter(|p| *p >= 100_000) {
                let level = if p >= 500_000 { Exploitation::Epss50 } else { Exploitation::Epss10 };
                found.push((level, format!("{id}: EPSS 0.{:03} ({})", (p / 1_000).min(999), version("epss"))));
            }
        }
        if exposure.reachable() {
            for family in self.families.iter().filter(|f| f.shows(subject)) {
                let text = format!(
                    "exposed {} has {} known exploited vulnerabilities (KEV {}); no CVE is proven here",
                    family.name,
                    family.exploited,
                    version("families")
                );
                found.push((Exploitation::Advisory, text));
            }
        }
        found.sort_by(|a, b| (std::cmp::Reverse(a.0), &a.1).cmp(&(std::cmp::Reverse(b.0), &b.1)));
        Exploited {
            level: found.first().map_or(Exploitation::None, |(level, _)| *level),
            because: found.into_iter().map(|(_, why)| why).collect(),
            due,
        }
    }

    /// What end-of-support data say about `version` of `product` (endoflife.date's name, or a target like
    /// `AWS::EKS::Cluster`) at `now`. A version belongs to the longest cycle it starts with: `15.4` to `15`.
    pub fn support(&self, product: &str, version: &str, now: Time) -> Support {
        let Some(cycle) = self.cycle(product, version) else {
            return if self.older_than_all(product, version) { Support::Ended(None) } else { Support::Unknown };
        };
        match (cycle.ends, cycle.extended) {
            (End::Open, _) => Support::Supported,
            (End::Past, _) => Support::Ended(None),
            (End::On(end), _) if end > now.plus_days(90) => Support::Supported,
            (End::On(end), _) if end > now => Support::EndsSoon(end),
            (End::On(_), Some(extended)) if extended > now => Support::Extended(extended),
            (End::On(end), _) => Support::Ended(Some(end)),
        }
    }

    /// When standard support of `version` of `product` ends: the last instant there is while no end is set, the first
    /// when it is past and nobody says since when; none for what the data do not know.
    pub fn support_end(&self, product: &str, version: &str) -> Option<Time> {
        match self.cycle(product, version).map(|c| c.ends) {
            Some(End::On(end)) => Some(end),
            Some(End::Open) => "9999-12-30T00:00:00Z".parse().ok(),
            Some(End::Past) => Some(Time::from_seconds(0)),
            None => self.older_than_all(product, version).then(|| Time::from_seconds(0)),
        }
    }

    fn of_product(&self, product: &str) -> impl Iterator<Item = &Cycle> {
        self.cycles.iter().filter(move |c| c.product == product || c.target == product)
    }

    fn cycle(&self, product: &str, version: &str) -> Option<&Cycle> {
        let version = version.trim().trim_start_matches('v');
        let belongs = |cycle: &str| {
            version.strip_prefix(cycle).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        self.of_product(product).filter(|c| belongs(&c.cycle)).max_by_key(|c| c.cycle.len())
    }

    /// Whether a version is older than every cycle the data know of its product: they begin where support was still
    /// worth telling of.
    fn older_than_all(&self, product: &str, version: &str) -> bool {
        let numbers = |text: &str| -> Option<Vec<u32>> {
            text.trim().trim_start_matches('v').split('.').map(|p| p.parse().ok()).collect()
        };
        let Some(mine) = numbers(version) else { return false };
        let oldest = self.of_product(product).filter_map(|c| numbers(&c.cycle)).min();
        oldest.is_some_and(|oldest| mine < oldest)
    }
}

impl Family {
    fn shows(&self, subject: &Subject<'_>) -> bool {
        if !self.topics.iter().any(|t| t == subject.topic) {
            return false;
        }
        let port = subject.ports.iter().any(|p| self.ports.contains(p));
        let kind = self
            .types
            .iter()
            .any(|t| subject.resource_type.starts_with(t.as_str()) && !subject.resource_type.is_empty());
        port || kind
    }
}

fn end(text: &str) -> Option<End> {
    match text {
        "no" | "" => Some(End::Open),
        "yes" => Some(End::Past),
        date => date.parse().ok().map(End::On),
    }
}

/// Whether a vendor's words on exploitation report active use. Words that deny it win.
fn reports_use(details: &str) -> bool {
    let d = details.to_lowercase();
    let denies = ["not aware of", "no known", "not exploited", "exploited:no", "exploitation less likely", "unproven"];
    let reports = [
        "exploited:yes",
        "exploitation detected",
        "actively exploited",
        "active exploitation",
        "exploited in the wild",
        "exploitation in the wild",
        "known exploited",
        "attempted exploitation",
        "is aware of exploitation",
    ];
    reports.iter().any(|r| d.contains(r)) && !denies.iter().any(|n| d.contains(n))
}

/// Plain bytes, or what a gzip file holds, up to a limit.
fn unpacked(feed: &'static str, bytes: &[u8]) -> Result<Vec<u8>, FeedError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        // Shells of Windows begin a file with the mark of its encoding.
        return Ok(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).to_vec());
    }
    let mut out = Vec::new();
    let mut gzip = flate2::read::MultiGzDecoder::new(bytes).take(MOST_BYTES + 1);
    gzip.read_to_end(&mut out).map_err(|e| shape(feed, format!("its gzip is broken: {e}")))?;
    if out.len() as u64 > MOST_BYTES {
        return Err(shape(feed, format!("it unpacks to more than {MOST_BYTES} bytes")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Time {
        "2026-11-21".parse().unwrap()
    }

    #[test]
    fn bundled_feeds_are_complete_and_dated() {
        let feeds = Feeds::bundled();
        let got: Vec<_> = feeds.info().map(|i| (i.name.as_str(), i.version.as_str(), i.entries)).collect();
        assert_eq!(got, [("eol", "2026-08-22", 567), ("families", "2025-08-25", 29), ("kev", "2025.08.25", 1404)]);
        let provenance = include_str!("../../catalog/feeds/PROVENANCE.md");
        for info in feeds.info() {
            assert!(provenance.contains(&info.sha256), "{} is not the file of PROVENANCE.md", info.name);
        }
        let warnings: Vec<_> = feeds.status(now()).iter().filter_map(FeedStatus::warning).collect();
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(Feeds::none().status(now()).iter().any(|s| s.warning().is_some()));
    }

    #[test]
    fn exploitation_follows_proof() {
        fn check(
            cves: &[&str],
            topic: &str,
            ports: &[u16],
            resource_type: &str,
            exposure: Exposure,
            want: Exploitation,
        ) {
            let subject = Subject { cves, topic, ports, resource_type };
            let got = Feeds::bundled().exploitation(&subject, exposure);
            assert_eq!(got.level, want, "{subject:?} {:?}", got.because);
            assert_eq!(got.because.is_empty(), want == Exploitation::None);
        }
        use {Exploitation as K, Exposure as E};
        check(&["CVE-2021-44228"], "", &[], "", E::None, K::KevRansomware);
        check(&["CVE-2025-48384"], "", &[], "", E::None, K::Kev);
        check(&["CVE-1999-0001"], "", &[], "", E::InternetOpen, K::None);
        check(&["nonsense"], "", &[], "", E::InternetOpen, K::None);
        check(&[], "network.database-port-open", &[6379], "", E::InternetOpen, K::Advisory);
        check(&[], "network.database-port-open", &[6379], "", E::Org, K::None);
        check(&[], "network.database-port-open", &[6379], "", E::Unknown, K::None);
        check(&[], "network.admin-port-open", &[22], "", E::InternetOpen, K::None);
        check(&[], "exposure.public-endpoint", &[443], "", E::InternetOpen, K::None);
        check(&[], "exposure.public-database", &[], "AWS::OpenSearchService::Domain", E::InternetAuth, K::Advisory);
        let none =
            Feeds::none().exploitation(&Subject { cves: &["CVE-2021-44228"], ..Subject::default() }, E::InternetOpen);
        assert_eq!(none.level, K::None);
    }

    #[test]
    fn epss_is_read_plain_and_gzipped() {
        let text = "#model_version:v2026.03.01,score_date:2026-11-20T00:00:00+0000\ncve,epss,percentile\nCVE-2020-0001,0.10,0.5\nCVE-2020-0002,0.50,0.9\nCVE-2020-0003,0.09999,0.4\n";
        let gzip = {
            use std::io::Write;
            let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            out.write_all(text.as_bytes()).unwrap();
            out.finish().unwrap()
        };
        for bytes in [text.as_bytes(), &gzip] {
            let mut feeds = Feeds::none();
            feeds.import_epss(bytes).unwrap();
            let level = |id| feeds.exploitation(&Subject { cves: &[id], ..Subject::default() }, Exposure::None).level;
            assert_eq!(level("CVE-2020-0001"), Exploitation::Epss10);
            assert_eq!(level("CVE-2020-0002"), Exploitation::Epss50);
            assert_eq!(level("CVE-2020-0003"), Exploitation::None);
            assert_eq!(feeds.epss_millionths("CVE-2020-0004"), None);
        }
        let mut feeds = Feeds::none();
        feeds.import_epss(text.as_bytes()).unwrap();
        let older = text.replace("2026-11-20", "2026-11-19");
        assert!(matches!(feeds.import_epss(older.as_bytes()), Err(FeedError::Older { .. })));
        for broken in ["", "cve,epss\n", "#score_date:2026-11-21\nCVE-2020-0001,2.0,0\n", "#score_date:2026-11-21\n"] {
            assert!(feeds.import_epss(broken.as_bytes()).is_err(), "{broken}");
        }
        assert_eq!(feeds.epss_millionths("CVE-2020-0001"), Some(100_000));
    }

    #[test]
    fn newer_kev_replaces_and_broken_or_older_does_not() {
        let feed = |date: &str, id: &str| {
            serde_json::json!({"catalogVersion": "x", "dateReleased": date, "vulnerabilities": [{"cveID": id, "vendorProject": "V", "product": "P",
                "dateAdded": "2026-01-01", "dueDate": "2026-01-22", "knownRansomwareCampaignUse": "Known"}]})
            .to_string()
        };
        let mut feeds = Feeds::bundled();
        assert!(feeds.import_kev(feed("2024-01-01T00:00:00Z", "CVE-2026-0001").as_bytes()).is_err());
        assert!(feeds.import_kev(feed("2026-11-01T00:00:00Z", "no").as_bytes()).is_err());
        assert!(feeds.import_kev(b"{}").is_err());
        assert!(feeds.known_exploited("CVE-2021-44228").is_some());
        feeds.import_kev(feed("2026-11-01T00:00:00Z", "CVE-2026-0001").as_bytes()).unwrap();
        assert!(feeds.known_exploited("CVE-2021-44228").is_none());
        let got = feeds.exploitation(&Subject { cves: &["CVE-2026-0001"], ..Subject::default() }, Exposure::None);
        assert_eq!((got.level, got.due.unwrap().date()), (Exploitation::KevRansomware, "2026-01-22".into()));
    }

    #[test]
    fn advisories_count_when_they_report_use() {
        fn check(details: &str, status: &str, want: usize) {
            let doc = serde_json::json!({"document": {"csaf_version": "2.0", "publisher": {"name": "Vendor"}, "tracking": {"id": "V-1", "current_release_date": "2026-11-01T00:00:00Z"}},
                "vulnerabilities": [{"cve": "CVE-2026-1234", "product_status": {status: ["p"]}, "threats": [{"category": "exploit_status", "details": details}]}]});
            assert_eq!(Feeds::none().import_csaf(doc.to_string().as_bytes()).unwrap(), want, "{details}");
        }
        check("Publicly Disclosed:No;Exploited:Yes;Latest Software Release:Exploitation Detected", "known_affected", 1);
        check(
            "Publicly Disclosed:No;Exploited:No;Latest Software Release:Exploitation Less Likely",
            "known_affected",
            0,
        );
        check("The PSIRT is aware of attempted exploitation of this vulnerability in the wild.", "fixed", 1);
        check("The PSIRT is not aware of any active exploitation.", "known_affected", 0);
        check("Exploited:Yes", "known_not_affected", 0);
        assert!(Feeds::none().import_csaf(b"{\"document\":{}}").is_err());
    }

    #[test]
    fn support_ends() {
        fn check(product: &str, version: &str, now: &str, want: &str) {
            let got = Feeds::bundled().support(product, version, now.parse().unwrap());
            let text = serde_json::to_string(&got).unwrap();
            assert!(text.contains(want), "{product} {version} {text}");
        }
        check("amazon-eks", "1.35", "2026-11-21", "supported");
        check("AWS::EKS::Cluster", "1.35", "2027-03-01", "ends-soon");
        check("amazon-eks", "1.35", "2027-04-01", "\"extended\":\"2028-03-27");
        check("amazon-eks", "1.35", "2028-04-01", "\"ended\":\"2027-03-27");
        check("amazon-eks", "1.350", "2026-11-21", "unknown");
        check("amazon-eks", "1.10", "2026-11-21", "\"ended\":null");
        check("aws-lambda", "nodejs20.x", "2026-11-21", "\"ended\":\"2026-04-30");
        check("amazon-rds-mariadb", "5.5.68", "2026-11-21", "\"ended\":null");
        check("nonesuch", "1", "2026-11-21", "unknown");
    }
}
