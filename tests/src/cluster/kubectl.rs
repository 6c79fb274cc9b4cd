//! kubectl, the way in to a cluster for tests as for users.

use std::{
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
};

use serde_json::Value;

/// kubectl as the holder of a kubeconfig, in its namespace.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(super) fn new(program: PathBuf, kubeconfig: &Path) -> Self {
        Self {
            program,
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    /// Its command line, to be added to; each request of it has ten seconds.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let folder = self.kubeconfig.parent().unwrap();
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(folder.join("kubectl-cache"))
            .arg("--request-timeout=10s")
            // What the user of this machine prefers is not for tests.
            .env("KUBERC", "off")
            .env_remove("HTTPS_PROXY")
            .env_remove("https_proxy")
            .stdin(Stdio::null());
        command
    }

    /// Runs it, and gives its output.
    ///
    /// # Panics
    /// If it fails.
    pub fn run(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
        let mut command = self.command();
        command.args(arguments);
        let output = command.output().unwrap();
        succeeded(&command, output)
    }

    /// Runs it, and tells whether it succeeded, with its output or what it complains about.
    ///
    /// # Errors
    /// What it wrote to its standard error, if it fails.
    pub fn attempt(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<String, String> {
        let output = self.command().args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        if output.status.success() {
            Ok(text(output.stdout))
        } else {
            Err(text(output.stderr))
        }
    }

    /// Runs it with `--output json`, and gives what it says.
    ///
    /// # Panics
    /// If it fails.
    pub fn json(&self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Value {
        let mut command = self.command();
        command.args(arguments).args(["--output", "json"]);
        let output = command.output().unwrap();
        serde_json::from_str(&succeeded(&command, output)).unwrap()
    }

    /// Creates what is missing and changes what is there, as manifests say (YAML or JSON).
    ///
    /// # Panics
    /// If the API server refuses any of it.
    pub fn apply(&self, manifests: &str) {
        self.with_input(["apply", "--server-side", "--filename", "-"], manifests);
    }

    /// Runs it with an input, and gives its output.
    ///
    /// # Panics
    /// If it fails.
    pub fn with_input(
        &self,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        input: &str,
    ) -> String {
        let mut command = self.command();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // It may end without having read it all.
        let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let _ = writer.join();
        succeeded(&command, output)
    }
}

fn succeeded(command: &Command, output: Output) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = output;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        status.success(),
        "{command:?}: {status}\n{}{}",
        text(&stdout),
        text(&stderr)
    );
    text(&stdout)
}
