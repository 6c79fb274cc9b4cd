//! k6's configuration file: where it lies, and what of it matters.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use thiserror::Error;

use crate::command_line::CommandLine;
use crate::contradiction::Source;
use crate::environment::Environment;

/// k6's configuration file, read.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    path: PathBuf,
    keys: Keys,
}

/// Why the configuration file cannot be read. k6 could not read it either, and exits with 104.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It is there, but its bytes cannot be had.
    #[error(
        "k6's configuration file {} cannot be read: {source}; correct that, or name another file \
         with `--config`",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not the JSON that k6 wants.
    #[error(
        "k6's configuration file {} cannot be understood: {source}; correct it, or name another \
         with `--config`",
        path.display()
    )]
    NotUnderstood {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: serde_json::Error,
    },
}

impl ConfigFile {
    /// Reads the configuration file that k6 would read, if there is one.
    ///
    /// A file that is named but missing is left to k6, which then exits with 104.
    ///
    /// # Errors
    ///
    /// The file is there but cannot be read, or not understood.
    pub fn find(
        command_line: &CommandLine,
        environment: &Environment,
    ) -> Result<Option<Self>, ConfigError> {
        for path in candidates(command_line, environment) {
            match std::fs::read(&path) {
                Ok(text) => return Self::parse(path, &text).map(Some),
                Err(source) if source.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(ConfigError::Unreadable { path, source }),
            }
        }
        Ok(None)
    }

    /// Reads the text of a configuration file, as Go's `encoding/json` does for k6: names of keys
    /// in any case, the last of several counts, bytes that are not UTF-8 do no harm.
    ///
    /// # Errors
    ///
    /// The text is not a JSON object or `null`, or an output is not a text.
    pub fn parse(path: PathBuf, text: &[u8]) -> Result<Self, ConfigError> {
        match serde_json::from_str(&String::from_utf8_lossy(text)) {
            Ok(keys) => Ok(Self { path, keys }),
            Err(source) => Err(ConfigError::NotUnderstood { path, source }),
        }
    }

    /// That k6 shall stay after the test.
    pub(crate) fn linger(&self) -> Option<Source> {
        self.keys.linger.then(|| self.source("linger"))
    }

    /// That setup() shall not run. (A script's own `noSetup: false` beats this one.)
    pub(crate) fn no_setup(&self) -> Option<Source> {
        self.keys.no_setup.then(|| self.source("noSetup"))
    }

    /// That teardown() shall not run.
    pub(crate) fn no_teardown(&self) -> Option<Source> {
        self.keys.no_teardown.then(|| self.source("noTeardown"))
    }

    /// That the web dashboard shall be served.
    pub(crate) fn web_dashboard(&self) -> Option<Source> {
        self.keys.web_dashboard.then(|| self.source("webDashboard"))
    }

    /// That there is an output of this kind.
    pub(crate) fn out(&self, is_it: impl Fn(&str) -> bool) -> Option<Source> {
        self.keys
            .out
            .iter()
            .any(|out| is_it(out))
            .then(|| self.source("out"))
    }

    fn source(&self, key: &'static str) -> Source {
        Source::ConfigKey {
            key,
            path: self.path.clone(),
        }
    }
}

/// Where k6 looks, in this order, the first that exists.
///
/// The flag beats the variable. Where neither names another file than the default, v1 looks in the
/// default's old place too; v2 does not any more, and what only the old file says is then taken
/// more seriously than k6 would. (A v1 without `$HOME` and `$XDG_CACHE_HOME` looks below
/// `.cache`, by an oversight, where no one keeps a configuration.)
fn candidates(command_line: &CommandLine, environment: &Environment) -> Vec<PathBuf> {
    let directory = config_directory(environment);
    let default = directory.join("k6/config.json");
    match command_line
        .config()
        .or_else(|| environment.get("K6_CONFIG"))
    {
        Some(named) if Path::new(named) != default => vec![named.into()],
        _ => vec![default, directory.join("loadimpact/k6/config.json")],
    }
}

/// Go's `os.UserConfigDir`, and what k6 does where that fails.
fn config_directory(environment: &Environment) -> PathBuf {
    let fallback = || PathBuf::from(".config");
    match environment.get_nonempty("XDG_CONFIG_HOME").map(Path::new) {
        Some(directory) if directory.is_absolute() => directory.into(),
        Some(_) => fallback(),
        None => environment
            .get_nonempty("HOME")
            .map_or_else(fallback, |home: &OsStr| Path::new(home).join(".config")),
    }
}

/// The keys that matter.
#[derive(Debug, Clone, Default)]
struct Keys {
    linger: bool,
    no_setup: bool,
    no_teardown: bool,
    web_dashboard: bool,
    out: Vec<String>,
}

/// `null` and `false` are no; k6 knows a second spelling of `true`, an object, and refuses the rest.
fn is_yes(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<Keys, E> {
        Ok(Keys::default())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Keys, M::Error> {
        let mut keys = Keys::default();
        while let Some(key) = map.next_key::<String>()? {
            match folded(&key).as_str() {
                "linger" => keys.linger = is_yes(&map.next_value()?),
                "nosetup" => keys.no_setup = is_yes(&map.next_value()?),
                "noteardown" => keys.no_teardown = is_yes(&map.next_value()?),
                "webdashboard" => keys.web_dashboard = is_yes(&map.next_value()?),
                "out" => {
                    let outs: Option<Vec<Option<String>>> = map.next_value()?;
                    keys.out = outs.unwrap_or_default().into_iter().flatten().collect();
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(keys)
    }
}

/// A key as Go compares it: in any case, by the rules of Unicode, which know one more form of `s`
/// and of `k`.
fn folded(key: &str) -> String {
    key.chars()
        .map(|letter| match letter {
            '\u{17f}' => 's',
            '\u{212a}' => 'k',
            _ => letter.to_ascii_lowercase(),
        })
        .collect()
}
