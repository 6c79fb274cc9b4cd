//! Making the files that k6 reads independent of its working directory.
//!
//! `local` gives each runner a directory of its own, so that what each k6 writes stays apart.
//! What k6 reads must then be named in full: the program, the script, the configuration file, the
//! files of secret sources, and those that variables name. What it writes stays relative.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::environment::Environment;
use crate::parse::{Argument, FlagWord};
use crate::run::{Run, Script};

/// The variables that name a file that k6 reads: its own, and those of its outputs.
const FILE_VARIABLES: [&str; 6] = [
    "K6_CONFIG",
    "K6_OTEL_TLS_CERTIFICATE",
    "K6_OTEL_TLS_CLIENT_CERTIFICATE",
    "K6_OTEL_TLS_CLIENT_KEY",
    "K6_PROMETHEUS_RW_CLIENT_CERTIFICATE",
    "K6_PROMETHEUS_RW_CLIENT_CERTIFICATE_KEY",
];

impl Run {
    /// The user's command line, the program first, as it must be given to a k6 that runs in
    /// another directory than `base`, an absolute path, which its relative paths start from.
    ///
    /// A script on the standard input stays there; a URL stays as it is. So does a secret source
    /// whose file would have a comma in its path, which k6 has no way to be told.
    pub fn anchored(&self, base: &Path) -> Vec<OsString> {
        let program = program(base, self.program());
        self.words(program, Vec::new(), |at, argument| match argument {
            Argument::Positional { .. } if at == self.script_at => match self.script() {
                Script::File(path) => vec![absolute(base, path.as_os_str())],
                Script::Stdin | Script::Url(_) => argument.words(),
            },
            Argument::Flags(flags) => anchor_flags(base, flags).words(),
            _ => argument.words(),
        })
    }
}

impl Environment {
    /// The variables to change for a k6 that runs in another directory than `base`, an absolute
    /// path, which relative paths start from.
    pub fn anchored(&self, base: &Path) -> Vec<(&'static str, OsString)> {
        let files = FILE_VARIABLES
            .into_iter()
            .filter_map(|name| Some((name, absolute(base, self.get_nonempty(name)?))));
        let source = self
            .get_nonempty("K6_SECRET_SOURCE")
            .map(|source| ("K6_SECRET_SOURCE", secret_source(base, source)));
        files
            .chain(source)
            .filter(|(name, value)| self.get(name) != Some(value))
            .collect()
    }
}

/// A program without a slash is looked for on `$PATH`.
fn program(base: &Path, program: &OsStr) -> OsString {
    if program.as_bytes().contains(&b'/') {
        absolute(base, program)
    } else {
        program.into()
    }
}

fn anchor_flags(base: &Path, flags: &FlagWord) -> FlagWord {
    let mut flags = flags.clone();
    let name = flags.flags.last().map(|flag| flag.name);
    if let Some(value) = flags.value.text_mut() {
        match name {
            Some("config") => *value = absolute(base, value),
            Some("secret-source") => *value = secret_source(base, value),
            _ => {}
        }
    }
    flags
}

/// An absolute path, with `.` taken out but `..` left, which a symbolic link may give a meaning.
/// An empty one names nothing, and stays so.
fn absolute(base: &Path, path: &OsStr) -> OsString {
    if path.is_empty() {
        return path.into();
    }
    base.join(path)
        .components()
        .collect::<std::path::PathBuf>()
        .into()
}

/// `file=[name=…,][default,]path` or `…,filename=path`, and, in v2, `url=config=path,…`.
fn secret_source(base: &Path, source: &OsStr) -> OsString {
    let bytes = source.as_bytes();
    let Some(equals) = bytes.iter().position(|byte| *byte == b'=') else {
        return source.into();
    };
    let (kind, rest) = (&bytes[..equals], &bytes[equals + 1..]);
    let key: &[u8] = match kind {
        b"file" => b"filename",
        b"url" => b"config",
        _ => return source.into(),
    };
    let parts: Vec<Vec<u8>> = rest
        .split(|byte| *byte == b',')
        .map(|part| {
            let path = match part.iter().position(|byte| *byte == b'=') {
                Some(at) if part[..at] == *key => &part[at + 1..],
                None if kind == b"file" && part != b"default" => part,
                _ => return part.to_vec(),
            };
            let path = absolute(base, OsStr::from_bytes(path)).into_vec();
            if path.is_empty() || path.contains(&b',') {
                return part.to_vec();
            }
            [key, b"=", &path].concat()
        })
        .collect();
    OsString::from_vec([kind, b"=", &parts.join(&b',')].concat())
}
