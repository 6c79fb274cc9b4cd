//! Whose API is it? A port can change hands between two looks, so each new
//! connection is checked after it was made and before anything is sent.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};

use crate::process::family::{family, group};

/// Why a connection is not used.
#[derive(Debug, thiserror::Error)]
#[error("port {} does not belong to the k6 that was started (process {root})", address.port())]
pub struct NotOurs {
    address: SocketAddr,
    root: u32,
}

/// Who is expected to listen: a process, or one that descends from it, as k6 v2
/// may be a launcher with a child; or one in its group, whose parent in between may have ended.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    /// The process that was started.
    pub root: u32,
    /// Where it was told to listen.
    pub address: SocketAddr,
}

impl Owner {
    /// Checks who listens now.
    ///
    /// # Errors
    /// [`NotOurs`] if nobody listens there, if somebody else does, or if it cannot be found out.
    pub fn check(self) -> Result<(), NotOurs> {
        let listens = || {
            let inode = listener(self.address)?;
            let holds = |process: &Process| holds(process, inode);
            let is_ours = family(self.root, &HashSet::new()).iter().any(holds)
                || group(self.root).iter().any(holds);
            is_ours.then_some(())
        };
        listens().ok_or(NotOurs {
            address: self.address,
            root: self.root,
        })
    }
}

/// The inode of the socket that listens on an address, from `/proc/net/tcp`.
fn listener(address: SocketAddr) -> Option<u64> {
    procfs::net::tcp()
        .ok()?
        .into_iter()
        .find(|entry| entry.state == TcpState::Listen && entry.local_address == address)
        .map(|entry| entry.inode)
}

fn holds(process: &Process, inode: u64) -> bool {
    // A process that ends while it is looked at holds nothing.
    process.fd().is_ok_and(|mut descriptors| {
        descriptors.any(|fd| fd.is_ok_and(|fd| fd.target == FDTarget::Socket(inode)))
    })
}

/// A layer round reqwest's connector: hands a connection out only if the
/// listener is the [`Owner`].
#[derive(Debug, Clone, Copy)]
pub struct OwnedBy(pub Owner);

impl<S> tower::Layer<S> for OwnedBy {
    type Service = Checked<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Checked {
            inner,
            owner: self.0,
        }
    }
}

/// The connector with that check.
#[derive(Debug, Clone)]
pub struct Checked<S> {
    inner: S,
    owner: Owner,
}

impl<S, R> tower::Service<R> for Checked<S>
where
    S: tower::Service<R>,
    S::Future: Send + 'static,
    S::Response: Send,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = S::Response;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = futures_util::future::BoxFuture<'static, Result<S::Response, Self::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let owner = self.owner;
        let connecting = self.inner.call(request);
        Box::pin(async move {
            let connection = connecting.await.map_err(Into::into)?;
            owner.check()?;
            Ok(connection)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn our_own_listener_is_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Owner {
            root: std::process::id(),
            address,
        }
        .check()
        .unwrap();
    }

    #[test]
    fn a_listener_of_a_parent_or_of_nobody_is_not_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let of_child = Owner {
            root: child.id(),
            address,
        }
        .check();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of_child.is_err());
        drop(listener);
        assert!(
            Owner {
                root: std::process::id(),
                address
            }
            .check()
            .is_err()
        );
    }

    #[test]
    fn who_is_not_ours_is_named_by_the_port() {
        let address = "127.0.0.1:6565".parse().unwrap();
        let words = "port 6565 does not belong to the k6 that was started (process 7)";
        assert_eq!(NotOurs { address, root: 7 }.to_string(), words);
    }
}
