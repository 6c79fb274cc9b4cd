//! Where a store is, as it stands on a command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::directory::DirectoryStore;
use crate::store::{Store, StoreError};

/// Where plan and reports stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// `dir:PATH`: a directory on this machine.
    Directory(PathBuf),
}

impl StoreLocation {
    /// Opens the store there, and makes it where it can be made.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be used.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Directory(path) => Ok(Arc::new(DirectoryStore::open(path)?)),
        }
    }
}

impl FromStr for StoreLocation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("dir", path)) if !path.is_empty() => Ok(Self::Directory(PathBuf::from(path))),
            _ => Err("give dir:PATH, such as dir:/tmp/rendezvous".to_owned()),
        }
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
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
    #[case("")]
    #[case("dir:")]
    #[case("/tmp/rendezvous")]
    #[case("DIR:/tmp")]
    #[case("http://host")]
    fn any_other_is_refused_and_says_how_it_is_given(#[case] text: &str) {
        let error = text.parse::<StoreLocation>().unwrap_err();
        assert!(error.contains("dir:PATH"), "{error}");
    }
}
