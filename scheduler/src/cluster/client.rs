//! Which cluster, which namespace, and as whom.

use std::time::Duration;

use kube::config::KubeConfigOptions;
use kube::{Client, Config};
use rendezvous::kubernetes::{LONGEST_CALL, in_words};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::credentials;
use super::error::ClusterError;
use super::watching::WATCH_FOR;

/// How long it may take to get credentials. A kubeconfig may have a program for that which asks a
/// person; a pipeline's takes a second.
const CREDENTIALS_WITHIN: Duration = Duration::from_secs(120);

/// The longest that a connection may be silent in the middle of an answer: longer than a watch over objects that do not
/// change, which the API server ends after [`WATCH_FOR`] seconds.
const SILENT_FOR: Duration = Duration::from_secs(WATCH_FOR as u64 + 15);

/// A namespace of a cluster, and a client for it.
#[derive(Clone)]
pub struct Cluster {
    /// Speaks to the API server. It repeats nothing by itself.
    pub client: Client,
    /// The namespace.
    pub namespace: String,
}

impl Cluster {
    /// Finds the cluster as `kubectl` does: by `KUBECONFIG` or `~/.kube/config` and the `context`
    /// in it, else by the service account of the pod that this process runs in. A proxy is used if the
    /// kubeconfig or `HTTPS_PROXY` names one. `namespace`: that of the context or the pod, if not given.
    ///
    /// Makes no request, but runs the kubeconfig's program for credentials, if it has one.
    ///
    /// # Errors
    /// [`ClusterError::Configuration`] that says what is missing.
    pub async fn connect(
        context: Option<&str>,
        namespace: Option<&str>,
    ) -> Result<Self, ClusterError> {
        let mut config = configuration(context).await?;
        // Each request has a time limit of its own. A repetition obeys the server's Retry-After, whatever
        // time there is.
        config.default_retry = false;
        config.connect_timeout = Some(LONGEST_CALL);
        // Nothing else limits the start of a watch, over a connection that swallows everything.
        config.read_timeout = Some(SILENT_FOR);
        let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
        let client = client(config).await.map_err(ClusterError::Configuration)?;
        Ok(Self { client, namespace })
    }
}

async fn client(config: Config) -> Result<Client, String> {
    // The program for credentials blocks.
    let client = timeout(
        CREDENTIALS_WITHIN,
        spawn_blocking(|| credentials::client(config)),
    );
    match client.await {
        Ok(Ok(client)) => client.map_err(|error| in_words(&error)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => {
            let limit = humantime::format_duration(CREDENTIALS_WITHIN);
            Err(format!(
                "the kubeconfig's program for credentials has not ended within {limit}"
            ))
        }
    }
}

async fn configuration(context: Option<&str>) -> Result<Config, ClusterError> {
    let is_named = std::env::var_os("KUBECONFIG").is_some_and(|path| !path.is_empty());
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    // Whoever names a kubeconfig does not mean the pod's own account.
    let config = if context.is_some() || is_named {
        let config = Config::from_kubeconfig(&options).await;
        config.map_err(|error| in_words(&error))
    } else {
        Config::infer().await.map_err(|error| in_words(&error))
    };
    config.map_err(ClusterError::Configuration)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;
    use std::future::pending;

    use super::*;
    use kube::config::Kubeconfig;
    use serde_json::json;
    use tokio::time::advance;

    /// The program ends when its directory is gone, which is before this test is over.
    #[tokio::test(start_paused = true)]
    async fn a_program_for_credentials_that_does_not_end_is_not_waited_for_any_longer() {
        let directory = tempfile::tempdir().unwrap();
        let began = directory.path().join("began");
        let program = "touch \"$0\"; while test -e \"$0\"; do sleep 0.02; done";
        let exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh",
            "args": ["-c", program, began], "interactiveMode": "Never"
        });
        let kubeconfig = json!({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
            "users": [{"name": "u", "user": {"exec": exec}}]
        });
        let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .unwrap();
        let time_passes = async {
            while !began.exists() {
                tokio::task::yield_now().await;
            }
            advance(CREDENTIALS_WITHIN).await;
            pending::<Infallible>().await
        };
        let client = tokio::select! {
            biased;
            client = client(config) => client,
            never = time_passes => match never {},
        };
        let expected = "the kubeconfig's program for credentials has not ended within 2m";
        assert_eq!(client.err().as_deref(), Some(expected));
        drop(directory);
    }
}
