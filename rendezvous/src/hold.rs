//! A runner's place in a stage, and what the process that has it leaves for the next.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A runner's place in a stage, taken by this process until this is dropped or the
/// process ends, however it ends.
#[derive(Debug)]
pub struct Hold {
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    /// Closing it gives up the lock on it.
    lock: File,
    path: PathBuf,
}

impl Hold {
    /// The most bytes of a note.
    pub const MOST_BYTES: usize = 1024;

    /// A place that nobody else can take anyway, as its runner's id is one process's
    /// alone: the UID of a pod. It holds nothing, and keeps no note.
    #[must_use]
    pub fn needless() -> Self {
        Self { place: None }
    }

    /// A place that is taken as long as this file is locked, which stands at `path`.
    pub(crate) fn by(lock: File, path: PathBuf) -> Self {
        let place = Some(Place { lock, path });
        Self { place }
    }

    /// Where its note stands, if it can have one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.path.as_path())
    }

    /// The note that was left there last, by this process or one before it; empty if none was.
    ///
    /// # Errors
    /// If it cannot be read, or is no text or longer than any that is written.
    pub fn read(&self) -> io::Result<String> {
        let Some(place) = &self.place else {
            return Ok(String::new());
        };
        let mut bytes = vec![0; Self::MOST_BYTES + 1];
        let mut length = 0;
        while length < bytes.len() {
            match place.lock.read_at(&mut bytes[length..], length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        if length > Self::MOST_BYTES {
            return Err(io::Error::other("it is too long"));
        }
        bytes.truncate(length);
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        Ok(text.trim_end().to_owned())
    }

    /// Leaves a note in place of what stands there, through the file that this process has open: neither its
    /// directory nor its name is needed. Always the same length and in one call, so that a process that is
    /// killed meanwhile has written all of it or nothing.
    ///
    /// # Errors
    /// If it cannot be written, or is longer than [`Hold::MOST_BYTES`], or there is no place for it.
    pub fn write(&self, note: &str) -> io::Result<()> {
        let Some(place) = &self.place else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        if note.len() > Self::MOST_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let width = Self::MOST_BYTES;
        place
            .lock
            .write_all_at(format!("{note:width$}").as_bytes(), 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_note_that_is_none_of_ours_is_told_by_its_length() {
        let lock = tempfile::tempfile().unwrap();
        lock.set_len(Hold::MOST_BYTES as u64 + 1).unwrap();
        let hold = Hold::by(lock, PathBuf::from("/the/place"));
        assert_eq!(hold.read().unwrap_err().to_string(), "it is too long");
    }
}
