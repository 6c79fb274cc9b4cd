//! Ways to start several k6.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::scratch::Scratch;
use support::target::Target;

use crate::paused::{self, Paused};
use crate::tminus;

/// What came of one start.
pub struct Outcome {
    /// From the first runner's first request to the last one's, as the target saw them.
    pub spread: Duration,
    /// How late each runner fired, where that is known.
    pub lateness: Vec<Duration>,
}

/// A way to start several k6.
#[derive(Clone, Copy)]
pub enum Method {
    Tminus,
    LoopOfK6Resume,
    LoopOfCurl,
    ParallelCurls,
    Floor,
}

/// The body that resumes a k6.
const RESUME: &str = r#"{"data":{"type":"status","id":"default","attributes":{"paused":false}}}"#;

impl Method {
    /// All of them; the floor is the last.
    pub const ALL: [Self; 5] = [
        Self::Tminus,
        Self::LoopOfK6Resume,
        Self::LoopOfCurl,
        Self::ParallelCurls,
        Self::Floor,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Tminus => "(a) tminus",
            Self::LoopOfK6Resume => "(b) loop of k6 resume",
            Self::LoopOfCurl => "(c) loop of curl",
            Self::ParallelCurls => "(d) curls in parallel",
            Self::Floor => "(e) floor: bytes on open sockets",
        }
    }

    /// Starts this many runners once.
    pub fn start(self, runners: usize, k6: &Path) -> Outcome {
        let (scratch, target) = (Scratch::new(), Target::start());
        let lateness = match self {
            Self::Tminus => tminus::start(runners, k6, &scratch, &target),
            _ => {
                let all = paused::start(runners, k6, &scratch, &target);
                self.resume(&all, k6);
                paused::finish(all);
                Vec::new()
            }
        };
        Outcome {
            spread: spread(&target, runners),
            lateness,
        }
    }

    fn resume(self, all: &[Paused], k6: &Path) {
        match self {
            Self::Tminus => unreachable!("it resumes its own"),
            Self::LoopOfK6Resume => {
                for paused in all {
                    succeed(Command::new(k6).args([
                        "resume",
                        "--address",
                        &paused.address.to_string(),
                    ]));
                }
            }
            Self::LoopOfCurl => {
                for paused in all {
                    succeed(&mut curl(paused));
                }
            }
            Self::ParallelCurls => {
                let curls: Vec<_> = all
                    .iter()
                    .map(|paused| quiet(&mut curl(paused)).spawn().unwrap())
                    .collect();
                for mut curl in curls {
                    assert!(curl.wait().unwrap().success());
                }
            }
            Self::Floor => {
                let mut streams: Vec<_> = all.iter().map(paused::open).collect();
                let length = RESUME.len();
                let request = format!(
                    "PATCH /v1/status HTTP/1.1\r\nHost: k6\r\nContent-Length: {length}\r\n\r\n{RESUME}"
                );
                for stream in &mut streams {
                    stream.write_all(request.as_bytes()).unwrap();
                }
                for stream in &mut streams {
                    assert!(paused::answer(stream).starts_with("HTTP/1.1 200"));
                }
            }
        }
    }
}

fn curl(paused: &Paused) -> Command {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--fail",
        "--noproxy",
        "*",
        "-X",
        "PATCH",
        "--data",
        RESUME,
    ]);
    command.arg(format!("http://{}/v1/status", paused.address));
    command
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}

fn succeed(command: &mut Command) {
    assert!(quiet(command).status().unwrap().success(), "{command:?}");
}

fn spread(target: &Target, runners: usize) -> Duration {
    let firsts: Vec<_> = target
        .first_requests()
        .into_values()
        .map(|hits| hits.first.monotonic)
        .collect();
    assert_eq!(firsts.len(), runners, "each runner made its load");
    *firsts.iter().max().unwrap() - *firsts.iter().min().unwrap()
}
