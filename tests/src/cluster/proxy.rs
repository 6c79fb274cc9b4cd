//! A TCP proxy in front of a server, that counts connections and loses them on demand, as a network does.

use std::{
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    net::TcpStream,
    sync::oneshot,
};

use super::network::Network;

/// A proxy on a port of loopback. It ends, with its connections, when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    swallows_new: AtomicBool,
    /// Whether it swallows, for each connection so far.
    swallowed: Mutex<Vec<Arc<AtomicBool>>>,
}

impl Proxy {
    /// A proxy to a server of this machine's.
    pub fn to(server: SocketAddr) -> Self {
        Self::start(server, None)
    }

    /// A proxy to a server that is in another network.
    pub(super) fn into_network(server: SocketAddr, network: Network) -> Self {
        Self::start(server, Some(network))
    }

    fn start(server: SocketAddr, network: Option<Network>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let (end, ended) = oneshot::channel();
        let of_thread = state.clone();
        let thread = thread::spawn(move || {
            if let Some(network) = network {
                // The listener stays where it was made; the connections to the server are made there.
                network.enter();
            }
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, server, of_thread) => {}
                    // Its sender never sends: it is dropped.
                    _ = ended => {}
                }
            });
        });
        Self {
            address,
            state,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// From now on the connections that there are lead nowhere: what is sent on them is lost, in both directions, and
    /// nobody is told of an end. New ones work.
    pub fn swallow_present(&self) {
        for swallowed in self.state.swallowed.lock().unwrap().iter() {
            swallowed.store(true, Ordering::SeqCst);
        }
    }

    /// As [`swallow_present`](Self::swallow_present), and the same for all new connections, which are accepted.
    pub fn swallow_all(&self) {
        self.state.swallows_new.store(true, Ordering::SeqCst);
        self.swallow_present();
    }

    /// From now on new connections work again. Those that were lost stay so.
    pub fn serve_again(&self) {
        self.state.swallows_new.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: Arc<State>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let swallowed = {
            let mut all = state.swallowed.lock().unwrap();
            let new = Arc::new(AtomicBool::new(state.swallows_new.load(Ordering::SeqCst)));
            all.push(new.clone());
            new
        };
        state.connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            // However it ends, both ends are closed then.
            let _ = relay(client, server, &swallowed).await;
        });
    }
}

async fn relay(client: TcpStream, server: SocketAddr, swallowed: &AtomicBool) -> io::Result<()> {
    if swallowed.load(Ordering::SeqCst) {
        return pending().await;
    }
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (client, server) = (split(client), split(server));
    tokio::try_join!(
        pump(client.0, server.1, swallowed),
        pump(server.0, client.1, swallowed)
    )?;
    Ok(())
}

async fn pump(
    mut from: ReadHalf<TcpStream>,
    mut to: WriteHalf<TcpStream>,
    swallowed: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await;
        if swallowed.load(Ordering::SeqCst) {
            match read {
                Ok(1..) => continue,
                _ => return pending().await,
            }
        }
        match read? {
            0 => return to.shutdown().await,
            read => to.write_all(&buffer[..read]).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        time::Duration,
    };

    use super::*;

    /// Long enough that an echo on loopback would have come.
    const AWHILE: Duration = Duration::from_millis(200);

    /// A server that sends back what it gets.
    fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                thread::spawn(move || io::copy(&mut &stream, &mut &stream));
            }
        });
        address
    }

    fn echoes(stream: &mut TcpStream) -> bool {
        stream.set_read_timeout(Some(AWHILE)).unwrap();
        stream.write_all(b"x").unwrap();
        match stream.read(&mut [0]) {
            Ok(read) => read == 1,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "must stay open");
                false
            }
        }
    }

    #[test]
    fn passes_on_and_counts() {
        let proxy = Proxy::to(echo());
        for _ in 0..3 {
            assert!(echoes(&mut TcpStream::connect(proxy.address()).unwrap()));
        }
        assert_eq!(proxy.connections(), 3);
    }

    #[test]
    fn swallows_the_connections_that_there_are_and_no_others() {
        let proxy = Proxy::to(echo());
        let mut old = TcpStream::connect(proxy.address()).unwrap();
        assert!(echoes(&mut old));
        proxy.swallow_present();
        assert!(!echoes(&mut old));
        assert!(echoes(&mut TcpStream::connect(proxy.address()).unwrap()));
    }

    #[test]
    fn swallows_all_until_it_serves_again() {
        let proxy = Proxy::to(echo());
        proxy.swallow_all();
        let mut lost = TcpStream::connect(proxy.address()).unwrap();
        assert!(!echoes(&mut lost));
        proxy.serve_again();
        assert!(!echoes(&mut lost));
        assert!(echoes(&mut TcpStream::connect(proxy.address()).unwrap()));
    }

    #[test]
    fn closes_its_connections_when_dropped() {
        let proxy = Proxy::to(echo());
        let mut open = TcpStream::connect(proxy.address()).unwrap();
        assert!(echoes(&mut open));
        drop(proxy);
        assert_eq!(open.read(&mut [0]).unwrap_or(0), 0);
    }
}
