//! What the objects are called, and their parts that are ours.

use crate::names::{RunId, RunnerId, StageName, is_dns_label};

/// What all our objects' names begin with.
const PREFIX: &str = "tminus-";
/// The longest name of an object: an RFC 1123 subdomain has at most this many characters.
const LONGEST_NAME: usize = 253;
/// The longest part of a name between dots, and the longest name of a namespace (RFC 1123,
/// section 2.1).
const LONGEST_LABEL: usize = 63;

/// The label by which everybody can tell who made an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const TMINUS: &str = "tminus";
/// The label with the run's id.
pub const RUN: &str = "tminus/run";
/// The label with the stage.
pub const STAGE: &str = "tminus/stage";
/// The annotation of a Lease that holds the report.
pub const REPORT: &str = "tminus/report";

/// The key of the abort in the ConfigMap.
pub const ABORT_KEY: &str = "abort.json";
const PLAN_KEY: (&str, &str) = ("plan-", ".json");

/// The key of a stage's plan in the ConfigMap.
pub fn plan_key(stage: &StageName) -> String {
    format!("{}{stage}{}", PLAN_KEY.0, PLAN_KEY.1)
}

/// The stage whose plan stands under a key.
pub fn stage_of_plan_key(key: &str) -> Option<StageName> {
    let stage = key.strip_prefix(PLAN_KEY.0)?.strip_suffix(PLAN_KEY.1)?;
    StageName::new(stage).ok()
}

/// The name of a run's ConfigMap.
pub fn config_map(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The name of a runner's Lease for a stage. No two are alike as long as runners are
/// called by UIDs, which all have one form.
pub fn lease(runner: &RunnerId, stage: &StageName) -> String {
    format!("{PREFIX}{runner}-{stage}")
}

/// The runner whose Lease for a stage has this name.
pub fn runner_of_lease(name: &str, stage: &StageName) -> Option<RunnerId> {
    let middle = name.strip_prefix(PREFIX)?.strip_suffix(stage.as_str())?;
    RunnerId::new(middle.strip_suffix('-')?).ok()
}

/// Selects the Leases of a run.
pub fn leases_of_run(run: &RunId) -> String {
    format!("{MANAGED_BY}={TMINUS},{RUN}={run}")
}

/// Selects the Leases of a run's stage.
pub fn leases_of_stage(run: &RunId, stage: &StageName) -> String {
    format!("{},{STAGE}={stage}", leases_of_run(run))
}

/// Whether a namespace may be called so.
pub fn is_namespace(text: &str) -> bool {
    is_dns_label(text, LONGEST_LABEL)
}

/// Whether a run's ConfigMap can be named after this: a Job's name can be.
pub fn is_run_name(text: &str) -> bool {
    text.len() + PREFIX.len() <= LONGEST_NAME
        && text
            .split('.')
            .all(|part| is_dns_label(part, LONGEST_LABEL))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_runner_is_found_again_by_its_lease() {
        let runner = RunnerId::new("4f6b8f43-0c9e-4f0e-9d60-2c7f2b1f4f6a").unwrap();
        let stage = StageName::new("z-warmup").unwrap();
        let name = lease(&runner, &stage);
        assert_eq!(name, "tminus-4f6b8f43-0c9e-4f0e-9d60-2c7f2b1f4f6a-z-warmup");
        assert_eq!(runner_of_lease(&name, &stage), Some(runner));
        let other = StageName::new("main").unwrap();
        assert_eq!(runner_of_lease(&name, &other), None);
    }

    #[rstest]
    #[case("tminus-main")]
    #[case("tminus--main")]
    #[case("tminus-a_b-main")]
    #[case("other-a-main")]
    fn a_foreign_lease_is_nobodys(#[case] name: &str) {
        let stage = StageName::new("main").unwrap();
        assert_eq!(runner_of_lease(name, &stage), None);
    }

    #[test]
    fn a_stage_is_found_again_by_its_plans_key() {
        let stage = StageName::new("z-warmup").unwrap();
        assert_eq!(plan_key(&stage), "plan-z-warmup.json");
        assert_eq!(stage_of_plan_key("plan-z-warmup.json"), Some(stage));
        for key in ["abort.json", "plan-.json", "plan-A.json", "plan-a", "plan-"] {
            assert_eq!(stage_of_plan_key(key), None, "{key}");
        }
    }

    #[rstest]
    #[case("k6", true)]
    #[case("k6.load.example", true)]
    #[case("", false)]
    #[case(".k6", false)]
    #[case("k6..load", false)]
    #[case("K6", false)]
    #[case("a/b", false)]
    #[case("-k6", false)]
    fn a_run_is_named_as_an_object(#[case] name: &str, #[case] good: bool) {
        assert_eq!(is_run_name(name), good);
    }

    #[test]
    fn a_name_leaves_room_for_what_is_put_before_it() {
        let longest = [
            "a".repeat(61),
            "b".repeat(61),
            "c".repeat(61),
            "d".repeat(60),
        ]
        .join(".");
        assert_eq!(config_map(&longest).len(), LONGEST_NAME);
        assert!(is_run_name(&longest));
        assert!(!is_run_name(&format!("{longest}d")));
        assert!(is_namespace(&"a".repeat(63)) && !is_namespace(&"a".repeat(64)));
        assert!(!is_namespace("a.b"));
    }
}
