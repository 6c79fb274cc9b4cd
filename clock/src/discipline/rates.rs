//! How fast UTC may run on the machine's raw clock.

use std::time::Duration;

use chrono::TimeDelta;

use super::fix::Fix;
use crate::span;

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
/// deviation from 1 in parts per billion. Both ends within ±500 ppm.
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

    /// The clock that is taken at its word.
    pub(crate) const EXACT: Self = Self {
        slowest: 0,
        fastest: 0,
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

    /// The half of the range's width, as a part of one.
    #[cfg(test)]
    pub(crate) fn half_width(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "within ±500,000")]
        let width = (self.fastest - self.slowest) as f64;
        width / 2e9
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

/// The range in which the rate still lies. None if nothing within
/// [`Rates::ASSUMED`] would fit.
fn allowing_for_wander((slowest, fastest): (i128, i128)) -> Option<Rates> {
    let middle = (slowest + fastest) / 2;
    let slowest = (slowest - i128::from(WANDER)).min(middle - i128::from(LEAST));
    let fastest = (fastest + i128::from(WANDER)).max(middle + i128::from(LEAST));
    let within = |rate: i128| i64::try_from(rate.clamp((-WORST).into(), WORST.into())).ok();
    let rates = Rates {
        slowest: within(slowest)?,
        fastest: within(fastest)?,
    };
    (rates.slowest < rates.fastest).then_some(rates)
}

/// What a suspend leaves uncertain, besides the length that the kernel counts.
///
/// Where no clock runs through a suspend the kernel takes the time from the
/// real-time clock, which counts whole seconds (±1 s between two readings), and
/// then moves it by up to 2 s so that many suspends do not add up
/// (`timekeeping_suspend`, `delta_delta`). The crystal of that clock is assumed no
/// better than the machine's.
pub(crate) fn suspend_error(asleep: Duration) -> Duration {
    const CLOCKS: Duration = Duration::from_secs(3);
    const CRYSTAL_IS_ONE_IN: u32 = 2_000;
    if asleep.is_zero() {
        Duration::ZERO
    } else {
        CLOCKS.saturating_add(asleep / CRYSTAL_IS_ONE_IN)
    }
}

/// The length of a suspend, whichever of two moments came first.
pub(crate) fn asleep_between(a: crate::Moment, b: crate::Moment) -> Duration {
    span::positive(a.suspended_since(b).abs())
}
