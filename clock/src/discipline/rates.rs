//! How fast UTC may run on the machine's raw clock.

use chrono::TimeDelta;

use super::fix::Fix;

const PPM: i64 = 1_000;
const BILLION: i128 = 1_000_000_000;

/// The rates are assumed to lie within this of zero while nothing is proven:
/// the most by which the kernel lets a clock's frequency be corrected
/// (`MAXFREQ`), so no daemon could keep time on a worse one. With the 15 ppm of
/// RFC 5905 the bound was broken in a quarter of the simulated cases at 100 ppm.
const WORST: i64 = 500 * PPM;

/// What a rate that was proven may have changed by since: a quartz follows its
/// temperature by less than a millionth a kelvin, and a machine under load warms
/// up by some kelvins in the minutes that a proof is used.
const WANDER: i64 = 10 * PPM;

/// A proof is never taken to be better than this: the frequency tolerance of
/// RFC 5905 (PHI), what is ordinary for a machine's own oscillator.
const LEAST: i64 = 15 * PPM;

/// Rounds closer than this prove nothing: the server's own clock may be slewed
/// for a second or two, and what it gains then is no rate of ours.
const APART: TimeDelta = TimeDelta::seconds(16);

/// The range in which UTC's rate lies, against `CLOCK_MONOTONIC_RAW`, as a
/// deviation from 1 in parts per billion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    slowest: i64,
    fastest: i64,
}

impl Rates {
    /// What holds for every machine that a daemon could keep on time.
    pub(crate) const ASSUMED: Self = Self {
        slowest: -WORST,
        fastest: WORST,
    };

    /// What UTC gains at least, and at most, on a raw clock that runs for `ran`;
    /// what it loses, if negative. Rounded so that the truth lies between.
    pub(crate) fn gains(self, ran: TimeDelta) -> (TimeDelta, TimeDelta) {
        let Some(ran) = ran.num_nanoseconds() else {
            return (TimeDelta::MIN, TimeDelta::MAX);
        };
        let gain = |rate: i64| i128::from(ran) * i128::from(rate);
        let (a, b) = (gain(self.slowest), gain(self.fastest));
        // A rate is below a thousandth, so what it makes of an i64 is an i64.
        let nanoseconds = |gain: i128| TimeDelta::nanoseconds(i64::try_from(gain).unwrap_or(0));
        (
            nanoseconds(a.min(b).div_euclid(BILLION)),
            nanoseconds(-(-a.max(b)).div_euclid(BILLION)),
        )
    }

    fn width(self) -> i64 {
        self.fastest - self.slowest
    }
}

/// The narrowest range that two of the `fixes` prove, widened by what the rate
/// may wander; [`Rates::ASSUMED`] where they prove none.
///
/// Each pair bounds the mean rate between its moments. Where the machine was
/// suspended, or a leap second may lie between the two, it proves nothing.
pub(crate) fn proven(fixes: &[Fix]) -> Rates {
    let later = |i: usize| &fixes[i + 1..];
    let pairs = fixes.iter().enumerate();
    pairs
        .flat_map(|(i, first)| later(i).iter().map(move |second| (first, second)))
        .filter_map(|(first, second)| mean(first, second))
        .filter_map(allowing_for_wander)
        .min_by_key(|rates| rates.width())
        .filter(|rates| rates.width() < Rates::ASSUMED.width())
        .unwrap_or(Rates::ASSUMED)
}

/// The range of the mean rate between two fixes, ends in parts per billion.
fn mean(first: &Fix, second: &Fix) -> Option<(i128, i128)> {
    let ran = second.at.ran_since(first.at);
    let asleep = !second.at.suspended_since(first.at).is_zero();
    if ran < APART || asleep || first.leaps_before(second.interval.latest) {
        return None;
    }
    let ran = i128::from(ran.num_nanoseconds()?);
    let nanoseconds = |delta: TimeDelta| delta.num_nanoseconds().map(i128::from);
    let least = nanoseconds(second.interval.earliest - first.interval.latest)? - ran;
    let most = nanoseconds(second.interval.latest - first.interval.earliest)? - ran;
    Some((
        (least * BILLION).div_euclid(ran),
        -(-most * BILLION).div_euclid(ran),
    ))
}

/// The range in which the rate still lies. None if it is beyond what any clock is
/// assumed to have, which proves that something else is wrong.
fn allowing_for_wander((slowest, fastest): (i128, i128)) -> Option<Rates> {
    let within = |rate: i128| i64::try_from(rate.clamp((-WORST).into(), WORST.into())).ok();
    if slowest > WORST.into() || fastest < (-WORST).into() {
        return None;
    }
    let (slowest, fastest) = (within(slowest)?, within(fastest)?);
    let middle = i64::midpoint(slowest, fastest);
    Some(Rates {
        slowest: (slowest - WANDER).min(middle - LEAST),
        fastest: (fastest + WANDER).max(middle + LEAST),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;

    use super::*;
    use crate::{Moment, discipline::Interval, ntp::Leap};

    const MS: Duration = Duration::from_millis(1);

    /// What is known after the machine has run for `ran_s`, where UTC gained so much.
    fn fix(ran_s: u64, gained: TimeDelta, bound: Duration) -> Fix {
        let ran = Duration::from_secs(ran_s);
        Fix {
            at: Moment::after(ran, Duration::ZERO),
            interval: Interval::around(DateTime::UNIX_EPOCH + ran + gained, bound),
            leap: Leap::None,
        }
    }

    fn ppm(slowest: i64, fastest: i64) -> Rates {
        Rates {
            slowest: slowest * PPM,
            fastest: fastest * PPM,
        }
    }

    const NOTHING: TimeDelta = TimeDelta::zero();

    #[test]
    fn at_500_ppm_a_minute_leaves_30_ms_open_either_way() {
        let minute = TimeDelta::seconds(60);
        let most = TimeDelta::milliseconds(30);
        assert_eq!(Rates::ASSUMED.gains(minute), (-most, most));
        assert_eq!(Rates::ASSUMED.gains(-minute), (-most, most));
        assert_eq!(ppm(100, 200).gains(-minute), (most * -2 / 5, most / -5));
    }

    #[test]
    fn gains_are_rounded_so_that_the_truth_lies_between() {
        let tick = TimeDelta::nanoseconds(1);
        for ran in [tick, -tick] {
            assert_eq!(Rates::ASSUMED.gains(ran), (-tick, tick));
            assert_eq!(Rates::ASSUMED.gains(ran * 2_000), (-tick, tick));
            assert_eq!(Rates::ASSUMED.gains(ran * 2_001), (-tick * 2, tick * 2));
        }
    }

    #[test]
    fn the_ends_of_the_range_do_not_overflow() {
        for ran in [
            TimeDelta::MAX,
            TimeDelta::MIN,
            TimeDelta::nanoseconds(i64::MAX),
        ] {
            let (least, most) = Rates::ASSUMED.gains(ran);
            assert!(least < most);
        }
    }

    #[test]
    fn one_round_proves_nothing() {
        assert_eq!(proven(&[]), Rates::ASSUMED);
        assert_eq!(proven(&[fix(0, NOTHING, MS)]), Rates::ASSUMED);
    }

    #[test]
    fn two_rounds_prove_what_their_bounds_leave_open_and_10_ppm_are_added() {
        // 2 ms in 100 s are 20 ppm.
        let fixes = [fix(0, NOTHING, MS), fix(100, NOTHING, MS)];
        assert_eq!(proven(&fixes), ppm(-30, 30));
        let fixes = [
            fix(0, NOTHING, MS),
            fix(100, TimeDelta::milliseconds(-30), MS),
        ];
        assert_eq!(proven(&fixes), ppm(-330, -270));
    }

    #[test]
    fn no_proof_is_better_than_15_ppm_either_way() {
        let fixes = [
            fix(0, NOTHING, MS / 100),
            fix(100, TimeDelta::milliseconds(10), MS / 100),
        ];
        assert_eq!(proven(&fixes), ppm(85, 115));
    }

    #[test]
    fn rounds_less_than_16_s_apart_prove_nothing() {
        let apart = |ran_s| proven(&[fix(0, NOTHING, MS / 100), fix(ran_s, NOTHING, MS / 100)]);
        assert_eq!(apart(15), Rates::ASSUMED);
        assert_eq!(apart(16), ppm(-15, 15));
    }

    #[test]
    fn the_narrowest_proof_of_all_pairs_counts() {
        let fixes = [
            fix(0, NOTHING, 10 * MS),
            fix(100, NOTHING, MS),
            fix(200, NOTHING, MS),
            fix(300, NOTHING, 10 * MS),
        ];
        assert_eq!(proven(&fixes), ppm(-30, 30));
    }

    #[test]
    fn what_is_wider_than_the_assumption_leaves_that() {
        let fixes = [fix(0, NOTHING, 10 * MS), fix(16, NOTHING, 10 * MS)];
        assert_eq!(proven(&fixes), Rates::ASSUMED);
    }

    #[test]
    fn a_rate_that_no_clock_has_is_no_proof() {
        let fixes = [
            fix(0, NOTHING, MS),
            fix(100, TimeDelta::milliseconds(80), MS),
        ];
        assert_eq!(proven(&fixes), Rates::ASSUMED);
        // Near the edge of what a clock has the room around it is kept.
        let fixes = [
            fix(0, NOTHING, MS / 100),
            fix(100, TimeDelta::milliseconds(50), MS / 100),
        ];
        let rates = proven(&fixes);
        assert!(
            rates.fastest > WORST && rates.width() == 30 * PPM,
            "{rates:?}"
        );
    }

    #[test]
    fn a_suspend_in_between_proves_nothing() {
        let woken = Fix {
            at: Moment::after(Duration::from_secs(100), Duration::from_secs(5)),
            ..fix(105, NOTHING, MS)
        };
        assert_eq!(proven(&[fix(0, NOTHING, MS), woken]), Rates::ASSUMED);
    }

    #[test]
    fn a_leap_second_in_between_proves_nothing() {
        let announced = Fix {
            leap: Leap::Insert,
            ..fix(86_400 - 50, NOTHING, MS)
        };
        let later = fix(86_400 + 50, NOTHING, MS);
        assert_eq!(proven(&[announced, later]), Rates::ASSUMED);
        let unannounced = Fix {
            leap: Leap::None,
            ..announced
        };
        assert_eq!(proven(&[unannounced, later]), ppm(-30, 30));
    }
}
