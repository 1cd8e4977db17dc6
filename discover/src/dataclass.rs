//! Data classes per resource: from tags, names, account defaults and data-security tools; always with their source.

use crate::{
    json,
    kinds::named,
    mapping::{Mapping, canonical},
    sighting::DataClass,
    table::{Row, Rows, column, headings},
    unpack,
};
use plumb_model::Time;
use serde_json::Value;
use std::{collections::BTreeMap, io::BufRead};

/// A pattern over resource names.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct NamePattern {
    /// A regular expression, matched anywhere in the name, case aside: `(^|-)pci(-|$)`.
    pub pattern: String,
    /// What a match means.
    pub class: DataClass,
}

named! {
    /// Where a statement about data comes from, strongest first.
    StatementSource ("source of a data class") {
        /// A data-security tool looked inside.
        Tool = "data-security-tool",
        /// A tag or label on the resource.
        Tag = "tag",
        /// Its name.
        Name = "name",
        /// The account it is in.
        Account = "account-default",
    }

    /// The formats of data-security tools that can be read.
    LabelKind ("format of data labels") {
        /// Amazon Macie findings.
        Macie = "macie",
        /// OCSF Data Security Finding (2006).
        Ocsf = "ocsf",
        /// CSV with a resource and a class.
        Csv = "csv",
    }
}

/// One source's statement about one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Statement {
    /// The class.
    pub class: DataClass,
    /// Where from.
    pub source: StatementSource,
    /// The tag, the pattern, the account or the tool's finding.
    pub detail: String,
    /// When it was observed, where the source says.
    pub observed_at: Option<Time>,
}

impl Statement {
    fn new(class: DataClass, source: StatementSource, detail: String, observed_at: Option<Time>) -> Self {
        Self { class, source, detail, observed_at }
    }
}

/// What is known about a resource's data: every statement, and the class that counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Classified {
    /// The worst class any source states; unknown when none does.
    pub class: DataClass,
    /// All statements, worst class first.
    pub statements: Vec<Statement>,
}

/// Classifies resources by one organisation's conventions.
#[derive(Debug, Clone)]
pub struct Classifier {
    mapping: Mapping,
    tag_keys: Vec<String>,
    patterns: Vec<(regex::Regex, String, DataClass)>,
}

/// A name pattern that is no regular expression.
#[derive(Debug, thiserror::Error)]
#[error("data-class pattern `{pattern}` is not a regular expression")]
pub struct LabelError {
    pattern: String,
    #[source]
    source: regex::Error,
}

impl Classifier {
    /// `mapping` gives further spellings of classes; `tag_keys` further tag names besides the usual ones (data-class,
    /// classification …).
    pub fn new(mapping: Mapping, tag_keys: &[String], patterns: &[NamePattern]) -> Result<Self, LabelError> {
        let mut keys: Vec<String> =
            ["dataclass", "dataclassification", "classification", "datasensitivity", "sensitivity"]
                .iter()
                .map(|k| (*k).to_owned())
                .collect();
        keys.extend(tag_keys.iter().map(|k| canonical(k)));
        let compile = |p: &NamePattern| {
            regex::RegexBuilder::new(&p.pattern)
                .case_insensitive(true)
                .size_limit(1 << 20)
                .build()
                .map(|r| (r, p.pattern.clone(), p.class))
                .map_err(|source| LabelError { pattern: p.pattern.clone(), source })
        };
        Ok(Self { mapping, tag_keys: keys, patterns: patterns.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The classes of one resource. `labels` are the statements tools made about it; `account` the account's classes
    /// on record.
    pub fn classify<'a>(
        &self,
        name: &str,
        tags: impl IntoIterator<Item = (&'a str, &'a str)>,
        labels: &[Label],
        account: &[DataClass],
    ) -> Classified {
        let mut statements = Vec::new();
        for label in labels {
            statements.push(Statement::new(
                label.class,
                StatementSource::Tool,
                label.detail.clone(),
                label.observed_at,
            ));
        }
        for (key, value) in tags.into_iter().filter(|(k, _)| self.tag_keys.contains(&canonical(k))) {
            for part in value.split([',', ';', '+', ' ', '/']).filter(|p| !p.is_empty()) {
                // A tag with a word nobody mapped says something we cannot read: unknown, not silence.
                let class = self.mapping.data_class(part).unwrap_or(DataClass::Unknown);
                statements.push(Statement::new(class, StatementSource::Tag, format!("{key}={value}"), None));
            }
        }
        for (_, pattern, class) in self.patterns.iter().filter(|(r, _, _)| r.is_match(name)) {
            statements.push(Statement::new(*class, StatementSource::Name, format!("name matches `{pattern}`"), None));
        }
        // The account speaks for resources nobody said anything about.
        if statements.iter().all(|s| s.class == DataClass::Unknown) {
            for class in account {
                statements.push(Statement::new(*class, StatementSource::Account, "account default".into(), None));
            }
        }
        statements.sort();
        statements.dedup();
        // A worst class that is only "unknown" gives way to nothing milder than what was stated: silence is no proof.
        let class = statements.iter().map(|s| s.class).min().unwrap_or(DataClass::Unknown);
        Classified { class, statements }
    }
}

/// What a data-security tool says about one resource.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Label {
    /// The resource's canonical id as the tool gives it.
    pub resource: String,
    /// What is in it.
    pub class: DataClass,
    /// The tool's finding or category.
    pub detail: String,
    /// When it looked.
    pub observed_at: Option<Time>,
}

/// Reads labels of a data-security tool, by resource; what cannot be read is counted per message.
pub fn read_labels(kind: LabelKind, input: &mut dyn BufRead, mapping: &Mapping) -> (Vec<Label>, BTreeMap<String, u64>) {
    let mut labels = Vec::new();
    let mut problems: BTreeMap<String, u64> = BTreeMap::new();
    let mut problem = |text: String| *problems.entry(text).or_default() += 1;
    let input = match unpack::open(input, &mapping.limits) {
        Ok(input) => input,
        Err(p) => {
            problem(format!("the file {p}"));
            return (labels, problems);
        }
    };
    match kind {
        LabelKind::Csv => csv_labels(input, mapping, &mut labels, &mut problem),
        LabelKind::Macie | LabelKind::Ocsf => {
            let one = if kind == LabelKind::Macie { macie } else { ocsf };
            let mut broken = Vec::new();
            json::records(
                input,
                &mapping.limits,
                &mut |_, value| match one(&value, mapping) {
                    Some(found) => labels.extend(found),
                    None => *problems.entry("record names no resource".into()).or_default() += 1,
                },
                &mut |_, p| broken.push(p),
            );
            broken.into_iter().for_each(|p| *problems.entry(p).or_default() += 1);
        }
    }
    labels.sort_by(|a: &Label, b| (&a.resource, a.class, &a.detail).cmp(&(&b.resource, b.class, &b.detail)));
    labels.dedup();
    (labels, problems)
}

fn csv_labels(
    input: Box<dyn BufRead + '_>,
    mapping: &Mapping,
    labels: &mut Vec<Label>,
    problem: &mut dyn FnMut(String),
) {
    let mut rows = Rows::sniffed(input, &mapping.limits);
    if !matches!(rows.next(), Row::Ready) {
        return problem("the file has no heading".into());
    }
    let headings = headings(&rows.texts());
    let resource = column(&headings, &["resource", "resourceid", "resourcearn", "arn", "id"]);
    let class = column(&headings, &["dataclass", "classification", "class", "label", "sensitivity"]);
    let when = column(&headings, &["observedat", "date", "scannedat", "lastscan"]);
    let (Some(resource), Some(class)) = (resource, class) else {
        return problem("no columns for resource and data class".into());
    };
    loop {
        match rows.next() {
            Row::End => return,
            Row::Broken(e) => return problem(format!("the file breaks off: {e}")),
            Row::TooLarge => problem("row is larger than a row may be".into()),
            Row::Ready => {
                let (id, said) = (rows.text(resource), rows.text(class));
                let observed_at = when.and_then(|w| crate::read::instant(&rows.text(w), mapping.day_first));
                match mapping.data_class(&said) {
                    _ if id.is_empty() => problem("row names no resource".into()),
                    Some(class) => labels.push(Label { resource: id, class, detail: said, observed_at }),
                    None => problem(format!(
                        "data class `{}` is not known; map it",
                        said.chars().take(40).collect::<String>()
                    )),
                }
            }
        }
    }
}

/// An Amazon Macie sensitive-data finding: resourcesAffected.s3Bucket.arn and
/// classificationDetails.result.sensitiveData\[\].category.
fn macie(value: &Value, _: &Mapping) -> Option<Vec<Label>> {
    // As an event it is wrapped.
    let value = value.get("detail").filter(|d| d.is_object()).unwrap_or(value);
    let bucket = json::text(value, "resourcesAffected.s3Bucket.arn")?;
    let observed_at = json::text(value, "updatedAt").and_then(|t| crate::read::instant(t, false));
    let data = json::at(value, "classificationDetails.result.sensitiveData").and_then(Value::as_array);
    let label = |category: &str, kinds: &[&str]| {
        let class = match category {
            "FINANCIAL_INFORMATION" if kinds.iter().any(|k| k.contains("CREDIT_CARD")) => DataClass::RegulatedPayment,
            "FINANCIAL_INFORMATION" => DataClass::Confidential,
            "PERSONAL_INFORMATION" if kinds.iter().any(|k| k.contains("HEALTH") || k.contains("MEDICAL")) => {
                DataClass::RegulatedHealth
            }
            "PERSONAL_INFORMATION" => DataClass::Personal,
            _ => DataClass::Confidential,
        };
        let detail = format!("Macie {category} {}", json::text(value, "id").unwrap_or_default());
        Label { resource: bucket.to_owned(), class, detail: detail.trim().to_owned(), observed_at }
    };
    let one = |d: &Value| {
        let kinds = d.get("detections").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let kinds: Vec<&str> = kinds.iter().filter_map(|k| json::text(k, "type")).collect();
        Some(label(json::text(d, "category")?, &kinds))
    };
    Some(data.map(|d| d.iter().filter_map(one).collect()).unwrap_or_default())
}

/// An OCSF Data Security Finding: resources\[\].uid (or databucket, database), data_security.data_classifications or
/// data_classifications\[\]{category, confidentiality}.
fn ocsf(value: &Value, mapping: &Mapping) -> Option<Vec<Label>> {
    let observed_at = json::at(value, "time").and_then(Value::as_i64).map(|ms| Time::from_seconds(ms / 1000));
    let resources = value.get("resources").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<&str> = resources.iter().filter_map(|r| json::text(r, "uid")).collect();
    ids.extend(["databucket.uid", "database.uid", "table.uid"].iter().filter_map(|p| json::text(value, p)));
    if ids.is_empty() {
        return None;
    }
    let mut said: Vec<&Value> = Vec::new();
    said.extend(value.get("data_security"));
    for list in ["data_classifications", "data_security.data_classifications"] {
        said.extend(json::at(value, list).and_then(Value::as_array).into_iter().flatten());
    }
    let class = |d: &Value| {
        let category = json::text(d, "category").unwrap_or_default();
        let confidentiality = json::text(d, "confidentiality").unwrap_or_default();
        // Category names of the OCSF 1.5 `data_classification` object.
        let class = match canonical(category).as_str() {
            "personal" | "personallyidentifiableinformation" | "personalidentifiableinformation" | "pii" => {
                DataClass::Personal
            }
            "health" | "protectedhealthinformation" | "phi" => DataClass::RegulatedHealth,
            "paymentcardindustry" | "pci" => DataClass::RegulatedPayment,
            "financial" | "governmental" | "security" => DataClass::Confidential,
            _ => mapping.data_class(category).or_else(|| mapping.data_class(confidentiality))?,
        };
        Some((class, format!("{category} {confidentiality}").trim().to_owned()))
    };
    let classes: Vec<_> = said.into_iter().filter_map(class).collect();
    let label = |id: &&str| {
        classes
            .iter()
            .map(|(class, detail)| Label {
                resource: (*id).to_owned(),
                class: *class,
                detail: detail.clone(),
                observed_at,
            })
            .collect::<Vec<_>>()
    };
    Some(ids.iter().flat_map(label).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classifier() -> Classifier {
        let patterns = [NamePattern { pattern: "(^|-)card(-|$)".into(), class: DataClass::RegulatedPayment }];
        Classifier::new(Mapping::default(), &["Daten Klasse".into()], &patterns).unwrap()
    }

    #[test]
    fn the_worst_statement_counts_and_each_has_its_source() {
        fn check(
            name: &str,
            tags: &[(&str, &str)],
            account: &[DataClass],
            want: DataClass,
            from: Option<StatementSource>,
        ) {
            let got = classifier().classify(name, tags.iter().copied(), &[], account);
            assert_eq!((got.class, got.statements.first().map(|s| s.source)), (want, from), "{name} {tags:?}");
        }
        use {DataClass as D, StatementSource as S};
        check("logs", &[], &[], D::Unknown, None);
        check("logs", &[], &[D::Internal], D::Internal, Some(S::Account));
        check("logs", &[("Data-Classification", "PII")], &[D::Internal], D::Personal, Some(S::Tag));
        check("logs", &[("daten_klasse", "public")], &[D::RegulatedHealth], D::Public, Some(S::Tag));
        check("prod-card-vault", &[("classification", "internal")], &[], D::RegulatedPayment, Some(S::Name));
        check("discard", &[], &[], D::Unknown, None);
        check("logs", &[("classification", "blue")], &[], D::Unknown, Some(S::Tag));
    }

    #[test]
    fn tools_are_read() {
        fn check(kind: LabelKind, text: &str, want: &[(&str, DataClass)], problems: usize) {
            let (labels, p) = read_labels(kind, &mut text.as_bytes(), &Mapping::default());
            let got: Vec<_> = labels.iter().map(|l| (l.resource.as_str(), l.class)).collect();
            assert_eq!((got.as_slice(), p.len()), (want, problems), "{p:?}");
        }
        let macie = r#"{"id":"f1","updatedAt":"2026-11-01T00:00:00Z","resourcesAffected":{"s3Bucket":{"arn":"arn:aws:s3:::x"}},
            "classificationDetails":{"result":{"sensitiveData":[{"category":"FINANCIAL_INFORMATION","detections":[{"type":"CREDIT_CARD_NUMBER"}]}]}}}"#;
        check(LabelKind::Macie, macie, &[("arn:aws:s3:::x", DataClass::RegulatedPayment)], 0);
        // As `aws macie2 get-findings` answers, and as an event.
        check(
            LabelKind::Macie,
            &format!(r#"{{"findings":[{macie}]}}"#),
            &[("arn:aws:s3:::x", DataClass::RegulatedPayment)],
            0,
        );
        let event = format!(r#"{{"detail-type":"Macie Finding","detail":{macie}}}"#);
        check(LabelKind::Macie, &event, &[("arn:aws:s3:::x", DataClass::RegulatedPayment)], 0);
        let ocsf = r#"[{"class_uid":2006,"time":1785500000000,"resources":[{"uid":"r1"}],"data_security":{"category":"Personal"}},{}]"#;
        check(LabelKind::Ocsf, ocsf, &[("r1", DataClass::Personal)], 1);
        check(LabelKind::Csv, "resource_id,data_class\nr1,PHI\nr2,green\n", &[("r1", DataClass::RegulatedHealth)], 1);
        check(LabelKind::Csv, "a,b\n", &[], 1);
    }

    #[test]
    fn broken_patterns_are_named() {
        let wrong = NamePattern { pattern: "(".into(), class: DataClass::Personal };
        assert!(Classifier::new(Mapping::default(), &[], &[wrong]).unwrap_err().to_string().contains("`(`"));
    }
}
