//! How a scheduler ended, and what it told of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{
    process::{Exit, Running},
    runner::SOON,
};

/// The end of a scheduler that left no process behind.
#[derive(Debug)]
pub struct Ended {
    /// What it exited with.
    pub code: i32,
    /// How it ended.
    pub exit: Exit,
    /// All of its standard output.
    pub stdout: String,
    /// All of its standard error.
    pub stderr: String,
}

/// Waits for the end of a scheduler, and checks that it left no process behind.
///
/// # Panics
/// If it does not end soon, is killed by a signal, or leaves a process behind.
pub fn ended(scheduler: &Running) -> Ended {
    ended_within(scheduler, SOON)
}

/// The same with more time, for a scheduler that has much to wait for.
///
/// # Panics
/// As [`ended`].
pub fn ended_within(scheduler: &Running, limit: Duration) -> Ended {
    let exit = scheduler.wait(limit);
    scheduler.assert_nothing_left();
    let (stdout, stderr) = (scheduler.stdout(), scheduler.stderr());
    let code = exit
        .code
        .unwrap_or_else(|| panic!("{exit:?}\n{stdout}\n{stderr}"));
    Ended {
        code,
        exit,
        stdout,
        stderr,
    }
}

impl Ended {
    /// # Panics
    /// If it did not exit with this code.
    pub fn assert(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// # Panics
    /// If it did not tell this on standard error.
    pub fn assert_told(&self, part: &str) -> &Self {
        let told = &self.stderr;
        assert!(told.contains(part), "no {part:?} in\n{told}");
        self
    }

    /// Its result.
    ///
    /// # Panics
    /// If its standard output is anything but one line of JSON, or says another exit code.
    pub fn result(&self) -> Outcome {
        let line = self.stdout.strip_suffix('\n');
        let line = line.filter(|line| !line.contains('\n'));
        let line = line.unwrap_or_else(|| panic!("not one line: {self:#?}"));
        let result: Value = serde_json::from_str(line).unwrap();
        assert_eq!(result["exit_code"], self.code, "{result:#}");
        Outcome(result)
    }

    /// The results of its stages, in their order.
    ///
    /// # Panics
    /// If its standard output is anything but lines of JSON.
    pub fn results(&self) -> Vec<Outcome> {
        let lines = self.stdout.lines();
        let results = lines.map(|line| Outcome(serde_json::from_str(line).unwrap()));
        results.collect()
    }
}

/// The result of a start, as the scheduler tells it to machines.
#[derive(Debug)]
pub struct Outcome(pub Value);

impl Outcome {
    /// The instant, if one was set.
    pub fn start_at(&self) -> Option<DateTime<Utc>> {
        time(&self.0["start_at"])
    }

    /// What it says of the runner of this name, if it knows one.
    pub fn runner(&self, name: &str) -> Option<&Value> {
        let runners = self.0["runners"].as_array().unwrap();
        runners.iter().find(|runner| runner["runner"] == name)
    }

    /// The names of the runners and what each exited with.
    pub fn exit_codes(&self) -> Vec<(&str, Option<i64>)> {
        let runners = self.0["runners"].as_array().unwrap();
        let runners = runners.iter();
        runners
            .map(|runner| {
                (
                    runner["runner"].as_str().unwrap(),
                    runner["exit_code"].as_i64(),
                )
            })
            .collect()
    }

    /// # Panics
    /// If it does not name these runners, in this order and with these exit codes.
    pub fn assert_exit_codes(&self, codes: &[(&str, i64)]) -> &Self {
        let expected: Vec<_> = codes
            .iter()
            .map(|(name, code)| (*name, Some(*code)))
            .collect();
        assert_eq!(self.exit_codes(), expected, "{:#}", self.0);
        self
    }

    /// # Panics
    /// If it ended in another way than this, or says less of it than this.
    pub fn assert_ending(&self, kind: &str, message: &str) -> &Self {
        let told = self.0["message"].as_str().unwrap();
        assert!(
            self.0["result"] == kind && told.contains(message),
            "{:#}",
            self.0
        );
        self
    }
}

/// A time in a result.
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).unwrap().to_utc())
}
