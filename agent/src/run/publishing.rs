//! Publishing the report: at each change and about every ten seconds, more rarely where there are thousands of
//! runners; one write at a time, and none in the second before the instant, except that the runner is armed. What all
//! runners have to tell at the same moment they tell one after another.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use clock::Clock;
use rendezvous::pace::{Crowd, some_jitter};
use rendezvous::{Backoff, ClockReport, Report, Store, pace};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

use super::{Identity, sources};
use crate::decide::machine::{Event, Machine, StoreSide};
use crate::process::stderr::Tail;

/// No write may be under way when the instant comes.
const QUIET: TimeDelta = TimeDelta::seconds(1);
/// After the instant the cores are for the load's first requests; the news of them can wait.
const LOAD_COMES_FIRST: Duration = Duration::from_millis(300);
/// The runners that fire together do not write together. This spreads out even 400 of them to
/// [`pace::MOST_REQUESTS_PER_SECOND`], and is not long to wait for news.
const WIDEST_SPREAD: Duration = Duration::from_secs(2);
/// The longest that anything sleeps here; the quiet second is not worked out to the end.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Publishes one runner's reports.
pub struct Publisher {
    store: Arc<dyn Store>,
    events: UnboundedSender<Event>,
    sequence: u64,
    /// Something new is to be told.
    dirty: bool,
    writing: Option<JoinHandle<()>>,
    renew_at: Instant,
    /// Since when a plan is waited for.
    began: Instant,
    /// How many runners the plan wants, which all write.
    runners_wanted: Option<u32>,
    backoff: Backoff,
    /// After a failed write, not at once again.
    not_before: Instant,
    /// When it is this runner's turn among all that have the same to tell.
    turn: Instant,
    quiet_before: Option<DateTime<Utc>>,
    /// Waits for the report that the runner is armed.
    awaits_armed: Option<Sender<()>>,
}

impl Publisher {
    /// One that has published nothing yet.
    pub fn new(store: Arc<dyn Store>, events: UnboundedSender<Event>) -> Self {
        Self {
            store,
            events,
            sequence: 0,
            dirty: true,
            writing: None,
            renew_at: Instant::now(),
            began: Instant::now(),
            runners_wanted: None,
            backoff: Backoff::default(),
            not_before: Instant::now(),
            turn: Instant::now(),
            quiet_before: None,
            awaits_armed: None,
        }
    }

    /// There is news: publish as soon as possible.
    pub fn changed(&mut self) {
        self.dirty = true;
    }

    /// The runner is armed for this instant. The report that says so is written even shortly before it, for it keeps a
    /// later process of this runner from making the load again; then nothing is, in the second before
    /// the instant and until it is over. What is returned hears when that report is written, and is
    /// cut off if it cannot be.
    pub fn armed(&mut self, instant: DateTime<Utc>) -> Receiver<()> {
        let (written, hears) = channel();
        self.dirty = true;
        self.quiet_before = Some(instant);
        self.awaits_armed = Some(written);
        // Whatever there was to tell before may have had its turn after the instant.
        self.turn = Instant::now();
        hears
    }

    /// What there is to tell comes of something that all runners have heard just now.
    pub fn wait_for_turn(&mut self, machine: &Machine, clock: &Clock) {
        self.runners_wanted = machine.runners_wanted();
        if !self.dirty {
            return;
        }
        let runners = self.runners_wanted.unwrap_or(1);
        let spread = match self.quiet_before {
            Some(instant) => {
                let left = (instant - clock.now().held).to_std().unwrap_or_default();
                pace::spread_of_armed(runners, left)
            }
            None => pace::spread(runners),
        };
        self.turn = Instant::now() + spread.mul_f64(rand::random());
    }

    /// The instant is over.
    pub fn end_quiet(&mut self) {
        self.quiet_before = None;
        let spread = spread_over(self.runners_wanted.unwrap_or(1)).mul_f64(rand::random());
        self.turn = Instant::now() + LOAD_COMES_FIRST + spread;
    }

    /// What came of the last write.
    pub fn heard(&mut self, event: &Event) {
        match event {
            Event::ReportWritten => {
                self.writing = None;
                self.backoff.reset();
                self.renew_at = Instant::now() + some_jitter(self.crowd().renews_every());
            }
            Event::StoreTrouble {
                side: StoreSide::Writing,
                ..
            } => {
                self.writing = None;
                self.dirty = true;
                self.not_before = Instant::now() + self.backoff.after_failure();
            }
            _ => {}
        }
    }

    /// How long until there may be something to do.
    pub fn next_due(&self) -> Duration {
        if self.writing.is_some() {
            // An event ends it.
            return self.crowd().renews_every();
        }
        let left = self.due().saturating_duration_since(Instant::now());
        if self.quiet_before.is_some() && self.awaits_armed.is_none() {
            left.max(LOOK_AGAIN_AFTER)
        } else {
            left
        }
    }

    /// Writes, if there is something to write and it may be written now.
    pub fn publish_if_due(
        &mut self,
        machine: &Machine,
        identity: &Identity,
        clock: &Clock,
        tail: &Tail,
    ) {
        self.runners_wanted = machine.runners_wanted();
        if Instant::now() < self.due() || self.writing.is_some() || self.is_quiet(clock) {
            return;
        }
        self.dirty = false;
        self.sequence += 1;
        let report = report(self.sequence, machine, identity, clock, tail);
        let (store, events) = (Arc::clone(&self.store), self.events.clone());
        let awaits_armed = self.awaits_armed.take();
        self.writing = Some(tokio::spawn(async move {
            let event = match store.publish(&report).await {
                Ok(()) => {
                    // Nobody may listen any more.
                    let _ = awaits_armed.map(|written| written.send(()));
                    Event::ReportWritten
                }
                Err(error) => sources::trouble(StoreSide::Writing, &error),
            };
            let _ = events.send(event);
        }));
    }

    /// The last report, tried until it is written.
    pub async fn last(
        &mut self,
        machine: &Machine,
        identity: &Identity,
        clock: &Clock,
        tail: &Tail,
    ) {
        if let Some(writing) = self.writing.take() {
            // So that it cannot overtake the last one.
            let _ = writing.await;
        }
        self.sequence += 1;
        let report = report(self.sequence, machine, identity, clock, tail);
        let (mut told, mut pauses) = (false, Backoff::default());
        while let Err(error) = self.store.publish(&report).await {
            if !told {
                tracing::warn!("the last report is not written yet: {error}");
            }
            told = true;
            tokio::time::sleep(pauses.after_failure()).await;
        }
    }

    /// When the next report is to be written, unless it is quiet then.
    fn due(&self) -> Instant {
        let earliest = self.not_before.max(self.turn);
        if self.dirty {
            earliest
        } else {
            earliest.max(self.renew_at)
        }
    }

    fn crowd(&self) -> Crowd {
        match self.runners_wanted {
            Some(runners) => Crowd::Wanted(runners),
            None => Crowd::Untold(self.began.elapsed()),
        }
    }

    fn is_quiet(&self, clock: &Clock) -> bool {
        let in_quiet = |instant| clock.now().held >= instant - QUIET;
        self.awaits_armed.is_none() && self.quiet_before.is_some_and(in_quiet)
    }
}

/// Over how long the runners that fired together tell of it.
fn spread_over(runners: u32) -> Duration {
    WIDEST_SPREAD.min(Duration::from_secs(1) * runners / pace::MOST_REQUESTS_PER_SECOND)
}

fn report(
    sequence: u64,
    machine: &Machine,
    identity: &Identity,
    clock: &Clock,
    tail: &Tail,
) -> Report {
    let (plan, armed) = machine.plan();
    let end = machine.end();
    Report {
        run: identity.run.clone(),
        stage: identity.stage.clone(),
        runner: identity.runner.clone(),
        name: identity.name.clone(),
        node: identity.node.clone(),
        container: identity.container.clone(),
        incarnation: identity.incarnation.clone(),
        sequence,
        phase: machine.phase(),
        plan: plan.cloned(),
        armed,
        clock: clock_report(clock),
        vus: machine.vus(),
        waiting_for: machine.waiting_for(),
        setup_took: machine.setup_took(),
        start: machine.start().cloned(),
        exit_code: end.map(|end| end.code),
        reason: end.and_then(|end| end.reason.clone()),
        k6_errors: tail.lines(),
    }
}

fn clock_report(clock: &Clock) -> ClockReport {
    let (reading, knowledge) = (clock.now(), clock.knowledge());
    let rejected = knowledge.sources.iter().filter_map(|source| {
        let why = source.why_not_used()?;
        Some(format!("{}: {why}", source.name))
    });
    ClockReport {
        utc: reading.midpoint(),
        error: reading.bound().measured(),
        source: knowledge.to_string(),
        offset: knowledge.offset,
        used: knowledge.by.clone(),
        rejected: rejected.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(4, 20)]
    #[case(100, 500)]
    #[case(400, 2_000)]
    #[case(100_000, 2_000)]
    fn the_news_of_the_start_are_spread_out_by_the_number_of_runners(
        #[case] runners: u32,
        #[case] millis: u64,
    ) {
        assert_eq!(spread_over(runners), Duration::from_millis(millis));
    }
}
