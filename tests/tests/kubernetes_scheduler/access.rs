//! The ways to the API server: a program for credentials, a proxy, and a server that is away for a while.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use support::{
    cluster::{self, Cluster},
    scratch::Scratch,
};

use crate::{
    agent::Manner,
    load::{Load, SOON, ended, well},
};

#[test]
fn a_kubeconfig_may_have_a_program_for_its_credentials() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    let scratch = Scratch::new();
    let program = scratch.path().join("credentials");
    let token = token(&load);
    let credential = format!(
        r#"{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{token}"}}}}"#
    );
    fs::write(&program, format!("#!/bin/sh\necho '{credential}'\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: Never}}",
        program.display()
    );
    let kubeconfig = scratch.path().join("kubeconfig");
    let text = fs::read_to_string(load.namespace.kubeconfig()).unwrap();
    fs::write(
        &kubeconfig,
        text.replace(&format!("token: '{token}'"), &exec),
    )
    .unwrap();

    let scheduler = load
        .command("start", ["--job", "k6", "--max-wait", "2s"])
        .env("KUBECONFIG", &kubeconfig)
        .start();
    let missing = format!(
        "Job k6 in namespace {} does not exist; waiting, 2s at most",
        load.namespace.name()
    );
    ended(&scheduler).assert(75).assert_told(&missing);
    fs::write(&program, "#!/bin/sh\necho 'log in first' >&2\nexit 3\n").unwrap();
    let scheduler = load
        .command("start", ["--job", "k6"])
        .env("KUBECONFIG", &kubeconfig)
        .start();
    ended(&scheduler)
        .assert(69)
        .assert_told("the kubeconfig's program for credentials failed (")
        .assert_told("log in first");
}

pub fn token(load: &Load) -> String {
    let text = fs::read_to_string(load.namespace.kubeconfig()).unwrap();
    let (_, rest) = text.split_once("token: ").unwrap();
    rest.split('\'').nth(1).unwrap().to_owned()
}

/// An HTTP proxy on loopback that makes tunnels; it counts them.
fn proxy() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let tunnels = Arc::new(AtomicUsize::new(0));
    let counted = tunnels.clone();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || tunnel(client));
        }
    });
    (address, tunnels)
}

fn tunnel(mut client: TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let request = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let server = request.split(' ').nth(1).unwrap_or_default();
    let mut server = TcpStream::connect(server)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || io::copy(&mut from, &mut to));
    io::copy(&mut client, &mut server).map(|_| ())
}

#[test]
fn a_proxy_that_the_environment_names_is_used() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    let (address, tunnels) = proxy();
    let scheduler = load
        .command("start", ["--job", "k6", "--max-wait", "2s"])
        .env("HTTPS_PROXY", &address)
        .start();
    ended(&scheduler).assert(75).assert_told("does not exist");
    assert!(tunnels.load(Ordering::SeqCst) > 0);
}

#[test]
fn an_api_server_that_is_away_while_runners_are_awaited_is_waited_for() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    cluster.start_controllers();
    let load = Load::new(&cluster);
    load.make_job("k6", 1);
    let pods = load.pods("k6", 1);
    let scheduler = load.start("k6", ["--wait"]);
    scheduler.wait_for_line("0/1 ready", SOON);
    cluster.kill_api();
    scheduler.wait_for_line("trying again", SOON);
    sleep(Duration::from_secs(10));
    cluster.start_api();
    scheduler.wait_for_line("the store is back after", SOON);
    let _agents = load.agents("k6", &pods, "main", Manner::default());
    well(&scheduler);
}

#[test]
fn an_api_server_that_does_not_answer_is_given_up() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    let proxy = cluster.proxy();
    proxy.swallow_all();
    let kubeconfig = cluster.kubeconfig_through(&proxy, &token(&load), load.namespace.name());
    let scheduler = load
        .command("start", ["--job", "k6"])
        .env("KUBECONFIG", &kubeconfig)
        .start();
    ended(&scheduler)
        .assert(69)
        .assert_told("cannot ask for this scheduler's rights: ");
}
