//! Exclusive locks (flock(2)) on files. The kernel gives one up when its file is closed,
//! also by the end of a process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Opens the file at a path, made if it is not there, and locks it for this process
/// alone; `None` while another has the lock. Does not wait, and neither follows a
/// symbolic link nor waits for the other end of a pipe.
///
/// The file is closed on `exec`, as all that this library opens: a child's program never
/// has the lock.
pub fn exclusive(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    let opened = file.metadata()?;
    if !opened.is_file() {
        return Err(Error::new(ErrorKind::AlreadyExists, "it is no file"));
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Between the two, the one who held it may have renamed or removed it: then the
    // lock on it is worth nothing.
    let still_there = match fs::symlink_metadata(path) {
        Ok(now) => (now.dev(), now.ino()) == (opened.dev(), opened.ino()),
        Err(error) if error.kind() == ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    Ok(still_there.then_some(file))
}
