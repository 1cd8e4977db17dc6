//! What an evidence bundle takes from the record row by row: findings with what they rest on, coverage, the log.

use super::{GovernError, Picture, entries};
use plumb_govern::{
    bundle::{BundleError, Captured, Flow, Source, TakeFinding, TakeRow, Taken},
    log::Sealed,
};
use plumb_model::{Outcome, Source as Said, Time, Value};
use plumb_record::FindingRow;
use serde_json::Value as Json;
use std::collections::BTreeSet;

const COVERAGE: &str = "coverage/coverage";
const IDENTITIES: &str = "ocsf/iam-analysis";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The most of one answer that goes in with a finding, in bytes.
const MOST: usize = 1 << 16;

/// The lists that come row by row besides findings; `rows` says which rows these are.
pub(super) fn flows(rows: &str) -> Vec<Flow> {
    let flow = |path: &str, title: &str, filter: String, for_programs| Flow {
        path: path.into(),
        title: title.into(),
        filter,
        for_programs,
    };
    let about = "administrators, those who can become one, are dormant, or hold more than they use; of the principals on record";
    let which = rows.trim_end_matches("all rows");
    vec![
        flow(COVERAGE, "What was judged, per account, region, kind and rule", rows.to_owned(), false),
        flow(IDENTITIES, "Principals as OCSF IAM analysis findings (class 2008)", format!("{which}{about}"), true),
    ]
}

/// What a bundle takes from the record row by row.
pub(super) struct Rows<'a, 'r> {
    p: &'a Picture<'r>,
    from: Time,
    mine: &'a dyn Fn(&str) -> bool,
    exporter: crate::Exporter<'r>,
}

fn unread(error: impl std::fmt::Display) -> BundleError {
    BundleError::Source(error.to_string())
}

/// The answer findings of one resource rest on, and when it was read.
type Answer = Option<(Json, String)>;

impl<'a, 'r> Rows<'a, 'r> {
    pub(super) fn new(p: &'a Picture<'r>, from: Time, mine: &'a dyn Fn(&str) -> bool) -> Self {
        Self { p, from, mine, exporter: crate::Exporter::new(p.around.catalog, &p.accounts) }
    }

    fn answer(&self, row: &FindingRow) -> Result<Answer, BundleError> {
        let found = self.p.around.record.answered(&row.account, &row.kind, &row.resource).map_err(unread)?;
        let redacted = |(raw, at): (String, String)| {
            // Collection took credentials out; a record made before it knew of one kind still holds it.
            let raw = crate::redact(Value::from_json(&serde_json::from_str(&raw)?)).to_plain_json();
            Ok((raw, at))
        };
        found.map(redacted).transpose()
    }

    fn captured(
        &self,
        row: &FindingRow,
        answer: &Answer,
        of: &plumb_govern::ids::FindingId,
    ) -> Result<Captured, BundleError> {
        let closed = matches!(row.state.as_str(), "fixed" | "resource-gone" | "superseded");
        let kind = self.p.around.catalog.kinds.get(row.kind.as_str()).map(AsRef::as_ref);
        let (mut excerpt, mut why) = (None, "no answer of a provider is on record for it".to_owned());
        if let Some((raw, _)) = answer {
            excerpt = crate::excerpt(raw, kind, &row.because);
            why =
                "no part of the answer holds what was observed: it was left out there, or follows from several answers"
                    .to_owned();
        }
        if closed {
            (excerpt, why) = (None, "it is closed, and what was answered while it failed is not kept".to_owned());
        }
        let size = excerpt.as_ref().map_or(0, |e| e.to_string().len());
        if size > MOST {
            let shown = format!("the part of the answer has {size} bytes; `plumb why {} --raw` shows it", row.id);
            (excerpt, why) = (None, shown);
        }
        let read_at = answer.as_ref().filter(|_| excerpt.is_some()).map(|(_, at)| at.clone());
        let said = row.because.iter().filter(|l| l.source != Said::Derived).map(|l| l.source.to_string());
        Ok(Captured {
            because: serde_json::to_value(&row.because)?,
            finding: of.clone(),
            no_excerpt: if excerpt.is_some() { String::new() } else { why },
            excerpt: excerpt.unwrap_or_default(),
            read_at,
            said_by: said.collect::<BTreeSet<_>>().into_iter().collect(),
        })
    }

    fn coverage(&self, take: TakeRow<'_>) -> Result<usize, BundleError> {
        let (mut in_system, mut failed) = (0, None);
        let done = self.p.around.record.each_coverage::<GovernError>(None, |row| {
            in_system += 1;
            if !(self.mine)(&row.account) {
                return Ok(());
            }
            take(&serde_json::to_value(&row)?).map_err(|e| stopped(&mut failed, e))
        });
        settled(failed, done).map(|()| in_system)
    }

    fn identities(&self, take: TakeRow<'_>) -> Result<usize, BundleError> {
        let (mut in_system, mut failed) = (0, None);
        let sql = "SELECT p.account, p.arn, p.doc, s.judged_at FROM principal p JOIN scan s ON s.id = p.scan
                   ORDER BY p.account, p.arn";
        let done = self.p.around.record.each_answer::<GovernError>(sql, &[], |row| {
            let text = |i: usize| row.get(i).and_then(Json::as_str).unwrap_or_default();
            in_system += 1;
            if !(self.mine)(text(0)) {
                return Ok(());
            }
            let one = crate::analysed(text(1), text(0), &serde_json::from_str(text(2))?);
            match plumb_connect::iam::finding(&one, super::life::time(text(3))?, VERSION) {
                Some(event) => take(&event).map_err(|e| stopped(&mut failed, e)),
                None => Ok(()),
            }
        });
        settled(failed, done.map(drop)).map(|()| in_system)
    }
}

/// Keeps what went wrong in the bundle, and stops the reading.
fn stopped(failed: &mut Option<BundleError>, error: BundleError) -> GovernError {
    let words = error.to_string();
    *failed = Some(error);
    GovernError::Diverged(words)
}

fn settled(failed: Option<BundleError>, done: Result<(), GovernError>) -> Result<(), BundleError> {
    match failed {
        Some(error) => Err(error),
        None => done.map_err(unread),
    }
}

impl Source for Rows<'_, '_> {
    fn findings(&mut self, take: TakeFinding<'_>) -> Result<usize, BundleError> {
        let (mut in_system, mut failed) = (0, None);
        // Findings of one resource come one after another.
        let mut last: Option<([String; 3], Answer)> = None;
        let done = self.p.each(|row, life| {
            in_system += 1;
            let finding = &life.finding;
            let open = !finding.state().is_final() || finding.closure().is_none_or(|c| c.at >= self.from);
            if !open || !(self.mine)(&row.account) {
                return Ok(());
            }
            let mut one = || -> Result<(), BundleError> {
                let place = [row.account.clone(), row.kind.clone(), row.resource.clone()];
                let known = match last.take().filter(|(at, _)| *at == place) {
                    Some(known) => known,
                    None => (place, self.answer(row)?),
                };
                let captured = self.captured(row, &known.1, &finding.id)?;
                last = Some(known);
                let ocsf = plumb_connect::ocsf_event(&self.exporter.row(row, Outcome::Fail), VERSION);
                take(Taken { finding, steps: &life.steps, captured: &captured, ocsf: &ocsf })
            };
            one().map_err(|e| stopped(&mut failed, e))
        });
        settled(failed, done).map(|()| in_system)
    }

    fn rows(&mut self, flow: &Flow, take: TakeRow<'_>) -> Result<usize, BundleError> {
        match flow.path.as_str() {
            COVERAGE => self.coverage(take),
            IDENTITIES => self.identities(take),
            other => Err(BundleError::Path(other.into())),
        }
    }

    fn entries(&mut self) -> Box<dyn Iterator<Item = Result<Sealed, BundleError>> + '_> {
        Box::new(entries(self.p.around.record, 0).map(|e| e.map_err(unread)))
    }
}
