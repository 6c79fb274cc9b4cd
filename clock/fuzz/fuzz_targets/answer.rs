//! Whatever a server sends after whatever time, it is rejected, or is a sample that
//! is sound in itself.

#![no_main]

use std::time::Duration;

use chrono::DateTime;
use clock::{
    Clock,
    ntp::{Sample, packet::Packet},
    simulation::SimulatedTimebase,
};
use libfuzzer_sys::fuzz_target;

/// The widest that a bound can be besides its round trip: the root distance, and
/// what rounding adds.
const MOST_BESIDES: Duration = Duration::from_millis(1_501);

fuzz_target!(|input: (u64, [u8; 48])| {
    let (elapsed_ns, bytes) = input;
    let elapsed = Duration::from_nanos(elapsed_ns);
    let machine = SimulatedTimebase::at(DateTime::UNIX_EPOCH);
    let clock = Clock::system(machine.clone());
    let sent = clock.moment();
    machine.advance(elapsed);
    let arrived = clock.moment();
    let answer = Packet::decode(&bytes).expect("it is long enough");
    if let Ok(sample) = Sample::new(&answer, sent, arrived) {
        assert!(sample.bound >= sample.round_trip / 2);
        assert!(sample.bound <= elapsed + MOST_BESIDES);
        assert!((1..=15).contains(&sample.stratum));
        assert_eq!(sample.at, arrived);
    }
});
