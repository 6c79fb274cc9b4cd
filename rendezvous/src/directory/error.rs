//! From what the system answers to what a user can act on.

use std::io::{Error, ErrorKind};
use std::path::Path;

use super::layout::shown;
use crate::store::StoreError;

/// What a failed system call means: `action` is what was tried, such as
/// "write", and `path` on what.
pub fn store_error(action: &str, path: &Path, error: &Error) -> StoreError {
    let action = format!("{action} {}", shown(path));
    let detail = error.to_string();
    match cure(error.kind()) {
        Some(cure) => StoreError::Denied {
            action,
            detail,
            cure: cure.to_owned(),
        },
        None => StoreError::Unavailable { action, detail },
    }
}

/// What helps where waiting does not.
fn cure(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        // EACCES and EPERM.
        ErrorKind::PermissionDenied => Some(
            "Run scheduler and runners as one user, who owns the store's directory, \
             or choose another directory",
        ),
        // EROFS.
        ErrorKind::ReadOnlyFilesystem => {
            Some("Choose a directory on a file system that can be written to")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const OWNER: &str = "Run scheduler and runners as one user, who owns the store's directory, or choose another directory";

    #[rstest]
    #[case::eacces(libc::EACCES, OWNER)]
    #[case::eperm(libc::EPERM, OWNER)]
    #[case::erofs(
        libc::EROFS,
        "Choose a directory on a file system that can be written to"
    )]
    fn what_is_not_allowed_is_denied_and_says_what_to_do(#[case] errno: i32, #[case] cure: &str) {
        let error = store_error("write", Path::new("/s/x"), &Error::from_raw_os_error(errno));
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("may not write /s/x: "), "{text}");
        assert!(text.ends_with(cure), "{text}");
    }

    #[rstest]
    #[case::no_space(libc::ENOSPC)]
    #[case::quota(libc::EDQUOT)]
    #[case::io(libc::EIO)]
    #[case::gone(libc::ENOENT)]
    #[case::a_file_above(libc::ENOTDIR)]
    #[case::stale(libc::ESTALE)]
    #[case::descriptors(libc::EMFILE)]
    #[case::is_directory(libc::EISDIR)]
    fn what_may_come_back_is_unavailable(#[case] errno: i32) {
        let error = store_error("write", Path::new("/s/x"), &Error::from_raw_os_error(errno));
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("cannot write /s/x: "), "{text}");
    }
}
