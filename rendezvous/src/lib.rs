//! What the two sides of tminus exchange, and nothing else: the scheduler's
//! [`Plan`] and [`Abort`], the runners' [`Report`]s, and the [`Store`] that
//! holds them.
//!
//! Everything in a store is hostile until read: documents are strict and
//! versioned, and what cannot be read is a named error ([`DocumentError`]),
//! never a panic and never silently "no plan".

pub mod abort;
mod backoff;
pub mod code;
pub mod directory;
pub mod document;
mod duration;
pub mod hold;
pub mod kubernetes;
pub mod last_words;
pub mod location;
pub mod names;
pub mod pace;
pub mod plan;
pub mod report;
pub mod store;
mod wire;

pub use abort::Abort;
pub use backoff::Backoff;
pub use directory::DirectoryStore;
pub use document::{DocumentError, DocumentKind, Problem};
pub use duration::duration_within;
pub use hold::Hold;
pub use kubernetes::KubernetesStore;
pub use last_words::LastWords;
pub use location::StoreLocation;
pub use names::{Incarnation, NameError, PlanId, RunId, RunnerId, StageName};
pub use plan::{LatePolicy, Plan, PlanState, Terms};
pub use report::{ClockReport, Phase, Report, StartReport};
pub use store::{Board, ReportEvent, Revision, Slot, Store, StoreError, Write};
