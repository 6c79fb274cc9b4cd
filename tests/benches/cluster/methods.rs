//! Ways to start six pods.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use chrono::TimeDelta;
use support::{cluster::Cluster, target::Target};

use crate::{
    paused::{Api, PausedJob},
    tminus,
};

/// How many pods.
pub const PODS: usize = 6;

/// The script of every start: three requests of one VU, which take a second. A k6 whose load is over at once writes its
/// summary, some 20 ms of CPU time, while the others begin: no load test does that.
pub const SCRIPT: &str = r"
import http from 'k6/http';
import { sleep } from 'k6';
export const options = { scenarios: { load: { executor: 'per-vu-iterations', vus: 1, iterations: 3 } } };
const params = { headers: { 'X-Tminus-Runner': __ENV.TMINUS_RUNNER } };
export default function () { http.get(__ENV.TARGET, params); sleep(0.5); }
";

/// The body that resumes a k6.
const RESUME: &str = r#"{"data":{"type":"status","id":"default","attributes":{"paused":false}}}"#;

/// What came of one start.
pub struct Outcome {
    /// From the first pod's first request to the last one's, as the target saw them.
    pub spread: Duration,
    /// How late each runner fired by its own clock, where that is known.
    pub lateness: Vec<TimeDelta>,
}

/// A way to start them.
#[derive(Clone, Copy)]
pub enum Method {
    Tminus,
    LoopOfKubectlExec,
    LoopOfCurl,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tminus, Self::LoopOfKubectlExec, Self::LoopOfCurl];

    pub fn name(self) -> &'static str {
        match self {
            Self::Tminus => "(a) tminus",
            Self::LoopOfKubectlExec => "(b) loop of kubectl exec … k6 resume",
            Self::LoopOfCurl => "(c) loop of curl to pod addresses",
        }
    }

    /// Starts the pods once.
    pub fn start(self, cluster: &Cluster) -> Outcome {
        match self {
            Self::Tminus => tminus::start(cluster),
            Self::LoopOfKubectlExec => {
                let job = PausedJob::start(cluster, Api::InPod);
                // The loop runs in the node's network: nothing is between it and the API server.
                cluster.network().run(|| {
                    for pod in &job.pods {
                        succeed(job.exec(pod).args(["k6", "resume"]));
                    }
                });
                outcome(&job.finish())
            }
            Self::LoopOfCurl => {
                let job = PausedJob::start(cluster, Api::OfPod);
                cluster.network().run(|| {
                    for pod in &job.pods {
                        succeed(&mut curl(&pod.address));
                    }
                });
                outcome(&job.finish())
            }
        }
    }
}

fn outcome(target: &Target) -> Outcome {
    Outcome {
        spread: spread(target),
        lateness: Vec::new(),
    }
}

/// How far apart the first requests are.
///
/// # Panics
/// If a pod made none.
pub fn spread(target: &Target) -> Duration {
    let firsts: Vec<_> = target
        .first_requests()
        .into_values()
        .map(|hits| hits.first.monotonic)
        .collect();
    assert_eq!(firsts.len(), PODS, "each pod made its load");
    *firsts.iter().max().unwrap() - *firsts.iter().min().unwrap()
}

fn curl(address: &str) -> Command {
    let mut command = Command::new("curl");
    command.args(["--silent", "--fail", "--noproxy", "*", "-X", "PATCH"]);
    command.args([
        "--data",
        RESUME,
        &format!("http://{address}:6565/v1/status"),
    ]);
    command
}

fn succeed(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{command:?}");
}
