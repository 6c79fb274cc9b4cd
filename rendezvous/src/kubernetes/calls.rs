//! The single requests that the store is made of.

use std::sync::Arc;

use http::Request;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::client::Body;
use kube::{Api, Client};

use super::access::{Attempt, Resource};
use super::config_map::Place;
use super::connection::Connection;
use super::failure::Failure;
use super::server_date::ServerDate;
use crate::store::StoreError;

/// Why a write was not made.
#[derive(Debug)]
pub enum Refusal {
    /// The object has changed meanwhile, is there already, or is not there any more: read again.
    Changed,
    /// It cannot be made.
    Failed(StoreError),
}

/// Requests for a run's ConfigMap, and for Leases in its namespace.
#[derive(Debug)]
pub struct Calls {
    connection: Arc<Connection>,
    place: Place,
}

impl Calls {
    /// Requests over a connection.
    pub fn new(connection: Arc<Connection>, place: Place) -> Self {
        Self { connection, place }
    }

    /// Where the ConfigMap is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// An attempt at the ConfigMap.
    pub fn attempt(&self, verb: &'static str) -> Attempt<'_> {
        Attempt {
            verb,
            resource: Resource::ConfigMaps,
            name: Some(&self.place.name),
            namespace: &self.place.namespace,
        }
    }

    /// An attempt at a Lease, or at several.
    pub fn lease_attempt<'a>(&'a self, verb: &'static str, name: Option<&'a str>) -> Attempt<'a> {
        Attempt {
            verb,
            resource: Resource::Leases,
            name,
            namespace: &self.place.namespace,
        }
    }

    fn config_maps(&self, client: Client) -> Api<ConfigMap> {
        Api::namespaced(client, &self.place.namespace)
    }

    fn leases(&self, client: Client) -> Api<Lease> {
        Api::namespaced(client, &self.place.namespace)
    }

    /// What time the server says it is. `/version` is open to everybody who gets as far as the server, and an answer
    /// that refuses it has a `Date` as well.
    pub async fn server_date(&self) -> Result<ServerDate, Failure> {
        let asked = self.connection.call(|client| async move {
            let request = Request::get("/version")
                .body(Body::empty())
                .map_err(kube::Error::HttpError)?;
            Ok(ServerDate::of(client.send(request).await?.headers()))
        });
        asked.await
    }

    /// The ConfigMap, if it is there.
    pub async fn config_map(&self) -> Result<Option<ConfigMap>, StoreError> {
        let got = self.connection.call(|client| {
            let api = self.config_maps(client);
            async move { api.get(&self.place.name).await }
        });
        found(got.await).map_err(|failure| self.attempt("get").failed(&failure))
    }

    /// Makes the ConfigMap.
    pub async fn create_config_map(&self, object: &ConfigMap) -> Result<(), Refusal> {
        let created = self.connection.call(|client| {
            let api = self.config_maps(client);
            async move { api.create(&PostParams::default(), object).await }
        });
        written(created.await, &self.attempt("create")).map(drop)
    }

    /// Puts the ConfigMap in the place of the state that it was made from.
    pub async fn update_config_map(&self, object: &ConfigMap) -> Result<(), Refusal> {
        let updated = self.connection.call(|client| {
            let api = self.config_maps(client);
            async move {
                let params = PostParams::default();
                api.replace(&self.place.name, &params, object).await
            }
        });
        gone_is_changed(updated.await, &self.attempt("update")).map(drop)
    }

    /// Deletes this very ConfigMap, in this very state.
    pub async fn delete_config_map(&self, object: &ConfigMap) -> Result<(), Refusal> {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: object.metadata.uid.clone(),
                resource_version: object.metadata.resource_version.clone(),
            }),
            ..DeleteParams::default()
        };
        let deleted = self.connection.call(|client| {
            let api = self.config_maps(client);
            async move { api.delete(&self.place.name, &params).await }
        });
        gone_is_changed(deleted.await, &self.attempt("delete")).map(drop)
    }

    /// A Lease, if it is there.
    pub async fn lease(&self, name: &str) -> Result<Option<Lease>, StoreError> {
        let got = self.connection.call(|client| {
            let api = self.leases(client);
            async move { api.get(name).await }
        });
        found(got.await).map_err(|failure| self.lease_attempt("get", Some(name)).failed(&failure))
    }

    /// Makes a Lease, and gives it as it stands now.
    pub async fn create_lease(&self, lease: &Lease) -> Result<Lease, Refusal> {
        let created = self.connection.call(|client| {
            let api = self.leases(client);
            async move { api.create(&PostParams::default(), lease).await }
        });
        let name = lease.metadata.name.as_deref();
        written(created.await, &self.lease_attempt("create", name))
    }

    /// Puts a Lease in the place of the state that it was made from, and gives it as it stands now.
    pub async fn update_lease(&self, name: &str, lease: &Lease) -> Result<Lease, Refusal> {
        let updated = self.connection.call(|client| {
            let api = self.leases(client);
            async move { api.replace(name, &PostParams::default(), lease).await }
        });
        gone_is_changed(updated.await, &self.lease_attempt("update", Some(name)))
    }

    /// Whether there is a Lease with these labels.
    pub async fn any_lease(&self, labels: &str) -> Result<bool, StoreError> {
        let params = ListParams::default().labels(labels).limit(1);
        let listed = self.connection.call(|client| {
            let api = self.leases(client);
            async move { api.list(&params).await }
        });
        match listed.await {
            Ok(leases) => Ok(!leases.items.is_empty()),
            Err(failure) => Err(self.lease_attempt("list", None).failed(&failure)),
        }
    }
}

/// What was asked for, or that it is not there.
fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(object) => Ok(Some(object)),
        Err(failure) if failure.is_not_found() => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn written<T>(answer: Result<T, Failure>, attempt: &Attempt<'_>) -> Result<T, Refusal> {
    answer.map_err(|failure| {
        if failure.is_conflict() {
            Refusal::Changed
        } else {
            Refusal::Failed(attempt.failed(&failure))
        }
    })
}

/// Of an object that was there just now, "not found" means that it was deleted since.
fn gone_is_changed<T>(answer: Result<T, Failure>, attempt: &Attempt<'_>) -> Result<T, Refusal> {
    match answer {
        Err(failure) if failure.is_not_found() => Err(Refusal::Changed),
        answer => written(answer, attempt),
    }
}
