//! The signals that tell this process to end.

use std::future::pending;
use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The signals that tell this process to end, one after another, by name.
///
/// A terminal sends SIGINT (Ctrl-C) and SIGHUP (closed), a CI runner SIGTERM.
#[derive(Debug)]
pub struct Signals(mpsc::UnboundedReceiver<&'static str>);

impl Signals {
    /// Catches them from now on. None of them ends this process by itself any more.
    ///
    /// # Errors
    /// If the system does not let it.
    pub fn catch() -> io::Result<Self> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let (sender, receiver) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                    _ = hangup.recv() => "SIGHUP",
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
