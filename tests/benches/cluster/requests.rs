//! What the agents of a run have asked the API server.

use support::cluster::Cluster;

use crate::run::Run;

/// How many requests all agents of a run have made so far, as the API server has logged them: a watch is one.
pub fn count(cluster: &Cluster, run: &Run) -> usize {
    let username = run.username();
    let requests = cluster.requests().into_iter();
    requests
        .filter(|request| request.user.username == username)
        .count()
}
