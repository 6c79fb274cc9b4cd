//! What the real k6 does with a command line, and what this crate says of it.

use std::path::Path;
use std::process::Output;

use k6::{CommandLine, ConfigFile, Environment, Run};
use rstest::rstest;

use crate::K6;

const SCRIPT: &str = "
    export const options = { iterations: 1 };
    export function setup() { console.log('setup has run') }
    export default function () { console.log('the load has run') }
";

/// A directory with the script under several names, and configuration files.
fn directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    for name in ["s.js", "-x.js", "run", "true"] {
        write(name, SCRIPT);
    }
    write("no-setup.json", r#"{"noSetup": true}"#);
    write("shouted.json", r#"{"NOSETUP": true}"#);
    write("object.json", r#"{"noSetup": {"bool": true}}"#);
    write("taken-back.json", r#"{"noSetup": true, "nosetup": null}"#);
    write("long-s.json", "{\"no\u{17f}etup\": true}");
    write("huge.json", r#"{"more": 1e999, "noSetup": true}"#);
    write("no-json.json", "{");
    directory
}

fn run_k6(k6: K6, line: &str, pairs: &str, directory: &Path) -> Output {
    let arguments = line.split(' ').skip(1).map(Into::into);
    let variables = pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='));
    k6.command(arguments, variables, directory)
        .output()
        .unwrap()
}

/// What this crate makes of the same; the configuration file is read from the directory.
fn read(line: &str, pairs: &str, directory: &Path) -> Result<Run, String> {
    let words: Vec<_> = line.split(' ').map(Into::into).collect();
    let command_line = CommandLine::parse(&words).map_err(|error| error.to_string())?;
    let environment: Environment = pairs
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let config = match line.split_once("-c ") {
        Some((_, rest)) => {
            let path = directory.join(rest.split(' ').next().unwrap());
            let text = std::fs::read(&path).unwrap();
            Some(ConfigFile::parse(path, &text).map_err(|error| error.to_string())?)
        }
        None => None,
    };
    command_line
        .check(&environment, config.as_ref())
        .map_err(|complaints| format!("{complaints:?}"))
}

#[rstest]
fn what_is_accepted_runs_with_setup_or_without_as_told(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(
        ("k6 run -q s.js", ""),
        ("k6 --out json=/dev/null run -q s.js", ""),
        ("k6 run -q -- -x.js", ""),
        ("k6 run -q run", ""),
        ("k6 run -q s.js -test.v", ""),
        ("k6 run -qtest.v s.js", ""),
        ("k6 run --http-debug s.js -q", ""),
        ("k6 run -q s.js --help=false", ""),
        ("k6 run -q -l --linger=F s.js", ""),
        ("k6 run -q -l=false s.js", "K6_LINGER=true"),
        ("k6 run -q s.js", "K6_LINGER=null K6_PAUSED= K6_NO_SETUP=null"),
        ("k6 run -q s.js --no-setup", ""),
        ("k6 run -q s.js --no-setup=false --no-setup=T", ""),
        ("k6 run -q s.js", "K6_NO_SETUP=true"),
        ("k6 run -q -e K6_NO_SETUP=true s.js", ""),
        ("k6 run -q -e K6_NO_SETUP=true s.js", "K6_NO_SETUP=false"),
        ("k6 run -q -e K6_LINGER=true --include-system-env-vars=F s.js", ""),
        ("k6 run -q -e K6_NO_SETUP=true s.js", "K6_INCLUDE_SYSTEM_ENV_VARS=0"),
        ("k6 run -q -c no-setup.json s.js", ""),
        ("k6 run -q -c shouted.json s.js", ""),
        ("k6 run -q -c object.json s.js", ""),
        ("k6 run -q -c taken-back.json s.js", ""),
        ("k6 run -q -c long-s.json s.js", ""),
        ("k6 run -q -c huge.json s.js", ""),
    )]
    (line, pairs): (&str, &str),
) {
    let directory = directory();
    let run = read(line, pairs, directory.path()).unwrap();
    let output = run_k6(k6, line, pairs, directory.path());

    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(log.contains("the load has run"), "{log}");
    assert_eq!(
        log.contains("setup has run"),
        run.no_setup().is_none(),
        "{log}"
    );
}

#[rstest]
fn what_is_refused_as_unreadable_is_refused_by_k6_too(
    #[values(K6::V1, K6::V2)] k6: K6,
    #[values(
        ("k6 run", "", 255),
        ("k6 run s.js true", "", 255),
        ("k6 run --paused true s.js", "", 255),
        ("k6 run --http-debug full s.js", "", 255),
        ("k6 run s.js -- --paused=false", "", 255),
        ("k6 --paused run s.js", "", 255),
        ("k6 --config run --quiet run s.js", "", 255),
        ("k6 -qo run s.js", "", 255),
        ("k6 run -p=maybe s.js", "", 255),
        ("k6 run -p= s.js", "", 255),
        ("k6 run -p- s.js", "", 255),
        ("k6 run --later -q s.js", "", 255),
        ("k6 run s.js", "K6_PAUSED=1", 104),
        ("k6 run s.js", "K6_LINGER=TRUE", 104),
        ("k6 run s.js --linger=false", "K6_LINGER=yes", 104),
        ("k6 run -e K6_NO_SETUP=1 s.js", "", 104),
        ("k6 run -c no-json.json s.js", "", 104),
    )]
    (line, pairs, code): (&str, &str, i32),
) {
    let directory = directory();
    read(line, pairs, directory.path()).unwrap_err();
    assert_eq!(
        run_k6(k6, line, pairs, directory.path()).status.code(),
        Some(code)
    );
}
