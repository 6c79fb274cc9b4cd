//! Which run, and where.

use std::str::FromStr;

use clap::Args;
use rendezvous::{RunId, StoreLocation};

/// Which run, and where.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// The Kubernetes Job whose pods are the runners; the run is the Job's UID, and plan and reports stand in its namespace
    #[arg(long, env = "TMINUS_JOB", value_name = "NAME", value_parser = job)]
    job: Option<String>,

    /// The namespace of --job [default: that of the kubeconfig's context, else of the pod that this runs in]
    #[arg(long, env = "TMINUS_NAMESPACE", value_name = "NAMESPACE", value_parser = namespace)]
    namespace: Option<String>,

    /// The context of the kubeconfig to use for Kubernetes [default: its current one]; the kubeconfig itself is named by KUBECONFIG
    #[arg(long, env = "TMINUS_CONTEXT", value_name = "CONTEXT")]
    context: Option<String>,

    /// Without a Job: where plan and reports stand; dir:PATH, a directory on this machine, of one run at a time, or kubernetes:[NAMESPACE/]NAME
    #[arg(long, env = "TMINUS_STORE", value_name = "STORE")]
    store: Option<StoreLocation>,

    /// Without a Job: the run; the same for all its runners
    #[arg(long, env = "TMINUS_RUN", value_name = "ID")]
    run: Option<RunId>,
}

/// Which run, and where, without contradictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A run in a directory on this machine.
    Directory {
        /// The directory.
        location: StoreLocation,
        /// The run.
        run: RunId,
    },
    /// A run on Kubernetes, whatever makes its pods.
    Pods {
        /// The kubeconfig's context, if it is not the current one.
        context: Option<String>,
        /// The namespace, if it is not the context's.
        namespace: Option<String>,
        /// By what name the run's objects are called.
        name: String,
        /// The run.
        run: RunId,
    },
    /// The run of a Job.
    Job {
        /// The kubeconfig's context, if it is not the current one.
        context: Option<String>,
        /// The namespace, if it is not the context's.
        namespace: Option<String>,
        /// The Job's name.
        name: String,
    },
}

impl RunArguments {
    /// What they come to.
    ///
    /// # Errors
    /// A sentence, if they contradict each other or something is missing.
    pub fn place(&self) -> Result<Place, String> {
        let (context, namespace) = (self.context.clone(), self.namespace.clone());
        match (&self.job, &self.store, &self.run) {
            (Some(_), Some(_), _) => Err(
                "--job and --store exclude each other: the store of a Job's run is its namespace".to_owned(),
            ),
            (Some(_), None, Some(_)) => {
                Err("--job and --run exclude each other: the run of a Job is its UID".to_owned())
            }
            (Some(name), None, None) => Ok(Place::Job {
                context,
                namespace,
                name: name.clone(),
            }),
            (None, None, _) => {
                Err("give --job NAME, or --store STORE with --run ID for runners that are no Job's".to_owned())
            }
            (None, Some(_), None) => Err("--store needs --run ID".to_owned()),
            (None, Some(_), Some(_)) if namespace.is_some() => Err(
                "--namespace is for --job; a store names its namespace itself: kubernetes:NAMESPACE/NAME".to_owned(),
            ),
            (None, Some(StoreLocation::Kubernetes { namespace, name }), Some(run)) => Ok(Place::Pods {
                context,
                namespace: namespace.clone(),
                name: name.clone(),
                run: run.clone(),
            }),
            (None, Some(StoreLocation::Directory(_)), Some(_)) if context.is_some() => {
                Err("--context is for Kubernetes, and a directory is on this machine".to_owned())
            }
            (None, Some(location @ StoreLocation::Directory(_)), Some(run)) => Ok(Place::Directory {
                location: location.clone(),
                run: run.clone(),
            }),
        }
    }
}

fn job(text: &str) -> Result<String, String> {
    let location = StoreLocation::from_str(&format!("kubernetes:{text}"));
    match location {
        // With a slash in it, it would be the name of a namespace and one of a Job.
        Ok(StoreLocation::Kubernetes {
            namespace: None,
            name,
        }) => Ok(name),
        _ => Err(
            "it must be the name of a Job: at most 63 lower-case letters, digits, '-' and '.'"
                .to_owned(),
        ),
    }
}

fn namespace(text: &str) -> Result<String, String> {
    StoreLocation::from_str(&format!("kubernetes:{text}/job"))
        .map(|_| text.to_owned())
        .map_err(|_| {
            "it must be the name of a namespace: at most 63 lower-case letters, digits and '-'"
                .to_owned()
        })
}
