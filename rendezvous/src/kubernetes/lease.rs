//! The Lease with a runner's report: what it says, and what it becomes. Values only.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, OwnerReference};
use k8s_openapi::jiff::Timestamp;

use super::Pod;
use super::names::{self, MANAGED_BY, REPORT, RUN, STAGE, TMINUS};
use crate::document::{DocumentError, DocumentKind, Problem, same};
use crate::names::{RunnerId, StageName};
use crate::report::Report;
use crate::store::Slot;

/// For how many renewals a holder may miss before its Lease counts as expired: what a node's
/// Lease (40 s, renewed each 10 s) allows. For those who list Leases; tminus judges a
/// runner by the changes that it sees.
const MISSED_RENEWALS: u32 = 4;

/// A Lease of our own. Its owner stands in it from the beginning: it goes with its pod, and
/// needs no permission but to create Leases.
pub fn new(report: &Report, namespace: &str, pod: Option<&Pod>, renewed_every: Duration) -> Lease {
    let owner = |pod: &Pod| OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        ..OwnerReference::default()
    };
    let empty = Lease {
        metadata: ObjectMeta {
            name: Some(names::lease(&report.runner, &report.stage)),
            namespace: Some(namespace.to_owned()),
            owner_references: pod.map(|pod| vec![owner(pod)]),
            ..ObjectMeta::default()
        },
        spec: None,
    };
    with(empty, report, pod, renewed_every)
}

/// A Lease with another report. All else stays as it is, its `resourceVersion` too: the
/// API server refuses it if it has changed since.
pub fn with(
    mut lease: Lease,
    report: &Report,
    pod: Option<&Pod>,
    renewed_every: Duration,
) -> Lease {
    let metadata = &mut lease.metadata;
    metadata.labels.get_or_insert_default().extend([
        (MANAGED_BY.to_owned(), TMINUS.to_owned()),
        (RUN.to_owned(), report.run.to_string()),
        (STAGE.to_owned(), report.stage.to_string()),
    ]);
    let annotation = BTreeMap::from([(REPORT.to_owned(), report.to_json())]);
    metadata
        .annotations
        .get_or_insert_default()
        .extend(annotation);
    let lasts = (renewed_every * MISSED_RENEWALS).as_secs();
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(pod.map_or(&report.name, |pod| &pod.name).clone()),
        lease_duration_seconds: i32::try_from(lasts).ok(),
        renew_time: micro_time(report.clock.utc),
        ..lease.spec.unwrap_or_default()
    });
    lease
}

/// The report in a Lease of this name.
pub fn report(
    lease: &Lease,
    location: String,
    stage: &StageName,
    runner: &RunnerId,
) -> Slot<Report> {
    let annotations = lease.metadata.annotations.as_ref();
    let read = match annotations.and_then(|annotations| annotations.get(REPORT)) {
        Some(text) => Report::from_json(text),
        None => Err(Problem::Foreign(format!(
            "a Lease without the annotation {REPORT}"
        ))),
    };
    let checked = read.and_then(|report| {
        same("stage", &report.stage, stage, "Lease")?;
        same("runner", &report.runner, runner, "Lease")?;
        Ok(report)
    });
    checked.map(Some).map_err(|problem| DocumentError {
        kind: DocumentKind::Report,
        location,
        problem,
    })
}

/// The client library has its own type for times. Times that it cannot hold are no times of ours.
fn micro_time(time: DateTime<Utc>) -> Option<MicroTime> {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).ok()?;
    let time = Timestamp::new(time.timestamp(), nanos).ok()?;
    Some(MicroTime(time))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn a_report(sequence: u64) -> Report {
        let text = format!(
            r#"{{"version": 1, "run": "run-1", "stage": "main", "runner": "uid-1", "name": "k6-0",
                "incarnation": "first", "sequence": {sequence}, "phase": "starting",
                "clock": {{"utc": "2026-11-25T10:00:00.123456789Z", "source": "system"}}}}"#
        );
        Report::from_json(&text).unwrap()
    }

    fn pod() -> Pod {
        Pod {
            name: "k6-0".to_owned(),
            uid: "uid-1".to_owned(),
        }
    }

    const EVERY: Duration = Duration::from_secs(10);

    #[test]
    fn a_new_one_belongs_to_its_pod_from_the_beginning() {
        let lease = serde_json::to_value(new(&a_report(1), "load", Some(&pod()), EVERY)).unwrap();
        assert_eq!(lease["metadata"]["name"], "tminus-uid-1-main");
        assert_eq!(
            lease["metadata"]["ownerReferences"],
            serde_json::json!([{"apiVersion": "v1", "kind": "Pod", "name": "k6-0", "uid": "uid-1"}])
        );
        assert_eq!(
            lease["metadata"]["labels"],
            serde_json::json!({
                "app.kubernetes.io/managed-by": "tminus", "tminus/run": "run-1", "tminus/stage": "main"
            })
        );
        assert_eq!(
            lease["spec"],
            serde_json::json!({
                "holderIdentity": "k6-0", "leaseDurationSeconds": 40,
                "renewTime": "2026-11-25T10:00:00.123456Z"
            })
        );
    }

    #[test]
    fn the_report_is_read_as_it_was_written() {
        let lease = new(&a_report(1), "load", Some(&pod()), EVERY);
        let read = |lease: &Lease| {
            report(
                lease,
                "here".to_owned(),
                &a_report(1).stage,
                &a_report(1).runner,
            )
            .unwrap()
        };
        assert_eq!(read(&lease), Some(a_report(1)));
        assert_eq!(
            read(&with(lease, &a_report(2), None, EVERY)),
            Some(a_report(2))
        );
    }

    #[test]
    fn a_change_keeps_all_that_others_put_there() {
        let mut found = new(&a_report(1), "load", Some(&pod()), EVERY);
        let metadata = &mut found.metadata;
        metadata.resource_version = Some("7".to_owned());
        metadata
            .labels
            .get_or_insert_default()
            .insert("team".to_owned(), "blue".to_owned());
        metadata
            .annotations
            .get_or_insert_default()
            .insert("note".to_owned(), "x".to_owned());
        let spec = found.spec.get_or_insert_default();
        spec.lease_transitions = Some(3);
        let mut expected = found.clone();
        let annotations = expected.metadata.annotations.get_or_insert_default();
        annotations.insert(REPORT.to_owned(), a_report(2).to_json());
        assert_eq!(with(found, &a_report(2), Some(&pod()), EVERY), expected);
    }

    #[test]
    fn a_lease_without_a_report_is_an_error_that_names_it() {
        let error = report(
            &Lease::default(),
            "Lease a/b".to_owned(),
            &a_report(1).stage,
            &a_report(1).runner,
        );
        assert!(error.unwrap_err().to_string().contains("Lease a/b"));
    }
}
