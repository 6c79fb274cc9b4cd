//! What a program says to bad input.

use std::ffi::{OsStr, OsString};
use std::fs;

use support::{process::Program, programs, runner::SOON, scratch::Scratch};

/// The two programs, and the word behind the scheduler's name.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    Agent,
    Start,
    Local,
}

impl Which {
    /// What it needs, but for the option that is tried out. Nothing of it is ever reached.
    fn words(self, without: &str) -> Vec<OsString> {
        let (first, needed): (_, &[&str]) = match self {
            Self::Agent => (None, &["--store=dir:store", "--run=r", "--runner=a"]),
            Self::Start => (
                Some("start"),
                &["--store=dir:store", "--run=r", "--runners=2"],
            ),
            Self::Local => (Some("local"), &["--runners=2"]),
        };
        let is_other = |word: &&&str| word.split('=').next() != Some(without);
        let words = first
            .into_iter()
            .chain(needed.iter().filter(is_other).copied());
        words.map(OsString::from).collect()
    }

    fn program(self) -> Program {
        match self {
            Self::Agent => Program::new(programs::agent()),
            Self::Start | Self::Local => Program::new(programs::scheduler()),
        }
    }

    /// Gives it this value for an option, by the command line. Returns what it said.
    pub fn refuses(self, option: &str, value: impl AsRef<OsStr>) -> String {
        let mut word = OsString::from(format!("{option}="));
        word.push(value);
        self.run(option, |program| program.args([word]))
    }

    /// The same by the option's variable.
    pub fn refuses_variable(self, option: &str, value: impl AsRef<OsStr>) -> String {
        let variable = format!("TMINUS_{}", option[2..].replace('-', "_").to_uppercase());
        self.run(option, |program| program.env(&variable, value))
    }

    /// Runs it with bad input, and checks that it is wrong usage, that nothing was made, and that it says so itself.
    pub fn run(self, without: &str, bad: impl FnOnce(Program) -> Program) -> String {
        let scratch = Scratch::new();
        let program = self
            .program()
            .current_dir(scratch.path())
            .args(self.words(without));
        let mut program = bad(program);
        if !matches!(self, Self::Start) {
            program = program.args(["--", "k6", "run", "x.js"]);
        }
        let running = program.start();
        let exit = running.wait(SOON);
        running.assert_nothing_left();
        let (stdout, stderr) = (running.stdout(), running.stderr());
        assert_eq!(
            (exit.code, stdout.as_str()),
            (Some(64), ""),
            "{self:?}: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            0,
            "something was made"
        );
        one_line(&stderr)
    }
}

/// A message as it is without the line ends that fit it to a terminal.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// # Panics
/// If these words are not in the message.
pub fn assert_says(message: &str, words: &str) {
    assert!(message.contains(words), "no {words:?} in {message}");
}
