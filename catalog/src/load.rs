//! The whole catalog: files in, kinds, rules, topics and frameworks out, cross-checked.

use crate::{
    Confidence, ControlRef, File, Framework, Kind, Problem, Rule, bundled,
    entry::Entry,
    kind::nearest,
    pack::{Pack, read_frameworks},
};
use plumb_model::{KindId, RuleId, TopicId};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

/// Everything Plumbline knows, checked.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Kinds by id.
    pub kinds: BTreeMap<KindId, Arc<Kind>>,
    /// Rules by id.
    pub rules: BTreeMap<RuleId, Rule>,
    /// Topics with what each intends.
    pub topics: BTreeMap<TopicId, String>,
    frameworks: OnceLock<BTreeMap<String, Framework>>,
    /// Whether what is bundled is part of it.
    bundled: bool,
    /// Frameworks of the user's own.
    own_frameworks: BTreeMap<String, Framework>,
    aliases: OnceLock<BTreeMap<String, BTreeSet<RuleId>>>,
    controls: OnceLock<Controls>,
}

/// Which controls are answered, by topic and by rule.
#[derive(Debug, Clone, Default)]
struct Controls {
    by_topic: BTreeMap<TopicId, Vec<ControlRef>>,
    by_rule: BTreeMap<RuleId, Vec<ControlRef>>,
}

impl Catalog {
    /// Reads the bundled catalog and, after it, `extra` files of the user's own (a page with a bundled rule's path
    /// replaces it). What is wrong is returned beside what is right: one broken page never costs the others.
    pub fn load<'a>(extra: impl IntoIterator<Item = File<'a>>) -> (Self, Vec<Problem>) {
        let mut catalog = Self { bundled: true, ..Self::default() };
        let mut problems = Vec::new();
        match Pack::read(bundled::CATALOG) {
            Ok(pack) => catalog.unpack(pack, &mut problems),
            Err(error) => problems.push(Problem::new("catalog.pack", 0, error.to_string(), "build the crate again")),
        }
        for file in extra {
            catalog.add(file, &mut problems);
        }
        catalog.check(&mut problems);
        problems.sort();
        (catalog, problems)
    }

    /// Reads a catalog from exactly these files.
    pub fn from_files<'a>(files: impl IntoIterator<Item = File<'a>>) -> (Self, Vec<Problem>) {
        let mut catalog = Self::default();
        let mut problems = Vec::new();
        for file in files {
            catalog.add(file, &mut problems);
        }
        catalog.check(&mut problems);
        problems.sort();
        (catalog, problems)
    }

    fn unpack(&mut self, pack: Pack, problems: &mut Vec<Problem>) {
        self.kinds = pack.kinds.into_iter().map(|kind| (kind.id.clone(), Arc::new(kind))).collect();
        self.rules = pack.rules.into_iter().map(|rule| (rule.id.clone(), rule)).collect();
        self.topics = pack.topics;
        for (path, text) in &pack.wrong {
            self.add(File { path, text }, problems);
        }
    }

    fn add(&mut self, file: File<'_>, problems: &mut Vec<Problem>) {
        match Entry::read(file) {
            Ok(Entry::Kind(kind)) => drop(self.kinds.insert(kind.id.clone(), Arc::new(kind))),
            Ok(Entry::Rule(rule)) => drop(self.rules.insert(rule.id.clone(), rule)),
            Ok(Entry::Framework(framework)) => drop(self.own_frameworks.insert(framework.id.clone(), framework)),
            Ok(Entry::Topics(topics)) => self.topics.extend(topics),
            Ok(Entry::None) => {}
            Err(wrong) => problems.extend(wrong),
        }
    }

    /// Cross-checks.
    fn check(&self, problems: &mut Vec<Problem>) {
        for rule in self.rules.values() {
            if !self.kinds.contains_key(&rule.kind) {
                let near = nearest(rule.kind.as_str(), self.kinds.keys().map(KindId::as_str));
                problems.push(Problem::new(&rule.file, 0, format!("there is no kind `{}`", rule.kind), near));
            }
            if !self.topics.contains_key(&rule.topic) {
                let near = nearest(rule.topic.as_str(), self.topics.keys().map(TopicId::as_str));
                problems.push(Problem::new(&rule.file, 3, format!("there is no topic `{}`", rule.topic), near));
            }
        }
        for kind in self.kinds.values() {
            let named = kind.links.values().map(|l| &l.kind).chain(&kind.parent);
            for other in named {
                if !self.kinds.contains_key(other) {
                    let near = nearest(other.as_str(), self.kinds.keys().map(KindId::as_str));
                    problems.push(Problem::new(&kind.file, 0, format!("there is no kind `{other}`"), near));
                }
            }
        }
    }

    /// Frameworks by id. Read when they are first asked for: a run over code never does.
    pub fn frameworks(&self) -> &BTreeMap<String, Framework> {
        self.frameworks.get_or_init(|| {
            // That these bytes are frameworks is tested.
            let bundled = self.bundled.then(|| read_frameworks(bundled::FRAMEWORKS).unwrap_or_default());
            let bundled = bundled.into_iter().flatten().map(|f| (f.id.clone(), f));
            bundled.chain(self.own_frameworks.clone()).collect()
        })
    }

    /// The controls, told from the frameworks when they are first asked for: most commands never do.
    fn controls(&self) -> &Controls {
        self.controls.get_or_init(|| {
            let mut out = Controls::default();
            for (id, framework) in self.frameworks() {
                for control in &framework.controls {
                    let control_ref =
                        |confidence| ControlRef { framework: id.clone(), control: control.id.clone(), confidence };
                    for rule in &control.rules {
                        out.by_rule.entry(rule.clone()).or_default().push(control_ref(Confidence::Exact));
                    }
                    for map in &control.topics {
                        out.by_topic.entry(map.topic.clone()).or_default().push(control_ref(map.confidence));
                    }
                }
            }
            // In the order in which they are shown: what is asked for of each rule is then sorted already.
            for list in out.by_topic.values_mut().chain(out.by_rule.values_mut()) {
                list.sort_by(shown_before);
            }
            out
        })
    }

    /// Every other name of a rule, in lower case: numbers of controls, ids of other scanners, ids it had before.
    fn aliases(&self) -> &BTreeMap<String, BTreeSet<RuleId>> {
        self.aliases.get_or_init(|| {
            let mut out: BTreeMap<String, BTreeSet<RuleId>> = BTreeMap::new();
            let mut name = |name: String, rule: &RuleId| {
                out.entry(name).or_default().insert(rule.clone());
            };
            for (id, framework) in self.frameworks() {
                for control in &framework.controls {
                    for rule in &control.rules {
                        name(format!("{}:{}", id, control.id), rule);
                        // `cis:2.1.4` means the newest CIS edition for any provider; older ones are named in full.
                        if let Some(rest) = id.strip_prefix("cis_") {
                            name(format!("cis_{rest}:{}", control.id), rule);
                        }
                    }
                }
            }
            for rule in self.rules.values() {
                for (scanner, ids) in rule.aliases.iter() {
                    for id in ids {
                        let id_lower = id.to_ascii_lowercase();
                        // Trivy writes its ids with and without what they once began with.
                        let short = id_lower.strip_prefix("avd-").map(str::to_owned);
                        for id in short.into_iter().chain([id_lower]) {
                            name(format!("{}:{id}", scanner.to_ascii_lowercase()), &rule.id);
                            name(id, &rule.id);
                        }
                    }
                }
                rule.was.iter().for_each(|old| name(old.to_string(), &rule.id));
            }
            for provider in ["aws", "azure", "gcp"] {
                let editions = self.frameworks().values().filter(|f| f.id.starts_with(&format!("cis_{provider}_")));
                let Some(newest) = editions.max_by_key(|f| edition(&f.id)) else { continue };
                for control in &newest.controls {
                    control.rules.iter().for_each(|rule| name(format!("cis:{}", control.id), rule));
                }
            }
            out
        })
    }

    /// The controls a rule answers: those that name it, then those its topic serves, best first.
    pub fn controls_of(&self, rule: &Rule) -> Vec<&ControlRef> {
        let provider = rule.kind.provider();
        let mut found: Vec<&ControlRef> = self.controls().by_rule.get(&rule.id).into_iter().flatten().collect();
        let (mut framework, mut begins, mut others) = ("", found.len(), false);
        let own = found.len();
        for control in self.controls().by_topic.get(&rule.topic).into_iter().flatten() {
            if control.framework != framework {
                (framework, begins) = (&control.framework, found.len());
                others = prescriptive(framework, provider);
            }
            // Named twice it is shown once; what a topic answers comes framework by framework.
            let again = |f: &&ControlRef| f.framework == control.framework && f.control == control.control;
            let before = |part: Option<&[&ControlRef]>| part.is_some_and(|part| part.iter().any(again));
            if !others && !before(found.get(..own)) && !before(found.get(begins..)) {
                found.push(control);
            }
        }
        found.sort_by(|a, b| shown_before(a, b));
        found
    }

    /// The controls a topic answers, of every framework that is not about one provider's settings.
    pub fn controls_of_topic(&self, topic: &TopicId) -> Vec<&ControlRef> {
        let mut found: Vec<&ControlRef> = self.controls().by_topic.get(topic).into_iter().flatten().collect();
        found.retain(|c| !prescriptive(&c.framework, ""));
        found.sort_by(|a, b| (&a.framework, &a.control).cmp(&(&b.framework, &b.control)));
        found
    }

    /// The rules that a word names: our id, an alias of another scanner (`CKV_AWS_27`, `prowler:sqs_…`), either with a
    /// `*` (`aws-s3-*`), a CIS number (`cis:2.1.4`, `cis_aws_6.0:2.1.4`), a framework (`cis_aws_7.0`), a kind, or a
    /// topic.
    ///
    /// # Errors
    /// A message with the nearest known id when nothing matches.
    pub fn resolve(&self, word: &str) -> Result<BTreeSet<RuleId>, String> {
        let lower = word.to_ascii_lowercase();
        if let Some(rule) = self.rules.get(lower.as_str()) {
            return Ok(BTreeSet::from([rule.id.clone()]));
        }
        let present = |set: &BTreeSet<RuleId>| {
            set.iter().filter(|r| self.rules.contains_key(*r)).cloned().collect::<BTreeSet<_>>()
        };
        if let Some(hits) = self.aliases().get(&lower).map(present)
            && !hits.is_empty()
        {
            return Ok(hits);
        }
        if let Some((prefix, suffix)) = lower.split_once('*') {
            let fits = |name: &str| {
                name.len() >= prefix.len() + suffix.len() && name.starts_with(prefix) && name.ends_with(suffix)
            };
            let hits: BTreeSet<RuleId> = self.rules.keys().filter(|id| fits(id.as_str())).cloned().collect();
            if !hits.is_empty() {
                return Ok(hits);
            }
            let named = self.aliases().iter().filter(|(name, _)| fits(name));
            let hits: BTreeSet<RuleId> = named.flat_map(|(_, set)| present(set)).collect();
            if !hits.is_empty() {
                return Ok(hits);
            }
        }
        if self.frameworks().contains_key(&lower) {
            return Ok(self.rules_of_framework(&lower));
        }
        let by_kind_or_topic: BTreeSet<RuleId> = self
            .rules
            .values()
            .filter(|r| {
                r.kind.as_str() == lower || r.topic.as_str() == lower || r.id.as_str().starts_with(&format!("{lower}."))
            })
            .map(|r| r.id.clone())
            .collect();
        if !by_kind_or_topic.is_empty() {
            return Ok(by_kind_or_topic);
        }
        let names = self.rules.keys().map(RuleId::as_str).chain(self.aliases().keys().map(String::as_str));
        Err(format!("no rule is called `{word}`; {}", nearest(&lower, names)).trim_end_matches("; ").into())
    }

    /// Every rule that a framework names or whose topic serves one of its controls (not merely "related").
    pub fn rules_of_framework(&self, framework: &str) -> BTreeSet<RuleId> {
        self.rules
            .values()
            .filter(|rule| {
                self.controls_of(rule).iter().any(|c| c.framework == framework && c.confidence > Confidence::Low)
            })
            .map(|rule| rule.id.clone())
            .collect()
    }
}

/// Whether a framework names the very checks it wants, so that a topic alone does not answer it; or is about another
/// provider.
/// By framework, the surest first.
fn shown_before(a: &ControlRef, b: &ControlRef) -> std::cmp::Ordering {
    let key = |c: &'_ ControlRef| std::cmp::Reverse(c.confidence);
    (&a.framework, key(a), &a.control).cmp(&(&b.framework, key(b), &b.control))
}

fn prescriptive(framework: &str, provider: &str) -> bool {
    let names_checks = ["cis_aws_", "cis_azure_", "cis_gcp_", "aws_fsbp"].iter().any(|p| framework.starts_with(p));
    names_checks || (framework.starts_with("mcsb") && provider != "azure")
}

/// `cis_aws_10.0` sorts after `cis_aws_7.0`.
fn edition(id: &str) -> (u32, u32) {
    let version = id.rsplit('_').next().unwrap_or_default();
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    (major.parse().unwrap_or(0), minor.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_catalog_has_no_problems() {
        let (catalog, problems) = Catalog::load([]);
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(shown.is_empty(), "{}", shown.join("\n"));
        assert!(!catalog.topics.is_empty() && catalog.frameworks().len() > 10);
    }

    #[test]
    fn further_lists_stand_beside_a_first_one() {
        let kind = |scope: &str, list: &str, also: &str| {
            let text = format!(
                "title = \"Web ACL\"\nscope = \"{scope}\"\nid = \"{{ARN}}\"\n[read]\n{list}\n[[read.also]]\n\
                 call = \"wafv2:ListWebACLs\"\nitems = \"WebACLs[]\"\n{also}\n[fields.label]\ntype = \"string\"\ndoc = \"d\"\nlive = \"Name\"\n"
            );
            crate::Kind::parse("aws/wafv2/web-acl/kind.toml", &text)
        };
        let list = "list = { call = \"wafv2:ListWebACLs\", args = { Scope = \"REGIONAL\" }, items = \"WebACLs[]\" }";
        let one_region = "region = \"us-east-1\"\nwith = { Scope = \"CLOUDFRONT\" }";
        let sound = kind("region", list, one_region).expect("a kind");
        assert_eq!(sound.lists().map(|l| l.is_of("eu-west-1")).collect::<Vec<_>>(), [true, false]);
        assert_eq!(sound.calls().len(), 2);
        let wrong = |scope: &str, list: &str, also: &str| {
            let problems = kind(scope, list, also).expect_err("a problem");
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(wrong("region", "", one_region).contains("beside a first one"));
        assert!(wrong("region", &format!("parent = \"aws.a.b\"\n{list}"), "").contains("beside a first one"));
        assert!(wrong("global", list, one_region).contains("asked in one of them"));
    }

    #[test]
    fn editions_sort_by_number() {
        assert!(edition("cis_aws_10.0") > edition("cis_aws_7.0"));
    }
}
