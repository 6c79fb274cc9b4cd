//! What goes wrong with a store in a directory, for a while. Nothing here hangs on rights, which root does not heed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

/// A fault of the store that lasts. Dropping it does not end it.
pub enum Broken {
    /// The directory was renamed: what it was, and is.
    Away(PathBuf, PathBuf),
    /// A directory is where drafts are written.
    Unwritable(PathBuf),
    /// Somebody holds the right to write a document: its draft, locked.
    Held(PathBuf, File),
    /// A document was cut off: which, what it was, and is.
    CutOff(PathBuf, Vec<u8>, Vec<u8>),
}

/// How often it is tried to come between two writers, and how long after another.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(2);

impl Broken {
    /// Takes the store away.
    pub fn away(directory: &Path) -> Option<Self> {
        let elsewhere = directory.with_extension("away");
        fs::rename(directory, &elsewhere).ok()?;
        Some(Self::Away(directory.to_owned(), elsewhere))
    }

    /// Lets a document be unwritable.
    pub fn unwritable(document: &Path) -> Option<Self> {
        let draft = draft_of(document);
        let made = again_and_again(|| match fs::create_dir(&draft) {
            // A writer is there, for some 100 µs.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
            made => Some(made),
        });
        made?.ok()?;
        Some(Self::Unwritable(draft))
    }

    /// Holds the right to write a document.
    pub fn held(document: &Path) -> Option<Self> {
        let draft = draft_of(document);
        let lock = again_and_again(|| match lock(&draft) {
            Ok(lock) => lock.map(Ok),
            Err(error) => Some(Err(error)),
        });
        Some(Self::Held(draft, lock?.ok()?))
    }

    /// Cuts a document off in the middle.
    pub fn cut_off(document: &Path) -> Option<Self> {
        // No writer comes in between, or what is put back later is older than what was cut off.
        let between = Self::held(document)?;
        let whole = fs::read(document).ok();
        let cut = whole.and_then(|whole| Self::cut(document, whole));
        between.mend();
        cut
    }

    fn cut(document: &Path, whole: Vec<u8>) -> Option<Self> {
        let half = whole[..whole.len() / 2].to_vec();
        let file = OpenOptions::new().write(true).open(document).ok()?;
        file.set_len(half.len() as u64).ok()?;
        Some(Self::CutOff(document.to_owned(), whole, half))
    }

    /// Puts it right. What somebody else has written meanwhile stays.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn mend(self) {
        match self {
            Self::Away(directory, elsewhere) => fs::rename(elsewhere, directory).unwrap(),
            Self::Unwritable(draft) => fs::remove_dir(draft).unwrap(),
            // Still under the lock, as a writer does that gives up.
            Self::Held(draft, _lock) => fs::remove_file(draft).unwrap(),
            Self::CutOff(document, whole, half) => {
                let Some(between) = Self::held(&document) else {
                    return;
                };
                if fs::read(&document).is_ok_and(|now| now == half) {
                    let beside = document.with_extension("mended");
                    fs::write(&beside, whole).unwrap();
                    fs::rename(beside, document).unwrap();
                }
                between.mend();
            }
        }
    }

    /// Whether there is no store.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(..))
    }
}

/// As the store names it, which is what makes it a lock between writers.
fn draft_of(document: &Path) -> PathBuf {
    let name = document.file_name().unwrap().to_string_lossy();
    document.with_file_name(format!(".{name}.tmp"))
}

/// The lock of a draft, unless a writer has it; then `None`.
fn lock(draft: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(draft)?;
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let is_there = fs::metadata(draft).is_ok_and(|now| {
        let locked = file.metadata();
        locked.is_ok_and(|locked| (locked.dev(), locked.ino()) == (now.dev(), now.ino()))
    });
    Ok(is_there.then_some(file))
}

fn again_and_again<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..TRIES {
        if let Some(done) = attempt() {
            return Some(done);
        }
        sleep(PAUSE);
    }
    None
}
