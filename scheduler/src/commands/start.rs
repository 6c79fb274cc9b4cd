//! `start`: runners that are started by somebody else.

use rendezvous::kubernetes::{Owner, config_map_name};
use rendezvous::{KubernetesStore, RunId, Store, StoreLocation};
use std::sync::Arc;
use tokio::sync::OnceCell;
use tracing::{info, warn};

use super::Stop;
use super::early::{Candidate, unless_told_to_end};
use crate::cli::{Place, StartArguments};
use crate::cluster::{
    Awaited, Cluster, JobName, Subject, Witness, await_job, check_agents, check_own, check_selector,
};
use crate::decide::access::Source;
use crate::decide::job::{account, more_later, uid};
use crate::decide::lead::LeastLead;
use crate::decide::words;
use crate::exit::Code;
use crate::run::settings::Settings;
use crate::run::signals::Signals;
use crate::run::stages::{Venue, conduct_all};
use crate::show::console::Console;
use crate::trouble::Trouble;

/// A run that was found.
struct Found {
    run: RunId,
    venue: Venue,
    runners: u32,
    least_lead: LeastLead,
}

/// Starts the stages of a run.
pub async fn start(arguments: StartArguments, console: &Console) -> Result<Code, Stop> {
    let place = arguments.run.place().map_err(Stop::usage)?;
    // From now on nobody can end this process without the runners being told: a program for credentials may take
    // minutes, and an earlier scheduler may have begun the run.
    let mut signals = Signals::catch().map_err(|error| Trouble::Signals(error.to_string()))?;
    let candidate = OnceCell::new();
    let finding = find(&arguments, place, &candidate);
    let mut found = unless_told_to_end(&mut signals, &candidate, finding).await?;
    let stages = stages(&arguments, &found)?;
    let telling = arguments.gather.telling();
    Ok(conduct_all(&mut found.venue, &stages, signals, &telling, console).await)
}

/// Finds the run. `candidate`: set once it is known which it is.
async fn find(
    arguments: &StartArguments,
    place: Place,
    candidate: &OnceCell<Candidate>,
) -> Result<Found, Stop> {
    match place {
        Place::Directory { location, run } => in_directory(arguments, &location, run),
        Place::Pods {
            context,
            namespace,
            name,
            run,
        } => {
            let cluster = Cluster::connect(context.as_deref(), namespace.as_deref()).await?;
            let store = KubernetesStore::with_client(
                cluster.client.clone(),
                &cluster.namespace,
                &name,
                None,
            );
            let store: Arc<dyn Store> = Arc::new(store);
            let _ = candidate.set(Candidate {
                store: Arc::clone(&store),
                run: run.clone(),
            });
            of_pods(arguments, cluster, &name, store, run).await
        }
        Place::Job {
            context,
            namespace,
            name,
        } => {
            let cluster = Cluster::connect(context.as_deref(), namespace.as_deref()).await?;
            of_job(arguments, cluster, name, candidate).await
        }
    }
}

/// What each stage is to be.
fn stages(arguments: &StartArguments, found: &Found) -> Result<Vec<Settings>, Stop> {
    let (gather, least_lead) = (&arguments.gather, found.least_lead);
    let least = least_lead.whole();
    let need = gather.need(found.runners).map_err(Stop::usage)?;
    if let Some(lead) = gather.lead.filter(|lead| *lead < least) {
        let (lead, least) = (
            humantime::format_duration(lead),
            humantime::format_duration(least),
        );
        warn!(
            "--lead {lead} is less than {least}, which {} need to learn of the instant by polling alone; taking {least}",
            words::runners(need.wanted as usize)
        );
    }
    let last = arguments.stage.len() - 1;
    let stages = arguments.stage.iter().enumerate();
    Ok(stages
        .map(|(n, stage)| {
            let mut settings = gather.settings(found.run.clone(), stage.clone(), need, least_lead);
            (settings.wait, settings.followed) = (arguments.wait, n < last);
            settings
        })
        .collect())
}

fn in_directory(
    arguments: &StartArguments,
    location: &StoreLocation,
    run: RunId,
) -> Result<Found, Stop> {
    Ok(Found {
        run,
        venue: Venue {
            store: location.open().map_err(Trouble::from)?,
            witness: None,
        },
        runners: arguments.runners.unwrap_or(1),
        least_lead: LeastLead::IN_A_DIRECTORY,
    })
}

async fn of_pods(
    arguments: &StartArguments,
    cluster: Cluster,
    name: &str,
    store: Arc<dyn Store>,
    run: RunId,
) -> Result<Found, Stop> {
    let source = match &arguments.selector {
        Some(_) => Source::Labels,
        None => Source::Unknown,
    };
    check_own(&cluster, source, name).await?;
    if let Some(labels) = &arguments.selector {
        check_selector(&cluster, labels).await?;
    }
    let runners = arguments.runners.unwrap_or(1);
    let labels = arguments.selector.clone();
    let subject = labels.map_or(Subject::Unseen, Subject::Labelled);
    Ok(Found {
        run,
        venue: Venue {
            store,
            witness: Some(Witness::new(cluster, subject)),
        },
        runners,
        least_lead: LeastLead::on_kubernetes(runners),
    })
}

/// `candidate`: set once the run is known, before it is there as a whole.
async fn of_job(
    arguments: &StartArguments,
    cluster: Cluster,
    name: String,
    candidate: &OnceCell<Candidate>,
) -> Result<Found, Stop> {
    check_own(&cluster, Source::Job, &name).await?;
    let wanted = JobName {
        cluster: &cluster,
        name: &name,
    };
    let within = arguments.gather.max_wait;
    let (job, pods) = match await_job(&wanted, within).await? {
        Awaited::Brings { job, pods } => (job, pods),
        Awaited::TimedOut { instead } => {
            let within = humantime::format_duration(within);
            return Err(Stop::no_quorum(format!(
                "Job {name} in namespace {} has not come within {within}: it {instead}",
                cluster.namespace
            )));
        }
    };
    let uid = uid(&job);
    let run = RunId::new(&uid).map_err(|error| Stop::usage(error.to_string()))?;
    info!(
        "Job {name} in namespace {} is there, with {}: run {run}",
        cluster.namespace,
        words::runners(pods as usize)
    );
    if let Some(all) = more_later(&job) {
        warn!(
            "Job {name} runs {pods} of its {all} pods at once: the others come when the start is past, and are late"
        );
    }
    let owner = Owner {
        name: name.clone(),
        uid: uid.clone(),
    };
    let store = KubernetesStore::with_client(
        cluster.client.clone(),
        &cluster.namespace,
        &name,
        Some(owner),
    );
    let store: Arc<dyn Store> = Arc::new(store);
    let _ = candidate.set(Candidate {
        store: Arc::clone(&store),
        run: run.clone(),
    });
    check_agents(&cluster, account(&job), &config_map_name(&name)).await;
    let runners = arguments.runners.unwrap_or(pods);
    Ok(Found {
        run,
        venue: Venue {
            store,
            witness: Some(Witness::new(cluster, Subject::Job { name, uid })),
        },
        runners,
        least_lead: LeastLead::on_kubernetes(runners),
    })
}

#[cfg(test)]
mod tests;
