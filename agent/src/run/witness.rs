//! A second opinion of the time, from somebody who has no vote.

use std::sync::Arc;

use clock::{Clock, Timekeeper, date_witness};
use rendezvous::kubernetes::KubernetesStore;

/// Asks the API server once what time it is, and lets the timekeeper hear it. Nothing waits for that: it comes within
/// milliseconds where the API server is well, and where it is not, there is no second opinion.
pub fn ask(api_server: Arc<KubernetesStore>, clock: Clock, timekeeper: Arc<Timekeeper>) {
    tokio::spawn(async move {
        let asked = clock.moment();
        let Some(said) = api_server.server_date().await else {
            return;
        };
        let received = clock.moment();
        let (age, via) = (said.age.as_deref(), said.via.as_deref());
        let Some(date) = date_witness(said.date.as_deref(), age, via) else {
            tracing::debug!(?said, "the API server's Date is no witness");
            return;
        };
        let round_trip = received.since(asked).to_std().unwrap_or_default();
        tracing::debug!(%date, ?round_trip, "the API server told its time");
        timekeeper.witness(date, received, round_trip);
    });
}
