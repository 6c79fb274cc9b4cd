//! The Job that is shipped.

use chrono::{DateTime, Utc};
use support::{
    cluster,
    load_test::{ENDED_WITHIN, JOB, LoadTest, MAIN, WARMUP, ended},
    scheduler::Outcome,
};

use crate::load::{assert_together, count};

/// Two more init containers before the warm-up, the second of which takes longer in one pod.
const EARLIER: &str = "      initContainers:
        - name: a-first
          image: busybox:1
          command: ['true']
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
        - name: b-takes-its-time
          image: busybox:1
          command: [sh, -c, 'test $JOB_COMPLETION_INDEX != 3 || sleep 8']
          securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
";

#[test]
fn six_pods_warm_up_at_one_instant_and_make_the_full_load_at_another() {
    let Some(cluster) = cluster::node() else {
        return;
    };
    let load_test = LoadTest::new(cluster, 6);
    let url = format!("value: {}", load_test.target().url());
    load_test
        .change("      initContainers:\n", EARLIER)
        // So that the two stages can be told apart by what the target sees.
        .change(&url, &format!("{url}/$(TMINUS_STAGE)"))
        // A fifth of the load, and in the warm-up a quarter of that: six runners have two cores here.
        .change("value: \"0.25\"", "value: \"0.05\"")
        .change("value: \"1\"", "value: \"0.2\"");
    // Nor is it slowness on such a machine that this is about.
    load_test
        .manifests()
        .change("job/script.js", "p(95)<500", "p(95)<20000");
    load_test.set_up();
    // A pipeline may well be there before the Job.
    let scheduler = load_test.start(&[WARMUP, MAIN]);
    scheduler.wait_for_line("does not exist", ENDED_WITHIN);
    load_test.apply_job();

    let ended = ended(&scheduler);
    ended.assert(0);
    load_test.kubectl().run([
        "wait",
        "job",
        JOB,
        "--for=condition=Complete",
        "--timeout=60s",
    ]);
    let pods = load_test.pods().all();
    assert_eq!(pods.len(), 6);
    let results = ended.results();
    let [warmup, main] = &results[..] else {
        panic!("{results:#?}")
    };
    let slow = pods.iter().find(|pod| pod.index == 3).unwrap();
    let slow_until = slow.end("b-takes-its-time").unwrap().finished_at.unwrap().0;
    let slow_until = DateTime::<Utc>::from_timestamp(slow_until.as_second(), 0).unwrap();
    assert!(warmup.start_at().unwrap() > slow_until);
    assert!(main.start_at() > warmup.start_at());

    for (stage, result) in [(WARMUP, warmup), (MAIN, main)] {
        let spread = assert_together(&load_test, &pods, &format!("/{stage}/products"), result);
        println!(
            "{stage}: first requests within {spread}, starts within {} ns",
            result.0["spread_ns"]
        );
        assert_measured(result);
    }
    for pod in &pods {
        // The quarter of the load, over the same time: 10 s at once a second, and at four times a second.
        assert!(
            (10..=11).contains(&count(&load_test, pod, "/warmup/products")),
            "{}",
            pod.name
        );
        assert!(
            (40..=41).contains(&count(&load_test, pod, "/main/products")),
            "{}",
            pod.name
        );
        for container in ["z-warmup", "main"] {
            let end = pod.end(container).unwrap();
            let message = end.message.unwrap_or_default();
            assert!(message.starts_with("finished (0); lateness "), "{message}");
        }
    }
    let told = last_words(&load_test);
    let told: Vec<_> = told.lines().skip(1).collect();
    assert_eq!(told.len(), 6, "{told:#?}");
    for line in told {
        assert_eq!(line.matches("finished (0); lateness ").count(), 2, "{line}");
    }
}

/// The last words of all pods, by the command that the documentation has for that.
fn last_words(load_test: &LoadTest<'_>) -> String {
    let page = include_str!("../../../docs/kubernetes.md");
    let columns = page
        .split('\'')
        .find(|text| text.starts_with("custom-columns=") || text.starts_with("POD:"));
    let columns = columns.unwrap().trim_start_matches("custom-columns=");
    let columns = format!("--output=custom-columns={columns}");
    let selector = format!("--selector=batch.kubernetes.io/job-name={JOB}");
    load_test
        .kubectl()
        .run(["get", "pods", &selector, &columns])
}

/// # Panics
/// If the result knows of any runner's clock only what its node says, or not how good it was.
fn assert_measured(result: &Outcome) {
    let runners = result.0["runners"].as_array().unwrap();
    assert_eq!(runners.len(), 6);
    for runner in runners {
        let used = runner["clock"]["used"].as_array().unwrap();
        assert_eq!(used.len(), 1, "{runner:#}");
        assert!(
            used[0]
                .as_str()
                .unwrap()
                .contains(&cluster::NODE_ADDRESS.to_string()),
            "{runner:#}"
        );
        let error = runner["clock_error_ns"].as_u64().unwrap();
        assert!(error < 50_000_000, "{runner:#}");
    }
    let at_most = result.0["spread_at_most_ns"].as_i64().unwrap();
    assert!(
        at_most >= result.0["spread_ns"].as_i64().unwrap(),
        "{:#}",
        result.0
    );
}
