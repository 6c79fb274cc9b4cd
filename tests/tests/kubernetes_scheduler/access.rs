//! The ways to the API server: a program for credentials, a proxy, and a server that is away for a while.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, sleep},
    time::Duration,
};

use nix::sys::signal::Signal;
use support::{
    cluster::{self, Cluster},
    process::{Exit, Running},
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
    let token = token(&load);
    let credential = format!(
        r#"{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"{token}"}}}}"#
    );
    let kubeconfig = with_program(
        &load,
        &scratch,
        &format!("#!/bin/sh\necho '{credential}'\n"),
    );
    let program = scratch.path().join("credentials");

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

/// A program for credentials that is quick at first, when what it gives is good for a few seconds; later it takes longer
/// than a request may. Each time it writes a line into `runs`.
const SLOW_LATER: &str = r#"#!/bin/sh
set -e
cd "$(dirname "$0")"
for_how_long=63
if test -e runs; then sleep 8; for_how_long=3600; fi
echo run >>runs
until=$(date --utc --date "+$for_how_long seconds" +%Y-%m-%dT%H:%M:%SZ)
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",
       "status":{"token":"TOKEN","expirationTimestamp":"'"$until"'"}}'
"#;

#[test]
fn credentials_that_take_longer_to_renew_than_a_request_may_are_waited_for() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    let scratch = Scratch::new();
    let kubeconfig = with_program(&load, &scratch, &SLOW_LATER.replace("TOKEN", &token(&load)));
    let scheduler = waiting_for_its_job(&load, &kubeconfig);
    // A minute before they end they are renewed, and what is watched is asked for anew after 20 s.
    scheduler.wait_for_line(
        "the kubeconfig's program for credentials has not ended yet; trying again",
        SOON,
    );
    load.make_job_with("k6", 1, &serde_json::json!({"suspend": true}));
    scheduler.wait_for_line("is suspended; waiting", SOON);
    let runs = fs::read_to_string(scratch.path().join("runs")).unwrap();
    assert_eq!(runs.lines().count(), 2, "once for all requests");
    assert_ends_by_sigterm(&scheduler);
}

/// A program that does not end holds nobody up.
#[test]
fn credentials_that_are_never_renewed_do_not_keep_a_scheduler_from_ending() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    let scratch = Scratch::new();
    let program = SLOW_LATER
        .replace("TOKEN", &token(&load))
        // It ends when its folder is gone.
        .replace(
            "sleep 8;",
            ": >asked; while test -e asked; do sleep 0.1; done;",
        );
    let kubeconfig = with_program(&load, &scratch, &program);
    let scheduler = waiting_for_its_job(&load, &kubeconfig);
    let asked = scratch.path().join("asked");
    support::wait::until("the program to be run again", SOON, || {
        asked.exists().then_some(())
    });
    let exit = assert_ends_by_sigterm(&scheduler);
    assert_eq!(exit.code, Some(76), "{}", scheduler.stderr());
    fs::remove_file(asked).unwrap();
}

/// A scheduler that has reached the API server by this kubeconfig.
fn waiting_for_its_job(load: &Load, kubeconfig: &Path) -> Running {
    let scheduler = load
        .command("start", ["--job", "k6", "--max-wait", "60s"])
        .env("KUBECONFIG", kubeconfig)
        .start();
    scheduler.wait_for_line("does not exist; waiting", SOON);
    scheduler
}

fn assert_ends_by_sigterm(scheduler: &Running) -> Exit {
    scheduler.signal(Signal::SIGTERM);
    scheduler.wait(Duration::from_secs(15))
}

/// The namespace's kubeconfig with a program for its credentials.
pub fn with_program(load: &Load, scratch: &Scratch, text: &str) -> PathBuf {
    let program = scratch.path().join("credentials");
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = format!(
        "exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: Never}}",
        program.display()
    );
    let kubeconfig = scratch.path().join("kubeconfig");
    let text = fs::read_to_string(load.namespace.kubeconfig()).unwrap();
    let text = text.replace(&format!("token: '{}'", token(load)), &exec);
    fs::write(&kubeconfig, text).unwrap();
    kubeconfig
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
fn a_proxy_is_not_used_for_a_server_that_the_environment_excepts() {
    let Some(cluster) = cluster::api() else {
        return;
    };
    let load = Load::new(cluster);
    let (address, tunnels) = proxy();
    let scheduler = load
        .command("start", ["--job", "k6", "--max-wait", "2s"])
        .env("HTTPS_PROXY", &address)
        .env("NO_PROXY", "example.com,127.0.0.0/8")
        .start();
    ended(&scheduler).assert(75).assert_told("does not exist");
    assert_eq!(tunnels.load(Ordering::SeqCst), 0);
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
