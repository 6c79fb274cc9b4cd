//! Any bytes are read as they stand and written the same, or refused as too short.

#![no_main]

use clock::ntp::{
    Timestamp,
    packet::{HEADER_BYTES, Packet},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(packet) = Packet::decode(bytes) else {
        assert!(bytes.len() < HEADER_BYTES);
        return;
    };
    assert_eq!(packet.encode(), bytes[..HEADER_BYTES]);
    assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
    let utc = packet.transmit.utc();
    assert_eq!(Timestamp::from_utc(utc).utc(), utc);
});
