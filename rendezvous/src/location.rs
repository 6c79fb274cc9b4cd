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
