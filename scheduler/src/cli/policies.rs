//! What is to be done when something happens to a runner in the middle of a run.

use clap::{Args, ValueEnum};

use crate::decide::policy::{Policies, Policy};

/// What becomes of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    Continue,
    Abort,
}

impl From<Choice> for Policy {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Continue => Self::Continue,
            Choice::Abort => Self::Abort,
        }
    }
}

/// What becomes of the others when something happens to a runner after the start.
#[derive(Debug, Clone, Copy, Args)]
pub struct PolicyArguments {
    /// When a runner is lost after the start (killed, its pod or node gone, silent for two renewals of its report): `continue` = the others go on; `abort` = they are ended. The result names it, when, and the share of the load that is missing; the code is at least 78
    #[arg(
        long,
        env = "TMINUS_ON_LOST",
        value_name = "POLICY",
        default_value = "continue"
    )]
    on_lost: Choice,

    /// When the k6 of one runner ends with another code than 0 after the start, such as 99 by a threshold with abortOnFail: `continue` = the others go on; `abort` = they are ended, and the code is that runner's
    #[arg(
        long,
        env = "TMINUS_ON_FAILURE",
        value_name = "POLICY",
        default_value = "continue"
    )]
    on_failure: Choice,
}

impl PolicyArguments {
    /// What they come to.
    #[must_use]
    pub fn policies(self) -> Policies {
        Policies {
            on_lost: self.on_lost.into(),
            on_failure: self.on_failure.into(),
        }
    }

    /// Checks that somebody is there to act by them.
    ///
    /// # Errors
    /// A sentence that names what is missing.
    pub(super) fn check(self, waits: bool) -> Result<(), String> {
        let Policies {
            on_lost,
            on_failure,
        } = self.policies();
        let named = [("--on-lost", on_lost), ("--on-failure", on_failure)];
        let aborts = named
            .into_iter()
            .find(|(_, policy)| *policy == Policy::Abort);
        match aborts {
            Some((flag, _)) if !waits => Err(format!(
                "{flag} abort needs --wait: a scheduler that does not wait for the runners' ends is not there to end the others"
            )),
            _ => Ok(()),
        }
    }
}
