//! A start by tminus, as its user makes it.

use std::path::Path;
use std::time::Duration;

use support::process::Program;
use support::programs;
use support::scratch::Scratch;
use support::target::Target;

use crate::paused::SCRIPT;

/// Far more than a start takes on a busy machine.
const DONE_WITHIN: Duration = Duration::from_secs(120);

/// Starts this many runners once, and says how late each fired.
pub fn start(runners: usize, k6: &Path, scratch: &Scratch, target: &Target) -> Vec<Duration> {
    let script = scratch.write("load.js", SCRIPT);
    let scheduler = Program::new(programs::scheduler())
        .args([
            "local",
            "--output",
            "json",
            "--lead",
            "1s",
            "--runners",
            &runners.to_string(),
        ])
        .args(["--agent".as_ref(), programs::agent().as_os_str()])
        .args([
            "--dir".as_ref(),
            scratch.path().join("run").as_os_str(),
            "--".as_ref(),
        ])
        .args([
            k6.as_os_str(),
            "run".as_ref(),
            "--quiet".as_ref(),
            "--no-summary".as_ref(),
            script.as_os_str(),
        ])
        .env("TARGET", target.url())
        .current_dir(scratch.path())
        .start();
    let exit = scheduler.wait(DONE_WITHIN);
    assert_eq!(exit.code, Some(0), "{}", scheduler.stderr());
    let result: serde_json::Value = serde_json::from_str(&scheduler.stdout()).unwrap();
    let of = |runner: &serde_json::Value| {
        let nanos = runner["lateness_ns"].as_i64().unwrap();
        Duration::from_nanos(nanos.unsigned_abs())
    };
    result["runners"]
        .as_array()
        .unwrap()
        .iter()
        .map(of)
        .collect()
}
