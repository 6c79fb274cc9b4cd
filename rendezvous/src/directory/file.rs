//! Reading a file that anybody may have put there.

use std::fs::{File, FileType, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use super::error::store_error;
use crate::store::{Revision, StoreError};

/// What stands in the place of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Absent,
    /// A file.
    Bytes(Vec<u8>),
    /// A file of so many bytes, of which at most `longest` are read.
    TooLong {
        /// Its length.
        bytes: u64,
        /// The most that is read.
        longest: u64,
    },
    /// Something that is no file, such as "a directory".
    Foreign(&'static str),
}

impl Content {
    /// What a conditional write compares: all bytes of a document. Of what cannot
    /// be one, only what it is.
    pub fn revision(&self) -> Revision {
        // Escaped, bytes that are no text stay different from each other, and none
        // of them is NUL.
        Revision(match self {
            Self::Absent => None,
            Self::Bytes(bytes) => Some(bytes.escape_ascii().to_string()),
            Self::TooLong { bytes, .. } => Some(format!("\0{bytes} bytes")),
            Self::Foreign(what) => Some(format!("\0{what}")),
        })
    }
}

/// Reads what stands at a path, at most `longest` bytes of it. It neither
/// follows a symbolic link nor waits for the other end of a pipe.
pub fn read(path: &Path, longest: u64) -> Result<Content, StoreError> {
    let failed = |error| store_error("read", path, &error);
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) => {
            return match error.raw_os_error() {
                Some(libc::ELOOP) => Ok(Content::Foreign("a symbolic link")),
                Some(libc::ENXIO) => Ok(Content::Foreign("a socket or a device")),
                _ if error.kind() == ErrorKind::NotFound => Ok(Content::Absent),
                _ => Err(failed(error)),
            };
        }
    };
    let metadata = file.metadata().map_err(failed)?;
    if let Some(what) = no_file(metadata.file_type()) {
        return Ok(Content::Foreign(what));
    }
    let bytes = read_at_most(&file, longest.saturating_add(1)).map_err(failed)?;
    Ok(if bytes.len() as u64 > longest {
        Content::TooLong {
            bytes: metadata.len().max(bytes.len() as u64),
            longest,
        }
    } else {
        Content::Bytes(bytes)
    })
}

fn read_at_most(file: &File, longest: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(longest).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What it is, if it is no file.
fn no_file(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a named pipe")
    } else {
        Some("a socket or a device")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_that_differ_have_revisions_that_differ() {
        let contents = [
            Content::Absent,
            Content::Bytes(Vec::new()),
            Content::Bytes(b"a directory".to_vec()),
            Content::Bytes(b"\0a directory".to_vec()),
            Content::Bytes(b"\\x00a directory".to_vec()),
            Content::Bytes(vec![0xfe]),
            Content::Bytes(vec![0xff]),
            Content::Foreign("a directory"),
            Content::Foreign("a symbolic link"),
            Content::TooLong {
                bytes: 5000,
                longest: 4096,
            },
            Content::TooLong {
                bytes: 5001,
                longest: 4096,
            },
        ];
        for (at, one) in contents.iter().enumerate() {
            for other in &contents[at + 1..] {
                assert_ne!(one.revision(), other.revision(), "{one:?} and {other:?}");
            }
        }
    }
}
