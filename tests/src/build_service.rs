//! A stand-in for the service that builds k6 with extensions, which the launcher in k6 v2 asks at every start. It has built
//! all already: k6 itself, which the launcher finds in its cache.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread::JoinHandle,
};

use hyper::StatusCode;
use serde_json::json;
use tokio::{net::TcpListener, runtime, sync::oneshot};

use crate::{
    http::{self, Closed},
    runner::Launch,
    stage::Stage,
};

/// What no k6 says of itself, so that it looks for another one.
const DEPENDENCIES: &str = r#"{"k6":">=99.0.0"}"#;

/// How a build is called in the cache.
const BUILD: &str = "k6-as-it-is";

/// What it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answers {
    /// What it has built.
    ABuild,
    /// That it cannot.
    Unavailable,
    /// Nothing, as long as anybody waits.
    Never,
}

/// The service, and the cache of the launcher. It is served by a thread of its own until it is dropped.
pub struct BuildService {
    address: SocketAddr,
    cache: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BuildService {
    /// One whose builds are this k6. The cache is beside the stage's store.
    pub fn start(stage: &Stage, k6: &Path, answers: Answers) -> Self {
        let cache = stage.scratch().path().join("cache");
        let build = cache.join("k6/builds").join(BUILD);
        fs::create_dir_all(&build).unwrap();
        symlink(k6, build.join("k6")).unwrap();
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = http::serve(listener, move |_| answer(answers)) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            cache,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Makes k6 v2 a launcher that asks this service.
    pub fn environment<'a>(&self, launch: Launch<'a>) -> Launch<'a> {
        launch
            .env("K6_BUILD_SERVICE_URL", format!("http://{}", self.address))
            .env("K6_DEPENDENCIES_MANIFEST", DEPENDENCIES)
            .env("XDG_CACHE_HOME", &self.cache)
    }
}

impl Drop for BuildService {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn answer(answers: Answers) -> http::Answer {
    match answers {
        Answers::ABuild => {}
        Answers::Unavailable => {
            return Ok(http::json(StatusCode::SERVICE_UNAVAILABLE, &json!({})));
        }
        Answers::Never => std::future::pending().await,
    }
    let artifact = json!({
        "id": BUILD,
        // Nobody asks for it there, nor is it checked, as it is in the cache.
        "url": "http://127.0.0.1:1/k6",
        "dependencies": {"k6": "v99.0.0"},
        "platform": "linux/amd64",
        "checksum": "0".repeat(64),
    });
    Ok::<_, Closed>(http::json(StatusCode::OK, &json!({"artifact": artifact})))
}
