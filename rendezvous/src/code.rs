//! What both programs exit with, so that each knows the other's numbers.
//!
//! They stay clear of k6's own codes (0 to 2, 97 to 110, 255) and, but for the two of
//! the shell's that mean the same here, of the shell's (126 to 165). 124 apart, where they can, they
//! are those of BSD's `sysexits.h`, in meaning or at least in kind.

/// The command line or the environment makes no sense (`EX_USAGE`).
pub const USAGE: u8 = 64;

/// No access to the rendezvous, or what stands there cannot be used (`EX_UNAVAILABLE`).
pub const NO_ACCESS: u8 = 69;

/// No time to go by: a clock error over the budget, or no agreement on the time.
pub const NO_TIME: u8 = 71;

/// k6 never became ready.
pub const NOT_READY: u8 = 73;

/// The runner came after the instant, and its late policy is to refuse.
pub const LATE: u8 = 74;

/// Nothing came in time: no plan for the runner, no quorum for the scheduler
/// (`EX_TEMPFAIL`).
pub const GAVE_UP: u8 = 75;

/// The run was aborted.
pub const ABORTED: u8 = 76;

/// This runner has used the stage's start up already.
pub const USED_UP: u8 = 77;

/// Started, but not well: missing or lost runners, or lateness over the tolerance.
pub const NOT_WELL: u8 = 78;

/// k6 ran for longer than it may; what `timeout` of the GNU coreutils gives for a command that it ended.
pub const RAN_TOO_LONG: u8 = 124;

/// A program is there and cannot be run, as a shell has it.
pub const CANNOT_RUN: u8 = 126;

/// A program is not there, as a shell has it.
pub const NOT_FOUND: u8 = 127;
