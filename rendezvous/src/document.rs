//! Strict reading of what stands in a store.

use std::fmt;

/// Which of the documents in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// A stage's [`crate::Plan`].
    Plan,
    /// The run-wide [`crate::Abort`].
    Abort,
    /// A runner's [`crate::Report`].
    Report,
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Abort => "abort",
            Self::Report => "report",
        })
    }
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing that tminus put there: a folder, a symbolic link, a file of another name.
    #[error("it is {0}")]
    Foreign(String),
    /// Longer than any that we write.
    #[error("it is {bytes} bytes long, at most {longest} are read")]
    TooLong {
        /// Its length.
        bytes: u64,
        /// The most that is read of a document of this kind.
        longest: u64,
    },
    /// Not JSON, or cut off.
    #[error("it is no complete JSON ({0})")]
    Syntax(String),
    /// Made by another release of tminus.
    #[error(
        "it has version {found}, this program knows version {known}: \
         use one release of tminus for the scheduler and all runners"
    )]
    Version {
        /// The version that it claims, as it stands there.
        found: String,
        /// The version that this program reads and writes.
        known: u32,
    },
    /// A field is missing, unknown or of the wrong type.
    #[error("its form is wrong: {0}")]
    Form(String),
    /// A field's value makes no sense.
    #[error("its field `{field}` is wrong: {detail}")]
    Value {
        /// The field's name in the JSON.
        field: &'static str,
        /// What is wrong with the value.
        detail: String,
    },
}

/// A document in the store that cannot be used, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {kind} in {location} cannot be read: {problem}")]
pub struct DocumentError {
    /// What it should be.
    pub kind: DocumentKind,
    /// The file, or the object and key.
    pub location: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// Checks what a document says of itself against the name of what holds it (`holder`, such as "file"): one that
/// contradicts it was put there by a mistake, and is nobody's.
pub(crate) fn same<T: PartialEq + fmt::Display>(
    field: &'static str,
    found: &T,
    promised: &T,
    holder: &str,
) -> Result<(), Problem> {
    if found == promised {
        return Ok(());
    }
    let detail = format!("it is {found}, and the {holder} is that of {promised}");
    Err(Problem::Value { field, detail })
}
