//! A network of a test's own, in which this machine has other addresses.

use std::{
    env,
    net::{IpAddr, UdpSocket},
    process::Command,
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, unshare};

/// Runs `test` in a network in which there is nothing but this machine, under
/// `addresses`. What `test` starts is in it as well. Where this user may not make
/// one, the test is skipped; that is not to be in CI.
pub fn alone_with(addresses: &[&str], test: impl FnOnce() + Send + 'static) {
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    // Of a thread, not of the process: the other tests stay where they are.
    let thread = thread::spawn(move || {
        if let Err(error) = unshare(CloneFlags::CLONE_NEWNET) {
            let in_ci = env::var_os("CI").is_some_and(|value| value == "true");
            assert!(!in_ci, "no network of its own for this test: {error}");
            eprintln!("SKIPPED: no network of its own for this test: {error} (run it as root)");
            return;
        }
        ip(&["link", "set", "lo", "up"]);
        for address in &addresses {
            match address {
                IpAddr::V4(_) => ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]),
                // Without looking for others of that address, which takes a second.
                IpAddr::V6(_) => ip(&[
                    "address",
                    "add",
                    &format!("{address}/128"),
                    "dev",
                    "lo",
                    "nodad",
                ]),
            }
        }
        for address in addresses {
            wait_until_it_carries_packets(address);
        }
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// The first packet over IPv6 in a new network is at times lost.
fn wait_until_it_carries_packets(address: IpAddr) {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    let to_itself = socket.local_addr().unwrap();
    let patience = Duration::from_millis(10);
    socket.set_read_timeout(Some(patience)).unwrap();
    let came = (0..1_000).any(|_| {
        let sent = socket.send_to(&[0], to_itself);
        sent.is_ok() && socket.recv(&mut [0]).is_ok()
    });
    assert!(came, "no packet passes from {address} to itself");
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output();
    let output = output.expect("the program ip of the package iproute2 is needed");
    assert!(output.status.success(), "ip {arguments:?}: {output:?}");
}
