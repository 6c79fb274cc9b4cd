//! How many files, and so connections, a process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Those of an agent: for watches, and for all else. One more while it makes another.
const OF_AN_AGENT: u64 = 3;

/// Those of everything else here.
const OF_THE_REST: u64 = 200;

/// Lets this process, and those that it starts, have as many as its user may have, and says how many those are.
pub fn raise_limit() -> u64 {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    most
}

/// Whether so many agents can be in this process.
///
/// # Errors
/// What to do where they cannot.
pub fn suffice_for(agents: u32, files: u64) -> Result<(), String> {
    let needed = u64::from(agents) * OF_AN_AGENT + OF_THE_REST;
    if files < needed {
        return Err(format!(
            "they need {needed} open files, and the limit is {files} (ulimit -Hn)"
        ));
    }
    Ok(())
}
