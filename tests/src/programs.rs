//! Where the programs are that the tests run.
//!
//! `make test` has got and built all of them. `cargo test` alone does not build the programs of other packages:
//! run `cargo build --workspace` before it, or it tests old ones.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The versions of k6 that tminus is tested with. They differ in their command line and in when they open
/// their API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum K6 {
    /// v1.1.0.
    V1,
    /// v2.2.0.
    V2,
}

impl K6 {
    /// Where this k6 is: what `TMINUS_K6_V1` or `TMINUS_K6_V2` names, else the one that `make tools` got.
    /// `None` only for v2 on a machine without Go, where a test with it is to be skipped.
    ///
    /// # Panics
    /// If v1 is not there, or, in CI, v2.
    pub fn program(self) -> Option<PathBuf> {
        let (variable, path) = match self {
            Self::V1 => ("TMINUS_K6_V1", ".tools/k6-1.1.0/bin/k6"),
            Self::V2 => ("TMINUS_K6_V2", ".tools/k6-2.2.0/k6"),
        };
        let program = named_by(variable).unwrap_or_else(|| repository().join(path));
        if program.is_file() {
            return Some(program);
        }
        let missing = format!(
            "no k6 at {}: run `make tools`, or set {variable}",
            program.display()
        );
        assert!(self == Self::V2 && !in_ci(), "{missing}");
        eprintln!("SKIPPED, {missing}");
        None
    }
}

/// The agent: what `TMINUS_TEST_AGENT` names, else the one built beside the test that runs.
pub fn agent() -> PathBuf {
    named_by("TMINUS_TEST_AGENT").unwrap_or_else(|| built("tminus-agent"))
}

/// The scheduler: what `TMINUS_TEST_SCHEDULER` names, else the one built beside the test that runs.
pub fn scheduler() -> PathBuf {
    named_by("TMINUS_TEST_SCHEDULER").unwrap_or_else(|| built("tminus-scheduler"))
}

/// The stand-in for k6.
pub fn fake_k6() -> PathBuf {
    built("fake-k6")
}

/// The target as a program.
pub fn load_target() -> PathBuf {
    built("load-target")
}

/// What keeps the programs of a test cluster.
pub fn cluster_keeper() -> PathBuf {
    built("cluster-keeper")
}

/// chronyd, that of the distribution; `None` where there is none and tests with it are to be skipped.
///
/// # Panics
/// If it cannot be got, or, in CI, is not there.
pub fn chronyd() -> Option<PathBuf> {
    got("chronyd")
}

/// The library that shows a program another wall clock, if it is put before the others (`LD_PRELOAD`); `None` where it
/// is not to be had.
///
/// # Panics
/// If it cannot be got, or, in CI, is not to be had.
pub fn faketime() -> Option<PathBuf> {
    got("faketime")
}

/// What tells the system calls of a program, that of the distribution; `None` where there is none and tests with it are
/// to be skipped.
///
/// # Panics
/// If it cannot be got, or, in CI, is not to be had.
pub fn strace() -> Option<PathBuf> {
    got("strace")
}

/// What `tools/get.sh` gets by this name; `None` where that is not to be had on this machine, and tests with it are to
/// be skipped. In CI it then fails.
fn got(name: &str) -> Option<PathBuf> {
    let get = Command::new(repository().join("tools/get.sh"))
        .arg(name)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(get.status.success(), "tools/get.sh {name} failed");
    let path = String::from_utf8(get.stdout).unwrap();
    if path.is_empty() {
        eprintln!("SKIPPED: there is no {name}");
        return None;
    }
    Some(repository().join(path.trim_end()))
}

/// The folder of the whole project.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn named_by(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).map(PathBuf::from)
}

/// Whether what is missing is a failure, and not a reason to skip a test.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true")
}

/// Cargo puts tests into `target/PROFILE/deps` and programs into `target/PROFILE`, and says the latter only to
/// tests in the program's own package.
fn built(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let found = test
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!(
            "no {name} in the folders above {}: run `cargo build --workspace` first, with --release for a release test",
            test.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_the_folder_with_the_lock_file() {
        assert!(repository().join("Cargo.lock").is_file());
    }

    #[test]
    #[should_panic(expected = "no tminus-nothing in the folders above")]
    fn a_program_that_was_not_built_is_named() {
        built("tminus-nothing");
    }
}
