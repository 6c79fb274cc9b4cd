use proptest::prelude::*;

use super::*;
use crate::{
    Timebase,
    simulation::{Event, SimulatedTimebase},
};

const MS: Duration = Duration::from_millis(1);
const MICROSECOND: TimeDelta = TimeDelta::microseconds(1);

/// What became of a question and its answer on a simulated machine.
struct Exchange {
    sent: Reading,
    stamp: DateTime<Utc>,
    /// When the answer truly came.
    came: Moment,
    read: Reading,
}

impl Exchange {
    fn arrival(&self) -> Moment {
        arrival(&self.sent, Some(self.stamp), &self.read)
    }

    fn late(&self) -> TimeDelta {
        self.arrival().since(self.came)
    }
}

/// An answer that comes `on_the_way` after the question, and is read after it
/// has been `waiting` in the socket, while `events` happen.
fn exchange(on_the_way: Duration, waiting: Duration, events: &[(Duration, Event)]) -> Exchange {
    let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
    let wall = WallReading::take(&machine);
    let at = Moment::read(&machine);
    let sent = Reading { at, wall };
    for (after, event) in events {
        machine.after(*after, event.clone());
    }
    machine.advance(on_the_way);
    let came = Moment::read(&machine);
    let stamp = machine.wall();
    machine.advance(waiting);
    let at = Moment::read(&machine);
    let wall = WallReading::take(&machine);
    Exchange {
        sent,
        stamp,
        came,
        read: Reading { at, wall },
    }
}

#[test]
fn an_answer_that_waited_to_be_read_came_when_the_kernel_says() {
    for waiting in [Duration::ZERO, 80 * MS] {
        let late = exchange(MS, waiting, &[]).late();
        assert!((TimeDelta::zero()..MICROSECOND).contains(&late), "{late}");
    }
}

#[test]
fn without_a_stamp_it_came_when_it_was_read() {
    let exchange = exchange(MS, 80 * MS, &[]);
    assert_eq!(
        arrival(&exchange.sent, None, &exchange.read),
        exchange.read.at
    );
}

#[test]
fn a_stamp_across_a_step_is_dropped() {
    for by_us in [-2_000_000, -30, 30, 2_000_000] {
        for after in [MS / 2, MS * 2] {
            let step = Event::WallStep(TimeDelta::microseconds(by_us));
            let exchange = exchange(MS, 10 * MS, &[(after, step)]);
            assert_eq!(
                exchange.arrival(),
                exchange.read.at,
                "{by_us} µs, {after:?}"
            );
        }
    }
}

#[test]
fn a_stamp_across_a_slew_is_dropped() {
    for ppm in [-83_333, 5_036, 83_333] {
        let slew = Event::Slew { ppm };
        let exchange = exchange(MS, 80 * MS, &[(Duration::ZERO, slew)]);
        assert_eq!(exchange.arrival(), exchange.read.at, "{ppm}");
    }
}

#[test]
fn a_stamp_across_a_suspend_is_dropped() {
    let suspend = Event::Suspend(Duration::from_secs(300));
    let exchange = exchange(MS, MS, &[(MS / 2, suspend)]);
    assert_eq!(exchange.arrival(), exchange.read.at);
}

/// So it is where libfaketime shifts what this process reads, and not the
/// stamps.
#[test]
fn a_stamp_by_another_clock_is_dropped() {
    let honest = exchange(MS, MS, &[]);
    for off in [TimeDelta::milliseconds(-130), TimeDelta::minutes(7)] {
        let stamp = honest.stamp + off;
        assert_eq!(
            arrival(&honest.sent, Some(stamp), &honest.read),
            honest.read.at
        );
    }
}

#[test]
fn a_clock_that_is_only_steered_is_trusted() {
    for ppm in [-500, 500] {
        let late = exchange(40 * MS, 40 * MS, &[(Duration::ZERO, Event::Slew { ppm })]).late();
        let steered = TimeDelta::microseconds(41);
        assert!((TimeDelta::zero()..steered).contains(&late), "{late}");
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (-20_000..20_000_i64).prop_map(|ns| Event::WallStep(TimeDelta::nanoseconds(ns))),
        (-3_600..3_600_i64).prop_map(|s| Event::WallStep(TimeDelta::seconds(s))),
        (-100_000..100_000).prop_map(|ppm| Event::Slew { ppm }),
        (0..100_u64).prop_map(|ms| Event::Freeze(Duration::from_millis(ms))),
        (1..100_u64).prop_map(|ms| Event::Suspend(Duration::from_millis(ms))),
    ]
}

proptest! {
    /// The one thing that must not be: an answer thought to have come before it
    /// did.
    #[test]
    fn an_arrival_is_never_early_and_never_after_the_reading(
        on_the_way_us in 0..20_000_u64,
        waiting_us in 0..100_000_u64,
        event in event(),
        after_us in 0..100_000_u64,
    ) {
        let exchange = exchange(
            Duration::from_micros(on_the_way_us),
            Duration::from_micros(waiting_us),
            &[(Duration::from_micros(after_us), event)],
        );
        prop_assert!(exchange.late() >= TimeDelta::zero(), "{}", exchange.late());
        prop_assert!(exchange.arrival().since(exchange.read.at) <= TimeDelta::zero());
    }
}
