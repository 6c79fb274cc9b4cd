//! Processes that race for one document, and writers that are killed.
//!
//! The processes are this test program again, which is asked for one test by
//! name: [`the_other_process`]. Without the environment variable that names a
//! store, that test does nothing.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rendezvous::{Abort, DirectoryStore, PlanState, Store, Write};

use crate::samples::{abort, names_in, plan, report, soon, stage, store};

/// Names the store for the other process.
const STORE: &str = "TMINUS_TEST_STORE";
/// Before each answer, to tell it from what the test harness prints.
const ANSWER: &str = "answer: ";

/// Another process with the store open, which obeys one command a line.
struct Other {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Other {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "race::the_other_process",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(STORE, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            commands,
            answers,
        }
    }

    fn tell(&mut self, command: &str) {
        let commands = self.commands.as_mut().unwrap();
        writeln!(commands, "{command}").unwrap();
    }

    /// The next answer; ends when the process does.
    fn answer(&mut self) -> String {
        let mut line = String::new();
        while self.answers.read_line(&mut line).unwrap() > 0 {
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.trim_end().to_owned();
            }
            line.clear();
        }
        panic!("the other process has ended");
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "is the other process of the tests below"]
fn the_other_process() {
    let Some(directory) = std::env::var_os(STORE) else {
        return;
    };
    let store = DirectoryStore::open(directory).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let me = std::process::id();
    let mut seen = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let mut mine = plan(&format!("by-{me}"));
        let answer = runtime.block_on(async {
            match command {
                "read" => {
                    mine.stage = argument.parse().unwrap();
                    let board = store.read(&mine.stage).await.unwrap();
                    seen = Some(board.revision);
                    match board.plan.unwrap() {
                        Some(plan) => plan.id.to_string(),
                        None => "none".to_owned(),
                    }
                }
                "write" => {
                    mine.stage = argument.parse().unwrap();
                    let expected = seen.as_ref().unwrap();
                    match store.write_plan(&mine, expected).await.unwrap() {
                        Write::Done => mine.id.to_string(),
                        Write::Conflict => "conflict".to_owned(),
                    }
                }
                "abort" => {
                    let abort = abort(&format!("by-{me}"));
                    store.write_abort(&abort).await.unwrap();
                    "done".to_owned()
                }
                "write-for-ever" => write_for_ever(&store).await,
                other => panic!("no such command: {other}"),
            }
        });
        println!("{ANSWER}{answer}");
    }
}

/// Writes plan, abort and report until it is killed.
async fn write_for_ever(store: &DirectoryStore) -> String {
    for turn in 0.. {
        let mut plan = plan(&format!("turn-{turn}"));
        if turn % 2 == 0 {
            plan.state = PlanState::Gathering {
                left: Duration::from_secs(turn % 60),
            };
        }
        let revision = store.read(&stage()).await.unwrap().revision;
        store.write_plan(&plan, &revision).await.unwrap();
        let run = format!("run-{turn}").parse().unwrap();
        let abort = Abort::new(run, "me", &"why ".repeat(100));
        store.write_abort(&abort).await.unwrap();
        store.publish(&report("k6-1", turn)).await.unwrap();
        if turn == 0 {
            println!("{ANSWER}begun");
        }
    }
    unreachable!("it is killed before")
}

#[test]
fn of_all_processes_that_write_from_one_revision_one_wins() {
    let (directory, store) = store();
    let mut others: Vec<Other> = (0..6).map(|_| Other::start(directory.path())).collect();
    let mut wins = std::collections::BTreeSet::new();
    for round in 0..100 {
        let stage = format!("round-{round}");
        for other in &mut others {
            other.tell(&format!("read {stage}"));
        }
        for other in &mut others {
            assert_eq!(other.answer(), "none");
        }
        for other in &mut others {
            other.tell(&format!("write {stage}"));
        }
        let answers: Vec<String> = others.iter_mut().map(Other::answer).collect();
        let won: Vec<&String> = answers.iter().filter(|text| *text != "conflict").collect();
        assert_eq!(won.len(), 1, "in round {round}: {answers:?}");
        for other in &mut others {
            other.tell(&format!("read {stage}"));
        }
        for other in &mut others {
            assert_eq!(&other.answer(), won[0], "in round {round}");
        }
        wins.insert(won[0].clone());
    }
    assert!(
        wins.len() > 1,
        "they have not raced: one process won all rounds"
    );
    let drafts = names_in(directory.path());
    assert!(
        !drafts.iter().any(|name| name.starts_with('.')),
        "{drafts:?}"
    );
    drop(store);
}

#[tokio::test]
async fn of_all_processes_that_abort_one_is_the_first() {
    let (directory, store) = store();
    let mut others: Vec<Other> = (0..4).map(|_| Other::start(directory.path())).collect();
    for _ in 0..20 {
        for other in &mut others {
            other.tell("abort");
        }
        let mut first = None;
        for other in &mut others {
            assert_eq!(other.answer(), "done");
            let abort = store.read(&stage()).await.unwrap().abort.unwrap();
            let abort = abort.expect("it was written before the answer");
            assert_eq!(*first.get_or_insert_with(|| abort.clone()), abort);
        }
        std::fs::remove_file(directory.path().join("abort.json")).unwrap();
    }
}

#[tokio::test]
async fn a_writer_killed_at_any_moment_leaves_whole_documents_and_no_lock() {
    let (directory, store) = store();
    for moment in 0..40 {
        let mut other = Other::start(directory.path());
        other.tell("write-for-ever");
        assert_eq!(other.answer(), "begun");
        // Decides nothing: it spreads the moments of the killing over a few turns.
        std::thread::sleep(Duration::from_micros(moment * 71));
        other.kill();

        let board = store.read(&stage()).await.unwrap();
        board.plan.unwrap().expect("a plan was written");
        board.abort.unwrap().expect("an abort was written");
        let report = store.read_report(&stage(), &"k6-1".parse().unwrap()).await;
        report.unwrap().unwrap().expect("a report was written");

        let written = soon(store.write_plan(&plan("after"), &board.revision)).await;
        assert_eq!(written.unwrap(), Write::Done);
        soon(store.write_abort(&abort("after"))).await.unwrap();
        soon(store.publish(&crate::samples::report("k6-1", 0)))
            .await
            .unwrap();
        let left = names_in(directory.path());
        assert_eq!(left, ["abort.json", "plan-main.json", "reports"]);
        std::fs::remove_file(directory.path().join("abort.json")).unwrap();
    }
}
