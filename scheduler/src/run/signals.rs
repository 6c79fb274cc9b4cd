//! The signals that tell this process to end.

use std::future::pending;
use std::io;

use procfs::process::Process;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// The signals that tell this process to end, one after another, by name.
///
/// A terminal sends SIGINT (Ctrl-C) and SIGHUP (closed), a CI runner SIGTERM.
#[derive(Debug)]
pub struct Signals(mpsc::UnboundedReceiver<&'static str>);

impl Signals {
    /// Catches them from now on. None of them ends this process by itself any more.
    /// A SIGHUP that is ignored stays so: that is what `nohup` asks for.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn catch() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = if is_ignored(SignalKind::hangup()) {
            None
        } else {
            Some(signal(SignalKind::hangup())?)
        };
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                    _ = next(hangup.as_mut()) => "SIGHUP",
                };
                if sender.send(name).is_err() {
                    return;
                }
            }
        });
        Ok(Self(receiver))
    }

    /// Signals that a test sends.
    #[cfg(test)]
    pub fn by_hand() -> (mpsc::UnboundedSender<&'static str>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }

    /// The next one.
    pub async fn next(&mut self) -> &'static str {
        match self.0.recv().await {
            Some(name) => name,
            None => pending().await,
        }
    }
}

async fn next(signal: Option<&mut Signal>) -> Option<()> {
    match signal {
        Some(signal) => signal.recv().await,
        None => pending().await,
    }
}

/// Whether this process was started with a signal ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = Process::myself().and_then(|this| this.status());
    // Where /proc cannot be read, nothing is known to be ignored.
    status.is_ok_and(|status| status.sigign >> (kind.as_raw_value() - 1) & 1 == 1)
}
