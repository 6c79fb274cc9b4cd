//! Whether the scheduler and the agents may do what a start takes, asked before the long wait.

use futures_util::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::authorization::v1::{
    LocalSubjectAccessReview, ResourceAttributes, SelfSubjectAccessReview,
    SelfSubjectAccessReviewSpec, SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use kube::Api;
use kube::api::PostParams;
use rendezvous::kubernetes::config_map_name;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::client::Cluster;
use super::error::{ClusterError, request};
use crate::decide::access::{Rule, Source, agents, lines, own};
use crate::run::health::Health;
use crate::trouble::Trouble;

/// How many questions are asked at a time: each takes a connection of its own.
const AT_ONCE: usize = 4;

/// Whose rights are asked for.
enum Who<'a> {
    Own,
    ServiceAccount(&'a str),
}

/// Checks the scheduler's own rights. It is the first to speak to the API server, and waits briefly for
/// one that does not answer. `name`: the Job's, or what else the run is called by.
///
/// # Errors
/// [`Trouble`] that names the rules that are missing, and if the API server does not answer.
pub async fn check_own(cluster: &Cluster, source: Source, name: &str) -> Result<(), Trouble> {
    let rules = own(source, name, &config_map_name(name));
    let mut health = Health::default();
    let missing = loop {
        match missing(cluster, &rules, &Who::Own).await {
            Ok(missing) => break missing,
            // Whoever may not even ask, will see.
            Err(ClusterError::Forbidden { detail, .. }) => {
                debug!("cannot ask for this scheduler's rights: {detail}");
                return Ok(());
            }
            Err(error) => {
                let now = Instant::now();
                if health.failed(&error.as_store_error(), now).is_some() {
                    return Err(error.into());
                }
                sleep_until(health.ask_at().unwrap_or(now)).await;
            }
        }
    };
    let (needed, useful): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|rule| rule.else_missed.is_none());
    warn_of(&useful, &cluster.namespace, "this scheduler");
    if needed.is_empty() {
        return Ok(());
    }
    let rules = lines(&needed);
    let namespace = &cluster.namespace;
    Err(Trouble::Cluster(ClusterError::Rights(format!(
        "this scheduler may not do in namespace {namespace} what a start takes. Its Role there needs as well:{rules}"
    ))))
}

/// Checks the agents' rights, where the scheduler may ask for them, and says what is missing.
/// `account`: their service account. `config_map`: where the plan stands.
pub async fn check_agents(cluster: &Cluster, account: &str, config_map: &str) {
    let namespace = &cluster.namespace;
    let who = Who::ServiceAccount(account);
    let missing = match missing(cluster, &agents(config_map), &who).await {
        Ok(missing) => missing,
        Err(error) => {
            info!("whether the agents may do what they must is not checked: {error}");
            return;
        }
    };
    let (needed, useful): (Vec<_>, Vec<_>) = missing
        .into_iter()
        .partition(|rule| rule.else_missed.is_none());
    let agents = format!("service account {account} of the runners");
    warn_of(&useful, namespace, &agents);
    if !needed.is_empty() {
        warn!(
            "{agents} may not do in namespace {namespace} what an agent has to, so none will become ready. \
             Its Role needs as well:{}",
            lines(&needed)
        );
    }
}

fn warn_of(rules: &[Rule], namespace: &str, who: &str) {
    for rule in rules {
        let missed = rule.else_missed.unwrap_or_default();
        warn!(
            "{missed}: the Role of {who} in namespace {namespace} lacks {}",
            rule.yaml()
        );
    }
}

/// Those rules, with those of their verbs, that somebody lacks.
async fn missing(
    cluster: &Cluster,
    rules: &[Rule],
    who: &Who<'_>,
) -> Result<Vec<Rule>, ClusterError> {
    let questions = rules
        .iter()
        .flat_map(|rule| rule.verbs.iter().map(move |verb| (rule, *verb)));
    let answers = stream::iter(questions)
        .map(|(rule, verb)| async move {
            let allowed = may(cluster, attributes(cluster, rule, verb), who).await?;
            Ok::<_, ClusterError>((rule, verb, allowed))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    let denied = |rule: &Rule, verb: &str| {
        answers
            .iter()
            .any(|(of, about, allowed)| *of == rule && *about == verb && !allowed)
    };
    Ok(rules
        .iter()
        .filter_map(|rule| rule.without(|verb| !denied(rule, verb)))
        .collect())
}

fn attributes(cluster: &Cluster, rule: &Rule, verb: &str) -> ResourceAttributes {
    ResourceAttributes {
        group: Some(rule.group.to_owned()),
        resource: Some(rule.resource.to_owned()),
        name: rule.name.clone(),
        namespace: Some(cluster.namespace.clone()),
        verb: Some(verb.to_owned()),
        ..ResourceAttributes::default()
    }
}

async fn may(
    cluster: &Cluster,
    attributes: ResourceAttributes,
    who: &Who<'_>,
) -> Result<bool, ClusterError> {
    let (namespace, parameters) = (&cluster.namespace, PostParams::default());
    let status = match who {
        Who::Own => {
            let review = SelfSubjectAccessReview {
                spec: SelfSubjectAccessReviewSpec {
                    resource_attributes: Some(attributes),
                    ..SelfSubjectAccessReviewSpec::default()
                },
                ..SelfSubjectAccessReview::default()
            };
            let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
            let asking = api.create(&parameters, &review);
            request("ask for this scheduler's rights", asking)
                .await?
                .status
        }
        Who::ServiceAccount(account) => {
            let review = LocalSubjectAccessReview {
                metadata: kube::api::ObjectMeta {
                    namespace: Some(namespace.clone()),
                    ..kube::api::ObjectMeta::default()
                },
                spec: SubjectAccessReviewSpec {
                    resource_attributes: Some(attributes),
                    user: Some(format!("system:serviceaccount:{namespace}:{account}")),
                    // A Role may be bound to any of them, and nobody else adds them here.
                    groups: Some(vec![
                        "system:serviceaccounts".to_owned(),
                        format!("system:serviceaccounts:{namespace}"),
                        "system:authenticated".to_owned(),
                    ]),
                    ..SubjectAccessReviewSpec::default()
                },
                ..LocalSubjectAccessReview::default()
            };
            let api: Api<LocalSubjectAccessReview> =
                Api::namespaced(cluster.client.clone(), namespace);
            let asking = api.create(&parameters, &review);
            request("ask for the agents' rights", asking).await?.status
        }
    };
    Ok(status.is_some_and(|SubjectAccessReviewStatus { allowed, .. }| allowed))
}
