//! What one valid answer says.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{
    Rejection,
    check::{Valid, check, drift},
    packet::Packet,
};
use crate::{Moment, span};

/// What two readings of this machine's clock lack: they are whole nanoseconds,
/// and those of two cores agree to some hundred. What reading them takes is in
/// the round trip, since the first is taken before the question is sent and the
/// second after the answer has come.
const LOCAL_READING: Duration = Duration::from_micros(1);

/// Root delay and root dispersion are told in steps of 15.3 µs: half a step of
/// the one and a whole step of the other may have been rounded away.
const SHORT_FORMAT_ROUNDING: Duration = Duration::from_micros(23);

/// A leap second that a server announces for the end of the current UTC day
/// (RFC 5905 §7.3, leap indicator 0 to 2; 3 is no valid answer).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leap {
    /// None.
    None,
    /// The last minute has 61 seconds.
    Insert,
    /// The last minute has 59 seconds.
    Delete,
}

/// One valid answer of one server: what it says of UTC at one moment of ours.
///
/// It was measured on this machine's raw clock, so no step and no slew of the
/// wall clock is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When the answer arrived (T4), on this machine's raw clock.
    pub at: Moment,
    /// UTC at that moment by this answer: halfway between what the path's delay allows.
    pub utc: DateTime<Utc>,
    /// How far `utc` may be off at `at`: δ/2 + root delay/2 + root dispersion + server precision + local reading
    /// error + 23 µs + 500 ppm · (T4 − T1). (RFC 5905 §11.2 plus rounding, see clock docs.) And what a suspend in
    /// between leaves uncertain of T4 − T1.
    pub bound: Duration,
    /// δ, the round trip without the server's own time.
    pub round_trip: Duration,
    /// How long the server's answers take to its primary source and back, in all.
    pub root_delay: Duration,
    /// How far the server may be off from its primary source, delay aside.
    pub root_dispersion: Duration,
    /// 1 (has a reference clock itself) to 15.
    pub stratum: u8,
    /// The leap second announced for the end of the current UTC day.
    pub leap: Leap,
}

impl Sample {
    /// What an answer says that was asked for at `sent` (T1) and came at `arrived`
    /// (T4).
    ///
    /// Of the two it is a fault only to be too late with T1 or too early with T4;
    /// the contrary widens the bound.
    ///
    /// # Errors
    ///
    /// If the answer is no valid one. That it is the answer to that question is
    /// not checked: of it nothing is known here.
    pub fn new(answer: &Packet, sent: Moment, arrived: Moment) -> Result<Self, Rejection> {
        let valid = check(answer, span::positive(arrived.since(sent)))?;
        Ok(Self::from_valid(&valid, sent, arrived))
    }

    /// The server read T3 before the answer came, so UTC at T4 is that or later;
    /// it read T2 after the question was sent, so it is T2 + (T4 − T1) or earlier.
    fn from_valid(answer: &Valid, sent: Moment, arrived: Moment) -> Self {
        let elapsed = arrived.since(sent);
        let held = answer.transmit.since(answer.receive);
        let round_trip = span::difference(elapsed, held);
        let half = (span::positive(round_trip) + Duration::from_nanos(1)) / 2;
        Self {
            at: arrived,
            utc: span::after(answer.transmit.utc(), round_trip / 2),
            bound: [
                half,
                answer.root_delay / 2,
                answer.root_dispersion,
                answer.precision,
                LOCAL_READING,
                SHORT_FORMAT_ROUNDING,
                drift(span::positive(elapsed)),
                arrived.suspend_error(sent),
            ]
            .into_iter()
            .fold(Duration::ZERO, Duration::saturating_add),
            round_trip: span::positive(round_trip),
            root_delay: answer.root_delay,
            root_dispersion: answer.root_dispersion,
            stratum: answer.stratum,
            leap: answer.leap,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;
    use crate::{ntp::format::Timestamp, simulation::SimulatedTimebase};

    fn start() -> Moment {
        Moment::read(&SimulatedTimebase::at(DateTime::UNIX_EPOCH))
    }

    fn utc(ns: i64) -> DateTime<Utc> {
        "2027-03-04T05:06:07Z"
            .parse::<DateTime<Utc>>()
            .expect("a time")
            + TimeDelta::nanoseconds(ns)
    }

    fn valid(receive: DateTime<Utc>, transmit: DateTime<Utc>) -> Valid {
        Valid {
            receive: Timestamp::from_utc(receive),
            transmit: Timestamp::from_utc(transmit),
            precision: Duration::ZERO,
            root_delay: Duration::ZERO,
            root_dispersion: Duration::ZERO,
            stratum: 1,
            leap: Leap::None,
        }
    }

    #[test]
    fn the_time_lies_halfway_between_what_the_delay_allows() {
        // 30 ms there, 2 ms held, 10 ms back, by a server that is right.
        let sent = start();
        let arrived = sent.plus(Duration::from_millis(42));
        let answer = valid(utc(30_000_000), utc(32_000_000));
        let sample = Sample::from_valid(&answer, sent, arrived);
        assert_eq!(sample.at, arrived);
        assert_eq!(sample.round_trip, Duration::from_millis(40));
        assert_eq!(sample.utc, utc(52_000_000));
        // So it is wrong by 10 ms, of at most 20.
        assert!(sample.bound >= Duration::from_millis(20));
        assert!(sample.bound < Duration::from_micros(20_046));
    }

    #[test]
    fn the_bound_is_the_sum_of_what_may_be_off() {
        let sent = start();
        let arrived = sent.plus(Duration::from_millis(2));
        let answer = Valid {
            precision: Duration::from_nanos(120),
            root_delay: Duration::from_millis(60),
            root_dispersion: Duration::from_millis(7),
            ..valid(utc(0), utc(0))
        };
        let sample = Sample::from_valid(&answer, sent, arrived);
        let ns = 1_000_000 + 30_000_000 + 7_000_000 + 120 + 1_000 + 23_000 + 1_001;
        assert_eq!(sample.bound, Duration::from_nanos(ns));
    }

    /// The machine slept while the answer was under way: 10 s by the kernel's count, and 11 in truth.
    #[test]
    fn what_is_uncertain_of_a_suspend_is_in_the_bound() {
        let sent = Moment::after(Duration::ZERO, Duration::ZERO);
        let arrived = Moment::after(Duration::from_millis(10), Duration::from_secs(10));
        let sample = Sample::from_valid(&valid(utc(0), utc(0)), sent, arrived);
        let truth = utc(11_010_000_000);
        assert!(
            truth - sample.utc <= span::signed(sample.bound),
            "{sample:?}"
        );
    }

    #[test]
    fn a_round_trip_that_is_negative_within_the_precision_counts_as_none() {
        let sent = start();
        let answer = valid(utc(0), utc(2_000));
        let sample = Sample::from_valid(&answer, sent, sent.plus(Duration::from_nanos(1_500)));
        assert_eq!(sample.round_trip, Duration::ZERO);
        assert_eq!(sample.utc, utc(1_750));
    }

    /// Nanoseconds up to `most`, small ones as likely as large ones.
    fn delay(most: u64) -> impl Strategy<Value = u64> {
        prop_oneof![0..1_000_u64, 0..1_000_000_u64, 0..most]
    }

    proptest! {
        /// Any path, any honest server, any clock that Linux would steer.
        #[test]
        fn the_true_time_lies_within_the_bound(
            out_ns in delay(900_000_000),
            held_ns in delay(900_000_000),
            back_ns in delay(900_000_000),
            drift_ppm in -500.0..500.0_f64,
            root_delay_bits in 0..0x8000_u32,
            root_dispersion_bits in 0..0x8000_u32,
            precision_ns in 1..1_000_000_u32,
            server_off in -1.0..1.0_f64,
            reading_off in -1.0..1.0_f64,
            rounded_away in 0.0..1.0_f64,
        ) {
            let step_ns = 1e9 / 65_536.0;
            let root_delay_ns = (f64::from(root_delay_bits) + rounded_away) * step_ns;
            let root_dispersion_ns = (f64::from(root_dispersion_bits) + rounded_away) * step_ns;
            // How far the server's clock, and its readings of it, are off.
            let off_ns = server_off * (root_delay_ns / 2.0 + root_dispersion_ns);
            let read = |true_ns: u64, direction: f64| {
                let reading_ns = direction * reading_off * f64::from(precision_ns);
                utc(true_ns.cast_signed() + (off_ns + reading_ns) as i64)
            };
            let arrived_ns = out_ns + held_ns + back_ns;
            let receive = read(out_ns, 1.0);
            let answer = Valid {
                precision: Duration::from_nanos(u64::from(precision_ns)),
                root_delay: crate::ntp::Short::from_bits(root_delay_bits).duration(),
                root_dispersion: crate::ntp::Short::from_bits(root_dispersion_bits).duration(),
                ..valid(receive, read(out_ns + held_ns, -1.0).max(receive))
            };
            let sent = start();
            let counted_ns = arrived_ns as f64 * (1.0 + drift_ppm / 1e6);
            let arrived = sent.plus(Duration::from_nanos(counted_ns as u64));

            let sample = Sample::from_valid(&answer, sent, arrived);
            let off = (sample.utc - utc(arrived_ns.cast_signed())).abs();
            prop_assert!(
                off <= span::signed(sample.bound),
                "off by {off}, {:?} was said", sample.bound
            );
        }
    }
}
