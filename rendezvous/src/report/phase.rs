//! The phases of a runner, and which may follow which.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a runner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// k6 comes up, builds its VUs or runs an early setup().
    Starting,
    /// k6 waits for the resume (status 4), its setup() has run, the clock is known.
    Ready,
    /// Holds a set plan of its own, and counts down.
    Armed,
    /// The resume was sent.
    Fired,
    /// k6 itself said that it runs (status 5 or more).
    Running,
    /// k6 ran and ended, with the exit code in the report.
    Finished,
    /// Ended without having made its load as it should.
    Failed,
    /// Did not start, because the start could not be trusted.
    Refused,
    /// Ended because somebody said so.
    Aborted,
    /// Made no load and ended well, by its late policy.
    Skipped,
}

impl Phase {
    /// Nothing follows it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(
            self,
            Self::Finished | Self::Failed | Self::Refused | Self::Aborted | Self::Skipped
        )
    }

    /// Whether a runner in this phase may go over to `next` without passing
    /// through another phase.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            // A wait's end closes everything but an end itself; only what fired can finish.
            (from, Self::Failed | Self::Aborted) => !from.is_final(),
            (from, Self::Refused | Self::Skipped) => {
                matches!(from, Self::Starting | Self::Ready | Self::Armed)
            }
            (from, Self::Finished) => matches!(from, Self::Fired | Self::Running),
            // A set-up that has grown too old, or a clock that was lost, makes a ready
            // runner start over.
            (from, Self::Starting) => matches!(from, Self::Ready | Self::Armed),
            (from, Self::Ready) => from == Self::Starting,
            (from, Self::Armed) => matches!(from, Self::Starting | Self::Ready),
            (from, Self::Fired) => from == Self::Armed,
            (from, Self::Running) => from == Self::Fired,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Armed => "armed",
            Self::Fired => "fired",
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Aborted => "aborted",
            Self::Skipped => "skipped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Phase::{self, *};

    const ALL: [Phase; 10] = [
        Starting, Ready, Armed, Fired, Running, Finished, Failed, Refused, Aborted, Skipped,
    ];

    fn may_follow(phase: Phase) -> Vec<Phase> {
        ALL.into_iter()
            .filter(|next| phase.may_become(*next))
            .collect()
    }

    #[test]
    fn each_phase_leads_on_or_to_an_end() {
        assert_eq!(
            may_follow(Starting),
            [Ready, Armed, Failed, Refused, Aborted, Skipped]
        );
        assert_eq!(
            may_follow(Ready),
            [Starting, Armed, Failed, Refused, Aborted, Skipped]
        );
        assert_eq!(
            may_follow(Armed),
            [Starting, Fired, Failed, Refused, Aborted, Skipped]
        );
        assert_eq!(may_follow(Fired), [Running, Finished, Failed, Aborted]);
        assert_eq!(may_follow(Running), [Finished, Failed, Aborted]);
    }

    #[test]
    fn nothing_follows_an_end() {
        for phase in ALL {
            assert_eq!(phase.is_final(), may_follow(phase).is_empty(), "{phase}");
        }
    }

    #[test]
    fn no_load_is_made_twice_by_one_process() {
        for phase in [Fired, Running] {
            assert!(!phase.may_become(Armed) && !phase.may_become(Starting));
        }
    }
}
