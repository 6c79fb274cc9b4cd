//! Where the mark of a used-up stage stands: a file in the pod's shared memory, which outlives the container and
//! goes with the pod; where the store is a directory, the file of the runner's place there. A second memory beside the
//! report, for when the store has lost that or cannot be reached.

mod held;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::libc;
use rendezvous::{Hold, Incarnation, RunId, RunnerId, StageName};

use crate::decide::mark::Mark;
use held::HeldMark;

/// The pod's shared memory: containers of one pod share it, it survives a container's restart, and Kubernetes
/// leaves it writable where the root is read-only. A sandbox that is lost takes it along.
pub const SHARED_MEMORY: &str = "/dev/shm";
/// Of a mark some 150 are used.
const MOST_BYTES: u64 = 1024;

/// A mark is there, and cannot be read: it may tell of a load that was made.
#[derive(Debug, thiserror::Error)]
#[error(
    "whether this stage was used up cannot be told, as {} cannot be read: {source}; if no load was made, remove it",
    path.display()
)]
pub struct Unreadable {
    path: PathBuf,
    source: io::Error,
}

/// Another process of this runner arms, too.
#[derive(Debug, thiserror::Error)]
#[error("another process of this pod is armed for this stage, as {} says: give each container a stage of its own", .0.display())]
pub struct Taken(PathBuf);

/// The place of one runner's mark.
#[derive(Debug)]
pub struct MarkFile {
    /// None where no marks are left.
    path: Option<PathBuf>,
    /// Where it stands in the place that this process holds, and so is nobody else's.
    held: Option<HeldMark>,
    found: Option<Mark>,
    left: Option<Mark>,
}

impl MarkFile {
    /// Leaves no marks.
    #[must_use]
    pub fn none() -> Self {
        Self {
            path: None,
            held: None,
            found: None,
            left: None,
        }
    }

    /// The mark in the place of this runner, and what an earlier process left there; none where the place keeps none.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn in_place(place: Arc<Hold>, run: &RunId) -> Result<Self, Unreadable> {
        let Some(path) = place.path().map(Path::to_owned) else {
            return Ok(Self::none());
        };
        let held = HeldMark::new(place, run.clone());
        match held.read() {
            Ok(found) => Ok(Self {
                path: Some(path),
                held: Some(held),
                found,
                left: None,
            }),
            Err(source) => Err(Unreadable { path, source }),
        }
    }

    /// The mark of this runner in a folder, and what an earlier process left there.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn find(
        folder: &Path,
        run: &RunId,
        stage: &StageName,
        runner: &RunnerId,
    ) -> Result<Self, Unreadable> {
        // Neither stage nor runner can hold a `_`.
        let path = folder.join(format!("tminus_{run}_{stage}_{runner}"));
        match read(&path) {
            Ok(found) => Ok(Self {
                path: Some(path),
                held: None,
                found,
                left: None,
            }),
            Err(source) => Err(Unreadable { path, source }),
        }
    }

    /// What an earlier process of this runner left.
    #[must_use]
    pub fn found(&self) -> Option<&Mark> {
        self.found.as_ref()
    }

    /// Leaves a mark, in place of what was found. Where none can be left, the report alone has to do.
    ///
    /// # Errors
    /// [`Taken`]; then nothing was changed.
    pub fn leave(&mut self, mark: &Mark) -> Result<(), Taken> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let left = match &self.held {
            Some(held) => held.leave(mark),
            None => leave(path, mark, self.found.as_ref()),
        };
        match left {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Taken(path.clone())),
            Err(error) => {
                tracing::info!("no mark is left at {}: {error}", path.display());
                Ok(())
            }
            Ok(()) => {
                self.left = Some(mark.clone());
                Ok(())
            }
        }
    }

    /// Adds to the mark that was left that the resume was sent. Where that fails, the mark still says that it may
    /// have been.
    pub fn fired(&mut self) {
        let (Some(path), Some(left)) = (&self.path, self.left.take()) else {
            return;
        };
        let fired = Mark {
            fired: true,
            ..left.clone()
        };
        let told = match &self.held {
            Some(held) => held.leave(&fired),
            None => leave(path, &fired, Some(&left)),
        };
        if let Err(error) = told {
            tracing::info!(
                "the mark at {} does not tell of the start: {error}",
                path.display()
            );
        }
    }
}

/// Nothing, if there is no file.
fn read(path: &Path) -> io::Result<Option<Mark>> {
    let opened = OpenOptions::new()
        .read(true)
        // Nothing but a plain file of our own: others may write there, too.
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Whole or not at all, and only where nothing stands but what was found: a process that is killed while it does
/// this leaves no half of a mark.
fn leave(path: &Path, mark: &Mark, found: Option<&Mark>) -> io::Result<()> {
    let mut draft = path.as_os_str().to_owned();
    // Two containers of a pod may have the same process id.
    draft.push(format!(".{}", Incarnation::random()));
    let draft = PathBuf::from(draft);
    let written = write(&draft, mark).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let is_as_found = found.is_some() && read(path)?.as_ref() == found;
            if is_as_found {
                fs::rename(&draft, path)
            } else {
                Err(error)
            }
        }
        linked => linked,
    });
    // Gone already where it was renamed.
    let _ = fs::remove_file(&draft);
    written
}

fn write(draft: &Path, mark: &Mark) -> io::Result<()> {
    let text = serde_json::to_vec(mark)?;
    File::create_new(draft)?.write_all(&text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::logged::Logged;
    use rendezvous::{LatePolicy, PlanId};

    /// A folder of a test's own, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("tminus-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn find(&self) -> Result<MarkFile, Unreadable> {
            let run = RunId::new("r_1.a").unwrap();
            let stage = StageName::new("main").unwrap();
            MarkFile::find(&self.0, &run, &stage, &RunnerId::new("a").unwrap())
        }

        fn files(&self) -> Vec<PathBuf> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().path()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mark(plan: &str) -> Mark {
        Mark {
            plan: PlanId::new(plan).unwrap(),
            start_at: "2026-06-01T12:00:00Z".parse().unwrap(),
            late: LatePolicy::Refuse,
            fired: false,
        }
    }

    #[test]
    fn the_next_process_finds_what_was_left_and_nothing_else_is() {
        let folder = Folder::new("mark-found");
        let mut first = folder.find().unwrap();
        assert_eq!(first.found(), None);
        first.leave(&mark("p1")).unwrap();
        assert_eq!(folder.find().unwrap().found(), Some(&mark("p1")));
        assert_eq!(folder.files().len(), 1);
    }

    #[test]
    fn a_process_that_comes_back_before_the_instant_leaves_its_own_in_place_of_it() {
        let folder = Folder::new("mark-again");
        folder.find().unwrap().leave(&mark("p1")).unwrap();
        let mut again = folder.find().unwrap();
        again.leave(&mark("p2")).unwrap();
        assert_eq!(folder.find().unwrap().found(), Some(&mark("p2")));
        assert_eq!(folder.files().len(), 1);
    }

    #[test]
    fn a_start_is_told_of_in_the_mark_that_was_left_and_in_no_other() {
        let folder = Folder::new("mark-fired");
        let mut first = folder.find().unwrap();
        first.fired();
        assert!(folder.files().is_empty(), "nothing was left yet");
        first.leave(&mark("p1")).unwrap();
        first.fired();
        let fired = Mark {
            fired: true,
            ..mark("p1")
        };
        let mut next = folder.find().unwrap();
        assert_eq!(next.found(), Some(&fired));
        next.leave(&mark("p2")).unwrap();
        first.fired();
        assert_eq!(folder.find().unwrap().found(), Some(&mark("p2")));
        assert_eq!(folder.files().len(), 1);
    }

    #[test]
    fn of_two_that_live_at_once_one_leaves_the_mark() {
        let folder = Folder::new("mark-twice");
        let (mut first, mut second) = (folder.find().unwrap(), folder.find().unwrap());
        first.leave(&mark("p1")).unwrap();
        second.leave(&mark("p1")).unwrap_err();
        second.leave(&mark("p2")).unwrap_err();
        assert_eq!(folder.find().unwrap().found(), Some(&mark("p1")));
        assert_eq!(folder.files().len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_no_missing_mark() {
        let folder = Folder::new("mark-unreadable");
        folder.find().unwrap().leave(&mark("p1")).unwrap();
        let path = folder.files().remove(0);
        for text in ["", "{}", "null"] {
            fs::write(&path, text).unwrap();
            let error = folder.find().unwrap_err().to_string();
            assert!(error.contains("tminus_r_1.a_main_a"), "{error}");
        }
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        folder.find().unwrap_err();
    }

    #[test]
    fn a_folder_that_is_not_there_is_no_trouble() {
        let run = RunId::new("r").unwrap();
        let (stage, runner) = (StageName::new("main").unwrap(), RunnerId::new("a").unwrap());
        let mut file = MarkFile::find(Path::new("/nowhere"), &run, &stage, &runner).unwrap();
        let logged = Logged::here();
        file.leave(&mark("p1")).unwrap();
        logged.assert_has("no mark is left at /nowhere/tminus_r_main_a: No such file");
        MarkFile::none().leave(&mark("p1")).unwrap();
    }

    #[test]
    fn a_folder_that_goes_after_the_mark_was_left_is_told() {
        let folder = Folder::new("mark-gone");
        let mut file = folder.find().unwrap();
        file.leave(&mark("p1")).unwrap();
        fs::remove_dir_all(&folder.0).unwrap();
        let logged = Logged::here();
        file.fired();
        let path = folder.0.join("tminus_r_1.a_main_a");
        logged.assert_has(&format!(
            "the mark at {} does not tell of the start: No such file",
            path.display()
        ));
    }

    #[test]
    fn what_keeps_a_runner_from_its_mark_says_what_to_do() {
        let path = || PathBuf::from("/dev/shm/mark");
        let source = io::Error::other("no luck");
        let unreadable = Unreadable {
            path: path(),
            source,
        };
        assert_eq!(
            unreadable.to_string(),
            "whether this stage was used up cannot be told, as /dev/shm/mark cannot be read: no luck; if no load was made, remove it"
        );
        assert_eq!(
            Taken(path()).to_string(),
            "another process of this pod is armed for this stage, as /dev/shm/mark says: give each container a stage of its own"
        );
    }
}
