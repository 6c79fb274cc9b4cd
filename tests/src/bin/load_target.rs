//! The HTTP target as a program: `support::target` says what it answers.

use std::{io, sync::mpsc, thread, time::Duration};

use clap::Parser;
use support::target::Target;

/// A small HTTP target on loopback that knows when each runner's load began. Prints its URL, and ends on SIGTERM,
/// or when its standard input closes.
#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Ends by itself after this time, so that one that was forgotten does not stay for ever
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    max_seconds: u64,
}

fn main() {
    let options = Options::parse();
    let target = Target::start_on(options.port);
    println!("{}", target.url());

    let (closed, input_closed) = mpsc::channel();
    thread::spawn(move || {
        // An input that cannot be read is closed as well.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = closed.send(());
    });
    // Either way it is over.
    let _ = input_closed.recv_timeout(Duration::from_secs(options.max_seconds));
}

#[cfg(test)]
mod tests {
    use super::*;
    use support::{process::Program, programs};

    #[test]
    fn prints_its_url_and_ends_with_its_input() {
        let target = Program::new(programs::load_target()).input("").start();
        assert_eq!(target.wait(Duration::from_secs(10)).code, Some(0));
        assert!(target.stdout().starts_with("http://127.0.0.1:"));
        target.assert_nothing_left();
    }
}
