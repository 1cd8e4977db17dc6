//! Clocks: when a finding is due, what stops the clock, and the breaches that no closing erases.
//!
//! All arithmetic is in seconds of UTC; a day is 86,400 of them, so no daylight saving can move a due date.

use crate::policy::{Lane, Policy, Tier};
use plumb_model::Time;

const DAY: i64 = 86_400;

/// What sets the length of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Terms {
    /// How soon the finding wants attention.
    pub lane: Lane,
    /// How much its account matters.
    pub tier: Tier,
    /// Whether regulated data is in play.
    pub regulated: bool,
    /// Whether the weakness is known to be exploited.
    #[serde(default)]
    pub exploited: bool,
    /// The due date a catalogue of exploited weaknesses gives, if any.
    #[serde(default)]
    pub exploited_due: Option<Time>,
    /// Whether the resource is reachable from the internet.
    #[serde(default)]
    pub reachable: bool,
}

impl Terms {
    /// The plain terms of a lane and a tier.
    pub fn new(lane: Lane, tier: Tier) -> Self {
        Self { lane, tier, regulated: false, exploited: false, exploited_due: None, reachable: false }
    }

    /// When a clock started at `start` is due; none where policy promises nothing.
    fn due(&self, start: Time, policy: &Policy, half: bool) -> Option<Time> {
        let seconds = |days: i64| if half { days * DAY / 2 } else { days * DAY };
        let base = policy.sla_days_for(self.lane, self.tier, self.regulated).map(|d| plus(start, seconds(d.into())));
        if !self.exploited {
            return base;
        }
        let limit = plus(start, if self.reachable { 3 } else { 14 } * DAY);
        // A date that had passed before anybody knew cannot be kept; the limit is what is left.
        let wanted = self.exploited_due.filter(|due| *due > start);
        [base, Some(limit), wanted].into_iter().flatten().min()
    }
}

/// A due date that passed: a fact of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Breach {
    /// The instant the date passed.
    pub at: Time,
    /// The lane then.
    pub lane: Lane,
    /// The tier then.
    pub tier: Tier,
}

/// A stop of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Pause {
    since: Time,
    /// When the clock runs again by itself: a slow approver cannot hide a breach.
    until: Option<Time>,
}

impl Pause {
    fn lasted(&self, now: Time) -> i64 {
        let end = self.until.map_or(now, |u| u.min(now));
        (end.seconds() - self.since.seconds()).max(0)
    }
}

/// One finding's clock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Clock {
    started: Time,
    /// When it would be due had it never stopped.
    unpaused_due: Option<Time>,
    terms: Terms,
    /// Clocks restarted after an expiry or a regression have half the span.
    half: bool,
    paused_seconds: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pause: Option<Pause>,
    /// Set when the finding closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    breaches: Vec<Breach>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_breach_due: Option<Time>,
}

impl Clock {
    /// A clock that starts at `start`; `half` for regressions and after an expiry.
    pub fn start(start: Time, terms: Terms, half: bool, policy: &Policy) -> Self {
        Self {
            started: start,
            unpaused_due: terms.due(start, policy, half),
            terms,
            half,
            paused_seconds: 0,
            pause: None,
            stopped: None,
            breaches: Vec::new(),
            last_breach_due: None,
        }
    }

    /// When it started.
    pub fn started(&self) -> Time {
        self.started
    }

    /// What sets its length.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// The breaches so far, oldest first; see [`Clock::tick`].
    pub fn breaches(&self) -> &[Breach] {
        &self.breaches
    }

    /// Seconds the clock stood still until `now`.
    pub fn paused_seconds(&self, now: Time) -> i64 {
        self.paused_seconds + self.pause.map_or(0, |p| p.lasted(now))
    }

    /// Whether the clock stands still at `now`.
    pub fn is_paused(&self, now: Time) -> bool {
        self.stopped.is_some() || self.pause.is_some_and(|p| p.until.is_none_or(|u| now < u))
    }

    /// When the finding is due as things stand at `now`; none where policy promises nothing.
    pub fn due(&self, now: Time) -> Option<Time> {
        let now = self.stopped.map_or(now, |s| s.min(now));
        self.unpaused_due.map(|due| plus(due, self.paused_seconds(now)))
    }

    /// Whether the due date has passed at `now`, or had when the finding closed.
    pub fn is_breached(&self, now: Time) -> bool {
        let now = self.stopped.map_or(now, |s| s.min(now));
        self.due(now).is_some_and(|due| due < now)
    }

    /// Stops the clock until [`Clock::resume`], or until `until` if that is earlier.
    pub(crate) fn pause(&mut self, now: Time, until: Option<Time>) {
        self.resume(now);
        self.pause = Some(Pause { since: now, until });
    }

    /// Lets the clock run again.
    pub(crate) fn resume(&mut self, now: Time) {
        if let Some(p) = self.pause.take() {
            self.paused_seconds += p.lasted(now);
        }
    }

    /// The finding closed.
    pub(crate) fn stop(&mut self, now: Time) {
        self.tick(now);
        self.resume(now);
        self.stopped = Some(now);
    }

    /// A fresh clock that keeps the breaches of this one.
    pub(crate) fn restart(&self, now: Time, terms: Terms, half: bool, policy: &Policy) -> Self {
        let mut fresh = Self::start(now, terms, half, policy);
        fresh.breaches.clone_from(&self.breaches);
        fresh
    }

    /// Takes new terms; never restarts. A lane that rises moves the due date to the earlier of old and new, though never
    /// before `now`: nobody was late for what was not known to be urgent. A date that has already passed stays.
    pub fn retime(&mut self, terms: Terms, policy: &Policy, now: Time) {
        self.tick(now);
        // What stood still until now is added again when the date is asked for.
        let soonest = plus(now, -self.paused_seconds(now));
        let fresh = terms.due(self.started, policy, self.half).map(|due| due.max(soonest));
        self.unpaused_due = if self.is_breached(now) {
            self.unpaused_due
        } else if terms.lane < self.terms.lane {
            [self.unpaused_due, fresh].into_iter().flatten().min()
        } else {
            fresh
        };
        self.terms = terms;
    }

    /// Records the breach if the due date has passed; once per due date, however often and however late it is asked.
    pub fn tick(&mut self, now: Time) -> Option<Breach> {
        let due = self.due(now)?;
        if !self.is_breached(now) || self.last_breach_due.is_some_and(|d| d <= due) {
            return None;
        }
        let breach = Breach { at: due, lane: self.terms.lane, tier: self.terms.tier };
        self.breaches.push(breach);
        self.last_breach_due = Some(due);
        Some(breach)
    }

    /// The notices that fell due after `since` and not after `now`: at 50, 80 and 100 per cent of the span, then weekly.
    pub fn notices(&self, since: Time, now: Time) -> Vec<Notice> {
        let Some(due) = self.due(now) else { return Vec::new() };
        if self.is_paused(now) {
            return Vec::new();
        }
        let span = due.seconds() - self.started.seconds();
        let part = |percent: i64| plus(self.started, span * percent / 100);
        let mut out: Vec<_> = [50, 80, 100].map(|p| Notice { at: part(p), percent: p, weeks_late: 0 }).into();
        let week = 7 * DAY;
        let first = (since.seconds() - due.seconds()).div_euclid(week).max(0) + 1;
        let last = (now.seconds() - due.seconds()).div_euclid(week);
        out.extend((first..=last).map(|w| Notice { at: plus(due, w * week), percent: 100, weeks_late: w }));
        out.retain(|n| n.at > since && n.at <= now);
        out
    }
}

/// A reminder that fell due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Notice {
    /// When.
    pub at: Time,
    /// How much of the span had passed.
    pub percent: i64,
    /// Whole weeks after the due date.
    pub weeks_late: i64,
}

/// `start` plus a number of working days (Monday to Friday, UTC), at the same time of day.
pub fn plus_working_days(start: Time, days: u16) -> Time {
    let mut at = start;
    let mut left = days;
    while left > 0 {
        at = at.plus_days(1);
        // 1970-01-01 was a Thursday: day number 0 is index 3 of a week that starts on Monday.
        if (at.seconds().div_euclid(DAY) + 3).rem_euclid(7) < 5 {
            left -= 1;
        }
    }
    at
}

pub(crate) fn plus(at: Time, seconds: i64) -> Time {
    Time::from_seconds(at.seconds().saturating_add(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Time {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(terms: Terms, start: &str, want: Option<&str>) {
        let clock = Clock::start(t(start), terms, false, &Policy::default());
        assert_eq!(clock.due(t(start)), want.map(t));
    }

    #[test]
    fn the_table_by_lane_tier_and_data() {
        use Lane::{ActNow, Planned, Urgent, Watch};
        check(Terms::new(ActNow, Tier::Tier1), "2026-03-28T12:00:00Z", Some("2026-03-29T12:00:00Z"));
        check(Terms::new(Urgent, Tier::Production), "2026-03-01", Some("2026-03-15"));
        check(Terms { regulated: true, ..Terms::new(Urgent, Tier::Production) }, "2026-03-01", Some("2026-03-08"));
        check(Terms::new(Planned, Tier::Unknown), "2026-01-01", Some("2026-04-01"));
        check(Terms::new(Watch, Tier::Sandbox), "2026-01-01", None);
        let known = Terms { exploited: true, ..Terms::new(Watch, Tier::Sandbox) };
        check(known, "2026-01-01", Some("2026-01-15"));
        check(Terms { reachable: true, ..known }, "2026-01-01", Some("2026-01-04"));
        check(Terms { exploited_due: Some(t("2026-01-03")), ..known }, "2026-01-01", Some("2026-01-03"));
        check(Terms { exploited_due: Some(t("2021-12-24")), ..known }, "2026-01-01", Some("2026-01-15"));
    }

    #[test]
    fn pauses_move_the_due_date_and_a_slow_approver_cannot_hide_a_breach() {
        let policy = Policy::default();
        let mut c = Clock::start(t("2026-01-05"), Terms::new(Lane::Urgent, Tier::Tier1), false, &policy);
        assert_eq!(c.due(t("2026-01-05")), Some(t("2026-01-12")));
        let limit = plus_working_days(t("2026-01-08"), 5);
        assert_eq!(limit, t("2026-01-15"), "a weekend lies between");
        c.pause(t("2026-01-08"), Some(limit));
        assert_eq!(c.due(t("2026-01-10")), Some(t("2026-01-14")));
        assert!(c.is_paused(t("2026-01-14")));
        assert!(!c.is_paused(t("2026-01-16")));
        assert_eq!(c.due(t("2026-03-01")), Some(t("2026-01-19")));
        assert!(c.is_breached(t("2026-01-20")));
        assert_eq!(c.tick(t("2026-03-01")).map(|b| b.at), Some(t("2026-01-19")));
        assert_eq!(c.tick(t("2026-03-02")), None, "one breach is one fact");
        c.stop(t("2026-03-03"));
        assert_eq!(c.breaches().len(), 1, "closing erases nothing");
    }

    #[test]
    fn a_rising_lane_takes_the_earlier_date_and_a_falling_one_never_revives_a_breach() {
        let policy = Policy::default();
        let at = t("2026-01-01");
        let mut c = Clock::start(at, Terms::new(Lane::Planned, Tier::Production), false, &policy);
        c.retime(Terms::new(Lane::Urgent, Tier::Production), &policy, t("2026-01-02"));
        assert_eq!(c.due(at), Some(t("2026-01-15")));
        c.retime(Terms::new(Lane::Watch, Tier::Production), &policy, t("2026-02-01"));
        assert_eq!(c.due(at), Some(t("2026-01-15")));
        assert_eq!(c.breaches().len(), 1);
        let mut early = Clock::start(at, Terms::new(Lane::Urgent, Tier::Production), false, &policy);
        early.retime(Terms::new(Lane::Watch, Tier::Production), &policy, t("2026-01-02"));
        assert_eq!(early.due(at), Some(t("2026-05-01")));
    }

    #[test]
    fn what_turns_urgent_late_is_due_at_once_and_never_in_the_past() {
        let policy = Policy::default();
        let start = t("2026-01-01");
        let watch = || Clock::start(start, Terms::new(Lane::Watch, Tier::Production), false, &policy);
        let act = Terms::new(Lane::ActNow, Tier::Production);
        let mut c = watch();
        c.retime(act, &policy, t("2026-03-01"));
        assert_eq!((c.started(), c.due(t("2026-03-01"))), (start, Some(t("2026-03-01"))));
        assert!(!c.is_breached(t("2026-03-01")) && c.is_breached(t("2026-03-02")));
        // Said again, it changes nothing; a pause before counts for nobody twice.
        c.retime(act, &policy, t("2026-03-05"));
        assert_eq!((c.due(t("2026-03-05")), c.breaches().len()), (Some(t("2026-03-01")), 1));
        let mut paused = watch();
        paused.pause(t("2026-01-10"), None);
        paused.resume(t("2026-01-20"));
        paused.retime(act, &policy, t("2026-03-01"));
        assert_eq!(paused.due(t("2026-03-01")), Some(t("2026-03-01")));
        // A date that has passed is no further in the past because the lane rises.
        let mut late = watch();
        late.retime(act, &policy, t("2026-06-01"));
        assert_eq!((late.due(t("2026-06-01")), late.breaches().len()), (Some(t("2026-05-01")), 1));
    }

    #[test]
    fn notices_at_half_at_four_fifths_at_the_end_and_weekly() {
        let c = Clock::start(t("2026-01-01"), Terms::new(Lane::Urgent, Tier::Sandbox), false, &Policy::default());
        let all: Vec<_> =
            c.notices(t("2026-01-01"), t("2026-03-20")).iter().map(|n| (n.at.date(), n.weeks_late)).collect();
        let want = [("2026-01-31", 0), ("2026-02-18", 0), ("2026-03-02", 0), ("2026-03-09", 1), ("2026-03-16", 2)];
        assert_eq!(all, want.map(|(d, w)| (d.to_owned(), w)));
        assert_eq!(c.notices(t("2026-03-09"), t("2026-03-16")).len(), 1);
    }
}
