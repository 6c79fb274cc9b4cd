//! File systems of a test's own, which nobody else sees.

use std::{path::Path, thread};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::programs;

/// Runs `test` where it may mount what it likes: what it starts sees the same, everybody else sees nothing of it, and
/// all of it goes with the last that sees it. Where this user may not mount, the test is skipped; that is not to be in
/// CI.
pub fn alone(test: impl FnOnce() + Send + 'static) {
    // Of a thread, not of the process: the other tests stay where they are.
    let thread = thread::spawn(move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNS) {
            assert!(
                !programs::in_ci(),
                "no mounts of its own for this test: {error}"
            );
            eprintln!("SKIPPED: no mounts of its own for this test: {error} (run it as root)");
            return;
        }
        let none = None::<&str>;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(none, "/", none, private, none).unwrap();
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Puts an empty file system of so many KiB there, in memory.
///
/// # Panics
/// If it cannot be mounted.
pub fn small(path: &Path, kib: u32) {
    let size = format!("size={kib}k");
    mount(
        Some("tmpfs"),
        path,
        Some("tmpfs"),
        MsFlags::empty(),
        Some(size.as_str()),
    )
    .unwrap();
}

/// Makes what is below a path read-only, also for root.
///
/// # Panics
/// If it cannot be mounted.
pub fn read_only(path: &Path) {
    let none = None::<&str>;
    mount(Some(path), path, none, MsFlags::MS_BIND, none).unwrap();
    let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount(none, path, none, again, none).unwrap();
}
