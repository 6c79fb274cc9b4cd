//! What this process has seen of one runner.

use std::collections::BTreeSet;

use rendezvous::{Incarnation, PlanId, Report, StartReport};
use tokio::time::Instant;

use super::roster::News;
use super::witness::{Container, Seen};

/// A start that a runner reported, and under which plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    by: Incarnation,
    /// The plan that it fired under.
    pub plan: Option<PlanId>,
    /// What it reported.
    pub report: StartReport,
    /// The last word of the process that started, if it had time for one.
    last_word: Option<Box<Report>>,
}

/// A start whose process has ended, and another one has come in its place, or is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutlivedStart<'a> {
    /// The last word of the process that started, if it had time for one.
    pub last_word: Option<&'a Report>,
}

/// Where a runner is by a witness's word, unless its process has ended with a known code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// There, as far as anybody says.
    There,
    /// Not there yet, and why.
    Held(String),
    /// About to be ended, and why.
    Leaving(String),
    /// Gone for good, and why.
    Gone(String),
}

/// The container that a runner's process runs in, and the incarnation that was the first to
/// report while this container was known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Housed {
    container: Container,
    incarnation: Option<Incarnation>,
}

/// What this process has seen of one runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its newest report, of its newest incarnation.
    pub report: Option<Report>,
    /// Since when a sign of life is due: when this process first heard of this incarnation, or
    /// of its container.
    pub known_since: Instant,
    /// When a change of its report was last seen as it happened. `None`: it has only
    /// been found lying there, and may be of any age.
    pub live_at: Option<Instant>,
    /// Its report was taken out of the store. What it said is kept.
    pub removed: bool,
    /// Its start; kept when a later incarnation reports something else.
    pub start: Option<Start>,
    /// How its process ended, by a witness.
    pub exit: Option<u8>,
    /// Where it is, by a witness.
    pub place: Place,
    /// Whether a former incarnation was seen to report again after a newer one: two
    /// processes live under this id.
    pub doubled: bool,
    /// When this process learnt that the one that started had ended, is gone, or that its report is. `None`:
    /// it lives, or was never seen alive, and may have ended at any time.
    pub over_at: Option<Instant>,
    /// Its name as a witness knows it.
    name: Option<String>,
    /// What a witness says of how it ended, besides the code.
    exit_detail: Option<String>,
    housed: Option<Housed>,
    /// An incarnation whose container is known to have ended. Its report is void, unless it is
    /// seen to report again.
    void: Option<Incarnation>,
    former: BTreeSet<Incarnation>,
    /// Whether any process of its was seen alive.
    was_alive: bool,
}

impl Observed {
    /// One of which nothing is known yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            report: None,
            known_since: now,
            live_at: None,
            removed: false,
            start: None,
            exit: None,
            place: Place::There,
            doubled: false,
            over_at: None,
            name: None,
            exit_detail: None,
            housed: None,
            void: None,
            former: BTreeSet::new(),
            was_alive: false,
        }
    }

    /// Its name for people: its own word before a witness's.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let own = self.report.as_ref().map(|report| report.name.as_str());
        own.or(self.name.as_deref())
    }

    /// Whether the very process that started under this plan was seen alive. Else its start
    /// is known only from what lay there, and may be of any age.
    #[must_use]
    pub fn was_seen_to_live_under(&self, plan: &PlanId) -> bool {
        let by_it = |start: &Start| Some(&start.by) == self.incarnation();
        self.start_under(plan).is_some()
            && self.live_at.is_some()
            && self.start.as_ref().is_some_and(by_it)
    }

    /// Whether it has ended for good, by its own word or a witness's.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.exit.is_some() || self.phase_is_final() || matches!(self.place, Place::Gone(_))
    }

    /// Whether it has not come, as far as is known: it has not reported, and a witness knows why.
    #[must_use]
    pub fn has_not_come(&self) -> bool {
        self.report.is_none() && matches!(self.place, Place::Held(_) | Place::Leaving(_))
    }

    /// Whether its report says that it has ended for good.
    #[must_use]
    pub fn phase_is_final(&self) -> bool {
        self.report
            .as_ref()
            .is_some_and(|report| report.phase.is_final())
    }

    /// Whether the process that made its report is known to have ended, and another one is
    /// to come in its place.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.void.is_some() && self.void.as_ref() == self.incarnation()
    }

    /// What it ended with: a witness's word before its own.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        self.exit
            .or_else(|| self.report.as_ref().and_then(|report| report.exit_code))
    }

    /// What a witness says of how it ended, besides the code.
    #[must_use]
    pub fn exit_detail(&self) -> Option<&str> {
        match &self.place {
            Place::Gone(why) if self.exit.is_none() => Some(why),
            _ => self.exit_detail.as_deref(),
        }
    }

    /// Its start under this plan; one under another plan is none.
    #[must_use]
    pub fn start_under(&self, plan: &PlanId) -> Option<&StartReport> {
        self.start
            .as_ref()
            .filter(|start| start.plan.as_ref() == Some(plan))
            .map(|start| &start.report)
    }

    /// Its start under this plan, if the process that made it has ended and another one has come in its
    /// place, or is to come: whatever that one says, it is not of the start.
    #[must_use]
    pub fn outlived_start(&self, plan: &PlanId) -> Option<OutlivedStart<'_>> {
        let start = self.start.as_ref()?;
        let is_outlived = self.start_under(plan).is_some() && self.start_is_outlived();
        is_outlived.then_some(OutlivedStart {
            last_word: start.last_word.as_deref(),
        })
    }

    fn start_is_outlived(&self) -> bool {
        // Of two that live at the same time none has come in the other's place.
        let is_anothers = |start: &Start| Some(&start.by) != self.incarnation() || self.is_void();
        !self.doubled && self.start.as_ref().is_some_and(is_anothers)
    }

    /// When there was last a sign of life: a change seen live, else when it was found.
    #[must_use]
    pub fn last_sign(&self) -> Instant {
        self.live_at.unwrap_or(self.known_since)
    }

    fn incarnation(&self) -> Option<&Incarnation> {
        self.report.as_ref().map(|report| &report.incarnation)
    }

    /// Takes a report in. `live`: its change was seen as it happened, now.
    pub fn take_report(&mut self, report: Report, live: bool, now: Instant) -> Option<News> {
        self.was_alive |= live;
        let news = self.report_seen(report, live, now);
        self.note_end(now);
        news
    }

    /// Takes a witness's word in.
    pub fn take_sighting(
        &mut self,
        name: Option<String>,
        state: Seen,
        now: Instant,
    ) -> Option<News> {
        self.name = name.or(self.name.take());
        let news = self.state_seen(state, now);
        self.note_end(now);
        news
    }

    /// Notes that its report was taken out of the store. Returns whether that is news.
    pub fn take_removal(&mut self, now: Instant) -> bool {
        let is_news = !self.removed && !self.has_ended();
        self.removed = true;
        self.note_end(now);
        is_news
    }

    fn note_end(&mut self, now: Instant) {
        let is_over = self.has_ended() || self.removed || self.start_is_outlived();
        if !is_over {
            self.over_at = None;
        } else if self.was_alive {
            self.over_at.get_or_insert(now);
        }
    }

    fn report_seen(&mut self, report: Report, live: bool, now: Instant) -> Option<News> {
        let before = self.report.as_ref();
        let same_process = before.is_some_and(|old| old.incarnation == report.incarnation);
        if same_process && before.is_some_and(|old| old.sequence > report.sequence) {
            return None; // Read out of order: something newer is known already.
        }
        let is_back = live && self.former.contains(&report.incarnation);
        let news = match before {
            Some(_) if is_back && !self.doubled => Some(News::Doubled),
            Some(_) if !same_process && self.doubled => None,
            Some(old) if !same_process => Some(News::Restarted(old.phase)),
            Some(old) if old.phase == report.phase => None,
            _ => Some(News::Phase),
        };
        if let (Some(old), false) = (before, same_process) {
            self.former.insert(old.incarnation.clone());
            self.doubled |= is_back;
            (self.known_since, self.live_at) = (now, None);
            (self.exit, self.exit_detail) = (None, None);
        }
        if live {
            self.live_at = Some(now);
            // Whatever was concluded from its container: it lives.
            self.void = None;
            if matches!(self.place, Place::Held(_)) {
                self.place = Place::There;
            }
        }
        if let Some(housed) = &mut self.housed {
            housed
                .incarnation
                .get_or_insert_with(|| report.incarnation.clone());
        }
        if let Some(start) = &report.start {
            self.keep_start(&report, start.clone());
        }
        self.removed = false;
        self.report = Some(report);
        news
    }

    /// The same process may add to its start; another process must not put its own in the
    /// place of one under the same plan.
    fn keep_start(&mut self, report: &Report, start: StartReport) {
        let replaceable = self
            .start
            .as_ref()
            .is_none_or(|old| old.by == report.incarnation || old.plan != report.plan);
        if replaceable {
            self.start = Some(Start {
                by: report.incarnation.clone(),
                plan: report.plan.clone(),
                report: start,
                last_word: report.phase.is_final().then(|| Box::new(report.clone())),
            });
        }
    }

    fn state_seen(&mut self, state: Seen, now: Instant) -> Option<News> {
        let had_ended = self.has_ended();
        match state {
            Seen::Up(container) => {
                if matches!(self.place, Place::Held(_)) && self.report.is_none() {
                    self.known_since = now;
                }
                self.place = Place::There;
                if let Some(container) = container {
                    self.house(container);
                }
                None
            }
            Seen::Held(why) => {
                // A report that was seen to change is newer than what the witness has to say.
                if self.live_at.is_none() || self.is_void() {
                    self.place = Place::Held(why);
                }
                None
            }
            Seen::Down(why) => {
                let was_void = self.is_void();
                let of_it = self.housed.as_ref().and_then(|one| one.incarnation.clone());
                self.void = of_it.or_else(|| self.incarnation().cloned());
                if self.is_void() || self.report.is_none() {
                    self.place = Place::Held(why);
                }
                (self.is_void() && !was_void).then_some(News::Down)
            }
            Seen::Leaving(why) => {
                let newly = !matches!(self.place, Place::Leaving(_)) && self.report.is_some();
                self.place = Place::Leaving(why);
                (newly && !had_ended).then_some(News::Leaving)
            }
            Seen::Ended(code, detail) => {
                let newly = self.exit != Some(code);
                (self.exit, self.exit_detail) = (Some(code), detail);
                newly.then_some(News::Ended)
            }
            Seen::Gone(why) => {
                self.place = Place::Gone(why);
                (!had_ended).then_some(News::Ended)
            }
        }
    }

    /// Its process runs in this container. If it ran in another one before, then the process
    /// that reported from that one has ended.
    fn house(&mut self, container: Container) {
        let current = self.incarnation().cloned();
        let incarnation = match &self.housed {
            Some(old) if old.container.id == container.id => return,
            Some(old) => {
                (self.exit, self.exit_detail) = (None, None);
                let another_has_reported =
                    current != old.incarnation && container.restarts <= old.container.restarts + 1;
                if another_has_reported {
                    current
                } else {
                    self.void = current;
                    None
                }
            }
            None => current,
        };
        self.housed = Some(Housed {
            container,
            incarnation,
        });
    }
}

#[cfg(test)]
mod tests;
