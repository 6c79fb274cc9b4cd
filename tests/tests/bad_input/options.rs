//! Options and their variables.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use rstest::rstest;

use crate::told::Which::{self, Agent, Local, Start};
use crate::told::assert_says;

const NO_DURATION: &str = "give a duration such as 90s or 10m";
const OUT_OF_RANGE: &str = "it must be between";

const RUN: &str =
    "it must be 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends";
const STAGE: &str =
    "it must be 1 to 40 lower-case letters, digits or '-', with a letter or digit at both ends";
const RUNNER: &str =
    "it must be 1 to 63 lower-case letters, digits or '-', with a letter or digit at both ends";
const STORE: &str = "give dir:PATH, such as dir:/tmp/rendezvous, or kubernetes:NAME or \
                     kubernetes:NAMESPACE/NAME with the name of the Job";
const JOB: &str =
    "it must be the name of a Job: at most 63 lower-case letters, digits, '-' and '.'";
const NAMESPACE: &str =
    "it must be the name of a namespace: at most 63 lower-case letters, digits and '-'";
const TIME: &str = "give an RFC 3339 time with its zone, such as 2030-01-31T12:00:00Z";
const YEARS: &str = "it must be between the years 2020 and 2261";

/// Whether it is refused alike on the command line and by the variable.
fn assert_refused(which: Which, option: &str, value: impl AsRef<OsStr>, words: &str) {
    let by_flag = which.refuses(option, &value);
    let by_variable = which.refuses_variable(option, &value);
    for message in [by_flag, by_variable] {
        assert_says(&message, option);
        assert_says(&message, words);
    }
}

#[rstest]
fn a_duration_that_is_none_is_refused(
    #[values(
        (Agent, "--deadline"),
        (Agent, "--ready-timeout"),
        (Agent, "--grace"),
        (Agent, "--late-tolerance"),
        (Agent, "--setup-max-age"),
        (Agent, "--max-clock-error"),
        (Agent, "--spin"),
        (Start, "--max-wait"),
        (Start, "--grace-period"),
        (Start, "--lead"),
        (Start, "--late-tolerance"),
        (Start, "--max-clock-error"),
        (Local, "--ready-timeout"),
        (Local, "--grace"),
        (Local, "--setup-max-age")
    )]
    of: (Which, &str),
) {
    for value in [
        "",
        " ",
        "5",
        "soon",
        "-1s",
        "1.5.5s",
        "99999999999999999999s",
        "10parsecs",
    ] {
        assert_refused(of.0, of.1, value, NO_DURATION);
    }
    // What can be counted, and nobody waits for.
    assert_refused(of.0, of.1, "500years", OUT_OF_RANGE);
}

#[rstest]
fn a_duration_of_nothing_is_refused_where_something_is_waited_for(
    #[values(
        (Agent, "--deadline"),
        (Agent, "--ready-timeout"),
        (Agent, "--grace"),
        (Agent, "--setup-max-age"),
        (Agent, "--max-clock-error"),
        (Start, "--max-wait"),
        (Start, "--lead"),
        (Start, "--max-clock-error"),
        (Local, "--ready-timeout"),
        (Local, "--grace"),
        (Local, "--setup-max-age")
    )]
    of: (Which, &str),
    #[values("0s", "0ms", "0h 0m 0s")] nothing: &str,
) {
    assert_refused(of.0, of.1, nothing, OUT_OF_RANGE);
}

/// 64 characters.
const TOO_LONG: &str = "a123456789b123456789c123456789d123456789e123456789f123456789g123";

/// All but the first two are refused as the id of a run as well.
#[rstest]
#[case::capitals("Runner", false)]
#[case::a_dot_within("a.b", false)]
#[case::too_long(TOO_LONG, true)]
#[case::a_dot_in_front(".a", true)]
#[case::a_dash_at_the_end("a-", true)]
#[case::a_slash("a/b", true)]
#[case::up("..", true)]
#[case::a_blank("a b", true)]
#[case::another_script("ä", true)]
#[case::a_line_end("a\n", true)]
fn a_name_that_kubernetes_refuses_is_refused(#[case] name: &str, #[case] also_of_a_run: bool) {
    if also_of_a_run {
        assert_refused(Agent, "--run", name, RUN);
        assert_refused(Start, "--run", name, RUN);
    }
    assert_refused(Agent, "--stage", name, STAGE);
    assert_refused(Start, "--stage", name, STAGE);
    assert_refused(Agent, "--runner", name, RUNNER);
}

#[test]
fn a_name_of_nothing_says_where_it_should_have_come_from() {
    let run = "it is empty: the pod has no label batch.kubernetes.io/controller-uid: \
               is it made by a Job? Else give --run";
    let runner = "it is empty: in a pod it is the pod's UID (fieldRef metadata.uid)";
    let container = "the downward API does not know it: write the container's name into the \
                     manifest, or leave it out";
    assert_refused(Agent, "--run", "", run);
    assert_refused(Agent, "--runner", "", runner);
    assert_refused(
        Agent,
        "--stage",
        "",
        "it is empty: name the stage, such as main, or leave it out",
    );
    assert_refused(
        Agent,
        "--name",
        "",
        "it is empty: in a pod it is the pod's name (fieldRef metadata.name)",
    );
    assert_refused(
        Agent,
        "--node",
        "",
        "in a pod it is the node's name (fieldRef spec.nodeName)",
    );
    assert_refused(Agent, "--container", "", container);
    assert_refused(Start, "--run", "", "run id \"\" cannot be used: it must be");
    assert_refused(Start, "--stage", "", STAGE);
}

#[rstest]
#[case::nothing("", STORE)]
#[case::a_path("/tmp/x", STORE)]
#[case::of_another_kind("etcd:x", STORE)]
#[case::nowhere("dir:", STORE)]
#[case::capitals("kubernetes:Load", "\"Load\" is no name of a Job")]
#[case::namespace_in_capitals("kubernetes:Load/x", "\"Load\" is no name of a namespace")]
#[case::no_namespace("kubernetes:/x", "is no name of a namespace: give dir:PATH")]
#[case::deeper("kubernetes:a/b/c", "\"b/c\" is no name of a Job: give dir:PATH")]
#[case::too_long(
    "kubernetes:a123456789b123456789c123456789d123456789e123456789f123456789g123",
    "is no name of a Job"
)]
fn a_store_that_is_none_is_refused(#[case] store: &str, #[case] words: &str) {
    assert_refused(Agent, "--store", store, words);
    assert_refused(Start, "--store", store, words);
}

#[test]
fn a_store_without_a_jobs_name_asks_for_the_job() {
    let agent = "no name stands at its end; usually it is that of the Job, from the pod's label \
                 batch.kubernetes.io/job-name: is the pod made by a Job? Else give --store kubernetes:NAME";
    assert_refused(Agent, "--store", "kubernetes:", agent);
    let scheduler = "the name is empty: is this pod made by a Job? Otherwise give dir:PATH";
    assert_refused(Start, "--store", "kubernetes:", scheduler);
    assert_refused(
        Start,
        "--store",
        "kubernetes:load/",
        "\"\" is no name of a Job: give dir:PATH",
    );
}

#[rstest]
fn a_job_and_a_namespace_have_names_that_kubernetes_allows(
    #[values("", "Load", "a_b", "a/b", "..", "a b", TOO_LONG)] name: &str,
) {
    assert_refused(Start, "--job", name, JOB);
    assert_refused(Start, "--namespace", name, NAMESPACE);
}

#[rstest]
#[case::nothing("", TIME)]
#[case::a_word("tomorrow", TIME)]
#[case::seconds("1900000000", TIME)]
#[case::no_zone("2030-01-31T12:00:00", TIME)]
#[case::no_time("2030-01-31", TIME)]
#[case::no_such_day("2030-02-30T12:00:00Z", TIME)]
#[case::no_such_hour("2030-01-31T24:00:00Z", TIME)]
#[case::no_such_zone("2030-01-31T12:00:00+25:00", TIME)]
#[case::a_zones_name("2030-01-31T12:00:00 Europe/Berlin", TIME)]
#[case::five_digits("+12030-01-31T12:00:00Z", TIME)]
#[case::a_leap_second(
    "2030-06-30T23:59:60Z",
    "a leap second cannot be waited for: no clock here counts it"
)]
#[case::a_leap_second_in_a_zone(
    "2030-07-01T05:44:60+05:45",
    "a leap second cannot be waited for: no clock here counts it"
)]
#[case::the_first_year("0001-01-01T00:00:00Z", YEARS)]
#[case::before_the_first_year("0000-01-01T00:00:00Z", YEARS)]
#[case::the_epoch("1970-01-01T00:00:00Z", YEARS)]
#[case::too_early_by_its_zone("2020-01-01T00:00:00+14:00", YEARS)]
#[case::too_late_by_its_zone("2261-12-31T23:00:00-12:00", YEARS)]
#[case::the_last_year("9999-12-31T23:59:59Z", YEARS)]
fn an_instant_that_cannot_be_is_refused(#[case] at: &str, #[case] words: &str) {
    assert_refused(Start, "--at", at, words);
    assert_refused(Local, "--at", at, words);
}

#[rstest]
#[case("--late", "perhaps", "give refuse, join or skip")]
#[case(
    "--ntp",
    "ntp1,ntp1",
    "'ntp1' is named twice, and every server has one vote"
)]
#[case(
    "--ntp",
    "auto,ntp1",
    "'auto' stands alone, not in a list (a server of that name is written auto:123)"
)]
#[case(
    "--ntp",
    "a b",
    "'a b' is no time server: a host name has letters, digits, '-', '.' and '_' only (expected host, host:port or [IPv6 address]:port)"
)]
#[case("--ntp", "", "the host is missing")]
#[case("--setup", "never", "--setup")]
#[case("--log-format", "xml", "--log-format")]
fn another_value_of_the_agents_is_refused(
    #[case] option: &str,
    #[case] value: &str,
    #[case] words: &str,
) {
    assert_refused(Agent, option, value, words);
}

#[rstest]
#[case("--first-requests", "https://127.0.0.1/", "give an http:// URL")]
#[case("--first-requests", "nowhere", "--first-requests")]
#[case(
    "--min-runners",
    "3",
    "--min-runners 3 is more than there are to be (2): the quorum could never come"
)]
#[case("--runners", "0", "--runners")]
#[case("--runners", "18446744073709551616", "--runners")]
#[case(
    "--context",
    "lab",
    "--context is for Kubernetes, and a directory is on this machine"
)]
#[case(
    "--selector",
    "app=k6",
    "--selector is for Kubernetes, and a directory is on this machine"
)]
#[case(
    "--namespace",
    "load",
    "--namespace is for --job; a store names its namespace itself: kubernetes:NAMESPACE/NAME"
)]
#[case(
    "--job",
    "load-test",
    "--job and --store exclude each other: the store of a Job's run is its namespace"
)]
fn another_value_of_the_schedulers_is_refused(
    #[case] option: &str,
    #[case] value: &str,
    #[case] words: &str,
) {
    assert_refused(Start, option, value, words);
}

#[rstest]
#[case(&["start", "--job=j", "--run=r"], "--job and --run exclude each other: the run of a Job is its UID")]
#[case(&["start", "--job=j", "--selector=app=k6"], "--selector is for runners that are no Job's: those of --job are known")]
#[case(&["start", "--runners=1"], "give --job NAME, or --store STORE with --run ID for runners that are no Job's")]
#[case(&["start", "--store=dir:s", "--runners=1"], "--store needs --run ID")]
#[case(&["start", "--store=dir:s", "--run=r"], "--store needs --runners N")]
#[case(&["start", "--job=j", "--stage=a,b,a"], "--stage a is given twice, and is started once")]
#[case(&["start", "--job=j", "--stage=a,b", "--at=2030-01-31T12:00:00Z"], "--at is one instant, and each --stage has its own: start them by a call each")]
#[case(&["start", "--job=j", "--stage=a,b", "--first-requests=http://t/"], "--first-requests cannot tell the requests of several stages apart: start them by a call each")]
fn options_that_do_not_go_together_are_refused(#[case] words: &[&str], #[case] said: &str) {
    let program = support::process::Program::new(support::programs::scheduler());
    let running = program.args(words).start();
    assert_eq!(running.wait(support::runner::SOON).code, Some(64));
    assert_says(&crate::told::one_line(&running.stderr()), said);
}

#[rstest]
fn what_is_no_text_is_refused(
    #[values(
        (Agent, "--run"),
        (Agent, "--store"),
        (Agent, "--deadline"),
        (Agent, "--ntp"),
        (Start, "--run"),
        (Start, "--runners"),
        (Start, "--at"),
        (Local, "--late")
    )]
    of: (Which, &str),
) {
    let no_text = OsStr::from_bytes(b"a\xffb");
    for message in [
        of.0.refuses(of.1, no_text),
        of.0.refuses_variable(of.1, no_text),
    ] {
        assert_says(&message.to_lowercase(), "utf-8");
    }
}

#[rstest]
fn a_filter_of_the_log_that_is_none_is_refused(#[values(Agent, Start, Local)] which: Which) {
    let bad: [&OsStr; 3] = [
        OsStr::new("agent=loud"),
        OsStr::new("=,=="),
        OsStr::from_bytes(b"\xff"),
    ];
    for filter in bad {
        let message = which.run("", |program| program.env("TMINUS_LOG", filter));
        assert_says(&message, "TMINUS_LOG does not say what to log: ");
    }
}

#[test]
fn what_the_agents_options_do_not_allow_together_is_refused() {
    let message = Agent.run("--store", |program| {
        program.args(["--store=kubernetes:load"])
    });
    assert_says(
        &message,
        "a Kubernetes store needs --name, the pod's name (TMINUS_NAME, fieldRef metadata.name)",
    );
    let message = Agent.run("", |program| program.args(["--require-ntp", "--ntp=none"]));
    assert_says(
        &message,
        "--require-ntp wants a time server's word, and --ntp none asks nobody: name a server, or leave one of them out",
    );
}
