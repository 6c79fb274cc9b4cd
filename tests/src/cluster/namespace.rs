//! A namespace of a test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{control_plane, kubectl::Kubectl};

/// What makes kubeconfigs of a cluster.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// Where kubeconfigs are put.
    pub folder: PathBuf,
    pub server: String,
    pub certificate: PathBuf,
    pub kubectl: PathBuf,
}

impl Access {
    /// Writes a kubeconfig.
    pub fn kubeconfig(&self, token: &str, namespace: &str) -> PathBuf {
        self.kubeconfig_at(&self.server, token, namespace)
    }

    /// Writes one that reaches the API server by another way.
    pub fn kubeconfig_at(&self, server: &str, token: &str, namespace: &str) -> PathBuf {
        let text = control_plane::kubeconfig(server, &self.certificate, token, namespace);
        let path = self.folder.join(format!("{}.kubeconfig", Uuid::new_v4()));
        fs::write(&path, text).unwrap();
        path
    }

    /// kubectl as the holder of a kubeconfig.
    pub fn kubectl(&self, kubeconfig: &Path) -> Kubectl {
        Kubectl::new(self.kubectl.clone(), kubeconfig)
    }
}

/// A namespace that no other test uses, seen by one who may do everything. It is deleted when this is dropped.
pub struct Namespace {
    access: Arc<Access>,
    name: String,
    kubeconfig: PathBuf,
}

/// Somebody who may do in a namespace what its Roles say.
pub struct Account {
    /// What it proves itself with, for an hour.
    pub token: String,
    /// For what it does with the API server.
    pub kubeconfig: PathBuf,
    /// kubectl with that.
    pub kubectl: Kubectl,
}

impl Namespace {
    pub(super) fn new(access: &Arc<Access>, admin: &Kubectl) -> Self {
        let name = format!("test-{}", Uuid::new_v4().simple());
        admin.run(["create", "namespace", &name]);
        Self {
            access: access.clone(),
            kubeconfig: access.kubeconfig(control_plane::ADMIN_TOKEN, &name),
            name,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// For one who may do everything. What names no namespace is in this one.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl with that.
    pub fn kubectl(&self) -> Kubectl {
        self.access.kubectl(&self.kubeconfig)
    }

    /// A service account of this namespace, made unless it is there, with a token of its own.
    pub fn account(&self, name: &str) -> Account {
        let kubectl = self.kubectl();
        if kubectl.attempt(["get", "serviceaccount", name]).is_err() {
            kubectl.run(["create", "serviceaccount", name]);
        }
        let token = kubectl.run(["create", "token", name]).trim().to_owned();
        let kubeconfig = self.access.kubeconfig(&token, &self.name);
        Account {
            kubectl: self.access.kubectl(&kubeconfig),
            kubeconfig,
            token,
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // It goes with the cluster at the latest; there may be no API server just now.
        let _ = self
            .kubectl()
            .attempt(["delete", "namespace", &self.name, "--wait=false"]);
    }
}
