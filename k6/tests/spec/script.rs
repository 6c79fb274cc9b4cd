//! Which word is the script.

use std::path::Path;

use k6::{Contradiction, Script};
use rstest::rstest;

use crate::{check, only_complaint};

#[rstest]
#[case("k6 run s.js")]
#[case("k6 run -q s.js")]
#[case("k6 run s.js -q --vus 3")]
#[case("k6 run --vus 3 -d 10s s.js")]
#[case("k6 run -u3 -d=10s s.js")]
#[case("k6 run --http-debug s.js")]
#[case("k6 run -- s.js")]
#[case("k6 run -q --out json -- s.js")]
#[case("k6 --out json run s.js")]
#[case("k6 -c run.json run s.js")]
#[case("k6 -c run run s.js")]
#[case("k6 -qo run json s.js")]
#[case("/usr/bin/k6 run s.js")]
#[case("k6 run --later s.js")]
#[case("k6 run --later value s.js")]
#[case("k6 run s.js --later value")]
fn it_is_the_word_that_is_no_flag_and_no_value(#[case] line: &str) {
    assert_eq!(
        check(line).unwrap().script(),
        Script::File(Path::new("s.js"))
    );
}

#[rstest]
#[case("k6 run -", Script::Stdin)]
#[case("k6 - run", Script::Stdin)]
#[case("k6 run -- -", Script::Stdin)]
#[case("k6 run -- -x.js", Script::File(Path::new("-x.js")))]
#[case("k6 run run", Script::File(Path::new("run")))]
#[case("k6 run ./https://x", Script::File(Path::new("./https://x")))]
#[case("k6 run https://host/s.js", Script::Url("https://host/s.js".as_ref()))]
#[case("k6 run file:///s.js", Script::Url("file:///s.js".as_ref()))]
fn it_may_be_a_file_a_url_or_the_standard_input(#[case] line: &str, #[case] expected: Script<'_>) {
    assert_eq!(check(line).unwrap().script(), expected);
}

#[rstest]
#[case("k6 run")]
#[case("k6 run -q --")]
#[case("k6 run --out s.js")]
#[case("k6 -qo run s.js")]
fn none_is_refused(#[case] line: &str) {
    assert_eq!(check(line).unwrap_err(), [Contradiction::NoScript]);
}

#[rstest]
#[case("k6 run a.js b.js", &["a.js", "b.js"])]
#[case("k6 run --paused true s.js", &["true", "s.js"])]
#[case("k6 run --http-debug full s.js", &["full", "s.js"])]
#[case("k6 run '' s.js", &["", "s.js"])]
#[case("k6 run a.js -- b.js", &["a.js", "b.js"])]
#[case("k6 --config run --quiet run s.js", &["run", "s.js"])]
#[case("k6 run --later a.js --newer b.js", &["a.js", "b.js"])]
fn more_than_one_is_refused(#[case] line: &str, #[case] scripts: &[&str]) {
    let scripts = scripts.iter().map(ToString::to_string).collect();
    assert_eq!(
        check(line).unwrap_err(),
        [Contradiction::ManyScripts(scripts)]
    );
}

#[test]
fn a_flag_behind_the_double_dash_is_refused_by_name() {
    let complaint = only_complaint(check("k6 run s.js -- --paused=false"));
    assert!(
        complaint.starts_with("`--paused=false` stands after `--`"),
        "{complaint}"
    );
}

#[test]
fn flags_behind_the_double_dash_are_refused_if_there_is_no_script_either() {
    let complaints = check("k6 run -- -q -v").unwrap_err();
    assert!(
        complaints.contains(&Contradiction::NoScript),
        "{complaints:?}"
    );
    assert!(
        complaints.contains(&Contradiction::FlagAfterDashes("-q".into())),
        "{complaints:?}"
    );
}
