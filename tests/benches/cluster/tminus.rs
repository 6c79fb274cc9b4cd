//! A start by tminus, as its user makes it: the manifests that are shipped, without their warm-up.

use std::fs;

use chrono::TimeDelta;
use serde_json::Value;
use support::{
    cluster::Cluster,
    load_test::{LoadTest, MAIN, ended},
};

use crate::methods::{Outcome, PODS, SCRIPT, spread};

/// Starts the pods once, and says how late each fired.
pub fn start(cluster: &Cluster) -> Outcome {
    let load_test = LoadTest::new(cluster, PODS).without_warmup();
    let script = load_test.manifests().file("job/script.js");
    fs::write(script, SCRIPT).unwrap();
    // Unlike a test's pods, these have the node to themselves, so they can have what is shipped.
    load_test.change("cpu: 10m", "cpu: 250m");
    load_test.apply();
    let result = ended(&load_test.start(&[MAIN])).assert(0).result();
    let lateness = |runner: &Value| TimeDelta::nanoseconds(runner["lateness_ns"].as_i64().unwrap());
    let runners = result.0["runners"].as_array().unwrap();
    Outcome {
        spread: spread(load_test.target()),
        lateness: runners.iter().map(lateness).collect(),
    }
}
