//! How often and how long: every limit of the machine that nobody sets.

use std::time::Duration;

use chrono::TimeDelta;

use crate::decide::ending::K6Exit;

/// How often k6 is asked while it comes up: a reader sees VUs grow, and readiness is late by a tenth of a second at most.
pub const POLL_STARTING: Duration = Duration::from_millis(100);
/// How often k6 is asked right after the resume: what it costs k6 delays its first requests, where runners share cores.
pub const POLL_CONFIRMING: Duration = Duration::from_millis(10);
/// How often k6 is asked while it runs a setup() of its own, until its load runs.
pub const POLL_UNTIL_LOAD: Duration = Duration::from_millis(50);
/// How much later than it ran k6 may be seen running. It is left alone for 25 ms and then asked every 10, and on a busy
/// machine it takes some 0.1 s for an answer; more than as much again to be sure.
pub const SEEN_WITHIN: TimeDelta = TimeDelta::milliseconds(500);
/// How long k6 may stay unseen after a good answer to the resume, or where a late start is welcome. k6 answers within
/// milliseconds; a machine so busy that it takes ten seconds makes no load worth having.
pub const CONFIRM_WITHIN: Duration = Duration::from_secs(10);
/// From the news that the resume got no good answer to the last look at k6: one more question, answered at once by a k6
/// that lives.
pub const LAST_LOOK: Duration = Duration::from_millis(250);
/// How long a store that denies access, or holds what cannot be read, is waited for: long enough for a person or
/// controller that is about to put it right, too short to hide a mistake.
pub const TROUBLE_LIMIT: Duration = Duration::from_secs(30);
/// How long the store may take before k6 is started all the same, paused.
pub const ADMISSION_WAIT: Duration = Duration::from_secs(2);
/// How long an unmeasured clock that shows the instant as past is given to be measured, from the start of the agent:
/// twice what it takes far servers to be resolved, asked, and heard three times because the clock is far off.
pub const CLOCK_WAIT: Duration = Duration::from_secs(30);
/// How long a clock is looked for where no server was named (`--ntp auto`): no cloud's answers at its link-local
/// address, asked every few seconds, and what the kernel says is no use. A time daemon of a node that has just come up
/// has synchronised within that; nobody else is going to come.
pub const NOBODY_FOUND_LIMIT: Duration = Duration::from_mins(1);
/// How much longer than it was to last a countdown may last: twice what nodes have been seen to be off. A clock that
/// has gone back by more since it was good enough to arm by goes back again and again, and the instant may never come.
pub const COUNTDOWN_BEYOND: Duration = Duration::from_mins(15);
/// How much of a countdown a slew of the clock that limits are counted on can hide or add: the most that Linux allows.
pub const FASTEST_SLEW: u32 = 10;
/// How much longer than its scheduler a runner waits: the scheduler renews its promise every 30 s, and says so itself when
/// it gives up.
pub const BEYOND_SCHEDULER: Duration = Duration::from_secs(30);
/// Between a connection that k6 dropped and the news that k6 itself ended lies no more than this.
pub const EXIT_FOLLOWS_WITHIN: Duration = Duration::from_secs(1);
/// Ports lost in a race before the fault is held to be another one.
pub const MOST_PORTS: u32 = 5;
/// k6's exit code where its API address is taken.
pub const ADDRESS_TAKEN: K6Exit = K6Exit::Code(106);

pub mod k6_status {
    //! k6's own numbers (`lib.ExecutionStatus`, v1.1.0 and v2.2.0).
    /// It builds its VUs. By then it has set its handler for SIGTERM and SIGINT (observed at the first sight of this
    /// status in 120 of 120, and at that of 0 not).
    pub const BUILDING: u64 = 1;
    pub const PAUSED_BEFORE_RUN: u64 = 4;
    pub const STARTED: u64 = 5;
    pub const RUNNING: u64 = 7;
    /// The run is over, teardown() included; what is left are outputs and the summary. 10 and 11 (interrupted, marked
    /// as failed) say so, too.
    pub const ENDED: u64 = 9;
}
