//! A free loopback port for k6's API.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Asks the kernel for one. k6 can be given neither the socket nor port 0 (it
/// tells nobody which port it got), so another process may take the port in
/// between: k6 then ends with 106, and the next port is tried.
///
/// # Errors
/// If the kernel has none.
pub fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
