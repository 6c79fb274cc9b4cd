//! Which rights a start takes, and how to say which are missing.

/// A rule of a Role: these verbs on objects of this kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The kind of objects, in the plural.
    pub resource: &'static str,
    /// The one object that it is about; `None`: any. What is to be created has no name yet by which it could be
    /// allowed.
    pub name: Option<String>,
    /// What is done to them.
    pub verbs: Vec<&'static str>,
    /// What is missed without it, if a start can do without. `None`: it cannot.
    pub else_missed: Option<&'static str>,
}

impl Rule {
    fn on(group: &'static str, resource: &'static str, verbs: &[&'static str]) -> Self {
        Self {
            group,
            resource,
            name: None,
            verbs: verbs.to_vec(),
            else_missed: None,
        }
    }

    fn named(self, name: &str) -> Self {
        Self {
            name: Some(name.to_owned()),
            ..self
        }
    }

    fn or_miss(self, what: &'static str) -> Self {
        Self {
            else_missed: Some(what),
            ..self
        }
    }

    /// It with those of its verbs only that are not allowed; `None` if all are.
    #[must_use]
    pub fn without(&self, allowed: impl Fn(&str) -> bool) -> Option<Self> {
        let verbs: Vec<_> = self
            .verbs
            .iter()
            .copied()
            .filter(|verb| !allowed(verb))
            .collect();
        (!verbs.is_empty()).then(|| Self {
            verbs,
            ..self.clone()
        })
    }

    /// It as it stands in a Role, in YAML.
    #[must_use]
    pub fn yaml(&self) -> String {
        let names = self
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!(", resourceNames: [{name:?}]"));
        let (group, resource, verbs) = (self.group, self.resource, self.verbs.join(", "));
        format!("{{apiGroups: [{group:?}], resources: [{resource}]{names}, verbs: [{verbs}]}}")
    }
}

/// Where a run's pods come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A Job.
    Job,
    /// Something whose pods have known labels.
    Labels,
    /// Nobody says.
    Unknown,
}

/// What the scheduler's own Role needs. `name`: the Job's, or what else the run is called by; `config_map`: the one in
/// which the plan stands. A Role may say them, as nothing else of their kinds is looked at.
#[must_use]
pub fn own(source: Source, name: &str, config_map: &str) -> Vec<Rule> {
    let look = &["list", "watch"];
    let mut rules = Vec::new();
    if source == Source::Job {
        rules.push(Rule::on("batch", "jobs", look).named(name));
    }
    if source != Source::Unknown {
        rules.push(Rule::on("", "pods", look));
        let missed = "why pods are not made or do not start cannot be told";
        rules.push(Rule::on("", "events", look).or_miss(missed));
    }
    let known = &["get", "list", "watch", "update", "delete"];
    rules.push(Rule::on("", "configmaps", known).named(config_map));
    rules.push(Rule::on("", "configmaps", &["create"]));
    let read = &["get", "list", "watch"];
    rules.push(Rule::on("coordination.k8s.io", "leases", read));
    rules
}

/// What the agents' Role needs. `config_map`: the one in which the plan stands.
#[must_use]
pub fn agents(config_map: &str) -> Vec<Rule> {
    let plan = |verbs| Rule::on("", "configmaps", verbs).named(config_map);
    vec![
        plan(&["get"]),
        plan(&["list", "watch"]).or_miss("agents learn of the instant by polling alone"),
        Rule::on(
            "coordination.k8s.io",
            "leases",
            &["create", "get", "update"],
        ),
    ]
}

/// Rules, each in a line of its own.
#[must_use]
pub fn lines(rules: &[Rule]) -> String {
    rules
        .iter()
        .map(|rule| format!("\n  - {}", rule.yaml()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_rule_is_told_as_it_stands_in_a_role() {
        let rules = agents("tminus-k6");
        assert_eq!(
            lines(&rules),
            "\n  - {apiGroups: [\"\"], resources: [configmaps], resourceNames: [\"tminus-k6\"], verbs: [get]}\
             \n  - {apiGroups: [\"\"], resources: [configmaps], resourceNames: [\"tminus-k6\"], verbs: [list, watch]}\
             \n  - {apiGroups: [\"coordination.k8s.io\"], resources: [leases], verbs: [create, get, update]}"
        );
    }

    #[test]
    fn only_what_is_missing_is_told() {
        let rule = own(Source::Labels, "k6", "tminus-k6").remove(0);
        assert_eq!(rule.without(|_| true), None);
        let missing = rule.without(|verb| verb == "list").unwrap();
        assert_eq!(
            missing.yaml(),
            "{apiGroups: [\"\"], resources: [pods], verbs: [watch]}"
        );
    }

    #[rstest]
    #[case(Source::Job, "jobs pods events configmaps configmaps leases")]
    #[case(Source::Labels, "pods events configmaps configmaps leases")]
    #[case(Source::Unknown, "configmaps configmaps leases")]
    fn no_more_is_asked_for_than_is_needed(#[case] source: Source, #[case] expected: &str) {
        let rules = own(source, "k6", "tminus-k6");
        let resources: Vec<_> = rules.iter().map(|rule| rule.resource).collect();
        assert_eq!(resources.join(" "), expected);
    }
}
