//! Keeps the programs of a test cluster: `support::cluster` starts it and says what to run.

use std::{io, path::PathBuf};

use clap::{Parser, Subcommand};
use support::cluster::keeper;

/// Runs the programs of a test cluster until its standard input closes, which the end of a test does however it
/// comes, and leaves nothing behind then.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Starts the process below which all others run, and clears up after it
    Guard {
        /// Gives it a network, mounts, processes and cgroups of its own
        #[arg(long)]
        node: bool,
    },
    /// Is that process
    Keep {
        /// Where logs go
        folder: PathBuf,
        /// In namespaces of its own
        #[arg(long)]
        node: bool,
    },
}

fn main() -> io::Result<()> {
    match Options::parse().role {
        Role::Guard { node } => keeper::guard(node),
        Role::Keep { folder, node } => keeper::keep(&folder, node),
    }
}
