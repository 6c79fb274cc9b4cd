//! Another wall clock than the machine's, for one program: a node whose clock is wrong.
//!
//! libfaketime shows it to programs that are linked dynamically, as the agent, the scheduler and chronyd are; k6 is
//! not, and sees the machine's. The monotonic clocks stay as they are.

use std::{ffi::OsString, fs, path::PathBuf};

use crate::{process::Program, programs, runner::Launch, scratch::Scratch};

/// A wall clock that is off the machine's.
pub struct WallClock {
    library: PathBuf,
    off: Off,
}

enum Off {
    /// As libfaketime reads it: seconds with their sign.
    Always(String),
    /// What a file in this directory says, which may change.
    AsSaid(Scratch),
}

/// The file that says how far it is off.
const SAID: &str = "wall-clock";

impl WallClock {
    /// One that is always so many seconds ahead (negative: behind); nothing where libfaketime is not to be had, and the
    /// test is to be skipped.
    pub fn ahead_by(seconds: f64) -> Option<Self> {
        Some(Self {
            library: programs::faketime()?,
            off: Off::Always(spelled(seconds)),
        })
    }

    /// One that shows the machine's time until it is [stepped](Self::step_to); nothing where libfaketime is not to be
    /// had, and the test is to be skipped.
    pub fn unsteady() -> Option<Self> {
        let clock = Self {
            library: programs::faketime()?,
            off: Off::AsSaid(Scratch::new()),
        };
        clock.step_to(0.0);
        Some(clock)
    }

    /// Lets it be so many seconds ahead from now on.
    ///
    /// # Panics
    /// If it is one that is always equally far off.
    pub fn step_to(&self, seconds: f64) {
        let Off::AsSaid(folder) = &self.off else {
            panic!("this wall clock cannot be stepped");
        };
        // Whoever reads it at this moment reads the whole of one or the other.
        let new = folder.write("new", &spelled(seconds));
        fs::rename(new, folder.path().join(SAID)).unwrap();
    }

    /// What makes a program believe it.
    fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut variables = vec![
            ("LD_PRELOAD", self.library.clone().into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            // Else a child begins anew from where its parent has got.
            ("FAKETIME_DONT_RESET", "1".into()),
        ];
        match &self.off {
            Off::Always(seconds) => variables.push(("FAKETIME", seconds.into())),
            Off::AsSaid(folder) => variables.extend([
                (
                    "FAKETIME_TIMESTAMP_FILE",
                    folder.path().join(SAID).into_os_string(),
                ),
                ("FAKETIME_NO_CACHE", "1".into()),
            ]),
        }
        variables
    }
}

impl Launch<'_> {
    /// Lets the agent believe this wall clock.
    pub fn believing(self, clock: &WallClock) -> Self {
        let variables = clock.variables().into_iter();
        variables.fold(self, |launch, (name, value)| launch.env(name, value))
    }
}

impl Program {
    /// Lets it believe this wall clock.
    pub fn believing(self, clock: &WallClock) -> Self {
        let variables = clock.variables().into_iter();
        variables.fold(self, |program, (name, value)| program.env(name, value))
    }
}

fn spelled(seconds: f64) -> String {
    format!("{seconds:+}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{moment::Moment, runner::SOON};

    /// How many seconds ahead of the machine a program takes itself to be: some less on a busy machine.
    fn ahead(clock: &WallClock) -> i64 {
        let date = Program::new("date").args(["+%s"]).believing(clock).start();
        date.wait(SOON);
        let shown: i64 = date.stdout().trim().parse().unwrap();
        shown - Moment::now().utc.timestamp()
    }

    #[test]
    fn a_program_believes_what_it_is_told() {
        let Some(clock) = WallClock::ahead_by(420.0) else {
            return;
        };
        assert!((410..=420).contains(&ahead(&clock)));
    }

    #[test]
    fn a_wall_clock_steps_when_it_is_told_to() {
        let Some(clock) = WallClock::unsteady() else {
            return;
        };
        assert!((-10..=0).contains(&ahead(&clock)));
        clock.step_to(-7_200.0);
        assert!((-7_210..=-7_200).contains(&ahead(&clock)));
    }
}
