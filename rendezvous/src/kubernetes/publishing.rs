//! Writing a runner's report.

use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::api::coordination::v1::Lease;

use super::Pod;
use super::calls::{Calls, Refusal};
use super::pacing::Pacing;
use super::writing::{Pauses, in_time};
use super::{lease, names};
use crate::report::Report;
use crate::store::StoreError;

/// Writes reports, each in one request as long as nobody else writes the Lease.
#[derive(Debug)]
pub struct Publishing {
    calls: Arc<Calls>,
    pacing: Arc<Pacing>,
    pod: Option<Pod>,
    /// The Lease as it stood after it was last written.
    known: Mutex<Option<Lease>>,
}

impl Publishing {
    /// Reports from a pod.
    pub fn new(calls: Arc<Calls>, pacing: Arc<Pacing>, pod: Option<Pod>) -> Self {
        Self {
            calls,
            pacing,
            pod,
            known: Mutex::new(None),
        }
    }

    /// Publishes a report, whatever stood in its place.
    pub async fn publish(&self, report: &Report) -> Result<(), StoreError> {
        let name = names::lease(&report.runner, &report.stage);
        let change = async {
            let (mut known, mut pauses) = (self.known_as(&name), Pauses::default());
            loop {
                let renewed_every = self.pacing.renews_every();
                let pod = self.pod.as_ref();
                let written = match known.take() {
                    Some(found) => {
                        let next = lease::with(found, report, pod, renewed_every);
                        self.calls.update_lease(&name, &next).await
                    }
                    None => {
                        let namespace = &self.calls.place().namespace;
                        let next = lease::new(report, namespace, pod, renewed_every);
                        self.calls.create_lease(&next).await
                    }
                };
                match written {
                    Ok(lease) => return Ok(lease),
                    Err(Refusal::Failed(error)) => return Err(error),
                    Err(Refusal::Changed) => {
                        // The pause comes first: what is read has to be fresh when it is written.
                        pauses.pause().await;
                        known = self.calls.lease(&name).await?;
                    }
                }
            }
        };
        let late = || StoreError::Unavailable {
            action: self.calls.lease_attempt("update", Some(&name)).to_string(),
            detail: "others change it all the time".to_owned(),
        };
        let lease = in_time(change, late).await?;
        *self.known() = Some(lease);
        self.pacing.renewed();
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<Lease>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Lease of this name, if it is the one that is known.
    fn known_as(&self, name: &str) -> Option<Lease> {
        let known = self.known().clone();
        known.filter(|lease| lease.metadata.name.as_deref() == Some(name))
    }
}
