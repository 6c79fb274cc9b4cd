//! What becomes of the ConfigMap when a document is put into it. Values only.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::Owner;
use super::config_map::Place;
use super::names::{MANAGED_BY, RUN, TMINUS};
use crate::names::RunId;

/// What a writer makes of an object that it finds under the run's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is the run's own, or nobody's that the run may take: write to it.
    Ours,
    /// It belongs to another Job of the same name, which is gone or about to go and takes
    /// it along: delete it and make another.
    AnotherJobs,
    /// It is going. Nothing can be written to it, and nothing be made in its place yet.
    Going,
    /// Somebody put it there for something else.
    Foreign,
}

impl Standing {
    /// That of an object for a run whose Job is `owner`; without one, whose an object is
    /// cannot be told by its owner.
    pub fn of(object: &ConfigMap, owner: Option<&Owner>) -> Self {
        let metadata = &object.metadata;
        let owners = metadata.owner_references.as_deref().unwrap_or_default();
        let labels = metadata.labels.as_ref();
        let is_managed = labels
            .and_then(|labels| labels.get(MANAGED_BY))
            .map(String::as_str)
            == Some(TMINUS);
        if metadata.deletion_timestamp.is_some() {
            return Self::Going;
        }
        match owner {
            Some(owner) if owners.iter().any(|found| found.uid == owner.uid) => Self::Ours,
            Some(_) if owners.iter().any(is_job) => Self::AnotherJobs,
            _ if is_managed => Self::Ours,
            _ => Self::Foreign,
        }
    }
}

fn is_job(owner: &OwnerReference) -> bool {
    owner.kind == "Job" && owner.api_version.starts_with("batch/")
}

/// A document, and where it goes.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The JSON.
    pub text: String,
    /// The run that it is of.
    pub run: RunId,
}

/// An object of our own with one document. Its owner stands in it from the beginning, so
/// that it goes with the Job whatever happens to us; and without `blockOwnerDeletion`,
/// for which a further permission would be needed.
pub fn with_only(entry: Entry, place: &Place, owner: Option<&Owner>) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(place.name.clone()),
            namespace: Some(place.namespace.clone()),
            labels: Some(labels(&entry.run)),
            owner_references: owner.map(|owner| vec![reference(owner)]),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(entry.key, entry.text)])),
        ..ConfigMap::default()
    }
}

/// An object with one document more, or another in its place. All else stays as it is,
/// its `resourceVersion` too: the API server refuses it if it has changed since.
pub fn with(mut object: ConfigMap, entry: Entry, owner: Option<&Owner>) -> ConfigMap {
    let metadata = &mut object.metadata;
    metadata
        .labels
        .get_or_insert_default()
        .extend(labels(&entry.run));
    if let Some(owner) = owner {
        let owners = metadata.owner_references.get_or_insert_default();
        if owners.iter().all(|found| found.uid != owner.uid) {
            owners.push(reference(owner));
        }
    }
    // A key is in one of the two.
    if let Some(binary) = &mut object.binary_data {
        binary.remove(&entry.key);
    }
    let data = object.data.get_or_insert_default();
    data.insert(entry.key, entry.text);
    object
}

fn labels(run: &RunId) -> BTreeMap<String, String> {
    BTreeMap::from([
        (MANAGED_BY.to_owned(), TMINUS.to_owned()),
        (RUN.to_owned(), run.to_string()),
    ])
}

fn reference(owner: &Owner) -> OwnerReference {
    OwnerReference {
        api_version: "batch/v1".to_owned(),
        kind: "Job".to_owned(),
        name: owner.name.clone(),
        uid: owner.uid.clone(),
        ..OwnerReference::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use k8s_openapi::ByteString;
    use rstest::rstest;
    use serde_json::json;

    fn place() -> Place {
        Place {
            namespace: "load".to_owned(),
            name: "tminus-k6".to_owned(),
        }
    }

    fn owner(uid: &str) -> Owner {
        Owner {
            name: "k6".to_owned(),
            uid: uid.to_owned(),
        }
    }

    fn entry() -> Entry {
        Entry {
            key: "plan-main.json".to_owned(),
            text: "{}".to_owned(),
            run: "uid-1".parse().unwrap(),
        }
    }

    /// An object that this Job's scheduler has made.
    fn made_for(uid: &str) -> ConfigMap {
        with_only(entry(), &place(), Some(&owner(uid)))
    }

    fn without_labels(object: ConfigMap) -> ConfigMap {
        let mut object = object;
        object.metadata.labels = None;
        object
    }

    fn of_owner(kind: &str, api_version: &str, object: ConfigMap) -> ConfigMap {
        let mut object = object;
        for owner in object.metadata.owner_references.iter_mut().flatten() {
            owner.kind = kind.to_owned();
            owner.api_version = api_version.to_owned();
        }
        object
    }

    fn ownerless() -> ConfigMap {
        with_only(entry(), &place(), None)
    }

    #[test]
    fn a_new_one_belongs_to_its_job_from_the_beginning() {
        let object = serde_json::to_value(made_for("uid-1")).unwrap();
        let expected = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "tminus-k6",
                "namespace": "load",
                "labels": {"app.kubernetes.io/managed-by": "tminus", "tminus/run": "uid-1"},
                "ownerReferences": [
                    {"apiVersion": "batch/v1", "kind": "Job", "name": "k6", "uid": "uid-1"}
                ]
            },
            "data": {"plan-main.json": "{}"}
        });
        assert_eq!(object, expected);
    }

    #[rstest]
    #[case::its_own(made_for("uid-1"), Standing::Ours)]
    #[case::its_own_whoever_labelled_it(without_labels(made_for("uid-1")), Standing::Ours)]
    #[case::yesterdays(made_for("uid-0"), Standing::AnotherJobs)]
    #[case::yesterdays_without_labels(without_labels(made_for("uid-0")), Standing::AnotherJobs)]
    #[case::of_a_run_without_a_job(ownerless(), Standing::Ours)]
    #[case::somebodys(without_labels(ownerless()), Standing::Foreign)]
    #[case::an_operators(
        without_labels(of_owner("Deployment", "apps/v1", made_for("uid-0"))),
        Standing::Foreign
    )]
    #[case::anothers_job(
        without_labels(of_owner("Job", "batch.example/v1", made_for("uid-0"))),
        Standing::Foreign
    )]
    fn for_a_job_it_is(#[case] object: ConfigMap, #[case] standing: Standing) {
        assert_eq!(Standing::of(&object, Some(&owner("uid-1"))), standing);
    }

    #[rstest]
    #[case::of_a_run_without_a_job(ownerless(), Standing::Ours)]
    #[case::of_a_job(made_for("uid-0"), Standing::Ours)]
    #[case::somebodys(without_labels(ownerless()), Standing::Foreign)]
    fn for_one_who_knows_no_job_it_is(#[case] object: ConfigMap, #[case] standing: Standing) {
        assert_eq!(Standing::of(&object, None), standing);
    }

    #[test]
    fn what_is_being_deleted_is_left_to_go() {
        let mut object = made_for("uid-1");
        object.metadata.deletion_timestamp =
            serde_json::from_value(json!("2026-11-25T10:00:00Z")).unwrap();
        assert_eq!(
            Standing::of(&object, Some(&owner("uid-1"))),
            Standing::Going
        );
        assert_eq!(Standing::of(&object, None), Standing::Going);
    }

    #[test]
    fn all_that_others_put_there_is_kept() {
        let mut found = made_for("uid-1");
        let metadata = &mut found.metadata;
        metadata.resource_version = Some("7".to_owned());
        metadata.finalizers = Some(vec!["example.com/keep".to_owned()]);
        metadata.annotations = Some([("note".to_owned(), "x".to_owned())].into());
        let labels = metadata.labels.get_or_insert_default();
        labels.insert("team".to_owned(), "blue".to_owned());
        let data = found.data.get_or_insert_default();
        data.insert("plan-warmup.json".to_owned(), "other".to_owned());
        found.binary_data = Some([("blob".to_owned(), ByteString(vec![0xff]))].into());

        let mut expected = found.clone();
        let data = expected.data.get_or_insert_default();
        data.insert("plan-main.json".to_owned(), "{2}".to_owned());
        let text = "{2}".to_owned();
        let changed = with(found, Entry { text, ..entry() }, Some(&owner("uid-1")));
        assert_eq!(changed, expected);
    }

    #[test]
    fn what_was_nobodys_goes_with_the_job_from_then_on() {
        let changed = with(ownerless(), entry(), Some(&owner("uid-1")));
        assert_eq!(changed, made_for("uid-1"));
    }

    #[test]
    fn a_key_is_never_in_both_places() {
        let mut found = ownerless();
        let damaged = ("plan-main.json".to_owned(), ByteString(vec![1]));
        found.data = None;
        found.binary_data = Some([damaged].into());
        let changed = with(found, entry(), None);
        assert_eq!(changed.binary_data, Some(BTreeMap::new()));
        assert_eq!(changed.data.unwrap()["plan-main.json"], "{}");
    }
}
