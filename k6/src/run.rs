//! A `k6 run` that tminus can start.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::command_line::CommandLine;
use crate::contradiction::Source;
use crate::parse::Argument;

/// The flags that only tminus gives.
const OWNED: [&str; 3] = ["paused", "address", "no-setup"];

/// A `k6 run` that contradicts nothing that tminus does, from [`CommandLine::check`].
#[derive(Debug, Clone)]
pub struct Run {
    pub(crate) command_line: CommandLine,
    pub(crate) script: OsString,
    /// The place of the script among the arguments.
    pub(crate) script_at: usize,
    pub(crate) no_setup: Option<Source>,
    pub(crate) no_teardown: Option<Source>,
    pub(crate) web_dashboard: Option<Source>,
}

/// What `k6 run` is told to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script<'a> {
    /// `-`: what comes in on the standard input.
    Stdin,
    /// A file, relative to k6's working directory.
    File(&'a Path),
    /// A URL, such as `https://…` or `file://…`.
    Url(&'a OsStr),
}

impl<'a> Script<'a> {
    fn new(word: &'a OsStr) -> Self {
        let bytes = word.as_bytes();
        let is_path = bytes.starts_with(b".") || bytes.starts_with(b"/");
        let has_scheme = bytes.windows(3).any(|part| part == b"://");
        if word == "-" {
            Self::Stdin
        } else if has_scheme && !is_path {
            Self::Url(word)
        } else {
            Self::File(Path::new(word))
        }
    }
}

impl Run {
    /// The program to start, as the user named it.
    pub fn program(&self) -> &OsStr {
        &self.command_line.program
    }

    /// The script.
    pub fn script(&self) -> Script<'_> {
        Script::new(&self.script)
    }

    /// Where the user says that setup() shall not run at all: then tminus never asks for it.
    ///
    /// The flag and the variable beat the script's own `noSetup`; the configuration file does not,
    /// so a script with `noSetup: false` would run its setup() in spite of it.
    pub fn no_setup(&self) -> Option<&Source> {
        self.no_setup.as_ref()
    }

    /// Where the user says that teardown() shall not run: then tminus does not ask for it either, where an
    /// early setup() is followed by no run.
    pub fn no_teardown(&self) -> Option<&Source> {
        self.no_teardown.as_ref()
    }

    /// Where the user asks for k6's web dashboard, of which a machine can hold one.
    pub fn web_dashboard(&self) -> Option<&Source> {
        self.web_dashboard.as_ref()
    }

    /// The command line that starts k6 paused, with its API on `address`: the program and `run`,
    /// ours right behind it, and then the rest of the user's in its order.
    ///
    /// Each of our flags is there once, whatever the user gave. With `no_setup`, or with the same
    /// flag of the user's own, k6 runs no setup() on resume. Where only the user's environment or
    /// configuration file says so, no flag is needed, and none is added for it: k6 obeys them.
    pub fn paused_at(&self, address: SocketAddr, no_setup: bool) -> Vec<OsString> {
        let mut ours = vec![
            "--paused".into(),
            "--address".into(),
            address.to_string().into(),
        ];
        if no_setup || matches!(self.no_setup, Some(Source::Flag { .. })) {
            ours.push("--no-setup".into());
        }
        self.words(self.program().into(), ours, |_, argument| match argument {
            Argument::Flags(flags) => flags
                .clone()
                .without(&OWNED)
                .map(|rest| rest.words())
                .unwrap_or_default(),
            _ => argument.words(),
        })
    }

    /// A command line of this program, `run`, our words, and those that each argument gives.
    ///
    /// `run` comes first, although the user may have had flags before it. Behind it they mean the
    /// same to k6; before it, one that stands alone once ours is taken out of its bundle may make
    /// k6 take `run` for its value.
    pub(crate) fn words(
        &self,
        program: OsString,
        ours: Vec<OsString>,
        each: impl Fn(usize, &Argument) -> Vec<OsString>,
    ) -> Vec<OsString> {
        let mut words = vec![program, "run".into()];
        words.extend(ours);
        for (at, argument) in self.command_line.arguments.iter().enumerate() {
            words.extend(each(at, argument));
        }
        words
    }
}
