//! Writing a document: as a draft beside it, which is then renamed into its place.
//!
//! The draft is the lock as well. Whoever holds an exclusive `flock` on the file
//! that the draft's name stands for is alone in reading, deciding and renaming;
//! the others find the lock taken. Renaming gives up the name, so that the next
//! writer makes and locks a new file. A lock ends with its process: a writer that
//! is killed leaves at most the draft itself, which the next one overwrites.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::store_error;
use super::layout::draft_of;
use super::lock;
use crate::store::StoreError;

/// The sole right to write a document. Given up without having published, it
/// removes what it wrote.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Draft {
    /// Takes the sole right to write the document at `target`; `None` while
    /// somebody else has it. Does not wait.
    pub fn claim(target: &Path) -> Result<Option<Self>, StoreError> {
        let path = draft_of(target);
        match lock::exclusive(&path) {
            Ok(file) => Ok(file.map(|file| Self {
                file,
                path,
                target: target.to_owned(),
                published: false,
            })),
            Err(error) => Err(store_error("write", &path, &error)),
        }
    }

    /// The document's own path.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Puts a text in the document's place.
    pub fn publish(mut self, text: &str) -> Result<(), StoreError> {
        self.replace(text)
            .map_err(|error| store_error("write", &self.target, &error))
    }

    fn replace(&mut self, text: &str) -> io::Result<()> {
        // What a killed writer left.
        self.file.set_len(0)?;
        self.file.write_all(text.as_bytes())?;
        fs::rename(&self.path, &self.target)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Still under the lock, so the draft is our own. If it cannot be removed, the
            // next writer uses it.
            let _ = fs::remove_file(&self.path);
        }
    }
}
