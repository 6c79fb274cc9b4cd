//! The manifests in `docker/kubernetes`, as a user takes them.

use std::{collections::BTreeMap, ffi::OsStr, fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::{
    cluster::{Cluster, Namespace},
    programs::repository,
    scratch::Scratch,
};

/// A user's copy of the folder, for a namespace of a test's own.
pub struct Manifests {
    /// Where everything of it is to be.
    pub namespace: Namespace,
    /// Holds the copy, with a `kustomization.yaml` beside it that says the namespace.
    pub folder: Scratch,
}

impl Manifests {
    /// Makes a namespace, and a copy for it.
    pub fn copied(cluster: &Cluster) -> Self {
        let namespace = cluster.namespace();
        let folder = Scratch::new();
        let copied = Command::new("cp")
            .arg("--recursive")
            .arg(shipped())
            .arg(folder.path())
            .status();
        assert!(copied.unwrap().success());
        let text = format!("namespace: {}\nresources: [kubernetes]\n", namespace.name());
        folder.write("kustomization.yaml", &text);
        Self { namespace, folder }
    }

    /// A file of the copy.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("kubernetes").join(name)
    }

    /// Changes a file of the copy, as a user does with an editor.
    ///
    /// # Panics
    /// If `from` does not stand in it.
    pub fn change(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.file(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}");
        fs::write(self.file(file), text.replace(from, to)).unwrap();
    }

    /// Applies everything.
    ///
    /// # Panics
    /// If the API server refuses any of it, or warns.
    pub fn apply(&self) {
        let folder = self.folder.path();
        self.applied(&["--kustomize".as_ref(), folder.as_ref()]);
    }

    /// What the API server would make of everything.
    pub fn tried(&self) -> BTreeMap<String, Value> {
        let folder = self.folder.path();
        self.applied(&[
            "--dry-run=server".as_ref(),
            "--kustomize".as_ref(),
            folder.as_ref(),
        ])
    }

    /// What it would make of one plain file.
    pub fn tried_plain(&self, file: &str) -> BTreeMap<String, Value> {
        let file = self.file(file);
        self.applied(&[
            "--dry-run=server".as_ref(),
            "--filename".as_ref(),
            file.as_ref(),
        ])
    }

    /// Applies what kubectl's arguments name, and gives the objects as the API server has them, by kind and name.
    ///
    /// # Panics
    /// If it refuses any of them, or warns.
    pub fn applied(&self, what: &[&OsStr]) -> BTreeMap<String, Value> {
        let apply = ["apply", "--server-side", "--warnings-as-errors"].map(OsStr::new);
        let objects = self.namespace.kubectl().json(apply.iter().chain(what));
        match objects.get("items").and_then(Value::as_array) {
            Some(items) => items.iter().map(known).collect(),
            None => [known(&objects)].into(),
        }
    }
}

/// A manifest of the shipped `setup`, for another namespace.
pub fn set_up_for(namespace: &Namespace, file: &str) -> String {
    let text = fs::read_to_string(shipped().join("setup").join(file)).unwrap();
    let here = format!("namespace: {}", namespace.name());
    text.replace("namespace: load-test", &here)
}

/// The folder that is shipped.
pub fn shipped() -> PathBuf {
    repository().join("docker/kubernetes")
}

/// An object by kind and name, without what the API server makes anew for each.
fn known(object: &Value) -> (String, Value) {
    let uid = object["metadata"]["uid"].as_str().unwrap().to_owned();
    let text = object.to_string().replace(&uid, "its-own-uid");
    let mut object: Value = serde_json::from_str(&text).unwrap();
    let metadata = object["metadata"].as_object_mut().unwrap();
    metadata.retain(|key, _| {
        !matches!(
            key.as_str(),
            "creationTimestamp" | "managedFields" | "resourceVersion"
        )
    });
    let kind = object["kind"].as_str().unwrap();
    let name = object["metadata"]["name"].as_str().unwrap();
    (format!("{kind} {name}"), object)
}
