//! What the ConfigMap with plans and abort says. Values only.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::names::{self, ABORT_KEY};
use crate::abort::Abort;
use crate::document::{DocumentError, DocumentKind, Problem};
use crate::names::{RunId, StageName};
use crate::plan::Plan;
use crate::store::{Board, Revision, Slot};

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Content {
    /// Nothing.
    #[default]
    Absent,
    /// Text, as all documents are.
    Text(String),
    /// What is no text. Nothing of ours is put there so.
    Binary(Vec<u8>),
}

impl Content {
    /// What stands under a key of an object that may not be there.
    pub fn of(object: Option<&ConfigMap>, key: &str) -> Self {
        let Some(object) = object else {
            return Self::Absent;
        };
        let text = object.data.as_ref().and_then(|data| data.get(key));
        let binary = object.binary_data.as_ref().and_then(|data| data.get(key));
        match (text, binary) {
            (Some(text), _) => Self::Text(text.clone()),
            (None, Some(bytes)) => Self::Binary(bytes.0.clone()),
            (None, None) => Self::Absent,
        }
    }

    /// What a conditional write compares. The first letter tells the two kinds apart.
    pub fn revision(&self) -> Revision {
        Revision(match self {
            Self::Absent => None,
            Self::Text(text) => Some(format!("t{text}")),
            Self::Binary(bytes) => Some(format!("b{}", bytes.escape_ascii())),
        })
    }

    fn document<T>(
        &self,
        kind: DocumentKind,
        location: String,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Slot<T> {
        let read = match self {
            Self::Absent => return Ok(None),
            Self::Text(text) => parse(text),
            Self::Binary(_) => Err(Problem::Foreign("binary data".to_owned())),
        };
        read.map(Some).map_err(|problem| DocumentError {
            kind,
            location,
            problem,
        })
    }

    /// The plan of a stage.
    fn plan(&self, place: &Place, stage: &StageName) -> Slot<Plan> {
        let location = place.key(&names::plan_key(stage));
        self.document(DocumentKind::Plan, location, |text| {
            let plan = Plan::from_json(text)?;
            if plan.stage == *stage {
                return Ok(plan);
            }
            let detail = format!("it is {}, and the key is that of {stage}", plan.stage);
            Err(Problem::Value {
                field: "stage",
                detail,
            })
        })
    }

    /// The abort.
    fn abort(&self, place: &Place) -> Slot<Abort> {
        self.document(DocumentKind::Abort, place.key(ABORT_KEY), Abort::from_json)
    }
}

/// The two places of a [`Board`], as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BoardContent {
    plan: Content,
    abort: Content,
}

impl BoardContent {
    /// Those of an object that may not be there.
    pub fn of(object: Option<&ConfigMap>, stage: &StageName) -> Self {
        Self {
            plan: Content::of(object, &names::plan_key(stage)),
            abort: Content::of(object, ABORT_KEY),
        }
    }

    /// What they say.
    pub fn board(&self, place: &Place, stage: &StageName) -> Board {
        Board {
            plan: self.plan.plan(place, stage),
            abort: self.abort.abort(place),
            revision: self.plan.revision(),
        }
    }
}

/// Where a run's ConfigMap is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Place {
    fn key(&self, key: &str) -> String {
        format!("key {key} of {self}")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConfigMap {}/{}", self.namespace, self.name)
    }
}

/// Whether an object holds anything of a run, of any stage; what cannot be read may be
/// the run's.
pub fn knows(object: &ConfigMap, place: &Place, run: &RunId) -> bool {
    let text = object.data.iter().flat_map(BTreeMap::keys);
    let binary = object.binary_data.iter().flat_map(BTreeMap::keys);
    text.chain(binary).any(|key| {
        let content = Content::of(Some(object), key);
        if key == ABORT_KEY {
            return may_be(content.abort(place), |abort| abort.run == *run);
        }
        names::stage_of_plan_key(key)
            .is_some_and(|stage| may_be(content.plan(place, &stage), |plan| plan.run == *run))
    })
}

fn may_be<T>(slot: Slot<T>, is: impl FnOnce(&T) -> bool) -> bool {
    slot.map_or(true, |document| {
        document.is_some_and(|document| is(&document))
    })
}

/// Whether an abort of this run stands there. The first one stays.
pub fn is_aborted(object: &ConfigMap, place: &Place, run: &RunId) -> bool {
    let abort = Content::of(Some(object), ABORT_KEY).abort(place);
    abort.is_ok_and(|abort| abort.is_some_and(|abort| abort.run == *run))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::ByteString;
    use rstest::rstest;

    const PLAN: &str = r#"{"version": 1, "run": "run-1", "stage": "main", "plan": "p",
        "state": "gathering", "seconds_left": 30, "runners_wanted": 4}"#;
    const ABORT: &str = r#"{"version": 1, "run": "run-1", "by": "me", "why": "enough"}"#;

    fn place() -> Place {
        Place {
            namespace: "load".to_owned(),
            name: "tminus-k6".to_owned(),
        }
    }

    fn main() -> StageName {
        "main".parse().unwrap()
    }

    fn object(data: &[(&str, &str)]) -> ConfigMap {
        let data = data
            .iter()
            .map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
        ConfigMap {
            data: Some(data.collect()),
            ..ConfigMap::default()
        }
    }

    fn binary(key: &str, bytes: &[u8]) -> ConfigMap {
        ConfigMap {
            binary_data: Some([(key.to_owned(), ByteString(bytes.to_vec()))].into()),
            ..ConfigMap::default()
        }
    }

    fn board(object: Option<&ConfigMap>) -> Board {
        BoardContent::of(object, &main()).board(&place(), &main())
    }

    #[test]
    fn a_board_has_the_stages_plan_and_the_runs_abort() {
        let object = object(&[
            ("plan-main.json", PLAN),
            ("plan-warmup.json", "of no concern"),
            ("abort.json", ABORT),
        ]);
        let board = board(Some(&object));
        assert_eq!(
            board.plan,
            Plan::from_json(PLAN).map(Some).map_err(|_| unreachable!())
        );
        assert_eq!(
            board.abort,
            Abort::from_json(ABORT)
                .map(Some)
                .map_err(|_| unreachable!())
        );
    }

    #[test]
    fn no_object_and_one_without_our_keys_hold_the_same() {
        assert_eq!(board(None), board(Some(&object(&[("notes", "x")]))));
        assert_eq!(board(None), board(Some(&ConfigMap::default())));
        assert_eq!(board(None).plan, Ok(None));
    }

    #[rstest]
    #[case::cut_off(object(&[("plan-main.json", "{")]))]
    #[case::binary(binary("plan-main.json", b"{}"))]
    #[case::another_stages(object(&[("plan-main.json", &PLAN.replace("main", "warmup"))]))]
    fn what_is_no_plan_is_an_error_that_names_its_key(#[case] object: ConfigMap) {
        let error = board(Some(&object)).plan.unwrap_err();
        assert_eq!(
            error.location,
            "key plan-main.json of ConfigMap load/tminus-k6"
        );
        assert_ne!(board(Some(&object)).revision, board(None).revision);
    }

    #[test]
    fn contents_that_differ_have_revisions_that_differ() {
        let key = "k";
        let contents = [
            Content::Absent,
            Content::of(Some(&object(&[(key, "")])), key),
            Content::of(Some(&object(&[(key, "a")])), key),
            Content::of(Some(&object(&[(key, "\\x00")])), key),
            Content::of(Some(&binary(key, b"")), key),
            Content::of(Some(&binary(key, b"a")), key),
            Content::of(Some(&binary(key, b"\0")), key),
            Content::of(Some(&binary(key, b"\\x00")), key),
            Content::of(Some(&binary(key, &[0xff])), key),
        ];
        for (at, one) in contents.iter().enumerate() {
            for other in &contents[at + 1..] {
                assert_ne!(one.revision(), other.revision(), "{one:?} and {other:?}");
            }
        }
    }

    #[rstest]
    #[case::plan(object(&[("plan-warmup.json", &PLAN.replace("main", "warmup"))]), true)]
    #[case::abort(object(&[("abort.json", ABORT)]), true)]
    #[case::anothers(object(&[("abort.json", &ABORT.replace("run-1", "run-2"))]), false)]
    #[case::unreadable_plan(object(&[("plan-x.json", "{")]), true)]
    #[case::unreadable_abort(binary("abort.json", b"{"), true)]
    #[case::foreign_key(object(&[("notes", "run-1"), ("plan-.json", "{")]), false)]
    #[case::nothing(ConfigMap::default(), false)]
    fn a_run_is_known_by_what_is_or_may_be_its_own(#[case] object: ConfigMap, #[case] known: bool) {
        assert_eq!(knows(&object, &place(), &"run-1".parse().unwrap()), known);
    }

    #[test]
    fn only_an_abort_that_can_be_read_and_is_the_runs_stays() {
        let run = "run-1".parse().unwrap();
        let aborted = |text| is_aborted(&object(&[("abort.json", text)]), &place(), &run);
        assert!(aborted(ABORT));
        assert!(!aborted("{"));
        assert!(!aborted(&ABORT.replace("run-1", "run-2")));
    }
}
