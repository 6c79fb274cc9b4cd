use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{SourceKind, Status};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);
const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// A schedule that is lived through on a clock that is always right.
#[derive(Default)]
struct Life {
    schedule: Schedule,
    ran: Duration,
    /// What each round was for, and when it began.
    rounds: Vec<(Purpose, Duration)>,
    /// How long each round takes, whether anybody answers, and the luck.
    took: Duration,
    silent: bool,
    luck: f64,
}

impl Life {
    fn now(&self) -> Moment {
        Moment::after(self.ran, Duration::ZERO)
    }

    fn go_on(&mut self, until: Duration, need: Need) {
        while self.ran < until {
            let utc = START + self.ran;
            let reading = Reading {
                earliest: utc - MS,
                latest: utc + MS,
                held: utc,
                status: Status::Synchronised {
                    by: SourceKind::Ntp,
                },
            };
            match self.schedule.next(self.now(), &reading, need) {
                Next::Wait(pause) => {
                    assert!(!pause.is_zero(), "it turns in circles");
                    self.ran += pause.min(until - self.ran);
                }
                Next::Round(purpose) => {
                    self.rounds.push((purpose, self.ran));
                    self.ran += self.took;
                    let held = Held {
                        purpose,
                        end: self.now(),
                        answered: !self.silent,
                        in_vain: need == Need::Lost,
                    };
                    self.schedule.held(held, self.luck);
                }
            }
        }
    }

    fn began(&self, purpose: Purpose) -> Vec<Duration> {
        let rounds = self.rounds.iter().filter(|(what, _)| *what == purpose);
        rounds.map(|(_, began)| *began).collect()
    }

    fn set_instant(&mut self, at: Duration, luck: f64) {
        self.schedule.set_instant(START + at, luck);
    }
}

#[test]
fn the_first_round_is_held_at_once() {
    let mut life = Life::default();
    life.go_on(SECOND, Need::Ordinary);
    assert_eq!(life.rounds, [(Purpose::Start, Duration::ZERO)]);
}

#[test]
fn while_waiting_there_is_a_round_every_sixteen_seconds_give_or_take_a_fifth() {
    for (luck, interval_ms) in [(0.0, 12_800), (0.5, 16_000), (1.0, 19_200)] {
        let mut life = Life {
            luck,
            ..Life::default()
        };
        life.go_on(60 * SECOND, Need::Ordinary);
        let interval = interval_ms * MS;
        assert_eq!(life.began(Purpose::Waiting)[..2], [interval, 2 * interval]);
    }
}

#[test]
fn while_nothing_is_known_it_is_tried_again_within_seconds() {
    let mut life = Life {
        silent: true,
        luck: 0.5,
        ..Life::default()
    };
    life.go_on(16 * SECOND, Need::Lost);
    let began = life.began(Purpose::Retry);
    assert_eq!(began, [1, 3, 7, 11, 15].map(|second| second * SECOND));
    // Once something is known, it is as ever; and when it is lost, as at first.
    life.go_on(40 * SECOND, Need::Ordinary);
    assert_eq!(life.began(Purpose::Waiting), [31 * SECOND]);
    life.rounds.clear();
    life.go_on(44 * SECOND, Need::Lost);
    let began = life.began(Purpose::Retry);
    assert_eq!(began, [40, 41, 43].map(|second| second * SECOND));
}

#[test]
fn in_a_doubt_there_is_one_two_seconds_after_the_other() {
    let mut life = Life {
        took: MS,
        ..Life::default()
    };
    life.go_on(7 * SECOND, Need::Urgent);
    let began = life.began(Purpose::Doubt);
    assert_eq!(began, [2_001 * MS, 4_002 * MS, 6_003 * MS]);
}

#[test]
fn in_a_doubt_in_which_nobody_answers_names_are_resolved_at_times() {
    let mut life = Life {
        silent: true,
        luck: 0.5,
        ..Life::default()
    };
    life.go_on(60 * SECOND, Need::Urgent);
    let resolved = life.began(Purpose::Waiting);
    assert_eq!(resolved, [16 * SECOND, 32 * SECOND, 48 * SECOND]);
}

#[test]
fn a_bound_that_wears_thin_has_everybody_asked_when_a_round_is_due() {
    let mut life = Life {
        luck: 0.5,
        ..Life::default()
    };
    life.go_on(40 * SECOND, Need::Thin);
    assert_eq!(life.began(Purpose::Doubt), [16 * SECOND, 32 * SECOND]);
}

#[test]
fn an_instant_that_is_let_pass_is_forgotten() {
    let mut life = Life {
        luck: 0.5,
        ..Life::default()
    };
    life.set_instant(20 * SECOND, 0.0);
    life.go_on(60 * SECOND, Need::Ordinary);
    let waiting = life.began(Purpose::Waiting);
    assert_eq!(life.began(Purpose::Final), [17 * SECOND]);
    assert_eq!(waiting, [33 * SECOND, 49 * SECOND]);
}

#[test]
fn an_instant_that_comes_soon_is_measured_for_at_once() {
    let mut life = Life::default();
    life.go_on(SECOND, Need::Ordinary);
    life.set_instant(4 * SECOND, 0.9);
    life.go_on(3 * SECOND, Need::Ordinary);
    assert_eq!(life.began(Purpose::Final), [SECOND]);
}

#[test]
fn what_is_close_to_the_instant_is_left_to_the_final_round() {
    let mut life = Life {
        luck: 0.5,
        ..Life::default()
    };
    life.set_instant(20 * SECOND, 0.0);
    life.go_on(20 * SECOND, Need::Ordinary);
    assert_eq!(life.began(Purpose::Waiting), []);
}

#[test]
fn the_closing_round_is_held_at_once_when_it_can_disturb_nothing_any_more() {
    let mut life = Life::default();
    life.go_on(SECOND, Need::Ordinary);
    life.schedule.close(life.now());
    life.schedule.fire(life.now(), 1.0);
    life.go_on(2 * SECOND, Need::Ordinary);
    assert_eq!(
        life.began(Purpose::Closing),
        [],
        "nothing was fired when it was asked for"
    );
    life.schedule.close(life.now());
    life.go_on(3 * SECOND, Need::Ordinary);
    assert_eq!(life.began(Purpose::Closing), [2 * SECOND]);
    life.schedule.close(life.now());
    life.go_on(10 * SECOND, Need::Ordinary);
    assert_eq!(life.began(Purpose::Closing).len(), 1);
}

fn needs() -> impl Strategy<Value = Need> {
    prop_oneof![
        Just(Need::Ordinary),
        Just(Need::Lost),
        Just(Need::Thin),
        Just(Need::Urgent)
    ]
}

proptest! {
    #[test]
    fn around_the_instant_there_is_one_final_and_one_closing_round(
        ahead_ms in 12_000..200_000_u32,
        took_ms in 0..1_000_u32,
        luck in 0.0..1.0_f64,
        chosen in (0.0..1.0_f64, 0.0..1.0_f64),
        silent in any::<bool>(),
        need in needs(),
    ) {
        let instant = ahead_ms * MS;
        let mut life = Life { took: took_ms * MS, silent, luck, ..Life::default() };
        life.set_instant(instant, chosen.0);
        life.go_on(instant, need);
        let last_second = instant - span::positive(LAST_SECOND);
        for (purpose, began) in &life.rounds {
            prop_assert!(*began < last_second, "{purpose:?} at {began:?}");
        }
        let began = life.began(Purpose::Final);
        prop_assert_eq!(began.len(), 1);
        // A round that was under way may have kept it waiting.
        let window = instant - FINAL.1..=instant - FINAL.0 + life.took;
        prop_assert!(window.contains(&began[0]), "{:?}", began);

        let fired = life.ran;
        life.schedule.fire(life.now(), chosen.1);
        life.rounds.clear();
        life.go_on(fired + 60 * SECOND, need);
        let closing = life.rounds[0];
        prop_assert_eq!(closing.0, Purpose::Closing);
        let window = fired + CLOSING.0..=fired + CLOSING.1;
        prop_assert!(window.contains(&closing.1), "{:?}", closing);
        prop_assert_eq!(life.began(Purpose::Closing).len(), 1);
        prop_assert!(life.rounds.len() > 2, "{:?}", life.rounds);
    }

    #[test]
    fn however_wrong_the_clock_is_there_is_something_to_do(
        off_ms in -10_000_000..10_000_000_i64,
        need in needs(),
    ) {
        let mut life = Life::default();
        life.schedule.set_instant(START + TimeDelta::milliseconds(off_ms), 0.5);
        life.go_on(3_600 * SECOND, need);
        prop_assert!(life.rounds.len() > 100, "{} rounds", life.rounds.len());
    }
}
