//! Decisions and plans whose scope meets nothing: each is reported, whatever its kind, because what covers nothing today may
//! cover something tomorrow that nobody decided on.

use super::{GovernError, Picture, plans};
use plumb_govern::{
    decision::{Kind, Selector, Subject, Unmatched, unmatched},
    ids::DecisionId,
};
use plumb_record::Query;
use std::collections::BTreeSet;

impl Picture<'_> {
    /// Decisions in force that cover no live finding, and planned exposures whose window closed before any was seen.
    ///
    /// # Errors
    /// The record fails.
    pub fn idle(&self) -> Result<Vec<Unmatched>, GovernError> {
        let live = self.live()?;
        // Only what also covers what comes later is asked of every finding, each selector once.
        let mut asked: Vec<(Selector, bool)> = Vec::new();
        for decision in self.decisions.iter().filter(|d| d.holds(self.now)) {
            if let Subject::Selector { selector, covers_future: true, .. } = &decision.draft.subject
                && !decision.findings().any(|f| live.contains(f))
            {
                asked.push((selector.clone(), false));
            }
        }
        if !asked.is_empty() {
            self.around.record.each_finding::<GovernError>(&Query::default(), |row| {
                let tags = self.around.tags(&row)?;
                self.around.with_target(&row, &tags, |target| {
                    asked
                        .iter_mut()
                        .filter(|(s, found)| !found && s.matches(target))
                        .for_each(|(_, found)| *found = true);
                });
                Ok(())
            })?;
        }
        let matches = |selector: &Selector| asked.iter().any(|(s, found)| *found && s == selector);
        let mut out = unmatched(&self.decisions, &live, &matches, self.now);
        let met: BTreeSet<&str> = self.ledger.values().filter_map(|e| e.pre_approval.as_deref()).collect();
        for plan in plans(self.around.record)? {
            if plan.to < self.now && plan.warrant.expires_at > self.now && !met.contains(plan.id.as_str()) {
                out.push(Unmatched {
                    number: DecisionId::from(plan.id.as_str()),
                    kind: Kind::ExposureApproval,
                    advice: format!(
                        "{} announced an exposure until {} that was never seen; its scope matches nothing that is reachable",
                        plan.id,
                        plan.to.date()
                    ),
                });
            }
        }
        Ok(out)
    }
}
