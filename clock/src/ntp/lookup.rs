//! Turning a name into addresses, within a time limit.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

use thiserror::Error;

use super::{Server, limit::Limit};

/// How long a name is waited for: a resolver asks again after 5 s, but one that
/// is well answers in milliseconds, and the name is asked for again in the next
/// round.
const LOOKUP: Duration = Duration::from_secs(2);

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookupFailure {
    /// The resolver says so.
    #[error("the name cannot be resolved: {0}")]
    Failed(String),
    /// The resolver knows the name, and no address.
    #[error("the name has no address")]
    NoAddress,
    /// The resolver does not answer.
    #[error(
        "the name was not resolved within {0:?} (DNS down? port 53 blocked by an egress NetworkPolicy?)"
    )]
    TimedOut(Duration),
}

type Addresses = io::Result<Vec<SocketAddr>>;

/// What resolves a name. It may block for as long as it likes.
pub(super) type Resolve = Arc<dyn Fn(&Server) -> Addresses + Send + Sync>;

/// The name of one server, and the thread that is resolving it, if one is.
pub(super) struct Lookup {
    server: Server,
    resolve: Resolve,
    /// A thread that hangs in the resolver cannot be ended. The next round waits
    /// for it again, instead of sending another one to hang beside it.
    pending: Option<Receiver<Addresses>>,
}

impl Lookup {
    pub(super) fn new(server: Server) -> Self {
        let by_system = |server: &Server| {
            let addresses = (server.host(), server.port()).to_socket_addrs()?;
            Ok(addresses.collect())
        };
        Self::with(server, Arc::new(by_system))
    }

    pub(super) fn with(server: Server, resolve: Resolve) -> Self {
        Self {
            server,
            resolve,
            pending: None,
        }
    }

    /// The addresses of the name, each once, in the resolver's order.
    pub(super) fn addresses(&mut self, round: Limit<'_>) -> Result<Vec<SocketAddr>, LookupFailure> {
        let failed = |error: io::Error| LookupFailure::Failed(error.to_string());
        let pending = match self.pending.take() {
            Some(pending) => pending,
            None => self.begin().map_err(failed)?,
        };
        let limit = round.at_most(LOOKUP);
        loop {
            match pending.recv_timeout(limit.slice()) {
                Ok(addresses) => return distinct(addresses.map_err(failed)?),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(LookupFailure::Failed("the resolver panicked".to_owned()));
                }
                Err(RecvTimeoutError::Timeout) if limit.is_over() => {
                    self.pending = Some(pending);
                    return Err(LookupFailure::TimedOut(LOOKUP));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn begin(&self) -> io::Result<Receiver<Addresses>> {
        let (tell, told) = mpsc::channel();
        let (server, resolve) = (self.server.clone(), Arc::clone(&self.resolve));
        thread::Builder::new()
            .name("name lookup".to_owned())
            .spawn(move || {
                // Nobody listens any more if the program is about to end.
                let _ = tell.send(resolve(&server));
            })?;
        Ok(told)
    }
}

fn distinct(addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, LookupFailure> {
    let mut distinct = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    if distinct.is_empty() {
        return Err(LookupFailure::NoAddress);
    }
    Ok(distinct)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    fn server(name: &str) -> Server {
        name.parse().expect("it is one")
    }

    fn within(at_most: Duration, lookup: &mut Lookup) -> Result<Vec<SocketAddr>, LookupFailure> {
        lookup.addresses(Limit::new(at_most, &|| false))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_name_of_this_machine_is_resolved() {
        let addresses =
            within(LONG, &mut Lookup::new(server("localhost:1123"))).expect("it is known");
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(|address| address.ip().is_loopback()));
        assert!(addresses.iter().all(|address| address.port() == 1123));
    }

    #[test]
    fn every_address_is_told_once() {
        let [first, second] = [1, 2].map(|port| SocketAddr::from(([10, 0, 0, 2], port)));
        let resolve: Resolve = Arc::new(move |_| Ok(vec![first, second, first]));
        let mut lookup = Lookup::with(server("ntp"), resolve);
        assert_eq!(within(LONG, &mut lookup), Ok(vec![first, second]));
    }

    #[test]
    fn a_name_without_an_address_is_a_failure() {
        let mut lookup = Lookup::with(server("ntp"), Arc::new(|_| Ok(Vec::new())));
        assert_eq!(within(LONG, &mut lookup), Err(LookupFailure::NoAddress));
    }

    #[test]
    fn a_resolver_that_fails_says_why() {
        let resolve: Resolve = Arc::new(|_| Err(io::Error::other("no such name")));
        let failure = within(LONG, &mut Lookup::with(server("ntp"), resolve));
        let expected = LookupFailure::Failed("no such name".to_owned());
        assert_eq!(failure, Err(expected));
    }

    #[test]
    fn a_resolver_that_panics_is_a_failure() {
        let resolve: Resolve = Arc::new(|_| panic!("a bug"));
        let failure = within(LONG, &mut Lookup::with(server("ntp"), resolve));
        assert_eq!(
            failure.map_err(|failure| failure.to_string()),
            Err("the name cannot be resolved: the resolver panicked".to_owned())
        );
    }

    #[test]
    fn a_resolver_that_hangs_is_not_waited_for_and_not_asked_twice() {
        let (release, hang) = mpsc::channel::<()>();
        let hang = Mutex::new(hang);
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let address = SocketAddr::from(([10, 0, 0, 2], 123));
        let resolve: Resolve = Arc::new(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = hang.lock().map(|hang| hang.recv());
            Ok(vec![address])
        });
        let mut lookup = Lookup::with(server("ntp"), resolve);
        for _ in 0..3 {
            let failure = within(Duration::from_millis(1), &mut lookup);
            assert_eq!(failure, Err(LookupFailure::TimedOut(LOOKUP)));
        }
        drop(release);
        assert_eq!(within(LONG, &mut lookup), Ok(vec![address]));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}
