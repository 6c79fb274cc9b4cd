//! The store of the model does what the real one does, in all orders of a few calls.

use rendezvous::{
    Abort, DirectoryStore, Plan, PlanId, PlanState, Revision, Store as _, Terms, Write,
};
use support::scratch::Scratch;

use super::{
    store::{Store, Text, run, stage},
    time::{STEP, utc},
};

/// How many calls one after another.
const CALLS: u32 = 4;

/// What each of two processes does.
#[derive(Clone, Copy, Debug)]
enum Call {
    Read(usize),
    Write(usize),
    Abort(usize),
}

const ALL: [Call; 6] = [
    Call::Read(0),
    Call::Read(1),
    Call::Write(0),
    Call::Write(1),
    Call::Abort(0),
    Call::Abort(1),
];

fn plan(of: usize) -> Plan {
    Plan {
        run: run(),
        stage: stage(),
        id: PlanId::new(format!("plan-{of}")).unwrap(),
        state: PlanState::Set {
            start_at: utc(1) + STEP / 2,
            quorum: 1,
        },
        runners_wanted: 1,
        terms: Terms::default(),
    }
}

fn abort(of: usize) -> Abort {
    Abort::new(run(), &format!("process {of}"), "enough")
}

#[tokio::test]
async fn the_store_of_the_model_is_the_real_one() {
    for number in 0..ALL.len().pow(CALLS) {
        let calls: Vec<Call> = (0..CALLS)
            .map(|place| ALL[number / ALL.len().pow(place) % ALL.len()])
            .collect();
        let scratch = Scratch::new();
        let real = DirectoryStore::open(scratch.path()).unwrap();
        let mut model = Store::default();
        let first = real.read(&stage()).await.unwrap().revision;
        let mut seen: [(Revision, Text); 2] = [(first.clone(), None), (first, None)];
        for call in &calls {
            match *call {
                Call::Read(by) => {
                    let board = real.read(&stage()).await.unwrap();
                    seen[by] = (board.revision, model.plan.clone());
                }
                Call::Write(by) => {
                    let (revision, text) = &seen[by];
                    let written = real.write_plan(&plan(by), revision).await.unwrap();
                    let in_model: Write = model.write_plan(&plan(by), text);
                    assert_eq!(written, in_model, "{calls:?}");
                }
                Call::Abort(by) => {
                    real.write_abort(&abort(by)).await.unwrap();
                    model.write_abort(&abort(by));
                }
            }
        }
        let board = real.read(&stage()).await.unwrap();
        let real = (board.plan, board.abort);
        assert_eq!(real, (model.read_plan(), model.read_abort()), "{calls:?}");
    }
}
