//! What a witness beside the reports says of a runner: the parent of its process, or
//! whoever runs its container.

use rendezvous::RunnerId;

/// What a witness says of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which runner.
    pub runner: RunnerId,
    /// Its name for people, if the witness knows it.
    pub name: Option<String>,
    /// What was seen of it.
    pub state: Seen,
}

/// What a witness saw of a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Its process is not there yet, and why. A report that is seen to change outranks it: what
    /// a witness says of a start may come late.
    Held(String),
    /// Its process is there, whether or not it has reported yet; and which container it is.
    Up(Option<Container>),
    /// Its process has ended and another one will be started in its place; why it is not
    /// there. What the ended one reported is void.
    Down(String),
    /// It is about to be ended, and why: it does not count, whatever it reports.
    Leaving(String),
    /// Its process ended for good with this code (128 + n where a signal killed it), and what else
    /// is known of that. That outranks whatever it reported last.
    Ended(u8, Option<String>),
    /// It will not come, or not come back, and why; with which code it ended is not known.
    Gone(String),
}

/// A container, told apart from those that ran in its place before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its id, another one for each container.
    pub id: String,
    /// How many have run in its place before.
    pub restarts: u32,
}
