//! Where a store is, as it stands on a command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::directory::DirectoryStore;
use crate::kubernetes::names::{is_namespace, is_run_name};
use crate::store::{Store, StoreError};

/// Where plan and reports stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// `dir:PATH`: a directory on this machine.
    Directory(PathBuf),
    /// `kubernetes:NAME` or `kubernetes:NAMESPACE/NAME`: in a namespace of a cluster, in and
    /// around the ConfigMap `tminus-NAME`.
    Kubernetes {
        /// The namespace; if not given, that in which the program works anyway.
        namespace: Option<String>,
        /// The Job's name, or what else the run is called by.
        name: String,
    },
}

impl StoreLocation {
    /// Opens a store that needs to know nothing more, and makes it where it can be made.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be used, or is in Kubernetes: there, it matters who asks, and
    /// [`crate::KubernetesStore`] is told so.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Directory(path) => Ok(Arc::new(DirectoryStore::open(path)?)),
            Self::Kubernetes { .. } => Err(StoreError::Denied {
                action: format!("open {self}"),
                detail: "a store in Kubernetes is not opened without an identity".to_owned(),
                cure: "Use a directory here: dir:PATH".to_owned(),
            }),
        }
    }
}

/// What is written on a command line.
const FORMS: &str = "give dir:PATH, such as dir:/tmp/rendezvous, or kubernetes:NAME or \
                     kubernetes:NAMESPACE/NAME with the name of the Job";

impl FromStr for StoreLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("dir", path)) if !path.is_empty() => Ok(Self::Directory(PathBuf::from(path))),
            Some(("kubernetes", "")) => Err(format!(
                "the name is empty: is this pod made by a Job? Otherwise {FORMS}"
            )),
            Some(("kubernetes", place)) => in_kubernetes(place),
            _ => Err(FORMS.to_owned()),
        }
    }
}

fn in_kubernetes(place: &str) -> Result<StoreLocation, String> {
    let (namespace, name) = match place.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, place),
    };
    if let Some(namespace) = namespace.filter(|namespace| !is_namespace(namespace)) {
        return Err(format!("{namespace:?} is no name of a namespace: {FORMS}"));
    }
    if !is_run_name(name) {
        return Err(format!("{name:?} is no name of a Job: {FORMS}"));
    }
    Ok(StoreLocation::Kubernetes {
        namespace: namespace.map(str::to_owned),
        name: name.to_owned(),
    })
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
            Self::Kubernetes {
                namespace: Some(namespace),
                name,
            } => write!(f, "kubernetes:{namespace}/{name}"),
            Self::Kubernetes {
                namespace: None,
                name,
            } => write!(f, "kubernetes:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("dir:/tmp/rendezvous", "/tmp/rendezvous")]
    #[case("dir:below/here", "below/here")]
    #[case("dir:a:b", "a:b")]
    fn a_location_is_read_and_shown_alike(#[case] text: &str, #[case] path: &str) {
        let location: StoreLocation = text.parse().unwrap();
        assert_eq!(location, StoreLocation::Directory(PathBuf::from(path)));
        assert_eq!(location.to_string(), text);
    }

    #[rstest]
    #[case("kubernetes:k6", None, "k6")]
    #[case("kubernetes:load/k6", Some("load"), "k6")]
    #[case("kubernetes:load/k6.eu", Some("load"), "k6.eu")]
    fn a_place_in_kubernetes_is_read_and_shown_alike(
        #[case] text: &str,
        #[case] namespace: Option<&str>,
        #[case] name: &str,
    ) {
        let location: StoreLocation = text.parse().unwrap();
        let expected = StoreLocation::Kubernetes {
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        };
        assert_eq!(location, expected);
        assert_eq!(location.to_string(), text);
        assert!(location.open().is_err(), "who asks?");
    }

    #[rstest]
    #[case::no_namespace("kubernetes:/k6")]
    #[case::no_name("kubernetes:load/")]
    #[case::dots_in_the_namespace("kubernetes:lo.ad/k6")]
    #[case::upper_case("kubernetes:K6")]
    #[case::two_slashes("kubernetes:a/b/c")]
    #[case::colon("kubernetes:a:b")]
    #[case::space("kubernetes:k6 ")]
    fn what_no_object_can_be_called_is_refused(#[case] text: &str) {
        let error = text.parse::<StoreLocation>().unwrap_err();
        assert!(error.contains("kubernetes:NAMESPACE/NAME"), "{error}");
    }

    #[test]
    fn an_empty_name_is_that_of_a_missing_label() {
        let error = "kubernetes:".parse::<StoreLocation>().unwrap_err();
        assert!(error.contains("made by a Job?"), "{error}");
    }

    #[rstest]
    #[case("")]
    #[case("dir:")]
    #[case("k8s:load/k6")]
    #[case("/tmp/rendezvous")]
    #[case("DIR:/tmp")]
    #[case("http://host")]
    fn any_other_is_refused_and_says_how_it_is_given(#[case] text: &str) {
        let error = text.parse::<StoreLocation>().unwrap_err();
        assert!(error.contains("dir:PATH"), "{error}");
    }
}
