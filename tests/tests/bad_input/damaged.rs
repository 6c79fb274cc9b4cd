//! Documents that were cut off or overwritten: told by the name of their file, and nobody starts or ends by them. That
//! they are told at every byte is tested beside the store.

use std::fs;
use std::time::Duration;

use rendezvous::Phase;
use rstest::rstest;
use support::{
    fake_k6::{Behaviour, Event, FakeK6},
    moment::Moment,
    runner::{Launch, SOON},
    scheduler::command_for,
    stage::Stage,
};

use crate::told::{assert_says, one_line};

const LEAD: Duration = Duration::from_secs(1);

/// Bytes that a disk, a careless copy or a hostile neighbour may leave.
fn damages(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let cut =
        [0, 1, bytes.len() / 3, bytes.len() / 2, bytes.len() - 1].map(|at| bytes[..at].to_vec());
    let others = [
        [bytes, bytes].concat(),
        [b"\xff\xfe".as_slice(), bytes].concat(),
        vec![0; bytes.len()],
        (0..=255).collect(),
        vec![b'['; 10_000],
    ];
    cut.into_iter().chain(others).collect()
}

fn was_resumed(k6: &FakeK6) -> bool {
    let is_resume = |event: &Event| matches!(event, Event::Request { request, .. } if request.starts_with("PATCH"));
    k6.record().iter().any(|record| is_resume(&record.event))
}

#[test]
fn a_damaged_plan_starts_nobody_and_a_good_one_in_its_place_does() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let launch = Launch::new(&stage, "a").fake_k6(&k6);
    let runner = launch.start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    runner.wait_for_phase(Phase::Ready, SOON);
    let file = stage.plan_file();
    let plan = stage.plan_for(Moment::now().utc).to_json();
    for bytes in damages(&plan) {
        fs::write(&file, &bytes).unwrap();
        let named = format!("the plan in {} cannot be read: ", file.display());
        runner.wait_for_report("the damaged plan", SOON, |report| {
            let waiting_for = report.waiting_for.as_deref().unwrap_or_default();
            report.phase == Phase::Ready && waiting_for.contains(&named)
        });
        fs::remove_file(&file).unwrap();
        runner.wait_for_report("the place without a plan", SOON, |report| {
            !report
                .waiting_for
                .as_deref()
                .unwrap_or_default()
                .contains(&named)
        });
    }
    assert!(!was_resumed(&k6));
    stage.set_in(LEAD);
    runner.ended(SOON).assert(Phase::Finished, 0);
}

#[test]
fn a_damaged_report_of_its_own_is_not_taken_for_a_runner_that_never_started() {
    let stage = Stage::new();
    let k6 = FakeK6::new(stage.scratch(), "k6", &Behaviour::default());
    let file = stage.report_file(&"a".parse().unwrap());
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "{\"version\":1,").unwrap();
    stage.set_in(LEAD);
    let launch = Launch::new(&stage, "a").fake_k6(&k6);
    let runner = launch.start([k6.program().as_os_str(), "run".as_ref(), "x.js".as_ref()]);
    let named = format!("the report in {} cannot be read: ", file.display());
    runner.process().wait_for_line(&named, SOON);
    assert!(!was_resumed(&k6));
    assert_eq!(
        fs::read(&file).unwrap(),
        b"{\"version\":1,",
        "it was overwritten"
    );
}

#[rstest]
fn a_scheduler_names_a_damaged_plan_and_leaves_it_alone(
    #[values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)] which: usize,
    #[values("start", "status")] command: &str,
) {
    let stage = Stage::new();
    let file = stage.plan_file();
    let bytes = damages(&stage.plan_for(Moment::now().utc).to_json()).swap_remove(which);
    fs::write(&file, &bytes).unwrap();
    let program = command_for(&stage, command);
    let program = if command == "start" {
        program.args(["--runners", "1"])
    } else {
        program
    };
    let running = program.start();
    let code = running.wait(SOON).code;
    let told = one_line(&(running.stderr() + &running.stdout()));
    assert_says(
        &told,
        &format!("the plan in {} cannot be read: ", file.display()),
    );
    if command == "start" {
        assert_eq!(code, Some(69), "{told}");
        assert_says(
            &told,
            ". If no run is under way there, remove it and start again",
        );
    } else {
        assert_eq!(code, Some(0), "{told}");
    }
    assert_eq!(fs::read(&file).unwrap(), bytes);
}
