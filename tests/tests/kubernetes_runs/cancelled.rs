//! Schedulers that are told to end, or killed.

use nix::sys::signal::Signal;
use rendezvous::Phase;
use support::{
    cluster::{self, Cluster},
    load_test::{ENDED_WITHIN, LoadTest, MAIN, PODS_WITHIN, Pod, RunnerProcess, ended},
    wait,
};

use crate::load::{assert_together, count};

#[derive(Clone, Copy, PartialEq)]
enum When {
    Gathering,
    Armed,
    Running,
}

#[test]
fn a_cancelled_pipeline_leaves_no_load_behind() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    // All at once, for they mostly wait.
    std::thread::scope(|scope| {
        for when in [When::Gathering, When::Armed, When::Running] {
            for signal in [Signal::SIGTERM, Signal::SIGINT] {
                scope.spawn(move || cancel(cluster, when, signal));
            }
        }
    });
}

fn cancel(cluster: &Cluster, when: When, signal: Signal) {
    let held: &[&str] = if when == When::Gathering {
        &["main-1"]
    } else {
        &[]
    };
    let load_test = LoadTest::short(cluster, 2, "5m", held).without_warmup();
    load_test.apply();
    let scheduler = load_test.start(&[MAIN]);
    let pods = match when {
        When::Gathering => [(0, Phase::Ready), (1, Phase::Starting)]
            .map(|(index, phase)| load_test.pods().wait_for_phase(index, MAIN, phase))
            .to_vec(),
        When::Armed | When::Running => load_test.pods().wait_for_all(2, MAIN, Phase::Armed),
    };
    if when == When::Gathering {
        scheduler.wait_for_line("1/2 ready", PODS_WITHIN);
    }
    let run = |pod: &Pod| count(&load_test, pod, "/main") > 0;
    if when == When::Running {
        wait::until("the load of both", ENDED_WITHIN, || {
            pods.iter().all(run).then_some(())
        });
    }
    scheduler.signal(signal);

    let ended = ended(&scheduler);
    ended
        .assert(76)
        .result()
        .assert_ending("cancelled", signal.as_str());
    for pod in &pods {
        let (code, message) = load_test.pods().wait_for_end(pod, MAIN);
        assert_eq!(code, 76, "{message}");
        assert!(message.starts_with("aborted (76)"), "{message}");
        assert_eq!(run(pod), when == When::Running);
        let left = RunnerProcess::all_of(&pod.uid);
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn a_killed_scheduler_that_is_run_again_goes_on_with_the_run() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::short(cluster, 2, "2s", &["main-1"]).without_warmup();
    load_test.apply();
    let gathering = load_test.start(&[MAIN]);
    gathering.wait_for_line("1/2 ready", PODS_WITHIN);
    gathering.signal(Signal::SIGKILL);
    gathering.wait(PODS_WITHIN);

    let armed = load_test.start(&[MAIN]);
    load_test.release("main-1");
    let pods = load_test.pods().wait_for_all(2, MAIN, Phase::Armed);
    let set = armed.wait_for_line("start set for", PODS_WITHIN);
    armed.signal(Signal::SIGKILL);
    armed.wait(PODS_WITHIN);

    let last = load_test.start(&[MAIN]);
    let set_before = set.split("start set").nth(1).unwrap();
    last.wait_for_line(set_before, PODS_WITHIN);
    let ended = ended(&last);
    let result = ended.assert(0).result();
    assert_together(&load_test, &pods, "/main", &result);
}
