//! Whatever happens in whatever order, some things never do.

use proptest::prelude::*;

use super::*;

fn event() -> impl Strategy<Value = Event> {
    let plan = prop_oneof![
        Just(None),
        Just(Some(gathering(60))),
        (-5_i64..30).prop_map(|seconds| Some(set_for(seconds))),
    ];
    let abort = prop_oneof![9 => Just(None), 1 => Just(Some(Abort::new(run_id(), "x", "y")))];
    let reply = prop_oneof![Just(Reply::Accepted), Just(Reply::Unclear("x".to_owned()))];
    prop_oneof![
        (plan, abort).prop_map(|(plan, abort)| Event::Board {
            plan: Ok(plan),
            abort: Ok(abort)
        }),
        Just(Event::Earlier(None)),
        any::<bool>().prop_map(|armed| earlier_report(Phase::Armed, armed)),
        (0_u64..12).prop_map(|status| Event::Status { status, vus: None }),
        Just(Event::ApiTrouble("x".to_owned())),
        Just(Event::SetupEnded(Ok(Duration::ZERO))),
        Just(Event::SetupEnded(Err(SetupFailure::Refused(
            "x".to_owned()
        )))),
        Just(Event::SetupEnded(Err(SetupFailure::Dropped(
            "x".to_owned()
        )))),
        Just(Event::TeardownEnded(Ok(()))),
        any::<bool>().prop_map(stop_failed),
        prop_oneof![
            (0_u64..12).prop_map(Progress::Status),
            Just(Progress::NoApi),
            Just(Progress::Unknown)
        ]
        .prop_map(Event::Asked),
        Just(Event::Triggered(Triggered::Disarmed)),
        Just(Event::Triggered(Triggered::TooLate(TimeDelta::seconds(3)))),
        Just(Event::Triggered(Triggered::NotSent("x".to_owned()))),
        Just(Event::Triggered(Triggered::Unfit("x".to_owned()))),
        Just(Event::ClockMeasured),
        reply.prop_map(sent),
        any::<u8>().prop_map(|code| Event::K6Ended(K6Exit::Code(code))),
        Just(Event::Signal(StopSignal::Terminate)),
        Just(Event::Tick),
        Just(Event::Tick),
    ]
}

/// What the world would do: a k6 that was not started does not end, a thread that was not started says nothing.
#[derive(Default)]
struct World {
    k6: bool,
    thread: bool,
    setup: bool,
    killed: bool,
    arms: u32,
}

impl World {
    fn allows(&self, event: &Event) -> bool {
        match event {
            Event::K6Ended(_) | Event::Status { .. } => self.k6,
            Event::Triggered(_) => self.thread,
            Event::SetupEnded(_) => self.setup,
            _ => true,
        }
    }

    fn follow(&mut self, event: &Event, actions: &[Action]) {
        match event {
            Event::K6Ended(_) => self.k6 = false,
            Event::Triggered(_) => self.thread = false,
            Event::SetupEnded(_) => self.setup = false,
            _ => {}
        }
        for action in actions {
            match action {
                Action::StartK6 => self.k6 = true,
                Action::Arm { .. } => {
                    assert!(!self.setup, "no resume while setup() is open");
                    assert!(self.k6 && !self.thread);
                    self.thread = true;
                    self.arms += 1;
                }
                Action::RunSetup => {
                    assert!(self.k6 && !self.setup);
                    self.setup = true;
                }
                Action::CancelSetup => self.setup = false,
                Action::KillK6 => self.killed = true,
                _ => {}
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_a_runner_keeps_its_promises(events in prop::collection::vec((event(), 0_u64..40), 1..80)) {
        let mut bench = Bench::new(settings());
        let mut world = World::default();
        for (event, seconds) in events {
            if !world.allows(&event) {
                continue;
            }
            bench.elapsed += Duration::from_secs(seconds);
            let before = bench.machine.phase();
            let actions = bench.on(event.clone());
            world.follow(&event, &actions);
            let after = bench.machine.phase();
            prop_assert!(
                before == after || before.may_become(after) || (before == Phase::Fired && after == Phase::Running),
                "{before} to {after} on {event:?}"
            );
            prop_assert!(world.arms <= 1, "at most one start");
            if let Some(end) = bench.machine.end() {
                prop_assert!(after.is_final());
                prop_assert!(end.code != 0 || matches!(end.phase, Phase::Finished | Phase::Skipped), "{end:?}");
                // What does not even go when it is killed cannot be waited for.
                prop_assert!(!world.k6 || world.killed, "it ended and left k6 behind: {event:?}");
                return Ok(());
            }
        }
    }

    #[test]
    fn whatever_has_happened_everybody_ends(events in prop::collection::vec((event(), 0_u64..40), 0..60)) {
        let mut bench = Bench::new(settings());
        let mut world = World::default();
        for (event, seconds) in events {
            if world.allows(&event) {
                bench.elapsed += Duration::from_secs(seconds);
                let actions = bench.on(event.clone());
                world.follow(&event, &actions);
            }
        }
        // From here on only time passes; k6 waits for ever, and ends when it is killed.
        for _ in 0..20 {
            if bench.machine.end().is_some() {
                return Ok(());
            }
            // A load that has no end of its own has the longest run's.
            let seconds = if bench.machine.phase() == Phase::Running { 24 * 3600 } else { 600 };
            let mut actions = bench.pass(seconds);
            if world.thread && bench.machine.end().is_none() {
                actions.extend(bench.on(Event::Triggered(Triggered::Disarmed)));
                world.thread = false;
            }
            world.follow(&Event::Tick, &actions);
            if world.k6 && world.killed {
                bench.on(Event::K6Ended(K6Exit::Signal(9)));
            }
        }
        prop_assert!(bench.machine.end().is_some(), "{:?}", bench.machine);
    }
}
