//! The flags that `k6 run` knows: those of v1.1.0 and of v2.2.0 in one table.
//!
//! The versions agree on every flag that both have, so one table reads the command lines of
//! both; a flag that the k6 at hand lacks is refused by k6 itself. `tests/real/flags.rs` compares
//! the table with `k6 run --help` of the real programs.

/// What may follow a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A truth value, and only after `=`; without one the flag means true.
    Switch,
    /// A text, and only after `=`; without one k6 has a value of its own.
    OptionalText,
    /// A value: after `=`, glued to a shorthand, or in the next word whatever that looks like.
    Text,
}

/// A flag of `k6 run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// The name that follows `--`.
    pub name: &'static str,
    /// The ASCII letter that follows `-`.
    pub shorthand: Option<u8>,
    /// What may follow it.
    pub takes: Takes,
    /// Whether it is a flag of every k6 command. Only of these does k6 know, while it looks for
    /// the subcommand, whether a value follows.
    pub global: bool,
}

/// All flags of `k6 run`.
pub static FLAGS: &[Flag] = &[
    Flag::run("vus", Some(b'u'), Takes::Text),
    Flag::run("duration", Some(b'd'), Takes::Text),
    Flag::run("iterations", Some(b'i'), Takes::Text),
    Flag::run("stage", Some(b's'), Takes::Text),
    Flag::run("execution-segment", None, Takes::Text),
    Flag::run("execution-segment-sequence", None, Takes::Text),
    Flag::run("paused", Some(b'p'), Takes::Switch),
    Flag::run("no-setup", None, Takes::Switch),
    Flag::run("no-teardown", None, Takes::Switch),
    Flag::run("max-redirects", None, Takes::Text),
    Flag::run("batch", None, Takes::Text),
    Flag::run("batch-per-host", None, Takes::Text),
    Flag::run("rps", None, Takes::Text),
    Flag::run("user-agent", None, Takes::Text),
    Flag::run("http-debug", None, Takes::OptionalText),
    Flag::run("insecure-skip-tls-verify", None, Takes::Switch),
    Flag::run("no-connection-reuse", None, Takes::Switch),
    Flag::run("no-vu-connection-reuse", None, Takes::Switch),
    Flag::run("min-iteration-duration", None, Takes::Text),
    Flag::run("throw", Some(b'w'), Takes::Switch),
    Flag::run("blacklist-ip", None, Takes::Text),
    Flag::run("block-hostnames", None, Takes::Text),
    Flag::run("summary-trend-stats", None, Takes::Text),
    Flag::run("summary-time-unit", None, Takes::Text),
    Flag::run("system-tags", None, Takes::Text),
    Flag::run("tag", None, Takes::Text),
    Flag::run("console-output", None, Takes::Text),
    Flag::run("discard-response-bodies", None, Takes::Switch),
    Flag::run("local-ips", None, Takes::Text),
    Flag::run("dns", None, Takes::Text),
    Flag::run("include-system-env-vars", None, Takes::Switch),
    Flag::run("compatibility-mode", None, Takes::Text),
    Flag::run("type", Some(b't'), Takes::Text),
    Flag::run("env", Some(b'e'), Takes::Text),
    Flag::run("no-thresholds", None, Takes::Switch),
    Flag::run("no-summary", None, Takes::Switch),
    Flag::run("summary-mode", None, Takes::Text),
    Flag::run("summary-export", None, Takes::Text),
    Flag::run("new-machine-readable-summary", None, Takes::Switch),
    Flag::run("traces-output", None, Takes::Text),
    Flag::run("out", Some(b'o'), Takes::Text),
    Flag::run("linger", Some(b'l'), Takes::Switch),
    Flag::run("no-usage-report", None, Takes::Switch),
    Flag::run("features", None, Takes::Text),
    Flag::run("help", Some(b'h'), Takes::Switch),
    Flag::global("address", Some(b'a'), Takes::Text),
    Flag::global("config", Some(b'c'), Takes::Text),
    Flag::global("log-format", None, Takes::Text),
    Flag::global("log-output", None, Takes::Text),
    Flag::global("no-color", None, Takes::Switch),
    Flag::global("profiling-enabled", None, Takes::Switch),
    Flag::global("quiet", Some(b'q'), Takes::Switch),
    Flag::global("secret-source", None, Takes::Text),
    Flag::global("verbose", Some(b'v'), Takes::Switch),
];

impl Flag {
    const fn run(name: &'static str, shorthand: Option<u8>, takes: Takes) -> Self {
        Self {
            name,
            shorthand,
            takes,
            global: false,
        }
    }

    const fn global(name: &'static str, shorthand: Option<u8>, takes: Takes) -> Self {
        Self {
            name,
            shorthand,
            takes,
            global: true,
        }
    }

    /// The flag that is written `--name`.
    pub fn named(name: &[u8]) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.name.as_bytes() == name)
    }

    /// The flag that is written `-x`.
    pub fn lettered(shorthand: u8) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.shorthand == Some(shorthand))
    }
}

/// A flag's truth value, in the spellings of Go's `strconv.ParseBool`; `None` for any other text.
pub(crate) fn truth_value(text: &[u8]) -> Option<bool> {
    match text {
        b"1" | b"t" | b"T" | b"TRUE" | b"true" | b"True" => Some(true),
        b"0" | b"f" | b"F" | b"FALSE" | b"false" | b"False" => Some(false),
        _ => None,
    }
}
