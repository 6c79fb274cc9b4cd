//! What a runner says, word by word.

use clock::{Closing, Firing, SourceKind};

use super::*;

const NTP: Status = Status::Synchronised {
    by: SourceKind::Ntp,
};
const MS: Duration = Duration::from_millis(1);

impl Bench {
    fn said(&mut self) -> Vec<String> {
        self.machine.take_notes()
    }

    #[track_caller]
    fn assert_said(&mut self, note: &str) {
        let said = self.said();
        assert!(
            said.iter().any(|one| one == note),
            "no {note:?} in {said:#?}"
        );
    }

    /// Its reason, once k6 has been stopped and has ended.
    fn last_words(&mut self) -> String {
        if self.machine.end().is_none() {
            self.on(Event::TeardownEnded(Ok(())));
            self.on(Event::K6Ended(K6Exit::Code(103)));
        }
        let end = self.machine.end().expect("it has ended");
        end.reason.clone().unwrap_or_default()
    }

    fn waits(&self) -> String {
        self.machine.waiting_for().unwrap_or_default()
    }
}

#[test]
fn what_it_waits_for() {
    let mut bench = Bench::new(settings());
    assert_eq!(bench.waits(), "the store");
    bench.on(Event::Earlier(None));
    bench.board(None);
    assert_eq!(bench.waits(), "k6 to read the script");
    bench.on(Event::ApiTrouble("nobody listens there".to_owned()));
    assert_eq!(bench.waits(), "k6's API: nobody listens there");
    let vus = Some(30);
    bench.on(Event::Status { status: 2, vus });
    assert_eq!(bench.waits(), "k6 to build its VUs, 30 so far");
    bench.status(4);
    assert_eq!(bench.waits(), "setup()");
    bench.on(Event::SetupEnded(Ok(MS)));
    assert_eq!(bench.waits(), "a plan");
    bench.board(Some(Plan {
        run: RunId::new("run-0").unwrap(),
        ..gathering(1)
    }));
    assert_eq!(
        bench.waits(),
        "a plan (the plan there is of run run-0 and stage main)"
    );
    bench.board(Some(set_for(100_000)));
    let ahead = "the plan's instant, 2026-06-02 15:46:40 UTC, is more than a day ahead";
    assert_eq!(bench.waits(), format!("a plan ({ahead})"));
    bench.board(Some(gathering(600)));
    assert_eq!(bench.waits(), "the instant");
    bench.on(Event::StoreTrouble {
        side: StoreSide::Reading,
        text: "it is away".to_owned(),
        denied: false,
    });
    assert_eq!(bench.waits(), "the instant; it is away");
    bench.abort();
    assert_eq!(bench.waits(), "k6 to end; it is away");
    assert_eq!(bench.last_words(), "aborted by somebody: enough");
}

#[rstest]
#[case(
    K6Exit::Code(99),
    "k6 ended before the start: a threshold with abortOnFail was crossed (exit code 99)"
)]
#[case(K6Exit::Code(107), "k6 ended before the start (exit code 107)")]
#[case(K6Exit::Signal(9), "k6 ended before the start (signal 9)")]
fn how_k6_ended_before_the_start(#[case] exit: K6Exit, #[case] words: &str) {
    let mut bench = Bench::ready();
    bench.on(Event::K6Ended(exit));
    assert_eq!(bench.last_words(), words);
}

#[test]
fn a_k6_that_was_not_ready_in_time() {
    let mut bench = Bench::building(settings());
    bench.pass(601);
    assert_eq!(
        bench.last_words(),
        "k6 did not become ready within 10m; it waited for k6 to read the script"
    );
}

#[test]
fn a_k6_that_does_not_hold() {
    let mut bench = Bench::building(settings());
    bench.status(7);
    assert_eq!(
        bench.last_words(),
        "k6 left its pause before it was resumed (status 7)"
    );
}

#[rstest]
#[case(SetupFailure::Refused("Error: no luck".to_owned()), "setup() failed: Error: no luck")]
#[case(
    SetupFailure::Refused("getting instance information in the init context".to_owned()),
    "setup() failed: getting instance information in the init context; this call works only in a running test: use `--setup k6` to leave setup() to k6, after the instant"
)]
#[case(SetupFailure::Dropped("closed".to_owned()), "setup() failed: k6 gave no answer (closed); it may wait for a promise that never settles")]
fn a_setup_that_failed(#[case] failure: SetupFailure, #[case] words: &str) {
    let mut bench = Bench::building(settings());
    bench.status(4);
    bench.on(Event::SetupEnded(Err(failure)));
    bench.pass(2);
    assert_eq!(bench.last_words(), words);
}

#[test]
fn nobody_sets_an_instant() {
    let mut nobody = Bench::new(settings());
    nobody.on(Event::Earlier(None));
    nobody.board(None);
    nobody.status(4);
    nobody.on(Event::SetupEnded(Ok(MS)));
    nobody.pass(1801);
    assert_eq!(
        nobody.last_words(),
        "gave up: no plan came within 30m; was a scheduler started for this run and stage?"
    );
    let mut silent = Bench::ready();
    silent.pass(1801);
    assert_eq!(
        silent.last_words(),
        "gave up: the scheduler was gathering runners and fell silent"
    );
    let mut setting_up = Bench::building(settings());
    setting_up.status(4);
    setting_up.pass(1801);
    assert_eq!(
        setting_up.last_words(),
        "gave up: setup() had not ended, and no instant was set"
    );
}

#[rstest]
#[case(
    LatePolicy::Refuse,
    "came 1m after the instant; `--late join` would start all the same, `--late skip` would pass without load"
)]
#[case(LatePolicy::Skip, "came 1m after the instant")]
fn too_late(#[case] late: LatePolicy, #[case] words: &str) {
    let mut settings = settings();
    settings.rules.late = Some(late);
    let mut bench = Bench::new(settings);
    bench.on(Event::Earlier(None));
    bench.board(Some(set_for(-60)));
    assert_eq!(bench.last_words(), words);
}

#[rstest]
#[case(StopSignal::Terminate, "SIGTERM received")]
#[case(StopSignal::Interrupt, "SIGINT received")]
fn told_to_end(#[case] signal: StopSignal, #[case] words: &str) {
    let mut bench = Bench::ready();
    bench.on(Event::Signal(signal));
    assert_eq!(bench.last_words(), words);
}

#[rstest]
#[case(Triggered::NotSent("nobody listens there".to_owned()), "k6 could not be resumed: nobody listens there")]
#[case(Triggered::Unfit("clock unsynchronised".to_owned()), "the instant came, and the clock was not good enough to start by: clock unsynchronised")]
#[case(Triggered::Disarmed, "the start was called off")]
fn a_resume_that_was_not_sent(#[case] triggered: Triggered, #[case] words: &str) {
    let mut bench = Bench::armed();
    bench.on(Event::Triggered(triggered));
    assert_eq!(bench.last_words(), words);
}

#[test]
fn a_k6_that_was_never_seen_running() {
    let unclear = Reply::Unclear("no answer within 1s".to_owned());
    let mut bench = Bench::fired(unclear.clone());
    bench.pass(11);
    bench.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(
        bench.last_words(),
        "k6 did not start: the resume got no answer within 1s, and k6 was never seen running"
    );
    let mut accepted = Bench::fired(Reply::Accepted);
    accepted.pass(11);
    accepted.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(
        accepted.last_words(),
        "k6 did not start: the resume got a good answer, and k6 was never seen running"
    );
    let mut ended = Bench::fired(unclear);
    ended.on(Event::K6Ended(K6Exit::Code(107)));
    assert_eq!(
        ended.last_words(),
        "k6 ended (exit code 107) and it is not known whether it ran: the resume got no answer within 1s"
    );
}

#[test]
fn a_k6_that_began_too_late() {
    let mut bench = Bench::fired(Reply::Accepted);
    bench.elapsed += Duration::from_secs(11);
    bench.status(7);
    assert_eq!(
        bench.last_words(),
        "k6 was first seen running 11s after the instant, though the resume was sent in time: it was frozen or starved; `--late join` would let it run"
    );
    let mut settings = settings();
    settings.rules.late = Some(LatePolicy::Join);
    let mut joining = Bench::fired_with(settings, Reply::Accepted);
    joining.elapsed += Duration::from_secs(5);
    joining.status(7);
    joining.assert_said(
        "k6 was first seen running 5s after the resume was sent: its load may have begun as late",
    );
    joining.on(Event::K6Ended(K6Exit::Signal(9)));
    assert_eq!(joining.last_words(), "k6 was killed by signal 9");
}

#[test]
fn a_setup_that_is_run_again() {
    let settings = Settings {
        setup_max_age: Some(Duration::from_secs(60)),
        ..settings()
    };
    let mut bench = Bench::ready_with(settings);
    bench.elapsed = Duration::from_secs(61);
    bench.board(Some(set_for(90)));
    bench.assert_said("the data of setup() is too old; running setup() again");
}

#[test]
fn a_port_that_was_taken() {
    let mut bench = Bench::building(settings());
    bench.on(Event::K6Ended(ADDRESS_TAKEN));
    bench.assert_said("the port for k6's API was taken by another process; trying another");
}

#[test]
fn a_k6_that_does_not_end() {
    let mut bench = Bench::ready();
    bench.abort();
    bench.on(Event::TeardownEnded(Err(
        "it took longer than 15s".to_owned()
    )));
    bench.assert_said("teardown() failed: it took longer than 15s");
    bench.on(Event::StopFailed {
        no_api: false,
        detail: "it answered 500 to a stop".to_owned(),
    });
    bench.assert_said(
        "k6 cannot be stopped by its API (it answered 500 to a stop); sending SIGTERM",
    );
    bench.pass(31);
    bench.assert_said("k6 did not end within 30s (--grace) and was killed");
    bench.pass(31);
    bench.assert_said("k6 does not go although it was killed; leaving it to the system");
}

#[test]
fn a_clock_that_is_not_good_enough() {
    let mut bench = Bench::ready();
    bench.status = Status::Unsynchronised;
    bench.on(Event::ClockMeasured);
    bench.assert_said("cannot start by this clock: clock unsynchronised");
    bench.pass(1801);
    assert_eq!(
        bench.last_words(),
        "gave up waiting for a clock to start by: clock unsynchronised"
    );
}

#[test]
fn a_witness_that_disagrees() {
    let mut bench = Bench::ready();
    bench.knowledge.witness_disagrees = Some(TimeDelta::milliseconds(-1_500));
    bench.on(Event::ClockMeasured);
    bench.assert_said(
        "the time servers are at least -1.500 s from the Date that the API server sends: one of them is wrong",
    );
}

#[test]
fn an_instant_that_never_comes() {
    let mut bench = Bench::armed();
    bench.ahead = TimeDelta::hours(-1);
    bench.pass(1_000);
    bench.on(Event::Triggered(Triggered::Disarmed));
    assert_eq!(
        bench.last_words(),
        "the instant did not come: since the countdown began the clock has gone back by 15m or more; look at the time servers"
    );
}

#[rstest]
#[case(
    Closing::Failed,
    "the clock could not be measured after the start: a jump cannot be ruled out"
)]
#[case(
    Closing::Jumped { by: TimeDelta::milliseconds(420) },
    "the clock jumped around the start: measured just after it, the time was +0.420 s from what it was held to be"
)]
fn a_start_whose_clock_is_in_doubt(#[case] closing: Closing, #[case] note: &str) {
    let mut bench = Bench::running();
    bench.status = NTP;
    bench.knowledge.firing = Some(Firing {
        utc: noon() + TimeDelta::seconds(10),
        bound: MS,
        closing,
    });
    bench.on(Event::ClockMeasured);
    bench.assert_said(note);
}

#[test]
fn a_k6_that_only_writes_its_summary() {
    let left = "so that k6 can flush its outputs and write its summary; it is given 30s";
    let mut told = Bench::running();
    told.on(Event::Signal(StopSignal::Terminate));
    told.on(Event::Asked(Progress::Status(9)));
    told.assert_said(&format!(
        "k6's run is over, and SIGTERM is held back, {left}"
    ));
    let mut aborted = Bench::running();
    aborted.abort();
    aborted.on(stop_failed(true));
    aborted.assert_said(&format!("k6's run is over, and it is not stopped, {left}"));
}

#[test]
fn a_k6_that_is_seen_a_little_later_than_it_ran_has_not_begun_late_however_small_the_tolerance() {
    let mut settings = settings();
    settings.rules.late_tolerance = Some(10 * MS);
    let seen_after = |elapsed| {
        let mut bench = Bench::fired_with(settings.clone(), Reply::Accepted);
        bench.elapsed += elapsed;
        bench.status(7);
        bench.machine.take_notes()
    };
    // It is left to its first requests for as long, and busy machines take their time to answer.
    assert_eq!(seen_after(400 * MS), Vec::<String>::new());
    assert_eq!(seen_after(600 * MS).len(), 1);
}

#[test]
fn a_load_that_waited_for_setup() {
    let mut bench = Bench::fired(Reply::Accepted);
    bench.status(5);
    bench.elapsed += Duration::from_secs(12);
    bench.status(7);
    bench.assert_said(
        "k6's load was first seen 12s after the instant, as k6 ran setup() before it; `--setup early` runs it before the instant",
    );
}
