//! The one socket that a server is asked over in a round.

use std::{
    io::{self, IoSliceMut},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use nix::{
    cmsg_space,
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        socket::{
            ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
        },
        time::TimeSpec,
    },
};

use super::packet::HEADER_BYTES;
use crate::span;

/// A UDP socket on a port of the kernel's choice, which is a random one (RFC
/// 9109 §3).
///
/// It is not connected: what comes from others than the server shall be told,
/// and not be dropped unseen.
pub(super) struct Socket {
    socket: UdpSocket,
}

/// A packet as it came.
pub(super) struct Datagram {
    bytes: [u8; HEADER_BYTES],
    length: usize,
    pub(super) sender: SocketAddr,
    /// When it came, by the wall clock, if the kernel says so.
    pub(super) stamped: Option<DateTime<Utc>>,
}

impl Datagram {
    /// At most the length of a header: nobody looks at what follows.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Socket {
    /// A socket of the server's address family.
    pub(super) fn to(server: SocketAddr) -> io::Result<Self> {
        let socket = match server {
            SocketAddr::V4(_) => {
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
                socket
            }
            SocketAddr::V6(_) => {
                let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
                setsockopt(&socket, sockopt::Ipv6RecvErr, &true)?;
                socket
            }
        };
        // Where a sandbox refuses it the answers count as come when they are
        // read, and the bound is wider by that.
        let _ = setsockopt(&socket, sockopt::ReceiveTimestampns, &true);
        Ok(Self { socket })
    }

    pub(super) fn send(&self, bytes: &[u8], server: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, server).map(drop)
    }

    /// The next packet, if there is one already.
    ///
    /// # Errors
    ///
    /// What an ICMP message says of a packet that was sent, among others.
    pub(super) fn receive(&self) -> io::Result<Option<Datagram>> {
        let mut bytes = [0; HEADER_BYTES];
        let mut ancillary = cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut parts,
            Some(&mut ancillary),
            MsgFlags::MSG_DONTWAIT,
        );
        let message = match received {
            Ok(message) => message,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stamped = stamp(&message);
        let sender = message.address.as_ref().and_then(address);
        let length = message.bytes;
        // Of the kernel's UDP sockets only: they always say who sent it.
        let sender = sender.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some(Datagram {
            bytes,
            length,
            sender,
            stamped,
        }))
    }

    /// Blocks until there may be something to receive, for about `at_most`.
    pub(super) fn wait(&self, at_most: Duration) -> io::Result<()> {
        let mut sockets = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // Rounded up to a millisecond: with less left it would not wait at all.
        let at_most = at_most + Duration::from_millis(1);
        let at_most = PollTimeout::try_from(at_most).unwrap_or(PollTimeout::MAX);
        match poll(&mut sockets, at_most) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn stamp<S>(message: &RecvMsg<'_, '_, S>) -> Option<DateTime<Utc>> {
    message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::ScmTimestampns(time) => Some(span::after(
            DateTime::from_timestamp(time.tv_sec(), 0)?,
            TimeDelta::nanoseconds(time.tv_nsec()),
        )),
        _ => None,
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = || {
        let address = storage.as_sockaddr_in()?;
        Some(SocketAddr::V4(SocketAddrV4::new(
            address.ip(),
            address.port(),
        )))
    };
    let v6 = || {
        let address = storage.as_sockaddr_in6()?;
        Some(SocketAddr::V6(SocketAddrV6::new(
            address.ip(),
            address.port(),
            address.flowinfo(),
            address.scope_id(),
        )))
    };
    v4().or_else(v6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MachineTimebase, Timebase};

    fn receive(socket: &Socket) -> io::Result<Datagram> {
        loop {
            if let Some(datagram) = socket.receive()? {
                return Ok(datagram);
            }
            socket.wait(Duration::from_secs(60))?;
        }
    }

    fn loopback() -> [UdpSocket; 2] {
        ["127.0.0.1:0", "[::1]:0"].map(|address| UdpSocket::bind(address).expect("a socket"))
    }

    #[test]
    fn an_answer_comes_with_its_sender_and_the_time_it_came() {
        for server in loopback() {
            let address = server.local_addr().expect("an address");
            let socket = Socket::to(address).expect("a socket");
            socket.send(b"question", address).expect("it can be sent");
            let mut question = [0; 100];
            let (_, client) = server.recv_from(&mut question).expect("it comes");
            let before = MachineTimebase.wall();
            server.send_to(b"answer", client).expect("it can be sent");
            let answer = receive(&socket).expect("it comes");
            assert_eq!(answer.bytes(), b"answer");
            assert_eq!(answer.sender, address);
            let stamped = answer.stamped.expect("Linux stamps it");
            assert!((before..=MachineTimebase.wall()).contains(&stamped));
        }
    }

    #[test]
    fn what_is_not_there_is_not_waited_for() {
        let [server, _] = loopback();
        let socket = Socket::to(server.local_addr().expect("an address")).expect("a socket");
        assert!(socket.receive().expect("no error").is_none());
    }

    #[test]
    fn a_port_without_a_server_is_refused() {
        // A port that sockets are not given, and so no other test's.
        for address in ["127.0.0.1:1", "[::1]:1"] {
            let address = address.parse().expect("an address");
            let socket = Socket::to(address).expect("a socket");
            socket.send(b"question", address).expect("it can be sent");
            let refused = receive(&socket).map(|datagram| datagram.sender);
            assert_eq!(
                refused.map_err(|error| error.kind()),
                Err(io::ErrorKind::ConnectionRefused)
            );
        }
    }

    #[test]
    fn every_socket_has_another_port() {
        let server = "127.0.0.1:123".parse().expect("an address");
        let sockets: Vec<_> = (0..8)
            .map(|_| Socket::to(server).expect("a socket"))
            .collect();
        let mut ports: Vec<_> = sockets
            .iter()
            .map(|socket| socket.socket.local_addr().expect("an address").port())
            .collect();
        ports.sort_unstable();
        // A row of neighbours would be a port that can be guessed.
        assert!(
            ports.windows(2).any(|pair| pair[1] - pair[0] > 1),
            "{ports:?}"
        );
    }
}
