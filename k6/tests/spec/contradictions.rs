//! What is refused, in every spelling, and what is not.

use k6::{CommandLine, CommandLineError, Contradiction, Source};
use rstest::rstest;

use crate::{check, check_in, config_file, environment, only_complaint, words};

fn flag(spelling: &str) -> Source {
    Source::Flag {
        spelling: spelling.into(),
    }
}

fn variable(name: &'static str, value: &str) -> Source {
    Source::Variable {
        name,
        value: value.into(),
    }
}

#[rstest]
#[case("k6 run --address :6565 s.js", "--address :6565")]
#[case("k6 run --address=:6565 s.js", "--address=:6565")]
#[case("k6 run --address '' s.js", "--address ")]
#[case("k6 run --address= s.js", "--address=")]
#[case("k6 run -a :6565 s.js", "-a :6565")]
#[case("k6 run -a=:6565 s.js", "-a=:6565")]
#[case("k6 run -a:6565 s.js", "-a:6565")]
#[case("k6 run -qa:6565 s.js", "-qa:6565")]
#[case("k6 run -qva :6565 s.js", "-qva :6565")]
#[case("k6 run -pqa=:6565 s.js", "-pqa=:6565")]
#[case("k6 run s.js -a:6565", "-a:6565")]
#[case("k6 run s.js --address :6565", "--address :6565")]
#[case("k6 -a:6565 run s.js", "-a:6565")]
#[case("k6 --address :6565 run s.js", "--address :6565")]
#[case("k6 -qa:6565 run s.js", "-qa:6565")]
fn an_address_by_flag_is_refused(#[case] line: &str, #[case] spelling: &str) {
    assert_eq!(
        check(line).unwrap_err(),
        [Contradiction::Address(flag(spelling))]
    );
}

#[rstest]
#[case("k6 run --paused=false s.js", "--paused=false")]
#[case("k6 run -p=false s.js", "-p=false")]
#[case("k6 run -qp=false s.js", "-qp=false")]
#[case("k6 run -vqp=F s.js", "-vqp=F")]
#[case("k6 run s.js --paused=0", "--paused=0")]
#[case("k6 run s.js -p=f", "-p=f")]
#[case("k6 run s.js --paused=FALSE", "--paused=FALSE")]
#[case("k6 run s.js --paused=False", "--paused=False")]
#[case("k6 run --paused --paused=false s.js", "--paused=false")]
#[case("k6 run -p s.js -qp=false", "-qp=false")]
#[case("k6 --paused=false run s.js", "--paused=false")]
#[case("k6 -p=false run s.js", "-p=false")]
#[case("k6 run -e K6_PAUSED=false s.js", "-e K6_PAUSED=false")]
fn not_paused_by_flag_is_refused(#[case] line: &str, #[case] spelling: &str) {
    assert_eq!(
        check(line).unwrap_err(),
        [Contradiction::NotPaused(flag(spelling))]
    );
}

#[rstest]
#[case("k6 run --no-setup=false s.js", "--no-setup=false")]
#[case("k6 run s.js --no-setup=0", "--no-setup=0")]
#[case("k6 run --no-setup s.js --no-setup=F", "--no-setup=F")]
#[case("k6 run s.js --env=K6_NO_SETUP=false", "--env=K6_NO_SETUP=false")]
fn setup_by_k6_is_refused(#[case] line: &str, #[case] spelling: &str) {
    assert_eq!(
        check(line).unwrap_err(),
        [Contradiction::SetupByK6(flag(spelling))]
    );
}

#[rstest]
#[case("k6 run --linger s.js", "--linger")]
#[case("k6 run --linger=true s.js", "--linger=true")]
#[case("k6 run -l s.js", "-l")]
#[case("k6 run -l=1 s.js", "-l=1")]
#[case("k6 run -qlv s.js", "-qlv")]
#[case("k6 run -plo json s.js", "-plo json")]
#[case("k6 run s.js -ql", "-ql")]
#[case("k6 run --linger=false s.js -l", "-l")]
#[case("k6 run -eK6_LINGER=true s.js", "-eK6_LINGER=true")]
#[case("k6 run s.js --env K6_LINGER=true", "--env K6_LINGER=true")]
#[case(
    "k6 run -e K6_LINGER=false s.js -e K6_LINGER=true",
    "-e K6_LINGER=true"
)]
fn linger_by_flag_is_refused(#[case] line: &str, #[case] spelling: &str) {
    assert_eq!(
        check(line).unwrap_err(),
        [Contradiction::Linger(flag(spelling))]
    );
}

#[rstest]
#[case("K6_ADDRESS", ":6565", Contradiction::Address as fn(Source) -> Contradiction)]
#[case("K6_PAUSED", "false", Contradiction::NotPaused)]
#[case("K6_PAUSED", "1", Contradiction::NotATruthValue)]
#[case("K6_PAUSED", "TRUE", Contradiction::NotATruthValue)]
#[case("K6_NO_SETUP", "false", Contradiction::SetupByK6)]
#[case("K6_NO_SETUP", "yes", Contradiction::NotATruthValue)]
#[case("K6_LINGER", "true", Contradiction::Linger)]
#[case("K6_LINGER", "1", Contradiction::NotATruthValue)]
fn a_variable_is_refused(
    #[case] name: &'static str,
    #[case] value: &str,
    #[case] expected: fn(Source) -> Contradiction,
) {
    let complaints = check_in("k6 run s.js", &format!("{name}={value}")).unwrap_err();
    assert_eq!(complaints, [expected(variable(name, value))]);
}

#[rstest]
#[case("k6 run -p=maybe s.js", "-p=maybe")]
#[case("k6 run --paused=yes --paused s.js", "--paused=yes")]
#[case("k6 run --no-setup= s.js", "--no-setup=")]
#[case("k6 run s.js -ql=on", "-ql=on")]
#[case("k6 run -e K6_PAUSED=1 s.js", "-e K6_PAUSED=1")]
fn a_truth_value_that_k6_cannot_read_is_refused(#[case] line: &str, #[case] spelling: &str) {
    assert_eq!(
        check(line).unwrap_err(),
        [Contradiction::NotATruthValue(flag(spelling))]
    );
}

#[test]
fn a_variable_that_k6_cannot_read_is_refused_though_a_flag_decides() {
    let complaints = check_in("k6 run --paused s.js", "K6_PAUSED=1").unwrap_err();
    assert_eq!(
        complaints,
        [Contradiction::NotATruthValue(variable("K6_PAUSED", "1"))]
    );
}

#[test]
fn linger_by_configuration_file_is_refused() {
    let complaints = CommandLine::parse(&words("k6 run s.js"))
        .unwrap()
        .check(&environment(""), Some(&config_file(r#"{"linger": true}"#)))
        .unwrap_err();
    let source = Source::ConfigKey {
        key: "linger",
        path: "/etc/k6.json".into(),
    };
    assert_eq!(complaints, [Contradiction::Linger(source)]);
}

#[rstest]
#[case::flag("k6 run --linger=false s.js", "")]
#[case::shorthand("k6 run s.js -ql=false", "")]
#[case::passed_variable("k6 run -e K6_LINGER=false s.js", "")]
#[case::variable("k6 run s.js", "K6_LINGER=false")]
fn what_beats_the_configuration_file_settles_it(#[case] line: &str, #[case] pairs: &str) {
    CommandLine::parse(&words(line))
        .unwrap()
        .check(
            &environment(pairs),
            Some(&config_file(r#"{"linger": true}"#)),
        )
        .unwrap();
}

#[rstest]
#[case::plain("k6 run s.js", "")]
#[case::paused_too("k6 run --paused s.js", "")]
#[case::paused_in_a_bundle("k6 run s.js -qpv", "K6_PAUSED=true")]
#[case::paused_in_the_end("k6 run --paused=false s.js --paused=T", "")]
#[case::paused_by_the_flag("k6 run -p s.js", "K6_PAUSED=false")]
#[case::paused_by_the_passed_variable("k6 run -e K6_PAUSED=true s.js", "K6_PAUSED=false")]
#[case::no_lingering_in_the_end("k6 run -l s.js --linger=false", "")]
#[case::no_lingering_by_the_flag("k6 run s.js -l=false", "K6_LINGER=true")]
#[case::empty_variables("k6 run s.js", "K6_LINGER= K6_PAUSED= K6_NO_SETUP= K6_ADDRESS=")]
#[case::null_variables("k6 run s.js", "K6_LINGER=null K6_PAUSED=null K6_NO_SETUP=null")]
#[case::the_address_in_the_script_only("k6 run -e K6_ADDRESS=:1 s.js", "")]
#[case::another_variable_like_it("k6 run -e K6_LINGERING=true s.js", "XK6_LINGER=true")]
#[case::a_value_like_a_flag("k6 run -o --linger -e -l --tag -p=false s.js", "")]
#[case::a_glued_value_like_letters("k6 run -olinger -epal=1 s.js", "")]
#[case::passed_last("k6 run -e K6_LINGER=true s.js -e K6_LINGER=false", "")]
#[case::letters_that_pflag_skips("k6 run -qtest.linger -test.l s.js", "")]
#[case::passed_to_the_script_only(
    "k6 run --include-system-env-vars=false -e K6_LINGER=true s.js",
    ""
)]
#[case::passed_to_the_script_only("k6 run -e K6_LINGER=true s.js", "K6_INCLUDE_SYSTEM_ENV_VARS=0")]
#[case::help_refused("k6 run --help=false s.js", "")]
#[case::a_value_after_the_optional_one("k6 run --http-debug s.js", "")]
#[case::a_missing_value("k6 run s.js --out", "")]
fn what_agrees_is_not_refused(#[case] line: &str, #[case] pairs: &str) {
    check_in(line, pairs).unwrap();
}

#[test]
fn what_is_passed_to_the_script_only_settles_nothing() {
    let line = "k6 run -e K6_LINGER=false --include-system-env-vars=F s.js";
    let complaints = check_in(line, "K6_LINGER=true").unwrap_err();
    assert_eq!(
        complaints,
        [Contradiction::Linger(variable("K6_LINGER", "true"))]
    );
}

#[rstest]
#[case("k6 run --help s.js", "`--help`")]
#[case("k6 run -h", "`-h`")]
#[case("k6 run -qh s.js", "`-qh`")]
fn asking_for_help_is_refused(#[case] line: &str, #[case] named: &str) {
    let complaints = check(line).unwrap_err();
    assert!(
        complaints[0].to_string().starts_with(named),
        "{complaints:?}"
    );
}

#[rstest]
#[case::the_next_word_may_be_its_value("k6 run --later -l s.js", "--later", "-l")]
#[case::or_the_end_of_flags("k6 run --later -- -l", "--later", "--")]
#[case::a_letter_too("k6 run -X --paused=false s.js", "-X", "--paused=false")]
#[case::a_letter_in_a_bundle("k6 run -qX s.js", "-qX", "-qX")]
#[case::a_letter_before_others("k6 run -Xl s.js", "-Xl", "-Xl")]
#[case::a_dash_in_a_bundle("k6 run -p- s.js", "-p-", "-p-")]
#[case::a_letter_without_its_value("k6 run -p= s.js", "-p=", "-p=")]
fn an_unknown_flag_that_could_hide_one_is_refused(
    #[case] line: &str,
    #[case] flag: &str,
    #[case] word: &str,
) {
    let doubt = Contradiction::UnknownFlag {
        flag: flag.into(),
        word: word.into(),
    };
    assert!(check(line).unwrap_err().contains(&doubt));
}

#[rstest]
#[case("k6 run --later s.js")]
#[case("k6 run --later value s.js")]
#[case("k6 run --later=value -q s.js")]
#[case("k6 run s.js --later")]
#[case("k6 run s.js -X")]
#[case("k6 run -X=value -q s.js")]
#[case("k6 run ---bad --=bad -q s.js")]
fn any_other_unknown_flag_is_left_to_k6(#[case] line: &str) {
    check(line).unwrap();
}

#[test]
fn everything_is_told_at_once() {
    let complaints = CommandLine::parse(&words("k6 -a:1 run -qp=false --no-setup=false"))
        .unwrap()
        .check(
            &environment("K6_ADDRESS=:2"),
            Some(&config_file(r#"{"linger": true}"#)),
        )
        .unwrap_err();
    assert_eq!(
        complaints,
        [
            Contradiction::NoScript,
            Contradiction::Address(flag("-a:1")),
            Contradiction::Address(variable("K6_ADDRESS", ":2")),
            Contradiction::NotPaused(flag("-qp=false")),
            Contradiction::SetupByK6(flag("--no-setup=false")),
            Contradiction::Linger(Source::ConfigKey {
                key: "linger",
                path: "/etc/k6.json".into(),
            }),
        ]
    );
}

#[rstest]
#[case("k6 run -qp=false s.js", "", &["`-qp=false`", "leave it out"])]
#[case("k6 run s.js", "K6_ADDRESS=:1", &["`K6_ADDRESS=:1` in the environment", "unset it"])]
#[case("k6 run s.js", "K6_PAUSED=1", &["`K6_PAUSED=1`", "write `true` or `false`, or unset it", "would exit"])]
#[case("k6 run s.js --linger", "", &["`--linger`", "leave it out"])]
#[case("k6 run --lingr -q s.js", "", &["`--lingr`", "`-q`", "correct it"])]
fn a_complaint_names_what_it_is_about_and_the_cure(
    #[case] line: &str,
    #[case] pairs: &str,
    #[case] parts: &[&str],
) {
    let complaint = only_complaint(check_in(line, pairs));
    for part in parts {
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[rstest]
#[case::nothing("", CommandLineError::Empty)]
#[case::no_subcommand("k6 -q", CommandLineError::NoSubcommand { program: "k6".into() })]
#[case::another("k6 cloud run s.js", CommandLineError::OtherSubcommand { subcommand: "cloud".into() })]
#[case::hidden("k6 --paused run s.js", CommandLineError::OtherSubcommand { subcommand: "s.js".into() })]
fn what_is_no_run_cannot_be_read(#[case] line: &str, #[case] expected: CommandLineError) {
    let argv = if line.is_empty() {
        Vec::new()
    } else {
        words(line)
    };
    assert_eq!(CommandLine::parse(&argv), Err(expected));
}
