//! The options about the clock, which runs and `tminus-agent clock` share.

use std::time::Duration;

use clap::Args;
use clock::ntp::NtpSetting;

use super::positive_duration;

/// Whom to ask for the time, and what the answer has to keep.
#[derive(Debug, Args)]
pub struct TimeArguments {
    /// Whom to ask for the time: `auto` = the cloud's own server, else the kernel; HOST[:PORT],… = these NTP servers; `none` = nobody: this machine's clock as it is, its error unmeasured
    #[arg(
        long,
        env = "TMINUS_NTP",
        value_name = "SOURCE",
        default_value = "auto"
    )]
    pub ntp: NtpSetting,

    /// The widest clock error that a start allows; where a plan has a smaller one, that one rules
    #[arg(long, env = "TMINUS_MAX_CLOCK_ERROR", value_name = "DURATION", default_value = "50ms",
          value_parser = positive_duration)]
    pub max_clock_error: Duration,

    /// Hold nothing but an NTP server's word good enough, not the kernel's
    #[arg(long, env = "TMINUS_REQUIRE_NTP")]
    pub require_ntp: bool,
}

impl TimeArguments {
    /// What the clock has to keep.
    #[must_use]
    pub fn terms(&self) -> clock::Terms {
        clock::Terms {
            budget: self.max_clock_error,
            require_ntp: self.require_ntp,
        }
    }

    /// Whether NTP is required and nobody is to be asked.
    #[must_use]
    pub fn contradict_each_other(&self) -> bool {
        self.require_ntp && self.ntp == NtpSetting::None
    }
}
