//! What is believed of UTC, from one round to the next.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Answers, Fix, Heard, Interval, Knowledge, LAST_SECOND, Obstacle, Rates, Round, Witness,
    ballot::{Ballot, Tally},
    firing::Fired,
    rates,
    source::Source,
    state::{Credit, News, State},
    summary::Summary,
};
use crate::{Moment, Status, anchor::Anchor, span, wall::WallReading};

/// A wall clock that would be off by more than this is not believed to be so
/// because of one answer. Nodes have been seen up to 7 minutes off; more than that
/// is as likely a server that is wrong by a time zone or by years.
const FAR_OFF: TimeDelta = TimeDelta::minutes(10);

/// From the midnight of a leap second, counted on without it, until the second is
/// over and servers have taken note: one second and a tenth.
const LEAP_IS_OVER: TimeDelta = TimeDelta::milliseconds(1_100);

/// So many rounds prove how fast the raw clock runs: four minutes of them with
/// near servers, a quarter of an hour with others, in which the temperature
/// changes little.
const PROVING_ROUNDS: usize = 16;

/// What is known of UTC, and what becomes of it with every round.
#[derive(Debug, Clone)]
pub(crate) struct Belief {
    /// A source whose own bound exceeds it does not vote.
    budget: Duration,
    sources: Vec<Source>,
    /// How many more are asked in the round that was heard last, if it goes on.
    awaited: usize,
    state: State,
    rates: Rates,
    /// What the last rounds said, each by its own answers alone: what is to prove
    /// the rates must not have been carried by them.
    fixes: VecDeque<Fix>,
    /// The end of the last round.
    last: Option<Moment>,
    witness: Option<Witness>,
    instant: Option<DateTime<Utc>>,
    fired: Option<Fired>,
    anchor: Anchor,
    knowledge: Knowledge,
}

impl Belief {
    /// Nothing is known yet but what the wall clock shows.
    pub(crate) fn new(budget: Duration, wall: WallReading) -> Self {
        let anchor = Anchor::to_wall_clock(wall, Status::Unsynchronised);
        Self {
            budget,
            sources: Vec::new(),
            awaited: 0,
            state: State::new(),
            rates: Rates::ASSUMED,
            fixes: VecDeque::new(),
            last: None,
            witness: None,
            instant: None,
            fired: None,
            anchor,
            knowledge: Knowledge::of_wall_clock(anchor.reading_at(wall.at)),
        }
    }

    /// From now on a source's bound may be no more than this to vote.
    pub(crate) fn set_budget(&mut self, budget: Duration) {
        self.budget = budget;
    }

    /// A source's bound may be no more than this to vote.
    pub(crate) fn budget(&self) -> Duration {
        self.budget
    }

    /// Hears what somebody says who has no vote.
    pub(crate) fn hear_witness(&mut self, witness: Witness) {
        self.witness = Some(witness);
    }

    /// The instant is set: nothing replaces the anchor in the last second
    /// before it.
    pub(crate) fn set_instant(&mut self, instant: DateTime<Utc>) {
        self.instant = Some(instant);
    }

    /// The instant has come, and `at` is when it was acted upon.
    pub(crate) fn fire(&mut self, at: Moment) {
        self.instant = None;
        if let Some(known) = self.anchor.measured_at(at) {
            let fired = Fired { at, known };
            self.fired = Some(fired);
            self.knowledge.firing = Some(fired.so_far());
        }
    }

    /// Hears a round, and makes what there is to make of it.
    pub(crate) fn hear(&mut self, round: &Round) {
        let at = round.end.at;
        let mut contradiction = self.has_slept(at);
        let Answers {
            heard,
            awaited,
            nobody_else,
        } = &round.answers;
        self.awaited = *awaited;
        if *nobody_else {
            self.sources
                .retain(|source| heard.iter().any(|heard| source.has_said(heard)));
        }
        for heard in heard {
            contradiction |= self.source_of(heard).hear(heard, at);
        }
        let disproves = |source: &Source| source.disproves(self.rates, at);
        if contradiction || self.sources.iter().any(disproves) {
            self.doubt_the_rates();
        }
        if self.rates != Rates::ASSUMED && self.is_contradicted(at) {
            self.doubt_the_rates();
        }
        self.vote(&round.end);
        self.last = Some(at);
    }

    /// The closing round, which ended at `end` and was heard, was the one just after
    /// the firing: it also says what time that was.
    pub(crate) fn close(&mut self, end: Moment) {
        if let Some(fired) = self.fired.take() {
            let fresh = self.ballot(end).fresh();
            self.knowledge.firing = Some(fired.closed(fresh, self.rates));
        }
    }

    /// What to count the time from.
    pub(crate) fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// What is known, as of the last round.
    pub(crate) fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Whether answers are wanted sooner than they would be in the ordinary: to
    /// settle a doubt, after a suspend, and after a leap second.
    pub(crate) fn is_urgent(&self, now: Moment) -> bool {
        self.state.trial().is_some() || self.has_slept(now) || self.has_leapt(now)
    }

    /// In the order of their names: whoever compares what two runners tell of
    /// themselves sees no difference where there is none.
    fn source_of(&mut self, heard: &Heard) -> &mut Source {
        let place = self
            .sources
            .partition_point(|source| source.is_before(heard));
        let known = self.sources.get(place);
        if !known.is_some_and(|source| source.has_said(heard)) {
            self.sources.insert(place, Source::of(heard));
        }
        &mut self.sources[place]
    }

    fn ballot(&self, at: Moment) -> Ballot<'_> {
        Ballot::hold(&self.sources, at, self.rates, self.budget, self.awaited)
    }

    fn vote(&mut self, end: &WallReading) {
        let ballot = self.ballot(end.at);
        let tally = ballot.tally();
        let credit = self.credit(&tally, end);
        let news = News {
            at: end.at,
            by: ballot.kind(),
            tally: &tally,
            fresh: ballot.fresh(),
            measured: ballot.is_measured(),
            rates: self.rates,
        };
        let state = self.state.clone().after(&news, credit);
        let summary = Summary {
            sources: &self.sources,
            ballot: &ballot,
            news: &news,
            end,
        };
        let sources = summary.sources();
        let obstacle = summary.obstacle(&state, credit);
        let witness_disagrees = self.objection(&tally);

        if matches!(state, State::InDoubt(_)) && matches!(self.state, State::Held(_)) {
            self.doubt_the_rates();
        }
        if let Some(fresh) = news.fresh {
            self.prove_rates(fresh);
        }
        self.knowledge.witness_disagrees = witness_disagrees;
        self.knowledge.sources = sources;
        self.knowledge.obstacle = obstacle;
        if self.is_withheld(&state, end.at) {
            self.knowledge.obstacle = Some(Obstacle::Withheld);
        } else {
            self.hold(state, end);
        }
    }

    /// Takes over what the sources say, or that they do not say it any more.
    fn hold(&mut self, state: State, end: &WallReading) {
        let measured = |fix: Fix, rates, status| Anchor::Measured { fix, rates, status };
        self.anchor = match &state {
            State::Unsynchronised { .. } => Anchor::to_wall_clock(*end, Status::Unsynchronised),
            State::Held(held) if held.running_free => {
                let since = held.anchor.interval.midpoint();
                let status = Status::FreeRunning { by: held.by, since };
                measured(held.anchor, self.rates, status)
            }
            State::Held(held) => {
                let status = Status::Synchronised { by: held.by };
                self.knowledge.by = self.knowledge.majority();
                self.knowledge.leap = held.anchor.leap;
                measured(held.anchor, self.rates, status)
            }
            State::InDoubt(doubt) => Anchor::InDoubt {
                hull: doubt.hull,
                before: doubt.before.anchor,
            },
        };
        let reading = self.anchor.reading_at(end.at);
        self.knowledge.reading = reading;
        self.knowledge.offset = state.fix().map(|_| reading.midpoint() - end.wall);
        self.state = state;
    }

    /// How far what they agree on may be believed where nothing was known before.
    fn credit(&self, tally: &Tally, end: &WallReading) -> Credit {
        let Tally::Agreed { fix, voters, .. } = tally else {
            return Credit::None;
        };
        let offset = fix.interval.midpoint() - end.wall;
        if offset.abs() <= FAR_OFF {
            Credit::Full
        } else if *voters == 1 && self.objection(tally).is_some() {
            // Two sources or more are each other's witnesses.
            Credit::None
        } else {
            Credit::Little
        }
    }

    /// By how much the witness, if there is one, is of another opinion.
    fn objection(&self, tally: &Tally) -> Option<TimeDelta> {
        match tally {
            Tally::Agreed { fix, .. } => self.witness.as_ref()?.contradicted_by(fix),
            Tally::NoMajority { .. } | Tally::NoVoters => None,
        }
    }

    /// Whether the sources, by the rates as they are thought to be, contradict
    /// each other or what is held: it may be the rates that are wrong.
    fn is_contradicted(&self, at: Moment) -> bool {
        match (self.ballot(at).tally(), &self.state) {
            (Tally::NoMajority { .. }, _) => true,
            (Tally::Agreed { fix, .. }, State::Held(held)) => {
                !fix.interval.overlaps(held.anchor.carried(at, self.rates))
            }
            _ => false,
        }
    }

    fn doubt_the_rates(&mut self) {
        self.rates = Rates::ASSUMED;
        self.fixes.clear();
    }

    fn prove_rates(&mut self, fresh: Fix) {
        if self.fixes.len() >= PROVING_ROUNDS {
            self.fixes.pop_front();
        }
        self.fixes.push_back(fresh);
        self.rates = rates::proven(self.fixes.make_contiguous());
    }

    /// Whether the machine was suspended since the last round.
    fn has_slept(&self, now: Moment) -> bool {
        let slept = |last: Moment| !now.suspended_since(last).is_zero();
        self.last.is_some_and(slept)
    }

    /// Whether an announced leap second, if it came, is over by now, and nothing
    /// has been measured since.
    fn has_leapt(&self, now: Moment) -> bool {
        let Some(fix) = self.state.fix() else {
            return false;
        };
        let counted = fix.carried(now, self.rates).latest;
        fix.leaps_at()
            .is_some_and(|leap| counted > leap + LEAP_IS_OVER)
    }

    /// Whether `state` would replace the anchor in the last second before the
    /// instant, by what is held or by what would be.
    ///
    /// What is in doubt starts nothing, so it may be settled up to a second before
    /// the instant by the new anchor, whatever the doubtful one says.
    fn is_withheld(&self, state: &State, at: Moment) -> bool {
        let (State::Held(held), Some(instant)) = (state, self.instant) else {
            return false;
        };
        let last_second = Interval {
            earliest: span::after(instant, -LAST_SECOND),
            latest: instant,
        };
        let known = match &self.state {
            State::Held(held) => Some(held.anchor.carried(at, self.rates)),
            State::Unsynchronised { .. } | State::InDoubt(_) => None,
        };
        let new = held.anchor.carried(at, self.rates);
        new.overlaps(last_second) || known.is_some_and(|known| known.overlaps(last_second))
    }
}
