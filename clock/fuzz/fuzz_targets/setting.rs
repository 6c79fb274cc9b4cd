//! A list of servers that is understood is written so that it is understood again.

#![no_main]

use clock::ntp::NtpSetting;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(setting) = text.parse::<NtpSetting>() {
        assert_eq!(setting.to_string().parse(), Ok(setting));
    }
});
