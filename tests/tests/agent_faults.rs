//! What k6 shows rarely or never by itself: an API that answers wrongly or not at all, and a k6 that will not end.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
};
use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Answer, Behaviour, Event, FakeK6},
    moment::Moment,
    programs::{self, K6},
    runner::{Launch, Runner, SOON, k6_run},
    stage::Stage,
    target::Target,
    wait,
    wrapped_k6::WrappedK6,
};

/// Long enough for the runner to see the plan before the instant.
const LEAD: Duration = Duration::from_secs(1);

/// How long a k6 that answered the resume and does not start may live after the instant: the ten seconds of the agent,
/// and some.
const KILLED_WITHIN: TimeDelta = TimeDelta::seconds(20);

/// How long one may that did not answer: the second of the tolerance, and some.
const FROZEN_KILLED_WITHIN: TimeDelta = TimeDelta::seconds(6);

const RUNNER: &str = "runner-1";

fn start<'a>(stage: &'a Stage, name: &str, k6: &FakeK6, options: &[&str]) -> Runner<'a> {
    Launch::new(stage, name)
        .fake_k6(k6)
        .options(options)
        .start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()])
}

/// How many resumes a k6 was sent.
fn resumes(k6: &FakeK6) -> usize {
    let patches = k6.requests("PATCH /v1/status");
    let is_resume = |event: &Event| matches!(event, Event::Request { body, .. } if body.contains(r#""paused":false"#));
    patches.iter().filter(|it| is_resume(&it.event)).count()
}

#[rstest]
#[case::an_error(Answer::Error(500, "no".to_owned()))]
#[case::a_reset(Answer::Close)]
#[case::silence(Answer::Never)]
#[case::garbage(Answer::Garbage)]
fn a_resume_with_a_bad_answer_is_good_if_k6_runs(#[case] resume: Answer) {
    let stage = Stage::new();
    let behaviour = Behaviour {
        resume,
        run: Duration::from_secs(2),
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    assert_eq!(resumes(&k6), 1);
    assert!(ended.report.start.unwrap().running_at.is_some());
}

#[test]
fn a_resume_that_starts_nothing_is_sent_once_and_then_k6_is_killed() {
    let stage = Stage::new();
    let answers = [
        ("all-is-well", Answer::AsK6),
        ("an-error", Answer::Error(500, "no".to_owned())),
        ("a-reset", Answer::Close),
        ("silence", Answer::Never),
    ];
    // All in one stage: one wait is enough.
    let runners = answers.map(|(name, resume)| {
        let behaviour = Behaviour {
            resume,
            starts: false,
            // It could be gone in many ways; only the kill is none that it takes part in.
            ignores_stop: true,
            ignores_signals: true,
            ..Behaviour::default()
        };
        let k6 = FakeK6::new(stage.scratch(), name, &behaviour);
        (start(&stage, name, &k6, &[]), k6)
    });
    for (runner, _) in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let instant = stage.set_in(LEAD);
    for (runner, k6) in &runners {
        let ended = runner.ended(SOON);
        assert!(ended.exit.at.utc - instant < KILLED_WITHIN, "{ended:?}");
        ended
            .assert(Phase::Failed, 73)
            .assert_reason("k6 did not start");
        assert_eq!(resumes(k6), 1);
        assert!(ended.report.start.unwrap().running_at.is_none());
        let last = k6.record().pop().unwrap().event;
        assert!(!matches!(last, Event::Exiting(_)), "{last:?}");
    }
}

#[rstest]
#[case(0, 73)]
#[case(99, 99)]
fn a_k6_that_ends_after_a_resume_without_answer_is_not_known_to_have_run(
    #[case] exit_code: u8,
    #[case] code: i32,
) {
    let stage = Stage::new();
    let behaviour = Behaviour {
        resume: Answer::Close,
        run: Duration::ZERO,
        exit_code,
        // It never says that it runs.
        starting: vec![4; 1000],
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner
        .ended(SOON)
        .assert(Phase::Failed, code)
        .assert_reason("not known whether it ran");
    assert_eq!(resumes(&k6), 1);
}

#[test]
fn a_k6_that_runs_and_ends_before_anybody_can_look_has_run() {
    let stage = Stage::new();
    let behaviour = Behaviour {
        run: Duration::ZERO,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn the_start_is_what_k6_says_and_not_what_it_answers_to_the_resume() {
    let stage = Stage::new();
    let behaviour = Behaviour {
        // Paused still, then initialised, then in its own setup().
        starting: [vec![4; 20], vec![5; 5], vec![6; 5]].concat(),
        run: Duration::from_secs(3),
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &["--setup", "k6"]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    let ended = runner.ended(SOON);
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.unwrap();
    let (running, load) = (start.running_at.unwrap(), start.load_at.unwrap());
    assert!(
        running - start.fired_at > TimeDelta::milliseconds(20),
        "{start:?}"
    );
    assert!(load > running, "{start:?}");
    assert!(k6.requests("POST /v1/setup").is_empty());
}

#[rstest]
#[case::never_opens(Behaviour { init: None, ..Behaviour::default() }, "k6 to read the script")]
#[case::answers_garbage(Behaviour { status: Answer::Garbage, ..Behaviour::default() }, "cannot be read")]
#[case::answers_an_error(Behaviour { status: Answer::Error(503, "no".to_owned()), ..Behaviour::default() }, "503")]
#[case::never_answers(Behaviour { status: Answer::Never, ..Behaviour::default() }, "no answer")]
#[case::closes(Behaviour { status: Answer::Close, ..Behaviour::default() }, "k6's API")]
#[case::answers_without_end(Behaviour { status: Answer::Huge(1_000_000), ..Behaviour::default() }, "longer than")]
#[case::builds_for_ever(Behaviour { building: vec![1; 1000], ..Behaviour::default() }, "build its VUs")]
fn a_k6_that_does_not_become_ready_is_given_up(#[case] behaviour: Behaviour, #[case] reason: &str) {
    let stage = Stage::new();
    stage.set_in(Duration::from_secs(600));
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(
        &stage,
        RUNNER,
        &k6,
        &["--ready-timeout", "3s", "--grace", "20s"],
    );
    let began = Instant::now();
    let ended = runner.ended(SOON);
    ended
        .assert(Phase::Failed, 73)
        .assert_reason("did not become ready within 3s")
        .assert_reason(reason);
    // The grace is for a k6 that does not hear the stop: all of these do.
    assert!(ended.exit.at.monotonic - began < Duration::from_secs(15));
    assert_eq!(resumes(&k6), 0);
}

#[rstest]
#[case(0, 73)]
#[case(99, 99)]
#[case(255, 255)]
fn a_k6_that_ends_before_the_start_has_not_ended_well(#[case] exit: u8, #[case] code: i32) {
    let stage = Stage::new();
    let behaviour = Behaviour {
        ends_waiting: Some((Duration::from_secs(1), exit)),
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    stage.set_in(Duration::from_secs(600));
    runner
        .ended(SOON)
        .assert(Phase::Failed, code)
        .assert_reason("before the start");
    assert_eq!(resumes(&k6), 0);
}

#[rstest]
#[case::k6_lives(None, 109)]
#[case::k6_has_ended(Some((Duration::from_millis(500), 99)), 99)]
fn a_setup_whose_connection_drops_tells_k6s_code_if_k6_has_ended(
    #[case] ends_waiting: Option<(Duration, u8)>,
    #[case] code: i32,
) {
    let stage = Stage::new();
    let behaviour = Behaviour {
        setup: if ends_waiting.is_some() {
            Answer::Never
        } else {
            Answer::Close
        },
        ends_waiting,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    stage.set_in(Duration::from_secs(600));
    runner.ended(SOON).assert(Phase::Failed, code);
    assert_eq!(k6.requests("POST /v1/setup").len(), 1);
    assert_eq!(resumes(&k6), 0);
}

#[test]
fn a_setup_that_runs_is_ended_by_closing_its_connection_before_k6_is_stopped() {
    let stage = Stage::new();
    let behaviour = Behaviour {
        setup: Answer::Never,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    wait::until("setup() to run", SOON, || {
        k6.requests("POST /v1/setup").pop()
    });
    stage.abort("enough");
    runner.ended(SOON).assert(Phase::Aborted, 76);
    let record = k6.record();
    let at = |is_it: &dyn Fn(&Event) -> bool| record.iter().position(|it| is_it(&it.event));
    let closed = at(&|event| *event == Event::Abandoned("POST /v1/setup".to_owned()));
    let stopped = at(
        &|event| matches!(event, Event::Request { request, .. } if request == "PATCH /v1/status"),
    );
    assert!(closed.is_some() && stopped.is_some(), "{record:#?}");
    assert!(closed < stopped, "{record:#?}");
}

#[test]
fn the_port_of_the_api_is_tried_anew_where_another_program_was_faster() {
    let stage = Stage::new();
    let behaviour = Behaviour {
        port_taken: 2,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    runner.wait_for_phase(Phase::Ready, SOON);
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
    assert_eq!(starts(&k6), 3);
}

#[test]
fn the_port_of_the_api_is_not_tried_for_ever() {
    let stage = Stage::new();
    let behaviour = Behaviour {
        port_taken: 1000,
        ..Behaviour::default()
    };
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &[]);
    runner.ended(SOON).assert(Phase::Failed, 106);
    assert!((2..=10).contains(&starts(&k6)), "{}", starts(&k6));
}

fn starts(k6: &FakeK6) -> usize {
    let record = k6.record();
    let is_start = |event: &Event| matches!(event, Event::Started(_));
    record.iter().filter(|it| is_start(&it.event)).count()
}

#[rstest]
#[case::everything(Behaviour { ignores_stop: true, ignores_signals: true, ..Behaviour::default() })]
#[case::teardown_hangs(Behaviour { teardown: Answer::Never, ..Behaviour::default() })]
#[case::teardown_fails(Behaviour { teardown: Answer::Error(500, "no".to_owned()), ..Behaviour::default() })]
fn a_k6_that_will_not_end_is_ended(#[case] behaviour: Behaviour) {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &behaviour);
    let runner = start(&stage, RUNNER, &k6, &["--grace", "2s"]);
    runner.wait_for_phase(Phase::Ready, SOON);
    let asked = Instant::now();
    stage.abort("enough");
    let ended = runner.ended(SOON);
    let took = ended.exit.at.monotonic - asked;
    println!("gone after {took:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
    ended.assert(Phase::Aborted, 76);
    assert_eq!(k6.requests("POST /v1/teardown").len(), 1);
}

#[test]
fn a_k6_that_is_stopped_across_the_instant_is_killed_and_never_makes_load() {
    let (stage, target) = (Stage::new(), Target::start());
    let versions = [K6::V1, K6::V2].into_iter().filter_map(K6::program);
    // All in one stage: one wait is enough.
    let runners: Vec<(Runner, bool)> = versions
        .flat_map(|k6| [(k6.clone(), false), (k6, true)])
        .zip(["a", "b", "c", "d"])
        .map(|((k6, connected), name)| {
            let runner = Launch::new(&stage, name)
                .env("TARGET", target.url())
                .start(k6_run(&k6, &[], "constant-vus"));
            (runner, connected)
        })
        .collect();
    for (runner, _) in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let stopped: Vec<_> = runners.iter().map(|(runner, _)| runner.k6().id).collect();
    let instant = stage.set_in(Duration::from_secs(8));
    for ((runner, connected), k6) in runners.iter().zip(&stopped) {
        runner.wait_for_phase(Phase::Armed, SOON);
        if *connected {
            runner.wait_until_connected();
        }
        kill(*k6, Signal::SIGSTOP).unwrap();
    }
    for (runner, _) in &runners {
        let ended = runner.ended(SOON);
        ended
            .assert(Phase::Failed, 73)
            .assert_reason("k6 did not start");
        assert!(
            ended.exit.at.utc - instant < FROZEN_KILLED_WITHIN,
            "{ended:?}"
        );
    }
    // The resume that it has not read would have started it now.
    for k6 in stopped {
        assert_eq!(kill(k6, Signal::SIGCONT), Err(Errno::ESRCH));
    }
    assert!(target.first_requests().is_empty());
}

#[test]
fn a_frozen_k6_that_thaws_too_late_makes_no_load_unless_a_late_start_is_welcome() {
    let (stage, target) = (Stage::new(), Target::start());
    let k6 = K6::V1.program().unwrap();
    let runners = ["refuse", "join"].map(|late| {
        Launch::new(&stage, late)
            .env("TARGET", target.url())
            .options(["--late", late])
            .start(k6_run(&k6, &[], "constant-vus"))
    });
    for runner in &runners {
        runner.wait_for_phase(Phase::Ready, SOON);
    }
    let instant = stage.set_in(Duration::from_secs(6));
    let frozen = runners.each_ref().map(|runner| {
        runner.wait_for_phase(Phase::Armed, SOON);
        runner.wait_until_connected();
        let k6 = runner.k6().id;
        kill(k6, Signal::SIGSTOP).unwrap();
        k6
    });
    let [refused, joined] = &runners;
    let ended = refused.ended(SOON);
    ended.assert(Phase::Failed, 73);
    let thawed = wait::until("the time to thaw", SOON, || {
        let now = Moment::now().utc;
        (now > instant + TimeDelta::seconds(3)).then_some(now)
    });
    kill(frozen[1], Signal::SIGCONT).unwrap();
    let ended = joined.ended(SOON);
    ended.assert(Phase::Finished, 0);
    let start = ended.report.start.clone().unwrap();
    // However well the resume was timed.
    assert!(start.lateness < TimeDelta::seconds(1), "{start:?}");
    assert!(start.running_at.is_none_or(|at| at > thawed), "{start:?}");
    let load = target.first_requests();
    assert_eq!(load.keys().collect::<Vec<_>>(), ["join"]);
    assert!(load["join"].first.utc > thawed);
}

#[test]
fn what_k6_leaves_running_holds_nothing_up() {
    let stage = Stage::new();
    let k6 = WrappedK6::new(&stage, &programs::fake_k6()).before("sleep 600 &");
    let fake = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let runner = k6
        .environment(Launch::new(&stage, RUNNER))
        .fake_k6(&fake)
        .start([k6.path().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    // It has k6's standard error open, as a helper of k6 has.
    stage.abort("enough");
    runner.ended(SOON).assert(Phase::Aborted, 76);
}
