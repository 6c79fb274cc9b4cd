//! Believing what is hard to believe only when it is said again and again.

use chrono::TimeDelta;

use super::{fix::Fix, rates::Rates};

/// So many answers must agree.
pub(crate) const ANSWERS: usize = 3;

/// Each so long after the one before, so that one burst, one frozen network card
/// or one daemon in the middle of a step cannot give all of them.
pub(crate) const APART: TimeDelta = TimeDelta::seconds(2);

/// The answers so far, each of which agrees with all the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Trial {
    answers: Vec<Fix>,
}

impl Trial {
    /// Hears the next answer. One that contradicts an earlier one is the first of
    /// a new row; one that comes too soon after the last only may do that.
    pub(crate) fn hear(&mut self, answer: Fix) {
        let agrees = self.answers.iter().all(|earlier| {
            let expected = earlier.carried(answer.at, Rates::ASSUMED);
            expected.overlaps(answer.interval)
        });
        if !agrees {
            self.answers.clear();
        }
        let apart = |last: &Fix| answer.at.since(last.at) >= APART;
        if self.answers.len() < ANSWERS && self.answers.last().is_none_or(apart) {
            self.answers.push(answer);
        }
    }

    /// Whether enough agree.
    pub(crate) fn passed(&self) -> bool {
        self.answers.len() >= ANSWERS
    }

    /// How many agree so far.
    pub(crate) fn count(&self) -> usize {
        self.answers.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::{Moment, discipline::Interval, ntp::Leap};

    /// An answer that comes so many seconds from the start and is so many off.
    fn answer(at_s: f64, off_s: f64) -> Fix {
        let ran = Duration::from_secs_f64(at_s);
        let utc = DateTime::UNIX_EPOCH + ran + Duration::from_secs_f64(off_s);
        Fix {
            at: Moment::after(ran, Duration::ZERO),
            interval: Interval::around(utc, Duration::from_millis(1)),
            leap: Leap::None,
        }
    }

    fn counts(answers: &[(f64, f64)]) -> Vec<usize> {
        let mut trial = Trial::default();
        let hear = |(at_s, off_s): &(f64, f64)| {
            trial.hear(answer(*at_s, *off_s));
            assert_eq!(trial.passed(), trial.count() == ANSWERS);
            trial.count()
        };
        answers.iter().map(hear).collect()
    }

    #[test]
    fn three_answers_two_seconds_apart_pass() {
        assert_eq!(
            counts(&[(0.0, 0.0), (2.0, 0.0), (4.0, 0.0), (6.0, 0.0)]),
            [1, 2, 3, 3]
        );
    }

    #[test]
    fn answers_that_come_sooner_do_not_count() {
        let answers = [(0.0, 0.0), (1.9, 0.0), (2.0, 0.0), (3.9, 0.0), (4.0, 0.0)];
        assert_eq!(counts(&answers), [1, 1, 2, 2, 3]);
    }

    #[test]
    fn a_contradiction_begins_a_new_row_however_soon_it_comes() {
        let answers = [(0.0, 0.0), (2.0, 0.0), (2.1, 1.0), (4.1, 1.0), (6.1, 1.0)];
        assert_eq!(counts(&answers), [1, 2, 1, 2, 3]);
    }

    #[test]
    fn each_must_agree_with_all_the_others_and_not_only_with_the_last() {
        // Each is half a bound from the one before.
        let answers = [(0.0, 0.0), (2.0, 0.0015), (4.0, 0.009)];
        assert_eq!(counts(&answers), [1, 2, 1]);
        assert_eq!(
            counts(&[(0.0, 0.0), (2.0, 0.0025), (4.0, 0.0059)]),
            [1, 2, 1]
        );
    }
}
